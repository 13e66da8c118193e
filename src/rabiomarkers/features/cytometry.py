"""Populations of one sample of flow or mass cytometry: shares, medians of what they express, quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import CellError
from rabiomarkers.features.cells import CLR_CELLS
from rabiomarkers.features.event_quality import cytometry_quality
from rabiomarkers.features.gating.apply import Membership, gate
from rabiomarkers.features.gating.batch import cuts_of
from rabiomarkers.features.gating.strategies import strategy_membership
from rabiomarkers.features.gating.transforms import Transform, choose_transform, transformed
from rabiomarkers.features.gating.tree import ROOT, GatingTree, load_gating_tree
from rabiomarkers.features.gating.views import densities, marker_positions
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.composition import clr
from rabiomarkers.tables.cytometry import GATES, MARKER_POSITIONS, PARTS, POPULATIONS
from rabiomarkers.tables.samples import SAMPLE_FEATURES

LEUKOCYTE = "leukocyte"
OTHER = "other"
OWN_RULES = frozenset({"frozen", "control"})
"""Methods of a border that depend on no other sample."""
STATE_MARKERS = ("Ki-67", "PD-1", "HLA-DR", "CD38", "GZMB")


@dataclass(frozen=True, kw_only=True)
class GatedSample:
    """One sample, gated: events on the scales they were cut on, who belongs where, and on which samples that depends."""

    events: pd.DataFrame
    membership: Membership
    tree: GatingTree
    depends: Mapping[str, bool]  # by population: whether other samples moved a border on the way to it
    scaled: frozenset[str] = frozenset()  # markers whose scale was chosen with other samples


def gate_sample(
    piece: pd.DataFrame, tree: GatingTree, gates: pd.DataFrame, *, extra: Mapping[str, Transform]
) -> GatedSample:
    """Gate one sample by the borders of its batch.

    Parameters
    ----------
    piece
        Events x columns, linear.
    gates
        GATES of the sample's batch and assay.
    extra
        Scales of markers that are not cut, but whose medians are told.
    """
    cuts = cuts_of(gates)
    events = transformed(piece, {**extra, **cuts.scales})
    membership = gate(events, tree, cuts, measured=list(piece.columns))
    frozen = gates["method"] == "frozen"
    return GatedSample(
        events=events,
        membership=membership,
        tree=tree,
        depends=_depends(tree, gates),
        scaled=frozenset(gates.loc[~frozen, "marker"]) - frozenset(gates.loc[frozen, "marker"]),
    )


def population_table(sample: GatedSample, *, minimum_parent_events: int = 100) -> pd.DataFrame:
    """The POPULATIONS of one sample, in the order of the tree; shares of fewer events than the minimum are absent and say so."""
    members, dropped = sample.membership.members, sample.membership.dropped
    counts = {name: int(mask.sum()) for name, mask in members.items()} | {ROOT: len(sample.events)}
    rows = []
    for population in sample.tree.populations:
        name, of = population.name, population.frequency_of
        here = counts.get(name)
        few = "" if counts.get(of, 0) >= minimum_parent_events else f"{counts.get(of, 0)} events of {of}"
        note = dropped.get(name) or (few and f"{few}, {minimum_parent_events} are needed")
        remark = sample.membership.remarks.get(name, "")
        rows.append(
            {
                "population": name,
                "parent": population.parent,
                "frequency_of": of,
                "events": here,
                "parent_events": counts.get(population.parent),
                "fraction_of_parent": _share(here, counts.get(population.parent), minimum_parent_events),
                "fraction": _share(here, counts.get(of), minimum_parent_events),
                "fraction_of_leukocytes": _of_leukocytes(sample.tree, name, counts, minimum_parent_events),
                "cells_per_ul": np.nan,
                "note": "; ".join(part for part in (note, remark) if part) or None,
            }
        )
    table = pd.DataFrame(rows)
    counted = table.astype({"events": "Int64", "parent_events": "Int64"})
    return POPULATIONS.check(counted[list(POPULATIONS.columns)])


def part_table(sample: GatedSample) -> pd.DataFrame:
    """The PARTS of one sample: every leukocyte in the first part that holds it, or in ``other``."""
    members = sample.membership.members
    left = members.get(LEUKOCYTE)
    if left is None:
        return PARTS.empty()
    left = left.copy()
    rows = []
    for name in sample.tree.parts:
        if name in members:
            rows.append((name, int((left & members[name]).sum())))
            left &= ~members[name]
    rows.append((OTHER, int(left.sum())))
    return PARTS.check(pd.DataFrame(rows, columns=["part", "events"]).astype({"events": "Int64"}).sort_values("part"))


def cytometry_features(
    sample: GatedSample,
    populations: pd.DataFrame,
    parts: pd.DataFrame,
    *,
    method: str,
    unit: str,
    state_markers: Sequence[str] = STATE_MARKERS,
    minimum_parent_events: int = 100,
) -> pd.DataFrame:
    """The SAMPLE_FEATURES of one gated sample.

    ``gated_fraction_<POPULATION>`` of the population named by `frequency_of`; ``leukocyte_fraction_<POPULATION>`` of CD45+, where
    that is another one; ``gated_clr_<PART>`` (centred log ratio; half an event stands for none, as in `features.cells`);
    ``median_<MARKER>~<POPULATION>`` of state markers in populations that they do not define, on the scale `unit`.
    """
    rows = [*_share_rows(sample, populations, method), *_ratio_rows(sample, parts, method)]
    rows += _median_rows(sample, populations, state_markers, method, unit, minimum_parent_events)
    table = pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns))
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


type Row = tuple[str, float, str, str, float, bool, str | None]


def _share_rows(sample: GatedSample, populations: pd.DataFrame, method: str) -> list[Row]:
    rows: list[Row] = []
    for told in populations.to_dict(orient="records"):
        name, of = told["population"], told["frequency_of"]
        depends = sample.depends.get(name, True)
        reason = str(told["note"]) if pd.notna(told["note"]) else ""
        shares = [(f"gated_fraction_{name}", told["fraction"], f"fraction of {of}")]
        if of != LEUKOCYTE and LEUKOCYTE in sample.tree.path(name)[1:]:
            shares.append((f"leukocyte_fraction_{name}", told["fraction_of_leukocytes"], "fraction of CD45+"))
        for feature, value, unit in shares:
            note = reason or "too few events" if pd.isna(value) else None
            rows.append((feature, value, unit, method, 1.0 if pd.notna(value) else 0.0, depends, note))
    return rows


def _ratio_rows(sample: GatedSample, parts: pd.DataFrame, method: str) -> list[Row]:
    """Log ratios of the named parts; what is in none is no part of them."""
    named = parts[parts["part"] != OTHER].set_index("part")["events"].astype("float64")
    total = float(named.sum())
    if not len(named) or total <= 0:
        return []
    ratios = clr(named * CLR_CELLS / total)
    return [
        (f"gated_clr_{name}", float(ratios[name]), "clr", method, 1.0, sample.depends.get(str(name), True), None)
        for name in named.index
    ]


def _median_rows(
    sample: GatedSample,
    populations: pd.DataFrame,
    state_markers: Sequence[str],
    method: str,
    unit: str,
    minimum: int,
) -> list[Row]:
    events = dict(zip(populations["population"], populations["events"].fillna(0).astype(int), strict=True))
    rows: list[Row] = []
    for population in sample.tree.populations:
        name = population.name
        if (
            population.kind != "type"
            or LEUKOCYTE not in sample.tree.path(name)
            or name not in sample.membership.members
        ):
            continue
        defining = {marker for each in sample.tree.path(name) for marker in sample.tree[each].gate}
        for marker in state_markers:
            if marker not in sample.events.columns or marker in defining:
                continue
            enough = events[name] >= minimum
            mask = sample.membership.members[name]
            value = float(np.median(sample.events.loc[mask, marker].to_numpy(np.float64))) if enough else np.nan
            note = None if enough else f"{events[name]} events of {name}, {minimum} are needed"
            depends = sample.depends.get(name, True) or marker in sample.scaled
            rows.append((f"median_{marker}~{name}", value, unit, f"median, {method}", 1.0, depends, note))
    return rows


def _depends(tree: GatingTree, gates: pd.DataFrame) -> dict[str, bool]:
    moved = {
        (str(parent), str(marker))
        for parent, marker, method in zip(gates["parent"], gates["marker"], gates["method"], strict=True)
        if method not in OWN_RULES
    }
    return {
        each.name: any(
            (tree[name].parent, marker) in moved for name in tree.path(each.name) for marker in tree[name].gate
        )
        for each in tree.populations
    }


def _share(part: int | None, whole: int | None, minimum: int) -> float:
    return part / whole if part is not None and whole is not None and whole >= max(minimum, 1) else np.nan


def _of_leukocytes(tree: GatingTree, name: str, counts: Mapping[str, int], minimum: int) -> float:
    inside = LEUKOCYTE in tree.path(name)
    return _share(counts.get(name), counts.get(LEUKOCYTE), minimum) if inside else np.nan


def cytometry_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    assay: str,
    transform: str = "logicle",
    cofactor: float = 150.0,
    minimum_events: int = 1_000,
    minimum_parent_events: int = 100,
    minimum_viability: float = 0.5,
    state_markers: Sequence[str] = STATE_MARKERS,
) -> Info:
    """One sample: `features`, `qc`, `populations`, `parts`, `views` and `positions.parquet`.

    Inputs: `sample` (its events); `tree` and `gates` (the borders of its batch), or `gating` (a GatingML or FlowJo file) with
    `matrix` (the FCS file itself, as a strategy brings its own compensation and scales).
    """
    piece = read_table(inputs["sample"])
    extra = _scales(piece, state_markers, assay=assay, method=transform, cofactor=cofactor)
    unit = "asinh" if assay == "cytof" else transform
    if "gating" in inputs:
        gates, method = GATES.empty(), "strategy of the study"
        membership, tree = strategy_membership(inputs["gating"], inputs["matrix"], events=len(piece))
        sample = GatedSample(
            events=transformed(piece, extra),
            membership=membership,
            tree=tree,
            depends={each.name: False for each in tree.populations},
        )
    else:
        gates, method = GATES.check(read_table(inputs["gates"])), "gating tree"
        sample = gate_sample(piece, load_gating_tree(inputs["tree"]), gates, extra=extra)
    populations = population_table(sample, minimum_parent_events=minimum_parent_events)
    parts = part_table(sample)
    features = cytometry_features(
        sample,
        populations,
        parts,
        method=method,
        unit=unit,
        state_markers=state_markers,
        minimum_parent_events=minimum_parent_events,
    )
    quality = cytometry_quality(
        piece, sample.membership, minimum_events=minimum_events, minimum_viability=minimum_viability
    )
    write_table(features, out / "features.parquet")
    write_table(quality, out / "qc.parquet")
    write_table(populations, out / "populations.parquet")
    write_table(parts, out / "parts.parquet")
    write_table(densities(sample.events, sample.membership, gates), out / "views.parquet")
    positions = (
        marker_positions(sample.events, sample.membership, sample.tree, gates)
        if len(gates)
        else MARKER_POSITIONS.empty()
    )
    write_table(positions, out / "positions.parquet")
    return {
        "events": len(piece),
        "populations": len(sample.membership.members),
        "dropped": len(sample.membership.dropped),
    }


def _scales(
    piece: pd.DataFrame, markers: Sequence[str], *, assay: str, method: str, cofactor: float
) -> dict[str, Transform]:
    """Scales of the markers whose medians are told: without a look at the values, so that no other sample plays a part."""
    passport = piece.attrs.get("passport", {})
    if "channels" not in passport:
        raise CellError("The events have no passport; read them by read_cytometry.")
    nothing = np.array([], dtype=np.float64)
    return {
        name: choose_transform(name, nothing, passport["channels"], assay=assay, method=method, cofactor=cofactor)
        for name in markers
        if name in piece.columns
    }
