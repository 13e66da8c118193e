"""Concentrations of proteins in blood: which values are used, on which scale, and what the laboratory said of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.scale import analysis_scale, is_ratio_scale
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

type Policy = Literal["drop", "keep"]
type Scale = Literal["log2", "as_given"]

NO_VALUE = "the laboratory gave no value"
NO_LOGARITHM = "zero or below, which has no logarithm"
FAILED = "the laboratory's quality control failed the sample here"
WARNED: Mapping[str, str] = {
    "qc_warning": "the laboratory's quality control warns of the sample here",
    "assay_warning": "the laboratory's quality control warns of the assay here",
}
BEYOND: Mapping[str, str] = {
    "above_uloq": "above the upper limit of quantification",
    "below_lloq": "below the lower limit of quantification",
}
UNDETECTED: Mapping[str, str] = {"below_lod": "below the limit of detection"}
INTENSITIES = ("RFU", "MFI")
"""Units without a slash that change by factors, too."""


def protein_features(
    proteins: pd.DataFrame,
    *,
    qc_warning: Policy = "drop",
    beyond_quantification: Policy = "drop",
    below_detection: Policy = "keep",
    scale: Scale = "as_given",
) -> pd.DataFrame:
    """Each analyte of one sample as a feature.

    Parameters
    ----------
    proteins
        `analyte`, `value`, `unit` (``pg/mL``, ``NPX``), `flag` (words of the laboratory joined by semicolons; may be empty).
    qc_warning
        Whether values are left out that the laboratory's control of the sample (in this panel) or of the assay (on this plate)
        warns of. What it failed is left out whatever is chosen.
    beyond_quantification
        The same of values above or below what the assay can quantify. If kept, the limit may stand for the value.
    below_detection
        The same of values below the limit of detection. To leave them out favours the samples with high values, as nothing is
        missing at random there; NPX has a number below its limit, which is noisy but not biased.
    scale
        ``log2`` takes concentrations and intensities as their logarithm; NPX and other logarithms stay.

    Returns
    -------
    A `SAMPLE_FEATURES` table sorted by feature. A value that is left out has its reason as note, one that is used bears its flag.
    """
    flags = proteins["flag"].fillna("").astype("str")
    values = proteins["value"].astype("float64")
    reasons = _reasons(values, flags, qc_warning, beyond_quantification, below_detection)
    table = pd.DataFrame(
        {
            "feature": proteins["analyte"],
            "value": values.where(reasons == ""),
            "unit": proteins["unit"],
            "method": "measured",
            "coverage": 1.0,
            "cohort_dependent": False,
            "note": reasons.where(reasons != "", flags),
        }
    )
    scaled = _log2(table) if scale == "log2" else table
    return SAMPLE_FEATURES.check(scaled.sort_values("feature"))


def _reasons(
    values: "pd.Series[float]", flags: "pd.Series[str]", warning: Policy, quantification: Policy, detection: Policy
) -> "pd.Series[str]":
    """Why each value is not used, the weightiest reason; empty where it is."""
    told = {"qc_fail": FAILED}
    for policy, reasons in ((warning, WARNED), (quantification, BEYOND), (detection, UNDETECTED)):
        told |= reasons if policy == "drop" else {}
    absent = values.isna().to_numpy()
    cases = [(has(flags, word), reason) for word, reason in told.items()]
    # a cell that says only "beyond the limit", of a limit nobody told, has no value to keep
    cases += [(absent & has(flags, word), reason) for word, reason in {**BEYOND, **UNDETECTED}.items()]
    cases += [(absent, NO_VALUE)]
    found = np.select([case for case, _ in cases], [reason for _, reason in cases], default="")
    return pd.Series(found, index=values.index, dtype="str")


def has(flags: "pd.Series[str]", word: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """In which rows the word is among those joined by semicolons."""
    return np.array([word in str(flag).split(";") for flag in flags], dtype=bool)


def _log2(table: pd.DataFrame) -> pd.DataFrame:
    """The table with concentrations and intensities as log2."""
    scaled = table.copy()
    for unit in sorted(set(table["unit"])):
        if not is_ratio_scale(unit) and unit not in INTENSITIES:
            continue
        rows = (table["unit"] == unit).to_numpy()
        values, _ = analysis_scale(table.loc[rows, "value"], "ratio")  # log2, whatever the unit is called
        lost = rows.copy()
        lost[rows] = np.isnan(values) & table.loc[rows, "value"].notna().to_numpy()
        scaled.loc[rows, "value"] = values
        scaled.loc[rows, "unit"] = f"log2 {unit}"
        scaled.loc[rows, "method"] = "log2 of what was measured"
        scaled.loc[lost, "note"] = NO_LOGARITHM
    return scaled


def protein_quality(proteins: pd.DataFrame, *, used: int | None = None) -> pd.DataFrame:
    """How far one sample could be measured, as a `SAMPLE_QC` table.

    Parameters
    ----------
    proteins
        As in `protein_features`, and where they are known `panel` and the limits `lod` and `lloq`.
    used
        Values that are used; without it all that were measured. A sample without any has failed.

    Returns
    -------
    The number of values measured and used; of all analytes the share that is flagged, warned of, failed, beyond quantification,
    and below detection (NaN where the file tells neither a limit nor a flag of it); for each panel the share that is warned of.
    """
    flags = proteins["flag"].fillna("").astype("str")
    measured = int(proteins["value"].notna().sum())
    warned = has(flags, "qc_warning") | has(flags, "assay_warning") | has(flags, "qc_fail")
    below, above = below_limit(proteins), has(flags, "above_uloq")
    rows = [
        ("analytes_measured", measured, "analytes", ">= 1", measured >= 1),
        (
            "analytes_used",
            measured if used is None else used,
            "analytes",
            ">= 1",
            (measured if used is None else used) >= 1,
        ),
        ("flagged_share", _share(flags != ""), "fraction", "", True),
        ("below_detection_share", _share(below[limited(proteins)]), "fraction", "", True),
        ("above_quantification_share", _share(above), "fraction", "", True),
        ("warned_share", _share(warned), "fraction", "", True),
    ]
    panels = proteins["panel"].fillna("") if "panel" in proteins.columns else pd.Series("", index=proteins.index)
    for panel in sorted(set(panels) - {""}):
        rows.append((f"warned_share {panel}", _share(warned[(panels == panel).to_numpy()]), "fraction", "", True))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def below_limit(proteins: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which values lie below the limit of detection, or below that of quantification where no other is known."""
    flags = proteins["flag"].fillna("").astype("str")
    known = _known(proteins, "lod")
    return has(flags, "below_lod") | (has(flags, "below_lloq") & ~known)


