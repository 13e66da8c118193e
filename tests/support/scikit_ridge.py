"""The ridge of `rabiomarkers.predict` made of scikit-learn's parts: what ours must equal, and be faster than."""

from itertools import combinations

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class ScikitRidge(LogisticRegression):
    """Ridge whose C follows from the penalty and the number of patients it is given."""

    def __init__(self, weight=1.0):
        super().__init__(solver="newton-cholesky", tol=1e-12, max_iter=500)
        self.weight = weight

    def fit(self, X, y):
        self.C = 1 / (len(X) * self.weight)
        return super().fit(X, y)


def scikit_ridge(weight=1.0):
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), ScikitRidge(weight))


def odds_loss(labels, odds):
    """Mean log loss, by log odds: a forecast of 1 - 1e-14 has two digits left as a probability. None costs more than 1e-15 does."""
    return np.logaddexp(0, np.where(labels, -1, 1) * np.clip(odds, np.log(1e-15), -np.log(1e-15))).mean()


def grid_search(penalties, splits):
    """Chooses the penalty on these inner splits; the largest comes first, so that it wins ties."""
    return GridSearchCV(
        scikit_ridge(),
        {"scikitridge__weight": sorted(penalties, reverse=True)},
        scoring=make_scorer(odds_loss, response_method="decision_function", greater_is_better=False),
        cv=splits,
    )


class LeavePairOut:
    """Each pair of a responder and another patient left out once."""

    def split(self, X, y, groups=None):
        for pair in combinations(range(len(y)), 2):
            if y[pair[0]] != y[pair[1]]:
                yield np.delete(np.arange(len(y)), pair), np.array(pair)

    def get_n_splits(self, X, y, groups=None):
        return int(np.sum(y)) * int(np.sum(~y))
