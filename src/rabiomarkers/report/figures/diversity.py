"""How many taxa each stool would show with fewer reads, beside the depth that all are compared at."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import BLUE, INK, VERMILION, Message, dressed, label
from rabiomarkers.report.words import plural, present, whole

MEASURES = {"observed_taxa": "observed taxa", "shannon": "Shannon (nats)"}
DIGITS = 3  # of what is drawn: hundreds of stools are many points
HEIGHT = 420


def rarefaction_curves(curves: pd.DataFrame, *, depth: int | None = None) -> go.Figure | Message:
    """A line a stool up to all its reads, observed taxa and Shannon side by side; what ends before the depth is dashed.

    Parameters
    ----------
    curves
        The RAREFACTION table with whose it is; expected values at each depth.
    depth
        Reads that every stool is brought down to; None where that is not known, and no line is drawn then.
    """
    if curves.empty:
        return Message("No curves of diversity by depth: they need read counts.")
    reads = curves.groupby("sample_id")["depth"].max()
    short = set(reads.index[reads < depth]) if depth is not None else set()
    figure = make_subplots(rows=1, cols=2, subplot_titles=list(MEASURES.values()), horizontal_spacing=0.1)
    groups = {
        "reaches the depth" if depth is not None else "stool": [name for name in reads.index if name not in short]
    }
    groups |= {"ends before it": sorted(short)}
    for column, measure in enumerate(MEASURES, start=1):
        for words, names in groups.items():
            if names:
                own = curves[curves["sample_id"].isin(names)]
                _lines(figure, own, measure, f"{words} ({len(names)})", short=bool(short & set(names)), column=column)
        if depth is not None:
            figure.add_vline(x=depth, line={"color": INK, "width": 1.5, "dash": "dot"}, row=1, col=column)
    stools = plural(len(reads), "stool")
    lost = f", {len(short)} of {stools} have fewer" if depth is not None else ""
    detail = f"dotted: {whole(depth)} reads{lost}" if depth is not None else ""
    dressed(figure, title=f"Diversity by the number of reads: {stools}", detail=detail, height=HEIGHT)
    figure.update_layout(margin={"t": 122, "b": 52})
    figure.update_xaxes(type="log", title_text="reads drawn", zeroline=False, dtick=1)
    figure.update_yaxes(rangemode="tozero", zeroline=False)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _lines(figure: go.Figure, rows: pd.DataFrame, measure: str, name: str, *, short: bool, column: int) -> None:
    """All stools of a group as one line with gaps: a browser draws one line far faster than hundreds."""
    x: list[float | None] = []
    y: list[float | None] = []
    hover: list[str] = []
    for sample, own in rows.sort_values(["sample_id", "depth"]).groupby("sample_id", sort=True):
        values = [float(f"{value:.{DIGITS}g}") if present(value) else None for value in own[measure]]
        x += [*own["depth"].astype(int).tolist(), None]
        y += [*values, None]
        who = f"{label(sample)}, {label(own['patient_id'].iloc[0])} {label(own['timepoint'].iloc[0])}"
        hover += [*(f"{who}<br>{depth} reads: {value}" for depth, value in zip(own["depth"], values, strict=True)), ""]
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=column == 1,
        line={
            "color": VERMILION if short else BLUE,
            "width": 1.6 if short else 1,
            "dash": "dash" if short else "solid",
        },
        opacity=1 if short else 0.6,
        hovertext=hover,
        hoverinfo="text",
        row=1,
        col=column,
    )
