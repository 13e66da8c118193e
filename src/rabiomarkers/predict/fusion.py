"""Late fusion: one model for each compartment, joined by weights that patients left out of it have earned.

A compartment's weight is what its model gains, in mean log loss on inner left-out patients, over the share of responders among the
inner training patients; a compartment that gains nothing has none. The log odds of a patient are the weighted mean over the
compartments they have; who has none, or where no compartment gains, is forecast by the share of responders.

References
----------
Kittler et al. 1998, combining classifiers, doi:10.1109/34.667881
van der Laan, Polley & Hubbard 2007, weights by inner validation, doi:10.2202/1544-6115.1309
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted, validate_data

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Counts, Flags, Matrix, training_data
from rabiomarkers.predict.nested import Inner, Split, inner_losses, inner_splits
from rabiomarkers.predict.ridge import LinearOdds, RidgeFit, fit_ridge, require_penalties, require_two_classes

GAINED = 1e-9  # a smaller gain in mean log loss is rounding

type Blocks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class FusionFit:
    """k fused models of the same training patients."""

    blocks: Blocks  # positions of the columns of each
    models: tuple[RidgeFit, ...]  # one a block, of its columns
    weights: Matrix  # (k, blocks), 0 or more; they need not sum to 1
    prevalence: Matrix  # (k,) log odds of the training patients

    def decision(self, values: Matrix) -> Matrix:
        """Log odds, models x patients, of values patients x features in their own units, NaN where missing."""
        summed = np.zeros((len(self.prevalence), len(values)))
        total = np.zeros_like(summed)
        for block, model, weight in zip(self.blocks, self.models, self.weights.T, strict=True):
            own = values[:, list(block)]
            share = weight[:, None] * measured(own)
            summed += share * model.decision(own)
            total += share
        return np.where(total > 0, summed / np.where(total > 0, total, 1.0), self.prevalence[:, None])

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        return np.concatenate([*(model.parameters for model in self.models), self.weights.ravel(), self.prevalence])


class LateFusion(LinearOdds):
    """One ridge model a block of columns, joined by weights from an inner validation.

    A block's model is fitted to the training patients who have any of its columns.

    Parameters
    ----------
    blocks
        Positions of the columns of each block, none twice; None: all columns are one.
    penalty
        Of each ridge, as in `fit_ridge`.
    inner
        As in `inner_splits`.

    Attributes
    ----------
    classes_, weights_ (one a block, of sum 1, or 0 where no block gains), prevalence_ (log odds of the training patients),
    centre_, scale_, block_coef_ (blocks x features, standardised), block_intercept_, coef_ and intercept_ (of a patient who has
    every block)
    """

    def __init__(self, blocks: Blocks | None = None, penalty: float = 1.0, inner: Inner = "auto") -> None:
        self.blocks = blocks
        self.penalty = penalty
        self.inner = inner

    def fit(self, X: ArrayLike, y: ArrayLike, patient: Counts | None = None) -> Self:  # noqa: N803 - scikit-learn's name
        """Fit to X, patients x features with NaN where missing, and y, a class a patient; `patient` as in `inner_splits`."""
        values, labels = training_data(self, X, y)
        fitted = self.fit_many(values, labels[None, :], patient)
        features = values.shape[1]
        self.centre_, self.scale_ = np.zeros(features), np.ones(features)
        self.block_coef_ = np.zeros((len(fitted.blocks), features))
        for place, (block, model) in enumerate(zip(fitted.blocks, fitted.models, strict=True)):
            columns = list(block)
            self.centre_[columns], self.scale_[columns] = model.centre, model.scale
            self.block_coef_[place, columns] = model.coefficients[0]
        self.block_intercept_ = np.concatenate([model.intercept for model in fitted.models])
        self.prevalence_ = fitted.prevalence
        total = float(fitted.weights.sum())
        self.weights_ = fitted.weights[0] / (total if total > 0 else 1.0)
        self.coef_ = self.weights_[None, :] @ self.block_coef_
        self.intercept_ = self.weights_[None, :] @ self.block_intercept_ if total > 0 else self.prevalence_
        return self

    def fit_many(self, values: Matrix, labellings: Flags, patient: Counts | None = None) -> FusionFit:
        """The same fit for each row of `labellings`, all at once.

        Raises
        ------
        PredictionError
            The penalty is not above 0, a labelling has one class only, the blocks are no blocks of these columns, or what
            `inner_splits` refuses.
        """
        require_penalties([self.penalty])
        require_two_classes(labellings)
        blocks = _checked(self.blocks, values.shape[1])
        parts = [values[:, list(block)] for block in blocks]
        weights = np.zeros((len(labellings), len(blocks)))
        for which, splits in _schemes(labellings, patient, self.inner):
            for place, part in enumerate(parts):
                weights[which, place] = block_gain(part, labellings[which], splits, penalty=self.penalty)
        responders = labellings.sum(axis=1)
        return FusionFit(
            blocks=blocks,
            models=tuple(_fitted(part, labellings, self.penalty) for part in parts),
            weights=weights,
            prevalence=np.log(responders) - np.log(labellings.shape[1] - responders),
        )

    def decision_function(self, X: ArrayLike) -> Matrix:  # noqa: N803
        """Log odds of the second class, one a patient."""
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, ensure_all_finite="allow-nan", dtype=np.float64)
        blocks = _checked(self.blocks, values.shape[1])
        models = tuple(
            RidgeFit(
                centre=self.centre_[list(block)],
                scale=self.scale_[list(block)],
                intercept=self.block_intercept_[place : place + 1],
                coefficients=self.block_coef_[place : place + 1, list(block)],
            )
            for place, block in enumerate(blocks)
        )
        fitted = FusionFit(blocks=blocks, models=models, weights=self.weights_[None, :], prevalence=self.prevalence_)
        odds: Matrix = fitted.decision(values)[0]
        return odds


def measured(values: Matrix) -> Flags:
    """Of each patient (a row), whether they have any of the values."""
    has: Flags = ~np.isnan(values).all(axis=1)
    return has


def block_gain(values: Matrix, labellings: Flags, splits: Sequence[Split], *, penalty: float) -> Matrix:
    """By labelling: how much lower the inner log loss of a block's ridge is than that of a share of responders; 0 where it is not.

    Both are fitted to the inner training patients who have the block, and judged on the left-out ones who have it. The gain is
    per training patient of any kind: a block that few have gains little.

    Parameters
    ----------
    values
        Training patients x columns of the block, NaN where missing.
    splits
        Of all training patients, as `inner_splits` gives them.
    """
    has = measured(values)
    place = np.cumsum(has) - 1
    own = [(place[inside[has[inside]]], place[out[has[out]]]) for inside, out in splits]
    own = [(inside, out) for inside, out in own if len(inside) and len(out)]
    if not own:
        return np.zeros(len(labellings))
    known, labels, path = values[has], labellings[:, has], np.array([penalty])
    nothing = np.zeros((len(known), 1))  # a column that does not vary leaves the intercept
    gained: Matrix = (inner_losses(nothing, labels, own, path) - inner_losses(known, labels, own, path))[0]
    judged = sum(len(out) for _, out in own)
    return np.where(gained > GAINED, gained, 0.0) * judged / len(values)


def _fitted(values: Matrix, labellings: Flags, penalty: float) -> RidgeFit:
    """Models of the patients who have the block; with one class among these, of no effect."""
    has = measured(values)
    labels = labellings[:, has]
    responders = labels.sum(axis=1)
    usable = (responders > 0) & (responders < labels.shape[1])
    models = len(labellings)
    if not usable.any():
        width = values.shape[1]
        return RidgeFit(
            centre=np.zeros(width),
            scale=np.ones(width),
            intercept=np.zeros(models),
            coefficients=np.zeros((models, width)),
        )
    fitted = fit_ridge(values[has], labels[usable], penalty=penalty)
    intercept, coefficients = np.zeros(models), np.zeros((models, values.shape[1]))
    intercept[usable], coefficients[usable] = fitted.intercept, fitted.coefficients
    return RidgeFit(centre=fitted.centre, scale=fitted.scale, intercept=intercept, coefficients=coefficients)


def _schemes(labellings: Flags, patient: Counts | None, inner: Inner) -> Iterator[tuple[Counts, list[Split]]]:
    """Labellings with as many responders, who share their inner splits, and these."""
    rows = np.arange(labellings.shape[1]) if patient is None else np.unique(patient, return_index=True)[1]
    responders = labellings[:, rows].sum(axis=1)
    for number in np.unique(responders):
        which = np.flatnonzero(responders == number)
        yield which, inner_splits(labellings[which[0]], inner=inner, patient=patient)


def _checked(blocks: Blocks | None, columns: int) -> Blocks:
    if blocks is None:
        return (tuple(range(columns)),)
    named = [place for block in blocks for place in block]
    if not named or len(set(named)) < len(named) or not all(len(block) for block in blocks):
        raise PredictionError("Blocks of a fusion need one column each at least, and no column twice.")
    if not all(0 <= place < columns for place in named):
        raise PredictionError(f"A block of a fusion names a column that is not there; columns are 0 to {columns - 1}.")
    return blocks
