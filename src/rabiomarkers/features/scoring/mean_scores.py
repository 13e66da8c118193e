"""Scores of log values: the mean of the members, and the mean of z against a frozen reference."""

from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, Problem, SignatureError
from rabiomarkers.features.scoring.expression import UNIT_OF_SCALE, Expression, Known, Scored
from rabiomarkers.features.scoring.members import NOTHING_COUNTED, members_of, notes_of

REFERENCE_COLUMNS = ("gene", "mean", "sd")
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
        The values are logarithms already.
    """
    if known.reference is None:
        raise SignatureError("The method 'z' needs a frozen reference (gene, mean, sd): `freeze_reference` makes one.")
    reference = known.reference.set_index("gene")
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


def freeze_reference(expression: Expression) -> pd.DataFrame:
    """Mean and standard deviation (n - 1) of log2(CPM + 1) or log2(TPM + 1) of each gene: `gene, mean, sd`, sorted by gene.

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
    return table.sort_values("gene", ignore_index=True)


def read_reference(path: Path) -> pd.DataFrame:
    """The frozen reference as `freeze_reference` made it and `to_csv(index=False)` wrote it.

    Raises
    ------
    InputError
        Every problem of the file: no CSV, a column that is missing, a gene that occurs twice, a cell that is no number.
    """
    label = path.name
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        remedy = "write it again with `freeze_reference(...).to_csv(path, index=False)`"
        told = Problem(file=label, found=f"no readable CSV ({type(error).__name__})", expected="a CSV", remedy=remedy)
        raise InputError([told]) from None
    missing = [name for name in REFERENCE_COLUMNS if name not in table.columns]
    if missing or table.empty:
        found = f"no column {', '.join(missing)}" if missing else "no rows"
        expected = f"the columns {', '.join(REFERENCE_COLUMNS)} and a row a gene"
        raise InputError(
            [Problem(file=label, row=1, found=found, expected=expected, remedy="write the reference again")]
        )
    numbers = table[["mean", "sd"]].apply(pd.to_numeric, errors="coerce").astype("float64")
    problems = [
        *_faults(label, table, "gene", table["gene"].duplicated().to_numpy(), "each gene once"),
        *_faults(label, table, "mean", ~np.isfinite(numbers["mean"].to_numpy()), "a number"),
        *_faults(label, table, "sd", ~(np.isfinite(numbers["sd"]) & (numbers["sd"] >= 0)).to_numpy(), "0 or more"),
    ]
    if problems:
        raise InputError(problems)
    return table[["gene"]].join(numbers)


def _faults(label: str, table: pd.DataFrame, column: str, wrong: np.ndarray, expected: str) -> list[Problem]:
    return [
        Problem(
            file=label,
            row=int(row) + 2,  # the header is line 1
            column=column,
            found=repr(str(table[column].iloc[row])),
            expected=expected,
            remedy="correct the cell, or freeze the reference again",
        )
        for row in np.flatnonzero(wrong)[:20]
    ]
