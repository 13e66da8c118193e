"""Taxa of one rank: how far each changed, what two other methods say of it, and in how many stools it was seen."""

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.panels import errors_of
from rabiomarkers.report.figures.style import BLUE, GREY, INK, ORANGE, SOFT, VERMILION, Message, dressed, label
from rabiomarkers.report.words import interval, number, p_with_floor, percent, plural, present, signed, text

MOST_TAXA = 25
MOST_LETTERS = 34  # of a taxon's name
ROW_HEIGHT = 34
AGREE, DISAGREE = "agree", "methods disagree"
OFFSET = 0.2  # of the other methods' signs below a row's own


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colour, sign and words of a verdict."""

    colour: str
    symbol: str
    words: str


ROSE = Look(colour=BLUE, symbol="triangle-up", words="rose, methods agree")
FELL = Look(colour=VERMILION, symbol="triangle-down", words="fell, methods agree")
DISPUTED = Look(colour=ORANGE, symbol="diamond", words="methods disagree")
STILL = Look(colour=GREY, symbol="circle", words="no change shown")


def taxa_forest(taxa: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """Left the change of each taxon by three methods, right its prevalence before and after; at most 25, of the smallest p.

    Parameters
    ----------
    taxa
        Rows of TAXA_CHANGES of one rank.
    title
        What the rank is.
    """
    drawable = taxa[taxa["estimate"].notna()]
    if drawable.empty:
        return Message(f"No figure of {title}: no taxon has pairs enough for an estimate.")
    chosen = drawable.sort_values(["p_value", "taxon"], na_position="last").head(MOST_TAXA)
    rows = chosen.sort_values(["estimate", "taxon"], ascending=[False, True], ignore_index=True)
    rows = rows.assign(place=range(len(rows)))
    figure = make_subplots(rows=1, cols=2, column_widths=[0.68, 0.32], shared_yaxes=True, horizontal_spacing=0.03)
    _others(figure, rows)
    _changes(figure, rows)
    _prevalences(figure, rows)
    figure.add_vline(x=0, line={"color": GREY, "width": 1}, row=1, col=1)
    some = f"{len(rows)} of {len(drawable)} taxa, those of the smallest p" if len(rows) < len(drawable) else ""
    detail = f"{plural(rows['n_pairs'].max(), 'pair')}; {some or f'{len(rows)} tested'}"
    dressed(figure, title=f"Change of {label(title)}", detail=detail, height=210 + ROW_HEIGHT * len(rows))
    figure.update_layout(margin={"t": 138})
    figure.update_xaxes(title_text="change in log ratio (ln)", zeroline=False, row=1, col=1)
    figure.update_xaxes(
        title_text="seen in (share of stools)",
        range=[-0.06, 1.06],
        tickformat=".0%",
        nticks=3,
        zeroline=False,
        row=1,
        col=2,
    )
    figure.update_yaxes(
        tickmode="array",
        tickvals=rows["place"].tolist(),
        ticktext=[label(_short(name)) for name in rows["taxon"]],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure


def look_of(row: pd.Series) -> Look:
    """How a taxon's verdict looks."""
    if row["verdict"] == DISAGREE:
        return DISPUTED
    if row["verdict"] != AGREE:
        return STILL
    return ROSE if row["estimate"] > 0 else FELL


def _changes(figure: go.Figure, rows: pd.DataFrame) -> None:
    looks = [look_of(row) for _, row in rows.iterrows()]
    for look in (ROSE, FELL, DISPUTED, STILL):
        own = rows[[each == look for each in looks]]
        if own.empty:
            continue
        figure.add_scatter(
            x=own["estimate"].tolist(),
            y=own["place"].tolist(),
            mode="markers",
            name=look.words,
            marker={"symbol": look.symbol, "color": look.colour, "size": 10},
            error_x=errors_of(own, look.colour),
            hovertext=[_hover(row) for _, row in own.iterrows()],
            hoverinfo="text",
            row=1,
            col=1,
        )


def _others(figure: go.Figure, rows: pd.DataFrame) -> None:
    """The estimates of the other methods, below each row's own."""
    asked = {"ANCOM-BC": ("ancombc_log_fold", "x-thin"), "Dirichlet model": ("dirichlet_log_fold", "square-open")}
    for name, (column, symbol) in asked.items():
        own = rows[rows[column].notna()]
        if own.empty:
            continue
        figure.add_scatter(
            x=own[column].tolist(),
            y=(own["place"] + OFFSET).tolist(),
            mode="markers",
            name=name,
            marker={"symbol": symbol, "color": SOFT, "size": 7, "line": {"width": 1.4, "color": SOFT}},
            hovertext=[
                f"{label(taxon)}<br>{name}: {signed(value)}"
                for taxon, value in zip(own["taxon"], own[column], strict=True)
            ],
            hoverinfo="text",
            row=1,
            col=1,
        )


def _prevalences(figure: go.Figure, rows: pd.DataFrame) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for _, row in rows.iterrows():
        x += [row["prevalence_before"], row["prevalence_after"], None]
        y += [row["place"], row["place"], None]
    common = {"row": 1, "col": 2}
    line = {"color": SOFT, "width": 1.2}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False, **common)
    for side, symbol in (("before", "circle-open"), ("after", "circle")):
        figure.add_scatter(
            x=rows[f"prevalence_{side}"].tolist(),
            y=rows["place"].tolist(),
            mode="markers",
            name=f"seen {side}",
            marker={"symbol": symbol, "color": INK, "size": 7, "line": {"width": 1.4, "color": INK}},
            hovertext=[_presence(row) for _, row in rows.iterrows()],
            hoverinfo="text",
            **common,
        )


def _hover(row: pd.Series) -> str:
    bounds = (row["dirichlet_low"], row["dirichlet_high"])
    lines = [
        f"<b>{label(row['taxon'])}</b>",
        label(text(row["lineage"])),
        f"change {signed(row['estimate'])}, interval {interval(row['ci_low'], row['ci_high'])}",
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}, adjusted {number(row['q_value'])}; {plural(row['n_pairs'], 'pair')}",
        f"ANCOM-BC {signed(row['ancombc_log_fold'])}, adjusted p {number(row['ancombc_q'])}"
        if present(row["ancombc_log_fold"])
        else "",
        f"Dirichlet model {signed(row['dirichlet_log_fold'])}, interval {interval(*bounds)}"
        if present(row["dirichlet_log_fold"])
        else "",
        f"mean share {percent(row['share_before'])} before, {percent(row['share_after'])} after",
        label(text(row["note"])),
    ]
    return "<br>".join(line for line in lines if line)


def _presence(row: pd.Series) -> str:
    told = f", p = {number(row['prevalence_p'])}" if present(row["prevalence_p"]) else ""
    counted = (
        f"<br>came in {plural(row['appeared'], 'patient')}, went in {plural(row['disappeared'], 'patient')}{told}"
        if present(row["appeared"])
        else ""
    )
    return (
        f"{label(row['taxon'])}<br>seen in {percent(row['prevalence_before'])} before, {percent(row['prevalence_after'])} "
        f"after{counted}"
    )


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
