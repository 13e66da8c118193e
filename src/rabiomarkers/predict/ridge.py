"""Ridge logistic regression for many relabellings of the same few patients at once.

Objective, for n training patients and standardised features z:

    1/n * sum log(1 + exp(-s_i (a + b.z_i))) + penalty/2 * |b|^2        (s_i = +1 responder, -1 not; the intercept a is free)

The penalty weighs against the mean loss, so it means the same in a fold of 8 patients and in all 10; it is scikit-learn's
``C = 1 / (n * penalty)``. Filling, centring and scaling are part of the fit: they see training patients only.

References
----------
le Cessie & van Houwelingen 1992, doi:10.2307/2347628
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from rabiomarkers.errors import PredictionError

type Matrix = NDArray[np.float64]
type Flags = NDArray[np.bool_]

GRADIENT_TOLERANCE = 1e-8
MAXIMUM_STEPS = 100
MAXIMUM_HALVINGS = 40
CHUNK_NUMBERS = 4_000_000  # numbers in the largest temporary array, about 32 MB


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


def standardise(values: Matrix, centre: Matrix, scale: Matrix) -> Matrix:
    """Patients x features, a missing value at the centre, so at 0."""
    return (np.where(np.isnan(values), centre, values) - centre) / scale


def fit_ridge(values: Matrix, labels: Flags, *, penalty: float) -> RidgeFit:
    """Fit one model a row of `labels`, by damped Newton steps to a gradient of 1e-8.

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
    if not penalty > 0:
        raise PredictionError(f"The ridge penalty must be above 0; it is {penalty:g}.")
    responders = labels.sum(axis=1)
    if np.any((responders == 0) | (responders == labels.shape[1])):
        raise PredictionError("A model needs responders and non-responders among its training patients.")
    centre, scale = _location_and_scale(values)
    design = np.column_stack([np.ones(len(values)), standardise(values, centre, scale)])
    rows = max(1, CHUNK_NUMBERS // max(design.size, design.shape[1] ** 2))
    parts = [_newton(design, labels[start : start + rows], penalty) for start in range(0, len(labels), rows)]
    theta = np.concatenate(parts) if parts else np.empty((0, design.shape[1]))
    return RidgeFit(centre=centre, scale=scale, intercept=theta[:, 0], coefficients=theta[:, 1:])


def _location_and_scale(values: Matrix) -> tuple[Matrix, Matrix]:
    known = ~np.isnan(values)
    centre = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, centre)
    scale = np.sqrt(((filled - centre) ** 2).mean(axis=0))
    constant = scale <= 1e-12 * np.maximum(np.abs(filled).max(axis=0, initial=0.0), np.finfo(float).tiny)
    return centre, np.where(constant, 1.0, scale)


@dataclass(frozen=True, kw_only=True)
class _Point:
    """Where the k fits stand."""

    theta: Matrix  # (k, d)
    loss: Matrix  # (k,)
    probability: Matrix  # (k, n)
    gradient: Matrix  # (k, d)


def _newton(design: Matrix, labels: Flags, penalty: float) -> Matrix:
    n, width = design.shape
    ridge = np.full(width, penalty)
    ridge[0] = 0.0
    row, column = np.triu_indices(width)
    products = design[:, row] * design[:, column] / n  # one product of two matrices gives every Hessian
    start = np.zeros((len(labels), width))
    prevalence = labels.mean(axis=1)
    start[:, 0] = np.log(prevalence / (1 - prevalence))
    point = _evaluate(design, labels, ridge, start)
    for _ in range(MAXIMUM_STEPS):
        if np.abs(point.gradient).max(initial=0.0) <= GRADIENT_TOLERANCE:
            return point.theta
        hessian = np.empty((len(labels), width, width))
        packed = (point.probability * (1 - point.probability)) @ products
        hessian[:, row, column] = packed
        hessian[:, column, row] = packed
        hessian[:, range(width), range(width)] += ridge
        step = np.linalg.solve(hessian, point.gradient[:, :, None])[:, :, 0]
        point = _damped(design, labels, ridge, point, step)
    raise PredictionError(f"The ridge fit did not converge in {MAXIMUM_STEPS} steps; use a larger penalty.")


def _damped(design: Matrix, labels: Flags, ridge: Matrix, point: _Point, step: Matrix) -> _Point:
    """The point after the step, halved for each fit whose loss it would raise."""
    size = np.ones(len(labels))
    for _ in range(MAXIMUM_HALVINGS):
        new = _evaluate(design, labels, ridge, point.theta - size[:, None] * step)
        worse = new.loss > point.loss + 1e-12
        if not worse.any():
            return new
        size[worse] /= 2
    return new


def _evaluate(design: Matrix, labels: Flags, ridge: Matrix, theta: Matrix) -> _Point:
    n = len(design)
    logit = theta @ design.T
    shrunk = np.exp(-np.abs(logit))  # never overflows, and serves the loss and the probability
    probability = np.where(logit >= 0, 1.0, shrunk) / (1 + shrunk)
    loss = (np.maximum(logit, 0) + np.log1p(shrunk) - labels * logit).sum(axis=1) / n + (ridge * theta**2).sum(
        axis=1
    ) / 2
    gradient = (probability - labels) @ design / n + ridge * theta
    return _Point(theta=theta, loss=loss, probability=probability, gradient=gradient)


class RidgeLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """`fit_ridge` as a scikit-learn classifier of two classes; fills missing values and standardises by itself.

    The same probabilities as ``make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=1 / (n * penalty)))``.

    Attributes
    ----------
    classes_, centre_, scale_, coef_ (1 x p, standardised), intercept_ (1)
    """

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit to X, patients x features with NaN where missing, and y, a class a patient."""
        values, classes = validate_data(self, X, y, ensure_all_finite="allow-nan", dtype=np.float64)
        check_classification_targets(classes)
        self.classes_ = np.unique(classes)
        if len(self.classes_) != 2:  # scikit-learn's tools expect a ValueError, and these words
            raise ValueError(
                f"Only binary classification is supported. RidgeLogistic needs two classes; y has {len(self.classes_)} class."
            )
        fitted = fit_ridge(values, (classes == self.classes_[1])[None, :], penalty=self.penalty)
        self.centre_, self.scale_ = fitted.centre, fitted.scale
        self.coef_, self.intercept_ = fitted.coefficients, fitted.intercept
        return self

    def decision_function(self, X: ArrayLike) -> Matrix:  # noqa: N803
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
