"""Proteins in blood: a table of concentrations or Olink's long NPX format, cut into one piece a sample."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import Delimited, read_delimited
from rabiomarkers.ingest.findings import Findings, nearest
from rabiomarkers.ingest.matrix import check_not_negative, check_present
from rabiomarkers.ingest.olink import from_parquet, from_text, is_olink, olink_rows
from rabiomarkers.ingest.protein_cells import (
    ABOVE_ULOQ,
    ARBITRARY,
    BELOW_LLOQ,
    BELOW_LOD,
    LIMIT_OF,
    PIECE,
    UNITS,
    flag_of,
    is_concentration,
    joined_flags,
    numbers,
    unit_of,
    values_or_limits,
)

PARQUET = b"PAR1"
UNIT = r"(?:\s*\[(?P<{}>[^\]]*)\])?"
TITLE = re.compile(
    rf"(?P<analyte>.*?){UNIT.format('unit')}(?:\s+(?P<role>flag|lod|lloq|uloq){UNIT.format('own')})?", re.I
)
PLATES = ("plate", "plate_id", "plateid", "plate id")


def read_proteins(path: Path, *, label: str, sample_ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The proteins of each sample.

    Parameters
    ----------
    path
        Either samples x analytes, CSV or TSV: first column the sample, each title ``analyte [unit]`` (``sPD-L1 [pg/mL]``; without
        brackets the unit is ``arbitrary``), an empty cell where nothing was measured, ``<2.3`` and ``>4000`` (or ``BLQ``,
        ``>ULOQ``) where the value lies beyond what the assay can tell. Where wanted ``<analyte> lloq``, ``<analyte> uloq`` and
        ``<analyte> lod``, the limits of each sample's plate in the unit of the analyte, ``<analyte> flag`` with a word of the
        laboratory (0 or empty: none) and ``plate``. Or Olink's NPX long format (`ingest.olink`).
    label
        How the file is called in problems.
    sample_ids
        The samples to take; rows of others are not judged.

    Returns
    -------
    By sample id the columns `PIECE`, sorted by analyte: `value` is NaN where nothing was measured, and the limit itself where a
    cell says no more than that (its `flag` says so); `attrs["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    rows, facts = _rows_of(path, label, sample_ids, findings)
    findings.raise_if_any()
    own = dict(tuple(rows.groupby("sample_id", sort=False)))
    pieces = {}
    for sample in sample_ids:
        piece = own.get(sample, rows.iloc[:0]).sort_values("analyte", ignore_index=True)[[*PIECE]]
        piece.attrs["passport"] = {"declared": "proteins", "analytes": len(piece), **facts}
        pieces[sample] = piece
    return pieces


def _rows_of(
    path: Path, label: str, sample_ids: Sequence[str], findings: Findings
) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    if _is_parquet(path):
        olink = from_parquet(path, findings)
    else:
        table = read_delimited(path, label=label)
        if not is_olink(table.header, findings):
            return _wide(table, sample_ids, findings), {"scale": "concentration"}
        olink = from_text(table)
    rows, facts = olink_rows(olink, sample_ids, findings)
    return rows, {"scale": "npx", **facts}


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(PARQUET)) == PARQUET
    except OSError:  # told by `read_delimited`, in words
        return False


@dataclass(kw_only=True)
class _Columns:
    """Where the columns of one analyte are."""

    at: int
    title: str
    unit: str
    roles: dict[str, int] = field(default_factory=dict)  # flag, lod, lloq, uloq


def _wide(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> pd.DataFrame:
    """Long rows of a samples x analytes table."""
    owners = table.frame(text=[0])[0].str.strip()
    check_present(sample_ids, list(owners), findings, where="row")
    analytes = _columns(table, findings)
    mine = owners.isin(list(sample_ids))
    if not analytes or not mine.any():  # behind any other fault of the titles the cells are looked at, too
        findings.raise_if_any()
    cells = table.frame(text=range(len(table.header)))[mine]
    plate_at = next((at for at, title in enumerate(table.header) if at and title.lower() in PLATES), None)
    plates = cells[plate_at].str.strip() if plate_at is not None else pd.Series("", index=cells.index)
    parts = [_analyte_rows(table, name, columns, cells, findings) for name, columns in analytes.items()]
    rows = pd.concat([part.assign(sample_id=owners[mine], plate=plates, panel="") for part in parts])
    return rows[["sample_id", *PIECE]].astype({"flag": "str"})


def _columns(table: Delimited, findings: Findings) -> dict[str, _Columns]:
    """The analytes by name; titles that cannot be understood are noted."""
    row = table.header_line
    titles = {at: title for at, title in enumerate(table.header) if at and title and title.lower() not in PLATES}
    parsed = {at: found for at, title in titles.items() if (found := TITLE.fullmatch(title))}
    plain = {at: found for at, found in parsed.items() if not found["role"]}
    for at in (at for at, title in enumerate(table.header) if at and not title):
        if table.frame(text=[at])[at].str.strip().any():
            untitled = f"values in column {at + 1}, which has no title"
            findings.add(untitled, "a title for every column", "name the analyte", row=row)
    if not plain:
        findings.add("no analytes", "a column for each analyte", "name them `analyte [unit]`", row=row)
    analytes: dict[str, _Columns] = {}
    for at, found in plain.items():
        name = found["analyte"]
        if not name:
            findings.add("a unit without an analyte", "`analyte [unit]`", "name the analyte", row=row)
        elif name in analytes:
            findings.add("two columns of this analyte", "one", "rename or remove one", row=row, column=name)
        else:
            analytes[name] = _Columns(at=at, title=titles[at], unit=_unit(found["unit"], row, titles[at], findings))
    for at, found in parsed.items():
        if found["role"]:
            _take_role(at, found, titles[at], analytes, row, findings)
    return analytes


def _unit(written: str | None, row: int, title: str, findings: Findings) -> str:
    if written is None:
        return ARBITRARY
    unit = unit_of(written)
    if unit is None:
        meant = nearest(written, UNITS, cutoff=0.5)
        expected = "a unit of proteins such as pg/mL, nmol/L, U/mL, NPX, RFU" + (
            f" (did you mean {UNITS[meant]!r}?)" if meant else ""
        )
        remedy = "correct the unit, or leave the brackets out where it is arbitrary"
        findings.add(f"unit {written!r}", expected, remedy, row=row, column=title)
    return unit or ARBITRARY


def _take_role(
    at: int, found: re.Match[str], title: str, analytes: Mapping[str, _Columns], row: int, findings: Findings
) -> None:
    """Put a column of flags or limits to its analyte."""
    name, role = found["analyte"], found["role"].lower()
    if name not in analytes:
        meant = nearest(name, analytes)
        findings.add(
            f"{'flags' if role == 'flag' else 'limits'} of an analyte that has no column",
            f"`<analyte> {role}`" + (f" (did you mean '{meant} {role}'?)" if meant else ""),
            f"name the {role} column as its analyte, without the unit",
            row=row,
            column=title,
        )
        return
    own = found["own"] if found["own"] is not None else found["unit"]
    if own is not None and role != "flag" and unit_of(own) != analytes[name].unit:
        told = f"limits in {own!r}, values in {analytes[name].unit!r}"
        findings.add(told, "one unit for both", "convert the limits", row=row, column=title)
    if role in analytes[name].roles:
        findings.add(f"two columns {name!r} {role}", "one", "remove one", row=row, column=title)
    analytes[name].roles[role] = at


def _analyte_rows(
    table: Delimited, name: str, columns: _Columns, cells: pd.DataFrame, findings: Findings
) -> pd.DataFrame:
    """One analyte in all samples, without `sample_id`, `plate` and `panel`."""
    told = values_or_limits(cells[columns.at], findings, column=columns.title)
    limits = {
        role: numbers(cells[at], findings, column=table.header[at])
        if (at := columns.roles.get(role)) is not None
        else np.full(len(cells), np.nan)
        for role in ("lod", "lloq", "uloq")
    }
    titles = {role: table.header[at] for role, at in columns.roles.items() if role in limits}
    _check_limits(
        pd.DataFrame(limits, index=cells.index)[list(titles)].rename(columns=titles), limits, columns, findings
    )
    values = told.values.copy()
    if is_concentration(columns.unit):
        check_not_negative(pd.DataFrame({columns.title: values}, index=cells.index), findings, what="a concentration")
    for (
        flag,
        role,
    ) in LIMIT_OF.items():  # a cell that says only "beyond" stands for the limit; one with a number for that
        said = told.flags == flag
        values = np.where(said & np.isnan(values), limits[role], values)
        limits[role] = np.where(said & np.isnan(limits[role]), values, limits[role])
    beyond = [
        np.where(values < limits["lod"], BELOW_LOD, ""),
        np.where(values < limits["lloq"], BELOW_LLOQ, ""),
        np.where(values > limits["uloq"], ABOVE_ULOQ, ""),
    ]
    at = columns.roles.get("flag")
    word = [flag_of(cell) for cell in cells[at]] if at is not None else [""] * len(cells)
    flags = joined_flags(word, told.flags, *beyond)
    return pd.DataFrame(
        {"analyte": name, "value": values, "unit": columns.unit, "flag": flags, **limits}, index=cells.index
    )


def _check_limits(
    named: pd.DataFrame, limits: Mapping[str, np.ndarray[Any, Any]], columns: _Columns, findings: Findings
) -> None:
    """Limits that cannot be: below zero, or the lower one above the upper one."""
    if is_concentration(columns.unit):
        check_not_negative(named, findings, what="a limit")
    crossed = [
        (int(line), columns.title, f"lloq {low:g}, uloq {high:g}")
        for line, low, high in zip(named.index, limits["lloq"], limits["uloq"], strict=True)
        if low > high
    ]
    findings.add_cells(crossed, "a lower limit below the upper one", "correct the limits")


def split_proteins(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells the scale and what was left out."""
    pieces = read_proteins(inputs["matrix"], label=label, sample_ids=sample_ids)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    return dict(pieces[sample_ids[0]].attrs["passport"])
