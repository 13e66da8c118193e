"""Spearman against R (`reference/rank_correlation.csv`, written by `rank_correlation.R` beside it), enumeration, its own rules."""

import csv
from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.rank_correlation import product_sum_counts, spearman

TABLE = (Path(__file__).parents[1] / "reference" / "rank_correlation.csv").read_text()
CASES = list(csv.DictReader(TABLE.splitlines()))

tied = st.integers(3, 6).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 3), min_size=n, max_size=n)] * 2))
vectors = st.integers(3, 16).flatmap(lambda n: st.tuples(*[st.lists(st.integers(-40, 40), min_size=n, max_size=n)] * 2))


def numbers(text):
    return np.array([float(part) for part in text.split()])


def of(statistic):
    """R's cases of that statistic: both vectors and what R says."""
    chosen = [case for case in CASES if case["statistic"] == statistic]
    return [tuple(numbers(case[name]) for name in ("first", "second", "value")) for case in chosen]


def enumerated(first, second):
    """Orders at least as extreme, those at least as extreme as any, and all orders: by trying each with whole numbers."""
    one, other = (np.rint(2 * rankdata(vector)).astype(int) for vector in (first, second))
    n, centre = len(one), one.sum() * other.sum()
    every = [abs(n * int(one @ other[list(order)]) - centre) for order in permutations(range(n))]
    return [sum(far >= least for far in every) for least in (every[0], max(every))] + [factorial(n)]


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == {"rho and exact p", "rho of ties", "orders", "intercept"}


@pytest.mark.parametrize(("first", "second", "value"), of("rho and exact p"))
def test_without_ties_rho_and_p_are_those_of_cor_test(first, second, value):
    told = spearman(first, second)
    np.testing.assert_allclose([told.estimate, told.p_value], value, rtol=0, atol=1e-10)
    assert (told.test, told.note) == ("exact Spearman", "")


@pytest.mark.parametrize(("first", "second", "value"), of("rho of ties"))
def test_with_ties_rho_is_that_of_mid_ranks(first, second, value):
    assert spearman(first, second).estimate == pytest.approx(value[0], abs=1e-10)


@pytest.mark.parametrize(("first", "second", "value"), of("orders"))
def test_with_ties_the_orders_counted_are_those_r_enumerates(first, second, value):
    told = spearman(first, second)
    assert [told.p_count, told.p_total] == [value[0], value[2]]
    assert told.p_floor == value[1] / value[2]
    assert told.p_value == value[0] / value[2]


@given(pair=tied)
@settings(deadline=None, max_examples=60)
def test_the_count_is_that_of_trying_every_order(pair):
    if any(len(set(vector)) == 1 for vector in pair):
        return
    told = spearman(*pair)
    assert [told.p_count, round(told.p_floor * told.p_total), told.p_total] == enumerated(*pair)


@pytest.mark.parametrize(("n", "limit"), [(8, 0.738), (9, 0.700), (10, 0.648), (11, 0.618), (12, 0.587)])
def test_the_smallest_rho_that_reaches_5_percent_is_that_of_the_published_table(n, limit):
    """Two-sided limits of Zar 1972, J. Am. Stat. Assoc. 67: 578-580."""
    ranks = np.arange(1, n + 1)
    counts = product_sum_counts(ranks, ranks)
    rho = (np.arange(len(counts)) - n * (n + 1) ** 2 / 4) * 12 / (n**3 - n)
    p_values = {far: counts[np.abs(rho) >= far - 1e-9].sum() / factorial(n) for far in rho[rho > 0.5]}
    assert min(far for far, p_value in p_values.items() if p_value <= 0.05) == pytest.approx(limit, abs=6e-4)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_all_orders_are_counted_once(n):
    ranks = np.arange(1, n + 1)
    counts = product_sum_counts(ranks, ranks)
    assert counts.sum() == factorial(n)
    assert counts[int(ranks @ ranks)] == 1  # the same order
    assert counts[int(ranks @ ranks[::-1])] == 1  # the opposite one; no sum lies below
    assert counts[: int(ranks @ ranks[::-1])].sum() == 0


def test_random_orders_meet_the_exact_p():
    random = np.random.default_rng(4)
    first = random.normal(size=12)
    second = 0.5 * first + random.normal(size=12)
    exact = spearman(first, second)
    # a thirteenth patient in the middle of both hardly matters, and brings the random orders in
    sampled = spearman([*first, np.median(first)], [*second, np.median(second)])
    assert exact.p_total == factorial(12)
    assert (sampled.test, sampled.p_total) == ("Spearman with 9999 random orders", 10_000)
    assert sampled.p_value == pytest.approx(exact.p_value, rel=0.5)
    assert sampled.p_floor == 1e-4


