"""Net benefit of treating whom the model recommends."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, INK, Look, Message, dressed, label
from rabiomarkers.report.words import number

LINES = {
    "net_benefit": ("treat whom the model recommends", Look(colour=BLUE, symbol="circle")),
    "treat_all": ("treat everybody", Look(colour=GREY, symbol="square", dash="dash")),
    "treat_none": ("treat nobody", Look(colour=INK, symbol="diamond", dash="dot")),
}


def decision_figure(curve: pd.DataFrame, model: Mapping[str, Any]) -> go.Figure | Message:
    """Net benefit by threshold, beside that of treating everybody and nobody.

    Parameters
    ----------
    curve
        DECISION_CURVE, all models or this one's rows.
    model
        This model's entry of `models`.
    """
    name = str(model.get("name"))
    rows = curve[curve["model"] == name].sort_values("threshold")
    if rows.empty:
        return Message(f"No decision curve of {name}: its forecasts recommend the same for every patient.")
    figure = go.Figure()
    for column, (words, look) in LINES.items():
        figure.add_scatter(
            x=rows["threshold"],
            y=rows[column],
            mode="lines+markers",
            name=words,
            line={"color": look.colour, "dash": look.dash, "width": 2},
            marker={"symbol": look.symbol, "size": 6},
            customdata=[number(value) for value in rows[column]],
            hovertemplate="threshold %{x:.0%}: net benefit %{customdata}<extra></extra>",
        )
    dressed(
        figure,
        title=f"Decision curve: {label(name)}, {model.get('n')} patients",
        detail="responders treated per patient, less those treated in vain, weighed by the odds of the threshold",
        height=410,
    )
    figure.update_xaxes(title="probability of response from which one would treat", tickformat=".0%")
    figure.update_yaxes(title="net benefit")
    return figure
