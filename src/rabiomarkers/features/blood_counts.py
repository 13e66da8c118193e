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


def blood_count_features(counts: pd.DataFrame) -> pd.DataFrame:
    """NLR, PLR, LMR, SII and each analyte of one blood count.

    Parameters
    ----------
    counts
        `analyte` (canonical names), `value`, `unit` (1e9/L; haemoglobin g/L), one row an analyte.

    Returns
    -------
    A `SAMPLE_FEATURES` table sorted by feature. A ratio whose parts were not measured, or whose denominator is 0, is empty and
    says why.
    """
    known = counts.dropna(subset="value").set_index("analyte")["value"].astype(float)
    rows = [_ratio(name, known) for name in RATIOS]
    rows += [
        (analyte, value, unit, "measured", 1.0, False, "the analyte has no value" if np.isnan(value) else "")
        for analyte, value, unit in zip(counts["analyte"], counts["value"].astype(float), counts["unit"], strict=True)
    ]
    return SAMPLE_FEATURES.check(pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns)).sort_values("feature"))


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
            rows.append((analyte, value, unit, f"{low:g} to {high:g}", within))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)).sort_values("measure"))


def blood_count_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Features and quality of one blood count (`sample`): `features.parquet` and `qc.parquet`."""
    counts = read_table(inputs["sample"])
    write_table(blood_count_features(counts), out / "features.parquet")
    write_table(blood_count_quality(counts), out / "qc.parquet")
    return {"analytes": len(counts)}
