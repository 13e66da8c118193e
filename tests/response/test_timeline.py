import pandas as pd
import pytest

from rabiomarkers.response.timeline import timeline
from rabiomarkers.tables.outcomes import OUTCOMES, SUMS
from rabiomarkers.tables.table import DTYPES


def outcomes(*rows):
    """One patient a row; what is not said is not known."""
    table = pd.DataFrame(rows).reindex(columns=list(OUTCOMES.columns))
    return table.astype({name: DTYPES[kind] for name, kind in OUTCOMES.columns.items()})


def sums(*rows):
    """Rows of patient, day, response."""
    table = pd.DataFrame(rows, columns=["patient_id", "day", "response"]).reindex(columns=list(SUMS.columns))
    return table.astype({name: DTYPES[kind] for name, kind in SUMS.columns.items()})


def happened(table):
    """The rows without the first dose."""
    rows = table[table["kind"] != "first_dose"].astype(object)
    return rows.where(rows.notna(), None).to_numpy().tolist()


RESPONDER = {"patient_id": "P1", "best_response": "PR", "responder": True, "response_day": 42.0}
EVENTS = pd.DataFrame(
    {
        "patient_id": ["P1", "P1", "P1", "P1", "P1", "other"],
        "term": ["Rash", "Colitis", "Fall", "Fatigue", "Sepsis", "Sepsis"],
        "grade": pd.array([2, 3, None, 1, 4, 4], dtype="Int64"),
        "start_day": [5.0, 10.0, 20.0, 25.0, None, 30.0],
        "related": pd.array([True, True, None, True, True, True], dtype="boolean"),
        "serious": pd.array([False, False, True, None, True, True], dtype="boolean"),
    }
)


def test_a_patient_course_is_told_in_order():
    patient = RESPONDER | {"progression_day": 126.0, "new_lesion_day": 126.0, "os_days": 300.0, "died": True}
    followup = pd.DataFrame({"patient_id": ["P1"], "treatment_end_day": [120.0], "new_therapy_day": [140.0]})
    visits = sums(("P1", 0.0, None), ("P1", 42.0, "PR"), ("P1", 84.0, "PR"), ("P1", 126.0, "PD"))
    table = timeline(outcomes(patient), visits, followup, EVENTS)
    assert table["patient_id"].unique().tolist() == ["P1"]
    rows = table.astype(object).where(table.notna(), None)
    assert rows[["day", "kind", "detail"]].to_numpy().tolist() == [
        [0.0, "first_dose", None],
        [10.0, "adverse_event", "Colitis, grade 3, related"],
        [20.0, "adverse_event", "Fall, serious"],  # no grade, and nobody says whether it was related
        [42.0, "assessment", "PR"],
        [42.0, "response", "PR"],
        [84.0, "assessment", "PR"],
        [120.0, "last_dose", None],
        [126.0, "assessment", "PD"],
        [126.0, "progression", None],
        [126.0, "new_lesion", None],
        [140.0, "new_therapy", None],
        [300.0, "death", None],
    ]


def test_who_is_alive_ends_with_the_last_contact():
    table = timeline(outcomes({"patient_id": "P1", "os_days": 200.0, "died": False}), sums())
    assert happened(table) == [["P1", 200.0, "last_contact", None]]


def test_of_whom_nothing_is_known_there_is_the_first_dose():
    table = timeline(outcomes({"patient_id": "P2"}, {"patient_id": "P1"}), sums(), None, None)
    assert table[["patient_id", "day", "kind"]].to_numpy().tolist() == [
        ["P1", 0.0, "first_dose"],
        ["P2", 0.0, "first_dose"],
    ]


def test_no_patient_has_no_timeline():
    assert timeline(outcomes(), sums()).empty


def test_a_response_that_does_not_count_is_not_marked():
    assert happened(timeline(outcomes(RESPONDER | {"responder": False}), sums())) == []
    assert happened(timeline(outcomes(RESPONDER | {"responder": None}), sums())) == []


@pytest.mark.parametrize(
    ("known", "marked"),
    [
        ({"os_days": 300.0, "died": True}, True),  # lived on
        ({"os_days": 90.0, "died": False}, True),
        ({"os_days": 90.0, "died": True}, False),  # the event was the death
        ({}, False),  # it may have been
        ({"os_days": 300.0, "died": True, "progressed": False}, False),
    ],
)
def test_a_progression_known_from_the_follow_up_alone_is_marked_where_it_is_no_death(known, marked):
    table = timeline(outcomes({"patient_id": "P1", "pfs_days": 90.0, "progressed": True} | known), sums())
    rows = [["P1", 90.0, "progression", "from follow-up"]]
    assert [row for row in happened(table) if row[2] == "progression"] == (rows if marked else [])


def test_patients_of_other_tables_are_left_out():
    followup = pd.DataFrame({"patient_id": ["other"], "treatment_end_day": [9.0]})
    table = timeline(outcomes({"patient_id": "P1"}), sums(("other", 42.0, "PD")), followup, EVENTS.tail(1))
    assert happened(table) == []


def test_visits_before_first_dose_and_without_a_response_are_no_assessment():
    table = timeline(outcomes({"patient_id": "P1"}), sums(("P1", -5.0, "SD"), ("P1", 0.0, "SD"), ("P1", 42.0, None)))
    assert happened(table) == []


def test_adverse_events_without_columns_of_days_or_flags_are_no_error():
    assert happened(timeline(outcomes({"patient_id": "P1"}), sums(), None, EVENTS.drop(columns="start_day"))) == []
    plain = EVENTS[["patient_id", "term", "grade", "start_day"]]
    rows = happened(timeline(outcomes({"patient_id": "P1"}), sums(), None, plain))
    assert rows == [["P1", 10.0, "adverse_event", "Colitis, grade 3"]]


def test_the_order_of_the_rows_plays_no_part():
    visits = sums(("P1", 42.0, "PR"), ("P2", 42.0, "SD"), ("P1", 84.0, "PR"))
    patients = outcomes(RESPONDER, {"patient_id": "P2"})
    told = timeline(patients, visits, None, EVENTS)
    turned = timeline(patients[::-1], visits[::-1], None, EVENTS[::-1])
    assert told.equals(turned)
