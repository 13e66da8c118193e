"""Honest validation of a model: everything that is learnt is learnt from the training patients of a split.

Few patients: the AUC is the share of (responder, other) pairs that a model trained without both of them orders rightly
(leave-pair-out). Many: the share of the pairs inside a left-out fold, over repeated stratified folds. Either way two patients are
compared by one model that knows neither. The AUC of pooled leave-one-out probabilities is never computed: on noise with 3
responders of 10 its mean is 0.05 (this ridge, one feature) to 0.38 instead of 0.5, and that of a constant model is exactly 0, as
each left-out label shifts the training prevalence the other way.

References
----------
Airola et al. 2009, leave-pair-out, doi:10.1016/j.csda.2010.11.023
Phipson & Smyth 2010, (count + 1) / (total + 1), doi:10.2202/1544-6115.1585
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
from scipy.special import expit

from rabiomarkers.predict.cohort import Cohort, cohort_of
from rabiomarkers.predict.learners import Counts, Flags, Learner, Matrix
from rabiomarkers.predict.pairs import Tell, all_labellings, folds_each, pairs_left_out, sampled_labellings, won_by
from rabiomarkers.predict.scores import brier_score, enough_for_folds
from rabiomarkers.predict.splits import leave_batch_out_splits, leave_one_out_splits, stratified_splits

MAXIMUM_PAIRS = 400  # leave-pair-out up to here, repeated stratified folds above
FOLDS = 5
MOST_REPEATS, FEWEST_REPEATS = 10, 2
REPEATED_PATIENTS = 1000  # over the repeats, about so many patients are left out
ENUMERATE_UP_TO = 10_000  # distinct labellings; above, a seeded sample


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
    ordered: Matrix  # responders x others, in the order of the patients: share of the comparisons ordered rightly; NaN of none
    compared: Counts  # responders x others: how often the two were left out together

    @property
    def p_value(self) -> float:
        """One-sided: better than chance."""
        return self.p_count / self.p_total


@dataclass(frozen=True, kw_only=True)
class BatchValidation:
    """Each batch forecast by a model of the other batches."""

    table: pd.DataFrame  # BATCH_VALIDATION without `model`
    auc: float | None  # over all pairs of two patients of one batch
    pairs: int
    brier: float | None  # over all patients who were forecast
    probability: Matrix  # by patient; NaN of one who was not forecast
    note: str  # why a number is absent, and who was not forecast


def validate(
    values: Matrix,
    labels: Flags,
    learn: Learner,
    *,
    permutations: int,
    seed: int,
    patient: Counts | None = None,
    maximum_pairs: int = MAXIMUM_PAIRS,
    enumerate_up_to: int = ENUMERATE_UP_TO,
    repeats: int | None = None,
    progress: Tell | None = None,
) -> Validation:
    """AUC on left-out patients, and its permutation p: the whole pipeline runs again for every relabelling, its folds drawn anew.

    Parameters
    ----------
    values
        Rows x features, NaN where missing; rows are patients, sorted by id, unless `patient` tells whose they are.
    labels
        Of each patient, at least two of each kind; whole patients are relabelled.
    learn
        As in `learners.py`; one that takes an argument `patient` is told the patients of its rows, for its inner splits.
    permutations
        Random relabellings where the distinct ones are more than `enumerate_up_to`.
    patient
        Position in `labels` of each row's patient; a patient's score is the mean log odds of their rows.
    maximum_pairs
        Leave-pair-out where responders x others is at most this, else repeated stratified folds.
    repeats
        Of the folds; None: so that about 1 000 patients are left out, 2 to 10 times.
    progress
        Told after each pair left out, or each relabelling.

    Raises
    ------
    PredictionError
        Fewer than two patients of one kind, rows that fit no patient, or a forecast that is no number.
    """
    cohort = cohort_of(values, labels, patient, least=2)
    responders = int(labels.sum())
    exact = comb(len(labels), responders) <= enumerate_up_to
    labellings = all_labellings(labels) if exact else sampled_labellings(labels, permutations=permutations, seed=seed)
    if responders * (len(labels) - responders) <= maximum_pairs:
        halves, won = pairs_left_out(cohort, labellings, learn, repeating=exact, tell=progress)
        return _judged(halves, won, np.ones_like(won), f"leave-pair-out ({won.size} pairs)", exact=exact)
    folds, times = fold_number(labels), repeats or repeats_for(len(labels))
    halves, won, compared = folds_each(cohort, labellings, learn, folds=folds, repeats=times, seed=seed, tell=progress)
    return _judged(halves, won, compared, f"within {folds} stratified folds, {times} times", exact=exact)


def _judged(halves: Counts, won: Counts, compared: Counts, method: str, *, exact: bool) -> Validation:
    """The first labelling among all."""
    null = halves / (2 * compared.sum())
    # a model learns the direction, so several labellings may share the highest AUC; a sample may have missed the rest of them
    highest = int((halves == halves.max()).sum()) if exact else 1
    return Validation(
        auc=float(null[0]),
        auc_method=method,
        p_count=int((halves >= halves[0]).sum()),
        p_total=len(halves),
        p_floor=highest / len(halves),
        null_mean=float(null.mean()),
        null=null,
        ordered=np.where(compared > 0, won / np.maximum(2 * compared, 1), np.nan),
        compared=compared,
    )


def out_of_fold(
    values: Matrix,
    labels: Flags,
    learn: Learner,
    *,
    seed: int = 1,
    patient: Counts | None = None,
    repeats: int | None = None,
) -> Matrix:
    """Probability of response of each patient by models that were not trained on them.

    With fewer than 20 responders or 20 others by a model of all other patients (leave-one-out); from there on the mean over
    repeated stratified folds, whose training sets all have about the same share of responders. Leave-one-out probabilities serve
    Brier score, log loss and display: no AUC and no calibration is made of them, see the top of the module.

    Parameters and errors as in `validate`.
    """
    cohort = cohort_of(values, labels, patient, least=2)
    if not enough_for_folds(labels):
        return _leave_one_out(cohort, labels, learn)
    times = repeats or repeats_for(len(labels))
    total = np.zeros(len(labels))
    for repeat in range(times):
        for training, out in stratified_splits(labels, folds=fold_number(labels), seed=[seed, 0, repeat]):
            total[out] += expit(cohort.odds(learn, labels[None, :], training, out)[0])
    return total / times


def leave_one_out(values: Matrix, labels: Flags, learn: Learner, *, patient: Counts | None = None) -> Matrix:
    """Probability of response of each patient by a model trained on all others; parameters and errors as in `validate`."""
    return _leave_one_out(cohort_of(values, labels, patient, least=2), labels, learn)


def leave_batch_out(
    values: Matrix, labels: Flags, learn: Learner, batches: Sequence[str | None], *, patient: Counts | None = None
) -> BatchValidation:
    """Each batch forecast by a model of the others: whether the model survives a change of batch.

    Patients of different batches are scored by different models and so are never compared.

    Parameters
    ----------
    batches
        Of each patient; None where not known: who is of unknown batch plays no part.

    Others, and errors, as in `validate`; but labels may be of one kind.
    """
    cohort = cohort_of(values, labels, patient, least=0)
    probability = np.full(len(labels), np.nan)
    rows, halves, pairs = [], 0, 0
    for name, (training, out) in leave_batch_out_splits(batches):
        row = {"batch": name, "n": len(out), "responders": int(labels[out].sum()), "auc": np.nan, "brier": np.nan}
        note = _why_not_trainable(labels[training])
        if not note:
            odds = cohort.odds(learn, labels[None, :], training, out)[0]
            probability[out] = expit(odds)
            won = won_by(odds[labels[out]][:, None] - odds[~labels[out]][None, :])
            halves, pairs = halves + int(won.sum()), pairs + won.size
            row["brier"] = brier_score(labels[out], probability[out])
            row["auc"] = won.sum() / (2 * won.size) if won.size else np.nan
            note = _why_no_auc(labels[out])
        rows.append(row | {"note": note})
    forecast = ~np.isnan(probability)
    return BatchValidation(
        table=_batch_table(rows),
        auc=halves / (2 * pairs) if pairs else None,
        pairs=pairs,
        brier=brier_score(labels[forecast], probability[forecast]) if forecast.any() else None,
        probability=probability,
        note=_batch_note(rows, pairs, unknown=sum(batch is None for batch in batches)),
    )


def _why_no_auc(labels: Flags) -> str:
    if labels.any() and not labels.all():
        return ""
    return f"no AUC: {'all' if labels.any() else 'nobody'} of the batch responded"


def _batch_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    kinds = {"batch": "str", "n": "int64", "responders": "int64", "auc": "float64", "brier": "float64", "note": "str"}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def _why_not_trainable(labels: Flags) -> str:
    if not len(labels):
        return "cannot be left out: it is the only batch"
    if labels.all() or not labels.any():
        kind = "responded" if labels.all() else "did not respond"
        return f"cannot be left out: all {len(labels)} patients of the other batches {kind}"
    return ""


def _batch_note(rows: list[dict[str, object]], pairs: int, *, unknown: int) -> str:
    told = []
    if not rows:
        told.append("no batch is known")
    elif len(rows) == 1:
        told.append("all patients are of one batch")
    elif not pairs:
        told.append("no batch that can be left out has both responders and others")
    if unknown:
        told.append(f"{unknown} patient{'s' if unknown > 1 else ''} of unknown batch left aside")
    return "; ".join(told)


def fold_number(labels: Flags) -> int:
    """Five, or fewer where a kind has fewer patients."""
    return min(FOLDS, int(labels.sum()), int((~labels).sum()))


def repeats_for(patients: int) -> int:
    """How often the folds are drawn: the fewer patients, the more often."""
    return int(np.clip(round(REPEATED_PATIENTS / patients), FEWEST_REPEATS, MOST_REPEATS))


def leave_pair_out(values: Matrix, labellings: Flags, learn: Learner, *, patient: Counts | None = None) -> Counts:
    """Pairs that are ordered rightly, for each labelling; counted in halves, so that a tie is 1 and a right order 2.

    Parameters
    ----------
    labellings
        Labellings x patients, each with at least two of each kind; the others as in `validate`.
    """
    cohort = cohort_of(values, labellings[0], patient, least=2)
    return pairs_left_out(cohort, labellings, learn, repeating=False)[0]


def _leave_one_out(cohort: Cohort, labels: Flags, learn: Learner) -> Matrix:
    odds = np.empty(len(labels))
    for training, out in leave_one_out_splits(len(labels)):
        odds[out] = cohort.odds(learn, labels[None, :], training, out)[0]
    probability: Matrix = expit(odds)
    return probability
