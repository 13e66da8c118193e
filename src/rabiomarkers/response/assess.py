"""Every visit of every patient, by RECIST 1.1 and by iRECIST."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.response import irecist
from rabiomarkers.response.baseline import Remark, baseline_remarks
from rabiomarkers.response.lesions import PatientVisits, group_visits
from rabiomarkers.response.rules import ResponseRules, Visit
from rabiomarkers.response.timepoint import TimePoint, assess_patient
from rabiomarkers.tables.table import TEXT

TEXTS = ("patient_id", "response", "irecist_response", "target_response", "non_target_response", "note")
NUMBERS = ("day", "sum_mm", "change_percent")
TIMEPOINT_COLUMNS = (
    "patient_id",
    "day",
    "sum_mm",
    "change_percent",
    "response",
    "irecist_response",
    "sum_tenths",
    "nadir_tenths",
    "target_response",
    "non_target_response",
    "new_lesion",
    "note",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AssessedPatient:
    """One patient's visits, baseline first: what RECIST 1.1 says of each, and the word of iRECIST beside it."""

    points: tuple[TimePoint, ...]
    irecist: tuple[str | None, ...]
    days: tuple[float, ...]
    """When each visit counts: a progression on the first day of the visit's scans, anything else on the last."""
    irecist_days: tuple[float, ...]
    """The same, where iRECIST sees the progression."""

    @property
    def visits(self) -> list[Visit]:
        """Day and RECIST 1.1 response of each visit after baseline."""
        return [
            (day, point.response)
            for day, point in zip(self.days, self.points, strict=True)
            if point.response is not None
        ]

    @property
    def table_visits(self) -> list[Visit]:
        """The same by Tables 1 and 2 alone: disease that is seen again after a complete response is no progression by itself."""
        return [
            (day if point.by_table is None else point.day, point.by_table or point.response)
            for day, point in zip(self.days, self.points, strict=True)
            if point.response is not None
        ]

    @property
    def irecist_visits(self) -> list[Visit]:
        """Day and iRECIST response of each visit after baseline."""
        return [(day, word) for day, word in zip(self.irecist_days, self.irecist, strict=True) if word is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """What the lesions say: patients in the order of their ids, and the remarks on their baselines."""

    patients: dict[str, AssessedPatient]
    remarks: list[Remark]


def assess_lesions(lesions: pd.DataFrame, *, rules: ResponseRules | None = None) -> Assessment:
    """Every patient's visits.

    Parameters
    ----------
    lesions
        Columns of `lesions.csv`; `tenths` (integer tenths of a millimetre) is used where it is there, else `mm` is rounded to
        tenths. `visit`, `organ` and `part_of` may be absent.
    rules
        Of them only the days until an unconfirmed progression of iRECIST may be confirmed play a part.

    Raises
    ------
    ResponseError
        Rows that cannot be read as RECIST reads them; all patients concerned are named.
    """
    confirmation_days = (rules or ResponseRules()).progression_confirmation_days
    patients: dict[str, AssessedPatient] = {}
    remarks: list[Remark] = []
    faults: list[str] = []
    for patient, seen in group_visits(lesions).items():
        try:
            patients[patient] = _assess(seen, confirmation_days)
        except ResponseError as error:
            faults.append(f"Patient {patient}: {error}")
            continue
        remarks.extend(baseline_remarks(patient, seen.visits))
    if faults:
        raise ResponseError("\n".join(faults))
    return Assessment(patients=patients, remarks=remarks)


def assess_timepoints(lesions: pd.DataFrame) -> pd.DataFrame:
    """The visits as a table.

    Returns
    -------
    One row a patient and visit, sorted, the baseline included (its responses are empty): `patient_id, day, sum_mm,
    change_percent` (of the sum, from baseline), `response, irecist_response, sum_tenths, nadir_tenths, target_response,
    non_target_response, new_lesion, note`.

    Raises
    ------
    ResponseError
        What `assess_lesions` raises.
    """
    return timepoint_table(assess_lesions(lesions))


def timepoint_table(assessment: Assessment) -> pd.DataFrame:
    """The table of `assess_timepoints`, from visits that are judged already."""
    rows = [
        (
            patient,
            day,
            np.nan if point.sum_tenths is None else point.sum_tenths / 10,
            np.nan if point.change_percent is None else point.change_percent,
            point.response,
            word,
            point.sum_tenths,
            point.nadir_tenths,
            point.target,
            point.non_target,
            point.new_lesion,
            point.note,
        )
        for patient, judged in assessment.patients.items()
        for day, point, word in zip(judged.days, judged.points, judged.irecist, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=list(TIMEPOINT_COLUMNS))
    kinds = dict.fromkeys(TEXTS, TEXT) | dict.fromkeys(NUMBERS, "float64")
    return frame.astype(kinds | {"sum_tenths": "Int64", "nadir_tenths": "Int64", "new_lesion": "boolean"})


def _assess(seen: PatientVisits, confirmation_days: int) -> AssessedPatient:
    points = assess_patient(seen.visits)
    words = irecist.assess(seen.visits, points, confirmation_days=confirmation_days)
    last = tuple(point.day for point in points)
    if not seen.began:
        days = irecist_days = last
    else:
        days = tuple(_dated(seen, point.day, point.response == "PD") for point in points)
        irecist_days = tuple(_dated(seen, day, word in ("iUPD", "iCPD")) for day, word in zip(last, words, strict=True))
    return AssessedPatient(points=tuple(points), irecist=tuple(words), days=days, irecist_days=irecist_days)


def _dated(seen: PatientVisits, day: float, progressed: bool) -> float:
    return seen.began.get(day, day) if progressed else day
