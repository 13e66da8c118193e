"""Whole communities: whether they moved, whether responders have others, and whether theirs moved otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.change.metrics import METRICS
from rabiomarkers.change.notes import joined
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.dispersion import dispersion_change
from rabiomarkers.stats.matching import matching_test
from rabiomarkers.stats.paired import NO_PAIR, NOT_TESTED, ONE_PAIR
from rabiomarkers.stats.patient_effects import response_effect, response_time_effect, time_effect
from rabiomarkers.stats.permanova import NO_SPREAD, Term
from rabiomarkers.tables.changes import COMMUNITY, COMMUNITY_QUESTIONS
from rabiomarkers.tables.outcomes import known_responses

PSEUDO_F = "pseudo-F"
MEAN_CHANGE = "mean change of the distance to the centroid"
MEAN_OWN = "mean distance of own pairs"
NAMES = dict(zip(COMMUNITY_QUESTIONS, (PSEUDO_F, PSEUDO_F, PSEUDO_F, MEAN_CHANGE, MEAN_OWN), strict=True))
NO_RESPONSE_KNOWN = "no response is known"
NO_RESPONDER = "no responder among the patients"
ALL_RESPONDED = "every patient responded"
NOT_COMPARED = (
    "no two stools were compared"  # too few, or no distance that was asked could be taken: said beside the distances
)
NO_METRIC = "any metric"  # what is said of no distance is true of each


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Patients with both samples, and the distances of all first samples followed by all second ones."""

    patients: tuple[str, ...]
    table: Matrix
    single: int  # patients with one of the two samples
    compared: bool  # whether there is any distance at all

    @property
    def who(self) -> list[str]:
        return list(self.patients) * 2

    @property
    def times(self) -> list[int]:
        return [0] * len(self.patients) + [1] * len(self.patients)

    def of(self, chosen: Sequence[bool]) -> "_Pairs":
        """The pairs of some of the patients."""
        places = np.flatnonzero(list(chosen) * 2)
        kept = tuple(patient for patient, keep in zip(self.patients, chosen, strict=True) if keep)
        return replace(self, patients=kept, table=self.table[np.ix_(places, places)])


def community_table(
    distances: pd.DataFrame,
    outcomes: pd.DataFrame | None = None,
    *,
    compartment: str = "faecal",
    metric: str = "Bray-Curtis",
    contrast: Sequence[str],
    seed: int = 1,
) -> pd.DataFrame:
    """One row a question about the communities of patients with a sample at both timepoints.

    ``time``: did they move (before and after change places inside patients). ``response``: do responders have others (whole
    patients permuted). ``response x time``: did theirs move otherwise. ``dispersion``: do they lie further from their centre
    afterwards. ``own pairs against others``: does a patient's second sample resemble the own first one.

    Parameters
    ----------
    distances, outcomes
        The DISTANCES and OUTCOMES tables. Patients with one sample, and for the response those whose response is not known,
        are counted in the note and play no other part.
    compartment, metric
        Written into each row.
    contrast
        The two timepoints, the earlier first.
    seed
        Of the random permutations where there are too many to try all.

    Returns
    -------
    A COMMUNITY table; a question that cannot be answered has its numbers empty and the reason in `note`.
    """
    pairs = _pairs(distances, contrast)
    known = known_responses(outcomes) if outcomes is not None else pd.Series(dtype="boolean")
    responses = known.reindex(list(pairs.patients))
    answered = pairs.of(responses.notna().tolist())
    responders = responses.dropna().astype(bool).tolist()
    unknown = len(pairs.patients) - len(answered.patients)
    nobody = {} if pairs.patients else _cannot(pairs)  # without a pair the response is not what is missing
    rows = [
        _row("time", pairs, _time(pairs, seed)),
        _row("response", answered, nobody or _response(answered, responders, seed), unknown=unknown),
        _row("response x time", answered, nobody or _response_time(answered, responders, seed), unknown=unknown),
        _row("dispersion", pairs, _dispersion(pairs, seed)),
        _row("own pairs against others", pairs, _own_pairs(pairs, seed)),
    ]
    return COMMUNITY.check(pd.DataFrame(rows).assign(compartment=compartment, metric=metric))


def community_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str], seed: int) -> Info:
    """Write `community.parquet`, the questions of each metric, from `distances` and, where there are any, `outcomes`.

    Options as in `community_table`. Without any distance each question has one row, with the reason.
    """
    outcomes = read_table(inputs["outcomes"]) if "outcomes" in inputs else None
    distances = read_table(inputs["distances"])
    metrics = {METRICS[str(name)].title: rows for name, rows in distances.groupby("metric", sort=False)}
    tables = [
        community_table(rows, outcomes, metric=title, contrast=contrast, seed=seed)
        for title, rows in (metrics or {NO_METRIC: distances}).items()
    ]
    table = pd.concat(tables, ignore_index=True)
    write_table(table, out / "community.parquet")
    return {"questions": len(table), "answered": int(table["p_value"].notna().sum())}


