"""Single-cell counts: `.h5ad`, 10x `.h5` and 10x matrix folders, cut into one piece a sample."""

import gzip
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from rabiomarkers.files import Info, write_cells
from rabiomarkers.ingest.annotated import check_hdf5, gene_names
from rabiomarkers.ingest.cell_matrices import CellFile, CellMatrix, check_positions, fault_of, in_memory, open_cells
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.gene_tables import GeneNames, gene_names_of, recognise
from rabiomarkers.ingest.matrix import check_present
from rabiomarkers.knowledge import load_aliases

if TYPE_CHECKING:
    from anndata import AnnData

TENX_PARTS = (("matrix.mtx",), ("barcodes.tsv",), ("features.tsv", "genes.tsv"))
TENX_KEYS = {"barcodes", "data", "indices", "indptr", "shape"}
PATIENTS = {"patientid", "donorid", "patient", "donor", "subjectid", "subject", "individual", "individualid"}
"""Columns of `.obs` that may say whose a cell is, without case and punctuation."""
DAMAGED = (OSError, EOFError, KeyError, ValueError, IndexError, TypeError, zlib.error, gzip.BadGzipFile)


def read_single_cells(
    path: Path,
    *,
    label: str,
    sample_ids: Sequence[str],
    aliases: pd.Series,
    ensembl: GeneNames | None = None,
) -> dict[str, "AnnData"]:
    """The raw counts of each sample's cells, all in memory; as `single_cells`, which gives them one by one."""
    pieces = dict(single_cells(path, label=label, sample_ids=sample_ids, aliases=aliases, ensembl=ensembl))
    return {sample: pieces[sample] for sample in sample_ids}


def single_cells(
    path: Path,
    *,
    label: str,
    sample_ids: Sequence[str],
    aliases: pd.Series,
    ensembl: GeneNames | None = None,
) -> Iterator[tuple[str, "AnnData"]]:
    """The raw counts of each sample's cells, one sample at a time: an `.h5ad` of many is never whole in memory.

    Parameters
    ----------
    path
        `.h5ad`, 10x `.h5` or a 10x matrix folder. An `.h5ad` may hold many samples: its `.obs["sample_id"]` says whose a cell is.
        Raw counts are taken from `.X`, else from the layer `counts`, else from `.raw`: the first that holds whole numbers.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.
    aliases
        Alias (index) -> HGNC symbol.
    ensembl
        Ensembl gene id -> symbol (`gene_tables`). An id that it does not know stays a gene under that id.

    Yields
    ------
    Sample id and cells x genes, in the order of the file: CSR float32, genes sorted and each once (the counts of one gene are
    summed), `.obs` without columns, `.uns["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file, before the first sample.
    """
    from anndata import AnnData  # takes a second to load: only when a cell matrix is read

    findings = Findings(label)
    with _open(path, findings) as data:
        counts = _raw_counts(data, findings)
        rows = _rows(data.obs, sample_ids, findings)
        genes, facts = recognise(gene_names(counts.var), aliases, findings, gene_names=ensembl)
        findings.raise_if_any()
        indicator = sparse.csr_matrix(genes.indicator().T, dtype=np.float32)
        for sample, values in counts.of_samples(rows):
            summed = sparse.csr_matrix(values @ indicator, dtype=np.float32)
            summed.sort_indices()
            obs = pd.DataFrame(index=pd.Index(data.obs.index[rows[sample]].astype(str), name=None))
            piece = AnnData(X=summed, obs=obs, var=pd.DataFrame(index=genes.symbols))
            piece.uns["passport"] = {"scale": "counts", "declared": "sc_counts", "cells": piece.n_obs} | facts
            yield sample, piece


