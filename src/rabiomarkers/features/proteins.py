"""Concentrations of proteins in blood, as the laboratory gave them."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC


def protein_features(proteins: pd.DataFrame) -> pd.DataFrame:
    """Each analyte of one sample as a feature, in the unit it came in.

    Parameters
    ----------
    proteins
        `analyte`, `value`, `unit` (``pg/mL``, ``NPX``), `flag` (what the laboratory said, e.g. ``above_uloq``; may be empty).

    Returns
    -------
    A `SAMPLE_FEATURES` table sorted by feature. A flagged value stays and bears its flag as note: whether a value beyond the
    limit of quantification may be used is a question to the analysis, not to the reader of the file.
    """
    flags = proteins["flag"].fillna("").astype("str")
    notes = flags.mask((flags == "") & proteins["value"].isna(), "the laboratory gave no value")
    table = pd.DataFrame(
        {
            "feature": proteins["analyte"],
            "value": proteins["value"],
            "unit": proteins["unit"],
            "method": "measured",
            "coverage": 1.0,
            "cohort_dependent": False,
            "note": notes,
        }
    )
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


def protein_quality(proteins: pd.DataFrame) -> pd.DataFrame:
    """How many analytes have a value and what share of all is flagged, as a `SAMPLE_QC` table.

    A sample in which nothing has a value has failed.
    """
    measured = int(proteins["value"].notna().sum())
    flagged = float((proteins["flag"].fillna("") != "").mean()) if len(proteins) else float("nan")
    rows = [
        ("analytes_measured", measured, "analytes", ">= 1", measured >= 1),
        ("flagged_share", flagged, "fraction", "", True),
    ]
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def protein_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Features and quality of one sample's proteins (`sample`): `features.parquet` and `qc.parquet`."""
    proteins = read_table(inputs["sample"])
    write_table(protein_features(proteins), out / "features.parquet")
    write_table(protein_quality(proteins), out / "qc.parquet")
    return {"analytes": len(proteins)}
