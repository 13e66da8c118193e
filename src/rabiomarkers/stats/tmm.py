"""Read counts of several libraries on one scale: which genes are counted enough, TMM factors, log2 counts per million.

Equal to edgeR's `filterByExpr`, `calcNormFactors` and `cpm(log = TRUE)` (tests/reference/edger.R); no Python package that works
with numpy 2 has them.

References
----------
Robinson & Oshlack 2010, doi:10.1186/gb-2010-11-3-r25; Chen, Lun & Smyth 2016, doi:10.12688/f1000research.8987.2
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Flags, Matrix, Vector

LEAST_TOTAL = 15.0
LARGE_GROUP, LARGE_SHARE = 10, 0.7  # of a group beyond ten, seven tenths must hold the gene
TRIM_RATIO, TRIM_LEVEL = 0.3, 0.05
EQUAL = 1e-6  # log2 ratios below are none
PRIOR_COUNT = 2.0
ROUNDING = 1e-14


def enough_counts(counts: ArrayLike, *, smallest_group: int, minimum_count: float = 10.0) -> Flags:
    """Which genes are counted often enough to be tested.

    A gene stays if in as many samples as the smallest group has, its counts per million are at least what `minimum_count` reads are
    in the library of median size, and if it has 15 reads in all. Of groups beyond ten, seven tenths of the further samples suffice.

    Parameters
    ----------
    counts
        Genes x samples, zero or more.
    smallest_group
        Number of samples of the smaller condition; of pairs, their number.

    Raises
    ------
    StatisticsError
        A count is negative or no number, or a library is empty.
    """
    table, sizes = _counted(counts)
    needed = float(smallest_group)
    if needed > LARGE_GROUP:
        needed = LARGE_GROUP + (needed - LARGE_GROUP) * LARGE_SHARE
    cut = minimum_count / np.median(sizes) * 1e6 if len(sizes) else 0.0
    often = (table / sizes * 1e6 >= cut).sum(axis=1) >= needed - ROUNDING
    return np.asarray(often & (table.sum(axis=1) >= LEAST_TOTAL - ROUNDING))


def tmm_factors(counts: ArrayLike) -> Vector:
    """Trimmed mean of M values: by what each library size must be multiplied so that most genes do not change; their product is 1.

    The reference is the library whose upper quartile lies nearest to the mean of all (the first of them where several do).

    Parameters
    ----------
    counts
        Genes x samples, zero or more.

    Raises
    ------
    StatisticsError
        As `enough_counts`.
    """
    table, sizes = _counted(counts)
    table = table[(table > 0).any(axis=1)]
    if not len(table) or len(sizes) < 2:
        return np.ones(len(sizes))
    quartiles = np.quantile(table, 0.75, axis=0) / sizes
    reference = (
        int(np.argmax(np.sqrt(table).sum(axis=0)))
        if np.median(quartiles) < 1e-20
        else int(np.argmin(np.abs(quartiles - quartiles.mean())))
    )
    factors = np.array(
        [
            _factor(table[:, sample], table[:, reference], sizes[sample], sizes[reference])
            for sample in range(len(sizes))
        ]
    )
    return np.asarray(factors / np.exp(np.log(factors).mean()))


def log_cpm(counts: ArrayLike, factors: ArrayLike | None = None, *, prior_count: float = PRIOR_COUNT) -> Matrix:
    """log2 counts per million of effective library sizes (total times factor).

    To each count `prior_count` is added in proportion to the library's size, so that zeros of small and large libraries are alike.

    Parameters
    ----------
    counts
        Genes x samples, zero or more.
    factors
        Of `tmm_factors`; without, the totals are taken as they are.

    Raises
    ------
    StatisticsError
        As `enough_counts`, or a factor is not above zero.
    """
    table, totals = _counted(counts)
    scale = np.ones(len(totals)) if factors is None else np.asarray(factors, dtype=np.float64)
    if scale.shape != totals.shape or not (scale > 0).all():
        raise StatisticsError("Each library needs one factor above zero.")
    sizes = totals * scale
    prior = prior_count * sizes / sizes.mean()
    return np.asarray(np.log2((table + prior) / (sizes + 2 * prior) * 1e6))


def _counted(counts: ArrayLike) -> tuple[Matrix, Vector]:
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise StatisticsError("Counts are genes x samples, each zero or more.")
    sizes = table.sum(axis=0)
    if not (sizes > 0).all():
        raise StatisticsError(f"{int((sizes <= 0).sum())} libraries hold no read; leave them out.")
    return table, sizes


def _factor(own: Vector, other: Vector, size: float, reference_size: float) -> float:
    both = (own > 0) & (other > 0)
    mine, theirs = own[both] / size, other[both] / reference_size
    ratio, level = np.log2(mine / theirs), (np.log2(mine) + np.log2(theirs)) / 2
    if not len(ratio) or np.abs(ratio).max() < EQUAL:
        return 1.0
    variance = (size - own[both]) / size / own[both] + (reference_size - other[both]) / reference_size / other[both]
    kept = _middle(ratio, TRIM_RATIO) & _middle(level, TRIM_LEVEL)
    weights = 1 / variance[kept]
    return float(2 ** ((ratio[kept] * weights).sum() / weights.sum())) if weights.sum() > 0 else 1.0


def _middle(values: Vector, share: float) -> Flags:
    """Those whose rank is not among the lowest or highest share."""
    low = np.floor(len(values) * share) + 1
    ranks = rankdata(values)
    return np.asarray((ranks >= low) & (ranks <= len(values) + 1 - low))
