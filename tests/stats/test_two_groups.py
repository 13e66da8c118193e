"""The rank-sum test of two small groups, against R, against counting by hand, and where the data cannot say."""

import csv
from itertools import combinations, combinations_with_replacement, product
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.paired import CONSERVATIVE
from rabiomarkers.stats.two_groups import (
    ALL_EQUAL,
    COLUMNS,
    EMPTY_GROUP,
    EXACT_PATIENTS,
    NOBODY,
    ONE_EACH,
    rank_sum_many,
    shift_cut,
)

TABLE = (Path(__file__).parents[1] / "reference" / "two_groups.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"].startswith(("rank-sum", "shift"))]

two_groups = st.integers(1, 5).flatmap(
    lambda first: st.tuples(st.just(first), st.lists(st.integers(-4, 4), min_size=first + 1, max_size=first + 5))
)


def first_of(size, n):
    return np.arange(n) < size


def told_of(values, size, **options):
    values = np.asarray(values, dtype=float)
    return rank_sum_many(values[None, :], first_of(size, len(values)), **options).iloc[0]


def counted_by_hand(values, size):
    """Labellings at least as far out as the one observed, one by one."""
    ranks = rankdata(values)
    expected = size * ranks.mean()
    sums = np.array([ranks[list(chosen)].sum() for chosen in combinations(range(len(values)), size)])
    return int((np.abs(sums - expected) >= abs(ranks[:size].sum() - expected) - 1e-9).sum())


# ---- against R -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input'][:60]}")
def test_it_is_what_r_says(case):
    size, *values = (float(part) for part in case["input"].split())
    told = told_of(values, int(size))
    ours = [told["p_value"]] if "p" in case["statistic"].split() else told[["estimate", "ci_low", "ci_high"]]
    expected = [float(part) for part in case["value"].split()]
    np.testing.assert_allclose(np.asarray(ours, dtype=float), expected, rtol=1e-10, atol=1e-10)


# ---- by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second", "floor"), [(1, 9, 0.20), (2, 8, 2 / 45), (3, 7, 1 / 60), (4, 6, 1 / 105)])
def test_the_smallest_p_is_the_one_of_validity_section_1(first, second, floor):
    told = told_of(np.arange(first + second), first)
    assert told["p_value"] == told["p_floor"] == pytest.approx(floor, abs=1e-15)
    assert (told["p_count"], told["p_total"]) == (2, comb(first + second, first))


