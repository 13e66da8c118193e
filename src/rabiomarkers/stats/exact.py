"""Exact null distributions of paired tests, counted with integers so that ties are ties."""

from functools import lru_cache

import numpy as np

from rabiomarkers.stats.arrays import Integers, Matrix, Vector

INTEGER_LIMIT = 62  # 2**62 assignments still fit a 64-bit integer
BALANCED_BITS = 13  # 8 191 balanced subsets where 2**n are too many
SMALLEST_P = float(np.finfo(np.float64).tiny)  # a p is never 0
SMALLEST_EXPONENT = -280  # below this a power of ten leaves the range of doubles


def to_grid(values: Matrix, *, digits: int = 12) -> Integers:
    """Integers that order the values of each row as measured, free of float noise.

    28.0 - 19.6 and 8.4 are one difference, but not one float. Each row is counted in units of the last of `digits`
    decimal digits of its largest magnitude, which keeps every measured digit and no noise.

    Parameters
    ----------
    values
        Rows x pairs, finite.
    digits
        Significant decimal digits, at most 14: sums of a hundred such integers are still exact in doubles.
    """
    largest = np.abs(values).max(axis=1, initial=0.0, keepdims=True)
    exponent = np.floor(np.log10(np.where(largest > 0, largest, 1.0)))
    unit = np.power(10.0, np.maximum(exponent, SMALLEST_EXPONENT) - (digits - 1))
    grid: Integers = np.rint(values / unit).astype(np.int64)
    return grid


def rank_sum_counts(ranks: Integers) -> Integers:
    """How many of the 2**n sign assignments give each sum (0, 1, .. sum of ranks) of the positive `ranks` (length n <= 62)."""
    counts = np.zeros(int(ranks.sum()) + 1, dtype=np.int64)
    counts[0] = 1
    for rank in ranks.tolist():
        counts[rank:] = counts[rank:] + counts[: len(counts) - rank]
    return counts


def rank_sum_probabilities(ranks: Integers) -> Vector:
    """Probability of each sum of the positive `ranks` when every sign is a fair coin; for any length."""
    chances = np.zeros(int(ranks.sum()) + 1)
    chances[0] = 1.0
    for rank in ranks.tolist():
        chances *= 0.5
        chances[rank:] = chances[rank:] + chances[: len(chances) - rank]
    return chances


@lru_cache(maxsize=256)
def walsh_cut(n: int, level: float) -> tuple[int, float]:
    """Which ordered Walsh average bounds the signed-rank interval of n pairs, and the level that interval really has.

    The interval runs from the k-th smallest to the k-th largest Walsh average. Where even the outermost ones do not reach
    `level` (n = 5 reaches 0.9375), k is 1 and the level returned says so.

    References
    ----------
    Hollander, Wolfe & Chicken 2014, Nonparametric Statistical Methods, section 3.3
    """
    cumulative = np.cumsum(rank_sum_probabilities(np.arange(1, n + 1, dtype=np.int64)))
    cut = max(int(np.searchsorted(cumulative, (1.0 - level) / 2, side="right")), 1)
    return cut, float(1.0 - 2.0 * cumulative[cut - 1])


def flip_counts(grid: Integers) -> Integers:
    """For each row of integers, how many of its 2**n sign assignments have a sum at least as far from 0 as the row's own.

    Meets in the middle: the sums of both halves, one of them sorted, so time and memory grow with 2**(n / 2).
    """
    observed = np.abs(grid.sum(axis=1))
    middle = grid.shape[1] // 2
    left, right = _signed_sums(grid[:, :middle]), np.sort(_signed_sums(grid[:, middle:]), axis=1)
    counts = np.empty(len(grid), dtype=np.int64)
    for row, target in enumerate(observed):
        below = np.searchsorted(right[row], target - left[row], side="left")
        counts[row] = left.shape[1] * right.shape[1] - below.sum()
    everything = np.int64(2) ** grid.shape[1]
    return np.where(observed > 0, 2 * counts, everything)  # the null is symmetric: as many on the other side


def random_flip_counts(grid: Integers, *, flips: int, seed: int) -> Integers:
    """Of `flips` random sign assignments (the same for every row), how many have a sum at least as far from 0 as the row's."""
    magnitudes = np.sort(np.abs(grid), axis=1).astype(np.float64)  # order of patients and direction play no part
    observed = np.abs(grid.sum(axis=1))[:, None]
    random = np.random.default_rng([seed, grid.shape[1]])
    counts = np.zeros(len(grid), dtype=np.int64)
    for start in range(0, flips, 500):
        signs = random.integers(0, 2, size=(grid.shape[1], min(500, flips - start))) * 2.0 - 1.0
        counts += (np.abs(magnitudes @ signs) >= observed).sum(axis=1)  # integers below 2**53: exact in doubles
    return counts


def subset_means(values: Matrix) -> Matrix:
    """Means of all 2**n - 1 non-empty subsets of each row (rows x n), unordered."""
    sums, sizes = np.zeros((len(values), 1)), np.zeros(1)
    for column in range(values.shape[1]):
        sums = np.concatenate([sums, sums + values[:, [column]]], axis=1)
        sizes = np.concatenate([sizes, sizes + 1.0])
    return sums[:, 1:] / sizes[1:]


def balanced_subset_means(values: Matrix, *, seed: int) -> Matrix:
    """Means of 2**13 - 1 seeded subsets of each row: every patient is in half of them, every two patients in a quarter.

    With the empty set these subsets are closed under symmetric difference, so their means are typical values exactly as all
    subset means are.

    References
    ----------
    Hartigan 1969, J. Am. Stat. Assoc. 64: 1303-1317
    """
    units = 1 << np.arange(BALANCED_BITS)
    others = np.setdiff1d(np.arange(1, 1 << BALANCED_BITS), units)
    n = values.shape[1]
    random = np.random.default_rng([seed, n])
    further = random.choice(others, size=n - BALANCED_BITS, replace=n - BALANCED_BITS > len(others))
    codes = random.permutation(np.concatenate([units, further]))
    subsets = np.arange(1, 1 << BALANCED_BITS)
    members = (np.bitwise_count(codes[:, None] & subsets) % 2).astype(np.float64)
    means: Matrix = (values @ members) / members.sum(axis=0)
    return means


def _signed_sums(grid: Integers) -> Integers:
    """All 2**n sums of +-values of each row."""
    sums = np.zeros((len(grid), 1), dtype=np.int64)
    for column in range(grid.shape[1]):
        sums = np.concatenate([sums - grid[:, [column]], sums + grid[:, [column]]], axis=1)
    return sums
