"""Tables as `config/schema.yaml` promises them: read with everything that is wrong in one told at once, by file, row and column."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from rabiomarkers.errors import InputError, Problem, RabiomarkersError

type Kind = Literal["text", "integer", "number"]
type Row = Mapping[str, str]
type Fault = tuple[int | None, str | None, str, str, str]
"""Line, column, found, expected, remedy."""
type Rule = Callable[[Mapping[int, Row]], Iterator[Fault]]

SCHEMA = "schema.yaml"
NOTHING_TO_SAY = "-"

_DTYPES: Mapping[Kind, Any] = {"text": pd.StringDtype(na_value=np.nan), "integer": "Int64", "number": "float64"}
_IN_WORDS: Mapping[Kind, str] = {"text": "text", "integer": "a whole number", "number": "a number"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a table promises: its columns, what identifies a row, which may be empty, which values are allowed."""

    columns: Mapping[str, Kind]
    key: tuple[str, ...]
    optional: frozenset[str]
    allowed: Mapping[str, tuple[str, ...]]


def config_path(relative: str) -> Path:
    """Where a file that ships with the project lies, e.g. ``"signatures/gene_signatures.csv"``.

    Found beside the package where it was installed, and in `config/` of the source tree.

    Raises
    ------
    RabiomarkersError
        No such file ships with this version.
    """
    package = Path(__file__).parent
    for folder in (package / "_config", package.parent.parent / "config"):
        if (folder / relative).is_file():
            return folder / relative
    raise RabiomarkersError(f"No configuration file {relative!r} ships with this version of rabiomarkers.")


@cache
def layout_of(name: str) -> Layout:
    """What `schema.yaml` says of the table `name`, such as ``"signatures/gene_signatures.csv"``.

    Raises
    ------
    RabiomarkersError
        The schema does not name the table, or gives a column a kind that there is not.
    """
    files = yaml.safe_load(config_path(SCHEMA).read_text(encoding="utf-8"))["files"]
    if name not in files:
        raise RabiomarkersError(f"{SCHEMA} names no table {name!r}; it names {', '.join(files)}.")
    told = files[name]
    strange = {column: kind for column, kind in told["columns"].items() if kind not in _DTYPES}
    if strange:
        raise RabiomarkersError(f"{SCHEMA}, {name}: {strange} is no kind of column; there are {', '.join(_DTYPES)}.")
    return Layout(
        columns=told["columns"],
        key=tuple(told["key"]),
        optional=frozenset(told.get("optional", ())),
        allowed={column: tuple(values) for column, values in told.get("allowed", {}).items()},
    )


def load_table(path: Path | None, name: str, *, rules: Sequence[Rule] = (), as_written: bool = False) -> pd.DataFrame:
    """The table at `path`, as the schema promises the table `name`, sorted by its key, or in the order of the file (`as_written`).

    Parameters
    ----------
    path
        A CSV file of a scientist's own; None: the one that ships.
    name
        Which table of the schema it is.
    rules
        What must hold beyond single cells; asked once the cells are right.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    layout = layout_of(name)
    path = path or config_path(name)
    rows, faults = _read(path, layout)
    if not faults:
        faults = [*_cell_faults(rows, layout), *_key_faults(rows, layout)]
    if not faults:
        faults = [fault for rule in rules for fault in rule(rows)]
    if faults:
        raise InputError(
            Problem(file=path.name, row=row, column=column, found=found, expected=expected, remedy=remedy)
            for row, column, found, expected, remedy in faults
        )
    texts = pd.DataFrame(list(rows.values()), columns=list(layout.columns), dtype=_DTYPES["text"])
    typed = {column: _typed(texts[column], kind) for column, kind in layout.columns.items()}
    table = pd.DataFrame(typed)
    return table if as_written else table.sort_values(list(layout.key), ignore_index=True)


def _typed(texts: "pd.Series[str]", kind: Kind) -> pd.Series:
    if kind == "text":
        return texts
    numbers = pd.to_numeric(texts.where(texts != "", np.nan), errors="raise")
    return numbers.astype("int64") if kind == "integer" and not numbers.isna().any() else numbers.astype(_DTYPES[kind])


def _read(path: Path, layout: Layout) -> tuple[dict[int, Row], list[Fault]]:
    """Rows by the line a text editor shows; an empty `note` says the same as "-"."""
    if not path.is_file():
        return {}, [(None, None, "there is no such file", "a CSV file", "put it there or correct the path")]
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except UnicodeDecodeError:
        return {}, [(None, None, "the text is not UTF-8", "a CSV file in UTF-8", "save it as 'CSV UTF-8'")]
    except csv.Error as error:
        return {}, [(None, None, f"this is not CSV ({error})", "quoted cells closed", "save it as CSV again")]
    header = lines[0][1] if lines else []
    faults = list(_header_faults(header, layout))
    if faults:
        return {}, faults
    rows: dict[int, Row] = {}
    for line, cells in lines[1:]:
        if not any(cells):
            continue
        if len(cells) != len(header):
            told = f"{len(cells)} cells", f"{len(header)} as in the header", "quote a cell that holds a comma"
            faults.append((line, None, *told))
            continue
        row = dict(zip(header, cells, strict=True))
        rows[line] = row | {"note": row["note"] or NOTHING_TO_SAY} if "note" in row else row
    if not rows and not faults:
        faults.append((None, None, "the file has no rows", "at least one row", "restore the file that ships"))
    return rows, faults


def _header_faults(header: list[str], layout: Layout) -> Iterator[Fault]:
    expected = f"the columns {', '.join(layout.columns)}"
    remedy = "use commas, and the names of the file that ships" if len(header) < 2 else "correct the header"
    for column in layout.columns:
        if column not in header:
            yield 1, column, "the column is missing", expected, remedy
    for column in dict.fromkeys(header):
        if column not in layout.columns:
            yield 1, column or "(no name)", "the column is not known", expected, "remove or rename it"
        elif header.count(column) > 1:
            yield 1, column, "the column occurs more than once", expected, "keep one"


def _cell_faults(rows: Mapping[int, Row], layout: Layout) -> Iterator[Fault]:
    for line, row in rows.items():
        for column, kind in layout.columns.items():
            text = row[column]
            allowed = layout.allowed.get(column)
            if text == "" and column in layout.optional:
                continue
            if column == "source" and text in ("", NOTHING_TO_SAY):
                yield line, column, "no source", "where the row comes from", "give a PMID, a DOI or a data set"
            elif text == "":
                yield line, column, "the cell is empty", _IN_WORDS[kind], f"fill it in ({NOTHING_TO_SAY!r} for nothing)"
            elif allowed and text not in allowed:
                yield line, column, repr(text), f"one of {', '.join(allowed)}", "correct it"
            elif kind != "text" and not _is(kind, text):
                yield line, column, repr(text), _IN_WORDS[kind], "correct it (decimal point, no thousands sign)"


def _is(kind: Kind, text: str) -> bool:
    pattern = r"[+-]?\d+" if kind == "integer" else r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
    return re.fullmatch(pattern, text) is not None


def _key_faults(rows: Mapping[int, Row], layout: Layout) -> Iterator[Fault]:
    first: dict[tuple[str, ...], int] = {}
    for line, row in rows.items():
        key = tuple(row[column] for column in layout.key)
        if key in first:
            told = f"{' / '.join(key)} stands in row {first[key]} already", "one row each", "remove one"
            yield line, layout.key[-1], *told
        first.setdefault(key, line)
