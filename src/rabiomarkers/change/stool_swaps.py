"""Which stools fit another patient better than their own: swaps, and stools that ended up with the wrong patient.

Stools that are unlike everything lie far from their own too, so nearness is judged after the usual distance of each of the two
samples is taken off, in robust SDs of unrelated pairs. Measured on 32 pairs of TOPOSCORE (lung cancer, checkpoint inhibitors), the
later stools of each two patients exchanged in turn: Aitchison's distance, held against Bray-Curtis, names 378 of the 496 swaps and
never anybody else, Bray-Curtis alone 374 (somebody else beside them in 3), none of them one among the true pairs. What is not named
is mostly a swap with a patient whose flora changed, which no distance can tell; of one side of it something is asked in most cases.
After a change of diet (dietswap, 34 pairs) 343 of 561 are named.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from rabiomarkers.stats.arrays import Matrix

type Stool = tuple[str, str]  # patient, timepoint

FITS = 0.35
"""A stool fits where it is given if its likeness is at least this share of the median of the best pairing, ..."""
FITS_LEAST = 2.5
"""... and at least so many robust SDs of unrelated pairs."""
FITS_ALONE = 0.5
"""The same share where nothing comes back in exchange, and then `FITS_LEAST` more than any third stool fits either of the two."""
CLEAR = 0.5
"""Stools tell persons apart if at least this share of the best pairing is clear, ..."""
CLEAR_ALONE = 0.75
"""... and this share where the sheet's pairing does not bear it out."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The stools of both timepoints; the patients with both come first, in one order on both sides."""

    pairs: int
    earlier: list[Stool]
    later: list[Stool]
    across: Matrix  # earlier x later
    within: tuple[Matrix, Matrix]  # earlier x earlier, later x later


@dataclass(frozen=True, kw_only=True)
class Misplaced:
    """What does not lie where it belongs: for a stool, the stool that it fits."""

    swaps: dict[Stool, Stool] = field(default_factory=dict)
    crossed: frozenset[Stool] = frozenset()  # of the swaps, those of an earlier with a later stool
    alone: dict[Stool, Stool] = field(default_factory=dict)  # nothing comes back


def misplaced(sides: Sides, others: Sequence[Sides] = (), *, paired: bool = True) -> Misplaced:
    """The stools that fit another patient better; nothing where the sheet's pairing stands, or stools tell no persons apart.

    The best one-to-one assignment of later to earlier stools is sought (Kuhn 1955, doi:10.1002/nav.3800020109) among those that do
    not lie nearest to their own. A ring of patients who pass their stools on is told if each fits where it goes. Then it is asked
    of every two patients that are left whether the earlier stool of one and the later stool of the other changed places.

    Parameters
    ----------
    sides
        By the distance that is asked.
    others
        The same stools by other distances. What one of them finds no nearer than most strangers does not fit: by Aitchison's
        distance two stools of few taxa are near for all that they both lack.
    paired
        Whether the sheet's pairs as a whole are nearer than re-matched ones. If not, the sheet may have slipped or stools may be of
        a few kinds and nobody's own: more is asked of the best pairing.
    """
    across = _agreed(sides, others, _across)
    pairs = across[: sides.pairs, : sides.pairs]
    typical, clear = _best_pairing(pairs)
    if clear < (CLEAR if paired else CLEAR_ALONE):
        return Misplaced()
    own, fits = np.diag(pairs), max(FITS_LEAST, FITS * typical)
    open_ = np.flatnonzero((own < pairs.max(axis=0)) | (own < pairs.max(axis=1)))
    rings = _rings(pairs, open_, fits)
    swaps: dict[Stool, Stool] = {}
    for earlier, later in rings.items():
        swaps |= {sides.earlier[earlier]: sides.later[later], sides.later[later]: sides.earlier[earlier]}
    left = np.array([place for place in open_ if place not in rings], dtype=np.intp)
    crossed = _crossed(sides, others, own, left, fits)
    left = np.array([place for place in left if sides.earlier[place] not in crossed], dtype=np.intp)
    alone = _alone(sides, across, left, max(FITS_LEAST, FITS_ALONE * typical))
    return Misplaced(swaps=swaps | crossed, crossed=frozenset(crossed), alone=alone)


def likeness(distances: Matrix, *, own: NDArray[np.bool_], unit: float | None = None) -> Matrix:
    """How near two samples are beyond what each is to strangers, in robust SDs of unrelated pairs (0: as strangers).

    Parameters
    ----------
    distances
        Rows x columns, at least two strangers in each.
    own
        Which of them are of one patient (or one sample) and say nothing of strangers.
    unit
        The SD, if it is to be that of another part of the distances (`stranger_spread`).
    """
    beyond, centre = _beyond_strangers(distances, own)
    spread = stranger_spread(distances, own=own) if unit is None else unit
    return (beyond - centre) / spread if spread > 1e-9 * abs(centre) else np.zeros_like(distances)


