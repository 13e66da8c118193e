"""How far forecasts are from what happened."""

import numpy as np

from rabiomarkers.predict.learners import SMALLEST, Flags, Matrix
from rabiomarkers.predict.recalibration import why_not_calibratable


def enough_for_folds(labels: Flags) -> bool:
    """Whether out-of-fold forecasts come from folds: always where calibration is judged, as leaving one out would bias it."""
    return not why_not_calibratable(labels)


def brier_score(labels: Flags, probability: Matrix) -> float:
    """Mean squared distance of the probabilities from what happened."""
    return float(((probability - labels) ** 2).mean())


def constant_forecast(labels: Flags) -> Matrix:
    """What a model forecasts out of fold that knows only how many respond.

    Where forecasts leave one patient out, the share among the others; where they come from stratified folds, whose training sets
    all have about the share of everybody, that.
    """
    if enough_for_folds(labels):
        return np.full(len(labels), labels.mean())
    others: Matrix = (labels.sum() - labels) / (len(labels) - 1)
    return others


def log_loss(labels: Flags, probability: Matrix) -> float:
    """Mean negative log likelihood; a forecast of 0 or 1 counts as one of 1e-15 from it, so that one patient costs 34.5 at most."""
    inside = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return float(-np.where(labels, np.log(inside), np.log1p(-inside)).mean())
