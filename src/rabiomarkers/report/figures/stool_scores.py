"""TOPOSCORE and *Akkermansia* of each patient before and after, with the borders of their published classes."""

import math
from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import (
    GREY,
    INK,
    ORANGE,
    RESPONDER_COLOURS,
    RESPONDER_DASHES,
    RESPONDER_SYMBOLS,
    SKY,
    Message,
    dressed,
    flags_of,
    label,
    pale,
    responder_group,
)
from rabiomarkers.report.words import percent, plural, signed, text

TOPOSCORE, AKKERMANSIA = "TOPOSCORE", "akkermansia"
TITLES = {TOPOSCORE: "TOPOSCORE", AKKERMANSIA: "Akkermansia muciniphila"}
BORDERS = {TOPOSCORE: (0.5351, 0.7911), AKKERMANSIA: (0.04799,)}
"""Of the published classes (Derosa et al. 2024, doi:10.1016/j.cell.2024.05.029): S, and the share of *Akkermansia*."""
LOWEST = 1e-5  # share; what is absent lies below it on an axis of powers of ten
HEIGHT = 480
FAVOURABLE, UNFAVOURABLE, DECIDED = pale(SKY, 0.35), pale(ORANGE, 0.3), pale(GREY, 0.2)


def score_panels(
    scores: pd.DataFrame, outcomes: pd.DataFrame, *, contrast: Sequence[str] = ("before", "after")
) -> go.Figure | Message:
    """A panel a score, a line a patient; bands are the published classes, where the table's classes have these borders.

    Parameters
    ----------
    scores
        The MICROBE_SCORES table with whose it is.
    outcomes
        The table of that name, for whether a patient responded.
    contrast
        Timepoint before, timepoint after.
    """
    known = scores[scores["value"].notna() & scores["timepoint"].isin(list(contrast))]
    shown = [score for score in TITLES if (known["score"] == score).any()]
    if not shown:
        return Message("No figure of the scores: no stool has one.")
    figure = make_subplots(
        rows=1,
        cols=len(shown),
        subplot_titles=[f"<b>{TITLES[score]}</b>" for score in shown],
        horizontal_spacing=0.12,
    )
    flags = flags_of(outcomes, "responder")
    legend: set[str] = set()
    for column, score in enumerate(shown, start=1):
        own = known[known["score"] == score]
        low = _lowest(own) if score == AKKERMANSIA else 0.0
        if borders_fit(own, score):
            _bands(figure, score, low, column)
        for _, rows in own.groupby("patient_id", sort=True):
            _line(figure, rows, score, low, flags, contrast, column, legend)
        _axes(figure, score, low, column, contrast)
    patients = plural(known["patient_id"].nunique(), "patient")
    pairs = (
        known.groupby(["score", "patient_id"])["timepoint"]
        .nunique()
        .groupby("score")
        .agg(lambda own: int((own > 1).sum()))
    )
    detail = "; ".join(f"{TITLES[score]}: {plural(pairs[score], 'pair')}" for score in shown)
    dressed(figure, title=f"Published scores of stool: {patients}", detail=detail, height=HEIGHT)
    figure.update_layout(margin={"t": 128, "b": 40, "r": 16})
    figure.for_each_annotation(lambda note: note.update(font_size=12) if note.text.startswith("<b>") else None)
    return figure


def borders_fit(scores: pd.DataFrame, score: str) -> bool:
    """Whether each value lies in the class that the table says: a study may have borders of its own, and then none is drawn."""
    own = scores[(scores["score"] == score) & scores["value"].notna() & scores["category"].notna()]
    if score == TOPOSCORE:
        low, high = BORDERS[TOPOSCORE]
        meant = own["value"].map(lambda value: "SIG1" if value <= low else ("SIG2" if value >= high else "Gray"))
    else:
        limit = BORDERS[AKKERMANSIA][0]
        meant = own["value"].map(lambda share: "absent" if share == 0 else ("low" if share < limit else "high"))
    return bool((meant == own["category"]).all())


def _lowest(rows: pd.DataFrame) -> float:
    """Where the band of those without *Akkermansia* ends: below the least share seen."""
    seen = rows.loc[rows["value"] > 0, "value"]
    return min(LOWEST, float(seen.min()) / 2) if len(seen) else LOWEST


