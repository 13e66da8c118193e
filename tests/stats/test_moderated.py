"""Moderated t tests against limma to 1e-8: `reference/limma.csv`, written by `reference/limma.R`."""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.moderated import moderated_contrast, moderated_t_many, squeeze_variances
from rabiomarkers.stats.paired import COLUMNS
from rabiomarkers.stats.parametric import paired_t_many

TABLE = (Path(__file__).parents[1] / "reference" / "limma.csv").read_text()
CASES = pd.DataFrame([case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] != "versions"])
TOLD = [
    *("estimate", "ci_low", "ci_high", "p_value"),
    "degrees_of_freedom",
    "prior_degrees_of_freedom",
    "prior_variance",
]
NUMBERS = ["estimate", "ci_low", "ci_high", "ci_level", "p_value", "degrees_of_freedom"]
nan = math.nan


def numbers(text):
    return [nan if part == "NA" else float(part) for part in text.split()]


def of(statistic):
    """Inputs and limma's answers of one case, each features x numbers."""
    chosen = CASES[CASES["statistic"] == statistic]
    return np.array(chosen["input"].map(numbers).tolist()), np.array(chosen["value"].map(numbers).tolist())


def blocked(patients):
    """~ patient + time of all patients before, then all patients after."""
    patient = np.tile(np.eye(patients)[:, 1:], (2, 1))
    names = ["intercept", *(f"patient {k}" for k in range(2, patients + 1)), "time"]
    return pd.DataFrame(np.c_[np.ones(2 * patients), patient, np.arange(2 * patients) >= patients], columns=names)


def check(told, expected, *, rows=None):
    rows = np.full(len(told), True) if rows is None else rows
    assert set(told.loc[rows, "test"]) == {"moderated t"}
    np.testing.assert_allclose(told.loc[rows, TOLD].to_numpy(dtype=float), expected[rows], rtol=1e-8, atol=1e-12)


# ---- against limma ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["deltas", "deltas with gaps", "one variance", "a row of equal differences"])
def test_moderated_t_of_deltas_is_limmas(name):
    differences, expected = of(name)
    pairs = (~np.isnan(differences)).sum(axis=1)
    told = moderated_t_many(differences)
    check(told, expected, rows=pairs > 1)
    assert set(told.loc[pairs < 2, "test"]) <= {"not tested"}  # limma tests one pair with the spread of others


@pytest.mark.parametrize("name", ["patient and time", "patient and time with gaps"])
def test_moderated_t_of_deltas_is_limmas_fit_of_patient_and_time(name):
    values, expected = of(name)
    before, after = np.split(values, 2, axis=1)
    pairs = (~np.isnan(after - before)).sum(axis=1)
    expected[:, -1] *= 2  # a difference has twice the variance of a sample
    check(moderated_t_many(after - before), expected, rows=pairs > 1)


@pytest.mark.parametrize("name", ["patient and time", "patient and time with gaps"])
def test_a_blocked_design_is_limmas(name):
    values, expected = of(name)
    pairs = (~np.isnan(values[:, 8:] - values[:, :8])).sum(axis=1)
    told = moderated_contrast(values, blocked(8), coefficient="time")
    check(told, expected, rows=pairs > 1)
    assert (
        told.loc[pairs == 1, "note"].tolist()
        == ["no more patients than the design has coefficients: no spread is left"] * (pairs == 1).sum()
    )
    assert (
        told.loc[pairs == 0, "note"].tolist()
        == ["the patients with a value cannot tell this coefficient from the others"] * (pairs == 0).sum()
    )


@pytest.mark.parametrize("name", ["two groups", "two groups with age and gaps"])
def test_a_contrast_of_two_groups_is_limmas(name):
    values, expected = of(name)
    design = of(f"design of {name}")[1].reshape(8, -1)
    names = ["intercept", "group", "age"][: design.shape[1]]
    check(
        moderated_contrast(values, pd.DataFrame(design, columns=names), coefficient="group"),
        expected,
        rows=(~np.isnan(values)).sum(axis=1) > design.shape[1],
    )


@pytest.mark.parametrize("case", range((CASES["statistic"] == "squeezed variances").sum()))
def test_squeezed_variances_are_limmas(case):
    chosen = CASES[CASES["statistic"] == "squeezed variances"].iloc[case]
    variances, freedom = np.split(np.array(numbers(chosen["input"])), 2)
    told = squeeze_variances(variances, freedom)
    ours = [told.prior_degrees_of_freedom, told.prior_variance, *told.variances]
    np.testing.assert_allclose(ours, numbers(chosen["value"]), rtol=1e-8)


