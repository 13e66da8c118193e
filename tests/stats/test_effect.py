import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.effect import hedges_correction, standardised_change, standardised_changes

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
    assert standardised_change([1.0, 2.0, 3.0]) == pytest.approx(2 / math.sqrt(math.pi), abs=1e-12)


@pytest.mark.parametrize(
    "differences", [[], [1.0], [1.0, 2.0], [0.0, 0.0, 0.0], [0.1 + 0.2, 0.3, 0.3], [np.nan, 1.0, 2.0]]
)
def test_without_three_pairs_or_without_spread_there_is_no_effect_size(differences):
    assert math.isnan(standardised_change(differences))


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
    size = standardised_change(changes)
    assert standardised_change(-np.array(changes)) == pytest.approx(-size, abs=1e-9)
    assert standardised_change(factor * np.array(changes)) == pytest.approx(size, rel=1e-9, abs=1e-9)
    assert standardised_change(changes[::-1]) == size
