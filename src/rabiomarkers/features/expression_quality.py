"""Quality of one bulk RNA sample: reads, genes, house-keeping, and what tells whose it is."""

import numpy as np
import pandas as pd

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.scoring.expression import UNIT_OF_SCALE
from rabiomarkers.tables.samples import SAMPLE_QC

Y_LINKED = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY")
"""Genes of the Y chromosome outside its pairing regions: a sample that has them is a man's, whoever's name it bears."""
HOUSEKEEPING = ("ABCF1", "G6PD", "NRDE2", "OAZ1", "POLR2A", "SDHA", "STK11IP", "TBC1D10B", "TBP", "UBB", "ZBTB34")
"""The reference genes of the T-cell-inflamed profile (Ayers et al. 2017, PMID 28650338): transcribed in every tumour."""
LEAST_HOUSEKEEPING = 6  # of the eleven; of fewer the mean rank is that of single genes
WHOLE_TRANSCRIPTOME = 1_000  # genes; of a panel's ranks and shares nothing follows
TOP_GENES = 50
MITOCHONDRIAL = "MT-"  # how the 37 genes of the mitochondrial genome are named (HGNC)

type Measure = tuple[str, float, str, str, bool]  # measure, value, unit, limit, passed


def expression_quality(
    expression: pd.Series,
    *,
    scale: str,
    minimum_library_size: int = 1_000_000,
    minimum_genes: int = 5_000,
    minimum_housekeeping: float = 0.45,
    maximum_top_share: float = 0.9,
) -> pd.DataFrame:
    """Quality of one bulk RNA sample as a `SAMPLE_QC` table. A measure that the sample's genes do not allow has no row.

    `library_size` (counts; with TPM, whose sum says nothing, `total_tpm` is only shown) and `genes_detected` (value above 0);
    `housekeeping_rank`, the mean rank of the reference genes among all (0 lowest, 1 highest, 0.5 as any gene; 0.71 to 0.83 in the
    118 tumours of CheckMate 038); `top_50_share`, the part of the sum that fifty genes make up (0.11 to 0.79 there);
    `mitochondrial_share`, only shown; and, for the eye that looks for swapped samples, `y_chromosome_log2cpm`: the mean over the
    Y-linked genes measured. A sample in which every gene is at zero fails, and says so.

    Parameters
    ----------
    expression
        Value by gene symbol of one sample; absent values count as not measured.
    scale
        ``counts`` or ``tpm``.
    minimum_library_size, minimum_genes, minimum_housekeeping, maximum_top_share
        Beyond them the sample fails.

    Raises
    ------
    ScaleError
        The scale is another.
    """
    values = expression.dropna().astype(np.float64)
    total, detected = float(values.sum()), int((values > 0).sum())
    counted = scale == "counts"
    y_linked = log_levels(values, scale).reindex(list(Y_LINKED)).mean()
    size: Measure = ("total_tpm", total, "TPM", "", True)
    if counted:
        size = ("library_size", total, "reads", f">= {minimum_library_size}", total >= minimum_library_size)
    rows: list[Measure] = [
        size,
        ("genes_detected", detected, "genes", f">= {minimum_genes}", detected >= minimum_genes),
        (f"y_chromosome_log2{'cpm' if counted else 'tpm'}", y_linked, UNIT_OF_SCALE[scale], "", True),
    ]
    if not total > 0:
        rows.append(("total", total, "reads" if counted else "TPM", "> 0 (every gene is at zero)", False))
    else:
        rows += _shares(values, minimum_housekeeping, maximum_top_share)
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def housekeeping_rank(expression: pd.Series) -> float:
    """Mean rank of the reference genes among all genes measured, 0 to 1; NaN where too few of either were."""
    measured = expression.index.intersection(list(HOUSEKEEPING))
    if len(measured) < LEAST_HOUSEKEEPING or len(expression) < WHOLE_TRANSCRIPTOME:
        return np.nan
    ranks = (expression.rank(method="average") - 1) / (len(expression) - 1)
    return float(ranks[measured].mean())


def _shares(values: pd.Series, minimum_housekeeping: float, maximum_top_share: float) -> list[Measure]:
    """What the values say in relation to one another; their sum is above 0."""
    rows: list[Measure] = []
    rank = housekeeping_rank(values)
    if not np.isnan(rank):
        low = f">= {minimum_housekeeping}"
        rows.append(("housekeeping_rank", rank, "mean rank, 0 to 1", low, rank >= minimum_housekeeping))
    total = float(values.sum())
    if len(values) >= WHOLE_TRANSCRIPTOME:
        top = float(np.sort(values.to_numpy())[-TOP_GENES:].sum()) / total
        rows.append(("top_50_share", top, "share of the sum", f"<= {maximum_top_share}", top <= maximum_top_share))
    mitochondrial = values.index.astype(str).str.startswith(MITOCHONDRIAL)
    if mitochondrial.any():
        share = float(values[mitochondrial].sum()) / total
        rows.append(("mitochondrial_share", share, "share of the sum", "", True))
    return rows


def log_levels(expression: pd.Series, scale: str) -> pd.Series:
    """log2(CPM + 1) of counts, log2(TPM + 1) of TPM; NaN where nothing was counted.

    Raises
    ------
    ScaleError
        The scale is another.
    """
    if scale not in UNIT_OF_SCALE:
        raise ScaleError(f"Levels are taken from counts or TPM, not from {scale!r} values.")
    total = float(expression.sum())
    if scale == "counts" and not total > 0:
        return expression * np.nan
    per_million = expression / total * 1e6 if scale == "counts" else expression
    return pd.Series(np.log2(per_million.to_numpy() + 1), index=expression.index)
