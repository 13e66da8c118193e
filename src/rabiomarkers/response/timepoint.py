"""RECIST 1.1 from lesions to the response of each visit, in whole tenths of a millimetre.

Thresholds are compared by cross-multiplying integers: 28.0 to 19.6 mm is exactly -30 % and a partial response, while the same
comparison in floating point says stable.

Where the paper leaves a choice, this is the one taken:

- Each visit after day 0 is judged; a lesion without a row at a visit was not evaluated.
- Baseline of a lesion is its last evaluated row on or before day 0 (first dose).
- A lesion without a baseline is disease all the same: a non-target is judged from its first row on; a target has no size to compare
  with, so that its targets are NE until it is gone, unless the others alone make progression.
- A lesion seen but too small to measure counts 5 mm unless a size is given; an absent one 0 mm.
- A visit where some target lesion was not evaluated is NE for its targets, unless the others alone already make progression.
  Its sum is unknown and cannot become the nadir.
- Fragments of a lesion that split add up, with what is read under its own name; of lesions that merged one carries the common
  diameter and the others add nothing, as long as no row says otherwise.
- An equivocal new lesion is no progression until it is seen unequivocally; then progression is dated back to where it was first
  seen, unless it was absent in between.
- Once the whole tumour was in complete response, disease seen again is progression (Table 3, footnote; nodes from 10 mm). A later
  visit where the targets are still gone and a non-target was not evaluated is NE: by Table 1 alone it would be PR, and PR after CR
  is progression.
- Each visit is judged by itself: a sum that was -30 % and is -28 % now is stable at this visit.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, Tables 1 and 2
Schwartz et al. 2016, clarifications, PMID 27189322
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rabiomarkers.response.codes import PERSISTS
from rabiomarkers.response.lesions import (
    GROWN,
    NORMAL_NODE_TENTHS,
    SEEN,
    TARGETS,
    Reading,
    Visits,
    check_readings,
    is_disease,
)

PROGRESSION_TENTHS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class TimePoint:
    """One visit of one patient. `response` is None at baseline, else CR, PR, SD, PD, NE or NON-CR/NON-PD."""

    day: float
    response: str | None
    sum_tenths: int | None = None  # None where a target lesion was not evaluated, or none exists
    change_percent: float | None = None  # of the sum, from baseline
    nadir_tenths: int | None = None  # smallest sum before this visit, baseline included
    by_table: str | None = (
        None  # the response by Tables 1 and 2 alone, where an earlier complete response made it another
    )
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
    return _target_response(targets, [lesion.size for lesion in targets], baseline_tenths, nadir_tenths)


def _target_response(
    targets: Sequence[Reading], sizes: Sequence[int | None], baseline: int | None, nadir: int | None
) -> str:
    if baseline is None or nadir is None:
        return "NE"
    known = [size for size in sizes if size is not None]
    total, complete = sum(known), len(known) == len(sizes)
    # nodes under 10 mm are no disease, so a small sum only can be complete
    if complete and total < NORMAL_NODE_TENTHS * len(sizes) and all(lesion.gone for lesion in targets):
        return "CR"  # before progression: nodes that stay under 10 mm are normal however they vary
    if is_progression(total, nadir):
        return "PD"  # also when lesions are missing: they could only add to the sum
    if not complete:
        return "NE"
    return "PR" if is_partial_response(total, baseline) else "SD"


def non_target_response(statuses: Iterable[str]) -> str | None:
    """CR, NON-CR/NON-PD, PD or NE of the non-target lesions of one visit; None where the patient has none."""
    found = set(statuses)
    if not found:
        return None
    if found & GROWN:
        return "PD"
    if "not_evaluated" in found:
        return "NE"
    return "CR" if found == {"absent"} else PERSISTS


def overall_response(target: str | None, non_target: str | None, *, new_lesion: bool) -> str:
    """The visit's response: Table 1 with target lesions, Table 2 without; NE where the patient has neither kind."""
    if new_lesion or "PD" in (target, non_target):
        return "PD"
    if target is None:
        return non_target or "NE"
    if target == "CR":
        return "CR" if non_target in (None, "CR") else "PR"
    return target


