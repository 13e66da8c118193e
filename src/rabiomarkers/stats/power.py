"""What change a paired test would find with the pairs at hand, if the changes scatter normally."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from scipy.stats import nct

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Vector
from rabiomarkers.stats.guards import refuse_fewer_than_one
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.stats.paired import EXACT_FLIPS, sign_flip_many, signed_rank_many

EXACT = ("signed_rank", "signed_rank_pratt", "sign_flip")
APPROXIMATED = {"moderated_t": "moderated t", "mixed_model": "mixed model"}
TESTS = (*EXACT, "paired_t", "ancova", *APPROXIMATED)
ANCOVA_SPENDS = "ANCOVA has the error of the paired t, judged on one degree of freedom less (pairs - 2)"

SIMULATIONS = 5000  # a power of 0.8 to 0.006
SIMULATED_PAIRS = 200  # above, the limit of many pairs is right to the second digit
EFFICIENCY = {"signed_rank": 3 / math.pi, "signed_rank_pratt": 3 / math.pi, "sign_flip": 1.0}
LARGEST = 1e6  # standard deviations; no change of patients comes near


@dataclass(frozen=True, kw_only=True)
class DetectableEffect:
    """The smallest effect a test finds with a power. NaN where there is none, with the reason in `note`."""

    effect: float  # dz: true mean of the changes over their true standard deviation
    power: float  # asked for
    note: str


def paired_t_power(n: int, effect: ArrayLike, *, alpha: float = ALPHA) -> Vector:
    """Power of the two-sided paired t test, from the noncentral t distribution; NaN below two pairs.

    Parameters
    ----------
    n
        Pairs.
    effect
        dz: true mean of the changes over their true standard deviation; any shape, either sign.
    alpha
        Level of the test, between 0 and 1.

    Raises
    ------
    StatisticsError
        `alpha` does not lie between 0 and 1.

    References
    ----------
    Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2, ISBN 978-0-8058-0283-2
    """
    _refuse_unless_share(alpha, "level")
    return _t_power(float(n), np.asarray(effect, dtype=np.float64), alpha)


def exact_power(
    n: int,
    effect: float,
    *,
    test: str = "signed_rank",
    alpha: float = ALPHA,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> float:
    """Power of an exact paired test when changes are normal, by simulation.

    NaN below two pairs, 0 where the smallest possible p is above `alpha`.

    The same draws serve every effect: a test rejects exactly where the interval that belongs to it leaves out 0, and a shift of
    all changes shifts that interval, so that power never falls as the effect grows (but for the rare rejection on the wrong side).
    Beyond 200 pairs it is that of the paired t at the asymptotic relative efficiency.

    Parameters
    ----------
    n, effect, alpha
        As in `paired_t_power`.
    test
        "signed_rank", "signed_rank_pratt" (the same here, as normal changes are never zero) or "sign_flip".
    simulations, seed
        Number of simulated trials and where they start.

    Raises
    ------
    StatisticsError
        The test is none of these, or `alpha` does not lie between 0 and 1.

    References
    ----------
    Hodges & Lehmann 1956, doi:10.1214/aoms/1177728261 (efficiency 3 / pi of the signed-rank test)
    """
    _refuse_unless_share(alpha, "level")
    refuse_fewer_than_one(simulations, "simulated trials")
    if test not in EXACT:
        raise StatisticsError(f"There is no exact test {test!r}; there are {', '.join(EXACT)}.")
    if n < 2:
        return math.nan
    if _floor(n, test) > alpha:
        return 0.0
    if n > SIMULATED_PAIRS:
        return float(_t_power(n * EFFICIENCY[test], np.float64(effect), alpha))
    low, high = _limits(n, "sign_flip" if test == "sign_flip" else "signed_rank", alpha, simulations, seed)
    return float(np.mean((low > -effect) | (high < -effect)))


@lru_cache(maxsize=1024)
def detectable_effect(
    n: int, *, test: str = "signed_rank", alpha: float = ALPHA, power: float = 0.8, seed: int = 1
) -> DetectableEffect:
    """The smallest effect that the test finds with this power at `n` pairs, if changes scatter normally.

    Exact tests are simulated (right to about 0.01 at ten pairs), the paired t and ANCOVA are computed. ANCOVA's error of the mean
    change is that of the paired t (`stats.parametric.ancova_many`), so it gains nothing and pays a degree of freedom for the slope.
    The moderated t and the mixed model gain over the paired t by what the data bring (other features, single samples); they are
    given its power, and the note says so.

    Parameters
    ----------
    n, alpha
        As in `paired_t_power`.
    test
        A name of `TESTS`.
    power
        Above `alpha` and below 1.
    seed
        Of the simulation.

    Raises
    ------
    StatisticsError
        There is no such test, or level or power cannot be.
    """
    _refuse_unless_share(alpha, "level")
    if test not in TESTS:
        raise StatisticsError(f"There is no paired test {test!r}; there are {', '.join(TESTS)}.")
    if not alpha < power < 1:
        raise StatisticsError(f"A power lies above the test's level {alpha} and below 1; it was {power}.")
    spent = 2 if test == "ancova" else 1
    if n <= spent:
        fewest = "three" if test == "ancova" else "two"
        return DetectableEffect(effect=math.nan, power=power, note=f"no test with fewer than {fewest} pairs")
    if test not in EXACT:
        note = f"power of the paired t, taken for the {APPROXIMATED[test]}" if test in APPROXIMATED else ""
        effect = _smallest(lambda size: float(_t_power(float(n), np.float64(size), alpha, spent=spent)), power)
        return DetectableEffect(effect=effect, power=power, note=ANCOVA_SPENDS if test == "ancova" else note)
    if (floor := _floor(n, test)) > alpha:
        told = f"no change can be found, however large: with {n} pairs no p is below {floor:.3g}"
        return DetectableEffect(effect=math.nan, power=power, note=told)
    effect = _smallest(lambda size: exact_power(n, size, test=test, alpha=alpha, seed=seed), power)
    return DetectableEffect(effect=effect, power=power, note="")


def _refuse_unless_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise StatisticsError(f"A {name} lies between 0 and 1; it was {value}.")


def _t_power(n: float, effect: ArrayLike, alpha: float, *, spent: int = 1) -> Vector:
    """Power of the paired t statistic, held against the t distribution of n - `spent` degrees; `n` need not be whole."""
    sizes = np.abs(np.asarray(effect, dtype=np.float64))
    if n < 2:
        return np.full(sizes.shape, np.nan)
    freedom, shift = n - 1.0, np.minimum(sizes * math.sqrt(n), LARGEST)
    threshold = -float(stdtrit(n - spent, alpha / 2))
    wrong_side = nct.sf(
        threshold, freedom, -shift
    )  # cdf(-threshold, freedom, shift) in words that scipy has no NaN for
    return np.asarray(nct.sf(threshold, freedom, shift) + wrong_side, dtype=np.float64)


@lru_cache(maxsize=64)
def _limits(n: int, test: str, alpha: float, simulations: int, seed: int) -> tuple[Vector, Vector]:
    """Limits of the test's interval in simulated trials without a change."""
    changes = np.random.default_rng([seed, n]).normal(size=(simulations, n))
    many = sign_flip_many if test == "sign_flip" else signed_rank_many
    told = many(changes, level=1.0 - alpha)
    return told["ci_low"].to_numpy(dtype=np.float64), told["ci_high"].to_numpy(dtype=np.float64)


def _floor(n: int, test: str) -> float:
    smallest = math.ldexp(1.0, 1 - n)
    return smallest if test != "sign_flip" or n <= EXACT_FLIPS else max(smallest, 1e-4)  # of 9 999 random flips


def _smallest(power_of: Callable[[float], float], power: float) -> float:
    """The smallest effect with at least this power, to nine digits; the power rises with the effect."""
    low, high = 0.0, 1.0
    while power_of(high) < power:
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high
