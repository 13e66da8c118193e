"""The best change of the sum of diameters, one bar a patient."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from rabiomarkers.report.figures.style import (
    BLACK,
    FALL_TO_RISE,
    GREY,
    RESPONSE_COLOURS,
    Message,
    dressed,
    label,
)
from rabiomarkers.report.words import percent_change, plural, signed

FEWEST_PLACES = 6
MANY_PLACES = 40  # beyond which the figure is as wide as its bars need and the page scrolls it
PLACE_WIDTH, MARGINS = 20, 180  # pixels
RESPONSES = ("CR", "PR", "SD", "PD", "NE")


def waterfall(
    outcomes: pd.DataFrame, *, deltas: pd.DataFrame | None = None, colour: str = "best_response"
) -> go.Figure | Message:
    """Waterfall of the best percent change of the target lesions, largest growth first.

    Parameters
    ----------
    outcomes
        The outcomes table; `best_change_percent` in percent of baseline.
    deltas
        The deltas of one feature (one row a patient), needed when `colour` is not ``best_response``.
    colour
        ``best_response``, or the name of the feature whose change colours the bars.
    """
    measured = outcomes.dropna(subset="best_change_percent").sort_values(
        ["best_change_percent", "patient_id"], ascending=[False, True]
    )
    unmeasured = outcomes[outcomes["best_change_percent"].isna()].sort_values("patient_id")
    if measured.empty:
        return Message(
            f"No waterfall: none of {plural(len(outcomes), 'patient')} has a sum of target diameters at baseline and after it."
        )
    figure = go.Figure()
    coloured = ""
    if colour == "best_response" or deltas is None:
        _by_response(figure, measured)
    else:
        coloured = _by_change(figure, measured, deltas.set_index("patient_id"), colour)
    _without_measurement(figure, unmeasured)
    _guides(figure)
    title = f"Best change of the sum of target diameters: {len(measured)} of {len(outcomes)} patients measured"
    dressed(figure, title=title, detail=coloured, height=450)
    order = [label(patient) for patient in (*measured["patient_id"], *unmeasured["patient_id"])]
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=order, title_text="patient", showgrid=False
    )
    _places(figure, len(order))
    figure.update_yaxes(title_text="change from baseline (%)", range=_reach(measured["best_change_percent"]))
    return figure


def _guides(figure: go.Figure) -> None:
    """Where RECIST's partial response and progression begin."""
    for level, said in ((-30, "\N{MINUS SIGN}30 %: partial response"), (20, "+20 %")):
        line = {"dash": "dot", "color": GREY, "width": 1.2}
        place = {"annotation_position": "bottom left" if level < 0 else "top right", "annotation_font_size": 11}
        figure.add_hline(y=level, line=line, annotation_text=said, annotation_font_color="#555B63", **place)


def _places(figure: go.Figure, count: int) -> None:
    """Room for every patient's name; a lone bar does not fill the figure."""
    if count > MANY_PLACES:
        figure.update_layout(width=MARGINS + PLACE_WIDTH * count)
        figure.update_xaxes(tickangle=-90, dtick=1, tickfont_size=10)
    figure.update_xaxes(range=[-0.6, max(count, FEWEST_PLACES) - 0.4])


def _by_response(figure: go.Figure, measured: pd.DataFrame) -> None:
    for response in RESPONSES:
        rows = measured[measured["best_response"] == response]
        if len(rows):
            figure.add_bar(name=response, marker_color=RESPONSE_COLOURS[response], marker_line_width=0, **_bars(rows))


def _by_change(figure: go.Figure, measured: pd.DataFrame, deltas: pd.DataFrame, feature: str) -> str:
    """Bars coloured by the change of `feature`; what they tell is returned."""
    known = measured[measured["patient_id"].isin(deltas.index)]
    unknown = measured.drop(known.index)
    changes = deltas.loc[known["patient_id"], "change"]
    reach = float(changes.abs().max()) if len(changes) else 0.0
    unit = label(deltas["unit"].iloc[0]) if len(deltas) else ""
    if len(known):
        shares = [(change / reach + 1) / 2 if reach else 0.5 for change in changes]
        look = {"color": sample_colorscale(FALL_TO_RISE, shares), "line": {"color": GREY, "width": 0.8}}
        hover = [f"change of {label(feature)}: {signed(change)} {unit}" for change in changes]
        figure.add_bar(marker=look, showlegend=False, **_bars(known, hover))
        _colour_bar(figure, label(known["patient_id"].iloc[0]), reach or 1.0, unit)
    if len(unknown):
        hatch = {"shape": "/", "fgcolor": GREY, "bgcolor": "white"}
        look = {"color": "white", "pattern": hatch, "line": {"color": GREY, "width": 0.8}}
        figure.add_bar(
            marker=look, showlegend=False, **_bars(unknown, ["no pair of samples for the colour"] * len(unknown))
        )
    hatched = f"; hatched: {plural(len(unknown), 'patient')} without a pair" if len(unknown) else ""
    return f"coloured by the change of {label(feature)} in {plural(len(known), 'patient')}{hatched}"


def _colour_bar(figure: go.Figure, patient: str, reach: float, unit: str) -> None:
    """An invisible point that carries the scale: bars take no continuous colour without complaint from plotly.js."""
    bar = {"title": {"text": f"change<br>({unit})", "font": {"size": 11}}, "thickness": 12, "outlinewidth": 0}
    scale = {"colorscale": FALL_TO_RISE, "cmin": -reach, "cmax": reach, "colorbar": bar, "showscale": True}
    look = {"color": [0.0], "opacity": 0, **scale}
    figure.add_scatter(x=[patient], y=[0], mode="markers", marker=look, showlegend=False, hoverinfo="skip")


def _bars(rows: pd.DataFrame, extra: list[str] | None = None) -> dict[str, Any]:
    more = extra or [""] * len(rows)
    hover = [
        f"{label(patient)}<br>best change {percent_change(change)}<br>best response {label(response)}<br>{said}"
        for patient, change, response, said in zip(
            rows["patient_id"], rows["best_change_percent"], rows["best_response"], more, strict=True
        )
    ]
    return {
        "x": [label(patient) for patient in rows["patient_id"]],
        "y": rows["best_change_percent"].tolist(),
        "text": rows["best_response"].tolist(),
        "textposition": "outside",
        "textangle": 0,
        "cliponaxis": False,
        "hovertext": hover,
        "hoverinfo": "text",
    }


def _without_measurement(figure: go.Figure, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    reasons = [
        label(note) if isinstance(note, str) and note else "no sum of diameters after baseline" for note in rows["note"]
    ]
    figure.add_scatter(
        x=[label(patient) for patient in rows["patient_id"]],
        y=[0] * len(rows),
        mode="markers+text",
        name="not measured",
        marker={"symbol": "x-thin", "size": 10, "line": {"width": 2, "color": BLACK}},
        text=rows["best_response"].tolist(),
        textposition="bottom center",
        hovertext=[
            f"{patient}<br>{reason}" for patient, reason in zip(rows["patient_id"].map(label), reasons, strict=True)
        ],
        hoverinfo="text",
    )


def _reach(changes: pd.Series) -> list[float]:
    """Room for the guide lines, and for the response written at the end of each bar."""
    low, high = min(float(changes.min()), -35.0), max(float(changes.max()), 25.0)
    room = (high - low) * 0.1
    return [max(low - room, -115.0), high + room]
