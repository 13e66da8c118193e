"""T-cell clones before and after, patient by patient."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.change.repertoires import SHOWN
from rabiomarkers.report.figures.style import BLUE, GREY, SOFT, VERMILION, Message, dressed, label
from rabiomarkers.report.words import number, percent, plural

COLUMNS = 4
PANEL = 210  # px
MOST_PATIENTS = 24
LOOKS = {  # colour, sign and words of what the test says; small clones that were not called are not in the table
    "unchanged": (GREY, "circle-open", f"no change shown (the {SHOWN} largest of a patient)"),
    "contracted": (VERMILION, "triangle-down", "contracted"),
    "expanded": (BLUE, "triangle-up", "expanded"),
}


def clone_panels(clones: pd.DataFrame, overlaps: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """One panel a patient: the share of each clone before and after; a clone unseen in one sample stands at half a count.

    Drawn are the clones that were called and the largest of those that were not.

    Parameters
    ----------
    clones, overlaps
        Rows of CLONES and OVERLAPS of one compartment and locus.
    """
    patients = sorted(clones["patient_id"].unique())
    if not patients:
        return Message(f"{title}: no patient has a repertoire before and after.")
    shown = patients[:MOST_PATIENTS]
    rows = -(-len(shown) // COLUMNS)
    told = overlaps.set_index("patient_id")
    titles = [f"<b>{label(patient)}</b> overlap {number(told['morisita_horn'].get(patient))}" for patient in shown]
    figure = make_subplots(
        rows=rows, cols=COLUMNS, subplot_titles=titles, horizontal_spacing=0.05, vertical_spacing=min(0.4 / rows, 0.2)
    )
    legend: set[str] = set()
    for at, patient in enumerate(shown):
        place = {"row": at // COLUMNS + 1, "col": at % COLUMNS + 1}
        own = clones[clones["patient_id"] == patient]
        half = [0.5 / max(float(told[f"reads_{side}"].get(patient, 1)), 1.0) for side in ("before", "after")]
        before, after = own["share_before"].clip(lower=half[0]), own["share_after"].clip(lower=half[1])
        lowest, highest = min(*half), float(max(before.max(), after.max()))
        figure.add_scatter(
            x=[lowest, highest],
            y=[lowest, highest],
            mode="lines",
            line={"color": SOFT, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
            **place,
        )
        for direction, (colour, symbol, words) in LOOKS.items():
            these = own["direction"] == direction
            if not these.any():
                continue
            figure.add_scatter(
                x=before[these].tolist(),
                y=after[these].tolist(),
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 8},
                name=words,
                legendgroup=direction,
                showlegend=direction not in legend,
                hovertext=[_hover(row) for _, row in own[these].iterrows()],
                hoverinfo="text",
                **place,
            )
            legend.add(direction)
    more = f"; the first {MOST_PATIENTS} of {len(patients)}" if len(patients) > len(shown) else ""
    detail = (
        f"{plural(len(patients), 'patient')} with both samples{more}; shares on logarithmic axes, "
        "unseen stands at half a count"
    )
    dressed(figure, title=title, detail=detail, height=180 + PANEL * rows)
    figure.update_xaxes(type="log", nticks=4, tickformat=".2~%", tickfont={"size": 10}, title_font_size=11)
    figure.update_yaxes(type="log", nticks=4, tickformat=".2~%", tickfont={"size": 10}, title_font_size=11)
    for at in range(max(0, len(shown) - COLUMNS), len(shown)):
        figure.update_xaxes(title_text="before", row=at // COLUMNS + 1, col=at % COLUMNS + 1)
    figure.update_yaxes(title_text="after", col=1)
    figure.update_layout(margin={"t": 126})
    figure.for_each_annotation(lambda note: note.update(font_size=11) if note.text.startswith("<b>") else None)
    return figure


def _hover(row: pd.Series) -> str:
    tested = f"q = {number(row['q_value'])}" if np.isfinite(float(row["q_value"])) else "not tested"
    return (
        f"{label(row['clone'])}<br>{percent(row['share_before'])} to {percent(row['share_after'])} "
        f"({row['reads_before']} to {row['reads_after']} counted)<br>{tested}"
    )
