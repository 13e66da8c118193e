import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.mechanism import retinoic_acid_call


def changes(**scores):
    """CHANGES with the columns the call reads, from (estimate, p, floor, pairs) by feature."""
    rows = [
        {
            "compartment": "tumour",
            "feature": feature,
            "unit": "rank score",
            "estimate": estimate,
            "p_value": p_value,
            "p_floor": floor,
            "n_pairs": pairs,
            "note": "one pair: a change needs at least two" if np.isnan(p_value) else "",
        }
        for feature, (estimate, p_value, floor, pairs) in scores.items()
    ]
    columns = ["compartment", "feature", "unit", "estimate", "p_value", "p_floor", "n_pairs", "note"]
    return pd.DataFrame(rows, columns=columns)


ROSE, STILL, FELL = (0.1, 0.002, 0.002, 10), (0.001, 0.98, 0.002, 10), (-0.1, 0.002, 0.002, 10)
FEW, NONE = (0.1, 0.125, 0.125, 4), (np.nan, np.nan, np.nan, 1)


@pytest.mark.parametrize(
    ("core", "direct", "call"),
    [
        (ROSE, ROSE, "response"),
        (ROSE, STILL, "no response"),  # what infiltration alone does
        (STILL, ROSE, "no response"),
        (FELL, FELL, "no response"),
        (STILL, NONE, "no response"),
        (FEW, FEW, "not estimable"),
        (ROSE, NONE, "not estimable"),
        (NONE, NONE, "not estimable"),
    ],
)
def test_core_and_direct_targets_must_both_rise(core, direct, call):
    assert retinoic_acid_call(changes(RA_RESPONSE_CORE=core, RA_RESPONSE_DIRECT=direct))["call"] == call


def test_the_sentence_says_what_each_score_did():
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=STILL))["sentence"]
    assert "RA_RESPONSE_CORE changed by +0.1 rank score in 10 pairs (p = 0.002, floor 0.002)" in told
    assert "as it does when immune cells move in" in told


def test_the_sentence_says_why_nothing_can_be_said():
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=FEW))["sentence"]
    assert "cannot be judged with 4 pairs (no p is below 0.125)" in told
    assert "RA_RESPONSE_DIRECT was not measured" in told
    assert "could not be tested (one pair" in retinoic_acid_call(changes(RA_RESPONSE_CORE=NONE))["sentence"]


def test_a_rise_in_blood_is_no_response_of_the_tumour():
    elsewhere = changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=ROSE).assign(compartment="blood")
    assert retinoic_acid_call(elsewhere)["call"] == "not estimable"
    assert retinoic_acid_call(elsewhere, compartment="blood")["call"] == "response"
