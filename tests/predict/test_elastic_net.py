import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict import elastic_net
from rabiomarkers.predict.elastic_net import fit_elastic_net
from rabiomarkers.predict.ridge import fit_ridge


def data(patients, features, seed=0, missing=0.0, effect=0.0):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(patients) < max(2, patients // 3))
    values = generator.normal(size=(patients, features))
    values[:, 0] += effect * labels
    values[generator.random(values.shape) < missing] = np.nan
    values[0] = np.nan_to_num(values[0])  # scikit-learn drops a column of nothing
    return values * 10.0 ** generator.integers(-3, 4, features), labels


def peer(patients, penalty, l1_ratio):
    return make_pipeline(
        SimpleImputer(),
        StandardScaler(),
        LogisticRegression(
            solver="saga",
            l1_ratio=l1_ratio,
            C=1 / (patients * penalty),
            tol=1e-10,
            max_iter=100_000,
            random_state=0,
        ),
    )


@pytest.mark.parametrize(("penalty", "l1_ratio"), [(1.0, 0.1), (0.1, 0.5), (0.1, 1.0), (0.5, 0.0)])
@pytest.mark.parametrize(("patients", "features", "missing"), [(10, 1, 0.0), (10, 5, 0.2), (42, 5, 0.1), (12, 30, 0.1)])
def test_weights_are_those_of_scikit_learn(penalty, l1_ratio, patients, features, missing):
    values, labels = data(patients, features, missing=missing, effect=1.0)
    ours = fit_elastic_net(values, labels[None, :], penalty=penalty, l1_ratio=l1_ratio)
    theirs = peer(patients, penalty, l1_ratio).fit(values, labels)[-1]
    np.testing.assert_allclose(ours.coefficients[0], theirs.coef_[0], atol=1e-6)
    np.testing.assert_allclose(ours.intercept[0], theirs.intercept_[0], atol=1e-6)


@given(
    st.integers(0, 10_000),
    st.integers(4, 25),
    st.integers(1, 40),
    st.sampled_from([0.03, 0.3, 2.0]),
    st.sampled_from([0.0, 0.1, 0.24]),
    st.floats(0, 0.4),
)
@settings(max_examples=40, deadline=None)
def test_any_shape_meets_the_conditions_of_the_optimum(seed, patients, features, penalty, l1_ratio, missing):
    """The slope of the loss is 0 for the intercept, and meets the penalty's for each weight, or stays below it at weight 0."""
    values, labels = data(patients, features, seed=seed, missing=missing, effect=seed % 3)
    fitted = fit_elastic_net(values, labels[None, :], penalty=penalty, l1_ratio=l1_ratio)
    scaled = np.where(np.isnan(values), 0.0, (values - fitted.centre) / fitted.scale)
    unexplained = 1 / (1 + np.exp(-fitted.decision(values)[0])) - labels
    weights, slopes = fitted.coefficients[0], unexplained @ scaled / patients
    assert abs(unexplained.mean()) < 1e-8
    lasso, ridge = penalty * l1_ratio, penalty * (1 - l1_ratio)
    weighted = weights != 0
    np.testing.assert_allclose((slopes + ridge * weights + lasso * np.sign(weights))[weighted], 0.0, atol=1e-8)
    assert (np.abs(slopes[~weighted]) <= lasso + 1e-8).all()


@given(st.integers(0, 10_000), st.integers(4, 12), st.integers(1, 15))
@settings(max_examples=20, deadline=None)
def test_many_labellings_at_once_are_each_fitted_as_if_alone(seed, patients, features):
    values, labels = data(patients, features, seed=seed)
    labellings = np.array([np.roll(labels, shift) for shift in range(patients)])
    together = fit_elastic_net(values, labellings, penalty=0.2, l1_ratio=0.3)
    for row, labelling in enumerate(labellings):
        alone = fit_elastic_net(values, labelling[None, :], penalty=0.2, l1_ratio=0.3)
        np.testing.assert_allclose(together.coefficients[row], alone.coefficients[0], atol=1e-8)
        np.testing.assert_allclose(together.intercept[row], alone.intercept[0], atol=1e-8)


def test_without_a_part_on_absolute_weights_it_is_the_ridge():
    values, labels = data(12, 5)
    ours = fit_elastic_net(values, labels[None, :], penalty=0.3, l1_ratio=0.0)
    np.testing.assert_allclose(ours.parameters, fit_ridge(values, labels[None, :], penalty=0.3).parameters, atol=1e-7)


def test_a_feature_has_a_weight_only_where_its_covariance_with_response_exceeds_the_threshold():
    # one standardised feature, 1 of 2 groups of two: covariance 1/2 with the response; the threshold is penalty * l1_ratio
    values, labels = np.array([[0.0], [0.0], [2.0], [2.0]]), np.array([[False, False, True, True]])
    just = fit_elastic_net(values, labels, penalty=1.0, l1_ratio=0.499)
    assert 0 < just.coefficients[0, 0] < 0.01
    # b solves expit(-b) = 0.25 + 0.75 b
    weight = fit_elastic_net(values, labels, penalty=1.0, l1_ratio=0.25).coefficients[0, 0]
    assert 1 / (1 + np.exp(weight)) == pytest.approx(0.25 + 0.75 * weight, abs=1e-8)


def test_a_part_on_absolute_weights_that_no_covariance_can_exceed_is_refused():
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match=r"penalty 1 and l1_ratio 0.5 no feature can have a weight.*below 0.5"):
        fit_elastic_net(values, labels[None, :], penalty=1.0, l1_ratio=0.5)


