"""RECIST 1.1 from lesions to the response of each visit, in whole tenths of a millimetre.

Thresholds are compared by cross-multiplying integers: 28.0 to 19.6 mm is exactly -30 % and a partial response, while the same
comparison in floating point says stable.

Where the paper leaves a choice, this is the one taken:

- Each day with a row after day 0 is a visit; a lesion without a row that day was not evaluated.
- Baseline of a lesion is its last row on or before day 0 (first dose).
- A lesion seen but too small to measure counts 5 mm; an absent one 0 mm.
- A visit where some target lesion was not evaluated is NE for its targets, unless the others alone already make progression.
  Its sum is unknown and cannot become the nadir.
- Once the whole tumour was in complete response, disease seen again is progression (Table 3, footnote; nodes from 10 mm). A later
  visit where the targets are still gone and a non-target was not evaluated is NE: by Table 1 alone it would be PR, and PR after CR
  is progression.
- Each visit is judged by itself: a sum that was -30 % and is -28 % now is stable at this visit.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, Tables 1 and 2
Schwartz et al. 2016, clarifications, PMID 27189322
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from rabiomarkers.errors import ResponseError

TOO_SMALL_TENTHS = 50
NORMAL_NODE_TENTHS = 100
PROGRESSION_TENTHS = 50

TARGETS = ("target", "target_node")
SIZED = ("measured", "too_small", "absent", "not_evaluated")
STATUSES = {
    "target": SIZED,
    "target_node": SIZED,
    "non_target": (*SIZED, "present", "progression"),
    "new": (*SIZED, "present", "progression"),
}
FIXED_SIZES: Mapping[str, int | None] = {"absent": 0, "too_small": TOO_SMALL_TENTHS, "not_evaluated": None}
SEEN = frozenset({"measured", "too_small", "present", "progression"})
NON_TARGET_PERSISTS = "NON-CR/NON-PD"

TIMEPOINT_COLUMNS = (
    "patient_id",
    "day",
    "sum_mm",
    "change_percent",
    "response",
    "sum_tenths",
    "nadir_tenths",
    "target_response",
    "non_target_response",
    "new_lesion",
    "note",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One lesion at one visit; `tenths` of a millimetre where it was measured (longest diameter, nodes: short axis)."""

    lesion_id: str
    kind: str
    status: str
    tenths: int | None = None

    @property
    def size(self) -> int | None:
        """What the lesion adds to the sum, in tenths of a millimetre; None where it was not evaluated."""
        return FIXED_SIZES.get(self.status, self.tenths)

    @property
    def gone(self) -> bool:
        """Whether a target lesion no longer counts as disease: absent, or a node of normal size."""
        size = self.size
        return size is not None and (size < NORMAL_NODE_TENTHS if self.kind == "target_node" else size == 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class TimePoint:
    """One visit of one patient. `response` is None at baseline, else CR, PR, SD, PD, NE or NON-CR/NON-PD."""

    day: float
    response: str | None
    sum_tenths: int | None = None  # None where a target lesion was not evaluated, or none exists
    change_percent: float | None = None  # of the sum, from baseline
    nadir_tenths: int | None = None  # smallest sum before this visit, baseline included
    target: str | None = None  # None: no target lesion at baseline
    non_target: str | None = None  # None: no non-target lesion
    new_lesion: bool = False
    note: str = ""


def is_partial_response(sum_tenths: int, baseline_tenths: int) -> bool:
    """Whether the sum is at least 30 % below baseline; both in tenths of a millimetre."""
    return 10 * sum_tenths <= 7 * baseline_tenths


def is_progression(sum_tenths: int, nadir_tenths: int) -> bool:
    """Whether the sum is at least 20 % and at least 5 mm above the nadir; both in tenths of a millimetre."""
    return 10 * sum_tenths >= 12 * nadir_tenths and sum_tenths - nadir_tenths >= PROGRESSION_TENTHS


def target_response(targets: Sequence[Reading], *, baseline_tenths: int | None, nadir_tenths: int | None) -> str:
    """CR, PR, SD, PD or NE of the target lesions of one visit.

    Parameters
    ----------
    targets
        Every target lesion, those that were not evaluated included.
    baseline_tenths, nadir_tenths
        Sum at baseline and smallest sum so far; None where a target lesion had no size at baseline: nothing to compare with.
    """
    if baseline_tenths is None or nadir_tenths is None:
        return "NE"
    sizes = [lesion.size for lesion in targets]
    known = [size for size in sizes if size is not None]
    if len(known) == len(sizes) and all(lesion.gone for lesion in targets):
        return "CR"  # before progression: nodes that stay under 10 mm are normal however they vary
    if is_progression(sum(known), nadir_tenths):
        return "PD"  # also when lesions are missing: they could only add to the sum
    if len(known) < len(sizes):
        return "NE"
    return "PR" if is_partial_response(sum(known), baseline_tenths) else "SD"


def non_target_response(statuses: Iterable[str]) -> str | None:
    """CR, NON-CR/NON-PD, PD or NE of the non-target lesions of one visit; None where the patient has none."""
    found = set(statuses)
    if not found:
        return None
    if "progression" in found:
        return "PD"
    if "not_evaluated" in found:
        return "NE"
    return "CR" if found == {"absent"} else NON_TARGET_PERSISTS


def overall_response(target: str | None, non_target: str | None, *, new_lesion: bool) -> str:
    """The visit's response: Table 1 with target lesions, Table 2 without; NE where the patient has neither kind."""
    if new_lesion or "PD" in (target, non_target):
        return "PD"
    if target is None:
        return non_target or "NE"
    if target == "CR":
        return "CR" if non_target in (None, "CR") else "PR"
    return target


def assess_patient(visits: Mapping[float, Sequence[Reading]]) -> list[TimePoint]:
    """Every visit of one patient, baseline first.

    Parameters
    ----------
    visits
        Day from first dose -> the lesions read that day.

    Raises
    ------
    ResponseError
        A lesion has a status its kind cannot have, is measured without a size, changes its kind, or is read twice on one day.
    """
    _check(visits)
    days = sorted(visits)
    baseline = {lesion.lesion_id: lesion for day in days if day <= 0 for lesion in visits[day] if lesion.kind != "new"}
    later = [day for day in days if day > 0]
    if not baseline:
        note = "no assessment on or before day 0 (first dose) to compare with"
        return [_without_baseline(day, visits[day], note) for day in later]
    return _follow(baseline, max(day for day in days if day <= 0), {day: visits[day] for day in later})


def _follow(
    baseline: Mapping[str, Reading], baseline_day: float, visits: Mapping[float, Sequence[Reading]]
) -> list[TimePoint]:
    sizes = [lesion.size for lesion in baseline.values() if lesion.kind in TARGETS]
    start = sum(size for size in sizes if size is not None) if None not in sizes else None
    course = _Course(
        baseline=baseline, start=start or None, nadir=start or None
    )  # a sum of 0 is nothing to compare with
    change = None if course.start is None else 0.0
    points = [
        TimePoint(
            day=baseline_day, response=None, sum_tenths=course.start, nadir_tenths=course.start, change_percent=change
        )
    ]
    for day, lesions in visits.items():
        point = _assess_visit(day, lesions, course)
        points.append(point)
        if point.sum_tenths is not None and course.nadir is not None:
            course = replace(course, nadir=min(course.nadir, point.sum_tenths))
        if point.response == "CR" and course.complete_on is None:
            course = replace(course, complete_on=day)
    return points


@dataclass(frozen=True, kw_only=True, slots=True)
class _Course:
    """What earlier visits left behind for the next one."""

    baseline: Mapping[str, Reading]
    start: int | None
    nadir: int | None
    complete_on: float | None = None


def _assess_visit(day: float, lesions: Sequence[Reading], course: _Course) -> TimePoint:
    read = {lesion.lesion_id: lesion for lesion in lesions if lesion.kind != "new"}
    late = sorted(set(read) - set(course.baseline))
    followed = [read.get(name) or _not_evaluated(lesion) for name, lesion in course.baseline.items()]
    followed += [read[name] for name in late]
    # a target lesion without a baseline is disease that is seen, yet no part of a sum that can be compared
    targets = [
        _not_evaluated(lesion) if lesion.lesion_id in late else lesion for lesion in followed if lesion.kind in TARGETS
    ]
    unknown = [lesion.lesion_id for lesion in targets if lesion.size is None]
    non_target = non_target_response(lesion.status for lesion in followed if lesion.kind == "non_target")
    target = target_response(targets, baseline_tenths=course.start, nadir_tenths=course.nadir) if targets else None
    new = sorted(lesion.lesion_id for lesion in lesions if lesion.kind == "new" and lesion.status in SEEN)
    response = overall_response(target, non_target, new_lesion=bool(new))
    total = None if unknown or course.start is None else sum(lesion.size or 0 for lesion in targets)
    judged, why = _after_complete(response, followed, course.complete_on)
    notes = [
        f"new lesion {', '.join(new)}" if new else "",
        f"not evaluated: {', '.join(unknown)}" if unknown and target == "NE" else "",
        f"no baseline for {', '.join(late)}" if late else "",
        "no target sum at baseline" if targets and course.start is None else "",
        why,
    ]
    return TimePoint(
        day=day,
        response=judged,
        sum_tenths=total,
        change_percent=None if total is None or course.start is None else 100 * (total - course.start) / course.start,
        nadir_tenths=course.nadir,
        target=target,
        non_target=non_target,
        new_lesion=bool(new),
        note="; ".join(note for note in notes if note),
    )


def _after_complete(response: str, lesions: Sequence[Reading], complete_on: float | None) -> tuple[str, str]:
    """A visit's response once the whole tumour was in complete response, and why it is not the one of Tables 1 and 2."""
    if complete_on is None or response in ("CR", "PD"):
        return response, ""
    if _disease_seen(lesions):
        return "PD", f"disease seen again after the complete response on day {complete_on:g}"
    return "NE", f"whether the complete response of day {complete_on:g} lasts was not evaluated"


def _not_evaluated(lesion: Reading) -> Reading:
    return Reading(lesion_id=lesion.lesion_id, kind=lesion.kind, status="not_evaluated")


def _disease_seen(lesions: Sequence[Reading]) -> bool:
    return any(
        lesion.size is not None and not lesion.gone if lesion.kind in TARGETS else lesion.status in SEEN
        for lesion in lesions
    )


def _without_baseline(day: float, lesions: Sequence[Reading], note: str) -> TimePoint:
    new = any(lesion.kind == "new" and lesion.status in SEEN for lesion in lesions)
    return TimePoint(day=day, response="PD" if new else "NE", new_lesion=new, note=note)


def _check(visits: Mapping[float, Sequence[Reading]]) -> None:
    faults: list[str] = []
    kinds: dict[str, str] = {}
    for day, lesions in sorted(visits.items()):
        names = [lesion.lesion_id for lesion in lesions]
        faults += [f"{name} is read twice on day {day:g}" for name in sorted(set(names)) if names.count(name) > 1]
        for lesion in lesions:
            where = f"{lesion.lesion_id} on day {day:g}"
            if lesion.status not in STATUSES.get(lesion.kind, ()):
                faults.append(f"{where} is a {lesion.kind} lesion with status {lesion.status!r}")
            elif (
                lesion.status == "measured" and lesion.kind in TARGETS and (lesion.tenths is None or lesion.tenths < 0)
            ):
                faults.append(f"{where} is measured but has no size")
            if kinds.setdefault(lesion.lesion_id, lesion.kind) != lesion.kind:
                faults.append(f"{where} is {lesion.kind} and was {kinds[lesion.lesion_id]}")
    if faults:
        raise ResponseError(
            f"Lesions cannot be read: {'; '.join(faults)}. Targets are measured, too_small, absent or not_evaluated; "
            "others may also be present or progression; a lesion has one kind and one row a day."
        )


def assess_timepoints(lesions: pd.DataFrame) -> pd.DataFrame:
    """RECIST 1.1 response at every visit of every patient.

    Parameters
    ----------
    lesions
        Columns of `lesions.csv`; `tenths` (integer tenths of a millimetre) is used where it is there, else `mm` is rounded to
        tenths.

    Returns
    -------
    One row a patient and visit, sorted, the baseline included (its `response` is empty): `patient_id, day, sum_mm,
    change_percent` (of the sum, from baseline), `response, sum_tenths, nadir_tenths, target_response, non_target_response,
    new_lesion, note`.

    Raises
    ------
    ResponseError
        Rows that cannot be read as RECIST reads them; all of the first patient concerned are named.
    """
    tenths = lesions["tenths"] if "tenths" in lesions.columns else (lesions["mm"] * 10).round()
    columns = (lesions["patient_id"], lesions["day"], lesions["lesion_id"], lesions["kind"], lesions["status"], tenths)
    patients: dict[str, dict[float, list[Reading]]] = {}
    for patient, day, name, kind, status, size in zip(*(column.tolist() for column in columns), strict=True):
        reading = Reading(
            lesion_id=str(name), kind=kind, status=status, tenths=None if pd.isna(size) else round(float(size))
        )
        patients.setdefault(patient, {}).setdefault(float(day), []).append(reading)
    rows = [
        _row(patient, point) for patient, visits in sorted(patients.items()) for point in _assess_named(patient, visits)
    ]
    return _typed(pd.DataFrame(rows, columns=list(TIMEPOINT_COLUMNS)))


def _assess_named(patient: str, visits: Mapping[float, Sequence[Reading]]) -> list[TimePoint]:
    try:
        return assess_patient(visits)
    except ResponseError as error:
        raise ResponseError(f"Patient {patient}: {error}") from None


def _row(patient: str, point: TimePoint) -> tuple[object, ...]:
    total = None if point.sum_tenths is None else point.sum_tenths / 10
    return (
        patient,
        point.day,
        total,
        point.change_percent,
        point.response,
        point.sum_tenths,
        point.nadir_tenths,
        point.target,
        point.non_target,
        point.new_lesion,
        point.note,
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    kinds = dict.fromkeys(("day", "sum_mm", "change_percent"), "float64") | dict.fromkeys(
        ("sum_tenths", "nadir_tenths"), "Int64"
    )
    texts = ("patient_id", "response", "target_response", "non_target_response", "note")
    return frame.astype(kinds | dict.fromkeys(texts, pd.StringDtype(na_value=float("nan"))) | {"new_lesion": "boolean"})
