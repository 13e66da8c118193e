"""Simulated cytometry, receptors and proteins: what is planted is there, and nothing else moves."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.simulate.cytometry import PANEL, PROLIFERATING, PROLIFERATING_AFTER, flow_samples, panel_table
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.proteins import proteins
from rabiomarkers.simulate.repertoires import repertoires

DESIGN = design_trial(patients=4)
RESPONDER = next(patient for patient in DESIGN.patients if patient.responder)
OTHER = next(patient for patient in DESIGN.patients if not patient.responder)


def tubes(patient, design=DESIGN):
    return {sample.timepoint: tube for sample, tube in flow_samples(design, patient, events=4_000)}


def dividing(tube):
    """Share of true CD8 memory cells that are bright in both markers."""
    detectors = {marker: detector for detector, marker in PANEL.items()}
    memory = tube.truth["population"].isin(["CD8_TCM", "CD8_TEM", "CD8_TEMRA"]) & ~tube.truth["dead"]
    events = pd.DataFrame(
        np.linalg.solve(tube.spillover.T, tube.events[list(PANEL)].to_numpy(float).T).T, columns=list(PANEL)
    )
    both = (events[detectors["PD-1"]] > 2_000) & (events[detectors["Ki67"]] > 2_000)
    return float(both[memory].mean())


def test_dividing_cd8_cells_expand_in_responders_only():
    before, after = (dividing(tubes(RESPONDER)[time]) for time in ("pre", "post"))
    assert before == pytest.approx(PROLIFERATING, abs=0.03)
    assert after == pytest.approx(PROLIFERATING_AFTER, abs=0.05)
    assert dividing(tubes(OTHER)["post"]) == pytest.approx(PROLIFERATING, abs=0.03)


def test_without_an_effect_nothing_is_planted():
    none = design_trial(patients=4, effect="none")
    assert dividing(tubes(none.patients[RESPONDER.index - 1], none)["post"]) == pytest.approx(PROLIFERATING, abs=0.03)


def test_a_patient_looks_the_same_however_many_others_there_are():
    more = design_trial(patients=6)
    first, again = tubes(DESIGN.patients[0])["pre"], tubes(more.patients[0], more)["pre"]
    pd.testing.assert_frame_equal(first.events, again.events)
    alone = repertoires(DESIGN, patients=DESIGN.patients[:1])
    pd.testing.assert_frame_equal(alone, repertoires(more, patients=more.patients[:1]))


def test_the_panel_writes_some_markers_under_another_name():
    assert {"Ki67", "GranzymeB"} <= set(panel_table()["marker"])


def test_a_receptors_nucleotides_are_those_of_its_amino_acids():
    table = repertoires(DESIGN, patients=(RESPONDER,))
    assert (table["junction"].str.len() == 3 * table["junction_aa"].str.len()).all()
    assert set(table["productive"]) == {"T", "F"}


def test_chemokines_rise_in_responders_and_what_is_too_low_is_printed_as_its_limit():
    table = proteins(design_trial(patients=60)).set_index("sample_id")
    assert table["IL10 [pg/mL]"].str.startswith("<0.8").any()
    chemokine = table["CXCL9 [pg/mL]"].astype(float)
    responders = [patient.patient_id for patient in design_trial(patients=60).patients if patient.responder]
    change = [np.log(chemokine[f"{name}-post-proteins"] / chemokine[f"{name}-pre-proteins"]) for name in responders]
    assert np.mean(change) == pytest.approx(0.9, abs=0.25)
