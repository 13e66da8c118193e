"""What is scored (samples x genes on a known scale) and with what is known of genes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

type Matrix = NDArray[np.float64]
type Scale = Literal["counts", "tpm", "log"]

UNIT_OF_SCALE: Mapping[str, str] = {"counts": "log2 CPM", "tpm": "log2 TPM"}


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Samples x genes, every cell a finite number, every gene once.

    Raises
    ------
    SignatureError
        A gene occurs twice, the shape is another, or a value is absent or infinite (sample and gene are named).
    ScaleError
        The scale is unknown, or counts or TPM are negative.
    """

    values: Matrix
    samples: pd.Index
    genes: pd.Index
    scale: Scale


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a method may use beside the values: the same for every sample, whatever batch it comes in."""

    signatures: pd.DataFrame  # signature, gene, direction, weight
    minimum_coverage: float = 0.6
    pairs: pd.DataFrame | None = None  # gene pairs (IMPRES): score, pair, gene_a, gene_b
    rules: Mapping[str, Any] | None = None  # scoring_rules.yaml
    reference: pd.DataFrame | None = None  # gene, mean, sd of log2 values of a frozen set of samples


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One method's scores. `values` is samples x features, NaN where there is no score; `notes` then says why (by the same shape,
    "" elsewhere)."""

    features: tuple[str, ...]
    values: Matrix
    coverage: Matrix  # of each feature, 0..1
    unit: str
    notes: NDArray[np.object_]


type Score = Callable[[Expression, Known], Scored]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to score, as the registry holds it."""

    score: Score
    words: str  # what it computes, for the report
    source: str  # a reference that resolves
    licence: str  # of the method's published implementation, and what we did (own implementation)
    cohort_dependent: bool = False
