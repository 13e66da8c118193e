"""Intervals of a proportion."""

from dataclasses import dataclass
from typing import Literal

from scipy.stats import binomtest

from rabiomarkers.errors import StatisticsError


@dataclass(frozen=True, kw_only=True)
class Proportion:
    """A share of n with its interval, all between 0 and 1; NaN where n is 0."""

    successes: int
    n: int
    rate: float
    ci_low: float
    ci_high: float
    ci_level: float
    method: str  # "Clopper-Pearson" or "Wilson"


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> Proportion:
    """Exact interval of a proportion: it covers with at least `level` whatever the true share (0.961 at worst for n = 10).

    Raises
    ------
    StatisticsError
        `successes` is not between 0 and n.

    References
    ----------
    Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404
    """
    return _proportion(successes, n, level=level, method="exact", name="Clopper-Pearson")


def wilson(successes: int, n: int, *, level: float = 0.95) -> Proportion:
    """Score interval of a proportion: covers with `level` on average and with 0.838 at worst for n = 10.

    Raises
    ------
    StatisticsError
        `successes` is not between 0 and n.

    References
    ----------
    Wilson 1927, doi:10.1080/01621459.1927.10502953
    """
    return _proportion(successes, n, level=level, method="wilson", name="Wilson")


def _proportion(successes: int, n: int, *, level: float, method: Literal["exact", "wilson"], name: str) -> Proportion:
    if not 0 <= successes <= n:
        raise StatisticsError(f"A proportion needs 0 <= successes <= n; there are {successes} of {n}.")
    rate = low = high = float("nan")
    if n:
        rate = successes / n
        limits = binomtest(successes, n).proportion_ci(confidence_level=level, method=method)
        low, high = float(limits.low), float(limits.high)
    return Proportion(successes=successes, n=n, rate=rate, ci_low=low, ci_high=high, ci_level=level, method=name)
