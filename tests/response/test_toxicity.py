import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.response.toxicity import toxicity, toxicity_table

PATIENTS = [f"P{place}" for place in range(10)]


def events(*rows):
    """Rows of patient, term, grade, related, serious."""
    frame = pd.DataFrame(rows, columns=["patient_id", "term", "grade", "related", "serious"])
    return frame.astype({"grade": "Int64", "related": "boolean", "serious": "boolean"})


EVENTS = events(
    ("P0", "Rash", 1, True, False),
    ("P0", "Rash", 3, False, False),
    ("P0", "Fatigue", 2, True, False),
    ("P1", "Rash", 2, True, True),
    ("P2", "Colitis", 4, True, True),
    ("P3", "Sepsis", 5, False, True),
    ("P4", "Fatigue", None, True, False),
    ("other", "Rash", 5, True, True),
)


def test_patients_count_once_at_their_worst_grade():
    found = toxicity(EVENTS, PATIENTS)
    assert found["n"] == 10
    assert found["by_worst_grade"] == {"1": 0, "2": 1, "3": 1, "4": 1, "5": 1}  # P1, P0, P2, P3
    assert found["patients_with_any"] == 5
    assert found["patients_with_grade_3_or_higher"] == 3
    assert found["ungraded"] == 1  # P4
    assert found["none"] == 5  # 10 - 5: the four graded, P4


def test_related_and_serious_events_are_counted_apart():
    found = toxicity(EVENTS, PATIENTS)
    assert found["patients_with_related"] == 4  # P0, P1, P2, P4
    assert found["by_worst_grade_related"] == {"1": 0, "2": 2, "3": 0, "4": 1, "5": 0}  # P0's grade 3 was not related
    assert found["patients_with_related_grade_3_or_higher"] == 1
    assert found["patients_with_serious"] == 3
    assert found["patients_with_related_serious"] == 2
    assert found["grade_5_terms"] == ["Sepsis"]
    assert found["note"] == "without a grade: 1 of 7 events"


def test_no_table_is_not_no_event():
    found = toxicity(None, PATIENTS)
    assert found["n"] == 10
    assert found["note"] == "no adverse events table"
    assert {value for key, value in found.items() if key not in ("n", "note")} == {None}
    assert set(found) == set(toxicity(EVENTS, PATIENTS))


def test_an_empty_table_is_no_event():
    found = toxicity(events(), PATIENTS)
    assert (found["patients_with_any"], found["none"], found["patients_with_related"]) == (0, 10, 0)
    assert (found["patients_with_serious"], found["grade_5_terms"]) == (0, [])
    assert found["note"] == "the table of adverse events names no patient of the trial: was it filled in?"


@pytest.mark.parametrize("columns", [["patient_id", "grade"], ["patient_id", "grade", "related", "serious"]])
def test_what_no_event_states_is_absent_and_not_0(columns):
    table = EVENTS.assign(related=pd.NA, serious=pd.NA)[columns]
    found = toxicity(table, PATIENTS)
    assert found["patients_with_any"] == 5
    for key in (
        "patients_with_related",
        "by_worst_grade_related",
        "patients_with_related_grade_3_or_higher",
        "patients_with_serious",
        "patients_with_related_serious",
    ):
        assert found[key] is None


def test_what_some_events_do_not_state_is_counted():
    table = events(("P0", "Rash", 3, None, False), ("P1", "Rash", 2, True, None), ("P2", "Rash", 2, None, None))
    found = toxicity(table, PATIENTS)
    assert (found["patients_with_related"], found["patients_with_serious"]) == (1, 0)
    assert found["note"] == (
        "not stated whether related, counted as not: 2 of 3 events; not stated whether serious, counted as not: 2 of 3 events"
    )


