"""How far communities lie from the centre of their group, from distances alone, and whether that differs."""

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.gower import distance_matrix
from rabiomarkers.stats.group_squares import BLOCK
from rabiomarkers.stats.paired import ALL_ZERO, NO_PAIR, NOT_TESTED, ONE_PAIR, PairedTest
from rabiomarkers.stats.patient_effects import sample_pairs
from rabiomarkers.stats.permanova import checked_codes, relabelled
from rabiomarkers.stats.relabelling import Labels

TIE = 1e-10  # of the largest distance to a centroid: what differs by less ties


def centroid_distances(distances: ArrayLike, groups: ArrayLike) -> Vector:
    """Distance of each of n samples to the centroid of its own group.

    Distances that are not Euclidean (Bray-Curtis) can make the square negative; it then counts as 0, as in vegan's
    `betadisper(type = "centroid")`.

    Parameters
    ----------
    distances
        n x n.
    groups
        One label a sample.

    Raises
    ------
    StatisticsError
        `distances` is no distance matrix, or a label is missing.

    References
    ----------
    Anderson 2006, doi:10.1111/j.1541-0420.2005.00440.x
    """
    squares = distance_matrix(distances) ** 2
    codes = checked_codes("groups", groups, len(squares))
    away = np.zeros(len(squares))
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        means = squares[np.ix_(own, own)].mean(axis=0)
        away[own] = means - means.mean() / 2
    told: Vector = np.sqrt(np.maximum(away, 0.0))
    return told


def dispersion_change(
    distances: ArrayLike, patients: ArrayLike, times: ArrayLike, *, permutations: int = 9999, seed: int = 1
) -> PairedTest:
    """Whether communities lie further from their common centre at one time than at the other.

    Before and after change places inside patients, and the centres are computed anew each time: all 2**n ways up to 12 pairs.
    Flipping the signs of the patients' differences instead would take them for independent, which the common centres forbid:
    that rejects 0.08 of nulls at 0.05 (10 patients).

    Parameters
    ----------
    distances
        2n x 2n.
    patients, times
        Of each sample; each patient once at each of two times, the change is the later label (in sorted order) minus the earlier.
    permutations, seed
        As in `permanova`.

    Returns
    -------
    `estimate` is the mean change of the distance to the centroid; there is no interval.

    Raises
    ------
    StatisticsError
        A patient has not exactly one sample at each of two times.
    """
    squares = distance_matrix(distances) ** 2
    first, second = sample_pairs(patients, times, len(squares))
    order = np.concatenate([first, second])
    squares, n = squares[np.ix_(order, order)], len(first)
    late, patient = np.repeat([0, 1], n), np.tile(np.arange(n), 2)
    away = centroid_distances(np.sqrt(squares), late)
    moved = np.abs(away[n:] - away[:n]) > TIE * away.max(initial=0.0)
    if n < 2 or not squares.any():
        return _change(n, note=ALL_ZERO if n > 1 else ONE_PAIR if n else NO_PAIR)
    tried = relabelled([late], patient, permutations=permutations, seed=seed)
    changes = _mean_changes(squares, tried.labels)
    observed = float((away[n:] - away[:n]).mean())
    count = int(np.count_nonzero(np.abs(changes) >= abs(observed) - TIE * away.max())) + (not tried.exact)
    total = len(changes) + (not tried.exact)
    test = "exact swaps inside patients" if tried.exact else f"{len(changes)} random swaps inside patients"
    return _change(n, int(moved.sum()), observed, count / total, tried.floor, count, total, test)


def _mean_changes(squares: Matrix, labels: Labels) -> Vector:
    """Mean distance to the centroid of the samples labelled 1 minus that of those labelled 0 (as many), a row a labelling."""
    n = len(squares) // 2
    changes = np.empty(len(labels))
    step = max(BLOCK // len(squares), 1)
    for start in range(0, len(labels), step):
        late = labels[start : start + step].astype(np.float64)
        told = np.zeros(len(late))
        for sign, members in ((1.0, late), (-1.0, 1.0 - late)):
            means = members @ squares / n
            overall = np.vecdot(means, members) / n
            told += sign * np.vecdot(np.sqrt(np.maximum(means - overall[:, None] / 2, 0.0)), members) / n
        changes[start : start + step] = told
    return changes


def _change(
    n: int,
    n_nonzero: int = 0,
    estimate: float = np.nan,
    p_value: float = np.nan,
    p_floor: float = np.nan,
    p_count: int | None = None,
    p_total: int | None = None,
    test: str = NOT_TESTED,
    note: str = "",
) -> PairedTest:
    numbers = {"ci_low": np.nan, "ci_high": np.nan, "ci_level": np.nan, "p_value": p_value, "p_floor": p_floor}
    counts = {"n": n, "n_nonzero": n_nonzero, "p_count": p_count, "p_total": p_total}
    return PairedTest(estimate=estimate, test=test, note=note, **numbers, **counts)  # type: ignore[arg-type]
