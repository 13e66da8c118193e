"""What a learner is: something that fits one model for each labelling of the same training patients."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

type Matrix = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Counts = NDArray[np.int64]

SMALLEST = 1e-15  # forecasts nearer to 0 or 1 count as this far from it: one patient's log loss has an end
LARGEST = float(np.log1p(-SMALLEST) - np.log(SMALLEST))  # its log odds, about 34.5


class Fitted(Protocol):
    """What a learner returns: k models, one for each labelling of the same training patients."""

    def decision(self, values: Matrix) -> Matrix:
        """Log odds of response, models x patients."""
        ...

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        ...


type Learner = Callable[[Matrix, Flags], Fitted]
"""(training patients x features, labellings x training patients) -> the fitted models. It never sees anyone else."""


def training_data(estimator: BaseEstimator, values: ArrayLike, classes: ArrayLike) -> tuple[Matrix, Flags]:
    """Checked values (NaN where missing), and of each patient whether they are of the second class; sets `classes_`.

    Raises
    ------
    ValueError
        What scikit-learn refuses, and any number of classes but two.
    """
    checked, known = validate_data(estimator, values, classes, ensure_all_finite="allow-nan", dtype=np.float64)
    check_classification_targets(known)
    estimator.classes_ = np.unique(known)
    if len(estimator.classes_) != 2:  # scikit-learn's tools expect a ValueError, and these words
        raise ValueError(
            f"Only binary classification is supported. {type(estimator).__name__} needs two classes; "
            f"y has {len(estimator.classes_)} class."
        )
    return checked, known == estimator.classes_[1]


def learner_of(estimator: BaseEstimator) -> Learner:
    """The estimator's own `fit_many`, which fits all labellings at once, where it has one; else `one_by_one`."""
    many = getattr(estimator, "fit_many", None)
    return many if many is not None else one_by_one(estimator)


def one_by_one(estimator: BaseEstimator) -> Learner:
    """Clones the estimator and fits it for each labelling in turn."""

    def learn(values: Matrix, labellings: Flags) -> Fitted:
        return _Several(tuple(clone(estimator).fit(values, labels) for labels in labellings))

    return learn


def distinct(learn: Learner) -> Learner:
    """Fits each distinct labelling once: among the training patients of a split most relabellings agree."""

    def once(values: Matrix, labellings: Flags) -> Fitted:
        different, place = np.unique(labellings, axis=0, return_inverse=True)
        return _Repeated(learn(values, different), place.ravel())

    return once


@dataclass(frozen=True)
class _Several:
    """Scikit-learn classifiers of two classes, fitted to the same patients."""

    models: tuple[Any, ...]

    def decision(self, values: Matrix) -> Matrix:
        return np.array([log_odds(model, values) for model in self.models]).reshape(len(self.models), len(values))

    @property
    def parameters(self) -> Matrix:
        return np.concatenate([learnt(model) for model in self.models]) if self.models else np.empty(0)


@dataclass(frozen=True)
class _Repeated:
    """Models of which several labellings share one."""

    models: Fitted
    place: NDArray[np.int64]

    def decision(self, values: Matrix) -> Matrix:
        shared: Matrix = self.models.decision(values)[self.place]
        return shared

    @property
    def parameters(self) -> Matrix:
        return self.models.parameters


def log_odds(model: Any, values: Matrix) -> Matrix:
    """Log odds of the second class by `predict_proba`, finite for forecasts of 0 and 1."""
    second = np.clip(np.asarray(model.predict_proba(values), dtype=np.float64)[:, 1], SMALLEST, 1 - SMALLEST)
    odds: Matrix = np.log(second) - np.log1p(-second)
    return odds


def learnt(model: Any) -> Matrix:
    """Every number a fitted estimator holds, its steps' and trees' included, as one vector; the order follows the names."""
    found: list[Matrix] = []
    _collect(model, found, {})
    return np.concatenate(found) if found else np.empty(0)


def _collect(thing: Any, found: list[Matrix], seen: dict[int, Any]) -> None:
    """Adds the numbers of a thing and of what it holds; `seen` keeps what was visited alive, so that no id comes twice."""
    if id(thing) in seen:
        return
    if isinstance(thing, bool | int | float | np.generic) and not isinstance(thing, np.void | np.character):
        thing = np.atleast_1d(np.asarray(thing))
    if isinstance(thing, np.ndarray) and thing.dtype.kind in "biuf":
        found.append(thing.astype(np.float64).ravel())
        return
    seen[id(thing)] = thing
    for part in _parts(thing):
        _collect(part, found, seen)


def _parts(thing: Any) -> list[Any]:
    """What a container or estimator holds; nothing of what is neither."""
    if isinstance(thing, np.ndarray) and thing.dtype.names:  # the nodes of a tree
        return [thing[name] for name in thing.dtype.names]
    if isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.dtype == object):
        return list(thing)
    if not isinstance(thing, dict):
        own = hasattr(thing, "get_params") or type(thing).__module__.startswith("sklearn")
        thing = thing.__getstate__() if own and not isinstance(thing, type) else {}
    if not isinstance(thing, dict):
        return []
    return [thing[name] for name in sorted(thing, key=str) if not str(name).rstrip("_").endswith("_time")]  # no clock
