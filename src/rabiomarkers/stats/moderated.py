"""Moderated t tests: features measured together lend each other what they tell about the spread."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import digamma, polygamma

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Matrix, Vector, Words
from rabiomarkers.stats.parametric import NOISE, checked, first_that_holds, row_moments, standard_error, t_table

MINIMUM_FEATURES = 10
"""Variances a prior is estimated from. Fewer know too little of what they share: in simulations over priors of 2, 4 and 10 degrees
of freedom, null features were rejected at 0.05 in up to 0.067 where 3 share, 0.059 where 10 do, 0.056 where 20 do (5 pairs), and in
up to 0.058, 0.054, 0.053 (10 pairs)."""

RANK_TOLERANCE = 1e-7  # of the largest singular value: below, columns of a design are one
FLOOR = 1e-5  # of the median variance: a variance of 0 has no logarithm

BORROWED_SPREAD = "all differences are equal: the spread is that of the other features"
NO_RESIDUAL = "the design tells every value exactly: the spread is that of the other features"
NO_DEGREES = "no more patients than the design has coefficients: no spread is left"
NOT_ESTIMABLE = "the patients with a value cannot tell this coefficient from the others"
NOTHING_MEASURED = "no value"
ALL_ZERO_VALUES = "all values are zero"


@dataclass(frozen=True, kw_only=True)
class Squeezed:
    """Variances drawn towards the one their features share."""

    prior_degrees_of_freedom: float  # what the shared variance is worth; infinite where all features have one
    prior_variance: float  # NaN where there is none
    variances: Vector  # of each feature, squeezed


def squeeze_variances(variances: ArrayLike, degrees_of_freedom: ArrayLike) -> Squeezed:
    """Empirical Bayes estimate of each feature's variance: a scaled F distribution is fitted to all of them by moments of the log.

    The result does not depend on the order of features, to the last bit, and equals limma's `squeezeVar`.

    Parameters
    ----------
    variances
        Residual variance of each feature, in the square of its unit. NaN plays no part and stays NaN, unless its degrees of
        freedom are 0: then it is the prior variance. Variances below 1e-5 of the median, zeros among them, count as that much
        when the prior is estimated.
    degrees_of_freedom
        Residual degrees of freedom, of each feature or of all.

    Returns
    -------
    With fewer than two usable variances there is nothing to share: the prior is worth 0 degrees of freedom.

    Raises
    ------
    StatisticsError
        A variance is negative, or there is not one number of degrees of freedom a variance.

    References
    ----------
    Smyth 2004, doi:10.2202/1544-6115.1027, sections 3 and 6.2; Phipson et al. 2016, doi:10.1214/16-AOAS920
    """
    variance = np.asarray(variances, dtype=np.float64).ravel()
    freedom = np.asarray(degrees_of_freedom, dtype=np.float64)
    if freedom.size not in (1, variance.size) or (variance < 0).any():
        raise StatisticsError("Each feature needs one variance of at least 0 and one number of degrees of freedom.")
    freedom = np.broadcast_to(freedom.ravel(), variance.shape)
    usable = np.isfinite(variance) & (freedom > 0)
    if usable.sum() < 2:
        prior = float(variance[usable][0]) if usable.any() else float("nan")
        return Squeezed(prior_degrees_of_freedom=0.0, prior_variance=prior, variances=variance.copy())
    prior_freedom, prior = _prior(variance[usable], freedom[usable])
    own = np.where(freedom > 0, variance, 0.0)
    squeezed = (
        np.where(np.isnan(own), np.nan, prior)
        if np.isinf(prior_freedom)
        else (freedom * own + prior_freedom * prior) / (freedom + prior_freedom)
    )
    return Squeezed(prior_degrees_of_freedom=prior_freedom, prior_variance=prior, variances=squeezed)


def moderated_t_many(differences: ArrayLike, *, groups: ArrayLike | None = None, level: float = 0.95) -> pd.DataFrame:
    """Moderated t test of the mean change of each row, as limma fits it to patient deltas or to ~ patient + time.

    Each row's variance is drawn towards the one that the rows of its group share, and the degrees of freedom of that prior are
    added to its own. So a row's p depends on the other rows, though not on their order nor on that of patients. Rows that are
    not tested (no pair, one pair, all differences zero) lend nothing either: limma would test them with the prior variance
    alone, so give it the table without them to compare. Where all differences are equal, but not zero, the squeezed variance
    is above 0 and the test is right; the note says whose spread it is.

    Parameters
    ----------
    differences
        Features x patients, one unit a group; NaN where a patient has no pair.
    groups
        A label a feature, such as its compartment and unit; without, all features are one group. A group with fewer than 10
        variances above 0, or with more zeros than others, gets the ordinary paired t, and the note says so.
    level
        Of the interval.

    Returns
    -------
    One row a feature: `stats.paired.COLUMNS`, `degrees_of_freedom` (of the test: own and prior together, at most those of
    the whole group), `prior_degrees_of_freedom`, `prior_variance` (both NaN where nothing was shared).

    Raises
    ------
    StatisticsError
        As `paired_t_many`, or there is not one label a feature.

    References
    ----------
    Smyth 2004, doi:10.2202/1544-6115.1027
    """
    moments = row_moments(checked(differences))
    labels = np.zeros(len(moments.n), dtype=object) if groups is None else np.asarray(groups, dtype=object).ravel()
    if len(labels) != len(moments.n):
        raise StatisticsError(f"Each feature needs a group; there are {len(labels)} groups, {len(moments.n)} features.")
    tested = (moments.n > 1) & ~moments.zero
    shared = _share(moments.variance, np.where(tested, moments.n - 1.0, 0.0), labels)
    own, other = moments.notes(), np.where(tested, shared.note, "")
    own[moments.equal & (shared.note == "")] = BORROWED_SPREAD
    table = t_table(
        n=moments.n,
        n_nonzero=moments.n_nonzero,
        estimate=np.where(tested, moments.mean, np.nan),
        error=standard_error(shared.variance, moments.n),
        freedom=shared.freedom,
        level=level,
        test=np.where(shared.note == "", "moderated t", "paired t"),
        note=_joined(own, other),
    )
    return _with_prior(table, shared)


def moderated_contrast(
    values: pd.DataFrame | ArrayLike, design: pd.DataFrame, *, coefficient: str, level: float = 0.95
) -> pd.DataFrame:
    """Moderated t test of one coefficient of a linear model of each row, such as the change of responders against the others.

    A row is fitted to the patients it knows. Rows that are zero throughout are not tested and lend nothing, see
    `moderated_t_many`; nor are rows without more patients than coefficients, which limma tests with the prior variance alone.
    Where the design tells every value exactly, a constant row among them, the row's spread is that of the others.

    Parameters
    ----------
    values
        Features x patients (or samples), one unit; NaN where a patient has no value. A spread is shared among all rows.
    design
        Patients x coefficients, one row a column of `values`, by position; numbers, an intercept among them if one is meant.
    coefficient
        Column of `design` that is tested against 0.
    level
        Of the interval.

    Returns
    -------
    One row a feature, as `moderated_t_many`; `n` counts the patients with a value, `estimate` is the coefficient.

    Raises
    ------
    StatisticsError
        The design is not of full rank, has a gap or another number of patients, or `coefficient` is none of it; or a value is
        infinite or beyond 1e145.

    References
    ----------
    Smyth 2004, doi:10.2202/1544-6115.1027
    """
    matrix = checked(values)
    model, place = _design(design, matrix.shape[1], coefficient)
    order = np.lexsort(model.T)  # so that the order of patients plays no part
    fit = _fits(matrix[:, order], model[order], place)
    shared = _share(fit.variance, fit.freedom, np.zeros(len(matrix), dtype=object))
    tested = fit.note == ""
    own = fit.note.copy()
    own[tested & (fit.variance == 0.0)] = NO_RESIDUAL
    table = t_table(
        n=fit.n,
        n_nonzero=((matrix != 0) & ~np.isnan(matrix)).sum(axis=1),
        estimate=np.where(tested, fit.estimate, np.nan),
        error=np.where(tested, standard_error(shared.variance, np.ones_like(fit.n)) * fit.unscaled, np.nan),
        freedom=shared.freedom,
        level=level,
        test=np.where(shared.note == "", "moderated t", "linear model t"),
        note=_joined(own, np.where(tested, shared.note, "")),
    )
    return _with_prior(table, shared)


# ---- the spread that features share ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """One entry a feature. Where nothing was shared, `note` says why, and variance and degrees of freedom are its own."""

    variance: Vector
    freedom: Vector
    prior_freedom: Vector
    prior_variance: Vector
    note: Words


def _share(variance: Vector, freedom: Vector, labels: Words) -> _Shared:
    """Squeezes the variances within each label; features with 0 degrees of freedom play no part and get NaN."""
    usable = freedom > 0
    told = _Shared(
        variance=np.where(usable, variance, np.nan),
        freedom=np.where(usable, freedom, np.nan),
        prior_freedom=np.full(len(variance), np.nan),
        prior_variance=np.full(len(variance), np.nan),
        note=np.full(len(variance), "", dtype=object),
    )
    codes, _ = pd.factorize(pd.Series(labels, dtype=object), use_na_sentinel=False)
    for code in range(codes.max(initial=-1) + 1):
        rows = np.flatnonzero((codes == code) & usable)
        reason = _why_not(variance[rows])
        told.note[codes == code] = reason
        if reason:
            continue
        squeezed = squeeze_variances(variance[rows], freedom[rows])
        told.variance[rows] = squeezed.variances
        pooled = freedom[rows].sum()  # no test knows its spread better than all rows together do
        told.freedom[rows] = np.minimum(freedom[rows] + squeezed.prior_degrees_of_freedom, pooled)
        told.prior_freedom[rows] = squeezed.prior_degrees_of_freedom
        told.prior_variance[rows] = squeezed.prior_variance
    return told


def _why_not(variance: Vector) -> str:
    spread = int((variance > 0).sum())
    if spread < MINIMUM_FEATURES:
        return f"no shared variance: {spread} features with a spread, at least {MINIMUM_FEATURES} are needed"
    if np.median(variance) == 0:
        return f"no shared variance: {len(variance) - spread} of {len(variance)} features have no spread"
    return ""


def _prior(variance: Vector, freedom: Vector) -> tuple[float, float]:
    """Degrees of freedom and scale of the prior, of two or more variances."""
    order = np.lexsort((freedom, variance))  # so that the order of features plays no part
    freedom = freedom[order]
    middle = float(np.median(variance))
    raised = np.maximum(variance[order], FLOOR * (middle if middle > 0 else 1.0))
    half = freedom / 2.0
    # log of a variance less what chance alone makes of it on average
    centred = np.log(raised) - digamma(half) + np.log(half)
    excess = float(centred.var(ddof=1) - polygamma(1, half).mean())
    if not excess > 0:
        return float("inf"), float(raised.mean())
    prior = 2.0 * _inverse_trigamma(excess)
    return prior, float(np.exp(centred.mean() + digamma(prior / 2.0) - np.log(prior / 2.0)))


def _inverse_trigamma(value: float) -> float:
    """The x > 0 whose trigamma is `value`, by Newton's method on 1 / trigamma, which is convex and almost straight.

    References
    ----------
    Smyth 2004, appendix
    """
    x = 0.5 + 1.0 / value  # below the root, from where the steps only rise
    for _ in range(100):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1.0 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) <= 1e-12 * x:
            break
    return x


# ---- a linear model a row --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Fits:
    n: Integers
    estimate: Vector
    unscaled: Vector  # standard error of the estimate at a spread of 1
    variance: Vector  # residual; exactly 0 where only float noise is left
    freedom: Vector  # 0 where the row is not tested
    note: Words  # why not


def _design(design: pd.DataFrame, patients: int, coefficient: str) -> tuple[Matrix, int]:
    model = design.to_numpy(dtype=np.float64)
    if coefficient not in design.columns:
        raise StatisticsError(f"The design has no coefficient {coefficient!r}; it has {', '.join(map(str, design))}.")
    if len(model) != patients or not np.isfinite(model).all():
        raise StatisticsError(
            f"The design needs a row of finite numbers for each of {patients} patients; it has {len(model)} rows."
        )
    if len(_decomposed(model)[2]) < model.shape[1]:
        raise StatisticsError(
            "The design is not of full rank: a coefficient can be told from the others by no patient."
        )
    return model, list(design.columns).index(coefficient)


def _decomposed(model: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Of rank r: r orthogonal columns that span the model, the matrix that gives the coefficients of least squares, and the r
    directions among the coefficients, each in the length of its column, that the patients can tell."""
    length = np.linalg.norm(model, axis=0)
    scale = np.where(length > 0, length, 1.0)
    left, singular, right = np.linalg.svd(model / scale, full_matrices=False)
    told = singular > RANK_TOLERANCE * singular.max(initial=0.0)
    left, singular, right = left[:, told], singular[told], right[told]
    return left, (right.T / singular) @ left.T / scale[:, None], right


