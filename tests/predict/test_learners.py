import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.predict.learners import distinct, learner_of, learnt, log_odds, one_by_one
from rabiomarkers.predict.ridge import RidgeLogistic


@pytest.fixture
def noise():
    generator = np.random.default_rng(5)
    return generator.normal(size=(12, 3)), generator.permutation(np.arange(12) < 5)


def test_one_by_one_is_the_estimator_fitted_to_each_labelling(noise):
    values, labels = noise
    estimator = make_pipeline(StandardScaler(), LogisticRegression())
    labellings = np.array([labels, ~labels, np.roll(labels, 1)])
    fitted = one_by_one(estimator)(values, labellings)
    for row, labelling in enumerate(labellings):
        alone = estimator.fit(values, labelling).decision_function(values)
        np.testing.assert_allclose(fitted.decision(values)[row], alone, atol=1e-9)


def test_the_estimator_itself_is_left_unfitted(noise):
    values, labels = noise
    estimator = LogisticRegression()
    one_by_one(estimator)(values, labels[None, :])
    assert not hasattr(estimator, "coef_")


def test_a_learner_takes_the_way_of_many_labellings_where_there_is_one(noise):
    values, labels = noise
    many, single = learner_of(RidgeLogistic()), one_by_one(RidgeLogistic())
    assert many.__name__ == "fit_many"
    np.testing.assert_allclose(
        many(values, labels[None, :]).decision(values), single(values, labels[None, :]).decision(values), atol=1e-9
    )
    assert learner_of(LogisticRegression()).__name__ == "learn"


def test_no_labellings_give_no_models(noise):
    values, _ = noise
    fitted = one_by_one(LogisticRegression())(values, np.empty((0, 12), dtype=bool))
    assert fitted.decision(values).shape == (0, 12)
    assert fitted.parameters.shape == (0,)


@given(
    st.lists(
        st.lists(st.booleans(), min_size=6, max_size=6).filter(lambda row: 0 < sum(row) < 6), min_size=1, max_size=12
    )
)
def test_distinct_fits_each_labelling_once_and_changes_no_score(rows):
    labellings = np.array(rows)
    values = np.random.default_rng(1).normal(size=(6, 2))
    asked = []

    def learn(values, labellings):
        asked.append(len(labellings))
        return RidgeLogistic().fit_many(values, labellings)

    found = distinct(learn)(values, labellings)
    assert asked == [len({tuple(row) for row in rows})]
    np.testing.assert_allclose(
        found.decision(values), RidgeLogistic().fit_many(values, labellings).decision(values), atol=1e-9
    )
    assert len(found.parameters)


def test_certain_forecasts_have_finite_log_odds():
    model = DummyClassifier(strategy="most_frequent").fit([[0.0], [1.0], [2.0]], [False, True, True])
    assert log_odds(model, np.zeros((1, 1)))[0] == pytest.approx(np.log(1e15), abs=0.2)


@given(arrays(np.float64, 5, elements=st.floats(0.01, 0.99)))
def test_log_odds_are_those_of_the_second_class(probability):
    class Fixed:
        def predict_proba(self, values):
            return np.column_stack([1 - probability, probability])

    np.testing.assert_allclose(log_odds(Fixed(), np.zeros((5, 1))), np.log(probability / (1 - probability)), atol=1e-12)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(n_estimators=3, random_state=0),
        HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, early_stopping=False, random_state=0),
    ],
    ids=["pipeline", "forest", "boosting"],
)
def test_what_was_learnt_tells_other_labels_and_is_the_same_for_the_same(estimator, noise):
    values, labels = noise
    other = ~labels
    first, again, changed = (
        one_by_one(estimator)(values, each[None, :]).parameters for each in (labels, labels, other)
    )
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(changed) or not np.array_equal(first, changed)


def test_what_was_learnt_holds_the_trees_of_a_boosting(noise):
    values, labels = noise
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, early_stopping=False).fit(values, labels)
    leaves = model._predictors[0][0].nodes["value"]
    assert set(leaves) <= set(learnt(model))


def test_what_was_learnt_reaches_into_the_steps_of_a_pipeline(noise):
    values, labels = noise
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(values, labels)
    assert {*model[0].mean_, *model[1].coef_[0]} <= set(learnt(model))


def test_a_thing_that_holds_no_numbers_learnt_nothing():
    assert learnt("words").shape == (0,)


def test_what_is_learnt_holds_no_time_of_the_clock():
    generator = np.random.default_rng(1)
    values, labels = generator.normal(size=(20, 3)), np.arange(20) < 8
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    first, again = (learnt(clone(search).fit(values, labels)) for _ in range(2))
    assert np.array_equal(first, again, equal_nan=True)