def limited(proteins: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows have a limit below which a value would be told to lie, and a value or the word that there is none."""
    judged = proteins["value"].notna().to_numpy() | below_limit(proteins)
    limits = _known(proteins, "lod") | _known(proteins, "lloq") | below_limit(proteins)
    return np.asarray(judged & limits, dtype=bool)


def _known(proteins: pd.DataFrame, limit: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if limit not in proteins.columns:
        return np.zeros(len(proteins), dtype=bool)
    return proteins[limit].notna().to_numpy(dtype=bool)


def _share(rows: "Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]] | pd.Series[bool]") -> float:
    return float(np.mean(rows)) if len(rows) else float("nan")


def protein_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    qc_warning: Policy = "drop",
    beyond_quantification: Policy = "drop",
    below_detection: Policy = "keep",
    scale: Scale = "as_given",
) -> Info:
    """Features and quality of one sample's proteins (`sample`): `features.parquet` and `qc.parquet`."""
    proteins = read_table(inputs["sample"])
    features = protein_features(
        proteins,
        qc_warning=qc_warning,
        beyond_quantification=beyond_quantification,
        below_detection=below_detection,
        scale=scale,
    )
    used = int(features["value"].notna().sum())
    write_table(features, out / "features.parquet")
    write_table(protein_quality(proteins, used=used), out / "qc.parquet")
    return {"analytes": len(proteins), "used": used}
