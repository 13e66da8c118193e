"""Single genes, axes and identity of an invented trial: what is known of the bulk RNA of its tumours."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rabiomarkers.tables.genes import AXES, ENRICHMENT, GENE_COVERAGE, GENE_DELTAS, GENES, IDENTITY
from tests.support.synthetic_change import table_of

if TYPE_CHECKING:
    from tests.support.synthetic_results import Invented

PLACE = {"compartment": "tumour", "assay": "rna_counts"}
KNOWN_GENES = {"CYP26A1": 1.9, "DHRS3": 1.4, "RARB": 1.1, "STRA6": 0.9, "CD8A": 0.6, "GPX4": -0.7, "SLC7A11": -1.2}
ARMS = (
    ("availability", "synthesis", "RA_SYNTHESIS_CORE", "before"),
    ("availability", "degradation", "RA_DEGRADATION", "before"),
    ("response", "all targets", "RA_RESPONSE_CORE", "change"),
    ("response", "direct targets", "RA_RESPONSE_DIRECT", "change"),
    ("peroxidation", "whole", "MACROPHAGE_LIPID_PEROXIDATION", "change"),
)


def gene_tables(trial: "Invented", ledger: pd.DataFrame, changes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables of genes, by the name of their file; empty where the invented trial has no tumour RNA."""
    rna = ledger[(ledger["compartment"] == "tumour") & (ledger["assay"] == "rna_counts")]
    paired = sorted(rna.loc[rna["status"] == "used"].groupby("patient_id").size().loc[lambda size: size == 2].index)
    there = len(rna) > 0 and trial.features
    genes = _genes(trial, len(paired)) if there else []
    return {
        "genes": table_of(GENES, genes),
        "gene_deltas": table_of(GENE_DELTAS, _changes(paired) if there else []),
        "enrichment": table_of(ENRICHMENT, _enrichment(trial, len(paired)) if there else []),
        "gene_coverage": table_of(GENE_COVERAGE, _coverage(trial) if there else []),
        "identity": table_of(IDENTITY, _identity(trial, rna[rna["status"] == "used"]) if there else []),
        "axes": table_of(AXES, _axes(trial, changes) if there else []),
    }


def _genes(trial: "Invented", pairs: int) -> list[dict[str, object]]:
    generator = np.random.default_rng(19)
    others = {f"GENE{place:04d}": float(generator.normal(0, 0.4)) for place in range(200)}
    rows: list[dict[str, object]] = []
    for gene, moved in (KNOWN_GENES | others).items():
        p_value = max(1e-6, min(1.0, 10 ** (-2.2 * abs(moved))))
        row = {**PLACE, "gene": gene, "n_pairs": pairs, "test": "moderated t"}
        if pairs < 3:
            rows.append(row | {"mean_level": 4.0, "note": trial.note or f"{pairs} pairs; at least 3 are needed"})
            continue
        told = {"statistic": 4 * moved, "degrees_of_freedom": 12.4, "p_value": p_value, "q_value": min(1, 12 * p_value)}
        limits = {"estimate": moved, "ci_low": moved - 0.5, "ci_high": moved + 0.5}
        rows.append(row | told | limits | {"mean_level": 4.0 + moved, "note": trial.note})
    untested = {**PLACE, "gene": "LRAT", "n_pairs": pairs, "test": "moderated t"}
    return [*rows, untested | {"note": "too few reads: below 10 counts in most samples"}]


def _changes(patients: list[str]) -> list[dict[str, object]]:
    generator = np.random.default_rng(23)
    return [
        {
            **PLACE,
            "gene": gene,
            "patient_id": patient,
            "change": moved + float(generator.normal(0, 0.4)),
            "chosen": "RA_RESPONSE_CORE" if place < 4 else "smallest p",
        }
        for place, (gene, moved) in enumerate(KNOWN_GENES.items())
        for patient in patients
    ]


def _enrichment(trial: "Invented", pairs: int) -> list[dict[str, object]]:
    told = {"RA_RESPONSE_CORE": ("ra_response", 0.62, 0.004), "CYT_ROONEY_2015": ("cytotoxicity", 0.31, 0.4)}
    about = {**PLACE, "n_genes": 7, "coverage": 0.95, "n_pairs": pairs, "leading_edge": "CYP26A1, DHRS3"}
    rows: list[dict[str, object]] = [
        about
        | {"signature": name, "axis": axis, "direction": "up", "enrichment_score": score, "statistic": 4 * score}
        | {"p_value": p, "q_value": 2 * p, "p_patients": max(p, 2 / 2**pairs), "p_floor": 2 / 2**pairs}
        | {"note": trial.note}
        for name, (axis, score, p) in told.items()
    ]
    few = {"signature": "RA_RECEPTORS", "axis": "ra_receptors", "n_genes": 1, "coverage": 0.2, "n_pairs": pairs}
    return [*rows, {**PLACE, **few, "note": "1 of 5 genes was tested; at least 3 are needed"}]


def _coverage(trial: "Invented") -> list[dict[str, object]]:
    whole = {**PLACE, "signature": "CYT_ROONEY_2015", "n_genes": 2, "n_measured": 2, "coverage": 1.0}
    part = {**PLACE, "signature": "RA_RECEPTORS", "n_genes": 6, "n_measured": 4, "coverage": 4 / 6}
    return [whole, part | {"absent": trial.note or "RXRG, RORC (in 2 samples)"}]


def _identity(trial: "Invented", used: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for place, (_, sample) in enumerate(used.iterrows()):
        own = dict(sample[["sample_id", "patient_id", "timepoint", "compartment", "assay"]])
        sexed = {
            "check": "sex",
            "value": 6.2,
            "unit": "log2 XIST less Y genes",
            "expected": "female",
            "found": "female",
        }
        pair = {
            "check": "pair",
            "value": 4.7,
            "unit": "robust SD of unrelated pairs",
            "p_value": 0.001,
            "p_floor": 0.0002,
        }
        odd = place == 0 and bool(trial.odd_sample)
        rows.append(own | sexed | {"finding": odd, "found": "male" if odd else "female", "note": trial.note})
        rows.append(own | pair | {"finding": odd, "fits": trial.odd_sample or None, "note": trial.note})
    return rows


def _axes(trial: "Invented", changes: pd.DataFrame) -> list[dict[str, object]]:
    moved = changes.set_index(["compartment", "feature"])
    rows: list[dict[str, object]] = []
    for axis, arm, signature, use in ARMS:
        row: dict[str, object] = {"axis": axis, "arm": arm, "signature": signature, "compartment": "tumour", "use": use}
        row |= {"words": f"what {arm} means", "unit": "rank score", "note": trial.note}
        if use == "before":
            rows.append(row | {"n": len(trial.patients), "estimate": 0.55, "low": 0.5, "high": 0.61})
            continue
        found = moved.loc[("tumour", signature)]
        limits = {"estimate": found["estimate"], "low": found["ci_low"], "high": found["ci_high"]}
        rows.append(row | limits | {"n": int(found["n_pairs"])} | dict(found[["p_value", "p_floor"]]))
    return rows
