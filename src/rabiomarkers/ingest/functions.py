"""Which KEGG orthologue each gene family of a study's own is (UniRef90 and the like)."""

from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.findings import Findings

COLUMNS = ("gene_family", "ko")


def read_functions(path: Path, *, label: str | None = None) -> pd.DataFrame:
    """`gene_family`, `ko`; a gene family may be several orthologues, and an orthologue several gene families.

    Raises
    ------
    InputError
        Every problem of the table: an empty cell, a KO that is none (K and five digits), the same row twice.
    """
    findings = Findings(label or path.name)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    found: dict[tuple[str, str], int] = {}
    for line, row in sheet.rows():
        family, ko = row["gene_family"], row["ko"].removeprefix("ko:").upper()
        if not family:
            findings.add("an empty cell", "a gene family", "fill it in", row=line, column="gene_family")
        if not (len(ko) == 6 and ko[0] == "K" and ko[1:].isascii() and ko[1:].isdigit()):
            findings.add(f"{row['ko']!r}", "a KEGG orthologue such as K07249", "correct it", row=line, column="ko")
        if (family, ko) in found:
            findings.add(f"{family!r} and {ko} a second time", "each row once", "remove one", row=line)
        found[family, ko] = line
    findings.raise_if_any()
    return pd.DataFrame(list(found), columns=list(COLUMNS), dtype=str)
