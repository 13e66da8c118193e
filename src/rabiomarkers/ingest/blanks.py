"""Blank controls of stool sequencing: what the reagents and the laboratory brought along."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import read_delimited
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.matrix import check_not_negative, number_columns


def read_blanks(path: Path, *, label: str | None = None) -> pd.DataFrame:
    """Reads of each blank, taxa x blanks, from a CSV or TSV whose first column names the taxa.

    Raises
    ------
    InputError
        Every problem of the table: a taxon or a blank twice, a number that is no count, no blank at all.
    """
    findings = Findings(label or path.name)
    table = read_delimited(path, label=findings.file)
    titles = dict(enumerate(table.header[1:], start=1))
    repeated = sorted({title for title in titles.values() if list(titles.values()).count(title) > 1})
    if repeated or not titles:
        found = f"blanks named twice: {named(repeated)}" if repeated else "a single column"
        findings.fail(found, "a column of taxa, then a column for each blank", "correct the header")
    taxa = table.frame(text=[0])[0].str.strip()
    for line, taxon in taxa[taxa.duplicated() | (taxa == "")].items():
        what = f"{taxon!r} a second time" if taxon else "a taxon without a name"
        findings.add(what, "each taxon once", "sum or rename it", row=int(str(line)), column=table.header[0])
    values = number_columns(table, titles, findings)
    check_not_negative(values, findings, what="an abundance")
    fractional = [str(name) for name in values.columns if (values[name] % 1 != 0).any()]
    if fractional:
        findings.add(f"fractions in {named(fractional)}", "whole numbers of reads", "supply the counts of the blanks")
    findings.raise_if_any()
    return values.set_axis(pd.Index(taxa, name="taxon"), axis="index")


def blanks_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `blanks.parquet` (`taxon`, then a column for each blank) from the table `blanks`."""
    found = read_blanks(inputs["blanks"])
    write_table(found.reset_index(), out / "blanks.parquet")
    return {"blanks": found.shape[1]}
