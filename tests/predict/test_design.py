import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.design import design_matrix, without_features
from rabiomarkers.tables.changes import DELTAS
from rabiomarkers.tables.samples import FEATURES
from tests.support.outcomes import whole_outcomes

PATIENTS = ("P1", "P2", "P3", "P4")


def features(*rows):
    """(patient, timepoint, compartment, feature, value, unit, cohort_dependent)"""
    full = [
        (
            f"{patient}-{timepoint}-{part}",
            patient,
            timepoint,
            part,
            "assay",
            name,
            value,
            unit,
            "rank",
            1.0,
            cohort,
            None,
        )
        for patient, timepoint, part, name, value, unit, cohort in rows
    ]
    return FEATURES.check(pd.DataFrame(full, columns=list(FEATURES.columns)))


def outcomes(**changes):
    frame = pd.DataFrame({"patient_id": PATIENTS, "best_response": ["PR", "PD", "SD", "CR"]})
    return whole_outcomes(frame.assign(responder=frame["best_response"].isin(["CR", "PR"]), **changes))


@pytest.fixture
def table():
    rows = [(name, "pre", "tumour", "SCORE", place / 10, "rank score", False) for place, name in enumerate(PATIENTS)]
    rows += [(name, "post", "tumour", "SCORE", 0.9, "rank score", False) for name in PATIENTS[:2]]
    rows += [(name, "pre", "blood", "NLR", 2.0**place, "ratio", False) for place, name in enumerate(PATIENTS[:3])]
    return features(*rows)


@pytest.fixture
def deltas():
    rows = [
        ("P1", "tumour", "SCORE", "rank score", 0.0, 0.9, 0.9),
        ("P2", "tumour", "SCORE", "rank score", 0.1, 0.9, 0.8),
    ]
    return DELTAS.check(pd.DataFrame(rows, columns=list(DELTAS.columns)))


def build(table, deltas, outcome, feature_set="baseline", names=("SCORE", "NLR"), **options):
    return design_matrix(
        table, deltas, outcome, feature_set=feature_set, contrast=("pre", "post"), names=names, **options
    )


def test_baseline_takes_the_first_timepoint_on_the_scale_of_the_changes(table, deltas):
    design = build(table, deltas, outcomes())
    assert design.matrix["tumour:SCORE"].tolist() == [0.0, 0.1, 0.2, 0.3]
    assert design.matrix["blood:NLR"].tolist()[:3] == [0.0, 1.0, 2.0]
    assert design.units == {"tumour:SCORE": "rank score", "blood:NLR": "log2 ratio"}
    assert design.labels.to_dict() == {"P1": True, "P2": False, "P3": False, "P4": True}


def test_a_patient_who_misses_a_compartment_stays_in(table, deltas):
    design = build(table, deltas, outcomes())
    assert np.isnan(design.matrix.loc["P4", "blood:NLR"])
    assert not design.left_out


def test_change_takes_complete_pairs_and_names_who_is_left_out(table, deltas):
    design = build(table, deltas, outcomes(), "change")
    assert design.matrix["tumour:SCORE"].to_dict() == {"P1": 0.9, "P2": 0.8}
    reason = "no pair of samples at pre and post with any of the named features"
    assert design.left_out == ({"patient_id": "P3", "reason": reason}, {"patient_id": "P4", "reason": reason})
    assert design.refused == ({"feature": "NLR", "reason": "not measured in any patient"},)


def test_a_patient_whose_response_is_not_known_is_left_out_with_the_reason(table, deltas):
    outcome = outcomes(evaluable=[True, False, True, True], note=[None, "no assessment after baseline", None, None])
    design = build(table, deltas, outcome)
    assert list(design.matrix.index) == ["P1", "P3", "P4"]
    assert design.left_out == ({"patient_id": "P2", "reason": "response not evaluable: no assessment after baseline"},)


def test_columns_follow_the_plan_and_stop_at_the_maximum(table, deltas):
    assert list(build(table, deltas, outcomes(), names=("NLR", "SCORE")).matrix) == ["blood:NLR", "tumour:SCORE"]
    design = build(table, deltas, outcomes(), names=("NLR", "SCORE"), maximum_features=1)
    assert list(design.matrix) == ["blood:NLR"]
    assert design.refused == ({"feature": "tumour:SCORE", "reason": "the model takes 1 features at most"},)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("S*", ["tumour:SCORE"]),
        ("tumour:*", ["tumour:SCORE"]),
        ("blood:SCORE", []),
        ("*", ["blood:NLR", "tumour:SCORE"]),
        ("tumour:SCORE", ["tumour:SCORE"]),
        ("score", []),
    ],
)
def test_names_are_patterns_in_any_or_in_one_compartment(table, deltas, name, columns):
    assert list(build(table, deltas, outcomes(), names=(name,)).matrix) == columns