def _bands(figure: go.Figure, score: str, low: float, column: int) -> None:
    if score == TOPOSCORE:
        first, second = BORDERS[TOPOSCORE]
        bands = [
            (-0.03, first, UNFAVOURABLE, f"SIG1, up to {first}:<br>unfavourable"),
            (first, second, DECIDED, "between: decided<br>by Akkermansia"),
            (second, 1.03, FAVOURABLE, f"SIG2, from {second}:<br>favourable"),
        ]
    else:
        limit = BORDERS[AKKERMANSIA][0]
        bands = [
            (low / 10, low, UNFAVOURABLE, "absent:<br>unfavourable"),
            (low, limit, FAVOURABLE, f"below {100 * limit:g} %:<br>favourable"),
            (limit, 1.0, UNFAVOURABLE, f"{100 * limit:g} % and more:<br>unfavourable"),
        ]
    for start, end, colour, words in bands:
        figure.add_hrect(
            y0=start,
            y1=end,
            fillcolor=colour,
            line_width=0,
            layer="below",
            row=1,
            col=column,
            exclude_empty_subplots=False,
        )
        middle = (start + end) / 2 if score == TOPOSCORE else (start * end) ** 0.5
        figure.add_annotation(
            x=1.12,
            y=middle if score == TOPOSCORE else _log10(middle),
            text=words,
            showarrow=False,
            xanchor="left",
            align="left",
            font={"size": 11},
            row=1,
            col=column,
        )
    for border in BORDERS[score]:
        figure.add_hline(y=border, line={"color": INK, "width": 1.2, "dash": "dot"}, row=1, col=column)


def _line(
    figure: go.Figure,
    rows: pd.DataFrame,
    score: str,
    low: float,
    flags: pd.Series,
    contrast: Sequence[str],
    column: int,
    legend: set[str],
) -> None:
    patient = rows["patient_id"].iloc[0]
    group = responder_group(flags.get(patient))
    ordered = rows.assign(place=rows["timepoint"].map(list(contrast).index)).sort_values("place")
    values = ordered["value"].tolist()
    drawn = [value if value > 0 or score == TOPOSCORE else low / 10**0.5 for value in values]
    shown = [percent(value) if score == AKKERMANSIA else signed(value).removeprefix("+") for value in values]
    figure.add_scatter(
        x=ordered["place"].tolist(),
        y=drawn,
        mode="lines+markers",
        name=group,
        legendgroup=group,
        legendrank=list(RESPONDER_COLOURS).index(group) + 1,
        showlegend=group not in legend,
        line={"color": RESPONDER_COLOURS[group], "width": 1.5, "dash": RESPONDER_DASHES[group]},
        marker={"symbol": RESPONDER_SYMBOLS[group], "size": 8},
        hovertext=[
            f"{label(patient)} ({group}), {label(time)}<br>{value}: {label(text(category, 'no class'))}, {label(verdict)}"
            for time, value, category, verdict in zip(
                ordered["timepoint"], shown, ordered["category"], ordered["verdict"], strict=True
            )
        ],
        hoverinfo="text",
        row=1,
        col=column,
    )
    legend.add(group)


def _axes(figure: go.Figure, score: str, low: float, column: int, contrast: Sequence[str]) -> None:
    ticks = {"tickmode": "array", "tickvals": [0, 1], "ticktext": [label(name) for name in contrast]}
    figure.update_xaxes(range=[-0.2, 2.05], showgrid=False, zeroline=False, **ticks, row=1, col=column)
    if score == TOPOSCORE:
        figure.update_yaxes(title_text="S", range=[-0.03, 1.03], zeroline=False, row=1, col=column)
        return
    powers = [10.0**power for power in range(-12, 1) if 10.0**power > low * 1.01]
    figure.update_yaxes(
        type="log",
        title_text="share of the profile",
        range=[_log10(low / 10), 0],
        tickmode="array",
        tickvals=[low / 10**0.5, *powers],
        ticktext=["absent", *(f"{100 * power:g} %" for power in powers)],
        zeroline=False,
        row=1,
        col=column,
    )


def _log10(value: float) -> float:
    """plotly places what is written on such an axis by the power."""
    return math.log10(value)
