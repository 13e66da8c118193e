"""Frozen borders: the `gates.csv` that an earlier run wrote, perhaps corrected by hand after looking at the report."""

from pathlib import Path

import pandas as pd

from rabiomarkers.errors import InputError, Problem, ScaleError, TableError
from rabiomarkers.features.gating.transforms import OVER, parse
from rabiomarkers.tables.cytometry import GATES


def read_gates(path: Path) -> pd.DataFrame:
    """The GATES table of a CSV file.

    Raises
    ------
    InputError
        Every problem: columns that are absent, borders that are no number, a scale that cannot be read.
    """
    try:
        told = pd.read_csv(path, dtype="str", keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise InputError([_problem(path, None, None, "no readable CSV", "a gates.csv of an earlier run")]) from None
    if absent := [name for name in GATES.columns if name not in told.columns]:
        raise InputError(
            [_problem(path, 1, None, f"no column {name}", "all columns of a gates.csv") for name in absent]
        )
    problems = []
    for at in told.index[told.duplicated(list(GATES.key))]:
        problems.append(_problem(path, int(at) + 2, None, "a border for the second time", "each border once"))
    numbers = {}
    for name in ("cut", "separation", "events"):
        numbers[name] = pd.to_numeric(told[name].where(told[name] != ""), errors="coerce")
        for at in told.index[numbers[name].isna() & (told[name] != "")]:
            problems.append(_problem(path, int(at) + 2, name, repr(told.loc[at, name]), "a number, or empty"))
    for line, (marker, written) in enumerate(zip(told["marker"], told["transform"], strict=True), start=2):
        parts = written.split(OVER)
        if len(parts) != len(marker.split("/")):
            problems.append(_problem(path, line, "transform", repr(written), f"a scale for each channel of {marker}"))
        for part in parts:
            try:
                parse(part)
            except ScaleError as error:
                problems.append(_problem(path, line, "transform", repr(part), str(error)))
    if problems:
        raise InputError(problems)
    try:
        return GATES.check(
            told.replace("", None).assign(**numbers).assign(events=numbers["events"].fillna(0).astype("Int64"))
        )
    except TableError as error:
        raise InputError([_problem(path, None, None, str(error)[:200], "a gates.csv of an earlier run")]) from None


def _problem(path: Path, row: int | None, column: str | None, found: str, expected: str) -> Problem:
    return Problem(
        file=path.name,
        row=row,
        column=column,
        found=found,
        expected=expected,
        remedy="copy the file of the run again, or correct the cell",
    )
