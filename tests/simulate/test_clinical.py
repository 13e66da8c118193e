"""Clinical tables: what was drawn is what RECIST 1.1 finds."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.response.assess import assess_timepoints
from rabiomarkers.response.best_response import best_response
from rabiomarkers.simulate.clinical import clinical_tables
from rabiomarkers.simulate.design import design_trial


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_lesions_visits_and_the_drawn_response_agree(seed):
    design = design_trial(seed=seed)
    tables = clinical_tables(design)
    lesions = tables.lesions.assign(mm=pd.to_numeric(tables.lesions["mm"]))
    judged = assess_timepoints(lesions).dropna(subset="response")
    both = judged.merge(tables.visits, on=["patient_id", "day"], how="outer")
    assert both["response"].tolist() == both["overall_response"].tolist()
    for patient in design.patients:
        visits = tables.visits[tables.visits["patient_id"] == patient.patient_id]
        found = best_response(zip(visits["day"], visits["overall_response"], strict=True))
        assert found.response == patient.best_response


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 100_000))
def test_followup_ends_at_progression_or_the_last_visit(seed):
    tables = clinical_tables(design_trial(seed=seed))
    last = tables.visits.groupby("patient_id").last()
    followup = tables.followup.set_index("patient_id")
    assert followup["pfs_days"].tolist() == last["day"].tolist()
    assert (followup["progressed"] == "true").tolist() == (last["overall_response"] == "PD").tolist()
    assert (followup["os_days"] > followup["pfs_days"]).all()
    assert not ((followup["died"] == "true") & (followup["progressed"] == "false")).any()


@pytest.fixture(scope="module")
def tables():
    return clinical_tables(design_trial(patients=30))


def test_sizes_are_tenths_of_a_millimetre_of_measured_lesions_only(tables):
    lesions = tables.lesions
    sized = lesions["status"].isin(["measured", "too_small"])
    assert lesions.loc[sized, "mm"].str.fullmatch(r"\d+\.\d").all()
    assert (lesions.loc[lesions["kind"].isin(["non_target", "new"]), "mm"] == "").all()


def test_baseline_lies_in_the_week_before_first_dose_and_nodes_are_enlarged(tables):
    baseline = tables.lesions[tables.lesions["day"] <= 0]
    assert baseline["day"].between(-7, 0).all()
    assert baseline["patient_id"].nunique() == 30
    nodes = baseline.loc[baseline["kind"] == "target_node", "mm"].astype(float)
    assert len(nodes)
    assert (nodes >= 15).all()  # RECIST 1.1: short axis of a pathological target node


def test_grades_are_those_of_ctcae_and_serious_from_three_on(tables):
    events = tables.adverse_events
    assert events["grade"].between(1, 5).all()
    assert ((events["grade"] >= 3) == (events["serious"] == "true")).all()


def test_the_course_is_the_same_with_and_without_an_effect():
    planted, none = clinical_tables(design_trial()), clinical_tables(design_trial(effect="none"))
    pd.testing.assert_frame_equal(planted.lesions, none.lesions)


def test_the_tables_have_the_columns_of_the_contract(tables):
    assert {"patient_id", "subtype", "age", "prior_lines"} == set(tables.patients.columns)
    assert list(tables.lesions.columns) == ["patient_id", "day", "lesion_id", "kind", "mm", "status", "organ"]
    assert list(tables.visits.columns) == ["patient_id", "day", "overall_response"]
    assert list(tables.followup.columns) == [
        *("patient_id", "pfs_days", "progressed", "os_days", "died"),
        "treatment_end_day",
    ]
    expected = ["patient_id", "term", "grade", "start_day", "related", "serious"]
    assert list(tables.adverse_events.columns) == expected
