"""Honest validation of a model of few patients: everything that is learnt is learnt from the training patients of a split.

The AUC is the share of (responder, non-responder) pairs that a model trained without both of them orders rightly
(leave-pair-out). The AUC of pooled leave-one-out probabilities is never computed: on noise with 3 responders of 10 its mean is
0.05 (this ridge, one feature) to 0.38 instead of 0.5, as each left-out label shifts the training prevalence the other way.

References
----------
Airola et al. 2009, leave-pair-out, doi:10.1016/j.csda.2010.11.023
Phipson & Smyth 2010, (count + 1) / (total + 1), doi:10.2202/1544-6115.1585
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from rabiomarkers.predict.ridge import Flags, Matrix

type Counts = NDArray[np.int64]
type Split = tuple[NDArray[np.int64], NDArray[np.int64]]

MAXIMUM_PAIRS = 400  # leave-pair-out up to here, repeated stratified folds above
FOLDS = 5
REPEATS = 10
ENUMERATE_UP_TO = 10_000  # distinct labellings; above, a seeded sample
TIE = 1e-12  # log odds closer than this are equal: rounding must not order two patients


class Fitted(Protocol):
    """What a learner returns: k models, one for each labelling of the same training patients."""

    def decision(self, values: Matrix) -> Matrix:
        """Scores, models x patients; higher is more likely to respond."""
        ...

    @property
    def parameters(self) -> Matrix:
        """Everything that was learnt, as one vector."""
        ...


type Learner = Callable[[Matrix, Flags], Fitted]
"""(training patients x features, labellings x training patients) -> the fitted models. It never sees anyone else."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How well the model orders patients it was not trained on, against what relabelled patients give."""

    auc: float
    auc_method: str
    p_count: int  # labellings with an AUC at least as high, the observed one included
    p_total: int  # labellings, the observed one included
    p_floor: float  # smallest p that these labellings can give
    null_mean: float
    null: Matrix  # (p_total,) AUC of every labelling, the observed one first

    @property
    def p_value(self) -> float:
        """One-sided: better than chance."""
        return self.p_count / self.p_total


def leave_one_out_splits(n: int) -> Iterator[Split]:
    """(training, left out) positions: each patient left out once."""
    everyone = np.arange(n)
    return ((np.delete(everyone, out), np.array([out])) for out in range(n))


def leave_pair_out_splits(n: int) -> Iterator[Split]:
    """(training, left out) positions: each pair of patients left out once."""
    everyone = np.arange(n)
    return ((np.delete(everyone, pair), np.array(pair)) for pair in combinations(range(n), 2))


def stratified_splits(labels: Flags, *, folds: int, seed: int | list[int]) -> Iterator[Split]:
    """(training, left out) positions: each patient left out once, responders spread evenly over the folds."""
    generator = np.random.default_rng(seed)
    kinds = [generator.permutation(np.flatnonzero(labels == kind)) for kind in (True, False)]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.concatenate(kinds)] = np.arange(len(labels)) % folds
    return ((np.flatnonzero(fold != out), np.flatnonzero(fold == out)) for out in range(folds))


def leave_one_out(values: Matrix, labels: Flags, learn: Learner) -> Matrix:
    """Probability of response of each patient by a model trained on all others.

    For the Brier score and for display; the probabilities come from different models, so no AUC is made of them.

    Parameters
    ----------
    values
        Patients x features, NaN where missing.
    labels
        Length n, at least two of each kind.
    """
    probability = np.empty(len(labels))
    for training, out in leave_one_out_splits(len(labels)):
        probability[out] = expit(learn(values[training], labels[None, training]).decision(values[out])[0])
    return probability


def brier_score(labels: Flags, probability: Matrix) -> float:
    """Mean squared distance of the probabilities from what happened."""
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(labels, probability))


def constant_brier_score(labels: Flags) -> float:
    """Brier score of a model that knows only how many of the other patients responded."""
    others = (labels.sum() - labels) / (len(labels) - 1)
    return brier_score(labels, others)


