import pandas as pd
import pytest

from rabiomarkers.response.baseline import measurability
from rabiomarkers.tables.outcomes import REMARKS


def lesions(*rows):
    """(lesion, kind, day, mm, organ), of patient P1."""
    frame = pd.DataFrame(rows, columns=["lesion_id", "kind", "day", "mm", "organ"])
    status = ["measured" if kind.startswith("target") else "present" for kind in frame["kind"]]
    return frame.assign(patient_id="P1", status=status)


def found(*rows):
    return measurability(lesions(*rows))["found"].tolist()


def test_a_baseline_in_order_needs_no_remark():
    table = measurability(lesions(("T1", "target", -3, 10.0, "liver"), ("N1", "target_node", -3, 15.0, None)))
    assert table.empty
    assert list(table.columns) == list(REMARKS.columns)


@pytest.mark.parametrize(
    ("kind", "mm", "told"),
    [
        ("target", 9.9, "T1: 9.9 mm at baseline, a lesion from 10 mm is measurable"),
        ("target_node", 14.9, "T1: 14.9 mm at baseline, a node from 15 mm in its short axis is measurable"),
    ],
)
def test_a_target_that_is_too_small_is_told_and_counted(kind, mm, told):
    remark = measurability(lesions(("T1", kind, 0, mm, None))).iloc[0]
    assert (remark["patient_id"], remark["day"], remark["found"]) == ("P1", 0.0, told)
    assert remark["consequence"] == "counted in the sum all the same"


def test_the_reading_that_counts_is_the_last_before_treatment():
    assert found(("T1", "target", -20, 8.0, None), ("T1", "target", -1, 12.0, None)) == []


def test_a_baseline_older_than_four_weeks_is_told():
    assert found(("T1", "target", -28, 12.0, None)) == []
    assert found(("T1", "target", -29, 12.0, None)) == ["baseline scan 29 days before first dose; RECIST allows 28"]


def test_more_than_five_targets_and_more_than_two_of_an_organ_are_told():
    rows = [(f"T{number}", "target", 0, 12.0, "liver" if number < 4 else f"organ {number}") for number in range(1, 7)]
    assert found(*rows) == [
        "6 target lesions; RECIST allows 5",
        "3 target lesions in liver; RECIST allows 2 an organ",
    ]


def test_nodes_are_one_organ_wherever_they_lie():
    rows = [(f"N{number}", "target_node", 0, 16.0, place) for number, place in enumerate(["axilla", "neck", "groin"])]
    assert found(*rows) == ["3 target lesions in lymph nodes; RECIST allows 2 an organ"]


def test_a_patient_without_target_or_without_baseline_is_told():
    assert found(("L1", "non_target", 0, None, None)) == ["no target lesion at baseline"]
    assert found(("T1", "target", 14, 20.0, None)) == ["no scan on or before first dose"]


def test_a_target_that_is_absent_at_baseline_is_told():
    table = lesions(("T1", "target", 0, None, None)).assign(status="absent")
    assert measurability(table)["found"].tolist() == ["T1: a target lesion absent at baseline"]
