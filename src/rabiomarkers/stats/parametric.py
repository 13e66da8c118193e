"""Tests of paired changes that rest on the t distribution, for thousands of features at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Flags, Integers, Matrix, Vector, Words
from rabiomarkers.stats.exact import SMALLEST_P, to_grid
from rabiomarkers.stats.guards import refuse_level
from rabiomarkers.stats.paired import ALL_EQUAL, ALL_ZERO, COLUMNS, NO_PAIR, NOT_TESTED, ONE_PAIR

LARGEST = 1e145  # beyond, a sum of squares leaves the range of doubles
NOISE = 1e-11  # of a row's largest magnitude: what twelve significant digits do not tell, see `to_grid`

TWO_PAIRS = "two pairs: a regression on the baseline needs at least three"
SAME_BASELINE = "the baseline is the same in every pair: nothing to adjust for"


@dataclass(frozen=True, kw_only=True)
class RowMoments:
    """What a t test needs of each row of differences, the same whatever the order of patients."""

    n: Integers  # known differences
    n_nonzero: Integers
    mean: Vector  # NaN where there are none
    variance: Vector  # on n - 1 degrees of freedom; NaN below two, exactly 0 where all are equal but for float noise
    zero: Flags  # two or more, and all are zero

    @property
    def equal(self) -> Flags:
        equal: Flags = (self.variance == 0.0) & ~self.zero
        return equal

    def notes(self) -> Words:
        """Why a row cannot be tested by its own spread; empty where it can."""
        cases = {NO_PAIR: self.n == 0, ONE_PAIR: self.n == 1, ALL_ZERO: self.zero, ALL_EQUAL: self.equal}
        return first_that_holds(cases)


def paired_t_many(differences: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Paired t test of the mean change of each row: mean, p and interval of one t statistic on n - 1 degrees of freedom.

    It assumes differences near a normal distribution; skewed ones are rejected too often (0.10 in place of 0.05 at n = 10), so
    bring them to a log or CLR scale first. Where all differences are equal there is a mean, but no spread and so no p: a t
    statistic would be infinite.

    Parameters
    ----------
    differences
        Features x patients, any unit; NaN where a patient has no pair.
    level
        Of the interval.

    Returns
    -------
    One row a feature: `stats.paired.COLUMNS`, and `degrees_of_freedom`. A t test has no floor and counts nothing.

    Raises
    ------
    StatisticsError
        A difference is infinite or beyond 1e145, the differences are no matrix, or `level` does not lie between 0 and 1.

    References
    ----------
    Student 1908, doi:10.1093/biomet/6.1.1
    """
    refuse_level(level)
    moments = row_moments(checked(differences))
    return t_table(
        n=moments.n,
        n_nonzero=moments.n_nonzero,
        estimate=np.where((moments.n > 1) & ~moments.zero, moments.mean, np.nan),
        error=standard_error(moments.variance, moments.n),
        freedom=(moments.n - 1).astype(np.float64),
        level=level,
        test="paired t",
        note=moments.notes(),
    )


