"""Two-stage designs of a response rate that may stop early for too few responses (Simon 1989), counted exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import binom

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Integers, Vector

type Kind = Literal["optimal", "minimax", "as given"]

NOISE = 1e-12  # a sum of binomial chances that lies this near its limit keeps it


@dataclass(frozen=True, kw_only=True)
class Characteristics:
    """What a design does where the true response rate is the one asked for."""

    reject: float  # probability of calling the treatment worth a further trial
    early_stop: float  # probability of stopping after the first stage
    expected_n: float  # patients on average


@dataclass(frozen=True, kw_only=True)
class Design:
    """A two-stage design: `first_stop` responders or fewer of `first_n` stop it; `stop` or fewer of all `n` are too few."""

    first_n: int
    first_stop: int
    n: int
    stop: int
    null_rate: float
    target_rate: float
    type_1_error: float  # the probability it really has of rejecting the null rate where that is the true one
    power: float  # and where the target rate is the true one
    expected_n_null: float  # patients on average under the null rate
    early_stop_null: float  # probability under the null rate of stopping after the first stage
    kind: Kind


def operating_characteristics(first_n: int, first_stop: int, n: int, stop: int, rate: float) -> Characteristics:
    """What the design does where `rate` (0..1) is the true response rate: exact sums of binomial probabilities.

    Raises
    ------
    StatisticsError
        The stages do not follow each other (see `design_of`), or `rate` lies outside 0..1.
    """
    _check_stages(first_n, first_stop, n, stop)
    if not 0 <= rate <= 1:
        raise StatisticsError(f"A response rate lies between 0 and 1; it is {rate:g}.")
    going_on = np.arange(first_stop + 1, first_n + 1)
    reject = binom.pmf(going_on, first_n, rate) @ binom.sf(stop - going_on, n - first_n, rate)
    early_stop = float(binom.cdf(first_stop, first_n, rate))
    expected_n = first_n + (1.0 - early_stop) * (n - first_n)
    return Characteristics(reject=min(float(reject), 1.0), early_stop=early_stop, expected_n=expected_n)


def design_of(
    first_n: int, first_stop: int, n: int, stop: int, *, null_rate: float, target_rate: float, kind: Kind = "as given"
) -> Design:
    """The design with these stages, such as a protocol names it, and the error rates that it really has.

    Parameters
    ----------
    first_n, first_stop
        The trial stops after `first_n` patients with `first_stop` responders or fewer; 0 <= first_stop < first_n < n.
    n, stop
        Of all `n` patients, `stop` responders or fewer are too few; first_stop <= stop < n.
    null_rate, target_rate
        The rate that is too low to be of interest, and the one that is worth a further trial.

    Raises
    ------
    StatisticsError
        The stages do not follow each other, or the rates are not in order.
    """
    _check_rates(null_rate, target_rate)
    null = operating_characteristics(first_n, first_stop, n, stop, null_rate)
    target = operating_characteristics(first_n, first_stop, n, stop, target_rate)
    return Design(
        first_n=first_n,
        first_stop=first_stop,
        n=n,
        stop=stop,
        null_rate=null_rate,
        target_rate=target_rate,
        type_1_error=null.reject,
        power=target.reject,
        expected_n_null=null.expected_n,
        early_stop_null=null.early_stop,
        kind=kind,
    )


def chance_of_rejection(design: Design, responders: int, n: int, rate: float) -> float:
    """Probability that the design will reject its null rate, with `responders` of its first `n` patients known and `rate` true.

    A second stage under way is taken as having been earned by the first.

    Raises
    ------
    StatisticsError
        `responders` is not between 0 and n, n is more than the design's, or `rate` lies outside 0..1.
    """
    if not (0 <= responders <= n <= design.n and 0 <= rate <= 1):
        raise StatisticsError(
            f"A chance to reject needs 0 <= responders <= n <= {design.n} and a rate of 0..1; "
            f"they are {responders}, {n} and {rate:g}."
        )
    to_come = max(design.first_n - n, 0)  # in the first stage
    first = responders + np.arange(to_come + 1)
    going_on = (first > design.first_stop) | (n > design.first_n)
    rejected = binom.sf(design.stop - first, design.n - max(n, design.first_n), rate)
    return min(float((binom.pmf(first - responders, to_come, rate) * going_on) @ rejected), 1.0)


def optimal_design(
    null_rate: float, target_rate: float, *, type_1_error: float = 0.05, power: float = 0.8, maximum_n: int = 200
) -> Design:
    """The design that keeps both error rates with the fewest patients on average under the null rate.

    Of several with the same expected number, the one with the fewest patients at most, and then the smallest type 1 error.

    Parameters
    ----------
    maximum_n
        Most patients of a design that is looked at. The search ends earlier where no larger one can do better.

    Raises
    ------
    StatisticsError
        The rates are not in order, an error rate is not between 0 and 1, or no design of up to `maximum_n` patients keeps them.

    References
    ----------
    Simon 1989, doi:10.1016/0197-2456(89)90015-9
    """
    search = _Search(null_rate, target_rate, type_1_error, power, maximum_n)
    best: _Found | None = None
    for n in range(2, maximum_n + 1):
        below = best.expected_n if best is not None else np.inf
        if search.fewest_expected(n).min() >= below:
            break
        best = search.best_of(n, below=below) or best
    return search.told(best, "optimal")


def minimax_design(
    null_rate: float, target_rate: float, *, type_1_error: float = 0.05, power: float = 0.8, maximum_n: int = 200
) -> Design:
    """The design that keeps both error rates with the fewest patients at most, and of those the fewest on average.

    Parameters, errors and reference are those of `optimal_design`.
    """
    search = _Search(null_rate, target_rate, type_1_error, power, maximum_n)
    designs = (search.best_of(n) for n in range(2, maximum_n + 1))
    return search.told(next((found for found in designs if found is not None), None), "minimax")


@dataclass(frozen=True, order=True)
class _Found:
    """Sorted as designs are preferred."""

    expected_n: float
    n: int
    type_1_error: float
    first_n: int
    first_stop: int
    stop: int


class _Search:
    """Both error rates of all designs with the same n at once, from tables of binomial chances.

    Rows of the tables are numbers of patients, columns numbers of responders, both from 0.
    """

    def __init__(self, null_rate: float, target_rate: float, type_1_error: float, power: float, maximum_n: int) -> None:
        _check_rates(null_rate, target_rate)
        if not (0 < type_1_error < 1 and 0 < power < 1):
            raise StatisticsError(
                f"Type 1 error and power lie between 0 and 1; they are {type_1_error:g} and {power:g}."
            )
        self.rates = (null_rate, target_rate)
        self.limits = (type_1_error + NOISE, power - NOISE)
        self.maximum_n = maximum_n
        patients, responders = np.arange(maximum_n + 1)[:, None], np.arange(-1, maximum_n + 1)
        self.chance = [binom.pmf(responders[1:], patients, rate) for rate in self.rates]
        self.more = [binom.sf(responders, patients, rate) for rate in self.rates]  # column k + 1: more than k
        self.early_stop = np.cumsum(self.chance[0], axis=1)
        stopped = np.cumsum(self.chance[1], axis=1)  # in spite of the target rate, by the latest stop of each column
        allowed = (stopped <= 1.0 - self.limits[1]).sum(axis=1)
        latest = np.take_along_axis(self.early_stop, np.maximum(allowed - 1, 0)[:, None], axis=1).ravel()
        self.most_early_stop = np.where(allowed > 0, latest, 0.0)

    def fewest_expected(self, n: int) -> Vector:
        """For first stages of 1 .. n - 1 patients, an expected number under the null rate that no design of n or more is below."""
        first = np.arange(1, n)
        fewest: Vector = first + (1.0 - self.most_early_stop[1:n]) * (n - first)
        return fewest

    def best_of(self, n: int, *, below: float = np.inf) -> "_Found | None":
        """The feasible design of n patients with the smallest expected number, if that is smaller than `below`."""
        first = 1 + np.flatnonzero(self.fewest_expected(n) < below)
        feasible = (found for stop in self._stops(n) for found in self._designs(n, stop, first))
        return min((found for found in feasible if found.expected_n < below), default=None)

    def told(self, found: "_Found | None", kind: Kind) -> Design:
        """The design in full."""
        null_rate, target_rate = self.rates
        if found is None:
            raise StatisticsError(
                f"No two-stage design of up to {self.maximum_n} patients tells {null_rate:g} from {target_rate:g} with a type 1 "
                f"error of {self.limits[0]:g} and a power of {self.limits[1]:g}; choose rates that lie further apart."
            )
        stages = (found.first_n, found.first_stop, found.n, found.stop)
        return design_of(*stages, null_rate=null_rate, target_rate=target_rate, kind=kind)

    def _stops(self, n: int) -> list[int]:
        """Final limits that some first stage could make feasible.

        A first stage takes power away, so without one there must be enough. And of the type 1 error it takes away at most what
        it takes of the power, times the largest likelihood ratio of the null to the target rate above the limit.
        """
        (null, target), (error, power) = self.rates, self.limits
        stops = np.arange(n)
        null_more, target_more = self.more[0][n, 1 : n + 1], self.more[1][n, 1 : n + 1]
        odds = (stops + 1.0) * np.log(null / target) + (n - stops - 1.0) * np.log((1.0 - null) / (1.0 - target))
        ratio = np.exp(np.minimum(odds, 700.0))  # more would leave the range of doubles, and bounds nothing either
        spare = target_more - power
        feasible = (spare >= 0) & (null_more - ratio * np.maximum(spare, 0.0) <= error)
        return [int(stop) for stop in stops[feasible]]

    def _designs(self, n: int, stop: int, first: Integers) -> Iterator["_Found"]:
        """For each number of patients in the first stage, the design that stops as early as the power allows, if it is feasible."""
        responders = np.arange(n)
        needed = np.maximum(stop - responders, -1) + 1
        null, target = (
            np.cumsum((chance[first[:, None], responders] * more[n - first[:, None], needed])[:, ::-1], axis=1)[:, ::-1]
            for chance, more in zip(self.chance, self.more, strict=True)
        )  # column k: the chance of k or more responders first and more than `stop` in the end
        last = (target >= self.limits[1]).sum(axis=1) - 1  # the most responders that may be asked for to go on
        first_stop = np.minimum(last - 1, stop)
        reached = np.take_along_axis(null, np.maximum(first_stop + 1, 0)[:, None], axis=1).ravel()
        early = self.early_stop[first, np.maximum(first_stop, 0)]
        expected = first + (1.0 - early) * (n - first)
        for row in np.flatnonzero((first_stop >= 0) & (reached <= self.limits[0])).tolist():
            yield _Found(float(expected[row]), n, float(reached[row]), int(first[row]), int(first_stop[row]), stop)


def _check_rates(null_rate: float, target_rate: float) -> None:
    if not 0 < null_rate < target_rate < 1:
        raise StatisticsError(
            f"A two-stage design needs 0 < null rate < target rate < 1; they are {null_rate:g} and {target_rate:g}."
        )


def _check_stages(first_n: int, first_stop: int, n: int, stop: int) -> None:
    if not (0 <= first_stop < first_n < n and first_stop <= stop < n):
        raise StatisticsError(
            "A two-stage design needs 0 <= first_stop < first_n < n and first_stop <= stop < n; "
            f"it has {first_stop} of {first_n}, then {stop} of {n}."
        )
