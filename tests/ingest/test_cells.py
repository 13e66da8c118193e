"""Single-cell matrices: raw counts of each sample, out of each format."""

import gzip

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import io as scipy_io
from scipy import sparse

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_cells
from rabiomarkers.ingest.cells import read_single_cells, split_cells

ALIASES = pd.Series({"RARRES3": "PLAAT4"}, name="gene")
GENES = ["CD8A", "RARRES3", "PLAAT4", "CD14"]
COUNTS = np.array([[1, 2, 3, 0], [0, 0, 4, 5], [7, 0, 0, 1]], dtype=np.float32)


def adata(counts=COUNTS, genes=GENES, **obs):
    cells = [f"AC-{number}" for number in range(len(counts))]
    return anndata.AnnData(
        X=sparse.csr_matrix(counts), obs=pd.DataFrame(obs, index=cells), var=pd.DataFrame(index=genes)
    )


@pytest.fixture
def write(tmp_path):
    def writer(data, name="cells.h5ad"):
        data.write_h5ad(tmp_path / name)
        return tmp_path / name

    return writer


def read(path, sample_ids=("S1",)):
    return read_single_cells(path, label=path.name, sample_ids=sample_ids, aliases=ALIASES)


def told_of(path, sample_ids=("S1",)):
    with pytest.raises(InputError) as raised:
        read(path, sample_ids)
    return "\n".join(map(str, raised.value.problems))


def test_a_file_of_one_sample_is_that_sample(write):
    piece = read(write(adata()))["S1"]
    assert piece.var_names.to_list() == ["CD14", "CD8A", "PLAAT4"]
    assert piece.X.toarray().tolist() == [[0, 1, 5], [5, 0, 4], [1, 7, 0]]
    assert piece.X.dtype == np.float32
    assert sparse.isspmatrix_csr(piece.X)
    assert piece.uns["passport"]["scale"] == "counts"
    assert piece.uns["passport"]["aliases_resolved"] == 1


def test_a_file_of_many_samples_is_cut_by_its_column(write):
    pieces = read(write(adata(sample_id=["S1", "S2", "S1"], age=[60, 70, 60])), ("S1", "S2"))
    assert [piece.n_obs for piece in pieces.values()] == [2, 1]
    assert pieces["S1"].obs_names.to_list() == ["AC-0", "AC-2"]
    assert pieces["S1"].obs.columns.empty  # nothing of a patient travels along


def test_raw_counts_are_found_in_the_layer_or_in_raw(write):
    logged = adata(np.log1p(COUNTS))
    logged.layers["counts"] = sparse.csr_matrix(COUNTS)
    in_layer = read(write(logged))["S1"]
    kept = adata()
    kept.raw = kept.copy()
    kept.X = sparse.csr_matrix(np.log1p(COUNTS))
    in_raw = read(write(kept, "raw.h5ad"))["S1"]
    assert (in_layer.X != in_raw.X).nnz == 0
    assert in_raw.X.toarray().tolist() == [[0, 1, 5], [5, 0, 4], [1, 7, 0]]


@pytest.mark.parametrize(
    ("data", "samples", "told"),
    [
        (adata(np.log1p(COUNTS)), ("S1",), "so probably log-normalised); raw counts: whole numbers"),
        (adata(COUNTS - 1), ("S1",), "negative values"),
        (adata(np.where(COUNTS == 7, np.nan, COUNTS)), ("S1",), "not finite"),
        (adata(), ("S1", "S2"), "no column `sample_id` in .obs"),
        (adata(sample_id=["S1", "S1", "S2"]), ("S1", "S3"), "no cell group 'S3'; it has S1, S2"),
        (adata(genes=[f"ENSG0000010000{at}" for at in range(4)]), ("S1",), "Ensembl ids in 4 of 4"),
        (adata(COUNTS[:0]), ("S1",), "no cells"),
    ],
)
def test_a_wrong_matrix_is_told(write, data, samples, told):
    assert told in told_of(write(data), samples)


def test_symbols_may_stand_in_a_column_beside_ensembl_ids(write):
    data = adata(genes=[f"ENSG0000010000{at}" for at in range(4)])
    data.var["feature_name"] = GENES
    assert read(write(data))["S1"].var_names.to_list() == ["CD14", "CD8A", "PLAAT4"]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_repeated_cell_names_are_told(write):
    data = adata()
    data.obs_names = ["A", "A", "B"]
    assert "1 cell names twice: A" in told_of(write(data))