def test_random_orders_of_many_patients_meet_the_t_approximation():
    random = np.random.default_rng(6)
    first = random.normal(size=43)
    second = 0.3 * first + random.normal(size=43)
    ours, peer = spearman(first, second), spearmanr(first, second)
    assert ours.estimate == pytest.approx(peer.statistic, abs=1e-12)
    assert ours.p_value == pytest.approx(peer.pvalue, abs=4 * np.sqrt(peer.pvalue / 9999))


def test_the_floor_of_random_orders_knows_about_ties():
    told = spearman([0] * 19 + [1], range(20))  # only the place of one patient matters: 2 of 20
    assert told.p_value == told.p_floor == pytest.approx(0.1, abs=0.01)


def test_it_rejects_a_true_null_as_often_as_it_says():
    random = np.random.default_rng(9)
    p_values = np.array([spearman(*random.normal(size=(2, 7))).p_value for _ in range(800)])
    assert 0.02 <= (p_values <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 800)


# ---- properties ------------------------------------------------------------------------------------------------------


@given(pair=vectors, random=st.randoms())
@settings(deadline=None, max_examples=40)
def test_neither_the_order_of_patients_nor_that_of_the_vectors_plays_a_part(pair, random):
    together = list(zip(*pair, strict=True))
    random.shuffle(together)
    shuffled = spearman(*zip(*together, strict=True))
    assert repr(spearman(*pair)) == repr(shuffled) == repr(spearman(pair[1], pair[0]))


@given(pair=vectors, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_p_lies_between_its_floor_and_one(pair, seed):
    told = spearman(*pair, seed=seed)
    if not told.note:
        assert 0 < told.p_floor <= told.p_value <= 1


@given(pair=vectors)
@settings(deadline=None, max_examples=40)
def test_turning_one_vector_turns_rho_and_up_to_12_patients_keeps_p(pair):
    told, turned = spearman(*pair), spearman(pair[0], np.negative(pair[1]))
    np.testing.assert_array_equal(told.estimate, -turned.estimate)  # NaN is NaN, 0 is -0
    if told.test == "exact Spearman":
        assert (told.p_count, told.p_floor) == (turned.p_count, turned.p_floor)


@given(pair=vectors)
@settings(deadline=None, max_examples=40)
def test_only_the_order_of_the_values_counts(pair):
    assert repr(spearman(*pair)) == repr(spearman(np.exp(np.divide(pair[0], 10)), np.power(pair[1], 3)))


def test_who_lacks_one_of_the_two_plays_no_part():
    first, second = [1.0, 2.0, np.nan, 3.0, 4.0, 9.0], [2.0, 1.0, 7.0, 4.0, 3.0, np.nan]
    assert repr(spearman(first, second)) == repr(spearman([1, 2, 3, 4], [2, 1, 4, 3]))


def test_float_noise_makes_no_difference_in_rank():
    noisy, clean = [28.0 - 19.6, 8.4, 1.0, 2.0], [8.4, 8.4, 1.0, 2.0]
    assert noisy[0] != noisy[1]
    assert repr(spearman(noisy, [1, 2, 3, 4])) == repr(spearman(clean, [1, 2, 3, 4]))


@pytest.mark.parametrize(
    ("first", "second", "n", "note"),
    [
        ([], [], 0, "0 patients with both: a correlation needs at least three"),
        ([1.0], [2.0], 1, "1 patient with both: a correlation needs at least three"),
        ([1.0, 2.0, np.nan], [2.0, 3.0, 4.0], 2, "2 patients with both: a correlation needs at least three"),
        ([np.nan] * 5, [1, 2, 3, 4, 5], 0, "0 patients with both: a correlation needs at least three"),
        ([1, 2, 3, 4], [5, 5, 5, 5], 4, "one of the two does not vary"),
        ([0, 0, 0, 0], [0, 0, 0, 0], 4, "one of the two does not vary"),
    ],
)
def test_what_cannot_be_tested_says_why(first, second, n, note):
    told = spearman(first, second)
    assert (told.n, told.test, told.note, told.p_count, told.p_total) == (n, "not tested", note, None, None)
    assert np.isnan([told.estimate, told.p_value, told.p_floor]).all()


def test_no_interval_is_given_as_none_belongs_to_the_test():
    told = spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert np.isnan([told.ci_low, told.ci_high, told.ci_level]).all()


@pytest.mark.parametrize("second", [[1.0, 2.0], [1.0, np.inf, 3.0]])
def test_vectors_that_do_not_fit_are_an_error(second):
    with pytest.raises(StatisticsError, match="two vectors of one length"):
        spearman([1.0, 2.0, 3.0], second)