def test_ties_move_the_floor():
    assert told_of([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 3)["p_floor"] == 1 / 120  # one labelling only is as far out
    assert told_of([1, 1, 0, 1, 1, 1, 1, 0, 0, 0], 3)["p_floor"] == 4 / 120  # none of six ones among three: 4 ways


def test_the_shift_is_the_median_of_all_differences():
    told = told_of([5.0, 7.0, 1.0, 2.0, 4.0], 2)  # 4 3 1 6 5 3
    assert told["estimate"] == 3.5
    assert (told["ci_low"], told["ci_high"]) == (1.0, 6.0)
    assert told["ci_level"] == pytest.approx(0.8)  # the outermost ones: 1 - 2 / 10
    assert told["test"] == "exact rank-sum"


def test_the_interval_says_which_level_it_reaches():
    assert shift_cut(2, 7, 0.95) == (1, pytest.approx(1 - 2 / 36))
    assert shift_cut(3, 7, 0.95) == (2, pytest.approx(1 - 4 / 120))
    assert shift_cut(1, 39, 0.95) == (1, pytest.approx(0.95))  # p = 2 / 40 rejects, so the interval may leave 0 out


def test_of_many_patients_the_interval_is_close_to_the_counted_one():
    cut, level = shift_cut(60, 60, 0.95)
    assert 0.95 <= level < 0.952
    assert cut == pytest.approx(shift_cut(50, 72, 0.95)[0], abs=5)  # 3 600 differences too, counted


def test_float_noise_makes_no_order():
    noisy, clean = [28.0 - 19.6, 8.4, 1.0, 2.0], [8.4, 8.4, 1.0, 2.0]
    for column in ("p_value", "p_count", "p_floor"):
        assert told_of(noisy, 1)[column] == told_of(clean, 1)[column]


@given(two_groups)
def test_the_p_is_that_of_counting_every_labelling(case):
    size, values = case
    told = told_of(values, size)
    if len(set(values)) == 1:
        assert told["note"] == ALL_EQUAL
    else:
        assert told["p_count"] == counted_by_hand(values, size)
        assert told["p_total"] == comb(len(values), size)
        assert told["p_floor"] <= told["p_value"] == told["p_count"] / told["p_total"]


# ---- properties ------------------------------------------------------------------------------------------------------


@given(two_groups)
def test_which_group_is_called_the_first_makes_no_difference(case):  # C13
    size, values = case
    groups = first_of(size, len(values))
    table = np.array([values], dtype=float)
    one, other = rank_sum_many(table, groups).iloc[0], rank_sum_many(table, ~groups).iloc[0]
    same = ["p_value", "p_floor", "p_count", "p_total", "ci_level", "test", "note"]
    assert one[same].equals(other[same])
    turned = np.array([other["estimate"], other["ci_high"], other["ci_low"]], dtype=float)
    np.testing.assert_array_equal(np.array(one[["estimate", "ci_low", "ci_high"]], dtype=float), -turned)


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=10, unique=True), st.integers(1, 3), st.floats(-50, 50))
def test_a_shift_of_the_first_group_shifts_the_estimate(values, size, shift):
    values, groups = np.array(values), first_of(size, len(values))
    before, after = (told_of(values + add, size) for add in (0.0, shift * groups))
    assert after["estimate"] == pytest.approx(before["estimate"] + shift, abs=1e-9)
    assert after["ci_level"] == before["ci_level"] or np.isnan(after["ci_level"])


@given(st.permutations([-9.5, -4.1, -2.2, -1.7, 0.3, 1.4, 2.8, 5.5, 7.9, 12.2]), st.integers(2, 8))
def test_the_interval_leaves_0_out_where_the_test_rejects(values, size):
    told = told_of(values, size)
    # at the level the interval reaches; all differences of these values are distinct from 0
    outside = told["ci_low"] > 0 or told["ci_high"] < 0
    assert outside == (told["p_value"] <= 1 - told["ci_level"] + 1e-12)


@pytest.mark.parametrize("first", [3, 5])
def test_over_all_tables_of_ten_small_whole_numbers_p_and_interval_agree_or_the_note_says_so(first):
    sides = (combinations_with_replacement(range(4), size) for size in (first, 10 - first))
    tables = np.array([(*one, *other) for one, other in product(*sides)], dtype=float)
    told = rank_sum_many(tables[np.ptp(tables, axis=1) > 0], first_of(first, 10))
    rejected = told["p_value"] <= 0.05
    assert not (~rejected & ((told["ci_low"] > 0) | (told["ci_high"] < 0))).any()
    inside = rejected & (told["ci_low"] < 0) & (told["ci_high"] > 0)
    assert ((told["note"] == CONSERVATIVE) == inside).all()
    assert 0 < inside.mean() < 0.03


@pytest.mark.parametrize("n", [12, 60])
def test_patients_and_features_in_another_order_change_nothing(n):  # C12
    random = np.random.default_rng(5)
    values = random.normal(size=(20, n)).round(1)
    values[random.random(values.shape) < 0.1] = np.nan
    groups = first_of(4, n)
    expected = rank_sum_many(values, groups, draws=499)
    patients, features = random.permutation(n), random.permutation(20)
    turned = rank_sum_many(values[features][:, patients], groups[patients], draws=499)
    assert turned.equals(expected.iloc[features].reset_index(drop=True))


def test_features_are_judged_one_by_one():
    random = np.random.default_rng(6)
    values = random.normal(size=(6, 9)).round(0)
    values[2, :3] = np.nan
    together = rank_sum_many(values, first_of(4, 9))
    for row in range(6):
        alone = rank_sum_many(values[[row]], first_of(4, 9))
        assert alone.equals(together.iloc[[row]].reset_index(drop=True))


