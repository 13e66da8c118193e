"""A procedure that makes forecasts, as something that can be tried: handed everybody and told whom to leave out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator

from rabiomarkers.predict.learners import Counts, Flags, Learner, Matrix
from rabiomarkers.predict.ledger import Handed, Ledger, carried, carried_labels


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What a pipeline learnt without the left-out rows, and what it says of them."""

    probability: Matrix  # (left out,)
    parameters: Matrix  # everything that was learnt, as one vector
    handed: tuple[Handed, ...] = ()  # what its watched steps were handed


type Pipeline = Callable[[Matrix, Flags, Counts], Fold]
"""(rows x features, labels, positions left out) -> the fold. It is handed everybody, so it can cheat: that is tested."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows that a pipeline is tried on, and whose they are."""

    values: Matrix  # rows x features
    labels: Flags  # by row
    patient: Counts  # by row: position among `names`
    names: Sequence[str]  # patient ids

    def of(self, patients: Counts) -> Counts:
        """Positions of these patients' rows."""
        return np.flatnonzero(np.isin(self.patient, patients))

    def told(self, rows: Iterable[int]) -> str:
        """The patients of these rows, in words."""
        return named(str(self.names[self.patient[row]]) for row in rows)


def named(ids: Iterable[str]) -> str:
    """The first three patients, in words."""
    names = sorted(set(ids))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"patient{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}"


def honest(learn: Learner, *, patient: Counts | None = None) -> Pipeline:
    """The pipeline in which `learn` is handed the training rows only; with `patient` (of all rows) also whose these are."""

    def pipeline(values: Matrix, labels: Flags, out: Counts) -> Fold:
        training = np.delete(np.arange(len(labels)), out)
        fitted = learn(values[training], labels[None, training], **_whose(patient, training))
        probability = expit(fitted.decision(values[out])[0])
        learned = fitted.parameters  # now, so that what is learnt while forecasting is seen
        recalled = fitted.decision(values[training])[0]  # stands for numbers of a model that cannot be read
        return Fold(probability=probability, parameters=np.concatenate([learned, recalled]))

    return pipeline


def watched(estimator: BaseEstimator, *, patient: Counts | None = None) -> Pipeline:
    """The same with the estimator fitted by `fit`, every step of it watched."""

    def pipeline(values: Matrix, labels: Flags, out: Counts) -> Fold:
        training = np.delete(np.arange(len(labels)), out)
        ledger = Ledger(values, training)
        model = ledger.watch(estimator)
        model.fit(carried(values, training), carried_labels(labels, training), **_whose(patient, training))
        probability = np.asarray(model.predict_proba(carried(values, out)), dtype=np.float64)[:, 1]
        return Fold(probability=probability, parameters=np.empty(0), handed=tuple(ledger.handed))

    return pipeline


def _whose(patient: Counts | None, training: Counts) -> dict[str, Any]:
    return {} if patient is None else {"patient": patient[training]}
