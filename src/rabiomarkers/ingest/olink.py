"""Olink's long export, one row a sample and assay: NPX, limits of detection, what the laboratory's control says of it.

Read are the classic export (`QC_Warning`, `LOD`) and that of Explore (`SampleQC`, `AssayQC`, `SampleType`, `AssayType`,
`Block`; no limit of detection unless it was added to the file), as text or as Parquet. The columns are those of Olink's own
reader (OlinkAnalyze, https://cran.r-project.org/package=OlinkAnalyze).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.ingest.delimited import Delimited
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.matrix import check_present
from rabiomarkers.ingest.protein_cells import (
    ASSAY_WARNING,
    BELOW_LOD,
    PIECE,
    QC_FAIL,
    QC_WARNING,
    joined_flags,
    numbers,
)

REQUIRED = ("SampleID", "Assay", "OlinkID", "NPX")
SAMPLE_CONTROL = ("SampleQC", "QC_Warning", "Sample_QC")
ASSAY_CONTROL = ("AssayQC", "Assay_Warning")
LIMITS = ("LOD", "PlateLOD", "Plate_LOD", "Plate LOD", "NCLOD", "FixedLOD", "MaxLOD")
SAMPLE_KIND, ASSAY_KIND = ("SampleType", "Sample_Type"), ("AssayType", "Assay_Type")
PLATE, PANEL, BLOCK, NORMALIZATION = ("PlateID",), ("Panel",), ("Block",), ("Normalization",)
OPTIONAL = (SAMPLE_CONTROL, ASSAY_CONTROL, LIMITS, SAMPLE_KIND, ASSAY_KIND, PLATE, PANEL, BLOCK, NORMALIZATION)

PASSED, FAILED = ("PASS", "PASSED", "", "NA", "NAN", "NONE"), ("FAIL", "FAILED", "EXCLUDED")
CONTROL_SAMPLE = re.compile(r"(?i).*control.*|(nc|pc|sc|ipc|neg|negative)[ _.-]*\d*")
CONTROL_ASSAY = re.compile(
    r"(?i)(incubation|extension|amplification|detection|inc|ext|amp|det)[ _.-]*(control|ctrl)[ _.-]*\d*"
)


@dataclass(frozen=True, kw_only=True)
class LongTable:
    """The columns of a long export that are known here, by name and indexed by line."""

    frame: pd.DataFrame

    def text(self, *names: str) -> "pd.Series[str]":
        """The first of these columns that the file has, blanks taken off; empty texts where it has none."""
        found = self.has(*names)
        if found is None:
            return pd.Series("", index=self.frame.index, dtype="str")
        return self.frame[found].astype("str").fillna("").str.strip()

    def has(self, *names: str) -> str | None:
        """The first of these columns that the file has."""
        return next((name for name in names if name in self.frame.columns), None)


def is_olink(header: Sequence[str], findings: Findings) -> bool:
    """Whether these are the columns of Olink's long export.

    Raises
    ------
    InputError
        Some of them are there and some not, or one is there twice.
    """
    present = [name for name in REQUIRED if name in header]
    if "NPX" not in present and "OlinkID" not in present:
        return False
    absent = [name for name in REQUIRED if name not in present]
    if absent:
        found = f"a column {'NPX' if 'NPX' in present else 'OlinkID'}, but no {' and '.join(absent)}"
        findings.fail(found, "Olink's long format", "export it again, complete and with NPX")
    for name in sorted({name for name in (*REQUIRED, *sum(OPTIONAL, ())) if header.count(name) > 1}):
        findings.add("the column occurs twice", "each column once", "remove one", column=name)
    findings.raise_if_any()
    return True


def from_text(table: Delimited) -> LongTable:
    """The known columns of a text file."""
    at = {title: position for position, title in enumerate(table.header)}
    names = [name for name in (*REQUIRED, *sum(OPTIONAL, ())) if name in at]
    cells = table.frame(text=[at[name] for name in names])
    return LongTable(frame=cells.rename(columns={at[name]: name for name in names}))


def from_parquet(path: Path, findings: Findings) -> LongTable:
    """The known columns of a Parquet file; its rows are counted from 1.

    Raises
    ------
    InputError
        It is damaged or no long export of Olink.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        header = list(parquet.read_schema(path).names)
        frame = pd.DataFrame()
        if whole := is_olink(header, findings):
            names = [name for name in (*REQUIRED, *sum(OPTIONAL, ())) if name in header]
            frame = parquet.read_table(path, columns=names).to_pandas()
    except (pa.ArrowException, OSError):
        findings.fail("a Parquet file that is damaged", "a complete file", "copy or download the file again")
    if not whole:
        findings.fail("a Parquet file without NPX", "Olink's long format", "give other tables as CSV")
    if frame.empty:
        findings.fail("a Parquet file without rows", "a row for each sample and assay", "export it again")
    return LongTable(frame=frame.set_index(pd.RangeIndex(1, len(frame) + 1, name="line")))


