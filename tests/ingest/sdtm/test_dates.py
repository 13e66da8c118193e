"""SDTM dates: complete, in parts, and none at all; study days without a 0."""

import calendar
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.ingest.sdtm.dates import Period, complete_date, days_from_reference, parse_period, study_day

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2014-01-31", (2014, 1, 31), (2014, 1, 31)),
        ("2014-01-31T11:45", (2014, 1, 31), (2014, 1, 31)),
        ("2014-02", (2014, 2, 1), (2014, 2, 28)),
        ("2012-02", (2012, 2, 1), (2012, 2, 29)),
        ("2012", (2012, 1, 1), (2012, 12, 31)),
        ("2012---15", (2012, 1, 1), (2012, 12, 31)),  # the day is known and the month is not
        ("2014-01-30/2014-02-02", (2014, 1, 30), (2014, 2, 2)),
    ],
)
def test_a_date_means_the_days_that_its_parts_leave(text, first, last):
    assert parse_period(text) == Period(date(*first), date(*last))


@pytest.mark.parametrize(
    "text",
    [
        "2014-13-45",
        "2014-02-30",
        "2014-00",
        "31/01/2014",
        "01JAN2014",
        "2014-1-5",
        "41641",
        "14",
        "--01-05",
        "2014-1",
        "UNK",
        "0201-01-01",
        "2014-02-02/2014-01-30",
    ],
)
def test_what_is_no_date_with_a_year_is_none(text):
    assert parse_period(text) is None
    assert complete_date(text) is None


@given(DAYS)
def test_a_complete_date_is_itself_and_lies_in_its_month_and_year(day):
    assert complete_date(day.isoformat()) == day
    assert parse_period(f"{day:%Y-%m}").holds(day)
    assert parse_period(f"{day.year:04d}").holds(day)
    assert parse_period(f"{day:%Y-%m}").last.day == calendar.monthrange(day.year, day.month)[1]


@given(DAYS, st.integers(0, 400), st.none() | DAYS, st.none() | DAYS)
def test_bounds_never_leave_the_period_and_never_empty_it(first, length, not_before, not_after):
    period = Period(first, first + timedelta(days=length))
    left = period.bounded(not_before=not_before, not_after=not_after)
    assert period.first <= left.first <= left.middle <= left.last <= period.last


@pytest.mark.parametrize(("written", "day"), [("1", 0), ("2.0", 1), ("-1", -1), ("-7.0", -7), ("42", 41)])
def test_study_day_1_is_day_0_and_study_day_minus_1_is_day_minus_1(written, day):
    assert days_from_reference(study_day(written)) == day


@given(st.integers(-1000, 1000).filter(bool))
def test_consecutive_study_days_are_consecutive_days(number):
    following = number + 1 or 1  # there is no study day 0
    assert days_from_reference(following) - days_from_reference(number) == 1


@pytest.mark.parametrize("text", ["", "1.5", "x", "day 1"])
def test_what_is_no_whole_number_is_no_study_day(text):
    assert study_day(text) is None
