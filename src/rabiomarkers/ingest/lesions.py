"""`lesions.csv`: which lesion was how large, or in which state, on which day."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from rabiomarkers.ingest.clinical_rows import Outcome, Parsed, Row, as_float, read_rows
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.tables.table import Kind

LESION_KINDS = ("target", "target_node", "non_target", "new")
_TARGET = ("measured", "too_small", "absent", "merged", "not_evaluated")
_NON_TARGET = ("present", "absent", "progression", "further_progression", "not_evaluated")
STATUSES_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "target": _TARGET,
    "target_node": _TARGET,
    "non_target": _NON_TARGET,
    "new": ("measured", "too_small", "equivocal", *_NON_TARGET),
}
"""Targets are measured, non-targets are judged by eye (RECIST 1.1, doi:10.1016/j.ejca.2008.10.026, section 4.3)."""
LESION_STATUSES = tuple(dict.fromkeys(status for statuses in STATUSES_OF_KIND.values() for status in statuses))

LESIONS: Mapping[str, Kind] = {
    "patient_id": "text",
    "day": "number",
    "lesion_id": "text",
    "kind": "text",
    "mm": "number",
    "status": "text",
    "tenths": "integer",
    "visit": "text",
    "organ": "text",
    "part_of": "text",
}
LONGEST_VISIT_DAYS = 21  # three weeks between the scans of one visit is late already; beyond it a label was used twice
OPTIONAL = ("visit", "organ", "part_of")


def read_lesions(path: Path, patients: Collection[str]) -> Outcome:
    """`lesions.csv`: one row a patient, day and lesion.

    Optional columns: `visit` (scans of one visit on several days share its name), `organ`, and `part_of` (the lesion that a
    fragment split from, or that a merged lesion became part of).

    Returns
    -------
    The columns of LESIONS, and the problems. `tenths` is the diameter in tenths of a millimetre as an exact whole number (taken
    from the decimal text; a second decimal place rounds half up).
    """
    findings = Findings(path.name)
    seen: list[_Seen] = []

    def parse(row: Row) -> Parsed:
        patient, lesion = row.patient(patients), row.text("lesion_id")
        day = row.number("day", needed=True, unit="days from first dose")
        kind, status = row.word("kind", LESION_KINDS), row.word("status", LESION_STATUSES)
        mm = row.number("mm", needed=status == "measured", minimum=0, unit="millimetres")
        visit, part_of = row.cells["visit"] or None, row.cells["part_of"] or None
        if kind and status and status not in STATUSES_OF_KIND[kind]:
            expected = f"one of {', '.join(STATUSES_OF_KIND[kind])} for a {kind} lesion"
            row.wrong("status", f"{status!r} of a {kind} lesion", expected, "correct the status or the kind")
        _check_size(row, kind, status, mm)
        if kind == "new" and day is not None and day <= 0 and status not in ("absent", "not_evaluated"):
            remedy = "correct the day, or call it target or non_target"
            row.wrong("day", f"a new lesion on day {day}", "new lesions after first dose", remedy)
        if patient and lesion and kind and status and day is not None:
            seen.append(_Seen(row, patient, float(day), lesion, kind, status, visit, part_of))
        return {
            "patient_id": patient,
            "day": as_float(day),
            "lesion_id": lesion,
            "kind": kind,
            "mm": as_float(mm),
            "status": status,
            "tenths": None if mm is None else tenths_of(mm),
            "visit": visit,
            "organ": row.cells["organ"] or None,
            "part_of": part_of,
        }

    key = ("patient_id", "day", "lesion_id")
    frame, problems = read_rows(path, LESIONS, key, parse, findings, optional=OPTIONAL, derived=("tenths",))
    _check_together(seen)
    return frame, problems


def _check_size(row: Row, kind: str | None, status: str | None, mm: Decimal | None) -> None:
    """A size that says another thing than the status."""
    if mm is None:
        return
    if status in ("absent", "not_evaluated", "merged") and (mm > 0 or status != "absent"):
        told = "no size (0 may stand for an absent lesion)" if status == "absent" else "no size"
        row.wrong("mm", f"{mm} mm of a lesion that is {status}", told, "empty the cell or correct the status")
    if status == "too_small" and mm >= 10:
        row.wrong(
            "mm", f"{mm} mm of a lesion that is too small to measure", "less than 10 mm", "correct one of the two"
        )
    if status == "measured" and kind == "new" and mm == 0:
        row.wrong("mm", "a new lesion of 0 mm", "a size above 0", "call it absent, or correct the size")


def tenths_of(millimetres: Decimal) -> int:
    """Tenths of a millimetre: 12.34 mm is 123, 12.35 mm is 124."""
    return int((millimetres * 10).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one line says, as far as other lines may contradict it."""

    row: Row
    patient: str
    day: float
    lesion: str
    kind: str
    status: str
    visit: str | None
    part_of: str | None


