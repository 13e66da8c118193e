"""How often a feature is among the best in halves of the patients."""

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, INK, Message, dressed, label
from rabiomarkers.report.words import percent, plural

MOST = 20  # features drawn

SETS = {"baseline": "before treatment", "change": "change under treatment"}


def stability_figure(stability: pd.DataFrame, feature_set: str) -> go.Figure | Message:
    """The features most often among the best, as bars; a description of these patients, nothing more.

    Parameters
    ----------
    stability
        STABILITY.
    feature_set
        Whose rows are drawn.
    """
    rows = stability[(stability["feature_set"] == feature_set) & stability["share"].notna()]
    when = SETS.get(feature_set, feature_set)
    if rows.empty:
        notes = stability.loc[stability["feature_set"] == feature_set, "note"].dropna().unique()
        why = f": {notes[0]}" if len(notes) else ""
        return Message(f"How often features come out best ({when}) is not estimable{why}.")
    picked = rows[rows["share"] > 0]
    if picked.empty:
        return Message(f"No feature is among the best in any half of the patients ({when}; {len(rows)} features).")
    shown = picked.sort_values(["share", "feature"], ascending=[False, True]).head(MOST).iloc[::-1]
    chosen = shown["selected"].fillna(False).astype(bool)
    figure = go.Figure()
    for kept, words, colour, pattern in ((True, "above the threshold", BLUE, ""), (False, "below", GREY, "/")):
        part = shown[chosen == kept]
        if part.empty:
            continue
        figure.add_bar(
            x=part["share"],
            y=[label(feature) for feature in part["feature"]],
            orientation="h",
            name=words,
            marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": "white"}},
            customdata=[percent(share) for share in part["share"]],
            hovertemplate="%{y}: among the best in %{customdata} of the halves<extra></extra>",
        )
    threshold = rows["threshold"].dropna()
    if len(threshold):
        figure.add_vline(x=float(threshold.iloc[0]), line={"color": INK, "dash": "dot", "width": 1.5})
    dressed(
        figure,
        title=f"How often a feature is among the best, {when}",
        detail=f"{plural(len(shown), 'feature')} of {len(rows)}; share of random halves of the patients",
        height=150 + 24 * len(shown),
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[label(feature) for feature in shown["feature"]])
    figure.update_xaxes(title="share of halves", tickformat=".0%", range=[0, 1])
    return figure
