"""Dates and study days as SDTM writes them: ISO 8601, possibly in parts, and days that have no 0.

References
----------
CDISC SDTM Implementation Guide 3.4, section 4.4 (timing variables: 4.4.1 ISO 8601, 4.4.2 precision, 4.4.4 study day)
"""

import calendar
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

EARLIEST_YEAR, LATEST_YEAR = 1900, 2100
_DATE = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{2}|-)(?:-(?P<day>\d{2}|-))?)?(?:T[\d:.,+Z-]*)?")
_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?")


@dataclass(frozen=True)
class Period:
    """The days a date may mean: one where it is complete, a month or a year where parts are missing."""

    first: date
    last: date

    @property
    def complete(self) -> bool:
        """Whether the day is known."""
        return self.first == self.last

    def holds(self, day: date) -> bool:
        """Whether the date may mean this day."""
        return self.first <= day <= self.last

    def bounded(self, *, not_before: date | None = None, not_after: date | None = None) -> "Period":
        """The part of the period inside the bounds; a bound that would leave nothing of it says nothing."""
        first = self.first if not_before is None or not_before > self.last else max(self.first, not_before)
        last = self.last if not_after is None or not_after < first else min(self.last, not_after)
        return Period(first, last)

    @property
    def middle(self) -> date:
        """The day in the middle; of two, the earlier."""
        return self.first + timedelta(days=(self.last - self.first).days // 2)


@cache
def parse_period(text: str) -> Period | None:
    """The days that an SDTM date means; None where it is no date of the calendar, or says no year.

    ``2014-01-31`` (a time after ``T`` plays no part), ``2014-01``, ``2014``, ``2014---31`` (the month is not known: any day of the
    year), and intervals ``2014-01-01/2014-01-05``.
    """
    if text.count("/") == 1:
        begin, end = (parse_period(part) for part in text.split("/"))
        if begin is None or end is None or begin.first > end.last:
            return None
        return Period(begin.first, end.last)
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (match[name] for name in ("year", "month", "day"))
    if not EARLIEST_YEAR <= int(year) <= LATEST_YEAR:
        return None
    return _days_of(int(year), *(None if part in (None, "-") else int(part) for part in (month, day)))


def _days_of(year: int, month: int | None, day: int | None) -> Period | None:
    if month is None:
        return Period(date(year, 1, 1), date(year, 12, 31)) if day is None or 1 <= day <= 31 else None
    if not 1 <= month <= 12:
        return None
    days = calendar.monthrange(year, month)[1]
    if day is None:
        return Period(date(year, month, 1), date(year, month, days))
    return Period(date(year, month, day), date(year, month, day)) if 1 <= day <= days else None


def complete_date(text: str) -> date | None:
    """The day, where the text is a complete date."""
    period = parse_period(text) if text else None
    return period.first if period is not None and period.complete else None


def complete_dates(texts: Iterable[str]) -> list[date]:
    """The days of those texts that are complete dates."""
    return [day for text in texts if (day := complete_date(text)) is not None]


MOST_DAYS = 100_000  # what lies further from the reference date is no study day


def study_day(text: str) -> int | None:
    """The whole number of a study day; None where the text is empty, no whole number or more than MOST_DAYS."""
    number = float(text) if _WHOLE.fullmatch(text) else math.inf  # so is a number of 400 digits
    return int(number) if abs(number) <= MOST_DAYS else None


def days_from_reference(study: int) -> int:
    """Days after the reference date: study day 1 is 0, study day -1 is -1; there is no study day 0, which is taken for 0."""
    return study - 1 if study > 0 else study
