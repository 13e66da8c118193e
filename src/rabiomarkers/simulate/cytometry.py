"""Flow cytometry of blood mononuclear cells with a known population for each event.

A population is negative, dim, positive or high in each marker of the panel. Beside intact cells there are what every tube has: dead
cells, pairs that stick together, debris, events at the edge of the range; fluorochromes spill over, and batches differ in gain.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import flowio
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.simulate.cells import compositions
from rabiomarkers.simulate.design import Design, Patient, Sample, shared_stream, stream

type Numbers = NDArray[np.float64]

PANEL: Mapping[str, str] = {
    "V450-A": "CD45",
    "V510-A": "Viability",
    "V605-A": "CD3",
    "V655-A": "CD4",
    "V711-A": "CD8",
    "V786-A": "CD19",
    "B515-A": "CD45RA",
    "B710-A": "CD14",
    "Y586-A": "CCR7",
    "Y610-A": "CD16",
    "Y670-A": "CD56",
    "Y710-A": "HLA-DR",
    "Y780-A": "PD-1",
    "R660-A": "Ki67",
    "R710-A": "CD25",
    "R780-A": "CD127",
    "U395-A": "CD20",
    "U496-A": "CD27",
    "U661-A": "IgD",
    "U737-A": "CD38",
    "U805-A": "CD11c",
    "B610-A": "CD123",
    "B660-A": "GranzymeB",
}
"""Detector -> marker, as a laboratory writes it (some under another name)."""

SCATTER = ("FSC-A", "FSC-H", "SSC-A")
TOP = 262_144.0

LEVELS: Mapping[str, tuple[float, float]] = {
    "neg": (0.0, 0.0),
    "dim": (3.15, 0.14),
    "pos": (3.95, 0.16),
    "high": (4.6, 0.13),
}
"""Mean and spread of log10 intensity; negative events scatter about zero."""
NEGATIVE_SPREAD = 130.0

TYPES: Mapping[str, tuple[str, str, str]] = {
    "CD4_naive": ("CD3 CD4 CD45RA CCR7 CD127 CD27", "CD38", ""),
    "CD4_TCM": ("CD3 CD4 CCR7 CD127 CD27", "", ""),
    "CD4_TEM": ("CD3 CD4 CD127", "", ""),
    "Treg": ("CD3 CD4 CCR7 CD27", "", "CD25"),
    "CD8_naive": ("CD3 CD8 CD45RA CCR7 CD127 CD27", "CD38", ""),
    "CD8_TCM": ("CD3 CD8 CCR7 CD127 CD27", "", ""),
    "CD8_TEM": ("CD3 CD8 GZMB", "CD127", ""),
    "CD8_TEMRA": ("CD3 CD8 CD45RA GZMB", "", ""),
    "T_cell": ("CD3 CD127", "", ""),
    "B_naive": ("CD19 CD20 HLA-DR IgD CD45RA", "CD38", ""),
    "B_memory_switched": ("CD19 CD20 HLA-DR CD27 CD45RA", "", ""),
    "plasmablast": ("CD19 HLA-DR", "", "CD27 CD38"),
    "NK_CD56dim": ("CD16 CD45RA GZMB CD38", "CD56", ""),
    "NK_CD56bright": ("CD38", "", "CD56"),
    "mono_classical": ("CD14 HLA-DR CD11c CD38", "", ""),
    "mono_intermediate": ("CD14 CD16 HLA-DR CD11c", "", ""),
    "mono_nonclassical": ("CD16 HLA-DR CD11c", "CD14", ""),
    "mDC": ("HLA-DR CD11c", "", ""),
    "pDC": ("HLA-DR CD123", "", ""),
}
"""Markers of each population that are positive, dim, high; CD45 is positive in all, everything else negative."""

_OF_CELLS: Mapping[str, str] = {
    "gdT": "T_cell",
    "MAIT": "T_cell",
    "B_memory": "B_memory_switched",
    "cDC2": "mDC",
}
"""Types of the single-cell simulation under another name; platelets are no leukocytes."""
_FURTHER: Mapping[str, float] = {"CD4_TEM": 0.05, "CD8_TCM": 0.02, "CD8_TEMRA": 0.04, "mono_intermediate": 0.012}
"""Shares of what the single-cell simulation has none of."""

MYELOID = ("mono_classical", "mono_intermediate", "mono_nonclassical", "mDC", "pDC")
PROLIFERATING, PROLIFERATING_AFTER = 0.03, 0.14
"""Share of CD8 memory cells with Ki-67 and PD-1; after treatment in responders."""
HLA_DR_SHIFT = 0.2
"""log10 by which HLA-DR of monocytes rises in responders."""
DEAD, DOUBLETS, DEBRIS, EDGE = 0.05, 0.04, 0.03, 0.003


@dataclass(frozen=True, kw_only=True)
class FlowSample:
    """One tube: events x channels as the instrument writes them (spilled over, linear), and what each event truly is.

    `truth`: `population` (of a doublet the first cell's), `dead`, `doublet`, `debris`.
    """

    events: pd.DataFrame
    truth: pd.DataFrame
    spillover: Numbers

    def fractions(self) -> dict[str, float]:
        """True share of each population of `TYPES` among living single leukocytes, 0 of one that was not drawn."""
        intact = self.truth[~self.truth[["dead", "doublet", "debris"]].any(axis=1)]
        shares = intact["population"].value_counts(normalize=True)
        return {name: float(shares.get(name, 0.0)) for name in TYPES}

    def fcs(self) -> bytes:
        """The file, FCS 3.1 with its spillover matrix."""
        detectors = list(PANEL)
        told = [str(len(detectors)), *detectors, *(f"{value:.6g}" for value in self.spillover.ravel())]
        ranges = {f"p{number}r": f"{TOP:.0f}" for number in range(1, len(self.events.columns) + 1)}
        handle = io.BytesIO()
        flowio.create_fcs(
            handle,
            self.events.to_numpy(np.float32).ravel().tolist(),
            list(self.events.columns),
            opt_channel_names=[PANEL.get(name, "") for name in self.events.columns],
            metadata_dict={"spillover": ",".join(told), "timestep": "0.01", **ranges},
        )
        return handle.getvalue()


def panel_table() -> pd.DataFrame:
    """The panel CSV: `channel, marker`."""
    return pd.DataFrame({"channel": list(PANEL), "marker": list(PANEL.values())})


def flow_samples(design: Design, patient: Patient, *, events: int = 5_000) -> Iterator[tuple[Sample, FlowSample]]:
    """The tubes that were taken of one patient; `events` of each, all kinds of bad ones included."""
    rng = stream(design.seed, patient.index, "flow")
    shares = _shares(design, patient, rng)
    spillover = _spillover(design)
    gain = np.exp(
        np.random.default_rng([design.seed, int(patient.batch.rpartition("-")[2])]).normal(0, 0.06, len(PANEL))
    )
    for sample in patient.of("flow"):
        after = design.planted and patient.responder and sample.timepoint == "post"
        drawn = _tube(shares[sample.timepoint], spillover, gain, events, after=after, rng=rng)
        if not sample.missing:
            yield sample, drawn


def _shares(design: Design, patient: Patient, rng: np.random.Generator) -> dict[str, pd.Series]:
    """By timepoint, from the same blood as the single cells."""
    names = {sample.sample_id: sample.timepoint for sample in patient.of("pbmc")}
    further = pd.Series(_FURTHER) * np.exp(rng.normal(0.0, 0.3, len(_FURTHER)))
    told = {}
    for sample_id, shares in compositions(design, patient).items():
        known = shares.drop("platelet").rename(index=_OF_CELLS).groupby(level=0).sum()
        all_of = pd.concat([known * (1 - further.sum()), further]).reindex(list(TYPES))
        told[names[sample_id]] = all_of / all_of.sum()
    return told


def _spillover(design: Design) -> Numbers:
    """Neighbouring detectors see up to a fifth of each other."""
    rng = shared_stream(design.seed, "flow")
    size = len(PANEL)
    matrix = np.eye(size)
    for step, most in ((1, 0.2), (2, 0.06)):
        for at in range(size - step):
            matrix[at, at + step], matrix[at + step, at] = rng.uniform(0.0, most), rng.uniform(0.0, most / 3)
    return matrix


def _tube(
    shares: pd.Series, spillover: Numbers, gain: Numbers, events: int, *, after: bool, rng: np.random.Generator
) -> FlowSample:
    names = np.array(list(TYPES))
    first, second = rng.choice(len(names), size=(2, events), p=shares.to_numpy())
    dead = rng.random(events) < DEAD
    debris = ~dead & (rng.random(events) < DEBRIS)
    doublet = ~dead & ~debris & (rng.random(events) < DOUBLETS)
    light, scatter = _cells(names[first], after, rng)
    more_light, more_scatter = _cells(names[second], after, rng)
    light += np.where(doublet[:, None], more_light, 0.0)
    scatter[:, [0, 2]] += np.where(doublet[:, None], more_scatter[:, [0, 2]], 0.0)  # the height stays that of one cell
    markers = [_canonical(name) for name in PANEL.values()]
    viability = markers.index("Viability")
    light[dead, viability] = 10 ** rng.normal(4.3, 0.2, int(dead.sum()))
    light[debris] = rng.normal(0.0, NEGATIVE_SPREAD, (int(debris.sum()), len(markers)))
    scatter[debris] *= 0.15
    edge = rng.random(events) < EDGE
    scatter[edge, 0] = TOP
    seen = np.minimum((light * gain) @ spillover + rng.normal(0.0, 15.0, light.shape), TOP)
    time = np.sort(rng.uniform(0.0, 6_000.0, events))
    columns = [*SCATTER, *PANEL, "Time"]
    table = pd.DataFrame(np.column_stack([np.minimum(scatter, TOP), seen, time]).astype(np.float32), columns=columns)
    truth = pd.DataFrame({"population": names[first], "dead": dead, "doublet": doublet, "debris": debris})
    return FlowSample(events=table, truth=truth, spillover=spillover)


def _cells(names: NDArray[np.str_], after: bool, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Light of each marker and scatter of single living cells."""
    markers = [_canonical(name) for name in PANEL.values()]
    level = np.array([[_level(name, marker) for marker in markers] for name in TYPES])
    kinds = np.searchsorted(np.sort(list(TYPES)), names)
    own = level[np.argsort(list(TYPES))][kinds]
    memory = np.isin(names, ["CD8_TCM", "CD8_TEM", "CD8_TEMRA"])
    busy = rng.random(len(names)) < np.where(memory, PROLIFERATING_AFTER if after else PROLIFERATING, 0.01)
    for marker in ("Ki-67", "PD-1"):
        own[busy, markers.index(marker)] = "pos"
    light = rng.normal(0.0, NEGATIVE_SPREAD, own.shape)
    for name, (mean, spread) in LEVELS.items():
        if name != "neg":
            at = own == name
            light[at] = 10 ** rng.normal(mean, spread, int(at.sum()))
    myeloid = np.isin(names, MYELOID)
    if after:
        light[myeloid, markers.index("HLA-DR")] *= 10**HLA_DR_SHIFT
    forward = np.where(myeloid, 130_000.0, 85_000.0) * np.exp(rng.normal(0.0, 0.07, len(names)))
    height = forward * 0.72 * np.exp(rng.normal(0.0, 0.03, len(names)))
    side = np.where(myeloid & ~np.isin(names, ["mDC", "pDC"]), 62_000.0, 24_000.0) * np.exp(
        rng.normal(0.0, 0.14, len(names))
    )
    return light, np.column_stack([forward, height, side])


def _canonical(name: str) -> str:
    return {"Ki67": "Ki-67", "GranzymeB": "GZMB"}.get(name, name)


def _level(population: str, marker: str) -> str:
    positive, dim, high = TYPES[population]
    if marker == "CD45" or marker in positive.split():
        return "pos"
    return "dim" if marker in dim.split() else "high" if marker in high.split() else "neg"
