"""Stool samples on two principal coordinates, an arrow a patient."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    RESPONDER_COLOURS,
    RESPONDER_DASHES,
    Message,
    dressed,
    label,
    responder_group,
)
from rabiomarkers.report.words import percent, plural, present
from rabiomarkers.tables.outcomes import known_responses

SYMBOLS = ("circle-open", "circle", "diamond", "square", "cross", "x")


def ordination_map(
    ordination: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    stool: Mapping[str, Any] | None = None,
    contrast: Sequence[str] = ("before", "after"),
) -> go.Figure | Message:
    """Principal coordinates of the stool distances; open signs before treatment, filled after, arrows in between.

    Parameters
    ----------
    ordination, outcomes
        The tables of that name.
    stool
        `variance_explained` of the two axes (0..1), the `metric` of the distance and its `name` in the table; `n_samples` that
        were compared by it and the `note` on those that were not say why there is no map.
    contrast
        The two timepoints an arrow joins; other timepoints are drawn without one.
    """
    facts = stool or {}
    if facts.get("name"):
        ordination = ordination[ordination["metric"] == facts["name"]]
    if len(ordination) < 3:
        return _nothing_drawn(facts)
    points = _grouped(ordination, outcomes)
    figure = go.Figure()
    arrows = [_arrow(rows, contrast) for _, rows in points.groupby("patient_id", sort=True)]
    joined = [(arrow, group) for arrow, group in arrows if arrow is not None]
    for (start, end), group in joined:
        _line(figure, start, end, group)
    others = [name for name in points["timepoint"].unique() if name not in contrast]
    for group in RESPONDER_COLOURS:
        for timepoint, symbol in zip((*contrast, *sorted(others)), SYMBOLS * (len(others) + 1), strict=False):
            part = points[(points["group"] == group) & (points["timepoint"] == timepoint)]
            if len(part):
                _points(figure, part, group, timepoint, symbol)
    counted = f"{plural(len(points), 'sample')} of {plural(points['patient_id'].nunique(), 'patient')}"
    title = f"Stool communities: {counted}, {plural(len(joined), 'pair')} joined by arrows"
    metric = f"{label(facts['metric'])} distance" if facts.get("metric") else "distance"
    dressed(figure, title=title, detail=f"principal coordinates of the {metric}", height=560)
    shares = [*(facts.get("variance_explained") or []), None, None]
    figure.update_xaxes(title_text=_axis_title(1, shares[0]))
    figure.update_yaxes(title_text=_axis_title(2, shares[1]), scaleanchor="x", scaleratio=1)
    return figure


def _nothing_drawn(facts: Mapping[str, Any]) -> Message:
    """Why: how many compared, what was left out; an earlier version of the results does not know."""
    of = f"No map of the stools by {facts['metric']}" if facts.get("metric") else "No map of the stools"
    compared = facts.get("n_samples")
    if compared is None:
        return Message(f"{of}: the results hold none.")
    why = "3 are needed" if int(compared) < 3 else "and they do not differ"
    left_out = f"; {facts['note']}" if facts.get("note") else ""
    return Message(f"{of}: {plural(compared, 'stool sample')} compared, {why}{left_out}.")


def _grouped(ordination: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The samples in the order of patient and timepoint, with the patient's `group`."""
    flags = known_responses(outcomes)
    points = ordination.sort_values(["patient_id", "timepoint"])
    return points.assign(group=[responder_group(flags.get(patient)) for patient in points["patient_id"]])


def _axis_title(number: int, share: Any) -> str:
    return f"axis {number}" + (f" ({percent(share)} of the variance)" if present(share) else "")


def _arrow(rows: pd.DataFrame, contrast: Sequence[str]) -> tuple[tuple[pd.Series, pd.Series] | None, str]:
    start, end = (rows[rows["timepoint"] == timepoint] for timepoint in contrast)
    pair = (start.iloc[0], end.iloc[0]) if len(start) and len(end) else None
    return pair, str(rows["group"].iloc[0])


def _line(figure: go.Figure, start: pd.Series, end: pd.Series, group: str) -> None:
    colour = RESPONDER_COLOURS[group]
    figure.add_scatter(
        x=[start["axis_1"], end["axis_1"]],
        y=[start["axis_2"], end["axis_2"]],
        mode="lines+markers",
        line={"color": colour, "width": 1.3, "dash": RESPONDER_DASHES[group]},
        marker={"symbol": "arrow", "angleref": "previous", "size": [0, 11], "standoff": 5, "color": colour},
        showlegend=False,
        hoverinfo="skip",
    )


def _points(figure: go.Figure, rows: pd.DataFrame, group: str, timepoint: str, symbol: str) -> None:
    figure.add_scatter(
        x=rows["axis_1"].tolist(),
        y=rows["axis_2"].tolist(),
        mode="markers",
        name=f"{group}, {label(timepoint)}",
        marker={
            "symbol": symbol,
            "size": 10,
            "color": RESPONDER_COLOURS[group],
            "line": {"width": 1.6, "color": RESPONDER_COLOURS[group]},
        },
        hovertext=[f"{label(patient)}<br>{label(timepoint)}<br>{group}" for patient in rows["patient_id"]],
        hoverinfo="text",
    )
