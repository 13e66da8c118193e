"""UniFrac by matrix algebra: how much of a tree two communities share.

With L the length of a branch and p the share of a sample's reads below it, every variant is a sum over branches. The unweighted
one is bilinear in presence, so what two samples share is one matrix product; the weighted ones are a city-block distance of
L p. Branches are taken some hundred at a time and the tree is kept as a sparse table, so beside the table that is returned
memory grows with the samples, not with samples times branches.

References
----------
Lozupone & Knight 2005, doi:10.1128/AEM.71.12.8228-8235.2005 (unweighted); Lozupone et al. 2007, doi:10.1128/AEM.01996-06
(weighted, normalised); Chen et al. 2012, doi:10.1093/bioinformatics/bts342 (generalised)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from rabiomarkers.errors import AbundanceError
from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.trees import covering

if TYPE_CHECKING:
    from skbio import TreeNode

type Variant = Literal["unweighted", "weighted", "normalized", "generalized"]
type Parts = Iterator[tuple[Vector, Matrix]]
"""Lengths of some branches, and what each sample holds below each (samples x these branches)."""

BLOCK, ROWS = 1024, 128
"""Branches and samples that are looked at together: what they hold stays in the processor's cache."""
VALUES, WIDE = 4_000_000, 1024
"""Values (samples times branches) and samples of a matrix product, which sees to the cache itself and loses by many calls."""

_ROUNDING = 1e-13  # a smaller part of a sum is left over from adding up in another order
_NOTHING = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, kw_only=True)
class Branches:
    """The branches above a list of tips, in a fixed order: their lengths, and which tips lie below each (tips x branches)."""

    lengths: Vector
    below: csr_array


def branch_table(tree: "TreeNode", tips: Sequence[str]) -> Branches:
    """The branches of the tree that have any of the tips below them, up to the root.

    A tree without a root (three branches at the top) is rooted at its midpoint. A branch without a length counts as 0. One above
    the root, as a tree cut out of a larger one has, is a branch that all share: so does scikit-bio (phyloseq and GUniFrac drop
    it, which moves `unweighted` and `normalized`). Other tips of the tree change nothing.

    Raises
    ------
    AbundanceError
        A tip is not in the tree, stands in the list or in the tree twice, or a branch is shorter than 0.
    """
    place = {name: at for at, name in enumerate(tips)}
    if len(place) < len(tips):
        raise AbundanceError("A taxon stands in the table twice; sum its rows.")
    rooted = covering(tree, tips)
    lengths: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    held: dict[int, list[int]] = {}
    for node in rooted.postorder():
        if node.is_tip():
            own = [place[str(node.name)]] if str(node.name) in place else []
        else:
            own = [tip for child in node.children for tip in held.pop(id(child))]
        held[id(node)] = own
        if own and node.length:
            rows += own
            columns += [len(lengths)] * len(own)
            lengths.append(float(node.length))
    marks = (np.ones(len(rows)), (np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)))
    below = csr_array(marks, shape=(len(tips), len(lengths)))
    return Branches(lengths=np.array(lengths, dtype=np.float64), below=below)


