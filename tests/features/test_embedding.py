"""The map of single cells: like cells lie together, nothing but the cells decides it, and what makes no map makes none."""

import sys

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from rabiomarkers.errors import CellError
from rabiomarkers.features.embedding import embed, embedding_step
from rabiomarkers.files import read_table, write_cells, write_table
from rabiomarkers.tables.cytometry import EMBEDDING
from rabiomarkers.tables.samples import SAMPLES

TYPES = {"CD4_naive": 0.3, "CD8_TEM": 0.2, "NK_CD56dim": 0.15, "B_naive": 0.15, "mono_classical": 0.2}
LINEAGES = {"CD4_naive": "T_cell", "CD8_TEM": "T_cell", "NK_CD56dim": "NK", "B_naive": "B_cell"}


@pytest.fixture(scope="module")
def cells(make_cells) -> AnnData:
    return make_cells(TYPES, cells=400, seed=2)


@pytest.fixture(scope="module")
def drawn(cells) -> pd.DataFrame:
    return embed(cells)


def test_cells_of_a_type_lie_together_and_share_a_cluster(cells, drawn):
    truth = cells.obs["truth"].to_numpy()
    nearest = KNeighborsClassifier(11).fit(drawn[["x", "y"]], truth)
    assert (nearest.predict(drawn[["x", "y"]]) == truth).mean() > 0.97
    assert adjusted_rand_score(truth, drawn["cluster"]) > 0.8


def test_neighbours_on_the_map_are_neighbours_among_the_genes(cells, drawn):
    counts = cells.X.toarray()
    levels = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    components = PCA(10, svd_solver="full").fit_transform(levels)
    elsewhere = drawn[["x", "y"]].sample(frac=1, random_state=1)
    # scikit-learn's measure: 1/2 of places that know nothing, 1 of places that make up no neighbour
    assert trustworthiness(components, elsewhere) < 0.55
    assert trustworthiness(components, drawn[["x", "y"]]) > 0.8


def test_a_seed_decides_the_map_and_the_order_of_genes_does_not(cells, drawn):
    turned = cells[:, np.random.default_rng(1).permutation(cells.n_vars)].copy()
    pd.testing.assert_frame_equal(embed(turned), drawn)
    assert not embed(cells, seed=2)[["x", "y"]].equals(drawn[["x", "y"]])
    pd.testing.assert_frame_equal(embed(cells, seed=2**32 + 1), drawn)  # seeds of any size are taken


def of(counts) -> AnnData:
    return AnnData(csr_matrix(np.asarray(counts, dtype=np.float32)))


COUNTS = np.random.default_rng(3).poisson(2.0, (150, 40))


@pytest.mark.parametrize(
    "counts",
    [
        np.ones((150, 40)),
        np.zeros((150, 40)),
        np.zeros((150, 0)),
        np.zeros((0, 40)),
        COUNTS[:, :1],
        COUNTS[:, :2],
        COUNTS[:99],
        np.repeat(COUNTS[:50], 3, axis=0),
    ],
    ids=["all alike", "empty", "no gene", "no cell", "one gene", "two genes", "too few", "copies"],
)
def test_cells_that_make_no_map_make_none(counts):
    assert embed(of(counts)).empty


def test_a_hundred_cells_that_differ_are_enough():
    places = embed(of(COUNTS[:100]))
    assert len(places) == 100
    assert np.isfinite(places[["x", "y"]]).all(axis=None)


def mixing(places: pd.DataFrame, batch: np.ndarray) -> float:
    """Share of a cell's ten nearest that are of the other batch; a half where batches are no matter."""
    nearest = NearestNeighbors(n_neighbors=11).fit(places[["x", "y"]]).kneighbors(return_distance=False)
    return float((batch[nearest] != batch[:, None]).mean())


def in_two_batches(cells: AnnData) -> AnnData:
    """Every other cell has half as much again of a third of the genes."""
    counts, batch = cells.X.toarray(), np.arange(cells.n_obs) % 2
    rng = np.random.default_rng(4)
    brighter = np.where(rng.random(cells.n_vars) < 1 / 3, 1.5, 1.0)
    counts[batch == 1] = rng.poisson(counts[batch == 1] * brighter)
    both = of(counts)
    both.obs["batch"] = np.where(batch == 1, "b2", "b1")
    return both


def test_harmony_lays_batches_over_one_another_and_types_stay_apart(cells):
    pytest.importorskip("harmonypy")
    both, truth = in_two_batches(cells), cells.obs["truth"].to_numpy()
    batch = both.obs["batch"].to_numpy()
    apart, over = embed(both), embed(both, harmony=True)
    assert mixing(apart, batch) < 0.38
    assert mixing(over, batch) > 0.44
    assert (KNeighborsClassifier(11).fit(over[["x", "y"]], truth).predict(over[["x", "y"]]) == truth).mean() > 0.97
    pd.testing.assert_frame_equal(embed(both, harmony=True), over)


def test_harmony_leaves_cells_of_one_batch_as_they_are(cells, drawn):
    alone = cells.copy()
    alone.obs["batch"] = "b1"
    pd.testing.assert_frame_equal(embed(alone, harmony=True), drawn)


# ---- the step --------------------------------------------------------------------------------------------------------


def a_row(name: str, compartment: str = "blood", batch: str = "b1") -> dict[str, object]:
    own = {"sample_id": name, "patient_id": name[:2], "timepoint": name[3:], "compartment": compartment, "batch": batch}
    return {**own, "assay": "sc_counts", "path": "c.h5ad", "replicate": 1}


