"""Invented tables of gated cells, receptors, proteins and drawn cells, for tests of whatever shows them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rabiomarkers.tables.cytometry import (
    CLONES,
    DETECTION,
    EMBEDDING,
    GATE_CHECKS,
    GATES,
    OVERLAPS,
    SAMPLE_POPULATIONS,
    SAMPLE_POSITIONS,
    SAMPLE_VIEWS,
)

POPULATIONS = ("T_cell", "CD4_T", "CD8_T", "B_cell")
MARKERS = {"leukocyte": ("CD3", "CD19"), "T_cell": ("CD4", "CD8")}
POSITIONS = np.linspace(0.0, 1.0, 12)


def blood_tables(
    patients: Sequence[str], *, contrast: tuple[str, str], note: str | None = None
) -> dict[str, pd.DataFrame]:
    """By name; of each patient a sample ``<patient>-<timepoint>-flow`` before and after."""
    samples = [f"{patient}-{time}-flow" for patient in patients for time in contrast]
    return {
        "gates": _gates(note),
        "populations": SAMPLE_POPULATIONS.check(
            pd.concat([_populations(name, note) for name in samples], ignore_index=True)
        ),
        "densities": SAMPLE_VIEWS.check(pd.concat([_densities(name) for name in samples], ignore_index=True)),
        "positions": SAMPLE_POSITIONS.check(pd.concat([_positions(name) for name in samples], ignore_index=True)),
        "gate_checks": _gate_checks(len(patients), note),
        "detection": _detection(note),
        "overlaps": _overlaps(patients),
        "clones": _clones(patients),
        "embedding": _embedding(samples),
    }


def _gates(note: str | None) -> pd.DataFrame:
    rows = [
        ("b1", "flow", parent, marker, "pos", 0.45, "valley", 4.2, 20_000, "logicle T=262144 W=0.5 M=4.5 A=0", note)
        for parent, markers in MARKERS.items()
        for marker in markers
    ]
    rows.append(
        ("b1", "flow", "T_cell", "CD25", "pos", np.nan, "none", np.nan, 90, "linear T=1", "90 events, 200 are needed")
    )
    return GATES.check(pd.DataFrame(rows, columns=list(GATES.columns)).astype({"events": "Int64"}))


def _populations(sample: str, note: str | None) -> pd.DataFrame:
    rows = [
        (sample, "flow", name, "leukocyte", "leukocyte", 250, 1000, 0.25, 0.25, 0.25, 480.0, note)
        for name in POPULATIONS
    ]
    rows.append(
        (sample, "flow", "neutrophil", "leukocyte", "leukocyte", None, 1000, *[np.nan] * 4, "the panel lacks CD15")
    )
    table = pd.DataFrame(rows, columns=list(SAMPLE_POPULATIONS.columns))
    return table.astype({"events": "Int64", "parent_events": "Int64"})


def _densities(sample: str) -> pd.DataFrame:
    height = np.exp(-((POSITIONS - 0.2) ** 2) / 0.01) + 0.5 * np.exp(-((POSITIONS - 0.7) ** 2) / 0.01)
    parts = [
        pd.DataFrame({"parent": parent, "marker": marker, "position": POSITIONS, "density": height})
        for parent, markers in MARKERS.items()
        for marker in markers
    ]
    return pd.concat(parts, ignore_index=True).assign(sample_id=sample, batch="b1", assay="flow")[
        list(SAMPLE_VIEWS.columns)
    ]


def _positions(sample: str) -> pd.DataFrame:
    row = (sample, "flow", "B_cell", "leukocyte", "CD19", 0.45, 0.7, 250, 0.2, 0.08, 0.01, 600)
    table = pd.DataFrame([row], columns=list(SAMPLE_POSITIONS.columns))
    return table.astype({"positive_events": "Int64", "background_events": "Int64"})


def _gate_checks(pairs: int, note: str | None) -> pd.DataFrame:
    rows = [
        (
            "flow",
            "B_cell",
            "leukocyte",
            "CD19",
            pairs,
            -0.1,
            0.3,
            -0.9,
            0.6,
            pairs,
            "marker-driven",
            note or "CD19 moved",
        ),
        ("flow", "T_cell", "leukocyte", "CD3", pairs, 0.02, 0.0, 0.0, 0.6, 5, "not marker-driven", None),
    ]
    table = pd.DataFrame(rows, columns=list(GATE_CHECKS.columns))
    return GATE_CHECKS.check(table.astype({"n_pairs": "Int64", "same_direction": "Int64"}))


def _detection(note: str | None) -> pd.DataFrame:
    rows = [
        ("blood", "CXCL9", 20, 20, 0.0, 0.0, 0.0, 2, note),
        ("blood", "IL10", 20, 18, 0.6, 0.0, 0.1, 2, "often below"),
    ]
    table = pd.DataFrame(rows, columns=list(DETECTION.columns))
    return DETECTION.check(table.astype({"n_samples": "Int64", "n_measured": "Int64", "plates": "Int64"}))


def _overlaps(patients: Sequence[str]) -> pd.DataFrame:
    rows = [("blood", name, "TRB", 500, 520, 400, 4000, 3900, 0.9, 0.64, 300, 1, 1, None) for name in patients]
    integers = {name: "Int64" for name, kind in OVERLAPS.columns.items() if kind == "integer"}
    return OVERLAPS.check(pd.DataFrame(rows, columns=list(OVERLAPS.columns)).astype(integers))


def _clones(patients: Sequence[str]) -> pd.DataFrame:
    moved = (
        ("CASSLF", 10, 80, "expanded", 1e-9, 1e-7),
        ("CASSPF", 70, 8, "contracted", 1e-8, 1e-6),
        ("CASSQF", 4, 5, "unchanged", 0.9, 0.95),
    )
    rows = [
        (
            "blood",
            name,
            "TRB",
            f"TRBV19:TRBJ2-1:{clone}",
            first,
            second,
            first / 4000,
            second / 3900,
            direction,
            p,
            q,
            "binomial",
        )
        for name in patients
        for clone, first, second, direction, p, q in moved
    ]
    table = pd.DataFrame(rows, columns=list(CLONES.columns))
    return CLONES.check(table.astype({"reads_before": "Int64", "reads_after": "Int64"}))


def _embedding(samples: Sequence[str]) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    types = (("T_cell", "CD4_naive"), ("T_cell", "CD8_TEM"), ("monocyte", "mono_classical"))
    rows = [
        (sample, "blood", lineage, name, str(at), float(at + x), float(at + y))
        for sample in samples
        for at, (lineage, name) in enumerate(types)
        for x, y in rng.normal(0.0, 0.1, (4, 2))
    ]
    return EMBEDDING.check(pd.DataFrame(rows, columns=list(EMBEDDING.columns)))
