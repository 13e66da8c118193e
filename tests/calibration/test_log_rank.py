"""Does the log-rank test reject as often as it says in small groups, where the chi-square table does not."""

import math

import numpy as np
import pytest

from rabiomarkers.stats.log_rank import exact_log_rank

pytestmark = pytest.mark.calibration


def rates(first, second, *, censoring, sets, seed, ties=False, maximum=10_000, hazard=1.0):
    """Share of data sets that each p-value rejects at 0.05, and that the exact one rejects at 0.01.

    `hazard` is that of the first group; the second group's and the unit of `censoring` are 1.
    """
    random, groups = np.random.default_rng(seed), ["a"] * first + ["b"] * second
    exact, asymptotic = np.empty(sets), np.empty(sets)
    for number in range(sets):
        event = random.exponential(size=first + second) / np.repeat([hazard, 1.0], [first, second])
        end = random.exponential(1 / censoring, size=first + second) if censoring else np.full(first + second, np.inf)
        time = np.minimum(event, end)
        told = exact_log_rank(np.ceil(3 * time) if ties else time, event <= end, groups, maximum=maximum, seed=number)
        exact[number], asymptotic[number] = told.p_value, told.p_asymptotic  # NaN rejects nothing
    return float((exact <= 0.05).mean()), float((asymptotic <= 0.05).mean()), float((exact <= 0.01).mean())


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


@pytest.mark.parametrize("censoring", [0.0, 0.3, 1.0])
def test_three_against_seven_are_rejected_at_the_nominal_rate_and_too_often_by_the_table(censoring):
    sets = 10_000
    at_5, table, at_1 = rates(3, 7, censoring=censoring, sets=sets, seed=31)
    # VALIDITY, section 2: the chi-square table rejects 0.067 of the nulls of 3 v 7, counting the 120 labellings 0.047
    assert 0.04 <= at_5 <= at_most(0.05, sets)
    assert 0.057 <= table <= 0.082
    assert table > at_5 + 0.008
    assert at_1 <= at_most(0.01, sets)


@pytest.mark.parametrize(("first", "second"), [(2, 8), (4, 6), (5, 5), (3, 12)])
@pytest.mark.parametrize("ties", [False, True])
def test_other_small_groups_are_rejected_at_most_at_the_nominal_rate(first, second, ties):
    sets = 4_000
    at_5, _, at_1 = rates(first, second, censoring=0.3, sets=sets, seed=32, ties=ties)
    assert 0.01 <= at_5 <= at_most(0.05, sets)
    assert at_1 <= at_most(0.01, sets)


def test_drawn_labellings_reject_at_the_nominal_rate():
    sets = 2_000
    at_5, _, at_1 = rates(10, 10, censoring=0.3, sets=sets, seed=33, maximum=999)
    assert 0.03 <= at_5 <= at_most(0.05, sets)
    assert at_1 <= at_most(0.01, sets)


def test_a_small_group_that_fares_worse_is_seen_sooner_than_one_that_fares_better():
    # the permuted difference, without its variance, has it the other way round: 0.23 and 0.34 (measured when this was written)
    worse, better = (rates(3, 7, censoring=0.3, sets=3_000, seed=34, hazard=hazard)[0] for hazard in (5.0, 0.2))
    assert worse == pytest.approx(0.44, abs=0.03)
    assert better == pytest.approx(0.14, abs=0.03)


def test_with_groups_of_equal_size_it_sees_both():
    worse, better = (rates(5, 5, censoring=0.3, sets=3_000, seed=35, hazard=hazard)[0] for hazard in (5.0, 0.2))
    assert min(worse, better) > 0.28
