"""The call on the retinoic-acid response, and the step that writes it."""

import json

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.chain import DEFAULT_CHAIN
from rabiomarkers.change.immune import adjusted_table
from rabiomarkers.change.mechanism import mechanism_step, retinoic_acid_call
from rabiomarkers.change.pairs import paired_deltas
from rabiomarkers.change.table import change_table
from rabiomarkers.features.signatures import choose_signatures, score_signatures
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.tumour import tumour_counts

CORE, DIRECT, CYT = "RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT", "CYT_ROONEY_2015"


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


def adjusted(estimate, p_value, *, extrapolated=False, note="", pairs=10):
    """The row of the adjusted table that decides."""
    told = {"estimate": estimate, "p_value": p_value, "extrapolated": extrapolated, "note": note, "n_pairs": pairs}
    return pd.DataFrame([{"feature": DIRECT, "infiltration": CYT, "unit": "rank score"} | told])


ROSE, STILL, FELL = (0.1, 0.002, 0.002, 10), (0.001, 0.98, 0.002, 10), (-0.1, 0.002, 0.002, 10)
FEW, NONE = (0.1, 0.125, 0.125, 4), (np.nan, np.nan, np.nan, 1)
BEYOND, WITHIN, BELOW = adjusted(0.09, 0.004), adjusted(0.02, 0.4), adjusted(-0.09, 0.004)
NOT_ADJUSTED = adjusted(np.nan, np.nan, note="3 pairs of both: an adjustment needs at least 4", pairs=3)
OUTSIDE = adjusted(0.09, 0.004, extrapolated=True, note="extrapolated: infiltration rose in every patient")
NOBODY = adjusted(0, 0).iloc[:0]


@pytest.mark.parametrize(
    ("core", "direct", "beyond", "call"),
    [
        (ROSE, ROSE, BEYOND, "response"),
        (ROSE, STILL, BEYOND, "no response"),  # what infiltration alone does
        (STILL, ROSE, BEYOND, "no response"),
        (ROSE, ROSE, WITHIN, "no response"),
        (ROSE, ROSE, BELOW, "no response"),
        (FELL, FELL, BELOW, "no response"),
        (STILL, NONE, NOT_ADJUSTED, "no response"),
        (ROSE, ROSE, NOT_ADJUSTED, "not estimable"),
        (ROSE, ROSE, OUTSIDE, "not estimable"),
        (ROSE, ROSE, NOBODY, "not estimable"),
        (FEW, FEW, BEYOND, "not estimable"),
        (ROSE, NONE, NOT_ADJUSTED, "not estimable"),
        (NONE, NONE, NOT_ADJUSTED, "not estimable"),
    ],
)
def test_core_direct_targets_and_these_beyond_infiltration_must_all_rise(core, direct, beyond, call):
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=core, RA_RESPONSE_DIRECT=direct), beyond)
    assert told["call"] == call
    assert told["sentence"].endswith(told["why"] or ".")


@pytest.mark.parametrize(("p_value", "verdict"), [(0.05, "rose"), (np.nextafter(0.05, 1), "not risen")])
def test_a_p_of_exactly_5_percent_counts_as_everywhere_else(p_value, verdict):
    score = (0.1, p_value, 0.002, 10)
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=score, RA_RESPONSE_DIRECT=score), adjusted(0.09, p_value))
    assert set(told["verdicts"].values()) == {verdict}
    assert told["call"] == ("response" if verdict == "rose" else "no response")


@pytest.mark.parametrize(("floor", "call"), [(0.05, "response"), (np.nextafter(0.05, 1), "not estimable")])
def test_a_floor_of_exactly_5_percent_can_be_judged(floor, call):
    score = (0.1, 0.05, floor, 6)
    assert retinoic_acid_call(changes(RA_RESPONSE_CORE=score, RA_RESPONSE_DIRECT=score), BEYOND)["call"] == call


def test_a_change_of_exactly_nothing_is_no_rise():
    score = (0.0, 0.01, 0.002, 10)
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=score, RA_RESPONSE_DIRECT=ROSE), adjusted(0.0, 0.01))
    assert told["verdicts"] == {CORE: "not risen", DIRECT: "rose", "adjusted": "not risen"}


def test_the_first_measure_of_infiltration_decides_and_others_are_told_only():
    both = changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=ROSE)
    assert retinoic_acid_call(both, pd.concat([BEYOND, WITHIN]))["call"] == "response"
    assert retinoic_acid_call(both, pd.concat([WITHIN, BEYOND]))["call"] == "no response"
    core_only = WITHIN.assign(feature=CORE)
    assert retinoic_acid_call(both, pd.concat([core_only, BEYOND]))["call"] == "response"


def test_a_test_without_a_floor_makes_the_call_too():
    t_test = (0.1, 0.002, np.nan, 10)
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=t_test, RA_RESPONSE_DIRECT=t_test), BEYOND)
    assert told["call"] == "response"
    assert "nan" not in told["sentence"]


def test_the_sentence_says_what_each_score_did():
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=STILL), WITHIN)["sentence"]
    assert "RA_RESPONSE_CORE changed by +0.1 rank score in 10 pairs (p = 0.002, floor 0.002)" in told
    assert (
        "RA_RESPONSE_DIRECT at no change of CYT_ROONEY_2015 changed by +0.02 rank score in 10 pairs (p = 0.4)" in told
    )
    assert "as it does when immune cells move in" in told


def test_the_sentence_says_why_nothing_can_be_said():
    told = retinoic_acid_call(changes(RA_RESPONSE_CORE=FEW), NOBODY)["sentence"]
    assert "cannot be judged with 4 pairs (no p is below 0.125)" in told
    assert "RA_RESPONSE_DIRECT was not measured" in told
    assert "RA_RESPONSE_DIRECT was not adjusted for infiltration" in told
    assert "could not be tested (one pair" in retinoic_acid_call(changes(RA_RESPONSE_CORE=NONE), NOBODY)["sentence"]


