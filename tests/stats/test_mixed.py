import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway, ttest_ind, ttest_rel

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.mixed import mixed_courses, mixed_model_many
from rabiomarkers.stats.paired import COLUMNS
from rabiomarkers.stats.parametric import paired_t_many

TABLE = (Path(__file__).parents[1] / "reference" / "mixed.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["input"]]
NUMBERS = ("estimate", "ci_low", "ci_high", "standard_error", "degrees_of_freedom", "p_value")
UNBOUNDED = "mixed model, patient variance below zero"
INDEPENDENT = "t test of independent samples"


def numbers(text):
    return np.array([np.nan if part == "NA" else float(part) for part in text.split()])


def course(case, freedom="satterthwaite"):
    """A patient a row, a timepoint a column."""
    return mixed_courses(numbers(case["input"]).reshape(1, -1, int(case["timepoints"])), freedom=freedom)


def contrast_numbers(case, *names, freedom="satterthwaite"):
    told = course(case, freedom)
    return np.stack([getattr(told, name)[0] for name in names], axis=1).ravel()


EVERY = ("estimate", "standard_error", "degrees_of_freedom", "p_value")
OURS = {
    "contrasts by lmerTest": lambda case: contrast_numbers(case, *EVERY),
    "F test by lmerTest": lambda case: course(case).p_any,
    "variances by lme4": lambda case: [course(case).patient_variance[0], course(case).residual_variance[0]],
    "contrasts within patients": lambda case: contrast_numbers(case, *EVERY),
    "F test within patients": lambda case: course(case).p_any,
    "estimates and errors of compound symmetry": lambda case: contrast_numbers(case, "estimate", "standard_error"),
    "variances of compound symmetry": lambda case: [
        course(case).patient_variance[0],
        course(case).residual_variance[0],
    ],
    "two-sample t test": lambda case: contrast_numbers(case, *EVERY),
}


# ---- against R -------------------------------------------------------------------------------------------------------


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == {*OURS, "degrees of freedom within by nlme"}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case["statistic"] in OURS],
    ids=lambda case: f"{case['statistic']}: {case['case']}",
)
def test_it_is_what_r_says(case):
    np.testing.assert_allclose(OURS[case["statistic"]](case), numbers(case["value"]), rtol=1e-6)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["statistic"].endswith("nlme")], ids=lambda case: case["case"]
)
def test_degrees_of_freedom_are_at_most_those_within_patients(case):
    satterthwaite, told = course(case), course(case, freedom="within")
    within = float(case["value"])
    np.testing.assert_allclose(
        told.degrees_of_freedom, np.minimum(satterthwaite.degrees_of_freedom, within), rtol=1e-12
    )
    assert told.degrees_of_freedom.max() <= within
    np.testing.assert_array_equal(told.standard_error, satterthwaite.standard_error)
    assert told.p_any[0] >= satterthwaite.p_any[0]


def test_a_singular_fit_is_named_and_complete_pairs_are_then_the_paired_t():
    case = next(case for case in CASES if case["case"] == "singular pairs")
    told = course(case, freedom="within")
    assert told.test.tolist() == [UNBOUNDED]
    assert "singular" in told.note[0]
    assert told.patient_variance[0] < 0
    before, after = numbers(case["input"]).reshape(-1, 2).T
    assert told.p_value[0, 0] == pytest.approx(ttest_rel(after, before).pvalue, rel=1e-12)


# ---- what it becomes where it is another test ------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), alike=st.sampled_from([0.0, 1.0, 30.0, 1e4]))
@settings(max_examples=60)
def test_complete_pairs_give_the_paired_t_test(seed, n, alike):
    random = np.random.default_rng(seed)
    before = random.normal(size=(3, n)) + alike * random.normal(size=(3, n))
    after = before * (alike > 0) + random.normal(size=(3, n))
    told, expected = mixed_model_many(before, after), paired_t_many(after - before)
    for name in ("n", "n_nonzero", "estimate", "ci_low", "ci_high", "ci_level", "p_value", "degrees_of_freedom"):
        np.testing.assert_allclose(told[name].astype(float), expected[name].astype(float), rtol=1e-6, atol=1e-8)