def olink_rows(
    table: LongTable, sample_ids: Sequence[str], findings: Findings
) -> tuple[pd.DataFrame, Mapping[str, Any]]:
    """The rows of these samples: `sample_id` and the columns of a piece, and what the passport tells of the file.

    Control samples and the assays that control the run itself are left out and counted. An assay of several panels is told apart by
    its Olink id. Flags: ``qc_fail`` and ``qc_warning`` (the sample in this panel), ``assay_warning`` (the assay on this plate),
    ``below_lod``. A sample that the laboratory failed in all it measured is a problem, as nothing of it can be used.
    """
    names = pd.DataFrame({name: table.text(name) for name in REQUIRED[:3]})
    check_present(sample_ids, sorted(set(names["SampleID"])), findings, where="sample")
    wanted = names["SampleID"].isin(list(sample_ids)).to_numpy(dtype=bool)
    control, internal = _controls(table, names, wanted), _control_assays(table, names)
    _note_control_samples(table, names, wanted, findings)
    mine = wanted & ~internal
    _note_repeats(names[mine], findings)
    rows = _rows(LongTable(frame=table.frame[mine]), _analytes(names)[mine], findings)
    _note_failed(rows, findings)
    chosen = table.has(*NORMALIZATION)
    facts = {
        "control_samples": int(names.loc[control, "SampleID"].nunique()),
        "control_assays": int(names.loc[internal, "OlinkID"].nunique()),
        "limit_of_detection": table.has(*LIMITS),
        "normalization": sorted(set(table.text(chosen)[mine]) - {""}) if chosen else [],
    }
    return rows, facts


def _controls(table: LongTable, names: pd.DataFrame, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows of control samples: by their kind where the file tells it, else by name and because the sheet does not ask for them."""
    if table.has(*SAMPLE_KIND):
        return _is_control_kind(table)
    named = names["SampleID"].str.fullmatch(CONTROL_SAMPLE).to_numpy(dtype=bool)
    return np.asarray(named & ~wanted, dtype=bool)


def _is_control_kind(table: LongTable) -> NDArray[np.bool_]:
    return np.asarray(~table.text(*SAMPLE_KIND).str.upper().isin(["SAMPLE", *PASSED[2:]]), dtype=bool)


def _control_assays(table: LongTable, names: pd.DataFrame) -> NDArray[np.bool_]:
    if table.has(*ASSAY_KIND):
        return np.asarray(~table.text(*ASSAY_KIND).str.lower().isin(["assay", "", "na", "nan"]), dtype=bool)
    return np.asarray(names["Assay"].str.fullmatch(CONTROL_ASSAY), dtype=bool)


def _note_control_samples(table: LongTable, names: pd.DataFrame, wanted: NDArray[np.bool_], findings: Findings) -> None:
    if table.has(*SAMPLE_KIND):
        for sample in sorted(set(names.loc[wanted & _is_control_kind(table), "SampleID"])):
            findings.add(
                "a control of the laboratory", "a patient's sample", "take the row out of samples.csv", column=sample
            )


def _note_repeats(mine: pd.DataFrame, findings: Findings) -> None:
    twice = mine[mine.duplicated(["SampleID", "OlinkID"])]
    told = twice[["SampleID", "OlinkID"]].itertuples()
    findings.add_cells(
        [(int(line), "OlinkID", f"{assay} of {sample} again") for line, sample, assay in told],
        "each assay of a sample once",
        "give repeated samples (bridges between plates) ids of their own",
    )


def _analytes(names: pd.DataFrame) -> "pd.Series[str]":
    """The assay's name, one an Olink id; with the id where several ids have the same name."""
    named = names.groupby("OlinkID")["Assay"].min()
    shared = named.duplicated(keep=False)
    told = named.where(~shared, named + " (" + named.index + ")")
    return names["OlinkID"].map(told)


def _rows(table: LongTable, analytes: "pd.Series[str]", findings: Findings) -> pd.DataFrame:
    values = numbers(table.frame["NPX"], findings, column="NPX")
    limit = table.has(*LIMITS)
    lod = numbers(table.frame[limit], findings, column=limit) if limit else np.full(len(values), np.nan)
    sample = table.text(*SAMPLE_CONTROL).str.upper()
    judged = np.select([sample.isin(FAILED), ~sample.isin(PASSED)], [QC_FAIL, QC_WARNING], default="")
    assay = np.where(table.text(*ASSAY_CONTROL).str.upper().isin(PASSED), "", ASSAY_WARNING)
    below = np.where(values < lod, BELOW_LOD, "")
    rows = pd.DataFrame(
        {
            "sample_id": table.text("SampleID"),
            "analyte": analytes,
            "value": values,
            "unit": "NPX",
            "flag": joined_flags(judged, assay, below),
            "panel": _panels(table),
            "plate": table.text(*PLATE),
            "lod": lod,
            "lloq": np.nan,
            "uloq": np.nan,
        },
        index=analytes.index,
    )
    return rows[["sample_id", *PIECE]].astype({"flag": "str"})


def _panels(table: LongTable) -> "pd.Series[str]":
    """The panel, with its block where the laboratory judges samples by block (Explore HT)."""
    panel, block = table.text(*PANEL), table.text(*BLOCK)
    return panel.where(block == "", (panel + " block " + block).str.strip())


def _note_failed(rows: pd.DataFrame, findings: Findings) -> None:
    if rows.empty:
        return
    failed = rows["flag"].str.startswith(QC_FAIL).groupby(rows["sample_id"]).all()
    for sample in sorted(failed.index[failed]):
        findings.add(
            "the laboratory's quality control failed this sample in all it measured (QC FAIL)",
            "a sample that passed in at least one panel",
            "have it measured again, or give the row a reason in the column exclude of samples.csv",
            column=sample,
        )
