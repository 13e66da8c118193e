"""One outcome a patient, and the endpoints of the trial: response rate, disease control, progression-free survival, toxicity.

A patient who cannot be evaluated is NE with the reason in words: in the intention-to-treat denominator, outside the evaluable
one, and never dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.response.best_response import BestResponse, ResponseRules, Visit, best_response, normal_code
from rabiomarkers.response.timepoint import assess_timepoints
from rabiomarkers.stats.intervals import clopper_pearson
from rabiomarkers.stats.survival import median_survival
from rabiomarkers.tables import OUTCOMES, SUMS

EVERYONE = "all patients (intention to treat)"
EVALUABLE = "evaluable patients"
SEVERE_GRADE = 3


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """What one patient's tables say."""

    best: BestResponse
    note: str
    best_change_percent: float = np.nan
    unassessed: bool = False  # neither visits nor a best response exist


def outcome_table(
    patients: pd.DataFrame,
    lesions: pd.DataFrame | None = None,
    visits: pd.DataFrame | None = None,
    followup: pd.DataFrame | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Best response, progression and waterfall value of every patient.

    The response comes from the lesions, else from the visits, else from `patients.best_response`; where lesions and visits
    disagree the lesions count and the note says so. Progression-free survival comes from `followup`, else it is the first
    progression or, censored, the last evaluable visit.

    Parameters
    ----------
    patients, lesions, visits, followup
        Columns of `patients.csv` (`patient_id`, optional `best_response`), `lesions.csv`, `visits.csv`, `followup.csv`.
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
    points = assess_timepoints(lesions) if lesions is not None and len(lesions) else None
    by_lesion = _by_patient(points, "response")
    by_visit = _by_patient(visits, "overall_response")
    given = _given(patients)
    changes = _changes(points)
    survival = _survival(followup)
    rows = []
    for patient in sorted(patients["patient_id"].tolist()):
        judged = _judge(by_lesion.get(patient), by_visit.get(patient), given.get(patient), rules)
        judged = replace(judged, best_change_percent=_deepest(changes.get(patient, []), judged.best, rules))
        rows.append(_row(patient, judged, survival.get(patient), rules))
    return OUTCOMES.check(pd.DataFrame(rows, columns=list(OUTCOMES.columns)))


def _judge(lesions: list[Visit] | None, visits: list[Visit] | None, given: str | None, rules: ResponseRules) -> _Judged:
    from_visits = best_response(visits or [], rules)
    if _after_baseline(lesions):
        best = best_response(lesions or [], rules)
        differs = _after_baseline(visits) and from_visits.response != best.response
        told = f"; visits.csv says {from_visits.response}, the lesions count" if differs else ""
        return _Judged(best=best, note=best.note + told)
    if _after_baseline(visits):
        return _Judged(best=from_visits, note=from_visits.note)
    if given is not None:
        best = BestResponse(response=given, confirmed=None, note="best response as given in patients.csv")
        return _Judged(best=best, note=best.note)
    nothing = lesions is None and visits is None
    reason = "no lesions, visits or best response are known" if nothing else "no assessment after baseline"
    return _Judged(best=BestResponse(response="NE", confirmed=None, note=reason), note=reason, unassessed=True)


def _row(
    patient: str, judged: _Judged, survival: tuple[float, bool] | None, rules: ResponseRules
) -> tuple[object, ...]:
    code = judged.best.response
    unknown = judged.unassessed and not rules.missing_as_not_evaluable
    pfs_days, progressed = survival or _survival_from_visits(judged.best)
    return (
        patient,
        code,
        judged.best.confirmed,
        None if unknown else code in ("CR", "PR"),
        None if unknown else code in ("CR", "PR", "SD"),
        code != "NE",
        pfs_days,
        progressed,
        judged.best_change_percent,
        judged.note + _late_progression(judged.best, survival),
    )


def _late_progression(best: BestResponse, survival: tuple[float, bool] | None) -> str:
    """Words where the follow-up lets a patient be free of progression for longer than the visits do."""
    if survival is None or best.progression_day is None or survival[0] <= best.progression_day:
        return ""
    days, progressed = survival
    told = f"{'progression or death on' if progressed else 'none until'} day {days:g}"
    return f"; progression on day {best.progression_day:g}, but followup.csv says {told}, and that counts"


def _after_baseline(visits: list[Visit] | None) -> bool:
    return any(day > 0 for day, _ in visits or [])


def _by_patient(frame: pd.DataFrame | None, column: str) -> dict[str, list[Visit]]:
    """(day, response) pairs of each patient; a visit without a response (the baseline) is left out."""
    found: dict[str, list[Visit]] = {}
    if frame is not None:
        for patient, day, code in zip(frame["patient_id"], frame["day"], frame[column], strict=True):
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
    others = sorted(set(codes.values()) - {"CR", "PR", "SD", "PD", "NE"})
    if others:
        raise ResponseError(f"best_response in patients.csv holds {', '.join(others)}; expected CR, PR, SD, PD or NE.")
    return codes


def _changes(points: pd.DataFrame | None) -> dict[str, list[tuple[float, float]]]:
    """(day, change of the sum in percent) of each patient's visits after baseline."""
    found: dict[str, list[tuple[float, float]]] = {}
    if points is not None:
        known = points[(points["day"] > 0) & points["change_percent"].notna()]
        for patient, day, change in zip(known["patient_id"], known["day"], known["change_percent"], strict=True):
            found.setdefault(patient, []).append((float(day), float(change)))
    return found


def _deepest(changes: list[tuple[float, float]], best: BestResponse, rules: ResponseRules) -> float:
    last = np.inf
    if best.progression_day is not None and not rules.responses_after_progression_count:
        last = best.progression_day
    return min((change for day, change in changes if day <= last), default=np.nan)


def _survival(followup: pd.DataFrame | None) -> dict[str, tuple[float, bool]]:
    if followup is None:
        return {}
    known = followup.dropna(subset=["pfs_days", "progressed"])
    return {
        patient: (float(days), bool(progressed))
        for patient, days, progressed in zip(known["patient_id"], known["pfs_days"], known["progressed"], strict=True)
    }


def _survival_from_visits(best: BestResponse) -> tuple[float, bool | None]:
    if best.progression_day is not None:
        return best.progression_day, True
    if best.last_evaluable_day is not None:
        return best.last_evaluable_day, False
    return np.nan, None


def sum_table(lesions: pd.DataFrame | None, visits: pd.DataFrame | None = None) -> pd.DataFrame:
    """Target sums and responses by visit, for spider and swimmer plots.

    Returns
    -------
    `patient_id, day, sum_mm, change_percent, response`: every visit of the lesions, the baseline included (without a response),
    and for patients without lesions the visits as given (without a sum).
    """
    columns = ["patient_id", "day", "sum_mm", "change_percent", "response"]
    empty = pd.DataFrame({name: pd.Series([], dtype="float64") for name in columns})
    points = empty if lesions is None or not len(lesions) else assess_timepoints(lesions)[columns]
    given = empty
    if visits is not None and len(visits):
        others = visits[~visits["patient_id"].isin(points["patient_id"].tolist())]
        given = others.rename(columns={"overall_response": "response"}).assign(sum_mm=np.nan, change_percent=np.nan)[
            columns
        ]
    text = pd.StringDtype(na_value=np.nan)
    kinds = {"patient_id": text, "response": text} | dict.fromkeys(("day", "sum_mm", "change_percent"), "float64")
    both = pd.concat([points.astype(kinds), given.astype(kinds)], ignore_index=True)
    return both.sort_values(["patient_id", "day"], kind="stable", ignore_index=True)


def endpoints(
    outcomes: pd.DataFrame,
    adverse_events: pd.DataFrame | None = None,
    followup: pd.DataFrame | None = None,
    *,
    level: float = 0.95,
) -> dict[str, dict[str, Any]]:
    """Response rate, disease control, progression-free survival and toxicity of the trial.

    Parameters
    ----------
    outcomes, adverse_events, followup
        The OUTCOMES table, and the columns of `adverse_events.csv` and `followup.csv`. Who is not in `followup` has a survival
        from visits, which know of no death; the note of `pfs` counts them.

    Returns
    -------
    `orr`, `orr_evaluable`, `dcr`, `dcr_evaluable`: `responders, n, rate, ci_low, ci_high` (shares of 0..1), `method,
    denominator, note`. `pfs`: `median_days, ci_low, ci_high, n, events, method, note`. `adverse_events`: patients by worst
    grade. What cannot be estimated is None, with the reason in `note`.
    """
    everyone = outcomes[outcomes["responder"].notna()]
    evaluable = outcomes[outcomes["evaluable"].astype(bool)]
    left_out = len(outcomes) - len(everyone)
    denominator = EVERYONE if not left_out else f"patients with an assessment ({left_out} without any left out)"
    return {
        "orr": _rate(everyone, "responder", denominator, level),
        "orr_evaluable": _rate(evaluable, "responder", EVALUABLE, level),
        "dcr": _rate(everyone, "disease_control", denominator, level),
        "dcr_evaluable": _rate(evaluable, "disease_control", EVALUABLE, level),
        "pfs": _progression_free(outcomes, set(_survival(followup)), level),
        "adverse_events": _adverse_events(adverse_events, patients=outcomes["patient_id"].tolist()),
    }


def _rate(outcomes: pd.DataFrame, column: str, denominator: str, level: float) -> dict[str, Any]:
    n, evaluable = len(outcomes), int(outcomes["evaluable"].astype(bool).sum())
    counted: dict[str, Any] = {
        "responders": int(outcomes[column].astype(bool).sum()),
        "n": n,
        "method": f"Clopper-Pearson {level * 100:g} %",
        "denominator": denominator,
    }
    if not evaluable:  # 0 of n would read as "nobody responded", while nobody was looked at
        reason = f"not estimable: none of {n} patients has an evaluable response" if n else "not estimable: no patient"
        return counted | {"rate": None, "ci_low": None, "ci_high": None, "note": reason}
    share = clopper_pearson(counted["responders"], n, level=level)
    note = f"{n - evaluable} of {n} patients not evaluable: in the denominator only" if evaluable < n else ""
    return counted | {"rate": share.rate, "ci_low": share.ci_low, "ci_high": share.ci_high, "note": note}


def _progression_free(outcomes: pd.DataFrame, followed: set[str], level: float) -> dict[str, Any]:
    known = outcomes.dropna(subset=["pfs_days", "progressed"])
    method = f"Kaplan-Meier, log-log {level * 100:g} %"
    facts = median_survival(
        known["pfs_days"].to_numpy(dtype=float), known["progressed"].to_numpy(dtype=float), level=level
    )
    absent, by_visits = len(outcomes) - len(known), int((~known["patient_id"].isin(followed)).sum())
    open_above = np.isfinite(facts.median) and not np.isfinite(facts.ci_high)
    notes = [
        facts.note,
        "upper limit not reached in the time observed" if open_above else "",
        f"without follow-up, left out: {absent} of {len(outcomes)} patients" if absent else "",
        f"from visits alone, so deaths are not counted: {by_visits} of {len(known)} patients" if by_visits else "",
    ]
    return {
        "median_days": _finite(facts.median),
        "ci_low": _finite(facts.ci_low),
        "ci_high": _finite(facts.ci_high),
        "n": facts.n,
        "events": facts.events,
        "method": method,
        "note": "; ".join(note for note in notes if note),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _adverse_events(adverse_events: pd.DataFrame | None, *, patients: list[str]) -> dict[str, Any]:
    """Patients by the worst grade they had; `none` is the patients without any event."""
    if adverse_events is None:
        return {
            "n": len(patients),
            "patients_with_any": None,
            f"patients_with_grade_{SEVERE_GRADE}_or_higher": None,
            "by_worst_grade": None,
            "none": None,
            "note": "no adverse events table",
        }
    graded = adverse_events[adverse_events["patient_id"].isin(patients)].dropna(subset=["grade"])
    worst = graded.groupby("patient_id")["grade"].max().astype(int)
    return {
        "n": len(patients),
        "patients_with_any": len(worst),
        f"patients_with_grade_{SEVERE_GRADE}_or_higher": int((worst >= SEVERE_GRADE).sum()),
        "by_worst_grade": {str(grade): int((worst == grade).sum()) for grade in range(1, 6)},
        "none": len(patients) - len(worst),
        "note": "",
    }


def outcome_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    rule_set: str = "recist-1.1",
    confirmation_required: bool = True,
    confirmation_days: int = 28,
    stable_disease_minimum_days: int = 42,
    maximum_not_evaluable_between: int = 1,
    accept_stable_disease_between: bool = False,
    missing_as_not_evaluable: bool = True,
    responses_after_progression_count: bool = False,
) -> Info:
    """Write `outcomes.parquet`, `sums.parquet` and `endpoints.json`.

    `inputs`: `patients` and, where the study has them, `lesions`, `visits`, `followup`, `adverse_events`, as parquet.
    """
    lesions, visits = _optional(inputs, "lesions"), _optional(inputs, "visits")
    outcomes = outcome_table(
        read_table(inputs["patients"]),
        lesions,
        visits,
        _optional(inputs, "followup"),
        rule_set=rule_set,
        confirmation_required=confirmation_required,
        confirmation_days=confirmation_days,
        stable_disease_minimum_days=stable_disease_minimum_days,
        maximum_not_evaluable_between=maximum_not_evaluable_between,
        accept_stable_disease_between=accept_stable_disease_between,
        missing_as_not_evaluable=missing_as_not_evaluable,
        responses_after_progression_count=responses_after_progression_count,
    )
    found = endpoints(outcomes, _optional(inputs, "adverse_events"), _optional(inputs, "followup"))
    write_table(outcomes, out / "outcomes.parquet")
    write_table(SUMS.check(sum_table(lesions, visits)), out / "sums.parquet")
    write_json(found, out / "endpoints.json")
    return {"patients": len(outcomes), "responders": found["orr"]["responders"]}


def _optional(inputs: Mapping[str, Path], name: str) -> pd.DataFrame | None:
    return read_table(inputs[name]) if name in inputs else None
