"""The endpoints of the trial: rates of response and control, times to progression and death, by arm where there are arms.

What cannot be estimated is None with the reason in `note`; every rate names its denominator, every time its events and censoring.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.response.codes import RESPONSES, as_recist
from rabiomarkers.response.durations import DURATION_RULE, GAP_RULE, OS_RULE, PFS_RULE, followups
from rabiomarkers.response.rates import Endpoint, is_true, objective_response, rates
from rabiomarkers.response.rules import RULE_SETS
from rabiomarkers.response.toxicity import toxicity
from rabiomarkers.stats.log_rank import exact_log_rank
from rabiomarkers.stats.survival import kaplan_meier, median_survival
from rabiomarkers.tables.outcomes import SURVIVAL

ALL_ARMS = "all"
SHORT_NAMES = {name: name.replace("-", "_").replace(".", "_") for name in RULE_SETS}


@dataclass(frozen=True, kw_only=True)
class TimeToEvent:
    """Where a time to an event stands in OUTCOMES, and its events and censoring in words."""

    days: str
    event: str
    rule: str

    def known(self, outcomes: pd.DataFrame) -> pd.DataFrame:
        """The patients whose time and event are known."""
        return outcomes.dropna(subset=[self.days, self.event])


TIMES: Mapping[str, TimeToEvent] = {
    "pfs": TimeToEvent(days="pfs_days", event="progressed", rule=PFS_RULE),
    "os": TimeToEvent(days="os_days", event="died", rule=OS_RULE),
    "response_duration": TimeToEvent(days="response_days", event="response_ended", rule=DURATION_RULE),
}


def endpoints(
    outcomes: pd.DataFrame,
    *,
    adverse_events: pd.DataFrame | None = None,
    followup: pd.DataFrame | None = None,
    rule_set: str = "recist-1.1",
    level: float = 0.95,
    seed: int = 1,
    clinical_benefit_days: int = 168,
    maximum_gap_days: int | None = None,
) -> dict[str, Any]:
    """Rates of response, disease control and clinical benefit; times to progression, to death and of response; toxicity.

    Parameters
    ----------
    outcomes, adverse_events, followup
        The OUTCOMES table, and the columns of `adverse_events.csv` and `followup.csv`. Who is not in `followup` has a survival
        from visits, which know of no death; the note of `pfs` counts them.
    rule_set, clinical_benefit_days, maximum_gap_days
        What `outcomes` was made with.
    level
        Of every two-sided interval.
    seed
        Of the log-rank test, where there are too many relabellings to count.

    Returns
    -------
    `orr`, `dcr`, `clinical_benefit` and each `..._evaluable`, `orr_unconfirmed`: `responders, n, rate, ci_low, ci_high` (shares of
    0..1), `method, denominator, note` and `intervals` by method; clinical benefit has its `rule`, too. `pfs`, `os`,
    `response_duration`: `median_days, ci_low, ci_high, n, events, method, rule, note`. `time_to_response`: `median_days, minimum,
    maximum, n, note`. `by_arm`: None unless there are two arms or more, else `arms` (of each `n, orr, pfs, os`), `log_rank` (of two
    arms: `pfs, os`) and `note`. `rule_sets`: `used, responders` by rule set, `disagreements, note`. `adverse_events`: see
    `toxicity`.
    """
    followed = {patient for patient, told in followups(followup).items() if told.has_pfs or told.has_os}
    gap = "" if maximum_gap_days is None else f"; {GAP_RULE.format(days=f'{maximum_gap_days:g}')}"
    return {
        **rates(outcomes, level=level, clinical_benefit_days=clinical_benefit_days),
        **_survivals(outcomes, followed, level, gap),
        "response_duration": _response_duration(outcomes, level, gap),
        "time_to_response": _time_to_response(outcomes),
        "by_arm": _by_arm(outcomes, followed, level, gap, seed),
        "rule_sets": _rule_sets(outcomes, rule_set),
        "adverse_events": toxicity(adverse_events, outcomes["patient_id"].tolist()),
    }


def survival_table(outcomes: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Kaplan-Meier steps of PFS, OS and duration of response, of all patients and, where there are two arms or more, of each.

    Returns
    -------
    A SURVIVAL table; every curve begins on day 0. An endpoint of which nothing is known has no rows.
    """
    arms = _arms(outcomes)
    groups = [(ALL_ARMS, outcomes)]
    if len(arms) > 1:
        groups += [(f"{arm} (arm)" if arm == ALL_ARMS else arm, members) for arm, members in arms.items()]
    steps = [
        _steps(name, arm, time.known(members), time, level) for name, time in TIMES.items() for arm, members in groups
    ]
    found = [table for table in steps if len(table)]
    return SURVIVAL.check(pd.concat(found, ignore_index=True) if found else SURVIVAL.empty())


