"""What simulated trials of more patients would show of a model."""

from collections.abc import Mapping
from math import log10
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREEN, GREY, INK, VERMILION, Look, Message, dressed, label
from rabiomarkers.report.words import number, percent

EFFECTS = {
    "observed": ("effect as observed", Look(colour=BLUE, symbol="circle")),
    "upper limit": ("effect at the upper limit", Look(colour=GREEN, symbol="triangle-up", dash="dash")),
    "lower limit": ("effect at the lower limit", Look(colour=VERMILION, symbol="triangle-down", dash="dot")),
}
WANTED = 0.8


def learning_figure(curve: pd.DataFrame, model: Mapping[str, Any]) -> go.Figure | Message:
    """Share of simulated trials above chance by number of patients, a line an effect.

    Parameters
    ----------
    curve
        LEARNING_CURVE, all models or this one's rows.
    model
        This model's entry of `models`.
    """
    name = str(model.get("name"))
    rows = curve[curve["model"] == name]
    if rows.empty:
        return Message(f"No larger trial was simulated for {name}.")
    figure = go.Figure()
    for effect, (words, look) in EFFECTS.items():
        part = rows[rows["effect"] == effect].sort_values("n")
        if part.empty:
            continue
        figure.add_scatter(
            x=part["n"],
            y=part["power"],
            mode="lines+markers",
            name=words,
            line={"color": look.colour, "dash": look.dash, "width": 2},
            marker={"symbol": look.symbol, "size": 9},
            customdata=[
                [percent(power), number(auc), number(low), number(high), number(ceiling)]
                for power, auc, low, high, ceiling in part[
                    ["power", "auc_mean", "auc_low", "auc_high", "true_auc"]
                ].to_numpy()
            ],
            hovertemplate=(
                "%{x} patients: %{customdata[0]} of trials above chance<br>AUC reached %{customdata[1]} (middle 95 %: "
                "%{customdata[2]} to %{customdata[3]})<br>best possible AUC %{customdata[4]}<extra></extra>"
            ),
        )
    figure.add_hline(y=WANTED, line={"color": GREY, "dash": "dash", "width": 1})
    figure.add_vline(x=model["n"], line={"color": INK, "width": 1, "dash": "dot"})
    above = {"y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "left", "showarrow": False}
    figure.add_annotation(x=log10(model["n"]), text="this study", **above)  # on a log axis notes are placed by exponent
    dressed(
        figure,
        title=f"How many patients until the verdict could change: {label(name)}",
        detail="share of simulated trials whose AUC is above that of 95 % of trials without an effect",
        height=430,
    )
    figure.update_layout(margin={"t": 122})
    sizes = sorted(rows["n"].unique())
    ends = [log10(sizes[0]) - 0.05, log10(sizes[-1]) + 0.05]
    figure.update_xaxes(title="patients", type="log", tickvals=sizes, range=ends)
    figure.update_yaxes(title="trials above chance", tickformat=".0%", range=[-0.03, 1.03])
    return figure
