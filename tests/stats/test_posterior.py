from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from scipy.stats import beta as beta_distribution

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.posterior import JEFFREYS, posterior_rate, probability_above_historical

UNIFORM = (1.0, 1.0)

counts = st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
priors = st.tuples(st.floats(0.05, 20), st.floats(0.05, 20))


def beta_function(first, second):
    return Fraction(factorial(first - 1) * factorial(second - 1), factorial(first + second - 1))


def above_in_fractions(alpha, beta, old_alpha, old_beta):
    """P(p > q) of two betas with whole parameters: a finite sum over the first (evanmiller.org/bayesian-ab-testing.html)."""
    return sum(
        beta_function(old_alpha + k, old_beta + beta)
        / ((beta + k) * beta_function(1 + k, beta) * beta_function(old_alpha, old_beta))
        for k in range(alpha)
    )


def test_three_of_ten_under_jeffreys_prior():
    told = posterior_rate(3, 10)
    assert (told.prior, told.alpha, told.beta) == (JEFFREYS, 3.5, 7.5)
    assert told.mean == pytest.approx(3.5 / 11, abs=1e-15)
    # Brown, Cai & DasGupta 2001, table 5: the Jeffreys interval of 3 of 10 is 0.093 to 0.606
    assert (round(told.low, 3), round(told.high, 3)) == (0.093, 0.606)
    assert told.probability_above(0.12) == pytest.approx(0.946674260556669, abs=1e-12)  # R 4.2.2: pbeta


def test_a_uniform_prior_has_laplaces_mean():
    assert posterior_rate(3, 10, prior=UNIFORM).mean == pytest.approx(4 / 12)


def test_without_patients_the_posterior_is_the_prior():
    told = posterior_rate(0, 0, prior=(2.0, 3.0))
    assert (told.alpha, told.beta, told.mean) == (2.0, 3.0, 0.4)


def test_nobody_beats_nobody_in_half_of_the_cases():
    assert probability_above_historical(0, 0, 0, 0) == 0.5


def test_one_responder_of_one_against_none_of_one():
    # uniform priors: p has density 2p, q has 2(1 - q): P(p > q) = 5/6
    assert probability_above_historical(1, 1, 0, 1, prior=UNIFORM) == pytest.approx(5 / 6, abs=1e-14)


def test_a_large_history_is_as_good_as_known():
    told = posterior_rate(3, 10)
    uncertain = probability_above_historical(3, 10, 120_000, 1_000_000)
    assert uncertain == pytest.approx(told.probability_above(0.12), abs=1e-5)


def test_it_is_what_drawing_both_rates_gives():
    random = np.random.default_rng(7)
    draws = 200_000
    above = random.beta(3.5, 7.5, draws) > random.beta(3.5, 22.5, draws)  # 3 of 10 and KEYNOTE-028's 3 of 25
    told = probability_above_historical(3, 10, 3, 25)
    assert told == pytest.approx(above.mean(), abs=4 * np.sqrt(told * (1 - told) / draws))


@pytest.mark.parametrize("prior", [(0.0, 1.0), (1.0, -1.0), (np.inf, 1.0), (np.nan, 1.0)])
def test_a_prior_has_two_positive_parameters(prior):
    with pytest.raises(StatisticsError, match="two parameters above 0"):
        posterior_rate(1, 2, prior=prior)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_more_responders_than_patients_are_refused(successes, n):
    for call in (
        lambda: posterior_rate(successes, n),
        lambda: probability_above_historical(successes, n, 1, 2),
        lambda: probability_above_historical(1, 2, successes, n),
    ):
        with pytest.raises(StatisticsError, match=f"there are {successes} of {n}"):
            call()


def test_a_level_is_a_share():
    with pytest.raises(StatisticsError, match="it is 95"):
        posterior_rate(1, 2, level=95)


# below 0.3 a limit may lie so close to 1 that no double is near enough
@given(counts, st.tuples(st.floats(0.3, 20), st.floats(0.3, 20)), st.floats(0.5, 0.99))
def test_the_interval_leaves_half_of_the_rest_on_each_side(case, prior, level):
    told = posterior_rate(*case, prior=prior, level=level)
    assert told.probability_above(told.low) == pytest.approx((1 + level) / 2, abs=1e-6)
    assert told.probability_above(told.high) == pytest.approx((1 - level) / 2, abs=1e-6)
    assert told.probability_above(told.median) == pytest.approx(0.5, abs=1e-6)


@given(counts, counts)
def test_whole_parameters_give_the_exact_fraction(case, history):
    (successes, n), (old_successes, old_n) = case, history
    told = probability_above_historical(*case, *history, prior=UNIFORM)
    parameters = (1 + successes, 1 + n - successes, 1 + old_successes, 1 + old_n - old_successes)
    assert told == pytest.approx(float(above_in_fractions(*parameters)), abs=1e-11)


@given(counts, counts, st.floats(0.5, 5), st.floats(0.5, 5))
def test_other_parameters_give_the_integral(case, history, alpha, beta):
    (successes, n), (old_successes, old_n) = case, history
    ours = beta_distribution(alpha + successes, beta + n - successes)
    theirs = beta_distribution(alpha + old_successes, beta + old_n - old_successes)
    nodes, weights = leggauss(400)
    angle = np.pi * (nodes + 1) / 4  # quantiles as sin^2, so that neither end of the integral is steep
    integral = np.sum(weights * np.pi / 4 * np.sin(2 * angle) * ours.sf(theirs.ppf(np.sin(angle) ** 2)))
    told = probability_above_historical(*case, *history, prior=(alpha, beta))
    assert told == pytest.approx(integral, abs=1e-6)


@given(counts, counts, priors)
def test_one_of_the_two_rates_is_the_higher_one(case, history, prior):
    both = probability_above_historical(*case, *history, prior=prior)
    assert both + probability_above_historical(*history, *case, prior=prior) == pytest.approx(1.0, abs=1e-10)


@given(counts, counts, priors)
def test_a_further_responder_makes_it_more_likely(case, history, prior):
    successes, n = case
    before = probability_above_historical(successes, n, *history, prior=prior)
    assert probability_above_historical(successes + 1, n + 1, *history, prior=prior) >= before - 1e-12
