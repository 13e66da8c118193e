"""What one cell of a table of proteins says: a number, a value beyond a limit, a unit, a word of the laboratory."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.matrix import ABSENT, NUMBER, as_numbers

PIECE = ("analyte", "value", "unit", "flag", "panel", "plate", "lod", "lloq", "uloq")
"""Columns of one sample's piece: `flag` holds words joined by semicolons, `panel` and `plate` are empty where the file tells none,
the limits (of detection, lower and upper of quantification) are in `unit` and NaN where it tells none."""

ARBITRARY = "arbitrary"
BELOW_LOD, BELOW_LLOQ, ABOVE_ULOQ = "below_lod", "below_lloq", "above_uloq"
QC_WARNING, QC_FAIL, ASSAY_WARNING = "qc_warning", "qc_fail", "assay_warning"

LIMIT_OF: Mapping[str, str] = {BELOW_LOD: "lod", BELOW_LLOQ: "lloq", ABOVE_ULOQ: "uloq"}

WORDS: Mapping[str, tuple[str, ...]] = {
    BELOW_LOD: ("<lod", "lod", "below lod", "bld", "bdl", "below detection", "below limit of detection"),
    BELOW_LLOQ: (
        "<lloq",
        "<loq",
        "lloq",
        "below lloq",
        "below loq",
        "blq",
        "bloq",
        "blloq",
        "bql",
        "below quantification",
    ),
    ABOVE_ULOQ: (
        ">uloq",
        ">loq",
        "uloq",
        "above uloq",
        "above loq",
        "alq",
        "aloq",
        "auloq",
        "aql",
        "above quantification",
    ),
    QC_WARNING: ("qc warning", "warning", "warn", "qc warn"),
    QC_FAIL: ("qc fail", "fail", "failed", "qc failed"),
}
"""What laboratories write for the same thing, in lower case with blanks for ``_`` and ``-``."""
MEANT = {spelling: word for word, spellings in WORDS.items() for spelling in spellings}
UNFLAGGED = ("", "0", "0.0", "false", "no", "pass", "passed", "ok", "na", "nan")

BEYOND = re.compile(r"(?P<side>[<>≤≥])=?\s*(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)")

MASSES, VOLUMES = ("fg", "pg", "ng", "ug", "mg", "g"), {"ml": "mL", "l": "L", "dl": "dL", "ul": "uL"}
MOLES = ("fmol", "pmol", "nmol", "umol", "mmol")
ACTIVITIES = {
    "u": "U",
    "iu": "IU",
    "mu": "mU",
    "miu": "mIU",
    "uu": "uU",
    "uiu": "uIU",
    "ku": "kU",
    "kiu": "kIU",
    "au": "AU",
}
NAMED_UNITS: Mapping[str, str] = {
    "npx": "NPX",
    "npq": "NPQ",
    "rfu": "RFU",
    "mfi": "MFI",
    "od": "OD",
    "ratio": "ratio",
    "%": "%",
    "arbitrary": ARBITRARY,
    "au": ARBITRARY,
    "a.u.": ARBITRARY,
    "arbitraryunits": ARBITRARY,
}
UNITS: Mapping[str, str] = {
    **{f"{amount}/{volume}": f"{amount}/{shown}" for amount in (*MASSES, *MOLES) for volume, shown in VOLUMES.items()},
    **{f"{one}/{per}": f"{two}/{shown}" for one, two in ACTIVITIES.items() for per, shown in VOLUMES.items()},
    **{f"{prefix}m": f"{prefix}mol/L" for prefix in "fpnum"},
    **NAMED_UNITS,
}
"""Unit in lower case without blanks, µ written u -> how it is written here: ``pg/ml`` and ``pg/mL`` are one."""
LOGARITHM = re.compile(r"(log2|log10|ln)\W*(.+?)\W*")


class Cells(NamedTuple):
    """A column of values: the numbers, and which cells said that the value lies below or above what the assay can tell."""

    values: NDArray[np.float64]
    flags: NDArray[np.str_]  # `below_lod`, `below_lloq`, `above_uloq` or empty


def unit_of(written: str) -> str | None:
    """How the unit is written here; None where it is none that proteins are measured in."""
    plain = (
        re.sub(r"\s", "", written).lower().replace("µ", "u").replace("μ", "u").replace("mcg", "ug").replace("mcl", "ul")
    )
    if found := LOGARITHM.fullmatch(plain):
        inner = UNITS.get(found[2])
        return None if inner is None else f"{found[1]} {inner}"
    return UNITS.get(plain)


def is_concentration(unit: str) -> bool:
    """Whether the unit is one of amounts, which cannot be negative: no logarithm, no arbitrary scale, no difference of light."""
    return "/" in unit and not unit.startswith("log") and not unit.startswith("ln")


def flag_of(cell: str) -> str:
    """The word of a laboratory about a value, in our spelling where it has one; empty where it says that nothing is amiss."""
    plain = cell.strip()
    if plain.lower() in UNFLAGGED:
        return ""
    if plain.lower() in ("1", "1.0", "true", "yes"):
        return "flagged"
    told = re.sub(r"[\s_-]+", " ", plain).lower()
    return MEANT.get(told, plain.replace(";", ","))


def numbers(cells: pd.Series, findings: Findings, *, column: str) -> NDArray[np.float64]:
    """The cells as floats, NaN where one is empty or says that nothing was measured; what else is no number is noted by line."""
    values = as_numbers(cells)
    _note_faults(cells, ~np.isfinite(values), findings, column=column)
    return np.where(np.isfinite(values), values, np.nan)


def values_or_limits(cells: pd.Series, findings: Findings, *, column: str) -> Cells:
    """The cells as floats; ``<2.3`` and ``>4000`` give the limit they name, ``BLQ`` and ``>ULOQ`` no value, both their flag."""
    values = as_numbers(cells).copy()
    flags = np.full(len(cells), "", dtype="<U16")
    faulty = np.zeros(len(cells), dtype=bool)
    for at in np.flatnonzero(~np.isfinite(values)).tolist():
        cell = str(cells.iloc[at]).strip()
        beyond = BEYOND.fullmatch(cell)
        word = MEANT.get(re.sub(r"[\s_-]+", " ", cell).lower().replace("< ", "<").replace("> ", ">"), "")
        if beyond:
            values[at], flags[at] = float(beyond["number"]), BELOW_LLOQ if beyond["side"] in "<≤" else ABOVE_ULOQ
            faulty[at] = not np.isfinite(values[at])
        elif word in LIMIT_OF:
            flags[at] = word
        else:
            faulty[at] = True
    _note_faults(cells, faulty, findings, column=column)
    return Cells(np.where(np.isfinite(values), values, np.nan), flags)


def joined_flags(*columns: NDArray[np.str_] | list[str]) -> list[str]:
    """The words of each row, each once, in the order of the columns and joined by semicolons."""
    return [";".join(dict.fromkeys(word for word in row if word)) for row in zip(*columns, strict=True)]


def _note_faults(cells: pd.Series, suspect: NDArray[np.bool_], findings: Findings, *, column: str) -> None:
    faults = [
        (int(cells.index[at]), column, repr(cell))
        for at in np.flatnonzero(suspect).tolist()
        if (cell := str(cells.iloc[at]).strip()).lower() not in ABSENT
    ]
    comma = any("," in found and "." not in found for _, _, found in faults)
    remedy = "write a decimal point, not a comma" if comma else "fill in the number, or leave the cell empty"
    findings.add_cells(faults, NUMBER, remedy)
