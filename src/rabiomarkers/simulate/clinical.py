"""Clinical tables of a simulated trial: lesions by visit, the response of each visit, follow-up, adverse events.

Each visit is drawn from the response it is meant to have, with sizes well inside the limits of RECIST 1.1; so the tables agree
with each other, and an engine that reads the lesions must arrive at the response that was drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.simulate.design import Design, Patient, stream

type Progression = Literal["", "growth", "new lesion", "non-target"]

ASSESSMENT_INTERVALS = (49, 56)  # days between scans
ORGANS = {
    "T1": "liver",
    "T2": "lung",
    "T3": "soft tissue",
    "T4": "liver",
    "N1": "lymph node",
    "NT1": "bone",
    "NEW1": "liver",
}
SUBTYPES = ("HR+/HER2-", "TNBC")

# term, chance, severest grade seen, whether the treatment is blamed
_EVENTS = (
    ("Dry skin", 0.7, 2, True),
    ("Headache", 0.6, 3, True),
    ("Fatigue", 0.6, 2, True),
    ("Hypertriglyceridaemia", 0.35, 3, True),
    ("Nausea", 0.4, 2, False),
    ("Rash maculo-papular", 0.3, 3, True),
    ("Alanine aminotransferase increased", 0.25, 3, True),
    ("Hypothyroidism", 0.2, 2, True),
    ("Anaemia", 0.3, 3, False),
    ("Pneumonitis", 0.06, 4, True),
)


@dataclass(frozen=True, kw_only=True)
class ClinicalTables:
    """The clinical tables as they are written; columns as in the contract, days from first dose."""

    patients: pd.DataFrame
    lesions: pd.DataFrame
    visits: pd.DataFrame
    followup: pd.DataFrame
    adverse_events: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """What a scan is to show: the target sum relative to baseline and the response this makes."""

    scale: float
    response: str
    progression: Progression = ""


@dataclass(frozen=True, kw_only=True)
class _Lesion:
    lesion_id: str
    kind: str
    tenths: int  # of a millimetre at baseline; 0 for lesions that are not measured


def clinical_tables(design: Design) -> ClinicalTables:
    """Draw the clinical course of every patient; it does not depend on whether effects were planted."""
    courses = [_course_of(patient, stream(design.seed, patient.index, "clinical")) for patient in design.patients]
    return ClinicalTables(
        patients=pd.DataFrame([course["patient"] for course in courses]),
        lesions=pd.DataFrame([row for course in courses for row in course["lesions"]]),
        visits=pd.DataFrame([row for course in courses for row in course["visits"]]),
        followup=pd.DataFrame([course["followup"] for course in courses]),
        adverse_events=pd.DataFrame(
            [row for course in courses for row in course["adverse_events"]],
            columns=["patient_id", "term", "grade", "start_day", "related", "serious"],
        ),
    )


def _course_of(patient: Patient, rng: np.random.Generator) -> dict[str, list[dict[str, object]] | dict[str, object]]:
    name = {"patient_id": patient.patient_id}
    person = {
        "subtype": str(rng.choice(SUBTYPES, p=(0.7, 0.3))),
        "age": int(np.clip(rng.normal(56, 10), 28, 82)),
        "prior_lines": int(rng.integers(1, 5)),
    }
    lesions = _lesions(rng)
    baseline_day = -int(rng.integers(0, 8))
    interval = int(rng.choice(ASSESSMENT_INTERVALS))
    visits = [
        (interval * number + int(rng.integers(-2, 4)), visit)
        for number, visit in enumerate(_plan(patient.best_response, rng), start=1)
    ]
    scans = [name | row for row in _scans(lesions, baseline_day, visits, rng)]
    last_day = visits[-1][0]
    return {
        "patient": name | person,
        "lesions": scans,
        "visits": [name | {"day": day, "overall_response": visit.response} for day, visit in visits],
        "followup": name | _followup(last_day, visits[-1][1].response == "PD", rng),
        "adverse_events": [name | event for event in _adverse_events(last_day, rng)],
    }


def _lesions(rng: np.random.Generator) -> list[_Lesion]:
    """Two to four targets, of which one may be a node (short axis from 15 mm), and one lesion that is followed only."""
    count = int(rng.integers(2, 5))
    has_node = bool(rng.random() < 0.4)
    targets = [
        _Lesion(lesion_id=f"T{number}", kind="target", tenths=int(rng.integers(150, 600)))
        for number in range(1, count + 1 - has_node)
    ]
    node = [_Lesion(lesion_id="N1", kind="target_node", tenths=int(rng.integers(160, 300)))] if has_node else []
    return [*targets, *node, _Lesion(lesion_id="NT1", kind="non_target", tenths=0)]


def _plan(best: str, rng: np.random.Generator) -> list[_Visit]:
    """The visits of one patient until progression or the end of follow-up."""
    length = int(rng.integers(4, 7))
    if best == "PD":
        how: Progression = ("growth", "new lesion", "non-target")[int(rng.choice(3, p=(0.5, 0.35, 0.15)))]
        scale = rng.uniform(1.35, 1.8) if how == "growth" else rng.uniform(0.95, 1.1)
        return [_Visit(scale=float(scale), response="PD", progression=how)]
    if best == "CR":
        return [
            _Visit(scale=float(rng.uniform(0.4, 0.6)), response="PR"),
            *[_Visit(scale=0.0, response="CR")] * (length - 1),
        ]
    if best == "PR":
        late = [_Visit(scale=float(rng.uniform(0.78, 0.88)), response="SD")] if rng.random() < 0.4 else []
        depth = rng.uniform(0.38, 0.58)
        held = [_Visit(scale=float(depth * rng.uniform(0.98, 1.02)), response="PR") for _ in range(length - len(late))]
        relapse = [_Visit(scale=float(depth), response="PD", progression="new lesion")] if rng.random() < 0.4 else []
        return [*late, *held, *relapse]
    level = rng.uniform(0.8, 1.05)
    stable = [
        _Visit(scale=float(level * rng.uniform(0.98, 1.02)), response="SD") for _ in range(int(rng.integers(1, 5)))
    ]
    if rng.random() < 0.75:
        how = ("growth", "new lesion")[int(rng.integers(2))]
        scale = level * rng.uniform(1.4, 1.7) if how == "growth" else level
        return [*stable, _Visit(scale=float(scale), response="PD", progression=how)]
    return stable


def _scans(
    lesions: list[_Lesion], baseline_day: int, visits: list[tuple[int, _Visit]], rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    for lesion in lesions:
        status = "present" if lesion.kind == "non_target" else "measured"
        yield _row(baseline_day, lesion.lesion_id, lesion.kind, lesion.tenths, status)
    for day, visit in visits:
        for lesion in lesions:
            yield _row(day, lesion.lesion_id, lesion.kind, *_seen(lesion, visit, rng))
        if visit.progression == "new lesion":
            yield _row(day, "NEW1", "new", 0, "present")


def _seen(lesion: _Lesion, visit: _Visit, rng: np.random.Generator) -> tuple[int, str]:
    """Size in tenths of a millimetre and status of one lesion at one visit."""
    jitter = rng.uniform(0.97, 1.03)
    if lesion.kind == "non_target":
        gone = "absent" if visit.response == "CR" else "present"
        return 0, "progression" if visit.progression == "non-target" else gone
    if visit.response == "CR":
        # a node does not vanish: below 10 mm in its short axis it is normal
        return (int(rng.integers(50, 91)), "measured") if lesion.kind == "target_node" else (0, "absent")
    tenths = round(lesion.tenths * visit.scale * jitter)
    return (50, "too_small") if tenths < 50 else (tenths, "measured")


def _row(day: int, lesion_id: str, kind: str, tenths: int, status: str) -> dict[str, object]:
    sized = status in ("measured", "too_small") or (status == "absent" and kind != "non_target")
    mm = f"{tenths // 10}.{tenths % 10}" if sized else ""
    return {"day": day, "lesion_id": lesion_id, "kind": kind, "mm": mm, "status": status, "organ": ORGANS[lesion_id]}


def _followup(last_day: int, progressed: bool, rng: np.random.Generator) -> dict[str, object]:
    died = progressed and bool(rng.random() < 0.5)
    later = 1 + int(rng.exponential(180 if progressed else 60))
    return {
        "pfs_days": last_day,
        "progressed": str(progressed).lower(),
        "os_days": last_day + later,
        "died": str(died).lower(),
        "treatment_end_day": last_day if progressed else "",
    }


def _adverse_events(last_day: int, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    for term, chance, severest, blamed in _EVENTS:
        happens, grade = rng.random() < chance, min(severest, 1 + int(rng.geometric(0.6) - 1))
        start, related = int(rng.integers(1, last_day + 1)), blamed and bool(rng.random() < 0.8)
        if happens:
            yield {
                "term": term,
                "grade": grade,
                "start_day": start,
                "related": str(related).lower(),
                "serious": str(grade >= 3).lower(),
            }
