"""A frozen model before patients it has never seen: nothing is fitted, so one AUC of all of them is right."""

from typing import Any

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Flags, Matrix
from rabiomarkers.predict.performance import auc_interval, draw_patients, named_calibration
from rabiomarkers.predict.scores import brier_score, log_loss
from rabiomarkers.stats.two_groups import rank_sum_many

ENOUGH = 100  # patients of each kind for an external validation that settles something
TIE = 1e-12  # probabilities


def external_validation(
    probability: Matrix, labels: Flags, *, training_rate: float | None = None, bootstraps: int = 2000, seed: int = 1
) -> dict[str, Any]:
    """How well the forecasts of a frozen model hold in a new cohort.

    Parameters
    ----------
    probability
        Of response, of each patient whose response is known, sorted by id; NaN of one the model does not forecast.
    labels
        Of each patient.
    training_rate
        Share of responders among the training patients, what a model without features would forecast here.

    Returns
    -------
    `n, responders` (of those forecast), `without_forecast`; `expected_responders` (sum of the forecasts); `auc, auc_low, auc_high,
    interval_note, auc_method`; `p_value, p_floor, p_count, p_total, test` of the two-sided rank-sum test; `brier, brier_constant,
    log_loss, log_loss_constant` (constant: by `training_rate`); `calibration_intercept`, `calibration_slope` (each also with
    `_low`, `_high`), `calibration_note`; and `note`, the reasons why numbers are absent (None), and what the size allows.

    Raises
    ------
    PredictionError
        A probability is outside 0 to 1, the training rate not strictly between, or there is not one label a patient.

    References
    ----------
    Collins et al. 2016, at least 100 patients of each kind, doi:10.1002/sim.6787
    """
    _require_probabilities(probability, labels, training_rate)
    known = ~np.isnan(probability)
    forecast, truth = probability[known], labels[known]
    n, responders = len(truth), int(truth.sum())
    told: dict[str, Any] = {
        "n": n,
        "responders": responders,
        "without_forecast": int((~known).sum()),
        "expected_responders": float(forecast.sum()) if n else None,
    }
    told |= _ordering(forecast, truth, bootstraps=bootstraps, seed=seed) | _scores(forecast, truth, training_rate)
    told |= named_calibration(truth, forecast)
    return told | {"note": _note(n, responders, training_rate)}


def _require_probabilities(probability: Matrix, labels: Flags, training_rate: float | None) -> None:
    if probability.shape != labels.shape:
        raise PredictionError(f"{len(probability)} forecasts need as many labels; there are {len(labels)}.")
    outside = int(((probability < 0) | (probability > 1)).sum())
    if outside:
        raise PredictionError(f"A forecast is a probability; {outside} lie outside 0 to 1.")
    if training_rate is not None and not 0 < training_rate < 1:
        raise PredictionError(
            f"The response rate of the training patients lies between 0 and 1; it is {training_rate:g}."
        )


def _ordering(forecast: Matrix, truth: Flags, *, bootstraps: int, seed: int) -> dict[str, Any]:
    """AUC, its interval and the exact p."""
    names = ("auc", "auc_low", "auc_high", "auc_method", "p_value", "p_floor", "p_count", "p_total", "test")
    told: dict[str, Any] = dict.fromkeys(names) | {"interval_note": "", "auc_method": "all pairs; the model is frozen"}
    if not truth.any() or truth.all():
        return told | {"auc_method": None}
    ahead = forecast[truth][:, None] - forecast[~truth][None, :]
    ordered = np.where(np.abs(ahead) <= TIE, 0.5, (ahead > 0).astype(np.float64))
    drawn = draw_patients(truth, bootstraps=bootstraps, seed=seed)
    told |= {"auc": float(ordered.mean())} | auc_interval(ordered, np.ones(ordered.shape, dtype=np.int64), drawn)
    tested = rank_sum_many(forecast[None, :], truth, seed=seed).iloc[0]
    if tested["note"] and np.isnan(tested["p_value"]):
        return told | {"test": f"not tested: {tested['note']}"}
    counts = {name: int(tested[name]) for name in ("p_count", "p_total")}
    return (
        told | counts | {"test": str(tested["test"])} | {name: float(tested[name]) for name in ("p_value", "p_floor")}
    )


def _scores(forecast: Matrix, truth: Flags, training_rate: float | None) -> dict[str, Any]:
    told: dict[str, Any] = dict.fromkeys(("brier", "brier_constant", "log_loss", "log_loss_constant"))
    if len(truth):
        told |= {"brier": brier_score(truth, forecast), "log_loss": log_loss(truth, forecast)}
        if training_rate is not None:
            constant = np.full(len(truth), training_rate)
            told |= {"brier_constant": brier_score(truth, constant), "log_loss_constant": log_loss(truth, constant)}
    return told


def _note(n: int, responders: int, training_rate: float | None) -> str:
    told = []
    if n == 0:
        told.append("no patient with a known response was forecast")
    elif responders == 0:
        told.append(f"no AUC: none of {n} patients responded")
    elif responders == n:
        told.append(f"no AUC: all {n} patients responded")
    elif min(responders, n - responders) < ENOUGH:
        others = n - responders
        told.append(f"{responders} responders and {others} others; {ENOUGH} of each are needed to settle anything")
    if training_rate is None and n:
        told.append("no constant scores: the response rate of the training patients is not known")
    return "; ".join(told)
