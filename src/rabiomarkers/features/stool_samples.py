"""What was told of each stool, side by side."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.stool import SAMPLE_MICROBES, SAMPLE_RAREFACTION, SAMPLE_SCORES
from rabiomarkers.tables.table import Table

TABLES: Mapping[str, Table] = {
    "microbes": SAMPLE_MICROBES,
    "microbe_scores": SAMPLE_SCORES,
    "rarefaction": SAMPLE_RAREFACTION,
}
"""What each stool wrote, by the name of its file."""

WHOSE = ("sample_id", "patient_id", "timepoint")


def stool_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `microbes.parquet`, `microbe_scores.parquet` and `rarefaction.parquet` of all stools, by patient and timepoint.

    `inputs` holds the sheet (`samples`) and ``<table>:<sample_id>:<assay>`` of each stool. Of a sample with counts and relative
    abundances both are told: the assay of the first in alphabetical order is taken.
    """
    sheet = SAMPLES.check(read_table(inputs["samples"]))[list(WHOSE)].drop_duplicates("sample_id")
    stools = 0
    for kind, table in TABLES.items():
        own: dict[str, Path] = {}
        for name in sorted(inputs):
            if name.startswith(f"{kind}:"):
                own.setdefault(name.removeprefix(f"{kind}:").rpartition(":")[0], inputs[name])
        parts = [read_table(path).assign(sample_id=sample) for sample, path in sorted(own.items())]
        told = [part for part in parts if len(part)]
        joined = pd.concat(told, ignore_index=True).merge(sheet, on="sample_id") if told else table.empty()
        ordered = joined.sort_values(["patient_id", "timepoint", *table.key], kind="stable", ignore_index=True)
        write_table(table.check(ordered[list(table.columns)]), out / f"{kind}.parquet")
        stools = max(stools, len(own))
    return {"stools": stools}
