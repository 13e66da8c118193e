"""How far each part of a composition moved against two references: a forest of log ratios."""

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.panels import errors_of
from rabiomarkers.report.figures.style import BLUE, GREY, ORANGE, SOFT, VERMILION, Message, dressed, label
from rabiomarkers.report.labels import part as plain_part
from rabiomarkers.report.words import interval, number, p_with_floor, percent, plural, present, signed, text

MOST_PARTS = 30
MOST_LETTERS = 34  # of a part's name
ROW_HEIGHT = 36
MOVED = "moved"
UNDECIDED = ("depends on the reference", "their ratio moved")  # something moved, but not which part is told
REFERENCES = {
    "clr": ("against the average of all parts", -0.17),
    "median": ("against the part in the middle", 0.17),
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """Colour and sign of a verdict."""

    colour: str
    symbol: str


UP, DOWN = Look(colour=BLUE, symbol="triangle-up"), Look(colour=VERMILION, symbol="triangle-down")
UNSURE, STILL = Look(colour=ORANGE, symbol="diamond"), Look(colour=GREY, symbol="circle")


def composition_forest(parts: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """One row a part, both references side by side; at most 30 parts, those of the smallest p, ordered by estimate.

    Parameters
    ----------
    parts
        Rows of the COMPOSITION table of one composition, coordinates ``clr`` and ``median``.
    title
        What the composition is.
    """
    drawable = parts[parts["estimate"].notna() & parts["coordinate"].isin(list(REFERENCES))]
    if drawable.empty:
        return Message(f"No forest of {title}: no part has pairs enough for an estimate.")
    names = _chosen(drawable)
    rows = drawable[drawable["part"].isin(names)]
    rows = rows.assign(place=rows["part"].map(names.index))
    figure = go.Figure()
    for coordinate, (reference, offset) in REFERENCES.items():
        of_one = rows[rows["coordinate"] == coordinate].sort_values("place")
        if len(of_one):
            _points(figure, of_one, reference, offset, filled=coordinate == "clr")
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    total = drawable["part"].nunique()
    of_all = (
        f"{len(names)} of {total} parts, those with the smallest p" if len(names) < total else plural(total, "part")
    )
    detail = f"{plural(rows['n_pairs'].max(), 'pair')}; {of_all}"
    dressed(figure, title=f"Change of {label(title)}", detail=detail, height=170 + ROW_HEIGHT * len(names))
    figure.update_xaxes(title_text="change in log ratio (ln)", zeroline=False)
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[_name(name) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    return figure


def verdict_look(row: pd.Series) -> Look:
    """Colour and sign of a part: moved up or down against both references, undecided which part moved, or not."""
    verdict = text(row["verdict"])
    if verdict == MOVED:
        return UP if row["estimate"] > 0 else DOWN
    return UNSURE if verdict in UNDECIDED else STILL


def _chosen(rows: pd.DataFrame) -> list[str]:
    """The parts of the smallest p, the highest estimate first."""
    each = rows.groupby("part").agg(p_value=("p_value", "min"), estimate=("estimate", "mean")).reset_index()
    smallest = each.sort_values(["p_value", "part"], na_position="last").head(MOST_PARTS)
    return [str(name) for name in smallest.sort_values(["estimate", "part"], ascending=[False, True])["part"]]


def _points(figure: go.Figure, rows: pd.DataFrame, reference: str, offset: float, *, filled: bool) -> None:
    looks = [verdict_look(row) for _, row in rows.iterrows()]
    colours = [look.colour for look in looks]
    places = (rows["place"] + offset).tolist()
    for colour in sorted(set(colours)):  # error bars have one colour a trace
        mine = [index for index, own in enumerate(colours) if own == colour]
        some = rows.iloc[mine]
        figure.add_scatter(
            x=some["estimate"].tolist(),
            y=[places[index] for index in mine],
            mode="markers",
            marker={"size": 1, "color": colour},
            error_x=errors_of(some, colour, thickness=1.6 if filled else 1.0),
            hoverinfo="skip",
            showlegend=False,
        )
    figure.add_scatter(
        x=rows["estimate"].tolist(),
        y=places,
        mode="markers",
        name=reference,
        marker={
            "symbol": [look.symbol + ("" if filled else "-open") for look in looks],
            "color": colours,
            "size": 10,
            "line": {"width": 1.5, "color": colours},
        },
        hovertext=[_hover(row, reference) for _, row in rows.iterrows()],
        hoverinfo="text",
    )


def _hover(row: pd.Series, reference: str) -> str:
    lines = [
        f"<b>{label(row['part'])}</b>, {reference}",
        label(plain_part(row["part"])),
        f"change {signed(row['estimate'])}, interval {interval(row['ci_low'], row['ci_high'], row['ci_level'])}",
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}, adjusted {number(row['q_value'])}; {plural(row['n_pairs'], 'pair')}",
        f"seen in {percent(row['prevalence'])} of samples" if present(row["prevalence"]) else "",
        label(text(row["verdict"])),
        label(text(row["note"])),
    ]
    return "<br>".join(line for line in lines if line)


def _name(name: str) -> str:
    told = plain_part(name)
    small = f"<br><span style='font-size:10px;color:{SOFT}'>{label(told)}</span> " if told else ""
    return f"{label(_short(name))} {small}"


def _short(name: str) -> str:
    """A lineage of taxa is long; its last name says which taxon it is."""
    return name if len(name) <= MOST_LETTERS else "\N{HORIZONTAL ELLIPSIS}" + name[-MOST_LETTERS + 1 :]
