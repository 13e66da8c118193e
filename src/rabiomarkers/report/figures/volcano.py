"""Every tested gene: how far it moved, and how surely."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from rabiomarkers.report.figures.style import BLUE, GREY, INK, ORANGE, VERMILION, Message, dressed, label, pale
from rabiomarkers.report.words import interval, number, plural, signed
from rabiomarkers.stats.multiplicity import ALPHA

NAMED = 16  # genes whose names stand in the figure
ASKED = 20  # of the planned genes, and of the others, that are tried
LETTER, LINE = 0.010, 0.038  # of a name, in shares of the plot's width and height
MARK = 0.006  # half a mark, in shares of the width
GRID = (240, 160)  # cells over which genes that say nothing of their own are drawn once
SMALLEST = 1e-300  # of p, as the logarithm of 0 is none
SPOKEN = 0.01  # p up to which a gene that no plan names has a sign and a pointer of its own

LOOKS = {
    "up": (BLUE, "triangle-up", "rose, q at most 0.05"),
    "down": (VERMILION, "triangle-down", "fell, q at most 0.05"),
    "planned": (ORANGE, "diamond", "of a planned signature"),
    "other": (GREY, "circle", "other genes"),
}


def volcano(genes: pd.DataFrame, planned: dict[str, str], *, title: str) -> go.Figure | Message:
    """log2 fold change against p, one point a gene.

    Parameters
    ----------
    genes
        Rows of the GENES table of one compartment and assay.
    planned
        Gene -> the planned signature it is of.
    title
        What the genes are of.
    """
    tested = genes[genes["p_value"].notna() & genes["estimate"].notna()]
    if tested.empty:
        return Message(f"No gene of {title} could be tested.")
    passed = tested["q_value"] <= ALPHA
    rows = tested.assign(
        height=-np.log10(tested["p_value"].clip(lower=SMALLEST)),
        look=np.select(
            [passed & (tested["estimate"] > 0), passed & (tested["estimate"] < 0), tested["gene"].isin(list(planned))],
            ["up", "down", "planned"],
            "other",
        ),
    )
    figure = go.Figure()
    quiet = rows[(rows["look"] == "other") & (rows["p_value"] > SPOKEN)]
    _backdrop(figure, quiet)
    for look in ("other", "planned", "down", "up"):
        some = rows[(rows["look"] == look) & ~rows.index.isin(quiet.index)]
        if len(some):
            _points(figure, some, look, planned)
    reach = float(rows["estimate"].abs().max()) * 1.12 or 1.0
    top = float(rows["height"].max()) * 1.12 or 1.0
    _names(figure, rows, planned, reach, top)
    rose, fell = (int((rows["look"] == look).sum()) for look in ("up", "down"))
    detail = f"{plural(rows['n_pairs'].max(), 'pair')}; {rose} rose and {fell} fell with q at most {ALPHA}"
    dressed(figure, title=f"{plural(len(rows), 'gene')} of {label(title)}", detail=detail, height=560)
    figure.update_xaxes(title_text="log2 fold change, later over earlier", range=[-reach, reach])
    figure.update_yaxes(title_text="−log10 p", range=[0, top])
    return figure


def _backdrop(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Points that coincide are drawn once: ten thousand of them would make the page slow and tell nothing more."""
    if rows.empty:
        return
    cells = [
        np.floor((values - values.min()) / (np.ptp(values) or 1.0) * steps)
        for values, steps in zip((rows["estimate"].to_numpy(), rows["height"].to_numpy()), GRID, strict=True)
    ]
    kept = rows[~pd.MultiIndex.from_arrays(cells).duplicated()]
    figure.add_scatter(
        x=kept["estimate"].round(3).tolist(),
        y=kept["height"].round(3).tolist(),
        mode="markers",
        name=f"{LOOKS['other'][2]}, p above {SPOKEN} ({len(rows)})",
        marker={"color": pale(GREY, 0.6), "size": 4},
        hoverinfo="skip",
    )


def _points(figure: go.Figure, rows: pd.DataFrame, look: str, planned: dict[str, str]) -> None:
    colour, symbol, word = LOOKS[look]
    figure.add_scatter(
        x=rows["estimate"].tolist(),
        y=rows["height"].tolist(),
        mode="markers",
        name=f"{word} ({len(rows)})",
        marker={"color": colour, "symbol": symbol, "size": 7, "line": {"width": 0}},
        hovertext=[_hover(row, planned) for _, row in rows.iterrows()],
        hoverinfo="text",
    )


def _names(figure: go.Figure, rows: pd.DataFrame, planned: dict[str, str], reach: float, top: float) -> None:
    """Names of genes of smallest p, planned and others, as far as they find room; the pointer tells the rest."""
    ordered = rows.sort_values(["p_value", "gene"])
    own = ordered[ordered["gene"].isin(list(planned))].head(ASKED)
    others = ordered[~ordered["gene"].isin(list(planned))].head(ASKED)
    loud = rows[(rows["look"] != "other") | (rows["p_value"] <= SPOKEN)]
    marks = np.column_stack([(loud["estimate"] / reach + 1) / 2, loud["height"] / top])
    taken: list[tuple[float, float, float]] = []  # middle and half width, across and up, in shares of the plot
    for _, row in pd.concat([own, others]).sort_values(["p_value", "gene"]).iterrows():
        if len(taken) == NAMED:
            return
        half = LETTER * len(str(row["gene"])) / 2
        across, up = (row["estimate"] / reach + 1) / 2, row["height"] / top
        places = ((across, up + LINE), (across + half + LETTER, up), (across - half - LETTER, up), (across, up - LINE))
        free = next((place for place in places if _is_free(place, half, taken, marks)), None)
        if free is None:
            continue
        taken.append((*free, half))
        figure.add_annotation(
            x=(free[0] * 2 - 1) * reach,
            y=free[1] * top,
            text=label(row["gene"]),
            showarrow=False,
            font={"size": 11, "color": INK},
        )


def _is_free(
    place: tuple[float, float], half: float, taken: list[tuple[float, float, float]], marks: NDArray[np.float64]
) -> bool:
    """Whether a name would fit there: inside the plot, over no other name and no mark."""
    across, up = place
    if not (half < across < 1 - half and 0 < up < 1):
        return False
    if (np.abs(marks - place) < (half + MARK, LINE / 2)).all(axis=1).any():
        return False
    return all(abs(across - other) > half + width or abs(up - height) > LINE for other, height, width in taken)


def _hover(row: pd.Series, planned: dict[str, str]) -> str:
    lines = [
        f"<b>{label(row['gene'])}</b>",
        f"of {label(planned[row['gene']])}" if row["gene"] in planned else "",
        f"log2 fold change {signed(row['estimate'])}, interval {interval(row['ci_low'], row['ci_high'])}",
        f"p = {number(row['p_value'])}, q = {number(row['q_value'])}; mean level {number(row['mean_level'])}",
    ]
    return "<br>".join(line for line in lines if line)
