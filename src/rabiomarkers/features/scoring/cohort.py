"""Scores that compare the samples of a compartment and assay with each other. They change with every sample that comes or goes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.registry import score_table
from rabiomarkers.features.signatures import choose_signatures
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_pairs, load_rules, load_signatures
from rabiomarkers.tables.samples import SAMPLE_FEATURES

FAILED = "the sample failed its quality check, so it was not compared with the others"


def stacked(pieces: Mapping[str, pd.DataFrame]) -> Expression:
    """The samples' pieces (`gene`, `value`, scale in `attrs["passport"]`) as one matrix of the genes that all of them measured.

    Raises
    ------
    ScaleError
        The samples are on several scales: they cannot be compared.
    """
    scales = sorted({piece.attrs["passport"]["scale"] for piece in pieces.values()})
    if len(scales) > 1:
        raise ScaleError(f"Samples of {' and of '.join(scales)} cannot be compared; bring all of them to one scale.")
    columns = {sample: piece.set_index("gene")["value"] for sample, piece in sorted(pieces.items())}
    table = pd.concat(columns, axis="columns", join="inner", sort=True).dropna()
    values = np.ascontiguousarray(table.to_numpy(np.float64).T)
    return Expression(values=values, samples=table.columns, genes=table.index, scale=scales[0])


def cohort_step(
    inputs: Mapping[str, Path], out: Path, *, names: Sequence[str], methods: Sequence[str], minimum_coverage: float
) -> Info:
    """`signatures`, `pairs`, `rules`, ``piece:<sample>``, ``qc:<sample>`` of one compartment and assay -> `<sample>.parquet` each.

    Samples that failed their quality check are not compared with others: their scores are empty and say so.
    """
    kinds: dict[str, dict[str, Path]] = {"piece": {}, "qc": {}}
    for name, path in inputs.items():
        kind, _, sample = name.partition(":")
        if kind in kinds:
            kinds[kind][sample] = path
    passed = {
        sample: read_table(path)
        for sample, path in kinds["piece"].items()
        if read_table(kinds["qc"][sample])["passed"].astype(bool).all()
    }
    if not passed:
        for sample in kinds["piece"]:
            write_table(SAMPLE_FEATURES.empty(), out / f"{sample}.parquet")
        return {"samples": 0, "failed": len(kinds["piece"])}
    known = Known(
        signatures=choose_signatures(load_signatures(inputs["signatures"]), names),
        pairs=load_pairs(inputs["pairs"]),
        rules=load_rules(inputs["rules"]),
        minimum_coverage=minimum_coverage,
    )
    table = score_table(stacked(passed), known, methods)
    of_samples = {str(sample): rows for sample, rows in table.groupby("sample_id", sort=False)}
    first = next(iter(of_samples.values()))
    for sample in kinds["piece"]:
        rows = of_samples.get(sample, first.assign(value=np.nan, note=FAILED)).drop(columns="sample_id")
        write_table(SAMPLE_FEATURES.check(rows.reset_index(drop=True)), out / f"{sample}.parquet")
    return {"samples": len(passed), "failed": len(kinds["piece"]) - len(passed)}
