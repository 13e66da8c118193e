"""AE: terms, grades, severity, attribution."""

import pytest

from tests.ingest.sdtm.folders import ae, good, read, remarks, told


def event(folder, *records):
    tables = good(folder, ae=list(records))
    return tables.adverse_events.astype(object).iloc[0], remarks(tables)


@pytest.mark.parametrize(("written", "grade"), [("3", 3), ("GRADE 4", 4), ("Grade 5", 5), ("1.0", 1)])
def test_the_grade_is_that_of_ctcae(folder, written, grade):
    found, said = event(folder, ae("RASH", AETOXGR=written))
    assert found["grade"] == grade
    assert said == []


def test_severity_is_no_grade_and_one_remark_says_so(folder):
    tables = good(folder, ae=[ae("RASH"), ae("FEVER", AESEV="SEVERE"), ae("PAIN", AETOXGR="2")])
    assert tables.adverse_events["grade"].isna().tolist() == [True, False, True]
    assert tables.adverse_events["severity"].tolist() == ["severe", "mild", "mild"]
    assert remarks(tables) == [
        "2 of 3 adverse events without a CTCAE grade (AETOXGR) -> their grade is empty; severity is no grade (AESEV is kept)"
    ]


@pytest.mark.parametrize("word", ["RELATED", "Probable", "POSSIBLE", "Y", "POSSIBLY RELATED"])
def test_possible_and_more_is_related(folder, word):
    assert event(folder, ae("RASH", AEREL=word))[0]["related"] is True


@pytest.mark.parametrize("word", ["NONE", "NOT RELATED", "UNLIKELY", "REMOTE", "N"])
def test_remote_and_less_is_not_related(folder, word):
    assert event(folder, ae("RASH", AEREL=word))[0]["related"] is False


def test_another_word_leaves_it_open_and_is_remarked(folder):
    tables = good(folder, ae=[ae("RASH", AEREL="UNKNOWN"), ae("FEVER", AEREL="UNKNOWN"), ae("PAIN", AEREL="")])
    assert tables.adverse_events["related"].isna().all()
    assert sum("AEREL is 'UNKNOWN'" in each for each in remarks(tables)) == 1


def test_the_term_is_the_coded_one_else_the_reported_one(folder):
    tables = good(folder, ae=[ae("red skin", AEDECOD="RASH"), ae("fever", AEDECOD="")])
    assert tables.adverse_events["term"].tolist() == ["RASH", "fever"]


def test_an_event_that_did_not_occur_is_left_out(folder):
    tables = good(folder, ae=[ae("RASH", AEOCCUR="N"), ae("FEVER")])
    assert tables.adverse_events["term"].tolist() == ["FEVER"]


def test_a_start_in_parts_is_bounded_by_the_end(folder):
    found, said = event(folder, ae("RASH", "2020-02", AEENDTC="2020-02-11", VISITNUM="2", VISIT="WEEK 6"))
    assert found["start_day"] == 27
    assert any("taken as 2020-02-06: the middle of 2020-02-01 to 2020-02-11" in each for each in said)


def test_an_event_without_a_start_has_no_day(folder):
    tables = good(folder, ae=[ae("RASH", "")])
    assert tables.adverse_events["start_day"].isna().all()
    assert any("no start of RASH -> its start day is empty" in each for each in remarks(tables))


def test_a_severity_that_is_none_is_left_empty_and_remarked(folder):
    found, said = event(folder, ae("RASH", AESEV="AWFUL", AETOXGR="1"))
    assert found["severity"] != found["severity"]
    assert said == ["AESEV is 'AWFUL' -> none of mild, moderate, severe: left empty"]


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"AETOXGR": "6"}, "AETOXGR"),
        ({"AETOXGR": "severe"}, "AETOXGR"),
        ({"AESER": "maybe"}, "AESER"),
        ({"AETERM": "", "AEDECOD": ""}, "AETERM"),
        ({"AESTDTC": "2014-13-45"}, "AESTDTC"),
    ],
)
def test_wrong_cells_are_problems_with_their_row(folder, cells, column):
    _, problems = read(folder, ae=[ae("FEVER"), ae("RASH", **cells)])
    assert [(problem.row, problem.column) for problem in problems] == [(3, column)], told(problems)
