import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.classifiers import (
    ElasticNetLogistic,
    FirthLogistic,
    InterceptOnly,
    SignatureLogistic,
    boosting,
)
from rabiomarkers.predict.elastic_net import fit_elastic_net
from rabiomarkers.predict.firth import fit_firth

ESTIMATORS = [InterceptOnly(), FirthLogistic(), SignatureLogistic(feature=0), ElasticNetLogistic(penalty=0.1)]


def data(patients=12, features=3, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(patients, features))
    values[generator.random(values.shape) < 0.1] = np.nan
    return values, generator.permutation(np.arange(patients) < patients // 3)


@parametrize_with_checks(ESTIMATORS)
def test_each_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@given(st.sampled_from(ESTIMATORS), st.integers(0, 10_000), st.integers(4, 20), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_all_labellings_at_once_are_fitted_as_each_alone(estimator, seed, patients, features):
    values, labels = data(patients, features, seed=seed)
    labellings = np.array([labels, np.roll(labels, 1), ~labels])
    together = estimator.fit_many(values, labellings).decision(values)
    for row, labelling in enumerate(labellings):
        alone = estimator.fit(values, labelling).decision_function(values)
        np.testing.assert_allclose(together[row], alone, atol=1e-6)


def test_the_model_that_knows_no_feature_forecasts_the_share_of_responders():
    values, labels = data()
    fitted = InterceptOnly().fit(values, labels)
    np.testing.assert_allclose(fitted.predict_proba(np.full((2, 3), 1e6)), [[2 / 3, 1 / 3]] * 2, rtol=1e-12)


def test_the_model_that_knows_no_feature_refuses_one_class():
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        InterceptOnly().fit_many(np.zeros((3, 1)), np.ones((1, 3), dtype=bool))


def test_the_firth_classifier_is_the_firth_fit():
    values, labels = data()
    own = fit_firth(values, labels[None, :])
    fitted = FirthLogistic().fit(values, labels)
    np.testing.assert_array_equal(fitted.coef_, own.coefficients)
    np.testing.assert_array_equal(fitted.decision_function(values), own.decision(values)[0])


def test_the_elastic_net_classifier_is_the_elastic_net_fit():
    values, labels = data()
    own = fit_elastic_net(values, labels[None, :], penalty=0.2, l1_ratio=0.3)
    fitted = ElasticNetLogistic(penalty=0.2, l1_ratio=0.3).fit(values, labels)
    np.testing.assert_array_equal(fitted.decision_function(values), own.decision(values)[0])


def test_the_defaults_of_the_elastic_net_give_a_planted_feature_a_weight_and_most_noise_none():
    generator = np.random.default_rng(1)
    values, labels = generator.normal(size=(200, 20)), np.arange(200) < 80
    values[:, 4] += labels
    weights = ElasticNetLogistic().fit(values, labels).coef_[0]
    assert np.flatnonzero(weights).tolist() == [4]


@pytest.mark.parametrize("feature", range(3))
def test_a_signature_is_firth_on_its_column_and_blind_to_the_others(feature):
    values, labels = data()
    fitted = SignatureLogistic(feature=feature).fit(values, labels)
    own = fit_firth(values[:, [feature]], labels[None, :])
    np.testing.assert_allclose(fitted.decision_function(values), own.decision(values[:, [feature]])[0], rtol=1e-12)
    assert np.flatnonzero(fitted.coef_[0]).tolist() == [feature]
    others = np.where(np.arange(3) == feature, values, 1e9)
    np.testing.assert_array_equal(fitted.decision_function(others), fitted.decision_function(values))


def test_a_signature_is_finite_where_it_separates():
    values = np.arange(10.0)[:, None]
    fitted = SignatureLogistic().fit(values, np.arange(10) > 6)
    assert np.isfinite(fitted.coef_).all()
    assert (fitted.predict(values) == (np.arange(10) > 6)).all()


def test_a_signature_refuses_columns_of_which_none_is_named():
    values, labels = data()
    with pytest.raises(PredictionError, match=r"takes the one column named beforehand; it was given 3\."):
        SignatureLogistic().fit(values, labels)


@pytest.mark.parametrize("feature", [-1, 3])
def test_a_signature_that_is_not_there_is_refused(feature):
    values, labels = data()
    with pytest.raises(PredictionError, match=r"The signature is column .*there are 3 columns"):
        SignatureLogistic(feature=feature).fit(values, labels)


def test_boosting_takes_missing_values_and_gives_the_same_model_twice():
    generator = np.random.default_rng(3)
    values = generator.normal(size=(240, 4))
    labels = values[:, 0] * values[:, 1] > 0  # features that only tell together
    values[generator.random(values.shape) < 0.05] = np.nan
    first, again = (boosting().fit(values[:200], labels[:200]).predict_proba(values[200:]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert ((first[:, 1] > 0.5) == labels[200:]).mean() > 0.7