def test_every_case_of_the_table_is_compared():
    compared = {
        "deltas",
        "deltas with gaps",
        "one variance",
        "a row of equal differences",
        "two groups",
        "squeezed variances",
    }
    compared |= {"patient and time", "patient and time with gaps", "two groups with age and gaps"}
    assert set(CASES["statistic"]) == compared | {"design of two groups", "design of two groups with age and gaps"}


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_one_variance_is_no_company():
    told = squeeze_variances([2.5], 4)
    assert (told.prior_degrees_of_freedom, told.prior_variance, told.variances.tolist()) == (0.0, 2.5, [2.5])
    nothing = squeeze_variances([nan, nan], [3, 0])
    assert nothing.prior_degrees_of_freedom == 0.0
    assert math.isnan(nothing.prior_variance)


def test_equal_variances_are_worth_infinitely_many_degrees_of_freedom():
    told = squeeze_variances([2.0, 2.0, 2.0, nan], 5)
    assert (told.prior_degrees_of_freedom, told.prior_variance) == (math.inf, 2.0)
    np.testing.assert_array_equal(told.variances, [2.0, 2.0, 2.0, nan])


def test_wrong_variances_are_refused():
    for variances, freedom in (([1.0, -1.0], 3), ([1.0, 2.0], [3, 4, 5])):
        with pytest.raises(StatisticsError, match="variance of at least 0"):
            squeeze_variances(variances, freedom)


# ---- what cannot be said ---------------------------------------------------------------------------------------------


def wide(seed=1, features=30, patients=8):
    return np.random.default_rng(seed).normal(0.3, 1.0, size=(features, patients))


def test_rows_that_say_nothing_are_empty_and_lend_nothing():
    rows = wide()
    rows[3], rows[4], rows[5, 1:], rows[6, :5] = nan, 0.0, nan, nan
    told = moderated_t_many(rows)
    assert told.loc[[3, 4, 5, 6], "note"].tolist() == [
        "no pair",
        "all differences are zero",
        "one pair: a change needs at least two",
        "",
    ]
    assert told.loc[[3, 4, 5], "test"].eq("not tested").all()
    assert told.loc[[3, 4, 5], TOLD].isna().all(axis=None)
    without = moderated_t_many(np.delete(rows, [3, 4, 5], axis=0))
    pd.testing.assert_frame_equal(told.drop(index=[3, 4, 5]).reset_index(drop=True), without, check_exact=True)


def test_equal_differences_borrow_the_spread_of_the_others_and_say_so():
    rows = wide()
    rows[0] = 28.0 - 19.6  # by float noise not 8.4
    rows[0, 3] = 8.4
    told = moderated_t_many(rows).iloc[0]
    assert (told["note"], told["test"]) == (
        "all differences are equal: the spread is that of the other features",
        "moderated t",
    )
    assert 0 < told["p_value"] < 1e-6
    assert told["ci_low"] < 8.4 < told["ci_high"]


def test_few_features_share_nothing():
    rows = wide(features=9)
    rows = np.r_[rows, [[0.5] * 8]]
    told, plain = moderated_t_many(rows), paired_t_many(rows)
    pd.testing.assert_frame_equal(told[NUMBERS], plain[NUMBERS])
    assert told["test"].tolist() == ["paired t"] * 9 + ["not tested"]
    reason = "no shared variance: 9 features with a spread, at least 10 are needed"
    assert told["note"].tolist() == [reason] * 9 + [f"{plain['note'].iloc[9]}; {reason}"]
    assert told[["prior_degrees_of_freedom", "prior_variance"]].isna().all(axis=None)


def test_a_table_mostly_without_spread_shares_nothing():
    rows = np.r_[wide(features=12), np.full((13, 8), 0.5)]
    told = moderated_t_many(rows)
    assert told["note"].str.endswith("no shared variance: 13 of 25 features have no spread").all()
    pd.testing.assert_frame_equal(told[NUMBERS], paired_t_many(rows)[NUMBERS])


def test_each_group_shares_its_own_variance():
    rows = np.r_[wide(1, 20), 100 * wide(2, 15), wide(3, 4)]
    labels = np.repeat(["tumour log2", "blood score", "blood log2"], [20, 15, 4])
    told = moderated_t_many(rows, groups=labels)
    for label in ("tumour log2", "blood score", "blood log2"):
        alone = moderated_t_many(rows[labels == label])
        pd.testing.assert_frame_equal(told[labels == label].reset_index(drop=True), alone, check_exact=True)
    assert set(told.loc[labels == "blood log2", "test"]) == {"paired t"}
    with pytest.raises(StatisticsError, match="3 groups, 39 features"):
        moderated_t_many(rows, groups=["a", "b", "c"])


