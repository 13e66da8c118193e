"""Visits of several scans, lesions that split or merge, and the words of both rule books side by side."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.assess import assess_lesions, assess_timepoints
from rabiomarkers.response.lesions import Reading
from rabiomarkers.response.timepoint import assess_patient

COLUMNS = ["day", "visit", "lesion_id", "kind", "mm", "status", "part_of"]


def lesions(*rows):
    return pd.DataFrame(rows, columns=COLUMNS).assign(patient_id="P1")


def size(day, lesion, mm, *, visit=None, kind="target", part_of=None):
    return (day, visit, lesion, kind, mm, "measured", part_of)


def test_scans_of_one_visit_are_one_time_point_on_its_last_day():
    table = lesions(
        size(0, "T1", 30.0),
        size(0, "T2", 20.0),
        size(41, "T1", 20.0, visit="V2"),
        size(44, "T2", 12.0, visit="V2"),
    )
    points = assess_timepoints(table)
    assert points["day"].tolist() == [0.0, 44.0]
    assert points["sum_mm"].tolist() == [50.0, 32.0]
    assert points["response"].iloc[1] == "PR"


def test_without_their_visit_the_same_scans_are_two_time_points_that_miss_a_lesion():
    table = lesions(size(0, "T1", 30.0), size(0, "T2", 20.0), size(41, "T1", 20.0), size(44, "T2", 12.0))
    assert assess_timepoints(table)["response"].fillna("").tolist() == ["", "NE", "NE"]


def test_progression_counts_from_the_first_scan_of_its_visit():
    table = lesions(
        size(0, "T1", 30.0),
        size(0, "T2", 20.0),
        size(41, "T1", 60.0, visit="V2"),
        size(44, "T2", 20.0, visit="V2"),
    )
    judged = assess_lesions(table).patients["P1"]
    assert judged.visits == [(41.0, "PD")]
    assert judged.irecist_visits == [(41.0, "iUPD")]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([size(-1, "T1", 30.0, visit="V1"), size(2, "T2", 20.0, visit="V1")], "both sides of first dose"),
        ([size(0, "T1", 30.0), size(42, "T1", 20.0), size(42, "T2", 2.0, visit="V2")], "both end on day 42"),
    ],
)
def test_visits_that_cannot_be_told_apart_are_refused(rows, told):
    with pytest.raises(ResponseError, match=told):
        assess_timepoints(lesions(*rows))


def test_the_faults_of_every_patient_are_told_at_once():
    table = pd.concat(
        [lesions(size(0, "T1", -3.0)).assign(patient_id=patient) for patient in ("P1", "P2")], ignore_index=True
    )
    with pytest.raises(ResponseError, match=r"(?s)Patient P1: .*Patient P2: "):
        assess_timepoints(table)


def test_a_merged_lesion_follows_the_one_that_carries_the_diameter():
    table = lesions(
        size(0, "T1", 30.0),
        size(0, "T2", 20.0),
        size(42, "T1", 34.0),
        (42, None, "T2", "target", None, "merged", "T1"),
        size(84, "T1", 0.0),
    )
    points = assess_timepoints(table)
    assert points["sum_mm"].tolist() == [50.0, 34.0, 0.0]
    assert points["response"].fillna("").tolist() == ["", "PR", "CR"]
    assert points["note"].iloc[1] == "T2 merged into T1"


def test_a_merged_lesion_whose_carrier_was_not_read_is_not_evaluated():
    table = lesions(
        size(0, "T1", 30.0),
        size(0, "T2", 20.0),
        (42, None, "T2", "target", None, "merged", "T1"),
    )
    assert assess_timepoints(table)["response"].iloc[1] == "NE"


def test_a_lesion_may_stand_in_its_fragments_alone():
    table = lesions(
        size(0, "T1", 30.0),
        size(42, "T1a", 8.0, part_of="T1"),
        size(42, "T1b", 7.0, part_of="T1"),
    )
    points = assess_timepoints(table)
    assert points["sum_mm"].tolist() == [30.0, 15.0]
    assert points["note"].iloc[1] == "T1 split: T1a; T1 split: T1b"


def test_a_fragment_without_a_row_was_not_evaluated():
    table = lesions(size(0, "T1", 30.0), size(42, "T1", 8.0), size(42, "T1b", 7.0, part_of="T1"), size(84, "T1", 8.0))
    assert assess_timepoints(table)["response"].fillna("").tolist() == ["", "PR", "NE"]


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (Reading("T1", "target", "merged"), "does not say into which"),
        (Reading("T1", "target", "merged", part_of="T9"), "which is no target lesion of this patient"),
        (Reading("L1", "non_target", "present", part_of="T1"), "only target lesions split or merge"),
        (Reading("T1", "target", "measured", 100, part_of="T1"), "T1 is part of itself"),
    ],
)
def test_parts_of_nothing_are_refused(reading, told):
    with pytest.raises(ResponseError, match=told):
        assess_patient({0.0: [Reading("T1", "target", "measured", 200)], 42.0: [reading]})


@given(
    st.lists(st.lists(st.integers(0, 300), min_size=2, max_size=2), min_size=1, max_size=6),
    st.lists(st.integers(0, 300), min_size=6, max_size=6),
)
def test_fragments_add_up_to_what_the_whole_lesion_would_have_been(pieces, others):
    whole, split = {0.0: [_read("T1", 400), _read("T2", 200)]}, {0.0: [_read("T1", 400), _read("T2", 200)]}
    for visit, (first, second) in enumerate(pieces, start=1):
        other = _read("T2", others[visit - 1])
        whole[42.0 * visit] = [_read("T1", first + second), other]
        split[42.0 * visit] = [_read("T1", first), _read("T1b", second, "T1"), other]
    assert [(point.sum_tenths, point.response) for point in assess_patient(whole)] == [
        (point.sum_tenths, point.response) for point in assess_patient(split)
    ]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
def test_a_merge_adds_no_diameter_of_its_own(sizes):
    start = {0.0: [_read("T1", 200), _read("T2", 150)]}
    merged = start | {
        42.0 * visit: [_read("T1", size), Reading("T2", "target", "merged", part_of="T1")]
        for visit, size in enumerate(sizes, start=1)
    }
    absent = start | {
        42.0 * visit: [_read("T1", size), Reading("T2", "target", "absent")]
        for visit, size in enumerate(sizes, start=1)
    }
    assert [point.response for point in assess_patient(merged)] == [point.response for point in assess_patient(absent)]


@given(st.lists(st.integers(0, 600), min_size=1, max_size=8))
def test_until_the_first_progression_both_rule_books_agree(sizes):
    table = lesions(
        size(0, "T1", 30.0), *(size(42.0 * visit, "T1", tenths / 10) for visit, tenths in enumerate(sizes, 1))
    )
    judged = assess_lesions(table).patients["P1"]
    for (_, word), (_, immune) in zip(judged.visits, judged.irecist_visits, strict=True):
        if word == "PD":
            assert immune == "iUPD"
            break
        assert immune in (f"i{word}", word)


def _read(name, tenths, part_of=None):
    return Reading(name, "target", "measured", tenths, part_of)


def test_each_rule_book_dates_the_visit_by_what_it_sees():
    table = lesions(
        size(0, "T1", 30.0),
        size(42, "T1", 30.0),
        (42, None, "X1", "new", None, "present", None),
        size(80, "T1", 20.0, visit="V3"),
        (84, "V3", "X1", "new", None, "present", None),
    )
    judged = assess_lesions(table).patients["P1"]
    assert judged.visits == [(42.0, "PD"), (80.0, "PD")]
    # the targets went from stable to response, which resets the bar: no progression, so the visit's last day
    assert judged.irecist_visits == [(42.0, "iUPD"), (84.0, "iPR")]


def test_an_equivocal_lesion_is_dated_back_without_a_baseline_too():
    table = lesions((42, None, "X1", "new", None, "equivocal", None), (84, None, "X1", "new", None, "present", None))
    assert assess_lesions(table).patients["P1"].visits == [(42.0, "PD"), (84.0, "PD")]


def test_a_non_target_without_a_baseline_is_disease_from_its_first_row_on():
    table = lesions(
        size(0, "T1", 20.0),
        size(42, "T1", 0.0),
        (42, None, "L1", "non_target", None, "present", None),
        size(84, "T1", 0.0),
        size(126, "T1", 0.0),
        (126, None, "L1", "non_target", None, "progression", None),
    )
    # targets gone, but L1 is there, then not evaluated, then worse: never a complete response
    assert [code for _, code in assess_lesions(table).patients["P1"].visits] == ["PR", "PR", "PD"]
    told = assess_lesions(table).remarks
    assert [remark[3] for remark in told] == ["L1: a non_target lesion without a baseline"]


def test_a_target_without_a_baseline_keeps_its_targets_from_being_evaluable_until_it_is_gone():
    table = lesions(
        size(0, "T1", 40.0),
        size(28, "T1", 0.0),
        size(28, "T2", 15.0),
        size(56, "T1", 0.0),
        size(90, "T1", 0.0),
        size(90, "T2", 0.0),
    )
    assert [code for _, code in assess_lesions(table).patients["P1"].visits] == ["NE", "NE", "CR"]


def test_a_lesion_that_was_read_beside_its_fragment_is_not_evaluated_without_a_row():
    table = lesions(
        size(0, "T1", 30.0),
        size(42, "T1", 14.5),
        size(42, "T1b", 11.0, part_of="T1"),
        (84, None, "T1b", "target", None, "absent", "T1"),
    )
    assert [code for _, code in assess_lesions(table).patients["P1"].visits] == ["SD", "NE"]


def test_a_lesion_merged_at_baseline_stays_merged():
    table = lesions(size(-3, "T1", 20.0), (-3, None, "T2", "target", None, "merged", "T1"), size(42, "T1", 14.0))
    assert assess_lesions(table).patients["P1"].visits == [(42.0, "PR")]


def test_the_baseline_is_the_last_reading_that_evaluated_the_lesion():
    table = lesions(
        size(-20, "T1", 20.0), (-1, None, "T1", "target", None, "not_evaluated", None), size(42, "T1", 14.0)
    )
    assert assess_lesions(table).patients["P1"].visits == [(42.0, "PR")]


def test_a_second_decimal_place_rounds_half_up_whatever_its_binary_form():
    points = assess_timepoints(lesions(size(0, "T1", 20.25), size(42, "T1", 20.15)))
    assert points["sum_tenths"].tolist() == [203, 202]


def test_what_comes_back_after_a_complete_response_is_progression_by_the_paper_and_not_by_the_tables_alone():
    table = lesions(size(0, "T1", 20.0), size(42, "T1", 0.0), size(84, "T1", 0.0), size(126, "T1", 4.0))
    judged = assess_lesions(table).patients["P1"]
    assert judged.visits[-1] == (126.0, "PD")
    assert judged.table_visits[-1] == (126.0, "PR")


def test_progression_of_a_non_target_needs_no_baseline():
    table = lesions((42, None, "L1", "non_target", None, "progression", None))
    judged = assess_lesions(table).patients["P1"]
    assert (judged.visits, judged.irecist_visits) == ([(42.0, "PD")], [(42.0, "iUPD")])


def test_nodes_that_were_normal_at_baseline_make_no_complete_response():
    rows = [size(day, "N1", 9.0, kind="target_node") for day in (0, 42, 84)]
    judged = assess_lesions(lesions(*rows))
    assert [code for _, code in judged.patients["P1"].visits] == ["NE", "NE"]
    assert judged.remarks[0][3].startswith("N1: 9 mm at baseline, a node from 15 mm")
