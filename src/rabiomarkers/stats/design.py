"""Columns of a design: what each term adds to those before it."""

from collections.abc import Sequence

import numpy as np

from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.relabelling import Codes

RANK = 1e-9  # a column of which less than this is new adds nothing


def row_codes(factors: Sequence[Codes], n: int) -> Codes:
    """0, 1, .. for the distinct combinations of the factors' codes (each of length n), in their sorted order."""
    if not factors:
        return np.zeros(n, dtype=np.int64)
    if len(factors) == 1:
        return np.unique(factors[0], return_inverse=True)[1].ravel().astype(np.int64)
    rows = np.stack(factors, axis=1)
    return np.unique(rows, axis=0, return_inverse=True)[1].ravel().astype(np.int64)


def columns_of_terms(factors: Sequence[Codes], n: int) -> list[Matrix]:
    """For each factor an orthonormal basis (n x degrees of freedom) of what it tells beyond the mean and the factors before."""
    known = np.full((n, min(n, 1)), 1.0 / np.sqrt(max(n, 1)))
    columns = []
    for codes in factors:
        groups = (codes[:, None] == np.unique(codes)).astype(np.float64)
        groups /= np.sqrt(groups.sum(axis=0))
        for _ in range(2):  # once more: what rounding left
            groups -= known @ (known.T @ groups)
        basis, size, _ = np.linalg.svd(groups, full_matrices=False)
        columns.append(basis[:, size > RANK])
        known = np.concatenate([known, columns[-1]], axis=1)
    return columns
