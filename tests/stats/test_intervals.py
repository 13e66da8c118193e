import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.intervals import clopper_pearson, every_interval, mid_p, wilson

counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


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


def test_three_of_25_are_2_5_to_31_2_percent():
    told = clopper_pearson(3, 25)  # KEYNOTE-028, doi:10.1158/1078-0432.CCR-17-3452
    assert (round(100 * told.rate, 1), round(100 * told.ci_low, 1), round(100 * told.ci_high, 1)) == (12.0, 2.5, 31.2)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (
            81,
            263,
            0.2544,
            0.3658,
        ),  # lexjansen.com/wuss/2015/81_Final_Paper_PDF.pdf, through the tests of R package cicalc
        (0, 25, 0.0, 0.113),  # Agresti 2013, Categorical Data Analysis, page 605: the upper limit; also through cicalc
        (13, 16, 0.5699, 0.9500),  # tests of R package contingencytables (Fagerland, Lydersen & Laake 2017, chapter 2)
        (5, 20, 0.09786008, 0.47022380),  # documentation of R package stests, ci_p_mid_p
        (10, 30, 0.1833232, 0.5141852),
        (15, 40, 0.2361295, 0.5313959),
    ],
)
def test_mid_p_intervals_are_those_published(successes, n, low, high):
    told = mid_p(successes, n)
    digits = max(len(f"{limit:.10g}".partition(".")[2]) for limit in (low, high))
    assert (round(told.ci_low, digits), round(told.ci_high, digits)) == pytest.approx((low, high), abs=1e-12)
    assert told.method == "mid-P"


@pytest.mark.parametrize("n", [1, 5, 10, 40])
def test_no_responder_leaves_the_closed_form_mid_p_limit(n):
    told = mid_p(0, n)
    assert told.ci_low == 0.0
    assert told.ci_high == pytest.approx(1 - 0.05 ** (1 / n), abs=1e-12)
    assert (mid_p(n, n).ci_low, mid_p(n, n).ci_high) == (pytest.approx(0.05 ** (1 / n), abs=1e-12), 1.0)


def test_mid_p_covers_ten_patients_as_it_says():
    limits = [mid_p(successes, 10) for successes in range(11)]
    edges = np.array([limit for told in limits for limit in (told.ci_low, told.ci_high) if 0 < limit < 1])
    shares = np.concatenate([edges - 1e-9, edges + 1e-9, np.linspace(0, 1, 2001)])  # coverage jumps at the limits
    inside = np.array([(told.ci_low <= shares) & (shares <= told.ci_high) for told in limits])
    coverage = (binom.pmf(np.arange(11)[:, None], 10, shares) * inside).sum(axis=0)
    assert coverage.min() == pytest.approx(0.927, abs=5e-4)
    assert coverage[-2001:].mean() == pytest.approx(0.968, abs=1e-3)


def test_all_three_intervals_come_by_name():
    told = every_interval(3, 10)
    assert list(told) == ["Clopper-Pearson", "Wilson", "mid-P"]
    assert told["mid-P"] == mid_p(3, 10)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson, mid_p])
def test_nobody_has_no_rate(interval):
    told = interval(0, 0)
    assert all(math.isnan(value) for value in (told.rate, told.ci_low, told.ci_high))


@pytest.mark.parametrize("interval", [clopper_pearson, wilson, mid_p])
@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3)])
def test_more_successes_than_trials_are_refused(interval, successes, n):
    with pytest.raises(StatisticsError, match=f"there are {successes} of {n}"):
        interval(successes, n)


@pytest.mark.parametrize("interval", [clopper_pearson, wilson, mid_p])
@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_is_a_share(interval, level):
    with pytest.raises(StatisticsError, match=f"between 0 and 1; it is {level:g}"):
        interval(1, 3, level=level)


@given(counts, st.floats(0.5, 0.999))
def test_the_exact_limits_leave_half_of_the_error_on_each_side(case, level):
    successes, n = case
    told = clopper_pearson(successes, n, level=level)
    if successes > 0:
        assert binom.sf(successes - 1, n, told.ci_low) == pytest.approx((1 - level) / 2, rel=1e-6)
    if successes < n:
        assert binom.cdf(successes, n, told.ci_high) == pytest.approx((1 - level) / 2, rel=1e-6)


@given(counts, st.floats(0.5, 0.999))
def test_the_mid_p_limits_leave_half_of_the_error_on_each_side(case, level):
    successes, n = case
    told = mid_p(successes, n, level=level)
    if successes > 0:
        above = binom.sf(successes, n, told.ci_low) + binom.pmf(successes, n, told.ci_low) / 2
        assert above == pytest.approx((1 - level) / 2, rel=1e-9)
    if successes < n:
        below = binom.cdf(successes - 1, n, told.ci_high) + binom.pmf(successes, n, told.ci_high) / 2
        assert below == pytest.approx((1 - level) / 2, rel=1e-9)


@given(counts)
def test_mid_p_lies_within_the_exact_interval_and_around_the_rate(case):
    told, exact = mid_p(*case), clopper_pearson(*case)
    assert exact.ci_low <= told.ci_low <= told.rate <= told.ci_high <= exact.ci_high


@given(counts)
def test_failures_have_the_mirrored_interval(case):
    successes, n = case
    for interval in (clopper_pearson, wilson, mid_p):
        told, mirrored = interval(successes, n), interval(n - successes, n)
        np.testing.assert_allclose([told.ci_low, told.ci_high], [1 - mirrored.ci_high, 1 - mirrored.ci_low], atol=1e-9)
