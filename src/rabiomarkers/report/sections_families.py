"""What each family of tests can show at this number of pairs, in plain words."""

import pandas as pd

from rabiomarkers.report.blocks import Grid
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.words import plural, present, two_lines

GLOSS = {
    "fixed sequence": "one after the other in the order of the plan, each at 0.05, until one does not pass",
    "Holm": "the risk of any false claim in the family is at most 5 in 100",
    "Benjamini-Hochberg": "of the features that pass, at most 5 in 100 are false on average over such studies, if the tests are "
    "independent or positively dependent",
}
BORROWS = (
    " A moderated t test (exploratory_test: moderated_t in study.yaml) has no floor: it draws each feature's variance towards the "
    "one that the features of its compartment and unit share. The price: changes are taken as normal, and their true variances as "
    "scattered about that one (scaled inverse chi-squared); with fewer than 10 such features it is the paired t test."
)


def families_table(data: ReportData) -> Grid:
    """Tests, correction, how many passed, and what no data of this size could show."""
    rows = [
        (
            two_lines(row["family"], _tier(row)),
            two_lines(row["correction"], GLOSS.get(row["correction"], "")),
            two_lines(str(row["n_tests"]), _untested(row)),
            str(row["n_passed"]),
            _allowed(row, _pairs(data.changes, row["family"])),
        )
        for _, row in _in_order(data.families).iterrows()
    ]
    lacking = f"Not known. {LATER}" if len(data.changes) else "No feature was measured."
    return Grid(
        caption="What each family of tests can show with these pairs",
        columns=("family", "correction", "tests", "passed", "what this number of pairs allows"),
        rows=rows,
        note=_note(data.families) if rows else lacking,
    )


def _in_order(families: pd.DataFrame) -> pd.DataFrame:
    rank = families["tier"].map({"primary": 0, "secondary": 1, "exploratory": 2})
    return families.assign(rank=rank).sort_values(["rank", "family"], ignore_index=True)


def _tier(row: pd.Series) -> str:
    if row["tier"] == "exploratory":
        return "exploratory: no claim rests on it"
    return "" if row["tier"] in row["family"] else str(row["tier"])


def _untested(row: pd.Series) -> str:
    missing = int(row["n_features"]) - int(row["n_tests"])
    return f"{plural(missing, 'feature')} more could not be tested" if missing else ""


def _pairs(changes: pd.DataFrame, family: str) -> str:
    """ "10 pairs", "9 to 10 pairs" of the features of a family that were tested."""
    counts = changes.loc[(changes["family"] == family) & changes["p_value"].notna(), "n_pairs"]
    if counts.empty:
        return "these pairs"
    least, most = int(counts.min()), int(counts.max())
    return plural(most, "pair") if least == most else f"{least} to {most} pairs"


def _allowed(row: pd.Series, pairs: str) -> str:
    """What the table of families notes, as it was worked out with the tests; without a note, what its counts say."""
    if present(row["note"]):
        return two_lines(row["note"], f"with {pairs}" if row["n_tests"] else "")
    return _counted(row, pairs)


def _counted(row: pd.Series, pairs: str) -> str:
    tests, stuck = int(row["n_tests"]), int(row["n_cannot_pass"])
    if not tests:
        return "no feature could be tested"
    if stuck == tests:
        only = "it cannot pass" if tests == 1 else "none can pass"
        return f"with {pairs} {only}, whatever the data show"
    parts = [f"{stuck} of {tests} cannot pass, whatever the data show"] if stuck else []
    if present(row["n_needed"]) and int(row["n_needed"]) > 1:
        parts.append(
            f"with {pairs} at least {int(row['n_needed'])} of {tests} must be at the floor, the smallest possible p, "
            "before any passes"
        )
    return "; ".join(parts) or ("it can pass" if tests == 1 else f"with {pairs} each can pass")


def _note(families: pd.DataFrame) -> str:
    base = "A test that cannot pass with so many pairs says nothing about the feature: the study is too small for it."
    if families["note"].fillna("").str.contains("sequence stops").any():
        base += " One that comes after the stop of its sequence was not reached, whatever the size of the study."
    if families["n_needed"].notna().any():
        base += BORROWS
    return base
