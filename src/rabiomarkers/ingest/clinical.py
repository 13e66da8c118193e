"""Patients, visits, follow-up and adverse events: the tables a study nurse or data manager keeps."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.ingest.clinical_rows import Outcome, Parsed, Row, as_float, read_rows
from rabiomarkers.ingest.delimited import read_sheet
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.samples import check_identifier
from rabiomarkers.tables.table import DTYPES, Kind

RESPONSES = ("CR", "PR", "SD", "PD", "NE")
VISIT_RESPONSES = (
    *("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "ND"),
    *("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD"),
)
"""The words of RECIST 1.1 and of iRECIST; ND, not done, is told apart from NE by the rule set `admiralonco`."""
WORDS = ("patient_id", "arm")  # columns of patients.csv that stay text where they look like numbers

_TYPES: Mapping[Kind, Any] = DTYPES

VISITS: Mapping[str, Kind] = {"patient_id": "text", "day": "number", "overall_response": "text"}
FOLLOWUP: Mapping[str, Kind] = {
    "patient_id": "text",
    "pfs_days": "number",
    "progressed": "flag",
    "os_days": "number",
    "died": "flag",
    "treatment_end_day": "number",
    "new_therapy_day": "number",
}
ADVERSE_EVENTS: Mapping[str, Kind] = {
    "patient_id": "text",
    "term": "text",
    "grade": "integer",
    "start_day": "number",
    "related": "flag",
    "serious": "flag",
    "severity": "text",
}
SEVERITIES = ("mild", "moderate", "severe")
"""What SDTM says of an event (AESEV) where nobody graded it by CTCAE."""


def read_patients(path: Path) -> Outcome:
    """`patients.csv`: ids, `best_response` (CR, PR, SD, PD, NE or empty) and whatever covariates there are.

    Returns
    -------
    One row a patient, sorted by id: `patient_id`, then the other columns of the file, numbers where all of a column are; and
    the problems.
    """
    findings = Findings(path.name)
    sheet = read_sheet(path, required=["patient_id"], optional=["best_response", "arm"], findings=findings)
    if sheet is None:
        return pd.DataFrame({"patient_id": pd.Series([], dtype=_TYPES["text"])}), findings.problems
    first: dict[str, int] = {}
    arms: dict[str, str] = {}
    responses: dict[int, str | None] = {}
    for line, cells in sheet.rows():
        row = Row(line, cells, findings)
        patient = row.text("patient_id")
        check_identifier(patient, line, "patient_id", findings)
        if first.setdefault(patient, line) != line and patient:
            _repeated(row, patient, first[patient], arms)
        arms.setdefault(patient, cells.get("arm", ""))
        responses[line] = row.word("best_response", RESPONSES) if cells["best_response"] else None
    frame = sheet.frame.assign(best_response=pd.Series(responses, dtype=_TYPES["text"]))
    kept = [column for column in sheet.columns if column]
    frame = frame.loc[[line for patient, line in first.items() if patient], kept]
    others = {column: _covariate(frame[column]) for column in kept if column != "best_response"}
    return frame.assign(**others).sort_values("patient_id", ignore_index=True), findings.problems


def _repeated(row: Row, patient: str, line: int, arms: Mapping[str, str]) -> None:
    arm = row.cells.get("arm", "")
    if arm != arms[patient]:
        found = f"{patient!r} is in arm {arm!r} here and in arm {arms[patient]!r} on line {line}"
        row.wrong("arm", found, "one arm for each patient", "remove the wrong row")
    else:
        row.wrong("patient_id", f"{patient!r} is on line {line}, too", "each patient once", "remove one")


def _covariate(texts: "pd.Series[str]") -> pd.Series:
    """Numbers where every filled cell is one (but ids stay text); text otherwise, absent where empty."""
    filled = texts.where(texts != "").astype(_TYPES["text"])
    numbers: pd.Series = pd.to_numeric(filled, errors="coerce").astype("float64")
    numeric = numbers.where(np.isfinite(numbers))
    is_number = texts.name not in WORDS and filled.notna().any() and bool((numeric.notna() == filled.notna()).all())
    result: pd.Series = numeric if is_number else filled
    return result


def read_visits(path: Path, patients: Collection[str]) -> Outcome:
    """`visits.csv`: the investigator's overall response at each visit, in the words of RECIST 1.1 or of iRECIST."""
    findings = Findings(path.name)

    def parse(row: Row) -> Parsed:
        day = row.number("day", needed=True, unit="days from first dose")
        if day is not None and day < 0:
            expected = "a day after first dose: a response is judged against the baseline"
            row.wrong(
                "day", f"a visit on day {day}, before first dose", expected, "correct the day or take the row out"
            )
        return {
            "patient_id": row.patient(patients),
            "day": as_float(day),
            "overall_response": row.word("overall_response", VISIT_RESPONSES),
        }

    return read_rows(path, VISITS, ("patient_id", "day"), parse, findings)


