"""Complete blood counts: a long table of analytes, brought to common names and units, cut into one piece a sample."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.findings import Findings, nearest, one_of
from rabiomarkers.ingest.matrix import check_present

COLUMNS = ("sample_id", "analyte", "value", "unit")
CELLS_UNIT, HAEMOGLOBIN_UNIT = "1e9/L", "g/L"

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "leukocytes": (
        "leukocyte",
        "leucocytes",
        "leucocyte",
        "wbc",
        "white blood cells",
        "white blood cell count",
        "white cells",
    ),
    "neutrophils": (
        "neutrophil",
        "neut",
        "neuts",
        "anc",
        "absolute neutrophil count",
        "neutrophile",
        "gran",
        "granulocytes",
    ),
    "lymphocytes": ("lymphocyte", "lymph", "lymphs", "alc", "absolute lymphocyte count", "lym"),
    "monocytes": ("monocyte", "mono", "monos", "amc", "absolute monocyte count"),
    "eosinophils": ("eosinophil", "eos", "eosinophile", "aec", "absolute eosinophil count"),
    "basophils": ("basophil", "baso", "basos", "absolute basophil count"),
    "platelets": ("platelet", "plt", "platelet count", "thrombocytes", "thrombocyte", "thrombo"),
    "haemoglobin": ("hemoglobin", "hgb", "hb", "haemoglobin a"),
}
"""What laboratories call each analyte; granulocytes stand for neutrophils where a three-part differential gives no more."""

NAMES = {name: analyte for analyte, names in SYNONYMS.items() for name in (analyte, *names)}

CELL_FACTORS: Mapping[str, float] = {
    **dict.fromkeys(
        ("1e9/l", "10e9/l", "10^9/l", "10*9/l", "x10^9/l", "109/l", "g/l", "giga/l", "gpt/l", "/nl", "1/nl"), 1.0
    ),
    **dict.fromkeys(
        ("k/ul", "10^3/ul", "10*3/ul", "x10^3/ul", "1e3/ul", "10e3/ul", "103/ul", "thou/ul", "1000/ul"), 1.0
    ),
    **dict.fromkeys(("k/mm3", "10^3/mm3", "x10^3/mm3", "1000/mm3", "thou/mm3"), 1.0),
    **dict.fromkeys(("/ul", "cells/ul", "1/ul", "/mm3", "cells/mm3", "1/mm3", "1e6/l", "10^6/l", "10*6/l"), 1e-3),
    **dict.fromkeys(("/l", "cells/l", "1/l"), 1e-9),
}
"""Unit, in lower case without blanks, µ written u -> what turns it into 1e9/L."""

HAEMOGLOBIN_FACTORS: Mapping[str, float] = {"g/l": 1.0, "g/dl": 10.0, "mmol/l": 16.114}
"""The same for haemoglobin and g/L; mmol/L counts the monomer, 16.114 g/mmol."""


def factor(analyte: str, unit: str) -> float | None:
    """What turns a value of this unit into 1e9/L (haemoglobin: g/L); None where the unit is none of the analyte."""
    plain = re.sub(r"\s", "", unit).lower().replace("µ", "u").replace("μ", "u").replace("³", "3").replace("⁹", "^9")
    plain = plain.replace("×", "x").replace("mcl", "ul").replace("**", "^")
    plain = re.sub(r"^x(?=1)", "", plain) if plain.startswith("x1") else plain
    plain = re.sub(r"^(\d+\D\d+)(?:cells)/", r"\1/", plain)
    return (HAEMOGLOBIN_FACTORS if analyte == "haemoglobin" else CELL_FACTORS).get(plain)


def read_blood_counts(path: Path, *, label: str, sample_ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The blood count of each sample, absolute counts only.

    Parameters
    ----------
    path
        CSV with `sample_id, analyte, value, unit`. Analytes may have their usual short names (WBC, ANC, PLT, ...); analytes that
        are none of the blood count's are left aside and named in the passport.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.

    Returns
    -------
    By sample id: `analyte` (leukocytes, neutrophils, lymphocytes, monocytes, eosinophils, basophils, platelets, haemoglobin;
    sorted), `value`, `unit` (``1e9/L``, haemoglobin ``g/L``); `attrs["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    check_present(sample_ids, sorted(set(sheet.frame["sample_id"])), findings, where="sample")
    parsed, others, first = [], defaultdict[str, set[str]](set), dict[tuple[str, str], int]()
    for line, cells in sheet.rows():
        sample = cells["sample_id"]
        if sample not in sample_ids:
            continue
        analyte = _analyte(line, cells, findings)
        if analyte is None:
            others[sample].add(cells["analyte"])
            continue
        if first.setdefault((sample, analyte), line) != line:
            found = f"{analyte} of {sample!r} is on line {first[sample, analyte]}, too"
            findings.add(found, "each analyte of a sample once", "remove one", row=line, column="analyte")
        parsed.append((sample, analyte, _value(line, analyte, cells, findings)))
    findings.raise_if_any()
    table = pd.DataFrame(parsed, columns=["sample_id", "analyte", "value"])
    return {sample: _piece(table, sample, others[sample]) for sample in sample_ids}


def _analyte(line: int, cells: Mapping[str, str], findings: Findings) -> str | None:
    """The canonical name; None for an analyte that is none of the blood count's, a misspelt one being noted."""
    written = cells["analyte"]
    plain = re.sub(r"[\s_-]+", " ", written).lower().strip(" #")
    if plain in NAMES:
        return NAMES[plain]
    meant = nearest(plain, NAMES, cutoff=0.85)
    if meant or not written:
        expected = one_of(written, list(SYNONYMS)) if written else "an analyte"
        findings.add(f"{written!r}", expected, "correct the name", row=line, column="analyte")
    return None


