"""What happened to each patient and when, in one table: what a swimmer plot draws."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from rabiomarkers.response.durations import FollowUp, followups
from rabiomarkers.response.toxicity import SEVERE_GRADE
from rabiomarkers.tables.outcomes import TIMELINE, TIMELINE_KINDS

type Happening = tuple[str, float, str, str | None]
"""Patient, day, kind, detail."""


def timeline(
    outcomes: pd.DataFrame,
    sums: pd.DataFrame,
    followup: pd.DataFrame | None = None,
    adverse_events: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The TIMELINE table of the patients of `outcomes`, by patient, day and kind.

    Parameters
    ----------
    outcomes, sums, followup, adverse_events
        The OUTCOMES and SUMS tables, the columns of `followup.csv` (`treatment_end_day`, `new_therapy_day` may be absent) and of
        `adverse_events.csv`. Of these, events of grade 3 or more and serious ones are taken, if their day is known.

    Returns
    -------
    Everyone begins with `first_dose` on day 0. `progression` is that of the visits; where they have none, the end of PFS in the
    follow-up, unless it may be the death.
    """
    patients = set(outcomes["patient_id"])
    happened = [
        *_of_outcomes(outcomes),
        *_of_visits(sums),
        *_of_treatment(followups(followup)),
        *_of_adverse_events(adverse_events),
    ]
    rank = {kind: place for place, kind in enumerate(TIMELINE_KINDS)}
    rows = sorted(
        (row for row in happened if row[0] in patients), key=lambda row: (row[0], row[1], rank[row[2]], row[3] or "")
    )
    return TIMELINE.check(pd.DataFrame(rows, columns=list(TIMELINE.columns)))


def _of_outcomes(outcomes: pd.DataFrame) -> Iterator[Happening]:
    for row in outcomes.to_dict("records"):
        patient = row["patient_id"]
        yield patient, 0.0, "first_dose", None
        if _is_true(row["responder"]) and pd.notna(row["response_day"]):
            yield patient, float(row["response_day"]), "response", row["best_response"]
        if pd.notna(row["progression_day"]):
            yield patient, float(row["progression_day"]), "progression", None
        elif _progressed_in_followup(row):
            yield patient, float(row["pfs_days"]), "progression", "from follow-up"
        if pd.notna(row["new_lesion_day"]):
            yield patient, float(row["new_lesion_day"]), "new_lesion", None
        if pd.notna(row["os_days"]) and pd.notna(row["died"]):
            yield patient, float(row["os_days"]), "death" if row["died"] else "last_contact", None


def _progressed_in_followup(row: dict[Any, Any]) -> bool:
    """Whether PFS ended in a progression for certain: the patient is known to have lived on, or to be alive."""
    if not _is_true(row["progressed"]) or pd.isna(row["died"]) or pd.isna(row["os_days"]):
        return False
    return not row["died"] or row["pfs_days"] < row["os_days"]


def _is_true(flag: Any) -> bool:
    return bool(pd.notna(flag) and flag)


def _of_visits(sums: pd.DataFrame) -> Iterator[Happening]:
    for patient, day, response in zip(sums["patient_id"], sums["day"], sums["response"], strict=True):
        if day > 0 and pd.notna(response):
            yield patient, float(day), "assessment", response


def _of_treatment(followed: dict[str, FollowUp]) -> Iterator[Happening]:
    for patient, told in followed.items():
        if told.treatment_end_day is not None:
            yield patient, told.treatment_end_day, "last_dose", None
        if told.new_therapy_day is not None:
            yield patient, told.new_therapy_day, "new_therapy", None


def _of_adverse_events(adverse_events: pd.DataFrame | None) -> Iterator[Happening]:
    if adverse_events is None or "start_day" not in adverse_events.columns:
        return
    for row in adverse_events.dropna(subset=["start_day"]).to_dict("records"):
        grade = None if pd.isna(row.get("grade")) else int(row["grade"])
        serious = _is_true(row.get("serious"))
        if serious or (grade is not None and grade >= SEVERE_GRADE):
            words = [
                str(row["term"]),
                f"grade {grade}" if grade is not None else "",
                "related" if _is_true(row.get("related")) else "",
                "serious" if serious else "",
            ]
            yield row["patient_id"], float(row["start_day"]), "adverse_event", ", ".join(word for word in words if word)
