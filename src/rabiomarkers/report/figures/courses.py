"""Each feature at every timepoint against the first one: small panels."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.panels import errors_of, panel_words
from rabiomarkers.report.figures.style import (
    COMPARTMENT_COLOURS,
    COMPARTMENT_SYMBOLS,
    GREY,
    SOFT,
    Message,
    dressed,
    label,
)
from rabiomarkers.report.words import interval, number, plural, signed

FEATURE = ["compartment", "feature"]
COLUMNS = 3
PANEL = 290  # pixels


def course_lines(courses: pd.DataFrame) -> go.Figure | Message:
    """One panel a feature, in the order of the table: estimate and interval at each timepoint, the first being 0."""
    panels = [rows for _, rows in courses.groupby(FEATURE, sort=False) if rows["estimate"].notna().any()]
    if not panels:
        return Message("No courses: no feature has pairs enough at a later timepoint.")
    columns = min(COLUMNS, len(panels))
    count = -(-len(panels) // columns)  # rounded up
    figure = make_subplots(
        rows=count,
        cols=columns,
        subplot_titles=[_title(rows) for rows in panels],
        horizontal_spacing=0.11,
        vertical_spacing=min(0.35, 140 / (PANEL * count)) if count > 1 else 0.35,
    )
    shown: set[str] = set()
    for position, rows in enumerate(panels):
        _panel(figure, rows, {"row": position // columns + 1, "col": position % columns + 1}, shown)
    pairs = courses["n_pairs"]
    detail = f"{int(pairs.min())} to {plural(pairs.max(), 'pair')} a timepoint; exploratory"
    title = f"Every timepoint against the first: {plural(len(panels), 'feature')}"
    dressed(figure, title=title, detail=detail, height=190 + PANEL * count)
    figure.update_layout(margin={"t": 176, "b": 50})
    figure.update_yaxes(zeroline=False, title_standoff=4)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _panel(figure: go.Figure, rows: pd.DataFrame, place: dict[str, int], shown: set[str]) -> None:
    compartment, reference = str(rows["compartment"].iloc[0]), str(rows["reference"].iloc[0])
    colour = COMPARTMENT_COLOURS.get(compartment, GREY)
    told = rows[rows["estimate"].notna()]
    places = [0, *(list(rows["timepoint"]).index(name) + 1 for name in told["timepoint"])]
    first = pd.DataFrame({name: [0.0] for name in ("estimate", "ci_low", "ci_high")})
    drawn = pd.concat([first, told[list(first.columns)]], ignore_index=True)
    figure.add_scatter(
        x=places,
        y=drawn["estimate"].tolist(),
        mode="lines+markers",
        name=label(compartment),
        legendgroup=compartment,
        showlegend=compartment not in shown,
        line={"color": colour, "width": 1, "dash": "dot"},
        marker={
            "symbol": [f"{COMPARTMENT_SYMBOLS.get(compartment, 'circle')}-open"]
            + [COMPARTMENT_SYMBOLS.get(compartment, "circle")] * len(told),
            "size": 9,
            "color": colour,
        },
        error_y=errors_of(drawn, colour),
        hovertext=[
            f"{label(reference)}: what the others are compared with",
            *(_hover(row) for _, row in told.iterrows()),
        ],
        hoverinfo="text",
        **place,
    )
    shown.add(compartment)
    figure.add_hline(y=0, line={"color": GREY, "width": 1}, **place)
    small = f"<br><span style='font-size:10px;color:{SOFT}'>"
    names = [
        label(reference),
        *(f"{label(row['timepoint'])}{small}{row['n_pairs']} pairs</span>" for _, row in rows.iterrows()),
    ]
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names}
    figure.update_xaxes(range=[-0.4, len(names) - 0.6], showgrid=False, zeroline=False, **ticks, **place)
    figure.update_yaxes(title_text=label(rows["unit"].iloc[0]), **place)


def _hover(row: pd.Series) -> str:
    return (
        f"{label(row['timepoint'])} against {label(row['reference'])}: {signed(row['estimate'])} {label(row['unit'])}"
        f"<br>interval {interval(row['ci_low'], row['ci_high'], row['ci_level'])}<br>p = {number(row['p_value'])}, "
        f"{plural(row['n_pairs'], 'pair')}"
    )


def _title(rows: pd.DataFrame) -> str:
    compartment, feature = rows["compartment"].iloc[0], str(rows["feature"].iloc[0])
    tested = rows["p_any"].dropna()
    said = f"any timepoint: p = {number(tested.iloc[0])}" if len(tested) else "p not estimable"
    return "<br>".join([*panel_words(feature), label(compartment), said])
