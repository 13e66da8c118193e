"""Adverse events: patients by the worst CTCAE grade they had, how many were called related or serious, and the terms.

Patients are counted, not events, and only patients of the trial. An event without a grade is an event all the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.tables.outcomes import TOXICITY

SEVERE_GRADE = 3
FATAL_GRADE = 5
GRADES = range(1, FATAL_GRADE + 1)
SEVERITIES = ("mild", "moderate", "severe")  # the words of SDTM's AESEV, mildest first
FLAGS = ("related", "serious")
COUNTED_BY = {"related": ("related", f"related_grade_{SEVERE_GRADE}_or_higher"), "serious": ("serious",)}
KEYS = (
    "patients_with_any",
    f"patients_with_grade_{SEVERE_GRADE}_or_higher",
    "by_worst_grade",
    "none",
    "ungraded",
    "patients_with_related",
    f"patients_with_related_grade_{SEVERE_GRADE}_or_higher",
    "by_worst_grade_related",
    "patients_with_serious",
    "patients_with_related_serious",
    "grade_5_terms",
    "by_severity",
)


def toxicity(adverse_events: pd.DataFrame | None, patients: Sequence[str]) -> dict[str, Any]:
    """Patients of the trial by the worst grade they had, overall and of the events called related; JSON-ready.

    Parameters
    ----------
    adverse_events
        `patient_id` and, where they are there, `term, grade, related, serious, start_day, severity` (mild, moderate, severe);
        None where there is no such table, which is not the same as no event.
    patients
        Ids of all patients of the trial.

    Returns
    -------
    `n` (patients of the trial), `patients_with_any`, `patients_with_grade_3_or_higher`, `by_worst_grade` and `none` (patients
    without any event); `ungraded`: patients with events none of which has a grade, so that `by_worst_grade`, `ungraded` and `none`
    add up to `n`. The same of related and serious events, None where no event says whether it was. `grade_5_terms`: terms that
    were fatal. `by_severity`: patients by the worst word, None where there are no words. `note`.
    """
    if adverse_events is None:
        return {"n": len(patients), **dict.fromkeys(KEYS), "note": "no adverse events table"}
    events = _of_the_trial(adverse_events, patients)
    related, serious = (events[events[flag].fillna(False).astype(bool)] for flag in FLAGS)
    stated = {flag: _stated(events, flag) for flag in FLAGS}
    worst = _worst(events)
    with_any = int(events["patient_id"].nunique())
    numbers = {
        "patients_with_any": with_any,
        f"patients_with_grade_{SEVERE_GRADE}_or_higher": int((worst >= SEVERE_GRADE).sum()),
        "by_worst_grade": _by_grade(worst),
        "none": len(patients) - with_any,
        "ungraded": with_any - len(worst),
        "grade_5_terms": sorted(set(events.loc[events["grade"] == FATAL_GRADE, "term"].dropna())),
        "by_severity": _by_severity(events),
    }
    if stated["related"]:
        numbers |= {
            "patients_with_related": int(related["patient_id"].nunique()),
            f"patients_with_related_grade_{SEVERE_GRADE}_or_higher": int((_worst(related) >= SEVERE_GRADE).sum()),
            "by_worst_grade_related": _by_grade(_worst(related)),
        }
    if stated["serious"]:
        numbers["patients_with_serious"] = int(serious["patient_id"].nunique())
    if all(stated.values()):
        both = related.loc[related.index.intersection(serious.index), "patient_id"]
        numbers["patients_with_related_serious"] = int(both.nunique())
    return {"n": len(patients), **{key: numbers.get(key) for key in KEYS}, "note": _note(events)}


def toxicity_table(adverse_events: pd.DataFrame | None, patients: Sequence[str]) -> pd.DataFrame:
    """How many patients had each term, at the worst grade they had of it.

    Terms that differ in case or blanks only are one term, in the spelling that is most frequent.

    Returns
    -------
    A TOXICITY table, the terms of most patients first. `related_grade_3_or_higher` are patients of whom one event was both. An
    event without a term, or of which it is not stated whether it was related or serious, is in none of these columns; where no
    event states it the count is empty.
    """
    if adverse_events is None:
        return TOXICITY.empty()
    events = _of_the_trial(adverse_events, patients).dropna(subset=["term"])
    if not len(events):
        return TOXICITY.empty()
    rows = [_of_one_term(members) for _, members in events.groupby(events["term"].str.casefold(), sort=True)]
    unstated = [name for flag, names in COUNTED_BY.items() if not _stated(events, flag) for name in names]
    table = pd.DataFrame(rows).assign(**dict.fromkeys(unstated, np.nan))
    severe = table[[f"grade_{grade}" for grade in GRADES if grade >= SEVERE_GRADE]].sum(axis="columns")
    order = table.assign(severe=severe).sort_values(
        ["patients", "severe", "term"], ascending=[False, False, True], kind="stable"
    )
    return TOXICITY.check(order.drop(columns="severe"))


def _of_one_term(events: pd.DataFrame) -> dict[str, Any]:
    patients = events["patient_id"].nunique()
    worst = _worst(events)
    related, serious = (events[flag].fillna(False).astype(bool) for flag in FLAGS)
    return {
        "term": events["term"].mode().iloc[0],
        "patients": patients,
        **{f"grade_{grade}": count for grade, count in _by_grade(worst).items()},
        "ungraded": patients - len(worst),
        "related": events.loc[related, "patient_id"].nunique(),
        "serious": events.loc[serious, "patient_id"].nunique(),
        f"related_grade_{SEVERE_GRADE}_or_higher": int((_worst(events[related]) >= SEVERE_GRADE).sum()),
    }


def _of_the_trial(adverse_events: pd.DataFrame, patients: Sequence[str]) -> pd.DataFrame:
    """The events of the trial's patients, with every column there, empty where it was not."""
    events = adverse_events[adverse_events["patient_id"].isin(list(patients))].reset_index(drop=True)
    absent = pd.Series(np.nan, index=events.index)
    numbers = {name: events.get(name, absent).astype("float64") for name in ("grade", "start_day")}
    words = {name: _words(events.get(name, absent)) for name in ("term", "severity")}
    flags = {name: events.get(name, absent).astype("boolean") for name in FLAGS}
    return pd.DataFrame({"patient_id": events["patient_id"], **numbers, **words, **flags})


