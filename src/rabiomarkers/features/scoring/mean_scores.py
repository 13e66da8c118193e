"""Scores of log values: the mean of the members, and the mean of z against a frozen reference."""

from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, ScaleError, SignatureError
from rabiomarkers.features.scoring.expression import UNIT_OF_SCALE, Expression, Known, Scored
from rabiomarkers.features.scoring.gene_files import faults, numbers_of, read_gene_file, repeated_genes
from rabiomarkers.features.scoring.members import NOTHING_COUNTED, members_of, notes_of

REFERENCE_COLUMNS = ("gene", "mean", "sd")
REMEDY = "correct the cell, or write the reference again: `freeze_reference(...).to_csv(path, index=False)`"
FEWEST_IN_REFERENCE = 3
"""Samples of which a standard deviation may be frozen."""


def mean_score(expression: Expression, known: Known) -> Scored:
    """Mean over the measured genes of direction * weight * log2(CPM + 1), or of log2(TPM + 1).

    Raises
    ------
    ScaleError
        The values are logarithms already.
    SignatureError
        As `members_of`.
    """
    members = members_of(expression.genes, known.signatures)
    levels = expression.logarithms[:, members.genes]
    signed = np.where(members.direction == 0, 1.0, members.direction) * members.weight
    count = np.maximum(members.count(members.everyone), 1)
    values = members.total(levels, members.everyone, signed) / count
    kept, notes = notes_of(values, members.reasons(known.minimum_coverage), NOTHING_COUNTED)
    unit = UNIT_OF_SCALE[expression.scale]
    return Scored(features=members.names, values=kept, coverage=members.coverage, unit=unit, notes=notes)


def z_score(expression: Expression, known: Known) -> Scored:
    """Mean over the measured genes of direction * (log2 value - mean) / sd, both of a reference that was frozen before.

    So no sample's score depends on the others; with mean and sd of the batch itself it would. Genes that do not vary in the
    reference, or are not in it, count as not measured.

    Raises
    ------
    SignatureError
        There is no reference, or as `members_of`.
    ScaleError
        The values are logarithms already, or the reference is of the other unit.
    """
    if known.reference is None:
        raise SignatureError("The method 'z' needs a frozen reference (gene, mean, sd): `freeze_reference` makes one.")
    reference = known.reference.set_index("gene")
    _refuse_unit(reference, expression)
    usable = reference.index[reference["sd"] > 0].intersection(expression.genes)
    members = members_of(usable, known.signatures)
    chosen = usable[members.genes]
    means, spreads = (reference.loc[chosen, name].to_numpy(np.float64) for name in ("mean", "sd"))
    levels = expression.logarithms[:, expression.genes.get_indexer(chosen)]
    signed = np.where(members.direction == 0, 1.0, members.direction)
    count = np.maximum(members.count(members.everyone), 1)
    values = members.total((levels - means) / spreads, members.everyone, signed) / count
    kept, notes = notes_of(values, members.reasons(known.minimum_coverage), NOTHING_COUNTED)
    return Scored(features=members.names, values=kept, coverage=members.coverage, unit="mean z", notes=notes)


def _refuse_unit(reference: pd.DataFrame, expression: Expression) -> None:
    """CPM and TPM of one gene differ by its length: a z across the two speaks of lengths."""
    told = set(reference["unit"]) if "unit" in reference.columns else set()
    own = UNIT_OF_SCALE.get(expression.scale, "")
    if told and own and told != {own}:
        raise ScaleError(f"The frozen reference is in {', '.join(sorted(told))}, the sample in {own}.")


def freeze_reference(expression: Expression) -> pd.DataFrame:
    """Mean and standard deviation (n - 1) of log2(CPM + 1) or log2(TPM + 1) of each gene: `gene, mean, sd, unit`, by gene.

    Freeze it before unblinding, from samples before treatment or from another cohort, and keep the file with the study.

    Raises
    ------
    SignatureError
        Fewer than three samples hold counts.
    ScaleError
        The values are logarithms already.
    """
    levels = expression.logarithms
    counted = levels[~np.isnan(levels).any(axis=1)]
    if len(counted) < FEWEST_IN_REFERENCE:
        raise SignatureError(
            f"A reference needs {FEWEST_IN_REFERENCE} samples or more in which something was counted; "
            f"there are {len(counted)}."
        )
    table = pd.DataFrame({"gene": expression.genes, "mean": counted.mean(axis=0), "sd": counted.std(axis=0, ddof=1)})
    return table.sort_values("gene", ignore_index=True).assign(unit=UNIT_OF_SCALE[expression.scale])


def read_reference(path: Path) -> pd.DataFrame:
    """The frozen reference as `freeze_reference` made it and `to_csv(index=False)` wrote it.

    Raises
    ------
    InputError
        Every problem of the file: no CSV, a column that is missing, a gene that occurs twice, a cell that is no number, an
        unknown `unit` (a column that an older file may lack).
    """
    expected = f"the columns {', '.join(REFERENCE_COLUMNS)} and a row a gene"
    table = read_gene_file(path, expected=expected, remedy=REMEDY, columns=REFERENCE_COLUMNS)
    numbers = numbers_of(table, ("mean", "sd"))
    mean, spread = numbers["mean"].to_numpy(), numbers["sd"].to_numpy()
    problems = [
        *repeated_genes(path, table, REMEDY),
        *faults(path, table, "mean", ~np.isfinite(mean), "a number", REMEDY),
        *faults(path, table, "sd", ~(np.isfinite(spread) & (spread >= 0)), "0 or more", REMEDY),
    ]
    if "unit" in table.columns:
        units = tuple(UNIT_OF_SCALE.values())
        problems += faults(path, table, "unit", ~table["unit"].isin(units).to_numpy(), " or ".join(units), REMEDY)
    if problems:
        raise InputError(problems)
    told = table[["unit"]] if "unit" in table.columns else pd.DataFrame(index=table.index)
    return table[["gene"]].join(numbers).join(told)