def split_cells(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix`, `aliases` -> `<sample_id>.h5ad` of each sample; tells how many cells each has.

    Further inputs: `ensembl` (the table of gene ids that ships) or `gene_names` (the study's own).
    """
    cells: dict[str, int] = {}
    passport: Info = {}
    for sample, piece in single_cells(
        inputs["matrix"],
        label=label,
        sample_ids=sample_ids,
        aliases=load_aliases(inputs["aliases"]),
        ensembl=gene_names_of(inputs),
    ):
        write_cells(piece, out / f"{sample}.h5ad")
        cells[sample] = piece.n_obs
        passport = passport or dict(piece.uns["passport"])
    return passport | {"cells": {sample: cells[sample] for sample in sample_ids}}


@contextmanager
def _open(path: Path, findings: Findings) -> Iterator[CellFile]:
    if path.is_dir():
        yield in_memory(_tenx_folder(path, findings))
        return
    check_hdf5(path, findings.file)
    if _is_tenx(path, findings):
        yield in_memory(_tenx_file(path, findings))
        return
    with open_cells(path, findings) as data:
        yield data


def _is_tenx(path: Path, findings: Findings) -> bool:
    """Whether the HDF5 file is 10x's (of Cell Ranger 3 and later, or 2) and no AnnData."""
    try:
        with h5py.File(path) as file:
            if "obs" in file and "var" in file:
                return False
            groups = [group for group in file.values() if isinstance(group, h5py.Group)]
            tenx = any(set(group) >= TENX_KEYS and ("features" in group or "gene_names" in group) for group in groups)
    except OSError:
        findings.fail("a damaged HDF5 file", "a complete .h5ad or 10x .h5 file", "copy or write it again")
    if not tenx:
        findings.fail("neither AnnData nor a 10x matrix", "an .h5ad or 10x .h5 file", "check the path")
    return True


def _tenx_file(path: Path, findings: Findings) -> Any:
    import scanpy  # takes seconds to load: only when a 10x file is read

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # repeated gene names are summed here
        try:
            _check_tenx(path, findings)
            return scanpy.read_10x_h5(path)
        except DAMAGED:
            findings.fail("a damaged 10x file", "a complete 10x .h5 file", "copy or write it again")


def _check_tenx(path: Path, findings: Findings) -> None:
    """Raise where the positions of a matrix lead out of it; 10x keeps genes x cells by columns."""
    with h5py.File(path) as file:
        for name, group in file.items():
            if isinstance(group, h5py.Group) and set(group) >= TENX_KEYS:
                genes, cells = (int(size) for size in group["shape"][:])
                check_positions(group, (cells, genes), name, findings)


def _tenx_folder(path: Path, findings: Findings) -> Any:
    import scanpy  # takes seconds to load: only when a 10x folder is read

    there = {part.name.removesuffix(".gz") for part in path.iterdir()}
    for names in TENX_PARTS:
        if not there & set(names):
            wanted = " or ".join(f"{name} or {name}.gz" for name in names)
            findings.add(f"a folder without {names[0]} (it has {named(sorted(there))})", wanted, "name the 10x folder")
    findings.raise_if_any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return scanpy.read_10x_mtx(path, make_unique=False)
        except DAMAGED:
            findings.fail("a damaged 10x matrix folder", "complete matrix, barcodes and features", "copy it again")


def _raw_counts(data: CellFile, findings: Findings) -> CellMatrix:
    """The first matrix that holds whole numbers; where none does that is noted, and the first stands for its genes."""
    faults = []
    for matrix in data.matrices:
        fault = fault_of(matrix)
        if not fault:
            return matrix
        faults.append(f"{matrix.name} holds {fault}")
    expected = "raw counts: whole numbers"
    remedy = "store the raw counts in .X or in the layer `counts`, before normalisation and logarithm"
    if not faults:
        findings.fail("no matrix", expected, remedy)
    findings.add("; ".join(faults), expected, remedy)
    return data.matrices[0]


def _rows(obs: pd.DataFrame, sample_ids: Sequence[str], findings: Findings) -> dict[str, np.ndarray[Any, Any]]:
    """The positions of each sample's cells, in the order of the file."""
    if not len(obs):
        findings.add("no cells", "at least one cell", "check that the file is the right one")
        return {}
    if "sample_id" in obs.columns:
        # a cell without a sample (a negative of demultiplexing) is nobody's
        owner = obs["sample_id"].astype("object").where(obs["sample_id"].notna(), "").astype(str).to_numpy()
        check_present(sample_ids, sorted(set(owner) - {""}), findings, where="cell group")
        rows = {sample: np.flatnonzero(owner == sample) for sample in sample_ids}
    elif len(sample_ids) == 1:
        rows = {sample_ids[0]: np.arange(len(obs))}
    else:
        findings.add(
            f"cells of {len(sample_ids)} samples, but no column `sample_id` in .obs",
            ".obs['sample_id'] saying whose each cell is",
            "add it, or give each sample a file of its own",
        )
        return {}
    _check_patients(obs, rows, findings)
    for sample, positions in rows.items():
        barcodes = obs.index[positions]
        if barcodes.has_duplicates:
            repeats = barcodes[barcodes.duplicated()]
            findings.add(
                f"{len(repeats)} cell names twice: {named(repeats)}",
                "each cell of a sample once",
                "make the barcodes unique before merging files",
                column=sample,
            )
    return rows


def _check_patients(obs: pd.DataFrame, rows: Mapping[str, np.ndarray[Any, Any]], findings: Findings) -> None:
    """Note samples that hold cells of several patients, as far as the file knows them."""
    for column in (name for name in obs.columns if _plain(name) in PATIENTS):
        owner = obs[column].astype("object")
        for sample, positions in rows.items():
            known = sorted({str(name) for name in owner.iloc[positions].dropna()})
            if len(known) > 1:
                findings.add(
                    f"cells of {len(known)} patients by .obs[{column!r}]: {named(known)}",
                    "cells of one patient under one sample id",
                    "correct .obs['sample_id'], or demultiplex the cells first",
                    column=sample,
                )


def _plain(column: object) -> str:
    return "".join(character for character in str(column).lower() if character.isalnum())
