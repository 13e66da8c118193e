"""Scores of one sample's ranks: singscore, raw ssGSEA, AUCell. One sort a sample; then only the members of each set are touched.

Why they are fast: over the ranks each of them is a sum over members of a function of the rank alone, so all sets and samples
are one sparse product. ssGSEA's running sums need not be run: with r the ascending rank, a member adds its weight to every later
place of the walk, of which there are r. So the sum of the hits is sum(r * w) / sum(w), and that of the misses is what is left of
n (n + 1) / 2.

Genes of equal value share the mean of their ranks, in all three. The published programs order them by their place in the file
(ssGSEA, AUCell) or give each the smallest of their ranks (singscore); without ties all are equal to ours.
"""

from collections.abc import Callable

import numpy as np

from rabiomarkers.features.scoring.expression import Expression, Known, Matrix, Scored, Vector
from rabiomarkers.features.scoring.members import (
    NO_ORDER,
    NOTHING_OUTSIDE,
    Members,
    members_of,
    notes_of,
)

SSGSEA_WEIGHT = 0.25
"""Exponent of the ranks in ssGSEA, as published."""
AUC_SHARE = 0.05
"""AUCell looks at this share of the genes, the highest."""


def singscore(expression: Expression, known: Known) -> Scored:
    """Mean rank of the members, between what is lowest and highest possible for that many genes.

    Only up genes: 0 .. 1, 0.5 by chance. Only down genes: the same of the reversed ranks. Both: the sum of the two, each less 0.5,
    from -1 to 1. Genes of unknown direction (0): how far from the middle they lie, 0 .. 1, high where they are at either end; no
    other direction may stand beside them.

    References
    ----------
    Foroutan et al. 2018, doi:10.1186/s12859-018-2435-4
    """
    return _scored(expression, known, _singscore, unit="rank score")


def ssgsea(expression: Expression, known: Known) -> Scored:
    """Raw enrichment score of single-sample GSEA over the number of genes: not normalised over samples, so no other sample matters.

    The score that the published programs call ES, divided by the number of genes, between -1 and 1 however many genes were
    measured. Of signed sets: up less down. Genes of unknown direction count as up.

    References
    ----------
    Barbie et al. 2009, doi:10.1038/nature08460
    """
    return _scored(expression, known, _ssgsea, unit="enrichment score")


def aucell(expression: Expression, known: Known) -> Scored:
    """Area under the recovery curve of the members among the highest 5 % of genes, 0 .. 1. Of signed sets: up less down.

    References
    ----------
    Aibar et al. 2017, doi:10.1038/nmeth.4463
    """
    return _scored(expression, known, _aucell, unit="recovery AUC")


def _scored(
    expression: Expression, known: Known, score: Callable[[Matrix, int, Members], Matrix], *, unit: str
) -> Scored:
    members = members_of(expression.genes, known.signatures)
    ranks = expression.ranks[:, members.genes]
    values = score(ranks, len(expression.genes), members)
    values[expression.unordered] = np.nan
    reasons = members.reasons(known.minimum_coverage)
    all_inside = members.count(members.everyone) >= len(expression.genes)
    reasons = [
        reason or (NOTHING_OUTSIDE if inside else "") for reason, inside in zip(reasons, all_inside, strict=True)
    ]
    kept, notes = notes_of(values, reasons, NO_ORDER)
    return Scored(features=members.names, values=kept, coverage=members.coverage, unit=unit, notes=notes)


def _singscore(ranks: Matrix, number: int, members: Members) -> Matrix:
    up, down, unknown = members.direction > 0, members.direction < 0, members.direction == 0
    highs, lows = _between(ranks, number, members, up), _between(number + 1 - ranks, number, members, down)
    both = (highs - 0.5) + (lows - 0.5)
    has_up, has_down, has_unknown = (members.count(side) > 0 for side in (up, down, unknown))
    cases = [has_unknown & ~has_up & ~has_down, has_up & has_down & ~has_unknown, has_up & ~has_unknown, has_down]
    either = _off_centre(ranks, number, members, unknown) if unknown.any() else np.full_like(highs, np.nan)
    return np.select([np.broadcast_to(case, highs.shape) for case in cases], [either, both, highs, lows], np.nan)


def _between(ranks: Matrix, number: int, members: Members, chosen: np.ndarray) -> Matrix:
    """Mean rank of the chosen genes between the lowest and the highest that so many genes can have."""
    count = members.count(chosen)
    lowest, span = (count + 1) / 2, number - count
    possible = (count > 0) & (span > 0)
    mean = _ratio(members.total(ranks, chosen), count)
    return np.asarray(np.where(possible, (mean - lowest) / np.where(possible, span, 1), np.nan))


def _off_centre(ranks: Matrix, number: int, members: Members, chosen: np.ndarray) -> Matrix:
    """Mean distance of the ranks from the middle, between the smallest and the largest that so many genes can have."""
    middle = (number + 1) / 2
    distances = np.sort(np.abs(np.arange(1, number + 1) - middle))
    count = members.count(chosen).astype(int)
    least = np.concatenate([[0], np.cumsum(distances)])[count]
    most = np.concatenate([[0], np.cumsum(distances[::-1])])[count]
    total = members.total(np.abs(ranks - middle), chosen)
    possible = (count > 0) & (most > least)
    return np.asarray(np.where(possible, (total - least) / np.where(possible, most - least, 1), np.nan))


def _ssgsea(ranks: Matrix, number: int, members: Members) -> Matrix:
    weights = ranks**SSGSEA_WEIGHT
    up, down = members.direction >= 0, members.direction < 0
    rises, falls = (_enrichment(ranks, weights, number, members, side) for side in (up, down))
    return _up_less_down(rises, falls, members.count(up), members.count(down)) / max(number, 1)


def _enrichment(ranks: Matrix, weights: Matrix, number: int, members: Members, chosen: np.ndarray) -> Matrix:
    hits = _ratio(members.total(ranks * weights, chosen), members.total(weights, chosen))
    outside = number - members.count(chosen)
    return np.asarray(hits - _ratio(number * (number + 1) / 2 - members.total(ranks, chosen), outside))


def _aucell(ranks: Matrix, number: int, members: Members) -> Matrix:
    depth = max(round(AUC_SHARE * number), 2)
    gained = np.clip(depth - (number + 1 - ranks), 0, None)
    up, down = members.direction >= 0, members.direction < 0
    rises, falls = (_ratio(members.total(gained, side), _most(members.count(side), depth)) for side in (up, down))
    return _up_less_down(rises, falls, members.count(up), members.count(down))


def _most(count: Vector, depth: int) -> Vector:
    """What the members would gain if they were the highest of all genes: the sum of depth - 1, depth - 2, ..."""
    seen = np.minimum(count, depth - 1)
    return np.asarray(seen * depth - seen * (seen + 1) / 2)


def _up_less_down(rises: Matrix, falls: Matrix, n_up: Vector, n_down: Vector) -> Matrix:
    return np.asarray(np.where(n_up > 0, rises, 0.0) - np.where(n_down > 0, falls, 0.0))


def _ratio(above: Matrix, below: Vector | Matrix) -> Matrix:
    """The quotient, NaN where there is nothing below."""
    positive = np.broadcast_to(below, above.shape) > 0
    return np.asarray(np.divide(above, below, out=np.full(above.shape, np.nan), where=positive))
