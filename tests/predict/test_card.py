"""Items and ratings follow from the facts of the run."""

import pytest

from rabiomarkers.predict.card import NOT_REPORTED, TOPICS, overall, probast_ratings, tripod_items, what_not_to_conclude

SUMMARY = {"study": "trial", "plan": {"hash": "ab12", "registered": None}, "rule_sets": {"used": "recist-1.1"}}
SMALL = {
    "name": "ridge_baseline",
    "model": "ridge",
    "feature_set": "baseline",
    "primary": True,
    "options": {"penalty": 1.0},
    "n": 10,
    "responders": 3,
    "features": ["tumour:CYT"],
    "units": {"tumour:CYT": "rank score"},
    "missing_values": 2,
    "left_out": [],
    "riley_n": 323,
    "auc": 0.62,
    "auc_low": 0.2,
    "auc_high": 0.95,
    "auc_method": "leave-pair-out (21 pairs)",
    "p_value": 0.375,
    "p_count": 45,
    "p_total": 120,
    "brier": 0.24,
    "brier_constant": 0.26,
    "calibration_slope": None,
    "auc_left_out_batch": None,
    "batch_note": "all patients are of one batch",
    "guards": [{"guard": "flip", "findings": []}],
    "verdict": "not distinguishable from chance at n = 10 (p = 45/120)",
}
LARGE = SMALL | {
    "n": 964,
    "responders": 282,
    "p_value": 0.005,
    "p_count": 1,
    "p_total": 200,
    "calibration_slope": 0.9,
    "auc_left_out_batch": 0.66,
}
ABSENT = SMALL | {
    "auc": None,
    "p_value": None,
    "verdict": "not estimable: no responders among 10 patients",
    "riley_n": None,
}


def answers(model=SMALL, summary=SUMMARY, *, judged=True):
    return {item.number: item.answer for item in tripod_items(model, summary, judged=judged)}


def risks(model=SMALL, summary=SUMMARY, *, judged=True, tried=1):
    ratings = probast_ratings(model, summary, judged=judged, tried=tried)
    return {(rating.part, rating.domain): rating for rating in ratings}


def test_all_27_items_with_their_parts_are_answered_in_order():
    found = [item.number for item in tripod_items(SMALL, SUMMARY, judged=True)]
    assert found == list(TOPICS)
    assert len(found) == 52  # as the checklist counts its items with their parts
    assert {int("".join(filter(str.isdigit, number))) for number in found} == set(range(1, 28))
    assert all(answers().values())


def test_what_the_run_cannot_know_is_said_to_be_not_reported():
    told = answers()
    assert {number for number, answer in told.items() if answer == NOT_REPORTED} == {
        "3a", "3c", "6a", "6c", "17", "18a", "18b", "19",
    }  # fmt: skip
    assert answers(judged=False)["8b"] == NOT_REPORTED


def test_numbers_of_the_run_stand_in_the_answers():
    told = answers()
    assert (
        told["23a"] == "AUC 0.62 (95 % 0.20 to 0.95), p = 45/120; Brier score 0.24 against 0.26 of a constant forecast"
    )
    assert told["10"] == "10 patients, as many as there were; a stable model needs 323 (Riley et al. 2019)"
    assert told["9b"].startswith("tumour:CYT (rank score);")
    assert told["11"].startswith("2 values missing")
    assert told["12d"] == "not estimable: all patients are of one batch"
    assert told["18d"] == "no plan was registered with this study"
    assert answers(ABSENT)["23a"] == "none: not estimable: no responders among 10 patients"
    assert answers(ABSENT)["22"] == "there is no model"


@pytest.mark.parametrize(
    ("registered", "told"), [(True, "this plan is the registered one"), (False, "NOT the registered")]
)
def test_whether_the_plan_was_registered_is_told(registered, told):
    assert told in answers(summary=SUMMARY | {"plan": {"hash": "a", "registered": registered}})["18d"]


def test_ten_patients_are_a_high_risk_by_the_analysis_and_say_why():
    found = risks()
    assert {key: rating.risk for key, rating in found.items()} == {
        ("development", "participants and data sources"): "low",
        ("development", "predictors"): "low",
        ("development", "outcome"): "low",
        ("development", "analysis"): "high",
        ("evaluation", "participants and data sources"): "low",
        ("evaluation", "predictors"): "low",
        ("evaluation", "outcome"): "low",
        ("evaluation", "analysis"): "high",
    }
    assert (
        found["development", "analysis"].because == "10 patients where a stable model needs 323; 3 events per feature"
    )
    assert "calibration is not estimable" in found["evaluation", "analysis"].because
    assert overall(list(found.values())) == "high"


def test_a_large_cohort_with_batches_is_low_throughout():
    assert {rating.risk for rating in risks(LARGE).values()} == {"low"}
    assert risks(LARGE | {"auc_left_out_batch": None})["evaluation", "analysis"].risk == "unclear"


@pytest.mark.parametrize(
    ("change", "options", "where", "risk"),
    [
        ({}, {"judged": False}, ("evaluation", "outcome"), "unclear"),
        ({"primary": False}, {"tried": 5}, ("evaluation", "analysis"), "high"),
        ({"guards": [{"guard": "flip", "findings": ["P1"]}]}, {}, ("evaluation", "analysis"), "high"),
        ({"responders": 99}, {}, ("evaluation", "analysis"), "high"),
        ({"n": 322}, {}, ("development", "analysis"), "high"),
        ({"left_out": [{"patient_id": "P"}] * 242}, {}, ("development", "participants and data sources"), "high"),
        ({"left_out": [{"patient_id": "P"}] * 241}, {}, ("development", "participants and data sources"), "low"),
        ({"auc": None}, {}, ("evaluation", "analysis"), "high"),
        ({"riley_n": None}, {}, ("development", "analysis"), "high"),
        ({"riley_n": None, "feature_set": "none"}, {}, ("development", "analysis"), "low"),
    ],
)
def test_each_fact_moves_its_own_rating(change, options, where, risk):
    assert risks(LARGE | change, **options)[where].risk == risk


def test_a_plan_that_is_not_the_registered_one_is_a_risk_of_the_predictors():
    found = risks(LARGE, SUMMARY | {"plan": {"registered": False}})
    assert found["evaluation", "predictors"].risk == "high"


def test_what_must_not_be_concluded_follows_from_the_facts():
    assert any("few patients show little" in line for line in what_not_to_conclude(SMALL))
    assert any("another one" in line for line in what_not_to_conclude(LARGE))
    assert not any("calibrated" in line for line in what_not_to_conclude(LARGE))
    assert any("calibrated" in line for line in what_not_to_conclude(SMALL))
    assert any("before treatment" in line for line in what_not_to_conclude(SMALL | {"feature_set": "both"}))
    assert any("perfect" in line for line in what_not_to_conclude(SMALL | {"auc": 1.0}))
    assert len(what_not_to_conclude(ABSENT)) == 2
