"""Before and after, one line a patient, one panel a feature."""

from collections.abc import Sequence
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import (
    RESPONDER_COLOURS,
    RESPONDER_DASHES,
    RESPONDER_SYMBOLS,
    Message,
    dressed,
    flags_of,
    label,
    responder_group,
)
from rabiomarkers.report.labels import plain
from rabiomarkers.report.words import p_with_floor, plural, present, signed

FEATURE = ["compartment", "feature"]
COLUMNS = 3
LONG_NAME = 18
LINE = 36  # letters of the plain words over a panel
RANKS = {group: rank for rank, group in enumerate(RESPONDER_COLOURS, start=1)}


def paired_lines(
    deltas: pd.DataFrame,
    changes: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    contrast: Sequence[str] = ("before", "after"),
    colour: str | None = "responder",
) -> go.Figure | Message:
    """One panel for each row of `changes`, in its order: `before` and `after` of each complete pair.

    Parameters
    ----------
    deltas, changes, outcomes
        The tables of that name; `changes` holds only the features to show.
    contrast
        The two timepoints' names.
    colour
        A flag of `outcomes` such as ``responder``; None draws all patients alike.
    """
    pairs = {key: rows.sort_values("patient_id") for key, rows in deltas.groupby(FEATURE, sort=True)}
    drawn = changes[pd.Series([key in pairs for key in _keys(changes)], index=changes.index, dtype="bool")]
    without = sorted(set(changes["feature"]) - set(drawn["feature"]))
    if drawn.empty:
        named = f" for {', '.join(without)}" if without else ""
        return Message(f"No paired lines{named}: no patient has both samples.")
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)  # rounded up
    titles = [_panel_title(row) for _, row in drawn.iterrows()]
    apart = {"horizontal_spacing": 0.11, "vertical_spacing": 0.35 / rows}
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=titles, **apart)
    flags = flags_of(outcomes, colour) if colour else pd.Series(dtype="boolean")
    shown: set[str] = set()
    chosen = [pairs[key] for key in _keys(drawn)]
    for position, panel in enumerate(chosen):
        place = {"row": position // columns + 1, "col": position % columns + 1}
        _panel(figure, panel, flags, contrast, place, shown)
    patients = plural(pd.concat(chosen)["patient_id"].nunique(), "patient")
    title = f"Before and after treatment: {patients} with a pair"
    return _laid_out(figure, title, f"no pair: {label(', '.join(without))}" if without else "", rows, contrast)


def _laid_out(figure: go.Figure, title: str, detail: str, rows: int, contrast: Sequence[str]) -> go.Figure:
    """Room for the six lines over a panel, and the timepoints below."""
    top = 204 if detail else 178
    dressed(figure, title=title, detail=detail, height=top - 16 + 370 * rows)
    figure.update_layout(margin={"t": top, "b": 36})
    ticks = {"tickmode": "array", "tickvals": [0, 1], "ticktext": [label(name) for name in contrast]}
    figure.update_xaxes(range=[-0.25, 1.25], showgrid=False, zeroline=False, **ticks)
    figure.update_yaxes(zeroline=False, title_standoff=4)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _keys(changes: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(changes["compartment"], changes["feature"], strict=True))


def _panel(
    figure: go.Figure,
    pairs: pd.DataFrame,
    flags: pd.Series,
    contrast: Sequence[str],
    place: dict[str, int],
    shown: set[str],
) -> None:
    for patient, before, after, change, unit in zip(
        *(pairs[column] for column in ("patient_id", "before", "after", "change", "unit")), strict=True
    ):
        group = responder_group(flags.get(patient)) if len(flags) else "patient"
        hover = f"{label(patient)} ({group})<br>change {signed(change)} {label(unit)}"
        figure.add_scatter(
            x=[0, 1],
            y=[before, after],
            mode="lines+markers",
            name=group,
            legendgroup=group,
            legendrank=RANKS.get(group, 1),
            showlegend=group not in shown,
            line={"color": RESPONDER_COLOURS.get(group), "width": 1.6, "dash": RESPONDER_DASHES.get(group)},
            marker={"symbol": RESPONDER_SYMBOLS.get(group), "size": 8},
            hovertext=[
                f"{hover}<br>{label(name)}: {value:.4g}" for name, value in zip(contrast, (before, after), strict=True)
            ],
            hoverinfo="text",
            **place,
        )
        shown.add(group)
    figure.update_yaxes(title_text=label(pairs["unit"].iloc[0]), **place)


def _panel_title(row: pd.Series) -> str:
    name = label(row["feature"])
    if len(name) > LONG_NAME and "_" in name[1:-1]:  # in two lines, broken at the underscore nearest the middle
        places = [place for place, letter in enumerate(name[:-1]) if letter == "_"]
        middle = min(places, key=lambda place: (abs(place - len(name) / 2), place)) + 1
        name = f"{name[:middle]}<br>{name[middle:]}"
    about = f"{label(row['compartment'])} · {plural(row['n_pairs'], 'pair')}"
    tested = f"p = {p_with_floor(row['p_value'], row['p_floor'])}" if present(row["p_value"]) else "p not estimable"
    said = wrap(plain(row["feature"]), width=LINE)
    return "<br>".join([f"<b>{name}</b>", *map(label, said), about, tested])
