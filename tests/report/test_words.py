import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    absent,
    besides_floor,
    call_of_change,
    call_of_difference,
    cannot_reach,
    corrected_by,
    in_natural_order,
    interval,
    number,
    p_with_floor,
    percent,
    percent_change,
    percents,
    place,
    plural,
    reason,
    signed,
    yes_no,
)

ROW = {"estimate": 0.1, "p_value": 0.002, "p_floor": 0.00195, "q_value": 0.006, "n_pairs": 10, "note": None}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (62.0, "62"),
        (0.0019531, "0.00195"),
        (0.0002, "0.0002"),
        (-0.36, "\N{MINUS SIGN}0.360"),
        (12.345, "12.3"),
        (12_400_000.0, "12\N{NARROW NO-BREAK SPACE}400\N{NARROW NO-BREAK SPACE}000"),
        (1.62e-11, "1.6×10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ONE}\N{SUPERSCRIPT ONE}"),
    ],
)
def test_a_number_has_three_significant_digits_and_a_true_minus_sign(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf"), pd.NA])
def test_an_absent_number_is_said_in_words_with_its_reason(nothing):
    assert number(nothing) == NOT_ESTIMABLE
    assert percent(nothing, "no patient") == "not estimable: no patient"
    assert yes_no(nothing) == "not known"


def test_a_share_above_nothing_is_never_told_as_nothing():
    told = [percent(share) for share in (0, 0.0001, 0.00049, 0.0005, 0.004, 1)]
    assert told == [f"{words}\N{NO-BREAK SPACE}%" for words in ("0", "< 0.1", "< 0.1", "0.1", "0.4", "100")]


def test_a_reason_that_says_not_estimable_is_not_said_twice():
    assert absent("not estimable: no responders") == "not estimable: no responders"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_no_number_is_ever_printed_as_nan_or_left_blank(value):
    shown = number(value)
    assert shown
    assert "nan" not in shown
    assert "inf" not in shown


@given(st.floats(min_value=1e-3, max_value=999))
def test_a_number_reads_back_to_within_its_last_digit(value):
    assert math.isclose(float(number(value)), value, rel_tol=0.005)


def test_the_floor_stands_beside_the_p_value():
    assert p_with_floor(0.0625, 0.0625) == "0.0625 (floor\N{NO-BREAK SPACE}0.0625)"


def test_an_interval_tells_the_level_it_achieves():
    assert interval(-0.5, 1.5, 0.9512) == "\N{MINUS SIGN}0.500 to 1.50 (95.1\N{NO-BREAK SPACE}%)"


def test_three_of_ten_have_the_exact_interval_of_the_textbook():  # VALIDITY.md, section 1
    assert percents(0.0667395, 0.6524528) == "6.7 to 65.2\N{NO-BREAK SPACE}%"


def test_a_positive_change_carries_its_sign():
    assert signed(0.25) == "+0.250"


def test_one_is_not_plural():
    assert [plural(1, "pair"), plural(0, "pair"), plural(None, "pair")] == ["1 pair", "0 pairs", "not estimable pairs"]


@pytest.mark.parametrize(
    ("changed", "call"),
    [
        ({}, "rose"),
        ({"estimate": -0.1}, "fell"),
        ({"q_value": 0.2}, "no change shown"),
        ({"q_value": None}, "no change shown"),  # a p that was not corrected claims nothing
        ({"estimate": None}, "changed"),
        (
            {"q_value": 0.2, "correction": "fixed sequence"},
            "no change shown, as an earlier feature of the sequence did not pass",
        ),
        ({"q_value": 0.2, "p_value": 0.2, "correction": "fixed sequence"}, "no change shown"),
        ({"p_value": 0.0625, "p_floor": 0.0625, "n_pairs": 5}, "cannot reach 0.05 with 5 pairs"),
        ({"p_value": None, "note": "2 pairs, 3 are needed"}, "not estimable: 2 pairs, 3 are needed"),
    ],
)
def test_the_call_of_a_change_never_says_more_than_its_pairs_allow(changed, call):
    assert call_of_change(ROW | changed) == call


@pytest.mark.parametrize(
    ("changed", "call"),
    [
        ({}, "higher in responders"),
        ({"estimate": -0.1}, "lower in responders"),
        ({"estimate": 0.0}, "differs"),
        ({"q_value": 0.051}, "no difference shown"),
        ({"p_floor": 0.0714}, "cannot reach 0.05 with 2 against 8"),
        ({"p_value": None, "note": "no responder has a pair"}, "not estimable: no responder has a pair"),
    ],
)
def test_the_call_of_a_difference_never_says_more_than_its_groups_allow(changed, call):
    assert call_of_difference(ROW | {"n_responders": 2, "n_non_responders": 8} | changed) == call


def test_a_note_is_not_said_twice_beside_the_floor():
    note = "2 zeros; cannot reach 0.05: with 5 pairs no p is below 0.0625; 1 patient without a pair"
    assert besides_floor(note) == "2 zeros; 1 patient without a pair"
    assert besides_floor(None) == ""


def test_a_correction_is_told_with_the_place_in_the_sequence():
    assert corrected_by("fixed sequence", 2, 3) == "fixed sequence, place 2 of 3"
    assert corrected_by("Holm", None, 3) == "Holm"
    assert corrected_by(float("nan")) == "Benjamini-Hochberg"  # results of the first version


def test_a_reason_stands_without_the_words_that_stand_before_it():
    assert reason("not estimable: no responders") == "no responders"
    assert [reason(None, "unknown"), reason("not estimable", "unknown")] == ["unknown", "unknown"]


def test_only_a_floor_above_the_level_is_told():
    assert [cannot_reach(floor) for floor in (0.0625, 0.05, None)] == [", cannot reach 0.05", "", ""]


def test_a_planned_feature_no_sample_gave_has_no_compartment():
    assert [place("blood"), place("any")] == ["blood", "not measured"]


def test_patients_are_sorted_as_people_do():
    frame = pd.DataFrame({"patient_id": ["P10", "P2", "P2", "a"], "day": [0.0, 42.0, -5.0, 0.0]})
    assert in_natural_order(frame, "patient_id", "day").index.tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize(
    ("change", "shown"),
    [(-46.55, "\N{MINUS SIGN}46.5"), (20.0, "+20"), (-0.04, "0"), (0.0, "0"), (-0.903, "\N{MINUS SIGN}0.9")],
)
def test_a_change_in_percent_has_the_decimals_of_a_rate(change, shown):
    assert percent_change(change) == f"{shown}\N{NO-BREAK SPACE}%"
