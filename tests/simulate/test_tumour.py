"""Tumour counts: realistic in size, and moved by treatment exactly where that was planted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from rabiomarkers.features.sample_sex import found_sex
from rabiomarkers.knowledge import load_markers, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate import tumour
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.tumour import LIBRARY_READS, SEX_GENES, tumour_counts, tumour_model

FEW = 2_000  # neutral genes, for speed


@pytest.fixture(scope="module")
def signatures():
    return load_signatures(config_path("signatures/gene_signatures.csv"))


@pytest.fixture(scope="module")
def trial():
    return design_trial(), tumour_counts(design_trial())


def score(counts: pd.DataFrame, signatures: pd.DataFrame, name: str) -> pd.Series:
    """Mean share of genes below, of the up genes minus of the down genes: singscore but for its scale."""
    ranks = counts.rank() / len(counts)
    genes = signatures[signatures["signature"] == name].set_index("gene")["direction"]
    up, down = ranks.loc[genes.index[genes > 0]].mean(), ranks.loc[genes.index[genes < 0]]
    return up - down.mean() if len(down) else up


def changes(design, scores: pd.Series, *, of=lambda patient: True) -> list[float]:
    """Post minus pre of the patients whose two libraries are good."""
    return [
        scores[post.sample_id] - scores[pre.sample_id]
        for patient in design.patients
        if of(patient)
        for pre, post in [patient.of("tumour")]
        if not (pre.missing or pre.poor or post.missing or post.poor)
    ]


def test_there_are_enough_genes_and_every_known_one(trial, signatures):
    _, counts = trial
    markers = load_markers(config_path("markers/immune_markers.csv"))
    assert len(counts) >= 12_000
    assert counts.index.is_unique
    assert {*signatures["gene"], *markers["hgnc"]} <= set(counts.index)


def test_libraries_are_as_large_as_sequenced_but_for_the_failed_one(trial):
    design, counts = trial
    poor = {sample.sample_id for patient in design.patients for sample in patient.samples if sample.poor}
    sizes = counts.sum()
    good = sizes[~sizes.index.isin(poor)]
    assert good.between(0.9 * LIBRARY_READS[0], 1.1 * LIBRARY_READS[1]).all()
    assert (sizes[list(poor)] < 1_000_000).all()  # `minimum_library_size`


def test_a_quarter_of_the_genes_is_hardly_expressed(trial):
    _, counts = trial
    per_million = counts / counts.sum() * 1e6
    assert 0.15 < (per_million.mean(axis="columns") < 0.1).mean() < 0.35


def test_missing_biopsies_have_no_column(trial):
    design, counts = trial
    taken = [s.sample_id for p in design.patients for s in p.of("tumour") if not s.missing]
    assert counts.columns.tolist() == taken


def test_dispersion_between_replicates_falls_with_the_mean(trial):
    """Counts vary more than Poisson where they are high, and relatively most where they are low."""
    design, counts = trial
    pairs = [patient.of("tumour") for patient in design.patients if not patient.responder]
    differences = pd.concat(
        [
            np.log2((counts[post.sample_id] + 1) / counts[post.sample_id].sum())
            - np.log2((counts[pre.sample_id] + 1) / counts[pre.sample_id].sum())
            for pre, post in pairs
            if not (pre.missing or post.missing or pre.poor)
        ],
        axis="columns",
    )
    spread, mean = differences.std(axis="columns"), counts.mean(axis="columns")
    assert spread[(mean > 5) & (mean < 20)].median() > spread[mean > 1000].median() > 0.2


@pytest.mark.parametrize("name", ["RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT"])
def test_retinoic_acid_targets_rise_in_everybody_at_every_seed(signatures, name):
    """At 8 pairs p < 0.01 needs all of them to rise (the floor is 2 / 2**8 = 0.0078)."""
    for seed in range(12):
        design = design_trial(seed=seed)
        moved = changes(design, score(tumour_counts(design, neutral_genes=FEW), signatures, name))
        assert len(moved) == 8
        assert min(moved) > 0
        assert wilcoxon(moved, method="exact").pvalue < 0.01


@pytest.mark.parametrize("name", ["MACROPHAGE_LIPID_PEROXIDATION", "CYT_ROONEY_2015"])
def test_peroxidation_and_cytotoxicity_rise_in_responders_only(signatures, name):
    in_responders, in_others = [], []
    for seed in range(4):
        design = design_trial(seed=seed)
        scores = score(tumour_counts(design, neutral_genes=FEW), signatures, name)
        in_responders += changes(design, scores, of=lambda patient: patient.responder)
        in_others += changes(design, scores, of=lambda patient: not patient.responder)
    assert np.mean(in_responders) > 0.08
    assert abs(np.mean(in_others)) < 0.04


def test_nothing_moves_without_an_effect(signatures):
    moved = {"RA_RESPONSE_CORE": [], "MACROPHAGE_LIPID_PEROXIDATION": []}
    for seed in range(6):
        design = design_trial(seed=seed, effect="none")
        counts = tumour_counts(design, neutral_genes=FEW)
        for name, values in moved.items():
            values += changes(design, score(counts, signatures, name))
    for values in moved.values():  # 48 changes: the mean of noise lies within 4 standard errors
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_the_two_trials_differ_in_nothing_but_the_effect():
    planted, none = design_trial(effect="planted"), design_trial(effect="none")
    before = [sample.sample_id for patient in planted.patients for sample in patient.of("tumour")[:1]]
    with_effect = tumour_counts(planted, neutral_genes=FEW)[before]
    without = tumour_counts(none, neutral_genes=FEW)[before]
    pd.testing.assert_frame_equal(with_effect, without)


def test_planted_folds_are_those_of_the_signatures(signatures):
    model = tumour_model(1, neutral_genes=0)
    up = set(model.genes[model.everybody > 0])
    assert up == set(signatures.loc[signatures["signature"] == "RA_RESPONSE_DIRECT", "gene"])
    folds = pd.Series(model.responders, model.genes)
    assert folds["ACSL4"] == 1.0  # up in the peroxidation set, in no immune set
    assert folds["GPX4"] == -1.0  # down


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_counts_of_a_patient_depend_on_nobody_else(seed, patients):
    design = design_trial(patients=6, seed=seed)
    alone = tumour_counts(design, patients=design.patients[patients : patients + 1], neutral_genes=50)
    pd.testing.assert_frame_equal(alone, tumour_counts(design, neutral_genes=50)[alone.columns.tolist()])
    assert (alone >= 0).all(axis=None)


def test_every_sample_is_a_woman_s_by_its_genes(trial):
    _, counts = trial
    assert set(SEX_GENES) <= set(counts.index)
    for sample in counts.columns:
        levels = np.log2(counts[sample] / counts[sample].sum() * 1e6 + 1)
        assert found_sex(levels, unit="log2 CPM").found == "female"


def test_sex_genes_are_drawn_apart_so_that_no_other_count_depends_on_them(monkeypatch):
    design = design_trial(patients=3, seed=1)
    usual = tumour_counts(design, neutral_genes=50)
    monkeypatch.setattr(tumour, "_sex_counts", lambda reads, rng: np.zeros(len(SEX_GENES), dtype=np.int64))
    without = tumour_counts(design, neutral_genes=50)
    assert (without.loc[list(SEX_GENES)] == 0).all(axis=None)
    pd.testing.assert_frame_equal(usual.drop(index=list(SEX_GENES)), without.drop(index=list(SEX_GENES)))
