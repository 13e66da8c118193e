"""Who was in the trial, in which arm, and when their first dose was: DM, with EX where DM does not say."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import pandas as pd

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.dates import complete_date, parse_period
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.tables.table import TEXT

SCREEN_FAILURES = frozenset({"SCRNFAIL", "SCREENFAILURE", "SCREENFAIL"})
NOT_TREATED = frozenset({"NOTTRT", "NOTTREATED", "ASSIGNEDNOTTREATED", "ASSIGNEDNOTTRT", "NOTASSGN", "NOTASSIGNED"})
PATIENTS = "patients.csv"
FIRST_DOSE = "a complete date of first dose (RFXSTDTC, EXSTDTC or RFSTDTC)"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One patient of DM. `first_dose` is day 0; `reference` is the date that SDTM's study days count from."""

    row: Row
    first_dose: date | None  # None: enrolled, but never dosed
    reference: date | None

    def day(self, on: date) -> float | None:
        """Days from first dose."""
        return None if self.first_dose is None else float((on - self.first_dose).days)


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Everyone of DM: the patients who are used, and all ids (screen failures and patients that are not asked for included)."""

    used: Mapping[str, Subject]
    known: frozenset[str]


@lru_cache(maxsize=10_000)
def letters(text: str) -> str:
    """The letters and digits of a word in upper case: how codes are compared, whatever their blanks, hyphens and case."""
    return "".join(character for character in text.upper() if character.isalnum())


def doses(exposure: Domain | None) -> dict[str, list[Row]]:
    """The records of EX by subject in which something was given: a dose, or placebo."""
    given: dict[str, list[Row]] = {}
    for row in () if exposure is None else exposure.rows():
        if _was_given(row):
            given.setdefault(row.patient, []).append(row)
    return given


def _was_given(row: Row) -> bool:
    if letters(row["OCCUR"]) in ("N", "NO") or letters(row["STAT"]) == "NOTDONE":
        return False
    try:
        return float(row["DOSE"]) > 0 or "PLACEBO" in row["TRT"].upper()
    except ValueError:  # no number: a dose in words, or not told
        return True


def read_subjects(
    demographics: Domain, given: Mapping[str, Sequence[Row]], wanted: Iterable[str] | None, notes: Notes
) -> Subjects:
    """Every subject of DM who is a patient: no screen failures, and of `wanted` ids only where they are given."""
    first: dict[str, Row] = {}
    for row in demographics.rows():
        earlier = first.setdefault(row.patient, row) if row.patient else row
        if earlier is not row:
            _note_twice(row, earlier, notes)
    ids = set(first) if wanted is None else set(wanted)
    for patient in sorted(ids - set(first)):
        expected = f"a subject of DM (there are {len(first):,}, such as {named(sorted(first), limit=3)})"
        notes.wrong(PATIENTS, f"unknown patient {patient!r}", expected, "correct the id (USUBJID)", column="patient_id")
    used = {}
    for patient, row in first.items():
        if _is_screen_failure(row):
            _note_screen_failure(row, notes, asked_for=wanted is not None and patient in ids)
        elif patient in ids:
            used[patient] = _subject(row, given.get(patient, ()), notes)
    if first and not used:
        _note_nobody(demographics.file, first.values(), notes, listed=wanted is not None)
    return Subjects(used=used, known=frozenset(first))


def _note_nobody(file: str, rows: Collection[Row], notes: Notes, *, listed: bool) -> None:
    failures = sum(_is_screen_failure(row) for row in rows)
    told = f"no patient of the trial among {len(rows):,} subjects ({failures:,} of them screen failures)"
    expected = f"a subject who was enrolled{f' and is in {PATIENTS}' if listed else ''}"
    notes.wrong(
        file, told, expected, f"correct ACTARMCD{f' or {PATIENTS}' if listed else ''}, or export the domain again"
    )


def _note_twice(row: Row, earlier: Row, notes: Notes) -> None:
    arms = sorted({each for each in (_arm(row), _arm(earlier)) if each})
    where = f"{row.patient} is in row {earlier.number}, too"
    if len(arms) > 1:
        told = f"a patient in two arms: {where}, once in {arms[0]!r} and once in {arms[1]!r}"
        row.wrong(notes, "ACTARM", told, "each subject once, in one arm", "remove the wrong record")
    else:
        row.wrong(notes, "USUBJID", where, "each subject once", "remove one of the records")


def _is_screen_failure(row: Row) -> bool:
    code = row["ACTARMCD"] or row["ARMCD"] or row["ACTARM"] or row["ARM"]
    return letters(code) in SCREEN_FAILURES or letters(row["ARMNRS"]) in SCREEN_FAILURES


def _note_screen_failure(row: Row, notes: Notes, *, asked_for: bool) -> None:
    notes.remark(row.patient, None, row.source, "a screen failure", "left out: never a patient of the trial")
    if asked_for:
        told, expected = f"{row.patient} is a screen failure in DM", "patients who were enrolled"
        notes.wrong(PATIENTS, told, expected, "remove the patient, or correct ACTARMCD", column="patient_id")


def _arm(row: Row) -> str:
    return row["ACTARM"] or (row["ARM"] if "ACTARM" not in row.cells else "")


def _subject(row: Row, given: Sequence[Row], notes: Notes) -> Subject:
    if row["ARM"] and row["ACTARM"] and row["ARM"] != row["ACTARM"]:
        told = f"arm as planned {row['ARM']!r}, as treated {row['ACTARM']!r}"
        notes.remark(row.patient, None, row.source, told, "counted in the arm as treated")
    first_dose = _first_dose(row, given, notes)
    reference = complete_date(row["RFSTDTC"])
    if first_dose is not None and reference is not None and reference != first_dose:
        told = f"RFSTDTC is {reference}, {abs((first_dose - reference).days)} days from first dose on {first_dose}"
        consequence = "study days (--DY) are counted from RFSTDTC and moved, so that day 0 is first dose"
        notes.remark(row.patient, None, row.source, told, consequence)
    return Subject(row=row, first_dose=first_dose, reference=reference or first_dose)


def _first_dose(row: Row, given: Sequence[Row], notes: Notes) -> date | None:
    """RFXSTDTC, else the first dose of EX, else RFSTDTC; None where nothing was ever given."""
    for column in ("RFXSTDTC", "RFSTDTC"):
        if row[column] and parse_period(row[column]) is None:
            row.wrong(notes, column, f"{row[column]!r}", "a date such as 2014-01-31", "correct it")
    if any(letters(row[column]) in NOT_TREATED for column in ("ACTARMCD", "ARMNRS")):
        _note_never_dosed(row, "assigned, not treated", notes)
        return None
    exposed = sorted(day for record in given if (day := complete_date(record["STDTC"])) is not None)
    stated = complete_date(row["RFXSTDTC"])
    if stated is not None:
        if exposed and exposed[0] != stated:
            told = f"first dose on {stated} by RFXSTDTC, on {exposed[0]} by EX"
            notes.remark(row.patient, None, row.source, told, "RFXSTDTC is day 0")
        return stated
    if exposed:
        told = f"no complete RFXSTDTC; the first dose of EX is on {exposed[0]}"
        notes.remark(row.patient, None, row.source, told, "that is day 0")
        return exposed[0]
    reference = complete_date(row["RFSTDTC"])
    if reference is not None:
        told = f"no complete date of first dose; RFSTDTC is {reference}"
        notes.remark(row.patient, None, row.source, told, "days are counted from RFSTDTC")
        return reference
    if row["RFXSTDTC"] or row["RFSTDTC"] or given:
        told = f"first dose {row['RFXSTDTC'] or row['RFSTDTC'] or 'without a date'}"
        row.wrong(notes, "RFXSTDTC", told, FIRST_DOSE, "complete the date: all days are counted from it")
        return None
    _note_never_dosed(row, "no dose and no date of first dose", notes)
    return None


def _note_never_dosed(row: Row, found: str, notes: Notes) -> None:
    consequence = "stays a patient; no days can be counted, so the response is NE"
    notes.remark(row.patient, None, row.source, f"enrolled, but never dosed ({found})", consequence)


def patients_table(subjects: Subjects, given: pd.DataFrame | None, notes: Notes) -> pd.DataFrame:
    """One row a patient, sorted by id: the columns of patients.csv where it is given, then `arm, age, sex, race` of DM.

    `arm` is the arm as treated (ACTARM), `age` in years.
    """
    rows = [
        (patient, _arm(subject.row), _age(subject.row, notes), subject.row["SEX"], subject.row["RACE"])
        for patient, subject in sorted(subjects.used.items())
    ]
    frame = pd.DataFrame(rows, columns=["patient_id", "arm", "age", "sex", "race"])
    texts = {name: frame[name].where(frame[name] != "").astype(TEXT) for name in ("patient_id", "arm", "sex", "race")}
    frame = frame.assign(**texts, age=frame["age"].astype("float64"))
    if given is None:
        return frame
    own = given[given["patient_id"].isin(subjects.used)].sort_values("patient_id", ignore_index=True)
    if "arm" in own.columns:
        _compare_arms(own, frame, notes)
    others = frame[["patient_id", *(name for name in frame.columns if name not in own.columns)]]
    return own.merge(others, on="patient_id", how="left", validate="many_to_one")


def _compare_arms(own: pd.DataFrame, frame: pd.DataFrame, notes: Notes) -> None:
    stated = dict(zip(own["patient_id"], own["arm"].astype(object), strict=True))
    for patient, arm in zip(frame["patient_id"], frame["arm"].astype(object), strict=True):
        other = stated.get(patient)
        if isinstance(arm, str) and isinstance(other, str) and arm != other:
            notes.remark(patient, None, PATIENTS, f"arm {other!r}, and {arm!r} in DM", f"{PATIENTS} counts")


def _age(row: Row, notes: Notes) -> float:
    per_year = {"": 1.0, "YEARS": 1.0, "MONTHS": 12.0, "WEEKS": 365.25 / 7, "DAYS": 365.25}
    unit = row["AGEU"].upper()
    if not row["AGE"]:
        return float("nan")
    try:
        age = float(row["AGE"]) + 0.0  # -0 is 0
    except ValueError:
        age = -1.0
    if not 0 <= age < 200_000:
        row.wrong(notes, "AGE", f"{row['AGE']!r}", "a number, 0 or more", "correct it")
        return float("nan")
    if unit not in per_year:
        row.wrong(notes, "AGEU", f"{row['AGEU']!r}", f"one of {', '.join(filter(None, per_year))}", "correct it")
        return float("nan")
    return age / per_year[unit]
