"""Numbers as the report prints them; a number that is absent is said in words, with its reason."""

import math
import re
from typing import Any

import pandas as pd

from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.tables.table import COMPARTMENTS

NOT_ESTIMABLE = "not estimable"
CANNOT_REACH = f"cannot reach {ALPHA}"
FIXED_SEQUENCE = "fixed sequence"
SEQUENCE_STOPPED = "no change shown, as an earlier feature of the sequence did not pass"
DASH = "\N{EN DASH}"  # in a table, for a number whose absence the same row or column explains
PERCENT = "\N{NO-BREAK SPACE}%"
SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


def present(value: Any) -> bool:
    """Whether there is a finite number, or a text that is not empty."""
    if value is None or isinstance(value, str):
        return bool(value)
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):  # pandas.NA has no number
        return False


def absent(reason: Any = None) -> str:
    """ "not estimable", with the reason where one is known."""
    if not present(reason):
        return NOT_ESTIMABLE
    said = text(reason)
    return said if NOT_ESTIMABLE in said else f"{NOT_ESTIMABLE}: {said}"


def reason(note: Any, otherwise: str = "") -> str:
    """Why a number is absent, without the words "not estimable" that stand before it already."""
    return text(note, otherwise).removeprefix(NOT_ESTIMABLE).removeprefix(": ") or otherwise


def text(value: Any, otherwise: str = "") -> str:
    """The value as text; `otherwise` where it is absent."""
    if isinstance(value, str):
        return value or otherwise
    return str(value) if present(value) else otherwise


def number(value: Any, reason: Any = None) -> str:
    """Three significant digits, whole numbers whole, a true minus sign; "not estimable" where there is none."""
    if not present(value):
        return absent(reason)
    value = float(value)
    size = abs(value)
    if value.is_integer() or size >= 1000:
        shown = f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    elif size >= 1e-4:
        shown = f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"
        shown = shown.rstrip("0") if size < 1e-3 else shown
    else:
        digits, power = f"{value:.1e}".split("e")
        shown = f"{digits}\N{MULTIPLICATION SIGN}10{str(int(power)).translate(SUPERSCRIPT)}"
    return shown.replace("-", "\N{MINUS SIGN}")


def signed(value: Any) -> str:
    """A change, with its sign also where it is positive."""
    return number(value) if not present(value) or float(value) <= 0 else f"+{number(value)}"


def whole(value: Any, reason: Any = None) -> str:
    """A count."""
    return f"{int(value)}" if present(value) else absent(reason)


def percent(rate: Any, reason: Any = None) -> str:
    """A share of 0..1 as percent; what is above 0 is never told as 0."""
    if not present(rate):
        return absent(reason)
    return "< 0.1" + PERCENT if 0 < float(rate) < 0.0005 else f"{float(rate) * 100:.1f}".removesuffix(".0") + PERCENT


def interval(low: Any, high: Any, level: Any = None) -> str:
    """An interval with the level it achieves."""
    if not (present(low) and present(high)):
        return absent()
    achieved = f" ({percent(level)})" if present(level) else ""
    return f"{number(low)} to {number(high)}{achieved}"


def percent_change(change: Any) -> str:
    """A change in percent, with its sign and as many decimals as a rate has."""
    shown = f"{float(change):+.1f}".removesuffix(".0").replace("-", "\N{MINUS SIGN}")
    return ("0" if shown in ("+0", "\N{MINUS SIGN}0") else shown) + PERCENT


def percents(low: Any, high: Any, reason: Any = None) -> str:
    """The interval of a rate, its limits shares of 0..1."""
    if not (present(low) and present(high)):
        return absent(reason)
    return f"{percent(low).removesuffix(PERCENT)} to {percent(high)}"


def p_with_floor(p_value: Any, floor: Any) -> str:
    """The p-value beside the smallest one this many pairs could give."""
    if not present(p_value):
        return NOT_ESTIMABLE
    return f"{number(p_value)} (floor\N{NO-BREAK SPACE}{number(floor)})" if present(floor) else number(p_value)


def cannot_reach(floor: Any) -> str:
    """What to add to a p-value whose floor is too high; nothing where it is not."""
    return f", {CANNOT_REACH}" if present(floor) and float(floor) > ALPHA else ""


