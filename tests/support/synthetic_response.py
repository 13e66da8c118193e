"""The clinical half of an invented trial: outcomes, visits, follow-up and adverse events.

What follows from these (timeline, curves, endpoints, the decision) is made of them by the response stage itself.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rabiomarkers.knowledge import load_historical
from rabiomarkers.response.decision import decide
from rabiomarkers.response.endpoints import endpoints, survival_table
from rabiomarkers.response.timeline import timeline
from rabiomarkers.response.toxicity import toxicity_table
from rabiomarkers.schema import config_path
from rabiomarkers.tables.outcomes import OUTCOMES, REMARKS, SUMS

if TYPE_CHECKING:
    from tests.support.synthetic_results import Invented

BASELINE = 80.0  # mm
IRECIST = {"CR": "iCR", "PR": "iPR", "SD": "iSD", "PD": "iUPD", "NON-CR/NON-PD": "NON-iCR/NON-iUPD"}
TERMS = ("fatigue", "dry skin", "headache", "hypertriglyceridaemia", "colitis", "rash", "ALT increased", "pneumonitis")
GRADES = (1, 2, 1, 3, 2, 1, 4, 3)


@dataclass(frozen=True, kw_only=True)
class Course:
    """One patient's visits as (day, change in percent or NaN, response), and what followed."""

    patient: str
    response: str
    best_change: float
    visits: tuple[tuple[float, float, str], ...]
    progression: float | None
    new_lesion: float | None
    died: float | None
    last: float


def course(trial: "Invented", index: int) -> Course:
    """The course of the patient of that number."""
    response, late = trial.response(index), index % 3
    shift = float(index % 5 - 2)
    days = [42.0 * visit + shift for visit in range(1, 12)]
    by_new_lesion = index % 7 in (1, 5)
    if response in ("CR", "PR"):
        deepest = -100.0 if response == "CR" else max(-34.0 - 6 * index, -92.0)
        regrown = deepest if response == "CR" else deepest + 3
        path = [deepest * 0.6, deepest, deepest, regrown, regrown][: 4 + late % 2]
        words = [*["PR" if change > -100 else "CR" for change in path[:2]], *[response] * (len(path) - 2)]
        if late:
            path.append(path[-1] + (40 if not by_new_lesion else 6))
            words.append("PD")
    elif response == "SD":
        deepest = -18.5 + 4 * (index % 9)
        path = [deepest + 3, deepest, deepest + 8][: 2 + late]
        words = ["SD"] * len(path)
        if index % 4 == 0:  # a visit at which a target lesion could not be measured
            path, words = [*path, float("nan"), deepest + 9], [*words, "NE", "SD"]
        if late != 1:
            path, words = [*path, deepest + 31], [*words, "PD"]
    elif response == "PD":
        deepest = -8.0 if by_new_lesion else 21.0 + 3 * (index % 20)
        path, words = [deepest, deepest + 12][: 1 + late % 2], ["PD", "PD"][: 1 + late % 2]
    elif response == "NON-CR/NON-PD":
        deepest, path, words = float("nan"), [float("nan")] * 3, [response] * 3
    else:
        deepest, path, words = float("nan"), [], []
    visits = tuple(zip(days[: len(path)], path, words, strict=True))
    progression = next((day for day, _, word in visits if word == "PD"), None)
    after = progression or (visits[-1][0] if visits else 20.0 + index % 9)
    died = after + 50.0 + 11 * late if progression and late != 1 else None
    return Course(
        patient=trial.patients[index],
        response=response,
        best_change=deepest,
        visits=visits,
        progression=progression,
        new_lesion=progression if progression and by_new_lesion else None,
        died=died,
        last=died or after + 30.0,
    )


def response_tables(trial: "Invented") -> dict[str, pd.DataFrame]:
    """The tables of the response stage by name."""
    outcomes, sums, events = outcomes_of(trial), sums_of(trial), events_of(trial)
    return {
        "outcomes": outcomes,
        "sums": sums,
        "timeline": timeline(outcomes, sums, followup_of(trial), events),
        "survival": survival_table(outcomes),
        "toxicity": toxicity_table(events, list(trial.patients)),
        "remarks": remarks_of(trial),
    }


def courses(trial: "Invented") -> list[Course]:
    """All patients' courses."""
    return [course(trial, index) for index in range(len(trial.patients))]


