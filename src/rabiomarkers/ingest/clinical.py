"""Patients, lesions, visits, follow-up and adverse events: the tables a study nurse or data manager keeps."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.delimited import Sheet, read_sheet
from rabiomarkers.ingest.findings import Findings, named, one_of
from rabiomarkers.ingest.samples import check_identifier
from rabiomarkers.tables import DTYPES, Kind

RESPONSES = ("CR", "PR", "SD", "PD", "NE")
VISIT_RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
LESION_KINDS = ("target", "target_node", "non_target", "new")
LESION_STATUSES = ("measured", "too_small", "absent", "present", "progression", "not_evaluated")
STATUSES_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "target": ("measured", "too_small", "absent", "not_evaluated"),
    "target_node": ("measured", "too_small", "absent", "not_evaluated"),
    "non_target": ("present", "absent", "progression", "not_evaluated"),
    "new": LESION_STATUSES,
}
"""Targets are measured, non-targets are judged by eye (RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.3)."""

_TYPES: Mapping[Kind, Any] = DTYPES
LARGEST = 1_000_000  # days or millimetres: what is larger was not typed on purpose
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")

LESIONS: Mapping[str, Kind] = {
    "patient_id": "text",
    "day": "number",
    "lesion_id": "text",
    "kind": "text",
    "mm": "number",
    "status": "text",
    "tenths": "integer",
}
VISITS: Mapping[str, Kind] = {"patient_id": "text", "day": "number", "overall_response": "text"}
FOLLOWUP: Mapping[str, Kind] = {
    "patient_id": "text",
    "pfs_days": "number",
    "progressed": "flag",
    "os_days": "number",
    "died": "flag",
}
ADVERSE_EVENTS: Mapping[str, Kind] = {
    "patient_id": "text",
    "term": "text",
    "grade": "integer",
    "start_day": "number",
    "related": "flag",
    "serious": "flag",
}

type Cells = Mapping[str, str]
type Parsed = dict[str, object]
type Outcome = tuple[pd.DataFrame, list[Problem]]


class _Row:
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
        """One of the known words, however its case, blanks and hyphens are written."""
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
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", value):
            comma = "; write a decimal point, not a comma" if re.fullmatch(r"[+-]?\d+,\d+", value) else ""
            self.wrong(column, f"{value!r}", f"a number ({unit})", f"correct it{comma}")
            return None
        number = Decimal(value)
        if minimum is not None and number < Decimal(str(minimum)):
            self.wrong(column, f"{value}", f"{minimum:g} or more ({unit})", "correct it")
            return None
        if abs(number) > LARGEST:
            self.wrong(column, value, f"at most {LARGEST:,} ({unit})", "correct it")
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
    return "".join(character for character in word.upper() if character.isalnum())


def read_patients(path: Path) -> Outcome:
    """`patients.csv`: ids, `best_response` (CR, PR, SD, PD, NE or empty) and whatever covariates there are.

    Returns
    -------
    One row a patient, sorted by id: `patient_id`, then the other columns of the file, numbers where all of a column are; and
    the problems.
    """
    findings = Findings(path.name)
    sheet = read_sheet(path, required=["patient_id"], optional=["best_response"], findings=findings)
    if sheet is None:
        return pd.DataFrame({"patient_id": pd.Series([], dtype=_TYPES["text"])}), findings.problems
    first: dict[str, int] = {}
    responses: dict[int, str | None] = {}
    for line, cells in sheet.rows():
        row = _Row(line, cells, findings)
        patient = row.text("patient_id")
        check_identifier(patient, line, "patient_id", findings)
        if first.setdefault(patient, line) != line and patient:
            row.wrong("patient_id", f"{patient!r} is on line {first[patient]}, too", "each patient once", "remove one")
        responses[line] = row.word("best_response", RESPONSES) if cells["best_response"] else None
    frame = sheet.frame.assign(best_response=pd.Series(responses, dtype=_TYPES["text"]))
    kept = [column for column in sheet.columns if column]
    frame = frame.loc[[line for patient, line in first.items() if patient], kept]
    others = {column: _covariate(frame[column]) for column in kept if column != "best_response"}
    return frame.assign(**others).sort_values("patient_id", ignore_index=True), findings.problems


def _covariate(texts: "pd.Series[str]") -> pd.Series:
    """Numbers where every filled cell is one (but ids stay text); text otherwise, absent where empty."""
    filled = texts.where(texts != "").astype(_TYPES["text"])
    numbers: pd.Series = pd.to_numeric(filled, errors="coerce").astype("float64")
    numeric = numbers.where(np.isfinite(numbers))
    is_number = texts.name != "patient_id" and filled.notna().any() and bool((numeric.notna() == filled.notna()).all())
    result: pd.Series = numeric if is_number else filled
    return result


def _read(
    path: Path, columns: Mapping[str, Kind], key: Sequence[str], parse: Callable[[_Row], Parsed], findings: Findings
) -> Outcome:
    """A clinical table: each row parsed, none with the same key as an earlier one; sorted by the key."""
    required = [column for column in columns if column != "tenths"]
    sheet = read_sheet(path, required=required, findings=findings, rows=0)
    rows = [] if sheet is None else _good_rows(sheet, key, parse, findings)
    frame = pd.DataFrame(rows, columns=list(columns)).astype({name: _TYPES[kind] for name, kind in columns.items()})
    return frame.sort_values(list(key) or list(columns), ignore_index=True), findings.problems


def _good_rows(sheet: Sheet, key: Sequence[str], parse: Callable[[_Row], Parsed], findings: Findings) -> list[Parsed]:
    """The rows without a problem; one that repeats the key of an earlier row is a problem."""
    good, first = [], dict[tuple[object, ...], int]()
    for line, cells in sheet.rows():
        before = len(findings.problems)
        row = _Row(line, cells, findings)
        parsed = parse(row)
        same = tuple(parsed[column] for column in key)
        if key and first.setdefault(same, line) != line:
            told = named(f"{column} {cells[column]!r}" for column in key)
            row.wrong(key[0], f"{told} is on line {first[same]}, too", "each once", "remove or correct one of them")
        if len(findings.problems) == before:
            good.append(parsed)
    return good


def read_lesions(path: Path, patients: Collection[str]) -> Outcome:
    """`lesions.csv`: one row a patient, day and lesion.

    Returns
    -------
    The contract's columns and `tenths`, the diameter in tenths of a millimetre as an exact whole number (taken from the
    decimal text; a second decimal place rounds half up), and the problems.
    """
    findings = Findings(path.name)
    kinds: dict[tuple[str, str], tuple[str, int]] = {}

    def parse(row: _Row) -> Parsed:
        patient, lesion = row.patient(patients), row.text("lesion_id")
        day = row.number("day", needed=True, unit="days from first dose")
        kind, status = row.word("kind", LESION_KINDS), row.word("status", LESION_STATUSES)
        mm = row.number("mm", needed=status == "measured", minimum=0, unit="millimetres")
        if kind and status and status not in STATUSES_OF_KIND[kind]:
            expected = f"one of {', '.join(STATUSES_OF_KIND[kind])} for a {kind} lesion"
            row.wrong("status", f"{status!r} of a {kind} lesion", expected, "correct the status or the kind")
        if kind and patient and lesion:
            earlier, line = kinds.setdefault((patient, lesion), (kind, row.line))
            if earlier != kind:
                found = f"lesion {lesion!r} is {kind} here and {earlier} on line {line}"
                row.wrong("kind", found, "one kind for each lesion", "correct one, or give the other lesion its own id")
        return {
            "patient_id": patient,
            "day": _float(day),
            "lesion_id": lesion,
            "kind": kind,
            "mm": _float(mm),
            "status": status,
            "tenths": None if mm is None else tenths_of(mm),
        }

    return _read(path, LESIONS, ("patient_id", "day", "lesion_id"), parse, findings)


def tenths_of(millimetres: Decimal) -> int:
    """Tenths of a millimetre: 12.34 mm is 123, 12.35 mm is 124."""
    return int((millimetres * 10).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def read_visits(path: Path, patients: Collection[str]) -> Outcome:
    """`visits.csv`: the investigator's overall response at each visit (CR, PR, SD, NON-CR/NON-PD, PD, NE)."""
    findings = Findings(path.name)

    def parse(row: _Row) -> Parsed:
        return {
            "patient_id": row.patient(patients),
            "day": _float(row.number("day", needed=True, unit="days from first dose")),
            "overall_response": row.word("overall_response", VISIT_RESPONSES),
        }

    return _read(path, VISITS, ("patient_id", "day"), parse, findings)


