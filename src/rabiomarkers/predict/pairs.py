"""Pairs of a responder and another patient, compared by one model that knows neither: the parts of an honest AUC."""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb

import numpy as np

from rabiomarkers.predict.cohort import Cohort
from rabiomarkers.predict.learners import Counts, Flags, Learner, Matrix
from rabiomarkers.predict.splits import leave_pair_out_splits, stratified_splits

type Tell = Callable[[int, int], None]
"""Is told how many of how many parts are done."""

TIE = 1e-9  # log odds closer than this are equal: the rounding of a solver must not order two patients


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


def pairs_left_out(
    cohort: Cohort, labellings: Flags, learn: Learner, *, repeating: bool, tell: Tell | None = None
) -> tuple[Counts, Counts]:
    """Pairs ordered rightly by models trained without both: of each labelling, and pair by pair (responders x others) of the first.

    Counted in halves: a right order is 2, a tie 1.

    Parameters
    ----------
    labellings
        Labellings x patients, each with at least two of each kind.
    repeating
        As in `Cohort.odds`.
    """
    first_labels = labellings[0]
    place = np.where(first_labels, np.cumsum(first_labels), np.cumsum(~first_labels)) - 1  # among their own kind
    halves = np.zeros(len(labellings), dtype=np.int64)
    won = np.zeros((int(first_labels.sum()), int((~first_labels).sum())), dtype=np.int64)
    total = comb(cohort.patients, 2)
    for done, (training, pair) in enumerate(leave_pair_out_splits(cohort.patients), start=1):
        first, second = pair
        apart = np.flatnonzero(labellings[:, first] != labellings[:, second])
        if len(apart):
            odds = cohort.odds(learn, labellings[apart], training, pair, repeating=repeating)
            right = won_by(np.where(labellings[apart, first], 1, -1) * (odds[:, 0] - odds[:, 1]))
            halves[apart] += right
            if apart[0] == 0:
                responder, other = (first, second) if first_labels[first] else (second, first)
                won[place[responder], place[other]] = right[0]
        if tell is not None:
            tell(done, total)
    return halves, won


def folds_each(
    cohort: Cohort,
    labellings: Flags,
    learn: Learner,
    *,
    folds: int,
    repeats: int,
    seed: int,
    tell: Tell | None,
) -> tuple[Counts, Counts, Counts]:
    """Halves of each labelling (all have as many pairs), and `within_folds` of the first one."""
    halves = np.zeros(len(labellings), dtype=np.int64)
    for place, labels in enumerate(labellings):
        found = within_folds(cohort, labels, learn, folds=folds, repeats=repeats, seed=[seed, place])
        halves[place] = found[0].sum()
        if place == 0:
            won, compared = found
        if tell is not None:
            tell(place + 1, len(labellings))
    return halves, won, compared


def within_folds(
    cohort: Cohort, labels: Flags, learn: Learner, *, folds: int, repeats: int, seed: Sequence[int]
) -> tuple[Counts, Counts]:
    """How often each responder was scored above each other patient of the same left-out fold (in halves), and how often compared.

    Patients of different folds are scored by different models and so are never compared. Both are responders x others.
    """
    place = np.where(labels, np.cumsum(labels), np.cumsum(~labels)) - 1
    won = np.zeros((int(labels.sum()), int((~labels).sum())), dtype=np.int64)
    compared = np.zeros_like(won)
    for repeat in range(repeats):
        for training, out in stratified_splits(labels, folds=folds, seed=[*seed, repeat]):
            odds = cohort.odds(learn, labels[None, :], training, out)[0]
            called = labels[out]
            cells = np.ix_(place[out[called]], place[out[~called]])
            won[cells] += won_by(odds[called][:, None] - odds[~called][None, :])
            compared[cells] += 1
    return won, compared


def won_by(ahead: Matrix) -> Counts:
    """2 where the responder is ahead of the other, 1 of a tie, else 0."""
    won: Counts = 2 * (ahead > TIE).astype(np.int64) + (np.abs(ahead) <= TIE)
    return won