def test_a_feature_with_a_colon_is_named_as_it_is(deltas):
    table = features(*[(name, "pre", "tumour", "CYT:mean", 1.0, "log2 CPM", False) for name in PATIENTS])
    assert list(build(table, deltas, outcomes(), names=("CYT:mean",)).matrix) == ["tumour:CYT:mean"]


def test_a_feature_that_depends_on_the_cohort_is_refused(deltas):
    table = features(*[(name, "pre", "tumour", "ZSCORE", 1.0, "z", True) for name in PATIENTS])
    design = build(table, deltas, outcomes(), names=("ZSCORE",))
    assert design.matrix.shape == (0, 0)
    assert design.refused == ({"feature": "tumour:ZSCORE", "reason": "its value depends on the other patients"},)


def test_a_feature_in_two_units_is_refused(deltas):
    table = features(
        ("P1", "pre", "blood", "IL6", 1.0, "pg/mL", False),
        ("P2", "pre", "blood", "IL6", 1.0, "NPX", False),
    )
    refused = build(table, deltas, outcomes(), names=("IL6",)).refused
    assert refused == ({"feature": "blood:IL6", "reason": "it is given in more than one unit"},)


def test_the_order_of_rows_plays_no_part(table, deltas):
    first = build(table, deltas, outcomes())
    again = build(table.iloc[::-1], deltas.iloc[::-1], outcomes().iloc[::-1])
    pd.testing.assert_frame_equal(first.matrix, again.matrix)
    pd.testing.assert_series_equal(first.labels, again.labels)


def test_a_feature_given_twice_for_a_patient_is_an_error(table, deltas):
    twice = pd.concat([table, table.iloc[[0]]])
    with pytest.raises(PredictionError, match="hold a feature twice for one patient"):
        build(twice, deltas, outcomes())


def test_without_outcomes_every_patient_is_there(table, deltas):
    design = build(table, deltas, None)
    assert list(design.matrix.index) == list(PATIENTS)
    assert design.labels.empty


@pytest.mark.parametrize("feature_set", ["baseline", "change"])
def test_empty_tables_give_a_design_without_columns(feature_set):
    design = build(FEATURES.empty(), DELTAS.empty(), outcomes(), feature_set)
    assert design.matrix.shape == (0, 0)
    assert len(design.left_out) == 4


def test_values_before_and_their_changes_stand_side_by_side_by_name(table, deltas):
    design = build(table, deltas, outcomes(), "both", names=("SCORE", "NLR", "nowhere"))
    assert list(design.matrix.columns) == ["before tumour:SCORE", "before blood:NLR", "change tumour:SCORE"]
    assert design.matrix["before tumour:SCORE"].tolist() == [0.0, 0.1, 0.2, 0.3]
    assert design.matrix["change tumour:SCORE"].tolist()[:2] == [0.9, 0.8]
    assert design.matrix["change tumour:SCORE"].isna().tolist() == [False, False, True, True]
    assert design.units["before blood:NLR"] == "log2 ratio"
    refused = {(row["feature"], row["reason"]) for row in design.refused}
    absent = "not measured in any patient"
    assert refused == {("before nowhere", absent), ("change nowhere", absent), ("change NLR", absent)}


def test_the_columns_of_a_design_name_the_same_design(table, deltas):
    design = build(table, deltas, outcomes(), "both")
    again = build(table, deltas, outcomes(), "both", names=list(design.matrix.columns))
    pd.testing.assert_frame_equal(again.matrix, design.matrix)
    only = build(table, deltas, outcomes(), "both", names=["change tumour:SCORE"])
    assert list(only.matrix.columns) == ["change tumour:SCORE"]
    assert only.refused == ()


def test_one_compartment_alone_leaves_out_who_has_no_sample_of_it(table, deltas):
    design = build(table, deltas, outcomes(), compartment="blood")
    assert list(design.matrix.columns) == ["blood:NLR"]
    assert [row["patient_id"] for row in design.left_out] == ["P4"]


def test_a_model_without_features_has_every_patient_with_a_response():
    design = without_features(outcomes(evaluable=[True, True, True, False]))
    assert design.labels.to_dict() == {"P1": True, "P2": False, "P3": False}
    assert design.matrix.shape == (3, 0)
    assert [row["patient_id"] for row in design.left_out] == ["P4"]
