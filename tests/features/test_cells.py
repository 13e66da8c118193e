import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CellError, ScaleError
from rabiomarkers.features.annotation import UNASSIGNED
from rabiomarkers.features.cells import call_cells, cell_features, cell_sample_quality, cell_step
from rabiomarkers.files import read_table, write_cells
from rabiomarkers.schema import config_path

OPTIONS = {"minimum_genes": 50, "maximum_mitochondrial_percent": 20.0, "minimum_score_margin": 0.1, "seed": 1}


LINEAGES = {"CD8_TEM": "T_cell", "Treg": "T_cell", "B_naive": "B_cell", UNASSIGNED: UNASSIGNED}


def called_as(*types: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "barcode": [str(number) for number in range(len(types))],
            "genes": 1000,
            "mitochondrial_percent": 5.0,
            "kept": True,
            "doublet": False,
            "lineage": [LINEAGES[name] for name in types],
            "cell_type": list(types),
        }
    )


def test_fractions_are_of_intact_single_cells_and_sum_to_one(tree):
    called = called_as("CD8_TEM", "CD8_TEM", "B_naive", UNASSIGNED, "CD8_TEM", "CD8_TEM")
    called.loc[4, "doublet"], called.loc[5, "kept"] = True, False
    values = cell_features(called, tree, pd.Index(tree.genes)).set_index("feature")["value"]
    assert values["fraction_CD8_TEM"] == 0.5
    assert values["fraction_unassigned"] == 0.25
    assert values["fraction_MAIT"] == 0.0
    assert values[[f"fraction_{name}" for name in (*tree.types, UNASSIGNED)]].sum() == pytest.approx(1)


def test_a_lineage_is_counted_by_its_own_call_where_its_types_are_undecided(tree):
    called = called_as("CD8_TEM", "Treg", "B_naive", UNASSIGNED, UNASSIGNED)
    called.loc[3, "lineage"] = "T_cell"  # a T cell of an undecided type
    features = cell_features(called, tree, pd.Index(tree.genes)).set_index("feature")
    assert features.loc["fraction_T_cell", "value"] == 0.6
    assert features.loc["fraction_B_cell", "value"] == 0.2
    assert features.loc["fraction_monocyte", "value"] == 0.0
    assert features.loc["fraction_unassigned", "value"] == 0.4
    # platelet, neutrophil, .. are types themselves: one row each
    lineages = {f"fraction_{name}" for name in set(tree.lineage.values()) - set(tree.types)}
    assert lineages == {f"fraction_{name}" for name in ("T_cell", "B_cell", "NK", "monocyte", "DC")}
    assert features.index.is_unique


def test_a_lineage_none_of_whose_types_was_measured_has_no_share(tree):
    own = {gene for name in tree.types if tree.lineage[name] == "B_cell" for gene in tree.own[name]}
    genes = pd.Index([gene for gene in tree.genes if gene not in own])
    row = cell_features(called_as("CD8_TEM"), tree, genes).set_index("feature").loc["fraction_B_cell"]
    assert np.isnan(row["value"])
    assert row["note"] == "none of the markers of this lineage's types was measured"


