"""How many reads each stool had, and how many of them were the host's."""

from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.findings import Findings

COLUMNS = ("sample_id", "total_reads", "host_reads")


def read_sequencing(path: Path, *, label: str | None = None) -> pd.DataFrame:
    """`total_reads` and `host_reads` by sample_id, whole numbers.

    Raises
    ------
    InputError
        Every problem of the table: a cell that is no whole number of 0 or more, more host reads than reads, a sample twice.
    """
    findings = Findings(label or path.name)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    found: dict[str, tuple[int, int]] = {}
    for line, row in sheet.rows():
        numbers = [row[column] for column in COLUMNS[1:]]
        for column, text in zip(COLUMNS[1:], numbers, strict=True):
            if not (text.isascii() and text.isdigit()):
                findings.add(f"{text!r}", "a whole number of reads", "correct the number", row=line, column=column)
        if not row["sample_id"] or row["sample_id"] in found:
            what = f"{row['sample_id']!r} a second time" if row["sample_id"] else "an empty cell"
            findings.add(what, "each sample once", "correct the table", row=line, column="sample_id")
        if all(text.isascii() and text.isdigit() for text in numbers):
            total, host = (int(text) for text in numbers)
            if host > total or not total:
                findings.add(
                    f"{host:,} host reads of {total:,}",
                    "host reads among the total reads",
                    "correct the numbers",
                    row=line,
                    column="host_reads",
                )
            found[row["sample_id"]] = (total, host)
    findings.raise_if_any()
    return pd.DataFrame.from_dict(found, orient="index", columns=list(COLUMNS[1:])).rename_axis("sample_id")


def host_shares(path: Path) -> dict[str, float]:
    """The host's share of all reads, 0..1, by sample_id."""
    table = read_sequencing(path)
    shares = table["host_reads"] / table["total_reads"]
    return {str(sample): float(share) for sample, share in shares.items()}
