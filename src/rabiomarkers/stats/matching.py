"""Does each patient's second sample lie nearer to their own first one than to those of others."""

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.guards import refuse_fewer_than_one

EXACT_PATIENTS = 8  # 40 320 matchings; above, random ones


@dataclass(frozen=True, kw_only=True)
class MatchingTest:
    """One-sided test that own pairs lie nearer than re-matched ones; NaN with fewer than two patients."""

    statistic: float  # mean distance of own pairs
    p_value: float
    p_floor: float
    p_count: int | None
    p_total: int | None
    test: str


def matching_test(distances: ArrayLike, *, matchings: int = 9999, seed: int = 1) -> MatchingTest:
    """Test the mean of own-pair distances against all ways of giving each patient someone's second sample.

    A rank test of the n own against the n(n - 1) other distances takes those of one sample for independent: p far too small.

    Parameters
    ----------
    distances
        n x n: first sample of patient i to second sample of patient j; own pairs on the diagonal.
    matchings, seed
        Beyond 8 patients: that many seeded matchings, p = (count + 1) / (matchings + 1). Up to 8, all n! are counted.

    Raises
    ------
    StatisticsError
        `distances` is not square or not finite, or `matchings` is below 1.

    References
    ----------
    Phipson & Smyth 2010, doi:10.2202/1544-6115.1585
    """
    refuse_fewer_than_one(matchings, "matchings")
    table = np.asarray(distances, dtype=np.float64)
    n = len(table)
    if table.shape != (n, n) or not np.isfinite(table).all():
        raise StatisticsError(
            "A matching test needs a square table of finite distances, patients in the same order twice."
        )
    own = np.diag(table)
    if n < 2:
        return _untested(float(own.mean()) if n else np.nan)
    exact = n <= EXACT_PATIENTS
    chosen = np.array(list(permutations(range(n)))) if exact else _random_matchings(n, matchings, seed)
    sums = table[np.arange(n), chosen].sum(axis=1)
    count = int((sums <= own.sum() + 1e-12 * n).sum()) + (not exact)  # what ties but for float noise ties
    total = factorial(n) if exact else matchings + 1
    return MatchingTest(
        statistic=float(own.mean()),
        p_value=count / total,
        p_floor=1.0 / total,
        p_count=count,
        p_total=total,
        test="exact matching permutation" if exact else f"matching permutation, {matchings} random matchings",
    )


def _untested(mean: float) -> MatchingTest:
    return MatchingTest(statistic=mean, p_value=np.nan, p_floor=np.nan, p_count=None, p_total=None, test="not tested")


def _random_matchings(n: int, matchings: int, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng([seed, n])
    return random.permuted(np.tile(np.arange(n), (matchings, 1)), axis=1)
