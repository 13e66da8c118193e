"""Single cells laid out for the eye: like lies by like. Nothing is computed from it."""

from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import Message, dressed, label
from rabiomarkers.report.labels import part
from rabiomarkers.report.words import plural

type By = Literal["cell_type", "cluster"]

PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8A6D3B"),
    *("#332288", "#AA4499", "#117733", "#999933", "#882255", "#44AA99", "#6699CC"),
    *("#661100", "#DDCC77", "#004D40", "#F0A3FF", "#4C005C"),
)
"""Okabe & Ito's colours, then Paul Tol's muted ones; the name of each type stands in its middle, too."""
GREY = "#BBBBBB"
UNASSIGNED = "unassigned"
HEIGHT = 620
SMALLEST_NAMED = 12  # cells of a type whose name is written into the picture


def cell_map(embedding: pd.DataFrame, *, title: str, by: By = "cell_type") -> go.Figure | Message:
    """Each cell at its place, in the colour of its type or of its cluster; what has no type is grey and lies below the others.

    Parameters
    ----------
    embedding
        Rows of EMBEDDING of one compartment.
    """
    if embedding.empty:
        return Message(f"{title}: no cells were drawn.")
    figure = go.Figure()
    names = sorted(set(embedding[by]), key=_place)
    colours = iter(PALETTE * (len(names) // len(PALETTE) + 1))
    for name in names:
        own = embedding[embedding[by] == name]
        colour = GREY if name == UNASSIGNED else next(colours)
        _add_cells(figure, own, f"cluster {name}" if by == "cluster" else str(name), colour, by)
        if len(own) >= SMALLEST_NAMED and name != UNASSIGNED:  # what has no type has no place of its own either
            _add_name(figure, own, str(name))
    detail = f"{plural(len(embedding), 'cell')} of {plural(embedding['sample_id'].nunique(), 'sample')}; distances mean little"
    dressed(figure, title=title, detail=detail, height=HEIGHT)
    # below the map, which gives it the room it needs: many names make many lines on a narrow screen
    figure.update_layout(
        legend={"itemsizing": "constant", "y": 0, "yanchor": "bottom"}, margin={"l": 24, "t": 64, "b": 20}
    )
    figure.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    return figure


def _place(name: str) -> tuple[bool, int, str]:
    """Numbers by their size, then words; first of all, and so below all others, what is unassigned."""
    return (name != UNASSIGNED, int(name) if name.isdecimal() else -1, name)


def _add_cells(figure: go.Figure, cells: pd.DataFrame, name: str, colour: str, by: By) -> None:
    other = cells["cluster"].map("cluster {}".format) if by == "cell_type" else cells["cell_type"]
    figure.add_scatter(
        x=cells["x"].tolist(),
        y=cells["y"].tolist(),
        mode="markers",
        marker={"color": colour, "size": 4, "opacity": 0.75},
        name=f"{label(name)} ({len(cells)})",
        hovertemplate=f"{label(name)}<br>%{{customdata}}<extra></extra>",
        customdata=other.map(label).tolist(),
        legendrank=1001 if name == UNASSIGNED else 1000,  # drawn first, named last
    )


def _add_name(figure: go.Figure, cells: pd.DataFrame, name: str) -> None:
    """Over the middle of its cells, few of which it hides."""
    figure.add_annotation(
        x=float(cells["x"].median()),
        y=float(cells["y"].quantile(0.95)),
        yanchor="bottom",
        text=label(name),
        showarrow=False,
        font={"size": 11},
        bgcolor="rgba(255,255,255,0.7)",
    )


def type_words(name: str) -> str:
    """A type with its plain words, where there are any."""
    told = part(name)
    return f"{name}\n{told}" if told else name
