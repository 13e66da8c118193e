"""When a scan was: complete dates, study days, dates in parts, and what each guess is said to be."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.sdtm.folders import FIRST_DOSE, baseline, dm, good, lesions, read, remarks, rs, told, tr, tu

START = date.fromisoformat(FIRST_DOSE)


def day_of(folder, *, others=(), patient=None, **cells):
    """The day of a scan of T01 at visit 2, and the remarks."""
    record = tr("T01", "10", "2", **cells)
    domains = {"tu": [tu("T01")], "tr": [tr("T01", "12"), record, *others]}
    tables = good(folder, dm=[patient or dm()], **domains)
    days = [day for day, visit in lesions(tables, "day", "visit") if visit == "WEEK 6"]
    assert len(days) == 1
    return days[0], of_scans(tables)


def of_scans(tables):
    """The remarks that are not about follow-up."""
    return [each for each in remarks(tables) if "last contact" not in each]


def test_first_dose_is_day_0_and_the_day_before_is_day_minus_1(folder):
    before = tr("T01", "12", "0.5", "2020-01-09T08:30", VISIT="SCREENING")
    tables = good(folder, tu=[tu("T01")], tr=[before, tr("T01", "10", "2", "2020-02-21")])
    assert lesions(tables, "day", "mm") == [(-1.0, 12.0), (42.0, 10.0)]


def test_a_complete_date_counts_and_a_study_day_that_is_more_than_a_day_off_is_remarked(folder):
    day, said = day_of(folder, when="2020-02-21", TRDY="48")
    assert day == 42
    assert said == ["the date 2020-02-21 is day 42, the study day given is day 47 (visit WEEK 6) -> the date counts"]


@pytest.mark.parametrize("study", ["42", "43", "44"])
def test_a_study_day_within_a_day_of_the_date_is_passed_over(folder, study):
    assert day_of(folder, when="2020-02-21", TRDY=study) == (42, [])


def test_a_date_in_parts_takes_the_study_day_first(folder):
    scan = tr("T01", "10", "2", "2020-02", TRDY="43", VISITDY="50")
    tables = good(folder, tu=[tu("T01")], tr=[tr("T01", "12"), scan], rs=[rs("SD", "2", "2020-02-25")])
    assert lesions(tables, "day")[1] == (42.0,)
    assert of_scans(tables) == ["a date in parts (2020-02) at visit WEEK 6 -> taken as 2020-02-21: its study day"]


def test_then_a_complete_date_of_the_same_visit(folder):
    tables = good(
        folder, tu=[tu("T01")], tr=[tr("T01", "12"), tr("T01", "10", "2", "2020-02")], rs=[rs("SD", "2", "2020-02-25")]
    )
    assert lesions(tables, "day")[1] == (46.0,)
    assert "taken as 2020-02-25: the date of other records of the visit" in of_scans(tables)[0]


def test_then_the_planned_day_of_the_visit(folder):
    day, said = day_of(folder, when="2020-02", VISITDY="43")
    assert day == 42
    assert said[0].endswith("taken as 2020-02-21: the planned day of the visit")


def test_the_planned_day_may_be_told_by_another_domain(folder):
    exposure = {"USUBJID": "P1", "EXTRT": "X", "EXDOSE": "1", "EXSTDTC": FIRST_DOSE, "EXENDTC": FIRST_DOSE}
    later = {**exposure, "EXSTDTC": "2020-02-20", "EXENDTC": "2020-02-20", "VISITNUM": "2.0", "VISITDY": "43"}
    tables = good(folder, ex=[exposure, later], tu=[tu("T01")], tr=[tr("T01", "12"), tr("T01", "10", "2", "2020-02")])
    assert lesions(tables, "day")[1] == (42.0,)


def test_last_the_middle_of_what_is_left(folder):
    assert day_of(folder, when="2020-02")[0] == (date(2020, 2, 15) - START).days
    later = tr("T01", "9", "3", "2020-02-11")
    day, said = day_of(folder, when="2020-02", others=[later])
    assert day == (date(2020, 2, 6) - START).days
    assert said[0].endswith("taken as 2020-02-06: the middle of 2020-02-01 to 2020-02-11")


def test_a_guess_that_contradicts_the_date_is_not_taken(folder):
    day, said = day_of(folder, when="2020-02", TRDY="300", VISITDY="200")
    assert day == (date(2020, 2, 15) - START).days
    assert any("which is not in 2020-02-01 to 2020-02-29 -> the date counts" in each for each in said)


def test_a_baseline_scan_in_the_month_of_first_dose_is_before_it(folder):
    tables = good(
        folder,
        tu=[tu("T01", TUDTC="2020-01")],
        tr=[tr("T01", "12", "1", "2020-01"), tr("T01", "10", "2", "2020-02-21")],
    )
    assert lesions(tables, "day")[0] == (-5.0,)
    assert "taken as 2020-01-05: the middle of 2020-01-01 to 2020-01-10" in remarks(tables)[0]


def test_one_remark_tells_of_all_records_of_a_visit_that_were_guessed_alike(folder):
    parts = baseline("12", "14", "16")
    scans = [tr(f"T0{number}", "10", "2", "2020-02", TRDY="43") for number in (1, 2, 3)]
    response = rs("SD", when="2020-02", RSDY="43")
    assert len(of_scans(good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans], rs=[response]))) == 1


def test_without_a_date_the_study_day_is_taken(folder):
    assert day_of(folder, when="", TRDY="43")[0] == 42


def test_a_measurement_without_any_date_is_a_problem(folder):
    _, problems = read(folder, tu=[tu("T01")], tr=[tr("T01", "12"), tr("T01", "10", "2", "")])
    assert told(problems) == [
        "sdtm/tr.csv:3:TRDTC: no date; a date, a study day, or a visit whose day is known; fill in the date of the scan"
    ]


def test_a_scan_that_was_not_done_needs_no_date(folder):
    undone = tr("T01", "", "2", "", TRSTAT="NOT DONE")
    tables = good(folder, tu=[tu("T01")], tr=[tr("T01", "12"), undone])
    assert lesions(tables, "day") == [(0.0,)]
    assert remarks(tables)[-1].endswith("left out: there is no day to put them on")


def test_study_days_that_count_from_another_date_are_moved(folder):
    """RFSTDTC is the randomisation, five days before first dose: study day 48 is day 42."""
    day, said = day_of(folder, when="", TRDY="48", patient=dm(RFSTDTC="2020-01-05"))
    assert day == 42
    assert any("5 days from first dose" in each for each in said)


@pytest.mark.parametrize("text", ["2014-13-45", "21/02/2020", "21FEB2020"])
def test_what_is_no_date_is_a_problem(folder, text):
    _, problems = read(folder, tu=[tu("T01")], tr=[tr("T01", "12"), tr("T01", "10", "2", text, TRDY="43")])
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"sdtm/tr.csv:3:TRDTC: {text!r}; a date such as 2014-01-31")


def test_study_day_0_is_remarked_and_not_used(folder):
    day, said = day_of(folder, when="2020-02-21", TRDY="0")
    assert day == 42
    assert said == ["study day 0 in TRDY -> SDTM has none; not used"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    true=st.dates(START + timedelta(days=1), START + timedelta(days=700)),
    parts=st.sampled_from(["%Y-%m", "%Y"]),
    study=st.none() | st.integers(-400, 900).filter(lambda number: number not in (0, 1)),
    planned=st.none() | st.integers(2, 900),
)
def test_a_guess_is_always_a_day_that_the_date_may_mean(folder, true, parts, study, planned):
    cells = {"TRDY": "" if study is None else str(study), "VISITDY": "" if planned is None else str(planned)}
    written = true.strftime(parts)
    day, said = day_of(folder, when=written, **cells)
    assert (START + timedelta(days=day)).strftime(parts) == written
    assert any(f"({written})" in each for each in said)
