"""How tables, cells and facts lie on disk: the same content gives the same bytes, and nothing is ever half written."""

import ctypes
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

if TYPE_CHECKING:
    from anndata import AnnData

FORMULA = re.compile(r"[=+@\t\r]|-[^\d\s]|-[\d.,]+\s*[-+*/^&|!<>=(]")
"""How a text begins that a spreadsheet would run."""

type Info = dict[str, Any]
"""A few facts a step tells beside its files; JSON."""


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Parquet without the row index; `frame.attrs` travels along."""
    frame.to_parquet(path, engine="pyarrow", compression="zstd", index=False)


def read_table(path: Path) -> pd.DataFrame:
    """The frame `write_table` wrote, `attrs` included."""
    return pd.read_parquet(path, engine="pyarrow")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """CSV for people and spreadsheets: UTF-8, LF line ends, numbers in full, empty where a value is absent.

    A text that a spreadsheet would take for a formula (a protein named ``=cmd()``) gets an apostrophe before it.
    """
    texts = {column: frame[column].map(_disarmed) for column in frame.columns if not is_numeric_dtype(frame[column])}
    frame.assign(**texts).to_csv(path, index=False, lineterminator="\n")


def _disarmed(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def write_json(value: object, path: Path) -> None:
    """JSON with sorted keys; a number that is not finite is `null`, as JSON knows no other."""
    path.write_text(json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text())


def write_cells(cells: "AnnData", path: Path) -> None:
    """A gzip-compressed `.h5ad`; fast compression, as stronger saves a tenth of the size for half as much time again."""
    cells.write_h5ad(path, compression="gzip", compression_opts=1)


def read_cells(path: Path) -> "AnnData":
    """What `write_cells` wrote, in memory."""
    import anndata  # takes a second to load, and most steps read no cells

    return anndata.read_h5ad(path)


def _plain(value: object) -> object:
    """numpy and pandas scalars as Python's, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is pd.NA or value is pd.NaT:
        return None
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def replace_folder(new: Path, target: Path) -> None:
    """Put the finished folder `new` where `target` is, in one step: a reader sees the old state or the new one.

    Both must lie on one file system. Linux exchanges the two names atomically; elsewhere two renames follow each other, and
    the old state is kept aside until the second has happened.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        new.rename(target)
        return
    if _exchange(new, target):
        shutil.rmtree(new)
        return
    aside = target.with_name(f".{target.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    target.rename(aside)
    new.rename(target)
    shutil.rmtree(aside)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names by `renameat2(RENAME_EXCHANGE)`; False where the system has no such call."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of <linux/fs.h>
    return bool(call(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0)
