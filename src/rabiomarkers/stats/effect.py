"""The size of a paired change in units of a spread, with its interval."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import find_root
from scipy.special import chdtri, gammaln, nctdtr, ndtri

from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.guards import refuse_level, refuse_unlike

LARGE_T = (
    500.0  # above, the noncentral t is slow and then not a number; its limits are known from here to twelve digits
)


def hedges_correction(freedom: ArrayLike) -> Vector:
    """Exact factor J that takes the small-sample bias out of a standardised mean with this many degrees of freedom.

    0.9139 for 9 degrees (ten pairs). NaN below 2: the standardised mean has no expectation there.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107
    """
    degrees = np.asarray(freedom, dtype=np.float64)
    safe = np.where(degrees >= 2, degrees, 2.0)
    factor = np.exp(gammaln(safe / 2) - gammaln((safe - 1) / 2)) / np.sqrt(safe / 2)
    return np.where(degrees >= 2, factor, np.nan)


def standardised_changes(differences: ArrayLike) -> Vector:
    """dz, mean over standard deviation, of each row of differences (features x patients), without small-sample bias.

    A difference is NaN where a patient has no pair; dz is with fewer than three pairs, and where the differences have no spread
    beyond float noise.
    """
    count, ratio = _ratios(np.asarray(differences, dtype=np.float64))
    changes: Vector = ratio * hedges_correction(count - 1)
    return changes


def standardised_change_intervals(differences: ArrayLike, *, level: float = 0.95) -> tuple[Vector, Vector]:
    """Lower and upper limits of `standardised_changes`, NaN where that is; exact where the differences are normal.

    The t of the differences has a noncentral t distribution whose centre is sqrt(n) times the true mean over the true standard
    deviation. The limits are the centres under which a t so large, or so small, has the chance (1 - level) / 2. Both are
    multiplied by J as the estimate is, so that it lies between them.

    References
    ----------
    Steiger & Fouladi 1997, in Harlow, Mulaik & Steiger (ed.), What if there were no significance tests?, 221-257
    """
    refuse_level(level)
    count, ratio = _ratios(np.asarray(differences, dtype=np.float64))
    root = np.sqrt(count)
    low, high = _noncentrality(ratio * root, count - 1, level=level)
    scale = hedges_correction(count - 1) / np.where(count > 0, root, np.nan)
    return low * scale, high * scale


def hedges_g_many(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> pd.DataFrame:
    """Mean change over the mean spread of both timepoints, without small-sample bias, of each row (features x patients).

    The spread is the square root of the mean of both timepoints' variances, over the patients with a pair (no NaN at either);
    J is that of n - 1 degrees. The interval is the one for correlated measurements: the limits of the noncentral t, in units of
    that spread, times J.

    Returns
    -------
    Columns `hedges_g, low, high`; NaN with fewer than three pairs, and where the changes have no spread beyond float noise.

    Raises
    ------
    StatisticsError
        The matrices differ in shape, or `level` does not lie between 0 and 1.

    References
    ----------
    Algina & Keselman 2003, doi:10.1177/0013164403256358
    """
    refuse_level(level)
    refuse_unlike(before, after)
    first, second = (np.asarray(side, dtype=np.float64) for side in (before, after))
    paired = ~np.isnan(first) & ~np.isnan(second)
    first, second = np.where(paired, first, np.nan), np.where(paired, second, np.nan)
    largest = np.maximum(*(np.where(paired, np.abs(side), 0.0).max(axis=1, initial=0.0) for side in (first, second)))
    count, ratio = _ratios(second - first, largest)
    spreads = [_moments(side)[2] for side in (second - first, first, second)]
    average = np.sqrt((spreads[1] ** 2 + spreads[2] ** 2) / 2)
    unit = np.divide(spreads[0], average, out=np.full(len(ratio), np.nan), where=average > 0)
    root = np.sqrt(count)
    low, high = _noncentrality(ratio * root, count - 1, level=level)
    scale = unit * hedges_correction(count - 1)
    each = scale / np.where(count > 0, root, np.nan)
    return pd.DataFrame({"hedges_g": ratio * scale, "low": low * each, "high": high * each})


def _moments(values: Matrix) -> tuple[Vector, Vector, Vector]:
    """Number, mean and standard deviation of the known values of each row; 0 where there are too few."""
    ordered = np.sort(values, axis=1)  # NaN last: the order of patients plays no part
    known = ~np.isnan(ordered)
    count = known.sum(axis=1).astype(np.float64)
    mean = np.where(known, ordered, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, ordered - mean[:, None], 0.0) ** 2
    return count, mean, np.sqrt(squares.sum(axis=1) / np.maximum(count - 1, 1))


def _ratios(differences: Matrix, largest: Vector | None = None) -> tuple[Vector, Vector]:
    """Pairs, and mean over standard deviation of each row; NaN with fewer than three pairs or no spread.

    `largest` is the magnitude of the numbers the differences were taken from, whose noise they carry.
    """
    count, mean, spread = _moments(differences)
    noise = 1e-12 * (np.abs(np.nan_to_num(differences)).max(axis=1, initial=0.0) if largest is None else largest)
    enough = (count >= 3) & (spread > noise)
    return count, np.divide(mean, spread, out=np.full(len(mean), np.nan), where=enough)


def _noncentrality(t_values: Vector, freedom: Vector, *, level: float) -> tuple[Vector, Vector]:
    """The noncentralities under which a t this large, or this small, has the chance (1 - level) / 2; NaN where t is."""
    low, high = np.full(len(t_values), np.nan), np.full(len(t_values), np.nan)
    rows = np.flatnonzero(~np.isnan(t_values))
    size, degrees, tail = np.abs(t_values[rows]), freedom[rows], (1.0 - level) / 2
    nearer, further = (_centre(size, degrees, chance, tail) for chance in (1.0 - tail, tail))
    negative = t_values[rows] < 0
    low[rows], high[rows] = np.where(negative, -further, nearer), np.where(negative, -nearer, further)
    return low, high


def _centre(size: Vector, freedom: Vector, chance: float, tail: float) -> Vector:
    """The noncentrality under which a t of at most `size` (>= 0) has this chance.

    As t grows, centre / t tends to a quantile of chi / sqrt(freedom), and what it lacks shrinks with t squared.
    """
    inside = np.minimum(size, LARGE_T)
    normal = -ndtri(tail / 4)
    narrow, wide = (np.sqrt(chdtri(freedom, share) / freedom) for share in (1.0 - tail / 4, tail / 4))
    bracket = (
        inside * narrow - normal,
        inside * wide + normal,
    )  # beyond, either the chi or the normal part is too rare
    found = find_root(
        lambda centre, t, degrees: nctdtr(degrees, centre, t) - chance,
        bracket,
        args=(inside, freedom),
        tolerances={"xatol": 1e-12, "xrtol": 1e-13, "fatol": 0.0},
    ).x
    limit = np.sqrt(chdtri(freedom, chance) / freedom)
    shrunk = np.divide(inside, size, out=np.ones(len(size)), where=size > 0)
    beyond: Vector = size * (limit + (found / np.where(inside > 0, inside, 1.0) - limit) * shrunk**2)
    return np.where(size > LARGE_T, beyond, found)