@pytest.mark.parametrize("cells", [4, 400])
def test_the_log_ratio_adds_half_a_cell_in_a_hundred_to_every_type_of_the_closed_list(tree, cells):
    values = cell_features(called_as(*["CD8_TEM"] * cells), tree, pd.Index(tree.genes)).set_index("feature")["value"]
    # of 100 cells 29 types at 0.5, one at 100.5: ln 100.5 - (29 ln 0.5 + ln 100.5) / 30 = 29 / 30 * ln 201
    assert values["clr_CD8_TEM"] == pytest.approx(29 / 30 * np.log(201))
    assert values["clr_Treg"] == pytest.approx(-np.log(201) / 30)
    assert values.filter(like="clr_").sum() == pytest.approx(0, abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(
    types=st.lists(st.sampled_from(["CD8_TEM", "Treg", "B_naive", UNASSIGNED]), min_size=1, max_size=30),
    random=st.randoms(),
)
def test_the_order_of_cells_changes_no_fraction(tree, types, random):
    mixed = list(types)
    random.shuffle(mixed)
    genes = pd.Index(tree.genes)
    pd.testing.assert_frame_equal(
        cell_features(called_as(*types), tree, genes), cell_features(called_as(*mixed), tree, genes)
    )


def test_a_type_without_a_measured_marker_has_no_value(tree):
    genes = pd.Index([gene for gene in tree.genes if gene not in tree.own["Treg"]])
    features = cell_features(called_as("CD8_TEM"), tree, genes).set_index("feature")
    assert np.isnan(features.loc["fraction_Treg", "value"])
    assert np.isnan(features.loc["clr_Treg", "value"])
    assert features.loc["clr_Treg", "note"] == "none of this type's markers was measured"
    assert features.loc["clr_Treg", "coverage"] == 0


def test_no_cell_left_is_told(tree):
    called = called_as("CD8_TEM").assign(kept=False)
    features = cell_features(called, tree, pd.Index(tree.genes))
    assert features["value"].isna().all()
    assert (features["note"] == "no intact single cell was left").all()
    quality = cell_sample_quality(called).set_index("measure")
    assert not quality.loc["cells_kept", "passed"]


def test_only_unassigned_cells_have_fractions_but_no_log_ratio(tree):
    features = cell_features(called_as(UNASSIGNED), tree, pd.Index(tree.genes)).set_index("feature")
    assert features.loc["fraction_unassigned", "value"] == 1.0
    assert features.loc["clr_Treg", "note"] == "no cell was assigned to a type"


def test_cells_are_called_and_counted_right(make_cells, markers, tree):
    cells = make_cells(cells=1000, doublets=50)
    called = call_cells(cells, markers, **OPTIONS)
    truth = cells.obs["truth"].reindex(called["barcode"]).to_numpy()
    single = (called["kept"] & ~called["doublet"]).to_numpy() & (truth != "doublet")
    assert (called["cell_type"].to_numpy()[single] == truth[single]).mean() >= 0.95
    assert called.loc[truth == "doublet", "doublet"].mean() > 0.2
    assert called.loc[truth != "doublet", "doublet"].mean() < 0.02
    features = cell_features(called, tree, pd.Index(cells.var_names)).set_index("feature")["value"]
    shares = pd.Series(truth[truth != "doublet"]).value_counts(normalize=True)
    assert max(abs(features[f"fraction_{name}"] - share) for name, share in shares.items()) < 0.02


def test_the_order_of_cells_and_genes_in_the_file_changes_nothing(make_cells, markers):
    cells = make_cells(cells=200)
    rng = np.random.default_rng(3)
    mixed = cells[rng.permutation(cells.n_obs), rng.permutation(cells.n_vars)].copy()
    pd.testing.assert_frame_equal(call_cells(mixed, markers, **OPTIONS), call_cells(cells, markers, **OPTIONS))


def test_broken_cells_and_empty_droplets_are_left_out(make_cells, markers):
    cells = make_cells(cells=60)
    counts = cells.X.toarray()
    counts[0, 3:] = 0  # an empty droplet: at most three genes
    counts[1, -3:] = 2000  # a broken cell: mostly mitochondrial
    changed = AnnData(csr_matrix(counts), obs=cells.obs, var=cells.var)
    called = call_cells(changed, markers, **OPTIONS).set_index("barcode")
    assert called.loc[cells.obs_names[:2], "kept"].tolist() == [False, False]
    assert called["kept"].sum() == 58
    assert called.loc[cells.obs_names[1], "mitochondrial_percent"] > 50


def test_without_mitochondrial_genes_their_share_is_empty_and_takes_no_cell_out(make_cells, markers):
    cells = make_cells(cells=40)
    called = call_cells(cells[:, :-3].copy(), markers, **OPTIONS)
    assert called["mitochondrial_percent"].isna().all()
    assert called["kept"].all()


def test_few_cells_are_called_without_looking_for_doublets(make_cells, markers):
    called = call_cells(make_cells(cells=40), markers, **OPTIONS)
    assert not called["doublet"].any()
    quality = cell_sample_quality(called, minimum_cells=50).set_index("measure")
    assert np.isnan(quality.loc["doublet_share", "value"])
    assert quality.loc["cells_kept", ["value", "limit", "passed"]].tolist() == [40.0, ">= 50", False]


def test_a_sample_without_cells_gives_empty_calls(make_cells, markers):
    called = call_cells(make_cells(cells=40)[:0].copy(), markers, **OPTIONS)
    assert called.empty
    assert not cell_sample_quality(called).set_index("measure").loc["cells_kept", "passed"]


def test_values_that_are_no_counts_are_refused(make_cells, markers):
    cells = make_cells(cells=10)
    cells.X = cells.X * np.float32(0.3)
    with pytest.raises(ScaleError, match=r"Is \.X normalised"):
        call_cells(cells, markers, **OPTIONS)


def test_a_gene_that_occurs_twice_is_refused(make_cells, markers):
    cells = make_cells(cells=10)
    cells = cells[:, [0, 0, 1]]  # a view, as a copy warns
    with pytest.raises(CellError, match="more than once"):
        call_cells(cells, markers, **OPTIONS)


def test_the_step_writes_the_same_bytes_twice(make_cells, tmp_path):
    cells = make_cells(cells=150)
    del cells.obs["truth"]
    write_cells(cells, tmp_path / "S1.h5ad")
    inputs = {"sample": tmp_path / "S1.h5ad", "markers": config_path("markers/immune_markers.csv")}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        info = cell_step(inputs, tmp_path / folder, minimum_cells=100, **OPTIONS)
    assert info == {"cells": 150, "kept": 150}
    for name in ("features.parquet", "qc.parquet", "cells.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert read_table(tmp_path / "one" / "qc.parquet")["passed"].all()
    assert "barcode" in read_table(tmp_path / "one" / "cells.parquet").columns


def test_a_sample_is_called_the_same_whatever_other_samples_are_there(make_cells, tmp_path):
    """Through the reader and the step: alone in its file, and in a file of three whose cells lie among its own."""
    from anndata import concat

    from rabiomarkers.ingest.cells import split_cells

    made = {name: make_cells(cells=120, seed=seed) for seed, name in enumerate(("S1", "S2", "S3"), start=1)}
    for name, cells in made.items():
        cells.obs = pd.DataFrame({"sample_id": name}, index=[f"{name}-{barcode}" for barcode in cells.obs_names])
    together = concat(list(made.values()))
    mixed = together[np.random.default_rng(5).permutation(together.n_obs)].copy()
    made["S2"].write_h5ad(tmp_path / "alone.h5ad")
    mixed.write_h5ad(tmp_path / "three.h5ad")
    told = {}
    for file, samples in (("alone", ["S2"]), ("three", ["S1", "S2", "S3"])):
        out = tmp_path / file
        out.mkdir()
        inputs = {"matrix": tmp_path / f"{file}.h5ad", "aliases": config_path("signatures/gene_aliases.csv")}
        split_cells(inputs, out, label="cells", sample_ids=samples)
        piece = {"sample": out / "S2.h5ad", "markers": config_path("markers/immune_markers.csv")}
        cell_step(piece, out, minimum_cells=50, quality_limits="mad", **OPTIONS)
        told[file] = {name: read_table(out / f"{name}.parquet") for name in ("features", "qc", "cells")}
    for name in ("features", "qc", "cells"):
        pd.testing.assert_frame_equal(told["alone"][name], told["three"][name], check_exact=True)


def test_the_simulated_trial_is_called_right(markers, tree):
    from rabiomarkers.simulate.cells import blood_samples
    from rabiomarkers.simulate.design import design_trial

    design = design_trial(patients=1, seed=7)
    _, blood = next(iter(blood_samples(design, design.patients[0], cells=800)))
    found = call_cells(blood.cells, markers, mads=5.0, **OPTIONS | {"minimum_genes": 200})
    called = found.merge(blood.truth, on="barcode", suffixes=("", "_true"))
    intact = called[called["kept"] & ~called["doublet"] & ~called["doublet_true"] & ~called["broken"]]
    assert intact["true_type"].nunique() >= 12
    assert (intact["cell_type"] == intact["true_type"]).mean() >= 0.95  # measured 0.99
    assert (intact["lineage"] == intact["true_type"].map(tree.lineage)).mean() >= 0.98
    assert not called.loc[called["broken"], "kept"].any()
    values = cell_features(found, tree, pd.Index(blood.cells.var_names)).set_index("feature")["value"]
    assert max(abs(values[f"fraction_{name}"] - share) for name, share in blood.fractions().items()) < 0.02


@pytest.mark.parametrize("limits", ["mad", "fixed"])
def test_a_sample_of_which_no_cell_is_intact_is_told_through_the_step(make_cells, tmp_path, limits):
    cells = make_cells(cells=60)
    del cells.obs["truth"]
    write_cells(cells, tmp_path / "S1.h5ad")
    inputs = {
        "sample": tmp_path / "S1.h5ad",
        "markers": config_path("markers/immune_markers.csv"),
        "signatures": config_path("signatures/gene_signatures.csv"),
    }
    options = OPTIONS | {"minimum_genes": 100_000, "minimum_cells": 20, "quality_limits": limits, "ambient": "subtract"}
    info = cell_step(inputs, tmp_path, pseudobulk={"T_cell": ["TREG_CORE"]}, **options)
    assert info == {"cells": 60, "kept": 0}
    features = read_table(tmp_path / "features.parquet")
    assert features["value"].isna().all()
    assert (features["note"] != "").all()
    quality = read_table(tmp_path / "qc.parquet").set_index("measure")
    assert not quality.loc["cells_kept", "passed"]
    assert read_table(tmp_path / "cells.parquet").empty
