"""Whether two numbers of the same patients go together: Spearman's rank correlation with its exact p."""

from dataclasses import dataclass, fields
from math import factorial

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers
from rabiomarkers.stats.exact import to_grid
from rabiomarkers.stats.guards import refuse_fewer_than_one
from rabiomarkers.stats.paired import NOT_TESTED

EXACT_PAIRS = 12  # 479 001 600 orders, counted in a fraction of a second; above, random ones
BLOCK = 500  # random orders held at once

CONSTANT = "one of the two does not vary"


@dataclass(frozen=True, kw_only=True)
class RankCorrelation:
    """How two numbers go together over the patients who have both. NaN where the data cannot say, with the reason in `note`."""

    n: int  # patients with both
    estimate: float  # Spearman's rho, of mid-ranks
    ci_low: float  # always NaN, see `spearman`
    ci_high: float
    ci_level: float
    p_value: float  # two-sided
    p_floor: float  # the smallest p these n and ties allow
    p_count: int | None  # orders at least as extreme, of `p_total`
    p_total: int | None
    test: str
    note: str


COLUMNS = tuple(field.name for field in fields(RankCorrelation))


def spearman(
    first: ArrayLike, second: ArrayLike, *, digits: int = 12, permutations: int = 9999, seed: int = 1
) -> RankCorrelation:
    """Spearman's rho of two vectors (length n, by patient) and its exact two-sided permutation p.

    Every order of one against the other is counted up to 12 patients, from the mid-ranks at hand, so ties are right: the published
    tables and the t approximation are not made for them. An order counts as extreme when its rho is at least as far from 0 as the
    one observed. Beyond 12 patients seeded random orders, with p = (count + 1) / (permutations + 1).

    No interval is given: none belongs to this test. Those in use (Fisher's z, a bootstrap) rest on a large sample or another
    distribution, and could leave 0 out where this p does not reject.

    Parameters
    ----------
    first, second
        One a patient, in any units; who lacks either plays no part.
    digits
        Significant digits that were measured; what lies below is float noise and makes no difference in rank.
    permutations, seed
        Of the random orders; they play no part up to 12 patients.

    Raises
    ------
    StatisticsError
        The vectors are of different lengths or hold an infinite number, or `digits` or `permutations` is below 1.

    References
    ----------
    Spearman 1904, doi:10.2307/1412159; Phipson & Smyth 2010, doi:10.2202/1544-6115.1585
    """
    refuse_fewer_than_one(digits, "significant digits")
    refuse_fewer_than_one(permutations, "random orders")
    ranks = _doubled_ranks(first, second, digits=digits)
    n = ranks.shape[1]
    if n < 3:
        return _untested(n, f"{n} patient{'' if n == 1 else 's'} with both: a correlation needs at least three")
    if (ranks == ranks[:, [0]]).all(axis=1).any():
        return _untested(n, CONSTANT)
    count, fewest, total = _extreme_orders(ranks, permutations=permutations, seed=seed)
    return RankCorrelation(
        n=n,
        estimate=_rho(*ranks),
        ci_low=np.nan,
        ci_high=np.nan,
        ci_level=np.nan,
        p_value=count / total,
        p_floor=fewest / total,
        p_count=count,
        p_total=total,
        test="exact Spearman" if n <= EXACT_PAIRS else f"Spearman with {permutations} random orders",
        note="",
    )


def product_sum_counts(one: Integers, other: Integers) -> Integers:
    """How many of the n! orders of `other` give each sum of products with `one` (0, 1, 2, ..), both of n <= 12 positive integers.

    Patient by patient: what matters of the places already given away is only which they are, not in which order, so 2**n sets stand
    for n! orders.
    """
    n, largest = len(one), int(np.sort(one) @ np.sort(other))
    reached = {0: np.bincount([0], minlength=largest + 1).astype(np.int64)}
    for value in one.tolist():
        further: dict[int, Integers] = {}
        for given, counts in reached.items():
            for place in range(n):
                if given >> place & 1:
                    continue
                taken, product = given | 1 << place, value * int(other[place])
                if taken not in further:
                    further[taken] = np.zeros(largest + 1, dtype=np.int64)
                further[taken][product:] += counts[: largest + 1 - product]
        reached = further
    return reached[(1 << n) - 1]


def _extreme_orders(ranks: Integers, *, permutations: int, seed: int) -> tuple[int, int, int]:
    """How many orders are at least as extreme as the one observed, how many as the most extreme one, of how many."""
    n = ranks.shape[1]
    centre = int(ranks[0].sum()) * int(ranks[1].sum())
    observed = abs(n * int(ranks[0] @ ranks[1]) - centre)
    # neither the order of patients nor that of the two vectors plays a part from here on
    one, other = sorted(np.sort(ranks, axis=1), key=lambda vector: vector.tolist())
    furthest = max(abs(n * int(one @ turned) - centre) for turned in (other, other[::-1]))
    if n <= EXACT_PAIRS:
        counts = product_sum_counts(one, other)
        distances = np.abs(n * np.arange(len(counts), dtype=np.int64) - centre)
        count, fewest = (int(counts[distances >= least].sum()) for least in (observed, furthest))
        return count, fewest, factorial(n)
    distances = np.abs(n * _random_sums(one, other, permutations, seed) - centre)
    count, fewest = (int((distances >= least).sum()) + 1 for least in (observed, furthest))
    return count, fewest, permutations + 1


def _doubled_ranks(first: ArrayLike, second: ArrayLike, *, digits: int) -> Integers:
    """Twice the mid-ranks (integers, ties or not) of the patients with both numbers: 2 x n; halved again where all are even."""
    vectors = [np.asarray(vector, dtype=np.float64).ravel() for vector in (first, second)]
    if len(vectors[0]) != len(vectors[1]) or any(np.isinf(vector).any() for vector in vectors):
        raise StatisticsError("A rank correlation needs two vectors of one length, each number finite or NaN.")
    both = np.vstack(vectors)
    known = both[:, ~np.isnan(both).any(axis=0)]
    if not known.shape[1]:
        return np.zeros((2, 0), dtype=np.int64)
    ranks = np.rint(2.0 * rankdata(to_grid(known, digits=digits), axis=1)).astype(np.int64)
    whole: Integers = ranks if (ranks % 2).any() else ranks // 2
    return whole


def _rho(one: Integers, other: Integers) -> float:
    """Pearson's correlation of the ranks, from whole numbers: the order of patients cannot change its last digit."""
    n = len(one)
    together = n * int(one @ other) - int(one.sum()) * int(other.sum())
    own = [n * int(ranks @ ranks) - int(ranks.sum()) ** 2 for ranks in (one, other)]
    return float(np.clip(together / np.sqrt(float(own[0]) * float(own[1])), -1.0, 1.0))


def _random_sums(one: Integers, other: Integers, permutations: int, seed: int) -> Integers:
    random = np.random.default_rng([seed, len(one)])
    sums: Integers = np.empty(permutations, dtype=np.int64)
    for start in range(0, permutations, BLOCK):
        part = slice(start, min(start + BLOCK, permutations))
        sums[part] = random.permuted(np.tile(other, (part.stop - start, 1)), axis=1) @ one
    return sums


def _untested(n: int, note: str) -> RankCorrelation:
    return RankCorrelation(
        n=n,
        estimate=np.nan,
        ci_low=np.nan,
        ci_high=np.nan,
        ci_level=np.nan,
        p_value=np.nan,
        p_floor=np.nan,
        p_count=None,
        p_total=None,
        test=NOT_TESTED,
        note=note,
    )
