"""Null distributions of the signed-rank statistic at the ranks at hand, and the shifts that this test does not reject."""

from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

from rabiomarkers.stats.arrays import Flags, Integers, Vector
from rabiomarkers.stats.exact import INTEGER_LIMIT, SMALLEST_P, rank_sum_counts, rank_sum_probabilities

type Zeros = Literal["wilcoxon", "pratt"]

EXACT_SHIFTS = 12  # pairs; above, trying every shift takes milliseconds a feature
RANK_BITS = 5  # twice a rank of at most 12 pairs is below 32: the ranks of a row are one integer
CLOSE = 1.0 + 1e-9  # 1 - 0.95 is not 0.05 in doubles; counts differ by far more


def signed_rank_p(grid: Integers, *, zeros: Zeros, exact: bool) -> tuple[Vector, Integers]:
    """Two-sided p of each row of integers (rows x pairs), and the sign assignments at least as extreme (-1 where not counted)."""
    ranks = doubled_ranks(grid, zeros=zeros)
    plus = (ranks * (grid > 0)).sum(axis=1)
    extreme = np.maximum(plus, ranks.sum(axis=1) - plus)
    if exact:
        return _exact(ranks, extreme)
    return _normal(ranks, extreme), np.full(len(grid), -1)


def doubled_ranks(grid: Integers, *, zeros: Zeros) -> Integers:
    """Twice the mid-rank of each magnitude (an integer, ties or not); 0 for a zero."""
    ranks = np.rint(2.0 * rankdata(np.abs(grid), axis=1)).astype(np.int64)
    if zeros == "wilcoxon":
        ranks = ranks - 2 * (grid == 0).sum(axis=1, keepdims=True)
    return np.where(grid == 0, 0, ranks)


def largest_rejected(n: int, level: float) -> float:
    """The p up to which a shift lies outside of the interval: 1 - level, or the smallest p of n pairs where that is larger."""
    return max((1.0 - level) * CLOSE, float(np.ldexp(1.0, 1 - n)))


def bounds_of_shifts(grid: Integers, level: float, *, zeros: Zeros) -> tuple[Integers, Integers]:
    """Places (from 0) of the two ordered Walsh averages between which all shifts lie that the test does not reject.

    Every shift is tried by the conditional test of what is left: each Walsh average by itself, as there differences are zero or
    tie, and one shift for all between two of them, as there no rank changes.

    Parameters
    ----------
    grid
        Rows x pairs, at most `EXACT_SHIFTS` pairs, as integers.
    level
        Of the interval.

    References
    ----------
    Bauer 1972, doi:10.1080/01621459.1972.10481279 (the interval as the shifts a rank test does not reject)
    """
    last = grid.shape[1] * (grid.shape[1] + 1) // 2 - 1
    limit = largest_rejected(grid.shape[1], level)
    return _first_kept(grid, limit, zeros), last - _first_kept(-grid, limit, zeros)


def _first_kept(grid: Integers, limit: float, zeros: Zeros) -> Integers:
    """Place of the first Walsh average at which, or above which, a shift is not rejected."""
    first, second = np.triu_indices(grid.shape[1])
    twice = np.sort(grid[:, first] + grid[:, second], axis=1)
    told = np.full(len(grid), (twice.shape[1] - 1) // 2)  # the middle is never rejected
    if not len(grid):
        return told
    shifts, places = _distinct(twice)
    rows = np.arange(len(grid))
    for column in range(shifts.shape[1]):
        tried = 4 * grid[rows] - shifts[rows, column, None]
        kept = ~_rejected(tried, limit, zeros)
        told[rows[kept]] = places[rows[kept], column]
        rows = rows[~kept]
        if not len(rows):
            break
    return told


def _distinct(twice: Integers) -> tuple[Integers, Integers]:
    """Four times each row's shifts in their order, Walsh averages and middles between two, no value twice; and their places.

    A row with fewer of them repeats the last.
    """
    shifts = np.empty((len(twice), 2 * twice.shape[1] - 1), dtype=np.int64)
    shifts[:, ::2], shifts[:, 1::2] = 2 * twice, twice[:, 1:] + twice[:, :-1]
    new = np.diff(shifts, axis=1, prepend=shifts[:, :1] - 1) > 0
    column = new.cumsum(axis=1) - 1
    told = np.repeat(shifts[:, -1:], shifts.shape[1], axis=1)
    places = np.full(shifts.shape, twice.shape[1] - 1)
    row = np.arange(len(twice))[:, None]
    told[row, column] = shifts
    places[row, column] = np.arange(shifts.shape[1]) // 2
    return told[:, : int(column.max()) + 1], places


def _rejected(grid: Integers, limit: float, zeros: Zeros) -> Flags:
    """Whether the exact p of each row is at most `limit`."""
    ranks = doubled_ranks(grid, zeros=zeros)
    plus = (ranks * (grid > 0)).sum(axis=1)
    lower = np.minimum(plus, ranks.sum(axis=1) - plus)
    packed = np.sort(ranks, axis=1) @ (1 << RANK_BITS * np.arange(grid.shape[1], dtype=np.int64))
    patterns, pattern_of = np.unique(packed, return_inverse=True)
    critical = np.array([_critical(pattern, grid.shape[1], limit) for pattern in patterns.tolist()])
    rejected: Flags = lower <= critical[pattern_of]
    return rejected


@lru_cache(maxsize=2**17)
def _critical(packed: int, n: int, limit: float) -> int:
    """The largest rank sum whose two-sided p is at most `limit`; -1 where there is none."""
    ranks = np.array([packed >> RANK_BITS * place & (1 << RANK_BITS) - 1 for place in range(n)])
    moved = ranks[ranks > 0]
    counts = rank_sum_counts(moved).cumsum() * 2
    return int(np.searchsorted(counts, limit * 2.0 ** len(moved), side="right")) - 1


def _exact(ranks: Integers, extreme: Integers) -> tuple[Vector, Integers]:
    """p and its count for each row from the null distribution of its own ranks; rows with the same ties share one."""
    p_values, counts = np.ones(len(ranks)), np.full(len(ranks), -1)
    patterns, pattern_of = np.unique(np.sort(ranks, axis=1), axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(pattern_of.ravel() == number)
        moved = pattern[pattern > 0]
        if len(moved) <= INTEGER_LIMIT:
            total = np.int64(2) ** len(moved)
            tail = rank_sum_counts(moved)[::-1].cumsum()[::-1][extreme[rows]]
            counts[rows] = np.minimum(2 * tail, total)
            p_values[rows] = counts[rows] / total
        else:
            tails = rank_sum_probabilities(moved)[::-1].cumsum()[::-1][extreme[rows]]
            p_values[rows] = np.clip(2.0 * tails, SMALLEST_P, 1.0)
    return p_values, counts


def _normal(ranks: Integers, extreme: Integers) -> Vector:
    """Normal approximation with correction for ties (through the ranks themselves) and continuity."""
    distance = (extreme - ranks.sum(axis=1) / 2.0) / 2.0
    spread = np.sqrt((ranks**2).sum(axis=1)) / 4.0
    score = np.divide(np.maximum(distance - 0.5, 0.0), spread, out=np.zeros(len(ranks)), where=spread > 0)
    p_values: Vector = np.clip(2.0 * ndtr(-score), SMALLEST_P, 1.0)
    return p_values
