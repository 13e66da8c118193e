"""Proteins in blood: concentrations with limits of quantification; in responders chemokines of T cells rise under treatment."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rabiomarkers.simulate.design import Design, Patient, stream

ANALYTES: Mapping[str, tuple[float, float, float, float, float]] = {
    "sPD-L1": (2_300.0, 0.35, 0.12, 150.0, 10_000.0),
    "CXCL9": (140.0, 0.50, 0.20, 5.0, 5_000.0),
    "CXCL10": (220.0, 0.45, 0.20, 5.0, 5_000.0),
    "IFNG": (6.0, 0.60, 0.30, 1.5, 2_000.0),
    "IL6": (3.2, 0.60, 0.30, 1.0, 2_000.0),
    "IL8": (11.0, 0.50, 0.25, 1.0, 2_000.0),
    "IL10": (1.1, 0.50, 0.30, 0.8, 1_000.0),
    "TNF": (9.0, 0.35, 0.15, 1.0, 1_000.0),
}
"""Typical concentration, spread between patients and between two days (natural log), limits of quantification."""
UNIT = "pg/mL"
SHIFT: Mapping[str, float] = {"CXCL9": 0.9, "CXCL10": 0.7}
"""Planted change in responders, natural log."""


def proteins(design: Design, *, patients: tuple[Patient, ...] | None = None) -> pd.DataFrame:
    """A laboratory's table, samples x analytes (``CXCL9 [pg/mL]``) as printed; below the limit of quantification ``<0.8``."""
    rows = [row for patient in (design.patients if patients is None else patients) for row in _tubes(design, patient)]
    return pd.DataFrame(rows, columns=["sample_id", *(f"{name} [{UNIT}]" for name in ANALYTES)])


def _tubes(design: Design, patient: Patient) -> list[tuple[str, ...]]:
    rng = stream(design.seed, patient.index, "proteins")
    usual = {name: np.log(typical) + rng.normal(0.0, spread) for name, (typical, spread, *_) in ANALYTES.items()}
    rows: list[tuple[str, ...]] = []
    for sample in patient.of("proteins"):
        shifted = design.planted and patient.responder and sample.timepoint == "post"
        cells = []
        for name, (_, _, daily, lowest, highest) in ANALYTES.items():
            moved = SHIFT.get(name, 0.0) if shifted else 0.0
            cells.append(_printed(float(np.exp(usual[name] + moved + rng.normal(0.0, daily))), lowest, highest))
        if not sample.missing:
            rows.append((sample.sample_id, *cells))
    return rows


def _printed(value: float, lowest: float, highest: float) -> str:
    """As a laboratory prints it: three digits, and the limit where the value lies beyond."""
    if value < lowest:
        return f"<{lowest:g}"
    return f">{highest:g}" if value > highest else f"{float(f'{value:.3g}'):g}"
