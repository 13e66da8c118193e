"""The scale a measured value is analysed on, the same for a change between two timepoints and for a model's baseline."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def is_ratio_scale(unit: str) -> bool:
    """Whether values of this unit are ratios or concentrations, whose changes are fold changes, and not logarithms yet."""
    return unit == "ratio" or ("/" in unit and not unit.startswith("log"))


def analysis_scale(values: ArrayLike, unit: str) -> tuple[NDArray[np.float64], str]:
    """The values on the scale they are compared on, and that scale's unit.

    Ratios and concentrations (``ratio``, ``1e9/L``, ``pg/mL``: any unit with a slash) are skewed and change by factors, so they
    are analysed as log2; every other unit (rank score, clr, nats, NPX, fraction) as it is.

    Parameters
    ----------
    values
        Any shape, in `unit`.
    unit
        As in the features table.

    Returns
    -------
    A new array of the same shape, and ``"log2 " + unit`` or `unit`. A value that has no logarithm (zero, negative) is NaN.
    """
    numbers = np.array(values, dtype=np.float64)
    if not is_ratio_scale(unit):
        return numbers, unit
    positive = numbers > 0
    return np.log2(numbers, out=np.full_like(numbers, np.nan), where=positive), f"log2 {unit}"
