"""Complete blood counts: plausible, and the ratio falls in responders where planted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.simulate.blood_counts import blood_counts
from rabiomarkers.simulate.design import design_trial

# Reference intervals of adults are narrower; a patient under treatment may lie outside them, but not outside these.
PLAUSIBLE = {
    "leukocytes": (1.5, 25),
    "neutrophils": (0.8, 20),
    "lymphocytes": (0.3, 6),
    "monocytes": (0.1, 2.5),
    "eosinophils": (0, 2),
    "basophils": (0, 0.3),
    "platelets": (80, 900),
    "haemoglobin": (70, 200),
}


def wide(design) -> pd.DataFrame:
    rows = blood_counts(design)
    return rows.assign(value=rows["value"].astype(float)).pivot(index="sample_id", columns="analyte", values="value")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_values_are_plausible_and_leukocytes_their_sum(seed):
    values = wide(design_trial(seed=seed))
    for analyte, (low, high) in PLAUSIBLE.items():
        assert values[analyte].between(low, high).all()
    parts = values[["neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils"]].sum(axis="columns")
    np.testing.assert_allclose(values["leukocytes"], parts, atol=0.0051)  # printed with two decimals


@pytest.mark.parametrize(("effect", "responders"), [("planted", np.exp(-0.55)), ("none", 1.0)])
def test_the_neutrophil_to_lymphocyte_ratio_falls_in_responders_only(effect, responders):
    design = design_trial(patients=200, effect=effect)
    values = wide(design)
    ratio = np.log(values["neutrophils"] / values["lymphocytes"])
    change = {
        patient.patient_id: ratio[post.sample_id] - ratio[pre.sample_id]
        for patient in design.patients
        for pre, post in [patient.of("cbc")]
    }
    moved = pd.Series(change).groupby({patient.patient_id: patient.responder for patient in design.patients}).mean()
    assert np.exp(moved[True]) == pytest.approx(responders, rel=0.1)
    assert np.exp(moved[False]) == pytest.approx(1.0, rel=0.05)
