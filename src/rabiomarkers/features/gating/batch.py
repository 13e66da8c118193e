"""The borders of one batch: samples that were stained and measured together are cut at the same places.

As many events of each sample are pooled, and the tree is walked from its root: each marker is cut among the pooled events of the
population in which it is asked for. Where these have one mode only, or are too few, the nearest wider population in which there are
two decides; where none has, a mode near zero is negative and its end the border. A control (FMO, isotype) decides before the data,
and a frozen border before both.

A new sample of the batch moves the borders a little. Frozen borders (`gates.csv` of an earlier run) do not move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.features.gating.apply import (
    SUBSTITUTES,
    Border,
    Cuts,
    Mask,
    absent_border,
    area_over_height,
    conditions,
    gate,
    inside_of,
    levels_of,
    resolve,
)
from rabiomarkers.features.gating.frozen import read_gates
from rabiomarkers.features.gating.pool import Pool, pool_events, thinned
from rabiomarkers.features.gating.thresholds import (
    FEWEST,
    Cut,
    absent,
    below_positive,
    beyond_negative,
    mirrored,
    of_control,
    two_modes,
)
from rabiomarkers.features.gating.transforms import (
    CYTOF_COFACTOR,
    OVER,
    Transform,
    parse,
)
from rabiomarkers.features.gating.tree import ROOT, GatingTree, Population, load_gating_tree
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.cytometry import GATES

type Values = NDArray[np.float64]

NEAR_ZERO = 0.002  # of the range: a single mode below it is one of negative events
NEAR_ZERO_COUNTS = 5.0  # the same in ion counts
SINGLET_SPREADS = 4.0  # of area over height about its median
MINORITY = 0.5  # share of the parent below which a single mode of positive events is taken as the brightest


def find_gates(
    pieces: Mapping[str, pd.DataFrame],
    tree: GatingTree,
    *,
    batch: str,
    assay: str,
    method: str = "logicle",
    cofactor: float = 150.0,
    controls: Mapping[str, pd.DataFrame] | None = None,
    frozen: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The borders of a batch, a GATES table.

    Parameters
    ----------
    pieces
        Of each sample of the batch: events x columns, linear, with ``attrs["passport"]``.
    method, cofactor
        Scale of flow cytometry: ``logicle`` or ``asinh``.
    controls
        By marker: events of its control, as a piece.
    frozen
        GATES of an earlier run; those of this batch and assay are taken as they are.
    """
    own = _of_batch(frozen, batch, assay)
    known = cuts_of(own).scales if len(own) else {}
    pool = pool_events(pieces, tree, known, controls or {}, assay=assay, method=method, cofactor=cofactor)
    finder = _Finder(tree=tree, pool=pool, frozen=own)
    rows = finder.walk()
    table = pd.DataFrame(rows, columns=[name for name in GATES.columns if name not in ("batch", "assay")])
    table = table.assign(batch=batch, assay=assay, note=table["note"].replace("", None))
    return GATES.check(table[list(GATES.columns)].sort_values(list(GATES.key)))


def cuts_of(gates: pd.DataFrame) -> Cuts:
    """The borders of a GATES table of one batch and assay, as gating takes them."""
    keys = list(zip(gates["parent"], gates["marker"], gates["level"], strict=True))
    scales: dict[str, Transform] = {}
    for marker, told in zip(gates["marker"], gates["transform"], strict=True):
        for part, scale in zip(str(marker).split("/"), str(told).split(OVER), strict=True):
            scales.setdefault(part, parse(scale))
            if part in SUBSTITUTES:
                scales.setdefault(SUBSTITUTES[part], parse(scale))
    return Cuts(
        borders=dict(zip(keys, gates["cut"].astype("float64"), strict=True)),
        scales=scales,
        reasons={key: str(note) for key, note in zip(keys, gates["note"], strict=True) if pd.notna(note)},
    )


def gate_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    batch: str,
    assay: str,
    method: str = "logicle",
    cofactor: float = 150.0,
) -> Info:
    """`tree`, ``piece:<sample_id>`` of each sample of the batch; where there are such ``control:<marker>:<kind>`` and `frozen`
    (a `gates.csv`) -> `gates.parquet`."""
    pieces = {name.partition(":")[2]: path for name, path in inputs.items() if name.startswith("piece:")}
    controls = {name.split(":", 2)[1]: path for name, path in inputs.items() if name.startswith("control:")}
    tree = load_gating_tree(inputs["tree"])
    table = find_gates(  # one file at a time is in memory as a whole
        {sample: thinned(read_table(path), tree, samples=len(pieces)) for sample, path in sorted(pieces.items())},
        tree,
        batch=batch,
        assay=assay,
        method=method,
        cofactor=cofactor,
        controls={
            marker: thinned(read_table(path), tree, samples=len(controls)) for marker, path in sorted(controls.items())
        },
        frozen=read_gates(inputs["frozen"]) if "frozen" in inputs else None,
    )
    write_table(table, out / "gates.parquet")
    return {"borders": int(table["cut"].notna().sum()), "not_found": int(table["cut"].isna().sum())}


