"""Kaplan-Meier curves and their median, by the conventions of R's `survfit`."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Vector
from rabiomarkers.stats.guards import refuse_level

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
    """Kaplan-Meier estimate at each distinct time, of an event or a censoring; all fields are as long as `times`.

    The pointwise log-log limits are NaN where S is 0 or 1.
    """

    times: Vector
    survival: Vector
    low: Vector
    high: Vector
    at_risk: Integers  # patients with neither event nor censoring before the time
    events: Integers  # patients with the event at the time
    censored: Integers  # patients censored at the time


def kaplan_meier(durations: ArrayLike, events: ArrayLike, *, level: float = 0.95) -> SurvivalCurve:
    """Kaplan-Meier curve of durations (any unit, >= 0) and events (1 = happened, 0 = censored), each of length n.

    Curve and log-log limits (Greenwood) are scipy's. A patient censored at the time of an event counts as at risk of it. Pairs
    with a NaN are left out.

    Parameters
    ----------
    level
        Of each two-sided pointwise interval.

    Raises
    ------
    StatisticsError
        The lengths differ, a duration is negative or infinite, an event is neither 0 nor 1, or `level` not between 0 and 1.

    References
    ----------
    Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452
    """
    from scipy.stats import CensoredData, ecdf

    refuse_level(level)
    known_durations, known_events = _known(durations, events)
    times, place = np.unique(known_durations, return_inverse=True)
    at_time = np.bincount(place, minlength=len(times))
    happened = np.bincount(place[known_events == 1], minlength=len(times))
    curve = ecdf(CensoredData.right_censored(known_durations, known_events == 0)).sf
    with warnings.catch_warnings():  # where S is 0 or 1 there is no limit, and that is meant
        warnings.filterwarnings("ignore", "The confidence interval is undefined", RuntimeWarning)
        limits = curve.confidence_interval(level, method="log-log")
    return SurvivalCurve(
        times=curve.quantiles,
        survival=curve.probabilities,
        low=limits.low.probabilities,
        high=limits.high.probabilities,
        at_risk=at_time[::-1].cumsum()[::-1],
        events=happened,
        censored=at_time - happened,
    )


def median_survival(durations: ArrayLike, events: ArrayLike, *, level: float = 0.95) -> MedianSurvival:
    """Median survival and its interval: where the curve, and its pointwise log-log limits, first reach one half.

    Where the curve lies at exactly one half over a stretch, the median is the middle of that stretch, as in R's `survfit`
    (lifelines returns its start). R's limits are on the log scale unless it is asked for ``conf.type = "log-log"``.

    Parameters
    ----------
    durations, events
        Length n; durations in any unit, events 1 = happened and 0 = censored. Pairs with a NaN are left out.
    level
        Of the two-sided interval.

    References
    ----------
    Brookmeyer & Crowley 1982, doi:10.2307/2530286
    """
    known_durations, known_events = _known(durations, events)
    curve = kaplan_meier(known_durations, known_events, level=level)
    median = _first_half(curve.times, curve.survival)
    return MedianSurvival(
        median=median,
        ci_low=_first_half(curve.times, curve.low),
        ci_high=_first_half(curve.times, curve.high),
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


def checked_times(durations: ArrayLike, events: ArrayLike) -> tuple[Vector, Vector]:
    """Durations and events as floats, NaN where one is unknown.

    Raises
    ------
    StatisticsError
        As `kaplan_meier`.
    """
    time = np.asarray(durations, dtype=np.float64).ravel()
    event = np.asarray(events, dtype=np.float64).ravel()
    if len(time) != len(event):
        raise StatisticsError(f"Survival needs one event for each duration; there are {len(time)} and {len(event)}.")
    known = ~(np.isnan(time) | np.isnan(event))
    if np.any(time[known] < 0) or np.any(np.isinf(time[known])):
        raise StatisticsError("Survival needs durations that are finite and not negative, counted from the first dose.")
    if not np.isin(event[known], (0.0, 1.0)).all():
        raise StatisticsError("Survival needs events that are 1 (happened) or 0 (censored).")
    return time, event


def _known(durations: ArrayLike, events: ArrayLike) -> tuple[Vector, Vector]:
    time, event = checked_times(durations, events)
    known = ~(np.isnan(time) | np.isnan(event))
    return time[known], event[known]


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
