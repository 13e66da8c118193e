"""Ratios of a complete blood count."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

RATIOS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "NLR": (("neutrophils",), "lymphocytes", "ratio"),
    "PLR": (("platelets",), "lymphocytes", "ratio"),
    "LMR": (("lymphocytes",), "monocytes", "ratio"),
    "SII": (("platelets", "neutrophils"), "lymphocytes", "1e9/L"),
}
"""Name -> analytes multiplied, analyte divided by, unit. SII: systemic immune-inflammation index, Hu 2014,
doi:10.1158/1078-0432.CCR-14-0442."""

DERIVED_NLR = "dNLR"
"""Neutrophils over all other leukocytes: for laboratories that do not count lymphocytes. Proctor 2012, doi:10.1038/bjc.2012.292."""
PARTS = ("neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils")
EXCESS, ROUNDING = 1.1, 0.25
"""Parts of the leukocytes may exceed them by a tenth, as each is counted by itself, or by 0.25e9/L: five rounded to tenths."""
LEAST = 0.01
"""Neutrophils and lymphocytes below a hundredth of the leukocytes are in another unit than these, blasts or not."""

PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "leukocytes": (0.1, 500.0),
    "neutrophils": (0.0, 200.0),
    "lymphocytes": (0.0, 400.0),
    "monocytes": (0.0, 100.0),
    "eosinophils": (0.0, 100.0),
    "basophils": (0.0, 50.0),
    "platelets": (1.0, 3000.0),
    "haemoglobin": (20.0, 250.0),
}
"""What a living patient's blood can hold (1e9/L; haemoglobin g/L), leukaemia and thrombocythaemia included: physiological limits
set wide on purpose, ten times or more beyond the reference ranges of haematology textbooks. What lies outside is a wrong unit."""


SLIPS: Mapping[str, tuple[tuple[float, str], ...]] = {
    "haemoglobin": ((0.1, "in g/dL or mmol/L"), (10.0, "in g/L, where the file says g/dL")),
    "other": ((1e3, "in cells/ul"), (1e9, "in cells/L"), (1e-3, "in 1e12/L")),
}
"""By which factor a value of a wrong unit is off, and which unit it has probably."""


def blood_count_features(counts: pd.DataFrame) -> pd.DataFrame:
    """NLR, dNLR, PLR, LMR, SII and each analyte of one blood count.

    Parameters
    ----------
    counts
        `analyte` (canonical names), `value`, `unit` (1e9/L; haemoglobin g/L), one row an analyte; where it is known `method`, how
        each value came about.

    Returns
    -------
    A `SAMPLE_FEATURES` table sorted by feature. A ratio whose parts were not measured, or whose denominator is 0, is empty and
    says why.
    """
    known = counts.dropna(subset="value").set_index("analyte")["value"].astype(float)
    rows = [_derived(known), *(_ratio(name, known) for name in RATIOS)]
    rows += [
        (analyte, value, unit, method, 1.0, False, "the analyte has no value" if np.isnan(value) else "")
        for analyte, value, unit, method in zip(
            counts["analyte"], counts["value"].astype(float), counts["unit"], _methods(counts), strict=True
        )
    ]
    return SAMPLE_FEATURES.check(pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns)).sort_values("feature"))


def _methods(counts: pd.DataFrame) -> list[str]:
    return counts["method"].astype(str).tolist() if "method" in counts.columns else ["measured"] * len(counts)


def _derived(known: pd.Series) -> tuple[str, float, str, str, float, bool, str]:
    absent = [part for part in ("neutrophils", "leukocytes") if part not in known.index]
    method = "neutrophils / (leukocytes - neutrophils)"
    if absent:
        return DERIVED_NLR, np.nan, "ratio", method, 1 - len(absent) / 2, False, f"not measured: {', '.join(absent)}"
    others = float(known["leukocytes"] - known["neutrophils"])
    if others <= 0:
        told = "there are no other leukocytes than neutrophils"
        return DERIVED_NLR, np.nan, "ratio", method, 1.0, False, told
    return DERIVED_NLR, float(known["neutrophils"]) / others, "ratio", method, 1.0, False, ""


def _ratio(name: str, known: pd.Series) -> tuple[str, float, str, str, float, bool, str]:
    multiplied, divisor, unit = RATIOS[name]
    parts = (*multiplied, divisor)
    absent = [part for part in parts if part not in known.index]
    method = f"{' * '.join(multiplied)} / {divisor}"
    share = 1 - len(absent) / len(parts)
    if absent:
        return name, np.nan, unit, method, share, False, f"not measured: {', '.join(absent)}"
    if known[divisor] == 0:
        return name, np.nan, unit, method, share, False, f"{divisor} are 0, and nothing can be divided by 0"
    return name, float(np.prod(known[list(multiplied)]) / known[divisor]), unit, method, share, False, ""


def blood_count_quality(counts: pd.DataFrame) -> pd.DataFrame:
    """Whether each analyte lies within `PLAUSIBLE`, and whether the parts exceed the whole: a `SAMPLE_QC` table."""
    rows: list[tuple[str, float, str, str, bool]] = []
    for analyte, value, unit in zip(counts["analyte"], counts["value"].astype(float), counts["unit"], strict=True):
        if analyte in PLAUSIBLE:
            low, high = PLAUSIBLE[analyte]
            within = bool(np.isnan(value) or low <= value <= high)
            told = unit if within else f"{unit}{_slip(analyte, value)}"
            rows.append((analyte, value, told, f"{low:g} to {high:g}", within))
    rows += _sum_of_parts(counts)
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)).sort_values("measure"))


def _slip(analyte: str, value: float) -> str:
    """Which unit would explain a value that no blood can have, in words that follow the unit; the first that fits."""
    low, high = PLAUSIBLE[analyte]
    for factor, meant in SLIPS["haemoglobin" if analyte == "haemoglobin" else "other"]:
        if value > 0 and low <= value / factor <= high:
            return f" (probably {meant})"
    return ""


def _sum_of_parts(counts: pd.DataFrame) -> list[tuple[str, float, str, str, bool]]:
    """How large the parts of the leukocytes are beside the leukocytes themselves."""
    known = counts.dropna(subset="value").set_index("analyte")["value"].astype(float)
    parts = [part for part in PARTS if part in known.index]
    if "leukocytes" not in known.index or not parts or known["leukocytes"] <= 0:
        return []
    leukocytes, total = float(known["leukocytes"]), float(known[parts].sum())
    share = total / leukocytes
    least = LEAST if {"neutrophils", "lymphocytes"} <= set(parts) else 0.0
    within = least <= share and (share <= EXCESS or total - leukocytes <= ROUNDING)
    return [("parts_of_leukocytes", share, "fraction", f"{least:g} to {EXCESS:g}, or {ROUNDING:g}e9/L more", within)]


def blood_count_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Features and quality of one blood count (`sample`): `features.parquet` and `qc.parquet`."""
    counts = read_table(inputs["sample"])
    write_table(blood_count_features(counts), out / "features.parquet")
    write_table(blood_count_quality(counts), out / "qc.parquet")
    return {"analytes": len(counts)}
