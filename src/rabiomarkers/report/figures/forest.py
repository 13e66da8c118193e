"""How far each feature moved, with its interval: a forest of the paired changes."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    COMPARTMENT_COLOURS,
    COMPARTMENT_SYMBOLS,
    GREY,
    SOFT,
    Message,
    dressed,
    label,
)
from rabiomarkers.report.labels import explained, plain
from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    call_of_change,
    interval,
    number,
    p_with_floor,
    plural,
    signed,
    text,
)

ROW_HEIGHT = 58
LONGEST = 44  # letters of a feature's plain words
SMALL = f"<span style='font-size:11px;color:{SOFT}'>"


def forest(
    changes: pd.DataFrame, deltas: pd.DataFrame, *, tiers: Sequence[str] = ("primary", "secondary")
) -> go.Figure | Message:
    """One row a feature of the tiers: estimate and interval in standard deviations of the patients' changes.

    Features come in units that have nothing in common; dividing each row by its own standard deviation lets them share an axis
    and leaves the place of the interval against zero as it is. The numbers beside each row are in the feature's own unit.
    """
    rows = _rows(changes, tiers)
    if rows.empty:
        return Message(f"No forest plot: no {' or '.join(tiers)} feature was measured.")
    spread = deltas.groupby(["compartment", "feature"])["change"].std()
    rows = rows.assign(
        spread=[float(spread.get(key, float("nan"))) for key in zip(rows["compartment"], rows["feature"], strict=True)]
    )
    drawable = rows[(rows["spread"] > 0) & rows["estimate"].notna()]
    if drawable.empty:
        why = (
            f"none of {plural(len(rows), 'feature')} has pairs enough to tell how changes spread ({_denominator(rows)})"
        )
        return Message(f"No forest plot: {why}.")
    figure = go.Figure()
    for compartment in COMPARTMENT_COLOURS:
        part = drawable[drawable["compartment"] == compartment]
        if len(part):
            _points(figure, part, compartment)
    figure.add_scatter(x=[0], y=[0], yaxis="y2", mode="markers", marker_opacity=0, showlegend=False, hoverinfo="skip")
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    _between_tiers(figure, rows)
    without = len(rows) - len(drawable)
    detail = _denominator(rows) + (f"; {without} of {len(rows)} without an interval to draw" if without else "")
    if unmeasured := int((changes["tier"].isin(tiers) & ~changes["compartment"].isin(COMPARTMENT_COLOURS)).sum()):
        detail += f"; {plural(unmeasured, 'feature')} more not measured"
    title = f"Paired change of {plural(len(rows), 'feature')} ({' and '.join(tiers)})"
    dressed(figure, title=title, detail=detail, height=150 + ROW_HEIGHT * len(rows))
    axis = "estimate and interval, in standard deviations of the patients' changes"
    figure.update_xaxes(title_text=axis, zeroline=False)
    _words_beside(figure, rows)
    return figure


def _words_beside(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Names on the left axis, numbers on the right one: axes make room for their labels by themselves."""
    places = {"tickmode": "array", "tickvals": rows["place"].tolist(), "range": [len(rows) - 0.4, -0.6]}
    bare = {**places, "showgrid": False, "zeroline": False}
    right = {"overlaying": "y", "side": "right", "automargin": True}
    figure.update_layout(
        yaxis={**bare, "ticktext": [_left(row) for _, row in rows.iterrows()]},
        yaxis2={**bare, **right, "ticktext": [_right(row) for _, row in rows.iterrows()]},
    )


def _rows(changes: pd.DataFrame, tiers: Sequence[str]) -> pd.DataFrame:
    """The measured features of the tiers in the order of the tiers, then of the p-values; `place` counts from the top."""
    rows = changes[changes["tier"].isin(tiers) & changes["compartment"].isin(COMPARTMENT_COLOURS)]
    rows = rows.assign(order=rows["tier"].map({tier: index for index, tier in enumerate(tiers)}))
    rows = rows.sort_values(
        ["order", "sequence", "p_value", "compartment", "feature"], na_position="last", ignore_index=True
    )
    return rows.assign(place=range(len(rows)))


def _points(figure: go.Figure, rows: pd.DataFrame, compartment: str) -> None:
    estimate = rows["estimate"] / rows["spread"]
    colour = COMPARTMENT_COLOURS[compartment]
    figure.add_scatter(
        x=estimate.tolist(),
        y=rows["place"].tolist(),
        mode="markers",
        name=compartment,
        marker={"symbol": COMPARTMENT_SYMBOLS[compartment], "color": colour, "size": 10},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["ci_high"] / rows["spread"] - estimate).fillna(0.0).tolist(),
            "arrayminus": (estimate - rows["ci_low"] / rows["spread"]).fillna(0.0).tolist(),
            "thickness": 1.8,
            "width": 5,
            "color": colour,
        },
        hovertext=[_hover(row) for _, row in rows.iterrows()],
        hoverinfo="text",
    )


def _hover(row: pd.Series) -> str:
    lines = [
        f"<b>{label(row['feature'])}</b> ({label(row['compartment'])}, {row['tier']})",
        label(explained(row["feature"])),
        f"estimate {signed(row['estimate'])} {label(row['unit'])}",
        f"interval {interval(row['ci_low'], row['ci_high'], row['ci_level'])}",
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}, adjusted p = {number(row['q_value'])}",
        f"effect size {number(row['effect_size'])}; {label(row['test'])}; {plural(row['n_pairs'], 'pair')}",
        label(call_of_change(row)),
        label(text(row["note"])),
    ]
    return "<br>".join(line for line in lines if line)


def _left(row: pd.Series) -> str:
    about = f"{label(row['compartment'])} · {row['tier']} · {plural(row['n_pairs'], 'pair')}"
    small = [_short(plain(row["feature"])), about]
    return f"{label(row['feature'])} " + "".join(f"<br>{SMALL}{label(line)}</span> " for line in small if line)


def _short(said: str) -> str:
    """Room is scarce left of the axis; the whole words stand in the table."""
    return said if len(said) <= LONGEST else said[: LONGEST - 1].rsplit(" ", 1)[0] + " \N{HORIZONTAL ELLIPSIS}"


def _right(row: pd.Series) -> str:
    if pd.isna(row["estimate"]):
        return f" {NOT_ESTIMABLE}<br> {SMALL}see the table</span>"
    span = interval(row["ci_low"], row["ci_high"])
    between = f" ({span})" if span != NOT_ESTIMABLE else ""
    tested = f"p {p_with_floor(row['p_value'], row['p_floor'])} · adjusted {number(row['q_value'])}"
    return f" {signed(row['estimate'])}{between} {label(row['unit'])}<br> {SMALL}{tested}</span>"


def _between_tiers(figure: go.Figure, rows: pd.DataFrame) -> None:
    changes = rows.index[rows["tier"] != rows["tier"].shift()][1:]
    for start in changes:
        figure.add_hline(y=start - 0.5, line={"color": "#C8CDD3", "width": 1})


def _denominator(rows: pd.DataFrame) -> str:
    counts = rows["n_pairs"]
    least, most = int(counts.min()), int(counts.max())
    return f"{plural(least, 'pair')} each" if least == most else f"{least} to {most} pairs each"
