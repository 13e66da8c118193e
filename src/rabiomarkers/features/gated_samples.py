"""Gated samples side by side, and how many cells a microlitre of blood holds where a blood count gives the total.

Cytometry counts the cells it was given, not those of a volume. The blood count of the same patient and timepoint knows the volume:
a population's share of the leukocytes times their number (two platforms, so both errors add up). Of mononuclear cells (PBMC) the
granulocytes were removed, and the total is that of lymphocytes and monocytes.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.cytometry import GATES, SAMPLE_POPULATIONS, SAMPLE_POSITIONS, SAMPLE_VIEWS
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLES
from rabiomarkers.tables.table import Table

type Material = Literal["pbmc", "whole_blood"]
type Gated = tuple[str, str]
"""Sample id and assay."""

TOTALS: Mapping[Material, tuple[str, ...]] = {
    "pbmc": ("lymphocytes", "monocytes"),
    "whole_blood": ("leukocytes",),
}
"""Analytes of the blood count whose sum is the total."""
PER_UL = 1_000.0  # 1e9/L in cells per microlitre
NO_COUNT = "no blood count of this patient and timepoint"


def cells_per_microlitre(
    populations: pd.DataFrame, counts: pd.DataFrame | None, *, material: Material = "pbmc"
) -> tuple["pd.Series[float]", str]:
    """Cells per microlitre of each population of one sample, and in words why there are none.

    Parameters
    ----------
    populations
        POPULATIONS of the sample.
    counts
        The blood count of the same patient and timepoint: `analyte`, `value` (1e9/L); None where there is none.
    material
        What was stained: the total is of lymphocytes and monocytes (``pbmc``) or of all leukocytes (``whole_blood``).
    """
    nothing = pd.Series(np.nan, index=populations.index)
    if counts is None:
        return nothing, NO_COUNT
    known = counts.dropna(subset="value").set_index("analyte")["value"].astype(float)
    absent = [analyte for analyte in TOTALS[material] if analyte not in known.index]
    if absent:
        return nothing, f"the blood count does not tell {' and '.join(absent)}"
    total = float(known[list(TOTALS[material])].sum()) * PER_UL
    return populations["fraction_of_leukocytes"].astype("float64") * total, ""


def absolute_features(
    populations: pd.DataFrame,
    counts: pd.DataFrame | None,
    *,
    material: Material = "pbmc",
    cohort_dependent: bool = False,
) -> pd.DataFrame:
    """``per_ul_<POPULATION>`` of one sample, a `SAMPLE_FEATURES` table; arguments as in `cells_per_microlitre`.

    `cohort_dependent` is that of the shares: a cut that depends on other samples makes the number depend on them.
    """
    values, reason = cells_per_microlitre(populations, counts, material=material)
    notes = populations["note"].fillna("").astype(str)
    unknown = reason or "no share of the leukocytes"
    table = pd.DataFrame(
        {
            "feature": "per_ul_" + populations["population"].astype(str),
            "value": values,
            "unit": "cells/ul",
            "method": f"share of CD45+ x ({' + '.join(TOTALS[material])})",
            "coverage": 1.0,
            "cohort_dependent": cohort_dependent,
            "note": notes.mask(values.isna() & (notes == ""), unknown).where(values.isna(), ""),
        }
    )
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


def gated_step(inputs: Mapping[str, Path], out: Path, *, material: Material) -> Info:
    """The tables of all gated samples, and their cells per microlitre.

    Parameters
    ----------
    inputs
        `samples`; ``gates:<n>`` of each group that was gated together; ``features:``, ``populations:``, ``densities:`` and
        ``positions:<sample_id>:<assay>`` of each gated sample; ``counts:<sample_id>`` of each blood count.

    Writes `gates.parquet`, `populations.parquet`, `densities.parquet`, `positions.parquet`, and where the study has a blood count
    at all ``absolute.<sample_id>.<assay>.parquet`` of each sample.
    """
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    found: dict[str, dict[Gated, pd.DataFrame]] = {
        kind: dict(_of(inputs, kind)) for kind in ("features", "populations", "densities", "positions")
    }
    counts = _counts(inputs, sheet)
    whose = sheet.set_index(["sample_id", "assay"])[["patient_id", "timepoint", "batch"]]
    for sample, assay in found["populations"] if counts else ():
        own = whose.loc[[(sample, assay)]].iloc[0]
        populations, features = found["populations"][sample, assay], found["features"][sample, assay]
        count = counts.get((str(own["patient_id"]), str(own["timepoint"])))
        populations["cells_per_ul"] = cells_per_microlitre(populations, count, material=material)[0]
        shares = features[features["feature"].str.startswith("gated_fraction_")]
        depends = bool(shares["cohort_dependent"].any())
        more = absolute_features(populations, count, material=material, cohort_dependent=depends)
        write_table(more, out / f"absolute.{sample}.{assay}.parquet")
    batches = {key: str(whose.loc[key, "batch"]) for key in found["densities"]}
    gates = [read_table(path) for name, path in sorted(inputs.items()) if name.startswith("gates:")]
    write_table(GATES.check(pd.concat(gates, ignore_index=True)) if gates else GATES.empty(), out / "gates.parquet")
    write_table(_stacked(found["populations"], SAMPLE_POPULATIONS), out / "populations.parquet")
    write_table(_stacked(found["densities"], SAMPLE_VIEWS, batches), out / "densities.parquet")
    write_table(_stacked(found["positions"], SAMPLE_POSITIONS), out / "positions.parquet")
    return {"samples": len(found["populations"]), "with_blood_counts": len(counts)}


def _of(inputs: Mapping[str, Path], kind: str) -> Iterator[tuple[Gated, pd.DataFrame]]:
    for name, path in inputs.items():
        before, _, rest = name.partition(":")
        if before == kind:
            sample, _, assay = rest.rpartition(":")
            yield (sample, assay), read_table(path)


def _counts(inputs: Mapping[str, Path], sheet: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The blood count of each patient and timepoint; of several the first."""
    rows = sheet[sheet["assay"] == "cell_counts"].sort_values(["replicate", "sample_id"], ascending=False)
    return {
        (str(row.patient_id), str(row.timepoint)): read_table(inputs[name])
        for row in rows.itertuples()
        if (name := f"counts:{row.sample_id}") in inputs
    }


def _stacked(
    tables: Mapping[Gated, pd.DataFrame], kind: Table, batches: Mapping[Gated, str] | None = None
) -> pd.DataFrame:
    parts = [
        table.assign(sample_id=sample, assay=assay, **({"batch": batches[sample, assay]} if batches else {}))
        for (sample, assay), table in sorted(tables.items())
    ]
    return kind.check(pd.concat(parts, ignore_index=True)) if parts else kind.empty()