def test_different_patients_at_each_timepoint_give_the_two_sample_test():
    random = np.random.default_rng(4)
    first, second, third = random.normal(size=4), random.normal(1, 1, size=5), random.normal(size=3)
    values = np.full((1, 12, 3), np.nan)
    values[0, :4, 0], values[0, 4:9, 1], values[0, 9:, 2] = first, second, third
    told = mixed_courses(values)
    assert told.p_any[0] == pytest.approx(f_oneway(first, second, third).pvalue, rel=1e-10)
    two = mixed_courses(values[:, :9, :2])
    assert two.p_value[0, 0] == pytest.approx(ttest_ind(second, first).pvalue, rel=1e-10)
    for fit in (told, two):
        assert fit.test.tolist() == [INDEPENDENT]
        assert "no patient has two samples" in fit.note[0]
        assert math.isnan(fit.patient_variance[0])


def test_one_pair_among_singles_tells_no_patient_variance():
    told = mixed_model_many([[1.0, np.nan, np.nan, 2.0]], [[3.0, 4.0, 5.5, np.nan]]).iloc[0]
    assert (told["n"], told["n_single"], told["test"]) == (1, 3, INDEPENDENT)
    assert told["p_value"] == pytest.approx(ttest_ind([3.0, 4.0, 5.5], [1.0, 2.0]).pvalue, rel=1e-10)
    assert "too few patients have two samples" in told["note"]


def test_a_single_sample_is_used_and_not_dropped():
    before, after = [1.0, 2.0, 3.5, 4.0, np.nan], [2.0, 2.5, 4.0, 5.5, 9.0]
    told = mixed_model_many([before], [after]).iloc[0]
    pairs = paired_t_many(np.subtract([after], [before])).iloc[0]
    assert (told["n"], told["n_single"]) == (4, 1)
    assert told["estimate"] > pairs["estimate"] + 0.01  # the fifth patient is high, and seen after only
    assert 2.9 < told["degrees_of_freedom"] <= 3


# ---- what cannot be said ---------------------------------------------------------------------------------------------

N = np.nan


@pytest.mark.parametrize(
    ("before", "after", "n", "note"),
    [
        ([], [], 0, "no pair"),
        ([N, N], [N, N], 0, "no pair"),
        ([1, 2, 4], [N, N, N], 0, "no pair"),
        ([N, N, N], [1, 2, 4], 0, "no pair"),
        ([1], [2], 1, "one pair: a change needs at least two"),
        ([1, N], [N, 2], 0, "too few samples to tell a spread"),
        ([1, 2, 4], [1, 2, 4], 3, "all differences are zero"),
        ([5, 5, 5], [5, 5, 5], 3, "all differences are zero"),
        ([5, 5, N, N], [N, N, 5, 5], 0, "all differences are zero"),
        ([0, 0, 0, N], [0, 0, 0, 0], 3, "all differences are zero"),
    ],
)
def test_what_cannot_be_estimated_is_empty_with_its_reason(before, after, n, note):
    told = mixed_model_many([before], [after]).iloc[0]
    assert (told["n"], told["note"], told["test"]) == (n, note, "not tested")
    assert told[["estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "degrees_of_freedom"]].isna().all()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([28.0, 8.4, 1.1], [19.6, 0.0, -7.3], -8.4),  # equal on paper only
        ([1.0, 2.0, 3.0, N], [2.0, 3.0, 4.0, 9.0], 1.0),
        ([1.0, 1.0, N, N], [N, N, 3.0, 3.0], 2.0),
    ],
)
def test_patients_who_all_move_alike_have_an_estimate_but_no_p(before, after, change):
    told = mixed_model_many([before], [after]).iloc[0]
    assert told["estimate"] == pytest.approx(change, rel=1e-9)
    assert told[["ci_low", "ci_high", "p_value", "degrees_of_freedom"]].isna().all()
    assert "no spread" in told["note"]


def test_no_feature_gives_an_empty_answer_with_its_columns():
    told = mixed_model_many(np.empty((0, 5)), np.empty((0, 5)))
    assert told.empty
    assert list(told.columns) == [*COLUMNS, "n_single", "degrees_of_freedom"]


