"""The best change of the sum of diameters, one bar a patient."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from rabiomarkers.report.figures.style import (
    BLACK,
    FALL_TO_RISE,
    GREY,
    PERSISTS,
    Message,
    dressed,
    in_response_order,
    label,
    mark_look,
    response_class,
    response_look,
)
from rabiomarkers.report.words import number, percent_change, plural, present, signed

FEWEST_PLACES = 6
MANY_PLACES = 40  # beyond which the figure is as wide as its bars need and the page scrolls it
PLACE_WIDTH, LETTER, MARGINS = 20, 7, 180  # pixels


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
    reach = _reach(measured["best_change_percent"])
    _new_lesions(figure, pd.concat([measured, unmeasured]), reach)
    _guides(figure)
    title = f"Best change of the sum of target diameters: {len(measured)} of {len(outcomes)} patients measured"
    dressed(figure, title=title, detail=coloured, height=450)
    order = [label(patient) for patient in (*measured["patient_id"], *unmeasured["patient_id"])]
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=order, title_text="patient", showgrid=False
    )
    _places(figure, len(order), _longest_line(outcomes["best_response"]))
    figure.update_yaxes(title_text="change from baseline (%)", range=reach)
    return figure


def _guides(figure: go.Figure) -> None:
    """Where RECIST's partial response and progression begin."""
    for level, said in ((-30, "\N{MINUS SIGN}30 %: partial response"), (20, "+20 %")):
        line = {"dash": "dot", "color": GREY, "width": 1.2}
        place = {"annotation_position": "bottom left" if level < 0 else "top right", "annotation_font_size": 11}
        figure.add_hline(y=level, line=line, annotation_text=said, annotation_font_color="#555B63", **place)


def _places(figure: go.Figure, count: int, letters: int) -> None:
    """Room for every patient's name and response; a lone bar does not fill the figure."""
    if count > MANY_PLACES:
        figure.update_layout(width=MARGINS + max(PLACE_WIDTH, LETTER * letters + 4) * count)
        figure.update_xaxes(tickangle=-90, dtick=1, tickfont_size=10)
    figure.update_xaxes(range=[-0.6, max(count, FEWEST_PLACES) - 0.4])


def _by_response(figure: go.Figure, measured: pd.DataFrame) -> None:
    for response in in_response_order(measured["best_response"]):
        rows = measured[measured["best_response"] == response]
        look = {"color": response_look(response).colour, "line": {"width": 0}}
        if response_class(response) == PERSISTS:
            look["pattern"] = {"shape": "/", "fgcolor": "white"}
        figure.add_bar(name=f"{response} ({len(rows)})", marker=look, **_bars(rows))


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
        "text": [_written(response) for response in rows["best_response"]],
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
        name=f"not measured ({len(rows)})",
        marker={"symbol": "x-thin", "size": 10, "line": {"width": 2, "color": BLACK}},
        text=[_written(response) for response in rows["best_response"]],
        textposition="bottom center",
        hovertext=[
            f"{patient}<br>{reason}" for patient, reason in zip(rows["patient_id"].map(label), reasons, strict=True)
        ],
        hoverinfo="text",
    )


def _new_lesions(figure: go.Figure, outcomes: pd.DataFrame, reach: list[float]) -> None:
    """A sign across the zero line from the bar of whoever progressed by a new lesion: the bar does not tell that."""
    rows = outcomes[[present(day) for day in outcomes["new_lesion_day"]]]
    if rows.empty:
        return
    apart = 0.035 * (reach[1] - reach[0])
    figure.add_scatter(
        x=[label(patient) for patient in rows["patient_id"]],
        y=[-apart if present(change) and change > 0 else apart for change in rows["best_change_percent"]],
        mode="markers",
        name=f"progression by a new lesion ({len(rows)})",
        marker=mark_look("new_lesion", 0.85),
        hovertext=[
            f"{label(patient)}<br>progression by a new lesion on day {number(day)}"
            for patient, day in zip(rows["patient_id"], rows["new_lesion_day"], strict=True)
        ],
        hoverinfo="text",
    )


def _written(response: str) -> str:
    """The response as it stands at a bar; long ones in two lines."""
    return label(response).replace("/", "/<br>")


def _longest_line(responses: pd.Series) -> int:
    return max(len(line) for response in responses for line in _written(response).split("<br>"))


def _reach(changes: pd.Series) -> list[float]:
    """Room for the guide lines, and for the response written at the end of each bar."""
    low, high = min(float(changes.min()), -35.0), max(float(changes.max()), 25.0)
    room = (high - low) * 0.1
    return [max(low - room, -115.0), high + room]
