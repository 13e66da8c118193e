"""The sum of target diameters over time, one line a patient."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    GREY,
    INK,
    MARKS,
    RESPONDER_COLOURS,
    RESPONDER_DASHES,
    RESPONDER_SYMBOLS,
    SOFT,
    WEEK,
    Look,
    Message,
    dressed,
    flags_of,
    in_response_order,
    label,
    mark_look,
    people,
    responder_group,
    response_look,
    weeks,
)
from rabiomarkers.report.words import natural, number, percent_change, plural, present, text

MOST_NAMES = 20  # lines that are named at their end; of more, the pointer tells
GUIDES = ((-30, "\N{MINUS SIGN}30 %"), (20, "+20 %"))
APART = "\N{NO-BREAK SPACE}" * 2  # between a line's end and its name
SLOTS = {  # how far a name lies above the end of its line there, as a share of the figure's height
    "middle right": 0.0,
    "top right": 0.035,
    "bottom right": -0.035,
    "top left": 0.035,
    "bottom left": -0.035,
    "middle left": 0.0,
}
LETTER, WIDEST_NAME = 5, 160  # pixels
LETTER_WIDTH, NAME_HEIGHT = 0.009, 0.04  # about, as shares of the figure

type Lines = dict[str, pd.DataFrame]
type Box = tuple[float, float, float, float]


def spider(sums: pd.DataFrame, outcomes: pd.DataFrame, *, colour: str = "best_response") -> go.Figure | Message:
    """Percent change of the sum of target diameters from baseline against weeks from first dose.

    A visit whose sum is not known interrupts its patient's line; a thin dotted line leads the eye across.

    Parameters
    ----------
    sums
        The table of that name; `change_percent` in percent of baseline.
    outcomes
        The outcomes table; all its patients are the denominator.
    colour
        ``best_response``, or a flag of `outcomes` such as ``responder``.
    """
    lines = _lines(sums, outcomes)
    if not lines:
        return Message(
            f"No spider plot: none of {plural(len(outcomes), 'patient')} has a sum of target diameters at baseline and after it."
        )
    known = outcomes.set_index("patient_id")
    values = flags_of(outcomes, colour)
    groups = {patient: _group(values.loc[patient], colour) for patient in lines}
    figure = go.Figure()
    last = max(float(line["day"].max()) for line in lines.values())
    first = min(0.0, *(float(line["day"].min()) for line in lines.values()))
    edges = [first - 0.02 * (last - first), last + (0.09 if len(lines) <= MOST_NAMES else 0.03) * (last - first)]
    reach = _reach(lines)
    places = _name_places(lines, edges[1] - edges[0], reach[1] - reach[0])
    for group in _ordered(groups.values(), colour):
        members = [patient for patient in lines if groups[patient] == group]
        for rank, patient in enumerate(members):
            named = places.get(patient, "")
            _line(figure, patient, lines[patient], _look(group, colour), group, len(members), first=not rank, at=named)
    _marks(figure, lines, known)
    _guides(figure, edges[1] / WEEK)
    title = f"Change of the sum of target diameters over time: {len(lines)} of {plural(len(outcomes), 'patient')}"
    dressed(figure, title=title, detail=_detail(lines, outcomes), height=520)
    figure.update_yaxes(title_text="change from baseline (%)", range=reach)
    figure.update_layout(margin_r=24 + min(LETTER * max(map(len, places), default=0), WIDEST_NAME))
    figure.update_xaxes(title_text="weeks from first dose", showgrid=False)
    weeks(figure, *edges)
    return figure


def _lines(sums: pd.DataFrame, outcomes: pd.DataFrame) -> Lines:
    """The visits of each patient who has a change after baseline, in the order people sort patients in."""
    ordered = sums.sort_values(["patient_id", "day"], kind="stable")
    assessed = ordered[ordered["patient_id"].isin(outcomes["patient_id"])]
    lines = {str(patient): rows for patient, rows in assessed.groupby("patient_id", sort=False)}
    drawn = [patient for patient, rows in lines.items() if rows.loc[rows["day"] > 0, "change_percent"].notna().any()]
    return {patient: lines[patient] for patient in sorted(drawn, key=natural)}


def _group(value: Any, colour: str) -> str:
    return str(value) if colour == "best_response" else _flag(value, colour)


def _flag(value: Any, colour: str) -> str:
    """The flag in words; `responder` has words of its own."""
    group = responder_group(value)
    name = colour.replace("_", " ")
    told = {"responder": name, "non-responder": f"not: {name}", "response not known": f"{name} not known"}
    return group if colour == "responder" else told[group]


def _ordered(groups: Any, colour: str) -> list[str]:
    return in_response_order(groups) if colour == "best_response" else sorted(set(groups), key=_rank)


def _rank(group: str) -> int:
    """Whom the flag is true of first, unknown last."""
    return 2 if group.endswith("not known") else int(group.startswith("no"))


def _look(group: str, colour: str) -> Look:
    if colour == "best_response":
        return response_look(group)
    known = ("responder", "non-responder", "response not known")[_rank(group)]
    return Look(colour=RESPONDER_COLOURS[known], symbol=RESPONDER_SYMBOLS[known], dash=RESPONDER_DASHES[known])


def _line(
    figure: go.Figure, patient: str, line: pd.DataFrame, look: Look, group: str, count: int, *, first: bool, at: str
) -> None:
    """The patient's line and, where it is interrupted, a thin one beneath."""
    shared = {"legendgroup": group, "x": (line["day"] / WEEK).tolist()}
    inner = line["change_percent"].loc[line["change_percent"].first_valid_index() :]
    if inner.loc[: inner.last_valid_index()].isna().any():
        bridge = {"color": look.colour, "width": 0.8, "dash": "dot"}
        figure.add_scatter(
            y=line["change_percent"].tolist(),
            mode="lines",
            line=bridge,
            connectgaps=True,
            hoverinfo="skip",
            showlegend=False,
            **shared,
        )
    end = line["change_percent"].last_valid_index()
    figure.add_scatter(
        y=line["change_percent"].tolist(),
        mode="lines+markers+text" if at else "lines+markers",
        name=f"{label(group)} ({count})",
        showlegend=first,
        line={"color": look.colour, "width": 1.8 if at else 1.2, "dash": look.dash},
        marker={"color": look.colour, "symbol": look.symbol, "size": 7 if at else 5},
        text=[f"{APART}{label(patient)}{APART}" if index == end and at else "" for index in line.index],
        textposition=at or "middle right",
        textfont={"size": 11, "color": SOFT},
        cliponaxis=False,
        hovertext=[_hover(patient, row) for _, row in line.iterrows()],
        hoverinfo="text",
        **shared,
    )


