"""The size of a paired change in units of its own spread."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln


def hedges_correction(freedom: ArrayLike) -> NDArray[np.float64]:
    """Exact factor J that takes the small-sample bias out of a standardised mean with this many degrees of freedom.

    0.9139 for 9 degrees (ten pairs). NaN below 2: the standardised mean has no expectation there.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107
    """
    degrees = np.asarray(freedom, dtype=np.float64)
    safe = np.where(degrees >= 2, degrees, 2.0)
    factor = np.exp(gammaln(safe / 2) - gammaln((safe - 1) / 2)) / np.sqrt(safe / 2)
    return np.where(degrees >= 2, factor, np.nan)


def standardised_change(differences: ArrayLike) -> float:
    """dz: mean of the differences (length n, NaN left out) over their standard deviation, without small-sample bias."""
    return float(standardised_changes(np.asarray(differences, dtype=np.float64).reshape(1, -1))[0])


def standardised_changes(differences: ArrayLike) -> NDArray[np.float64]:
    """`standardised_change` of each row of differences (features x patients, NaN where a patient has no pair).

    NaN with fewer than three pairs, and where the differences have no spread beyond float noise.
    """
    values = np.sort(np.asarray(differences, dtype=np.float64), axis=1)  # NaN last: the order of patients plays no part
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, values - mean[:, None], 0.0) ** 2
    spread = np.sqrt(squares.sum(axis=1) / np.maximum(count - 1, 1))
    enough = (count >= 3) & (spread > 1e-12 * np.abs(filled).max(axis=1, initial=0.0))
    ratio = np.divide(mean, spread, out=np.full(len(values), np.nan), where=enough)
    changes: NDArray[np.float64] = ratio * hedges_correction(count - 1)
    return changes
