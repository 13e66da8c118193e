"""How far each patient moved, responders beside the others: one panel a feature."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.panels import panel_words
from rabiomarkers.report.figures.style import (
    GREY,
    INK,
    RESPONDER_COLOURS,
    RESPONDER_SYMBOLS,
    Message,
    dressed,
    label,
    responder_group,
)
from rabiomarkers.report.words import CANNOT_REACH, cannot_reach, p_with_floor, plural, present, signed
from rabiomarkers.tables.outcomes import known_responses

FEATURE = ["compartment", "feature"]
GROUPS = {"responder": "responders", "non-responder": "others", "response not known": "not known"}
COLUMNS = 3
NEAR = 0.05  # of the panel's range: signs closer than this stand side by side
STEP = 0.13


def interaction_points(
    deltas: pd.DataFrame, changes: pd.DataFrame, by_response: pd.DataFrame, outcomes: pd.DataFrame
) -> go.Figure | Message:
    """One panel for each row of `changes`, in its order: the patients' changes by response, with each group's median.

    Parameters
    ----------
    deltas, changes, by_response, outcomes
        The tables of that name; `changes` holds only the features to show.
    """
    pairs = {key: rows.sort_values("patient_id") for key, rows in deltas.groupby(FEATURE, sort=True)}
    tests = by_response.set_index(FEATURE).sort_index()
    keys = [key for key in zip(changes["compartment"], changes["feature"], strict=True) if key in pairs]
    if not keys:
        return Message("No change by response: no patient has both samples of a primary feature.")
    flags = known_responses(outcomes)
    columns = min(COLUMNS, len(keys))
    rows = -(-len(keys) // columns)  # rounded up
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[_title(key, tests) for key in keys],
        horizontal_spacing=0.11,
        vertical_spacing=0.35 / rows,
    )
    shown: set[str] = set()
    for position, key in enumerate(keys):
        panel = pairs[key].assign(group=[responder_group(flags.get(name)) for name in pairs[key]["patient_id"]])
        _panel(figure, panel, {"row": position // columns + 1, "col": position % columns + 1}, shown)
    patients = pd.concat([pairs[key] for key in keys])["patient_id"].unique()
    return _laid_out(figure, [responder_group(flags.get(name)) for name in patients], rows)


def _laid_out(figure: go.Figure, groups: list[str], rows: int) -> go.Figure:
    counts = [f"{groups.count(group)} {plain_name}" for group, plain_name in GROUPS.items() if group in groups]
    title = f"Change by response: {plural(len(groups), 'patient')} with a pair"
    dressed(figure, title=title, detail=label(", ".join(counts)), height=190 + 330 * rows)
    figure.update_layout(margin={"t": 206, "b": 36})
    most = len(GROUPS) if "response not known" in groups else 2
    ticks = {"tickmode": "array", "tickvals": list(range(most)), "ticktext": list(GROUPS.values())[:most]}
    figure.update_xaxes(range=[-0.6, most - 0.4], showgrid=False, zeroline=False, **ticks)
    figure.update_yaxes(rangemode="tozero", zeroline=True, zerolinecolor=GREY, title_standoff=4)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _panel(figure: go.Figure, panel: pd.DataFrame, place: dict[str, int], shown: set[str]) -> None:
    span = float(panel["change"].max() - panel["change"].min()) or 1.0
    for position, group in enumerate(GROUPS):
        points = panel[panel["group"] == group].sort_values(["change", "patient_id"])
        if points.empty:
            continue
        figure.add_scatter(
            x=(position + _side_by_side(points["change"].to_numpy(), NEAR * span)).tolist(),
            y=points["change"].tolist(),
            mode="markers",
            name=group,
            legendgroup=group,
            legendrank=position + 1,
            showlegend=group not in shown,
            marker={"symbol": RESPONDER_SYMBOLS[group], "color": RESPONDER_COLOURS[group], "size": 9},
            hovertext=[
                f"{label(patient)} ({group})<br>change {signed(change)} {label(unit)}"
                for patient, change, unit in zip(points["patient_id"], points["change"], points["unit"], strict=True)
            ],
            hoverinfo="text",
            **place,
        )
        shown.add(group)
        if group != "response not known":
            _median(figure, position, points, place)
    figure.update_yaxes(title_text=f"change, {label(panel['unit'].iloc[0])}", **place)


def _median(figure: go.Figure, position: int, points: pd.DataFrame, place: dict[str, int]) -> None:
    middle = float(points["change"].median())
    words = f"median {signed(middle)} {label(points['unit'].iloc[0])}, {plural(len(points), 'pair')}"
    figure.add_scatter(
        x=[position - 0.3, position + 0.3],
        y=[middle, middle],
        mode="lines",
        line={"color": INK, "width": 3},
        hovertext=[words, words],
        hoverinfo="text",
        showlegend=False,
        **place,
    )


def _side_by_side(sorted_values: np.ndarray, near: float) -> np.ndarray:
    """Offsets that keep signs of nearly equal values apart: centre, right, left, further right, ..."""
    offsets = np.zeros(len(sorted_values))
    run = 0
    for place in range(1, len(sorted_values)):
        run = run + 1 if sorted_values[place] - sorted_values[place - 1] < near else 0
        step = (run + 1) // 2 * STEP
        offsets[place] = min(step, 0.4) * (1 if run % 2 else -1)
    return offsets


def _title(key: tuple[str, str], tests: pd.DataFrame) -> str:
    compartment, feature = key
    lines = [*panel_words(feature), label(compartment)]
    if key not in tests.index:
        return "<br>".join([*lines, "not compared"])
    row = tests.loc[[key]].iloc[0]
    counted = f"{row['n_responders']} against {row['n_non_responders']}"
    tested = f"p = {p_with_floor(row['p_value'], row['p_floor'])}" if present(row["p_value"]) else "p not estimable"
    lines[-1] += f" · {counted}"
    return "<br>".join([*lines, f"{CANNOT_REACH}: {tested}" if cannot_reach(row["p_floor"]) else tested])
