"""The log-rank test of two small groups, by counting relabellings of the patients in place of a chi-square table."""

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Vector
from rabiomarkers.stats.survival import checked_times

type Labels = NDArray[np.bool_]

NOISE = 1e-10  # scores (roots of the chi-square) nearer than this differ by float noise only
CELLS = 4_000_000  # patients x labellings looked at together


@dataclass(frozen=True, kw_only=True)
class LogRank:
    """Whether two groups have the same hazard; NaN and None where the data cannot say, with the reason in `note`."""

    statistic: float  # chi-square on one degree of freedom, as R's `survdiff` and SAS's PROC LIFETEST give it
    p_value: float  # two-sided, of relabelling the patients
    p_count: int | None  # labellings with at least this statistic, of `p_total`
    p_total: int | None
    p_floor: float  # the smallest p that these times and group sizes allow
    exact: bool  # every labelling was counted, none drawn
    p_asymptotic: float  # of the chi-square table: too small in small groups, for comparison only
    n: dict[str, int]  # patients by group
    events: dict[str, int]  # events by group
    note: str


def exact_log_rank(
    durations: ArrayLike, events: ArrayLike, groups: ArrayLike, *, maximum: int = 10_000, seed: int = 1
) -> LogRank:
    """Two-sided log-rank test of two groups, given the times of both together.

    Where both groups have the same hazard and the same censoring, every way of naming n1 of the n patients the first group was as
    likely. The p-value is the share of them whose chi-square is at least the one observed. A patient censored at the time of an
    event counts as at risk of it. In groups of unequal size the chi-square is quicker to see that the small group fares worse
    than that it fares better (3 v 7, hazards five-fold apart: power 0.44 and 0.14 in a simulation).

    Parameters
    ----------
    durations, events
        Length n; any unit, 1 = happened and 0 = censored. A patient without a duration, an event or a group is left out, and
        the note counts them.
    groups
        Length n, two different names.
    maximum
        Up to this many labellings are all counted; where there are more, this many are drawn and
        p = (count + 1) / (maximum + 1).
    seed
        Of the labellings drawn; it plays no part where all are counted.

    Raises
    ------
    StatisticsError
        The lengths differ, there are more than two groups, `maximum` is below 1, or `kaplan_meier` would refuse the times.

    References
    ----------
    Mantel 1966, Cancer Chemother. Rep. 50: 163-170; Neuhaus 1993, doi:10.1214/aos/1176349396 (why the chi-square is permuted and
    not the difference alone); Phipson & Smyth 2010, doi:10.2202/1544-6115.1585
    """
    if maximum < 1:
        raise StatisticsError(f"A log-rank test needs at least one labelling; `maximum` is {maximum}.")
    time, event, group, left_out = _known(durations, events, groups)
    names = sorted(set(group))
    n = {name: group.count(name) for name in names}
    happened = {name: int(sum(event[[label == name for label in group]])) for name in names}
    told = _tested(time, event, np.array([label == names[0] for label in group], dtype=bool), maximum, seed)
    reason = "" if told is not None else _why_not(names, happened)
    note = "; ".join(part for part in (reason, left_out) if part)
    return LogRank(**(told or _NOTHING), n=n, events=happened, note=note)


_NOTHING: dict[str, Any] = {
    "statistic": np.nan,
    "p_value": np.nan,
    "p_count": None,
    "p_total": None,
    "p_floor": np.nan,
    "exact": False,
    "p_asymptotic": np.nan,
}


