"""What is true of a simulated trial, in words and numbers, so that an analysis can be held against it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rabiomarkers.simulate import blood_counts, cells, cytometry, proteins, repertoires, stool, stool_genes, tumour
from rabiomarkers.simulate.design import Design

PLAN: Mapping[str, tuple[str, ...]] = {
    "primary": ("RA_RESPONSE_CORE", "MACROPHAGE_LIPID_PEROXIDATION", "clr_CD8_TEM"),
    "secondary": (
        "RA_RESPONSE_DIRECT",
        "CYT_ROONEY_2015",
        "TIS_AYERS_2017",
        "NLR",
        "shannon",
        "ra_metaboliser_balance",
    ),
}
"""The plan that a simulated study names."""

# feature -> compartment, direction of its change, in whom; features of the plan that are not here do not change
_EFFECTS: Mapping[str, tuple[str, str, str]] = {
    "RA_RESPONSE_CORE": ("tumour", "up", "everybody"),
    "MACROPHAGE_LIPID_PEROXIDATION": ("tumour", "up", "responders"),
    "clr_CD8_TEM": ("blood", "up", "responders"),
    "RA_RESPONSE_DIRECT": ("tumour", "up", "everybody"),
    "CYT_ROONEY_2015": ("tumour", "up", "responders"),
    "TIS_AYERS_2017": ("tumour", "up", "responders"),
    "NLR": ("blood", "down", "responders"),
    "shannon": ("faecal", "none", "nobody"),
    "ra_metaboliser_balance": ("faecal", "up", "everybody"),
}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The design of a simulated trial, and the true share of each cell type and population by blood sample."""

    design: Design
    cells: int
    fractions: Mapping[str, Mapping[str, float]]
    populations: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, Any]:
        """What `truth.json` holds."""
        samples = [(patient, sample) for patient in self.design.patients for sample in patient.samples]
        return {
            "seed": self.design.seed,
            "effect": self.design.effect,
            "cells_per_sample": self.cells,
            "patients": {
                patient.patient_id: {
                    "responder": patient.responder,
                    "best_response": patient.best_response,
                    "batch": patient.batch,
                }
                for patient in self.design.patients
            },
            "responders": [patient.patient_id for patient in self.design.patients if patient.responder],
            "missing": [sample.sample_id for _, sample in samples if sample.missing],
            "failed_qc": [sample.sample_id for _, sample in samples if sample.poor],
            "reagent_taxa": stool.reagent_table()["species"].tolist(),
            "cell_fractions": {sample: dict(shares) for sample, shares in self.fractions.items()},
            "population_fractions": {sample: dict(shares) for sample, shares in self.populations.items()},
            "planted": planted_effects(self.design) if self.design.planted else [],
            "expected": expected_changes(self.design),
        }


def expected_changes(design: Design) -> list[dict[str, str]]:
    """Each feature of the plan: `tier, compartment, feature, direction` (up, down, none), `in` (everybody, responders, nobody)."""
    changes = []
    for tier, features in PLAN.items():
        for feature in features:
            compartment, direction, who = _EFFECTS[feature]
            if not design.planted:
                direction, who = "none", "nobody"
            row = {"tier": tier, "compartment": compartment, "feature": feature, "direction": direction, "in": who}
            changes.append(row)
    return changes


def planted_effects(design: Design) -> list[dict[str, Any]]:
    """What treatment does in the simulation: `compartment, in, what, size` by member, `unit`."""
    model = tumour.tumour_model(design.seed)
    gut = stool.stool_model()
    genes = model.genes.tolist()
    return [
        _effect("tumour", "everybody", "retinoic-acid targets", "log2 fold", _moved(genes, model.everybody)),
        _effect(
            "tumour",
            "responders",
            "macrophage peroxidation, cytotoxicity, infiltration",
            "log2 fold",
            _moved(genes, model.responders),
        ),
        _effect(
            "blood", "responders", "cell type expands", "fold of the share", {cells.EXPANDING: cells.EXPANSION_FOLD}
        ),
        _effect("blood", "responders", "blood counts", "natural log fold", dict(blood_counts.SHIFT)),
        _effect(
            "blood",
            "responders",
            "share of CD8 memory cells with Ki-67 and PD-1",
            "fold",
            {"CD8_PD1pos_Ki67pos": round(cytometry.PROLIFERATING_AFTER / cytometry.PROLIFERATING, 4)},
        ),
        _effect("blood", "responders", "HLA-DR of monocytes", "log10 fold", {"HLA-DR": cytometry.HLA_DR_SHIFT}),
        _effect("blood", "responders", "receptor clones", "fold", {"expanding clones": repertoires.EXPANSION}),
        _effect("blood", "responders", "proteins", "natural log fold", dict(proteins.SHIFT)),
        _effect(
            "faecal",
            "everybody",
            "taxa that make or use retinoic acid",
            "natural log fold",
            dict.fromkeys(gut.taxa[gut.shifted].tolist(), stool.SHIFT),
        ),
        _effect(
            "faecal",
            "everybody",
            "orthologues that only those taxa carry",
            "natural log fold",
            dict.fromkeys(stool_genes.planted_families(), stool.SHIFT),
        ),
    ]


def _effect(compartment: str, who: str, what: str, unit: str, size: Mapping[str, float]) -> dict[str, Any]:
    return {"compartment": compartment, "in": who, "what": what, "unit": unit, "size": dict(size)}


def _moved(genes: list[str], folds: tumour.Numbers) -> dict[str, float]:
    return {gene: round(float(fold), 4) for gene, fold in zip(genes, folds, strict=True) if fold != 0}
