"""TU and TR of one evaluator as `lesions.csv` would have them: one row a patient, time point and lesion."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from rabiomarkers.ingest.findings import one_of
from rabiomarkers.ingest.lesions import LESIONS
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.frames import typed
from rabiomarkers.ingest.sdtm.identity import Lesion, Lesions, identify
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.scan import SUM, TESTS, Reading, read_point
from rabiomarkers.ingest.sdtm.subjects import Subject
from rabiomarkers.ingest.sdtm.sums import check_sum, note_axes, note_double_sums
from rabiomarkers.ingest.sdtm.timing import Clock
from rabiomarkers.ingest.sdtm.values import has_result
from rabiomarkers.ingest.sdtm.visits import Record, time_points, visit_names

TOLD_BY = frozenset(test for tests in TESTS.values() for test in tests)


def read_lesions(tumours: Domain, results: Domain, used: Mapping[str, Subject], clock: Clock) -> pd.DataFrame:
    """The lesions of the subjects in use.

    Returns
    -------
    The columns of LESIONS, sorted by patient, day and lesion.
    """
    notes = clock.notes
    lesions = identify(tumours, used, notes)
    _note_unmeasured(lesions, results, notes)
    records = _records(results, lesions, used, clock)
    for record in _only_identified(lesions, records, used, clock):
        records.setdefault(record.row.patient, []).append(record)
    names = visit_names(record.row for found in records.values() for record in found)
    rows: list[dict[str, object]] = []
    for patient, found in records.items():
        note_double_sums(found, notes)
        points = time_points(found, used[patient], names, notes)
        known = lesions.get(patient, {})
        readings = {visit: read_point(visit, point, known, notes) for visit, point in points.items()}
        for visit, point in points.items():
            check_sum(visit, point, readings[visit], notes)
        note_axes(points, readings, notes)
        _check_together(patient, [each for found in readings.values() for each in found], notes)
        rows += [_row(patient, visit, reading) for visit, each in readings.items() for reading in each]
    return typed(rows, LESIONS, key=("patient_id", "day", "lesion_id"))


def _note_unmeasured(lesions: Lesions, results: Domain, notes: Notes) -> None:
    """Patients whose lesions were identified and never measured, as it is where TR was cut off."""
    measured = set(results.texts("USUBJID"))
    for patient, known in lesions.items():
        if known and patient not in measured:
            source = next(iter(known.values())).row.source
            told = "lesions identified, none measured"
            notes.remark(patient, None, source, told, "their sizes are not known; is TR complete?")


def _records(results: Domain, lesions: Lesions, used: Mapping[str, Subject], clock: Clock) -> dict[str, list[Record]]:
    """The records of TR that tell of a lesion or a sum, by subject, each on its day."""
    records: dict[str, list[Record]] = {}
    for row in results.rows():
        subject = used.get(row.patient)
        test = row["TESTCD"].upper()
        if subject is None or not (test == SUM or test in TOLD_BY):
            continue
        if test != SUM and not _is_known(row, lesions.get(row.patient, {}), clock.notes):
            continue
        day = _day(row, subject, clock)
        if day is not None:
            records.setdefault(row.patient, []).append(Record(row, "" if test == SUM else row["LNKID"], day))
    return records


def _is_known(row: Row, known: Mapping[str, Lesion], notes: Notes) -> bool:
    name = row["LNKID"]
    if name in known:
        return True
    if not name:
        row.wrong(notes, "LNKID", "an empty cell", "the id of a lesion of TU", "fill it in or take the row out")
    else:
        expected = one_of(name, sorted(known)) if known else "an id of TU"
        told = f"lesion {name!r} of {row.patient}, which TU does not identify for this evaluator"
        row.wrong(notes, "LNKID", told, expected, "correct the id or add the lesion to TU")
    return False


def _day(row: Row, subject: Subject, clock: Clock) -> float | None:
    day = clock.day(row, subject)
    if day is not None or subject.first_dose is None or row["DTC"]:
        return day
    if not has_result(row):
        visit = row["VISIT"] or row["VISITNUM"] or "without a name"
        told = f"records without a result and without a date, visit {visit}"
        clock.notes.remark(row.patient, None, row.source, told, "left out: there is no day to put them on")
    else:
        expected = "a date, a study day, or a visit whose day is known"
        row.wrong(clock.notes, "DTC", "no date", expected, "fill in the date of the scan")
    return None


def _only_identified(
    lesions: Lesions, records: Mapping[str, list[Record]], used: Mapping[str, Subject], clock: Clock
) -> Iterator[Record]:
    """New lesions that TU names and TR says nothing of: they were seen, so they count from the day TU gives."""
    for patient, known in lesions.items():
        told_of = {record.lesion for record in records.get(patient, ())}
        for lesion in known.values():
            parts = {lesion.name, *lesion.merged}
            if lesion.kind != "new" or parts & told_of or lesion.part_of is not None:
                continue
            day = _day(lesion.row, used[patient], clock)
            if day is not None:
                told = f"new lesion {lesion.name} in TU, without a record in TR"
                clock.notes.remark(patient, day, lesion.row.source, told, "present")
                yield Record(lesion.row, lesion.name, day)


def _check_together(patient: str, readings: Sequence[Reading], notes: Notes) -> None:
    """Note new lesions at baseline, and parts of lesions that were never read."""
    read = {each.name for each in readings}
    for each in readings:
        if each.lesion.kind == "new" and each.day <= 0 and each.status not in ("absent", "not_evaluated"):
            told = f"a new lesion {each.name} on day {each.day:g}"
            remedy = "correct the date, or call it TARGET or NON-TARGET"
            each.row.wrong(notes, "LNKID", told, "new lesions after first dose", remedy)
        if each.part_of is not None and each.part_of not in read:
            told = f"{each.name} of {patient} is part of {each.part_of}, which TR never measured"
            each.row.wrong(notes, "LNKID", told, "a lesion that was measured", "add its records or correct the id")


def _row(patient: str, visit: str, reading: Reading) -> dict[str, object]:
    return {
        "patient_id": patient,
        "day": reading.day,
        "lesion_id": reading.name,
        "kind": reading.lesion.kind,
        "mm": None if reading.tenths is None else reading.tenths / 10,
        "status": reading.status,
        "tenths": reading.tenths,
        "visit": visit,
        "organ": reading.lesion.organ or None,
        "part_of": reading.part_of,
    }
