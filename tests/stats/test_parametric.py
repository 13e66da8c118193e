"""Paired t and analysis of covariance, against R to 1e-10: `reference/parametric.csv`, written by `reference/parametric.R`."""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.paired import COLUMNS
from rabiomarkers.stats.parametric import ancova_many, paired_t_many

TABLE = (Path(__file__).parents[1] / "reference" / "parametric.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] != "versions"]
TOLD = ["estimate", "ci_low", "ci_high", "p_value", "degrees_of_freedom"]
NUMBERS = ["estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "degrees_of_freedom"]
nan = math.nan


def numbers(text):
    return np.array([nan if part == "NA" else float(part) for part in text.split()])


def adjusted_change(told):
    return ancova_many(*told.reshape(2, 1, -1))[[*TOLD, "baseline_slope"]]


OURS = {
    "paired t": lambda told: paired_t_many(told[None, :])[TOLD],
    "change at the mean baseline": adjusted_change,
}


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == set(OURS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input']}")
def test_it_is_what_r_says(case):
    ours = OURS[case["statistic"]](numbers(case["input"])).to_numpy(dtype=float)[0]
    np.testing.assert_allclose(ours, numbers(case["value"]), rtol=1e-10, atol=1e-12)


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_student_finds_that_the_second_drug_gives_more_sleep():
    # Student 1908: additional hours of sleep of ten patients under two drugs; Fisher 1925 prints t = 4.06
    told = paired_t_many([[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]]).iloc[0]
    assert told["estimate"] == pytest.approx(1.58)
    half = (told["ci_high"] - told["ci_low"]) / 2
    assert told["estimate"] / (half / 2.262157) == pytest.approx(
        4.06, abs=0.005
    )  # 2.262: t table, 9 degrees of freedom
    assert (told["n"], told["n_nonzero"], told["test"], told["note"]) == (10, 9, "paired t", "")


def test_the_columns_are_those_of_every_paired_test():
    for table in (paired_t_many([[1.0, 2.0]]), ancova_many([[1.0, 2.0, 4.0]], [[3.0, 2.0, 7.0]])):
        assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
        assert table["p_floor"].isna().all()
        assert table[["p_count", "p_total"]].dtypes.astype("str").tolist() == ["Int64", "Int64"]
        assert table[["p_count", "p_total"]].isna().all(axis=None)


def test_without_a_slope_the_adjusted_change_pays_one_degree_of_freedom():
    # baselines -1 0 1 and changes 1 4 1: slope 0, sum of squares 6, error sqrt(6 / 2 / 3) = 1; t on one degree of freedom
    told = ancova_many([[-1.0, 0.0, 1.0]], [[0.0, 4.0, 2.0]]).iloc[0]
    assert (told["estimate"], told["baseline_slope"], told["degrees_of_freedom"]) == (2.0, 0.0, 1.0)
    assert told["ci_high"] == pytest.approx(2.0 + 12.7062047361747)


# ---- what cannot be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("differences", "n", "estimate", "note"),
    [
        ([nan, nan], 0, nan, "no pair"),
        ([2.0, nan], 1, nan, "one pair: a change needs at least two"),
        ([0.0, 0.0, 0.0], 3, nan, "all differences are zero"),
        ([0.5, 0.5, 0.5], 3, 0.5, "all differences are equal: no spread, so no interval and no effect size"),
        ([28.0 - 19.6, 8.4, 8.4], 3, 8.4, "all differences are equal: no spread, so no interval and no effect size"),
    ],
)
def test_a_paired_t_without_spread_tells_no_p(differences, n, estimate, note):
    told = paired_t_many([differences]).iloc[0]
    assert (told["n"], told["note"], told["test"]) == (n, note, "not tested")
    assert told["estimate"] == pytest.approx(estimate, nan_ok=True)
    assert told[[name for name in NUMBERS if name != "estimate"]].isna().all()


@pytest.mark.parametrize(
    ("before", "after", "n", "estimate", "note"),
    [
        ([nan, 1.0], [2.0, nan], 0, nan, "no pair"),
        ([1.0, 1.0], [2.0, nan], 1, nan, "one pair: a change needs at least two"),
        ([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 3, nan, "all differences are zero"),
        ([1.0, 2.0], [2.0, 5.0], 2, nan, "two pairs: a regression on the baseline needs at least three"),
        ([0.1, 0.7, 0.2], [0.4, 1.0, 0.5], 3, 0.3, "all differences are equal: no spread"),
        ([1e6, 2e6, 3e6], [1e6 + 0.3, 2e6 + 0.3, 3e6 + 0.3], 3, 0.3, "all differences are equal: no spread"),
    ],
)
def test_an_adjusted_change_without_spread_tells_no_p(before, after, n, estimate, note):
    told = ancova_many([before], [after]).iloc[0]
    assert (told["n"], told["test"]) == (n, "not tested")
    assert told["note"].startswith(note)
    assert told["estimate"] == pytest.approx(estimate, nan_ok=True, abs=1e-9)
    assert told[[name for name in NUMBERS if name != "estimate"]].isna().all()


def test_a_constant_baseline_is_not_adjusted_for():
    after = [[1.0, 2.5, 3.0, 1.5]]
    told, plain = ancova_many(np.full((1, 4), 0.7), after), paired_t_many(np.subtract(after, 0.7))
    assert told.loc[0, "test"] == "paired t"
    assert told.loc[0, "note"] == "the baseline is the same in every pair: nothing to adjust for"
    assert math.isnan(told.loc[0, "baseline_slope"])
    pd.testing.assert_frame_equal(told[NUMBERS], plain[NUMBERS])


def test_what_is_no_matrix_of_finite_numbers_is_refused():
    for wrong in ([1.0, 2.0], [[1.0, np.inf]], [[1.0, 1e200]]):
        with pytest.raises(StatisticsError, match="finite number a patient"):
            paired_t_many(wrong)
    with pytest.raises(StatisticsError, match="differ in shape"):
        ancova_many([[1.0, 2.0]], [[1.0]])


def test_no_feature_and_no_patient_give_an_empty_answer():
    for rows, patients in ((0, 4), (2, 0)):
        empty = np.empty((rows, patients))
        assert len(paired_t_many(empty)) == len(ancova_many(empty, empty)) == rows


# ---- properties ------------------------------------------------------------------------------------------------------

rows = st.lists(
    st.lists(st.integers(-4000, 4000).map(lambda k: k / 100), min_size=7, max_size=7), min_size=2, max_size=2
)


def with_gaps(seed, features=40, patients=9):
    random = np.random.default_rng(seed)
    before, after = random.normal(size=(2, features, patients)).round(2)
    before[random.random(before.shape) < 0.2] = nan
    after[random.random(after.shape) < 0.2] = nan
    return before, after, random


@given(rows)
@settings(max_examples=60)
def test_a_paired_t_equals_scipys(row):
    before, after = np.array(row)
    if len(set((after - before).round(6))) > 1:
        told, peer = paired_t_many([after - before]).iloc[0], ttest_1samp(after - before, 0.0)
        assert told["p_value"] == pytest.approx(peer.pvalue, rel=1e-9)
        assert [told["ci_low"], told["ci_high"]] == pytest.approx(list(peer.confidence_interval()), abs=1e-9)


@given(row=rows, shift=st.integers(-300, 300))
@settings(max_examples=60)
def test_a_shift_of_every_patient_afterwards_shifts_estimate_and_interval(row, shift):
    before, after = np.array(row)
    for test in (lambda later: paired_t_many([later - before]), lambda later: ancova_many([before], [later])):
        told, moved = test(after), test(after + shift)
        if "" == told.loc[0, "note"] == moved.loc[0, "note"]:
            limits = ["estimate", "ci_low", "ci_high"]
            np.testing.assert_allclose(moved[limits], told[limits] + shift, atol=1e-8)


@given(rows)
@settings(max_examples=60)
def test_adjusting_for_the_baseline_never_sharpens_the_change_of_one_arm(row):
    before, after = np.array(row)
    adjusted, plain = ancova_many([before], [after]).loc[0], paired_t_many([after - before]).loc[0]
    if adjusted["test"] == "ANCOVA on the baseline":
        assert adjusted["p_value"] >= plain["p_value"]
        assert adjusted["ci_low"] <= plain["ci_low"]


@given(rows)
@settings(max_examples=60)
def test_the_interval_leaves_zero_out_exactly_when_the_same_test_rejects(row):
    before, after = np.array(row)
    for told in (paired_t_many([after - before]), ancova_many([before], [after])):
        if told.loc[0, "test"] != "not tested" and abs(told.loc[0, "p_value"] - 0.05) > 1e-9:
            assert (told.loc[0, "ci_low"] > 0 or told.loc[0, "ci_high"] < 0) == (told.loc[0, "p_value"] < 0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_c12_the_order_of_patients_plays_no_part(seed):
    before, after, random = with_gaps(seed)
    order = random.permutation(9)
    for told, again in (
        (paired_t_many(after - before), paired_t_many((after - before)[:, order])),
        (ancova_many(before, after), ancova_many(before[:, order], after[:, order])),
    ):
        pd.testing.assert_frame_equal(told, again, check_exact=True)


def test_features_are_judged_alone():
    before, after, _ = with_gaps(4)
    together = ancova_many(before, after)
    for k in range(len(before)):
        alone = ancova_many(before[[k]], after[[k]])
        pd.testing.assert_frame_equal(alone, together.iloc[[k]].reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_c13_another_unit_scales_estimates_and_keeps_p(factor):
    before, after, _ = with_gaps(6)
    told, scaled = ancova_many(before, after), ancova_many(factor * before, factor * after)
    np.testing.assert_allclose(scaled["p_value"], told["p_value"], rtol=1e-9)
    np.testing.assert_allclose(scaled["ci_low"], factor * told["ci_low"], rtol=1e-9)
