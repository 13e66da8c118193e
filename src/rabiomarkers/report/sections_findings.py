"""The parts of the report about biomarkers: what changed under treatment, patient by patient, and in stool."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.forest import forest
from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.labels import explained
from rabiomarkers.report.words import (
    CANNOT_REACH,
    DASH,
    NOT_ESTIMABLE,
    absent,
    call_of_change,
    cannot_reach,
    interval,
    number,
    p_with_floor,
    place,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

EXPLORATORY_SHOWN = 30

CHANGE_COLUMNS = (
    "feature",
    "what may be said",
    "pairs",
    "estimate",
    "interval (level)",
    "p (floor)",
    "q",
    "effect size",
)


def change_section(data: ReportData) -> Section:
    """Every named feature's change, and the exploratory ones that came closest."""
    named = data.changes[data.changes["tier"] != "exploratory"]
    families = data.summary.get("families") or {}
    counted = "; ".join(f"{name}: {plural(count, 'test')}" for name, count in families.items() if count)
    picture = Picture(
        name="forest",
        caption="Each row is divided by the standard deviation of its own changes, so that features of different units share an "
        "axis; the numbers are in the feature's unit. The floor is the smallest p that this number of pairs can give.",
        content=forest(data.changes, data.deltas),
    )
    table = Grid(
        caption=f"Change of the {plural(len(named), 'feature')} the plan names",
        columns=CHANGE_COLUMNS,
        rows=[_change_row(row) for _, row in _ordered(named).iterrows()],
        note=f"q: Benjamini-Hochberg within a family ({counted})." if counted else "No feature could be tested.",
    )
    return Section(
        name="change",
        title="What changed under treatment",
        blocks=[picture, table, _exploratory_table(data.changes)],
    )


def pairs_section(data: ReportData) -> Section:
    """The primary features, patient by patient."""
    primary = _ordered(data.changes[data.changes["tier"] == "primary"])
    picture = Picture(
        name="pairs",
        caption="Only patients with both samples are drawn. Colour, line and sign tell responders from the others; the test "
        "beneath each title is over all pairs and does not compare the two groups.",
        content=paired_lines(data.deltas, primary, data.outcomes, contrast=contrast_of(data)),
    )
    blocks: list[Block] = [picture]
    if len(data.by_response):
        blocks.append(_by_response_table(primary, data.by_response))
    return Section(name="pairs", title="Primary features, patient by patient", blocks=blocks)


def _by_response_table(primary: pd.DataFrame, groups: pd.DataFrame) -> Grid:
    key = ["compartment", "feature"]
    shown = primary[key].merge(groups, on=key)
    rows = [
        (
            two_lines(row["feature"], explained(row["feature"])),
            place(row["compartment"]),
            _median_of(row, "responders"),
            _median_of(row, "non_responders"),
            whole(row["n_unknown"]),
        )
        for _, row in shown.iterrows()
    ]
    return Grid(
        caption="Median change in patients who responded and in those who did not",
        columns=("feature", "compartment", "responders", "non-responders", "pairs of unknown response"),
        rows=rows,
        note="A description, not a test: whether the two groups differ is for the models below, with their caveats.",
    )


def _median_of(row: pd.Series, group: str) -> str:
    count = int(row[f"n_{group}"])
    if not count:
        return DASH
    return f"{signed(row[f'median_{group}'])} {row['unit']} ({plural(count, 'pair')})"


def stool_section(data: ReportData) -> Section:
    """Whether a patient's stool stays like itself, and which way it moved."""
    stool: Mapping[str, Any] = data.summary.get("stool") or {}
    if not stool and data.ordination.empty:
        said = Prose(text="The study has no stool sample.")
        return Section(name="stool", title="Stool", blocks=[said])
    why = reason(stool.get("note"))
    floor = stool.get("p_floor")
    rows = [
        ("same patient, before and after", whole(stool.get("n_within")), number(stool.get("within_median"), why)),
        ("different patients", whole(stool.get("n_between")), number(stool.get("between_median"), why)),
    ]
    tested = (
        f"Test ({text(stool.get('test'), 'not named')}): p = "
        f"{p_with_floor(stool.get('p_value'), floor)}{cannot_reach(floor)}. {why}"
        if present(stool.get("p_value"))
        else f"Test: {absent(why)}."
    )
    table = Grid(
        caption=f"Distance between stool samples ({text(stool.get('metric'), 'metric not stated')})",
        columns=("samples compared", "distances", "median distance"),
        rows=rows,
        note=tested.strip(),
    )
    picture = Picture(
        name="ordination",
        caption="Open signs are before treatment, filled ones after; an arrow joins the two samples of one patient. "
        "Near means alike.",
        content=ordination_map(data.ordination, data.outcomes, stool=stool, contrast=contrast_of(data)),
    )
    return Section(name="stool", title="Stool", blocks=[table, picture])


def contrast_of(data: ReportData) -> list[str]:
    """The names of the two timepoints that are compared."""
    return [str(name) for name in data.summary.get("contrast") or ("before", "after")]


def _ordered(changes: pd.DataFrame) -> pd.DataFrame:
    """Primary before secondary, then by p, the rows without a p last."""
    order = changes["tier"].map({"primary": 0, "secondary": 1, "exploratory": 2})
    rows = changes.assign(order=order)
    return rows.sort_values(["order", "p_value", "compartment", "feature"], na_position="last", ignore_index=True)


def _change_row(row: pd.Series) -> tuple[str, ...]:
    """The numbers of a change; where there is none, the reason stands once, under what may be said."""
    told = (
        f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else absent(),
        interval(row["ci_low"], row["ci_high"], row["ci_level"]),
        p_with_floor(row["p_value"], row["p_floor"]),
        number(row["q_value"]),
        number(row["effect_size"]),
    )
    where = f"{place(row['compartment'])}, {row['tier']}"
    return (
        two_lines(row["feature"], "; ".join(part for part in (explained(row["feature"]), where) if part)),
        _said(row),
        whole(row["n_pairs"]),
        *(DASH if cell == NOT_ESTIMABLE else cell for cell in told),
    )


def _said(row: pd.Series) -> str:
    """What may be said of the change, and the row's note in small print unless it says the same."""
    said, why = call_of_change(row), text(row["note"])
    if not present(row["p_value"]):
        return two_lines(NOT_ESTIMABLE, reason(why))
    if said.startswith(CANNOT_REACH) and CANNOT_REACH in why:
        return two_lines(said, why.partition("; ")[2])
    return two_lines(said, why)


def _exploratory_table(changes: pd.DataFrame) -> Grid:
    exploratory = _ordered(changes[changes["tier"] == "exploratory"])
    shown = exploratory.head(EXPLORATORY_SHOWN)
    few = len(exploratory) <= EXPLORATORY_SHOWN
    return Grid(
        caption=f"The {plural(len(shown), 'exploratory feature')}"
        if few
        else f"Exploratory features: the {len(shown)} with the smallest p of {len(exploratory)}",
        columns=CHANGE_COLUMNS,
        rows=[_change_row(row) for _, row in shown.iterrows()],
        note="Looked at without a question: material for a next one, not an answer. All features are in changes.csv."
        if len(shown)
        else "No exploratory feature was measured.",
        collapsed=len(shown) > 0,
    )
