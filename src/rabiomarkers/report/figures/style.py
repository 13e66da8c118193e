"""How every figure looks: colours that colour-blind readers can tell apart, always with a second sign beside the colour."""

from html import escape
from typing import Any

import plotly.graph_objects as go

# Okabe & Ito, "Color Universal Design", jfly.uni-koeln.de/color, 2008
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT, SOFT, INK = "#8A8F98", "#E7E9EC", "#5A6470", "#1F2933"

COMPARTMENT_COLOURS = {"tumour": BLUE, "blood": VERMILION, "faecal": GREEN}
COMPARTMENT_SYMBOLS = {"tumour": "circle", "blood": "square", "faecal": "diamond"}
RESPONSE_COLOURS = {"CR": BLUE, "PR": SKY, "SD": YELLOW, "PD": VERMILION, "NE": GREY}

FALL_TO_RISE = [[0.0, VERMILION], [0.5, "#F4F4F4"], [1.0, BLUE]]
"""Diverging and safe for the common colour deficiencies: vermilion falls, blue rises."""


# plotly.js offers a button that uploads the figure, patients and all; it has no place here, nor have those nobody misses
BUTTONS_REMOVED = (
    "sendChartToCloud",
    "autoScale2d",
    "lasso2d",
    "pan2d",
    "select2d",
    "zoom2d",
    "zoomIn2d",
    "zoomOut2d",
)


class Message(str):
    """What a figure would have shown, in words, where there is nothing to draw."""

    def _repr_html_(self) -> str:
        return f"<p><em>{escape(self)}</em></p>"


def label(value: Any) -> str:
    """Free text for a figure. plotly reads a few HTML tags in its labels, so what comes from the input must not look like one."""
    return escape(str(value), quote=False)


def responder_group(responder: Any) -> str:
    """ "responder", "non-responder" or "response not known" from a flag that may be absent."""
    if responder is None or responder != responder or str(responder) == "<NA>":
        return "response not known"
    return "responder" if responder else "non-responder"


RESPONDER_COLOURS = {"responder": BLUE, "non-responder": VERMILION, "response not known": GREY}
RESPONDER_SYMBOLS = {"responder": "circle", "non-responder": "square", "response not known": "diamond-open"}
RESPONDER_DASHES = {"responder": "solid", "non-responder": "dash", "response not known": "dot"}


def dressed(figure: go.Figure, *, title: str, detail: str = "", height: int, legend: bool = True) -> go.Figure:
    """The figure with the common fonts and margins; on top, one below the other: title, detail, legend.

    Title and detail state the denominator. The three keep their places in pixels whatever the height of the figure.
    """
    axis = {
        "automargin": True,
        "gridcolor": LIGHT,
        "linecolor": GREY,
        "zerolinecolor": GREY,
        "zerolinewidth": 1,
        "title_font_size": 13,
    }
    top = 34 + (26 if detail else 0)
    figure.update_layout(
        template="none",
        title={"text": title, "font": {"size": 15}, "automargin": False},
        title_subtitle={"text": detail, "font": {"size": 12, "color": SOFT}},
        title_x=0,
        title_xref="container",
        title_xanchor="left",
        title_y=1 - 10 / height,
        title_yref="container",
        title_yanchor="top",
        title_pad={"l": 12},
        height=height,
        showlegend=legend,
        margin={"l": 60, "r": 24, "t": top + (34 if legend else 14), "b": 60},
        legend={"orientation": "h", "x": 0, "xref": "container", "xanchor": "left", "font": {"size": 12}},
        legend_y=1 - top / height,
        legend_yref="container",
        legend_yanchor="top",
        legend_traceorder="normal",
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif", "size": 12, "color": INK},
        hoverlabel={"bgcolor": "white", "font": {"color": INK}, "align": "left"},
        hovermode="closest",
        modebar={"remove": list(BUTTONS_REMOVED)},
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
