"""TOPOSCORE and Akkermansia on the data of their authors: what the data set's README lists."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.toposcore import stool_scores
from rabiomarkers.knowledge import load_rules, load_taxa
from rabiomarkers.stats.paired import signed_rank


@pytest.fixture(scope="module")
def cohort(shared_data):
    """Scores of every stool by (sample, score), the published ones, and the pairs."""
    folder = shared_data / "toposcore_longitudinal"
    percent = pd.read_csv(folder / "relative_abundance.csv.gz", index_col=0)
    taxa, numbers = load_taxa(), load_rules()["TOPOSCORE"]["numbers"]
    names = pd.DataFrame({"taxon": percent.columns, "lineage": ""})
    rows = {
        sample: stool_scores(
            names.assign(value=values.to_numpy() / 100), taxa, numbers, scale="relative", database="MetaPhlAn 4 vJan21"
        )
        for sample, values in percent.iterrows()
    }
    told = pd.concat(rows, names=["sample_id"]).reset_index(level=0).set_index(["sample_id", "score"])
    published = pd.read_csv(folder / "clinical_published_baseline.csv").set_index("sample_id")
    return told, published, pd.read_csv(folder / "pairs.csv")


def test_the_score_is_the_published_one(cohort):
    """53 baseline samples: Pearson 0.997, largest difference 0.044, class agrees in 92 %, final answer in 94 % (README)."""
    told, published, _ = cohort
    ours = told.xs("TOPOSCORE", level="score").loc[published.index]
    assert np.corrcoef(ours["value"], published["SCORE"])[0, 1] == pytest.approx(0.997, abs=0.0005)
    assert (ours["value"] - published["SCORE"]).abs().max() == pytest.approx(0.044, abs=0.001)
    assert (ours["category"] == published["SIGCAT"]).mean() >= 0.92
    favourable = ours["verdict"] == "favourable"
    assert (favourable == (published["PRED_TOPO"] == "R")).mean() == pytest.approx(0.94, abs=0.005)
    assert ours["method"].str.contains("as published").all()


def test_32_pairs_do_not_shift(cohort):
    """S +0.021, p = 0.34; 26 of 32 keep their class (README)."""
    told, _, pairs = cohort
    both = pairs.dropna(subset=["sample_id_pre", "sample_id_post"])
    scores = told.xs("TOPOSCORE", level="score")
    before, after = (scores.loc[both[f"sample_id_{side}"]] for side in ("pre", "post"))
    change = after["value"].to_numpy() - before["value"].to_numpy()
    assert len(change) == 32
    assert change.mean() == pytest.approx(0.021, abs=0.0005)
    assert signed_rank(change).p_value == pytest.approx(0.34, abs=0.01)
    assert (before["category"].to_numpy() == after["category"].to_numpy()).sum() == 26


def test_the_class_of_akkermansia_is_the_published_one_in_all_97(cohort):
    told, _, pairs = cohort
    ours = told.xs("akkermansia", level="score")["category"]
    words = {"Zero": "absent", "Low": "low", "High": "high"}
    agreed = [
        ours[row[f"sample_id_{side}"]] == words[row[f"akk_class_{side}_published"]]
        for _, row in pairs.iterrows()
        for side in ("pre", "post")
        if isinstance(row[f"sample_id_{side}"], str)
    ]
    assert len(agreed) == 97
    assert all(agreed)
