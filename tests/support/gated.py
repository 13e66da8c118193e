"""Simulated tubes of one batch, read as a study reads them, and what is truly in them."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.cytometry import read_cytometry
from rabiomarkers.simulate.cytometry import TYPES, FlowSample, flow_samples, panel_table
from rabiomarkers.simulate.design import design_trial

MONOCYTES = ("mono_classical", "mono_intermediate", "mono_nonclassical")

TRUTH = {
    "leukocyte": tuple(TYPES),
    "lymphocyte": tuple(
        name for name in TYPES if name not in MONOCYTES
    ),  # few in granules, no CD14: dendritic cells too
    "T_cell": tuple(name for name, (positive, _, _) in TYPES.items() if "CD3" in positive.split()),
    "CD4_T": ("CD4_naive", "CD4_TCM", "CD4_TEM", "Treg"),
    "CD8_T": ("CD8_naive", "CD8_TCM", "CD8_TEM", "CD8_TEMRA"),
    "CD4_TCM": ("CD4_TCM", "Treg"),  # regulatory T cells have CCR7 and no CD45RA
    "B_cell": ("B_naive", "B_memory_switched", "plasmablast"),
    "NK": ("NK_CD56dim", "NK_CD56bright"),
    "monocyte": MONOCYTES,
    "DC": ("mDC", "pDC"),
} | {name: (name,) for name in TYPES if name not in ("T_cell", "CD4_TCM")}
"""Population of the tree that ships -> simulated types that belong to it."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pieces and truth by sample."""

    pieces: dict[str, pd.DataFrame]
    truth: dict[str, FlowSample]

    def events(self, sample: str, population: str) -> int:
        """How many living single events of a population there truly are."""
        told = self.truth[sample].truth
        intact = ~told[["dead", "doublet", "debris"]].any(axis=1)
        return int((told["population"].isin(TRUTH[population]) & intact).sum())


def simulated_batch(folder: Path, *, patients: int = 3, events: int = 5_000, seed: int = 1) -> Batch:
    """Tubes of a planted trial, through FCS files."""
    panel = folder / "panel.csv"
    panel_table().to_csv(panel, index=False)
    pieces, truth = {}, {}
    design = design_trial(patients=patients, seed=seed)
    for patient in design.patients:
        for sample, flow in flow_samples(design, patient, events=events):
            path = folder / f"{sample.sample_id}.fcs"
            path.write_bytes(flow.fcs())
            pieces |= read_cytometry(path, label=path.name, sample_ids=[sample.sample_id], assay="flow", panel=panel)
            truth[sample.sample_id] = flow
    return Batch(pieces=pieces, truth=truth)


def piece_of(columns: dict[str, object], *, assay: str = "flow", top: float = 262_144.0) -> pd.DataFrame:
    """A piece of plain columns, as reading an FCS file leaves it."""
    piece = pd.DataFrame(columns).astype("float32")
    kinds = {"FSC": "scatter", "SSC": "scatter", "Tim": "time"}
    piece.attrs["passport"] = {
        "scale": "linear",
        "declared": assay,
        "events": len(piece),
        "compensation": "none",
        "channels": {
            name: {"detector": name, "range": top, "kind": kinds.get(name[:3], "marker")} for name in piece.columns
        },
    }
    return piece
