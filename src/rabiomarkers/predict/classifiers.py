"""Small classifiers of two classes, each of which fills missing values and standardises by itself, inside `fit`."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import Tags

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.elastic_net import fit_elastic_net
from rabiomarkers.predict.firth import fit_firth
from rabiomarkers.predict.learners import Flags, Matrix, training_data
from rabiomarkers.predict.ridge import LinearOdds, RidgeFit, require_two_classes


class InterceptOnly(LinearOdds):
    """Forecasts the share of responders among its training patients for everybody: what a model without features knows."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit to y, a class a patient; of X, patients x features, only the shape counts."""
        values, labels = training_data(self, X, y)
        return self._keep(self.fit_many(values, labels[None, :]))

    def fit_many(self, values: Matrix, labellings: Flags) -> RidgeFit:
        """The same fit for each row of `labellings`.

        Raises
        ------
        PredictionError
            A labelling has one class only.
        """
        require_two_classes(labellings)
        responders, features = labellings.sum(axis=1), values.shape[1]
        return RidgeFit(
            centre=np.zeros(features),
            scale=np.ones(features),
            intercept=np.log(responders) - np.log(labellings.shape[1] - responders),
            coefficients=np.zeros((len(labellings), features)),
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class FirthLogistic(LinearOdds):
    """`fit_firth` as a scikit-learn classifier: no setting, finite weights where the classes are separated."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient."""
        values, labels = training_data(self, X, y)
        return self._keep(fit_firth(values, labels[None, :]))

    def fit_many(self, values: Matrix, labellings: Flags) -> RidgeFit:
        """The same fit for each row of `labellings`, all at once."""
        return fit_firth(values, labellings)


class SignatureLogistic(LinearOdds):
    """Firth's logistic regression on one column that was named beforehand.

    Parameters
    ----------
    feature
        Position of the column; None: there must be no other.
    """

    def __init__(self, feature: int | None = None) -> None:
        self.feature = feature

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient."""
        values, labels = training_data(self, X, y)
        return self._keep(self.fit_many(values, labels[None, :]))

    def fit_many(self, values: Matrix, labellings: Flags) -> RidgeFit:
        """The same fit for each row of `labellings`, all at once.

        Raises
        ------
        PredictionError
            There are several columns and none is named, or there is no such column.
        """
        columns = values.shape[1]
        if self.feature is None and columns != 1:
            raise PredictionError(
                f"A signature model takes the one column named beforehand; it was given {columns}. Name one as `feature`."
            )
        place = 0 if self.feature is None else self.feature
        if not 0 <= place < columns:
            raise PredictionError(f"The signature is column {place}, counted from 0; there are {columns} columns.")
        own = fit_firth(values[:, place : place + 1], labellings)
        centre, scale = np.zeros(columns), np.ones(columns)
        coefficients = np.zeros((len(labellings), columns))
        centre[place], scale[place], coefficients[:, place] = own.centre[0], own.scale[0], own.coefficients[:, 0]
        return RidgeFit(centre=centre, scale=scale, intercept=own.intercept, coefficients=coefficients)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # where the other columns tell more
        return tags


class ElasticNetLogistic(LinearOdds):
    """`fit_elastic_net` as a scikit-learn classifier; the defaults leave a feature without weight unless it tells something.

    Parameters
    ----------
    penalty, l1_ratio
        As in `fit_elastic_net`.
    """

    def __init__(self, penalty: float = 1.0, l1_ratio: float = 0.1) -> None:
        self.penalty = penalty
        self.l1_ratio = l1_ratio

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient."""
        values, labels = training_data(self, X, y)
        return self._keep(self.fit_many(values, labels[None, :]))

    def fit_many(self, values: Matrix, labellings: Flags) -> RidgeFit:
        """The same fit for each row of `labellings`, all at once."""
        return fit_elastic_net(values, labellings, penalty=self.penalty, l1_ratio=self.l1_ratio)


def boosting(
    *, trees: int = 60, leaves: int = 4, learning_rate: float = 0.1, seed: int = 1
) -> HistGradientBoostingClassifier:
    """Gradient boosting of small trees, which take missing values as they are; nothing of it is chosen by the data.

    Parameters
    ----------
    leaves
        Of a tree; 4 allow for features that act together, two or three at a time.

    References
    ----------
    Friedman 2001, doi:10.1214/aos/1013203451
    """
    return HistGradientBoostingClassifier(
        max_iter=trees,
        max_leaf_nodes=leaves,
        learning_rate=learning_rate,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=seed,
    )
