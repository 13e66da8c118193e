"""Tables of numbers by gene that a study brings along: a frozen reference, a profile of cell types."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import InputError, Problem

MOST_TOLD = 20


def read_gene_file(path: Path, *, expected: str, remedy: str, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV with a column `gene`, each gene once, and columns of numbers, as text; the index is the row without the header.

    Parameters
    ----------
    expected, remedy
        What the file should be, and what to do about it, in words.
    columns
        Columns that must be there.

    Raises
    ------
    InputError
        It is no CSV, has no rows, lacks a column or has one twice, or a row of another length.
    """
    label = path.name
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        found = f"no readable CSV ({type(error).__name__})"
        raise InputError([Problem(file=label, found=found, expected=expected, remedy=remedy)]) from None
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    torn = [
        Problem(
            file=label, row=row, found=f"{len(line)} cells", expected=f"{len(header)} as in the header", remedy=remedy
        )
        for row, line in enumerate(rows, start=2)
        if len(line) != len(header)
    ]
    twice = sorted({name for name in header if header.count(name) > 1})
    torn += [
        Problem(
            file=label, row=1, column=name, found="the column occurs more than once", expected="once", remedy=remedy
        )
        for name in twice
    ]
    if torn:
        raise InputError(torn[:MOST_TOLD])
    table = pd.DataFrame(rows, columns=header, dtype=str)
    missing = [name for name in ("gene", *columns) if name not in table.columns]
    if missing or table.empty:
        found = f"no column {', '.join(missing)}" if missing else "no rows"
        raise InputError([Problem(file=label, row=1, found=found, expected=expected, remedy=remedy)])
    return table


def numbers_of(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The columns as numbers, NaN where a cell is none."""
    return pd.DataFrame({name: pd.to_numeric(table[name], errors="coerce").astype("float64") for name in columns})


def repeated_genes(path: Path, table: pd.DataFrame, remedy: str) -> list[Problem]:
    """Rows whose gene stands above already, or that have none."""
    wrong = table["gene"].duplicated() | table["gene"].str.strip().eq("")
    return faults(path, table, "gene", wrong.to_numpy(), "each gene once", remedy)


def faults(
    path: Path, table: pd.DataFrame, column: str, wrong: NDArray[np.bool_], expected: str, remedy: str
) -> list[Problem]:
    """A problem for each wrong cell of a column, the first twenty of them."""
    return [
        Problem(
            file=path.name,
            row=int(row) + 2,  # the header is line 1
            column=column,
            found=repr(str(table[column].iloc[row])),
            expected=expected,
            remedy=remedy,
        )
        for row in np.flatnonzero(wrong)[:MOST_TOLD]
    ]
