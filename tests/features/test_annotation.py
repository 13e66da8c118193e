import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CellError
from rabiomarkers.features.annotation import UNASSIGNED, annotate, called_levels, marker_tree, type_paths

BLOOD_TYPES = (
    *("ASDC", "B_intermediate", "B_memory", "B_naive", "B_transitional"),
    *("CD4_CTL", "CD4_TCM", "CD4_TEM", "CD4_naive", "CD8_TCM", "CD8_TEM", "CD8_TEMRA", "CD8_naive"),
    *("HSPC", "ILC", "MAIT", "NK_CD56bright", "NK_CD56dim", "Treg", "cDC1", "cDC2", "erythrocyte", "gdT"),
    *("mono_classical", "mono_intermediate", "mono_nonclassical", "neutrophil", "pDC", "plasmablast", "platelet"),
)


def marker_rows(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["cell_type", "parent", "hgnc", "sign"])
    return table.assign(kind="type", modality="rna", compartment="blood")


def test_the_closed_list_of_blood_types_is_the_thirty_leaves_of_the_marker_table(tree):
    assert tree.types == BLOOD_TYPES


def test_every_type_has_its_lineage(tree):
    assert tree.lineage["CD8_TEM"] == tree.lineage["MAIT"] == "T_cell"
    assert tree.lineage["pDC"] == "DC"
    assert tree.lineage["mono_classical"] == "monocyte"
    assert tree.lineage["platelet"] == "platelet"


def test_a_type_is_expected_to_express_its_ancestors_markers_and_the_nearer_sign_counts():
    tree = marker_tree(
        marker_rows(
            ("T", "root", "CD3D", "+"),
            ("T", "root", "KLRB1", "-"),
            ("MAIT", "T", "KLRB1", "+"),
            ("B", "root", "CD19", "+"),
        )
    )
    assert tree.types == ("B", "MAIT")  # T is a branch
    assert tree.signs["MAIT"] == {"CD3D": 1, "KLRB1": 1}
    assert tree.coverage(pd.Index(["CD3D", "CD19"])) == {"B": 1.0, "MAIT": 0.0}


def test_states_proteins_and_tumour_types_play_no_part():
    table = marker_rows(*[("A", "root", "G1", "+")] * 4)
    table.loc[1, "kind"], table.loc[2, "modality"], table.loc[3, "compartment"] = "state", "protein", "tumour"
    table["cell_type"] = list("ABCD")
    assert marker_tree(table).types == ("A",)
    with pytest.raises(CellError, match="no cell type of blood"):
        marker_tree(table[1:])


def test_at_least_95_percent_of_thirteen_types_are_called_right(make_cells, tree):
    cells = make_cells()
    called = annotate(cells.X, cells.var_names, tree)
    truth = cells.obs["truth"].to_numpy()
    assert (called["cell_type"].to_numpy() == truth).mean() >= 0.95  # measured 0.99
    assert (called["lineage"].to_numpy() == [tree.lineage[name] for name in truth]).mean() >= 0.98


@pytest.mark.parametrize("shares", [{"CD8_naive": 1.0}, {"mono_classical": 0.7, "CD4_naive": 0.3}])
def test_types_that_are_absent_are_hardly_called(make_cells, tree, shares):
    cells = make_cells(shares, cells=500)
    called = annotate(cells.X, cells.var_names, tree)
    assert called["cell_type"].isin(shares).mean() >= 0.97


def test_cells_that_express_no_marker_are_unassigned(make_cells, tree):
    cells = make_cells(unknown=100)
    called = annotate(cells.X, cells.var_names, tree)
    unknown = (cells.obs["truth"] == "unknown").to_numpy()
    assert (called.loc[unknown, "cell_type"] == UNASSIGNED).mean() >= 0.85  # measured 0.92
    assert (called.loc[~unknown, "cell_type"] == UNASSIGNED).mean() <= 0.02


def test_a_larger_margin_leaves_more_cells_unassigned(make_cells, tree):
    cells = make_cells(cells=300)
    unassigned = [
        (annotate(cells.X, cells.var_names, tree, minimum_margin=margin)["cell_type"] == UNASSIGNED).sum()
        for margin in (0.0, 0.5, 0.999)
    ]
    assert unassigned == sorted(unassigned)
    assert unassigned[0] == 0


