"""How every figure looks: colours that colour-blind readers can tell apart, always with a second sign beside the colour."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.words import plural, present
from rabiomarkers.tables.outcomes import RECIST_OF, known_responses

# Okabe & Ito, "Color Universal Design", jfly.uni-koeln.de/color, 2008
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT, SOFT, INK = "#8A8F98", "#E7E9EC", "#5A6470", "#1F2933"

COMPARTMENT_COLOURS = {"tumour": BLUE, "blood": VERMILION, "faecal": GREEN}
COMPARTMENT_SYMBOLS = {"tumour": "circle", "blood": "square", "faecal": "diamond"}

WEEK = 7  # days
WEEK_STEPS = (1, 2, 4, 8, 12, 16, 24, 52, 104)
MOST_TICKS = 14
MOST_LETTERS = 40  # of patients' names in the line below a title


@dataclass(frozen=True, kw_only=True)
class Look:
    """A colour, and the signs that stand beside it for whoever does not see it."""

    colour: str
    symbol: str
    dash: str = "solid"


PERSISTS = "NON-CR/NON-PD"
RESPONSE_LOOKS = {
    "CR": Look(colour=BLUE, symbol="star"),
    "PR": Look(colour=SKY, symbol="circle"),
    "SD": Look(colour=ORANGE, symbol="square", dash="dash"),
    PERSISTS: Look(colour=ORANGE, symbol="square-open", dash="dashdot"),  # disease control, as SD
    "PD": Look(colour=VERMILION, symbol="triangle-up", dash="dot"),
    "NE": Look(colour=GREY, symbol="circle-open", dash="longdash"),
}


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The sign of an event; the same in every figure."""

    word: str
    symbol: str
    colour: str
    size: float = 11
    outline: float = 1


MARKS = {  # drawn in this order: a cross in a diamond is progression by a new lesion
    "CR": Mark(word="response (CR)", symbol="star", colour=BLUE, size=14),
    "PR": Mark(word="response (PR)", symbol="circle", colour=SKY, size=11),
    "new_lesion": Mark(word="new lesion", symbol="diamond", colour=PURPLE, size=15),
    "progression": Mark(word="progression", symbol="x", colour=INK, size=8, outline=0),
    "adverse_event": Mark(word="grade 3+ or serious", symbol="square", colour=VERMILION, size=12, outline=0),
    "new_therapy": Mark(word="new therapy", symbol="pentagon", colour=GREEN, size=12),
    "death": Mark(word="death", symbol="line-ns-open", colour=INK, size=13, outline=5),
    "ongoing": Mark(word="ongoing", symbol="triangle-right", colour=INK, size=11, outline=0),
}

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


def response_class(word: Any) -> str:
    """CR, PR, SD, NON-CR/NON-PD, PD or NE, of a word of RECIST 1.1 or iRECIST."""
    return RECIST_OF.get(str(word), str(word))


def response_look(word: Any) -> Look:
    """How the class of that response looks in every figure."""
    return RESPONSE_LOOKS[response_class(word)]


def in_response_order(words: Iterable[Any]) -> list[str]:
    """The different words, the best response first."""
    order = list(RESPONSE_LOOKS)
    return sorted({str(word) for word in words}, key=lambda word: (order.index(response_class(word)), word))


def pale(colour: str, share: float = 0.5) -> str:
    """The colour mixed with white, for areas that carry signs."""
    parts = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - (255 - part) * share):02X}" for part in parts)


def mark_look(kind: str, scale: float = 1) -> dict[str, Any]:
    """The marker of an event of that kind."""
    mark = MARKS[kind]
    line = {"width": mark.outline * scale, "color": INK if mark.outline <= 1 else mark.colour}
    return {"symbol": mark.symbol, "size": mark.size * scale, "color": mark.colour, "opacity": 1, "line": line}


def people(names: Iterable[Any], noun: str = "patient") -> str:
    """ "2 patients (P3, P7)": how many, and where there is room, who."""
    known = list(map(str, names))
    told = ", ".join(known)
    return plural(len(known), noun) + (f" ({label(told)})" if 0 < len(told) <= MOST_LETTERS else "")


def weeks(figure: go.Figure, first: float, last: float, **place: Any) -> None:
    """An axis from the day `first` to the day `last`, drawn and told in weeks from first dose."""
    span = max(last - first, WEEK) / WEEK
    step = next((step for step in WEEK_STEPS if span / step <= MOST_TICKS), WEEK_STEPS[-1])
    figure.update_xaxes(tick0=0, dtick=step, range=[first / WEEK, last / WEEK], zeroline=False, **place)


def flags_of(outcomes: pd.DataFrame, name: str) -> pd.Series:
    """A flag of the outcomes by patient; who could not be evaluated is neither responder nor non-responder."""
    return known_responses(outcomes) if name == "responder" else outcomes.set_index("patient_id")[name]


def responder_group(responder: Any) -> str:
    """ "responder", "non-responder" or "response not known" from a flag that may be absent."""
    if not present(responder):
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
