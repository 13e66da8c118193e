"""Forecast against observed share of responders."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, Message, dressed, label
from rabiomarkers.report.words import percent, plural


def calibration_figure(calibration: pd.DataFrame, model: Mapping[str, Any]) -> go.Figure | Message:
    """Groups of patients of rising forecast, each with the share that responded and its interval.

    Parameters
    ----------
    calibration
        CALIBRATION, all models or this one's rows.
    model
        This model's entry of `models`; its `calibration_note` says why there is nothing to draw.
    """
    name = str(model.get("name"))
    rows = calibration[calibration["model"] == name].sort_values("group")
    if rows.empty:
        why = str(model.get("calibration_note") or model.get("verdict") or "too few patients of either kind")
        return Message(f"Calibration of {name} is not estimable: {why.removeprefix('calibration is not estimable: ')}.")
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="as forecast", line={"color": GREY, "dash": "dash"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=rows["forecast"],
        y=rows["observed"],
        mode="markers",
        name="groups of patients",
        marker={"color": BLUE, "size": 9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["observed"]).tolist(),
            "arrayminus": (rows["observed"] - rows["low"]).tolist(),
            "color": BLUE,
            "thickness": 1.2,
        },
        customdata=[
            [plural(n, "patient"), percent(forecast), percent(observed), percent(low), percent(high)]
            for n, forecast, observed, low, high in rows[["n", "forecast", "observed", "low", "high"]].to_numpy()
        ],
        hovertemplate=(
            "%{customdata[0]}: forecast %{customdata[1]}, observed %{customdata[2]} (%{customdata[3]} to %{customdata[4]})"
            "<extra></extra>"
        ),
    )
    dressed(
        figure,
        title=f"Calibration: {label(name)}, {plural(int(rows['n'].sum()), 'patient')}",
        detail="out-of-fold probability, and the share that responded with its exact 95 % interval",
        height=440,
    )
    figure.update_layout(margin={"t": 106})
    figure.update_xaxes(title="forecast probability of response", range=[-0.02, 1.02], tickformat=".0%")
    figure.update_yaxes(title="responded", range=[-0.02, 1.02], tickformat=".0%")
    return figure
