"""Single cells laid out for the eye: like lies by like. Nothing is computed from it."""

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import Message, dressed, label
from rabiomarkers.report.labels import part
from rabiomarkers.report.words import plural

PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A6D3B"),
    *("#332288", "#AA4499", "#117733", "#999933", "#882255", "#44AA99", "#6699CC"),
    *("#661100", "#888888", "#DDCC77", "#004D40", "#F0A3FF", "#4C005C"),
)
"""Okabe & Ito's colours, then Paul Tol's muted ones; the name of each type stands in its middle, too."""
HEIGHT = 620
SMALLEST_NAMED = 12  # cells of a type whose name is written into the picture


def cell_map(embedding: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """Each cell at its place, in the colour of its type; `embedding`: rows of EMBEDDING of one compartment."""
    if embedding.empty:
        return Message(f"{title}: no cells were drawn.")
    figure = go.Figure()
    sizes = embedding["cell_type"].value_counts()
    for at, name in enumerate(sorted(sizes.index)):
        own = embedding[embedding["cell_type"] == name]
        figure.add_scatter(
            x=own["x"].tolist(),
            y=own["y"].tolist(),
            mode="markers",
            marker={"color": PALETTE[at % len(PALETTE)], "size": 4, "opacity": 0.75},
            name=f"{label(name)} ({len(own)})",
            hovertemplate=f"{label(name)}<br>cluster %{{customdata}}<extra></extra>",
            customdata=own["cluster"].map(label).tolist(),
        )
        if sizes[name] >= SMALLEST_NAMED:
            figure.add_annotation(
                x=float(own["x"].median()),
                y=float(own["y"].median()),
                text=label(name),
                showarrow=False,
                font={"size": 11},
                bgcolor="rgba(255,255,255,0.7)",
            )
    detail = f"{plural(len(embedding), 'cell')} of {plural(embedding['sample_id'].nunique(), 'sample')}; distances mean little"
    dressed(figure, title=title, detail=detail, height=HEIGHT)
    figure.update_layout(
        legend={"itemsizing": "constant", "y": 0, "yref": "paper", "yanchor": "top"}, margin={"b": 150}
    )
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    return figure


def type_words(name: str) -> str:
    """A type with its plain words, where there are any."""
    told = part(name)
    return f"{name}\n{told}" if told else name