def _tested(time: Vector, event: Vector, first: Labels, maximum: int, seed: int) -> dict[str, Any] | None:
    """The numbers of `LogRank`, or None where the observed groups were never at risk together when an event happened."""
    n, size = len(first), min(int(first.sum()), int((~first).sum()))  # naming the smaller group names the other
    order = np.lexsort((event, time))  # so that the order of patients plays no part in what is drawn
    tables = _tables(time[order], event[order])
    smaller = (first if first.sum() == size else ~first)[order]
    observed = float(_scores(smaller[None, :], *tables)[0])
    if np.isnan(observed):
        return None
    total = comb(n, size)
    exact = total <= maximum
    labels = _every_labelling(n, size) if exact else _drawn(n, size, maximum, seed)
    step = max(CELLS // n, 1)
    blocks = [_scores(labels[start : start + step], *tables) for start in range(0, len(labels), step)]
    found = np.nan_to_num(np.concatenate(blocks))  # groups that were never at risk together show no difference
    count = int((found >= observed - NOISE).sum()) + (not exact)
    counted = total if exact else maximum + 1
    extremes = int((found >= found.max() - NOISE).sum()) if exact else 1
    return {
        "statistic": observed**2,
        "p_value": count / counted,
        "p_count": count,
        "p_total": counted,
        "p_floor": extremes / counted,
        "exact": exact,
        "p_asymptotic": float(chi2.sf(observed**2, 1)),
    }


def _tables(time: Vector, event: Vector) -> tuple[Vector, Integers, Vector]:
    """What the statistic of any labelling needs, of patients sorted by time.

    Returns
    -------
    For each patient, their event less the hazards summed up to their time (length n); and for each distinct time of an event the
    place of the first patient who is at risk there, and the variance but for the shares of the two groups.
    """
    times = np.unique(time[event == 1])
    place = np.searchsorted(time, times, side="left")
    at_risk = len(time) - place
    happened = np.bincount(np.searchsorted(times, time[event == 1]), minlength=len(times)).astype(np.float64)
    hazard = np.concatenate([[0.0], np.cumsum(happened / at_risk)])
    score = event - hazard[np.searchsorted(times, time, side="right")]
    spread = happened * (at_risk - happened) / np.maximum(at_risk - 1, 1)
    return score, place, spread


def _scores(labels: Labels, score: Vector, place: Integers, spread: Vector) -> Vector:
    """|observed - expected| / standard deviation of the events of each labelling's group; NaN where the deviation is 0."""
    n, size = labels.shape[1], int(labels[0].sum())
    gone = np.concatenate(
        [np.zeros((len(labels), 1), dtype=np.int32), np.cumsum(labels, axis=1, dtype=np.int32)], axis=1
    )
    share = (size - gone[:, place]) / (n - place)  # of the patients at risk, by labelling and time
    variance = (share * (1.0 - share)) @ spread
    distance = np.abs(labels @ score)
    known = variance > NOISE
    scores: Vector = np.divide(distance, np.sqrt(variance), out=np.full(len(labels), np.nan), where=known)
    return scores


def _every_labelling(n: int, size: int) -> Labels:
    labels = np.zeros((comb(n, size), n), dtype=bool)
    chosen = np.array(list(combinations(range(n), size)), dtype=np.int64).reshape(len(labels), size)
    np.put_along_axis(labels, chosen, values=True, axis=1)
    return labels


def _drawn(n: int, size: int, labellings: int, seed: int) -> Labels:
    random = np.random.default_rng([seed, n, size])
    return random.permuted(np.tile(np.arange(n) < size, (labellings, 1)), axis=1)


def _known(durations: ArrayLike, events: ArrayLike, groups: ArrayLike) -> tuple[Vector, Vector, list[str], str]:
    """Times, events and groups of the patients who have all three, and words for the others."""
    time, event = checked_times(durations, events)
    labels = pd.Series(list(np.asarray(groups, dtype=object).ravel()), dtype=object)
    if len(labels) != len(time):
        raise StatisticsError(
            f"A log-rank test needs one group for each duration; there are {len(labels)} and {len(time)}."
        )
    known = ~(np.isnan(time) | np.isnan(event) | labels.isna().to_numpy())
    names = [str(label) for label in labels[known]]
    if len(set(names)) > 2:
        raise StatisticsError(f"This log-rank test compares two groups; there are {', '.join(sorted(set(names)))}.")
    left_out = len(time) - len(names)
    words = (
        f"left out for want of a duration, an event or a group: {left_out} of {len(time)} patients" if left_out else ""
    )
    return time[known], event[known], names, words


def _why_not(names: list[str], events: dict[str, int]) -> str:
    if not names:
        return "not estimable: no patient has a known duration and group"
    if len(names) == 1:
        return f"not estimable: every patient with a known duration is in one group ({names[0]})"
    if not sum(events.values()):
        return "not estimable: no event happened"
    return "not estimable: no event tells the groups apart (only one of them was at risk, or everyone at risk had it)"