def tenx_folder(folder):
    folder.mkdir()
    with gzip.open(folder / "matrix.mtx.gz", "wb") as handle:
        scipy_io.mmwrite(handle, sparse.coo_matrix(COUNTS.T.astype(int)), field="integer")
    rows = "".join(f"ENSG{at}\t{gene}\tGene Expression\n" for at, gene in enumerate(GENES))
    (folder / "features.tsv.gz").write_bytes(gzip.compress(rows.encode()))
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(b"AC-0\nAC-1\nAC-2\n"))
    return folder


def tenx_file(path):
    matrix = sparse.csc_matrix(COUNTS.T.astype(np.int32))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(matrix, name)
        group["shape"] = matrix.shape
        group["barcodes"] = np.array(["AC-0", "AC-1", "AC-2"], dtype="S")
        features = {"id": [f"ENSG{at}" for at in range(4)], "name": GENES}
        features |= {"feature_type": ["Gene Expression"] * 4, "genome": ["GRCh38"] * 4}
        for name, values in features.items():
            group[f"features/{name}"] = np.array(values, dtype="S")
    return path


@pytest.mark.parametrize("make", [tenx_folder, tenx_file])
def test_10x_output_is_read_as_it_comes(tmp_path, make):
    piece = read(make(tmp_path / "filtered.h5"))["S1"]
    assert piece.X.toarray().tolist() == [[0, 1, 5], [5, 0, 4], [1, 7, 0]]
    assert piece.obs_names.to_list() == ["AC-0", "AC-1", "AC-2"]


def test_a_broken_file_or_folder_is_told(tmp_path, write):
    whole = write(adata()).read_bytes()
    (tmp_path / "short.h5ad").write_bytes(whole[: len(whole) // 2])
    assert "a damaged HDF5 file" in told_of(tmp_path / "short.h5ad")
    (tmp_path / "text.h5ad").write_text("gene,S1\n")
    assert "no HDF5 file" in told_of(tmp_path / "text.h5ad")
    (tmp_path / "empty.h5ad").write_text("")
    assert "an empty file" in told_of(tmp_path / "empty.h5ad")
    assert "no such file" in told_of(tmp_path / "none.h5ad")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    assert "neither AnnData nor a 10x matrix" in told_of(tmp_path / "other.h5")
    folder = tenx_folder(tmp_path / "tenx")
    (folder / "matrix.mtx.gz").write_bytes((folder / "matrix.mtx.gz").read_bytes()[:30])
    assert "a damaged 10x matrix folder" in told_of(folder)
    (folder / "barcodes.tsv.gz").unlink()
    assert "a folder without barcodes.tsv" in told_of(folder)


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(4)))
def test_the_order_of_genes_does_not_matter(tmp_path_factory, order):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata(COUNTS[:, list(order)], [GENES[at] for at in order]).write_h5ad(path)
    assert read(path)["S1"].X.toarray().tolist() == [[0, 1, 5], [5, 0, 4], [1, 7, 0]]


def test_the_step_writes_one_file_a_sample(write, tmp_path):
    (tmp_path / "aliases.csv").write_text("alias,gene,source\nRARRES3,PLAAT4,HGNC\n")
    inputs = {"matrix": write(adata(sample_id=["S1", "S2", "S1"])), "aliases": tmp_path / "aliases.csv"}
    out = tmp_path / "out"
    out.mkdir()
    info = split_cells(inputs, out, label="cells.h5ad", sample_ids=["S1", "S2"])
    assert info["cells"] == {"S1": 2, "S2": 1}
    assert read_cells(out / "S1.h5ad").uns["passport"]["cells"] == 2


def test_cells_of_no_sample_are_nobodys(write):
    pieces = read(write(adata(sample_id=pd.Categorical(["S1", None, "S1"]))))
    assert pieces["S1"].n_obs == 2


def test_an_h5ad_whose_parts_lie_in_another_file_is_refused(write, tmp_path):
    write(adata(), "elsewhere.h5ad")
    with h5py.File(tmp_path / "elsewhere.h5ad") as source, h5py.File(tmp_path / "cells.h5ad", "w") as file:
        for name in source:
            file[name] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5ad"), name)
    assert "parts lie in other files" in told_of(tmp_path / "cells.h5ad")
