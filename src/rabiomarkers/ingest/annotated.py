"""Opening `.h5ad` files, with what is wrong told in words."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import pandas as pd

from rabiomarkers.ingest.delimited import HDF5
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.places import refuse_links
from rabiomarkers.ingest.symbols import symbol_column


def check_hdf5(path: Path, label: str) -> None:
    """Raise where the path is no HDF5 file at all.

    Raises
    ------
    InputError
        There is no such file, it is a folder, empty, damaged, of another kind, or keeps its data in other files.
    """
    findings = Findings(label)
    if path.is_dir():
        findings.add("a folder", "a file", "name the file inside it")
    elif not path.is_file():
        findings.add("no such file", "a file that is there", "correct the path or put the file there")
    elif path.stat().st_size == 0:
        findings.add("an empty file", "a file with content", "copy it again; was the copy interrupted?")
    else:
        with path.open("rb") as handle:
            if handle.read(len(HDF5)) != HDF5:
                findings.add("no HDF5 file", "an HDF5 file (.h5ad, .h5)", "check that the path names the right file")
    findings.raise_if_any()
    try:
        with h5py.File(path) as file:
            refuse_links(file, findings)
    except (OSError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        findings.fail(f"a damaged HDF5 file ({reason[:120]})", "a complete HDF5 file", "copy or write it again")


def open_annotated(path: Path, label: str, *, in_memory: bool = True) -> Any:
    """The AnnData (typed loosely: its own types admit lazy frames) of an `.h5ad` file.

    Not `in_memory`, its matrix stays in the file, which the caller closes (`data.file.close()`).

    Raises
    ------
    InputError
        The file is absent, damaged or holds something else.
    """
    import anndata  # takes a second to load, and most studies keep their tables as text

    check_hdf5(path, label)
    with warnings.catch_warnings(), damage_told(label):
        warnings.simplefilter("ignore")  # repeated names are judged by the readers, old encodings are still readable
        return anndata.read_h5ad(path, backed=None if in_memory else "r")


@contextmanager
def damage_told(label: str) -> Iterator[None]:
    """Tells in words that what is read inside cannot be; a matrix that stays in the file breaks only when its rows are asked for.

    Raises
    ------
    InputError
        In place of what the libraries below raise.
    """
    try:
        yield
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        Findings(label).fail(f"no readable .h5ad ({reason[:120]})", "a complete AnnData file", "copy or write it again")


def sample_names(obs: Any) -> "pd.Series[str]":
    """Which sample each row is: its `sample_id`, else its name."""
    names = obs["sample_id"] if "sample_id" in obs.columns else pd.Series(obs.index, index=obs.index)
    return names.astype(str)


def gene_names(var: Any) -> "pd.Series[str]":
    """The symbols of the genes: a column of `.var` that holds them, else the names."""
    at = symbol_column(["", *map(str, var.columns)])
    names = var.iloc[:, at - 1] if at else var.index
    return pd.Series([str(name).strip() for name in names], dtype=str)