def assess_patient(visits: Visits) -> list[TimePoint]:
    """Every visit of one patient, baseline first.

    Parameters
    ----------
    visits
        Day from first dose -> the lesions read that day.

    Raises
    ------
    ResponseError
        A lesion has a status its kind cannot have, is measured without a size, changes its kind, is read twice on one day, or is
        part of a lesion that is none of the patient's targets.
    """
    check_readings(visits)
    days = sorted(visits)
    baseline = baseline_readings(visits)
    later = [day for day in days if day > 0]
    if not baseline:
        note = "no assessment on or before day 0 (first dose) to compare with"
        certain = _dated_back(visits, later)
        return [_without_baseline(day, visits[day], certain, note) for day in later]
    targets = _targets_of(baseline, baseline.values())
    sizes = [lesion.size for lesion in targets]
    start = sum(size for size in sizes if size is not None) if None not in sizes else None
    if all(lesion.gone for lesion in targets):
        start = None  # no target that was there (nodes under 10 mm are normal) is nothing to compare with
    merged = {name: lesion for name, lesion in baseline.items() if lesion.status == "merged"}
    course = _Course(baseline=baseline, start=start, nadir=start, dated_back=_dated_back(visits, later), merged=merged)
    change = None if start is None else 0.0
    first = max(day for day in days if day <= 0)
    points = [TimePoint(day=first, response=None, sum_tenths=start, nadir_tenths=start, change_percent=change)]
    for day in later:
        points.append(_assess_visit(day, visits[day], course))
        course.remember(points[-1])
    return points


@dataclass(kw_only=True, slots=True)
class _Course:
    """What earlier visits leave behind for the next one."""

    baseline: dict[str, Reading]
    start: int | None
    nadir: int | None
    dated_back: frozenset[tuple[str, float]]
    """Equivocal sightings of new lesions that turned out to be real."""
    complete_on: float | None = None
    fragments: dict[str, Reading] = field(default_factory=dict)
    merged: dict[str, Reading] = field(default_factory=dict)
    late: dict[str, Reading] = field(default_factory=dict)
    """Lesions that were first read after the baseline."""
    beside: set[str] = field(default_factory=set)
    """Lesions that were read under their own name beside a fragment of theirs."""

    def remember(self, point: TimePoint) -> None:
        if point.sum_tenths is not None and self.nadir is not None:
            self.nadir = min(self.nadir, point.sum_tenths)
        if point.response == "CR" and self.complete_on is None:
            self.complete_on = point.day


def baseline_readings(visits: Visits) -> dict[str, Reading]:
    """The last reading of each lesion on or before day 0 that evaluated it; a reading that did not only where there is no other."""
    found: dict[str, Reading] = {}
    for day in sorted(day for day in visits if day <= 0):
        for lesion in visits[day]:
            if lesion.kind != "new" and (lesion.status != "not_evaluated" or lesion.lesion_id not in found):
                found[lesion.lesion_id] = lesion
    return found


def _assess_visit(day: float, lesions: Sequence[Reading], course: _Course) -> TimePoint:
    read = {lesion.lesion_id: lesion for lesion in lesions if lesion.kind != "new"}
    news = [lesion for lesion in lesions if lesion.kind == "new"] if len(read) < len(lesions) else []
    followed, late, changed = _followed(read, course)
    targets = [lesion for lesion in followed if lesion.kind in TARGETS]
    uncompared = [lesion for lesion in late if lesion.kind in TARGETS]
    sizes = [lesion.size for lesion in targets]
    unknown = sorted([lesion.lesion_id for lesion, size in zip(targets, sizes, strict=True) if size is None])
    seen = [*followed, *late] if late else followed
    non_target = non_target_response([lesion.status for lesion in seen if lesion.kind == "non_target"])
    target = _target_response(targets, sizes, course.start, course.nadir) if targets or uncompared else None
    if target in ("CR", "PR", "SD") and not all(lesion.gone for lesion in uncompared):
        target = "NE"
    new = sorted(
        lesion.lesion_id for lesion in news if lesion.status in SEEN or (lesion.lesion_id, day) in course.dated_back
    )
    response = overall_response(target, non_target, new_lesion=bool(new))
    judged, why = _after_complete(response, seen, course.complete_on)
    total = None
    if not unknown and targets and course.start is not None and target != "NE":
        total = sum([size for size in sizes if size is not None])
    unsure = [lesion.lesion_id for lesion in news if lesion.status == "equivocal" and lesion.lesion_id not in new]
    notes = [
        f"new lesion {', '.join(new)}" if new else "",
        *_equivocal_notes(new, unsure, news),
        f"not evaluated: {', '.join(unknown)}" if unknown and target == "NE" else "",
        f"no baseline for {', '.join(sorted(lesion.lesion_id for lesion in late))}" if late else "",
        "no target sum at baseline" if targets and course.start is None else "",
        *changed,
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
        by_table=response if why else None,
        note="; ".join([note for note in notes if note]),
    )