def _hover(patient: str, row: pd.Series) -> str:
    said = [f"<b>{label(patient)}</b> · day {number(row['day'])} (week {row['day'] / WEEK:.1f})"]
    said.append(label(text(row["response"], "baseline")))
    if present(row["change_percent"]):
        said.append(f"sum {number(row['sum_mm'])} mm, {percent_change(row['change_percent'])}")
    return "<br>".join([*said, label(text(row["note"]))]).removesuffix("<br>")


def _marks(figure: go.Figure, lines: Lines, known: pd.DataFrame) -> None:
    """Progression, and progression by a new lesion, on the patient's line."""
    for kind, column in (("new_lesion", "new_lesion_day"), ("progression", "progression_day")):
        days = {str(patient): float(day) for patient, day in known[column].reindex(list(lines)).dropna().items()}
        if not days:
            continue
        heights = [_height(lines[patient], day) for patient, day in days.items()]
        figure.add_scatter(
            x=[day / WEEK for day in days.values()],
            y=[height for height, _ in heights],
            mode="markers",
            name=f"{MARKS[kind].word} ({len(days)})",
            marker=mark_look(kind, 1 if len(lines) <= MOST_NAMES else 0.75),
            cliponaxis=False,
            hovertext=[
                f"<b>{label(patient)}</b> · day {number(day)}<br>{MARKS[kind].word}{said}"
                for (patient, day), (_, said) in zip(days.items(), heights, strict=True)
            ],
            hoverinfo="text",
        )


