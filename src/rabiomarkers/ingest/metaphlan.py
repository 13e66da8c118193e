"""Tables with rows of every rank: MetaPhlAn 3 and 4, one profile or many merged, by its own names or GTDB's, and Kraken's like it.

Species rows are taken; those above count the same reads again. Where a profile tells how much it could not place
(`UNCLASSIFIED`, in version 3 `UNKNOWN`), that share is set apart and shares are of what was placed, so that profiles made with and
without the estimate mean the same.

References
----------
Blanco-Miguez et al. 2023, doi:10.1038/s41587-023-01688-w
"""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from rabiomarkers.ingest.abundances import ABUNDANCE, Abundances
from rabiomarkers.ingest.delimited import Delimited
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.lineage import lineage, split_lineage
from rabiomarkers.ingest.matrix import check_not_negative, check_present, number_columns

CLADE = ("clade_name", "id", "sampleid", "clade", "classification")
UNPLACED = ("UNCLASSIFIED", "UNKNOWN")
HOST = "homo sapiens"
SHARES, READS = "relative_abundance", "estimated_number_of_reads_from_the_clade"
PERCENT = 100.5  # shares of a sample sum to this at most, rounding allowed for

_INDEX = re.compile(r"mpa_v\w+")
_CLADE = re.compile(r"[a-z]{1,2}__")


def is_metaphlan(table: Delimited) -> bool:
    """Whether the first column holds clades with their rank (``k__Bacteria|p__...``), of which some contain others."""
    titled = table.header[0].lower() in CLADE
    if titled and SHARES in table.header:
        return True
    clades = {_first(line, table.separator) for line in table.lines}
    ranked = {clade for clade in clades if _CLADE.match(clade)}
    if titled and any("|" in clade for clade in ranked):
        return True
    return any(clade[: end.start()] in ranked for clade in ranked for end in re.finditer(r"\s*[|;]", clade))


def read_metaphlan(table: Delimited, sample_ids: Sequence[str], findings: Findings, *, assay: str) -> Abundances:
    """The species of a profile (one sample) or a merged table; of a profile with both, its reads for `taxa_counts`.

    Raises
    ------
    InputError
        A profile is named by several samples, or has no reads though counts are asked for.
    """
    clades = table.frame(text=[0])[0].str.strip()
    indices = _indices(table, findings)
    wanted = _columns(table, sample_ids, findings, assay)
    last = clades.str.split(r"[|;]", regex=True).str[-1].str.strip()
    species = last.str.startswith("s__")
    values = number_columns(table, wanted, findings)
    check_not_negative(values, findings, what=ABUNDANCE)
    nowhere = clades.str.upper().isin(UNPLACED)
    if not species.any() and values[~nowhere].to_numpy().sum() != 0:
        findings.add("no species rows", "rows down to s__", "run MetaPhlAn with all ranks (--tax_lev a)")
    names = last[species].str.removeprefix("s__")
    host = names.str.replace("_", " ").str.lower() == HOST
    if indices and assay == "taxa_counts" and len(values) and values[species | nowhere].sum().max() <= PERCENT:
        findings.add("relative abundances", "read counts", "declare the assay taxa_relabund")
    lost, hosts = _shares(values[nowhere].sum(), values[species].sum(), values[species][host].sum())
    kept = values[species][~host]
    if assay != "taxa_counts":
        kept = kept.assign(**{sample: kept[sample] / (1.0 - share) for sample, share in lost.items() if share < 1})
    return Abundances(
        values=kept,
        taxa=names[~host],
        lineages=clades[species][~host].map(lambda clade: lineage(split_lineage(clade))),
        database=_database(indices, gtdb=bool(clades.str.match(r"d__[^|]*;").any())),
        unclassified=lost,
        host=hosts,
    )


def _shares(
    nowhere: "pd.Series[float]", placed: "pd.Series[float]", host: "pd.Series[float]"
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Of all, by sample: what was placed nowhere and what is the host's, where there is any."""
    total = nowhere + placed
    told = [
        {
            str(sample): float(part[sample] / total[sample])
            for sample in total.index
            if 0 < part[sample] <= total[sample]
        }
        for part in (nowhere, host)
    ]
    return told[0], told[1]


def _indices(table: Delimited, findings: Findings) -> list[str]:
    """The index that the file names; several are noted."""
    own = [found[0] for comment in table.comments if (found := _INDEX.match(comment.lstrip("# ")))]
    anywhere = [found[0] for comment in table.comments if (found := _INDEX.search(comment))]
    indices = sorted(set(own)) or anywhere[:1]
    if len(indices) > 1:
        findings.add(
            f"profiles of {len(indices)} databases in one table ({named(indices)})",
            "profiles of one database: each names and counts taxa in its own way",
            "merge the profiles of each database apart, or profile all samples with one",
        )
    return indices


def _database(indices: Sequence[str], *, gtdb: bool) -> str | None:
    """The index; where its bins bear GTDB's names (sgb_to_gtdb_profile.py) that is said, as they are others."""
    if not indices:
        return None
    return f"GTDB names of {indices[0].removeprefix('mpa_')}" if gtdb else indices[0]


def _first(line: str, separator: str) -> str:
    return line.split(separator, 1)[0].strip().strip('"')


def _columns(table: Delimited, sample_ids: Sequence[str], findings: Findings, assay: str) -> dict[int, str]:
    if SHARES in table.header:
        if len(sample_ids) > 1:
            findings.fail(
                f"a MetaPhlAn profile, named by {len(sample_ids)} samples",
                "one sample for each profile",
                "give each sample its own file in samples.csv, or merge them (merge_metaphlan_tables.py)",
            )
        title = READS if assay == "taxa_counts" else SHARES
        if title not in table.header:
            findings.fail(
                "a MetaPhlAn profile of relative abundances",
                f"read counts (a column {READS})",
                "declare the assay taxa_relabund, or run MetaPhlAn with -t rel_ab_w_read_stats",
            )
        return {table.header.index(title): sample_ids[0]}
    check_present(sample_ids, table.header[1:], findings, where="column")
    return {at: name for at, name in enumerate(table.header) if at and name in set(sample_ids)}
