import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, logrank

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.log_rank import exact_log_rank

# Freireich et al. 1963, remission in weeks on 6-mercaptopurine and on placebo
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO_WEEKS = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
FREIREICH = (WEEKS + PLACEBO_WEEKS, ENDED + [1] * 21, ["6-MP"] * 21 + ["placebo"] * 21)

RESPONDERS = ["responder"] * 3 + ["other"] * 7

patients = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 1), st.sampled_from("ab")), min_size=2, max_size=8)


def chi_square(times, events, first):
    """Mantel's statistic in fractions, term by term as the paper has it; None where the variance is 0."""
    difference, variance = Fraction(0), Fraction(0)
    for at in {time for time, event in zip(times, events, strict=True) if event}:
        risk = [place for place, time in enumerate(times) if time >= at]
        happened = [place for place in risk if times[place] == at and events[place]]
        n, n_first, d = len(risk), sum(place in first for place in risk), len(happened)
        difference += sum(place in first for place in happened) - Fraction(d * n_first, n)
        if n > 1:
            variance += Fraction(d * n_first * (n - n_first) * (n - d), n * n * (n - 1))
    return difference**2 / variance if variance else None


def test_the_leukaemia_statistic_is_the_published_one():
    told = exact_log_rank(*FREIREICH)
    assert round(told.statistic, 2) == 16.79  # Kleinbaum & Klein, Survival Analysis, chapter 2; R's survdiff: 16.8
    assert told.p_asymptotic == pytest.approx(4.16880910933456e-05, rel=1e-10)  # R 4.2.2: pchisq(16.7929.., 1)
    assert (told.n, told.events) == ({"6-MP": 21, "placebo": 21}, {"6-MP": 9, "placebo": 21})
    assert (told.exact, told.p_count, told.p_total) == (False, 1, 10_001)  # of 5e11 labellings, 10 000 were drawn
    assert told.p_value == told.p_floor == 1 / 10_001
    assert told.note == ""


def test_three_of_ten_who_all_come_first_reach_the_floor_of_one_in_120():
    told = exact_log_rank([10, 20, 30, 40, 50, 60, 70, 80, 90, 100], [1] * 10, RESPONDERS)
    assert (told.p_count, told.p_total, told.exact) == (1, 120, True)
    assert told.p_value == told.p_floor == 1 / 120


def test_three_of_ten_who_all_come_last_are_less_extreme_for_a_chi_square():
    told = exact_log_rank([80, 90, 100, 10, 20, 30, 40, 50, 60, 70], [1] * 10, RESPONDERS)
    assert (told.p_count, told.p_total, told.p_floor) == (3, 120, 1 / 120)


def test_with_groups_of_one_size_the_other_way_round_is_as_extreme():
    told = exact_log_rank([1, 2, 3, 4, 5, 6], [1] * 6, [0, 0, 0, 1, 1, 1])
    assert (told.p_count, told.p_total, told.p_floor) == (2, 20, 0.1)
    assert set(told.n) == {"0", "1"}


def test_many_patients_are_relabelled_at_random_as_often_as_asked():
    random = np.random.default_rng(5)
    case = random.exponential(size=40).round(2), random.integers(0, 2, size=40), ["a"] * 20 + ["b"] * 20
    told = exact_log_rank(*case, maximum=499, seed=3)
    assert told == exact_log_rank(*case, maximum=499, seed=3)
    assert (told.p_total, told.p_floor, told.exact) == (500, 1 / 500, False)
    assert told.p_value == told.p_count / 500
    more = exact_log_rank(*case, maximum=20_000, seed=4)
    assert told.p_value == pytest.approx(more.p_value, abs=0.1)
    assert more.p_value == pytest.approx(more.p_asymptotic, abs=0.02)  # 20 v 20: the chi-square is near


def test_drawn_labellings_come_near_to_counting_all():
    times, events = [12, 5, 9, 30, 7, 21, 16, 3, 28, 11, 19, 8], [1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1]
    groups = ["a", "b"] * 6
    counted, drawn = (exact_log_rank(times, events, groups, maximum=maximum) for maximum in (924, 923))
    assert (counted.exact, counted.p_total) == (True, 924)
    assert (drawn.exact, drawn.p_total) == (False, 924)
    assert drawn.p_value == pytest.approx(counted.p_value, abs=0.06)  # four standard errors


