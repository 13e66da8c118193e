"""Cells x genes matrices that stay in their file: the rows of one sample at a time are brought into memory."""

from collections.abc import Iterator, Mapping
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

type Rows = NDArray[np.intp]

CHUNK = 4_000_000  # numbers that are looked at together
BLOCK_ROWS = 20_000  # rows that are read together
LARGEST_GAP = 200  # rows of others that are read along rather than stopped for
TOGETHER = 200_000_000  # numbers of samples that are held together: 1.6 GB
DENSE_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class CellMatrix:
    """One matrix of a file, in memory or not: its name as AnnData calls it, the genes of its columns."""

    name: str
    values: Any  # scipy sparse, numpy, an HDF5 dataset, or a sparse matrix in an HDF5 group
    var: pd.DataFrame

    def of_samples(self, rows: Mapping[str, Rows]) -> Iterator[tuple[str, sparse.csr_matrix]]:
        """The cells at each sample's sorted positions, in memory: one sample after the other where each one's cells lie together.

        Where samples lie among one another, as many as hold `TOGETHER` numbers are gathered in one pass over the file.
        """
        group: dict[str, Rows] = {}
        sizes, reach, held = self._sizes(), 0, 0
        for sample in sorted(rows, key=lambda name: (rows[name][:1].tolist(), name)):
            positions = rows[sample]
            size = int(sizes[positions].sum())
            if group and (not len(positions) or positions[0] >= reach or held + size > TOGETHER):
                yield from self._gathered(group)
                group, held = {}, 0
            group[sample] = positions
            held += size
            reach = max(reach, int(positions[-1]) + 1) if len(positions) else reach
        yield from self._gathered(group)

    def _sizes(self) -> NDArray[np.int64]:
        """How many numbers each row holds."""
        group = getattr(self.values, "group", None)
        if group is None and not sparse.issparse(self.values):
            return np.full(self.values.shape[0], len(self.var))
        sizes: NDArray[np.int64] = np.diff(self.values.indptr if group is None else group["indptr"][:])
        return sizes

    def _gathered(self, group: Mapping[str, Rows]) -> Iterator[tuple[str, sparse.csr_matrix]]:
        """The samples of a group, from one pass over the rows between their first and last."""
        everyone = np.sort(np.concatenate([*group.values(), np.empty(0, dtype=np.intp)]))
        parts: dict[str, list[sparse.csr_matrix]] = {sample: [] for sample in group}
        for first, last in self._stretches(everyone):
            block = sparse.csr_matrix(self.values[first:last], dtype=np.float32)
            for sample, positions in group.items():
                low, high = np.searchsorted(positions, [first, last])
                if high - low == last - first:
                    parts[sample].append(block)
                elif high > low:
                    parts[sample].append(block[positions[low:high] - first])
        nothing = sparse.csr_matrix((0, len(self.var)), dtype=np.float32)
        for sample in group:
            found = parts.pop(sample)
            yield sample, sparse.vstack(found, format="csr") if len(found) > 1 else next(iter(found), nothing)

    def _stretches(self, positions: Rows) -> Iterator[tuple[int, int]]:
        """Rows from .. to that hold all positions, each short enough for memory, gaps between positions left out."""
        at = 0
        while at < len(positions):
            first = int(positions[at])
            end = int(np.searchsorted(positions, first + BLOCK_ROWS))
            stretch = positions[at:end]
            gaps = np.flatnonzero(np.diff(stretch) > LARGEST_GAP)
            end = at + int(gaps[0]) + 1 if len(gaps) else end
            yield first, int(positions[end - 1]) + 1
            at = end

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
            CellMatrix(name=name, values=_matrix(file[key], name, (len(obs), len(genes)), findings), var=genes)
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


def _matrix(element: h5py.Group | h5py.Dataset, name: str, shape: tuple[int, int], findings: Findings) -> Any:
    """A matrix whose rows can be asked for; it must have the `shape` that the cells and genes of the file make."""
    from anndata.io import read_elem, sparse_dataset

    found = element if isinstance(element, h5py.Dataset) else sparse_dataset(element)
    if tuple(found.shape) != shape:
        expected = f"{shape[0]} cells x {shape[1]} genes, as .obs and .var say"
        told = " x ".join(map(str, found.shape))
        findings.fail(f"{name} is {told}", expected, "copy or write the file again")
    if isinstance(element, h5py.Dataset):
        return element
    by_rows = found.format == "csr"
    check_positions(element, shape if by_rows else shape[::-1], name, findings)
    return found if by_rows else sparse.csr_matrix(read_elem(element))


def check_positions(group: h5py.Group, shape: tuple[int, int], name: str, findings: Findings) -> None:
    """Raise where the positions of a sparse matrix lead out of it: scipy believes them and reads beyond its memory.

    Parameters
    ----------
    group
        `indptr`, `indices` and `data`.
    shape
        How many stretches `indptr` tells apart (rows of CSR, columns of CSC), and how many positions each may have.

    Raises
    ------
    InputError
        `indptr` is no ascending list over all numbers, or a position is none.
    """
    outer, inner = shape
    pointers, indices = np.asarray(group["indptr"][:], dtype=np.int64), group["indices"]
    numbers = indices.shape[0]
    right = len(pointers) == outer + 1 and pointers[0] == 0 and pointers[-1] == numbers == group["data"].shape[0]
    right = right and bool((np.diff(pointers) >= 0).all())
    chunks = (indices[start : start + CHUNK] for start in range(0, numbers, CHUNK))
    if right and all(chunk.min() >= 0 and chunk.max() < inner for chunk in chunks):
        return
    findings.fail(
        f"a damaged matrix {name}: its positions lead out of it",
        "a complete sparse matrix",
        "copy or write the file again",
    )


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
