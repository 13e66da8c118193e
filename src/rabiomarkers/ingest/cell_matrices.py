"""Cells x genes matrices that stay in their file: the rows of one sample at a time are brought into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from rabiomarkers.ingest.annotated import damage_told
from rabiomarkers.ingest.findings import Findings

CHUNK = 4_000_000  # numbers that are looked at together
DENSE_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class CellMatrix:
    """One matrix of a file, in memory or not: its name as AnnData calls it, the genes of its columns."""

    name: str
    values: Any  # scipy sparse, numpy, an HDF5 dataset, or a sparse matrix in an HDF5 group
    var: pd.DataFrame

    def rows(self, positions: NDArray[np.intp]) -> sparse.csr_matrix:
        """The cells at these sorted positions, in memory."""
        if len(positions) == 0:
            return sparse.csr_matrix((0, len(self.var)), dtype=np.float32)
        first, last = int(positions[0]), int(positions[-1])
        whole = self.values[first : last + 1]  # rows of one sample mostly lie together
        taken = whole if last - first + 1 == len(positions) else whole[positions - first]
        return sparse.csr_matrix(taken, dtype=np.float32)

    def numbers(self) -> Iterator[NDArray[Any]]:
        """All numbers of the matrix, some at a time; of a sparse one those that are kept."""
        values = self.values
        group = getattr(values, "group", None)
        if group is not None:
            data = group["data"]
            for start in range(0, data.shape[0], CHUNK):
                yield data[start : start + CHUNK]
        elif sparse.issparse(values):
            yield values.data
        else:
            for start in range(0, values.shape[0], DENSE_ROWS):
                yield np.asarray(values[start : start + DENSE_ROWS]).ravel()


@dataclass(frozen=True, kw_only=True)
class CellFile:
    """What a file says of its cells, and the matrices that may hold their counts, the likeliest first."""

    obs: pd.DataFrame
    matrices: tuple[CellMatrix, ...]


def in_memory(data: Any) -> CellFile:
    """An AnnData that was read already."""
    candidates = [CellMatrix(name=".X", values=_indexable(data.X), var=data.var)] if data.X is not None else []
    if "counts" in data.layers:
        counts = _indexable(data.layers["counts"])
        candidates.append(CellMatrix(name=".layers['counts']", values=counts, var=data.var))
    if data.raw is not None:
        candidates.append(CellMatrix(name=".raw", values=_indexable(data.raw.X), var=data.raw.var))
    return CellFile(obs=data.obs, matrices=tuple(candidates))


@contextmanager
def open_cells(path: Path, findings: Findings) -> Iterator[CellFile]:
    """An `.h5ad` whose matrices stay in the file as long as it is open; one that is kept by columns is read whole.

    Raises
    ------
    InputError
        The file is damaged or of another kind.
    """
    with damage_told(findings.file), h5py.File(path) as file:
        obs, var = _frame(file["obs"]), _frame(file["var"])
        candidates = [(".X", "X", var), (".layers['counts']", "layers/counts", var)]
        if "raw" in file and "var" in file["raw"]:
            candidates.append((".raw", "raw/X", _frame(file["raw/var"])))
        matrices = tuple(
            CellMatrix(name=name, values=_matrix(file[key]), var=genes)
            for name, key, genes in candidates
            if key in file
        )
        yield CellFile(obs=obs, matrices=matrices)


def _frame(element: h5py.Group) -> pd.DataFrame:
    from anndata.io import read_elem  # takes a second to load

    found = read_elem(element)
    if not isinstance(found, pd.DataFrame):
        raise TypeError("a table of cells or genes is none")
    return found


def _matrix(element: h5py.Group | h5py.Dataset) -> Any:
    """A matrix whose rows can be asked for."""
    from anndata.io import read_elem, sparse_dataset

    if isinstance(element, h5py.Dataset):
        return element
    found = sparse_dataset(element)
    return found if found.format == "csr" else sparse.csr_matrix(read_elem(element))


def _indexable(values: Any) -> Any:
    return sparse.csr_matrix(values) if sparse.issparse(values) else np.asarray(values)


def fault_of(matrix: CellMatrix) -> str:
    """What keeps the matrix from being counts; empty where nothing does."""
    fractional, above, largest = 0, 0, 0.0
    for values in matrix.numbers():
        if not np.isfinite(values).all():
            return "values that are not finite"
        if (values < 0).any():
            return "negative values"
        fractional += int(np.count_nonzero(values != np.floor(values)))
        above += int(np.count_nonzero(values))
        largest = max(largest, float(values.max(initial=0)))
    if not fractional:
        return ""
    log = ", so probably log-normalised" if largest < 20 else ""
    return f"values that are not whole ({fractional / above:.0%} of those above 0, largest {largest:.4g}{log})"
