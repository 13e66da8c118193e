"""MetaPhlAn 3 and 4: one profile, or many merged.

Species rows are taken. Where a profile tells how much it could not place (`UNCLASSIFIED`, in version 3 `UNKNOWN`), that share is
set apart and the species are of what was placed, so that profiles made with and without the estimate mean the same.

References
----------
Blanco-Miguez et al. 2023, doi:10.1038/s41587-023-01688-w
"""

import re
from collections.abc import Sequence

from rabiomarkers.ingest.abundances import ABUNDANCE, Abundances
from rabiomarkers.ingest.delimited import Delimited
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.lineage import lineage, split_lineage
from rabiomarkers.ingest.matrix import check_not_negative, check_present, number_columns

CLADE = ("clade_name", "id", "sampleid", "clade")
UNPLACED = ("UNCLASSIFIED", "UNKNOWN")


def is_metaphlan(table: Delimited) -> bool:
    """Whether the first column holds clades with their rank (``k__Bacteria|p__...``)."""
    return table.header[0].lower() in CLADE and any("|" in line.split("\t", 1)[0] for line in table.lines)


def read_metaphlan(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """The species of a profile (one sample) or a merged table.

    Raises
    ------
    InputError
        A profile is named by several samples.
    """
    clades = table.frame(text=[0])[0].str.strip()
    wanted = _columns(table, sample_ids, findings)
    last = clades.str.rsplit("|", n=1).str[-1]
    species = last.str.startswith("s__")
    if not species.any():
        findings.add("no species rows", "rows down to s__", "run MetaPhlAn with all ranks (--tax_lev a)")
    values = number_columns(table, wanted, findings)
    check_not_negative(values, findings, what=ABUNDANCE)
    declared = [found[0] for comment in table.comments if (found := re.search(r"mpa_v\w+", comment))]
    unplaced = values[clades.str.upper().isin(UNPLACED).to_numpy()].sum()
    placed = values[species].sum()
    lost = {
        str(sample): float(unplaced[sample] / (unplaced[sample] + placed[sample]))
        for sample in values.columns
        if unplaced[sample] > 0 and placed[sample] > 0
    }
    kept = values[species].copy()
    for sample, share in lost.items():
        kept[sample] /= 1.0 - share
    return Abundances(
        values=kept,
        taxa=last[species].str.removeprefix("s__"),
        lineages=clades[species].map(lambda clade: lineage(split_lineage(clade))),
        database=declared[0] if declared else None,
        unclassified=lost,
    )


def _columns(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> dict[int, str]:
    if "relative_abundance" in table.header:
        if len(sample_ids) == 1:
            return {table.header.index("relative_abundance"): sample_ids[0]}
        findings.fail(
            f"a MetaPhlAn profile, named by {len(sample_ids)} samples",
            "one sample for each profile",
            "give each sample its own file in samples.csv, or merge them (merge_metaphlan_tables.py)",
        )
    check_present(sample_ids, table.header[1:], findings, where="column")
    return {at: name for at, name in enumerate(table.header) if at and name in set(sample_ids)}
