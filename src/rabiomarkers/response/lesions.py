"""Lesions as they were read, visit by visit: what each adds to the sum, and which rows cannot be read as RECIST reads them.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, sections 3 and 4.3; Schwartz et al. 2016, clarifications, PMID 27189322
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import ResponseError

TOO_SMALL_TENTHS = 50
NORMAL_NODE_TENTHS = 100

TARGETS = ("target", "target_node")
SIZED = ("measured", "too_small", "absent", "not_evaluated")
GROWN = frozenset({"progression", "further_progression"})
NON_TARGET = (*SIZED, "present", *sorted(GROWN))
STATUSES: Mapping[str, tuple[str, ...]] = {
    "target": (*SIZED, "merged"),
    "target_node": (*SIZED, "merged"),
    "non_target": NON_TARGET,
    "new": (*NON_TARGET, "equivocal"),
}
FIXED_SIZES: Mapping[str, int | None] = {"absent": 0, "too_small": TOO_SMALL_TENTHS, "not_evaluated": None}
SEEN = frozenset({"measured", "too_small", "present", *GROWN})


class Reading(NamedTuple):
    """One lesion at one visit; `tenths` of a millimetre where it was measured (longest diameter, nodes: short axis)."""

    lesion_id: str
    kind: str
    status: str
    tenths: int | None = None
    part_of: str | None = None
    """Of a fragment, the lesion that split; of a merged lesion, the one that carries the common diameter."""
    organ: str | None = None

    @property
    def size(self) -> int | None:
        """What the lesion adds to the sum, in tenths of a millimetre; None where it was not evaluated."""
        if self.status == "too_small" and self.tenths is not None:
            return self.tenths  # a size that could be given after all counts (RECIST 1.1, section 3.2)
        return FIXED_SIZES.get(self.status, self.tenths)

    @property
    def gone(self) -> bool:
        """Whether a target lesion no longer counts as disease: absent, or a node of normal size."""
        size = self.size
        return size is not None and (size < NORMAL_NODE_TENTHS if self.kind == "target_node" else size == 0)


type Visits = Mapping[float, Sequence[Reading]]
"""Day from first dose -> the lesions read that day."""


def is_disease(lesion: Reading) -> bool:
    """Whether the lesion was seen, and is no normal node."""
    if lesion.kind in TARGETS:
        return lesion.size is not None and not lesion.gone
    return lesion.status in SEEN


def check_readings(visits: Visits) -> None:
    """Refuse rows that contradict one another.

    Raises
    ------
    ResponseError
        A lesion has a status its kind cannot have, is measured without a size, changes its kind, is read twice on one day, or is
        part of a lesion that is none of the patient's targets; all faults of the patient are named.
    """
    kinds: dict[str, str] = {}
    faults: list[str] = []
    linked = False
    for day, lesions in visits.items():
        if len({lesion.lesion_id for lesion in lesions}) < len(lesions):
            names = [lesion.lesion_id for lesion in lesions]
            faults += [f"{name} is read twice on day {day:g}" for name in sorted(set(names)) if names.count(name) > 1]
        for lesion in lesions:
            name, kind, status, tenths, part_of, _ = lesion
            if status not in STATUSES.get(kind, ()):
                faults.append(f"{name} on day {day:g} is a {kind} lesion with status {status!r}")
            elif kind in TARGETS and status == "measured" and (tenths is None or tenths < 0):
                faults.append(f"{name} on day {day:g} is measured but has no size")
            if kinds.setdefault(name, kind) != kind:
                faults.append(f"{name} on day {day:g} is {kind} and was {kinds[name]}")
            linked = linked or part_of is not None or status == "merged"
    if linked:
        faults += _link_faults(visits, kinds)
    if faults:
        raise ResponseError(
            f"Lesions cannot be read: {'; '.join(sorted(faults))}. Targets are measured, too_small, absent, merged or "
            "not_evaluated; others may also be present, progression or further_progression, and new ones equivocal; a lesion has "
            "one kind and one row a day, and is part of a target lesion of its kind."
        )


def _link_faults(visits: Visits, kinds: Mapping[str, str]) -> Iterator[str]:
    parents = {lesion.lesion_id: lesion.part_of for lesions in visits.values() for lesion in lesions if lesion.part_of}
    for day, lesions in visits.items():
        for lesion in lesions:
            where = f"{lesion.lesion_id} on day {day:g}"
            if lesion.status == "merged" and lesion.part_of is None:
                yield f"{where} is merged, but part_of does not say into which lesion"
            elif lesion.part_of is not None and lesion.kind not in TARGETS:
                yield f"{where} is part of {lesion.part_of}, but only target lesions split or merge"
            elif lesion.part_of is not None and kinds.get(lesion.part_of) != lesion.kind:
                yield f"{where} is part of {lesion.part_of}, which is no {lesion.kind} lesion of this patient"
    for name in parents:
        if _leads_back(name, parents):
            yield f"{name} is part of itself"


def _leads_back(name: str, parents: Mapping[str, str]) -> bool:
    above: str | None = parents.get(name)
    for _ in parents:
        if above == name:
            return True
        above = parents.get(above) if above is not None else None
    return False


class PatientVisits(NamedTuple):
    """A patient's readings by the last day of each visit, and the first day of those visits that took several."""

    visits: dict[float, list[Reading]]
    began: dict[float, float]


