"""What a model learnt of each feature."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, VERMILION, Message, dressed, label
from rabiomarkers.report.labels import plain
from rabiomarkers.report.words import signed


def coefficient_figure(coefficients: pd.DataFrame, model: Mapping[str, Any]) -> go.Figure | Message:
    """Log odds for one spread of each feature, fitted to all patients; without intervals, as few patients give none that hold.

    Parameters
    ----------
    coefficients
        COEFFICIENTS, all models or this one's rows.
    model
        This model's entry of `models`.
    """
    name = str(model.get("name"))
    rows = coefficients[(coefficients["model"] == name) & coefficients["log_odds"].notna()]
    if rows.empty:
        return Message(f"{name} has no coefficients to show.")
    rows = rows.iloc[::-1]
    rises = rows["log_odds"] >= 0
    words = [plain(feature.partition(":")[2] or feature) for feature in rows["feature"]]
    figure = go.Figure()
    for up, colour, symbol, told in (
        (True, BLUE, "triangle-right", "higher in responders"),
        (False, VERMILION, "triangle-left", "lower in responders"),
    ):
        part = rows[rises == up]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["log_odds"],
            y=[label(feature) for feature in part["feature"]],
            mode="markers",
            name=told,
            marker={"color": colour, "symbol": symbol, "size": 12},
            customdata=[
                [signed(value), label(text)]
                for value, text in zip(
                    part["log_odds"],
                    [word for word, is_up in zip(words, rises, strict=True) if is_up == up],
                    strict=True,
                )
            ],
            hovertemplate="%{y}<br>%{customdata[1]}<br>log odds %{customdata[0]} per spread<extra></extra>",
        )
    dressed(
        figure,
        title=f"Coefficients: {label(name)}, fitted to all {model.get('n')} patients",
        detail="log odds of response for one standard deviation of the feature; shrunk, and of few patients not stable",
        height=170 + 34 * len(rows),
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[label(feature) for feature in rows["feature"]])
    figure.update_xaxes(title="log odds per standard deviation", zeroline=True)
    return figure