def _words(column: "pd.Series[Any]") -> "pd.Series[str]":
    """Words with one blank between them; nothing where there is none."""
    words = column.astype("string").str.split().str.join(" ")
    return words.where(words != "")


def _worst(events: pd.DataFrame) -> "pd.Series[Any]":
    """The worst grade by patient; a patient without a graded event is not in it."""
    return events.dropna(subset=["grade"]).groupby("patient_id")["grade"].max().astype(int)


def _by_grade(worst: "pd.Series[Any]") -> dict[str, int]:
    return {str(grade): int((worst == grade).sum()) for grade in GRADES}


def _by_severity(events: pd.DataFrame) -> dict[str, int] | None:
    ranks = {word: rank for rank, word in enumerate(SEVERITIES)}
    known = events.assign(rank=events["severity"].str.casefold().map(ranks)).dropna(subset=["rank"])
    worst = known.groupby("patient_id")["rank"].max()
    return {word: int((worst == rank).sum()) for word, rank in ranks.items()} if len(known) else None


def _note(events: pd.DataFrame) -> str:
    if not len(events):
        return "the table of adverse events names no patient of the trial: was it filled in?"
    words = events["severity"].dropna()
    others = sorted(set(words[~words.str.casefold().isin(SEVERITIES)]))
    counts = {
        "without a grade": int(events["grade"].isna().sum()),
        "not stated whether related, counted as not": _unstated(events["related"]),
        "not stated whether serious, counted as not": _unstated(events["serious"]),
        "began before first dose, counted too": int((events["start_day"] < 0).sum()),
    }
    told = [f"{what}: {count} of {len(events)} events" for what, count in counts.items() if count]
    told += [f"severity not known: {', '.join(others)}"] if others else []
    return "; ".join(told)


def _stated(events: pd.DataFrame, flag: str) -> bool:
    """Whether any event says it; without an event there is nothing to say."""
    return bool(events[flag].notna().any()) or not len(events)


def _unstated(flags: "pd.Series[Any]") -> int:
    """Events whose flag is empty; none where all are, for then nothing is counted."""
    return int(flags.isna().sum()) if flags.notna().any() else 0
