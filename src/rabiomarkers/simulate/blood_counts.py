"""Complete blood counts: in responders neutrophils fall and lymphocytes rise under treatment."""

import numpy as np
import pandas as pd

from rabiomarkers.simulate.design import Design, Patient, stream

# analyte: typical value, unit, spread between patients and between two days (natural log), decimals a laboratory prints
_ANALYTES: dict[str, tuple[float, str, float, float, int]] = {
    "neutrophils": (4.4, "10^9/L", 0.28, 0.12, 2),
    "lymphocytes": (1.5, "10^9/L", 0.28, 0.10, 2),
    "monocytes": (0.55, "10^9/L", 0.22, 0.12, 2),
    "eosinophils": (0.16, "10^9/L", 0.45, 0.25, 2),
    "basophils": (0.05, "10^9/L", 0.25, 0.20, 2),
    "platelets": (265.0, "10^9/L", 0.22, 0.10, 0),
    "haemoglobin": (122.0, "g/L", 0.09, 0.03, 0),
}
_WHITE = ("neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils")
SHIFT = {"neutrophils": -0.25, "lymphocytes": 0.30}
"""Planted change in responders, natural log: the neutrophil-to-lymphocyte ratio falls to 58 %."""


def blood_counts(design: Design, *, patients: tuple[Patient, ...] | None = None) -> pd.DataFrame:
    """Rows of a laboratory's export, `sample_id, analyte, value, unit` (values as printed); `leukocytes` is their sum."""
    rows = [row for patient in (design.patients if patients is None else patients) for row in _tubes(design, patient)]
    return pd.DataFrame(rows, columns=["sample_id", "analyte", "value", "unit"])


def _tubes(design: Design, patient: Patient) -> list[tuple[str, str, str, str]]:
    rng = stream(design.seed, patient.index, "cbc")
    usual = {name: np.log(typical) + rng.normal(0.0, spread) for name, (typical, _, spread, _, _) in _ANALYTES.items()}
    rows: list[tuple[str, str, str, str]] = []
    for sample in patient.of("cbc"):
        shifted = design.planted and patient.responder and sample.timepoint == "post"
        values = {}
        for name, (_, _, _, daily, decimals) in _ANALYTES.items():
            moved = SHIFT.get(name, 0.0) if shifted else 0.0
            values[name] = round(float(np.exp(usual[name] + moved + rng.normal(0.0, daily))), decimals)
        leukocytes = sum(values[name] for name in _WHITE)
        tube = [("leukocytes", f"{leukocytes:.2f}", "10^9/L")]
        tube += [(name, f"{value:.{_ANALYTES[name][4]}f}", _ANALYTES[name][1]) for name, value in values.items()]
        rows += [(sample.sample_id, *entry) for entry in tube if not sample.missing]
    return rows
