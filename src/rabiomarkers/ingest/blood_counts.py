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
KEY = ["sample_id", "analyte"]
CELLS_UNIT, HAEMOGLOBIN_UNIT = "1e9/L", "g/L"
MEASURED, DERIVED = "measured", "share x leukocytes"

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

OTHERS = frozenset(
    ("haemoglobin a1c", "hemoglobin a1c", "methaemoglobin", "methemoglobin", "carboxyhaemoglobin", "carboxyhemoglobin")
)
"""Analytes of other tests that are no misspelling of one of these."""

SHARE_NAME = re.compile(r"(?:%\s*(?P<after>.+))|(?P<before>.+?)[\s,]*(?:\(\s*%\s*\)|%|\bpercent(?:age)?|\bpct)")
"""A name that says that its value is a share of the leukocytes: ``NEUT%``, ``% lymphocytes``, ``Monocytes (%)``."""
NUMBER_NAME = re.compile(r"(?P<name>.+?)[\s,]*(?:#|\(?\babs(?:olute)?\b\)?|\bcount|\bnumber)")
"""A name that says that its value is a number of cells: ``NEUT#``, ``Lymphocytes, absolute``."""

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

PERCENT = ("%", "percent", "pct", "%wbc", "%ofwbc", "%leukocytes", "%ofleukocytes")
"""Shares of the leukocytes, as a differential count gives them."""
DIFFERENTIAL = ("neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils")

HAEMOGLOBIN_FACTORS: Mapping[str, float] = {"g/l": 1.0, "g/dl": 10.0, "mmol/l": 16.114}
"""The same for haemoglobin and g/L; mmol/L counts the monomer, 16.114 g/mmol."""


def factor(analyte: str, unit: str) -> float | None:
    """What turns a value of this unit into 1e9/L (haemoglobin: g/L); None where the unit is none of the analyte."""
    plain = re.sub(r"\s", "", unit).lower().replace("µ", "u").replace("μ", "u").replace("³", "3").replace("⁹", "^9")
    plain = plain.replace("×", "x").replace("mcl", "ul").replace("**", "^")
    plain = re.sub(r"^x(?=1)", "", plain) if plain.startswith("x1") else plain
    plain = re.sub(r"^(\d+\D\d+)(?:cells)/", r"\1/", plain)
    return (HAEMOGLOBIN_FACTORS if analyte == "haemoglobin" else CELL_FACTORS).get(plain)


def is_percent(analyte: str, unit: str) -> bool:
    """Whether the unit says a share of the leukocytes, and the analyte can be one."""
    return analyte in DIFFERENTIAL and re.sub(r"\s", "", unit).lower() in PERCENT


