"""What is found while a folder of SDTM domains is read: problems, told by row, and remarks, each said once."""

import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.tables.outcomes import REMARKS


class Notes:
    """Problems and remarks of all domains, gathered until everything has been looked at."""

    def __init__(self) -> None:
        self._findings: list[Problem] = []
        self._cells: dict[tuple[str, str | None, str, str], list[tuple[int | None, str]]] = {}
        self._remarks: dict[tuple[str | None, float | None, str, str], str] = {}

    def wrong(
        self, file: str, found: str, expected: str, remedy: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        """Note a problem; of one kind in one column the first ten are told one by one and the rest counted."""
        self._cells.setdefault((file, column, expected, remedy), []).append((row, found))

    def extend(self, problems: list[Problem]) -> None:
        """Take over problems that a reader of files found."""
        self._findings.extend(problems)

    def remark(self, patient: str | None, day: float | None, source: str, found: str, consequence: str) -> None:
        """Note what is no mistake and yet must not pass in silence; the same said of two domains is kept once."""
        self._remarks.setdefault((patient, day, found, consequence), source)

    def problems(self) -> list[Problem]:
        """Every problem, by file, row and column."""
        found = list(self._findings)
        for (file, column, expected, remedy), cells in self._cells.items():
            findings = Findings(file)
            if column is None:
                for row, told in cells:
                    findings.add(told, expected, remedy, row=row)
            else:
                findings.add_cells([(row, column, told) for row, told in cells], expected, remedy)
            found += findings.problems
        return sorted(set(found), key=lambda each: (each.file, each.row or 0, each.column or "", each.found))

    def remarks(self) -> pd.DataFrame:
        """The remarks as a REMARKS table, sorted by patient and day; those of no patient come first."""
        rows = [
            (patient, day, source, found, consequence)
            for (patient, day, found, consequence), source in self._remarks.items()
        ]
        rows.sort(key=lambda row: (row[0] or "", -1e9 if row[1] is None else row[1], row[2], row[3]))
        return REMARKS.check(pd.DataFrame(rows, columns=list(REMARKS.columns)))
