"""Pieces of RNA samples and a sheet, as the identity step gets them."""

from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import write_table


def write_inputs(
    counts: pd.DataFrame, sheet: pd.DataFrame, folder: Path, *, failed=(), patients=None
) -> dict[str, Path]:
    """Counts (genes x samples) and `sample_id, patient_id, timepoint` on disk; assay rna_counts of the tumour."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"compartment": "tumour", "assay": "rna_counts", "replicate": 1, "exclude": None} | dict(sheet)
    tables = {
        "samples": pd.DataFrame(whole),
        "patients": pd.DataFrame({"patient_id": sheet["patient_id"].unique()}) if patients is None else patients,
        "failed": pd.DataFrame({"sample_id": list(failed), "assay": "rna_counts", "reason": "few reads"}, dtype="str"),
    }
    inputs = {}
    for name, table in tables.items():
        inputs[name] = folder / f"{name}.parquet"
        write_table(table, inputs[name])
    for sample in sheet["sample_id"]:
        piece = pd.DataFrame({"gene": counts.index, "value": counts[sample].to_numpy(dtype=np.float64)})
        piece.attrs["passport"] = {"scale": "counts"}
        inputs[f"piece:{sample}:rna_counts"] = folder / f"{sample}.piece.parquet"
        write_table(piece, inputs[f"piece:{sample}:rna_counts"])
    return inputs


def people(patients: int, *, genes: int = 400, seed: int = 1, noise: float = 0.4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """log2 values, samples x genes, of two samples a patient, and the sheet: a third of the genes are on in some people only."""
    random = np.random.default_rng(seed)
    person = np.where(random.random((patients, genes)) < 0.4, 6.0, 2.0)
    person[:, genes // 3 :] = 4.0
    values = np.repeat(person, 2, axis=0) + random.normal(0.0, noise, (2 * patients, genes))
    names = [f"P{number:02d}" for number in range(patients)]
    sheet = pd.DataFrame(
        {
            "sample_id": [f"{name}_{timepoint}" for name in names for timepoint in ("pre", "post")],
            "patient_id": np.repeat(names, 2),
            "timepoint": ["pre", "post"] * patients,
            "replicate": 1,
        }
    )
    return pd.DataFrame(values, index=sheet["sample_id"], columns=[f"G{gene:04d}" for gene in range(genes)]), sheet


def swapped(sheet: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """The sheet with the patients of two samples exchanged."""
    whose = dict(zip(sheet["sample_id"], sheet["patient_id"], strict=True))
    whose |= {first: whose[second], second: whose[first]}
    return sheet.assign(patient_id=sheet["sample_id"].map(whose))
