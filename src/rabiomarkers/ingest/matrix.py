"""Numbers out of text tables: every cell that is not a proper number is told with its line and its sample."""

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from rabiomarkers.ingest.delimited import Delimited
from rabiomarkers.ingest.findings import Findings, named, nearest

NUMBER = "a number"
ABSENT = ("", "na", "nan", "n/a", "null", "none", "-", "nd", "#n/a", "#div/0!", "#value!")


def check_present(sample_ids: Collection[str], present: Collection[str], findings: Findings, *, where: str) -> None:
    """Note the samples of the sheet that the file lacks (`where`: what a sample is there) or has twice."""
    count = pd.Series(list(present), dtype=str).value_counts()
    for sample in sorted(set(sample_ids)):
        if sample not in count:
            # never the name of another sample, nor of another patient's: following the hint would swap two samples
            free = [name for name in set(present) - set(sample_ids) if _digits(name) == _digits(sample)]
            meant = nearest(sample, free)
            has = f"; it has {named(present)}" if len(count) else ""
            findings.add(
                f"no {where} {sample!r}{has}",
                f"a {where} for every sample of the sheet" + (f" (did you mean {meant!r}?)" if meant else ""),
                "make sample_id in samples.csv and the name in the file the same",
                column=sample,
            )
        elif count[sample] > 1:
            findings.add(f"{count[sample]} {where}s of this name", "one", "rename or remove all but one", column=sample)


def number_columns(
    table: Delimited, positions: Mapping[int, str], findings: Findings, *, absent_allowed: bool = False
) -> pd.DataFrame:
    """The columns at these positions as floats, named as told and indexed by line; what is not a number is noted.

    An empty cell or ``NA`` is a fault too unless `absent_allowed`; infinity always is.
    """
    raw = table.frame(numbers=positions)
    columns, faults = {}, []
    for position, name in positions.items():
        numbers = as_numbers(raw[position])
        bad = ~np.isfinite(numbers)
        if absent_allowed and bad.any():
            bad &= ~raw[position].astype(str).str.strip().str.lower().isin(ABSENT).to_numpy()
        for at in np.flatnonzero(bad).tolist():
            faults.append((int(raw.index[at]), name, _cell(raw[position].iloc[at])))
        columns[name] = numbers
    findings.add_cells(faults, NUMBER, _remedy(faults))
    return pd.DataFrame(columns, index=raw.index)


def as_numbers(cells: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The cells as floats, NaN where one is no number."""
    if cells.dtype == bool:
        return np.full(len(cells), np.nan)
    try:
        return np.asarray(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    except OverflowError:  # a whole number of hundreds of digits
        return np.asarray(pd.to_numeric(cells.astype(str), errors="coerce"), dtype=np.float64)


def check_not_negative(values: pd.DataFrame, findings: Findings, *, what: str) -> None:
    """Note every cell below zero."""
    numbers = values.to_numpy()
    rows, columns = np.nonzero(numbers < 0)
    cells = [
        _place(values.index, row, str(values.columns[column]), f"{numbers[row, column]:g}")
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    findings.add_cells(cells, f"{what}: zero or more", "correct the cell, or supply the table before transformation")


def _digits(name: str) -> list[str]:
    return [number.lstrip("0") for number in re.findall(r"\d+", name)]


def _place(index: pd.Index, row: int, column: str, found: str) -> tuple[int | None, str, str]:
    """Where a cell is: by its line where the file has lines, else by the name of its row."""
    return (int(index[row]), column, found) if index.name == "line" else (None, column, f"{found} for {index[row]}")


def _cell(value: object) -> str:
    text = str(value).strip()
    return "an empty cell" if not text else repr(text)


def _remedy(faults: Sequence[tuple[int | None, str, str]]) -> str:
    comma = any("," in found and "." not in found for _, _, found in faults)
    return "write a decimal point, not a comma" if comma else "fill in the number, 0 only where 0 was measured"
