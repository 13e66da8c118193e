import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.effect import (
    LARGE_T,
    hedges_correction,
    hedges_g_many,
    standardised_change_intervals,
    standardised_changes,
)

TABLE = (Path(__file__).parents[1] / "reference" / "two_groups.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"].endswith("and its 95 % interval")]

some_changes = st.lists(st.integers(-1000, 1000), min_size=3, max_size=15).filter(lambda values: len(set(values)) > 1)


@pytest.mark.parametrize(
    ("freedom", "factor"),
    [
        (2, 1 / math.sqrt(math.pi)),  # gamma(1) / (sqrt(1) gamma(1/2))
        (4, 1 / (math.sqrt(2) * math.sqrt(math.pi) / 2)),  # gamma(2) / (sqrt(2) gamma(3/2))
        (6, 2 / (math.sqrt(3) * math.sqrt(math.pi) * 3 / 4)),  # gamma(3) / (sqrt(3) gamma(5/2))
    ],
)
def test_the_correction_is_the_gamma_ratio(freedom, factor):
    assert hedges_correction(freedom) == pytest.approx(factor, abs=1e-12)


def test_the_change_is_the_mean_over_the_spread_times_the_correction():
    # 1, 2, 3: mean 2, standard deviation 1, 2 degrees of freedom
    assert standardised_changes([[1.0, 2.0, 3.0]])[0] == pytest.approx(2 / math.sqrt(math.pi), abs=1e-12)


@pytest.mark.parametrize(
    "differences", [[], [1.0], [1.0, 2.0], [0.0, 0.0, 0.0], [0.1 + 0.2, 0.3, 0.3], [np.nan, 1.0, 2.0]]
)
def test_without_three_pairs_or_without_spread_there_is_no_effect_size(differences):
    assert math.isnan(standardised_changes([differences])[0])