def _of_batch(frozen: pd.DataFrame | None, batch: str, assay: str) -> pd.DataFrame:
    if frozen is None:
        return GATES.empty()
    return frozen[(frozen["batch"] == batch) & (frozen["assay"] == assay)]


# ---- finding ---------------------------------------------------------------------------------------------------------


class _Finder:
    """Walks the tree once, finding borders and gating the pool by them."""

    def __init__(self, *, tree: GatingTree, pool: Pool, frozen: pd.DataFrame) -> None:
        self.tree, self.pool = tree, pool
        self.frozen = _frozen_cuts(frozen)
        self.members: dict[str, Mask] = {ROOT: np.ones(len(pool.events), dtype=bool)}
        self.found: dict[Border, Cut] = {}

    def walk(self) -> list[dict[str, object]]:
        """Every border that the tree asks for, as rows of GATES without batch and assay."""
        columns = list(self.pool.events.columns)
        for population in self.tree.populations:
            asked, lacking = conditions(population, columns)
            if population.parent not in self.members or (lacking and not population.optional):
                continue
            for marker in [] if lacking else asked:
                for level in levels_of(self.tree, population, marker):
                    key = (population.parent, marker, level)
                    if key not in self.found:
                        self.found[key] = self._border(key, asked[marker])
            self._gate(population, {} if lacking else asked)
        return [self._row(key, cut) for key, cut in self.found.items()]

    def _gate(self, population: Population, asked: Mapping[str, tuple[str, ...]]) -> None:
        """The population's pooled events, if all of its borders were found or it is passed through."""
        cuts = self._cuts()
        absent_one = absent_border(self.tree, population, asked, cuts)
        if absent_one and not population.optional:
            return
        parent = self.members[population.parent]
        passed = not asked or bool(absent_one)
        inside = parent if passed else parent & inside_of(self.pool.events, self.tree, population, asked, cuts)
        self.members[population.name] = inside

    def _cuts(self) -> Cuts:
        borders = {key: cut.value for key, cut in self.found.items()}
        return Cuts(borders=borders, scales=self.pool.scales, reasons={})

    def _border(self, key: Border, columns: Sequence[str]) -> Cut:
        parent, marker, level = key
        if key in self.frozen:
            return self.frozen[key]
        events = self.pool.events[self.members[parent]]
        if level.startswith("singlet"):
            return _singlets(area_over_height(events, columns), level)
        if level == "high":
            levels = frozenset(each.gate.get(marker, "") for each in self.tree.populations if each.parent == parent)
            return _high(events[columns[0]].to_numpy(np.float64), self.found[parent, marker, "pos"], levels)
        if marker in self.pool.controls and (cut := self._of_control(parent, marker)) is not None:
            return cut
        return self._negative_end(parent, columns[0], excludes=self.tree.only_excludes(marker))

    def _of_control(self, parent: str, marker: str) -> Cut | None:
        """The border that the marker's control leaves, in the same population if it holds enough of the control's events."""
        control = self.pool.controls[marker]
        if marker not in control.columns:
            return None
        inside = gate(control, self.tree, self._cuts()).members
        for name in self._wider(parent):
            own = control[inside[name]] if name in inside else control if name == ROOT else control[:0]
            cut = of_control(own[marker].to_numpy(np.float64))
            if np.isfinite(cut.value):
                return cut if name == parent else replace(cut, note=f"control's events of {name}")
        return None

    def _negative_end(self, parent: str, column: str, *, excludes: bool) -> Cut:
        """The end of negative: above a mode near zero, here or in the nearest wider population that has another mode beside it.

        Where the lower of two modes lies far above zero in each of them, it is dim: then the widest population decides, and where
        none has two modes, the end of the only one. `excludes`: no population is positive for the marker (a dye of dead cells), so
        the lower mode, or the only one, is negative wherever it lies.
        """
        scale = self.pool.scales[column]
        zero = np.inf if scale.kind == "linear" or excludes else _near_zero(scale)
        middle = float(scale.apply(np.zeros(1))[0])
        dim: Cut | None = None
        for name in self._wider(parent):
            values = self.pool.events.loc[self.members[name], column].to_numpy(np.float64)
            # ions are counted: what lies below zero was made by blurring counts of none, and has no mirror image
            above = -np.inf if _counts_ions(scale) else mirrored(values, middle)
            cut = two_modes(values, lowest=True, above=above)
            if np.isfinite(cut.value):
                told = cut if name == parent else replace(cut, note=f"found among the events of {name}")
                if cut.low_mode <= zero:
                    return told
                dim = told
        if dim is not None:
            return dim
        own = self._enough(parent, column)
        one = beyond_negative(own)
        if np.isfinite(one.value) and one.low_mode > zero:
            return below_positive(own)
        if scale.kind == "linear" or one.method == "none":
            return one
        # where most events have the lowest value of all, as counts of no ion, the mode has no width to judge by
        return replace(one, value=max(one.value, _near_zero(scale)))

    def _enough(self, parent: str, column: str) -> NDArray[np.float64]:
        """The events of the population, or of the nearest wider one that has enough of them."""
        for name in self._wider(parent):
            own = self.pool.events.loc[self.members[name], column].to_numpy(np.float64)
            if np.isfinite(own).sum() >= FEWEST:
                return own
        return self.pool.events[column].to_numpy(np.float64)

    def _wider(self, name: str) -> list[str]:
        """The population and what it lies in, nearest first, the root last."""
        return [each for each in ([*self.tree.path(name), ROOT] if name != ROOT else [ROOT]) if each in self.members]

    def _row(self, key: Border, cut: Cut) -> dict[str, object]:
        parent, marker, level = key
        columns = list(self.pool.events.columns)
        scales = [self.pool.scales[resolve(part, columns) or part] for part in marker.split("/")]
        return {
            "parent": parent,
            "marker": marker,
            "level": level,
            "cut": cut.value,
            "method": cut.method,
            "separation": cut.separation,
            "events": cut.events,
            "transform": OVER.join(str(scale) for scale in scales),
            "note": cut.note,
        }


