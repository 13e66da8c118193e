"""TOPOSCORE (lung cancer, checkpoint inhibitors): the facts its README lists, out of the whole workflow."""

import pytest


def row(results, feature):
    return results.changes.set_index("feature").loc[feature]


def test_32_pairs_and_33_patients_with_one_stool_only(toposcore):
    ledger = toposcore.ledger
    assert row(toposcore, "shannon")["n_pairs"] == 32
    assert ledger["patient_id"].nunique() == 65
    assert (ledger["status"] == "missing").sum() == 33


def test_a_patients_stools_resemble_each_other(toposcore):
    """Bray-Curtis, medians: 0.43 within a patient, 0.80 between patients (README)."""
    stool = toposcore.summary["stool"]
    assert stool["within_median"] == pytest.approx(0.43, abs=0.005)
    assert stool["between_median"] == pytest.approx(0.80, abs=0.005)
    assert stool["n_within"] == 32
    assert stool["p_value"] <= 1e-3


def test_diversity_does_not_shift(toposcore):
    """Shannon p = 0.69, richness p = 0.20, mean +0.045 and +13 species (README)."""
    means = toposcore.deltas.groupby("feature")["change"].mean()
    assert means["shannon"] == pytest.approx(0.045, abs=0.001)
    assert means["observed_taxa"] == pytest.approx(13, abs=0.5)
    assert row(toposcore, "shannon")["p_value"] == pytest.approx(0.69, abs=0.01)
    assert row(toposcore, "observed_taxa")["p_value"] == pytest.approx(0.20, abs=0.01)


def test_no_feature_is_called_after_correction(toposcore):
    assert not (toposcore.changes["q_value"] < 0.05).any()


def test_the_paired_patients_responses_are_those_published(toposcore):
    """30 of 32 pairs have a label: 12 SD, 10 PR, 8 PD (README)."""
    paired = toposcore.deltas["patient_id"].unique()
    best = toposcore.outcomes.set_index("patient_id").loc[paired, "best_response"].value_counts()
    assert best.to_dict() == {"SD": 12, "PR": 10, "PD": 8, "NE": 2}


def test_the_tumour_is_not_spoken_of(toposcore):
    assert toposcore.summary["retinoic_acid"]["call"] == "not estimable"
    assert set(toposcore.features["compartment"]) == {"faecal"}


def test_no_model_has_an_auc_near_1(toposcore):
    validated = [model for model in toposcore.summary["models"] if model["auc"] is not None]
    assert validated
    for model in validated:
        assert model["auc"] < 0.8
        assert "not distinguishable from chance" in model["verdict"]
