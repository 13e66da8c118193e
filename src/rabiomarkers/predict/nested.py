"""Penalties, or any setting, chosen by inner validation: the choice is a part of what is learnt, so it sees training patients only.

Each candidate is judged by its mean log loss on inner left-out patients; everything, filling and scaling too, is fitted again in
each inner fold. Of candidates that are equally good the most cautious is taken.

References
----------
Varma & Simon 2006, a choice outside the validation is optimistic, doi:10.1186/1471-2105-7-91
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import ParameterGrid
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import LARGEST, Counts, Flags, Matrix, log_odds, training_data
from rabiomarkers.predict.newton import intercepts_only, newton
from rabiomarkers.predict.ridge import (
    LinearOdds,
    TurnedFit,
    padded,
    require_penalties,
    require_two_classes,
    standardised,
)

type Split = tuple[Counts, Counts]
type Inner = Literal["auto"] | int

FEWEST = 10  # patients of the smaller class from which five inner folds are enough
FEW_FOLDS = 10
ALONE = 12  # up to so many patients each is left out alone
FOLDS = 5
PENALTIES = (0.01, 0.04, 0.15, 0.5, 2.0, 7.0, 25.0, 100.0)
TIE = 1e-9  # mean log losses closer than this are equal
FOLD_NUMBERS = 200_000  # numbers in the inner training sets, or their products of columns, that are worked on together


def inner_splits(labels: Flags, *, inner: Inner = "auto", patient: Counts | None = None) -> list[Split]:
    """(training, left out) positions among the training patients; each patient is left out once.

    One patient at a time up to 12 patients; of more, every tenth patient by position where the smaller class has fewer than 10
    members, else every fifth. The labels decide nothing but which of the two: so every labelling of as many responders shares its
    inner fits, and no fold's share of responders tells its patients' labels. `inner` gives a number of folds instead.

    Parameters
    ----------
    labels
        Length n.
    inner
        ``"auto"``, or folds from 2; with as many folds as patients, or more, one patient is left out at a time.
    patient
        The patient of each row, where patients have several: all rows of a patient are left out together.

    Raises
    ------
    PredictionError
        Fewer than two folds, or fewer than two patients.
    """
    owner = _owners(len(labels), patient)
    patients = int(owner.max(initial=-1)) + 1
    if patients < 2:
        raise PredictionError(f"An inner validation needs two training patients; there are {patients}.")
    if inner != "auto" and inner < 2:
        raise PredictionError(f"An inner validation needs two folds or more; it was given {inner}.")
    folds = int(_folds(labels[None, :], owner, inner)[0])
    fold = owner % folds
    return [(np.flatnonzero(fold != out), np.flatnonzero(fold == out)) for out in range(folds)]


def _owners(rows: int, patient: Counts | None) -> Counts:
    """The place of each row's patient among the patients, from 0."""
    return np.arange(rows) if patient is None else np.unique(patient, return_inverse=True)[1].ravel()


def _folds(labellings: Flags, owner: Counts, inner: Inner) -> Counts:
    """How many folds each labelling (a row) is given; a patient's label is that of their first row."""
    _, first = np.unique(owner, return_index=True)
    if inner != "auto":
        return np.full(len(labellings), min(inner, len(first)))
    responders = labellings[:, first].sum(axis=1)
    few = len(first) if len(first) <= ALONE else min(FEW_FOLDS, len(first))
    return np.where(np.minimum(responders, len(first) - responders) >= FEWEST, FOLDS, few)


@dataclass(frozen=True, kw_only=True)
class NestedFit:
    """k ridge models of the same training patients, each at the penalty that its own labelling chose."""

    models: TurnedFit
    penalties: Matrix  # (k,)
    candidates: Matrix  # (m,), falling
    losses: Matrix  # (m, k): mean log loss of inner left-out patients

    def decision(self, values: Matrix) -> Matrix:
        """Log odds, models x patients."""
        return self.models.decision(values)

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        return np.concatenate([self.models.parameters, self.penalties, self.losses.ravel()])


