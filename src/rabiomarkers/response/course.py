"""What one patient's tables say, visit by visit, and where they contradict one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.assess import AssessedPatient
from rabiomarkers.response.codes import NOT_DONE, PERSISTS, as_recist, normal_code
from rabiomarkers.response.rules import Visit

MOST_REASONS = 3  # why visits were not evaluable; all of them are in the table of sums
SAME_VISIT_DAYS = 7  # by how much the day of a response and that of its scans may differ
GIVEN = frozenset({"CR", "PR", "SD", "PD", "NE"})


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one patient's tables say, visit by visit."""

    recist: Sequence[Visit]
    table: Sequence[Visit]
    """By the tables of RECIST 1.1 alone, as `admiralonco` takes them: a complete response does not change what follows."""
    irecist: Sequence[Visit]
    source: str  # lesions, visits, best_response, or empty where nothing is known
    given: str | None = None
    """The best response of patients.csv, where it is all that is known."""
    stated: str | None = None
    """The same where visits or lesions count instead."""
    reason: str = ""
    remark: str = ""  # what else is to be said of the patient

    def visits(self, rule_set: str) -> Sequence[Visit]:
        """Days and responses as this rule set has them."""
        return {"irecist": self.irecist, "admiralonco": self.table}.get(rule_set, self.recist)

    def until(self, day: float, why: str) -> "Course":
        """The course up to a day, after which no visit counts; the remark tells of those that are left out."""
        left_out = [f"{code} on day {seen:g}" for seen, code in self.recist if seen > day]
        if not left_out:
            return self
        told = f"{', '.join(left_out)} after {why} on day {day:g}: not counted"
        return replace(
            self,
            recist=[visit for visit in self.recist if visit[0] <= day],
            table=[visit for visit in self.table if visit[0] <= day],
            irecist=[visit for visit in self.irecist if visit[0] <= day],
            remark="; ".join([text for text in (self.remark, told) if text]),
        )


def course_of(lesions: AssessedPatient | None, visits: list[Visit] | None, given: str | None) -> Course:
    """One patient's course: from the lesions, else from the reported visits, else a best response alone.

    Parameters
    ----------
    lesions
        The patient's visits as the lesions have them; None without lesions.
    visits
        (day, response) pairs of `visits.csv`; those on or before day 0 play no part.
    given
        The best response of `patients.csv`.
    """
    scanned = lesions.visits if lesions is not None else []
    told = [visit for visit in visits or [] if visit[0] > 0]
    if lesions is not None and scanned:
        return Course(
            recist=scanned,
            table=lesions.table_visits,
            irecist=lesions.irecist_visits,
            source="lesions",
            stated=given,
            remark=_against(scanned, told),
        )
    if told:
        recist = [(day, as_recist(code)) for day, code in told]
        return Course(recist=recist, table=recist, irecist=told, source="visits", stated=given)
    if given is not None:
        return Course(recist=(), table=(), irecist=(), source="best_response", given=given)
    unknown = lesions is None and visits is None
    reason = "no lesions, visits or best response are known" if unknown else "no assessment after baseline"
    return Course(recist=(), table=(), irecist=(), source="", reason=reason)


def why_not_evaluable(lesions: AssessedPatient | None) -> str:
    """What the visits themselves say, each thing once."""
    points = lesions.points if lesions is not None else ()
    told = dict.fromkeys(point.note for point in points if point.response == "NE" and point.note)
    shown = list(told)[:MOST_REASONS]
    return "; ".join(shown) + (f"; and {len(told) - MOST_REASONS} more" if len(told) > MOST_REASONS else "")


def _against(scanned: Sequence[Visit], told: Sequence[Visit]) -> str:
    """Reported responses that differ from those of the nearest scan, and those without any scan near them."""
    others, alone = [], []
    for day, code in told:
        nearest, judged = min(scanned, key=lambda visit: (abs(visit[0] - day), visit[0]))
        said = as_recist(code)
        if abs(nearest - day) > SAME_VISIT_DAYS:
            alone.append(f"{code} on day {day:g}")
        elif said != judged and not {said, judged} <= {"SD", PERSISTS} and not {said, judged} <= {"NE", NOT_DONE}:
            others.append(f"{code} on day {day:g}")
    return "; ".join(
        [
            *([f"the reported visits say {', '.join(others)}; the lesions count"] if others else []),
            *([f"the reported visits say {', '.join(alone)}, where no lesion was read: not counted"] if alone else []),
        ]
    )


def visits_of(frame: pd.DataFrame | None) -> dict[str, list[Visit]]:
    """(day, response) pairs of each patient of `visits.csv`; a row without a response is left out."""
    found: dict[str, list[Visit]] = {}
    if frame is not None:
        for patient, day, code in zip(frame["patient_id"], frame["day"], frame["overall_response"], strict=True):
            pairs = found.setdefault(patient, [])
            if isinstance(code, str):
                pairs.append((float(day), normal_code(code)))
    return found


def given_responses(patients: pd.DataFrame) -> dict[str, str]:
    """The best response of each patient of `patients.csv` who has one.

    Raises
    ------
    ResponseError
        One is none of CR, PR, SD, PD, NE.
    """
    if "best_response" not in patients.columns:
        return {}
    known = patients.dropna(subset=["best_response"])
    codes = {
        patient: normal_code(code) for patient, code in zip(known["patient_id"], known["best_response"], strict=True)
    }
    others = sorted(set(codes.values()) - GIVEN)
    if others:
        raise ResponseError(f"best_response in patients.csv holds {', '.join(others)}; expected CR, PR, SD, PD or NE.")
    return codes
