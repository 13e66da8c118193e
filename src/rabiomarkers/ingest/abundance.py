"""Taxa in stool: BIOM, QIIME 2, MetaPhlAn and plain tables, cut into one piece a sample."""

import codecs
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.abundances import ABUNDANCE, LINEAGE_COLUMNS, Abundances
from rabiomarkers.ingest.archives import artifact_member
from rabiomarkers.ingest.biom_tables import read_biom
from rabiomarkers.ingest.delimited import HDF5, ZIP, Delimited, delimited_of, read_bytes, text_of
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.kraken import (
    is_bracken,
    is_mpa_report,
    is_report,
    read_bracken,
    read_mpa_report,
    read_report,
)
from rabiomarkers.ingest.lineage import check_tree, lineage, read_taxonomy, split_lineage
from rabiomarkers.ingest.matrix import check_not_negative, check_present, number_columns
from rabiomarkers.ingest.metaphlan import is_metaphlan, read_metaphlan
from rabiomarkers.ingest.passport import check_abundance, look
from rabiomarkers.ingest.sequencing import host_shares
from rabiomarkers.ingest.taxa_map import map_taxa

ARTIFACTS = ("FeatureTable[Frequency]", "FeatureTable[RelativeFrequency]")
"""Not ``FeatureTable[Composition]``: 1 was added to its counts, so that every taxon is in every sample."""
MOST_READS = 1e12
"""Of one sample; a whole run of the largest sequencer gives a tenth of it."""
_MANGLED = re.compile(
    r"#(NAME\?|REF!|VALUE!|DIV/0!|N/A|NUM!|NULL!)|\d(\.\d+)?E\+\d{1,3}"
)  # ids of digits and an E became numbers
SCALES = {"taxa_counts": "counts", "taxa_relabund": "relative"}


def read_abundance(
    path: Path,
    *,
    label: str,
    assay: str,
    sample_ids: Sequence[str],
    database: str = "undeclared",
    taxonomy: Path | None = None,
    tree: Path | None = None,
    taxa_map: Path | None = None,
) -> dict[str, pd.DataFrame]:
    """The taxa of each sample, those with zero included.

    Parameters
    ----------
    path
        BIOM 1 or 2.1, QIIME 2 `.qza`, a MetaPhlAn profile or merged table (its species rows are taken), a report of Kraken 2 or
        Bracken, Bracken's tables, or a CSV or TSV (plain or gzipped) of taxa x samples or samples x taxa (DADA2's sequence table:
        the sequences are the taxa): which of the two is seen from where the sample ids stand.
    label
        How the file is called in problems.
    assay
        `taxa_counts` or `taxa_relabund`; the values must look like it.
    sample_ids
        The samples to take.
    database
        Which taxonomic database was used, in words; a MetaPhlAn file that names its own is believed.
    taxonomy
        Lineage of each taxon; else the file's own, where it has one.
    tree
        Newick, or a `.qza` of it; only checked: it must have a tip for every taxon that was counted.
    taxa_map
        Which taxon of another database each taxon is (`ingest.taxa_map.read_taxa_map`); of databases that it does not map the
        taxa stay what they are.

    Returns
    -------
    By sample id: `taxon` (sorted), `value` (counts, or fractions that sum to 1 at most: percentages are divided by 100),
    `lineage` (``k__..;..;s__..``, may be empty); `attrs["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    found = _open(path, sample_ids, findings, assay)
    finite = found.values.loc[:, np.isfinite(found.values.to_numpy()).all(axis=0)]
    positive = {str(sample): look(finite[sample]) for sample in finite.columns if (finite[sample] >= 0).all()}
    check_abundance(positive, assay, findings)
    if assay == "taxa_counts":
        _check_reads({sample: seen.total for sample, seen in positive.items()}, findings)
    _check_taxa(found.taxa, findings)
    with findings.gathered():
        lineages = _own_lineages(found) if taxonomy is None else _declared(found.taxa, taxonomy)
    if findings.problems:
        if tree is not None and taxa_map is None:
            with findings.gathered():
                check_tree(tree, label=tree.name, taxa=set(found.taxa[(found.values > 0).any(axis="columns")]))
        findings.raise_if_any()
    names = pd.DataFrame({"taxon": found.taxa, "lineage": lineages}).astype("str")
    told: dict[str, object] = {"scale": SCALES[assay], "declared": assay, "database": found.database or database}
    passports = {sample: told | _lost(found, sample) for sample in sample_ids}
    values = found.values
    if taxa_map is not None:
        mapped = map_taxa(names, values, database=str(told["database"]), path=taxa_map, findings=findings)
        if mapped is not None:
            names, values = mapped.names, mapped.values
            passports = {sample: passports[sample] | mapped.told(sample) for sample in sample_ids}
    if tree is not None:
        check_tree(tree, label=tree.name, taxa=set(names.loc[(values > 0).any(axis="columns"), "taxon"]))
    return {sample: _piece(names, values[sample], found.values[sample], passports[sample]) for sample in sample_ids}


def _check_reads(totals: Mapping[str, float], findings: Findings) -> None:
    for sample, total in totals.items():
        if total > MOST_READS:
            findings.add(f"{total:.3g} reads", f"{MOST_READS:.0e} at most", "supply the counts", column=sample)
        elif not total:
            remedy = "leave the sample out, with the reason in the column exclude of samples.csv"
            findings.add("nothing but zeros", "at least one read", remedy, column=sample)


def _own_lineages(found: Abundances) -> "pd.Series[str]":
    """What the file tells; a taxon that is called by its whole lineage (``k__Bacteria;p__...``) tells it by its name."""
    whole = (found.lineages == "") & found.taxa.str.contains(r"__.*[;|]|[;|].*__", regex=True)
    return found.lineages.where(~whole, found.taxa.map(lambda taxon: lineage(split_lineage(taxon))))


def _lost(found: Abundances, sample: str) -> dict[str, object]:
    """What of a sample's reads is in no taxon, as far as the file tells."""
    told = {"unclassified": found.unclassified.get(sample), "host": found.host.get(sample)}
    return {name: share for name, share in told.items() if share is not None}


