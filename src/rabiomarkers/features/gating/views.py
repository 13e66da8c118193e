"""What a person looks at to judge a border: how a sample's events lie about it, those of the population and others."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.features.gating.apply import Cuts, Mask, Membership, conditions, inside_of, levels_of, resolve
from rabiomarkers.features.gating.batch import cuts_of
from rabiomarkers.features.gating.tree import ROOT, GatingTree, Population
from rabiomarkers.tables.cytometry import MARKER_POSITIONS, VIEWS

BINS = 48
FEWEST = 50  # events that make a density, or a background
FEWEST_POSITIVE = 20  # events that have a median
POSITIVE = frozenset({"pos", "high", "dim", "not_neg"})


def densities(events: pd.DataFrame, membership: Membership, gates: pd.DataFrame) -> pd.DataFrame:
    """How the sample's events of each parent lie along each marker that is cut there: a VIEWS table."""
    rows = []
    for parent, marker, values in _cut_markers(events, membership, gates):
        known = values[np.isfinite(values)]
        if len(known) < FEWEST:
            continue
        low, high = np.quantile(known, [0.002, 0.998])
        if high <= low:
            continue
        heights, edges = np.histogram(known, bins=BINS, range=(float(low), float(high)), density=True)
        positions = (edges[:-1] + edges[1:]) / 2
        rows.append(pd.DataFrame({"parent": parent, "marker": marker, "position": positions, "density": heights}))
    table = pd.concat(rows, ignore_index=True) if rows else VIEWS.empty()
    return VIEWS.check(table[list(VIEWS.columns)])


def marker_positions(
    events: pd.DataFrame, membership: Membership, tree: GatingTree, gates: pd.DataFrame
) -> pd.DataFrame:
    """Where the events of each population lie along the markers it is positive for, and where others lie: MARKER_POSITIONS.

    Others are events of the parent that fail another condition of the population, so that no border of this marker decides
    whether they are counted: T cells along CD20, say, which no B cell is. A population with a single condition has the parent's
    events below its border instead.
    """
    cuts = cuts_of(gates)
    inside: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=bool), **membership.members}
    rows = []
    for population in tree.populations:
        if population.name not in membership.members or population.name in membership.remarks:
            continue
        asked, _ = conditions(population, list(events.columns))
        for marker in (name for name in asked if population.gate[name] in POSITIVE):
            values = events[asked[marker][0]].to_numpy(np.float64)
            levels = levels_of(tree, population, marker)
            lower = (
                levels[0] if population.gate[marker] == "dim" else levels[-1]
            )  # dim ends at `high` and begins at `pos`
            cut = float(cuts.borders[population.parent, marker, lower])
            apart = _others(events, tree, population, marker, cuts) if len(asked) > 1 else values <= cut
            others = values[inside[population.parent] & apart]
            own = values[inside[population.name]]
            enough = len(others) >= FEWEST
            middle = float(np.median(others)) if enough else np.nan
            rows.append(
                {
                    "population": population.name,
                    "parent": population.parent,
                    "marker": marker,
                    "cut": cut,
                    "positive": float(np.median(own)) if len(own) >= FEWEST_POSITIVE else np.nan,
                    "positive_events": len(own),
                    "background": middle,
                    "background_spread": 1.4826 * float(np.median(np.abs(others - middle))) if enough else np.nan,
                    "background_above_cut": float((others > cut).mean()) if enough else np.nan,
                    "background_events": len(others),
                }
            )
    table = pd.DataFrame(rows, columns=list(MARKER_POSITIONS.columns)) if rows else MARKER_POSITIONS.empty()
    return MARKER_POSITIONS.check(table.astype({"positive_events": "Int64", "background_events": "Int64"}))


def _others(events: pd.DataFrame, tree: GatingTree, population: Population, marker: str, cuts: Cuts) -> Mask:
    """Events that fail a condition of the population on another marker."""
    rest = replace(population, gate={name: level for name, level in population.gate.items() if name != marker})
    asked, _ = conditions(rest, list(events.columns))
    return ~inside_of(events, tree, rest, asked, cuts)


def _cut_markers(
    events: pd.DataFrame, membership: Membership, gates: pd.DataFrame
) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Parent, marker and values of the parent's events, once for each marker that is cut there."""
    inside: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=bool), **membership.members}
    for parent, marker in gates[["parent", "marker"]].drop_duplicates().itertuples(index=False):
        column = resolve(str(marker), list(events.columns))
        if column is not None and parent in inside:
            yield str(parent), str(marker), events.loc[inside[parent], column].to_numpy(np.float64)
