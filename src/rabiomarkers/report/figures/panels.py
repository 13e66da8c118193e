"""What small panels of one feature each have in common: the words above them."""

from textwrap import wrap

import pandas as pd

from rabiomarkers.report.figures.style import label
from rabiomarkers.report.labels import plain

LONG_NAME = 18
LINE = 36  # letters of the plain words over a panel


def panel_words(feature: str) -> list[str]:
    """The feature's name in bold, a long one in two lines, and its plain words below."""
    return [f"<b>{_broken(label(feature))}</b>", *map(label, wrap(plain(feature), width=LINE))]


def errors_of(rows: pd.DataFrame, colour: str, *, thickness: float = 1.6) -> dict[str, object]:
    """The intervals of `estimate, ci_low, ci_high` as error bars; none where there is no interval."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["ci_high"] - rows["estimate"]).fillna(0.0).tolist(),
        "arrayminus": (rows["estimate"] - rows["ci_low"]).fillna(0.0).tolist(),
        "thickness": thickness,
        "width": 4,
        "color": colour,
    }


def _broken(name: str) -> str:
    """Broken at the underscore nearest the middle."""
    if len(name) <= LONG_NAME or "_" not in name[1:-1]:
        return name
    places = [place for place, letter in enumerate(name[:-1]) if letter == "_"]
    middle = min(places, key=lambda place: (abs(place - len(name) / 2), place)) + 1
    return f"{name[:middle]}<br>{name[middle:]}"