def _steps(name: str, arm: str, known: pd.DataFrame, time: TimeToEvent, level: float) -> pd.DataFrame:
    days, happened = _numbers(known[time.days]), _numbers(known[time.event])
    curve = kaplan_meier(days, happened, level=level)
    steps = pd.DataFrame(
        {
            "day": curve.times,
            "survival": curve.survival,
            "ci_low": curve.low,
            "ci_high": curve.high,
            "at_risk": curve.at_risk,
            "events": curve.events,
            "censored": curve.censored,
        }
    )
    if len(steps) and steps["day"].iloc[0] > 0:
        start = {"day": 0.0, "survival": 1.0, "ci_low": np.nan, "ci_high": np.nan, "at_risk": len(known)}
        steps = pd.concat([pd.DataFrame([start | {"events": 0, "censored": 0}]), steps], ignore_index=True)
    return steps.assign(endpoint=name, arm=arm)


def _numbers(column: "pd.Series[Any]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    return column.to_numpy(dtype=np.float64)


def _time_to_event(
    outcomes: pd.DataFrame, time: TimeToEvent, level: float, *, extra_rule: str = "", notes: Sequence[str] = ()
) -> Endpoint:
    known = time.known(outcomes)
    facts = median_survival(_numbers(known[time.days]), _numbers(known[time.event]), level=level)
    open_above = np.isfinite(facts.median) and not np.isfinite(facts.ci_high)
    unseen = len(known) > 0 and not facts.events and not (known[time.days] > 0).any()
    told = "not estimable: nobody was followed beyond day 0" if unseen else facts.note
    every = [told, "upper limit not reached in the time observed" if open_above else "", *notes]
    return {
        "median_days": _finite(facts.median),
        "ci_low": _finite(facts.ci_low),
        "ci_high": _finite(facts.ci_high),
        "n": facts.n,
        "events": facts.events,
        "method": f"Kaplan-Meier, log-log {level * 100:g} %",
        "rule": time.rule + extra_rule,
        "note": "; ".join(note for note in every if note),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _survivals(outcomes: pd.DataFrame, followed: AbstractSet[str], level: float, gap: str) -> dict[str, Endpoint]:
    """`pfs` and `os`, each with whom it leaves out."""
    pfs, n = TIMES["pfs"].known(outcomes), len(outcomes)
    at_start = int((~is_true(pfs["progressed"]) & (pfs["pfs_days"] <= 0)).sum())
    by_visits, absent = int((~pfs["patient_id"].isin(followed)).sum()), n - len(pfs)
    no_os = n - len(TIMES["os"].known(outcomes))
    pfs_notes = [
        f"censored on day 0: {at_start} of {len(pfs)} patients" if at_start else "",
        f"without follow-up, left out: {absent} of {n} patients" if absent else "",
        f"from visits alone, so deaths are not counted: {by_visits} of {len(pfs)} patients" if by_visits else "",
    ]
    os_notes = [f"without os_days in the follow-up, left out: {no_os} of {n} patients"] if no_os else []
    return {
        "pfs": _time_to_event(outcomes, TIMES["pfs"], level, extra_rule=gap, notes=pfs_notes),
        "os": _time_to_event(outcomes, TIMES["os"], level, notes=os_notes),
    }


def _response_duration(outcomes: pd.DataFrame, level: float, gap: str) -> Endpoint:
    time = TIMES["response_duration"]
    responders = outcomes[is_true(outcomes["responder"])]
    absent = len(responders) - len(time.known(responders))
    notes = [f"response of unknown duration, left out: {absent} of {len(responders)} responders"] if absent else []
    found = _time_to_event(responders, time, level, extra_rule=gap, notes=notes)
    return found if len(responders) else found | {"note": "not estimable: no responder"}


def _time_to_response(outcomes: pd.DataFrame) -> Endpoint:
    responders = outcomes[is_true(outcomes["responder"])]
    days = _numbers(responders["response_day"].dropna())
    absent = len(responders) - len(days)
    note = f"day of response not known, left out: {absent} of {len(responders)} responders" if absent else ""
    if not len(days):
        note = f"not estimable: {note or 'no responder'}"
        return {"median_days": None, "minimum": None, "maximum": None, "n": 0, "note": note}
    return {
        "median_days": float(np.median(days)),
        "minimum": float(days.min()),
        "maximum": float(days.max()),
        "n": len(days),
        "note": note,
    }


def _arms(outcomes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(arm): members for arm, members in outcomes.groupby("arm", sort=True)}


def _by_arm(
    outcomes: pd.DataFrame, followed: AbstractSet[str], level: float, gap: str, seed: int
) -> dict[str, Any] | None:
    # Survival is compared by arm and never by response: a responder has to live and stay free of progression until the response
    # is seen, so responders look better even under a drug without effect (Anderson 1983, J. Clin. Oncol. 1: 710-719).
    arms = _arms(outcomes)
    if len(arms) < 2:
        return None
    without, n_arms = int(outcomes["arm"].isna().sum()), len(arms)
    notes = [
        f"no arm is known of {without} of {len(outcomes)} patients" if without else "",
        f"the exact log-rank test compares two arms; there are {n_arms}" if n_arms > 2 else "",
    ]
    return {
        "arms": {
            arm: {
                "n": len(members),
                "orr": objective_response(members, level=level),
                **_survivals(members, followed, level, gap),
            }
            for arm, members in arms.items()
        },
        "log_rank": {name: _log_rank(outcomes, TIMES[name], seed) for name in ("pfs", "os")} if n_arms == 2 else None,
        "note": "; ".join(note for note in notes if note),
    }


def _log_rank(outcomes: pd.DataFrame, time: TimeToEvent, seed: int) -> Endpoint:
    arms = outcomes.dropna(subset=["arm"])
    days, happened = _numbers(arms[time.days]), arms[time.event].to_numpy(dtype=np.float64, na_value=np.nan)
    told = asdict(exact_log_rank(days, happened, arms["arm"].to_numpy(dtype=object), seed=seed))
    return {name: _finite(value) if isinstance(value, float) else value for name, value in told.items()}


def _rule_sets(outcomes: pd.DataFrame, rule_set: str) -> dict[str, Any]:
    """What each rule set makes of the same visits: how many responders, and the patients on whom they differ."""
    counted = outcomes[outcomes["responder"].notna()]
    columns = {name: f"best_response_{short}" for name, short in SHORT_NAMES.items()}
    differ = outcomes[is_true(~outcomes["rule_sets_agree"].astype("boolean"))]
    return {
        "used": rule_set,
        "responders": {
            name: int(counted[column].map(as_recist).isin(RESPONSES).sum()) for name, column in columns.items()
        },
        "disagreements": [
            {"patient_id": patient, **dict(zip(SHORT_NAMES.values(), words, strict=True))}
            for patient, *words in differ[["patient_id", *columns.values()]].itertuples(index=False)
        ],
        "note": f"the rule sets disagree on {len(differ)} of {len(outcomes)} patients" if len(differ) else "",
    }
