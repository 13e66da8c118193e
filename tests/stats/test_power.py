"""Power and smallest detectable effects; `reference/power.csv` holds R's `power.t.test`, `reference/power.R` wrote it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many
from rabiomarkers.stats.parametric import ancova_many
from rabiomarkers.stats.power import EXACT, TESTS, detectable_effect, exact_power, paired_t_power

REFERENCE = pd.read_csv(Path(__file__).parents[1] / "reference" / "power.csv")
MANY = {"signed_rank": signed_rank_many, "sign_flip": sign_flip_many}


def test_the_paired_t_has_the_power_r_tells():
    ours = [
        float(paired_t_power(n, effect, alpha=alpha))
        for n, alpha, effect in zip(REFERENCE["n"], REFERENCE["alpha"], REFERENCE["effect"], strict=True)
    ]
    assert len(ours) == 70
    np.testing.assert_allclose(ours, REFERENCE["power"], rtol=1e-7)  # R's pnt stops at 1e-12 of its series


@pytest.mark.parametrize(
    ("n", "effect", "power"), [(10, 0.5, 0.29), (10, 0.8, 0.62), (10, 1.0, 0.80), (10, 1.5, 0.987), (6, 1.0, 0.51)]
)
def test_ten_pairs_have_the_power_that_was_measured(n, effect, power):
    assert float(paired_t_power(n, effect)) == pytest.approx(power, abs=0.005)  # VALIDITY, section 1


@pytest.mark.parametrize(("n", "power"), [(10, 0.79), (6, 0.35)])
def test_the_exact_signed_rank_has_the_power_that_was_measured(n, power):
    assert exact_power(n, 1.0) == pytest.approx(power, abs=0.015)  # VALIDITY, section 1: 0.79 and 0.35
    assert exact_power(n, -1.0) == pytest.approx(power, abs=0.015)


@pytest.mark.parametrize("test", MANY)
@pytest.mark.parametrize("n", [7, 10, 25])
def test_the_power_is_the_share_of_trials_whose_p_is_small_enough(test, n):
    changes = np.random.default_rng([3, n]).normal(size=(1000, n)) + 0.6
    rejected = float((MANY[test](changes)["p_value"] <= 0.05).mean())
    told = exact_power(n, 0.6, test=test, simulations=1000, seed=3)
    # up to 16 pairs test and interval are one; beyond, the sign-flip's random flips and subsets are two draws
    assert told == (pytest.approx(rejected, abs=0.02) if n == 25 and test == "sign_flip" else rejected)


def test_beyond_what_is_simulated_the_power_goes_on_smoothly():
    for test in EXACT:
        assert exact_power(201, 0.2, test=test) == pytest.approx(exact_power(200, 0.2, test=test), abs=0.02)


@settings(max_examples=60)
@given(st.integers(2, 300), st.floats(0, 50), st.floats(0, 5), st.sampled_from([1e-4, 0.01, 0.05, 0.5]))
def test_a_larger_effect_is_never_harder_to_find(n, effect, more, alpha):
    low, high = paired_t_power(n, [effect, effect + more], alpha=alpha)
    assert alpha - 1e-9 <= low <= high + 1e-9
    assert high <= 1 + 1e-12
    assert paired_t_power(n, -effect, alpha=alpha) == low


@settings(max_examples=30)
@given(st.integers(6, 14), st.floats(0.8, 3), st.floats(0, 2), st.sampled_from(EXACT))
def test_a_larger_effect_is_never_harder_to_find_by_an_exact_test(n, effect, more, test):
    small, large = (exact_power(n, size, test=test, simulations=200) for size in (effect, effect + more))
    assert small <= large + 1 / 200  # one trial in millions rejects on the wrong side at this effect


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("n", [6, 10, 18])
def test_the_detectable_effect_has_the_power_asked_for(test, n):
    told = detectable_effect(n, test=test, power=0.7)
    assert told.power == 0.7
    if test in EXACT:
        assert exact_power(n, told.effect, test=test) >= 0.7 > exact_power(n, told.effect - 1e-6, test=test)
    elif test != "ancova":
        assert float(paired_t_power(n, told.effect)) == pytest.approx(0.7, abs=1e-9)


def test_more_pairs_find_smaller_effects():
    for test in TESTS:
        effects = [detectable_effect(n, test=test).effect for n in (6, 8, 10, 20, 43)]
        assert effects == sorted(effects, reverse=True)
    # R's power.t.test(delta = 1, sd = 1, power = 0.8, type = "paired") needs 9.94 pairs, delta = 0.5 needs 33.37
    assert detectable_effect(10, test="paired_t").effect == pytest.approx(1.0, abs=0.01)
    assert detectable_effect(34, test="paired_t").effect == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("test", EXACT)
def test_where_the_floor_is_too_high_no_effect_can_be_found(test):
    told = detectable_effect(5, test=test)
    assert np.isnan(told.effect)
    assert told.note == "no change can be found, however large: with 5 pairs no p is below 0.0625"
    assert exact_power(5, 100.0, test=test) == 0.0
    assert detectable_effect(5, test=test, alpha=0.0625).effect < 3


@pytest.mark.parametrize("n", [3, 6, 10])
def test_ancova_has_the_power_that_its_own_tests_show_and_less_than_the_paired_t(n):
    told = detectable_effect(n, test="ancova", power=0.7)
    assert told.effect > detectable_effect(n, test="paired_t", power=0.7).effect
    assert "pairs - 2" in told.note
    random = np.random.default_rng([5, n])
    before = random.normal(size=(20_000, n))
    change = told.effect + 0.6 * before + 0.8 * random.normal(size=before.shape)  # a slope, and a spread of 1
    rejected = ancova_many(before, before + change)["p_value"] <= 0.05
    assert rejected.mean() == pytest.approx(0.7, abs=3 * np.sqrt(0.7 * 0.3 / 20_000))


@pytest.mark.parametrize("test", ["moderated_t", "mixed_model"])
def test_an_approximation_is_called_one(test):
    told = detectable_effect(10, test=test)
    assert told.effect == detectable_effect(10, test="paired_t").effect
    assert told.note.startswith("power of the paired t, taken for the ")


def test_fewer_than_two_pairs_have_no_test():
    for n in (0, 1):
        assert np.isnan(paired_t_power(n, 1.0))
        assert np.isnan(exact_power(n, 1.0))
        for test in TESTS:
            assert np.isnan(detectable_effect(n, test=test).effect)
            fewest = "three" if test == "ancova" else "two"
            assert detectable_effect(n, test=test).note == f"no test with fewer than {fewest} pairs"
    assert np.isnan(detectable_effect(2, test="ancova").effect)


def test_the_seed_decides_and_nothing_else():
    detectable_effect.cache_clear()
    first = detectable_effect(12, seed=5)
    detectable_effect.cache_clear()
    assert detectable_effect(12, seed=5) == first
    assert detectable_effect(12, seed=6).effect == pytest.approx(first.effect, abs=0.03)


def test_what_is_no_test_no_level_or_no_power_is_refused():
    with pytest.raises(StatisticsError, match="no paired test 'wilcoxon'; there are signed_rank, "):
        detectable_effect(10, test="wilcoxon")
    with pytest.raises(StatisticsError, match="no exact test 'paired_t'"):
        exact_power(10, 1.0, test="paired_t")
    with pytest.raises(StatisticsError, match="level lies between 0 and 1; it was 0"):
        paired_t_power(10, 1.0, alpha=0.0)
    with pytest.raises(StatisticsError, match=r"above the test's level 0\.05 and below 1; it was 1"):
        detectable_effect(10, power=1.0)
