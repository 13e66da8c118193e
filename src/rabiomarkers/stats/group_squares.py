"""Sums of squares between groups for thousands of labellings at once, as matrix products.

All products are scipy's: numpy brings a second BLAS, and the idle threads of one keep the other from the processor.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dgemm, dtrmm, strmm

from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.relabelling import Codes, Labels

type Single = NDArray[np.float32]

BLOCK = 2**18  # numbers of a matrix product held at once
TILE = 64  # rows that stay in the processor's cache
SINGLE_SAMPLES = 64  # below, single precision saves nothing
EXACT_SINGLE = 2**24  # whole numbers up to here are exact in single precision
TIE = 1e-11  # of the total sum of squares: what differs by less ties, and is float noise


def squares_between(gram: Matrix, labels: Labels | Codes, sizes: Codes) -> Vector:
    """Sum of squares between groups for each row of `labels` (labellings x n; sizes[g] samples have label g).

    `gram` (n x n) holds inner products whose rows add up to zero, so the last group's sums follow from those of the others.
    """
    if 2 * len(labels) < len(gram):  # too few to earn a halved copy
        members = np.stack([labels == label for label in range(len(sizes) - 1)]).astype(np.float64)
        products = dgemm(1.0, gram.T, members.reshape(-1, len(gram)).T).T
        return _combined(products.reshape(members.shape), members, sizes)
    halved = gram.copy()
    halved[np.diag_indices(len(gram))] /= 2
    return _squares(halved, labels, sizes)


def count_at_least(gram: Matrix, labels: Labels, sizes: Codes, observed: float) -> int:
    """How many rows of `labels` have a sum of squares between groups of at least `observed`; ties count.

    Large tables are decided in single precision where that is certain, and the rest again in double.
    """
    tie = TIE * float(np.abs(gram.diagonal()).sum())
    if len(gram) < SINGLE_SAMPLES:
        return int(np.count_nonzero(squares_between(gram, labels, sizes) >= observed - tie))
    unit, whole = _whole_numbers(gram)
    squares = unit * _squares(whole, labels, sizes)
    # |z'Ez| <= |E| |z|^2: no entry of E, what rounding to whole numbers left, is above unit / 2 (on the diagonal: unit)
    room = unit / 2 * (len(gram) + 2) * float(len(sizes) - 1 + sizes[:-1].sum() / sizes[-1]) + tie
    undecided = labels[np.abs(squares - observed) <= room]
    certain = int(np.count_nonzero(squares > observed + room))
    return certain + int(np.count_nonzero(squares_between(gram, undecided, sizes) >= observed - tie))


def _whole_numbers(gram: Matrix) -> tuple[float, Single]:
    """The lower triangle, its diagonal halved, in whole numbers of the unit that is returned with it.

    A row adds up to zero, so no part of it adds up to more than half its absolute sum. With the unit chosen by that, every
    sum, in whatever order it is taken, stays below 2**24: single precision makes no error.
    """
    n = len(gram)
    room = np.empty((TILE, n))
    largest = 0.0
    for start in range(0, n, TILE):
        rows = gram[start : start + TILE]
        largest = max(largest, float(np.abs(rows, out=room[: len(rows)]).sum(axis=1).max()))
    unit = largest / 2 / (EXACT_SINGLE - 2 * n) or 1.0
    whole = np.empty((n, n), dtype=np.float32)
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        tile = np.multiply(gram[start:stop, :stop], 1.0 / unit, out=room[: stop - start, :stop])
        tile[np.arange(stop - start), np.arange(start, stop)] /= 2
        whole[start:stop, :stop] = np.rint(tile, out=tile)
    return unit, whole


def _squares(halved: Matrix | Single, labels: Labels | Codes, sizes: Codes) -> Vector:
    """As `squares_between`, from the lower triangle with its diagonal halved: half of each z'Gz for half the work."""
    multiply = strmm if halved.dtype == np.float32 else dtrmm
    squares = np.empty(len(labels))
    step = max(BLOCK // (labels.shape[1] * (len(sizes) - 1)), 1)
    for start in range(0, len(labels), step):
        rows = labels[start : start + step]
        members: NDArray[np.floating] = np.stack([rows == label for label in range(len(sizes) - 1)]).astype(
            halved.dtype
        )
        # the library counts by columns: what is the lower triangle here is the upper one there
        products = multiply(2.0, halved.T, members.reshape(-1, members.shape[2]).T, trans_a=0).T
        squares[start : start + step] = _combined(products.reshape(members.shape), members, sizes)
    return squares


def _combined(products: NDArray[np.floating], members: NDArray[np.floating], sizes: Codes) -> Vector:
    """Sum over groups of z'Gz / size, from Gz and z of all groups but the last (groups x labellings x samples)."""
    forms = np.einsum("gij,gij->gi", products, members, dtype=np.float64)
    others = forms[0]  # the last group is all that the others are not: the same form as their union
    if len(members) > 1:
        others = np.einsum("ij,ij->i", products.sum(axis=0), members.sum(axis=0), dtype=np.float64)
    squares: Vector = (forms / sizes[:-1, None]).sum(axis=0) + others / sizes[-1]
    return squares
