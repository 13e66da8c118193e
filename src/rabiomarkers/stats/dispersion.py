"""How far communities lie from the centre of their group, from distances alone, and whether that differs."""

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.exact import Vector
from rabiomarkers.stats.gower import distance_matrix
from rabiomarkers.stats.paired import PairedTest, sign_flip
from rabiomarkers.stats.patient_effects import of_patients, sample_pairs
from rabiomarkers.stats.permanova import Term, checked_codes


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


def dispersion_change(distances: ArrayLike, patients: ArrayLike, times: ArrayLike, *, seed: int = 1) -> PairedTest:
    """Whether communities lie further from their common centre at one time than at the other: sign-flip test of patients.

    Parameters
    ----------
    distances
        2n x 2n.
    patients, times
        Of each sample; each patient once at each of two times, the change is the later label (in sorted order) minus the earlier.
    seed
        As in `sign_flip`.

    Raises
    ------
    StatisticsError
        A patient has not exactly one sample at each of two times.
    """
    away = centroid_distances(distances, times)
    first, second = sample_pairs(patients, times, len(away))
    return sign_flip(away[second] - away[first], seed=seed)


def dispersion_of_groups(
    distances: ArrayLike, patients: ArrayLike, groups: ArrayLike, *, permutations: int = 9999, seed: int = 1
) -> Term:
    """Whether patients of one group lie further from their group's centre than those of another.

    A patient's samples count with the mean of their distances; groups are handed to whole patients anew, all ways where there
    are at most 10 000.

    Parameters
    ----------
    distances
        Samples x samples.
    patients, groups
        Of each sample; the group is the patient's.
    permutations, seed
        As in `permanova`.

    Raises
    ------
    StatisticsError
        A patient is in two groups.
    """
    away = centroid_distances(distances, groups)
    who = checked_codes("patients", patients, len(away))
    codes = checked_codes("groups", groups, len(away))
    first = np.unique(who, return_index=True)[1]
    if not np.array_equal(codes[first][who], codes):
        raise StatisticsError("A patient belongs to one group, with all samples.")
    means = np.bincount(who, weights=away) / np.bincount(who)
    about = means - means.mean() if len(means) else means
    return of_patients("dispersion", np.outer(about, about), codes[first], float(about @ about), permutations, seed)