# ---- from the long table to a square one -----------------------------------------------------------------------------


def _pairs(distances: pd.DataFrame, contrast: Sequence[str]) -> _Pairs:
    sides = [distances[[f"patient_{side}", f"timepoint_{side}"]].to_numpy(dtype=object) for side in ("a", "b")]
    before, after = contrast
    there = {(str(patient), str(timepoint)) for side in sides for patient, timepoint in side}
    seen = [{patient for patient, timepoint in there if timepoint == time} for time in (before, after)]
    patients = tuple(sorted(seen[0] & seen[1]))
    places = {
        (patient, time): place for place, (time, patient) in enumerate((t, p) for t in contrast for p in patients)
    }
    first, second = ([places.get((str(patient), str(time)), -1) for patient, time in side] for side in sides)
    used = (np.array(first, dtype=np.int64) >= 0) & (np.array(second, dtype=np.int64) >= 0)
    rows, columns = np.array(first, dtype=np.int64)[used], np.array(second, dtype=np.int64)[used]
    table = np.full((2 * len(patients),) * 2, np.nan)
    table[rows, columns] = table[columns, rows] = distances["distance"].to_numpy(dtype=np.float64)[used]
    np.fill_diagonal(table, 0.0)
    return _Pairs(patients=patients, table=table, single=len(seen[0] ^ seen[1]), compared=bool(there))


# ---- the questions ---------------------------------------------------------------------------------------------------


def _time(pairs: _Pairs, seed: int) -> dict[str, Any]:
    return _cannot(pairs) or _of_term(time_effect(pairs.table, pairs.who, pairs.times, seed=seed), "inside patients")


def _response(pairs: _Pairs, responders: list[bool], seed: int) -> dict[str, Any]:
    return _cannot_by_response(pairs, responders) or _of_term(
        response_effect(pairs.table, pairs.who, responders * 2, seed=seed)
    )


def _response_time(pairs: _Pairs, responders: list[bool], seed: int) -> dict[str, Any]:
    return _cannot_by_response(pairs, responders) or _of_term(
        response_time_effect(pairs.table, pairs.who, pairs.times, responders * 2, seed=seed)
    )


def _dispersion(pairs: _Pairs, seed: int) -> dict[str, Any]:
    if reason := _cannot(pairs):
        return reason
    told = dispersion_change(pairs.table, pairs.who, pairs.times, seed=seed)
    numbers = {"p_value": told.p_value, "p_floor": told.p_floor, "p_count": told.p_count, "p_total": told.p_total}
    return numbers | {"statistic": told.estimate, "test": told.test, "note": told.note}


def _own_pairs(pairs: _Pairs, seed: int) -> dict[str, Any]:
    if reason := _cannot(pairs):
        return reason
    half = len(pairs.patients)
    told = matching_test(pairs.table[:half, half:], seed=seed)
    numbers = {"p_value": told.p_value, "p_floor": told.p_floor, "p_count": told.p_count, "p_total": told.p_total}
    return numbers | {"statistic": told.statistic, "test": told.test, "note": ""}


def _cannot(pairs: _Pairs) -> dict[str, Any]:
    """The reason why nothing can be tested; empty where it can."""
    if len(pairs.patients) < 2:
        return {"note": ONE_PAIR if pairs.patients else NO_PAIR if pairs.compared else NOT_COMPARED}
    return {} if pairs.table.any() else {"note": NO_SPREAD}


def _cannot_by_response(pairs: _Pairs, responders: list[bool]) -> dict[str, Any]:
    if not responders:
        return {"note": NO_RESPONSE_KNOWN}
    if len(set(responders)) < 2:
        return {"note": ALL_RESPONDED if responders[0] else NO_RESPONDER}
    return _cannot(pairs)


def _of_term(term: Term, within: str = "") -> dict[str, Any]:
    test = (
        term.test if term.test == NOT_TESTED else " ".join(part for part in (f"PERMANOVA, {term.test}", within) if part)
    )
    told = {"statistic": term.pseudo_f, "r_squared": term.r_squared, "p_value": term.p_value, "p_floor": term.p_floor}
    return told | {"p_count": term.p_count, "p_total": term.p_total, "test": test, "note": term.note}


def _row(question: str, pairs: _Pairs, told: dict[str, Any], *, unknown: int = 0) -> dict[str, Any]:
    left_out = [
        f"patients with one of the two samples only: {pairs.single}" if pairs.single else "",
        f"patients without a known response: {unknown}" if unknown else "",
    ]
    empty: dict[str, Any] = dict.fromkeys(("statistic", "r_squared", "p_value", "p_floor"), np.nan)
    empty |= {"p_count": pd.NA, "p_total": pd.NA, "test": NOT_TESTED, "note": ""}
    filled = empty | {name: value for name, value in told.items() if value is not None}
    return filled | {
        "question": question,
        "statistic_name": NAMES[question],
        "n_patients": len(pairs.patients),
        "n_samples": 2 * len(pairs.patients),
        "note": joined(filled["note"], *left_out),
    }