@pytest.mark.parametrize("l1_ratio", [-0.1, 1.1, float("nan")])
def test_the_l1_ratio_is_a_share(l1_ratio):
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match="is a share, 0 to 1"):
        fit_elastic_net(values, labels[None, :], penalty=0.1, l1_ratio=l1_ratio)


def test_a_penalty_must_be_positive():
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match="penalty must be above 0"):
        fit_elastic_net(values, labels[None, :], penalty=0.0, l1_ratio=0.1)


def test_one_class_is_refused():
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        fit_elastic_net(np.zeros((4, 1)), np.ones((1, 4), dtype=bool), penalty=1.0, l1_ratio=0.1)


def test_a_constant_feature_has_no_part_in_a_forecast_whatever_others_hold():
    values, labels = data(11, 3)
    values[:, 1] = 0.1  # 11 times 0.1 over 11 is not 0.1 in floating point
    values[:, 2] = np.nan
    fitted = fit_elastic_net(values, labels[None, :], penalty=1e-2, l1_ratio=0.0)
    planted = values.copy()
    planted[:, 1:] = 1e9
    np.testing.assert_array_equal(fitted.decision(planted), fitted.decision(values))


def test_chunks_give_the_same_models(monkeypatch):
    values, labels = data(12, 3)
    labellings = np.array([np.roll(labels, shift) for shift in range(12)])
    whole = fit_elastic_net(values, labellings, penalty=0.5, l1_ratio=0.1)
    monkeypatch.setattr(elastic_net, "CHUNK_NUMBERS", 30)
    parts = fit_elastic_net(values, labellings, penalty=0.5, l1_ratio=0.1)
    np.testing.assert_allclose(parts.parameters, whole.parameters, atol=1e-9)


def test_no_labelling_gives_no_model():
    fitted = fit_elastic_net(np.zeros((4, 2)), np.empty((0, 4), dtype=bool), penalty=1.0, l1_ratio=0.1)
    assert fitted.coefficients.shape == (0, 2)


def test_steps_that_never_end_are_an_error(monkeypatch):
    monkeypatch.setattr(elastic_net, "MAXIMUM_STEPS", 2)
    values, labels = data(10, 2)
    with pytest.raises(PredictionError, match="did not converge in 2 steps; use a larger penalty"):
        fit_elastic_net(values, labels[None, :], penalty=1e-3, l1_ratio=0.1)
