"""RS: the overall response of each visit."""

import pytest

from tests.ingest.sdtm.folders import good, read, remarks, rs, told


def visits(tables):
    return [(day, response) for _, day, response in tables.visits.itertuples(index=False)]


def said(tables):
    return [each for each in remarks(tables) if "last contact" not in each]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("CR", "CR"),
        ("pr", "PR"),
        ("Non-CR/Non-PD", "NON-CR/NON-PD"),
        ("NE", "NE"),
        ("Stable Disease", "SD"),
        ("PROGRESSIVE DISEASE", "PD"),
    ],
)
def test_the_words_of_recist_are_understood(folder, written, code):
    tables = good(folder, rs=[rs(written)])
    assert visits(tables) == [(42, code)]
    assert said(tables) == []


def test_only_the_overall_response_is_read(folder):
    target = rs("PD", RSTESTCD="TRGRESP")
    assert visits(good(folder, rs=[target, rs("SD")])) == [(42, "SD")]


@pytest.mark.parametrize("written", ["CHECK", "iUPD", ""])
def test_a_code_that_recist_does_not_have_makes_the_visit_not_evaluable_with_the_reason(folder, written):
    tables = good(folder, rs=[rs(written)])
    assert visits(tables) == [(42, "NE")]
    assert said(tables)[0].endswith("the visit is NE: that is no response of the criterion")
    assert tables.remarks["source"].iloc[-1] == "sdtm/rs.csv:2"


def test_a_response_that_was_not_done_is_not_evaluable_with_the_reason(folder):
    tables = good(folder, rs=[rs("", RSSTAT="NOT DONE", RSREASND="no scan")])
    assert visits(tables) == [(42, "NE")]
    assert "overall response not done at visit WEEK 6 (no scan)" in said(tables)[0]


def test_recist_1_1_is_chosen_of_several_criteria(folder):
    tables = good(folder, rs=[rs("iUPD", RSCAT="iRECIST"), rs("PD")])
    assert visits(tables) == [(42, "PD")]
    assert said(tables) == ["responses by several criteria: RECIST 1.1 and iRECIST (1 responses) -> RECIST 1.1 counts"]


@pytest.mark.parametrize(
    ("written", "code"), [("iUPD", "iUPD"), ("ICPD", "iCPD"), ("NON-iCR/NON-iUPD", "NON-iCR/NON-iUPD"), ("SD", "SD")]
)
def test_irecist_has_its_own_words_where_it_is_the_criterion(folder, written, code):
    tables = good(folder, rs=[rs(written, RSCAT="iRECIST")])
    assert visits(tables) == [(42, code)]
    assert said(tables) == ["responses by iRECIST, none by RECIST 1.1 -> iRECIST counts"]


def test_the_same_response_twice_on_a_day_counts_once(folder):
    tables = good(folder, rs=[rs("SD"), rs("SD", "9.2")])
    assert visits(tables) == [(42, "SD")]
    assert "overall response SD twice on one day (rows 2 and 3) -> counted once" in said(tables)


def test_two_responses_on_one_day_are_a_problem(folder):
    _, problems = read(folder, rs=[rs("SD"), rs("PD", "9.2")])
    assert "PD of P1, and SD on the same day in row 2" in told(problems)[0]


def test_a_response_without_any_date_is_a_problem(folder):
    _, problems = read(folder, rs=[rs("SD", when="")])
    assert [(problem.row, problem.column) for problem in problems] == [(2, "RSDTC")]


def test_a_response_before_first_dose_is_left_out(folder):
    tables = good(folder, rs=[rs("NE", "1", "2020-01-02"), rs("SD")])
    assert visits(tables) == [(42, "SD")]
    assert "an overall response before first dose (NE)" in said(tables)[0]
