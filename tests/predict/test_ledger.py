import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.predict.ledger import Ledger, carried, carried_labels
from rabiomarkers.predict.ridge import RidgeLogistic

PIPELINE = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
TRAINING = np.arange(2, 20)


@pytest.fixture
def rows():
    values = np.random.default_rng(4).normal(size=(20, 3))
    values[5, 1] = np.nan
    return values, np.arange(20) % 2 == 0


def fits(ledger):
    return [handed for handed in ledger.handed if handed.fitted]


def run(estimator, rows):
    """The ledger after the estimator was fitted to rows 2 to 19 and asked about 0 and 1; and what it said."""
    values, labels = rows
    ledger = Ledger(values, TRAINING)
    model = ledger.watch(estimator).fit(carried(values, TRAINING), carried_labels(labels, TRAINING))
    return ledger, model.predict_proba(carried(values, np.array([0, 1])))


@pytest.mark.parametrize(
    "estimator",
    [
        PIPELINE,
        RidgeLogistic(),
        make_pipeline(
            FeatureUnion([("mean", SimpleImputer()), ("median", SimpleImputer(strategy="median"))]), RidgeLogistic()
        ),
        make_pipeline(ColumnTransformer([("scale", StandardScaler(), [0, 2])]), RidgeLogistic()),
    ],
)
def test_every_step_is_seen_with_the_rows_it_is_fitted_to(estimator, rows):
    ledger, _ = run(estimator, rows)
    names = {handed.step.rpartition(".")[2] for handed in fits(ledger)}
    inside = {name for name in estimator.get_params() if hasattr(estimator.get_params()[name], "fit")}
    assert {name.rpartition("__")[2] for name in inside} <= names
    assert all(handed.rows.tolist() == TRAINING.tolist() for handed in fits(ledger))


@pytest.mark.parametrize("estimator", [PIPELINE, RidgeLogistic(), GridSearchCV(RidgeLogistic(), {"penalty": [1, 0.1]})])
def test_a_watched_estimator_says_the_same(estimator, rows):
    values, labels = rows
    plain = clone(estimator).fit(values[TRAINING], labels[TRAINING])
    assert run(estimator, rows)[1] == pytest.approx(plain.predict_proba(values[:2]), abs=1e-12)


@pytest.mark.parametrize(
    "estimator",
    [
        GridSearchCV(PIPELINE, {"logisticregression__C": [1.0]}, cv=KFold(3), n_jobs=2),
        StackingClassifier([("ridge", RidgeLogistic())], cv=KFold(3)),
    ],
)
def test_fits_inside_a_search_and_an_ensemble_are_seen_in_this_process(estimator, rows):
    ledger, _ = run(estimator, rows)
    seen = {tuple(handed.rows.tolist()) for handed in fits(ledger) if handed.rows is not None}
    for first in (2, 8, 14):  # three folds of six rows in order
        assert tuple(row for row in TRAINING.tolist() if not first <= row < first + 6) in seen


def test_plain_numbers_are_known_by_their_values(rows):
    values, labels = rows
    ledger = Ledger(values, TRAINING)
    ledger.watch(RidgeLogistic()).fit(values[[9, 4, 5]], labels[[9, 4, 5]])
    assert ledger.handed[0].rows.tolist() == [9, 4, 5]


def test_of_rows_with_equal_values_one_in_training_is_meant(rows):
    values, labels = rows
    values[0] = values[7]
    ledger = Ledger(values, TRAINING)
    ledger.watch(RidgeLogistic()).fit(values[[0, 4, 5]], labels[[7, 4, 5]])
    assert ledger.handed[0].rows.tolist() == [7, 4, 5]


def test_rows_from_nowhere_are_surplus(rows):
    values, labels = rows
    ledger = Ledger(values, TRAINING)
    ledger.watch(RidgeLogistic()).fit(values[:4] + 1, labels[:4])
    assert [(handed.rows, handed.surplus) for handed in fits(ledger)] == [(None, True)]


def test_new_columns_inside_a_fit_come_from_its_rows(rows):
    ledger, _ = run(StackingClassifier([("ridge", RidgeLogistic())], RidgeLogistic(), cv=KFold(3)), rows)
    final = [handed for handed in fits(ledger) if handed.step.endswith("final_estimator")]
    assert final
    assert not any(handed.surplus for handed in ledger.handed)


def test_the_estimator_itself_is_not_watched(rows):
    values, labels = rows
    estimator = clone(PIPELINE)
    ledger = Ledger(values, TRAINING)
    ledger.watch(estimator)
    estimator.fit(np.nan_to_num(values), labels)
    assert ledger.handed == []
