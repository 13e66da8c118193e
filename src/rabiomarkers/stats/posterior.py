"""What a response rate may be, given the responders and a stated prior: conjugate beta distributions."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betainccinv, betaincinv, betaln
from scipy.stats import beta as beta_distribution

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Vector

type Prior = tuple[float, float]
type Numbers = Vector | float

JEFFREYS: Prior = (0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Beta distribution of a response rate (0..1) after `successes` of `n`, under the prior beta distribution stated."""

    successes: int
    n: int
    prior: Prior
    alpha: float
    beta: float
    mean: float
    median: float
    low: float  # of the equal-tailed interval
    high: float
    level: float

    def probability_above(self, rate: float) -> float:
        """Probability that the true rate lies above `rate`, taken as known."""
        return float(beta_distribution.sf(rate, self.alpha, self.beta))


def posterior_rate(successes: int, n: int, *, prior: Prior = JEFFREYS, level: float = 0.95) -> Posterior:
    """Posterior of a response rate after `successes` of `n` patients; without any patient it is the prior.

    The prior counts like sum(prior) patients more, prior[0] of them responders: one patient, half a response, under Jeffreys'.

    Parameters
    ----------
    prior
        The two parameters of the beta distribution, both above 0.
    level
        Of the equal-tailed interval.

    Raises
    ------
    StatisticsError
        `successes` is not between 0 and n, a parameter of the prior is not above 0, or `level` not between 0 and 1.

    References
    ----------
    Gelman et al. 2013, Bayesian Data Analysis, section 2.4; Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286
    """
    alpha, beta = _updated(successes, n, prior)
    if not 0 < level < 1:
        raise StatisticsError(f"The level of an interval lies between 0 and 1; it is {level:g}.")
    tail = (1.0 - level) / 2.0
    return Posterior(
        successes=successes,
        n=n,
        prior=prior,
        alpha=alpha,
        beta=beta,
        mean=alpha / (alpha + beta),
        median=float(betaincinv(alpha, beta, 0.5)),
        low=float(betaincinv(alpha, beta, tail)),
        high=float(betainccinv(alpha, beta, tail)),
        level=level,
    )


def probability_above_historical(
    successes: int, n: int, historical_successes: int, historical_n: int, *, prior: Prior = JEFFREYS
) -> float:
    """Probability that this trial's rate lies above the historical one, both known only through their patients.

    Both rates have the same prior and are independent. Without any patient the probability is one half, and each patient moves it
    by a ratio of beta functions: a finite sum, for whole numbers and others.

    Parameters
    ----------
    prior
        As in `posterior_rate`.

    Raises
    ------
    StatisticsError
        As `posterior_rate`.

    References
    ----------
    Cook 2005, Exact calculation of beta inequalities, M. D. Anderson Cancer Center; its recurrence is at
    https://www.johndcook.com/blog/2021/09/16/beta-ineqality-integer-parameters/
    """
    _updated(successes, n, prior)
    _updated(historical_successes, historical_n, prior)
    alpha, beta = _counted(prior[0], successes), _counted(prior[1], n - successes)
    old_alpha = _counted(prior[0], historical_successes)
    old_beta = _counted(prior[1], historical_n - historical_successes)
    above = (
        0.5
        + _moved(alpha[:-1], prior[1], *prior, by=alpha[:-1])
        - _moved(alpha[-1], beta[:-1], *prior, by=beta[:-1])
        - _moved(alpha[-1], beta[-1], old_alpha[:-1], prior[1], by=old_alpha[:-1])
        + _moved(alpha[-1], beta[-1], old_alpha[-1], old_beta[:-1], by=old_beta[:-1])
    )
    return float(np.clip(above, 0.0, 1.0))


def _counted(start: float, patients: int) -> Vector:
    """A parameter as the patients come in one by one."""
    return start + np.arange(patients + 1, dtype=np.float64)


def _moved(alpha: Numbers, beta: Numbers, old_alpha: Numbers, old_beta: Numbers, *, by: Vector) -> float:
    """By how much the probability of lying above moves as the parameter `by` takes its values and then one more."""
    together = betaln(np.add(alpha, old_alpha), np.add(beta, old_beta))
    return float((np.exp(together - betaln(alpha, beta) - betaln(old_alpha, old_beta)) / by).sum())


def _updated(successes: int, n: int, prior: Prior) -> Prior:
    if not 0 <= successes <= n:
        raise StatisticsError(f"A response rate needs 0 <= successes <= n; there are {successes} of {n}.")
    if not (np.isfinite(prior).all() and min(prior) > 0):
        raise StatisticsError(f"The prior of a response rate has two parameters above 0; they are {prior}.")
    return prior[0] + successes, prior[1] + n - successes