def _piece(names: pd.DataFrame, values: pd.Series, read: pd.Series, passport: Mapping[str, object]) -> pd.DataFrame:
    """One sample's taxa, sorted; relative abundances become fractions of all that was `read`."""
    numbers = values / _whole(read) if passport["scale"] == "relative" else values
    piece = names.assign(value=numbers).sort_values("taxon", ignore_index=True)[["taxon", "value", "lineage"]]
    piece.attrs["passport"] = {**passport, "taxa": len(piece)}
    return piece


def to_fractions(values: pd.Series) -> pd.Series:
    """Relative abundances of one sample as fractions that sum to 1 at most.

    What sums to about 1 or less is taken as fractions, what sums to more as percentages; the excess that rounding leaves above
    1 is scaled away.
    """
    return values / _whole(values)


def _whole(values: pd.Series) -> float:
    """What a sample's relative abundances are parts of."""
    total = float(values.sum())
    return max(total, 1.0 if total <= 1.001 else 100.0)


def split_abundance(
    inputs: Mapping[str, Path], out: Path, *, label: str, assay: str, sample_ids: list[str], database: str
) -> Info:
    """`matrix` and, where there are any, `taxonomy`, `tree`, `taxa_map` -> `<sample_id>.parquet` of each sample; tells what it is.

    `sequencing`, where given, tells the host's share of the reads; it goes before what the file says.
    """
    pieces = read_abundance(
        inputs["matrix"],
        label=label,
        assay=assay,
        sample_ids=sample_ids,
        database=database,
        taxonomy=inputs.get("taxonomy"),
        tree=inputs.get("tree"),
        taxa_map=inputs.get("taxa_map"),
    )
    known = host_shares(inputs["sequencing"]) if "sequencing" in inputs else {}
    for sample, piece in pieces.items():
        if sample in known:
            piece.attrs["passport"]["host"] = known[sample]
        write_table(piece, out / f"{sample}.parquet")
    return dict(pieces[sample_ids[0]].attrs["passport"])


def _declared(taxa: "pd.Series[str]", taxonomy: Path) -> "pd.Series[str]":
    """The lineage of each taxon out of the taxonomy table.

    Raises
    ------
    InputError
        The table names none of the taxa.
    """
    known = read_taxonomy(taxonomy, label=taxonomy.name)
    if not taxa.isin(known.index).any():
        Findings(taxonomy.name).fail(
            f"taxa such as {named(known.index, limit=3)}",
            f"the taxa of the abundance table, such as {named(taxa, limit=3)}",
            "use the taxonomy made from the same features",
        )
    return taxa.map(known).fillna("")


