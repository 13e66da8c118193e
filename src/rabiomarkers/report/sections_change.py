"""What changed under treatment: the planned tests, what their number allows, and each patient."""

from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.forest import forest
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.labels import explained
from rabiomarkers.report.registration import NOTHING_PRIMARY, named_in_plan
from rabiomarkers.report.sections_by_response import by_response_blocks
from rabiomarkers.report.sections_families import families_table
from rabiomarkers.report.tables_of_change import in_plan_order, or_dash
from rabiomarkers.report.words import (
    CANNOT_REACH,
    NOT_ESTIMABLE,
    absent,
    besides_floor,
    call_of_change,
    corrected_by,
    freedom,
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
    "adjusted p",
    "effect size",
)
ADJUSTED = (
    "Adjusted p: the p with the number of tests in its family counted in; 0.05 or less passes. Fixed sequence: the primary "
    "features are tested in the order of the plan until one does not pass, and nothing is claimed of those after it, however "
    "small their own p. Effect size: the mean change in standard deviations of the changes, with its 95 % interval."
)


def change_section(data: ReportData) -> Section:
    """Every named feature's change, what each family of tests can show, and the exploratory features that came closest.

    Where the plan is not the registered one that is said first, and the features it names are as exploratory as all others.
    """
    named = in_plan_order(named_in_plan(data.changes))
    picture = Picture(
        name="forest",
        caption="Each row is divided by the standard deviation of its own changes, so that features of different units share an "
        "axis; the numbers are in the feature's unit. The floor is the smallest p that this number of pairs can give.",
        content=forest(data.changes, data.deltas),
    )
    blocks: list[Block] = [
        *([Prose(text=NOTHING_PRIMARY)] if data.unregistered else [picture]),
        _named_table(data, named),
        *_sizes(named),
        families_table(data),
        _exploratory_table(data.changes),
    ]
    return Section(name="change", title="What changed under treatment", blocks=blocks)


def _named_table(data: ReportData, named: pd.DataFrame) -> Grid:
    tested = int(named["p_value"].notna().sum())
    as_others = ", as exploratory as all others" if data.unregistered else ""
    return Grid(
        caption=f"Change of the {plural(len(named), 'feature')} the plan names{as_others}",
        columns=CHANGE_COLUMNS,
        rows=_change_rows(named),
        note=ADJUSTED if tested else "No feature that the plan names could be tested.",
    )


def pairs_section(data: ReportData) -> Section:
    """The primary features, patient by patient, and whether responders moved otherwise."""
    primary = in_plan_order(data.changes[data.changes["tier"] == "primary"])
    picture = Picture(
        name="pairs",
        caption="Only patients with both samples are drawn. Colour, line and sign tell responders from the others; the test "
        "beneath each title is over all pairs and does not compare the two groups.",
        content=paired_lines(data.deltas, primary, data.outcomes, contrast=contrast_of(data)),
    )
    blocks: list[Block] = [Prose(text=NOTHING_PRIMARY) if data.unregistered else picture]
    if len(data.by_response):
        blocks += by_response_blocks(data, primary)
    return Section(name="pairs", title="Primary features, patient by patient", blocks=blocks)


def contrast_of(data: ReportData) -> list[str]:
    """The names of the two timepoints that are compared."""
    return [str(name) for name in data.summary.get("contrast") or ("before", "after")]


def _change_rows(changes: pd.DataFrame) -> list[tuple[str, ...]]:
    longest = changes["sequence"].max()
    return [_change_row(row, longest) for _, row in changes.iterrows()]


def _change_row(row: pd.Series, longest: object) -> tuple[str, ...]:
    """The numbers of a change; where there is none, the reason stands once, under what may be said."""
    size = number(row["effect_size"])
    span = interval(row["effect_low"], row["effect_high"])
    where = f"{place(row['compartment'])}, {row['tier']}"
    return (
        two_lines(row["feature"], "; ".join(part for part in (explained(row["feature"]), where) if part)),
        _said(row),
        two_lines(whole(row["n_pairs"]), _singles(row)),
        *or_dash(
            f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else absent(),
            interval(row["ci_low"], row["ci_high"], row["ci_level"]),
            two_lines(p_with_floor(row["p_value"], row["p_floor"]), freedom(row)),
            two_lines(number(row["q_value"]), corrected_by(row["correction"], row["sequence"], longest))
            if present(row["q_value"])
            else absent(),
            size if span == NOT_ESTIMABLE else two_lines(size, span),
        ),
    )


def _singles(row: pd.Series) -> str:
    """How many patients with one sample the test used besides; a mixed model alone has a use for them."""
    count: Any = row.get("n_single")  # an earlier version did not write it
    return f"and {plural(count, 'patient')} with one sample" if present(count) and count > 0 else ""


def _said(row: pd.Series) -> str:
    """What may be said of the change, and the row's note in small print unless it says the same."""
    if not present(row["p_value"]):
        return two_lines(NOT_ESTIMABLE, reason(row["note"]))
    said = call_of_change(row)
    return two_lines(said, besides_floor(row["note"]) if said.startswith(CANNOT_REACH) else text(row["note"]))


def _sizes(named: pd.DataFrame) -> list[Block]:
    """How large each change is, by the sizes that papers ask for; nothing where an earlier version left them out."""
    shown = named[named["median"].notna()]
    if shown.empty:
        return []
    rows = [
        (
            two_lines(row["feature"], place(row["compartment"])),
            whole(row["n_pairs"]),
            f"{signed(row['median'])} {row['unit']}",
            f"{signed(row['minimum'])} to {signed(row['maximum'])}",
            *or_dash(
                two_lines(number(row["effect_size"]), interval(row["effect_low"], row["effect_high"])),
                two_lines(number(row["hedges_g"]), interval(row["hedges_g_low"], row["hedges_g_high"])),
            ),
        )
        for _, row in shown.iterrows()
    ]
    table = Grid(
        caption="Median, range and standardised size of each change",
        columns=(
            "feature",
            "pairs",
            "median change",
            "smallest to largest",
            "dz (95 % interval)",
            "Hedges' g (95 % interval)",
        ),
        rows=rows,
        note="dz divides the mean change by the standard deviation of the changes, Hedges' g by that of the values before and "
        "after: g can be set beside studies that did not measure the same patients twice. Both are corrected for small numbers.",
        collapsed=True,
    )
    return [table]


def _exploratory_table(changes: pd.DataFrame) -> Grid:
    exploratory = in_plan_order(changes[changes["tier"] == "exploratory"])
    shown = exploratory.head(EXPLORATORY_SHOWN)
    few = len(exploratory) <= EXPLORATORY_SHOWN
    return Grid(
        caption=f"The {plural(len(shown), 'exploratory feature')}"
        if few
        else f"Exploratory features: the {len(shown)} with the smallest p of {len(exploratory)}",
        columns=CHANGE_COLUMNS,
        rows=_change_rows(shown),
        note="Looked at without a question: material for a next one, not an answer. All features are in changes.csv."
        if len(shown)
        else "No exploratory feature was measured.",
        collapsed=len(shown) > 0,
    )