def read_followup(path: Path, patients: Collection[str]) -> Outcome:
    """`followup.csv`: days to progression or death and to death, each with whether it happened; a pair may be empty."""
    findings = Findings(path.name)

    def parse(row: _Row) -> Parsed:
        parsed: Parsed = {"patient_id": row.patient(patients)}
        for days, happened in (("pfs_days", "progressed"), ("os_days", "died")):
            number = row.number(days, needed=False, minimum=0, unit="days from first dose")
            flag = row.flag(happened)
            if bool(row.cells[days]) != bool(row.cells[happened]):
                empty = happened if row.cells[days] else days
                row.wrong(empty, "an empty cell", f"{days} and {happened} together", "fill in both or neither")
            parsed |= {days: _float(number), happened: flag}
        return parsed

    return _read(path, FOLLOWUP, ("patient_id",), parse, findings)


def read_adverse_events(path: Path, patients: Collection[str]) -> Outcome:
    """`adverse_events.csv`: term, CTCAE grade 1 to 5, start day, whether related and serious (the last three may be empty)."""
    findings = Findings(path.name)

    def parse(row: _Row) -> Parsed:
        return {
            "patient_id": row.patient(patients),
            "term": row.text("term"),
            "grade": row.word("grade", ("1", "2", "3", "4", "5")),
            "start_day": _float(row.number("start_day", needed=False, unit="days from first dose")),
            "related": row.flag("related"),
            "serious": row.flag("serious"),
        }

    frame, problems = _read(path, {**ADVERSE_EVENTS, "grade": "text"}, (), parse, findings)
    return frame.assign(grade=frame["grade"].astype("Int64")), problems


def _float(number: Decimal | None) -> float:
    return float("nan") if number is None else float(number)
