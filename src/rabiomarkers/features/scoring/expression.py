"""What is scored (samples x genes on a known scale) and with what is known of genes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.features.scoring.ranks import average_ranks

type Matrix = NDArray[np.float64]
type Vector = NDArray[np.float64]
type Notes = NDArray[np.object_]
type Scale = Literal["counts", "tpm", "log"]

UNIT_OF_SCALE: Mapping[str, str] = {"counts": "log2 CPM", "tpm": "log2 TPM"}


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Samples x genes, every cell a finite number, every gene and every sample once.

    Raises
    ------
    SignatureError
        A gene or sample occurs twice, the shape is another, or a value is absent or infinite (sample and gene are named).
    ScaleError
        The scale is unknown, or counts or TPM are negative.
    """

    values: Matrix
    samples: pd.Index
    genes: pd.Index
    scale: Scale

    def __post_init__(self) -> None:
        if self.scale not in (*UNIT_OF_SCALE, "log"):
            raise ScaleError(f"The expression is declared as {self.scale!r}; counts, tpm or log values can be scored.")
        if self.values.shape != (len(self.samples), len(self.genes)):
            raise SignatureError(
                f"The expression has the shape {self.values.shape}, but {len(self.samples)} samples and {len(self.genes)} genes."
            )
        for names, what, remedy in ((self.genes, "genes", "Sum them first."), (self.samples, "samples", "Rename one.")):
            if names.has_duplicates:
                twice = names[names.duplicated()].unique()
                raise SignatureError(
                    f"{len(twice)} {what} occur more than once: {', '.join(map(str, twice[:5]))}. {remedy}"
                )
        self._refuse_values()

    def _refuse_values(self) -> None:
        if not np.isfinite(self.values).all():
            row, column = np.argwhere(~np.isfinite(self.values))[0]
            raise SignatureError(
                f"The value of {self.genes[column]} in {self.samples[row]} is no finite number; "
                "leave the gene out, or fill in what was measured."
            )
        if self.scale != "log" and self.values.size and self.values.min() < 0:
            row, column = np.argwhere(self.values < 0)[0]
            raise ScaleError(
                f"The value of {self.genes[column]} in {self.samples[row]} is negative, so it is no {self.scale}; "
                "declare log values as log."
            )

    @cached_property
    def ranks(self) -> Matrix:
        """Ranks of the genes within each sample, 1 the lowest; genes of equal value share the mean of their ranks."""
        return average_ranks(self.values)

    @cached_property
    def unordered(self) -> NDArray[np.bool_]:
        """Samples all of whose genes have one value: none ranks above another."""
        if not self.values.shape[1]:
            return np.ones(len(self.samples), dtype=bool)
        return np.asarray(self.values.max(axis=1) == self.values.min(axis=1))

    @cached_property
    def logarithms(self) -> Matrix:
        """log2(CPM + 1) of counts, log2(TPM + 1) of TPM; NaN throughout a sample in which nothing was counted.

        Raises
        ------
        ScaleError
            The values are logarithms already: which one is not known.
        """
        return np.asarray(np.log2(self.linear + 1), dtype=np.float64)

    @cached_property
    def linear(self) -> Matrix:
        """Counts per million, or TPM; NaN throughout a sample in which nothing was found.

        Raises
        ------
        ScaleError
            The values are logarithms.
        """
        if self.scale == "log":
            raise ScaleError("This method takes the logarithm itself: it needs counts or TPM, not log values.")
        totals = self.values.sum(axis=1, keepdims=True)
        silent = np.full(self.values.shape, np.nan)
        if self.scale == "tpm":
            return np.asarray(np.where(totals > 0, self.values, silent), dtype=np.float64)
        return np.asarray(np.divide(self.values * 1e6, totals, out=silent, where=totals > 0), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a method may use beside the values: the same for every sample, whatever batch it comes in."""

    signatures: pd.DataFrame  # signature, gene, direction, weight
    minimum_coverage: float = 0.6
    pairs: pd.DataFrame | None = None  # gene pairs (IMPRES): score, pair, gene_a, gene_b
    rules: Mapping[str, Any] | None = None  # scoring_rules.yaml
    reference: pd.DataFrame | None = (
        None  # gene, mean, sd of log2 values of a frozen set of samples; their unit where it is told
    )


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One method's scores: samples x features, NaN where there is none, and `notes` (of the same shape) then says why."""

    features: tuple[str, ...]
    values: Matrix
    coverage: Vector  # of each feature: share of its genes that were measured
    unit: str | tuple[str, ...]  # of all features, or of each
    notes: Notes


type Score = Callable[[Expression, Known], Scored]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to score, as the registry holds it."""

    score: Score
    words: str  # what it computes
    source: str  # a reference that resolves
    licence: str  # of the published software; ours is an implementation of its own
    cohort_dependent: bool = False