def unifrac(
    abundances: Matrix, branches: Branches, *, variant: Variant, alpha: float = 0.5, block: int | None = None
) -> Matrix:
    """UniFrac distance of each sample to each, samples x samples; exactly symmetric, exactly 0 on the diagonal.

    Parameters
    ----------
    abundances
        Samples x tips (in the order of `branch_table`), counts or shares, 0 or more; every sample holds something.
    branches
        Of these tips.
    variant
        ``unweighted`` (length of the branches that lead to one of the two samples only, of those that lead to either; 0..1),
        ``weighted`` (length times difference in share; not bounded by 1), ``normalized`` (the same, divided by the largest
        value possible; 0..1), ``generalized`` (each branch's relative difference, weighted by its length times the sum of the
        two shares to the power `alpha`; 0..1; 1 is ``normalized``).
    alpha
        Of ``generalized``, 0..1: how much common taxa outweigh rare ones.
    block
        Branches at a time, if not as many as go fast; decides nothing else.

    Raises
    ------
    AbundanceError
        A value is negative, absent or infinite, or a sample holds nothing.
    """
    values = np.asarray(abundances, dtype=np.float64)
    totals = values.sum(axis=1, keepdims=True)
    if not (values >= 0).all() or not (totals > 0).all() or not np.isfinite(totals).all():
        raise AbundanceError("UniFrac needs finite abundances of zero or more, and something in every sample.")
    taken = csr_array(values > 0, dtype=np.float64) if variant == "unweighted" else csr_array(values / totals)
    below = branches.below.tocsc()
    width = block or (max(VALUES // max(len(values), 1000), 256) if variant == "unweighted" else BLOCK)
    parts = (
        (branches.lengths[at : at + width], _dense(taken, below[:, at : at + width]))
        for at in range(0, len(branches.lengths), width)
    )
    if variant == "unweighted":
        return _unweighted(parts, len(values))
    if variant == "generalized":
        return _generalized(parts, len(values), alpha)
    return _weighted(parts, len(values), normalized=variant == "normalized")


def _dense(taken: csr_array, below: Any) -> Matrix:
    return np.ascontiguousarray((taken @ below).toarray(), dtype=np.float64)


# ---- the variants: the upper triangle, tile by tile ------------------------------------------------------------------


def _unweighted(parts: Parts, samples: int) -> Matrix:
    table = np.zeros((samples, samples))
    for lengths, held in parts:
        present = (held > 0).astype(np.float64)
        for rows, later in _tiles(samples, WIDE):
            table[rows, later] += (present[rows] * lengths) @ present[later].T
    own = table.diagonal().copy()
    for rows, later in _tiles(samples, ROWS):
        shared = table[rows, later]
        either = own[rows, None] + own[None, later] - shared
        table[rows, later] = _share(either - shared, either)
    return _mirrored(table)


def _weighted(parts: Parts, samples: int, *, normalized: bool) -> Matrix:
    table, reach = np.zeros((samples, samples)), np.zeros(samples)
    for lengths, share in parts:
        scaled = share * lengths
        reach += scaled.sum(axis=1)
        for rows, later in _tiles(samples, ROWS):
            table[rows, later] += cdist(scaled[rows], scaled[later], metric="cityblock")
    if normalized:
        for rows, later in _tiles(samples, ROWS):
            table[rows, later] = _share(table[rows, later], reach[rows, None] + reach[None, later])
    return _mirrored(table)


def _generalized(parts: Parts, samples: int, alpha: float) -> Matrix:
    table, whole = np.zeros((samples, samples)), np.zeros((samples, samples))
    for lengths, share in parts:
        for first in range(samples - 1):
            for at in range(first + 1, samples, ROWS):
                others = share[at : at + ROWS]
                both = np.maximum(others + share[first], _NOTHING)
                weight = np.sqrt(both) if alpha == 0.5 else np.power(both, alpha)  # the root is much faster
                weight *= both > _NOTHING
                whole[first, at : at + ROWS] += weight @ lengths
                table[first, at : at + ROWS] += (np.abs(others - share[first]) / both * weight) @ lengths
    for rows, later in _tiles(samples, ROWS):
        table[rows, later] = _share(table[rows, later], whole[rows, later])
    return _mirrored(table)


def _tiles(samples: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Some samples, and these and all later ones: the tiles on and above the diagonal."""
    for at in range(0, samples, size):
        yield slice(at, min(at + size, samples)), slice(at, samples)


def _share(part: Matrix, whole: Matrix) -> Matrix:
    """The quotient, 0..1; 0 where both communities lie at the root or nothing but rounding is left of the part."""
    told = np.divide(part, whole, out=np.zeros_like(part), where=part > _ROUNDING * whole)
    return np.minimum(told, 1.0)


def _mirrored(table: Matrix) -> Matrix:
    """What lies above the diagonal, on both sides of it."""
    for rows, _ in _tiles(len(table), ROWS):
        own = np.triu(table[rows, rows], k=1)
        table[rows, rows] = own + own.T
        table[rows.stop :, rows] = table[rows, rows.stop :].T
    return table
