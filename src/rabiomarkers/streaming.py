"""Scoring a large `.h5ad` piece by piece: ten thousand samples need no more memory than a few hundred."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError
from rabiomarkers.features.scoring.expression import Expression, Known, Matrix, Scale
from rabiomarkers.features.scoring.registry import RANK, score_samples
from rabiomarkers.ingest.annotated import damage_told, gene_names, open_annotated, sample_names
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.gene_tables import recognise
from rabiomarkers.ingest.passport import expression_scale, look
from rabiomarkers.knowledge import load_aliases, load_ensembl, load_pairs, load_rules, load_signatures

CHUNK = 250  # samples that are held at once


def stream_expression(path: Path | str, *, scale: Scale, chunk: int = CHUNK) -> Iterator[Expression]:
    """The samples of an `.h5ad` (samples x genes in `.X`), `chunk` of them at a time, its genes brought to present symbols.

    Parameters
    ----------
    path
        Its genes stand in a column of `.var` or are its names; Ensembl ids are translated. Values of one gene are summed.
    scale
        What the values are: ``counts``, ``tpm`` or ``log``. Each chunk is looked at; logarithms of one gene cannot be summed.

    Raises
    ------
    InputError
        The file is damaged, names genes otherwise, holds a sample twice, or a chunk holds what is not on the scale.
    """
    path = Path(path)
    data = open_annotated(path, path.name, in_memory=False)
    try:
        findings = Findings(path.name)
        samples = pd.Index(sample_names(data.obs))
        if samples.has_duplicates:
            twice = samples[samples.duplicated()].unique()
            findings.add(f"samples that stand twice: {named(twice)}", "each once", "rename or remove all but one")
        if "X" not in data.file:
            findings.add("no matrix in .X", "the values in .X", "write the AnnData with its matrix")
        genes, _ = recognise(gene_names(data.var), load_aliases(), findings, gene_names=load_ensembl)
        if scale == "log" and genes.repeated:
            findings.add(
                f"{genes.repeated} genes under several names, as logarithms",
                "one row a gene, as logarithms cannot be summed",
                "sum them before the logarithm is taken",
            )
        findings.raise_if_any()
        summing = genes.indicator()
        for first in range(0, data.n_obs, chunk):
            with damage_told(path.name):
                rows: Any = data.X[first : first + chunk]
            values = _dense((summing @ rows.T).T)
            part = samples[first : first + chunk]
            _refuse_scale(values, part, scale, path.name)
            yield Expression(values=values, samples=part, genes=genes.symbols, scale=scale)
    finally:
        data.file.close()


def score_file(
    path: Path | str, *, scale: Scale, methods: Sequence[str] = (RANK,), minimum_coverage: float = 0.6
) -> Iterator[pd.DataFrame]:
    """Scores of every sample of a large `.h5ad` with the signatures that ship, a table for each chunk of samples.

    Only methods whose scores hang on no other sample; `registry.METHODS` says which. ``pd.concat(ra.score_file(...))`` puts the
    tables together.

    Raises
    ------
    InputError
        As `stream_expression`.
    SignatureError
        A method nobody knows, or one that compares samples.
    """
    known = Known(
        signatures=load_signatures(), pairs=load_pairs(), rules=load_rules(), minimum_coverage=minimum_coverage
    )
    return score_samples(stream_expression(path, scale=scale), known, methods)


def _dense(matrix: Any) -> Matrix:
    values = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return np.ascontiguousarray(values, dtype=np.float64)


def _refuse_scale(values: Matrix, samples: pd.Index, scale: Scale, label: str) -> None:
    """Raise where a chunk does not look like what it is said to be."""
    findings = Findings(label)
    if not np.isfinite(values).all():
        broken = samples[~np.isfinite(values).all(axis=1)]
        findings.fail(f"values that are no finite number in {named(broken)}", "a number in every cell", "fill them in")
    looks = {str(sample): look(row) for sample, row in zip(samples, values, strict=True)}
    if scale != "log":
        odd = [name for name, seen in looks.items() if expression_scale(seen) in ("log", "negative") and seen.total]
        if odd:
            told = f"values that look like logarithms in {named(odd)} ({odd[0]}: {looks[odd[0]]})"
            findings.add(told, "counts or TPM", "declare the scale log, or supply linear values")
    if findings.problems:
        raise InputError(findings.problems)
