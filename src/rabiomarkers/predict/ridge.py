"""Ridge logistic regression for many relabellings of the same few patients, and many penalties, at once.

Objective, for n training patients and standardised features z:

    1/n * sum log(1 + exp(-s_i (a + b.z_i))) + penalty/2 * |b|^2        (s_i = +1 responder, -1 not; the intercept a is free)

The penalty weighs against the mean loss, so it means the same in a fold of 8 patients and in all 10; it is scikit-learn's
``C = 1 / (n * penalty)``. Filling, centring and scaling are part of the fit: they see training patients only.

With as many features as patients, or more, the fit runs in the n - 1 directions that centred patients span: the optimum lies
there, and turning the axes leaves the penalty as it is (Hastie & Tibshirani 2004).

References
----------
le Cessie & van Houwelingen 1992, doi:10.2307/2347628
Hastie & Tibshirani 2004, doi:10.1093/biostatistics/kxh010
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Counts, Flags, Matrix, training_data
from rabiomarkers.predict.newton import Stack, intercepts_only, newton


@dataclass(frozen=True, kw_only=True)
class RidgeFit:
    """k models of p features, one for each relabelling; they share the training patients and so the standardisation."""

    centre: Matrix  # (p,) training mean: also fills a missing value
    scale: Matrix  # (p,) training standard deviation; 1 for a constant feature
    intercept: Matrix  # (k,)
    coefficients: Matrix  # (k, p) on the standardised scale

    def decision(self, values: Matrix) -> Matrix:
        """Log odds, models x patients, of values patients x features in their own units; NaN is filled."""
        return self.intercept[:, None] + self.coefficients @ standardise(values, self.centre, self.scale).T

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        return np.concatenate([self.centre, self.scale, self.intercept, self.coefficients.ravel()])


@dataclass(frozen=True, kw_only=True)
class Standardised:
    """f training sets, each filled, centred, scaled and (where features are many) turned by itself."""

    centre: Matrix  # (f, p)
    scale: Matrix  # (f, p)
    rotation: Matrix | None  # (f, p, r), orthonormal columns; None where coordinates are the features
    stack: Stack  # of width 1 + r

    def coordinates(self, values: Matrix) -> Matrix:
        """(f, o, 1 + r) of patients (f, o, p) in their own units, the first for the intercept."""
        scaled = standardise(values, self.centre[:, None], self.scale[:, None])
        turned = scaled if self.rotation is None else scaled @ self.rotation
        return np.concatenate([np.ones((*turned.shape[:2], 1)), turned], axis=2)


@dataclass(frozen=True, kw_only=True)
class TurnedFit:
    """`RidgeFit` whose weights are kept by direction: with many features that is less, and a decision costs less."""

    training: Standardised  # one training set
    theta: Matrix  # (k, 1 + r)

    def decision(self, values: Matrix) -> Matrix:
        """Log odds, models x patients, of values patients x features in their own units; NaN is filled."""
        odds: Matrix = self.theta @ self.training.coordinates(values[None])[0].T
        return odds

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        turned = self.training.rotation
        rotation = np.empty(0) if turned is None else turned.ravel()
        return np.concatenate([self.training.centre[0], self.training.scale[0], rotation, self.theta.ravel()])

    def by_feature(self) -> RidgeFit:
        """The same models with one coefficient a feature."""
        turned = self.training.rotation
        coefficients = self.theta[:, 1:] if turned is None else self.theta[:, 1:] @ turned[0].T
        return RidgeFit(
            centre=self.training.centre[0],
            scale=self.training.scale[0],
            intercept=self.theta[:, 0],
            coefficients=coefficients,
        )


@dataclass(frozen=True, kw_only=True)
class RidgePath:
    """k models at each of m penalties, all of the same training patients."""

    penalties: Matrix  # (m,), in the order given
    training: Standardised
    theta: Matrix  # (m, k, 1 + r)

    def decision(self, values: Matrix) -> Matrix:
        """Log odds, penalties x models x patients."""
        odds: Matrix = self.theta @ self.training.coordinates(values[None])[0].T
        return odds

    def at(self, place: int) -> TurnedFit:
        """The k models at one penalty, by its place in `penalties`."""
        return TurnedFit(training=self.training, theta=self.theta[place])


def standardise(values: Matrix, centre: Matrix, scale: Matrix) -> Matrix:
    """Patients x features, a missing value at the centre, so at 0."""
    return (np.where(np.isnan(values), centre, values) - centre) / scale


def padded(parts: Sequence[Counts]) -> tuple[Counts, Flags]:
    """Positions as a rectangle, one part a row, and which of its places are real; the others hold 0."""
    counts = np.array([len(part) for part in parts])
    real = np.arange(counts.max()) < counts[:, None]
    rows = np.zeros(real.shape, dtype=np.int64)
    rows[real] = np.concatenate(parts)
    return rows, real


def standardised(values: Matrix, trainings: Sequence[Counts]) -> Standardised:
    """Each training set (positions of rows of `values`) prepared by itself.

    Parameters
    ----------
    values
        Patients x features, in their own units, NaN where missing.

    Raises
    ------
    PredictionError
        A value is infinite.
    """
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise PredictionError(
            f"The features hold infinite values: {infinite}; a model needs numbers, or NaN where missing."
        )
    rows, real = padded(trainings)
    counts = real.sum(axis=1)
    known = ~np.isnan(values[rows]) & real[:, :, None]
    chosen = np.where(known, values[rows], 0.0)
    centre = chosen.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    from_centre = np.where(known, chosen - centre[:, None], 0.0)
    scale = np.sqrt((from_centre**2).sum(axis=1) / counts[:, None])
    constant = scale <= 1e-12 * np.maximum(np.abs(chosen).max(axis=1, initial=0.0), np.finfo(float).tiny)
    scale = np.where(constant, 1.0, scale)
    scaled = (
        np.where(constant[:, None], 0.0, from_centre) / scale[:, None]
    )  # a rounded mean leaves no trace of a constant
    rotation = _directions(scaled, constant)
    turned = scaled if rotation is None else scaled @ rotation
    design = np.concatenate([real[:, :, None].astype(np.float64), turned], axis=2)
    stack = Stack(design=design, weight=real / counts[:, None])
    return Standardised(centre=centre, scale=scale, rotation=rotation, stack=stack)


def _directions(scaled: Matrix, constant: Flags) -> Matrix | None:
    """(f, p, n - 1): the directions in which centred patients (f, n, p) differ; None where features are fewer than patients.

    A constant feature has a part in none of them, not even in the last digit: others' values of it may be anything.
    """
    _, patients, features = scaled.shape
    if features < patients:
        return None
    _, _, across = np.linalg.svd(scaled, full_matrices=False)
    directions: Matrix = np.where(constant[:, :, None], 0.0, across[:, : patients - 1].transpose(0, 2, 1))
    return directions


def fit_ridge(values: Matrix, labels: Flags, *, penalty: float) -> RidgeFit:
    """Fit one model a row of `labels`.

    Parameters
    ----------
    values
        Training patients x features, in their own units, NaN where missing.
    labels
        Relabellings x training patients, true for a responder.
    penalty
        Above 0; see the objective in the module's docstring.

    Raises
    ------
    PredictionError
        `penalty` is not positive, a relabelling has one class only, or the steps do not converge.
    """
    return fit_ridge_path(values, labels, penalties=[penalty]).at(0).by_feature()


def fit_ridge_path(values: Matrix, labels: Flags, *, penalties: Sequence[float]) -> RidgePath:
    """Fit one model a row of `labels` and penalty; parameters and errors as in `fit_ridge`.

    The largest penalty comes first, and each next one starts from the weights of the one before.
    """
    require_penalties(penalties)
    require_two_classes(labels)
    training = standardised(values, [np.arange(len(values))])
    theta = np.empty((len(penalties), len(labels), training.stack.design.shape[2]))
    reached = intercepts_only(training.stack, labels[None])
    for place in sorted(range(len(penalties)), key=lambda place: -penalties[place]):
        reached = newton(training.stack, labels[None], np.full(len(labels), penalties[place]), reached)
        theta[place] = reached[0]
    return RidgePath(penalties=np.array(penalties, dtype=np.float64), training=training, theta=theta)


def require_penalties(penalties: Sequence[float]) -> None:
    """Raises PredictionError unless there are penalties, each above 0."""
    if not len(penalties):
        raise PredictionError("A ridge path needs one penalty at least.")
    for penalty in penalties:
        if not 0 < penalty < np.inf:
            raise PredictionError(f"The ridge penalty must be above 0 and finite; it is {penalty:g}.")


def require_two_classes(labels: Flags) -> None:
    """Raises PredictionError where a labelling (a row) has one class only."""
    responders = labels.sum(axis=1)
    if np.any((responders == 0) | (responders == labels.shape[1])):
        raise PredictionError("A model needs responders and non-responders among its training patients.")


class LinearOdds(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the ridge classifiers share: forecasts of two classes from `RidgeFit` numbers.

    Attributes
    ----------
    classes_, centre_, scale_, coef_ (1 x p, standardised), intercept_ (1)
    """

    def _keep(self, fitted: RidgeFit) -> Self:
        self.centre_, self.scale_ = fitted.centre, fitted.scale
        self.coef_, self.intercept_ = fitted.coefficients, fitted.intercept
        return self

    def decision_function(self, X: ArrayLike) -> Matrix:  # noqa: N803 - scikit-learn's name
        """Log odds of the second class, one a patient."""
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=np.float64)
        fitted = RidgeFit(centre=self.centre_, scale=self.scale_, intercept=self.intercept_, coefficients=self.coef_)
        odds: Matrix = fitted.decision(values)[0]
        return odds

    def predict_proba(self, X: ArrayLike) -> Matrix:  # noqa: N803
        """Patients x classes."""
        second = np.asarray(expit(self.decision_function(X)))
        return np.column_stack([1 - second, second])

    def predict(self, X: ArrayLike) -> NDArray[np.generic]:  # noqa: N803
        """The likelier class of each patient."""
        second = self.decision_function(X) > 0
        chosen: NDArray[np.generic] = self.classes_[second.astype(int)]
        return chosen

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags


class RidgeLogistic(LinearOdds):
    """`fit_ridge` as a scikit-learn classifier of two classes; fills missing values and standardises by itself.

    The same probabilities as ``make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=1 / (n * penalty)))``.
    """

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient."""
        values, labels = training_data(self, X, y)
        return self._keep(fit_ridge(values, labels[None, :], penalty=self.penalty))

    def fit_many(self, values: Matrix, labellings: Flags) -> TurnedFit:
        """The same fit for each row of `labellings`, all at once."""
        return fit_ridge_path(values, labellings, penalties=[self.penalty]).at(0)
