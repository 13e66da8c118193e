"""Whether a feature moved otherwise in responders than in the others."""

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.interaction import interaction_points
from rabiomarkers.report.labels import explained
from rabiomarkers.report.tables_of_change import KEY, LONG_TABLE, in_plan_order, or_dash, tests_named
from rabiomarkers.report.words import (
    CANNOT_REACH,
    DASH,
    NOT_ESTIMABLE,
    absent,
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


def by_response_blocks(data: ReportData, primary: pd.DataFrame) -> list[Block]:
    """The change x response tests of the planned features, with a figure; what an earlier version wrote has medians only."""
    planned = in_plan_order(data.changes[data.changes["tier"] != "exploratory"])[[*KEY, "sequence"]]
    groups = planned.merge(data.by_response, on=KEY)
    tested = bool(data.by_response["test"].notna().any())
    table = Grid(
        caption="Change in patients who responded against change in those who did not",
        columns=(
            "feature",
            "what may be said",
            "responders",
            "non-responders",
            "shift, interval (level)",
            "p (floor)",
            "adjusted p",
            "pairs of unknown response",
        ),
        rows=[_difference_row(row) for _, row in groups.iterrows()],
        note=_difference_note(data.by_response)
        if tested
        else f"A description, not a test. {LATER}"
        if len(groups)
        else "No feature that the plan names has a pair.",
        collapsed=len(groups) > LONG_TABLE,
    )
    if not tested:
        return [table]
    picture = Picture(
        name="interaction",
        caption="One sign a patient: the change from the first to the second sample. The bar is the group's median. p compares the "
        "two groups; patients whose response is not known are hollow and play no part in it.",
        content=interaction_points(data.deltas, primary, data.by_response, data.outcomes),
    )
    return [picture, table]


def _difference_row(row: pd.Series) -> tuple[str, ...]:
    about = "; ".join(filter(None, [explained(row["feature"]), f"{place(row['compartment'])}, {text(row['tier'])}"]))
    said = call_of_difference(row)
    told = present(row["p_value"])
    why = "" if said.startswith(CANNOT_REACH) and CANNOT_REACH in text(row["note"]) else text(row["note"])
    span = interval(row["ci_low"], row["ci_high"], row["ci_level"])
    shift = f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else absent()
    return (
        two_lines(row["feature"], about.removesuffix(", ")),
        two_lines(said, why) if told else two_lines(NOT_ESTIMABLE, reason(row["note"])),
        _median_of(row, "responders"),
        _median_of(row, "non_responders"),
        *or_dash(
            two_lines(shift, "no interval at this n" if span == NOT_ESTIMABLE else span),
            p_with_floor(row["p_value"], row["p_floor"]),
            number(row["q_value"]),
        ),
        whole(row["n_unknown"]),
    )


def _difference_note(by_response: pd.DataFrame) -> str:
    exploratory = by_response[by_response["tier"] == "exploratory"]
    passed = sum(passes(row) for _, row in exploratory.iterrows())
    others = (
        f" Of {plural(len(exploratory), 'exploratory feature')}, {passed} passed; all are in by_response.csv."
        if len(exploratory)
        else ""
    )
    return (
        "Shift: by how much the change of responders lies above that of the others (Hodges-Lehmann: the median of all "
        "differences between a responder and another patient). p is exact: over all ways to call that many of these patients "
        "responders; with few responders no p can be small, which the floor shows. Response is known only after treatment: a "
        f"difference says what went along with response, not what predicts it. Test: {tests_named(by_response)}.{others}"
    )


def _median_of(row: pd.Series, group: str) -> str:
    count = int(row[f"n_{group}"])
    if not count:
        return DASH
    return two_lines(f"{signed(row[f'median_{group}'])} {row['unit']}", plural(count, "pair"))
