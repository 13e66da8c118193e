"""Patients, arms, first dose."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.tables.outcomes import REMARKS
from tests.ingest.sdtm.folders import ae, dm, good, read, remarks, told


def dose(when, *, amount="54", treatment="X", patient="P1", end="", **cells):
    usual = {"EXTRT": treatment, "EXDOSE": amount, "EXSTDTC": when, "EXENDTC": end or when}
    return {"USUBJID": patient, **usual, **cells}


def first_event_day(folder, **domains):
    """The day of an event on 20 January 2020."""
    tables = good(folder, ae=[ae("RASH", "2020-01-20")], **domains)
    said = [each for each in remarks(tables) if "CTCAE" not in each]
    return tables.adverse_events["start_day"].iloc[0], said


def test_patients_are_as_patients_csv_would_give_them(folder):
    people = [
        dm("P2", ACTARM="B", ARM="B", AGE="61.0", AGEU="YEARS", SEX="F"),
        dm("P1", AGE="732", AGEU="MONTHS", SEX="M"),
    ]
    frame = good(folder, dm=people).patients
    assert frame[["patient_id", "arm", "age", "sex"]].to_numpy().tolist() == [
        ["P1", "A", 61.0, "M"],
        ["P2", "B", 61.0, "F"],
    ]


def test_first_dose_is_rfxstdtc(folder):
    day, said = first_event_day(
        folder, dm=[dm(RFXSTDTC="2020-01-12T09:00", RFSTDTC="2020-01-12")], ex=[dose("2020-01-13")]
    )
    assert day == 8
    assert "first dose on 2020-01-12 by RFXSTDTC, on 2020-01-13 by EX -> RFXSTDTC is day 0" in said


def test_else_it_is_the_first_dose_of_ex_and_placebo_counts(folder):
    nothing = dose("2020-01-05", amount="0")
    day, said = first_event_day(
        folder,
        dm=[dm(RFXSTDTC="")],
        ex=[nothing, dose("2020-01-16"), dose("2020-01-14", amount="0", treatment="Placebo")],
    )
    assert day == 6
    assert any("the first dose of EX is on 2020-01-14" in each for each in said)


def test_a_dose_that_did_not_occur_is_none(folder):
    exposure = [dose("2020-01-05", EXOCCUR="N"), dose("2020-01-16")]
    assert first_event_day(folder, dm=[dm(RFXSTDTC="")], ex=exposure)[0] == 4


def test_else_it_is_rfstdtc(folder):
    day, said = first_event_day(folder, dm=[dm(RFXSTDTC="", RFSTDTC="2020-01-18")])
    assert day == 2
    assert said == ["no complete date of first dose; RFSTDTC is 2020-01-18 -> days are counted from RFSTDTC"]


def test_a_first_dose_in_parts_is_a_problem_because_all_days_hang_on_it(folder):
    _, problems = read(folder, dm=[dm(RFXSTDTC="2020-01", RFSTDTC="2020-01")])
    assert told(problems)[0].startswith("sdtm/dm.csv:2:RFXSTDTC: first dose 2020-01; a complete date of first dose")


@pytest.mark.parametrize(
    "how", [{"RFXSTDTC": "", "RFSTDTC": ""}, {"ARMNRS": "ASSIGNED, NOT TREATED"}, {"ACTARMCD": "NOTTRT"}]
)
def test_a_patient_who_was_never_dosed_stays_and_has_no_days(folder, how):
    tables = good(folder, dm=[dm(**how), dm("P2")], ae=[ae("RASH")])
    assert tables.patients["patient_id"].tolist() == ["P1", "P2"]
    assert tables.followup["patient_id"].tolist() == ["P2"]
    assert np.isnan(tables.adverse_events["start_day"].iloc[0])
    assert any("enrolled, but never dosed" in each and "NE" in each for each in remarks(tables))


@pytest.mark.parametrize(
    "how",
    [{"ACTARMCD": "Scrnfail"}, {"ACTARMCD": "", "ARMNRS": "SCREEN FAILURE"}, {"ACTARMCD": "", "ARMCD": "SCRNFAIL"}],
)
def test_screen_failures_are_left_out_with_a_remark_each(folder, how):
    tables = good(folder, dm=[dm(), dm("P2", **how), dm("P3", **how)], ae=[ae("RASH", patient="P2")])
    assert tables.patients["patient_id"].tolist() == ["P1"]
    assert tables.adverse_events.empty
    assert sum(each.startswith("a screen failure") for each in remarks(tables)) == 2


def test_a_patient_in_two_arms_is_a_problem(folder):
    _, problems = read(folder, dm=[dm(), dm(ACTARM="B")])
    assert told(problems) == [
        "sdtm/dm.csv:3:ACTARM: a patient in two arms: P1 is in row 2, too, once in 'A' and once in 'B'; "
        "each subject once, in one arm; remove the wrong record"
    ]


def test_a_subject_twice_in_one_arm_is_a_problem(folder):
    _, problems = read(folder, dm=[dm(), dm()])
    assert [problem.column for problem in problems] == ["USUBJID"]


def test_an_arm_that_was_not_the_planned_one_is_remarked(folder):
    tables = good(folder, dm=[dm(ARM="B")])
    assert tables.patients["arm"].tolist() == ["A"]
    assert remarks(tables) == ["arm as planned 'B', as treated 'A' -> counted in the arm as treated"]


def test_patients_csv_restricts_and_its_covariates_are_kept(folder):
    own = pd.DataFrame({"patient_id": ["P2", "P1"], "subtype": ["x", "y"], "age": [50.0, 51.0]})
    tables = good(folder, dm=[dm(), dm("P2", AGE="20"), dm("P3")], ae=[ae("RASH", patient="P3")], patients=own)
    assert tables.patients[["patient_id", "subtype", "age", "arm"]].to_numpy().tolist() == [
        ["P1", "y", 51.0, "A"],
        ["P2", "x", 50.0, "A"],
    ]
    assert tables.adverse_events.empty


def test_another_arm_in_patients_csv_counts_and_is_remarked(folder):
    own = pd.DataFrame({"patient_id": ["P1"], "arm": ["ra"]})
    tables = good(folder, patients=own)
    assert tables.patients["arm"].tolist() == ["ra"]
    assert remarks(tables) == ["arm 'ra', and 'A' in DM -> patients.csv counts"]


def test_patients_that_dm_lacks_or_calls_screen_failures_are_problems(folder):
    own = pd.DataFrame({"patient_id": ["P1", "P8", "P9"]})
    _, problems = read(folder, dm=[dm(), dm("P8", ACTARMCD="SCRNFAIL")], patients=own)
    assert [(problem.file, problem.found) for problem in problems] == [
        ("patients.csv", "P8 is a screen failure in DM"),
        ("patients.csv", "unknown patient 'P9'"),
    ]


def test_records_of_subjects_that_dm_lacks_are_a_problem_once_a_subject(folder):
    _, problems = read(folder, ae=[ae("RASH"), ae("RASH", patient="P7"), ae("FEVER", patient="P7")])
    assert told(problems) == [
        "sdtm/ae.csv:3:USUBJID: 'P7', which DM does not have (2 records); subjects of DM; correct the id or add the subject to DM"
    ]


@pytest.mark.parametrize(
    "cells", [{"AGE": "old"}, {"AGE": "-1"}, {"AGE": "5", "AGEU": "DECADES"}, {"RFSTDTC": "2014-13-45"}]
)
def test_wrong_cells_of_dm_are_problems(folder, cells):
    _, problems = read(folder, dm=[dm(**cells)])
    assert [problem.row for problem in problems] == [2]


def test_remarks_are_a_table_that_keeps_its_promise(folder):
    tables = good(folder, dm=[dm(), dm("P2", ACTARMCD="SCRNFAIL"), dm("P3", ARM="B")])
    pd.testing.assert_frame_equal(REMARKS.check(tables.remarks), tables.remarks)
    assert tables.remarks["source"].tolist() == ["sdtm/dm.csv:3", "sdtm/dm.csv:4"]
