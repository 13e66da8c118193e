"""What the responders say of the treatment: where the trial stands in its two-stage design, and how likely it beats older rates."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.response.standing import standing
from rabiomarkers.stats.posterior import Posterior, posterior_rate, probability_above_historical
from rabiomarkers.stats.two_stage import (
    Design,
    chance_of_rejection,
    design_of,
    minimax_design,
    operating_characteristics,
    optimal_design,
)

NO_DESIGN = "no two-stage design is named for this trial"
NOBODY = "not estimable: no patient with an evaluable response"
NOT_REFRACTORY = (
    "no historical population had progressed on checkpoint inhibition, as the patients of this trial have: read the probabilities "
    "as context, not as a comparison"
)
INTERVALS = (
    "error rates are those of the first n patients by this rule; the intervals of the response rate know nothing of it"
)

FIRST_LINE = re.compile(r"\b1L\b(?!\s*[-+/\N{EN DASH}])")  # "1L", "mostly 1L, .."; not "1L-3L"
FROM_FIRST_LINE = re.compile(r"\b1L\s*[-+/\N{EN DASH}]")
OTHER_TUMOUR = re.compile(r"(?i)melanoma|lung|nsclc|renal|urothelial|colorectal|gastric|head and neck")


def decide(
    responders: int,
    n: int,
    *,
    unknown: int = 0,
    design: Mapping[str, Any] | None,
    prior: Sequence[float] = (0.5, 0.5),
    historical: pd.DataFrame | None = None,
    level: float = 0.95,
) -> dict[str, Any]:
    """The decision of the trial so far, ready for JSON: None where something cannot be told, with the reason in a `note`.

    Parameters
    ----------
    responders, n
        Patients with a response, of all that count; n is 0 where no response is evaluable.
    unknown
        Those of the n whose response cannot be judged, or not yet: without response for the rates, but no verdict rests on them.
    design
        As `study.yaml` names it: `null_rate`, `target_rate`, `type_1_error`, `power`, `kind` (optimal, minimax), and `stages`
        (`first_n, first_stop, n, stop`) where the protocol names them and nothing is to be searched for.
    prior
        The two parameters of the beta prior of this trial's rate, and of the historical ones where they are uncertain.
    historical
        Columns of `historical/clinical_reference.csv`.

    Returns
    -------
    `design`: the stages, their characteristics, `stage`, `verdict` and `reading` (where the trial stands), or None with a `note`
    beside it. `posterior`: of the response rate, and for each historical row, sorted by `id`, the probability of lying above it:
    `probability_above` takes that rate as known, `probability_above_uncertain` as estimated from its patients.

    Raises
    ------
    StatisticsError
        `responders` is not between 0 and n, or no design keeps the error rates that are asked for.
    """
    posterior = posterior_rate(responders, n, prior=(float(prior[0]), float(prior[1])), level=level)
    return {
        "design": None if design is None else _design(design, responders, n, unknown),
        "note": NO_DESIGN if design is None else "",
        "posterior": _posterior(posterior, historical, unknown),
    }


# ---- the two-stage design --------------------------------------------------------------------------------------------


def _design(asked: Mapping[str, Any], responders: int, n: int, unknown: int) -> dict[str, Any]:
    found = _found(asked)
    target = operating_characteristics(found.first_n, found.first_stop, found.n, found.stop, found.target_rate)
    told = standing(found, responders, n, unknown=unknown)
    settled = told.verdict == standing(found, responders, n).verdict
    to_be_told = settled and told.verdict in ("open", "continues")
    return {
        "kind": found.kind,
        "first_n": found.first_n,
        "first_stop": found.first_stop,
        "n": found.n,
        "stop": found.stop,
        "null_rate": found.null_rate,
        "target_rate": found.target_rate,
        "type_1_error": found.type_1_error,
        "power": found.power,
        "expected_n_null": found.expected_n_null,
        "early_stop_null": found.early_stop_null,
        "expected_n_target": target.expected_n,
        "early_stop_target": target.early_stop,
        "responders": responders,
        "patients": n,
        "unknown": unknown,
        "stage": told.stage,
        "verdict": told.verdict,
        "reading": told.reading,
        "chance_of_rejection_null": chance_of_rejection(found, responders, n, found.null_rate) if to_be_told else None,
        "chance_of_rejection_target": chance_of_rejection(found, responders, n, found.target_rate)
        if to_be_told
        else None,
        "note": "; ".join([*_kept(found, asked), INTERVALS]),
    }


def _found(asked: Mapping[str, Any]) -> Design:
    null_rate, target_rate = float(asked["null_rate"]), float(asked["target_rate"])
    stages = asked.get("stages")
    if stages is not None:
        numbers = [int(stages[name]) for name in ("first_n", "first_stop", "n", "stop")]
        return design_of(*numbers, null_rate=null_rate, target_rate=target_rate)
    search = minimax_design if asked.get("kind", "optimal") == "minimax" else optimal_design
    return search(null_rate, target_rate, type_1_error=_error(asked), power=_power(asked))


def _kept(design: Design, asked: Mapping[str, Any]) -> list[str]:
    """Words where the stages of a protocol do not keep the error rates that are asked for."""
    told = []
    if design.type_1_error > _error(asked) + 5e-4:  # protocols round their rates
        told.append(f"its type 1 error is {design.type_1_error:.3f}, above the {_error(asked):g} asked for")
    if design.power < _power(asked) - 5e-4:
        told.append(f"its power is {design.power:.3f}, below the {_power(asked):g} asked for")
    return told


def _error(asked: Mapping[str, Any]) -> float:
    return float(asked.get("type_1_error", 0.05))


def _power(asked: Mapping[str, Any]) -> float:
    return float(asked.get("power", 0.8))


# ---- the posterior ---------------------------------------------------------------------------------------------------


def _posterior(posterior: Posterior, historical: pd.DataFrame | None, unknown: int) -> dict[str, Any]:
    rows = [] if historical is None else historical.sort_values("id", kind="stable").to_dict("records")
    known = posterior.n > 0
    counted = f"{unknown} of {posterior.n} patients whose response cannot be judged count as non-responders"
    notes = ("" if known else NOBODY, counted if known and unknown else "", NOT_REFRACTORY if rows else "")
    return {
        "prior": list(posterior.prior),
        "mean": posterior.mean if known else None,
        "median": posterior.median if known else None,
        "ci_low": posterior.low if known else None,
        "ci_high": posterior.high if known else None,
        "level": posterior.level,
        "note": "; ".join(part for part in notes if part),
        "historical": [_compared(posterior, row) for row in rows],
    }


def _compared(posterior: Posterior, row: Mapping[Any, Any]) -> dict[str, Any]:
    responders, n = int(row["responders"]), int(row["n"])
    against = _against(str(row["population"]), str(row["line"]))
    remarks = [
        f"no comparator: {' and '.join(against)}" if against else "",
        "first-line patients are among them" if FROM_FIRST_LINE.search(str(row["line"])) else "",
        "the rate is from memory, not checked against its source" if row["verification"] == "memory" else "",
        "" if n else "no patient",
    ]
    both = posterior.n > 0 and n > 0
    rate = responders / n if n else None
    uncertain = (posterior.successes, posterior.n, responders, n)
    return {
        **{name: str(row[name]) for name in ("id", "trial", "population", "prior_ici", "line", "regimen")},
        "responders": responders,
        "n": n,
        "rate": rate,
        "probability_above": posterior.probability_above(responders / n) if both else None,
        "probability_above_uncertain": probability_above_historical(*uncertain, prior=posterior.prior)
        if both
        else None,
        "comparable": not against,
        "note": "; ".join(remark for remark in remarks if remark),
    }


def _against(population: str, line: str) -> list[str]:
    """Why a historical rate is no comparator for pretreated breast cancer; its `prior_ici` stands beside it and is told for all."""
    reasons = []
    if OTHER_TUMOUR.search(population):
        reasons.append("another tumour")
    if FIRST_LINE.search(line):
        reasons.append("first-line treatment")
    return reasons
