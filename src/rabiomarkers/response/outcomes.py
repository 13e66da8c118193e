"""One outcome a patient, under the study's rule set and, beside it, under the others.

A patient who cannot be evaluated is NE with the reason in words: in the intention-to-treat denominator, outside the evaluable
one, and never dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.assess import AssessedPatient, Assessment, assess_lesions
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.codes import PERSISTS, STABLE_OR_BETTER, as_recist
from rabiomarkers.response.course import Course, course_of, given_responses, visits_of, why_not_evaluable
from rabiomarkers.response.durations import Durations, FollowUp, durations, followups
from rabiomarkers.response.rules import RULE_SETS, BestResponse, ResponseRules
from rabiomarkers.tables.outcomes import OUTCOMES, RECIST_OF

IRECIST_OF = {recist: word for word, recist in RECIST_OF.items() if word != "iCPD"}

type Best = dict[str, BestResponse]
"""What each rule set says of one patient."""


def outcome_table(
    patients: pd.DataFrame,
    lesions: pd.DataFrame | None = None,
    visits: pd.DataFrame | None = None,
    followup: pd.DataFrame | None = None,
    *,
    maximum_gap_days: int | None = None,
    clinical_benefit_days: int = 168,
    responses_after_new_therapy_count: bool = False,
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
    responses_after_new_therapy_count
        Whether visits after another anticancer therapy began (`followup.new_therapy_day`) make a best response.
    **settings
        Fields of `ResponseRules`.

    Returns
    -------
    An OUTCOMES table, one row a patient of `patients`, sorted. `responder` is CR or PR (confirmed, where the rules ask for it
    and visits are known). `best_change_percent` is the deepest change of the target sum from baseline, until progression.

    Raises
    ------
    ResponseError
        A response code, a rule set or a lesion that cannot be read, or a table with patients who are not among `patients`.
    """
    rules = ResponseRules(**settings)
    _check_frames(patients, lesions, visits, followup)
    judge = OutcomeJudge(
        rules,
        maximum_gap_days=maximum_gap_days,
        clinical_benefit_days=clinical_benefit_days,
        responses_after_new_therapy_count=responses_after_new_therapy_count,
    )
    assessment = assess_lesions(lesions, rules=rules) if lesions is not None and len(lesions) else None
    return judge.table(patients, assessment, visits, followup)


class OutcomeJudge:
    """Judges patients from visits that are assessed already."""

    def __init__(
        self,
        rules: ResponseRules,
        *,
        maximum_gap_days: int | None,
        clinical_benefit_days: int,
        responses_after_new_therapy_count: bool,
    ) -> None:
        self.rules = rules
        self.after_new_therapy = responses_after_new_therapy_count
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
        by_visit, given, followed = visits_of(visits), given_responses(patients), followups(followup)
        arms = _arms(patients)
        known = sorted(patients["patient_id"].tolist())
        _refuse_strangers(known, lesions=assessed, visits=by_visit, followup=followed)
        rows = []
        for patient in known:
            lesions = assessed.get(patient)
            course = self._counted(course_of(lesions, by_visit.get(patient), given.get(patient)), followed.get(patient))
            rows.append(self._row(patient, course, lesions, followed.get(patient), arms.get(patient)))
        return OUTCOMES.check(pd.DataFrame(rows, columns=list(OUTCOMES.columns)))

    def _counted(self, course: Course, followup: FollowUp | None) -> Course:
        """The course without the visits after another therapy began."""
        began = followup.new_therapy_day if followup is not None else None
        if began is None or self.after_new_therapy:
            return course
        return course.until(began, "the new therapy began")

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
        change, new_lesion = self._measured(lesions, best, until=course.recist[-1][0] if course.recist else 0.0)
        notes = (
            best.note if course.source else course.reason,
            why_not_evaluable(lesions) if code == "NE" and course.source == "lesions" else "",
            course.remark,
            f"patients.csv says {course.stated}, which does not count beside {course.source}"
            if course.stated is not None and course.stated != _class(best.response)
            else "",
            lasting.note,
        )
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

    def _measured(self, lesions: AssessedPatient | None, best: BestResponse, *, until: float) -> tuple[float, float]:
        """Deepest change of the sum until progression, and the day on which a new lesion made the progression."""
        if lesions is None:
            return np.nan, np.nan
        last = until
        if best.progression_day is not None and not self.rules.responses_after_progression_count:
            last = min(until, best.progression_day)
        seen = [(day, point) for day, point in zip(lesions.days, lesions.points, strict=True) if point.response]
        changes = [point.change_percent for day, point in seen if point.change_percent is not None and day <= last]
        new = [day for day, point in seen if point.new_lesion and day == best.progression_day]
        return min(changes, default=np.nan), (new[0] if new else np.nan)


def _check_frames(
    patients: pd.DataFrame,
    lesions: pd.DataFrame | None,
    visits: pd.DataFrame | None,
    followup: pd.DataFrame | None,
) -> None:
    """Raise ResponseError for tables that lack a column, repeat a patient or hold a day that is no number: all of it at once."""
    sizes = "mm" if lesions is None or "tenths" not in lesions.columns else "tenths"
    needed = {
        "patients": (patients, ["patient_id"]),
        "lesions": (lesions, ["patient_id", "day", "lesion_id", "kind", "status", sizes]),
        "visits": (visits, ["patient_id", "day", "overall_response"]),
        "followup": (followup, ["patient_id"]),
    }
    faults = []
    for name, (frame, columns) in needed.items():
        if frame is None:
            continue
        absent = [column for column in columns if column not in frame.columns]
        if absent:
            faults.append(f"{name} lacks {', '.join(absent)}")
            continue
        repeated = sorted({str(one) for one in frame.loc[frame["patient_id"].duplicated(), "patient_id"]})
        if repeated and name in ("patients", "followup"):
            faults.append(f"{name} has these patients twice: {', '.join(repeated)}")
        if "day" in columns and not np.isfinite(pd.to_numeric(frame["day"], errors="coerce").astype(float)).all():
            faults.append(f"{name} has a day that is no number")
    if faults:
        raise ResponseError(f"The clinical tables cannot be used: {'; '.join(faults)}.")


def _refuse_strangers(known: Sequence[str], **tables: Mapping[str, object]) -> None:
    """Raise ResponseError for patients of a table who are not in `patients`: their rows would be dropped in silence."""
    patients = set(known)
    strangers = {name: sorted(str(one) for one in set(table) - patients) for name, table in tables.items()}
    told = [f"{name}: {', '.join(people)}" for name, people in strangers.items() if people]
    if told:
        raise ResponseError(f"These patients are not in the table of patients: {'; '.join(told)}.")


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