def _fits(values: Matrix, model: Matrix, place: int) -> _Fits:
    """Least squares of each row, all rows with the same patients at once."""
    known = ~np.isnan(values)
    count = len(values)
    estimate, unscaled, variance = np.full((3, count), np.nan)
    freedom, estimable = np.zeros(count), np.zeros(count, dtype=bool)
    packed = np.packbits(known, axis=1)  # eight patients a byte: quicker to compare
    _, examples, pattern_of = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for number, pattern in enumerate(known[examples]):
        rows = np.flatnonzero(pattern_of.ravel() == number)
        block = values[np.ix_(rows, np.flatnonzero(pattern))]
        base, solve, directions = _decomposed(model[pattern])
        estimable[rows] = abs((directions[:, place] ** 2).sum() - 1.0) < RANK_TOLERANCE
        unscaled[rows] = np.linalg.norm(solve[place])
        noise = NOISE * np.abs(block).max(axis=1, initial=0.0)
        squares = ((block - (block @ base) @ base.T) ** 2).sum(axis=1)
        squares[squares <= block.shape[1] * noise**2] = 0.0
        coefficient = block @ solve[place]
        estimate[rows] = np.where((squares == 0) & (np.abs(coefficient) <= noise * unscaled[rows]), 0.0, coefficient)
        freedom[rows] = block.shape[1] - base.shape[1]
        variance[rows] = squares / max(block.shape[1] - base.shape[1], 1)
    zero = (np.nan_to_num(values) == 0).all(axis=1)
    n = known.sum(axis=1)
    note = first_that_holds(
        {
            NOTHING_MEASURED: n == 0,
            ALL_ZERO_VALUES: zero,
            NOT_ESTIMABLE: ~estimable,
            NO_DEGREES: freedom == 0,
        }
    )
    return _Fits(
        n=n, estimate=estimate, unscaled=unscaled, variance=variance, freedom=np.where(zero, 0.0, freedom), note=note
    )


def _joined(own: Words, other: Words) -> Words:
    return np.array(["; ".join(filter(None, words)) for words in zip(own, other, strict=True)], dtype=object)


def _with_prior(table: pd.DataFrame, shared: _Shared) -> pd.DataFrame:
    tested = table["degrees_of_freedom"].notna().to_numpy()
    return table.assign(
        prior_degrees_of_freedom=np.where(tested, shared.prior_freedom, np.nan),
        prior_variance=np.where(tested, shared.prior_variance, np.nan),
    )