def besides_floor(note: Any) -> str:
    """A row's note without what the words "cannot reach 0.05" before it say already."""
    return "; ".join(part for part in text(note).split("; ") if CANNOT_REACH not in part)


def place(compartment: Any) -> str:
    """The compartment; a planned feature that no sample gave has none."""
    return str(compartment) if compartment in COMPARTMENTS else "not measured"


def two_lines(first: Any, second: str) -> str:
    """A cell of a table: what it says, and in small print below it what explains it."""
    return f"{first}\n{second}" if second else str(first)


def in_natural_order(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The rows as people sort them: patient P2 before P10, numbers by size."""
    order = sorted(range(len(frame)), key=lambda row: [natural(frame[column].iloc[row]) for column in columns])
    return frame.iloc[order]


def natural(name: Any) -> list[tuple[bool, float, str]]:
    """A key to sort by: numbers, and the whole numbers within a name, by size."""
    if not isinstance(name, str):
        return [(False, float(name), "")]
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(not part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in parts]


def call_of_change(row: Any) -> str:
    """What may be said of a feature's change, by the p adjusted as its own family asks; `row` is a row of the changes table."""
    if not present(row["p_value"]):
        return absent(row["note"])
    if cannot_reach(row["p_floor"]):
        return f"{CANNOT_REACH} with {plural(row['n_pairs'], 'pair')}"
    if not passes(row):
        stopped = row.get("correction") == FIXED_SEQUENCE and row["p_value"] <= ALPHA
        return SEQUENCE_STOPPED if stopped else "no change shown"
    if not present(row["estimate"]) or row["estimate"] == 0:
        return "changed"
    return "rose" if row["estimate"] > 0 else "fell"


def call_of_difference(row: Any) -> str:
    """What may be said of responders against the others; `row` is a row of the table of changes by response."""
    if not present(row["p_value"]):
        return absent(row["note"])
    if cannot_reach(row["p_floor"]):
        return f"{CANNOT_REACH} with {whole(row['n_responders'])} against {whole(row['n_non_responders'])}"
    if not passes(row):
        return "no difference shown"
    if not present(row["estimate"]) or row["estimate"] == 0:
        return "differs"
    return "higher in responders" if row["estimate"] > 0 else "lower in responders"


def passes(row: Any) -> bool:
    """Whether the adjusted p of a row is at most 0.05; a row without one passes nothing."""
    return present(row["q_value"]) and float(row["q_value"]) <= ALPHA


def moved(row: Any) -> str:
    """By how much in how many pairs, with p and its floor, or why that cannot be told; `row` as in `call_of_change`."""
    if not present(row["p_value"]):
        return f"{NOT_ESTIMABLE} ({reason(row['note'], 'too few pairs')})"
    singles = row.get("n_single")  # an earlier version did not write it
    also = f" and {plural(singles, 'patient')} with one sample" if present(singles) and int(singles) else ""
    change = f"{signed(row['estimate'])} {row['unit']} in {plural(row['n_pairs'], 'pair')}{also}"
    return f"{change}, p = {p_with_floor(row['p_value'], row['p_floor'])}"


def freedom(row: Any) -> str:
    """The degrees of freedom of a t test; nothing where the row has none."""
    degrees = row.get("degrees_of_freedom")
    return f"{number(degrees)} degrees of freedom" if present(degrees) else ""


def corrected_by(correction: Any, sequence: Any = None, of: Any = None) -> str:
    """How a p was adjusted, with a primary feature's place in the sequence."""
    named = text(correction, "Benjamini-Hochberg")  # all that the first version had
    if named != FIXED_SEQUENCE or not present(sequence):
        return named
    return f"{named}, place {whole(sequence)}" + (f" of {whole(of)}" if present(of) else "")


def plural(count: Any, noun: str) -> str:
    """ "1 pair", "2 pairs"."""
    return f"{whole(count)} {noun}" if present(count) and int(count) == 1 else f"{whole(count)} {noun}s"


def yes_no(flag: Any, otherwise: str = "not known") -> str:
    """A flag in words; it may be absent."""
    return ("yes" if flag else "no") if present(flag) else otherwise


def capital(sentence: str) -> str:
    """Sentence case, except for a name that has its own (ctDNA, clr_CD8_TEM)."""
    first = sentence.partition(" ")[0]
    return sentence if "_" in first or first != first.lower() else sentence[:1].upper() + sentence[1:]
