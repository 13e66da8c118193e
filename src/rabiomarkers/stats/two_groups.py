"""Whether two small groups of patients differ: the exact rank-sum test, for thousands of features at once."""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Matrix
from rabiomarkers.stats.exact import to_grid
from rabiomarkers.stats.guards import refuse_fewer_than_one, refuse_level
from rabiomarkers.stats.paired import CONSERVATIVE, NOISE, NOT_TESTED

type Columns = dict[str, Any]

EXACT_PATIENTS = 50  # of both groups; above, random labellings
EXACT_CUT = 50  # patients in the smaller group; above, the interval's place is that of a normal distribution
BLOCK = 4_000_000  # numbers held at once
DRAWN = 500  # random labellings held at once

COLUMNS = (
    "n_first",
    "n_second",
    "estimate",
    "ci_low",
    "ci_high",
    "ci_level",
    "p_value",
    "p_floor",
    "p_count",
    "p_total",
    "test",
    "note",
)
COUNTS = ("p_count", "p_total")

NOBODY = "no patient in either group"
EMPTY_GROUP = "one group is empty"
ALL_EQUAL = "all values are equal"
ONE_EACH = "one patient in each group: no interval"


def rank_sum_many(
    values: ArrayLike,
    groups: ArrayLike,
    *,
    level: float = 0.95,
    digits: int = 12,
    draws: int = 9999,
    seed: int = 1,
) -> pd.DataFrame:
    """Rank-sum (Mann-Whitney) test, Hodges-Lehmann shift and interval of each feature in two groups of patients.

    The null distribution is that of all ways to hand the group labels to the patients, counted from the mid-ranks at hand, so
    ties are right. A labelling counts as extreme when its rank sum lies at least as far from the expected one as that observed;
    which group is called the first makes no difference to p.

    Parameters
    ----------
    values
        Features x patients, any unit; NaN where a patient has none.
    groups
        One flag a patient; True: the first group.
    level
        Wanted level of the interval; `ci_level` is the one reached. It runs between ordered differences of two patients, one of
        each group; which of them, the untied distribution says, so it is conservative under ties, and may hold a 0 that the test
        rejects: the note then says so.
    digits
        Significant digits of the largest value that were measured; what lies below is float noise and is rounded away before
        ranking.
    draws, seed
        Of the random labellings beyond 50 patients, p = (count + 1) / (draws + 1); they play no part up to there.

    Returns
    -------
    One row a feature: `n_first, n_second` (patients with a value), `estimate` (first minus second, median of all differences),
    `ci_low, ci_high, ci_level, p_value` (two-sided), `p_floor` (the smallest these n and ties allow), `p_count` of `p_total`
    labellings at least as extreme, `test`, `note` (why a number is NaN).

    Raises
    ------
    StatisticsError
        A value is infinite, there is not one flag a patient, `level` does not lie between 0 and 1, or `digits` or `draws` is below
        1.

    References
    ----------
    Mann & Whitney 1947, doi:10.1214/aoms/1177730491; Hodges & Lehmann 1963, doi:10.1214/aoms/1177704172; Phipson & Smyth 2010,
    doi:10.2202/1544-6115.1585
    """
    refuse_level(level)
    refuse_fewer_than_one(digits, "significant digits")
    refuse_fewer_than_one(draws, "random labellings")
    first, second = _sides(np.asarray(values, dtype=np.float64), np.asarray(groups))
    sizes = np.column_stack([(~np.isnan(side)).sum(axis=1) for side in (first, second)])
    columns = _untold(sizes)
    for n_first, n_second in np.unique(sizes[(sizes > 0).all(axis=1)], axis=0).tolist():
        rows = np.flatnonzero((sizes == (n_first, n_second)).all(axis=1))
        pooled = np.concatenate([first[rows, :n_first], second[rows, :n_second]], axis=1)
        grid = to_grid(pooled, digits=digits)
        told = _shift(pooled, n_first, level=level) | _tested(grid, n_first, draws=draws, seed=seed)
        told["note"] = _note(told, pooled, level)
        for name, column in _said(told, grid, n_first).items():
            columns[name][rows] = column
    counts = {name: pd.Series(columns[name], dtype="Int64").mask(columns[name] < 0) for name in COUNTS}
    return pd.DataFrame({**columns, **counts}).astype({"test": "str", "note": "str"})


