"""Where markers are cut: the events of every sample of a batch along each marker, and the border."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import BLUE, INK, VERMILION, Message, dressed, label
from rabiomarkers.report.words import plural, present, text

COLUMNS = 4
PANEL = 150  # px
BORDERS = {"pos": "end of negative", "high": "end of dim"}


def gate_panels(densities: pd.DataFrame, gates: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """One panel for each marker, in the widest population that it is cut in.

    Parameters
    ----------
    densities, gates
        Rows of SAMPLE_VIEWS and GATES of one batch and assay.
    """
    places = _places(densities, gates)
    if not places:
        return Message(f"{title}: no marker was cut by a tree, so there is no border to look at.")
    rows = -(-len(places) // COLUMNS)
    titles = [f"<b>{label(marker)}</b> in {label(parent)}" for parent, marker in places]
    figure = make_subplots(
        rows=rows,
        cols=COLUMNS,
        subplot_titles=titles,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.45 / rows, 0.12),
    )
    samples = sorted(densities["sample_id"].unique())
    for number, (parent, marker) in enumerate(places):
        place = {"row": number // COLUMNS + 1, "col": number % COLUMNS + 1}
        own = densities[(densities["parent"] == parent) & (densities["marker"] == marker)]
        x, y, names = _joined(own)
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": BLUE, "width": 1},
            opacity=0.5,
            text=names,
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            **place,
        )
        height = float(own["density"].max())
        _borders(figure, gates[(gates["parent"] == parent) & (gates["marker"] == marker)], height, place)
    detail = f"{plural(len(samples), 'sample')}, a line each; vertical: the border of the batch"
    dressed(figure, title=title, detail=detail, height=130 + PANEL * rows, legend=False)
    figure.update_xaxes(zeroline=False, tickfont={"size": 10}, nticks=5)
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False, rangemode="tozero")
    figure.update_layout(margin={"t": 96, "b": 40, "l": 16})
    figure.for_each_annotation(lambda note: note.update(font_size=11) if note.text.startswith("<b>") else None)
    return figure


def _places(densities: pd.DataFrame, gates: pd.DataFrame) -> list[tuple[str, str]]:
    """The parent in which most events were cut, of each marker that has densities."""
    known = set(zip(densities["parent"], densities["marker"], strict=True))
    told = gates[gates["cut"].notna() & (gates["level"] == "pos")].sort_values(
        ["events", "parent"], ascending=[False, True]
    )
    first = [
        (str(parent), str(marker))
        for parent, marker in zip(told["parent"], told["marker"], strict=True)
        if (parent, marker) in known
    ]
    widest: dict[str, str] = {}
    for parent, marker in first:
        widest.setdefault(marker, parent)
    return [(parent, marker) for marker, parent in sorted(widest.items())]


def _joined(own: pd.DataFrame) -> tuple[list[float | None], list[float | None], list[str]]:
    """The samples' lines as one with gaps: a browser draws one line far faster than hundreds."""
    x: list[float | None] = []
    y: list[float | None] = []
    names: list[str] = []
    for sample, rows in own.groupby("sample_id", sort=True):
        x += [*rows["position"].round(4).tolist(), None]
        y += [*rows["density"].round(4).tolist(), None]
        names += [label(sample)] * (len(rows) + 1)
    return x, y, names


def _borders(figure: go.Figure, gates: pd.DataFrame, height: float, place: dict[str, int]) -> None:
    for _, row in gates[gates["cut"].notna()].iterrows():
        clear = f", modes {row['separation']:.1f} spreads apart" if present(row["separation"]) else ""
        words = f"{BORDERS.get(str(row['level']), text(row['level']))} at {row['cut']:.3g}: {row['method']}{clear}"
        first = row["level"] == "pos"
        figure.add_scatter(
            x=[float(row["cut"])] * 2,
            y=[0, height],
            mode="lines",
            line={"color": VERMILION if first else INK, "width": 2, "dash": "solid" if first else "dash"},
            hovertext=label("; ".join(part for part in (words, text(row["note"])) if part)),
            hoverinfo="text",
            showlegend=False,
            **place,
        )