def read_blood_counts(path: Path, *, label: str, sample_ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The blood count of each sample, as absolute counts; a share of the leukocytes is multiplied by their number.

    Parameters
    ----------
    path
        CSV with `sample_id, analyte, value, unit`. Analytes may have their usual short names (WBC, ANC, PLT, ...); analytes that
        are none of the blood count's are left aside and named in the passport. A cell may be there as a share of the leukocytes
        (``NEUT%``) and as a number: the number is taken, and the two must agree.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.

    Returns
    -------
    By sample id: `analyte` (leukocytes, neutrophils, lymphocytes, monocytes, eosinophils, basophils, platelets, haemoglobin;
    sorted), `value`, `unit` (``1e9/L``, haemoglobin ``g/L``), `method` (``measured``, ``share x leukocytes``);
    `attrs["passport"]`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    check_present(sample_ids, sorted(set(sheet.frame["sample_id"])), findings, where="sample")
    parsed, others = [], defaultdict[str, set[str]](set)
    for line, cells in sheet.rows():
        sample = cells["sample_id"]
        if sample not in sample_ids:
            continue
        analyte, share = _analyte(line, cells, findings)
        if analyte is None:
            others[sample].add(cells["analyte"])
        else:
            parsed.append((sample, analyte, _value(line, analyte, cells, findings, share=share), share, line))
    rows = pd.DataFrame(parsed, columns=["sample_id", "analyte", "value", "share", "line"]).astype({"share": bool})
    _note_repeats(rows, findings)
    counts = _absolute(rows, findings)
    findings.raise_if_any()
    return {sample: _piece(counts, sample, others[sample]) for sample in sample_ids}


def _note_repeats(rows: pd.DataFrame, findings: Findings) -> None:
    """Note what a sample has twice; a share beside a number of the same cells is no repeat."""
    first: dict[tuple[str, str, bool], int] = {}
    for sample, analyte, _, share, line in rows.itertuples(index=False, name=None):
        if first.setdefault((sample, analyte, share), line) != line:
            found = f"{analyte} of {sample!r} is on line {first[sample, analyte, share]}, too"
            findings.add(found, "each analyte of a sample once", "remove one", row=line, column="analyte")


def _absolute(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """`sample_id, analyte, value, method`: shares of the leukocytes as numbers, where no number was given beside."""
    numbers = rows[~rows["share"]].drop_duplicates(KEY).assign(method=MEASURED)
    known = {(str(row.sample_id), str(row.analyte)): float(str(row.value)) for row in numbers.itertuples(index=False)}
    derived = []
    for sample, analyte, percent, _, line in rows[rows["share"]].itertuples(index=False, name=None):
        total, own = known.get((sample, "leukocytes")), known.get((sample, analyte))
        if percent > 100:
            findings.add(f"{percent:g} percent", "at most 100", "correct the value", row=line, column="value")
        elif total is not None and own is None:
            derived.append((sample, analyte, percent / 100 * total, DERIVED))
        elif own is None:
            found = f"a share of the leukocytes, but no leukocytes of {sample!r}"
            findings.add(found, "the number of leukocytes, or of these cells", "add the row", row=line, column="unit")
        elif total is not None and abs(percent / 100 * total - own) > _tolerance(total, own):
            found = f"{percent:g} % of {total:g} leukocytes, but {own:g} {analyte} of {sample!r} in another row"
            findings.add(found, "a share and a number that agree", "correct one of them", row=line, column="value")
    shares = pd.DataFrame(derived, columns=[*KEY, "value", "method"]).astype({"value": "float64"})
    parts = [part for part in (numbers[[*KEY, "value", "method"]], shares) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else shares


def _tolerance(total: float, own: float) -> float:
    """How far a share and a number may be apart: a percent rounded to whole ones, a number to tenths, and a tenth of it."""
    return 0.01 * total + 0.05 + 0.1 * own


def _analyte(line: int, cells: Mapping[str, str], findings: Findings) -> tuple[str | None, bool]:
    """The canonical name and whether the row tells a share of the leukocytes; no name for an analyte that is none of the blood
    count's, a misspelt one being noted."""
    written = cells["analyte"]
    plain = re.sub(r"[\s_-]+", " ", written).lower().strip()
    named_share = SHARE_NAME.fullmatch(plain)
    if named_share:
        plain = (named_share["after"] or named_share["before"]).strip()
    elif plain not in NAMES and (numbered := NUMBER_NAME.fullmatch(plain)):
        plain = numbered["name"].strip()
    if plain in NAMES:
        analyte = NAMES[plain]
        return analyte, is_percent(analyte, cells["unit"] or ("%" if named_share else ""))
    meant = None if plain in OTHERS else nearest(plain, NAMES, cutoff=0.85)
    if meant or not written:
        expected = one_of(written, list(SYNONYMS)) if written else "an analyte"
        findings.add(f"{written!r}", expected, "correct the name", row=line, column="analyte")
    return None, False


def _value(line: int, analyte: str, cells: Mapping[str, str], findings: Findings, *, share: bool) -> float:
    """The value in the common unit, a share in percent; NaN where it is noted as faulty."""
    unit, written = cells["unit"], cells["value"]
    scale = 1.0 if share else factor(analyte, unit)
    if scale is None:
        wanted = "g/dL or g/L" if analyte == "haemoglobin" else "10^9/L, K/uL or cells/uL"
        wanted += ", or % of the leukocytes" if analyte in DIFFERENTIAL else ""
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


def _piece(counts: pd.DataFrame, sample: str, others: set[str]) -> pd.DataFrame:
    rows = counts[counts["sample_id"] == sample].sort_values("analyte", ignore_index=True)
    units = np.where(rows["analyte"] == "haemoglobin", HAEMOGLOBIN_UNIT, CELLS_UNIT)
    piece = rows[["analyte", "value"]].assign(
        unit=pd.Series(units, index=rows.index, dtype=str), method=rows["method"].astype("str")
    )
    shares = rows.loc[rows["method"] == DERIVED, "analyte"].tolist()
    passport = {"scale": "absolute", "declared": "cell_counts", "left_aside": sorted(others), "from_shares": shares}
    piece.attrs["passport"] = passport
    return piece


def split_blood_counts(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells which analytes were left aside."""
    pieces = read_blood_counts(inputs["matrix"], label=label, sample_ids=sample_ids)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    left = {analyte for piece in pieces.values() for analyte in piece.attrs["passport"]["left_aside"]}
    return {"scale": "absolute", "left_aside": sorted(left)}
