"""Shares that sum to one: log ratios, which do not mistake one part's rise for every other part's fall."""

import math

import numpy as np
import pandas as pd

from rabiomarkers.errors import StatisticsError

PSEUDOCOUNT = 0.5


def clr(counts: pd.Series, *, pseudocount: float = PSEUDOCOUNT) -> pd.Series:
    """Centred log ratio of each part: ln(part) minus the mean ln over all parts; sums to 0.

    `pseudocount` is added to every part, so a part that was not seen is small instead of minus infinity, and the result depends
    on this sample alone. Which parts take part must be fixed before: with another list every value moves.

    Parameters
    ----------
    counts
        How often each part was seen, 0 or more; at least one above 0.
    pseudocount
        Above 0 unless no part is 0. Half a count is Haldane's and Anscombe's choice.

    Raises
    ------
    StatisticsError
        A negative or absent count, nothing counted at all, or a zero without a pseudo-count.

    References
    ----------
    Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x
    """
    from skbio.stats import composition  # two seconds to load

    _refuse_uncountable(counts)
    parts = counts.to_numpy(dtype=np.float64) + pseudocount
    if (parts <= 0).any():
        raise StatisticsError(f"{int((parts <= 0).sum())} parts are 0 and have no logarithm; give a pseudo-count.")
    return pd.Series(composition.clr(parts / parts.sum()), index=counts.index, name="clr")


def log_balance(part: float, total: float, *, pseudocount: float = PSEUDOCOUNT) -> float:
    """ln((part + pseudo-count) / (rest + pseudo-count)): how many times more of the part than of everything else.

    0 when both are equal; swapping the part and the rest changes only the sign.

    Parameters
    ----------
    part, total
        Counts, 0 <= part <= total; the pseudo-count weighs the same only where `total` is the same in all samples.

    Raises
    ------
    StatisticsError
        `part` is negative or exceeds `total`.
    """
    if not 0 <= part <= total:
        raise StatisticsError(f"A part of {part:g} in a total of {total:g} is no composition.")
    return math.log((part + pseudocount) / (total - part + pseudocount))


def _refuse_uncountable(counts: pd.Series) -> None:
    values = counts.to_numpy(dtype=np.float64)
    bad = counts.index[~np.isfinite(values) | (values < 0)]
    if len(bad):
        raise StatisticsError(f"{len(bad)} parts are negative or absent: {', '.join(map(str, bad[:5]))}.")
    if not values.sum() > 0:
        raise StatisticsError("Nothing was counted: shares of nothing are not defined.")