def _check_taxa(taxa: "pd.Series[str]", findings: Findings) -> None:
    def line(name: object) -> int | None:
        return int(str(name)) if taxa.index.name == "line" else None

    repeated = taxa[taxa.duplicated()]
    told = [(line(at), "taxon", f"{taxon!r} a second time") for at, taxon in repeated.items() if taxon]
    findings.add_cells(told, "each taxon once", "sum or rename the repeated taxa")
    mangled = [(line(at), "taxon", repr(taxon)) for at, taxon in taxa.items() if _MANGLED.fullmatch(taxon)]
    findings.add_cells(
        mangled, "the taxon's name", "a spreadsheet changed it: export the table again, and do not open it there"
    )
    empty = [(line(at), "taxon", "a taxon without a name") for at in taxa.index[taxa == ""]]
    findings.add_cells(empty, "a name for every taxon", "name it, or take it out")


def _open(path: Path, sample_ids: Sequence[str], findings: Findings, assay: str) -> Abundances:
    content = read_bytes(path, findings.file).removeprefix(codecs.BOM_UTF8)
    if content.startswith(ZIP):
        _, content = artifact_member(content, {"feature-table.biom": "a feature table"}, findings, types=ARTIFACTS)
    if content.startswith(HDF5) or re.match(rb"\s*\{", content):
        return read_biom(content, sample_ids, findings)
    if is_report(content):
        return read_report(text_of(content, findings.file), sample_ids, findings)
    if is_mpa_report(content):
        return read_mpa_report(content, sample_ids, findings)
    table = delimited_of(content, label=findings.file)
    if is_metaphlan(table):
        return read_metaphlan(table, sample_ids, findings, assay=assay)
    if is_bracken(table):
        return read_bracken(table, sample_ids, findings)
    first = table.frame(text=[0])[0].str.strip()
    in_header, in_rows = len(set(table.header) & set(sample_ids)), len(set(first) & set(sample_ids))
    if in_rows == in_header == len(set(sample_ids)):
        findings.fail(
            "the samples as rows and as columns", "taxa x samples", "supply abundances; is it a distance table?"
        )
    if in_rows > in_header:
        return _samples_by_taxa(table, first, sample_ids, findings)
    return _taxa_by_samples(table, first, sample_ids, findings)


def _taxa_by_samples(
    table: Delimited, first: "pd.Series[str]", sample_ids: Sequence[str], findings: Findings
) -> Abundances:
    check_present(sample_ids, table.header[1:], findings, where="column")
    wanted = {at: name for at, name in enumerate(table.header) if at and name in set(sample_ids)}
    own = next((at for at, title in enumerate(table.header) if at and title.lower() in LINEAGE_COLUMNS), None)
    lineages = pd.Series("", index=first.index)
    if own is not None:
        lineages = table.frame(text=[own])[own].map(lambda text: lineage(split_lineage(text)))
    values = number_columns(table, wanted, findings)
    check_not_negative(values, findings, what=ABUNDANCE)
    return Abundances(values=values, taxa=first, lineages=lineages)


def _samples_by_taxa(
    table: Delimited, first: "pd.Series[str]", sample_ids: Sequence[str], findings: Findings
) -> Abundances:
    check_present(sample_ids, list(first), findings, where="row")
    titles = dict(enumerate(table.header[1:], start=1))
    repeated = sorted({title for title in titles.values() if table.header.count(title) > 1})
    if repeated:
        findings.fail(f"taxa named twice: {named(repeated)}", "each taxon once", "sum or rename the repeated taxa")
    mine = first.isin(list(sample_ids))
    lines = [line for line, wanted in zip(table.lines, mine, strict=True) if wanted]
    numbers = [line for line, wanted in zip(table.line_numbers, mine, strict=True) if wanted]
    part = Delimited(
        label=table.label,
        separator=table.separator,
        comments=(),
        header_line=table.header_line,
        header=table.header,
        lines=tuple(lines),
        line_numbers=tuple(numbers),
    )
    values = number_columns(part, titles, findings)
    check_not_negative(values, findings, what=ABUNDANCE)
    taxa = pd.Series(list(titles.values()), dtype=str)
    transposed = pd.DataFrame(values.to_numpy().T, index=taxa.index, columns=first[mine].to_list())
    return Abundances(
        values=transposed.loc[:, ~transposed.columns.duplicated()], taxa=taxa, lineages=pd.Series("", index=taxa.index)
    )
