"""The course of each patient: treatment, response, progression, adverse events, death, on one line each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    GREY,
    INK,
    MARKS,
    WEEK,
    Message,
    dressed,
    in_response_order,
    label,
    mark_look,
    pale,
    people,
    response_class,
    response_look,
    weeks,
)
from rabiomarkers.report.words import natural, number, plural, present, text

LONG_LIST = 30  # patients beyond which rows are narrow and the axis stands on top
ROW, NARROW_ROW = 30, 17  # pixels
FEWEST_ROWS = 3
LEGEND = 40  # pixels of its second and third row
SEVERE = 3
GRADE = re.compile(r", grade ([1-5])(?=,|$)")
SERIOUS = re.compile(r", serious(?=,|$)")
UPPER_LANE = 0.3  # of a row above its middle, for adverse events; other signs lie on the middle
ENDS = frozenset({"progression", "death", "last_dose", "new_therapy"})
SEEN = frozenset({"assessment", "response", "progression", "new_lesion"})


@dataclass(frozen=True, kw_only=True)
class Swim:
    """One patient's course, in days from first dose."""

    patient: str
    response: str
    start: float
    end: float  # of treatment where that is known, else of what was seen
    last: float
    treatment_known: bool
    ongoing: bool
    remission: tuple[float, float] | None
    events: pd.DataFrame = field(compare=False)


def swimmer(timeline: pd.DataFrame, outcomes: pd.DataFrame) -> go.Figure | Message:
    """One bar a patient, the longest on top, from first dose to last dose or, where that is not known, to the last assessment.

    Parameters
    ----------
    timeline, outcomes
        The tables of that name; all patients of `outcomes` are the denominator.
    """
    swims = _swims(timeline, outcomes)
    if not swims:
        return Message(
            f"No swimmer plot: of none of {plural(len(outcomes), 'patient')} is a day after first dose known."
        )
    rows = {swim.patient: len(swims) - place for place, swim in enumerate(swims)}
    many = len(swims) > LONG_LIST
    figure = go.Figure()
    _bars(figure, swims, rows)
    _follow_up(figure, swims, rows)
    _remissions(figure, swims, rows)
    _marks(figure, swims, rows, scale=0.75 if many else 1)
    title = f"Course of each patient: {len(swims)} of {plural(len(outcomes), 'patient')}"
    row = NARROW_ROW if many else ROW
    dressed(
        figure, title=title, detail=_detail(swims, outcomes), height=LEGEND + 160 + row * max(len(swims), FEWEST_ROWS)
    )
    figure.update_layout(barmode="overlay", margin_t=figure.layout.margin.t + LEGEND)
    ticks = {"tickvals": list(rows.values()), "ticktext": [_name(swim) for swim in swims]}
    figure.update_yaxes(
        range=[min(0.0, len(swims) - FEWEST_ROWS) + 0.3, len(swims) + 0.7], showgrid=False, zeroline=False, **ticks
    )
    figure.update_yaxes(tickfont_size=10 if many else 12)
    figure.update_xaxes(title_text="weeks from first dose", side="top" if many else "bottom")
    if many:
        figure.update_layout(margin_t=figure.layout.margin.t + 44, margin_b=20)
    last = max(swim.last for swim in swims)
    weeks(figure, min(0.0, *(swim.start for swim in swims)) - 0.01 * last, last * 1.04)
    return figure


def _swims(timeline: pd.DataFrame, outcomes: pd.DataFrame) -> list[Swim]:
    """Every patient with a day after first dose, the longest bar first."""
    events = {str(patient): rows for patient, rows in timeline.groupby("patient_id", sort=True)}
    known = outcomes.sort_values("patient_id")
    swims = [_swim(row, events[row["patient_id"]]) for _, row in known.iterrows() if row["patient_id"] in events]
    return sorted(
        (swim for swim in swims if swim.last > 0), key=lambda swim: (-swim.end, -swim.last, natural(swim.patient))
    )


def _swim(outcome: pd.Series, events: pd.DataFrame) -> Swim:
    events = events.sort_values(["day", "kind", "detail"], kind="stable")
    days = {str(kind): rows["day"] for kind, rows in events.groupby("kind", sort=True)}
    start = float(days["first_dose"].min()) if "first_dose" in days else 0.0
    last = float(events["day"].max())
    visits = [float(days[kind].max()) for kind in SEEN & days.keys()]
    seen = max([day for day in visits if day > start], default=last)
    remission = None
    if present(outcome["response_day"]) and present(outcome["response_days"]):
        day = float(outcome["response_day"])
        remission = (day, day + float(outcome["response_days"]))
    return Swim(
        patient=str(outcome["patient_id"]),
        response=str(outcome["best_response"]),
        start=start,
        end=float(days["last_dose"].max()) if "last_dose" in days else seen,
        last=max([last, *(remission or ())]),
        treatment_known="last_dose" in days,
        ongoing=not ENDS & days.keys(),
        remission=remission,
        events=events,
    )


def _name(swim: Swim) -> str:
    """The patient and, so that colour is not the only sign, the best response."""
    return f"{label(swim.patient)}  <b>{label(swim.response)}</b> "