def calls_of(cells: AnnData, *, doublets: int = 0) -> pd.DataFrame:
    truth = cells.obs["truth"].to_numpy()
    table = pd.DataFrame({"barcode": cells.obs_names.to_numpy(), "doublet": np.arange(cells.n_obs) < doublets})
    lineages = [LINEAGES.get(name, "monocyte") for name in truth]
    return table.assign(lineage=lineages, cell_type=truth).mask(table["doublet"], np.nan).assign(**table)


def folder_of(path, parts: dict[str, AnnData], rows: list[dict[str, object]], failed=(), doublets: int = 0):
    """The inputs of the step."""
    path.mkdir()
    sheet = SAMPLES.check(pd.DataFrame(rows).reindex(columns=list(SAMPLES.columns)))
    write_table(sheet, path / "samples.parquet")
    write_table(pd.DataFrame({"sample_id": list(failed), "assay": "sc_counts"}), path / "failed.parquet")
    inputs = {"samples": path / "samples.parquet", "failed": path / "failed.parquet"}
    for name, part in parts.items():
        inputs[f"piece:{name}"], inputs[f"cells:{name}"] = path / f"{name}.h5ad", path / f"{name}.parquet"
        write_cells(AnnData(part.X, obs=part.obs[[]], var=part.var[[]]), inputs[f"piece:{name}"])
        write_table(calls_of(part, doublets=doublets), inputs[f"cells:{name}"])
    return inputs


def run(inputs, out, *, cells=200, harmony=False, seed=1) -> pd.DataFrame:
    out.mkdir()
    embedding_step(inputs, out, cells=cells, harmony=harmony, seed=seed)
    return EMBEDDING.check(read_table(out / "embedding.parquet"))


@pytest.fixture(scope="module")
def parts(cells) -> dict[str, AnnData]:
    return {"P1-pre": cells[:150].copy(), "P1-post": cells[150:190].copy(), "P2-pre": cells[190:400].copy()}


def test_as_many_cells_of_each_sample_are_drawn_and_none_that_are_two(parts, tmp_path):
    inputs = folder_of(tmp_path / "in", parts, [a_row(name) for name in parts], doublets=5)
    table = run(inputs, tmp_path / "out", cells=240)
    assert table["sample_id"].value_counts().to_dict() == {"P1-pre": 80, "P2-pre": 80, "P1-post": 35}
    assert set(table["cell_type"]) == set(TYPES)
    assert (table["lineage"] == [LINEAGES.get(name, "monocyte") for name in table["cell_type"]]).all()


def test_types_stay_with_their_cells(parts, tmp_path):
    table = run(folder_of(tmp_path / "in", parts, [a_row(name) for name in parts]), tmp_path / "out", cells=900)
    nearest = KNeighborsClassifier(11).fit(table[["x", "y"]], table["cell_type"])
    assert len(table) == 400
    assert (nearest.predict(table[["x", "y"]]) == table["cell_type"]).mean() > 0.97


def test_the_order_of_samples_cells_and_genes_in_their_files_plays_no_part(parts, tmp_path):
    rng = np.random.default_rng(5)
    turned = {
        name: part[rng.permutation(part.n_obs), rng.permutation(part.n_vars)].copy()
        for name, part in reversed(parts.items())
    }
    first = run(folder_of(tmp_path / "a", parts, [a_row(name) for name in parts]), tmp_path / "one")
    other = run(folder_of(tmp_path / "b", turned, [a_row(name) for name in turned]), tmp_path / "two")
    pd.testing.assert_frame_equal(first, other)


def test_failed_samples_are_not_drawn_and_compartments_have_maps_of_their_own(parts, tmp_path):
    rows = [a_row("P1-pre"), a_row("P1-post"), a_row("P2-pre", "tumour")]
    table = run(folder_of(tmp_path / "in", parts, rows, failed=["P1-post"]), tmp_path / "out", cells=900)
    assert table.groupby("compartment")["sample_id"].agg(set).to_dict() == {"blood": {"P1-pre"}, "tumour": {"P2-pre"}}
    blood = table[table["compartment"] == "blood"].reset_index(drop=True)
    alone = run(folder_of(tmp_path / "alone", {"P1-pre": parts["P1-pre"]}, rows[:1]), tmp_path / "out_alone", cells=900)
    pd.testing.assert_frame_equal(blood, alone)


def test_samples_with_other_genes_are_drawn_by_those_they_share(parts, tmp_path):
    fewer = parts | {"P2-pre": parts["P2-pre"][:, 100:].copy()}
    table = run(folder_of(tmp_path / "in", fewer, [a_row(name) for name in fewer]), tmp_path / "out")
    assert set(table["sample_id"]) == set(parts)


@pytest.mark.parametrize(("number", "kept"), [(0, 400), (200, 20)], ids=["not asked for", "too few cells"])
def test_without_a_map_the_table_is_empty(parts, tmp_path, number, kept):
    few = {name: part[: kept // 3].copy() for name, part in parts.items()}
    assert run(folder_of(tmp_path / "in", few, [a_row(name) for name in few]), tmp_path / "out", cells=number).empty


def test_a_study_without_single_cells_has_no_map(tmp_path):
    rows = [a_row("P1-pre") | {"assay": "flow"}]
    assert run(folder_of(tmp_path / "in", {}, rows), tmp_path / "out").empty


def test_harmony_that_is_not_installed_is_told_with_what_to_do(parts, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "harmonypy", None)
    inputs = folder_of(tmp_path / "in", parts, [a_row(name) for name in parts])
    with pytest.raises(CellError, match=r"install rabiomarkers\[harmony\]"):
        run(inputs, tmp_path / "out", harmony=True)
    assert not list((tmp_path / "out").iterdir())
