"""Arguments that no statistic can be computed with, refused in words before anything is."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Vector


def refuse_level(level: float) -> None:
    """The level of an interval lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise StatisticsError(f"The level of an interval lies between 0 and 1; it is {level:g}.")


def refuse_fewer_than_one(count: int, name: str) -> None:
    """A test that draws needs a whole number of draws, at least one; `name` is what is drawn, in the plural."""
    try:
        drawn = operator.index(count)
    except TypeError:
        raise StatisticsError(f"The number of {name} is a whole number; it is {count!r}.") from None
    if drawn < 1:
        raise StatisticsError(f"The number of {name} is at least 1; it is {drawn}.")


def refuse_unknown(word: str, words: Iterable[str], name: str) -> None:
    """`word` is one of `words`; `name` is what it chooses."""
    known = list(words)
    if word not in known:
        raise StatisticsError(f"There is no {name} {word!r}; there are {', '.join(map(repr, known))}.")


def refuse_unlike(before: ArrayLike, after: ArrayLike) -> None:
    """Both are matrices (features x patients) of one shape."""
    shapes = [np.shape(side) for side in (before, after)]
    if shapes[0] != shapes[1]:
        raise StatisticsError(f"Before and after differ in shape: {shapes[0]} and {shapes[1]}.")
    if len(shapes[0]) != 2:
        raise StatisticsError(f"Rows are features and columns patients; the shape is {shapes[0]}.")


def checked_p_values(p_values: ArrayLike, name: str = "p-values") -> Vector:
    """The values as doubles; NaN where there is none."""
    known = np.asarray(pd.Series(np.asarray(p_values, dtype=object).ravel(), dtype="Float64").astype("float64"))
    wrong = known[(known < 0) | (known > 1)]
    if len(wrong):
        raise StatisticsError(f"All {name} lie between 0 and 1; {len(wrong)} do not, the first is {wrong[0]:g}.")
    return known


def refuse_other_index(first: "pd.Series[Any]", second: "pd.Series[Any]", name: str) -> None:
    """Both series say something of the same tests in the same order."""
    if not first.index.equals(second.index):
        raise StatisticsError(f"There is one {name} a test, on the same index; the two differ.")
