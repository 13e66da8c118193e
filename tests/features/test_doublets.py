"""Droplets of two cells, on cells whose truth is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rabiomarkers.features import doublets
from rabiomarkers.features.doublets import DOUBLET_SCORE, doublet_scores


def test_doublet_scores_depend_on_the_seed_alone(make_cells):
    counts = make_cells(cells=150).X
    assert (doublet_scores(counts, seed=1) == doublet_scores(counts, seed=1)).all()


@pytest.mark.parametrize("most", [8_000, 250])
def test_doublets_score_higher_than_single_cells(make_cells, monkeypatch, most):
    monkeypatch.setattr(doublets, "MOST_COMPARED", most)  # 640 cells: in one piece, or in three
    cells = make_cells(cells=600, doublets=40)
    scores = doublet_scores(cells.X, seed=1)
    doublet = (cells.obs["truth"] == "doublet").to_numpy()
    assert roc_auc_score(doublet, scores) > 0.8
    assert (scores[~doublet] > DOUBLET_SCORE).mean() < 0.02


def test_a_sample_in_parts_has_each_cell_scored_once_among_its_part(make_cells, monkeypatch):
    counts = make_cells(cells=300).X
    seen = []

    def scores(part, seed):
        seen.append(part.shape[0])
        return np.asarray(part.sum(axis=1)).ravel()

    monkeypatch.setattr(doublets, "MOST_COMPARED", 120)
    monkeypatch.setattr(doublets, "_scores", scores)
    assert (doublet_scores(counts, seed=1) == np.asarray(counts.sum(axis=1)).ravel()).all()
    assert seen == [100, 100, 100]