def _followed(read: dict[str, Reading], course: _Course) -> tuple[list[Reading], list[Reading], list[str]]:
    """What is judged at this visit (lesions of the baseline and their fragments, those without a row as not evaluated), lesions
    without a baseline likewise, and what split or merged in words."""
    plain = not (course.fragments or course.merged or course.late)
    if plain and read.keys() == course.baseline.keys() and all(lesion.part_of is None for lesion in read.values()):
        return list(read.values()), [], []
    changed = _remember_parts(read, course)
    known = course.baseline | course.fragments
    full = {name: read.get(name) or course.merged.get(name) or _not_evaluated(lesion) for name, lesion in known.items()}
    course.late |= {name: lesion for name, lesion in read.items() if name not in known}
    late = [read.get(name) or _not_evaluated(lesion) for name, lesion in sorted(course.late.items())]
    parts = {lesion.part_of for lesion in full.values() if lesion.part_of and lesion.status != "merged"}
    course.beside |= {name for name in parts if name in read}
    replaced = parts - course.beside  # by their fragments
    whole = [lesion for name, lesion in full.items() if name not in replaced]
    targets = _targets_of(full, [lesion for lesion in whole if lesion.kind in TARGETS])
    return [*targets, *(lesion for lesion in whole if lesion.kind not in TARGETS)], late, changed


def _remember_parts(read: dict[str, Reading], course: _Course) -> list[str]:
    changed = []
    for name, lesion in read.items():
        if lesion.status == "merged":
            if name not in course.merged:
                changed.append(f"{name} merged into {lesion.part_of}")
            course.merged[name] = lesion
            continue
        course.merged.pop(name, None)
        if lesion.part_of is not None and name not in course.baseline and name not in course.fragments:
            course.fragments[name] = lesion
            changed.append(f"{lesion.part_of} split: {name}")
    return changed


def _targets_of(read: dict[str, Reading], lesions: Iterable[Reading]) -> list[Reading]:
    """The targets whose sizes add up: a merged lesion is counted in the one that carries the common diameter."""
    targets = []
    for lesion in lesions:
        if lesion.kind not in TARGETS:
            continue
        if lesion.status != "merged":
            targets.append(lesion)
        elif lesion.part_of not in read:  # the carrier has no row of its own at any visit so far
            targets.append(_not_evaluated(lesion))
    return targets


def _equivocal_notes(new: Sequence[str], unsure: Sequence[str], news: Sequence[Reading]) -> list[str]:
    if not news:
        return []
    back = [lesion.lesion_id for lesion in news if lesion.status == "equivocal" and lesion.lesion_id in new]
    return [
        f"equivocal here, unequivocal later: {', '.join(sorted(back))}" if back else "",
        f"equivocal new lesion {', '.join(sorted(unsure))}" if unsure else "",
    ]


def _dated_back(visits: Visits, days: Sequence[float]) -> frozenset[tuple[str, float]]:
    """(lesion, day) of each equivocal sighting that a later visit confirmed without an absence between."""
    waiting: dict[str, list[float]] = {}
    found: set[tuple[str, float]] = set()
    for day in days:
        for lesion in visits[day]:
            if lesion.kind != "new":
                continue
            if lesion.status == "equivocal":
                waiting.setdefault(lesion.lesion_id, []).append(day)
            elif lesion.status in SEEN:
                found |= {(lesion.lesion_id, earlier) for earlier in waiting.pop(lesion.lesion_id, [])}
            elif lesion.status == "absent":
                waiting.pop(lesion.lesion_id, None)
    return frozenset(found)


def _after_complete(response: str, lesions: Sequence[Reading], complete_on: float | None) -> tuple[str, str]:
    """A visit's response once the whole tumour was in complete response, and why it is not the one of Tables 1 and 2."""
    if complete_on is None or response in ("CR", "PD"):
        return response, ""
    if any(is_disease(lesion) for lesion in lesions):
        return "PD", f"disease seen again after the complete response on day {complete_on:g}"
    return "NE", f"whether the complete response of day {complete_on:g} lasts was not evaluated"


def _not_evaluated(lesion: Reading) -> Reading:
    return Reading(lesion_id=lesion.lesion_id, kind=lesion.kind, status="not_evaluated")


def _without_baseline(
    day: float, lesions: Sequence[Reading], dated_back: frozenset[tuple[str, float]], note: str
) -> TimePoint:
    new = any(
        lesion.kind == "new" and (lesion.status in SEEN or (lesion.lesion_id, day) in dated_back) for lesion in lesions
    )
    grown = any(lesion.kind == "non_target" and lesion.status in GROWN for lesion in lesions)
    return TimePoint(
        day=day,
        response="PD" if new or grown else "NE",
        non_target="PD" if grown else None,
        new_lesion=new,
        note=note,
    )
