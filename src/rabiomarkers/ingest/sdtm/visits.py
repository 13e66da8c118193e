"""Which records make one time point: those of one visit number of a subject, unless it served several visits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Row
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import Subject
from rabiomarkers.ingest.sdtm.timing import visit_key, visit_number

ONE_VISIT_DAYS = 7
"""Scans of one unscheduled visit number that lie further apart are visits of their own."""


class Record(NamedTuple):
    """A record of TR (or of TU, for a new lesion TR says nothing of) on its day; `lesion` is empty for a sum."""

    row: Row
    lesion: str
    day: float


def visit_names(rows: Iterable[Row]) -> dict[str, str]:
    """Visit -> its name, with its number where several visits are called alike."""
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(visit_key(row["VISITNUM"], row["VISIT"]), row["VISIT"])
    called = list(names.values())
    return {
        key: f"{name} ({key})" if name and key != name.upper() and called.count(name) > 1 else name or key
        for key, name in names.items()
    }


def time_points(
    records: Sequence[Record], subject: Subject, names: Mapping[str, str], notes: Notes
) -> dict[str, list[Record]]:
    """The records of one subject by time point, each named by its visit, in order of their days."""
    visits: dict[str, list[Record]] = {}
    for record in records:
        key = visit_key(record.row["VISITNUM"], record.row["VISIT"])
        visits.setdefault(key or f"day {record.day:g}", []).append(record)
    points: dict[str, list[Record]] = {}
    for key, group in visits.items():
        points |= dict(_split(names.get(key) or key, group, subject, notes))
    ordered = sorted(points.items(), key=lambda point: (_last(point[1]), _first(point[1]), point[0]))
    return _joined(ordered, notes)


def _first(records: Sequence[Record]) -> float:
    return min(record.day for record in records)


def _last(records: Sequence[Record]) -> float:
    return max(record.day for record in records)


def _split(name: str, records: Sequence[Record], subject: Subject, notes: Notes) -> Iterator[tuple[str, list[Record]]]:
    """The records of one visit number: one time point, or one a date."""
    days = sorted({record.day for record in records})
    if len(days) > 1 and _is_unscheduled(records[0].row) and _are_several(records, days):
        parts = {day: [record for record in records if record.day == day] for day in days}
        told = f"records of visit {name} on {len(days)} dates"
        labels = {day: f"{name} {_date(subject, day)}" for day in days}
        row = parts[days[-1]][0].row
        notes.remark(row.patient, days[0], row.source, told, f"time points of their own: {named(labels.values())}")
        yield from ((labels[day], part) for day, part in parts.items())
    elif days[0] <= 0 < days[-1]:
        before = [record for record in records if record.day <= 0]
        after = [record for record in records if record.day > 0]
        told = f"records of visit {name} on both sides of first dose (days {days[0]:g} to {days[-1]:g})"
        row = after[0].row
        notes.remark(row.patient, days[0], row.source, told, "those up to first dose are baseline, the others a visit")
        yield f"{name} before first dose", before
        yield name, after
    else:
        yield name, list(records)


def _is_unscheduled(row: Row) -> bool:
    """By its name; without a name, by a visit number that is no whole one."""
    if row["VISIT"]:
        return "UNSCH" in row["VISIT"].upper()
    number = visit_number(row["VISITNUM"])
    return number is not None and number != int(number)


def _are_several(records: Sequence[Record], days: Sequence[float]) -> bool:
    """Whether a lesion was read on two of the days, or a week lies between two of them."""
    if any(later - earlier > ONE_VISIT_DAYS for earlier, later in pairwise(days)):
        return True
    read = {(record.lesion, record.day) for record in records if record.lesion}
    return len({lesion for lesion, _ in read}) < len(read)


def _date(subject: Subject, day: float) -> date | float:
    return day if subject.first_dose is None else subject.first_dose + timedelta(days=day)


def _joined(points: Sequence[tuple[str, list[Record]]], notes: Notes) -> dict[str, list[Record]]:
    """Visits that end on one day are one time point, where no lesion was read at both."""
    joined: dict[str, list[Record]] = {}
    by_end: dict[float, str] = {}
    for name, records in points:
        end = _last(records)
        label = by_end.setdefault(end, name)
        if label != name:
            twice = _lesions(joined[label]) & _lesions(records)
            _note_joined(name, label, records, twice, notes)
            records = [*joined[label], *([] if twice else records)]
        joined[label] = records
    return joined


def _lesions(records: Iterable[Record]) -> set[str]:
    return {record.lesion for record in records if record.lesion}


def _note_joined(name: str, label: str, records: Sequence[Record], twice: set[str], notes: Notes) -> None:
    row = records[0].row
    if twice:
        told = f"{named(sorted(twice))} read at visit {name} and at visit {label} on one day"
        row.wrong(notes, "DTC", told, "each lesion once a day", "remove or re-date one of the visits")
    else:
        told = f"visits {label} and {name} end on one day"
        notes.remark(row.patient, _last(records), row.source, told, f"one time point, {label}")