class NestedRidge(LinearOdds):
    """`RidgeLogistic` whose penalty is chosen by the mean log loss of inner left-out patients.

    The splits are those of `inner_splits`. Where an inner training set has one class only, nothing can be fitted; its forecast is
    (responders + 1/2) / (patients + 1), whatever the penalty, so such a split has no say in the choice. Of penalties with the same
    loss the largest is taken.

    Parameters
    ----------
    penalties
        Candidates, as in `fit_ridge`.
    inner
        As in `inner_splits`.

    Attributes
    ----------
    penalty_ (chosen), candidates_ (falling), inner_losses_ (of each), and those of `LinearOdds`
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES, inner: Inner = "auto") -> None:
        self.penalties = penalties
        self.inner = inner

    def fit(self, X: ArrayLike, y: ArrayLike, patient: Counts | None = None) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient; `patient` as in `inner_splits`."""
        values, labels = training_data(self, X, y)
        fitted = self.fit_many(values, labels[None, :], patient)
        self.penalty_ = float(fitted.penalties[0])
        self.candidates_, self.inner_losses_ = fitted.candidates, fitted.losses[:, 0]
        return self._keep(fitted.models.by_feature())

    def fit_many(self, values: Matrix, labellings: Flags, patient: Counts | None = None) -> NestedFit:
        """The same fit for each row of `labellings`, all at once.

        Raises
        ------
        PredictionError
            A penalty is not above 0, a labelling has one class only, or what `inner_splits` refuses.
        """
        require_penalties(self.penalties)
        require_two_classes(labellings)
        candidates = np.array(sorted(set(self.penalties), reverse=True), dtype=np.float64)
        losses = np.zeros((len(candidates), len(labellings)))
        for which, splits in self._schemes(labellings, patient):
            losses[:, which] = inner_losses(values, labellings[which], splits, candidates)
        chosen = candidates[np.argmax(losses <= losses.min(axis=0) + TIE, axis=0)]
        training = standardised(values, [np.arange(len(values))])
        theta = newton(training.stack, labellings[None], chosen, intercepts_only(training.stack, labellings[None]))[0]
        models = TurnedFit(training=training, theta=theta)
        return NestedFit(models=models, penalties=chosen, candidates=candidates, losses=losses)

    def _schemes(self, labellings: Flags, patient: Counts | None) -> Iterator[tuple[Counts, list[Split]]]:
        """Labellings that share their inner splits, and these."""
        asked = _folds(labellings, _owners(labellings.shape[1], patient), self.inner)
        for folds in np.unique(asked):
            which = np.flatnonzero(asked == folds)
            yield which, inner_splits(labellings[which[0]], inner=self.inner, patient=patient)


