"""Ranks of the genes within each sample: one sort a sample, all samples of a block at once."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 64
"""Samples that are ranked together: their intermediate results stay small beside the matrix."""


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each value within its row, 1 for the lowest; equal values share the mean of their ranks.

    Equal to `scipy.stats.rankdata(values, axis=1)`, from one unstable sort: the order among equal values plays no part.

    Parameters
    ----------
    values
        Rows x columns, all finite.
    """
    ranks = np.empty(values.shape, dtype=np.float64)
    for first in range(0, len(values), BLOCK):
        rows = slice(first, first + BLOCK)
        ranks[rows] = _ranked(values[rows])
    return ranks


def _ranked(values: NDArray[np.float64]) -> NDArray[np.float64]:
    number = values.shape[1]
    order = np.argsort(values, axis=1)
    ranks = np.empty(values.shape, dtype=np.float64)
    for row, places in enumerate(order):
        ranks[row, places] = _shared(values[row, places], number)
    return ranks


def _shared(ascending: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """The ranks of sorted values: those of a run of equal values are the mean of its first and its last place."""
    plain = np.arange(1, number + 1, dtype=np.float64)
    new = ascending[1:] != ascending[:-1]
    if new.all():
        return plain
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    lengths = np.diff(starts, append=number)
    return np.repeat(starts + (lengths + 1) / 2, lengths)
