"""Sorted blood cells of 10x that ship with scanpy: 700 cells, 765 genes, each labelled by the antibodies that caught it.

Zheng et al. 2017, doi:10.1038/ncomms14049. `.raw` holds log levels of 10 000; with each cell's number of molecules they are counts
again.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, diags_array, hstack

from rabiomarkers.features.annotation import UNASSIGNED, annotate, marker_tree
from rabiomarkers.knowledge import load_markers

LINEAGES = {"CD14+ Monocyte": "monocyte", "CD19+ B": "B_cell", "CD34+": "HSPC", "CD56+ NK": "NK", "Dendritic": "DC"}


@pytest.fixture(scope="module")
def pbmc():
    """Counts, genes and the lineage by the label of each cell."""
    import scanpy as sc

    cells = sc.datasets.pbmc68k_reduced()
    totals = cells.obs["n_counts"].to_numpy(dtype=float)
    levels = csr_matrix(cells.raw.X)
    levels.data = np.expm1(levels.data)  # molecules of 10 000
    counts = csr_matrix(diags_array(totals / 1e4) @ levels)
    counts.data = np.rint(counts.data)
    beyond = np.maximum(totals - np.asarray(counts.sum(axis=1)).ravel(), 0)  # of the genes that were left out
    genes = pd.Index([*cells.raw.var_names, "all other genes"])
    truth = np.array([LINEAGES.get(label, "T_cell") for label in cells.obs["bulk_labels"]])
    return csr_matrix(hstack([counts, csr_matrix(beyond[:, None])])), genes, truth


@pytest.fixture(scope="module")
def tree():
    return marker_tree(load_markers())


def test_sorted_cells_get_their_lineage(pbmc, tree):
    """README of the knowledge tables, with scores of single cells: 81 %, 84 % without "Dendritic"."""
    counts, genes, truth = pbmc
    called = annotate(counts, genes, tree)
    right = called["lineage"].to_numpy() == truth
    assert right.mean() >= 0.85  # measured 0.87
    assert right[truth != "DC"].mean() >= 0.90  # measured 0.93


def test_hardly_a_sorted_cell_is_left_without_a_lineage_and_the_confident_are_right_more_often(pbmc, tree):
    counts, genes, truth = pbmc
    called = annotate(counts, genes, tree)
    right = called["lineage"].to_numpy() == truth
    assert (called["lineage"] == UNASSIGNED).mean() < 0.10
    confident = (called["confidence"] >= 0.9).to_numpy()
    assert right[confident].mean() > right[~confident].mean()


def test_types_lie_within_the_lineage_that_was_called(pbmc, tree):
    counts, genes, _ = pbmc
    called = annotate(counts, genes, tree)
    named = called[called["cell_type"] != UNASSIGNED]
    assert (named["lineage"] == named["cell_type"].map(tree.lineage)).all()
