"""Simulated tubes: what each event is, what the instrument makes of it, and what treatment moves."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.ingest.cytometry import read_cytometry
from rabiomarkers.simulate.cells import EXPANDING, EXPANSION_FOLD, compositions
from rabiomarkers.simulate.cytometry import (
    DEAD,
    DEBRIS,
    DOUBLETS,
    EDGE,
    HLA_DR_SHIFT,
    LEVELS,
    MYELOID,
    PANEL,
    TOP,
    TYPES,
    FlowSample,
    flow_samples,
    panel_table,
)
from rabiomarkers.simulate.design import design_trial

EVENTS = 20_000
DESIGN = design_trial(patients=6)
RESPONDER = next(patient for patient in DESIGN.patients if patient.responder)
OTHER = next(patient for patient in DESIGN.patients if not patient.responder)
POSITIVE = 2_000.0  # between the noise and what is positive
SPELT = {"Ki67": "Ki-67", "GranzymeB": "GZMB"}


def tubes(patient, design=DESIGN, events=EVENTS) -> dict[str, FlowSample]:
    return {sample.timepoint: tube for sample, tube in flow_samples(design, patient, events=events)}


@pytest.fixture(scope="module")
def responder() -> dict[str, FlowSample]:
    return tubes(RESPONDER)


@pytest.fixture(scope="module")
def tube(responder) -> FlowSample:
    return responder["pre"]


def light(tube: FlowSample) -> pd.DataFrame:
    """Events x markers without spillover, by solving for it."""
    seen = tube.events[list(PANEL)].to_numpy(float)
    return pd.DataFrame(np.linalg.solve(tube.spillover.T, seen.T).T, columns=[SPELT.get(m, m) for m in PANEL.values()])


def intact(tube: FlowSample) -> pd.Series:
    return ~tube.truth[["dead", "doublet", "debris"]].any(axis="columns")


def test_the_file_says_what_the_events_are_and_is_compensated_by_its_own_matrix(tube, tmp_path):
    (tmp_path / "a.fcs").write_bytes(tube.fcs())
    panel_table().to_csv(tmp_path / "panel.csv", index=False)
    read = read_cytometry(
        tmp_path / "a.fcs", label="a.fcs", sample_ids=["a"], assay="flow", panel=tmp_path / "panel.csv"
    )["a"]
    assert read.attrs["passport"]["compensation"] == "file"
    assert read.attrs["passport"]["channels"]["CD3"]["range"] == TOP
    np.testing.assert_array_equal(read["FSC-A"], tube.events["FSC-A"])
    told = light(tube)
    for marker in told:
        np.testing.assert_allclose(read[marker], told[marker], rtol=1e-3, atol=1.0)


def test_the_same_tube_is_the_same_file(tube):
    again = tubes(RESPONDER)["pre"]
    assert tube.fcs() == again.fcs()


def test_every_tube_has_dead_cells_pairs_debris_and_events_at_the_edge(tube):
    share = {"dead": DEAD, "debris": DEBRIS * (1 - DEAD), "doublet": DOUBLETS * (1 - DEAD) * (1 - DEBRIS)}
    for name, meant in share.items():
        assert tube.truth[name].mean() == pytest.approx(meant, abs=4 * np.sqrt(meant / EVENTS))
    assert not tube.truth[["dead", "doublet", "debris"]].sum(axis="columns").gt(1).any()
    assert (tube.events["FSC-A"] == TOP).mean() == pytest.approx(EDGE, rel=0.7)
    ratio = (tube.events["FSC-H"] / tube.events["FSC-A"])[tube.events["FSC-A"] < TOP]
    single = intact(tube)[ratio.index]
    assert ratio[tube.truth["doublet"]].median() < 0.6 * ratio[single].median()
    assert tube.events["FSC-A"][tube.truth["debris"]].median() < 0.3 * tube.events["FSC-A"][intact(tube)].median()


def test_only_the_dead_take_the_viability_dye(tube):
    dye = light(tube)["Viability"]
    assert (dye[tube.truth["dead"]] > POSITIVE).mean() > 0.99
    assert (dye[intact(tube)] > POSITIVE).mean() < 0.001


@pytest.mark.parametrize("name", list(TYPES))
def test_a_population_is_bright_in_its_own_markers_and_dark_in_the_others(tube, name):
    own = light(tube)[intact(tube) & (tube.truth["population"] == name)]
    positive, dim, high = (set(told.split()) for told in TYPES[name])
    medians = own.median()
    for marker in (positive | {"CD45"}) - dim - high:
        assert np.log10(medians[marker]) == pytest.approx(LEVELS["pos"][0], abs=0.2)
    for marker in dim:
        assert 500 < medians[marker] < 3_000
    for marker in high:
        assert np.log10(medians[marker]) == pytest.approx(LEVELS["high"][0], abs=0.2)
    dark = set(medians.index) - positive - dim - high - {"CD45"}
    assert medians[sorted(dark)].abs().max() < 300


def test_shares_are_of_living_single_cells_and_of_the_same_blood_as_the_single_cells(tube):
    shares = tube.fractions()
    assert list(shares) == list(TYPES)
    assert sum(shares.values()) == pytest.approx(1.0)
    counted = tube.truth.loc[intact(tube), "population"]
    assert shares["CD8_TEM"] == pytest.approx((counted == "CD8_TEM").sum() / len(counted))
    sequenced = compositions(DESIGN, RESPONDER)[RESPONDER.of("pbmc")[0].sample_id]
    ratio = sequenced["CD8_TEM"] / sequenced["B_naive"]
    assert shares["CD8_TEM"] / shares["B_naive"] == pytest.approx(ratio, rel=0.2)


def test_a_population_that_was_not_drawn_has_a_share_of_none():
    shares = tubes(OTHER, events=60)["pre"].fractions()
    assert list(shares) == list(TYPES)
    assert min(shares.values()) == 0.0


def test_effector_cells_double_against_the_others_in_responders_as_among_the_single_cells():
    odds = []
    for patient in design_trial(patients=20).patients:
        before, after = (drawn.fractions() for drawn in tubes(patient, events=6_000).values())
        rest = [sum(shares[name] for name in ("B_naive", "mono_classical", "NK_CD56dim")) for shares in (before, after)]
        change = np.log(after[EXPANDING] / rest[1]) - np.log(before[EXPANDING] / rest[0])
        odds.append({"responder": patient.responder, "change": change})
    mean = pd.DataFrame(odds).groupby("responder")["change"].mean()
    assert mean[True] == pytest.approx(np.log(EXPANSION_FOLD), abs=0.3)
    assert mean[False] == pytest.approx(0.0, abs=0.2)


def hla_dr(tube: FlowSample) -> float:
    """log10 of the median of monocytes and dendritic cells."""
    return float(np.log10(light(tube)["HLA-DR"][intact(tube) & tube.truth["population"].isin(MYELOID)].median()))


def test_hla_dr_of_myeloid_cells_rises_in_responders_only(responder):
    assert hla_dr(responder["post"]) - hla_dr(responder["pre"]) == pytest.approx(HLA_DR_SHIFT, abs=0.03)
    others = tubes(OTHER)
    assert hla_dr(others["post"]) - hla_dr(others["pre"]) == pytest.approx(0.0, abs=0.03)


def test_batches_differ_in_gain_and_tubes_of_a_batch_do_not():
    first, same, other = (
        np.log(light(tubes(DESIGN.patients[at])["pre"])["CD45"].pipe(lambda seen: seen[seen > POSITIVE]).median())
        for at in (0, 1, 5)
    )
    assert DESIGN.patients[1].batch != DESIGN.patients[5].batch
    assert first == pytest.approx(same, abs=0.02)
    assert abs(first - other) > 0.02


def test_spillover_is_of_the_panel_invertible_and_one_on_its_diagonal(tube):
    matrix = tube.spillover
    assert matrix.shape == (len(PANEL), len(PANEL))
    assert (np.diag(matrix) == 1).all()
    assert np.linalg.cond(matrix) < 10
    assert matrix.max() == 1
    assert 0.05 < (matrix - np.eye(len(matrix))).max() <= 0.2


def test_before_treatment_nothing_depends_on_the_effect(tube):
    none = design_trial(patients=6, effect="none")
    same = tubes(none.patients[RESPONDER.index - 1], none)["pre"]
    pd.testing.assert_frame_equal(same.events, tube.events)
    pd.testing.assert_frame_equal(same.truth, tube.truth)