# ---- many patients ---------------------------------------------------------------------------------------------------


def test_up_to_fifty_patients_every_labelling_is_counted():
    values = np.random.default_rng(7).normal(size=EXACT_PATIENTS)
    told = told_of(values, 20)
    assert told["test"] == "exact rank-sum"
    assert told["p_total"] == comb(50, 20)


def test_random_labellings_come_close_to_counting(monkeypatch):
    values = np.random.default_rng(8).normal(size=(5, 30)).round(1)
    values[:, :10] += 0.6
    counted = rank_sum_many(values, first_of(10, 30))
    monkeypatch.setattr("rabiomarkers.stats.two_groups.EXACT_PATIENTS", 20)
    drawn = rank_sum_many(values, first_of(10, 30), seed=3)
    assert set(drawn["test"]) == {"rank-sum with 9999 random labellings"}
    assert (drawn["p_total"] == 10_000).all()
    error = np.sqrt(counted["p_value"] * (1 - counted["p_value"]) / 9999)
    assert (np.abs(drawn["p_value"] - counted["p_value"]) <= 4 * error + 1e-4).all()
    assert (drawn["p_floor"] == 1e-4).all()


def test_random_labellings_follow_the_seed_and_never_give_0():
    values = np.concatenate([np.arange(30) + 100.0, np.arange(30)])
    one, again, other = (told_of(values, 30, draws=99, seed=seed) for seed in (1, 1, 2))
    assert one.equals(again)
    assert one["p_value"] == other["p_value"] == 0.01
    mixed = np.random.default_rng(9).normal(size=60)
    assert told_of(mixed, 30, seed=1)["p_count"] != told_of(mixed, 30, seed=2)["p_count"]


# ---- where the data cannot say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "size", "note"),
    [
        ([np.nan, np.nan, np.nan], 1, NOBODY),
        ([np.nan, 1.0, 2.0], 1, EMPTY_GROUP),
        ([1.0, 2.0], 2, EMPTY_GROUP),
        ([1.0], 0, EMPTY_GROUP),
        ([], 0, NOBODY),
        ([3.0, 3.0, 3.0], 1, ALL_EQUAL),
        ([0.1 + 0.2, 0.3, 0.3], 1, ALL_EQUAL),
        ([0.0, 0.0, 0.0, 0.0], 2, ALL_EQUAL),
    ],
)
def test_what_cannot_be_tested_has_no_numbers_and_a_reason(values, size, note):  # C14
    told = told_of(values, size)
    assert told["note"] == note
    assert told["test"] == "not tested"
    numbers = [name for name in COLUMNS if name not in ("n_first", "n_second", "test", "note")]
    assert told[numbers].isna().all()
    assert told["n_first"] + told["n_second"] == np.count_nonzero(~np.isnan(np.array(values)))


def test_of_one_patient_in_each_group_there_is_no_interval():
    told = told_of([2.0, 1.0], 1)
    assert (told["estimate"], told["p_value"], told["p_floor"], told["note"]) == (1.0, 1.0, 1.0, ONE_EACH)
    assert np.isnan(told["ci_low"])
    assert np.isnan(told["ci_level"])


def test_no_feature_gives_no_row():
    table = rank_sum_many(np.empty((0, 4)), first_of(2, 4))
    assert table.empty
    assert tuple(table.columns) == COLUMNS


@pytest.mark.parametrize(
    ("values", "groups", "told"),
    [
        (np.array([[1.0, np.inf]]), np.array([True, False]), "finite number"),
        (np.array([1.0, 2.0]), np.array([True, False]), "rows are features"),
        (np.array([[1.0, 2.0]]), np.array([True]), "2 patients needs as many flags"),
        (np.array([[1.0, 2.0]]), np.array([1, 0]), "True for the first group"),
    ],
)
def test_what_is_no_matrix_of_two_groups_is_refused(values, groups, told):
    with pytest.raises(StatisticsError, match=told):
        rank_sum_many(values, groups)
