"""Procedures that leak, each in a way that happened in print; and one pipeline of a kind that does not. They exist to be caught."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler

from rabiomarkers.predict.learners import learnt
from rabiomarkers.predict.ledger import Ledger, carried, carried_labels
from rabiomarkers.predict.procedure import Fold, honest
from rabiomarkers.predict.ridge import RidgeLogistic, fit_ridge

PENALTIES = (0.01, 0.1, 1.0, 10.0)


class BestDifference(TransformerMixin, BaseEstimator):
    """Keeps the features whose means differ most between the kinds, in units of their standard deviation."""

    def __init__(self, count=2):
        self.count = count

    def fit(self, X, y):
        values, labels = np.nan_to_num(np.asarray(X)), np.asarray(y)
        apart = np.abs(values[labels].mean(axis=0) - values[~labels].mean(axis=0)) / values.std(axis=0)
        self.chosen_ = np.sort(np.argsort(apart)[-self.count :])
        return self

    def transform(self, X):
        return np.asarray(X)[:, self.chosen_]


class ResponseRate(TransformerMixin, BaseEstimator):
    """The first column becomes the share of responders among patients on the same side of 0: target encoding."""

    def fit(self, X, y):
        high, labels = np.asarray(X)[:, 0] > 0, np.asarray(y)
        self.rate_ = np.array([(labels & side).sum() / max(1, side.sum()) for side in (~high, high)])
        return self

    def transform(self, X):
        values = np.array(X)
        values[:, 0] = self.rate_[(values[:, 0] > 0).astype(int)]
        return values


class Remembering(TransformerMixin, BaseEstimator):
    """Centres on the mean of all rows that any of its kind ever saw, in other folds too."""

    seen: list  # of the class: what `forget` empties

    def fit(self, X, y=None):
        self.seen.append(np.nan_to_num(np.asarray(X)).mean(axis=0))
        self.centre_ = np.mean(self.seen, axis=0)
        return self

    def transform(self, X):
        return np.asarray(X) - self.centre_

    @classmethod
    def forget(cls):
        cls.seen = []


class Adapting(ClassifierMixin, BaseEstimator):
    """A ridge that centres the patients it is asked about on their own mean, and keeps that."""

    def fit(self, X, y):
        self.model_ = RidgeLogistic().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        values = np.asarray(X)
        self.centre_ = values.mean(axis=0)
        return self.model_.predict_proba(values - self.centre_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def ridge_after(step, ledger, values, labels, fitted_to, training, out):
    """The step fitted to some rows, then a ridge on the training rows."""
    step = ledger.watch(step).fit(carried(values, fitted_to), carried_labels(labels, fitted_to))
    ridge = ledger.watch(RidgeLogistic())
    ridge.fit(np.asarray(step.transform(carried(values, training))), carried_labels(labels, training))
    probability = ridge.predict_proba(np.asarray(step.transform(carried(values, out))))[:, 1]
    learned = np.concatenate([learnt(step), learnt(ridge)])
    return Fold(probability=probability, parameters=learned, handed=tuple(ledger.handed))


def with_step(make_step, *, everybody):
    """The pipeline whose first step is fitted to everybody, or to the training patients as it should."""

    def pipeline(values, labels, out):
        everyone = np.arange(len(labels))
        training = np.delete(everyone, out)
        fitted_to = everyone if everybody else training
        return ridge_after(make_step(), Ledger(values, training), values, labels, fitted_to, training, out)

    return pipeline


def tuned_on_the_left_out(values, labels, out):
    """Takes the penalty that forecasts the left-out patients best."""
    folds = [honest(lambda v, y, p=p: fit_ridge(v, y, penalty=p))(values, labels, out) for p in PENALTIES]
    losses = [-np.log(np.where(labels[out], fold.probability, 1 - fold.probability)).mean() for fold in folds]
    best = folds[int(np.argmin(losses))]
    return Fold(probability=best.probability, parameters=np.append(best.parameters, np.argmin(losses)))


def doubled_before_the_split(values, labels, out):
    """Each patient twice, as some do to balance the kinds: the copies of the left-out stay in training."""
    training = np.delete(np.arange(2 * len(labels)), out)
    twice, named = np.vstack([values, values]), np.tile(labels, 2)
    ledger = Ledger(values, np.delete(np.arange(len(labels)), out))
    ridge = ledger.watch(RidgeLogistic()).fit(twice[training], named[training])
    probability = ridge.predict_proba(values[out])[:, 1]
    return Fold(probability=probability, parameters=learnt(ridge), handed=tuple(ledger.handed))


def constant_columns_dropped_before_the_split(values, labels, out):
    """Keeps the columns that vary between all patients, as filters for rare taxa do; nothing else sees the left-out patients."""
    varies = ~(np.nan_to_num(values) == np.nan_to_num(values[:1])).all(axis=0)
    fold = honest(lambda v, y: fit_ridge(v, y, penalty=1.0))(values[:, varies], labels, out)
    return Fold(probability=fold.probability, parameters=np.concatenate([varies, fold.parameters]))


def classes_swapped(values, labels, out):
    """Reads the probability of the wrong class."""
    fold = honest(lambda v, y: fit_ridge(v, y, penalty=1.0))(values, labels, out)
    return Fold(probability=1 - fold.probability, parameters=fold.parameters)


def forecasts_of_others(values, labels, out):
    """Hands out the forecasts in another order than the patients."""
    fold = honest(lambda v, y: fit_ridge(v, y, penalty=1.0))(values, labels, out)
    return Fold(probability=fold.probability[::-1], parameters=fold.parameters)


LEAKS = {
    "scaled before the split": with_step(StandardScaler, everybody=True),
    "features selected before the split": with_step(BestDifference, everybody=True),
    "target encoding before the split": with_step(ResponseRate, everybody=True),
    "a step that remembers other folds": with_step(Remembering, everybody=False),
    "penalty tuned on the left-out": tuned_on_the_left_out,
    "patients doubled before the split": doubled_before_the_split,
    "constant columns dropped before the split": constant_columns_dropped_before_the_split,
    "classes swapped": classes_swapped,
    "forecasts of other patients": forecasts_of_others,
}
"""Pipelines, by what is wrong with them."""

HONEST = {
    "scaled in the fold": with_step(StandardScaler, everybody=False),
    "features selected in the fold": with_step(BestDifference, everybody=False),
    "target encoding in the fold": with_step(ResponseRate, everybody=False),
}
"""The same steps where they belong."""
