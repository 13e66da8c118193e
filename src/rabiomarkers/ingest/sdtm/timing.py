"""When something happened, in days from first dose: a complete date, or the best that partial dates and study days allow.

A complete date counts. Where it is in parts or absent, the first of these that agrees with the parts is taken, with a remark: the
study day (--DY) of the record; a complete date of another record of the same subject and visit; the planned day of the visit
(VISITDY); the middle of the period that the parts leave, bounded by the subject's visits before and after.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from rabiomarkers.ingest.sdtm.dates import (
    MOST_DAYS,
    Period,
    complete_date,
    days_from_reference,
    parse_period,
    study_day,
)
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import Subject

DATE = "a date such as 2014-01-31, or 2014-01 where the day is not known"
BASELINE = ("BASELINE", "SCREEN")


@dataclass(kw_only=True)
class Calendar:
    """What is known of each subject's visits, whoever read the scans."""

    visits: dict[tuple[str, str], set[date]] = field(default_factory=dict)
    """Subject, visit -> the complete dates of its records."""
    order: dict[str, dict[float, set[date]]] = field(default_factory=dict)
    """Subject -> number of the visit -> the complete dates of its records."""
    planned: dict[str, int] = field(default_factory=dict)
    """Visit -> its planned study day."""

    @classmethod
    def of(cls, domains: Mapping[str, Domain]) -> "Calendar":
        """The visits of TU, TR and RS, and the planned days that any domain tells."""
        known = cls()
        for name, domain in domains.items():
            columns = [domain.texts(column) for column in ("USUBJID", "VISITNUM", "VISIT", "DTC", "VISITDY")]
            for patient, number, text, written, planned in dict.fromkeys(zip(*columns, strict=True)):
                visit = visit_key(number, text)
                plan = study_day(planned)
                if visit and plan is not None:
                    known.planned.setdefault(visit, plan)
                on = complete_date(written) if visit and name in ("TU", "TR", "RS") else None
                if on is not None:
                    known.visits.setdefault((patient, visit), set()).add(on)
                    if (at := visit_number(number)) is not None:
                        known.order.setdefault(patient, {}).setdefault(at, set()).add(on)
        return known

    def bounds(self, row: Row) -> tuple[date | None, date | None]:
        """The last date of the subject's visits before this record's, and the first date of those after it."""
        at = visit_number(row["VISITNUM"])
        if at is None:
            return None, None
        others = self.order.get(row.patient, {})
        before = [day for number, days in others.items() if number < at for day in days]
        after = [day for number, days in others.items() if number > at for day in days]
        return max(before, default=None), min(after, default=None)


def visit_key(number: str, text: str) -> str:
    """What tells a visit from the subject's others: its number (9.0 is 9, 1.2000000000000002 is 1.2), else its name."""
    at = visit_number(number)
    return text.upper() if at is None else f"{at:g}"


def visit_number(text: str) -> float | None:
    """VISITNUM as a number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number + 0.0 if abs(number) < 1e9 else None  # -0 is visit 0


class _Guess(NamedTuple):
    day: date
    how: str


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Turns the dates of records into days from first dose, and tells each guess."""

    calendar: Calendar
    notes: Notes

    def day(
        self,
        row: Row,
        subject: Subject,
        *,
        date_column: str = "DTC",
        day_column: str = "DY",
        not_after: Iterable[date] = (),
    ) -> float | None:
        """Days from first dose; None where the subject was never dosed, or the record tells no time at all.

        A text that is no date is a problem, and no guess is made instead. `not_after` are dates that bound what is guessed.
        """
        period = self._period(row, date_column)
        if subject.first_dose is None or subject.reference is None or (period is None and row[date_column]):
            return None
        stated = self._stated(row, day_column, subject.reference)
        if period is not None and period.complete:
            self._compare(row, subject, period.first, stated)
            return subject.day(period.first)
        by_visit = date_column == "DTC"  # other dates, such as the start of an event, are not those of the visit
        guess = self._guess(row, subject, period, stated, by_visit=by_visit, not_after=list(not_after))
        if guess is None:
            return None
        day = subject.day(guess.day)
        written = row[date_column]
        where = f" at visit {row['VISIT'] or row['VISITNUM']}" if row["VISIT"] or row["VISITNUM"] else ""
        found = f"a date in parts ({written}){where}" if written else f"no date{where}"
        self.notes.remark(row.patient, day, row.source, found, f"taken as {guess.day}: {guess.how}")
        return day

    def _period(self, row: Row, column: str) -> Period | None:
        text = row[column]
        period = parse_period(text) if text else None
        if text and period is None:
            row.wrong(self.notes, column, f"{text!r}", DATE, "correct it (ISO 8601: year-month-day)")
        return period

    def _stated(self, row: Row, column: str, reference: date) -> date | None:
        text = row[column]
        number = study_day(text)
        if text and number is None:
            row.wrong(self.notes, column, f"{text!r}", f"a whole number of days, at most {MOST_DAYS:,}", "correct it")
        if number is None:
            return None
        if number == 0:
            self.notes.remark(
                row.patient, None, row.source, f"study day 0 in {row.name(column)}", "SDTM has none; not used"
            )
            return None
        return reference + timedelta(days=days_from_reference(number))

    def _compare(self, row: Row, subject: Subject, on: date, stated: date | None) -> None:
        if stated is not None and abs((on - stated).days) > 1:
            told = f"the date {on} is day {subject.day(on):g}, the study day given is day {subject.day(stated):g}"
            visit = row["VISIT"] or row["VISITNUM"]
            self.notes.remark(
                row.patient,
                subject.day(on),
                row.source,
                f"{told}{f' (visit {visit})' if visit else ''}",
                "the date counts",
            )

    def _guess(
        self,
        row: Row,
        subject: Subject,
        period: Period | None,
        stated: date | None,
        *,
        by_visit: bool,
        not_after: list[date],
    ) -> _Guess | None:
        if stated is not None and period is not None and not period.holds(stated):
            told = f"the study day given is {stated}, which is not in {period.first} to {period.last}"
            self.notes.remark(row.patient, subject.day(stated), row.source, told, "the date counts")
        guesses = [] if stated is None else [_Guess(stated, "its study day")]
        guesses += self._of_visit(row, subject, period) if by_visit else ()
        for guess in guesses:
            if period is None or period.holds(guess.day):
                return guess
        if period is None:
            return None
        before, after = self.calendar.bounds(row) if by_visit else (None, None)
        ends = [day for day in (after, *not_after) if day is not None]
        at_baseline = by_visit and any(word in row["VISIT"].upper() for word in BASELINE)
        if at_baseline and subject.first_dose is not None:
            ends.append(subject.first_dose)  # a baseline scan that may have been before first dose was
        left = period.bounded(not_before=before, not_after=min(ends, default=None))
        if left.complete:
            return _Guess(left.first, "the only day that other dates leave")
        return _Guess(left.middle, f"the middle of {left.first} to {left.last}")

    def _of_visit(self, row: Row, subject: Subject, period: Period | None) -> Iterator[_Guess]:
        visit = visit_key(row["VISITNUM"], row["VISIT"])
        same = self.calendar.visits.get((row.patient, visit), set()) if visit else set()
        possible = [day for day in same if period is None or period.holds(day)]
        if len(possible) == 1:
            yield _Guess(possible[0], "the date of other records of the visit")
        plan = study_day(row["VISITDY"])
        plan = self.calendar.planned.get(visit) if plan is None else plan
        if plan and subject.reference is not None:
            yield _Guess(subject.reference + timedelta(days=days_from_reference(plan)), "the planned day of the visit")
