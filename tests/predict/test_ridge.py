import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.ridge import RidgeLogistic, fit_ridge


def data(patients, features, seed=0, missing=0.0):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(patients, features)) * 10.0 ** generator.integers(-3, 4, features)
    values[generator.random(values.shape) < missing] = np.nan
    labels = generator.permutation(np.arange(patients) < max(2, patients // 3))
    return values, labels


def peer(patients, penalty):
    return make_pipeline(
        SimpleImputer(),
        StandardScaler(),
        LogisticRegression(C=1 / (patients * penalty), solver="newton-cholesky", tol=1e-12, max_iter=500),
    )


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(("patients", "features", "missing"), [(10, 1, 0.0), (10, 5, 0.2), (42, 5, 0.1), (12, 30, 0.1)])
def test_probabilities_are_those_of_scikit_learn(penalty, patients, features, missing):
    values, labels = data(patients, features, missing=missing)
    ours = RidgeLogistic(penalty=penalty).fit(values, labels).predict_proba(values)
    theirs = peer(patients, penalty).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


def test_many_labellings_at_once_are_each_fitted_as_if_alone():
    values, labels = data(12, 3)
    labellings = np.array([np.roll(labels, shift) for shift in range(12)])
    together = fit_ridge(values, labellings, penalty=0.5)
    for row, labelling in enumerate(labellings):
        alone = fit_ridge(values, labelling[None, :], penalty=0.5)
        np.testing.assert_allclose(together.coefficients[row], alone.coefficients[0], atol=1e-8)
        np.testing.assert_allclose(together.intercept[row], alone.intercept[0], atol=1e-8)


def test_chunks_give_the_same_models(monkeypatch):
    values, labels = data(12, 3)
    labellings = np.array([np.roll(labels, shift) for shift in range(12)])
    whole = fit_ridge(values, labellings, penalty=0.5)
    monkeypatch.setattr("rabiomarkers.predict.ridge.CHUNK_NUMBERS", 100)
    np.testing.assert_allclose(fit_ridge(values, labellings, penalty=0.5).parameters, whole.parameters, atol=1e-10)


def test_one_feature_of_two_groups_solves_the_equation_of_the_optimum():
    # z = -1, -1, 1, 1 and labels 0, 0, 1, 1: a = 0 and b = expit(-b) / penalty
    fitted = fit_ridge(np.array([[0.0], [0.0], [2.0], [2.0]]), np.array([[False, False, True, True]]), penalty=1.0)
    slope = fitted.coefficients[0, 0]
    assert slope == pytest.approx(1 / (1 + np.exp(slope)), abs=1e-8)
    assert fitted.intercept[0] == pytest.approx(0, abs=1e-8)


def test_a_constant_feature_has_no_weight_even_where_its_mean_is_rounded():
    values, labels = data(11, 2)
    values[:, 1] = 0.1  # 11 times 0.1 over 11 is not 0.1 in floating point
    fitted = fit_ridge(values, labels[None, :], penalty=1e-3)
    assert fitted.scale[1] == 1.0
    assert abs(fitted.coefficients[0, 1]) < 1e-12


def test_a_feature_missing_in_every_training_patient_has_no_weight():
    values, labels = data(10, 2)
    values[:, 1] = np.nan
    fitted = fit_ridge(values, labels[None, :], penalty=1.0)
    assert fitted.coefficients[0, 1] == 0
    assert np.isfinite(fitted.decision(values)).all()


def test_separable_data_converge_under_a_small_penalty():
    values = np.arange(10.0)[:, None]
    fitted = fit_ridge(values, (np.arange(10) > 6)[None, :], penalty=1e-4)
    assert np.isfinite(fitted.parameters).all()
    assert ((fitted.decision(values)[0] > 0) == (np.arange(10) > 6)).all()


def test_a_step_that_goes_too_far_is_halved():
    """Features with tails so heavy that a whole Newton step raises the loss, found by search."""
    generator = np.random.default_rng(206)
    patients, features = generator.integers(5, 40), generator.integers(1, 4)
    values = generator.standard_cauchy(size=(patients, features)) ** 3
    labels = generator.random(patients) < 0.2
    labels[:2], labels[2:4] = True, False
    ours = RidgeLogistic(penalty=1e-6).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours, peer(patients, 1e-6).fit(values, labels).predict_proba(values), atol=1e-5, rtol=0)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_a_penalty_must_be_positive(penalty):
    with pytest.raises(PredictionError, match="penalty must be above 0"):
        fit_ridge(*[part if part.ndim == 2 else part[None, :] for part in data(10, 2)], penalty=penalty)


def test_one_class_is_refused():
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        fit_ridge(np.zeros((4, 1)), np.ones((1, 4), dtype=bool), penalty=1.0)
    with pytest.raises(ValueError, match="y has 1 class"):
        RidgeLogistic().fit([[0.0], [1.0]], [1, 1])


def test_steps_that_never_end_are_an_error(monkeypatch):
    monkeypatch.setattr("rabiomarkers.predict.ridge.MAXIMUM_STEPS", 1)
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match="did not converge in 1 steps"):
        fit_ridge(values, labels[None, :], penalty=1e-3)


def test_predicted_classes_keep_their_names():
    fitted = RidgeLogistic(penalty=0.1).fit([[0.0], [0.1], [3.0], [3.1]], ["no", "no", "yes", "yes"])
    assert fitted.predict([[0.0], [3.0]]).tolist() == ["no", "yes"]


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
@settings(max_examples=30, deadline=None)
def test_the_unit_of_a_feature_plays_no_part(seed, penalty, shift, factor):
    values, labels = data(10, 2, seed=seed)
    values = np.sign(values) * np.minimum(np.abs(values), 5)
    first = fit_ridge(values, labels[None, :], penalty=penalty).decision(values)
    other = values * factor + shift
    np.testing.assert_allclose(fit_ridge(other, labels[None, :], penalty=penalty).decision(other), first, atol=1e-5)


@parametrize_with_checks([RidgeLogistic()])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
