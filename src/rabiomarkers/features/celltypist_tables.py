"""Reading the table of a CellTypist model (`features.celltypist`): every fault of it is told, and nothing in it is run."""

import csv
import difflib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.features.annotation import BLOOD, marker_tree, type_paths
from rabiomarkers.features.celltypist import LEAD, MEAN, SCALE, CellTypistModel, Values

TABLE = "the table of a CellTypist model"
EXPORT = "load the model once where you trust its origin and write features.celltypist.model_table"
PICKLED = (".pkl", ".pickle", ".joblib")
FEWEST_TYPES = 2
LISTED = 5


def read_model(
    path: Path, markers: pd.DataFrame, compartment: str = BLOOD, *, aliases: "pd.Series[str] | None" = None
) -> CellTypistModel:
    """Read the table of a CellTypist model.

    Parameters
    ----------
    path
        CSV, see `features.celltypist`.
    markers, compartment
        The marker table, whose cell types the classes are named by.
    aliases
        Alias (index) -> symbol: genes that the model still calls by an old symbol.

    Raises
    ------
    InputError
        All that is wrong with the table.
    """
    rows = _rows(path)
    problems = list(_shape_faults(rows, path.name))
    if problems:
        raise InputError(problems)
    header, body = rows[0], {row[0]: row for row in rows[1:]}
    paths = type_paths(markers, compartment)
    problems += _name_faults(body, paths, path.name)
    numbers, faults = _numbers(header, body, path.name)
    problems += faults
    if problems:
        raise InputError(problems)
    classes = tuple(name for name in body if name not in (MEAN, SCALE))
    of_class = [list(body).index(name) for name in classes]
    cell_types = tuple(body[name][1].strip() for name in classes)
    return CellTypistModel(
        classes=classes,
        cell_types=cell_types,
        genes=_symbols(header[len(LEAD) :], aliases),
        weights=numbers[of_class, 1:],
        intercept=numbers[of_class, 0],
        mean=numbers[list(body).index(MEAN), 1:],
        scale=numbers[list(body).index(SCALE), 1:],
        tree=marker_tree(markers, compartment, names=sorted({name for name in cell_types if name})),
    )


def _problem(file: str, found: str, expected: str, remedy: str, *, column: str | None = None) -> Problem:
    return Problem(file=file, column=column, found=found, expected=expected, remedy=remedy)


def _rows(path: Path) -> list[list[str]]:
    """The cells of the table as text."""
    if path.suffix.lower() in PICKLED:
        raise InputError([_problem(path.name, "a pickle, which is never opened here", TABLE, EXPORT)])
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return [row for row in csv.reader(handle) if any(cell.strip() for cell in row)]
    except OSError:
        raise InputError([_problem(path.name, "no readable file", TABLE, "check `celltypist`")]) from None
    except (UnicodeDecodeError, csv.Error):  # a pickle of another name among them
        raise InputError([_problem(path.name, "no text", TABLE, EXPORT)]) from None


def _shape_faults(rows: list[list[str]], file: str) -> Iterator[Problem]:
    """What keeps the table from being looked at cell by cell."""
    if not rows or tuple(rows[0][: len(LEAD)]) != LEAD or len(rows[0]) == len(LEAD):
        found = ", ".join(rows[0][:4])[:60] if rows else "nothing"
        yield _problem(file, f"columns {found}", f"{', '.join(LEAD)} and a column for each gene", EXPORT)
        return
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            yield Problem(
                file=file, row=line, found=f"{len(row)} cells", expected=f"{len(rows[0])}", remedy="restore the row"
            )
    names = Counter(row[0] for row in rows[1:])
    for name in sorted(name for name, number in names.items() if number > 1):
        yield _problem(file, f"{names[name]} rows {name!r}", "one", "remove all but one", column="class")
    for name in (MEAN, SCALE):
        if name not in names:
            yield _problem(file, f"no row {name!r}", "the rows (mean) and (scale)", EXPORT, column="class")
    twice = sorted(gene for gene, number in Counter(rows[0]).items() if number > 1)
    if twice:
        yield _problem(file, f"{_some(twice)} more than once", "each gene once", "remove all but one column")


def _name_faults(body: Mapping[str, list[str]], paths: Mapping[str, tuple[str, ...]], file: str) -> Iterator[Problem]:
    """Names that the marker table does not know, or of which one lies within another, and too few of them."""
    given = {name: row[1].strip() for name, row in body.items() if name not in (MEAN, SCALE) and row[1].strip()}
    for name, cell_type in given.items():
        if cell_type not in paths:
            close = difflib.get_close_matches(cell_type, paths, n=1)
            meant = f" (did you mean {close[0]!r}?)" if close else ""
            expected = f"a cell type of the marker table, or nothing{meant}"
            yield _problem(file, f"{cell_type!r} for {name!r}", expected, "correct the name", column="cell_type")
    types = sorted({name for name in given.values() if name in paths})
    for outer in types:
        inner = [name for name in types if name != outer and outer in paths[name]]
        if inner:
            expected = "cell types of which none lies within another, so that shares add up"
            remedy = f"name all of them {outer}, or divide {outer}"
            yield _problem(file, f"{outer!r} beside {_some(inner)}", expected, remedy, column="cell_type")
    if len(set(given.values())) < FEWEST_TYPES:
        found, expected = f"{len(set(given.values()))} cell types", f"{FEWEST_TYPES} or more"
        yield _problem(file, found, expected, "name the classes by the marker table's types", column="cell_type")


def _numbers(header: list[str], body: Mapping[str, list[str]], file: str) -> tuple[Values, list[Problem]]:
    """Intercept and genes of every row, and what of them is no finite number; a scale must be above 0."""
    numbers = np.full((len(body), len(header) - 2), np.nan)
    for place, row in enumerate(body.values()):
        cells = ["0", *row[len(LEAD) :]] if row[0] in (MEAN, SCALE) else row[2:]
        try:
            numbers[place] = np.array(cells, dtype=np.float64)
        except ValueError:
            numbers[place] = pd.to_numeric(pd.Series(cells), errors="coerce")
    wrong = ~np.isfinite(numbers)
    wrong[list(body).index(SCALE)] |= numbers[list(body).index(SCALE)] <= 0
    wrong[list(body).index(SCALE), 0] = False
    problems = []
    for place in np.flatnonzero(wrong.any(axis=1)).tolist():
        columns = [header[2 + at] for at in np.flatnonzero(wrong[place]).tolist()]
        expected = "numbers above 0" if list(body)[place] == SCALE else "finite numbers"
        found = f"no such number in {_some(columns)} of {list(body)[place]!r}"
        problems.append(_problem(file, found, expected, EXPORT))
    return numbers, problems


def _symbols(genes: list[str], aliases: "pd.Series[str] | None") -> pd.Index:
    """The genes by the symbols used here; an old name stays where its symbol is a gene of the model already."""
    names = pd.Series([gene.strip() for gene in genes], dtype="str")
    if aliases is None:
        return pd.Index(names)
    new = names.map(aliases).fillna(names)
    taken = new.isin(set(names)) | new.duplicated(keep=False)
    return pd.Index(names.where(taken & (new != names), new))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