def _height(line: pd.DataFrame, day: float) -> tuple[float, str]:
    """Where the line is on that day, or where it was last seen before, and words for that."""
    seen = line.dropna(subset="change_percent")
    there = seen.loc[seen["day"] == day, "change_percent"]
    if len(there):
        return float(there.iloc[-1]), ""
    before = seen.loc[seen["day"] < day, "change_percent"]
    return float((before if len(before) else seen["change_percent"]).iloc[-1 if len(before) else 0]), (
        "<br>no sum on this day: drawn at the one before"
    )


def _guides(figure: go.Figure, end: float) -> None:
    """Where a partial response begins and, counted from the smallest sum, progression."""
    for level, said in GUIDES:
        figure.add_hline(y=level, line={"dash": "dot", "color": GREY, "width": 1.2})
        above = {"yanchor": "bottom", "xanchor": "right", "showarrow": False}
        figure.add_annotation(x=end, y=level, text=said, font={"size": 11, "color": SOFT}, **above)
    figure.add_hline(y=0, line={"color": INK, "width": 1})


def _reach(lines: Lines) -> list[float]:
    changes = pd.concat([line["change_percent"] for line in lines.values()])
    low, high = min(float(changes.min()), -40.0), max(float(changes.max()), 30.0)
    room = (high - low) * 0.06
    return [max(low - room, -108.0), high + room]


def _name_places(lines: Lines, width: float, height: float) -> Mapping[str, str]:
    """On which side of its line's end each name stands, so that it covers neither another name nor the end of another line; none
    where there are many lines."""
    if len(lines) > MOST_NAMES:
        return {}
    known = {patient: line.dropna(subset="change_percent").iloc[-1] for patient, line in lines.items()}
    ends = {
        patient: (float(end["day"]) / width, float(end["change_percent"]) / height) for patient, end in known.items()
    }
    taken: list[Box] = []
    places = {}
    for patient, end in ends.items():
        boxes = {slot: _box(end, len(patient), slot) for slot in SLOTS}
        points = [point for other, point in ends.items() if other != patient]
        places[patient] = next((slot for slot, box in boxes.items() if _free(box, taken, points)), "middle right")
        taken.append(boxes[places[patient]])
    return places


def _box(end: tuple[float, float], letters: int, slot: str) -> Box:
    """Left, right, lower and upper edge of a name, as shares of the figure."""
    x, y = end[0], end[1] + SLOTS[slot]
    wide = (letters + len(APART)) * LETTER_WIDTH
    left = x - wide if slot.endswith("left") else x
    return left, left + wide, y - NAME_HEIGHT / 2, y + NAME_HEIGHT / 2


def _free(box: Box, taken: Sequence[Box], points: Sequence[tuple[float, float]]) -> bool:
    left, right, low, high = box
    covers = any(left < other[1] and other[0] < right and low < other[3] and other[2] < high for other in taken)
    return not covers and not any(left <= x <= right and low <= y <= high for x, y in points)


def _detail(lines: Lines, outcomes: pd.DataFrame) -> str:
    """Who is not drawn, and which visits are not."""
    absent = sorted(set(outcomes["patient_id"]) - lines.keys(), key=natural)
    gaps = sum(int(line["change_percent"].isna().sum()) for line in lines.values())
    said = [f"no sum after baseline: {people(absent)}" if absent else ""]
    said.append(f"{plural(gaps, 'visit')} without a sum interrupt{'s' if gaps == 1 else ''} a line" if gaps else "")
    return "; ".join(part for part in said if part)
