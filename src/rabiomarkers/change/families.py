"""What each family of tests can show at this n, whatever the data."""

import pandas as pd

from rabiomarkers.change.table import ALPHA
from rabiomarkers.stats.multiplicity import Attainable, attainable
from rabiomarkers.tables.changes import FAMILIES


def family_table(changes: pd.DataFrame, *, alpha: float = ALPHA) -> pd.DataFrame:
    """The FAMILIES table of a CHANGES table: tests, how many passed, and how many could not pass at this n.

    With n pairs an exact p is never below 2 / 2**n; a correction over many tests may ask for less. Benjamini-Hochberg may still
    pass them if enough are at their floor together.
    """
    rows = []
    for (tier, name), group in changes.groupby(["tier", "family"], sort=True):
        made = group["p_value"].notna()
        correction = str(group["correction"].iloc[0])
        ordered = group[made].sort_values("sequence")
        allowed = attainable(ordered["p_floor"].to_numpy(dtype="float64"), correction, alpha=alpha)
        rows.append(
            {
                "family": name,
                "tier": tier,
                "correction": correction,
                "n_features": len(group),
                "n_tests": int(made.sum()),
                "n_passed": int(group["passes"].fillna(False).sum()),
                "n_cannot_pass": allowed.n_cannot_pass,
                "n_needed": allowed.n_needed,
                "note": _note(allowed, correction),
            }
        )
    return FAMILIES.check(pd.DataFrame(rows, columns=list(FAMILIES.columns)))


def _note(allowed: Attainable, correction: str) -> str:
    if not allowed.n_tests:
        return "no feature could be tested"
    if allowed.n_cannot_pass == allowed.n_tests:
        return f"no feature can pass at this n, even if all were at their smallest possible p ({correction})"
    parts = []
    if allowed.n_cannot_pass:
        parts.append(f"{allowed.n_cannot_pass} of {allowed.n_tests} features cannot pass at this n, whatever the data")
    if allowed.n_needed:
        parts.append(
            f"at least {allowed.n_needed} of {allowed.n_tests} must be at their smallest possible p together before any passes; "
            "a moderated t test (exploratory_test: moderated_t) has no such floor"
        )
    return "; ".join(parts)