def _check_together(seen: list[_Seen]) -> None:
    """Note what no line shows alone: kinds that change, parts of nothing, visits that hold a lesion twice or span first dose."""
    first: dict[tuple[str, str], _Seen] = {}
    for line in seen:
        earlier = first.setdefault((line.patient, line.lesion), line)
        if earlier.kind != line.kind:
            found = f"lesion {line.lesion!r} is {line.kind} here and {earlier.kind} on line {earlier.row.line}"
            line.row.wrong(
                "kind", found, "one kind for each lesion", "correct one, or give the other lesion its own id"
            )
    for line in seen:
        _check_part(line, first)
    _check_circles(seen)
    for line, found, expected in _visit_faults(seen):
        line.row.wrong("visit", found, expected, "correct the visit, or give the later scan a visit of its own")


def _check_part(line: _Seen, first: Mapping[tuple[str, str], _Seen]) -> None:
    if line.part_of is None:
        if line.status == "merged":
            remedy = "name the lesion that carries the common diameter"
            line.row.wrong("part_of", "an empty cell", "the lesion it merged into", remedy)
        return
    if line.kind not in ("target", "target_node"):
        line.row.wrong("part_of", f"{line.part_of!r} of a {line.kind} lesion", "target lesions only", "empty the cell")
        return
    whole = first.get((line.patient, line.part_of))
    if whole is None:
        found = f"{line.part_of!r}, which is no lesion of patient {line.patient}"
    elif line.part_of == line.lesion:
        found = f"{line.part_of!r}, the lesion itself"
    elif whole.kind != line.kind:
        found = f"{line.part_of!r}, which is a {whole.kind} lesion"
    else:
        return
    line.row.wrong("part_of", found, f"another {line.kind} lesion of this patient", "correct the lesion's id")


def _check_circles(seen: list[_Seen]) -> None:
    """Note lesions that are part of themselves by way of others, on whichever days the rows say so."""
    wholes: dict[tuple[str, str], set[str]] = {}
    for line in seen:
        if line.part_of is not None:
            wholes.setdefault((line.patient, line.lesion), set()).add(line.part_of)
    told: set[tuple[str, str]] = set()
    for line in seen:
        key = (line.patient, line.lesion)
        if key in told or line.part_of in (None, line.lesion):
            continue
        reached, ahead = set[str](), list(wholes.get(key, ()))
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += wholes.get((line.patient, name), ())
        if line.lesion in reached:
            told |= {(line.patient, name) for name in reached}
            found = f"{line.part_of!r}, and by way of it {line.lesion!r} is a part of itself"
            line.row.wrong("part_of", found, "lesions that are parts of another, never in a circle", "correct the ids")


def _visit_faults(seen: list[_Seen]) -> Iterator[tuple[_Seen, str, str]]:
    visits: dict[tuple[str, str | float], list[_Seen]] = {}
    for line in seen:
        visits.setdefault((line.patient, line.day if line.visit is None else line.visit), []).append(line)
    ends: dict[tuple[str, float], _Seen] = {}
    for (patient, visit), lines in visits.items():
        days = [line.day for line in lines]
        other = ends.setdefault((patient, max(days)), lines[0])
        if other is not lines[0]:
            found = f"two visits of patient {patient} end on day {max(days):g} (the other is on line {other.row.line})"
            yield lines[0], found, "each visit ending on a day of its own"
        if lines[0].visit is None:
            continue
        if max(days) - min(days) > LONGEST_VISIT_DAYS:
            found = f"visit {visit!r} of patient {patient} lasts {max(days) - min(days):g} days"
            yield lines[0], found, f"scans of one visit within {LONGEST_VISIT_DAYS} days"
        if min(days) <= 0 < max(days):
            found = f"visit {visit!r} of patient {patient} has scans before and after first dose"
            yield lines[0], found, "a visit on one side of day 0"
        read: dict[str, _Seen] = {}
        for line in lines:
            if read.setdefault(line.lesion, line) is not line:
                found = f"lesion {line.lesion!r} of visit {visit!r} is on line {read[line.lesion].row.line}, too"
                yield line, found, "each lesion once a visit"
