"""Exact tests, estimates and intervals of paired differences, for one feature or thousands at once."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Matrix, Vector
from rabiomarkers.stats.exact import (
    INTEGER_LIMIT,
    SMALLEST_P,
    balanced_subset_means,
    flip_counts,
    random_flip_counts,
    subset_means,
    to_grid,
    walsh_cut,
)
from rabiomarkers.stats.guards import refuse_fewer_than_one, refuse_level, refuse_unknown
from rabiomarkers.stats.signed_ranks import EXACT_SHIFTS, Zeros, bounds_of_shifts, largest_rejected, signed_rank_p

type Columns = dict[str, Any]
type Block = Callable[
    [Matrix, Integers, float], Columns
]  # known differences, their grid, level -> the fields it can tell

EXACT_RANKS = 200  # pairs; above, counting takes seconds a feature and changes no p in its second digit
EXACT_FLIPS = 20  # pairs; above, random flips
EXACT_SUBSETS = 16  # pairs; above, balanced subsets
BLOCK = 4_000_000  # numbers held at once
NOISE = 1e-12  # of the largest difference: a limit as near to 0 is 0

NOT_TESTED = "not tested"
NO_PAIR = "no pair"
ZEROS: tuple[Zeros, ...] = ("wilcoxon", "pratt")
ONE_PAIR = "one pair: a change needs at least two"
ALL_ZERO = "all differences are zero"
ALL_EQUAL = "all differences are equal: no spread, so no interval and no effect size"
CONSERVATIVE = "interval conservative under ties and zeros: it holds 0, which the test rejects"


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """How paired differences lie about 0, in their own unit. NaN where the data cannot say, with the reason in `note`."""

    n: int  # pairs with a known difference
    n_nonzero: int  # of them, pairs that moved
    estimate: float  # Hodges-Lehmann (signed-rank) or mean (sign-flip)
    ci_low: float
    ci_high: float
    ci_level: float  # the level the interval really has
    p_value: float  # two-sided
    p_floor: float  # the smallest p these n, ties and zeros allow
    p_count: int | None  # assignments at least as extreme, of `p_total`; None where the p is not a count
    p_total: int | None
    test: str
    note: str


COLUMNS = tuple(field.name for field in fields(PairedTest))
COUNTS = ("p_count", "p_total")


def signed_rank(
    differences: ArrayLike, *, zeros: Zeros = "wilcoxon", level: float = 0.95, digits: int = 12
) -> PairedTest:
    """Wilcoxon signed-rank test, Hodges-Lehmann estimate and interval of one feature's differences (length n).

    The null distribution is counted from the mid-ranks at hand, so ties and zeros are right (scipy's `exact` takes the
    untied table). It assumes differences that are symmetric about their centre: bring skewed ones to a log or CLR scale first.

    Parameters
    ----------
    differences
        One a patient, any unit; NaN where a patient has no pair.
    zeros
        "wilcoxon" ranks without the zeros; "pratt" ranks with them and then drops their ranks.
    level
        Wanted level of the interval; `ci_level` is the one reached (where differences are equal, at least). The interval holds the
        shifts the test does not reject and runs between ordered Walsh averages of all differences, zeros too. Where differences
        are equal, every shift is tried with the ties it makes, up to 12 pairs; beyond, as without ties, the untied distribution
        says which Walsh averages, which is conservative. A 0 that is not rejected is always inside. A 0 that is rejected can be
        too, as the shifts that are not need not be neighbours: the note then says so (of all tables of small whole numbers, one
        in 200 of 10 to 12 pairs and none of fewer).
    digits
        Significant digits of the largest difference that were measured; what lies below is float noise and is rounded away
        before ranking.

    Raises
    ------
    StatisticsError
        A difference is infinite, `level` does not lie between 0 and 1, `digits` is below 1, or `zeros` is another word.

    References
    ----------
    Wilcoxon 1945, doi:10.2307/3001968; Pratt 1959, doi:10.1080/01621459.1959.10501526; Hodges & Lehmann 1963,
    doi:10.1214/aoms/1177704172
    """
    refuse_unknown(zeros, ZEROS, "way with zeros")
    return _one(differences, partial(_signed_rank_block, zeros=zeros), level=level, digits=digits)


def sign_flip(
    differences: ArrayLike, *, level: float = 0.95, digits: int = 12, flips: int = 9999, seed: int = 1
) -> PairedTest:
    """Sign-flip test of the mean, the mean, and the interval that belongs to the same test, of one feature's differences.

    All 2**n sign assignments are counted up to 20 pairs; beyond, `flips` seeded ones with p = (count + 1) / (flips + 1).
    The interval runs between ordered means of subsets (all of them up to 16 pairs, else 8 191 balanced ones): for n = 10 it
    covers with 0.951 whatever the symmetric distribution.

    Parameters
    ----------
    differences, level, digits
        As in `signed_rank`.
    flips, seed
        Of the random assignments; they play no part up to 20 pairs.

    References
    ----------
    Hartigan 1969, J. Am. Stat. Assoc. 64: 1303-1317; Phipson & Smyth 2010, doi:10.2202/1544-6115.1585
    """
    refuse_fewer_than_one(flips, "random flips")
    return _one(differences, partial(_sign_flip_block, flips=flips, seed=seed), level=level, digits=digits)


def signed_rank_many(
    differences: ArrayLike, *, zeros: Zeros = "wilcoxon", level: float = 0.95, digits: int = 12
) -> pd.DataFrame:
    """`signed_rank` of each row of differences (features x patients, NaN where a patient has no pair).

    Returns one row a feature with the fields of `PairedTest` as columns.
    """
    refuse_unknown(zeros, ZEROS, "way with zeros")
    return _many(differences, partial(_signed_rank_block, zeros=zeros), level=level, digits=digits)


def sign_flip_many(
    differences: ArrayLike, *, level: float = 0.95, digits: int = 12, flips: int = 9999, seed: int = 1
) -> pd.DataFrame:
    """`sign_flip` of each row of differences (features x patients, NaN where a patient has no pair).

    Returns one row a feature with the fields of `PairedTest` as columns.
    """
    refuse_fewer_than_one(flips, "random flips")
    return _many(differences, partial(_sign_flip_block, flips=flips, seed=seed), level=level, digits=digits)


# ---- from rows to blocks of equal n ----------------------------------------------------------------------------------


def _many(differences: ArrayLike, block: Block, *, level: float, digits: int) -> pd.DataFrame:
    columns = _tested(np.asarray(differences, dtype=np.float64), block, level=level, digits=digits)
    counts = {name: pd.Series(columns[name], dtype="Int64").mask(columns[name] < 0) for name in COUNTS}
    return pd.DataFrame({**columns, **counts}).astype({"test": "str", "note": "str"})


def _one(differences: ArrayLike, block: Block, *, level: float, digits: int) -> PairedTest:
    row = np.asarray(differences, dtype=np.float64).reshape(1, -1)
    told = {name: column.tolist()[0] for name, column in _tested(row, block, level=level, digits=digits).items()}
    return PairedTest(**told | {name: None if told[name] < 0 else told[name] for name in COUNTS})


def _tested(values: Matrix, block: Block, *, level: float, digits: int) -> Columns:
    """The fields of `PairedTest` as arrays over the rows; a count that is absent is -1."""
    refuse_level(level)
    refuse_fewer_than_one(digits, "significant digits")
    if values.ndim != 2 or np.isinf(values).any():
        raise StatisticsError(
            "Paired tests need a finite number a patient, or NaN; rows are features, columns patients."
        )
    known = (~np.isnan(values)).sum(axis=1)
    columns: Columns = {name: np.full(len(values), np.nan) for name in COLUMNS}
    columns |= {"n": known, "n_nonzero": np.zeros(len(values), dtype=np.int64)}
    columns |= {name: np.full(len(values), -1) for name in COUNTS}
    columns |= {
        "test": np.full(len(values), NOT_TESTED, dtype=object),
        "note": np.full(len(values), NO_PAIR, dtype=object),
    }
    ordered = np.sort(values, axis=1)  # NaN last; the order of patients plays no part
    for n in np.unique(known[known > 0]).tolist():
        rows = np.flatnonzero(known == n)
        grid = to_grid(ordered[rows, :n], digits=digits)
        for name, column in _said(block(ordered[rows, :n], grid, level), grid).items():
            columns[name][rows] = column
    return columns


def _said(told: Columns, grid: Integers) -> Columns:
    """Without the numbers that would be accidents: one pair, nothing moved, no spread."""
    zero = (grid == 0).all(axis=1)
    single = np.full(len(grid), grid.shape[1] == 1)
    equal = (grid == grid[:, [0]]).all(axis=1) & ~zero & ~single
    for name in ("ci_low", "ci_high", "ci_level"):
        told[name] = np.where(zero | single | equal, np.nan, told[name])
    for name in ("estimate", "p_value", "p_floor"):
        told[name] = np.where(zero | single, np.nan, told[name])
    for name in COUNTS:
        told[name] = np.where(zero | single, -1, told[name])
    told["test"] = np.where(zero | single, NOT_TESTED, told["test"])
    told["note"] = np.select([single, zero, equal], [ONE_PAIR, ALL_ZERO, ALL_EQUAL], default=told.get("note", ""))
    return told


# ---- signed-rank -----------------------------------------------------------------------------------------------------


def _signed_rank_block(known: Matrix, grid: Integers, level: float, *, zeros: Zeros) -> Columns:
    n = known.shape[1]
    nonzero = (grid != 0).sum(axis=1)
    exact = n <= EXACT_RANKS
    p_values, counts = signed_rank_p(grid, zeros=zeros, exact=exact)
    cut, achieved = walsh_cut(n, level) if exact else _normal_cut(n, level)
    told = _between(known, _walsh, n * (n + 1) // 2, cut) | {"ci_level": np.full(len(grid), achieved)}
    _settle_ties(told, known, grid, p_values, level, zeros=zeros)
    counted = exact and n <= INTEGER_LIMIT
    return told | {
        "n_nonzero": nonzero,
        "p_value": p_values,
        "p_floor": _floor(nonzero),
        "p_count": counts,
        "p_total": np.int64(2) ** nonzero if counted else -1,
        "test": "exact signed-rank" if exact else f"normal signed-rank (n > {EXACT_RANKS})",
    }


def _settle_ties(told: Columns, known: Matrix, grid: Integers, p_values: Vector, level: float, *, zeros: Zeros) -> None:
    """Where differences are equal or zero: the interval that belongs to the p, and a note where no interval can."""
    limit = largest_rejected(grid.shape[1], level)
    alike = (np.diff(np.sort(grid, axis=1), axis=1) == 0).any(axis=1)
    rows = np.flatnonzero(alike) if grid.shape[1] <= EXACT_SHIFTS else np.empty(0, dtype=np.int64)
    if len(rows):
        walsh = np.sort(_walsh(known[rows]), axis=1)
        bounds = bounds_of_shifts(grid[rows], level, zeros=zeros)
        for name, place in zip(("ci_low", "ci_high"), bounds, strict=True):
            told[name][rows] = np.take_along_axis(walsh, place[:, None], axis=1)[:, 0]
        told["ci_level"][rows] = min(level, 1.0 - float(np.ldexp(2.0, -grid.shape[1])))
    tied = (np.diff(np.sort(np.abs(grid), axis=1), axis=1, prepend=0) == 0).any(axis=1)
    noise = NOISE * np.abs(known).max(axis=1)
    for name in ("ci_low", "ci_high"):
        told[name] = np.where(tied & (np.abs(told[name]) <= noise), 0.0, told[name])
    kept = tied & (p_values > limit)  # 0 is a shift too, and that it is not rejected is known
    told["ci_low"] = np.where(kept, np.minimum(told["ci_low"], 0.0), told["ci_low"])
    told["ci_high"] = np.where(kept, np.maximum(told["ci_high"], 0.0), told["ci_high"])
    inside = tied & (p_values <= limit) & (told["ci_low"] < 0) & (told["ci_high"] > 0)
    told["note"] = np.where(inside, CONSERVATIVE, "")


def _normal_cut(n: int, level: float) -> tuple[int, float]:
    mean, spread = n * (n + 1) / 4.0, np.sqrt(n * (n + 1) * (2 * n + 1) / 24.0)
    cut = max(int(mean + spread * ndtri((1.0 - level) / 2)), 1)
    return cut, float(1.0 - 2.0 * ndtr((cut - 0.5 - mean) / spread))


def _walsh(values: Matrix) -> Matrix:
    first, second = np.triu_indices(values.shape[1])
    return (values[:, first] + values[:, second]) / 2.0


# ---- sign-flip -------------------------------------------------------------------------------------------------------


def _sign_flip_block(known: Matrix, grid: Integers, level: float, *, flips: int, seed: int) -> Columns:
    n = known.shape[1]
    nonzero = (grid != 0).sum(axis=1)
    exact = n <= EXACT_FLIPS
    counts = flip_counts(grid) if exact else random_flip_counts(grid, flips=flips, seed=seed) + 1
    total = 2**n if exact else flips + 1
    every = n <= EXACT_SUBSETS
    subsets = 2**n if every else 8192
    cut = max(int(np.floor((1.0 - level) / 2 * subsets + 1e-9)), 1)  # 0.025 * 10 000 is 250 and not 249.999..
    means = subset_means if every else partial(balanced_subset_means, seed=seed)
    return {
        "n_nonzero": nonzero,
        **_between(known, means, subsets - 1, cut),
        "estimate": known.mean(axis=1),
        "ci_level": 1.0 - 2.0 * cut / subsets,
        "p_value": counts / total,
        "p_floor": _floor(nonzero) if exact else np.maximum(_floor(nonzero), 1.0 / total),
        "p_count": counts,
        "p_total": total,
        "test": "exact sign-flip" if exact else f"sign-flip with {flips} random flips",
    }


# ---- both ------------------------------------------------------------------------------------------------------------


def _floor(nonzero: Integers) -> Vector:
    """All pairs that moved moved one way: two of 2**n assignments."""
    return np.clip(np.ldexp(1.0, 1 - nonzero), SMALLEST_P, 1.0)


def _between(known: Matrix, typical_values: Callable[[Matrix], Matrix], size: int, cut: int) -> Columns:
    """The `cut`-th smallest, the median and the `cut`-th largest of each row's typical values, a block of rows at a time."""
    step = max(BLOCK // size, 1)
    places = sorted({cut - 1, (size - 1) // 2, size // 2, size - cut})
    low, middle, high = np.empty((3, len(known)))
    for start in range(0, len(known), step):
        ordered = np.partition(typical_values(known[start : start + step]), places, axis=1)
        rows = slice(start, start + len(ordered))
        low[rows], high[rows] = ordered[:, cut - 1], ordered[:, size - cut]
        middle[rows] = (ordered[:, (size - 1) // 2] + ordered[:, size // 2]) / 2.0
    return {"estimate": middle, "ci_low": low, "ci_high": high}
