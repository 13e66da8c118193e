"""CheckMate 038 (melanoma, nivolumab; nobody had retinoic acid): the facts its READMEs list, out of the whole workflow."""

import numpy as np
import pandas as pd
import pytest


def changes(results, feature):
    return results.deltas.query("feature == @feature").set_index("patient_id")["change"]


def row(results, feature):
    return results.changes.set_index("feature").loc[feature]


def test_43_tumour_pairs_remain_after_the_disputed_sample_and_the_second_libraries(checkmate038):
    tumour = checkmate038.ledger.query("compartment == 'tumour'")
    assert row(checkmate038, "CYT_ROONEY_2015")["n_pairs"] == 43
    assert tumour["reason"].str.startswith("second library of").sum() == 10
    disputed = tumour.set_index("sample_id").loc["Pt68_On"]
    assert (disputed["status"], disputed["reason"][:17]) == ("excluded", "identity disputed")


def test_the_pairs_are_9_responders_15_stable_18_progressing_and_1_not_evaluable(checkmate038):
    best = checkmate038.outcomes.set_index("patient_id")["best_response"]
    counts = best[changes(checkmate038, "CYT_ROONEY_2015").index].replace("CR", "PR").value_counts()
    assert counts.to_dict() == {"PD": 18, "SD": 15, "PR": 9, "NE": 1}


def test_the_cytolytic_score_rises_by_what_the_readme_measured(checkmate038):
    """Mean of log2(CPM + 1) of GZMA and PRF1: +0.83, Wilcoxon p = 1.5e-4 (README of riaz_bms038)."""
    feature = "CYT_ROONEY_2015:mean"
    assert changes(checkmate038, feature).mean() == pytest.approx(0.83, abs=0.005)
    assert row(checkmate038, feature)["p_value"] == pytest.approx(1.5e-4, rel=0.1)
    assert row(checkmate038, feature)["estimate"] > 0


@pytest.mark.parametrize("feature", ["CYT_ROONEY_2015", "CYT_ROONEY_2015:mean"])
def test_the_cytolytic_score_rises_more_in_responders_than_in_progressing_patients(checkmate038, feature):
    """+1.35 in CR/PR and +0.20 in PD on the log2 scale (README)."""
    best = checkmate038.outcomes.set_index("patient_id")["best_response"]
    moved = changes(checkmate038, feature)
    means = moved.groupby(best[moved.index].replace("CR", "PR")).mean()
    assert means["PR"] > means["PD"]
    if feature.endswith(":mean"):
        assert means["PR"] == pytest.approx(1.35, abs=0.005)
        assert means["PD"] == pytest.approx(0.20, abs=0.005)


def test_no_response_to_retinoic_acid_is_called_because_nobody_had_any(checkmate038):
    assert checkmate038.summary["retinoic_acid"]["call"] == "no response"
    assert row(checkmate038, "RA_RESPONSE_CORE")["p_value"] > 0.05
    assert row(checkmate038, "RA_RESPONSE_DIRECT")["p_value"] > 0.5


def test_serum_pd_l1_has_63_pairs_below_the_limit_and_rises_a_little(checkmate038):
    """Published: median change +175 pg/ml over 63 pairs; log2 change +0.125, p = 1.6e-4 (README of checkmate038_blood)."""
    pairs = checkmate038.deltas.query("feature == 'sPD-L1'")
    assert len(pairs) == 63
    # the table holds log2 values
    before, after = np.exp2(pairs["before"]), np.exp2(pairs["after"])
    assert (after - before).median() == pytest.approx(175, abs=1)
    told = row(checkmate038, "sPD-L1")
    assert told["unit"] == "log2 pg/mL"
    assert told["estimate"] > 0
    assert told["p_value"] < 1e-3


def test_a_change_in_serum_and_a_change_in_the_tumour_are_not_related(checkmate038):
    """34 linked pairs, Spearman -0.02 (README); the count tells that pairing across compartments is by patient."""
    both = pd.concat(
        [changes(checkmate038, "sPD-L1"), changes(checkmate038, "CYT_ROONEY_2015:mean")], axis="columns", join="inner"
    )
    assert len(both) == 34
    assert abs(both.corr(method="spearman").iloc[0, 1]) < 0.1


def test_no_model_has_an_auc_near_1(checkmate038):
    """The README's baseline AUC of the cytolytic score is 0.65; a model near 1 would leak."""
    models = {model["name"]: model for model in checkmate038.summary["models"]}
    assert 0.5 < models["ridge_baseline"]["auc"] < 0.75
    validated = [model for model in models.values() if model["auc"] is not None]
    assert len(validated) >= 3
    assert all(model["auc"] < 0.8 for model in validated)
    assert all("not distinguishable from chance" in model["verdict"] for model in validated)


def test_the_report_says_what_was_found(checkmate038):
    page = (checkmate038.folder / "report.html").read_text()
    assert "No retinoic-acid response is seen" in page
    assert "second library" in page
