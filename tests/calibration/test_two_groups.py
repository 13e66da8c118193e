"""Does the test of change by response reject as often as it says, and do its intervals cover."""

import math

import numpy as np
import pytest

from rabiomarkers.stats.two_groups import rank_sum_many

NOISE = {
    "normal": lambda random, shape: random.normal(size=shape),
    "t3": lambda random, shape: random.standard_t(3, size=shape),
    "rounded": lambda random, shape: random.normal(size=shape).round(0),  # ties
}


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def told(noise, *, first, second, sets, seed, shift=0.0):
    values = NOISE[noise](np.random.default_rng(seed), (sets, first + second))
    groups = np.arange(first + second) < first
    return rank_sum_many(values + shift * groups, groups)


@pytest.mark.parametrize("noise", NOISE)
def test_groups_that_do_not_differ_are_told_apart_at_the_nominal_rate(noise):
    p_values = told(noise, first=3, second=7, sets=2000, seed=31)["p_value"]
    assert 0.01 <= (p_values <= 0.05).mean() <= at_most(0.05, 2000)  # of 120 labellings 4 reach 0.033, 6 are 0.05


@pytest.mark.calibration
@pytest.mark.parametrize(("first", "second"), [(2, 8), (3, 7), (4, 6), (5, 5), (9, 34), (20, 60)])
@pytest.mark.parametrize("noise", NOISE)
def test_the_rate_at_full_size(noise, first, second):
    sets = 20_000 if first < 20 else 2_000
    p_values = told(noise, first=first, second=second, sets=sets, seed=32)["p_value"]
    for nominal in (0.05, 0.01):
        assert (p_values <= nominal).mean() <= at_most(nominal, sets)
    assert (p_values <= 0.05).mean() >= 0.01


@pytest.mark.calibration
@pytest.mark.parametrize(("first", "second"), [(3, 7), (4, 6), (9, 34)])
@pytest.mark.parametrize("noise", NOISE)
def test_intervals_of_a_shift_cover_with_the_level_they_claim(noise, first, second):
    rows = told(noise, first=first, second=second, sets=5_000, seed=33, shift=2.0).dropna(subset="ci_low")
    missed = float(((rows["ci_low"] > 2.0) | (rows["ci_high"] < 2.0)).mean())
    assert missed <= at_most(1 - rows["ci_level"].iloc[0], len(rows))
