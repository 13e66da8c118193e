import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.survival import kaplan_meier, median_survival

# Freireich et al. 1963, remission in weeks on 6-mercaptopurine and on placebo; the worked example of most survival textbooks
MERCAPTOPURINE = (
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)
# `aml` of R's survival package: weeks of remission, with and without maintenance chemotherapy (Miller 1981)
MAINTAINED = ([9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161], [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0])
NOT_MAINTAINED = ([5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45], [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1])

survival_times = st.lists(st.tuples(st.integers(1, 400), st.integers(0, 1)), min_size=1, max_size=25)


@pytest.mark.parametrize(
    ("arm", "n", "events", "median", "low", "high"),
    [(MAINTAINED, 11, 7, 31, 13, None), (NOT_MAINTAINED, 12, 11, 23, 5, 33)],
)
def test_the_aml_medians_are_those_r_prints(arm, n, events, median, low, high):
    # print(survfit(Surv(time, status) ~ x, aml, conf.type = "log-log")), R 4.2.2, survival 3.5-3
    told = median_survival(*arm)
    assert (told.n, told.events, told.median, told.ci_low) == (n, events, median, low)
    assert told.ci_high == high or (high is None and math.isnan(told.ci_high))


@pytest.mark.parametrize(("arm", "median", "low", "high"), [(MERCAPTOPURINE, 23, 13, None), (PLACEBO, 8, 4, 11)])
def test_the_leukaemia_medians_are_those_published(arm, median, low, high):
    # medians: Freireich 1963; log-log limits: PROC LIFETEST's default on the same data
    told = median_survival(*arm)
    assert (told.median, told.ci_low) == (median, low)
    assert told.ci_high == high or (high is None and math.isnan(told.ci_high))


def test_the_leukaemia_curve_is_the_published_one():
    curve = kaplan_meier(*MERCAPTOPURINE)
    at = dict(zip(curve.times.tolist(), curve.survival.tolist(), strict=True))
    # Kalbfleisch & Prentice, table 1.2: 6 weeks 0.857, 7 0.807, 10 0.753, 13 0.690, 16 0.627, 22 0.538, 23 0.448
    expected = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert {week: round(at[week], 3) for week in expected} == expected


def test_those_at_risk_are_the_published_ones():
    curve = kaplan_meier(*MERCAPTOPURINE)
    told = dict(zip(curve.times, zip(curve.at_risk, curve.events, curve.censored, strict=True), strict=True))
    # Kalbfleisch & Prentice, table 1.2: at risk 21, 17, 15, 12, 11, 7, 6; a patient censored at 6 and at 10 was still at risk
    at_risk = {
        6: (21, 3, 1),
        7: (17, 1, 0),
        10: (15, 1, 1),
        13: (12, 1, 0),
        16: (11, 1, 0),
        22: (7, 1, 0),
        23: (6, 1, 0),
    }
    assert {week: tuple(map(int, told[week])) for week in at_risk} == at_risk
    assert told[32] == (4, 0, 2)  # a time at which nobody had the event has its row too


def test_the_median_is_the_middle_of_the_stretch_at_one_half():
    # S is 1/2 from 2 until 3: R says 2.5, lifelines 2
    assert median_survival([1, 2, 3, 4], [1, 1, 1, 1]).median == 2.5


def test_a_curve_that_ends_at_one_half_has_its_median_where_it_came_there():
    assert median_survival([1, 2, 3, 4], [1, 1, 0, 0]).median == 2.0


def test_a_median_that_is_not_reached_is_absent_and_says_so():
    told = median_survival([10, 20, 30], [1, 0, 0])
    assert math.isnan(told.median)
    assert math.isnan(told.ci_high)
    assert told.note == "median not reached: 67% are estimated to be without the event at the last time"


def test_nobody_has_a_curve_without_times():
    curve = kaplan_meier([], [])
    assert [len(part) for part in (curve.times, curve.at_risk, curve.events, curve.censored)] == [0, 0, 0, 0]


def test_nobody_has_no_median():
    told = median_survival([], [])
    assert (told.n, told.events) == (0, 0)
    assert math.isnan(told.median)
    assert told.note == "not estimable: no patient has a known duration"


def test_a_patient_without_a_duration_is_left_out():
    assert repr(median_survival([1, np.nan, 3], [1, 1, 1])) == repr(median_survival([1, 3], [1, 1]))


@pytest.mark.parametrize(
    ("durations", "events", "message"),
    [
        ([1, 2], [1], "one event for each duration; there are 2 and 1"),
        ([-1.0], [1], "not negative"),
        ([1.0], [2], "1 .happened. or 0"),
    ],
)
def test_what_is_no_survival_time_is_refused(durations, events, message):
    with pytest.raises(StatisticsError, match=message):
        median_survival(durations, events)


@given(survival_times, st.randoms())
def test_the_order_of_patients_plays_no_part(patients, random):
    shuffled = patients.copy()
    random.shuffle(shuffled)
    assert repr(median_survival(*zip(*patients, strict=True))) == repr(median_survival(*zip(*shuffled, strict=True)))


@given(survival_times)
def test_the_median_lies_within_its_limits(patients):
    told = median_survival(*zip(*patients, strict=True))
    assert not told.ci_low > told.median
    assert not told.ci_high < told.median


@given(survival_times)
def test_without_censoring_before_the_end_the_curve_is_the_share_still_waiting(patients):
    times = [time for time, _ in patients]
    curve = kaplan_meier(times, [1] * len(times))
    waiting = [sum(time > at for time in times) / len(times) for at in curve.times]
    np.testing.assert_allclose(curve.survival, waiting, atol=1e-12)


@given(survival_times)
def test_everyone_at_risk_leaves_by_an_event_or_by_being_censored(patients):
    times, events = zip(*patients, strict=True)
    curve = kaplan_meier(times, events)
    leaving = curve.events + curve.censored
    assert curve.at_risk[0] == len(patients)
    assert (curve.at_risk[1:] == curve.at_risk[:-1] - leaving[:-1]).all()
    assert curve.at_risk[-1] == leaving[-1]
    assert (curve.events.sum(), curve.censored.sum()) == (sum(events), len(events) - sum(events))
    np.testing.assert_allclose(curve.survival, np.cumprod(1 - curve.events / curve.at_risk), atol=1e-12)
