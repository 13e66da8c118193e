"""The leaky procedures of `tests/support/leaky.py` exist to be caught here, each by the guards that can see it and by no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.checks import GUARDS
from rabiomarkers.predict.guards import guard, guard_pipeline, refuse_leaks, validation_splits
from rabiomarkers.predict.nested import Nested, NestedRidge
from rabiomarkers.predict.procedure import Rows
from rabiomarkers.predict.ridge import RidgeLogistic
from rabiomarkers.predict.splits import leave_one_out_splits, leave_pair_out_splits, stratified_splits
from tests.support.leaky import HONEST, LEAKS, Adapting, Remembering

PIPELINE = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression())
ESTIMATORS = {
    "ridge": RidgeLogistic(),
    "nested ridge": NestedRidge(penalties=(0.1, 10.0)),
    "nested": Nested(RidgeLogistic(), {"penalty": [10.0, 0.1]}),
    "pipeline": PIPELINE,
    "neighbours": make_pipeline(SimpleImputer(keep_empty_features=True), KNeighborsClassifier(3)),
    "distances": make_pipeline(SimpleImputer(keep_empty_features=True), KNeighborsClassifier(3, weights="distance")),
    "boosting": HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2, random_state=0),
}
CAUGHT_BY = {
    "scaled before the split": {"values", "canary", "rows"},
    "features selected before the split": {"label", "values", "canary", "rows"},
    "target encoding before the split": {"label", "values", "canary", "rows"},
    "a step that remembers other folds": {"label", "values", "canary", "again"},
    "penalty tuned on the left-out": {"label", "values", "canary"},
    "patients doubled before the split": {"label", "values", "canary", "rows"},
    "constant columns dropped before the split": {"canary"},
    "classes swapped": {"alive"},
    "forecasts of other patients": {"values", "alive"},
}


def noise(n=12, responders=5, features=4, seed=2):
    values = np.random.default_rng(seed).normal(size=(n, features))
    values[1, 1] = np.nan
    return values, np.arange(n) < responders


def study(values, labels, names=None):
    owners = np.arange(len(labels))
    return Rows(values=values, labels=labels, patient=owners, names=names or [f"P{place:02d}" for place in owners])


def row(report, name):
    return next(row for row in report.rows if row.guard == name)


def caught(report):
    return {row.guard for row in report.rows if row.findings}


@pytest.fixture(autouse=True)
def _nothing_remembered():
    Remembering.forget()


# ---- which guard sees which leak ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("leak", LEAKS)
def test_each_leak_is_caught_by_the_guards_that_can_see_it(leak):
    values, labels = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) < 5
    report = guard_pipeline(LEAKS[leak], study(values, labels), splits=leave_pair_out_splits(12), seed=1)
    assert caught(report) == CAUGHT_BY[leak]
    with pytest.raises(PredictionError, match=r"The prediction pipeline leaks \(\d+ findings?\)"):
        refuse_leaks(report)


def test_each_guard_on_pipelines_catches_something():
    assert set().union(*CAUGHT_BY.values()) == set(GUARDS) - {"sides"}  # which is about splits: below


@pytest.mark.parametrize("step", HONEST)
def test_the_same_steps_fitted_in_the_fold_pass(step):
    values, labels = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) < 5
    report = guard_pipeline(HONEST[step], study(values, labels), splits=leave_pair_out_splits(12), seed=1)
    assert report.findings == []


@pytest.mark.parametrize("splits", [leave_one_out_splits(12), leave_pair_out_splits(12)])
def test_a_model_that_learns_while_it_forecasts_is_caught(splits):
    values, labels = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) < 5
    assert "values" in caught(guard(Adapting(), values, labels, splits=splits, seed=1))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_models_that_are_handed_training_patients_only_pass(name):
    report = guard(ESTIMATORS[name], *noise(9, 4), seed=1)
    assert report.findings == []
    assert [row.guard for row in report.rows] == list(GUARDS)
    assert row(report, "rows").folds == row(report, "label").folds > 0
    assert "ordered rightly (6 of 6)" in row(report, "alive").words
    refuse_leaks(report)


@settings(max_examples=15)
@given(
    st.integers(6, 14),
    st.integers(2, 4),
    st.integers(1, 6),
    st.integers(0, 2**31),
    st.floats(0, 0.3),
    st.floats(0.01, 10),
)
def test_no_honest_ridge_is_ever_accused(n, responders, features, seed, missing, penalty):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(n, features))
    values[generator.random(values.shape) < missing] = np.nan
    report = guard(RidgeLogistic(penalty=penalty), values, np.arange(n) < responders, seed=seed)
    assert report.findings == []


def test_a_model_that_cannot_take_missing_values_is_not_given_any():
    values, labels = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) < 5
    report = guard(GaussianNB(), values, labels, seed=1)
    assert report.findings == []
    assert "by 1e+06 moves" in row(report, "values").words


def test_a_model_that_follows_no_feature_passes_and_the_row_says_so():
    report = guard(DummyClassifier(strategy="prior"), *noise(), seed=1)
    assert report.findings == []
    assert "follows no feature" in row(report, "alive").words


def test_a_model_that_draws_without_a_seed_is_told():
    boosting = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, max_features=0.3)
    assert "again" in caught(guard(boosting, *noise(12, 6, 6), seed=1))


# ---- sides: outer and inner splits -------------------------------------------------------------------------------------


def test_a_patient_given_twice_under_one_name_is_on_both_sides():
    values, labels = noise()
    names = [f"P{min(place, 10):02d}" for place in range(12)]
    report = guard(RidgeLogistic(), values, labels, patients=names, seed=1)
    assert caught(report) == {"sides"}
    assert row(report, "sides").findings == ("patient P10: on both sides of an outer split",)


def test_splits_that_share_a_patient_are_told():
    everyone = np.arange(12)
    splits = [(everyone, np.array([out])) for out in everyone]
    report = guard(RidgeLogistic(), *noise(), splits=splits, seed=1)
    assert "patient 12: on both sides of an outer split" in row(report, "sides").findings


def two_rows_each(n=12, responders=5, seed=3):
    patient = np.repeat(np.arange(n), 2)
    return np.random.default_rng(seed).normal(size=(2 * n, 3)), np.arange(n) < responders, patient


def stacked(inner):
    return StackingClassifier([("ridge", RidgeLogistic())], final_estimator=RidgeLogistic(), cv=inner)


def test_two_rows_of_a_patient_are_left_out_together():
    values, labels, patient = two_rows_each()
    report = guard(RidgeLogistic(), values, labels, patient=patient, seed=1)
    assert report.findings == []
    assert row(report, "sides").folds == 66


def test_inner_splits_by_rows_put_a_patient_on_both_sides():
    values, labels, patient = two_rows_each()
    report = guard(stacked(KFold(3, shuffle=True, random_state=0)), values, labels, patient=patient, seed=1)
    assert caught(report) == {"sides"}
    assert all("on both sides of an inner split" in finding for finding in row(report, "sides").findings)


def test_inner_splits_by_patients_pass():
    values, _, patient = two_rows_each()
    in_order = KFold(2)  # the rows of 10 patients, two each, in order: the cut lies between patients
    report = guard(stacked(in_order), values, np.arange(12) % 2 == 0, patient=patient, seed=1)
    assert report.findings == []
    assert "(66 outer ones, 0 inner" not in row(report, "sides").words


def test_a_nested_ridge_is_told_the_patients_of_its_rows():
    values, labels, patient = two_rows_each()
    assert guard(NestedRidge(penalties=(0.1, 10.0)), values, labels, patient=patient, seed=1).findings == []


# ---- which folds are checked -------------------------------------------------------------------------------------------


def test_every_patient_is_left_out_in_a_checked_fold_of_a_small_study():
    values, labels = noise()
    report = guard(RidgeLogistic(), values, labels, seed=1)
    checked = row(report, "label").folds
    assert 6 <= checked <= 7  # pairs of new patients, as far as both kinds stay in training
    assert f"({checked} of 66 folds)" in row(report, "label").words


def test_of_many_patients_twelve_folds_are_checked_and_all_splits_looked_at():
    values, labels = noise(150, 60)
    report = guard(RidgeLogistic(), values, labels, splits=leave_one_out_splits(150), seed=1)
    assert row(report, "label").folds == 12
    assert row(report, "sides").folds == 150


def test_the_splits_are_those_of_the_validation():
    few, many = np.arange(10) < 3, np.arange(100) < 40
    pairs = [out.tolist() for _, out in validation_splits(few, seed=1)]
    assert pairs == [out.tolist() for _, out in leave_pair_out_splits(10)]
    folds = [out.tolist() for _, out in validation_splits(many, seed=7)]
    drawn = [out.tolist() for repeat in range(10) for _, out in stratified_splits(many, folds=5, seed=[7, 0, repeat])]
    assert folds == drawn


def test_a_fold_with_one_kind_in_training_is_not_tried():
    values, labels = noise(6, 2)
    report = guard(RidgeLogistic(), values, labels, seed=1)
    assert report.findings == []


def test_the_seed_alone_decides():
    first, again = (guard(RidgeLogistic(), *noise(), seed=5) for _ in range(2))
    assert first == again


# ---- what is told ------------------------------------------------------------------------------------------------------


def test_the_first_three_findings_are_named_with_their_patients():
    values, labels = noise()
    report = guard_pipeline(LEAKS["classes swapped"], study(values, labels), splits=leave_pair_out_splits(12), seed=1)
    with pytest.raises(PredictionError, match=r"alive: only 0 of 6 pairs.*fit every step to the training patients"):
        refuse_leaks(report)
    report = guard_pipeline(
        LEAKS["scaled before the split"], study(values, labels), splits=[*leave_one_out_splits(12)][:3], seed=1
    )
    with pytest.raises(PredictionError) as told:
        refuse_leaks(report)
    assert "values: patient P00: what is learnt moves when the left-out values become 1e+06" in str(told.value)
    assert str(told.value).count("patient P") == 3


def test_a_finding_names_the_step_and_whose_row_it_saw():
    values, labels = noise()
    report = guard_pipeline(
        LEAKS["scaled before the split"], study(values, labels), splits=[*leave_one_out_splits(12)][:3], seed=1
    )
    assert row(report, "rows").findings[0] == "patient P00: StandardScaler is fitted to the left-out patient P00"


def test_records_are_plain_values():
    records = guard(RidgeLogistic(), *noise(), seed=1).records()
    assert [set(record) for record in records] == [{"guard", "words", "folds", "findings"}] * len(GUARDS)
    assert all(type(record["folds"]) is int and record["findings"] == [] for record in records)