def outcomes_of(trial: "Invented") -> pd.DataFrame:
    rows = []
    for index, swum in enumerate(courses(trial)):
        code, responder = swum.response, swum.response in ("CR", "PR")
        first = swum.visits[0][0] if responder else None
        end = swum.progression or (swum.visits[-1][0] if swum.visits else np.nan)
        irecist = IRECIST.get(code, code)
        disagree = index % 5 == 3 and code == "PD"
        rows.append(
            {
                "patient_id": swum.patient,
                "best_response": irecist if trial.rule_set == "irecist" else code,
                "confirmed": True if responder else None,
                "responder": responder,
                "disease_control": responder or code in ("SD", "NON-CR/NON-PD"),
                "evaluable": code != "NE",
                "pfs_days": end,
                "progressed": None if code == "NE" else swum.progression is not None,
                "best_change_percent": swum.best_change if trial.lesions else np.nan,
                "note": trial.note or ("no assessment after baseline" if code == "NE" else ""),
                "best_response_unconfirmed": irecist if trial.rule_set == "irecist" else code,
                "best_response_recist_1_1": code,
                "best_response_admiralonco": "SD" if disagree else code,
                "best_response_irecist": irecist,
                "rule_sets_agree": not disagree,
                "clinical_benefit": responder or (code == "SD" and end >= 168),
                "response_day": first,
                "response_days": end - first if responder else None,
                "response_ended": swum.progression is not None if responder else None,
                "progression_day": swum.progression,
                "new_lesion_day": swum.new_lesion if trial.lesions else None,
                "os_days": swum.last,
                "died": swum.died is not None,
                "arm": ("RA + anti-PD-1", "anti-PD-1")[index % 2] if trial.arms else None,
            }
        )
    return OUTCOMES.check(pd.DataFrame(rows, columns=list(OUTCOMES.columns)))


def sums_of(trial: "Invented") -> pd.DataFrame:
    rows = []
    for swum in courses(trial):
        if not trial.lesions or not swum.visits:
            continue
        targets = not np.isnan(swum.best_change)
        start = BASELINE if targets else np.nan
        rows.append({"patient_id": swum.patient, "day": -7.0, "sum_mm": start, "change_percent": 0.0 * start})
        for day, change, word in swum.visits:
            rows.append(
                {
                    "patient_id": swum.patient,
                    "day": day,
                    "sum_mm": start * (1 + change / 100),
                    "change_percent": change,
                    "response": word,
                    "irecist_response": IRECIST.get(word, word),
                    "target_response": word if targets else None,
                    "non_target_response": None if targets else word,
                    "new_lesion": day == swum.new_lesion,
                    "nadir_mm": start,
                    "note": trial.note or ("not evaluated: T1" if word == "NE" else ""),
                }
            )
    return SUMS.check(pd.DataFrame(rows, columns=list(SUMS.columns)))


def followup_of(trial: "Invented") -> pd.DataFrame:
    """Columns of `followup.csv`: treatment ends five days after progression, and some then have another."""
    rows = []
    for index, swum in enumerate(courses(trial)):
        ended = swum.progression + 5 if swum.progression else None
        again = swum.progression + 21 if swum.progression and index % 3 == 1 else None
        rows.append((swum.patient, swum.last, swum.died is not None, ended, again))
    columns = ["patient_id", "os_days", "died", "treatment_end_day", "new_therapy_day"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:], "float64"))


def events_of(trial: "Invented") -> pd.DataFrame | None:
    """Columns of `adverse_events.csv`."""
    if not trial.adverse_events:
        return None
    rows = []
    for index, patient in enumerate(trial.patients):
        for step in range(index % 4):
            place = (index * 3 + step) % len(TERMS)
            day, grade = 9.0 + 17 * step + index % 6, GRADES[place]
            rows.append((patient, f"{trial.note}{TERMS[place]}", grade, day, place % 3 > 0, grade > 3 or place == 1))
    return pd.DataFrame(rows, columns=["patient_id", "term", "grade", "start_day", "related", "serious"])


def remarks_of(trial: "Invented") -> pd.DataFrame:
    rows = [
        (trial.patients[0], -7.0, "lesions", "T2 has 9 mm at baseline", "below 10 mm: followed, told here"),
        (trial.patients[-1], 42.0, "visits", "PR on a day without a scan", "the lesions count"),
        (None, None, "adverse_events", "2 rows without a grade", "counted as ungraded"),
    ]
    noted = [(*row[:3], f"{trial.note}{row[3]}", row[4]) for row in rows]
    return REMARKS.check(pd.DataFrame(noted, columns=list(REMARKS.columns)))


def endpoints_of(trial: "Invented", outcomes: pd.DataFrame) -> dict[str, object]:
    """What the response stage writes to `endpoints.json`, the decision with it."""
    found = endpoints(outcomes, adverse_events=events_of(trial), followup=followup_of(trial), rule_set=trial.rule_set)
    orr = found["orr"]
    decision = decide(
        orr["responders"],
        orr["n"] if orr["rate"] is not None else 0,
        design={"null_rate": 0.1, "target_rate": 0.3} if trial.design else None,
        historical=load_historical(config_path("historical/clinical_reference.csv")),
    )
    return found | {"decision": decision}