def _sides(values: Matrix, groups: NDArray[np.generic]) -> tuple[Matrix, Matrix]:
    """Both groups' values, each row sorted with NaN last: the order of patients plays no part."""
    if values.ndim != 2 or np.isinf(values).any():
        raise StatisticsError(
            "A rank-sum test needs a finite number a patient, or NaN; rows are features, columns patients."
        )
    if groups.dtype != np.bool_ or groups.shape != (values.shape[1],):
        raise StatisticsError(
            f"A rank-sum test of {values.shape[1]} patients needs as many flags, True for the first group."
        )
    chosen = groups.astype(np.bool_)
    return np.sort(values[:, chosen], axis=1), np.sort(values[:, ~chosen], axis=1)


def _untold(sizes: Integers) -> Columns:
    """The columns of features that cannot be tested; a count that is absent is -1."""
    columns: Columns = {"n_first": sizes[:, 0], "n_second": sizes[:, 1]}
    columns |= {name: np.full(len(sizes), np.nan) for name in COLUMNS if name not in columns}
    columns |= {name: np.full(len(sizes), -1) for name in COUNTS}
    note = np.where((sizes == 0).all(axis=1), NOBODY, EMPTY_GROUP).astype(object)
    return columns | {"test": np.full(len(sizes), NOT_TESTED, dtype=object), "note": note}


def _said(told: Columns, grid: Integers, n_first: int) -> Columns:
    """Without the numbers that would be accidents: no spread at all, no interval of two patients."""
    equal = (grid == grid[:, [0]]).all(axis=1)
    single = np.full(len(grid), grid.shape[1] == 2 and n_first == 1)
    for name in ("ci_low", "ci_high", "ci_level"):
        told[name] = np.where(equal | single, np.nan, told[name])
    for name in ("estimate", "p_value", "p_floor"):
        told[name] = np.where(equal, np.nan, told[name])
    for name in COUNTS:
        told[name] = np.where(equal, -1, told[name])
    told["test"] = np.where(equal, NOT_TESTED, told["test"])
    told["note"] = np.select([equal, single], [ALL_EQUAL, ONE_EACH], default=told["note"])
    return told


def _note(told: Columns, pooled: Matrix, level: float) -> NDArray[np.str_]:
    """That the interval holds a 0 that the counted p rejects, which it does under ties only."""
    noise = NOISE * np.abs(pooled).max(axis=1)
    inside = (told["ci_low"] < -noise) & (told["ci_high"] > noise)
    rejected = (told["p_value"] <= (1.0 - level) * (1.0 + 1e-9)) & (pooled.shape[1] <= EXACT_PATIENTS)
    return np.where(inside & rejected, CONSERVATIVE, "")


# ---- the p -----------------------------------------------------------------------------------------------------------


def _tested(grid: Integers, n_first: int, *, draws: int, seed: int) -> Columns:
    """p, floor and counts of rows whose first `n_first` columns are the first group."""
    n = grid.shape[1]
    ranks = np.rint(2.0 * rankdata(grid, axis=1)).astype(np.int64)  # twice the mid-ranks: integers, ties or not
    own = ranks[:, :n_first] if 2 * n_first <= n else ranks[:, n_first:]
    size = own.shape[1]
    ordered = np.sort(ranks, axis=1)  # from here on nothing tells the groups apart
    expected = size * ordered.sum(axis=1)  # all sums below are times n, so that this is an integer
    observed = np.abs(n * own.sum(axis=1) - expected)
    outermost = [n * ordered[:, part].sum(axis=1) for part in (slice(size), slice(n - size, None))]
    furthest = np.maximum(*(np.abs(sums - expected) for sums in outermost))
    reached = np.stack([observed, furthest])
    exact = n <= EXACT_PATIENTS
    counts, total = _exact(ordered, size, reached) if exact else _drawn(ordered, size, reached, draws=draws, seed=seed)
    return {
        "p_value": counts[0] / total,
        "p_floor": counts[1] / total,
        "p_count": counts[0],
        "p_total": total,
        "test": "exact rank-sum" if exact else f"rank-sum with {draws} random labellings",
    }


