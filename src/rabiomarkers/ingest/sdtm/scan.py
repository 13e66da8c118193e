"""One time point of one patient: what each lesion's records say together, split and merged lesions included."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Row
from rabiomarkers.ingest.sdtm.identity import TARGETS, Lesion
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.values import Value, diameter, has_result, not_done, state
from rabiomarkers.ingest.sdtm.visits import Record

STATE, SUM = "TUMSTATE", "SUMDIAM"
SHORT_AXIS = ("SAXIS", "LPERP")
TESTS: Mapping[str, tuple[str, ...]] = {
    "target": ("DIAMETER", "LDIAM", STATE),
    "target_node": ("DIAMETER", *SHORT_AXIS, "LDIAM", STATE),
    "non_target": (STATE, "DIAMETER", "LDIAM"),
    "new": (STATE, "DIAMETER", "LDIAM"),
}
"""Which test of TR tells of a lesion, the first that was done: DIAMETER is what the site adds up, whichever axis it is."""
WORST_FIRST = ("progression", "equivocal", "present", "measured", "too_small", "not_evaluated", "absent")


class Reading(NamedTuple):
    """One lesion at one time point."""

    lesion: Lesion
    name: str
    day: float
    status: str
    tenths: int | None
    part_of: str | None
    row: Row


def read_point(visit: str, records: Sequence[Record], lesions: Mapping[str, Lesion], notes: Notes) -> list[Reading]:
    """Every lesion that was read or said not to have been, each once."""
    by_lesion: dict[str, list[Record]] = {}
    for record in records:
        if record.lesion:
            by_lesion.setdefault(record.lesion, []).append(record)
    found: dict[str, Reading] = {}
    undone: list[Row] = []
    for name, group in by_lesion.items():
        lesion = lesions[name]
        chosen = _chosen(visit, lesion, group, notes)
        value = None if chosen is None else _value(visit, chosen.row, lesion, notes)
        if chosen is None or value is None:
            continue
        if not_done(value.row):
            undone.append(value.row)
        for reading in _expanded(lesion, value, chosen.day, lesions):
            _add(found, reading, visit, notes)
    kept = _without_what_split(found)
    _note_undone(visit, undone, kept, notes)
    return kept


def _chosen(visit: str, lesion: Lesion, records: Sequence[Record], notes: Notes) -> Record | None:
    """The record that tells of the lesion: of the first test that was done, else of the first that was not."""
    order = TESTS[lesion.kind]
    by_test: dict[str, Record] = {}
    for record in records:
        test = record.row["TESTCD"].upper()
        earlier = by_test.setdefault(test, record)
        if earlier is not record and test in order:
            told = f"{test} of {lesion.name} at visit {visit} is in row {earlier.row.number}, too"
            record.row.wrong(
                notes, "LNKID", told, "one reading of a lesion at a visit", "remove or re-date one of them"
            )
    ordered = [by_test[test] for test in order if test in by_test]
    done = [each for each in ordered if has_result(each.row)]
    return next(iter([*done, *ordered, *by_test.values()]), None)


def _value(visit: str, row: Row, lesion: Lesion, notes: Notes) -> Value | None:
    """What the record says, in the words that a lesion of this kind can have."""
    test = row["TESTCD"].upper()
    if row.domain == "TU":
        return Value("present", None, row)
    value = state(row, lesion.kind, notes) if test == STATE else diameter(row, notes)
    if value is None:
        return None
    if lesion.kind in TARGETS and value.status in ("present", "progression"):
        told = f"{lesion.name} at visit {visit} is {row['STRESC'] or row['ORRES']}, without a diameter"
        notes.remark(row.patient, None, row.source, told, "not evaluated: a target lesion is judged by its size")
        return Value("not_evaluated", None, row)
    if value.status == "measured" and value.tenths == 0 and lesion.kind != "target_node":
        return Value("absent", 0, row)
    if lesion.kind == "non_target" and value.status in ("measured", "too_small"):
        return Value("present", None, row)
    if lesion.kind == "target_node" and test == "LDIAM" and value.status == "measured":
        told = f"no short axis of node {lesion.name} at visit {visit}"
        notes.remark(row.patient, None, row.source, told, "its longest diameter is used")
    return value


def _expanded(lesion: Lesion, value: Value, day: float, lesions: Mapping[str, Lesion]) -> Iterator[Reading]:
    """The lesions a record tells of: those that merged; for a fragment of what is judged by eye, the lesion that split."""
    if lesion.kind not in TARGETS:
        names = lesion.merged or (lesion.part_of or lesion.name,)
        for name in names:
            yield Reading(lesions[name], name, day, value.status, value.tenths, None, value.row)
    elif lesion.merged:
        carrier, *others = lesion.merged
        yield Reading(lesions[carrier], carrier, day, value.status, value.tenths, lesions[carrier].part_of, value.row)
        for name in others:
            yield Reading(lesions[name], name, day, "merged", None, carrier, value.row)
    else:
        yield Reading(lesion, lesion.name, day, value.status, value.tenths, lesion.part_of, value.row)


def _add(found: dict[str, Reading], reading: Reading, visit: str, notes: Notes) -> None:
    """Keep one reading a lesion: what was evaluated before what was not; of lesions judged by eye the worst."""
    earlier = found.setdefault(reading.name, reading)
    if earlier is reading:
        return
    if reading.lesion.kind not in TARGETS:
        found[reading.name] = min(earlier, reading, key=lambda each: WORST_FIRST.index(each.status))
    elif "not_evaluated" in (earlier.status, reading.status):
        found[reading.name] = earlier if reading.status == "not_evaluated" else reading
    else:
        told = (
            f"{reading.name} at visit {visit} is {reading.status} here and {earlier.status} in row {earlier.row.number}"
        )
        reading.row.wrong(notes, "LNKID", told, "one reading of a lesion at a visit", "remove or correct one of them")


def _without_what_split(found: Mapping[str, Reading]) -> list[Reading]:
    """Without lesions that were not evaluated as a whole because their fragments were."""
    whole = {each.part_of for each in found.values() if each.part_of and each.status not in ("merged", "not_evaluated")}
    return [each for each in found.values() if not (each.status == "not_evaluated" and each.name in whole)]


def _note_undone(visit: str, undone: Iterable[Row], kept: Sequence[Reading], notes: Notes) -> None:
    """One remark a time point on what was not done; what another record made up for is not told."""
    missing = {each.row: each for each in kept if each.status == "not_evaluated"}
    rows = [row for row in undone if row in missing]
    if rows:
        reasons = sorted({row["REASND"] for row in rows if row["REASND"]})
        why = f" ({named(reasons)})" if reasons else ""
        told = f"{named(sorted(row['LNKID'] for row in rows), limit=20)} not done at visit {visit}{why}"
        notes.remark(rows[0].patient, missing[rows[0]].day, rows[0].source, told, "not evaluated")
