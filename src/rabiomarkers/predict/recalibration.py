"""Whether forecasts can be taken at their word: the logistic recalibration of forecasts against what happened."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, ndtri

from rabiomarkers.predict.learners import SMALLEST, Flags, Matrix

ESTIMABLE = 20  # patients of each kind
CONVERGED = 1e-8  # log odds; what is left after such a step is about its square
MAXIMUM_STEPS = 100
ALIKE = 1e-6  # log odds; forecasts that differ by less are one forecast


@dataclass(frozen=True, kw_only=True)
class Recalibration:
    """By how much forecasts err on the whole, and whether they are too extreme; None where not estimable, `note` says why.

    Forecasts that can be taken at their word have the intercept 0 and the slope 1. An intercept above 0: more patients respond than
    forecast; a slope below 1: high forecasts are too high and low ones too low.
    """

    intercept: float | None = None
    intercept_low: float | None = None
    intercept_high: float | None = None
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    note: str = ""


def why_not_calibratable(labels: Flags) -> str:
    """The reason in words why calibration cannot be judged; empty where it can."""
    responders, others = int(labels.sum()), int((~labels).sum())
    if min(responders, others) >= ESTIMABLE:
        return ""
    needed = f"{ESTIMABLE} of each are needed for a first look"
    return f"calibration is not estimable: {responders} responders and {others} others, {needed}"


def recalibrate(labels: Flags, probability: Matrix, *, level: float = 0.95) -> Recalibration:
    """Calibration in the large (the intercept where the slope is 1) and the slope, with Wald intervals.

    Estimated from 20 responders and 20 others on: the standard error of a slope near 1 is then about 0.4, below it is so large that
    any slope would pass. The intervals treat patients as independent and the forecasts as given, so out-of-fold forecasts, of which
    each was made by a model of most others, have intervals that are somewhat too short.

    Parameters
    ----------
    labels, probability
        Of each patient.

    References
    ----------
    Cox 1958, doi:10.1093/biomet/45.3-4.562; Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7
    """
    reason = why_not_calibratable(labels)
    if reason:
        return Recalibration(note=reason)
    inside = np.clip(probability, SMALLEST, 1 - SMALLEST)
    odds = np.log(inside) - np.log1p(-inside)
    one = np.ones((len(labels), 1))
    large = _fitted(one, labels, offset=odds, level=level)
    if large is None:
        return Recalibration(note="calibration is not estimable: the forecasts are too extreme")
    told = Recalibration(intercept=large[0], intercept_low=large[1], intercept_high=large[2])
    reason = _why_no_slope(labels, odds)
    slope = None if reason else _fitted(np.column_stack([one, odds]), labels, offset=np.zeros(len(odds)), level=level)
    if slope is None:
        return replace(told, note=reason or "no calibration slope: the forecasts are too extreme")
    return replace(told, slope=slope[0], slope_low=slope[1], slope_high=slope[2])


def _why_no_slope(labels: Flags, odds: Matrix) -> str:
    if np.ptp(odds) <= ALIKE:
        return "no calibration slope: all forecasts are alike"
    ours, theirs = odds[labels], odds[~labels]
    if ours.min() >= theirs.max() or theirs.min() >= ours.max():
        return "no calibration slope: the forecasts separate responders from others, so it has no bound"
    return ""


def _fitted(design: Matrix, labels: Flags, *, offset: Matrix, level: float) -> tuple[float, float, float] | None:
    """The last coefficient of a logistic regression and its Wald limits; None where Newton's steps do not arrive."""
    scale = np.maximum(np.abs(design).max(axis=0), 1.0)
    scaled, theta = design / scale, np.zeros(design.shape[1])
    for _ in range(MAXIMUM_STEPS):
        probability = expit(offset + scaled @ theta)
        information = scaled.T @ ((probability * (1 - probability))[:, None] * scaled)
        try:
            covariance = np.linalg.inv(information)
        except np.linalg.LinAlgError:
            return None
        step = covariance @ (scaled.T @ (labels - probability))
        far = float(np.abs(scaled @ step).max())
        theta = theta + step * min(1.0, 1.0 / max(far, 1.0))  # no log odds moves by more than 1, which is safe
        if far <= CONVERGED:
            half = float(ndtri((1 + level) / 2)) * float(np.sqrt(covariance[-1, -1]))
            estimate, unit = float(theta[-1]), float(scale[-1])
            return estimate / unit, (estimate - half) / unit, (estimate + half) / unit
    return None
