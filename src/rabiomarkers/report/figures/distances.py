"""How far a patient's two stools lie apart, beside how far those of different patients do."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import (
    GREY,
    INK,
    RESPONDER_COLOURS,
    RESPONDER_SYMBOLS,
    Message,
    dressed,
    flags_of,
    label,
    pale,
    responder_group,
)
from rabiomarkers.report.words import number, plural, text

COLUMNS = 4
PANEL = 300  # px
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def distance_strips(
    distances: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    metrics: Sequence[Mapping[str, Any]],
    contrast: Sequence[str] = ("before", "after"),
) -> go.Figure | Message:
    """A panel a metric: a sign for each patient's own two stools; a box for a first and a second stool of different patients.

    Parameters
    ----------
    distances, outcomes
        The tables of that name.
    metrics
        The facts of each metric, the main one first: its `name` in the table and the words for it (`metric`).
    contrast
        The two timepoints; other stools play no part.
    """
    across = distances[
        distances["timepoint_a"].isin(list(contrast))
        & distances["timepoint_b"].isin(list(contrast))
        & (distances["timepoint_a"] != distances["timepoint_b"])
    ]
    shown = [facts for facts in metrics if (across["metric"] == facts.get("name")).any()]
    if not shown or not across["same_patient"].any():
        return Message("No figure of the distances: no patient has stool before and after.")
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[f"<b>{label(text(facts.get('metric'), facts['name']))}</b>" for facts in shown],
        horizontal_spacing=0.07,
        vertical_spacing=min(0.2, 80 / (PANEL * rows)) if rows > 1 else 0.2,
    )
    legend: set[str] = set()
    for at, facts in enumerate(shown):
        place = {"row": at // columns + 1, "col": at % columns + 1}
        _panel(figure, across[across["metric"] == facts["name"]], flags_of(outcomes, "responder"), place, legend)
    patients = across.loc[across["same_patient"], "patient_a"].nunique()
    title = f"Own two stools and those of others: {plural(patients, 'patient')} with both"
    dressed(
        figure, title=title, detail="box: middle half of all distances, line: their range", height=150 + PANEL * rows
    )
    figure.update_layout(margin={"t": 126, "b": 40})
    ticks = {"tickmode": "array", "tickvals": [0, 1], "ticktext": ["own", "others"]}
    room = 0.6 if columns > 1 else 1.4
    figure.update_xaxes(range=[-room, 1 + room], showgrid=False, zeroline=False, **ticks)
    figure.update_yaxes(rangemode="tozero", zeroline=False)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _panel(figure: go.Figure, rows: pd.DataFrame, flags: pd.Series, place: dict[str, int], legend: set[str]) -> None:
    own, others = rows[rows["same_patient"]], rows[~rows["same_patient"]]
    if len(others):
        low, first, middle, third, high = (float(others["distance"].quantile(part)) for part in QUARTILES)
        figure.add_box(
            x=[1],
            lowerfence=[low],
            q1=[first],
            median=[middle],
            q3=[third],
            upperfence=[high],
            line={"color": INK, "width": 1.2},
            fillcolor=pale(GREY),
            hoverinfo="y",
            showlegend=False,
            width=0.5,
            **place,
        )
    own = own.sort_values("patient_a")
    own = own.assign(x=[_spread(at, len(own)) for at in range(len(own))])
    groups = own["patient_a"].map(lambda patient: responder_group(flags.get(patient)))
    for group, colour in RESPONDER_COLOURS.items():
        mine = own[groups == group]
        if mine.empty:
            continue
        figure.add_scatter(
            x=mine["x"].tolist(),
            y=mine["distance"].tolist(),
            mode="markers",
            name=group,
            legendgroup=group,
            showlegend=group not in legend,
            marker={"color": colour, "symbol": RESPONDER_SYMBOLS[group], "size": 8},
            hovertext=[
                f"{label(patient)} ({group})<br>{number(value)}"
                for patient, value in zip(mine["patient_a"], mine["distance"], strict=True)
            ],
            hoverinfo="text",
            **place,
        )
        legend.add(group)


def _spread(place: int, total: int) -> float:
    """Side by side, so that equal distances do not hide one another."""
    return 0.0 if total < 2 else round(-0.22 + 0.44 * place / (total - 1), 3)
