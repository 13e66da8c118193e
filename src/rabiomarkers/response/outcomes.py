"""One outcome a patient, under the study's rule set and, beside it, under the others.

A patient who cannot be evaluated is NE with the reason in words: in the intention-to-treat denominator, outside the evaluable
one, and never dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.assess import AssessedPatient, Assessment, assess_lesions
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.codes import PERSISTS, RECIST_OF, STABLE_OR_BETTER, as_recist, normal_code
from rabiomarkers.response.durations import Durations, FollowUp, durations, followups
from rabiomarkers.response.rules import RULE_SETS, BestResponse, ResponseRules, Visit
from rabiomarkers.tables import OUTCOMES

IRECIST_OF = {recist: word for word, recist in RECIST_OF.items() if word != "iCPD"}
GIVEN = frozenset({"CR", "PR", "SD", "PD", "NE"})

type Best = dict[str, BestResponse]
"""What each rule set says of one patient."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one patient's tables say, visit by visit."""

    recist: Sequence[Visit]
    irecist: Sequence[Visit]
    source: str  # lesions, visits, best_response, or empty where nothing is known
    given: str | None = None
    reason: str = ""
    remark: str = ""  # what else is to be said of the patient

    def visits(self, rule_set: str) -> Sequence[Visit]:
        """Days and responses as this rule set has them."""
        return self.irecist if rule_set == "irecist" else self.recist


def outcome_table(
    patients: pd.DataFrame,
    lesions: pd.DataFrame | None = None,
    visits: pd.DataFrame | None = None,
    followup: pd.DataFrame | None = None,
    *,
    maximum_gap_days: int | None = None,
    clinical_benefit_days: int = 168,
    **settings: Any,
) -> pd.DataFrame:
    """Best response, durations and waterfall value of every patient.

    The response comes from the lesions, else from the visits, else from `patients.best_response`; where lesions and visits
    disagree the lesions count and the note says so. Survival comes from `followup`, else from the visits (see `durations`).

    Parameters
    ----------
    patients, lesions, visits, followup
        Columns of `patients.csv` (`patient_id`, optional `best_response` and `arm`), `lesions.csv`, `visits.csv`, `followup.csv`.
    maximum_gap_days, clinical_benefit_days
        As `durations` takes them.
    **settings
        Fields of `ResponseRules`.

    Returns
    -------
    An OUTCOMES table, one row a patient of `patients`, sorted. `responder` is CR or PR (confirmed, where the rules ask for it
    and visits are known). `best_change_percent` is the deepest change of the target sum from baseline, until progression.

    Raises
    ------
    ResponseError
        A response code, a rule set or a lesion that cannot be read.
    """
    rules = ResponseRules(**settings)
    judge = OutcomeJudge(rules, maximum_gap_days=maximum_gap_days, clinical_benefit_days=clinical_benefit_days)
    assessment = assess_lesions(lesions, rules=rules) if lesions is not None and len(lesions) else None
    return judge.table(patients, assessment, visits, followup)


