"""Mechanical proof, in every run, that a left-out patient plays no part in the model that forecasts them.

A run that fails one guard has no result: a leak of one label is enough to "predict" noise (mean AUC 1.00 at n = 10 where the ten
best of 500 noise features are picked before the split). Each guard (`checks.py`) asks what an honest procedure cannot do, whatever
its model:

- `label`: the left-out patients' responses are flipped. Neither their forecast nor what is learnt may move by one bit.
- `values`: all their values become 1e6, then missing. What is learnt may not move by one bit. Where several are left out, one's
  forecast may not move with the others' values: a fold must not be scaled by itself.
- `canary`: one column is 0 for training patients and +-1 by response for the left out. Against that column at 0 for everybody
  nothing learnt may move, and beside it the forecast may not move with the responses. It finds steps that only look whether a
  column varies or is present. The forecast may differ from the one without a canary, as the left-out values do: a model by
  distances answers to that.
- `alive`: every column tells everybody's response, and pairs are left out. A model that orders them wrongly is handed other
  patients than it forecasts. One that orders none follows no feature, and the row says so; that is no finding.
- `rows`: every step is watched (`ledger.py`). It may be fitted to training rows only, and must forecast as the unwatched model.
- `sides`: no patient is on both sides of a split: of all outer ones, and of the inner ones of the checked folds.
- `again`: a fold that is run again after all others gives the same bits, so nothing is remembered from fold to fold.

"What is learnt" is all numbers the model holds after it has forecast the left-out patients, and its forecasts of the training
patients. What is done before, the design matrix, is safe for another reason: `design.py` refuses features that depend on the
cohort.

References
----------
Kapoor & Narayanan 2023, doi:10.1016/j.patter.2023.100804
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.checks import GUARDS, GuardRow, Trial
from rabiomarkers.predict.cohort import knows_patients
from rabiomarkers.predict.learners import Counts, Flags, Matrix, learner_of
from rabiomarkers.predict.nested import inner_splits
from rabiomarkers.predict.procedure import Pipeline, Rows, honest, watched
from rabiomarkers.predict.splits import Split, leave_pair_out_splits, stratified_splits
from rabiomarkers.predict.validate import MAXIMUM_PAIRS, fold_number, repeats_for

POISONS = (1e6, np.nan)
MANY_PATIENTS = 60
MOST_FOLDS, FEW_FOLDS = 60, 12  # that are checked: up to so many patients, and above


@dataclass(frozen=True, kw_only=True)
class GuardReport:
    """What every guard saw, in the order of `GUARDS`."""

    rows: tuple[GuardRow, ...]

    @property
    def findings(self) -> list[str]:
        """All, each with its guard in front."""
        return [f"{row.guard}: {finding}" for row in self.rows for finding in row.findings]

    def records(self) -> list[dict[str, Any]]:
        """`guard, words, folds, findings` of each, for JSON."""
        return [row.record() for row in self.rows]


def guard(
    estimator: BaseEstimator,
    values: Matrix,
    labels: Flags,
    *,
    seed: int,
    patients: Sequence[str] | None = None,
    splits: Iterable[Split] | None = None,
    patient: Counts | None = None,
) -> GuardReport:
    """Try the estimator that is about to be validated, in the folds it is about to be validated in.

    Parameters
    ----------
    estimator
        Not fitted; any classifier of two classes.
    values
        Rows x features, NaN where missing.
    labels
        By patient, each kind at least twice.
    seed
        The validation's. Of its folds so many are tried that each patient is left out, in random order, at most 60 (12 above 60
        patients).
    patients
        Ids, of each label; findings name them. None: 1, 2, ...
    splits
        (training, left out) positions of patients; None: those that `validate` makes of these labels.
    patient
        Position in `labels` of each row's patient; None: row i is patient i.
    """
    owner = np.arange(len(labels)) if patient is None else patient
    learn = learner_of(estimator)
    told = patient if knows_patients(learn) else None  # as the validation does
    missing = get_tags(estimator).input_tags.allow_nan or np.isnan(values).any()  # else it could not forecast them
    return guard_pipeline(
        honest(learn, patient=told),
        Rows(
            values=values,
            labels=labels[owner],
            patient=owner,
            names=[str(place + 1) for place in range(len(labels))] if patients is None else patients,
        ),
        splits=validation_splits(labels, seed=seed) if splits is None else splits,
        seed=seed,
        watch=watched(estimator, patient=told),
        poisons=POISONS if missing else POISONS[:1],
        inner=inner_of(estimator, labels[owner], patient=told),
    )


def validation_splits(labels: Flags, *, seed: int) -> Iterator[Split]:
    """The outer splits that `validate` makes of the labels of patients as they were observed."""
    if labels.sum() * (~labels).sum() <= MAXIMUM_PAIRS:
        yield from leave_pair_out_splits(len(labels))
        return
    for repeat in range(repeats_for(len(labels))):
        yield from stratified_splits(labels, folds=fold_number(labels), seed=[seed, 0, repeat])


def inner_of(
    estimator: BaseEstimator, labels: Flags, *, patient: Counts | None
) -> Callable[[Counts], list[Split]] | None:
    """Training rows -> positions among them, as the estimator splits them by `nested.inner_splits`; None where it does not.

    Known by the setting `inner`, of the estimator or of one inside it. `labels` and `patient` are of all rows.
    """
    settings = sorted(estimator.get_params(deep=True).items())
    chosen = [value for key, value in settings if key.rpartition("__")[2] == "inner"]
    if not chosen:
        return None
    return lambda rows: inner_splits(labels[rows], inner=chosen[0], patient=None if patient is None else patient[rows])


def guard_pipeline(
    pipeline: Pipeline,
    rows: Rows,
    *,
    splits: Iterable[Split],
    seed: int,
    watch: Pipeline | None = None,
    poisons: Sequence[float] = POISONS,
    inner: Callable[[Counts], list[Split]] | None = None,
) -> GuardReport:
    """All guards on any pipeline.

    Parameters
    ----------
    splits, seed
        As in `guard`.
    watch
        The same pipeline with its steps watched; None: what `pipeline` itself says of its steps.
    poisons
        Values that the model can take.
    inner
        Training rows -> (training, left out) positions among them, where the model splits them by a rule that is known.
    """
    every = list(splits)
    outs = _checked(every, rows, seed)
    with np.errstate(
        invalid="ignore", over="ignore", divide="ignore"
    ):  # a pipeline that leaks computes with the poison
        trial = Trial(
            pipeline=pipeline,
            watched=pipeline if watch is None else watch,
            rows=rows,
            splits=every,
            outs=outs,
            poisons=poisons,
            inner=inner,
            seed=seed,
        )
        trial = replace(trial, plain=[pipeline(rows.values, rows.labels, out) for out in outs])
        trial = replace(trial, seen=[trial.watched(rows.values, rows.labels, out) for out in outs])
        return GuardReport(rows=tuple(check(trial) for check in GUARDS.values()))


def _checked(splits: Sequence[Split], rows: Rows, seed: int) -> list[Counts]:
    """Left-out rows of the folds to check: in random order, first those of which no patient was left out before, then those of
    which some patient was not, so that each is left out and few folds do it.

    Folds with one class in training are never fitted, so they are not checked.
    """
    most = MOST_FOLDS if len(rows.names) <= MANY_PATIENTS else FEW_FOLDS
    tried: set[int] = set()
    chosen: dict[int, Counts] = {}
    order = np.random.default_rng(seed).permutation(len(splits)).tolist()
    for whole, place in product((True, False), order):
        patients = set(splits[place][1].tolist())
        new = patients - tried
        if not new or (whole and new != patients) or len(chosen) == most:
            continue
        out = rows.of(splits[place][1])
        kept = np.delete(rows.labels, out)
        if kept.any() and not kept.all():
            chosen[place] = out
            tried |= patients
    return [chosen[place] for place in sorted(chosen)]


def refuse_leaks(report: GuardReport) -> None:
    """Stop the run where a guard found anything.

    Raises
    ------
    PredictionError
        The first three findings, how many there are, and what to do.
    """
    findings = report.findings
    if findings:
        raise PredictionError(
            f"The prediction pipeline leaks ({len(findings)} finding{'s' if len(findings) > 1 else ''}): "
            f"{'; '.join(findings[:3])}. "
            "No result of it can be trusted: fit every step to the training patients of its fold only, and keep all rows of a "
            "patient on one side."
        )
