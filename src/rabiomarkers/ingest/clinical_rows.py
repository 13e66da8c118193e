"""One line of a clinical table at a time: its cells as what they should be, and every mistake with its place."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.delimited import Sheet, read_sheet
from rabiomarkers.ingest.findings import Findings, named, one_of
from rabiomarkers.tables.table import DTYPES, Kind

LARGEST = 1_000_000  # of a number without a limit of its own
LONGEST_DAYS = 20_000  # 55 years; the number that Excel keeps for a date of this century is above 36 000
LARGEST_MM = 1_000
SEPARATOR = re.compile(r"(?<=\w)[\s_/-]+(?=\w)")
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")
DATE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2})?([T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}[ -]?[A-Za-z]{3}[ -]?\d{2,4}"
)

_TYPES: Mapping[Kind, Any] = DTYPES

type Cells = Mapping[str, str]
type Parsed = dict[str, object]
type Outcome = tuple[pd.DataFrame, list[Problem]]


class Row:
    """One line of a sheet, whose cells are taken out as what they should be; what they are not is noted."""

    def __init__(self, line: int, cells: Cells, findings: Findings) -> None:
        self.line, self.cells, self.findings = line, cells, findings

    def wrong(self, column: str, found: str, expected: str, remedy: str) -> None:
        self.findings.add(found, expected, remedy, row=self.line, column=column)

    def patient(self, patients: Collection[str]) -> str:
        """The id, which must be one of patients.csv."""
        value = self.text("patient_id")
        if value and value not in patients:
            expected = f"a patient of patients.csv: {one_of(value, patients)}"
            remedy = "correct the id or add the patient to patients.csv"
            self.wrong("patient_id", f"unknown patient {value!r}", expected, remedy)
        return value

    def text(self, column: str) -> str:
        """What stands there; something must."""
        value = self.cells[column]
        if not value:
            self.wrong(column, "an empty cell", "a value", f"fill in {column} or take the row out")
        return value

    def word(self, column: str, known: Sequence[str]) -> str | None:
        """One of the known words, however its case is written and the blanks, hyphens and strokes between its parts."""
        value = self.text(column)
        plain = {_letters(word): word for word in known}
        if value and _letters(value) not in plain:
            self.wrong(column, f"{value!r}", one_of(value, known), "write one of these words")
        return plain.get(_letters(value))

    def number(self, column: str, *, needed: bool, minimum: float | None = None, unit: str) -> Decimal | None:
        """A decimal number as it was written, so that tenths of a millimetre stay exact."""
        value = self.text(column) if needed else self.cells[column]
        if not value:
            return None
        if DATE.fullmatch(value):
            self.wrong(
                column, f"a date ({value})", f"a number ({unit})", "count the days from first dose, which is day 0"
            )
            return None
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", value):
            comma = "; write a decimal point, not a comma" if re.fullmatch(r"[+-]?\d+,\d+", value) else ""
            self.wrong(column, f"{value!r}", f"a number ({unit})", f"correct it{comma}")
            return None
        number = Decimal(value)
        if minimum is not None and number < Decimal(str(minimum)):
            self.wrong(column, f"{value}", f"{minimum:g} or more ({unit})", "correct it")
            return None
        largest = LONGEST_DAYS if unit.startswith("days") else LARGEST_MM if unit == "millimetres" else LARGEST
        if abs(number) > largest:
            remedy = "correct it (is it a date as Excel keeps it?)" if unit.startswith("days") else "correct it"
            self.wrong(column, value, f"at most {largest:,} ({unit})", remedy)
            return None
        return number

    def flag(self, column: str) -> bool | None:
        """true / false, yes / no or 1 / 0; None for an empty cell."""
        value = self.cells[column].lower()
        if value and value not in (*TRUE, *FALSE):
            self.wrong(column, f"{self.cells[column]!r}", "true or false (also yes / no, 1 / 0)", "write true or false")
            return None
        return value in TRUE if value else None


def _letters(word: str) -> str:
    return SEPARATOR.sub("", word.strip()).upper()


def read_rows(
    path: Path,
    columns: Mapping[str, Kind],
    key: Sequence[str],
    parse: Callable[[Row], Parsed],
    findings: Findings,
    *,
    optional: Collection[str] = (),
    derived: Collection[str] = (),
) -> Outcome:
    """A clinical table: each row parsed, none with the same key as an earlier one; sorted by the key.

    `optional` columns are empty where the file lacks them; `derived` ones are made by `parse` and never in the file.
    """
    required = [column for column in columns if column not in (*optional, *derived)]
    sheet = read_sheet(path, required=required, optional=list(optional), findings=findings, rows=0)
    rows = [] if sheet is None else _good_rows(sheet, key, parse, findings)
    frame = pd.DataFrame(rows, columns=list(columns)).astype({name: _TYPES[kind] for name, kind in columns.items()})
    return frame.sort_values(list(key) or list(columns), ignore_index=True), findings.problems


def _good_rows(sheet: Sheet, key: Sequence[str], parse: Callable[[Row], Parsed], findings: Findings) -> list[Parsed]:
    """The rows without a problem; one that repeats the key of an earlier row is a problem."""
    good, first = [], dict[tuple[object, ...], int]()
    for line, cells in sheet.rows():
        before = len(findings.problems)
        row = Row(line, cells, findings)
        parsed = parse(row)
        same = tuple(parsed[column] for column in key)
        if key and first.setdefault(same, line) != line:
            told = named(f"{column} {cells[column]!r}" for column in key)
            row.wrong(key[0], f"{told} is on line {first[same]}, too", "each once", "remove or correct one of them")
        if len(findings.problems) == before:
            good.append(parsed)
    return good


def as_float(number: Decimal | None) -> float:
    return float("nan") if number is None else float(number)
