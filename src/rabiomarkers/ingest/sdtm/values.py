"""What one record of TR says of a lesion: a status and, where it was measured, exact tenths of a millimetre."""

import re
from decimal import Decimal
from typing import NamedTuple

from rabiomarkers.ingest.clinical_rows import LARGEST
from rabiomarkers.ingest.lesions import tenths_of
from rabiomarkers.ingest.sdtm.domains import Row
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import letters

MILLIMETRES = {"MM": 1, "MILLIMETER": 1, "MILLIMETRE": 1, "CM": 10, "CENTIMETER": 10, "CENTIMETRE": 10}
DIGITS = 15  # of a double: what lies beyond comes from its binary form, not from a ruler

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_TOO_SMALL = re.compile(r"(<|≤).*|.*(TOOSMALL|BELOWLIMIT|BELOWTHELIMIT|BELOWMEASUR|TSTM|BLQ|BLOD).*")
_NOT_EVALUATED = frozenset(
    {
        "NE",
        "ND",
        "NOTDONE",
        "NOTEVALUABLE",
        "NOTEVALUATED",
        "NOTASSESSED",
        "NOTASSESSABLE",
        "UNEVALUABLE",
        "INEVALUABLE",
        "UNKNOWN",
    }
)
_ABSENT = frozenset({"ABSENT", "DISAPPEARED", "RESOLVED", "NOTVISIBLE", "COMPLETERESPONSE", "NORMAL"})
_PRESENT = frozenset({"PRESENT", "STABLE", "UNCHANGED", "DECREASED", "IMPROVED", "NONCRNONPD", "PERSISTENT"})
_PROGRESSION = frozenset({"UNEQUIVOCAL", "UNEQUIVOCALPROGRESSION", "PROGRESSION", "PROGRESSED", "WORSENED"})
_EQUIVOCAL = frozenset({"EQUIVOCAL", "EQUIVOCALPROGRESSION"})
STATES = "PRESENT, ABSENT, EQUIVOCAL or UNEQUIVOCAL"


class Value(NamedTuple):
    """What a record says; `tenths` of a millimetre where there is a size."""

    status: str  # measured, too_small, absent, present, progression, equivocal, not_evaluated
    tenths: int | None
    row: Row


def not_done(row: Row) -> bool:
    """Whether the record says that nothing was assessed."""
    return letters(row["STAT"]) == "NOTDONE"


def has_result(row: Row) -> bool:
    """Whether the record was done and says something."""
    return not not_done(row) and any(row[column] for column in ("STRESC", "STRESN", "ORRES"))


def diameter(row: Row, notes: Notes) -> Value | None:
    """A measurement; None where it is wrong, which is noted.

    The text of --STRESC counts, else --STRESN, else --ORRES: it holds the decimals as they were written.
    """
    column = next((name for name in ("STRESC", "STRESN", "ORRES") if row[name]), None)
    if column is None or not_done(row):
        if not not_done(row):
            notes.remark(row.patient, None, row.source, f"no result of {_what(row)}", "not evaluated")
        return Value("not_evaluated", None, row)
    text = row[column]
    if _NUMBER.fullmatch(text):
        return _sized(row, column, _clean(text), notes)
    return _in_words(row, column, text, notes)


def _what(row: Row) -> str:
    visit = row["VISIT"] or row["VISITNUM"]
    return f"{row['LNKID'] or row['TESTCD']}{f' at visit {visit}' if visit else ''}"


def _clean(text: str) -> Decimal:
    """The number without the digits that only its binary form has: 11.700000000000001 is 11.7."""
    number = Decimal(text)
    return Decimal(f"{float(text):.{DIGITS}g}") if len(number.as_tuple().digits) > DIGITS else number


def _sized(row: Row, column: str, number: Decimal, notes: Notes) -> Value | None:
    unit_column = "ORRESU" if column == "ORRES" else "STRESU"
    unit = row[unit_column] or (row["ORRESU"] if row["STRESC"] == row["ORRES"] else "")
    factor = MILLIMETRES.get(letters(unit).removesuffix("S"))
    if factor is None:
        row.wrong(notes, unit_column, repr(unit) if unit else "an empty cell", "mm or cm", "correct the unit")
        return None
    if number < 0 or number * factor > LARGEST:
        row.wrong(notes, column, f"{number} {unit}", f"0 to {LARGEST:,} mm", "correct it")
        return None
    tenths = tenths_of(number * factor)
    return Value("measured", tenths, row)


def _in_words(row: Row, column: str, text: str, notes: Notes) -> Value | None:
    word = letters(text)
    if _TOO_SMALL.fullmatch(text) or _TOO_SMALL.fullmatch(word):
        number = row["STRESN"]
        sized = _sized(row, "STRESN", _clean(number), notes) if _NUMBER.fullmatch(number) else None
        return Value("too_small", None if sized is None else sized.tenths, row)
    if word in _NOT_EVALUATED:
        return Value("not_evaluated", None, row)
    if word in _ABSENT:
        return Value("absent", 0, row)
    comma = "; write a decimal point, not a comma" if re.fullmatch(r"[+-]?\d+,\d+", text) else ""
    expected = "a number, or words such as TOO SMALL TO MEASURE"
    row.wrong(notes, column, repr(text), expected, f"correct it{comma}")
    return None


def state(row: Row, kind: str, notes: Notes) -> Value | None:
    """What TUMSTATE says of a lesion of this kind; None where it is wrong, which is noted.

    UNEQUIVOCAL is progression of a non-target lesion (in the CDISC oncology test data all 233 such visits of the investigator are
    NTRGRESP PD) and certainty of a new one. EQUIVOCAL growth of a non-target lesion is none until it is unequivocal (RECIST 1.1,
    section 4.3.4).
    """
    column = "STRESC" if row["STRESC"] else "ORRES"
    word = letters(row[column])
    if not_done(row) or word in _NOT_EVALUATED:
        return Value("not_evaluated", None, row)
    if not word:
        notes.remark(row.patient, None, row.source, f"no result of {_what(row)}", "not evaluated")
        return Value("not_evaluated", None, row)
    if word in _ABSENT:
        return Value("absent", 0, row)
    if word in _PRESENT:
        return Value("present", None, row)
    if word in _PROGRESSION:
        return Value("present" if kind == "new" else "progression", None, row)
    if word in _EQUIVOCAL:
        if kind == "new":
            return Value("equivocal", None, row)
        notes.remark(row.patient, None, row.source, f"equivocal growth of {_what(row)}", "present: no progression yet")
        return Value("present", None, row)
    row.wrong(notes, column, repr(row[column]), STATES, "correct it")
    return None
