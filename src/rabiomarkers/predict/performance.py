"""What out-of-fold forecasts are worth: scores beside those of a model that knows nothing, intervals, calibration, net benefit.

`performance` returns numbers by name, as they stand in the `models` of summary.json; None where a number is absent, and a note says
why. `calibration_table` and `decision_curve` return the tables CALIBRATION and DECISION_CURVE without their column `model`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from rabiomarkers.predict.learners import Counts, Flags, Matrix
from rabiomarkers.predict.recalibration import recalibrate, why_not_calibratable
from rabiomarkers.predict.scores import brier_score, constant_forecast, log_loss
from rabiomarkers.predict.validate import Validation
from rabiomarkers.stats.intervals import clopper_pearson

ROUGH_BELOW = 30  # patients
FEWEST_LABELLINGS = 20  # whose spread is worth looking at
LEVEL = 0.95
GROUP_PATIENTS = 10  # in a group of the calibration table, at least
MOST_GROUPS = 10
THRESHOLDS = tuple(percent / 100 for percent in range(5, 100, 5))


def performance(
    labels: Flags, probability: Matrix, validation: Validation | None = None, *, bootstraps: int = 2000, seed: int = 1
) -> dict[str, Any]:
    """Scores of out-of-fold forecasts, with intervals, beside those of forecasts that know only the others' response rate.

    Keys: `auc_low, auc_high, interval_note, brier, brier_low, brier_high, brier_constant, log_loss, log_loss_constant`, and
    `calibration_intercept`, `calibration_slope` (each also with `_low`, `_high`), `calibration_note`.

    Parameters
    ----------
    labels
        Of each patient, sorted by id, at least two of each kind.
    probability
        Of response, from `out_of_fold`.
    validation
        From `validate`; without it the AUC has no interval.
    bootstraps
        Draws of patients, responders and others apart, for 95 % intervals by percentiles; how that of the AUC is widened, see
        `auc_interval`. That of the Brier score is one of the patients forecast, the models are not fitted again.
    """
    drawn = draw_patients(labels, bootstraps=bootstraps, seed=seed)
    brier_low, brier_high = _percentiles(_brier_scores(labels, probability, drawn))
    told: dict[str, Any] = {
        "auc_low": None,
        "auc_high": None,
        "interval_note": "",
        "brier": brier_score(labels, probability),
        "brier_low": brier_low,
        "brier_high": brier_high,
        "brier_constant": brier_score(labels, constant_forecast(labels)),
        "log_loss": log_loss(labels, probability),
        "log_loss_constant": log_loss(labels, constant_forecast(labels)),
    }
    if validation is not None:
        told |= auc_interval(validation.ordered, validation.compared, drawn, null=validation.null)
    return told | named_calibration(labels, probability)


def named_calibration(labels: Flags, probability: Matrix) -> dict[str, Any]:
    """What `recalibrate` says, by the names of the facts."""
    found = recalibrate(labels, probability)
    numbers = ("intercept", "intercept_low", "intercept_high", "slope", "slope_low", "slope_high", "note")
    return {f"calibration_{name}": getattr(found, name) for name in numbers}


def draw_patients(labels: Flags, *, bootstraps: int, seed: int) -> tuple[Counts, Counts]:
    """How often each responder, and each other, is drawn: draws x responders, draws x others."""
    generator = np.random.default_rng([seed, 1])
    sizes = int(labels.sum()), int((~labels).sum())
    responders, others = (generator.multinomial(size, np.full(size, 1 / size), size=bootstraps) for size in sizes)
    return responders, others


def auc_interval(
    ordered: Matrix, compared: Counts, drawn: tuple[Counts, Counts], *, null: Matrix | None = None
) -> dict[str, Any]:
    """`auc_low, auc_high, interval_note` of an AUC that is a mean over pairs.

    A bootstrap of patients knows nothing of what other training patients would have taught: of noise, 3 v 7, its 95 % hold 0.5 in
    70 % of data sets. Where models were fitted, the interval therefore reaches as far from the AUC as the AUC of relabelled
    patients does from 0.5, if that is farther. So it leaves out 0.5 only where the permutation p is about 0.025 or less.

    Parameters
    ----------
    ordered, compared
        As in `Validation`: responders x others, the share of comparisons ordered rightly and their number.
    drawn
        From `draw_patients`.
    null
        The AUC of every labelling; None of a model that was not fitted to these patients, and where there are fewer than 20.
    """
    seen = compared > 0
    if not seen.any():
        return {"auc_low": None, "auc_high": None, "interval_note": "no interval: no two patients were compared"}
    right = np.where(seen, ordered, 0.0) * compared
    widened = null is not None and len(null) >= FEWEST_LABELLINGS
    if np.ptp(ordered[seen]) == 0 and not widened:
        alike = {1.0: "rightly", 0.0: "wrongly"}.get(float(ordered[seen][0]), "alike")
        note = f"no interval: every pair is ordered {alike}, so drawing patients again changes nothing"
        return {"auc_low": None, "auc_high": None, "interval_note": note}
    responders, others = drawn
    wins = np.einsum("bo,bo->b", responders @ right, others)
    pairs = np.einsum("bo,bo->b", responders @ compared, others)
    low, high = _percentiles(wins[pairs > 0] / pairs[pairs > 0])
    if widened:
        auc = float(right.sum() / compared.sum())
        null_low, null_high = _percentiles(np.asarray(null))
        low, high = min(low, max(auc - null_high + 0.5, 0.0)), max(high, min(auc - null_low + 0.5, 1.0))
    return {"auc_low": low, "auc_high": high, "interval_note": _interval_note(*ordered.shape)}


def _interval_note(responders: int, others: int) -> str:
    n = responders + others
    if n >= ROUGH_BELOW:
        return ""
    return f"rough: a bootstrap of {n} patients, {responders} of them responders; the permutation p is what counts"


def _brier_scores(labels: Flags, probability: Matrix, drawn: tuple[Counts, Counts]) -> Matrix:
    squares = (probability - labels) ** 2
    scores: Matrix = (drawn[0] @ squares[labels] + drawn[1] @ squares[~labels]) / len(labels)
    return scores


def _percentiles(drawn: Matrix) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def calibration_table(labels: Flags, probability: Matrix) -> pd.DataFrame:
    """CALIBRATION without `model`: patients in groups of rising forecast; no rows where calibration is not estimable.

    Ten groups, or fewer so that each has about ten patients; equal forecasts share a group.
    """
    kinds = {
        "group": "int64",
        "n": "int64",
        "forecast": "float64",
        "observed": "float64",
        "low": "float64",
        "high": "float64",
    }
    rows = []
    if not why_not_calibratable(labels):
        wanted = min(MOST_GROUPS, max(2, len(labels) // GROUP_PATIENTS))
        before = rankdata(probability, method="min") - 1
        _, group = np.unique(np.floor(before * wanted / len(labels)), return_inverse=True)
        for place in range(int(group.max()) + 1):
            inside = group == place
            share = clopper_pearson(int(labels[inside].sum()), int(inside.sum()))
            mean = float(probability[inside].mean())
            rows.append((place + 1, share.n, mean, share.rate, share.ci_low, share.ci_high))
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def decision_curve(labels: Flags, probability: Matrix, thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """DECISION_CURVE without `model`: net benefit of treating whom the model recommends, everybody, nobody.

    Net benefit is the share of patients who are treated and respond, less the share treated in vain weighed by the odds of the
    threshold: who would treat at a 20 % chance of response holds four treated in vain to be worth one who responds. Only
    thresholds above the lowest and up to the highest forecast have rows: at any other the model treats everybody or nobody. Without
    rows where all forecasts are alike, or all patients of one kind.

    Parameters
    ----------
    labels, probability
        Of each patient.
    thresholds
        Strictly between 0 and 1: the forecast from which on a patient is treated.

    References
    ----------
    Vickers & Elkin 2006, doi:10.1177/0272989X06295361
    """
    if labels.all() or not labels.any():
        thresholds = ()
    rows = [
        _net_benefits(labels, probability, threshold)
        for threshold in sorted(set(thresholds))
        if float(probability.min()) < threshold <= float(probability.max())
    ]
    return pd.DataFrame(rows, columns=["threshold", "net_benefit", "treat_all", "treat_none"], dtype="float64")


def _net_benefits(labels: Flags, probability: Matrix, threshold: float) -> Mapping[str, float]:
    harm = threshold / (1 - threshold)
    treated = probability >= threshold
    return {
        "threshold": threshold,
        "net_benefit": float((treated & labels).mean() - (treated & ~labels).mean() * harm),
        "treat_all": float(labels.mean() - (~labels).mean() * harm),
        "treat_none": 0.0,
    }


def decision_note(labels: Flags) -> str:
    """What to think of the decision curve of so many patients; empty where it can be read as it stands."""
    responders, others = int(labels.sum()), int((~labels).sum())
    if not why_not_calibratable(labels):
        return ""
    few = f"rough: {responders} responders and {others} others; one patient moves the curve by {1 / len(labels):.2g} or more"
    return f"{few}, and models that each lack one patient forecast too little for a responder, so that it lies too low"