class OutcomeJudge:
    """Judges patients from visits that are assessed already."""

    def __init__(self, rules: ResponseRules, *, maximum_gap_days: int | None, clinical_benefit_days: int) -> None:
        self.rules = rules
        self.by_rule_set = {name: replace(rules, rule_set=name) for name in RULE_SETS}
        self.unconfirmed = replace(rules, confirmation_required=False)
        self.durations: dict[str, Any] = {
            "maximum_gap_days": maximum_gap_days,
            "clinical_benefit_days": clinical_benefit_days,
            "confirmation_days": rules.confirmation_days if rules.confirmation_required else 0,
        }

    def table(
        self,
        patients: pd.DataFrame,
        assessment: Assessment | None,
        visits: pd.DataFrame | None,
        followup: pd.DataFrame | None,
    ) -> pd.DataFrame:
        """The OUTCOMES table."""
        assessed = assessment.patients if assessment is not None else {}
        by_visit, given, followed = visits_of(visits), _given(patients), followups(followup)
        arms = _arms(patients)
        rows = []
        for patient in sorted(patients["patient_id"].tolist()):
            lesions = assessed.get(patient)
            course = _course(lesions, by_visit.get(patient), given.get(patient))
            rows.append(self._row(patient, course, lesions, followed.get(patient), arms.get(patient)))
        return OUTCOMES.check(pd.DataFrame(rows, columns=list(OUTCOMES.columns)))

    def _row(
        self,
        patient: str,
        course: Course,
        lesions: AssessedPatient | None,
        followup: FollowUp | None,
        arm: str | None,
    ) -> tuple[object, ...]:
        by_rule_set, unconfirmed = self._best(course)
        best = by_rule_set[self.rules.rule_set]
        unknown = not course.source and not self.rules.missing_as_not_evaluable
        code, words = as_recist(best.response), {name: told.response for name, told in by_rule_set.items()}
        responder = None if unknown else code in ("CR", "PR")
        lasting = self._durations(best, course, followup, responder)
        agree = len({_class(word) for word in words.values()}) == 1
        told = "" if agree else f"; rule sets disagree: {', '.join(f'{name} {words[name]}' for name in RULE_SETS)}"
        change, new_lesion = self._measured(lesions, best)
        notes = (best.note if course.source else course.reason, course.remark, lasting.note)
        return (
            patient,
            best.response,
            best.confirmed,
            responder,
            None if unknown else code in STABLE_OR_BETTER,
            code != "NE",
            lasting.pfs_days,
            lasting.progressed,
            change,
            "; ".join([note for note in notes if note]) + told,
            unconfirmed.response,
            *(words[name] for name in RULE_SETS),
            agree,
            None if unknown else lasting.clinical_benefit,
            lasting.response_day,
            lasting.response_days,
            lasting.response_ended,
            best.progression_day,
            new_lesion,
            lasting.os_days,
            lasting.died,
            arm,
        )

    def _best(self, course: Course) -> tuple[Best, BestResponse]:
        """What each rule set says, and what the study's says without confirmation."""
        if course.given is not None:
            said = {name: _as_given(course.given, name) for name in RULE_SETS}
            return said, said[self.rules.rule_set]
        used = self.rules.rule_set
        said = {name: _told(best_response(course.visits(name), rules)) for name, rules in self.by_rule_set.items()}
        return said, _told(best_response(course.visits(used), self.unconfirmed))

    def _durations(
        self, best: BestResponse, course: Course, followup: FollowUp | None, responder: bool | None
    ) -> Durations:
        visits = course.visits(self.rules.rule_set)
        return durations(best, visits, followup, responder=responder, **self.durations)

    def _measured(self, lesions: AssessedPatient | None, best: BestResponse) -> tuple[float, float]:
        """Deepest change of the sum until progression, and the day on which a new lesion made the progression."""
        if lesions is None:
            return np.nan, np.nan
        last = np.inf
        if best.progression_day is not None and not self.rules.responses_after_progression_count:
            last = best.progression_day
        seen = [(day, point) for day, point in zip(lesions.days, lesions.points, strict=True) if point.response]
        changes = [point.change_percent for day, point in seen if point.change_percent is not None and day <= last]
        new = [day for day, point in seen if point.new_lesion and day == best.progression_day]
        return min(changes, default=np.nan), (new[0] if new else np.nan)


def _course(lesions: AssessedPatient | None, visits: list[Visit] | None, given: str | None) -> Course:
    scanned = lesions.visits if lesions is not None else []
    told = [visit for visit in visits or [] if visit[0] > 0]
    if lesions is not None and scanned:
        return Course(recist=scanned, irecist=lesions.irecist_visits, source="lesions", remark=_against(scanned, told))
    if told:
        return Course(recist=[(day, as_recist(code)) for day, code in told], irecist=told, source="visits")
    if given is not None:
        return Course(recist=(), irecist=(), source="best_response", given=given)
    unknown = lesions is None and visits is None
    reason = "no lesions, visits or best response are known" if unknown else "no assessment after baseline"
    return Course(recist=(), irecist=(), source="", reason=reason)


def _against(scanned: Sequence[Visit], told: Sequence[Visit]) -> str:
    """Where visits.csv says another response on the day of a scan."""
    judged = dict(scanned)
    others = [
        f"{code} on day {day:g}"
        for day, code in told
        if day in judged and as_recist(code) != judged[day] and not {as_recist(code), judged[day]} <= {"SD", PERSISTS}
    ]
    return f"visits.csv says {', '.join(others)}; the lesions count" if others else ""


def visits_of(frame: pd.DataFrame | None) -> dict[str, list[Visit]]:
    """(day, response) pairs of each patient of `visits.csv`; a row without a response is left out."""
    found: dict[str, list[Visit]] = {}
    if frame is not None:
        for patient, day, code in zip(frame["patient_id"], frame["day"], frame["overall_response"], strict=True):
            pairs = found.setdefault(patient, [])
            if isinstance(code, str):
                pairs.append((float(day), normal_code(code)))
    return found


def _given(patients: pd.DataFrame) -> dict[str, str]:
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


def _arms(patients: pd.DataFrame) -> Mapping[str, str]:
    if "arm" not in patients.columns:
        return {}
    known = patients.dropna(subset=["arm"])
    return {patient: str(arm) for patient, arm in zip(known["patient_id"], known["arm"], strict=True)}


def _as_given(code: str, rule_set: str) -> BestResponse:
    word = IRECIST_OF.get(code, code) if rule_set == "irecist" else code
    return BestResponse(response=word, confirmed=None, note="best response as given in patients.csv")


def _told(best: BestResponse) -> BestResponse:
    """Not done and missing are not evaluable in a table of outcomes; the note says which it was."""
    return replace(best, response="NE") if best.response in ("ND", "MISSING") else best


def _class(word: str) -> str:
    """What a word means for the rates: persisting non-target lesions are stable disease."""
    return "SD" if as_recist(word) == PERSISTS else as_recist(word)
