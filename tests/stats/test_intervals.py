import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.intervals import clopper_pearson, wilson


def test_three_responders_of_ten_are_6_7_to_65_2_percent():
    told = clopper_pearson(3, 10)
    assert told.rate == 0.3
    assert (round(told.ci_low, 3), round(told.ci_high, 3)) == (0.067, 0.652)  # VALIDITY; R's binom.test(3, 10)
    assert (told.ci_level, told.method) == (0.95, "Clopper-Pearson")


@pytest.mark.parametrize("n", [1, 5, 10, 40])
def test_no_responder_leaves_the_closed_form_upper_limit(n):
    told = clopper_pearson(0, n)
    assert told.ci_low == 0.0
    assert told.ci_high == pytest.approx(1 - 0.025 ** (1 / n), abs=1e-12)


def test_wilson_is_the_root_of_the_score_equation():
    told = wilson(3, 10)
    for limit in (told.ci_low, told.ci_high):
        score = (0.3 - limit) / math.sqrt(limit * (1 - limit) / 10)
        assert abs(score) == pytest.approx(1.959963984540054, abs=1e-10)


def test_nobody_has_no_rate():
    told = clopper_pearson(0, 0)
    assert all(math.isnan(value) for value in (told.rate, told.ci_low, told.ci_high))


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_more_successes_than_trials_are_refused(successes, n):
    with pytest.raises(StatisticsError, match=f"there are {successes} of {n}"):
        clopper_pearson(successes, n)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_exact_limits_leave_half_of_the_error_on_each_side(case, level):
    successes, n = case
    told = clopper_pearson(successes, n, level=level)
    if successes > 0:
        assert binom.sf(successes - 1, n, told.ci_low) == pytest.approx((1 - level) / 2, rel=1e-6)
    if successes < n:
        assert binom.cdf(successes, n, told.ci_high) == pytest.approx((1 - level) / 2, rel=1e-6)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_failures_have_the_mirrored_interval(case):
    successes, n = case
    for interval in (clopper_pearson, wilson):
        told, mirrored = interval(successes, n), interval(n - successes, n)
        np.testing.assert_allclose([told.ci_low, told.ci_high], [1 - mirrored.ci_high, 1 - mirrored.ci_low], atol=1e-9)
