"""Blood cells: types that their markers tell apart, at known shares, among the usual bad cells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.knowledge import load_markers, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.cells import FRACTIONS, MITOCHONDRIAL_GENES, blood_samples, cell_model, compositions
from rabiomarkers.simulate.design import design_trial


@pytest.fixture(scope="module")
def model():
    return cell_model(1)


@pytest.fixture(scope="module")
def blood(model):
    design = design_trial(patients=1)
    (_, first), _ = blood_samples(design, design.patients[0], cells=1500, model=model)
    return first


def dense(blood) -> pd.DataFrame:
    return pd.DataFrame(blood.cells.X.toarray(), columns=blood.cells.var_names, index=blood.cells.obs_names)


def test_there_are_types_and_genes_enough(model):
    markers = load_markers(config_path("markers/immune_markers.csv")).query(
        "modality == 'rna' and compartment == 'blood'"
    )
    signatures = load_signatures(config_path("signatures/gene_signatures.csv")).query("compartment != 'tumour'")
    assert len(model.types) >= 12
    assert set(model.types) <= set(markers["cell_type"])
    assert 2_500 <= len(model.genes) <= 3_000
    assert {*markers["hgnc"], *signatures["gene"], *MITOCHONDRIAL_GENES} <= set(model.genes)


def test_profiles_are_shares(model):
    np.testing.assert_allclose(model.profiles.sum(axis=1), 1.0)
    assert (model.profiles > 0).all()


@pytest.mark.parametrize(
    ("high", "low", "gene"),
    [
        ("CD8_TEM", "CD8_naive", "GZMK"),
        ("Treg", "CD4_naive", "FOXP3"),
        ("mono_classical", "CD4_TCM", "LYZ"),  # a marker of its parents
        ("B_memory", "B_naive", "CD27"),
        ("NK_CD56dim", "NK_CD56bright", "FCGR3A"),
        ("CD4_naive", "platelet", "PTPRC"),
    ],
)
def test_a_type_expresses_its_own_and_inherited_markers(model, high, low, gene):
    expression = pd.DataFrame(model.profiles, index=model.types, columns=model.genes)[gene]
    assert expression[high] > 3 * expression[low]


def test_counts_are_sparse_whole_numbers_without_a_label_in_the_file(blood):
    assert blood.cells.X.format == "csr"
    assert blood.cells.X.dtype == np.float32
    assert (blood.cells.X.data % 1 == 0).all()
    assert blood.cells.obs.shape[1] == 0
    assert blood.cells.obs_names.is_unique
    assert blood.cells.obs_names.str.fullmatch(r"[ACGT]{16}-1").all()


def test_bad_cells_are_there_and_look_bad(blood):
    counts, truth = dense(blood), blood.truth.set_index("barcode")
    genes, total = (counts > 0).sum(axis="columns"), counts.sum(axis="columns")
    mitochondrial = counts[list(MITOCHONDRIAL_GENES)].sum(axis="columns") / total
    intact = ~(truth["doublet"] | truth["broken"])
    assert 0.02 < truth["doublet"].mean() < 0.09
    assert 0.02 < truth["broken"].mean() < 0.09
    assert ((genes < 200) | (mitochondrial > 0.2))[truth["broken"]].mean() > 0.95
    assert ((genes < 200) | (mitochondrial > 0.2))[intact].mean() < 0.02
    assert total[truth["doublet"]].median() > 1.4 * total[intact].median()
    assert 2_000 < total[intact].median() < 5_000


def test_true_fractions_are_shares_of_intact_cells(blood):
    fractions = blood.fractions()
    assert set(fractions) == set(FRACTIONS)
    assert sum(fractions.values()) == pytest.approx(1.0)


def log_ratios(effect: str) -> pd.DataFrame:
    """Centred log ratio of CD8_TEM, post minus pre, of 200 patients."""
    design = design_trial(patients=200, effect=effect)
    rows = []
    for patient in design.patients:
        pre, post = (np.log(share) - np.log(share).mean() for share in compositions(design, patient).values())
        rows.append({"responder": patient.responder, "change": post["CD8_TEM"] - pre["CD8_TEM"]})
    return pd.DataFrame(rows)


# A share that doubles moves its centred log ratio by (1 - 1/17) ln 2 among 17 types.
@pytest.mark.parametrize(("effect", "responders"), [("planted", 16 / 17 * np.log(2)), ("none", 0.0)])
def test_effector_cells_expand_in_responders_only(effect, responders):
    mean = log_ratios(effect).groupby("responder")["change"].mean()
    assert mean[True] == pytest.approx(responders, abs=0.1)
    assert mean[False] == pytest.approx(0.0, abs=0.06)


def test_cells_are_drawn_from_the_composition(model):
    design = design_trial(patients=1)
    (patient,) = design.patients
    for sample, blood in blood_samples(design, patient, cells=1500, model=model):
        drawn, meant = pd.Series(blood.fractions()), compositions(design, patient)[sample.sample_id]
        error = np.sqrt(meant * (1 - meant) / 1300)  # at least so many of them are intact
        assert ((drawn - meant).abs() < 4.5 * error).all()


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 1000))
def test_the_same_seed_gives_the_same_cells(model, seed):
    design = design_trial(patients=2, seed=seed)
    first, again = (
        [dense(blood) for _, blood in blood_samples(design, design.patients[1], cells=50, model=model)]
        for _ in range(2)
    )
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
