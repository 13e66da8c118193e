"""Signatures within cell types: sums of a sample's cells, scored as one library."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CellError, SignatureError
from rabiomarkers.features.annotation import marker_tree
from rabiomarkers.features.cells import cell_step
from rabiomarkers.features.pseudobulk import METHOD, cells_of, pseudobulk_features
from rabiomarkers.features.signatures import rank_score
from rabiomarkers.files import read_table, write_cells
from rabiomarkers.schema import config_path

GENES = pd.Index([f"G{place:02d}" for place in range(40)])
SETS = pd.DataFrame(
    {
        "signature": ["UP"] * 3 + ["OTHER"] * 2,
        "gene": ["G01", "G02", "G03", "G10", "G11"],
        "direction": 1,
        "weight": 1.0,
    }
)


@pytest.fixture(scope="module")
def small():
    """A tree of two T cells and a B cell."""
    rows = [("CD8_T", "T", "CD8A"), ("CD4_T", "T", "CD4"), ("T", "root", "CD3D"), ("B", "root", "CD19")]
    table = pd.DataFrame(rows, columns=["cell_type", "parent", "hgnc"])
    return marker_tree(table.assign(sign="+", kind="type", modality="rna", compartment="blood"))


def cells(types, seed=1):
    counts = np.random.default_rng(seed).poisson(3, (len(types), len(GENES)))
    called = pd.DataFrame({"kept": True, "doublet": False, "cell_type": types})
    return csr_matrix(counts), called


def scored(small, types, asked, **options):
    counts, called = cells(types)
    return pseudobulk_features(counts, GENES, called, small, SETS, asked, **({"minimum_cells": 2} | options))


def test_the_score_is_that_of_the_summed_cells_of_the_type(small):
    types = ["CD8_T"] * 4 + ["B"] * 5
    counts, _ = cells(types)
    table = scored(small, types, {"CD8_T": ["UP"], "B": ["UP", "OTHER"]}).set_index("feature")
    assert list(table.index) == ["OTHER~B", "UP~B", "UP~CD8_T"]
    for feature, rows in (("UP~CD8_T", slice(0, 4)), ("UP~B", slice(4, 9))):
        total = pd.Series(np.asarray(counts[rows].sum(axis=0)).ravel().astype(float), index=GENES)
        assert table.loc[feature, "value"] == pytest.approx(rank_score(total, ["G01", "G02", "G03"]), abs=1e-12)
    assert set(table["method"]) == {METHOD}
    assert not table["cohort_dependent"].any()


def test_an_ancestor_stands_for_all_types_below_it(small):
    assert cells_of(small, "T") == ("CD4_T", "CD8_T")
    types = ["CD8_T", "CD4_T", "B", "CD4_T"]
    counts, _ = cells(types)
    total = pd.Series(np.asarray(counts[[0, 1, 3]].sum(axis=0)).ravel().astype(float), index=GENES)
    table = scored(small, types, {"T": ["UP"]}).set_index("feature")
    assert table.loc["UP~T", "value"] == pytest.approx(rank_score(total, ["G01", "G02", "G03"]))


def test_too_few_cells_have_no_score_and_say_how_many(small):
    row = scored(small, ["CD8_T"] * 3 + ["B"], {"CD8_T": ["UP"]}, minimum_cells=20).iloc[0]
    assert np.isnan(row["value"])
    assert row["note"] == "3 cells of this type, 20 are needed"


def test_no_cell_of_a_type_is_told_as_well(small):
    row = scored(small, ["B"] * 3, {"CD8_T": ["UP"]}).iloc[0]
    assert row["note"] == "0 cells of this type, 2 are needed"


def test_doublets_and_broken_cells_are_not_summed(small):
    types = ["CD8_T"] * 6
    counts, called = cells(types)
    called.loc[0, "kept"], called.loc[1, "doublet"] = False, True
    table = pseudobulk_features(counts, GENES, called, small, SETS, {"CD8_T": ["UP"]}, minimum_cells=2)
    total = pd.Series(np.asarray(counts[2:].sum(axis=0)).ravel().astype(float), index=GENES)
    assert table["value"].iloc[0] == pytest.approx(rank_score(total, ["G01", "G02", "G03"]))


@settings(max_examples=20)
@given(st.permutations(range(9)))
def test_the_order_of_the_cells_plays_no_part(small, order):
    types = ["CD8_T"] * 4 + ["B"] * 5
    counts, called = cells(types)
    asked = {"CD8_T": ["UP"], "B": ["UP"]}
    mixed = pseudobulk_features(
        counts[order], GENES, called.iloc[order].reset_index(drop=True), small, SETS, asked, minimum_cells=2
    )
    pd.testing.assert_frame_equal(mixed, scored(small, types, asked))


def test_a_type_the_tree_does_not_know_is_passed_over(small):
    assert scored(small, ["B"] * 3, {"macrophage": ["UP"]}).empty


def test_a_signature_nobody_knows_is_named(small):
    with pytest.raises(SignatureError, match=r"'UPP' \(did you mean UP"):
        scored(small, ["B"] * 3, {"B": ["UPP"]})


def test_calls_of_other_cells_are_refused(small):
    counts, called = cells(["B"] * 3)
    with pytest.raises(CellError, match="3 cells x 40 genes, but 2 calls of 40"):
        pseudobulk_features(counts, GENES, called[:2], small, SETS, {"B": ["UP"]})


def test_the_step_adds_scores_within_types_where_they_are_asked_for(make_cells, tmp_path):
    write_cells(make_cells(cells=200), tmp_path / "sample.h5ad")
    inputs = {
        "sample": tmp_path / "sample.h5ad",
        "markers": config_path("markers/immune_markers.csv"),
        "signatures": config_path("signatures/gene_signatures.csv"),
    }
    options = {
        "minimum_cells": 50,
        "minimum_genes": 50,
        "maximum_mitochondrial_percent": 20.0,
        "minimum_score_margin": 0.1,
    }
    cell_step(inputs, tmp_path, seed=1, **options)
    plain = read_table(tmp_path / "features.parquet")
    cell_step(inputs, tmp_path, seed=1, pseudobulk={"T_cell": ["TREG_CORE"]}, minimum_cells_per_type=10, **options)
    more = read_table(tmp_path / "features.parquet")
    assert set(more["feature"]) - set(plain["feature"]) == {"TREG_CORE~T_cell"}
    rest = more[more["feature"].isin(plain["feature"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, plain)


def test_cells_of_a_tumour_are_named_by_its_own_tree(make_cells, markers, tmp_path):
    cells = make_cells(cells=150)
    tumour = marker_tree(markers, "tumour")
    assert set(tumour.types) > set(marker_tree(markers).types)
    write_cells(cells, tmp_path / "sample.h5ad")
    inputs = {"sample": tmp_path / "sample.h5ad", "markers": config_path("markers/immune_markers.csv")}
    options = {
        "minimum_cells": 50,
        "minimum_genes": 50,
        "maximum_mitochondrial_percent": 20.0,
        "minimum_score_margin": 0.1,
    }
    cell_step(inputs, tmp_path, seed=1, compartment="tumour", **options)
    features = set(read_table(tmp_path / "features.parquet")["feature"])
    assert {"fraction_tumour_epithelial", "fraction_macrophage", "fraction_CD8_TEM"} <= features


def test_as_many_cells_as_are_needed_are_enough(small):
    assert scored(small, ["CD8_T"] * 4, {"CD8_T": ["UP"]}, minimum_cells=4)["value"].notna().all()
    assert scored(small, ["CD8_T"] * 4, {"CD8_T": ["UP"]}, minimum_cells=5)["value"].isna().all()


@pytest.mark.parametrize(("least", "there"), [(0.5, False), (0.25, True)])
def test_a_signature_of_which_too_little_was_measured_has_no_score_within_a_type_either(small, least, there):
    counts, called = cells(["B"] * 4)
    sets = SETS.assign(gene=SETS["gene"].replace({"G02": "ABSENT", "G03": "ABSENT TOO"}))
    table = pseudobulk_features(
        counts, GENES, called, small, sets, {"B": ["UP"]}, minimum_cells=2, minimum_coverage=least
    )
    assert table["value"].notna().all() == there


def test_the_step_asks_for_as_many_cells_of_a_type_as_it_is_told(make_cells, tmp_path):
    write_cells(make_cells(cells=100), tmp_path / "sample.h5ad")
    inputs = {
        "sample": tmp_path / "sample.h5ad",
        "markers": config_path("markers/immune_markers.csv"),
        "signatures": config_path("signatures/gene_signatures.csv"),
    }
    options = {"minimum_cells": 50, "minimum_genes": 50, "maximum_mitochondrial_percent": 20.0, "seed": 1}
    asked = {"pseudobulk": {"T_cell": ["TREG_CORE"]}, "minimum_cells_per_type": 101}
    cell_step(inputs, tmp_path, minimum_score_margin=0.1, **options, **asked)
    told = read_table(tmp_path / "features.parquet").set_index("feature").loc["TREG_CORE~T_cell"]
    assert np.isnan(told["value"])
    assert told["note"].endswith("cells of this type, 101 are needed")


def test_cells_that_only_a_tumour_has_are_called_and_counted(make_cells, markers, tmp_path):
    shares = {"macrophage": 0.3, "fibroblast": 0.3, "CD8_TEM": 0.4}
    cells = make_cells(shares, cells=200, of=marker_tree(markers, "tumour"))
    truth = cells.obs.pop("truth").value_counts(normalize=True)
    write_cells(cells, tmp_path / "sample.h5ad")
    inputs = {"sample": tmp_path / "sample.h5ad", "markers": config_path("markers/immune_markers.csv")}
    options = {"minimum_cells": 50, "minimum_genes": 50, "maximum_mitochondrial_percent": 20.0, "seed": 1}
    cell_step(inputs, tmp_path, minimum_score_margin=0.1, compartment="tumour", **options)
    values = read_table(tmp_path / "features.parquet").set_index("feature")["value"]
    for name in shares:
        assert values[f"fraction_{name}"] == pytest.approx(truth[name], abs=0.05)