def read_followup(path: Path, patients: Collection[str]) -> Outcome:
    """`followup.csv`: days to progression or death and to death, each with whether it happened; a pair may be empty.

    Optional are the days on which treatment ended and another anticancer therapy began.
    """
    findings = Findings(path.name)

    def parse(row: Row) -> Parsed:
        parsed: Parsed = {"patient_id": row.patient(patients)}
        for days, happened in (("pfs_days", "progressed"), ("os_days", "died")):
            number = row.number(days, needed=False, minimum=0, unit="days from first dose")
            flag = row.flag(happened)
            if bool(row.cells[days]) != bool(row.cells[happened]):
                empty = happened if row.cells[days] else days
                row.wrong(empty, "an empty cell", f"{days} and {happened} together", "fill in both or neither")
            parsed |= {days: as_float(number), happened: flag}
        _check_order(row, parsed)
        for day in ("treatment_end_day", "new_therapy_day"):
            parsed[day] = as_float(row.number(day, needed=False, minimum=0, unit="days from first dose"))
        return parsed

    optional = ("treatment_end_day", "new_therapy_day")
    return read_rows(path, FOLLOWUP, ("patient_id",), parse, findings, optional=optional)


def _check_order(row: Row, parsed: Parsed) -> None:
    """Nobody lives shorter than without progression, and who died had the event of progression-free survival by then."""
    pfs, overall = parsed["pfs_days"], parsed["os_days"]
    if isinstance(pfs, float) and isinstance(overall, float) and overall < pfs:  # NaN compares false
        found = f"os_days {overall:g} before pfs_days {pfs:g}"
        row.wrong("os_days", found, "os_days no smaller than pfs_days", "correct one of the two")
    if pfs == overall and parsed["died"] is True and parsed["progressed"] is False:
        found = f"death on day {overall:g} and no event of progression-free survival by then"
        row.wrong("progressed", found, "true: death is an event of progression-free survival", "correct one of the two")


def read_adverse_events(path: Path, patients: Collection[str]) -> Outcome:
    """`adverse_events.csv`: term, CTCAE grade 1 to 5, start day, whether related and serious (the last three may be empty)."""
    findings = Findings(path.name)

    def parse(row: Row) -> Parsed:
        return {
            "patient_id": row.patient(patients),
            "term": row.text("term"),
            "grade": row.word("grade", ("1", "2", "3", "4", "5")),
            "start_day": as_float(row.number("start_day", needed=False, unit="days from first dose")),
            "related": row.flag("related"),
            "serious": row.flag("serious"),
            "severity": row.word("severity", SEVERITIES) if row.cells["severity"] else None,
        }

    columns: Mapping[str, Kind] = {**ADVERSE_EVENTS, "grade": "text"}
    frame, problems = read_rows(path, columns, (), parse, findings, optional=("severity",))
    return frame.assign(grade=frame["grade"].astype("Int64")), problems
