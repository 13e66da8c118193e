"""All features as one MuData object: a modality for each compartment and assay."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rabiomarkers.errors import TableError
from rabiomarkers.files import Info, read_table
from rabiomarkers.tables.outcomes import OUTCOMES, known_responses
from rabiomarkers.tables.samples import FEATURES, SAMPLES

if TYPE_CHECKING:
    from anndata import AnnData
    from mudata import MuData

FILE = "study.h5mu"
RESPONDER = {True: "yes", False: "no"}
UNKNOWN = "unknown"


def features_as_mudata(features: pd.DataFrame, samples: pd.DataFrame, outcomes: pd.DataFrame) -> "MuData":
    """Features in `.X` (samples x features, NaN where there is none), samples in `.obs`.

    Modalities are named ``<compartment>_<assay>`` (``tumour_rna_counts``). `.var_names` are ``<compartment>:<feature>``, as a plan
    names them, because MuData wants names that are unique over all modalities; `.var` has `feature`, `unit`, `method`.
    `.obs` has `patient_id`, `timepoint` and `responder` (yes, no, unknown).

    Raises
    ------
    TableError
        There is no feature at all, or a sample is not in the sheet.
    """
    from mudata import MuData  # a second to load

    table = FEATURES.check(features)
    if table.empty:
        raise TableError("There is no feature to put into a MuData object: no sample passed quality control.")
    sheet = SAMPLES.check(samples)
    strange = sorted(set(table["sample_id"]) - set(sheet["sample_id"]))
    if strange:
        raise TableError(f"These samples are not in the sheet: {', '.join(strange)}.")
    answers = known_responses(OUTCOMES.check(outcomes))
    modalities = {
        f"{compartment}_{assay}": _modality(rows, answers)
        for (compartment, assay), rows in table.groupby(["compartment", "assay"], sort=True)
    }
    return MuData(modalities)


def _modality(rows: pd.DataFrame, answers: pd.Series) -> "AnnData":
    from anndata import AnnData

    named = rows.assign(name=rows["compartment"] + ":" + rows["feature"])
    wide = named.pivot(index="sample_id", columns="name", values="value").sort_index().sort_index(axis="columns")
    people = named.drop_duplicates("sample_id").set_index("sample_id").loc[wide.index, ["patient_id", "timepoint"]]
    responder = people["patient_id"].map(answers).map(RESPONDER).fillna(UNKNOWN).astype("str")
    about = named.drop_duplicates("name").set_index("name").loc[wide.columns, ["feature", "unit", "method"]]
    return AnnData(
        wide.to_numpy(dtype=np.float64),
        obs=_writable(people.assign(responder=responder)),
        var=_writable(about),
    )


def _writable(texts: pd.DataFrame) -> pd.DataFrame:
    """Index and columns as Python's own strings: with pandas 2 anndata writes no other."""
    return texts.astype(object).set_index(pd.Index(texts.index.to_numpy(dtype=object), dtype=object))


def multimodal_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `study.h5mu` from `features`, `samples` and `outcomes`; the same tables give the same bytes.

    Where no sample passed quality control there is nothing to write, and `modalities` is 0.
    """
    features = read_table(inputs["features"])
    if features.empty:
        return {"modalities": 0}
    study = features_as_mudata(features, read_table(inputs["samples"]), read_table(inputs["outcomes"]))
    study.write_h5mu(out / FILE)
    return {"modalities": study.n_mod}
