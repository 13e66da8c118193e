"""Whether a feature moved otherwise in responders than in the others."""

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.interaction import interaction_points
from rabiomarkers.report.labels import explained
from rabiomarkers.report.registration import named_in_plan
from rabiomarkers.report.tables_of_change import KEY, LONG_TABLE, in_plan_order, or_dash, tests_named
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    absent,
    besides_floor,
    call_of_difference,
    interval,
    number,
    p_with_floor,
    passes,
    place,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

CAPTION = "Change in patients who responded against change in those who did not"
NOTHING = "No feature that the plan names has a pair."
DIFFERENCE_COLUMNS = (
    "feature",
    "what may be said",
    "responders",
    "non-responders",
    "shift, interval (level)",
    "p (floor)",
    "adjusted p",
)


def by_response_blocks(data: ReportData, primary: pd.DataFrame) -> list[Block]:
    """The change x response tests of the planned features, with a figure; an earlier version wrote medians only."""
    planned = in_plan_order(named_in_plan(data.changes))[[*KEY, "sequence"]]
    groups = planned.merge(data.by_response, on=KEY)
    if not data.by_response["test"].notna().any():
        return [_described(groups)]
    picture = Picture(
        name="interaction",
        caption="One sign a patient: the change from the first to the second sample. The bar is the group's median. p compares the "
        "two groups; patients whose response is not known are hollow and play no part in it.",
        content=interaction_points(data.deltas, primary, data.by_response, data.outcomes),
    )
    table = Grid(
        caption=CAPTION,
        columns=DIFFERENCE_COLUMNS,
        rows=[_difference_row(row) for _, row in groups.iterrows()],
        note=_difference_note(data.by_response) if len(groups) else NOTHING,
        collapsed=len(groups) > LONG_TABLE,
    )
    return [table] if data.unregistered else [picture, table]


def _described(groups: pd.DataFrame) -> Grid:
    """The medians of both groups, where nothing was tested."""
    rows = [
        (_named(row), _median_of(row, "responders"), _median_of(row, "non_responders"), whole(row["n_unknown"]))
        for _, row in groups.iterrows()
    ]
    return Grid(
        caption=CAPTION,
        columns=("feature", "responders", "non-responders", "pairs of unknown response"),
        rows=rows,
        note=f"A description; whether the groups differ was not tested. {LATER}" if rows else NOTHING,
    )


def _difference_row(row: pd.Series) -> tuple[str, ...]:
    told = present(row["p_value"])
    span = interval(row["ci_low"], row["ci_high"], row["ci_level"])
    shift = f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else absent()
    return (
        _named(row),
        two_lines(call_of_difference(row), besides_floor(row["note"]))
        if told
        else two_lines(NOT_ESTIMABLE, reason(row["note"])),
        _median_of(row, "responders"),
        _median_of(row, "non_responders"),
        *or_dash(
            two_lines(shift, "no interval at this n" if span == NOT_ESTIMABLE else span),
            p_with_floor(row["p_value"], row["p_floor"]),
            number(row["q_value"]),
        ),
    )


def _named(row: pd.Series) -> str:
    where = ", ".join(filter(None, [place(row["compartment"]), text(row["tier"])]))
    return two_lines(row["feature"], "; ".join(filter(None, [explained(row["feature"]), where])))


def _difference_note(by_response: pd.DataFrame) -> str:
    exploratory = by_response[by_response["tier"] == "exploratory"]
    passed = sum(passes(row) for _, row in exploratory.iterrows())
    others = (
        f"; of {plural(len(exploratory), 'feature')}, {passed} passed, all in by_response.csv"
        if len(exploratory)
        else ""
    )
    planned = (
        "The plan's primary question is whether a feature changes at all, so primary features are secondary here (one family, "
        "Holm) and all others exploratory"
        if len(exploratory) < len(by_response)
        else "All features are exploratory here"
    )
    return (
        "Shift: by how much the change of responders lies above that of the others (Hodges-Lehmann: the median of all "
        "differences between a responder and another patient). p: how often labels of response dealt out at random among these "
        "patients would part them as far; with few responders it cannot be small, which the floor shows. Response is known only "
        f"after treatment: a difference says what went along with response, not what predicts it. {planned} "
        f"(Benjamini-Hochberg within the compartment{others}). Test: {tests_named(by_response)}."
    )


def _median_of(row: pd.Series, group: str) -> str:
    count = int(row[f"n_{group}"])
    if not count:
        return DASH
    return two_lines(f"{signed(row[f'median_{group}'])} {row['unit']}", plural(count, "pair"))