def _value(line: int, analyte: str, cells: Mapping[str, str], findings: Findings) -> float:
    """The value in the common unit; NaN where it is noted as faulty."""
    unit, written = cells["unit"], cells["value"]
    scale = factor(analyte, unit)
    if scale is None:
        wanted = "g/dL or g/L" if analyte == "haemoglobin" else "10^9/L, K/uL or cells/uL: an absolute count"
        remedy = "give the absolute count, not the percentage" if "%" in unit else "correct the unit"
        findings.add(f"unit {unit!r} of {analyte}", wanted, remedy, row=line, column="unit")
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", written):
        remedy = "write a decimal point, not a comma" if "," in written else "leave the row out if it was not measured"
        findings.add(f"{written!r}" if written else "an empty cell", "a number", remedy, row=line, column="value")
        return float("nan")
    if float(written) < 0:
        findings.add(written, "zero or more", "correct the value", row=line, column="value")
    elif float(written) == float("inf"):
        findings.add(written, "a number that can be", "correct the value", row=line, column="value")
    return float(written) * (scale if scale is not None else float("nan"))


def _piece(table: pd.DataFrame, sample: str, others: set[str]) -> pd.DataFrame:
    rows = table[table["sample_id"] == sample].sort_values("analyte", ignore_index=True)
    units = np.where(rows["analyte"] == "haemoglobin", HAEMOGLOBIN_UNIT, CELLS_UNIT)
    piece = rows[["analyte", "value"]].assign(unit=pd.Series(units, index=rows.index, dtype=str))
    piece.attrs["passport"] = {"scale": "absolute", "declared": "cell_counts", "left_aside": sorted(others)}
    return piece


def split_blood_counts(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells which analytes were left aside."""
    pieces = read_blood_counts(inputs["matrix"], label=label, sample_ids=sample_ids)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    left = {analyte for piece in pieces.values() for analyte in piece.attrs["passport"]["left_aside"]}
    return {"scale": "absolute", "left_aside": sorted(left)}
