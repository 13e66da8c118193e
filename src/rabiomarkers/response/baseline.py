"""What RECIST 1.1 asks of the lesions at baseline: reported, never silently mended.

A patient whose lesions fall short is still judged by them, as the site judged; the remark lets a reader weigh that.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, sections 3.1 and 3.2; Schwartz et al. 2016, PMID 27189322 (nodes as one organ)
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from rabiomarkers.response.lesions import TARGETS, Reading, Visits, group_visits
from rabiomarkers.response.timepoint import baseline_readings
from rabiomarkers.tables.outcomes import REMARKS

SOURCE = "lesions"
SMALLEST_TENTHS = {"target": 100, "target_node": 150}
MOST_TARGETS, MOST_PER_ORGAN = 5, 2
OLDEST_DAYS = 28
NODES = "lymph nodes"

type Remark = tuple[str, float | None, str, str, str]
"""patient_id, day, source, found, consequence: a row of REMARKS."""


def measurability(lesions: pd.DataFrame) -> pd.DataFrame:
    """Where the baseline falls short: a REMARKS table.

    Parameters
    ----------
    lesions
        Columns of `lesions.csv`; without `organ` the limit of two targets an organ is checked for nodes only.

    Raises
    ------
    ResponseError
        What `group_visits` raises.
    """
    found = [
        remark for patient, seen in group_visits(lesions).items() for remark in baseline_remarks(patient, seen.visits)
    ]
    return REMARKS.check(pd.DataFrame(found, columns=list(REMARKS.columns)))


def baseline_remarks(patient: str, visits: Visits) -> Iterator[Remark]:
    """The remarks of one patient."""
    read = baseline_readings(visits)
    new = [lesion for day in sorted(visits) if day <= 0 for lesion in visits[day] if lesion.kind == "new"]
    yield from _without_baseline(patient, visits, read)
    if not read and not new:
        yield patient, None, SOURCE, "no scan on or before first dose", "nothing to compare with: visits are NE"
        return
    days = {lesion: day for day in sorted(visits) if day <= 0 for lesion in visits[day]}
    for day in sorted({days[lesion] for lesion in read.values() if days[lesion] < -OLDEST_DAYS}, reverse=True):
        yield (
            patient,
            day,
            SOURCE,
            f"baseline scan {-day:g} days before first dose; RECIST allows {OLDEST_DAYS}",
            "used as baseline all the same",
        )
    for lesion in (*read.values(), *new):
        fault = _fault(lesion)
        if fault:
            yield patient, days[lesion], SOURCE, f"{lesion.lesion_id}: {fault}", _use(lesion)
    first = max(days.values())
    yield from ((patient, first, SOURCE, found, told) for found, told in _counts(list(read.values())))


def _without_baseline(patient: str, visits: Visits, read: Mapping[str, Reading]) -> Iterator[Remark]:
    """Lesions that appear after the baseline and are not called new."""
    told: set[str] = set()
    for day in sorted(day for day in visits if day > 0):
        for lesion in visits[day]:
            known = lesion.kind == "new" or lesion.part_of is not None or lesion.lesion_id in (read.keys() | told)
            if read and not known:
                told.add(lesion.lesion_id)
                consequence = (
                    "targets are NE until it is gone"
                    if lesion.kind in TARGETS
                    else "judged from here on; is it a new lesion?"
                )
                yield (
                    patient,
                    day,
                    SOURCE,
                    f"{lesion.lesion_id}: a {lesion.kind} lesion without a baseline",
                    consequence,
                )


def _fault(lesion: Reading) -> str:
    if lesion.kind == "new":
        return "a new lesion at baseline"
    if lesion.kind not in TARGETS:
        return "a non-target lesion that is absent at baseline" if lesion.status == "absent" else ""
    if lesion.part_of is not None:
        return ""  # a fragment: the lesion it came from is what has to be measurable
    smallest = SMALLEST_TENTHS[lesion.kind]
    if lesion.size is None or lesion.status == "absent":
        return f"a target lesion {lesion.status.replace('_', ' ')} at baseline"
    if lesion.size < smallest:
        what = "a node from 15 mm in its short axis" if lesion.kind == "target_node" else "a lesion from 10 mm"
        return f"{lesion.size / 10:g} mm at baseline, {what} is measurable"
    return ""


def _use(lesion: Reading) -> str:
    if lesion.kind == "new":
        return "no baseline lesion; not counted"
    if lesion.kind not in TARGETS:
        return "followed as it is"
    if lesion.size is None:
        return "no sum can be compared: targets are NE"
    return "counted in the sum all the same" if lesion.size else "adds nothing to the sum"


def _counts(read: Sequence[Reading]) -> Iterator[tuple[str, str]]:
    targets = [lesion for lesion in read if lesion.kind in TARGETS and lesion.part_of is None]
    if not targets:
        yield "no target lesion at baseline", "judged by non-target lesions alone (RECIST 1.1, Table 2)"
    if len(targets) > MOST_TARGETS:
        yield f"{len(targets)} target lesions; RECIST allows {MOST_TARGETS}", "all are counted in the sum"
    organs = Counter(NODES if lesion.kind == "target_node" else lesion.organ for lesion in targets)
    for organ, count in sorted((organ, count) for organ, count in organs.items() if organ is not None):
        if count > MOST_PER_ORGAN:
            yield f"{count} target lesions in {organ}; RECIST allows {MOST_PER_ORGAN} an organ", "all are counted"
