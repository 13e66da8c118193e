from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.assess import assess_timepoints
from rabiomarkers.response.lesions import Reading
from rabiomarkers.response.timepoint import (
    assess_patient,
    is_partial_response,
    is_progression,
    non_target_response,
    overall_response,
)


def target(tenths, name="T1", kind="target", status="measured"):
    return Reading(lesion_id=name, kind=kind, status=status, tenths=tenths)


@pytest.fixture
def lesions():
    return pd.DataFrame(
        {
            "patient_id": ["P2", "P1", "P1", "P1"],
            "day": [0, 0, 42, 84],
            "lesion_id": ["T1", "T1", "T1", "T1"],
            "kind": "target",
            "mm": [30.0, 28.0, 19.6, 24.6],
            "status": "measured",
            "tenths": pd.array([300, 280, 196, 246], dtype="Int64"),
        }
    )


def test_every_visit_has_its_sum_change_and_response(lesions):
    points = assess_timepoints(lesions)
    assert points["patient_id"].tolist() == ["P1", "P1", "P1", "P2"]
    assert points["sum_mm"].tolist() == [28.0, 19.6, 24.6, 30.0]
    assert points["change_percent"].round(10).tolist() == [0.0, -30.0, pytest.approx(-3.4 / 28 * 100), 0.0]
    # 19.6 to 24.6 is +25.5 % and +5.0 mm
    assert points["response"].fillna("").tolist() == ["", "PR", "PD", ""]
    assert points["nadir_tenths"].tolist() == [280, 280, 196, 300]


def test_tenths_are_taken_from_millimetres_where_the_column_is_absent(lesions):
    pd.testing.assert_frame_equal(assess_timepoints(lesions.drop(columns="tenths")), assess_timepoints(lesions))


def test_the_order_of_rows_plays_no_part(lesions):
    pd.testing.assert_frame_equal(assess_timepoints(lesions.iloc[::-1]), assess_timepoints(lesions))


def test_no_lesion_gives_a_table_without_rows(lesions):
    assert assess_timepoints(lesions.iloc[:0]).empty


def test_targets_that_were_absent_at_baseline_give_nothing_to_compare():
    points = assess_patient({0.0: [target(None, status="absent")], 42.0: [target(None, status="absent")]})
    assert points[1].response == "NE"
    assert points[1].note == "no target sum at baseline"


def test_a_target_not_evaluated_at_baseline_gives_nothing_to_compare_but_a_new_lesion_is_progression():
    new = Reading(lesion_id="X1", kind="new", status="present")
    visits = {0.0: [target(None, status="not_evaluated")], 42.0: [target(50)], 84.0: [target(50), new]}
    assert [point.response for point in assess_patient(visits)] == [None, "NE", "PD"]


def test_a_new_lesion_is_progression_even_without_a_baseline():
    new = Reading(lesion_id="X1", kind="new", status="present")
    (point,) = assess_patient({42.0: [target(200), new]})
    assert (point.response, point.new_lesion) == ("PD", True)


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (target(None), "measured but has no size"),
        (target(-10), "measured but has no size"),
        (target(None, status="present"), "target lesion with status 'present'"),
        (target(100, kind="tumor"), "tumor lesion"),
        (target(100, kind="target_node"), "is target_node and was target"),
    ],
)
def test_a_lesion_that_cannot_be_read_is_named_with_its_day(reading, told):
    with pytest.raises(ResponseError, match=f"T1 on day 42.*{told}"):
        assess_patient({0.0: [target(200)], 42.0: [reading]})


def test_a_lesion_read_twice_on_a_day_is_named_with_its_patient(lesions):
    with pytest.raises(ResponseError, match=r"Patient P1.*T1 is read twice on day 42"):
        assess_timepoints(pd.concat([lesions, lesions.iloc[[2]]]))


def test_non_target_words_follow_the_table():
    assert non_target_response([]) is None
    assert non_target_response(["absent", "too_small"]) == "NON-CR/NON-PD"
    assert non_target_response(["progression", "not_evaluated"]) == "PD"


def test_a_patient_without_any_lesion_at_baseline_is_not_evaluable_until_one_appears():
    assert overall_response(None, None, new_lesion=False) == "NE"
    assert overall_response(None, None, new_lesion=True) == "PD"


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_thresholds_agree_with_exact_fractions(before, after):
    change = Fraction(after, before) - 1
    assert is_partial_response(after, before) == (change <= Fraction(-3, 10))
    assert is_progression(after, before) == (change >= Fraction(1, 5) and after - before >= 50)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=6), st.integers(2, 5))
def test_a_response_never_turns_with_the_order_of_lesions(sizes, copies):
    first = {
        float(day): [target(size + lesion, name=f"T{lesion}") for lesion in range(copies)]
        for day, size in enumerate(sizes)
    }
    again = {day: list(reversed(lesions)) for day, lesions in reversed(first.items())}
    assert assess_patient(first) == assess_patient(again)