def test_a_timepoint_without_samples_leaves_the_others_as_they_are():
    values = np.random.default_rng(5).normal(size=(1, 6, 3))
    values[0, 0, 2] = np.nan
    gap = np.insert(values, 1, np.nan, axis=2)
    told, expected = mixed_courses(gap), mixed_courses(values)
    for name in NUMBERS:
        assert math.isnan(getattr(told, name)[0, 0])
        np.testing.assert_array_equal(getattr(told, name)[0, 1:], getattr(expected, name)[0])
    assert told.n_pairs.tolist() == [[0, 6, 5]]
    assert told.n_patients.tolist() == [[6, 6, 6]]
    assert told.p_any == expected.p_any


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.full((1, 3, 2), np.inf), "numbers up to 1e145"), (np.zeros((3, 2)), "features x patients x timepoints")],
)
def test_what_is_no_course_is_refused(values, message):
    with pytest.raises(StatisticsError, match=message):
        mixed_courses(values)


# ---- properties ------------------------------------------------------------------------------------------------------


@st.composite
def courses(draw, times=None):
    """Patients x timepoints with gaps, an estimate for each timepoint."""
    shape = draw(st.integers(4, 9)), times or draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 100_000)))
    values = random.normal(size=shape) + draw(st.sampled_from([0.0, 1.0, 4.0])) * random.normal(size=(shape[0], 1))
    values[random.random(shape) < draw(st.sampled_from([0.0, 0.2, 0.4]))] = np.nan
    told = mixed_courses(values[None])
    assume(not np.isnan(told.p_value).any())
    return values


def one(values):
    return mixed_courses(values[None])


def close(ours, expected, **options):
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8, **options)


@given(values=courses(), shift=st.floats(-50, 50))
def test_a_shift_of_all_later_values_shifts_estimate_and_interval(values, shift):
    moved = values.copy()
    moved[:, 1:] += shift
    told, expected = one(moved), one(values)
    for name in ("estimate", "ci_low", "ci_high"):
        close(getattr(told, name), getattr(expected, name) + shift)
    close(told.degrees_of_freedom, expected.degrees_of_freedom)


@given(values=courses(), factor=st.floats(0.001, 1000), shift=st.floats(-100, 100))
def test_another_unit_changes_the_numbers_by_its_factor_and_no_p(values, factor, shift):
    told, expected = one(values * factor + shift), one(values)
    for name in ("estimate", "ci_low", "ci_high", "standard_error"):
        np.testing.assert_allclose(getattr(told, name) / factor, getattr(expected, name), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(told.p_value, expected.p_value, rtol=1e-5, atol=1e-10)
    np.testing.assert_allclose(told.p_any, expected.p_any, rtol=1e-5, atol=1e-10)


@given(values=courses(times=2))
def test_swapping_both_timepoints_turns_the_sign_and_keeps_p(values):
    told, expected = one(values[:, ::-1]), one(values)
    close(told.estimate, -expected.estimate)
    close(told.ci_low, -expected.ci_high)
    close(told.p_value, expected.p_value)


@given(values=courses(), random=st.randoms(use_true_random=False))
def test_the_order_of_patients_plays_no_part(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    told, expected = one(values[order]), one(values)
    for name in (*NUMBERS, "p_any", "test", "note"):
        np.testing.assert_array_equal(getattr(told, name), getattr(expected, name))


@given(values=courses(times=2))
def test_with_two_timepoints_any_difference_is_that_difference(values):
    told = one(values)
    close(told.p_any, told.p_value[:, 0])


@given(values=courses())
def test_the_interval_leaves_zero_out_exactly_when_the_test_rejects(values):
    told = one(values)
    assert ((told.ci_low > 0) | (told.ci_high < 0)).tolist() == (told.p_value < 0.05).tolist()


def test_many_features_at_once_are_judged_as_one_by_one():
    random = np.random.default_rng(6)
    values = random.normal(size=(60, 7, 3)) + random.normal(size=(60, 7, 1))
    values[random.random(values.shape) < 0.3] = np.nan
    values[0], values[1] = 3.0, np.nan
    together = mixed_courses(values)
    for row in range(len(values)):
        alone = mixed_courses(values[[row]])
        for name in (*NUMBERS, "p_any", "patient_variance", "residual_variance"):
            np.testing.assert_allclose(getattr(together, name)[row], getattr(alone, name)[0], rtol=1e-9)
        assert (together.test[row], together.note[row]) == (alone.test[0], alone.note[0])