def inner_losses(values: Matrix, labellings: Flags, splits: Sequence[Split], penalties: Matrix) -> Matrix:
    """Mean log loss of the left-out patients, penalties x labellings; `penalties` fall, so that each fit starts near its end."""
    patients, features = values.shape
    width = min(patients, features + 1)
    together = max(1, FOLD_NUMBERS // (patients * max(features, width * width)))
    losses = np.zeros((len(penalties), len(labellings)))
    for first in range(0, len(splits), together):
        losses += _summed_losses(values, labellings, splits[first : first + together], penalties)
    return losses / sum(len(out) for _, out in splits)


def _summed_losses(values: Matrix, labellings: Flags, splits: Sequence[Split], penalties: Matrix) -> Matrix:
    training = standardised(values, [inside for inside, _ in splits])
    inside, known = padded([inside for inside, _ in splits])
    labels, constant = _learnable(labellings[:, inside].transpose(1, 0, 2), known)
    held, real = padded([out for _, out in splits])
    left_out = training.coordinates(values[held]).transpose(0, 2, 1)
    sign = np.where(labellings[:, held], -1.0, 1.0).transpose(1, 0, 2)
    losses = np.empty((len(penalties), len(labellings)))
    reached = intercepts_only(training.stack, labels)
    for place, penalty in enumerate(penalties):
        reached = newton(training.stack, labels, np.full(len(labellings), penalty), reached)
        odds = np.where(np.isnan(constant), np.clip(reached @ left_out, -LARGEST, LARGEST), constant)
        losses[place] = (np.logaddexp(0.0, sign * odds) * real[:, None]).sum(axis=(0, 2))
    return losses


def _learnable(labels: Flags, real: Flags) -> tuple[Matrix, Matrix]:
    """Labels (f, k, n), a half where a training set has one class only, and for these the log odds of their forecast, else NaN."""
    responders = (labels & real[:, None]).sum(axis=2, keepdims=True)
    others = real.sum(axis=1)[:, None, None] - responders
    single = (responders == 0) | (others == 0)
    constant = np.where(single, np.log(responders + 0.5) - np.log(others + 0.5), np.nan)
    return np.where(single, 0.5, labels), constant


class Nested(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Any classifier of two classes, with settings chosen by the mean log loss of inner left-out patients.

    Slower than `NestedRidge`: every candidate is fitted in every inner fold, one by one. An inner training set of one class
    forecasts as in `NestedRidge`.

    Parameters
    ----------
    estimator
        Has `fit` and `predict_proba`.
    grid
        Values of each setting, as in scikit-learn's `ParameterGrid`; the most cautious first: it wins ties.
    inner
        As in `inner_splits`.

    Attributes
    ----------
    classes_, chosen_ (settings), best_estimator_ (fitted to all), inner_losses_ (of each candidate in `ParameterGrid`'s order)
    """

    def __init__(self, estimator: Any, grid: Mapping[str, Sequence[Any]], inner: Inner = "auto") -> None:
        self.estimator = estimator
        self.grid = grid
        self.inner = inner

    def fit(self, X: ArrayLike, y: ArrayLike, patient: Counts | None = None) -> Self:  # noqa: N803
        """Fit to X, patients x features with NaN where missing, and y, a class a patient; `patient` as in `inner_splits`."""
        values, labels = training_data(self, X, y)
        splits = inner_splits(labels, inner=self.inner, patient=patient)
        candidates = [clone(self.estimator).set_params(**settings) for settings in ParameterGrid(self.grid)]
        self.inner_losses_ = np.array([_losses_of(candidate, values, labels, splits) for candidate in candidates])
        place = int(np.argmax(self.inner_losses_ <= self.inner_losses_.min() + TIE))
        self.chosen_ = list(ParameterGrid(self.grid))[place]
        self.best_estimator_ = candidates[place].fit(values, labels)
        return self

    def predict_proba(self, X: ArrayLike) -> Matrix:  # noqa: N803
        """Patients x classes."""
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=np.float64)
        forecast: Matrix = self.best_estimator_.predict_proba(values)
        return forecast

    def predict(self, X: ArrayLike) -> NDArray[np.generic]:  # noqa: N803
        """The likelier class of each patient."""
        second = self.predict_proba(X)[:, 1] > 0.5
        chosen: NDArray[np.generic] = self.classes_[second.astype(int)]
        return chosen

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        tags.classifier_tags.multi_class = False
        return tags


def _losses_of(candidate: Any, values: Matrix, labels: Flags, splits: Sequence[Split]) -> float:
    """Mean log loss of the candidate on left-out patients."""
    total = 0.0
    for training, out in splits:
        responders = int(labels[training].sum())
        others = len(training) - responders
        if responders and others:
            odds = log_odds(clone(candidate).fit(values[training], labels[training]), values[out])
        else:
            odds = np.full(len(out), np.log(responders + 0.5) - np.log(others + 0.5))
        total += float(np.logaddexp(0.0, np.where(labels[out], -odds, odds)).sum())
    return total / sum(len(out) for _, out in splits)