def _bars(figure: go.Figure, swims: list[Swim], rows: dict[str, int]) -> None:
    for response in in_response_order(swim.response for swim in swims):
        part = [swim for swim in swims if swim.response == response]
        look = response_look(response)
        figure.add_bar(
            orientation="h",
            base=[swim.start / WEEK for swim in part],
            x=[(swim.end - swim.start) / WEEK for swim in part],
            y=[rows[swim.patient] for swim in part],
            width=0.6,
            name=f"{label(response)} ({len(part)})",
            marker={"color": pale(look.colour, 0.55), "line": {"width": 0}},
            hovertext=[_hover(swim) for swim in part],
            hoverinfo="text",
        )


def _hover(swim: Swim) -> str:
    ended = "treatment" if swim.treatment_known else "seen"
    said = f"<b>{label(swim.patient)}</b> · best response {label(swim.response)}"
    until = f"{ended} until day {number(swim.end)} (week {swim.end / WEEK:.1f})"
    return "<br>".join([said, until, "ongoing" if swim.ongoing else ""]).removesuffix("<br>")


def _follow_up(figure: go.Figure, swims: list[Swim], rows: dict[str, int]) -> None:
    """A thin line from the end of the bar to the last day anything is known of."""
    longer = [swim for swim in swims if swim.last > swim.end]
    if longer:
        _segments(figure, [(swim.end, swim.last, rows[swim.patient]) for swim in longer], "followed further", GREY, 1.5)


def _remissions(figure: go.Figure, swims: list[Swim], rows: dict[str, int]) -> None:
    """A line within the bar for as long as the response lasted."""
    parts = [(*swim.remission, rows[swim.patient]) for swim in swims if swim.remission]
    if parts:
        _segments(figure, parts, "in response", INK, 2.5)


def _segments(figure: go.Figure, parts: list[tuple[float, float, int]], name: str, colour: str, width: float) -> None:
    x: list[float | None] = []
    y: list[int | None] = []
    for start, end, row in parts:
        x += [start / WEEK, end / WEEK, None]
        y += [row, row, None]
    line = {"color": colour, "width": width}
    figure.add_scatter(x=x, y=y, mode="lines", name=name, line=line, hoverinfo="skip", cliponaxis=False)


def _marks(figure: go.Figure, swims: list[Swim], rows: dict[str, int], *, scale: float) -> None:
    """The signs, one trace a kind; of several severe events on one day the worst grade stands for all."""
    for kind in MARKS:
        found = [
            (swim.patient, day, said, sign)
            for swim in swims
            for day, said, sign in (_ongoing(swim) if kind == "ongoing" else _found(swim.events, kind))
        ]
        if not found:
            continue
        patients = len({patient for patient, *_ in found})
        graded = kind == "adverse_event"
        figure.add_scatter(
            x=[day / WEEK for _, day, *_ in found],
            y=[rows[patient] + (UPPER_LANE if graded else 0.0) for patient, *_ in found],
            mode="markers+text" if graded else "markers",
            name=f"{MARKS[kind].word} ({patients})",
            marker=mark_look(kind, scale),
            text=[sign for *_, sign in found] if graded else None,
            textfont={"size": 10 * scale, "color": "white"},
            cliponaxis=False,
            hovertext=[
                f"<b>{label(patient)}</b> · day {number(day)} (week {day / WEEK:.1f})<br>{said}"
                for patient, day, said, _ in found
            ],
            hoverinfo="text",
        )


def _ongoing(swim: Swim) -> Iterator[tuple[float, str, str]]:
    if swim.ongoing:
        yield swim.last, "no progression, death or end of treatment is known", ""


def _found(events: pd.DataFrame, kind: str) -> Iterator[tuple[float, str, str]]:
    """Day, words and letter of each sign of that kind."""
    if kind == "adverse_event":
        yield from _severe(events[events["kind"] == kind])
        return
    if kind in ("CR", "PR"):
        rows = events[(events["kind"] == "response") & (events["detail"].map(response_class) == kind)]
    else:
        rows = events[events["kind"] == kind]
    word = "start of the response" if kind in ("CR", "PR") else MARKS[kind].word
    for day, detail in zip(rows["day"], rows["detail"], strict=True):
        yield float(day), ": ".join([word, *([label(detail)] if text(detail) else [])]), ""


def _severe(events: pd.DataFrame) -> Iterator[tuple[float, str, str]]:
    """One sign a day, with the worst grade of that day; S for a serious event without a grade."""
    for day in sorted(set(events["day"])):
        told = [text(detail) for detail in events.loc[events["day"] == day, "detail"]]
        graded = {detail: int(found[-1]) for detail in told if (found := GRADE.findall(detail))}
        chosen = [detail for detail in told if graded.get(detail, 0) >= SEVERE or SERIOUS.search(detail)]
        if chosen:
            worst = max(graded.get(detail, 0) for detail in chosen)
            yield float(day), "<br>".join(map(label, chosen)), str(worst) if worst else "S"


def _detail(swims: list[Swim], outcomes: pd.DataFrame) -> str:
    """Where the bars end, and who has none."""
    known = sum(swim.treatment_known for swim in swims)
    if known == len(swims):
        said = ["bars end with the last dose"]
    elif known:
        said = [f"bars end with the last dose ({plural(known, 'patient')}), else with the last assessment"]
    else:
        said = ["no last dose is told: bars end with the last assessment"]
    absent = sorted(set(outcomes["patient_id"]) - {swim.patient for swim in swims}, key=natural)
    said += [f"no day known: {people(absent)}"] if absent else []
    return "; ".join(said)
