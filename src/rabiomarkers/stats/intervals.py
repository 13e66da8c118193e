"""Intervals of a proportion."""

from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq
from scipy.special import betainc, betaincinv
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
    method: str  # "Clopper-Pearson", "Wilson" or "mid-P"


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


def mid_p(successes: int, n: int, *, level: float = 0.95) -> Proportion:
    """Mid-P interval of a proportion: the exact one, with only half of the chance of the count observed in each tail.

    Shorter than Clopper-Pearson, without its promise: for n = 10 it covers with 0.968 on average and with 0.927 at worst.
    None of n has the lower limit 0, n of n the upper limit 1.

    Raises
    ------
    StatisticsError
        `successes` is not between 0 and n, or `level` not between 0 and 1.

    References
    ----------
    Lancaster 1961, doi:10.1080/01621459.1961.10482105; Berry & Armitage 1995, The Statistician 44: 417-423
    """
    _check(successes, n, level)
    rate = low = high = float("nan")
    if n:
        rate = successes / n
        low = _mid_p_low(successes, n, level)
        high = 1.0 - _mid_p_low(n - successes, n, level)  # failures have the mirrored interval
    return Proportion(successes=successes, n=n, rate=rate, ci_low=low, ci_high=high, ci_level=level, method="mid-P")


def every_interval(successes: int, n: int, *, level: float = 0.95) -> dict[str, Proportion]:
    """The Clopper-Pearson, Wilson and mid-P interval of one proportion, by the name of the method.

    Raises
    ------
    StatisticsError
        As `clopper_pearson`.
    """
    told = (interval(successes, n, level=level) for interval in (clopper_pearson, wilson, mid_p))
    return {proportion.method: proportion for proportion in told}


def _mid_p_low(successes: int, n: int, level: float) -> float:
    """Share at which the chance of more than `successes`, and half of that of exactly as many, is what one tail may have."""
    tail = (1.0 - level) / 2.0
    if successes == 0:
        return 0.0
    if successes == n:
        return float((2.0 * tail) ** (1.0 / n))

    def beyond(share: float) -> float:
        at_least = betainc(successes, n - successes + 1, share)
        more = betainc(successes + 1, n - successes, share)
        return float(0.5 * (at_least + more) - tail)

    exact = betaincinv(successes, n - successes + 1, tail)  # whole chance in the tail: too low a limit
    none = betaincinv(successes + 1, n - successes, tail)  # none of it: too high
    return float(brentq(beyond, exact, none, xtol=1e-15, rtol=1e-14))


def _proportion(successes: int, n: int, *, level: float, method: Literal["exact", "wilson"], name: str) -> Proportion:
    _check(successes, n, level)
    rate = low = high = float("nan")
    if n:
        rate = successes / n
        limits = binomtest(successes, n).proportion_ci(confidence_level=level, method=method)
        low, high = float(limits.low), float(limits.high)
    return Proportion(successes=successes, n=n, rate=rate, ci_low=low, ci_high=high, ci_level=level, method=name)


def _check(successes: int, n: int, level: float) -> None:
    if not 0 <= successes <= n:
        raise StatisticsError(f"A proportion needs 0 <= successes <= n; there are {successes} of {n}.")
    if not 0 < level < 1:
        raise StatisticsError(f"The level of an interval lies between 0 and 1; it is {level:g}.")