@pytest.mark.parametrize(
    ("beyond", "why"),
    [
        (WITHIN, "not shown to have risen further than goes with immune cells moving in"),
        (NOT_ADJUSTED, "cannot be told (3 pairs of both: an adjustment needs at least 4)"),
        (OUTSIDE, "cannot be told (extrapolated: infiltration rose in every patient)"),
        (NOBODY, "cannot be told (infiltration was not measured)"),
    ],
)
def test_the_sentence_says_why_two_scores_that_rose_make_no_call(beyond, why):
    both = changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=ROSE)
    assert why in retinoic_acid_call(both, beyond)["sentence"]


def test_a_rise_in_blood_is_no_response_of_the_tumour():
    elsewhere = changes(RA_RESPONSE_CORE=ROSE, RA_RESPONSE_DIRECT=ROSE).assign(compartment="blood")
    assert retinoic_acid_call(elsewhere, BEYOND)["call"] == "not estimable"


# ---- simulated trials ------------------------------------------------------------------------------------------------


def simulated(*, effect, seed, patients=10, neutral_genes=500):
    """Deltas of the tumours of one simulated trial."""
    named = choose_signatures(
        load_signatures(config_path("signatures/gene_signatures.csv")),
        [CORE, DIRECT, CYT, "TIS_AYERS_2017", "MACROPHAGE_LIPID_PEROXIDATION"],
    )
    design = design_trial(patients=patients, effect=effect, seed=seed)
    counts = tumour_counts(design, neutral_genes=neutral_genes)
    features = pd.concat(
        score_signatures(counts[sample.sample_id], named, scale="counts").assign(
            sample_id=sample.sample_id,
            patient_id=patient.patient_id,
            timepoint=sample.timepoint,
            compartment="tumour",
            assay="rna_counts",
        )
        for patient in design.patients
        for sample in patient.of("tumour")
        if not sample.poor and not sample.missing
    )
    return paired_deltas(features, contrast=("pre", "post"))


def called(**options):
    deltas = simulated(**options)
    beyond = adjusted_table(deltas, features=[DIRECT], infiltration=[CYT])
    return retinoic_acid_call(change_table(deltas, primary=(CORE, DIRECT)), beyond)["call"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_response_is_called_in_the_8_pairs_of_a_small_trial(seed):
    assert called(effect="planted", seed=seed) == "response"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_trial_without_effect_makes_no_call(seed):
    assert called(effect="none", seed=seed) == "no response"


@pytest.mark.calibration
def test_100_trials_without_effect_make_no_more_calls_than_the_nominal_rate():
    # all three must rise, so at most the 0.025 of one of them; 3 Monte-Carlo standard errors
    calls = [called(effect="none", seed=seed) for seed in range(1, 101)]
    assert calls.count("response") / 100 <= 0.025 + 3 * (0.025 * 0.975 / 100) ** 0.5


@pytest.mark.calibration
def test_a_planted_response_is_called_in_38_of_40_small_trials():
    assert [called(effect="planted", seed=seed) for seed in range(1, 41)].count("response") >= 38


# ---- the step --------------------------------------------------------------------------------------------------------


def step(folder, deltas, **options):
    """The step's three files."""
    inputs = {"deltas": folder / "deltas.parquet", "changes": folder / "changes.parquet"}
    write_table(deltas, inputs["deltas"])
    write_table(change_table(deltas, primary=(CORE, DIRECT)), inputs["changes"])
    chain = [
        {"name": node.name, "compartment": node.compartment, "feature": node.feature, "expected": node.expected}
        for node in DEFAULT_CHAIN
    ]
    told = mechanism_step(inputs, folder, chain=chain, **options)
    tables = {name: read_table(folder / f"{name}.parquet") for name in ("chain", "links")}
    return told, tables, json.loads((folder / "retinoic_acid.json").read_text())


def test_the_step_writes_the_chain_its_links_and_the_call(tmp_path):
    told, tables, called = step(tmp_path, simulated(effect="planted", seed=1), infiltration="tumour:CYT_ROONEY_2015")
    assert (told["call"], told["links"], told["links_tested"]) == ("response", 4, 3)
    assert len(tables["chain"]) == 8 * 5
    assert tables["links"]["note"].tolist()[3] == "nobody has a pair of microbes"
    assert [(row["feature"], row["infiltration"]) for row in called["adjusted"]] == [
        (DIRECT, CYT),
        (DIRECT, "TIS_AYERS_2017"),
        (CORE, CYT),
        (CORE, "TIS_AYERS_2017"),
    ]
    assert called["verdicts"] == {CORE: "rose", DIRECT: "rose", "adjusted": "rose"}
    assert called["adjusted"][0]["degrees_of_freedom"] == 6


def test_the_step_stands_a_trial_without_any_pair(tmp_path):
    told, tables, called = step(tmp_path, simulated(effect="none", seed=1).iloc[:0])
    assert (told["call"], told["links_tested"], len(tables["chain"])) == ("not estimable", 0, 0)
    assert called["adjusted"][0]["p_value"] is None
    assert called["adjusted"][0]["note"] == f"no pair of {DIRECT} and {CYT}"


def test_the_step_stands_one_patient(tmp_path):
    deltas = simulated(effect="planted", seed=1)
    told, tables, _ = step(tmp_path, deltas[deltas["patient_id"] == deltas["patient_id"].min()])
    assert told["call"] == "not estimable"
    assert len(tables["chain"]) == 5
    assert tables["links"]["p_value"].isna().all()
