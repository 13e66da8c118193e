"""The sums of diameters that the file gives (SUMDIAM) against the sums of its diameters: never used, differences told."""

from collections.abc import Iterable, Mapping, Sequence

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Row
from rabiomarkers.ingest.sdtm.identity import TARGETS
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.scan import SHORT_AXIS, SUM, Reading
from rabiomarkers.ingest.sdtm.timing import visit_key
from rabiomarkers.ingest.sdtm.values import diameter, not_done
from rabiomarkers.ingest.sdtm.visits import Record

TOO_SMALL_TENTHS = 50  # what a target too small to measure adds (RECIST 1.1, section 3.2)
COMPUTED = "sums are computed from the diameters"


def note_double_sums(records: Iterable[Record], notes: Notes) -> None:
    """A remark where one visit number of a subject has several sums."""
    by_visit: dict[str, list[Record]] = {}
    for record in records:
        if _is_sum(record.row):
            by_visit.setdefault(visit_key(record.row["VISITNUM"], record.row["VISIT"]), []).append(record)
    for found in by_visit.values():
        if len(found) > 1:
            row = found[0].row
            told = named((f"{_told(each.row)} (row {each.row.number}, day {each.day:g})" for each in found), limit=10)
            visit = row["VISIT"] or row["VISITNUM"]
            notes.remark(
                row.patient,
                found[0].day,
                row.source,
                f"{len(found)} sums at one visit, {visit}: {told}",
                f"none of them is used: {COMPUTED}",
            )


def check_sum(visit: str, records: Iterable[Record], readings: Sequence[Reading], notes: Notes) -> None:
    """A remark where the sum of a time point is not that of its target lesions, or leaves out one that was not evaluated."""
    sums = [record for record in records if _is_sum(record.row)]
    targets = [each for each in readings if each.lesion.kind in TARGETS]
    if len(sums) != 1 or not targets or not_done(sums[0].row):
        return
    row = sums[0].row
    value = diameter(row, notes)
    if value is None or value.tenths is None:
        return
    unknown = sorted(each.name for each in targets if each.status == "not_evaluated")
    total = sum(_adds(each) for each in targets)
    if value.tenths != total:
        told = f"SUMDIAM is {_told(row)} at visit {visit}, its diameters add up to {total / 10:g} mm"
        notes.remark(row.patient, sums[0].day, row.source, told, f"not used: {COMPUTED}")
    elif unknown:
        told = f"SUMDIAM {_told(row)} at visit {visit} leaves out {named(unknown)}, not evaluated"
        notes.remark(row.patient, sums[0].day, row.source, told, "not used: the sum is not known")


def _is_sum(row: Row) -> bool:
    return row["TESTCD"].upper() == SUM


def _told(row: Row) -> str:
    return f"{row['STRESC'] or row['ORRES']} {row['STRESU'] or row['ORRESU']}".strip()


def _adds(reading: Reading) -> int:
    if reading.status == "too_small":
        return TOO_SMALL_TENTHS if reading.tenths is None else reading.tenths
    return reading.tenths or 0


def note_axes(points: Mapping[str, Sequence[Record]], readings: Mapping[str, Sequence[Reading]], notes: Notes) -> None:
    """A remark on the nodes of a patient whose DIAMETER is not their short axis where both are given."""
    differing: dict[str, list[str]] = {}
    first: Row | None = None
    for visit, found in readings.items():
        nodes = {each.name: each for each in found if each.lesion.kind == "target_node" and each.status == "measured"}
        for record in points[visit]:
            node = nodes.get(record.lesion)
            if (
                node is None
                or node.row["TESTCD"].upper() != "DIAMETER"
                or record.row["TESTCD"].upper() not in SHORT_AXIS
            ):
                continue
            axis = diameter(record.row, notes)
            if axis is not None and axis.tenths is not None and axis.tenths != node.tenths:
                differing.setdefault(visit, []).append(node.name)
                first = first or record.row
    if first is not None:
        where = named((f"{named(sorted(set(names)))} at {visit}" for visit, names in differing.items()), limit=10)
        told = f"DIAMETER of a lymph node is not its short axis: {where}"
        consequence = "DIAMETER is used, the test that SUMDIAM adds up; RECIST 1.1 asks for the short axis"
        notes.remark(first.patient, None, first.source, told, consequence)
