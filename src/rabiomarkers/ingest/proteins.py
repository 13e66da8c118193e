"""Proteins in blood: a table of concentrations or Olink's long NPX format, cut into one piece a sample."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import Delimited, read_delimited
from rabiomarkers.ingest.findings import Findings, nearest
from rabiomarkers.ingest.matrix import as_numbers, check_not_negative, check_present, number_columns

TITLE = re.compile(r"(?P<analyte>.*?)\s*\[(?P<unit>[^\]]+)\]")
FLAG = " flag"
ARBITRARY = "arbitrary"
OLINK = ("SampleID", "Assay", "OlinkID", "NPX")
OLINK_WARNINGS = ("QC_Warning", "SampleQC", "Sample_QC")


def read_proteins(path: Path, *, label: str, sample_ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The proteins of each sample.

    Parameters
    ----------
    path
        Either samples x analytes, CSV or TSV: first column the sample, each title ``analyte [unit]`` (``sPD-L1 [pg/mL]``; without
        brackets the unit is ``arbitrary``), an empty cell where nothing was measured, and where wanted a column
        ``<analyte> flag`` with a word of the laboratory (``above_uloq``; 0 or empty: none). Or Olink's NPX long format,
        separated by semicolons, commas or tabs.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.

    Returns
    -------
    By sample id: `analyte` (sorted), `value` (NaN where nothing was measured), `unit`, `flag` (of Olink: ``qc_warning``,
    ``below_lod``); `attrs["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    table = read_delimited(path, label=label)
    olink = set(OLINK) <= set(table.header)
    if not olink and "NPX" in table.header:
        absent = [name for name in OLINK if name not in table.header]
        findings.fail(
            f"a column NPX, but no {' and '.join(absent)}", "Olink's long format", "export it again, complete"
        )
    rows = _olink(table, sample_ids, findings) if olink else _wide(table, sample_ids, findings)
    findings.raise_if_any()
    pieces = {}
    for sample in sample_ids:
        mine = rows[rows["sample_id"] == sample].sort_values("analyte", ignore_index=True)
        piece = mine[["analyte", "value", "unit", "flag"]].copy()
        piece.attrs["passport"] = {
            "scale": "npx" if olink else "concentration",
            "declared": "proteins",
            "analytes": len(piece),
        }
        pieces[sample] = piece
    return pieces


def _wide(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> pd.DataFrame:
    """Long rows of a samples x analytes table."""
    owners = table.frame(text=[0])[0].str.strip()
    check_present(sample_ids, list(owners), findings, where="row")
    flags = {title.removesuffix(FLAG): at for at, title in enumerate(table.header) if title.endswith(FLAG)}
    titles = {at: title for at, title in enumerate(table.header) if at and title and not title.endswith(FLAG)}
    parsed = {at: _title(title) for at, title in titles.items()}
    _check_titles(table, {at: analyte for at, (analyte, _) in parsed.items()}, flags, findings)
    findings.raise_if_any()
    mine = owners.isin(list(sample_ids))
    values = number_columns(table, titles, findings, absent_allowed=True)[mine]
    concentrations = [titles[at] for at, (_, unit) in parsed.items() if unit not in (ARBITRARY, "NPX")]
    check_not_negative(values[concentrations], findings, what="a concentration")
    parts = []
    for at, (analyte, unit) in parsed.items():
        flag = table.frame(text=[flags[analyte]])[flags[analyte]][mine].map(_flag) if analyte in flags else ""
        long = pd.DataFrame({"sample_id": owners[mine], "analyte": analyte, "value": values[titles[at]], "unit": unit})
        parts.append(long.assign(flag=flag))
    return pd.concat(parts).astype({"flag": "str"})


def _title(title: str) -> tuple[str, str]:
    """Analyte and unit of a column's title."""
    found = TITLE.fullmatch(title)
    return (found["analyte"], found["unit"].strip()) if found else (title, ARBITRARY)


def _check_titles(table: Delimited, analytes: Mapping[int, str], flags: Mapping[str, int], findings: Findings) -> None:
    names = list(analytes.values())
    if "" in names:
        findings.add("a unit without an analyte", "`analyte [unit]`", "name the analyte", row=table.header_line)
    for at in (at for at, title in enumerate(table.header) if at and not title):
        if table.frame(text=[at])[at].str.strip().any():
            found = f"values in column {at + 1}, which has no title"
            findings.add(found, "a title for every column", "name the analyte", row=table.header_line)
    if not names:
        findings.add("no analytes", "a column for each analyte", "name them `analyte [unit]`", row=table.header_line)
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add("two columns of this analyte", "one", "rename or remove one", row=table.header_line, column=name)
    for name in flags:
        if name not in names:
            meant = nearest(name, names)
            findings.add(
                "flags of an analyte that has no column",
                f"`<analyte>{FLAG}`" + (f" (did you mean '{meant}{FLAG}'?)" if meant else ""),
                "name the flag column as its analyte, without the unit",
                row=table.header_line,
                column=name + FLAG,
            )


def _flag(cell: str) -> str:
    plain = cell.strip()
    if plain.lower() in ("", "0", "0.0", "false", "no", "pass", "na", "nan"):
        return ""
    return "flagged" if plain.lower() in ("1", "1.0", "true", "yes") else plain


def _olink(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> pd.DataFrame:
    """Long rows of Olink's export. A protein of several panels is told apart by its Olink id; the control samples stay out."""
    at = {title: position for position, title in enumerate(table.header)}
    names = table.frame(text=[at[title] for title in OLINK[:3]]).rename(columns={at[name]: name for name in OLINK[:3]})
    check_present(sample_ids, sorted(set(names["SampleID"])), findings, where="sample")
    mine = names["SampleID"].isin(list(sample_ids))
    values = number_columns(table, {at["NPX"]: "NPX"}, findings, absent_allowed=True)["NPX"]
    twice = names[mine & names.duplicated(["SampleID", "OlinkID"])]
    findings.add_cells(
        [
            (int(line), "OlinkID", f"{assay} of {sample} again")
            for line, sample, assay in twice[["SampleID", "OlinkID"]].itertuples()
        ],
        "each assay of a sample once",
        "give repeated samples ids of their own",
    )
    panels = names.drop_duplicates("OlinkID")["Assay"].value_counts()
    analyte = names["Assay"].where(names["Assay"].map(panels) == 1, names["Assay"] + " (" + names["OlinkID"] + ")")
    warning = next((at[title] for title in OLINK_WARNINGS if title in at), None)
    warned = pd.Series(False, index=names.index)
    if warning is not None:
        warned = ~table.frame(text=[warning])[warning].str.strip().str.upper().isin(["PASS", "", "NA"])
    limit = as_numbers(table.frame(text=[at["LOD"]])[at["LOD"]]) if "LOD" in at else np.full(len(names), np.nan)
    below = values < limit
    flag = np.select([warned & below, warned, below], ["qc_warning;below_lod", "qc_warning", "below_lod"], default="")
    rows = pd.DataFrame(
        {"sample_id": names["SampleID"], "analyte": analyte, "value": values, "unit": "NPX", "flag": flag}
    )
    return rows[mine].astype({"flag": "str"})


def split_proteins(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells the scale."""
    pieces = read_proteins(inputs["matrix"], label=label, sample_ids=sample_ids)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    return dict(pieces[sample_ids[0]].attrs["passport"])