def test_no_feature_and_no_patient_give_an_empty_answer():
    assert moderated_t_many(np.empty((0, 5))).empty
    assert moderated_t_many(np.empty((2, 0)))["note"].tolist() == ["no pair", "no pair"]
    assert tuple(moderated_t_many(wide()).columns) == (
        *COLUMNS,
        "degrees_of_freedom",
        "prior_degrees_of_freedom",
        "prior_variance",
    )


def two_groups(patients=8, first=3):
    return pd.DataFrame({"intercept": 1.0, "responder": (np.arange(patients) < first).astype(float)})


def test_a_contrast_tells_what_it_cannot_tell():
    rows = wide()
    rows[0], rows[1, :3], rows[2], rows[3] = nan, nan, 0.0, 0.1
    rows[4, 2:7] = nan  # one responder's neighbours only: two responders, one other
    rows[5, [0, 1, 4, 5, 6, 7]] = nan  # one of each
    told = moderated_contrast(rows, two_groups(), coefficient="responder")
    assert told.loc[:5, "note"].tolist() == [
        "no value",
        "the patients with a value cannot tell this coefficient from the others",
        "all values are zero",
        "the design tells every value exactly: the spread is that of the other features",
        "",
        "no more patients than the design has coefficients: no spread is left",
    ]
    assert told.loc[[0, 1, 2, 5], TOLD].isna().all(axis=None)
    assert (told.loc[3, "estimate"], told.loc[3, "p_value"]) == (0.0, 1.0)


def test_a_contrast_of_few_features_is_the_ordinary_one():
    told = moderated_contrast([[1.0, 2.0, 4.0, 5.0]], two_groups(4, 2), coefficient="responder").iloc[0]
    assert told["test"] == "linear model t"
    assert told["estimate"] == pytest.approx(-3.0)
    assert told["p_value"] == pytest.approx(0.0513167, abs=1e-7)  # R: t.test(c(1, 2), c(4, 5), var.equal = TRUE)


@pytest.mark.parametrize(
    ("design", "coefficient", "message"),
    [
        (two_groups().assign(again=lambda d: 2 * d["responder"]), "responder", "not of full rank"),
        (two_groups(7), "responder", "8 patients; it has 7 rows"),
        (two_groups().assign(age=nan), "responder", "finite numbers"),
        (two_groups(), "age", "no coefficient 'age'; it has intercept, responder"),
    ],
)
def test_a_wrong_design_is_refused(design, coefficient, message):
    with pytest.raises(StatisticsError, match=message):
        moderated_contrast(wide(), design, coefficient=coefficient)


# ---- properties ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.integers(1, 30)), min_size=2, max_size=40))
@settings(max_examples=100)
def test_a_squeezed_variance_lies_between_its_own_and_the_prior(rows):
    variances, freedom = np.array(rows).T
    told = squeeze_variances(variances, freedom)
    low, high = np.minimum(variances, told.prior_variance), np.maximum(variances, told.prior_variance)
    assert told.prior_degrees_of_freedom > 0
    assert ((told.variances >= low * (1 - 1e-12)) & (told.variances <= high * (1 + 1e-12))).all()


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_c12_neither_the_order_of_patients_nor_of_features_plays_a_part(seed):
    random = np.random.default_rng(seed)
    rows = wide(seed) * np.exp(random.normal(size=(30, 1)))
    rows[random.random(rows.shape) < 0.2] = nan
    labels = np.repeat(["a", "b"], 15)
    patients, features = random.permutation(8), random.permutation(30)
    told = moderated_t_many(rows, groups=labels).iloc[features].reset_index(drop=True)
    again = moderated_t_many(rows[features][:, patients], groups=labels[features])
    pd.testing.assert_frame_equal(told, again, check_exact=True)
    design = two_groups().assign(age=random.normal(50, 9, size=8))
    told = moderated_contrast(rows, design, coefficient="responder").iloc[features].reset_index(drop=True)
    again = moderated_contrast(rows[features][:, patients], design.iloc[patients], coefficient="responder")
    pd.testing.assert_frame_equal(told, again, rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 10_000), factor=st.sampled_from([1e-3, 7.0, 1e4]))
@settings(max_examples=20)
def test_c13_another_unit_scales_estimates_and_keeps_p(seed, factor):
    rows = wide(seed)
    told, scaled = moderated_t_many(rows), moderated_t_many(-factor * rows)
    np.testing.assert_allclose(scaled["p_value"], told["p_value"], rtol=1e-8)
    np.testing.assert_allclose(scaled["ci_high"], -factor * told["ci_low"], rtol=1e-8)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_the_interval_leaves_zero_out_exactly_when_the_same_test_rejects(seed):
    told = moderated_t_many(wide(seed))
    outside = (told["ci_low"] > 0) | (told["ci_high"] < 0)
    assert outside.tolist() == (told["p_value"] < 0.05).tolist()
