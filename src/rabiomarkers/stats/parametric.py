"""Tests of paired changes that rest on the t distribution, for thousands of features at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.exact import to_grid
from rabiomarkers.stats.paired import ALL_EQUAL, ALL_ZERO, COLUMNS, NO_PAIR, NOT_TESTED, ONE_PAIR, SMALLEST_P

type Matrix = NDArray[np.float64]
type Vector = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]
type Words = NDArray[np.object_]

LARGEST = 1e145  # beyond, a sum of squares leaves the range of doubles
NOISE = 1e-11  # of a row's largest magnitude: what twelve significant digits do not tell, see `to_grid`

TWO_PAIRS = "two pairs: a regression on the baseline needs at least three"
SAME_BASELINE = "the baseline is the same in every pair: nothing to adjust for"
EMPTY_GROUP = "one group has no pair"
FEW_PATIENTS = "two groups and a baseline need at least four pairs"
BASELINE_IS_GROUP = "the baseline tells the groups apart exactly: it cannot be adjusted for"
NO_SPREAD_LEFT = "group and baseline tell every value exactly: no spread is left, so no interval"


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
        A difference is infinite or beyond 1e145, or the differences are no matrix.

    References
    ----------
    Student 1908, doi:10.1093/biomet/6.1.1
    """
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
    baseline, change = _sorted_pairs(*_pairs(before, after))
    moments = row_moments(change)
    fit = _within([(baseline, change)])
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


def ancova_groups(before: ArrayLike, after: ArrayLike, groups: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Difference in `after` between two groups of patients with the same `before`: each row's analysis of covariance.

    One slope on the baseline for both groups, one spread, t on n - 3 degrees of freedom. The difference is the same whether
    `after` or the change is compared.

    Parameters
    ----------
    before, after
        Features x patients, any unit, both in the same one; NaN where a patient has no sample. Only complete pairs count.
    groups
        For each patient True (first group) or False (second group); the difference is first - second.
    level
        Of the interval.

    Returns
    -------
    One row a feature: `n_first, n_second, estimate, ci_low, ci_high, ci_level, p_value, degrees_of_freedom, test, note`. Where
    the baseline is constant, the row is that of Student's two-sample t test, and `test` and `note` say so.

    Raises
    ------
    StatisticsError
        As `ancova_many`, or there is not one group a patient.

    References
    ----------
    Fisher 1932, Statistical Methods for Research Workers, 4th edition, section 49.1; Vickers & Altman 2001,
    doi:10.1136/bmj.323.7321.1123
    """
    first = np.asarray(groups, dtype=bool).ravel()
    baseline, change = _pairs(before, after)
    if len(first) != baseline.shape[1]:
        raise StatisticsError(
            f"Each patient needs a group; there are {len(first)} groups, {baseline.shape[1]} patients."
        )
    fit = _within([_sorted_pairs(baseline[:, side], change[:, side]) for side in (first, ~first)])
    note, same = _comparable(fit)
    tested = np.isin(note, ["", SAME_BASELINE])
    n_first, n_second = fit.n
    freedom = np.where(tested, n_first + n_second - np.where(same, 2.0, 3.0), np.nan)
    apart = fit.baseline_mean[0] - fit.baseline_mean[1]
    leverage = np.divide(apart**2, fit.baseline_squares, out=np.zeros(len(apart)), where=~fit.constant)
    share = 1.0 / np.maximum(n_first, 1) + 1.0 / np.maximum(n_second, 1) + leverage
    # at one baseline the groups differ in `after` by what they differ in the change
    shift = fit.change_mean[0] - fit.change_mean[1] - fit.slope * apart
    estimate = np.where(tested | (note == NO_SPREAD_LEFT), shift, np.nan)
    return pd.DataFrame(
        {
            "n_first": n_first,
            "n_second": n_second,
            "estimate": estimate,
            **t_columns(estimate, np.sqrt(fit.residual / freedom * share), freedom, level=level),
            "degrees_of_freedom": freedom,
            "test": np.where(tested, np.where(same, "two-sample t", "ANCOVA of two groups"), NOT_TESTED),
            "note": note,
        }
    ).astype({"test": "str", "note": "str"})


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
    """Interval, its level and two-sided p of estimate / error by Student's t; all NaN where the error is not above 0."""
    told = (error > 0) & (freedom > 0) & ~np.isnan(estimate)
    error, freedom = np.where(told, error, 1.0), np.where(told, freedom, 1.0)
    statistic = np.where(told, estimate, 0.0) / error
    reach = stdtrit(freedom, (1.0 + level) / 2.0) * error
    columns = {
        "ci_low": estimate - reach,
        "ci_high": estimate + reach,
        "ci_level": np.full(len(estimate), level),
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
class _Within:
    """One regression a row of the change on the baseline, both less the means of their own group of patients."""

    n: list[Integers]  # one a group
    baseline_mean: list[Vector]
    change_mean: list[Vector]
    baseline_squares: Vector
    constant: Flags  # the baseline has no spread within groups, but for float noise
    slope: Vector  # 0 where the baseline is constant
    residual: Vector  # sum of squares; exactly 0 where only float noise is left
    size: Vector  # largest magnitude of the row


def _within(groups: list[tuple[Matrix, Matrix]]) -> _Within:
    baselines, changes = [group[0] for group in groups], [group[1] for group in groups]
    counts = [(~np.isnan(change)).sum(axis=1) for change in changes]
    both = np.concatenate([*baselines, *changes], axis=1)
    size = np.max(np.abs(both), axis=1, initial=0.0, where=~np.isnan(both))
    noise = sum(counts) * (NOISE * size) ** 2
    baseline_means, change_means = [_means(part) for part in baselines], [_means(part) for part in changes]
    baseline, change = _centred(baselines, baseline_means), _centred(changes, change_means)
    squares = (baseline**2).sum(axis=1)
    constant = squares <= noise
    products = (baseline * change).sum(axis=1)
    slope = np.divide(products, squares, out=np.zeros(len(squares)), where=~constant)
    residual = ((change - slope[:, None] * baseline) ** 2).sum(axis=1)
    return _Within(
        n=counts,
        baseline_mean=baseline_means,
        change_mean=change_means,
        baseline_squares=squares,
        constant=constant,
        slope=slope,
        residual=np.where(residual <= noise, 0.0, residual),
        size=size,
    )


def _comparable(fit: _Within) -> tuple[Words, Flags]:
    """Why two groups cannot be compared as planned, and whether all their patients have the same baseline."""
    first, second = fit.n
    apart = np.abs(fit.baseline_mean[0] - fit.baseline_mean[1]) > NOISE * fit.size
    same = fit.constant & ~apart
    cases = {
        EMPTY_GROUP: (first == 0) | (second == 0),
        BASELINE_IS_GROUP: fit.constant & apart,
        FEW_PATIENTS: first + second < np.where(same, 3, 4),
        NO_SPREAD_LEFT: fit.residual == 0.0,
        SAME_BASELINE: same,
    }
    return first_that_holds(cases), same


def _means(values: Matrix) -> Vector:
    counts = (~np.isnan(values)).sum(axis=1)
    means: Vector = np.divide(np.nansum(values, axis=1), counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def _centred(groups: list[Matrix], means: list[Vector]) -> Matrix:
    parts = [group - mean[:, None] for group, mean in zip(groups, means, strict=True)]
    return np.nan_to_num(np.concatenate(parts, axis=1))


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