def ancova_many(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Mean change at the mean baseline, of a regression of each row's change on its baseline, on n - 2 degrees of freedom.

    The baselines are a sample of patients, as the changes are. The error of the mean change is that of the regression line and
    that of the mean baseline together, (residual + slope^2 x baseline sum of squares) / (n - 1) / n, which is the error of the
    paired t: with one arm, adjusting cannot sharpen the mean change, and p is a little above that of `paired_t_many` for the
    degree of freedom spent. What is told besides is `baseline_slope`: how much less (negative) patients rise who start higher.
    Baselines taken as fixed, as the printed error of an intercept has them, would sharpen it on paper and call regression to
    the mean a change: 0.14 (0.08) of null trials of ten pairs are rejected at 0.05 where before and after correlate by 0 (0.5).

    Parameters
    ----------
    before, after
        Features x patients, any unit, both in the same one; NaN where a patient has no sample. Only complete pairs count.
    level
        Of the interval.

    Returns
    -------
    One row a feature: `stats.paired.COLUMNS`, `degrees_of_freedom`, `baseline_slope`. Where the baseline is constant, the
    row is that of `paired_t_many`, and `test` and `note` say so.

    Raises
    ------
    StatisticsError
        As `paired_t_many`, or the matrices differ in shape.

    References
    ----------
    Senn 2006, doi:10.1002/sim.2682 (change from baseline and analysis of covariance)
    """
    refuse_level(level)
    baseline, change = _sorted_pairs(*_pairs(before, after))
    moments = row_moments(change)
    fit = _regressed(baseline, change)
    # a change written as after - before carries the float noise of both
    equal = moments.equal | ((moments.n - 1) * moments.variance <= moments.n * (NOISE * fit.size) ** 2)
    note = first_that_holds(
        {
            **{words: moments.notes() == words for words in (NO_PAIR, ONE_PAIR, ALL_ZERO)},
            TWO_PAIRS: moments.n == 2,
            ALL_EQUAL: equal,
            SAME_BASELINE: fit.constant,
        }
    )
    alone, adjusted = note == SAME_BASELINE, note == ""
    table = t_table(
        n=moments.n,
        n_nonzero=moments.n_nonzero,
        estimate=np.where(adjusted | alone | (note == ALL_EQUAL), moments.mean, np.nan),
        error=np.where(adjusted | alone, standard_error(moments.variance, moments.n), np.nan),
        freedom=np.where(alone, moments.n - 1.0, moments.n - 2.0),
        level=level,
        test=np.where(alone, "paired t", "ANCOVA on the baseline"),
        note=note,
    )
    return table.assign(baseline_slope=np.where(adjusted, fit.slope, np.nan))


# ---- what other t tests share ----------------------------------------------------------------------------------------


def checked(values: ArrayLike) -> Matrix:
    """The values as a matrix of doubles, rows in one piece of memory so that each is summed the same way.

    Raises
    ------
    StatisticsError
        They are no matrix, or one is infinite or beyond 1e145.
    """
    matrix = np.ascontiguousarray(values, dtype=np.float64)
    if matrix.ndim != 2 or (np.abs(matrix) > LARGEST).any():
        raise StatisticsError(
            f"A t test needs a finite number a patient (up to {LARGEST:g}), or NaN; rows are features, columns patients."
        )
    return matrix


def row_moments(differences: Matrix) -> RowMoments:
    """Number, mean and variance of the known differences of each row (features x patients, NaN where there is no pair)."""
    known = (~np.isnan(differences)).sum(axis=1)
    nonzero, zero = np.zeros(len(differences), dtype=np.int64), np.zeros(len(differences), dtype=bool)
    mean, variance = np.full((2, len(differences)), np.nan)
    ordered = np.sort(differences, axis=1)  # NaN last; the order of patients plays no part
    for n in np.unique(known[known > 0]).tolist():
        rows = np.flatnonzero(known == n)
        block = np.ascontiguousarray(ordered[rows, :n])
        grid = to_grid(block)
        nonzero[rows] = (grid != 0).sum(axis=1)
        mean[rows] = block.mean(axis=1)
        if n > 1:
            zero[rows] = nonzero[rows] == 0
            variance[rows] = np.where(grid[:, 0] == grid[:, -1], 0.0, block.var(axis=1, ddof=1))
    return RowMoments(n=known, n_nonzero=nonzero, mean=mean, variance=variance, zero=zero)


def first_that_holds(cases: dict[str, Flags]) -> Words:
    """For each row the first of the words whose case holds, else ""."""
    conditions, words = list(cases.values()), [np.array(name, dtype=object) for name in cases]
    notes: Words = np.select(conditions, words, default=np.array("", dtype=object))
    return notes


def standard_error(variance: Vector, n: Integers) -> Vector:
    """Of a mean of n; NaN where the variance is unknown or 0, as nothing can be told from it."""
    error: Vector = np.sqrt(np.where(variance > 0, variance, np.nan) / np.maximum(n, 1))
    return error


def t_columns(estimate: Vector, error: Vector, freedom: Vector, *, level: float) -> dict[str, Vector]:
    """Interval, its level and two-sided p of estimate / error by Student's t; all NaN where the error is not above 0.

    `estimate`, `error` and `freedom` have one shape, whatever it is.
    """
    told = (error > 0) & (freedom > 0) & ~np.isnan(estimate)
    error, freedom = np.where(told, error, 1.0), np.where(told, freedom, 1.0)
    statistic = np.where(told, estimate, 0.0) / error
    reach = stdtrit(freedom, (1.0 + level) / 2.0) * error
    columns = {
        "ci_low": estimate - reach,
        "ci_high": estimate + reach,
        "ci_level": np.full(estimate.shape, level),
        "p_value": np.clip(2.0 * stdtr(freedom, -np.abs(statistic)), SMALLEST_P, 1.0),
    }
    return {name: np.where(told, column, np.nan) for name, column in columns.items()}


def t_table(
    *,
    n: Integers,
    n_nonzero: Integers,
    estimate: Vector,
    error: Vector,
    freedom: Vector,
    level: float,
    test: str | NDArray[Any],
    note: Words,
) -> pd.DataFrame:
    """`stats.paired.COLUMNS` and `degrees_of_freedom` of t tests; a row without an error above 0 is not tested."""
    told = t_columns(estimate, error, freedom, level=level)
    tested = ~np.isnan(told["p_value"])
    columns: dict[str, Any] = {
        "n": n,
        "n_nonzero": n_nonzero,
        "estimate": estimate,
        **told,
        "p_floor": np.full(len(n), np.nan),
        "p_count": pd.array([pd.NA] * len(n), dtype="Int64"),
        "p_total": pd.array([pd.NA] * len(n), dtype="Int64"),
        "test": np.where(tested, test, NOT_TESTED),
        "note": note,
    }
    table = pd.DataFrame({name: columns[name] for name in COLUMNS}).astype({"test": "str", "note": "str"})
    return table.assign(degrees_of_freedom=np.where(tested, freedom, np.nan))


# ---- pairs and their regression --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Regression:
    """One regression a row of the change on the baseline, both less their means."""

    constant: Flags  # the baseline has no spread, but for float noise
    slope: Vector  # 0 where the baseline is constant
    size: Vector  # largest magnitude of the row


def _regressed(baseline: Matrix, change: Matrix) -> _Regression:
    both = np.concatenate([baseline, change], axis=1)
    size = np.max(np.abs(both), axis=1, initial=0.0, where=~np.isnan(both))
    apart, moved = _centred(baseline), _centred(change)
    squares = (apart**2).sum(axis=1)
    constant = squares <= (~np.isnan(change)).sum(axis=1) * (NOISE * size) ** 2
    slope = np.divide((apart * moved).sum(axis=1), squares, out=np.zeros(len(squares)), where=~constant)
    return _Regression(constant=constant, slope=slope, size=size)


def _centred(values: Matrix) -> Matrix:
    """Each row less its mean; 0 where there is no value."""
    counts = (~np.isnan(values)).sum(axis=1)
    means = np.divide(np.nansum(values, axis=1), counts, out=np.full(len(values), np.nan), where=counts > 0)
    centred: Matrix = np.nan_to_num(values - means[:, None])
    return centred


def _pairs(before: ArrayLike, after: ArrayLike) -> tuple[Matrix, Matrix]:
    """Baseline and change of each complete pair, NaN elsewhere."""
    baseline, later = checked(before), checked(after)
    if baseline.shape != later.shape:
        raise StatisticsError(f"Before and after differ in shape: {baseline.shape} and {later.shape}.")
    change = later - baseline
    return np.where(np.isnan(change), np.nan, baseline), change


def _sorted_pairs(baseline: Matrix, change: Matrix) -> tuple[Matrix, Matrix]:
    """Each row's pairs by their change, NaN last: the order of patients plays no part."""
    order = np.lexsort((baseline, change), axis=1)
    return np.take_along_axis(baseline, order, axis=1), np.take_along_axis(change, order, axis=1)