def test_genes_that_mark_nothing_are_told(tree):
    with pytest.raises(CellError, match=r"0 cell types have a marker among the 1 genes\. Are they HGNC symbols"):
        annotate(csr_matrix((2, 1)), pd.Index(["ENSG00000167286"]), tree)


def test_no_cell_gives_an_empty_table(tree):
    called = annotate(csr_matrix((0, len(tree.genes))), pd.Index(tree.genes), tree)
    assert called.columns.tolist() == ["lineage", "cell_type", "confidence"]
    assert called.empty


def test_cells_without_any_molecule_do_no_harm(make_cells, tree):
    cells = make_cells(cells=100)
    counts = cells.X.toarray()
    counts[:5] = 0
    called = annotate(csr_matrix(counts), cells.var_names, tree)
    assert called["confidence"].notna().all()


def test_a_lineage_may_be_clear_where_the_type_is_not_and_a_type_never_lies_in_another_lineage():
    types, lineage_of = np.array(["A1", "A2", "B", UNASSIGNED]), np.array(["A", "A", "B", UNASSIGNED])
    lineages = np.array(["A", "B", UNASSIGNED])
    chances = np.array(
        [
            [0.48, 0.47, 0.05, 0.00],  # A, of whichever type
            [0.30, 0.25, 0.45, 0.00],  # the likeliest type is B, the likelier lineage A by 0.1: neither type of A leads
            [0.60, 0.10, 0.20, 0.10],  # A1
            [0.25, 0.25, 0.45, 0.05],  # A and B by 0.05: nobody knows
            [0.05, 0.05, 0.10, 0.80],
        ]
    )
    by_lineage = np.column_stack([chances[:, :2].sum(axis=1), chances[:, 2], chances[:, 3]])
    called = called_levels(chances, by_lineage, types, lineage_of, lineages, minimum_margin=0.09)
    assert called["lineage"].tolist() == ["A", "A", "A", UNASSIGNED, UNASSIGNED]
    assert called["cell_type"].tolist() == [UNASSIGNED, UNASSIGNED, "A1", UNASSIGNED, UNASSIGNED]
    assert called["confidence"].tolist() == [0.48, 0.45, 0.6, 0.45, 0.8]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), margin=st.floats(0, 1))
def test_every_cell_with_a_type_has_that_types_lineage(make_cells, tree, seed, margin):
    counts = csr_matrix(np.random.default_rng(seed).poisson(0.3, (60, len(tree.genes))))  # as unclear as it can be
    called = annotate(counts, pd.Index(tree.genes), tree, minimum_margin=margin)
    named = called[called["cell_type"] != UNASSIGNED]
    assert (named["lineage"] == named["cell_type"].map(tree.lineage)).all()


def test_a_tree_may_be_asked_for_by_name(markers):
    tree = marker_tree(markers, names=["CD4_T", "CD8_T", "monocyte"])
    assert tree.types == ("CD4_T", "CD8_T", "monocyte")
    assert tree.lineage == {"CD4_T": "T_cell", "CD8_T": "T_cell", "monocyte": "monocyte"}
    assert tree.paths["CD8_T"] == type_paths(markers)["CD8_T"]
    assert tree.paths["CD8_T"][0] == "CD8_T"
    assert "T_cell" in tree.paths["CD8_T"]


def test_the_tumour_has_the_cells_of_blood_and_its_own(markers, tree):
    tumour = marker_tree(markers, "tumour")
    own = {"tumour_epithelial", "endothelial", "fibroblast", "macrophage", "mast_cell", "CD4_Tfh"}
    assert own <= set(tumour.types)
    assert not own & set(tree.types)
    assert {"CD8_TEM", "B_naive", "NK_CD56dim"} <= set(tumour.types)
    assert not {"CD8_Tex", "TAM_inflammatory"} & set(tumour.types)  # states
    assert "CD4_T" in tumour.paths["CD4_Tfh"]


def test_types_of_the_tumour_change_nothing_of_the_blood(markers):
    blood = markers[markers["compartment"] == "blood"]
    assert marker_tree(markers) == marker_tree(blood)
