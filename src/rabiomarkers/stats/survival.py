"""The median of a Kaplan-Meier curve, by the conventions of R's `survfit`."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from rabiomarkers.errors import StatisticsError

type Vector = NDArray[np.float64]

TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))  # what R allows when it asks whether a curve is at one half


@dataclass(frozen=True, kw_only=True)
class MedianSurvival:
    """Median time to the event, in the unit of the durations; NaN where the curve (or its limit) never comes down to one half."""

    median: float
    ci_low: float
    ci_high: float
    n: int  # patients with a known duration and event
    events: int
    note: str  # empty, or why a number is absent


@dataclass(frozen=True, kw_only=True)
class SurvivalCurve:
    """Kaplan-Meier estimate at each distinct time, with Greenwood's standard error of log S."""

    times: Vector
    at_risk: Vector
    survival: Vector
    log_error: Vector


def kaplan_meier(durations: ArrayLike, events: ArrayLike) -> SurvivalCurve:
    """Kaplan-Meier curve of durations (any unit, >= 0) and events (1 = happened, 0 = censored), each of length n.

    A patient censored at the time of an event counts as at risk of it. Pairs with a NaN are left out.

    Raises
    ------
    StatisticsError
        The lengths differ, a duration is negative or infinite, or an event is neither 0 nor 1.

    References
    ----------
    Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452
    """
    known_durations, known_events = _known(durations, events)
    times, position = np.unique(known_durations, return_inverse=True)
    happened = np.bincount(position, weights=known_events, minlength=len(times))
    leaving = np.bincount(position, minlength=len(times)).astype(np.float64)
    at_risk = leaving[::-1].cumsum()[::-1]
    survival = np.cumprod((at_risk - happened) / at_risk)
    everyone = happened == at_risk  # the last step to zero: Greenwood's term is infinite there and no limit is drawn
    terms = np.divide(happened, at_risk * (at_risk - happened), out=np.full(len(times), np.inf), where=~everyone)
    return SurvivalCurve(times=times, at_risk=at_risk, survival=survival, log_error=np.sqrt(terms.cumsum()))


def median_survival(
    durations: ArrayLike,
    events: ArrayLike,
    *,
    level: float = 0.95,
    interval: Literal["log-log", "log"] = "log-log",
) -> MedianSurvival:
    """Median survival and its interval: where the curve, and its pointwise limits, first reach one half.

    Where the curve lies at exactly one half over a stretch, the median is the middle of that stretch, as in R's `survfit`
    (lifelines returns its start).

    Parameters
    ----------
    durations, events
        Length n; durations in any unit, events 1 = happened and 0 = censored. Pairs with a NaN are left out.
    level
        Of the two-sided interval.
    interval
        Scale on which the pointwise limits are symmetric. "log-log" stays inside 0..1 and covers better in small samples;
        "log" is the default of R's `survfit`.

    References
    ----------
    Brookmeyer & Crowley 1982, doi:10.2307/2530286
    """
    known_durations, known_events = _known(durations, events)
    curve = kaplan_meier(known_durations, known_events)
    median = _first_half(curve.times, curve.survival)
    lower, upper = _limits(curve, level=level, interval=interval)
    return MedianSurvival(
        median=median,
        ci_low=_first_half(curve.times, lower),
        ci_high=_first_half(curve.times, upper),
        n=len(known_durations),
        events=int(known_events.sum()),
        note=_note(curve, median),
    )


def _note(curve: SurvivalCurve, median: float) -> str:
    if not len(curve.times):
        return "not estimable: no patient has a known duration"
    if np.isnan(median):
        return f"median not reached: {curve.survival[-1]:.0%} are estimated to be without the event at the last time"
    return ""


def _known(durations: ArrayLike, events: ArrayLike) -> tuple[Vector, Vector]:
    time = np.asarray(durations, dtype=np.float64).ravel()
    event = np.asarray(events, dtype=np.float64).ravel()
    if len(time) != len(event):
        raise StatisticsError(f"Survival needs one event for each duration; there are {len(time)} and {len(event)}.")
    known = ~(np.isnan(time) | np.isnan(event))
    time, event = time[known], event[known]
    if np.any(time < 0) or np.any(np.isinf(time)):
        raise StatisticsError("Survival needs durations that are finite and not negative, counted from the first dose.")
    if not np.isin(event, (0.0, 1.0)).all():
        raise StatisticsError("Survival needs events that are 1 (happened) or 0 (censored).")
    return time, event


def _limits(curve: SurvivalCurve, *, level: float, interval: Literal["log-log", "log"]) -> tuple[Vector, Vector]:
    """Pointwise lower and upper limits; NaN where the scale gives none (S = 0, and S = 1 for log-log), as in R."""
    quantile = float(ndtri(0.5 + level / 2))
    drawn = curve.survival > 0 if interval == "log" else (curve.survival > 0) & (curve.survival < 1)
    lower, upper = np.full((2, len(curve.times)), np.nan)
    log_survival, width = np.log(curve.survival[drawn]), quantile * curve.log_error[drawn]
    if interval == "log":
        lower[drawn] = np.exp(log_survival - width)
        upper[drawn] = np.minimum(np.exp(log_survival + width), 1.0)
    else:
        lower[drawn] = np.exp(log_survival * np.exp(-width / log_survival))
        upper[drawn] = np.exp(log_survival * np.exp(width / log_survival))
    return lower, upper


def _first_half(times: Vector, curve: Vector) -> float:
    """First time at which the curve is at most one half; the middle of the stretch where it is exactly that."""
    reached = np.flatnonzero(curve < 0.5 + TOLERANCE)  # NaN compares false
    if not len(reached):
        return float("nan")
    first = reached[0]
    below = reached[curve[reached] < curve[first]]
    if abs(curve[first] - 0.5) < TOLERANCE and len(below):
        return float((times[first] + times[below[0]]) / 2)
    return float(times[first])
