"""Death, last contact and the end of treatment."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.sdtm.folders import FIRST_DOSE, ae, dm, good, read, remarks, rs, told, tr, tu

START = date.fromisoformat(FIRST_DOSE)
SEEN = {"USUBJID": "P1", "DSDECOD": "COMPLETED", "DSSTDTC": "2020-03-10"}


def row(tables):
    return tables.followup.iloc[0]


def overall(tables):
    return row(tables)["os_days"], row(tables)["died"]


def death(when, **cells):
    return {"USUBJID": "P1", "DSDECOD": "DEATH", "DSSTDTC": when, **cells}


def test_the_date_of_death_is_that_of_dm(folder):
    tables = good(folder, dm=[dm(DTHDTC="2020-05-09T11:00", DTHFL="Y")], ds=[SEEN, death("2020-05-11")])
    assert overall(tables) == (120, True)
    assert "dates of death that differ: 2020-05-09 and 2020-05-11 -> 2020-05-09 counts (DM before DS)" in remarks(
        tables
    )


def test_else_it_is_that_of_ds(folder):
    assert overall(good(folder, ds=[SEEN, death("2020-05-09")])) == (120, True)


@pytest.mark.parametrize(
    ("written", "on"), [("2020-05", "2020-05-01"), ("2020", "2020-03-10"), ("2020-03", "2020-03-10")]
)
def test_a_date_of_death_in_parts_is_the_earliest_that_it_may_have_been(folder, written, on):
    tables = good(folder, dm=[dm(DTHDTC=written, DTHFL="Y")], ds=[SEEN])
    assert overall(tables) == ((date.fromisoformat(on) - START).days, True)
    assert remarks(tables) == [f"a date of death in parts ({written}) -> taken as {on}, the earliest it may have been"]


def test_a_complete_date_of_ds_comes_before_one_of_dm_in_parts(folder):
    assert overall(good(folder, dm=[dm(DTHDTC="2020-05", DTHFL="Y")], ds=[death("2020-05-09")])) == (120, True)


def test_a_death_without_a_date_is_put_on_the_last_contact(folder):
    tables = good(folder, dm=[dm(DTHFL="Y")], ds=[SEEN])
    assert overall(tables) == (60, True)
    assert remarks(tables) == ["a death without a date -> put on the last contact, 2020-03-10"]


CONTACTS = {
    "ds": {"ds": [SEEN]},
    "rs": {"rs": [rs("SD", when="2020-03-10")]},
    "tr": {"tu": [tu("T01")], "tr": [tr("T01", "20", "2", "2020-03-10")]},
    "another reader's tr": {
        "tu": [tu("T01")],
        "tr": [tr("T01", "20"), tr("T01", "20", "2", "2020-03-10", TREVAL="OTHER")],
    },
    "start of a dose": {"ex": [{"USUBJID": "P1", "EXTRT": "X", "EXSTDTC": "2020-03-10", "EXENDTC": ""}]},
    "end of a dose": {"ex": [{"USUBJID": "P1", "EXTRT": "X", "EXSTDTC": FIRST_DOSE, "EXENDTC": "2020-03-10"}]},
    "start of an event": {"ae": [ae("RASH", "2020-03-10", AEENDTC="2020-04")]},
    "end of an event": {"ae": [ae("RASH", "2020-03", AEENDTC="2020-03-10")]},
}


@pytest.mark.parametrize("where", CONTACTS)
def test_last_contact_is_the_latest_complete_date_of_any_domain(folder, where):
    earlier = {"USUBJID": "P1", "DSDECOD": "RANDOMIZED", "DSSTDTC": "2020-01-09"}
    assert overall(good(folder, **{"ds": [earlier], **CONTACTS[where]})) == (60, False)


def test_without_a_complete_date_last_contact_is_the_earliest_of_a_date_in_parts(folder):
    tables = good(folder, ae=[ae("RASH", "2020-04", AESTDY="100")])
    assert overall(tables) == ((date(2020, 4, 1) - START).days, False)
    assert any("last contact taken as 2020-04-01, the earliest" in each for each in remarks(tables))


def test_with_nothing_else_last_contact_is_first_dose(folder):
    assert overall(good(folder)) == (0, False)


def test_a_death_before_first_dose_is_a_problem(folder):
    _, problems = read(folder, dm=[dm(DTHDTC="2020-01-01", DTHFL="Y")])
    assert told(problems)[0].startswith("sdtm/dm.csv:2:DTHDTC: death on 2020-01-01, before first dose on 2020-01-10")


@pytest.mark.parametrize("where", ["DM", "DS"])
def test_a_date_of_death_that_is_none_is_a_problem(folder, where):
    domains = {"dm": [dm(DTHDTC="2014-13-45")]} if where == "DM" else {"ds": [death("2014-13-45")]}
    _, problems = read(folder, **domains)
    assert len(problems) == 1
    assert "'2014-13-45'" in problems[0].found


def test_records_after_death_are_remarked(folder):
    tables = good(folder, dm=[dm(DTHDTC="2020-03-01")], ds=[SEEN])
    assert "records after death on 2020-03-01, the last on 2020-03-10 -> the date of death counts" in remarks(tables)


def exposed(*doses):
    return [{"USUBJID": "P1", "EXTRT": "X", "EXDOSE": "1", "EXSTDTC": begin, "EXENDTC": end} for begin, end in doses]


@pytest.mark.parametrize(
    ("doses", "of_dm", "end"),
    [
        ([("2020-01-10", "2020-01-20"), ("2020-01-31", "2020-02-10")], "2020-06-30", 31),
        ([("2020-01-10", "2020-01-20"), ("2020-01-31", "")], "2020-02-12", 33),
        ([("2020-01-10", ""), ("2020-01-31", "2020-02-10")], "2020-02-12", 31),
        ([("2020-01-10", "2020-01-20"), ("2020-01-31", "")], "", np.nan),
        ([], "2020-02-12", 33),
    ],
)
def test_treatment_ends_with_the_last_dose(folder, doses, of_dm, end):
    """A last dose without an end is not over by the end of an earlier one."""
    domains = {"ex": exposed(*doses)} if doses else {}
    tables = good(folder, dm=[dm(RFXENDTC=of_dm)], **domains)
    assert np.array_equal(row(tables)["treatment_end_day"], end, equal_nan=True)
    assert any("end of treatment not known" in each for each in remarks(tables)) == np.isnan(end)


def test_where_no_file_tells_of_the_last_dose_one_remark_says_so(folder):
    people = [{name: text for name, text in dm(patient).items() if name != "RFXENDTC"} for patient in ("P1", "P2")]
    tables = good(folder, dm=people)
    assert remarks(tables) == ["neither EX nor RFXENDTC -> end of treatment not known"]


def test_progression_and_new_therapy_are_left_empty(folder):
    assert row(good(folder))[["pfs_days", "progressed", "new_therapy_day"]].isna().all()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dates(START, START + timedelta(days=900)), st.sampled_from(["%Y-%m-%d", "%Y-%m", "%Y"]))
def test_a_date_in_parts_never_makes_survival_longer(folder, on, parts):
    tables = good(folder, dm=[dm(DTHDTC=on.strftime(parts), DTHFL="Y")])
    days, died = overall(tables)
    assert died
    assert 0 <= days <= (on - START).days