def group_visits(lesions: pd.DataFrame) -> dict[str, PatientVisits]:
    """The readings of each patient, sorted by patient.

    Parameters
    ----------
    lesions
        Columns of `lesions.csv`; `tenths` (integer tenths of a millimetre) is used where it is there, else `mm` is rounded to
        tenths. Rows of one `visit` are one time point, whichever day each scan was taken.

    Raises
    ------
    ResponseError
        A visit has scans on both sides of first dose, or two visits of a patient end on one day.
    """
    exact = "tenths" in lesions.columns
    written = lesions["tenths" if exact else "mm"].to_numpy(dtype=np.float64, na_value=np.nan)
    sizes = (written if exact else _half_up(written)).tolist()
    days = lesions["day"].to_numpy(dtype=np.float64)
    labels = _optional(lesions, "visit")
    first = last = days
    if any(label is not None for label in labels):
        last, first = _visit_days(lesions["patient_id"].tolist(), days.tolist(), labels)
    people, names = pd.factorize(lesions["patient_id"], sort=True)
    order = np.lexsort((last, people))  # stable, so that a visit keeps the order of its rows
    columns = [lesions[name].astype(object).to_numpy() for name in ("lesion_id", "kind", "status")]
    tenths = np.array([None if size != size else int(size) for size in sizes], dtype=object)
    linked = [np.array(_optional(lesions, name), dtype=object) for name in ("part_of", "organ")]
    ordered = [column[order].tolist() for column in (*columns, tenths, *linked)]
    readings = list(map(Reading, *ordered))
    people, last, first = people[order], last[order], first[order]
    new_visit = (people[1:] != people[:-1]) | (last[1:] != last[:-1])
    starts = [0, *(np.flatnonzero(new_visit) + 1).tolist()] if len(order) else []
    patients = {str(name): PatientVisits({}, {}) for name in names.tolist()}
    found = list(patients.values())
    whose, ended, began = people.tolist(), last.tolist(), first.tolist()
    for start, end in pairwise([*starts, len(order)]):
        patient, day = found[whose[start]], ended[start]
        patient.visits[day] = readings[start:end]
        if began[start] != day:
            patient.began[day] = began[start]
    return patients


def _half_up(millimetres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tenths of a millimetre, a second decimal place rounded half up as `read_lesions` does, whatever its binary form."""
    return np.floor((millimetres * 10).round(6) + 0.5)


def _optional(lesions: pd.DataFrame, name: str) -> list[str | None]:
    if name not in lesions.columns:
        return [None] * len(lesions)
    return [str(value) if isinstance(value, str) and value else None for value in lesions[name].tolist()]


def _visit_days(
    patients: Sequence[str], days: Sequence[float], labels: Sequence[str | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Last and first day of each row's visit."""
    keys = [
        (patient, label if label is not None else float(day))
        for patient, day, label in zip(patients, days, labels, strict=True)
    ]
    spans: dict[tuple[str, str | float], tuple[float, float]] = {}
    for key, day in zip(keys, days, strict=True):
        low, high = spans.get(key, (float(day), float(day)))
        spans[key] = (min(low, float(day)), max(high, float(day)))
    faults = [
        f"patient {patient}: visit {label} has scans on both sides of first dose (days {low:g} and {high:g})"
        for (patient, label), (low, high) in spans.items()
        if low <= 0 < high
    ]
    ends: dict[tuple[str, float], str | float] = {}
    for (patient, label), (_, high) in spans.items():
        other = ends.setdefault((patient, high), label)
        if other != label:
            faults.append(f"patient {patient}: visits {other} and {label} both end on day {high:g}")
    if faults:
        raise ResponseError(
            f"Visits cannot be told apart: {'; '.join(faults)}. Give each visit a label and days of its own."
        )
    return np.array([spans[key][1] for key in keys]), np.array([spans[key][0] for key in keys])
