"""A model's AUC against the AUC of the same procedure on relabelled patients."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import GREY, SKY, VERMILION, Message, dressed, label
from rabiomarkers.report.words import number, plural, present, reason, text


def null_distribution(permutations: pd.DataFrame, model: Mapping[str, Any]) -> go.Figure | Message:
    """Histogram of the permuted AUC with the observed one.

    Parameters
    ----------
    permutations
        The permutations table (all models, or this one's rows).
    model
        This model's entry of `summary.json`: `name, auc, p_value, p_count, p_total, n, responders`.
    """
    name = str(model.get("name"))
    null = permutations.loc[permutations["model"] == name, "auc"]
    drawn = null.dropna()
    if not present(model.get("auc")) or drawn.empty:
        why = reason(model.get("verdict"), "too few patients of either kind")
        return Message(f"No null distribution of {name}: {why}.")
    figure = go.Figure()
    figure.add_histogram(
        x=drawn.tolist(),
        xbins={"start": -0.025, "end": 1.025, "size": 0.05},
        marker={"color": SKY, "line": {"color": "white", "width": 1}},
        name="relabelled",
        hovertemplate="AUC about %{x}: %{y} relabellings<extra></extra>",
    )
    said = {"text": f"<b>observed {number(model['auc'])}</b>", "font": {"color": VERMILION}}
    above = {"y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "center"}
    figure.add_vline(x=model["auc"], line={"color": VERMILION, "width": 2.5}, annotation={**said, **above})
    if present(model.get("null_mean")):
        figure.add_vline(x=model["null_mean"], line={"color": GREY, "dash": "dot", "width": 1.5})
    title, detail = _titles(model, drawn=len(drawn), without=len(null) - len(drawn))
    dressed(figure, title=title, detail=detail, height=340)
    figure.update_layout(showlegend=False, bargap=0)
    figure.update_xaxes(title_text="AUC (0.5: no better than chance)", range=[-0.03, 1.03], dtick=0.25, zeroline=False)
    figure.update_yaxes(title_text="relabellings")
    return figure


def _titles(model: Mapping[str, Any], *, drawn: int, without: int) -> tuple[str, str]:
    count = f"{text(model.get('p_count'), '?')} of {text(model.get('p_total'), '?')} relabellings at least as high"
    title = f"{label(model.get('name'))} model: {count} (p = {number(model.get('p_value'))})"
    counted = f"{plural(model.get('n'), 'patient')}, {plural(model.get('responders'), 'responder')}"
    left_out = f", {without} without an AUC" if without else ""
    return title, f"{counted}; {drawn} relabellings drawn{left_out}; dotted: their mean"