def stranger_spread(distances: Matrix, *, own: NDArray[np.bool_]) -> float:
    """Robust SD of how near unrelated samples are beyond what each is to strangers, in units of the distance."""
    beyond, centre = _beyond_strangers(distances, own)
    unrelated = beyond[~own]
    spread = 1.4826 * float(np.median(np.abs(unrelated - centre)))
    if spread <= 1e-9 * max(abs(centre), 1e-300):  # most strangers have nothing in common: all equally far
        spread = float(np.std(unrelated))
    return spread


def _beyond_strangers(distances: Matrix, own: NDArray[np.bool_]) -> tuple[Matrix, float]:
    """How much nearer two samples are than each is to strangers, and the median of that of unrelated ones."""
    strangers = np.where(own, np.nan, distances)
    rows, columns = np.nanmedian(strangers, axis=1, keepdims=True), np.nanmedian(strangers, axis=0, keepdims=True)
    beyond = rows + columns - distances
    return beyond, float(np.median(beyond[~own]))


def _earlier(sides: Sides) -> Matrix:
    return sides.within[0]


def _later(sides: Sides) -> Matrix:
    return sides.within[1]


def _across(sides: Sides) -> Matrix:
    return sides.across


def _agreed(sides: Sides, others: Sequence[Sides], part: Callable[[Sides], Matrix]) -> Matrix:
    """Likeness of one part of the distances, all parts in one unit; at most 0 where another distance is that of strangers.

    Of four patients the stools of one timepoint make six pairs, whose spread is by chance as good as none.
    """
    own = np.eye(*part(sides).shape, dtype=np.bool_)
    unit = stranger_spread(sides.across, own=np.eye(*sides.across.shape, dtype=np.bool_))
    told = likeness(part(sides), own=own, unit=unit)
    for other in others:
        table = part(other)
        told = np.where(table < np.median(table[~own]), told, np.minimum(told, 0.0))
    return told


def _best_pairing(pairs: Matrix) -> tuple[float, float]:
    """Median likeness of the best pairing, whoever's the stools are said to be; and the share of it that is clear.

    A pair is clear if no third stool is as near to either of the two.
    """
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    found = pairs[rows, columns]
    others = pairs.copy()
    others[rows, columns] = -np.inf
    beaten = np.maximum(others.max(axis=1)[rows], others.max(axis=0)[columns])
    return float(np.median(found)), float((found > beaten).mean())


def _rings(pairs: Matrix, open_: NDArray[np.intp], fits: float) -> dict[int, int]:
    """Patient of an earlier stool -> patient of the later stool that it fits, for rings in which every one fits."""
    count = len(open_)
    padded = np.full((2 * count, 2 * count), fits)  # a stool that fits nowhere goes nowhere: what is given fits
    padded[:count, :count] = pairs[np.ix_(open_, open_)]
    rows, columns = linear_sum_assignment(padded, maximize=True)
    real = (rows < count) & (columns < count) & (rows != columns)
    given = dict(zip(open_[rows[real]].tolist(), open_[columns[real]].tolist(), strict=True))
    told: dict[int, int] = {}
    left = set(given)
    while left:
        ring = [min(left)]
        while given.get(ring[-1], ring[0]) not in ring:
            ring.append(given[ring[-1]])
        left -= set(ring)
        if given.get(ring[-1]) != ring[0]:
            continue
        gained = pairs[ring, [given[place] for place in ring]]
        if (gained - pairs[ring, ring]).mean() >= fits:
            told |= {place: given[place] for place in ring}
    return told


def _crossed(
    sides: Sides, others: Sequence[Sides], own: Matrix, left: NDArray[np.intp], fits: float
) -> dict[Stool, Stool]:
    """Pairs of patients whose earlier stools fit one another, and whose later ones do: one of each changed places."""
    if len(left) < 2:
        return {}
    blocks = [_agreed(sides, others, part)[np.ix_(left, left)] for part in (_earlier, _later)]
    lower, mean = np.minimum(*blocks), (blocks[0] + blocks[1]) / 2.0
    mean -= (own[left][:, None] + own[left][None, :]) / 2.0
    rows, columns = np.triu_indices(len(left), k=1)
    good = (lower[rows, columns] >= fits) & (mean[rows, columns] >= fits)
    told: dict[Stool, Stool] = {}
    ranked = sorted(zip(-mean[rows, columns][good], rows[good].tolist(), columns[good].tolist(), strict=True))
    for _, row, column in ranked:
        for side in (sides.earlier, sides.later):
            one, other = side[left[row]], side[left[column]]
            if one not in told and other not in told:
                told |= {one: other, other: one}
    return told


def _alone(sides: Sides, across: Matrix, left: NDArray[np.intp], needed: float) -> dict[Stool, Stool]:
    """Stools that clearly fit another patient's who has nothing to give back, and no third stool comes near to either."""
    told: dict[Stool, Stool] = {}
    for own, others, table in ((sides.earlier, sides.later, across), (sides.later, sides.earlier, across.T)):
        for place in left.tolist():
            best = int(table[place].argmax())
            beaten = max(np.delete(table[place], best).max(), np.delete(table[:, best], place).max())
            if best != place and table[place, best] >= max(needed, beaten + FITS_LEAST):
                told[own[place]] = others[best]
    return told