def test_features_are_judged_one_by_one():
    rows = np.array([[1.0, 2.0, 3.0, np.nan], [np.nan, 3.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    first, second, third = standardised_changes(rows)
    assert first == second == pytest.approx(2 / math.sqrt(math.pi))
    assert math.isnan(third)


def test_no_feature_has_no_effect():
    assert standardised_changes(np.empty((0, 4))).shape == (0,)
    assert np.isnan(standardised_changes(np.empty((2, 0)))).all()


@given(some_changes, st.floats(0.01, 100))
def test_it_turns_with_the_sign_and_ignores_the_unit(changes, factor):
    values = np.array(changes, dtype=float)
    size, turned, scaled, reordered = standardised_changes([values, -values, factor * values, values[::-1]])
    assert turned == pytest.approx(-size, abs=1e-9)
    assert scaled == pytest.approx(size, rel=1e-9, abs=1e-9)
    assert reordered == size


# ---- intervals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input'][:60]}")
def test_size_and_interval_are_what_r_says(case):
    values = np.array([float(part) for part in case["input"].split()])
    if case["statistic"].startswith("dz"):
        ours = [standardised_changes([values]), *standardised_change_intervals([values])]
    else:
        ours = hedges_g_many(*values.reshape(2, 1, -1)).iloc[0]
    expected = [float(part) for part in case["value"].split()]
    np.testing.assert_allclose(np.ravel(ours), expected, rtol=1e-8, atol=1e-8)


def test_the_mean_spread_of_both_timepoints_is_the_unit():
    # changes 2, 0, 4: mean 2; variances 1 and 7, so the spread is 2; J of 2 degrees is 1 / sqrt(pi)
    told = hedges_g_many([[1.0, 2.0, 3.0]], [[3.0, 2.0, 7.0]]).iloc[0]
    assert told["hedges_g"] == pytest.approx(2 / math.sqrt(4) / math.sqrt(math.pi), abs=1e-12)
    assert told["low"] < told["hedges_g"] < told["high"]


def test_only_patients_with_both_timepoints_count():
    told = hedges_g_many([[1.0, 2.0, 3.0, 90.0, np.nan]], [[3.0, 2.0, 7.0, np.nan, 80.0]])
    assert told.equals(hedges_g_many([[1.0, 2.0, 3.0]], [[3.0, 2.0, 7.0]]))


def test_a_change_of_exactly_0_has_an_interval_around_0():
    (low,), (high,) = standardised_change_intervals([[1.0, -1.0, 2.0, -2.0]])
    assert high == pytest.approx(-low, abs=1e-12)
    assert high > 0.5


@pytest.mark.parametrize("factor", [0.5, 0.999, 1.001, 2.0, 8.0])
def test_limits_run_on_smoothly_where_t_is_huge(factor):
    """The limits over t tend to chi quantiles over sqrt(9): 0.5477620 and 1.4538366 by R's qchisq."""
    noise = np.array([-1.5, -1.2, -0.8, -0.3, -0.1, 0.2, 0.4, 0.8, 1.1, 1.4])
    t_wanted = factor * LARGE_T
    values = noise + t_wanted * noise.std(ddof=1) / math.sqrt(10)
    t_value = values.mean() / values.std(ddof=1) * math.sqrt(10)
    (low,), (high,) = (
        limit * math.sqrt(10) / hedges_correction(9) for limit in standardised_change_intervals([values])
    )
    assert low / t_value == pytest.approx(0.5477620631, abs=6 / t_value**2)
    assert high / t_value == pytest.approx(1.4538366024, abs=6 / t_value**2)


def test_no_change_is_too_large_for_an_interval():
    values = 1e9 + np.array([[0.1, 0.2, 0.3, 0.5]])
    (low,), (high,) = standardised_change_intervals(values)
    assert 0 < low < standardised_changes(values)[0] < high < np.inf


@pytest.mark.parametrize(
    "differences", [[], [1.0], [1.0, 2.0], [0.0, 0.0, 0.0], [0.1 + 0.2, 0.3, 0.3], [np.nan, 1.0, 2.0], [np.nan] * 3]
)
def test_without_an_effect_size_there_is_no_interval(differences):
    assert np.isnan(standardised_change_intervals([differences])).all()
    before = np.full((1, len(differences)), 5.0)
    before[0, ::2] = 7.0  # both timepoints vary, the changes do not
    assert hedges_g_many(before, before + np.array([differences])).isna().all(axis=None)


def test_noise_of_large_values_is_no_spread():
    before = np.array([[1e6 + 0.1, 1e6 + 0.2, 1e6 + 0.3, 1e6 + 0.7]])
    assert hedges_g_many(before, before + 0.1).isna().all(axis=None)


def test_no_feature_has_no_interval():
    assert hedges_g_many(np.empty((0, 4)), np.empty((0, 4))).empty
    assert [len(limit) for limit in standardised_change_intervals(np.empty((0, 4)))] == [0, 0]


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=15).filter(lambda values: len(set(values)) > 1))
def test_the_interval_holds_the_estimate_turns_with_the_sign_and_ignores_order_and_unit(changes):
    values = np.array([changes, changes[::-1], [-change for change in changes]], dtype=float)
    low, high = standardised_change_intervals(values)
    size = standardised_changes(values)
    assert (low < size).all()
    assert (size < high).all()
    assert (low[0], high[0]) == (low[1], high[1])
    assert (low[2], high[2]) == pytest.approx((-high[0], -low[0]), rel=1e-10, abs=1e-10)
    wider_low, wider_high = standardised_change_intervals(8 * values, level=0.99)
    assert (wider_low < low).all()
    assert (high < wider_high).all()


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=12).filter(
        lambda pairs: len({after - before for before, after in pairs}) > 1
    )
)
def test_before_and_after_exchanged_turn_the_size(pairs):
    before, after = np.array(pairs, dtype=float).T[:, None, :]
    one, other = (hedges_g_many(*sides).iloc[0] for sides in ((before, after), (after, before)))
    turned = [-other["hedges_g"], -other["high"], -other["low"]]
    np.testing.assert_allclose(one, turned, rtol=1e-10, atol=1e-10)
    assert hedges_g_many(before[:, ::-1], after[:, ::-1]).iloc[0].equals(one)


def test_the_interval_of_dz_covers_the_true_size():
    random, true, n, sets = np.random.default_rng(31), 0.8, 10, 4000
    low, high = standardised_change_intervals(random.normal(true, 1.0, (sets, n)))
    # J belongs to the estimate; the exact interval is that of the plain ratio
    covered = ((low / hedges_correction(n - 1) <= true) & (true <= high / hedges_correction(n - 1))).mean()
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / sets))
