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
from rabiomarkers.ingest import cell_matrices
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


@pytest.mark.parametrize("column", ["patient_id", "Donor ID", "subject"])
def test_cells_of_two_patients_under_one_sample_id_are_told(write, column):
    data = adata(sample_id=["S1", "S1", "S2"], **{column: ["P1", "P2", "P2"]})
    told = told_of(write(data), ("S1", "S2"))
    assert told.startswith("cells.h5ad:S1: cells of 2 patients")
    assert "P1, P2; cells of one patient under one sample id" in told
    assert len(told.splitlines()) == 1  # S2 is fine


def test_cells_whose_patient_is_not_said_are_no_second_patient(write):
    pieces = read(write(adata(sample_id=["S1", "S1", "S2"], donor=["P1", None, "P2"])), ("S1", "S2"))
    assert [piece.n_obs for piece in pieces.values()] == [2, 1]


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_everything_that_is_wrong_is_told_at_once(write):
    genes = [f"ENSG0000010000{at}" for at in range(4)]
    data = adata(np.log1p(COUNTS), genes, sample_id=["S1", "S1", "S2"], donor=["P1", "P2", "P2"])
    data.obs_names = ["A", "A", "B"]
    told = told_of(write(data), ("S1", "S3"))
    for fault in (
        "probably log-normalised",
        "no cell group 'S3'",
        "cells of 2 patients",
        "1 cell names twice",
        "Ensembl ids in 4 of 4",
    ):
        assert fault in told, fault


def test_no_cells_are_told_beside_what_else_is_wrong(write):
    data = adata(COUNTS[:0], [f"ENSG0000010000{at}" for at in range(4)])
    told = told_of(write(data))
    assert "no cells; at least one cell" in told
    assert "Ensembl ids in 4 of 4" in told


def test_a_matrix_that_does_not_fit_its_cells_is_told(write):
    path = write(adata())
    with h5py.File(path, "a") as file:
        file["X"].attrs["shape"] = np.array([2, 4])
        del file["X/indptr"]
        file["X/indptr"] = np.array([0, 3, 5])
    assert ".X is 2 x 4; 3 cells x 4 genes, as .obs and .var say" in told_of(path)


@settings(deadline=None, max_examples=25)
@given(
    owners=st.lists(st.sampled_from(["S1", "S2", "S3", ""]), min_size=3, max_size=40),
    block=st.integers(1, 7),
    gap=st.integers(1, 5),
    together=st.sampled_from([1, 40, 10_000]),
    form=st.sampled_from(["csr", "csc", "dense"]),
)
def test_each_sample_gets_its_own_cells_however_they_lie_among_others(
    tmp_path_factory, owners, block, gap, together, form
):
    owners = ["S1", "S2", "S3", *owners]
    counts = np.random.default_rng(len(owners)).poisson(0.8, (len(owners), 4)).astype(np.float32)
    data = adata(counts, ["A1BG", "CD14", "CD19", "CD8A"], sample_id=owners)
    data.X = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "dense": np.asarray}[form](counts)
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    data.write_h5ad(path)
    with pytest.MonkeyPatch.context() as patch:  # limits so small that every way of reading is taken
        patch.setattr(cell_matrices, "BLOCK_ROWS", block)
        patch.setattr(cell_matrices, "LARGEST_GAP", gap)
        patch.setattr(cell_matrices, "TOGETHER", together)
        pieces = read(path, ("S3", "S1", "S2"))
    assert list(pieces) == ["S3", "S1", "S2"]
    for sample, piece in pieces.items():
        mine = [at for at, owner in enumerate(owners) if owner == sample]
        assert piece.X.toarray().tolist() == counts[mine].tolist()
        assert piece.obs_names.tolist() == [f"AC-{at}" for at in mine]


def test_one_sample_at_a_time_is_read_where_samples_lie_one_after_the_other(write):
    """What is asked of the file, by the rows that are read before each sample is handed out."""
    asked = []

    class Rows:
        shape = (6, 2)

        def __getitem__(self, rows):
            asked.append((rows.start, rows.stop))
            return np.ones((rows.stop - rows.start, 2))

    matrix = cell_matrices.CellMatrix(name=".X", values=Rows(), var=pd.DataFrame(index=["A", "B"]))
    samples = {"S2": np.array([3, 4]), "S1": np.array([0, 1, 2]), "S3": np.array([5])}
    before = [(sample, values.shape[0], list(asked)) for sample, values in matrix.of_samples(samples)]
    assert before == [
        ("S1", 3, [(0, 3)]),
        ("S2", 2, [(0, 3), (3, 5)]),
        ("S3", 1, [(0, 3), (3, 5), (5, 6)]),
    ]
    asked.clear()
    among = {"S1": np.array([0, 2, 4]), "S2": np.array([1, 3, 5])}
    assert {sample: values.shape[0] for sample, values in matrix.of_samples(among)} == {"S1": 3, "S2": 3}
    assert asked == [(0, 6)]  # one pass for both