def test_words_of_severity_are_counted_apart_from_grades():
    table = events(*[("P0", "Rash", None, False, False)] * 2, *[(f"P{n}", "Rash", 2, True, False) for n in (1, 2, 3)])
    found = toxicity(table.assign(severity=["MILD", "severe ", "Moderate", "AWFUL", None]), PATIENTS)
    assert found["by_severity"] == {"mild": 0, "moderate": 1, "severe": 1}  # P1, P0
    assert found["by_worst_grade"]["2"] == 3
    assert found["note"] == "without a grade: 2 of 5 events; severity not known: AWFUL"
    assert toxicity(table, PATIENTS)["by_severity"] is None


def test_events_before_first_dose_are_counted_and_said():
    table = EVENTS.assign(start_day=[-3.0, 0.0, 5.0, 5.0, 5.0, None, -1.0, -9.0])
    assert toxicity(table, PATIENTS)["note"].endswith("began before first dose, counted too: 2 of 7 events")


def test_nobody_in_the_trial_has_no_events():
    found = toxicity(EVENTS, [])
    assert (found["n"], found["patients_with_any"], found["none"]) == (0, 0, 0)


def test_the_table_counts_patients_by_term_at_the_worst_grade_of_it():
    table = toxicity_table(EVENTS, PATIENTS).set_index("term")
    assert table.index.tolist() == ["Rash", "Fatigue", "Colitis", "Sepsis"]  # most patients, then most of grade 3 to 5
    assert table.loc["Rash"].to_dict() == {
        "patients": 2,
        "grade_1": 0,
        "grade_2": 1,
        "grade_3": 1,
        "grade_4": 0,
        "grade_5": 0,
        "ungraded": 0,
        "related": 2,
        "serious": 1,
        "related_grade_3_or_higher": 0,  # P0's related rash was of grade 1
    }
    assert table.loc["Fatigue", ["patients", "grade_2", "ungraded", "related"]].tolist() == [2, 1, 1, 2]
    assert table.loc["Colitis", "related_grade_3_or_higher"] == 1


def test_a_term_written_in_two_ways_is_one():
    table = events(("P0", "Rash", 1, True, False), ("P1", "rash ", 2, True, False), ("P2", "Rash", None, True, False))
    assert toxicity_table(table, PATIENTS)[["term", "patients"]].to_numpy().tolist() == [["Rash", 3]]


@pytest.mark.parametrize(
    "table", [None, events(), events(("other", "Rash", 1, True, False)), events(("P0", None, 1, True, False))]
)
def test_without_a_term_of_the_trial_the_table_is_empty(table):
    assert toxicity_table(table, PATIENTS).empty


grades = st.one_of(st.none(), st.integers(1, 5))
rows = st.lists(
    st.tuples(
        st.sampled_from([*PATIENTS, "other"]),
        st.sampled_from(["Rash", "Fatigue"]),
        grades,
        st.booleans(),
        st.booleans(),
    ),
    max_size=20,
)


@settings(max_examples=50)
@given(rows, st.randoms())
def test_grades_ungraded_and_none_add_up_in_any_order_of_events(rows, random):
    found = toxicity(events(*rows), PATIENTS)
    assert sum(found["by_worst_grade"].values()) + found["ungraded"] + found["none"] == found["n"]
    assert found["patients_with_related_grade_3_or_higher"] <= found["patients_with_grade_3_or_higher"]
    table = toxicity_table(events(*rows), PATIENTS)
    by_grade = table[[*(f"grade_{grade}" for grade in range(1, 6)), "ungraded"]].sum(axis="columns")
    assert by_grade.tolist() == table["patients"].tolist()
    assert table["patients"].max() <= found["patients_with_any"] if len(table) else found["patients_with_any"] == 0
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert toxicity(events(*shuffled), PATIENTS) == found
    assert toxicity_table(events(*shuffled), PATIENTS).equals(table)
    json.dumps(found, allow_nan=False)


def test_what_no_event_states_is_an_empty_count_and_not_nought():
    events = pd.DataFrame({"patient_id": ["P1", "P1"], "term": ["Rash", "Fever"], "grade": [3, 1]})
    table = toxicity_table(events.assign(serious=[True, False]), ["P1", "P2"])
    assert table["related"].isna().all()
    assert table["related_grade_3_or_higher"].isna().all()
    assert table["serious"].tolist() == [1, 0]