def _exact(ordered: Integers, size: int, reached: Integers) -> tuple[Integers, int]:
    """How many of all labellings lie at least as far out as each of `reached` (2 x rows); rows with equal ties share a null."""
    n = ordered.shape[1]
    counts = np.empty_like(reached)
    patterns, pattern_of = np.unique(ordered, axis=0, return_inverse=True)
    by_pattern = np.argsort(pattern_of.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(pattern_of.ravel(), minlength=len(patterns)))
    for pattern, rows in zip(patterns, np.split(by_pattern, ends[:-1]), strict=True):
        below = np.concatenate(
            [[0], np.cumsum(subset_sum_counts(pattern, size, dtype=np.int64))]
        )  # below[s]: sums under s
        total, expected = below[-1], size * int(pattern.sum())
        low = (expected - reached[:, rows]) // n
        high = -((-expected - reached[:, rows]) // n)
        apart = below[low + 1] + total - below[np.minimum(high, len(below) - 1)]
        counts[:, rows] = np.where(reached[:, rows] > 0, apart, total)
    return counts, int(total)


def _drawn(ordered: Integers, size: int, reached: Integers, *, draws: int, seed: int) -> tuple[Integers, int]:
    """The same among `draws` random labellings, the same ones for every row, and that of the patients themselves."""
    n = ordered.shape[1]
    random = np.random.default_rng([seed, n, size])
    expected = size * ordered.sum(axis=1, keepdims=True)
    counts = np.ones_like(reached)
    for start in range(0, draws, DRAWN):
        labels = np.tile(np.arange(n) < size, (min(DRAWN, draws - start), 1))
        sums = ordered.astype(np.float64) @ random.permuted(labels, axis=1).T  # integers below 2**53: exact in doubles
        distance = np.abs(n * sums - expected)
        counts += (distance >= reached[:, :, None]).sum(axis=2)
    return counts, draws + 1


def subset_sum_counts(ranks: Integers, size: int, *, dtype: type[np.int64 | np.float64]) -> NDArray[Any]:
    """How many of the subsets of `size` of the positive integers `ranks` have each sum 0, 1, .. up to the largest there is.

    As whole numbers, which hold up to 66 ranks, or as doubles, to twelve digits.
    """
    largest = int(np.sort(ranks)[len(ranks) - size :].sum())
    counts = np.zeros((size + 1, largest + 1), dtype=dtype)
    counts[0, 0] = 1
    for rank in ranks.tolist():
        counts[1:, rank:] = counts[1:, rank:] + counts[:-1, : largest + 1 - rank]
    subsets: NDArray[Any] = counts[size]
    return subsets


# ---- the shift -------------------------------------------------------------------------------------------------------


def _shift(pooled: Matrix, n_first: int, *, level: float) -> Columns:
    """Median of the differences between one patient of each group, and the two of them that bound the interval."""
    n_second = pooled.shape[1] - n_first
    size = n_first * n_second
    cut, achieved = shift_cut(min(n_first, n_second), max(n_first, n_second), level)
    places = sorted({cut - 1, (size - 1) // 2, size // 2, size - cut})
    step = max(BLOCK // size, 1)
    low, middle, high = np.empty((3, len(pooled)))
    for start in range(0, len(pooled), step):
        rows = slice(start, min(start + step, len(pooled)))
        differences = pooled[rows, :n_first, None] - pooled[rows, None, n_first:]
        ordered = np.partition(differences.reshape(-1, size), places, axis=1)
        low[rows], high[rows] = ordered[:, cut - 1], ordered[:, size - cut]
        middle[rows] = (ordered[:, (size - 1) // 2] + ordered[:, size // 2]) / 2.0
    return {"estimate": middle, "ci_low": low, "ci_high": high, "ci_level": achieved}


@lru_cache(maxsize=256)
def shift_cut(smaller: int, larger: int, level: float) -> tuple[int, float]:
    """Which ordered difference bounds the interval of the shift between groups of these sizes, and the level it really has.

    It runs from the k-th smallest to the k-th largest of all differences. Where even the outermost ones do not reach `level` (2
    v 7 reach 0.944), k is 1 and the level returned says so.

    References
    ----------
    Hollander, Wolfe & Chicken 2014, Nonparametric Statistical Methods, section 4.3
    """
    if smaller > EXACT_CUT:
        return _normal_cut(smaller, larger, level)
    ranks = np.arange(1, smaller + larger + 1, dtype=np.int64)
    counts = subset_sum_counts(ranks, smaller, dtype=np.float64)[smaller * (smaller + 1) // 2 :]
    cumulative = np.cumsum(counts) / counts.sum()
    cut = max(int(np.searchsorted(cumulative, (1.0 - level) / 2 * (1.0 + 1e-9), side="right")), 1)
    return cut, float(1.0 - 2.0 * cumulative[cut - 1])


def _normal_cut(smaller: int, larger: int, level: float) -> tuple[int, float]:
    mean, spread = smaller * larger / 2.0, np.sqrt(smaller * larger * (smaller + larger + 1) / 12.0)
    cut = max(int(mean + spread * ndtri((1.0 - level) / 2)), 1)
    return cut, float(1.0 - 2.0 * ndtr((cut - 0.5 - mean) / spread))
