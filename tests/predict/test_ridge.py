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
from rabiomarkers.predict.learners import learner_of
from rabiomarkers.predict.newton import Stack, intercepts_only, newton
from rabiomarkers.predict.ridge import RidgeLogistic, fit_ridge, fit_ridge_path, standardised


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


def mean_loss(fitted, values, labels, penalty):
    """The objective of the module, by its formula."""
    odds = fitted.decision(values)[0]
    return np.logaddexp(0, np.where(labels, -odds, odds)).mean() + penalty / 2 * (fitted.coefficients[0] ** 2).sum()


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 1.0, 30.0])
@pytest.mark.parametrize(
    ("patients", "features", "missing"),
    [(10, 1, 0.0), (10, 5, 0.2), (42, 5, 0.1), (12, 30, 0.1), (10, 10, 0.0), (10, 9, 0.0), (9, 400, 0.3)],
)
def test_probabilities_are_those_of_scikit_learn(penalty, patients, features, missing):
    values, labels = data(patients, features, missing=missing)
    ours = RidgeLogistic(penalty=penalty).fit(values, labels).predict_proba(values)
    theirs = peer(patients, penalty).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


@given(
    st.integers(0, 10_000),
    st.integers(4, 25),
    st.integers(1, 40),
    st.sampled_from([0.01, 0.15, 2.0, 100.0]),
    st.floats(0, 0.4),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_any_shape_gives_the_probabilities_of_scikit_learn(
    seed, patients, features, penalty, missing, constant, separable
):
    values, labels = data(patients, features, seed=seed, missing=missing)
    if separable:
        values[:, -1] = labels
    values[:, :constant] = 0.1
    values[0] = np.where(np.isnan(values).all(axis=0), 0.0, values[0])  # scikit-learn drops a column of nothing
    ours = RidgeLogistic(penalty=penalty).fit(values, labels).predict_proba(values)
    theirs = peer(patients, penalty).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("features", [3, 50])
def test_a_path_is_a_fit_at_each_penalty_in_the_order_given(features):
    values, labels = data(12, features, missing=0.1)
    labellings = np.array([np.roll(labels, shift) for shift in range(5)])
    penalties = [0.1, 10.0, 0.01]
    path = fit_ridge_path(values, labellings, penalties=penalties)
    assert path.penalties.tolist() == penalties
    for place, penalty in enumerate(penalties):
        alone = fit_ridge(values, labellings, penalty=penalty)
        np.testing.assert_allclose(path.decision(values)[place], alone.decision(values), atol=1e-7)
        np.testing.assert_allclose(path.at(place).by_feature().coefficients, alone.coefficients, atol=1e-7)


def test_weights_by_direction_decide_as_weights_by_feature():
    values, labels = data(8, 60, missing=0.1)
    others, _ = data(5, 60, seed=1, missing=0.1)
    turned = RidgeLogistic(penalty=0.3).fit_many(values, labels[None, :])
    assert turned.theta.shape == (1, 8)  # the intercept and seven directions
    np.testing.assert_allclose(turned.decision(others), turned.by_feature().decision(others), rtol=1e-9, atol=1e-9)


def test_a_last_step_below_the_tolerance_leaves_nothing_that_matters(monkeypatch):
    values, labels = data(20, 30)
    values[:, 0] = labels
    penalties = [100.0, 1.0, 0.01]
    usual = fit_ridge_path(values, labels[None, :], penalties=penalties).decision(values)
    monkeypatch.setattr("rabiomarkers.predict.newton.CONVERGED", 1e-9)
    strict = fit_ridge_path(values, labels[None, :], penalties=penalties).decision(values)
    np.testing.assert_allclose(usual, strict, atol=1e-7)


def test_a_learner_of_the_estimator_fits_all_labellings_as_the_estimator_fits_one():
    values, labels = data(10, 15)
    labellings = np.array([labels, np.roll(labels, 1)])
    together = learner_of(RidgeLogistic(penalty=0.5))(values, labellings).decision(values)
    for row, labelling in enumerate(labellings):
        alone = RidgeLogistic(penalty=0.5).fit(values, labelling).decision_function(values)
        np.testing.assert_allclose(together[row], alone, atol=1e-9)


def test_a_constant_feature_has_no_part_in_a_forecast_whatever_others_hold():
    values, labels = data(6, 20)
    values[:, 3] = 0.1
    fitted = RidgeLogistic().fit_many(values, labels[None, :])
    planted = values.copy()
    planted[:, 3] = 1e6
    np.testing.assert_array_equal(fitted.decision(planted), fitted.decision(values))


def test_training_sets_of_different_sizes_are_standardised_each_by_itself():
    values, _ = data(9, 4, missing=0.2)
    sets = [np.arange(9), np.array([0, 2, 4, 6, 8]), np.array([1, 3, 5])]
    together = standardised(values, sets)
    for place, rows in enumerate(sets):
        alone = standardised(values, [rows])
        np.testing.assert_array_equal(together.centre[place], alone.centre[0])
        np.testing.assert_allclose(together.scale[place], alone.scale[0], rtol=1e-12)
        theirs = make_pipeline(SimpleImputer(), StandardScaler()).fit(values[rows])[-1]
        np.testing.assert_allclose(together.centre[place], theirs.mean_, rtol=1e-9)
        np.testing.assert_allclose(together.scale[place], theirs.scale_, rtol=1e-9)


@pytest.mark.parametrize("features", [3, 30])
def test_no_other_weights_near_by_have_a_lower_loss(features):
    values, labels = data(12, features)
    fitted = fit_ridge(values, labels[None, :], penalty=0.05)
    best = mean_loss(fitted, values, labels, 0.05)
    generator = np.random.default_rng(0)
    for _ in range(50):
        moved = type(fitted)(
            centre=fitted.centre,
            scale=fitted.scale,
            intercept=fitted.intercept + generator.normal(scale=1e-3, size=1),
            coefficients=fitted.coefficients + generator.normal(scale=1e-3, size=(1, features)),
        )
        assert mean_loss(moved, values, labels, 0.05) > best


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
    monkeypatch.setattr("rabiomarkers.predict.newton.CHUNK_NUMBERS", 100)
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


def test_a_step_that_goes_too_far_is_cut():
    """Features with tails so heavy that a whole Newton step raises the loss, found by search."""
    generator = np.random.default_rng(206)
    patients, features = generator.integers(5, 40), generator.integers(1, 4)
    values = generator.standard_cauchy(size=(patients, features)) ** 3
    labels = generator.random(patients) < 0.2
    labels[:2], labels[2:4] = True, False
    ours = RidgeLogistic(penalty=1e-6).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours, peer(patients, 1e-6).fit(values, labels).predict_proba(values), atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_step_lowers_the_loss_from_any_start(seed, monkeypatch):
    """One step from a start that is far off, so that it is cut, against the loss by its formula."""
    generator = np.random.default_rng(seed)
    design = np.column_stack([np.ones(12), generator.standard_cauchy(size=(12, 3))])[None]
    stack = Stack(design=design, weight=np.full((1, 12), 1 / 12))
    labels = (np.arange(12) < 4)[None, None, :]
    start = generator.normal(scale=3, size=(1, 1, 4))

    def loss(theta):
        odds = (theta @ design.transpose(0, 2, 1))[0, 0]
        return np.logaddexp(0, np.where(labels[0, 0], -odds, odds)).mean() + 0.005 * (theta[0, 0, 1:] ** 2).sum()

    monkeypatch.setattr("rabiomarkers.predict.newton.CONVERGED", np.inf)
    assert loss(newton(stack, labels, np.array([0.01]), start)) < loss(start)


def test_intercepts_only_start_at_the_prevalence():
    stack = Stack(design=np.ones((1, 4, 1)), weight=np.full((1, 4), 0.25))
    assert intercepts_only(stack, (np.arange(4) < 1)[None, None, :])[0, 0, 0] == pytest.approx(np.log(1 / 3))


def test_values_that_are_not_finite_are_an_error():
    with pytest.raises(PredictionError, match="infinite values: 1"):
        fit_ridge(np.array([[np.inf], [1.0], [2.0], [3.0]]), np.array([[True, False, True, False]]), penalty=1.0)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan"), float("inf")])
def test_a_penalty_must_be_positive(penalty):
    with pytest.raises(PredictionError, match="penalty must be above 0"):
        fit_ridge(*[part if part.ndim == 2 else part[None, :] for part in data(10, 2)], penalty=penalty)


def test_a_path_of_no_penalties_is_refused():
    with pytest.raises(PredictionError, match="needs one penalty at least"):
        fit_ridge_path(np.zeros((2, 1)), np.array([[True, False]]), penalties=[])


def test_one_class_is_refused():
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        fit_ridge(np.zeros((4, 1)), np.ones((1, 4), dtype=bool), penalty=1.0)
    with pytest.raises(ValueError, match="y has 1 class"):
        RidgeLogistic().fit([[0.0], [1.0]], [1, 1])


def test_steps_that_never_end_are_an_error(monkeypatch):
    monkeypatch.setattr("rabiomarkers.predict.newton.MAXIMUM_STEPS", 1)
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
