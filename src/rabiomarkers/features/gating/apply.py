"""Which events belong to which population, once every border is known. No other sample plays a part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.features.gating.transforms import Transform
from rabiomarkers.features.gating.tree import ROOT, GatingTree, Population

type Mask = NDArray[np.bool_]
type Border = tuple[str, str, str]
"""Parent, marker, level: pos (end of negative), high (end of dim), singlet_low, singlet_high."""

BORDERS: Mapping[str, tuple[str, ...]] = {
    "pos": ("pos",),
    "neg": ("pos",),
    "low": ("pos",),
    "not_neg": ("pos",),
    "high": ("pos", "high"),
    "dim": ("pos", "high"),
    "singlet": ("singlet_low", "singlet_high"),
}
"""Which borders a level needs. Where a sibling is dim in a marker, `pos` begins above dim and needs both."""

SUBSTITUTES: Mapping[str, str] = {"SSC-A": "SSC-H", "FSC-A": "FSC-H"}
"""What stands in for a scatter channel that an older cytometer does not write."""


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """Borders by (parent, marker, level), the scale of each column, and why a border is absent."""

    borders: Mapping[Border, float]
    scales: Mapping[str, Transform]
    reasons: Mapping[Border, str]


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Events of each population that could be gated; for the others why not; remarks on populations that were passed through."""

    members: Mapping[str, Mask]
    dropped: Mapping[str, str]
    remarks: Mapping[str, str]


def levels_of(tree: GatingTree, population: Population, marker: str) -> tuple[str, ...]:
    """The borders that this condition of the population needs."""
    level = population.gate[marker]
    if level == "pos" and tree.dims(population.parent, marker):
        return BORDERS["dim"]
    return BORDERS[level]


def resolve(marker: str, columns: Sequence[str]) -> str | None:
    """The column that stands for a marker; None where there is none."""
    if marker in columns:
        return marker
    substitute = SUBSTITUTES.get(marker)
    return substitute if substitute in columns else None


def conditions(population: Population, columns: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The columns of each condition that can be asked, and the markers that the panel lacks.

    A condition on scatter is passed over where the instrument measures none at all (mass cytometry).
    """
    blind = not any(name.startswith(("FSC", "SSC")) for name in columns)
    found: dict[str, tuple[str, ...]] = {}
    lacking = []
    for marker in population.gate:
        parts = marker.split("/")
        if blind and all(part.startswith(("FSC", "SSC")) for part in parts):
            continue
        own = [part if part in columns else None for part in parts] if len(parts) > 1 else [resolve(marker, columns)]
        if None in own:
            lacking.append(marker)
        else:
            found[marker] = tuple(str(column) for column in own)
    return found, lacking


def gate(events: pd.DataFrame, tree: GatingTree, cuts: Cuts, *, measured: Sequence[str] | None = None) -> Membership:
    """Gate the events of one sample.

    Parameters
    ----------
    events
        Events x columns on the scales of `cuts` (`transforms.transformed`).
    measured
        Every column of the sample, those without a scale too, so that only what the panel lacks is said to be lacking; the
        columns of `events` where None.
    """
    columns = list(events.columns) if measured is None else measured
    members: dict[str, Mask] = {ROOT: np.ones(len(events), dtype=bool)}
    dropped: dict[str, str] = {}
    remarks: dict[str, str] = {}
    for population in tree.populations:
        name, parent = population.name, population.parent
        if parent in dropped:
            dropped[name] = f"{parent} cannot be gated: {dropped[parent].rpartition(': ')[2]}"
            continue
        asked, lacking = conditions(population, columns)
        if lacking and not population.optional:
            dropped[name] = f"the panel lacks {' and '.join(lacking)}"
            continue
        if lacking or not asked:
            remarks[name] = f"passed through: no {' and '.join(lacking or population.gate)} was measured"
            members[name] = members[parent]
            continue
        absent = absent_border(tree, population, asked, cuts)
        if absent and population.optional:
            remarks[name] = f"passed through: {absent}"
            members[name] = members[parent]
        elif absent:
            dropped[name] = absent
        else:
            members[name] = members[parent] & inside_of(events, tree, population, asked, cuts)
    members.pop(ROOT)
    return Membership(members=members, dropped=dropped, remarks=remarks)


def absent_border(tree: GatingTree, population: Population, asked: Mapping[str, tuple[str, ...]], cuts: Cuts) -> str:
    """Which border of the population was not found, and why; empty where all were. `asked`: from `conditions`."""
    for marker in asked:
        for level in levels_of(tree, population, marker):
            key = (population.parent, marker, level)
            if not np.isfinite(cuts.borders.get(key, np.nan)):
                why = cuts.reasons.get(key) or "it was not looked for"
                return f"no border of {marker} within {population.parent} ({why})"
    return ""


def inside_of(
    events: pd.DataFrame,
    tree: GatingTree,
    population: Population,
    asked: Mapping[str, tuple[str, ...]],
    cuts: Cuts,
) -> Mask:
    """Which events meet every condition of the population, whatever its parent."""
    inside = np.ones(len(events), dtype=bool)
    for marker, columns in asked.items():
        level = population.gate[marker]
        border = {name: cuts.borders[population.parent, marker, name] for name in levels_of(tree, population, marker)}
        if level == "singlet":
            ratio = area_over_height(events, columns)
            inside &= (ratio >= border["singlet_low"]) & (ratio <= border["singlet_high"])
            continue
        values = events[columns[0]].to_numpy(np.float64)
        match level:
            case "pos":
                inside &= values > border.get("high", border["pos"])
            case "not_neg":
                inside &= values > border["pos"]
            case "high":
                inside &= values > border["high"]
            case "dim":
                inside &= (values > border["pos"]) & (values <= border["high"])
            case _:
                inside &= values <= border["pos"]
    return inside


def area_over_height(events: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """The first scatter channel over the second; two cells that stick together have the height of one and the area of two."""
    first, second = (events[column].to_numpy(np.float64) for column in columns)
    ratio: NDArray[np.float64] = np.divide(first, second, out=np.full(len(events), np.inf), where=second > 0)
    return ratio
