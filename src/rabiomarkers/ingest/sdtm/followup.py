"""Whether and when each patient died, last contact otherwise, and when treatment ended: as `followup.csv` would have it.

A date of death in parts is taken as the earliest day it may mean that is not before the last complete date on which the patient was
known to be alive: survival is never made longer by a guess. A death without any date is put on that last date. Last contact is the
latest complete date; dates in parts are used only where there is no complete one, and then their earliest day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import pandas as pd

from rabiomarkers.ingest.clinical import FOLLOWUP
from rabiomarkers.ingest.sdtm.dates import Period, complete_dates, parse_period
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.frames import typed
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import Subject, letters

CONTACTS: Mapping[str, tuple[str, ...]] = {
    "DS": ("STDTC",),
    "RS": ("DTC",),
    "TR": ("DTC",),
    "EX": ("STDTC", "ENDTC"),
    "AE": ("STDTC", "ENDTC", "DTC"),
}
"""Dates on which a patient was seen, whoever read the scans."""
YES = frozenset({"Y", "YES"})


def read_followup(
    domains: Mapping[str, Domain], used: Mapping[str, Subject], given: Mapping[str, Sequence[Row]], notes: Notes
) -> pd.DataFrame:
    """One row a patient who was dosed, sorted by id; `pfs_days` and `progressed` are left to the visits.

    `new_therapy_day` stays empty: none of the domains read tells of other treatments.
    """
    contacts = _contacts(domains)
    deaths = _deaths(domains)
    rows = []
    for patient, subject in sorted(used.items()):
        if subject.first_dose is None:
            continue
        fatal = deaths.get(patient, [])
        seen = sorted({subject.first_dose, *complete_dates(contacts.get(patient, ()))})
        died, on = _death(subject, fatal, seen, contacts.get(patient, ()), notes)
        rows.append(
            {
                "patient_id": patient,
                "os_days": subject.day(on),
                "died": died,
                "treatment_end_day": _treatment_end(subject, given, notes),
            }
        )
    return typed(rows, FOLLOWUP, key=("patient_id",))


def _contacts(domains: Mapping[str, Domain]) -> dict[str, list[str]]:
    """Every date text of each subject."""
    found: dict[str, set[str]] = {}
    for name, columns in CONTACTS.items():
        domain = domains.get(name)
        for column in columns if domain is not None else ():
            for patient, text in dict.fromkeys(zip(domain.texts("USUBJID"), domain.texts(column), strict=True)):  # type: ignore[union-attr]
                if text:
                    found.setdefault(patient, set()).add(text)
    return {patient: sorted(texts) for patient, texts in found.items()}


def _deaths(domains: Mapping[str, Domain]) -> dict[str, list[Row]]:
    """The records of DS that say a subject died."""
    deaths: dict[str, list[Row]] = {}
    for row in domains["DS"].rows() if "DS" in domains else ():
        if letters(row["DECOD"]) in ("DEATH", "DEAD", "DIED"):
            deaths.setdefault(row.patient, []).append(row)
    return deaths


def _death(
    subject: Subject, fatal: Sequence[Row], seen: Sequence[date], texts: Iterable[str], notes: Notes
) -> tuple[bool, date]:
    """Whether the patient died, and the day of death or of last contact."""
    row = subject.row
    stated = [(row, "DTHDTC")] if row["DTHDTC"] else []
    stated += [(each, "STDTC") for each in fatal if each["STDTC"]]
    if not stated and not fatal and letters(row["DTHFL"]) not in YES:
        return False, _last_contact(subject, seen, texts, notes)
    dated = [(each, column, period) for each, column in stated if (period := parse_period(each[column])) is not None]
    for each, column in stated:
        if parse_period(each[column]) is None:
            each.wrong(notes, column, f"{each[column]!r}", "a date such as 2014-01-31", "correct it")
    if not dated:
        if not stated:
            told = "a death without a date"
            notes.remark(row.patient, subject.day(seen[-1]), row.source, told, f"put on the last contact, {seen[-1]}")
        return True, seen[-1]
    source, column, period = next((each for each in dated if each[2].complete), dated[0])
    on = period.first
    if not period.complete:
        alive = [day for day in seen if day <= period.last]
        on = max(period.first, alive[-1]) if alive else period.first
        told = f"a date of death in parts ({source[column]})"
        consequence = f"taken as {on}, the earliest it may have been"
        notes.remark(row.patient, subject.day(on), source.source, told, consequence)
    _note_conflicts(subject, on, dated, seen, notes)
    return True, on


def _note_conflicts(
    subject: Subject, on: date, dated: Sequence[tuple[Row, str, Period]], seen: Sequence[date], notes: Notes
) -> None:
    patient, first_dose = subject.row.patient, subject.first_dose
    others = sorted({each[column] for each, column, period in dated if not period.holds(on)})
    if others:
        told = f"dates of death that differ: {on} and {', '.join(others)}"
        notes.remark(patient, subject.day(on), subject.row.source, told, f"{on} counts (DM before DS)")
    late = [day for day in seen if day > on]
    if late and first_dose is not None and on >= first_dose:
        told = f"records after death on {on}, the last on {late[-1]}"
        notes.remark(patient, subject.day(on), subject.row.source, told, "the date of death counts")
    if first_dose is not None and on < first_dose:
        row, column, _ = dated[0]
        row.wrong(
            notes,
            column,
            f"death on {on}, before first dose on {first_dose}",
            "a date from first dose on",
            "correct it",
        )


def _last_contact(subject: Subject, seen: Sequence[date], texts: Iterable[str], notes: Notes) -> date:
    """The latest complete date; where only first dose is one, the earliest day of the latest date in parts."""
    last = seen[-1]
    parts = [period.first for text in texts if (period := parse_period(text)) is not None and period.first > last]
    if last == subject.first_dose and parts:
        last = max(parts)
        told = "no complete date after first dose"
        notes.remark(
            subject.row.patient,
            subject.day(last),
            subject.row.source,
            told,
            f"last contact taken as {last}, the earliest",
        )
    return last


def _treatment_end(subject: Subject, given: Mapping[str, Sequence[Row]], notes: Notes) -> float | None:
    """The end of the last dose of EX, else RFXENDTC; empty where the last dose has no end."""
    row = subject.row
    records = given.get(row.patient, ())
    ends: Iterator[date] = iter(())
    begun = complete_dates(record["STDTC"] for record in records)
    open_ended = [each for each in records if not complete_dates([each["ENDTC"]]) and _is_last(each, begun)]
    if not open_ended:
        ends = iter(complete_dates(record["ENDTC"] for record in records))
    last = max([*ends, *(complete_dates([row["RFXENDTC"]]) if open_ended or not records else [])], default=None)
    if last is None and not records and "RFXENDTC" not in row.cells:
        notes.remark(None, None, row.file, "neither EX nor RFXENDTC", "end of treatment not known")
    elif last is None:
        told = "the last dose has no complete end" if open_ended else "no date of the last dose"
        notes.remark(row.patient, None, row.source, told, "end of treatment not known")
    return None if last is None else subject.day(last)


def _is_last(record: Row, begun: Sequence[date]) -> bool:
    return not begun or complete_dates([record["STDTC"]]) == [max(begun)]
