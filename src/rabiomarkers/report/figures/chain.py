"""The mechanism step by step, one line a patient."""

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    BLACK,
    RESPONDER_COLOURS,
    RESPONDER_DASHES,
    RESPONDER_SYMBOLS,
    Message,
    dressed,
    flags_of,
    label,
    responder_group,
)
from rabiomarkers.report.words import in_natural_order, natural, plural, present, signed

LINE = 22  # letters of a node's name below the axis
RANKS = {group: rank for rank, group in enumerate(RESPONDER_COLOURS, start=1)}
MEDIAN = "median"
SIGNS = {"up": 1.0, "down": -1.0}


def chain_lines(
    chain: pd.DataFrame, outcomes: pd.DataFrame, *, colour: str | None = "responder"
) -> go.Figure | Message:
    """Each patient's change at each node in the chain's order, over the node's spread and turned so that expected is up.

    The spread is the standard deviation of the node's changes over the patients. A line has a gap where the patient has no pair.

    Parameters
    ----------
    chain, outcomes
        The tables of that name.
    colour
        A flag of `outcomes` such as ``responder``; None draws all patients alike.
    """
    nodes, told = _nodes(chain), _told(chain)
    if told.empty:
        return Message("No line along the mechanism: no step has the changes of two patients that differ.")
    flags = flags_of(outcomes, colour) if colour else pd.Series(dtype="boolean")
    figure = go.Figure()
    shown: set[str] = set()
    for patient in sorted(told["patient_id"].unique(), key=natural):
        group = responder_group(flags.get(patient)) if len(flags) else "patient"
        _patient(figure, told[told["patient_id"] == patient], nodes, group, first=group not in shown)
        shown.add(group)
    _median(figure, told, nodes)
    patients = plural(told["patient_id"].nunique(), "patient")
    return _laid_out(figure, told, nodes, f"The mechanism, step by step: {patients} with a pair at one step or more")


def _nodes(chain: pd.DataFrame) -> pd.DataFrame:
    """One row a node, in the chain's order."""
    columns = ["place", "node", "compartment", "feature", "expected"]
    return chain.drop_duplicates("node").sort_values("place")[columns].reset_index(drop=True)


def _told(chain: pd.DataFrame) -> pd.DataFrame:
    """The known changes of the nodes that have a spread, with `score`, the change over it, up where as expected."""
    known = chain[chain["change"].notna()]
    spread = known.groupby("node")["change"].transform("std")
    some = (spread > 1e-12 * known["change"].abs().groupby(known["node"]).transform("max")).to_numpy()
    score = known["change"] / spread.where(some) * known["expected"].map(SIGNS).astype(np.float64)
    return in_natural_order(known.assign(score=score)[some], "patient_id", "place")


def _patient(figure: go.Figure, rows: pd.DataFrame, nodes: pd.DataFrame, group: str, *, first: bool) -> None:
    told: Mapping[Any, Any] = rows.set_index("place").to_dict("index")
    seen = [told.get(place) for place in nodes["place"]]
    figure.add_scatter(
        x=nodes["place"].tolist(),
        y=[row["score"] if row else None for row in seen],
        mode="lines+markers",
        connectgaps=False,
        name=group,
        legendgroup=group,
        legendrank=RANKS.get(group, 1),
        showlegend=first,
        opacity=0.75,
        line={"color": RESPONDER_COLOURS.get(group), "width": 1.6, "dash": RESPONDER_DASHES.get(group)},
        marker={"symbol": RESPONDER_SYMBOLS.get(group), "size": 8},
        hovertext=[_hover(row, group) if row else "" for row in seen],
        hoverinfo="text",
    )


def _hover(row: Mapping[str, Any], group: str) -> str:
    moved = f"change {signed(row['change'])} {label(row['unit'])}, expected {label(row['expected'])}"
    return f"{label(row['patient_id'])} ({group})<br>{label(row['node'])}: {label(row['feature'])}<br>{moved}"


def _median(figure: go.Figure, told: pd.DataFrame, nodes: pd.DataFrame) -> None:
    medians = told.groupby("place")["score"].median()
    values = [float(medians[place]) if place in medians.index else None for place in nodes["place"]]
    figure.add_scatter(
        x=nodes["place"].tolist(),
        y=values,
        mode="lines+markers",
        connectgaps=False,
        name=MEDIAN,
        legendrank=len(RANKS) + 1,
        line={"color": BLACK, "width": 4},
        marker={"symbol": "line-ew", "size": 22, "line": {"width": 4, "color": BLACK}},
        hovertext=[f"median of the patients: {signed(value)} spreads" if present(value) else "" for value in values],
        hoverinfo="text",
    )


def _laid_out(figure: go.Figure, told: pd.DataFrame, nodes: pd.DataFrame, title: str) -> go.Figure:
    counts = told.groupby("place")["patient_id"].nunique()
    empty = nodes.loc[~nodes["place"].isin(counts.index), "node"]
    detail = f"no two pairs that differ: {label(', '.join(empty))}" if len(empty) else ""
    dressed(figure, title=title, detail=detail, height=540 + (26 if detail else 0))
    texts = [_tick(row, int(counts.get(row["place"], 0))) for _, row in nodes.iterrows()]
    ticks = {"tickmode": "array", "tickvals": nodes["place"].tolist(), "ticktext": texts}
    figure.update_xaxes(range=[0.6, len(nodes) + 0.4], showgrid=False, zeroline=False, tickangle=0, **ticks)
    figure.update_yaxes(
        title_text="change / spread (up: as expected)", zeroline=True, zerolinewidth=2, title_standoff=4
    )
    return figure


def _tick(node: pd.Series, pairs: int) -> str:
    said = wrap(str(node["node"]), width=LINE)
    turned = " (turned)" if node["expected"] == "down" else ""
    return "<br>".join([*map(label, said), f"{label(node['compartment'])}{turned}", plural(pairs, "pair")])
