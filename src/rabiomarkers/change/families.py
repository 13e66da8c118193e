"""What each family of tests can show at this n, whatever the data."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from rabiomarkers.change.notes import joined
from rabiomarkers.stats.multiplicity import Attainable, attainable
from rabiomarkers.tables.changes import FAMILIES


def family_table(changes: pd.DataFrame) -> pd.DataFrame:
    """The FAMILIES table of a CHANGES table: tests, how many passed, and how many could not pass at this n.

    With n pairs an exact p is never below 2 / 2**n; a correction over many tests may ask for less. Benjamini-Hochberg may still
    pass them if enough are at their floor together. What comes after a primary feature at which the sequence stops without a p
    (nobody moved) cannot pass either.
    """
    rows = []
    for (tier, name), group in changes.groupby(["tier", "family"], sort=True):
        made = group["p_value"].notna()
        correction = str(group["correction"].iloc[0])
        ordered = group[made | group["sequence"].notna()].sort_values("sequence")
        stopped = ordered["p_value"].isna()
        floors = ordered["p_floor"].mask(stopped, 1.0)  # as `fixed_sequence` is given 1 in place of the p
        told = attainable(floors.to_numpy(dtype="float64"), correction)
        allowed = replace(told, n_tests=int(made.sum()), n_cannot_pass=told.n_cannot_pass - int(stopped.sum()))
        rows.append(
            {
                "family": name,
                "tier": tier,
                "correction": correction,
                "n_features": len(group),
                "n_tests": allowed.n_tests,
                "n_passed": int(group["passes"].fillna(False).sum()),
                "n_cannot_pass": allowed.n_cannot_pass,
                "n_needed": allowed.n_needed,
                "note": _note(allowed, correction, ordered.loc[stopped, "feature"].tolist()),
            }
        )
    return FAMILIES.check(pd.DataFrame(rows, columns=list(FAMILIES.columns)))


def _note(allowed: Attainable, correction: str, stopped: Sequence[str]) -> str:
    """What the numbers mean; `stopped` are the features at which the sequence stops as they have no p."""
    if not allowed.n_tests:
        return "no feature could be tested"
    parts = [f"the sequence stops at {stopped[0]}, which could not be tested" if stopped else ""]
    if stopped and allowed.n_cannot_pass:
        parts.append(f"{allowed.n_cannot_pass} of {allowed.n_tests} tests cannot pass")
    elif allowed.n_cannot_pass == allowed.n_tests:
        parts.append(f"no feature can pass at this n, even if all were at their smallest possible p ({correction})")
    elif allowed.n_cannot_pass:
        parts.append(f"{allowed.n_cannot_pass} of {allowed.n_tests} features cannot pass at this n, whatever the data")
    if allowed.n_needed:
        parts.append(
            f"at least {allowed.n_needed} of {allowed.n_tests} must be at their smallest possible p together before any passes; "
            "a moderated t test (exploratory_test: moderated_t) has no such floor"
        )
    return joined(*parts)
