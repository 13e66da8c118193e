"""Distances as inner products: what a sum of squares of communities is computed from."""

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix

TILE = 64  # rows; a tile stays in the processor's cache
ASYMMETRY = 1e-12  # of the largest distance


def distance_matrix(distances: ArrayLike) -> Matrix:
    """The distances as an array of doubles.

    Raises
    ------
    StatisticsError
        They are not a square, symmetric table of finite, non-negative numbers with zeros on its diagonal.
    """
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise StatisticsError("Distances need a square table, samples in the same order twice.")
    if table.diagonal().any():
        raise StatisticsError("The distance of a sample to itself is zero; this table's diagonal is not.")
    for start in range(0, len(table), TILE):
        rows = slice(start, start + TILE)
        tile, turned = table[rows, : start + TILE], table[: start + TILE, rows].T
        if not (tile.min() >= 0 and np.isfinite(tile.max())):
            raise StatisticsError("Distances are finite numbers that are not negative.")
        if not np.array_equal(tile, turned) and not np.allclose(tile, turned, rtol=0.0, atol=ASYMMETRY * table.max()):
            raise StatisticsError("Distances are the same both ways; this table is not symmetric.")
    return table


def gower_matrix(table: Matrix) -> Matrix:
    """Inner products (n x n) of the samples about their common centroid, from a checked n x n distance matrix.

    Rows and columns add up to zero; the trace is the total sum of squares.

    References
    ----------
    Gower 1966, doi:10.1093/biomet/53.3-4.325
    """
    n = len(table)
    means = np.vecdot(table, table) / max(n, 1)
    overall = float(means.sum()) / max(n, 1)
    products = np.empty((n, n))
    for start in range(0, n, TILE):
        rows = slice(start, start + TILE)
        tile = np.multiply(table[rows], table[rows], out=products[rows])
        tile -= means
        tile -= (means[rows] - overall)[:, None]
        tile *= -0.5
    return products
