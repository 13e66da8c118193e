"""What changed between two data cuts of one study."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.results import Results, open_results

SAMPLE_KEY = ["patient_id", "timepoint", "compartment", "assay", "sample_id"]


def compare_results(before: Path, after: Path) -> list[str]:
    """Lines that say, in order, what differs in plan, samples, outcomes, planned changes and models.

    Raises
    ------
    ResultsError
        One of the folders is no results folder.
    """
    old, new = open_results(before), open_results(after)
    lines = [*_plan(old, new), *_samples(old, new), *_outcomes(old, new), *_changes(old, new), *_models(old, new)]
    return lines or ["nothing changed"]


def _plan(old: Results, new: Results) -> Iterator[str]:
    if old.run["plan_hash"] != new.run["plan_hash"]:
        yield "plan: changed between the two cuts; what was not planned before is exploratory"
    for library, version in new.run["versions"].items():
        if (was := old.run["versions"].get(library)) != version:
            yield f"version of {library}: {was} -> {version}"


def _samples(old: Results, new: Results) -> Iterator[str]:
    joined = old.ledger.merge(new.ledger, on=SAMPLE_KEY, how="outer", suffixes=("_old", "_new"))
    joined = joined.sort_values(SAMPLE_KEY, na_position="first")
    for _, row in joined.iterrows():
        was, now = _status(row, "old"), _status(row, "new")
        if was != now:
            place = " ".join(str(row[column]) for column in SAMPLE_KEY[:4])
            sample = f" ({row['sample_id']})" if pd.notna(row["sample_id"]) else ""
            yield f"sample {place}{sample}: {was} -> {now}"


def _status(row: pd.Series, cut: str) -> str:
    status, reason = row[f"status_{cut}"], row[f"reason_{cut}"]
    if pd.isna(status):
        return "not listed"
    return f"{status} ({reason})" if pd.notna(reason) else str(status)


def _outcomes(old: Results, new: Results) -> Iterator[str]:
    told = ["best_response", "confirmed", "pfs_days", "progressed"]
    joined = old.outcomes.merge(new.outcomes, on="patient_id", how="outer", suffixes=("_old", "_new"))
    for _, row in joined.sort_values("patient_id").iterrows():
        for column in told:
            was, now = row[f"{column}_old"], row[f"{column}_new"]
            if not _same(was, now):
                yield f"patient {row['patient_id']} {column}: {_value(was)} -> {_value(now)}"


def _changes(old: Results, new: Results) -> Iterator[str]:
    key = ["compartment", "feature"]
    joined = old.changes.merge(new.changes, on=key, how="outer", suffixes=("_old", "_new"))
    planned = joined[joined[["tier_old", "tier_new"]].isin(["primary", "secondary"]).any(axis="columns")]
    for _, row in planned.sort_values(key).iterrows():
        parts = [
            f"{column} {_value(row[f'{column}_old'])} -> {_value(row[f'{column}_new'])}"
            for column in ("tier", "n_pairs", "estimate", "p_value", "q_value")
            if not _same(row[f"{column}_old"], row[f"{column}_new"])
        ]
        if parts:
            yield f"change {row['compartment']} {row['feature']}: {', '.join(parts)}"


def _models(old: Results, new: Results) -> Iterator[str]:
    was, now = ({model["name"]: model for model in cut.summary["models"]} for cut in (old, new))
    for name in sorted(was | now):
        before, after = was.get(name, {}).get("verdict", "not fitted"), now.get(name, {}).get("verdict", "not fitted")
        if before != after:
            yield f"model {name}: {before} -> {after}"


def _same(was: Any, now: Any) -> bool:
    if pd.isna(was) or pd.isna(now):
        return bool(pd.isna(was) and pd.isna(now))
    return bool(was == now)


def _value(value: Any) -> str:
    if pd.isna(value):
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
