"""Kaplan-Meier curves with limits, censored patients, medians and the numbers at risk."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SOFT,
    VERMILION,
    WEEK,
    WEEK_STEPS,
    Message,
    dressed,
    label,
)
from rabiomarkers.report.words import natural, number, percent, plural, present

FROM_FIRST_DOSE = "weeks from first dose"
ENDPOINTS = {  # its name, what the curve is the share of, of whom, where time begins
    "pfs": ("Progression-free survival", "without progression or death", "patient", FROM_FIRST_DOSE),
    "os": ("Overall survival", "alive", "patient", FROM_FIRST_DOSE),
    "response_duration": (
        "Duration of response",
        "still in response",
        "responder",
        "weeks from the start of the response",
    ),
}
TOGETHER = "all"  # the arm of all patients together
LOOKS = ((BLUE, "solid"), (VERMILION, "dash"), (GREEN, "dashdot"), (PURPLE, "dot"), (ORANGE, "longdash"))
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MOST_COUNTS = 9  # numbers at risk in a row
ROW = 20  # pixels of a row of numbers at risk


def survival_curves(
    survival: pd.DataFrame,
    *,
    endpoint: str,
    patients: int,
    medians: Mapping[str, Any] | None = None,
    arm: str | None = None,
) -> go.Figure | Message:
    """Steps of one endpoint with pointwise 95 % limits; below them how many are still at risk.

    Parameters
    ----------
    survival
        The table of that name.
    endpoint
        ``pfs``, ``os`` or ``response_duration``.
    patients
        The denominator: patients of the trial, or responders for the duration of response.
    medians
        Median in days by arm, ``"all"`` for all patients together; None where it is not reached, absent where nobody asked for it.
    arm
        Show this arm only (``"all"``: all patients together); None shows each arm where there are several.
    """
    name, what, who, since = ENDPOINTS[endpoint]
    curves = _curves(survival[survival["endpoint"] == endpoint], arm)
    if not curves:
        return Message(f"No curve of {name.lower()}: no {who} has a known day for it.")
    last = max(float(curve["day"].max()) for curve in curves.values()) or float(WEEK)
    figure = _panels(len(curves))
    for (group, curve), look in zip(curves.items(), _looks(curves), strict=True):
        shown = name if group == TOGETHER else label(group)
        _curve(figure, curve, shown, look)
        _median(figure, (medians or {}).get(group), look[0])
    figure.add_hline(y=0.5, line={"dash": "dot", "color": GREY, "width": 1.2}, row=1, col=1)
    ticks = _ticks(last)
    _numbers_at_risk(figure, curves, ticks)
    n, events = (sum(map(count, curves.values())) for count in (_at_start, _events))
    title = f"{name}: {plural(events, 'event')} in {n} of {plural(patients, who)}"
    several = len(curves) > 1
    height = 440 + ROW * len(curves) + (34 if several else 0)
    dressed(figure, title=title, detail=_detail(curves, medians or {}), height=height, legend=several)
    _axes(figure, list(curves), ticks, last)
    figure.update_yaxes(title_text=what, row=1, col=1)
    figure.update_xaxes(title_text=since, row=1, col=1)
    return figure


def _curves(rows: pd.DataFrame, arm: str | None) -> dict[str, pd.DataFrame]:
    """The steps of each arm to be drawn; all patients together where there are no arms."""
    every = {str(name): part.sort_values("day") for name, part in rows.groupby("arm", sort=True)}
    if arm is not None:
        return {name: part for name, part in every.items() if name == arm}
    arms = sorted((name for name in every if name != TOGETHER), key=natural)
    return {name: every[name] for name in arms} if len(arms) > 1 else {n: p for n, p in every.items() if n == TOGETHER}


def _looks(curves: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    return [LOOKS[place % len(LOOKS)] for place in range(len(curves))]


def _panels(rows: int) -> go.Figure:
    below = ROW * rows + 30
    heights = [360 / (360 + below), below / (360 + below)]
    return make_subplots(rows=2, cols=1, shared_xaxes=False, vertical_spacing=70 / (430 + below), row_heights=heights)


def _curve(figure: go.Figure, curve: pd.DataFrame, name: str, look: tuple[str, str]) -> None:
    colour, dash = look
    place = {"row": 1, "col": 1, "legendgroup": name}
    limits = curve.dropna(subset=["ci_low", "ci_high"])
    if len(limits):
        for side, fill in (("ci_low", None), ("ci_high", "tonexty")):
            figure.add_scatter(
                x=[day / WEEK for day in (*limits["day"], curve["day"].max())],  # a limit holds until the next step
                y=[*limits[side], limits[side].iloc[-1]],
                mode="lines",
                line={"shape": "hv", "width": 0, "color": colour},
                fill=fill,
                fillcolor=f"rgba{(*_rgb(colour), 0.13)}",
                hoverinfo="skip",
                showlegend=False,
                **place,
            )
    figure.add_scatter(
        x=(curve["day"] / WEEK).tolist(),
        y=curve["survival"].tolist(),
        mode="lines",
        name=f"{name} ({plural(_at_start(curve), 'patient')})",
        line={"shape": "hv", "color": colour, "width": 2.2, "dash": dash},
        hovertext=[_hover(name, row) for _, row in curve.iterrows()],
        hoverinfo="text",
        **place,
    )
    censored = curve[curve["censored"] > 0]
    if len(censored):
        figure.add_scatter(
            x=(censored["day"] / WEEK).tolist(),
            y=censored["survival"].tolist(),
            mode="markers",
            name="censored",
            showlegend=False,
            marker={"symbol": "line-ns-open", "size": 11, "color": colour, "line": {"width": 1.6, "color": colour}},
            hoverinfo="skip",
            **place,
        )


def _hover(name: str, row: pd.Series) -> str:
    span = f" (95 % {percent(row['ci_low'])} to {percent(row['ci_high'])})" if present(row["ci_low"]) else ""
    counted = f"{row['at_risk']} at risk, {plural(row['events'], 'event')}, {row['censored']} censored"
    return f"{name}<br>day {number(row['day'])}: {percent(row['survival'])}{span}<br>{counted}"


def _median(figure: go.Figure, median: Any, colour: str) -> None:
    """From the curve's half down to the axis."""
    if present(median):
        week = float(median) / WEEK
        line = {"dash": "dot", "color": colour, "width": 1.5}
        figure.add_shape(type="line", x0=week, x1=week, y0=0, y1=0.5, line=line, row=1, col=1)


