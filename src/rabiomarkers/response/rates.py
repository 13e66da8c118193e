"""Shares of patients: objective response, disease control, clinical benefit, each with its denominator and three intervals."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from rabiomarkers.response.codes import RESPONSES, as_recist
from rabiomarkers.response.durations import BENEFIT_RULE
from rabiomarkers.stats.intervals import every_interval

EVERYONE = "all patients (intention to treat)"
EVALUABLE = "evaluable patients"
HEADLINE = "Clopper-Pearson"

type Endpoint = dict[str, Any]
"""JSON-ready: numbers, words, None."""


def rates(outcomes: pd.DataFrame, *, level: float, clinical_benefit_days: int) -> dict[str, Endpoint]:
    """`orr`, `orr_unconfirmed`, `dcr` and `clinical_benefit`, of all patients and, as `..._evaluable`, of the evaluable ones.

    Parameters
    ----------
    outcomes
        The OUTCOMES table. Who has no `responder` flag is in no denominator of all patients; who is NE is in those only.
    level
        Of the two-sided intervals.
    clinical_benefit_days
        What `clinical_benefit` of `outcomes` was made with.
    """
    everyone, denominator = _everyone(outcomes)
    evaluable = outcomes[is_true(outcomes["evaluable"])]
    benefit = {"rule": BENEFIT_RULE.format(days=f"{clinical_benefit_days:g}")}
    unconfirmed = everyone["best_response_unconfirmed"].map(as_recist)
    return {
        "orr": objective_response(outcomes, level=level),
        "orr_evaluable": _rate(evaluable, "responder", EVALUABLE, level, notes=_as_given(evaluable)),
        "orr_unconfirmed": _share(unconfirmed.isin(RESPONSES), unconfirmed != "NE", denominator, level),
        "dcr": _rate(everyone, "disease_control", denominator, level),
        "dcr_evaluable": _rate(evaluable, "disease_control", EVALUABLE, level),
        "clinical_benefit": _benefit(everyone, denominator, level, clinical_benefit_days) | benefit,
        "clinical_benefit_evaluable": _benefit(evaluable, EVALUABLE, level, clinical_benefit_days) | benefit,
    }


def objective_response(outcomes: pd.DataFrame, *, level: float) -> Endpoint:
    """CR and PR, confirmed where the study asks for it, of all patients."""
    everyone, denominator = _everyone(outcomes)
    return _rate(everyone, "responder", denominator, level, notes=_as_given(everyone))


def _as_given(outcomes: pd.DataFrame) -> list[str]:
    """Responders of whom it is not known whether a later visit confirmed them."""
    responders = outcomes[is_true(outcomes["responder"])]
    given = int(responders["confirmed"].isna().sum())
    return (
        [f"best response as given, whether confirmed is not known: {given} of {len(responders)} responders"]
        if given
        else []
    )


def is_true(flags: "pd.Series[Any]") -> "pd.Series[bool]":
    """Whether each flag is set; one that is not known is not."""
    return flags.astype("boolean").fillna(False).astype(bool)


def _everyone(outcomes: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    everyone = outcomes[outcomes["responder"].notna()]
    left_out = len(outcomes) - len(everyone)
    return everyone, EVERYONE if not left_out else f"patients with an assessment ({left_out} without any left out)"


def _rate(
    outcomes: pd.DataFrame, column: str, denominator: str, level: float, *, notes: Sequence[str] = ()
) -> Endpoint:
    return _share(is_true(outcomes[column]), is_true(outcomes["evaluable"]), denominator, level, notes=notes)


def _benefit(outcomes: pd.DataFrame, denominator: str, level: float, days: int) -> Endpoint:
    unknown, n = int(outcomes["clinical_benefit"].isna().sum()), len(outcomes)
    told = f"stable disease not known to have lasted {days:g} days, counted as no benefit"
    notes = [f"{told}: {unknown} of {n} patients"] if unknown else []
    return _rate(outcomes, "clinical_benefit", denominator, level, notes=notes)


def _share(
    found: "pd.Series[bool]",
    evaluable: "pd.Series[bool]",
    denominator: str,
    level: float,
    *,
    notes: Sequence[str] = (),
) -> Endpoint:
    n, assessed = len(found), int(evaluable.sum())
    counted: Endpoint = {
        "responders": int(found.sum()),
        "n": n,
        "method": f"{HEADLINE} {level * 100:g} %",
        "denominator": denominator,
    }
    if not assessed:  # 0 of n would read as "nobody responded", while nobody was looked at
        reason = f"not estimable: none of {n} patients has an evaluable response" if n else "not estimable: no patient"
        return counted | {"rate": None, "ci_low": None, "ci_high": None, "note": reason, "intervals": None}
    every = every_interval(counted["responders"], n, level=level)
    headline = every[HEADLINE]
    missing = [f"{n - assessed} of {n} patients not evaluable: in the denominator only"] if assessed < n else []
    return counted | {
        "rate": headline.rate,
        "ci_low": headline.ci_low,
        "ci_high": headline.ci_high,
        "note": "; ".join([*missing, *notes]),
        "intervals": {method: [share.ci_low, share.ci_high] for method, share in every.items()},
    }
