"""Whether the members of a set stand out among all features that were ranked by one statistic.

The competitive test takes the members' correlation into account by a fixed amount (0.01), as nothing estimates it from a list;
without, sets of many genes are found everywhere. Equal to limma's `cameraPR` (tests/reference/edger.R). The enrichment score is
that of preranked GSEA, for pictures and the leading edge: no p of its own is taken, as permuting genes takes them for independent.

References
----------
Wu & Smyth 2012, doi:10.1093/nar/gks461; Subramanian et al. 2005, doi:10.1073/pnas.0506580102
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as t_distribution

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Matrix, Vector

CORRELATION = 0.01
ALL_FLIPS_TO = 12  # patients whose 2**n assignments of signs are all counted
FLIPS = 9_999  # of more patients
SAME = 1e-12  # relative: sums that differ by less are equal
FEWEST = 3  # features


@dataclass(frozen=True, kw_only=True)
class Competitive:
    """How a set lies among all features."""

    n: int  # members
    difference: float  # mean signed statistic of the members less that of the others
    statistic: float  # t
    p_value: float  # two-sided


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The running sum down the ranked features."""

    score: float  # its largest deviation from zero, -1 to 1
    edge: Integers  # positions of the members up to there (from the top where the score is positive, else from the bottom)


def competitive_test(
    statistic: Vector, members: Integers, signs: Vector, *, correlation: float = CORRELATION
) -> Competitive:
    """Two-sided t test of the members' mean statistic against the others', the variance inflated by the members' correlation.

    Parameters
    ----------
    statistic
        One number a feature, such as a moderated t; all finite.
    members
        Positions of the set's members, each once.
    signs
        1 or -1 of each member: the statistic of one that is expected to fall counts the other way round.
    correlation
        Between members, -1 to 1.

    Returns
    -------
    NaN where there are fewer than three features, no member, no other feature, or no spread.

    Raises
    ------
    StatisticsError
        A statistic is not finite, a member is named twice, or there is not one sign each.
    """
    values = _signed(statistic, members, signs)
    count, size = len(values), len(members)
    others = count - size
    absent = Competitive(n=size, difference=np.nan, statistic=np.nan, p_value=np.nan)
    if count < FEWEST or not size or not others:
        return absent
    mean, variance = values.mean(), values.var(ddof=1)
    delta = count / others * (values[members].mean() - mean)
    pooled = ((count - 1) * variance - delta**2 * size * others / count) / (count - 2)
    inflation = 1 + (size - 1) * correlation
    error = np.sqrt(max(pooled, 0.0) * max(inflation / size + 1 / others, 0.0))
    if not error > 0:
        return absent
    score = float(delta / error)
    return Competitive(
        n=size,
        difference=float(delta),
        statistic=score,
        p_value=float(2 * t_distribution.sf(abs(score), count - 2)),
    )


def enrichment_walk(statistic: Vector, members: Integers, signs: Vector) -> Walk:
    """Enrichment score of preranked GSEA (weight 1) and its leading edge.

    Features of equal statistic follow one another as they came in; give them sorted by name.

    Parameters
    ----------
    statistic, members, signs
        As in `competitive_test`.

    Raises
    ------
    StatisticsError
        As `competitive_test`.
    """
    values = _signed(statistic, members, signs)
    count, size = len(values), len(members)
    if not size or size == count:
        return Walk(score=np.nan, edge=np.array([], dtype=np.int64))
    order = np.argsort(-values, kind="stable")
    inside = np.zeros(count, dtype=bool)
    inside[members] = True
    hits = np.where(inside[order], np.abs(values[order]), 0.0)
    if not hits.sum() > 0:
        return Walk(score=np.nan, edge=np.array([], dtype=np.int64))
    walk = np.cumsum(hits) / hits.sum() - np.cumsum(~inside[order]) / (count - size)
    high, low = int(np.argmax(walk)), int(np.argmin(walk))
    upwards = walk[high] >= -walk[low]
    part = order[: high + 1] if upwards else order[low + 1 :]
    edge = part[inside[part]]
    return Walk(score=float(walk[high] if upwards else walk[low]), edge=edge if upwards else edge[::-1])


@dataclass(frozen=True, kw_only=True)
class SelfContained:
    """Of each set: whether its patients' means lie to one side."""

    p_value: Vector
    p_floor: Vector  # the smallest p that so many patients, or draws, allow


def self_contained_test(scores: Matrix, *, flips: int = FLIPS, seed: int = 1) -> SelfContained:
    """Two-sided sign-flip test of the mean of each row, whole patients (columns) flipped in all rows at once.

    Up to 12 patients every assignment of signs is counted; beyond, `flips` seeded ones, with p = (count + 1) / (flips + 1).

    Parameters
    ----------
    scores
        Sets x patients: how far the set moved in each patient; all finite.

    Returns
    -------
    NaN where there is no patient, or where all scores of a row are zero.

    Raises
    ------
    StatisticsError
        A score is not finite, or no flip is asked for.

    References
    ----------
    Goeman & Bühlmann 2007, doi:10.1093/bioinformatics/btm051 (self-contained tests)
    """
    if not np.isfinite(scores).all() or flips < 1:
        raise StatisticsError("A sign-flip test needs finite scores and at least one flip.")
    sets, patients = scores.shape
    if not patients or not sets:
        return SelfContained(p_value=np.full(sets, np.nan), p_floor=np.full(sets, np.nan))
    exact = patients <= ALL_FLIPS_TO
    signs = _all_signs(patients) if exact else np.random.default_rng(seed).choice([-1.0, 1.0], (patients, flips))
    observed = np.abs(scores.sum(axis=1, keepdims=True))
    slack = SAME * np.abs(scores).sum(axis=1, keepdims=True)
    reached = (np.abs(scores @ signs) >= observed - slack).sum(axis=1)
    p_value = reached / signs.shape[1] if exact else (reached + 1) / (flips + 1)
    floor = 2 / signs.shape[1] if exact else 1 / (flips + 1)
    still = ~(scores != 0).any(axis=1)
    return SelfContained(p_value=np.where(still, np.nan, p_value), p_floor=np.where(still, np.nan, floor))


def _all_signs(patients: int) -> Matrix:
    """Patients x 2**patients."""
    number = np.arange(2**patients)
    return np.where(number[None, :] >> np.arange(patients)[:, None] & 1, 1.0, -1.0)


def _signed(statistic: Vector, members: Integers, signs: Vector) -> Vector:
    values = np.array(statistic, dtype=np.float64)
    if not np.isfinite(values).all():
        raise StatisticsError("A ranked list needs one finite number a feature.")
    if len(np.unique(members)) < len(members) or len(signs) != len(members):
        raise StatisticsError("Each member of a set is named once and has one sign.")
    values[members] *= signs
    return values