def _ticks(last: float) -> list[int]:
    step = next((step for step in WEEK_STEPS if last / WEEK / step < MOST_COUNTS), WEEK_STEPS[-1])
    return list(range(0, int(last / WEEK) + 1, step))


def _numbers_at_risk(figure: go.Figure, curves: Mapping[str, pd.DataFrame], ticks: list[int]) -> None:
    for row, curve in enumerate(curves.values()):
        counts = [_at_risk(curve, tick * WEEK) for tick in ticks]
        figure.add_scatter(
            x=ticks,
            y=[-row] * len(ticks),
            mode="text",
            text=[str(count) for count in counts],
            textfont={"size": 12, "color": INK},
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
            row=2,
            col=1,
        )


def _at_risk(curve: pd.DataFrame, day: float) -> int:
    """How many are at risk just before that day: as at the next step, as nobody leaves between steps."""
    later = curve.loc[curve["day"] >= day, "at_risk"]
    return int(later.iloc[0]) if len(later) else 0


def _at_start(curve: pd.DataFrame) -> int:
    return int(curve["at_risk"].max())


def _events(curve: pd.DataFrame) -> int:
    return int(curve["events"].sum())


def _detail(curves: Mapping[str, pd.DataFrame], medians: Mapping[str, Any]) -> str:
    said = []
    for name in [name for name in curves if name in medians]:
        days = medians[name]
        told = f"{number(days)} days ({float(days) / WEEK:.1f} weeks)" if present(days) else "not reached"
        said.append(f"median {told}" if name == TOGETHER else f"median {label(name)}: {told}")
    return "; ".join(said)


def _axes(figure: go.Figure, arms: Sequence[str], ticks: list[int], last: float) -> None:
    rows = len(arms)
    span = [-0.01 * last / WEEK, 1.03 * last / WEEK]
    figure.update_xaxes(range=span, tickvals=ticks, zeroline=False, showgrid=False)
    figure.update_xaxes(visible=False, row=2, col=1)
    shares = {"tickvals": SHARES, "ticktext": [percent(share) for share in SHARES]}
    figure.update_yaxes(range=[-0.01, 1.03], zeroline=False, title_standoff=12, **shares, row=1, col=1)
    names = [label(arm) for arm in arms] if rows > 1 else ["at risk"]
    figure.update_yaxes(tickvals=[-row for row in range(rows)], ticktext=names, range=[-rows + 0.4, 0.6], row=2, col=1)
    figure.update_yaxes(showgrid=False, showline=False, zeroline=False, ticklabelstandoff=8, row=2, col=1)
    if rows > 1:
        said = {"text": "number at risk", "font": {"size": 11, "color": SOFT}, "showarrow": False}
        figure.add_annotation(x=0, xref="paper", y=1, yref="y2 domain", xanchor="left", yanchor="bottom", **said)
    figure.update_layout(margin_b=16)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
