"""Cell types by the weights of a CellTypist model, which a study may name in place of the marker table.

CellTypist keeps its models as pickles, and whoever reads a pickle runs what stands in it. So the model is turned into a table once,
by a person who trusts where it comes from; from then on only numbers are read:

>>> model = celltypist.models.Model.load("Immune_All_Low.pkl")  # doctest: +SKIP
>>> table = model_table(model, {"Tem/Effector helper T cells": "CD4_TEM", "Naive B cells": "B_naive"})  # doctest: +SKIP
>>> write_csv(table, Path("immune_all_low.csv"))  # doctest: +SKIP

One row a class of the model: `class`, `cell_type` (its name in the marker table; empty: cells of this class stay unassigned),
`intercept`, and the weight of each gene; above them the rows ``(mean)`` and ``(scale)``, by which levels are standardised. The
names may be edited in the table. CellTypist itself is not needed to read it.

Its majority vote is left out: it depends on a clustering, which here is for display only.

References
----------
Domínguez Conde et al. 2022 (CellTypist), doi:10.1126/science.abl5197
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.special import expit

from rabiomarkers.errors import CellError
from rabiomarkers.features.annotation import UNASSIGNED, MarkerTree, called_levels, no_calls

type Values = NDArray[np.float64]

HIGHEST = 10.0  # standard deviations; CellTypist cuts higher levels
CELLS_AT_ONCE = 2_000  # x genes of the model, dense: a hundred megabytes

LEAD = ("class", "cell_type", "intercept")
MEAN, SCALE = "(mean)", "(scale)"


@dataclass(frozen=True, kw_only=True)
class CellTypistModel:
    """A logistic regression per class over standardised log levels.

    `cell_types` are what the classes are called here, empty where they have no name; `tree` holds these names alone.
    """

    classes: tuple[str, ...]
    cell_types: tuple[str, ...]
    genes: pd.Index
    weights: Values  # classes x genes
    intercept: Values
    mean: Values
    scale: Values
    tree: MarkerTree

    def coverage(self, measured: pd.Index) -> float:
        """Share of the model's genes that were measured, 0..1."""
        return float(self.genes.isin(measured).mean())


class Trained(Protocol):
    """What is taken of a `celltypist.models.Model`."""

    classifier: Any
    scaler: Any


def model_table(model: Trained, names: Mapping[str, str]) -> pd.DataFrame:
    """The weights of a loaded CellTypist model as the table that `celltypist_tables.read_model` reads.

    Parameters
    ----------
    names
        Class of the model -> cell type of the marker table; a class that is not among them stays unassigned.

    Raises
    ------
    CellError
        A name is given to a class that the model does not have.
    """
    classifier, scaler = model.classifier, model.scaler
    classes = [str(name) for name in classifier.classes_]
    strangers = sorted(set(names) - set(classes))
    if strangers:
        raise CellError(
            f"The model has no class {', '.join(map(repr, strangers))}; it has {', '.join(sorted(classes))}."
        )
    weights, intercept = np.asarray(classifier.coef_, float), np.asarray(classifier.intercept_, float)
    if len(classes) == 2:  # one row of weights, for the second class
        weights, intercept = np.vstack([-weights, weights]), np.concatenate([-intercept, intercept])
    genes = [str(gene) for gene in classifier.features]
    mean = np.asarray(scaler.mean_, float) if scaler.with_mean else np.zeros(len(genes))
    numbers = np.vstack([mean, np.asarray(scaler.scale_, float), weights])
    lead = pd.DataFrame(
        {
            "class": [MEAN, SCALE, *classes],
            "cell_type": ["", "", *(names.get(name, "") for name in classes)],
            "intercept": [0.0, 0.0, *intercept],
        }
    )
    return pd.concat([lead, pd.DataFrame(numbers, columns=genes)], axis="columns")


def class_probabilities(counts: csr_matrix, genes: pd.Index, model: CellTypistModel) -> Values:
    """Probability of each class for each cell, as CellTypist's ``best match`` computes it; a cell's need not add up to 1.

    Parameters
    ----------
    counts
        Cells x genes, raw. Genes of the model that were not measured are left out, as CellTypist does.
    """
    places = genes.get_indexer(model.genes)
    known = np.flatnonzero(places >= 0)
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    weights, mean, scale = model.weights[:, known], model.mean[known], model.scale[known]
    chances = np.empty((counts.shape[0], len(model.classes)))
    measured = csr_matrix(counts[:, places[known]], dtype=np.float64)
    for start in range(0, counts.shape[0], CELLS_AT_ONCE):
        part = slice(start, start + CELLS_AT_ONCE)
        equal = diags_array(1e4 / np.maximum(totals[part], 1.0)) @ measured[part]
        levels = np.minimum((np.log1p(equal.toarray()) - mean) / scale, HIGHEST)
        chances[part] = expit(levels @ weights.T + model.intercept)
    return chances


def annotate_by_model(
    counts: csr_matrix,
    genes: pd.Index,
    model: CellTypistModel,
    *,
    minimum_margin: float = 0.1,
    minimum_coverage: float = 0.6,
) -> pd.DataFrame:
    """Call the type of each cell by a CellTypist model.

    Each class is judged by itself, so the probabilities of a cell do not add up to 1. They are set against one another and against
    the product of their complements, which is the chance that none of them fits; then types are sums over their classes, and
    lineages over their types, as with the marker table. CellTypist's ``best match`` names every cell, this one leaves some
    unassigned.

    Parameters
    ----------
    counts, genes
        Cells x genes, raw counts of one sample, each gene once.
    minimum_margin
        See `annotation.annotate`. A cell that fits no class best, or one without a name, is unassigned as well.
    minimum_coverage
        Smallest share (0..1) of the model's genes that must have been measured.

    Returns
    -------
    As of `annotation.annotate`.

    Raises
    ------
    CellError
        Too few of the model's genes were measured.
    """
    coverage = model.coverage(genes)
    if coverage < minimum_coverage:
        raise CellError(
            f"{coverage:.0%} of the {len(model.genes):,} genes of the CellTypist model were measured, {minimum_coverage:.0%} are "
            "needed. Are its genes HGNC symbols?"
        )
    if counts.shape[0] == 0:
        return no_calls()
    chances = class_probabilities(counts, genes, model)
    nothing = np.prod(1 - chances, axis=1)
    whole = chances.sum(axis=1) + nothing  # of independent chances above 0 always
    types = [*model.tree.types, UNASSIGNED]
    owner = np.array([name or UNASSIGNED for name in model.cell_types])
    by_type = np.column_stack([chances[:, owner == name].sum(axis=1) for name in types])
    by_type[:, -1] += nothing
    by_type /= whole[:, None]
    lineage_of = np.array([*(model.tree.lineage[name] for name in model.tree.types), UNASSIGNED])
    lineages = np.unique(lineage_of)
    by_lineage = np.column_stack([by_type[:, lineage_of == name].sum(axis=1) for name in lineages])
    return called_levels(by_type, by_lineage, np.array(types), lineage_of, lineages, minimum_margin=minimum_margin)
