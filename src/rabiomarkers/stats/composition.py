"""Shares that sum to one: log ratios, which do not mistake one part's rise for every other part's fall."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix, Vector

type Scale = Literal["counts", "relative"]

PSEUDOCOUNT = 0.5
ZERO_RULES: dict[Scale, str] = {
    "counts": "both samples of a pair brought to the smaller total, then half a count added to every part",
    "relative": "zeros replaced by half the smallest share seen in the pair, the other shares scaled down in proportion",
}


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
    _refuse_uncountable(counts)
    parts = counts.to_numpy(dtype=np.float64) + pseudocount
    return pd.Series(clr_rows(parts[None, :] / parts.sum())[0], index=counts.index, name="clr")


def clr_rows(parts: ArrayLike) -> Matrix:
    """Centred log ratios of each row of `parts` (samples x parts, all above 0, on any scale).

    Raises
    ------
    StatisticsError
        A part is 0 or less, or not finite.
    """
    from skbio.stats import composition  # two seconds to load

    values = _matrix(parts)
    if (values <= 0).any():
        raise StatisticsError(f"{int((values <= 0).sum())} parts are 0 and have no logarithm; give a pseudo-count.")
    return np.asarray(composition.clr(values, validate=False), dtype=np.float64)


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


# ---- pairs -----------------------------------------------------------------------------------------------------------


def same_total(before: ArrayLike, after: ArrayLike) -> tuple[Matrix, Matrix]:
    """Counts of each patient's two samples (patients x parts), the larger sample scaled down to the total of the smaller.

    Half a count weighs more in a small sample than in a large one. At 2 000 cells after 500, a part that was never seen would
    fall by ln 4 against the common ones; at one total it does not move. The pair's own totals decide, nobody else's.

    Raises
    ------
    StatisticsError
        A count is negative or absent, or a sample holds nothing.
    """
    first, second = _pair(before, after)
    totals = first.sum(axis=1, keepdims=True), second.sum(axis=1, keepdims=True)
    smaller = np.minimum(*totals)
    return first * (smaller / totals[0]), second * (smaller / totals[1])


def replace_zeros(before: ArrayLike, after: ArrayLike) -> tuple[Matrix, Matrix]:
    """Shares of each patient's two samples (patients x parts) with multiplicative replacement of zeros; each row sums to 1.

    A zero becomes half the smallest share seen in either sample of the pair (at most 1 / (2 x parts), so that the unseen
    never outweigh the seen); the others keep their ratios. One value for both samples, so that a part seen in neither does
    not move because the one sample was read more deeply; the pair's own, so that no patient's change depends on another's.

    Raises
    ------
    StatisticsError
        A share is negative or absent, or a sample holds nothing.

    References
    ----------
    Martin-Fernandez et al. 2003, doi:10.1023/A:1023866030544
    """
    from skbio.stats import composition  # two seconds to load

    pairs = np.stack(_pair(before, after), axis=1)
    shares = pairs / pairs.sum(axis=2, keepdims=True)
    smallest = np.where(shares > 0, shares, 1.0).min(axis=(1, 2), initial=1.0)
    deltas = np.minimum(smallest / 2.0, 0.5 / max(shares.shape[2], 1))
    replaced = [composition.multi_replace(pair, delta) for pair, delta in zip(shares, deltas.tolist(), strict=True)]
    told = np.asarray(replaced, dtype=np.float64).reshape(shares.shape)
    return told[:, 0], told[:, 1]


def without_zeros(before: ArrayLike, after: ArrayLike, *, scale: Scale) -> tuple[Matrix, Matrix]:
    """The two samples of each patient (patients x parts) ready for logarithms, by the rule of their scale (`ZERO_RULES`)."""
    if scale == "relative":
        return replace_zeros(before, after)
    first, second = same_total(before, after)
    return first + PSEUDOCOUNT, second + PSEUDOCOUNT


def clr_changes(before: ArrayLike, after: ArrayLike) -> Matrix:
    """Change (ln) of each part against the geometric mean of all parts; patients x parts, all above 0, rows sum to 0."""
    return clr_rows(after) - clr_rows(before)


def median_changes(changes: ArrayLike, seen: NDArray[np.bool_] | None = None) -> Matrix:
    """Changes (patients x parts, ln, against any reference) against each patient's median part.

    As long as fewer than half of the parts move one way, the median part is one that does not: a part that rises tenfold does
    not drag the others down, as it does against the geometric mean.

    Parameters
    ----------
    seen
        Patients x parts: whether the part was seen in either sample. The median is taken over these: where most parts are in
        neither, their unmoved stand-ins for zero would be the median, and a log ratio to those is a share again.
    """
    values = np.asarray(changes, dtype=np.float64)
    if not values.shape[1]:
        return values
    known = np.ones(values.shape, dtype=bool) if seen is None else seen | ~seen.any(axis=1, keepdims=True)
    told: Matrix = values - np.nanmedian(np.where(known, values, np.nan), axis=1, keepdims=True)
    return told


def balance_weights(numerator: NDArray[np.bool_], denominator: NDArray[np.bool_]) -> Vector:
    """Weights of the parts whose sum over ln(part) is sqrt(r s / (r + s)) ln(gmean(numerator) / gmean(denominator)).

    r and s are the numbers of parts above and below; the weights sum to 0 and have length 1: an ILR coordinate.

    Raises
    ------
    StatisticsError
        A side is empty, or a part is on both.

    References
    ----------
    Egozcue & Pawlowsky-Glahn 2005, doi:10.1007/s11004-005-7381-9
    """
    from skbio.stats import composition  # two seconds to load

    if not (numerator.any() and denominator.any()) or (numerator & denominator).any():
        raise StatisticsError("A balance needs parts on either side, and none on both.")
    signs = numerator.astype(np.int64) - denominator.astype(np.int64)
    return np.asarray(composition.sbp_basis(signs[None, :])[0], dtype=np.float64)


# ---- what can be a composition ---------------------------------------------------------------------------------------


def _pair(before: ArrayLike, after: ArrayLike) -> tuple[Matrix, Matrix]:
    first, second = _matrix(before), _matrix(after)
    if first.shape != second.shape:
        raise StatisticsError(f"Pairs need the same patients and parts twice, not {first.shape} and {second.shape}.")
    for values in (first, second):
        if (values < 0).any():
            raise StatisticsError(f"{int((values < 0).sum())} parts are negative.")
        if not (values.sum(axis=1) > 0).all():
            raise StatisticsError("Nothing was counted in a sample: shares of nothing are not defined.")
    return first, second


def _matrix(values: ArrayLike) -> Matrix:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise StatisticsError("Compositions need a finite number in every part; rows are samples, columns parts.")
    return table


def _refuse_uncountable(counts: pd.Series) -> None:
    values = counts.to_numpy(dtype=np.float64)
    bad = counts.index[~np.isfinite(values) | (values < 0)]
    if len(bad):
        raise StatisticsError(f"{len(bad)} parts are negative or absent: {', '.join(map(str, bad[:5]))}.")
    if not values.sum() > 0:
        raise StatisticsError("Nothing was counted: shares of nothing are not defined.")
