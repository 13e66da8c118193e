"""Firth's logistic regression against R's brglm2 (`tests/reference/firth.R`), firthmodels, and what can be said by hand."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from firthmodels import FirthLogisticRegression
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict import firth
from rabiomarkers.predict.firth import fit_firth

CASES = pd.read_csv(Path(__file__).parents[1] / "reference" / "firth.csv").to_dict("records")


def data(patients, features, seed=0, responders=None):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(patients, features)) * 10.0 ** generator.integers(-3, 4, features)
    return values, generator.permutation(np.arange(patients) < (responders or max(1, patients // 3)))


def in_own_units(fitted, row=0):
    """Intercept and weights by unit of each feature."""
    weights = fitted.coefficients[row] / fitted.scale
    return np.array([fitted.intercept[row] - weights @ fitted.centre, *weights])


def peer(values, labels):
    return FirthLogisticRegression(backend="numpy", gtol=1e-7, xtol=1e-7, max_iter=5000).fit(values, labels)


def penalised_likelihood(theta, scaled, labels):
    """log likelihood + 1/2 log det(X' W X), by its formula; theta holds the intercept first."""
    design = np.column_stack([np.ones(len(scaled)), scaled])
    odds = design @ theta
    probability = 1 / (1 + np.exp(-odds))
    information = (design.T * probability * (1 - probability)) @ design
    return -np.logaddexp(0, np.where(labels, -odds, odds)).sum() + 0.5 * np.linalg.slogdet(information)[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_weights_are_those_of_r(case):
    labels = np.array(case["responders"].split()) == "1"
    values = np.array([float(value) for value in case["features"].split()]).reshape(-1, len(labels)).T
    expected = [float(weight) for weight in case["weights"].split()]
    np.testing.assert_allclose(in_own_units(fit_firth(values, labels[None, :])), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("patients", "features"), [(8, 1), (8, 3), (38, 1), (38, 5), (120, 12)])
def test_weights_are_those_of_firthmodels(patients, features):
    values, labels = data(patients, features)
    fitted = fit_firth(values, labels[None, :])
    theirs = peer((values - fitted.centre) / fitted.scale, labels)
    np.testing.assert_allclose(fitted.coefficients[0], theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(fitted.intercept[0], theirs.intercept_, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(6, 30), st.integers(1, 4), st.booleans())
@settings(max_examples=30, deadline=None)
def test_any_shape_gives_the_weights_of_firthmodels(seed, patients, features, separable):
    values, labels = data(patients, features, seed=seed)
    if separable:
        values[:, 0] += 100 * labels * values[:, 0].std()
    fitted = fit_firth(values, labels[None, :])
    theirs = peer((values - fitted.centre) / fitted.scale, labels)
    assume(theirs.converged_)
    # firthmodels stops at a score of 1e-7, so its own last digits are free
    np.testing.assert_allclose(fitted.coefficients[0], theirs.coef_, atol=1e-5, rtol=1e-5)


@given(st.integers(0, 10_000), st.integers(4, 12), st.integers(1, 15))
@settings(max_examples=20, deadline=None)
def test_many_labellings_at_once_are_each_fitted_as_if_alone(seed, patients, features):
    values, labels = data(patients, features, seed=seed)
    labellings = np.array([np.roll(labels, shift) for shift in range(patients)])
    together = fit_firth(values, labellings)
    for row, labelling in enumerate(labellings):
        alone = fit_firth(values, labelling[None, :])
        np.testing.assert_allclose(together.coefficients[row], alone.coefficients[0], atol=1e-7)
        np.testing.assert_allclose(together.intercept[row], alone.intercept[0], atol=1e-7)


@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_unit_of_a_feature_plays_no_part(seed, shift, factor):
    generator = np.random.default_rng(seed)
    values, labels = generator.normal(size=(10, 2)), np.arange(10) < 3
    first = fit_firth(values, labels[None, :]).decision(values)
    other = values * factor + shift
    np.testing.assert_allclose(fit_firth(other, labels[None, :]).decision(other), first, atol=1e-5)


@given(st.integers(0, 10_000), st.integers(6, 20), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_no_other_weights_near_by_have_a_higher_penalised_likelihood(seed, patients, features):
    values, labels = data(patients, features, seed=seed)
    fitted = fit_firth(values, labels[None, :])
    scaled, theta = (values - fitted.centre) / fitted.scale, np.array([fitted.intercept[0], *fitted.coefficients[0]])
    best = penalised_likelihood(theta, scaled, labels)
    for move in np.random.default_rng(seed).normal(scale=1e-3, size=(30, 1 + features)):
        assert penalised_likelihood(theta + move, scaled, labels) < best


def test_two_groups_have_log_odds_of_counts_with_one_half_added():
    # 2 of 3 respond with the feature, 1 of 7 without: log(2.5 / 1.5) and log(1.5 / 6.5)
    values = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0.0])[:, None]
    odds = fit_firth(values, (np.arange(10) < 3)[None, :]).decision(np.array([[1.0], [0.0]]))[0]
    np.testing.assert_allclose(odds, [np.log(2.5 / 1.5), np.log(1.5 / 6.5)], atol=1e-9)


def test_features_that_do_not_vary_leave_the_share_of_responders_with_one_half_added():
    values = np.column_stack([np.full(11, 0.1), np.full(11, np.nan)])
    fitted = fit_firth(values, (np.arange(11) < 3)[None, :])
    assert fitted.intercept[0] == pytest.approx(np.log(3.5 / 8.5), abs=1e-9)
    np.testing.assert_array_equal(fitted.coefficients, 0.0)


@pytest.mark.parametrize("features", [7, 8, 40])
def test_as_many_features_as_patients_give_each_patient_log_odds_of_three(features):
    # a weight of their own for everybody: (1 + 1/2) / (0 + 1/2)
    values, labels = data(8, features)
    fitted = fit_firth(values, labels[None, :])
    np.testing.assert_allclose(fitted.decision(values)[0], np.where(labels, 1, -1) * np.log(3), atol=1e-8)


def test_a_feature_that_is_there_twice_forecasts_as_once():
    values, labels = data(12, 2)
    twice = fit_firth(np.column_stack([values, values[:, 0]]), labels[None, :])
    np.testing.assert_allclose(
        twice.decision(np.column_stack([values, values[:, 0]])),
        fit_firth(values, labels[None, :]).decision(values),
        atol=1e-8,
    )
    assert twice.coefficients[0, 0] == pytest.approx(twice.coefficients[0, 2])


def test_a_missing_value_counts_as_the_mean_of_the_others():
    values, labels = data(12, 2)
    missing = values.copy()
    missing[3, 0] = np.nan
    filled = missing.copy()
    filled[3, 0] = np.nanmean(missing[:, 0])
    np.testing.assert_allclose(
        fit_firth(missing, labels[None, :]).coefficients, fit_firth(filled, labels[None, :]).coefficients, atol=1e-8
    )


def test_a_constant_feature_has_no_part_in_a_forecast_whatever_others_hold():
    values, labels = data(8, 3)
    values[:, 1] = 0.1
    fitted = fit_firth(values, labels[None, :])
    planted = values.copy()
    planted[:, 1] = 1e9
    np.testing.assert_array_equal(fitted.decision(planted), fitted.decision(values))


@pytest.mark.parametrize("seed", [57, 60, 171])
def test_outliers_and_flat_likelihoods_are_fitted_all_the_same(seed):
    """Cauchy features, so that first-order steps alone crawl: the score at the end is checked by its formula."""
    generator = np.random.default_rng(seed)
    values = generator.standard_cauchy(size=(26, 12))
    labellings = np.array([generator.permutation(np.arange(26) < 6) for _ in range(100)])
    fitted = fit_firth(values, labellings)
    design = np.column_stack([np.ones(26), (values - fitted.centre) / fitted.scale])
    for row, labels in enumerate(labellings):
        probability = 1 / (1 + np.exp(-design @ np.array([fitted.intercept[row], *fitted.coefficients[row]])))
        root = design * np.sqrt(probability * (1 - probability))[:, None]
        leverage = (np.linalg.qr(root)[0] ** 2).sum(axis=1)
        np.testing.assert_allclose(
            (labels - probability + leverage * (0.5 - probability)) @ design, np.zeros(13), atol=1e-6
        )


def test_exact_steps_lead_where_the_others_do(monkeypatch):
    values, labels = data(30, 4)
    usual = fit_firth(values, labels[None, :])
    monkeypatch.setattr(firth, "PATIENCE", 0)
    exact = fit_firth(values, labels[None, :])
    np.testing.assert_allclose(exact.parameters, usual.parameters, atol=1e-8)
    assert not np.array_equal(exact.parameters, usual.parameters)  # they were taken


def test_chunks_and_products_that_are_not_kept_give_the_same_models(monkeypatch):
    values, _ = data(12, 3)
    labellings = np.array([np.isin(np.arange(12), chosen) for chosen in combinations(range(12), 2)])
    whole = fit_firth(values, labellings)
    monkeypatch.setattr(firth, "CHUNK_NUMBERS", 100)
    monkeypatch.setattr(firth, "MOST_PRODUCTS", 0)
    np.testing.assert_allclose(fit_firth(values, labellings).parameters, whole.parameters, atol=1e-8)


def test_no_labelling_gives_no_model():
    assert fit_firth(np.zeros((4, 2)), np.empty((0, 4), dtype=bool)).coefficients.shape == (0, 2)


def test_one_class_is_refused():
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        fit_firth(np.zeros((4, 1)), np.ones((1, 4), dtype=bool))


def test_values_that_are_not_finite_are_an_error():
    with pytest.raises(PredictionError, match="infinite values: 1"):
        fit_firth(np.array([[np.inf], [1.0], [2.0]]), np.array([[True, False, True]]))


def test_steps_that_never_end_are_an_error(monkeypatch):
    monkeypatch.setattr(firth, "MAXIMUM_STEPS", 1)
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match="did not converge in 1 steps"):
        fit_firth(values, labels[None, :])
