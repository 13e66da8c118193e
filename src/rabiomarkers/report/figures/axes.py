"""The arms of the retinoic-acid axes side by side: levels before treatment, or changes."""

from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, SOFT, Message, dressed, label
from rabiomarkers.report.words import number, p_with_floor, plural, present, signed, text

type Use = Literal["before", "change"]

ROW_HEIGHT = 40
WORDS: dict[Use, tuple[str, str]] = {
    "before": ("Availability of retinoic acid before treatment", "rank score: median and quartiles over the patients"),
    "change": ("Change along each axis", "change of the rank score, with its interval"),
}


def axis_points(axes: pd.DataFrame, *, use: Use) -> go.Figure | Message:
    """One row an arm, in the order of the table; `axes` are rows of the AXES table."""
    rows = axes[(axes["use"] == use) & axes["estimate"].notna()].reset_index(drop=True)
    title, unit = WORDS[use]
    if rows.empty:
        return Message(f"{title}: no arm has a value.")
    places = list(range(len(rows)))
    figure = go.Figure()
    figure.add_scatter(
        x=rows["estimate"].tolist(),
        y=places,
        mode="markers",
        marker={"color": BLUE, "symbol": "diamond", "size": 10},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["estimate"]).fillna(0.0).tolist(),
            "arrayminus": (rows["estimate"] - rows["low"]).fillna(0.0).tolist(),
            "thickness": 1.6,
            "width": 4,
            "color": BLUE,
        },
        hovertext=[_hover(row) for _, row in rows.iterrows()],
        hoverinfo="text",
        showlegend=False,
    )
    if use == "change":
        figure.add_vline(x=0, line={"color": GREY, "width": 1})
    detail = f"{plural(rows['n'].max(), 'patient')}; {unit}"
    dressed(figure, title=title, detail=detail, height=130 + ROW_HEIGHT * len(rows), legend=False)
    figure.update_xaxes(title_text=unit.split(":")[0].split(",")[0], zeroline=False)
    figure.update_yaxes(
        tickmode="array",
        tickvals=places,
        ticktext=[_name(row) for _, row in rows.iterrows()],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure


def _name(row: pd.Series) -> str:
    return f"{label(row['arm'])}<br><span style='font-size:10px;color:{SOFT}'>{label(row['axis'])}</span> "


def _hover(row: pd.Series) -> str:
    lines = [
        f"<b>{label(row['arm'])}</b> ({label(row['signature'])})",
        label(row["words"]),
        f"{signed(row['estimate']) if row['use'] == 'change' else number(row['estimate'])}"
        f" ({number(row['low'])} to {number(row['high'])}), {plural(row['n'], 'patient')}",
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}" if present(row["p_value"]) else "",
        label(text(row["note"])),
    ]
    return "<br>".join(line for line in lines if line)