def test_a_patient_without_a_duration_an_event_or_a_group_is_left_out_and_counted():
    told = exact_log_rank([1, 2, 3, np.nan, 5, 6], [1, 1, 1, 1, np.nan, 1], ["a", "b", "a", "a", "b", None])
    assert told.n == {"a": 2, "b": 1}
    assert told.note == "left out for want of a duration, an event or a group: 3 of 6 patients"
    alone = exact_log_rank([1, 2, 3], [1, 1, 1], ["a", "b", "a"])
    assert (told.statistic, told.p_count, told.p_total) == (alone.statistic, alone.p_count, alone.p_total)


@pytest.mark.parametrize(
    ("durations", "events", "groups", "reason"),
    [
        ([], [], [], "no patient has a known duration and group"),
        ([1, 2], [1, 1], ["a", "a"], r"every patient with a known duration is in one group \(a\)"),
        ([1, 2, 3], [0, 0, 0], ["a", "b", "a"], "no event happened$"),
        ([1, 2, 3], [0, 1, 1], ["a", "b", "b"], "no event tells the groups apart"),
    ],
)
def test_what_cannot_be_compared_is_absent_and_says_why(durations, events, groups, reason):
    told = exact_log_rank(durations, events, groups)
    assert all(math.isnan(value) for value in (told.statistic, told.p_value, told.p_floor, told.p_asymptotic))
    assert (told.p_count, told.p_total, told.exact) == (None, None, False)
    with pytest.raises(AssertionError, match=f"not estimable: {reason}"):
        raise AssertionError(told.note)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2, 3], [1, 1, 1], ["a", "b", "c"]), {}, "compares two groups; there are a, b, c"),
        (([1, 2, 3], [1, 1, 1], ["a", "b"]), {}, "one group for each duration; there are 2 and 3"),
        (([1, 2], [1], ["a", "b"]), {}, "one event for each duration; there are 2 and 1"),
        (([1, -2], [1, 1], ["a", "b"]), {}, "not negative"),
        (([1, 2], [1, 1], ["a", "b"]), {"maximum": 0}, "at least one labelling; `maximum` is 0"),
    ],
)
def test_what_is_no_log_rank_test_is_refused(arguments, options, message):
    with pytest.raises(StatisticsError, match=message):
        exact_log_rank(*arguments, **options)


@given(patients)
def test_the_p_is_the_fraction_that_counting_in_fractions_gives(cohort):
    times, events, groups = zip(*cohort, strict=True)
    told = exact_log_rank(times, events, groups)
    own = {place for place, group in enumerate(groups) if group == "a"}
    observed = chi_square(times, events, own)
    if observed is None or len(own) in (0, len(cohort)):
        assert told.p_count is None
        return
    found = [chi_square(times, events, set(first)) or 0 for first in combinations(range(len(cohort)), len(own))]
    count = sum(value >= observed for value in found)
    assert (told.p_count, told.p_total) == (count, len(found))
    assert told.p_floor == sum(value == max(found) for value in found) / len(found)
    assert told.statistic == pytest.approx(float(observed), abs=1e-12)


@given(patients, st.randoms(), st.sampled_from([7, 10_000]))
def test_neither_the_order_of_patients_nor_the_names_of_groups_play_a_part(cohort, random, maximum):
    shuffled = cohort.copy()
    random.shuffle(shuffled)
    renamed = [(time, event, {"a": "z", "b": "y"}[group]) for time, event, group in cohort]
    told, *others = (exact_log_rank(*zip(*rows, strict=True), maximum=maximum) for rows in (cohort, shuffled, renamed))
    for other in others:
        assert (other.p_count, other.p_total) == (told.p_count, told.p_total)
        assert other.statistic == pytest.approx(told.statistic, abs=1e-12, nan_ok=True)


@given(patients, st.sampled_from([0.01, 30.4375, 1e6]))
def test_the_unit_of_time_plays_no_part(cohort, factor):
    times, events, groups = zip(*cohort, strict=True)
    told, scaled = (exact_log_rank(np.array(times) * unit, events, groups) for unit in (1.0, factor))
    assert (scaled.p_count, scaled.p_total) == (told.p_count, told.p_total)


@given(st.integers(0, 10_000))
def test_the_statistic_is_scipys(seed):
    random = np.random.default_rng(seed)
    times, events = random.exponential(size=(2, 9)).round(1), random.integers(0, 2, size=(2, 9))
    events[:, 0] = 1
    samples = [CensoredData(t[e == 1], right=t[e == 0]) for t, e in zip(times, events, strict=True)]
    told = exact_log_rank(times.ravel(), events.ravel(), np.repeat(["a", "b"], 9), maximum=1)
    scipys = logrank(*samples)
    assert told.statistic == pytest.approx(scipys.statistic**2, abs=1e-10)
    assert told.p_asymptotic == pytest.approx(scipys.pvalue, abs=1e-10)
