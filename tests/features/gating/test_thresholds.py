"""Where one marker is cut: against borders that follow from the distributions, and what may not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from rabiomarkers.features.gating.thresholds import (
    CONTROL_QUANTILE,
    TAIL,
    below_positive,
    beyond_negative,
    main_mode,
    mirrored,
    of_control,
    two_modes,
)


def mixed(*parts, seed=1):
    """Normal components: events, mean, spread."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, spread, events) for events, mean, spread in parts])


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_valley_lies_where_the_true_density_is_lowest(share):
    """Of two normals the lowest density between the means, found by its derivative."""
    few, many = round(20_000 * share), round(20_000 * (1 - share))
    cut = two_modes(mixed((many, 0.0, 0.25), (few, 1.5, 0.25)))

    def slope(x):
        return (1 - share) * norm.pdf(x, 0, 0.25) * -x + share * norm.pdf(x, 1.5, 0.25) * (1.5 - x)

    assert cut.method == "valley"
    assert cut.value == pytest.approx(brentq(slope, 0.3, 1.3), abs=0.08)
    assert cut.low_mode == pytest.approx(0.0, abs=0.1)
    assert cut.high_mode == pytest.approx(1.5, abs=0.1)
    assert cut.separation == pytest.approx(1.5 / 0.25, rel=0.1)  # Ashman's D of equal spreads


def test_where_there_is_no_valley_two_components_meet_where_they_are_equally_likely():
    values = mixed((18_000, 0.0, 0.3), (2_000, 1.0, 0.4))

    def difference(x):
        return 0.9 * norm.pdf(x, 0, 0.3) - 0.1 * norm.pdf(x, 1.0, 0.4)

    cut = two_modes(values)
    assert cut.method == "mixture"
    assert cut.value == pytest.approx(brentq(difference, 0.3, 0.95), abs=0.1)


def test_of_an_empty_stretch_the_middle_is_the_border_even_beside_a_small_mode_and_stray_events():
    stray = np.linspace(0.4, 0.7, 12)
    cut = two_modes(np.concatenate([mixed((20_000, 0.0, 0.05), (300, 1.0, 0.05)), stray]), lowest=True)
    assert 0.3 < cut.value < 0.85


def test_of_three_modes_the_lowest_valley_ends_negative_and_the_deepest_is_taken_otherwise():
    values = mixed((5_000, 0.0, 0.12), (5_000, 0.6, 0.12), (5_000, 2.0, 0.12))
    assert two_modes(values, lowest=True).value == pytest.approx(0.3, abs=0.1)
    assert 0.9 < two_modes(values).value < 1.7


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy"])
def test_one_mode_is_not_cut_in_two(kind, seed):
    rng = np.random.default_rng(seed)
    values = {
        "normal": lambda: rng.normal(0, 1, 5_000),
        "skewed": lambda: np.log1p(rng.gamma(2, 1, 5_000)),
        "heavy": lambda: rng.standard_t(4, 5_000),
    }[kind]()
    cut = two_modes(values)
    assert np.isnan(cut.value)
    assert cut.note == "one mode only"


def test_the_halves_into_which_a_steep_scale_parts_negative_events_are_no_two_modes():
    """asinh(x / 5) of a wide normal about zero has two modes; what lies below zero tells how far above it negative reaches."""
    values = np.arcsinh(mixed((10_000, 0.0, 500.0)) / 5)
    assert two_modes(values).value == pytest.approx(0.0, abs=0.5)
    assert np.isnan(two_modes(values, above=mirrored(values, 0.0)).value)
    assert mirrored(np.arcsinh(mixed((100, 0.0, 1.0))), 0.0) == -np.inf  # too few to say


def test_mirrored_reaches_as_far_above_zero_as_events_lie_below():
    values = np.concatenate([np.linspace(-1, 0, 1001), np.linspace(0, 9, 1000)])
    assert mirrored(values, 0.0) == pytest.approx(0.95, abs=0.002)  # 5 % of those below zero lie below -0.95


def test_a_single_negative_mode_ends_three_spreads_above_it():
    cut = beyond_negative(mixed((50_000, 2.0, 0.5)))
    assert cut.value == pytest.approx(2.0 + TAIL * 0.5, abs=0.2)
    assert "negative" in cut.note
    lower = below_positive(mixed((50_000, 2.0, 0.5)))
    assert lower.value == pytest.approx(2.0 - TAIL * 0.5, abs=0.2)


def test_a_control_leaves_one_event_in_two_hundred_above():
    values = np.arange(10_000.0)
    cut = of_control(values)
    assert cut.value == np.quantile(values, CONTROL_QUANTILE)
    assert (values > cut.value).mean() == pytest.approx(0.005)


@pytest.mark.parametrize("rule", [two_modes, beyond_negative, below_positive, of_control])
@pytest.mark.parametrize("values", [[], [1.0] * 10, [np.nan] * 500])
def test_too_few_events_give_no_border_and_the_reason(rule, values):
    cut = rule(np.array(values))
    assert np.isnan(cut.value)
    assert "are needed" in cut.note


def test_events_that_are_all_alike_have_no_two_modes():
    assert two_modes(np.full(1000, 3.0)).note == "every event has the same value"
    assert two_modes(np.repeat([0.0, 1.0], 1000)).value == pytest.approx(0.5, abs=0.4)
    assert main_mode(np.full(1000, 3.0)) == 3.0
    for rule in (beyond_negative, below_positive):
        assert rule(np.full(1000, 3.0)).note == "every event has the same value"


@given(st.permutations(range(6)), st.floats(-3, 3), st.integers(0, 3))
def test_neither_order_nor_origin_of_the_events_matters(order, shift, seed):
    values = mixed((600, 0.0, 0.2), (400, 1.5, 0.2), seed=seed)
    cut = two_modes(values)
    shuffled = np.concatenate([np.array_split(values, 6)[place] for place in order])
    assert two_modes(shuffled) == cut
    assert two_modes(values + shift).value == pytest.approx(cut.value + shift, abs=0.05)


@given(st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=400))
def test_any_numbers_give_a_border_among_them_or_none(numbers):
    values = np.array(numbers)
    cut = two_modes(values)
    assert np.isnan(cut.value) or values.min() <= cut.value <= values.max()
    assert bool(cut.note) == np.isnan(cut.value)