def leave_pair_out(values: Matrix, labellings: Flags, learn: Learner) -> Counts:
    """Pairs that are ordered rightly, for each labelling; counted in halves, so that a tie is 1 and a right order 2.

    Patients are standardised once a pair for all labellings, which is honest as that step never sees a label.

    Parameters
    ----------
    values
        Patients x features.
    labellings
        Labellings x patients, each with at least two of each kind.
    """
    halves = np.zeros(len(labellings), dtype=np.int64)
    for training, (first, second) in leave_pair_out_splits(labellings.shape[1]):
        apart = np.flatnonzero(labellings[:, first] != labellings[:, second])
        if not len(apart):
            continue
        scores = learn(values[training], labellings[np.ix_(apart, training)]).decision(values[[first, second]])
        ahead = np.where(labellings[apart, first], 1, -1) * (scores[:, 0] - scores[:, 1])
        halves[apart] += 2 * (ahead > TIE) + (np.abs(ahead) <= TIE)
    return halves


def within_folds(
    values: Matrix, labels: Flags, learn: Learner, *, folds: int, repeats: int, seed: list[int]
) -> tuple[int, int]:
    """Pairs inside a left-out fold that are ordered rightly (in halves), and how many pairs there are.

    Patients of different folds are scored by different models and so are never compared.
    """
    halves = pairs = 0
    for repeat in range(repeats):
        for training, out in stratified_splits(labels, folds=folds, seed=[*seed, repeat]):
            scores = learn(values[training], labels[None, training]).decision(values[out])[0]
            ahead = scores[labels[out]][:, None] - scores[~labels[out]][None, :]
            halves += int(2 * (ahead > TIE).sum() + (np.abs(ahead) <= TIE).sum())
            pairs += ahead.size
    return halves, pairs


def _within_folds_each(
    values: Matrix, labellings: Flags, learn: Learner, *, folds: int, seed: int
) -> tuple[Counts, int]:
    counted = [
        within_folds(values, labels, learn, folds=folds, repeats=REPEATS, seed=[seed, place])
        for place, labels in enumerate(labellings)
    ]
    return np.array([halves for halves, _ in counted]), counted[0][1]  # every labelling has as many pairs


def all_labellings(labels: Flags) -> Flags:
    """Every way to call as many of the patients responders, the observed one first."""
    n, responders = len(labels), int(labels.sum())
    chosen = np.array(list(combinations(range(n), responders)), dtype=np.int64)
    every = np.zeros((len(chosen), n), dtype=np.bool_)
    np.put_along_axis(every, chosen, True, axis=1)
    observed = (every == labels).all(axis=1)
    return np.concatenate([every[observed], every[~observed]])


def sampled_labellings(labels: Flags, *, permutations: int, seed: int) -> Flags:
    """The observed labelling and after it `permutations` random ones."""
    generator = np.random.default_rng(seed)
    return np.vstack([labels, generator.permuted(np.tile(labels, (permutations, 1)), axis=1)])


def validate(
    values: Matrix,
    labels: Flags,
    learn: Learner,
    *,
    permutations: int,
    seed: int,
    maximum_pairs: int = MAXIMUM_PAIRS,
    enumerate_up_to: int = ENUMERATE_UP_TO,
) -> Validation:
    """AUC on left-out patients, and its permutation p: the whole pipeline runs again for every relabelling.

    Parameters
    ----------
    values, labels
        Patients x features, NaN where missing, and length n, at least two of each kind; sorted by patient.
    permutations
        Random relabellings where the distinct ones are more than `enumerate_up_to`.
    maximum_pairs
        Leave-pair-out where responders x non-responders is at most this, else repeated stratified folds.
    """
    responders = int(labels.sum())
    others = len(labels) - responders
    exact = comb(len(labels), responders) <= enumerate_up_to
    labellings = all_labellings(labels) if exact else sampled_labellings(labels, permutations=permutations, seed=seed)
    if responders * others <= maximum_pairs:
        halves, pairs = leave_pair_out(values, labellings, learn), responders * others
        method = f"leave-pair-out ({pairs} pairs)"
    else:
        folds = min(FOLDS, responders, others)
        halves, pairs = _within_folds_each(values, labellings, learn, folds=folds, seed=seed)
        method = f"within {folds} stratified folds, {REPEATS} times"
    null = halves / (2 * pairs)
    # a model learns the direction, so several labellings may share the highest AUC; a sample may have missed the rest of them
    highest = int((halves == halves.max()).sum()) if exact else 1
    return Validation(
        auc=float(null[0]),
        auc_method=method,
        p_count=int((halves >= halves[0]).sum()),
        p_total=len(labellings),
        p_floor=highest / len(labellings),
        null_mean=float(null.mean()),
        null=null,
    )