def _frozen_cuts(frozen: pd.DataFrame) -> dict[Border, Cut]:
    """The borders of an earlier run that were found."""
    cuts: dict[Border, Cut] = {}
    for row in frozen.to_dict(orient="records"):
        told = replace(absent(int(row["events"]), "" if pd.isna(row["note"]) else str(row["note"])), method="frozen")
        key = (str(row["parent"]), str(row["marker"]), str(row["level"]))
        cuts[key] = replace(told, value=float(row["cut"]), separation=float(row["separation"]))
    return cuts


def _singlets(ratio: NDArray[np.float64], level: str) -> Cut:
    """Four robust standard deviations about the usual ratio of area to height."""
    known = ratio[np.isfinite(ratio)]
    if len(known) < FEWEST:
        return absent(len(known), f"{len(known)} events, {FEWEST} are needed")
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    sign = -1 if level == "singlet_low" else 1
    border = middle + sign * SINGLET_SPREADS * spread
    return replace(absent(len(known), ""), value=border, method="diagonal")


def _high(values: Values, negative: Cut, levels: frozenset[str]) -> Cut:
    """Where `high` begins: between two modes of positive events, else at an end of the only one.

    `levels`: what the children of the parent ask of the marker. One mode of positive events is usually dim where a child is high
    beside one that is dim (CD56 of NK cells), and usually positive where a child is dim beside one that is positive (CD14 of
    monocytes). Without a dim child it is the brightest mode, if fewer than half of the parent's events make it and a valley parts
    it from the negative ones (CD25 of T cells); else what is high lies beyond it (CD38 of B cells).
    """
    positive = values[values > negative.value]
    two = two_modes(positive)
    if np.isfinite(two.value):
        return two
    if len(positive) < FEWEST:
        return absent(len(positive), f"{len(positive)} positive events, {FEWEST} are needed")
    if "dim" in levels and "high" not in levels:
        return replace(below_positive(positive), note="one mode of positive events; what lies below it is dim")
    apart = negative.method in ("valley", "mixture") and len(positive) < MINORITY * np.isfinite(values).sum()
    if "dim" not in levels and apart:
        note = "one mode of positive events, clearly apart from negative: it is the brightest"
        return replace(negative, note=note, events=len(positive))
    return replace(beyond_negative(positive), note="one mode of positive events; what lies beyond it is high")


def _near_zero(scale: Transform) -> float:
    """Below here a single mode is one of negative events."""
    reach = NEAR_ZERO_COUNTS if _counts_ions(scale) else NEAR_ZERO * scale.top
    return float(scale.apply(np.array([reach]))[0])


def _counts_ions(scale: Transform) -> bool:
    return scale.kind == "asinh" and scale.cofactor == CYTOF_COFACTOR
