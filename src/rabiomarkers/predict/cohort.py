"""Patients with one or several rows of values, forecast by a learner that is handed the training patients only."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, cast

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Counts, Flags, Learner, Matrix, distinct


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The values that are known of patients 0 .. patients - 1."""

    values: Matrix  # rows x features, NaN where missing
    patient: Counts | None  # (rows,) whose row it is; None: row i is patient i's
    patients: int

    def odds(
        self, learn: Learner, labellings: Flags, training: Counts, out: Counts, *, repeating: bool = False
    ) -> Matrix:
        """Log odds of the patients left out (labellings x left out) by models of the training patients; the mean of their rows.

        Parameters
        ----------
        labellings
            Labellings x patients.
        training, out
            Positions of patients.
        repeating
            Many labellings are equal among the training patients, so that it pays to fit each distinct one once.

        Raises
        ------
        PredictionError
            A forecast is no number.
        """
        taught, asked = self._rows(training), self._rows(out)
        owner = training if self.patient is None else self.patient[taught]
        several = self.patient is not None and knows_patients(learn)
        learning: Learner = partial(cast(Any, learn), patient=owner) if several else learn
        fitted = (distinct(learning) if repeating else learning)(self.values[taught], labellings[:, owner])
        odds = fitted.decision(self.values[asked])
        if np.isnan(odds).any():
            raise PredictionError("The model forecasts no number for a patient who was left out.")
        return odds if self.patient is None else odds @ self._shares(asked, out)

    def _rows(self, chosen: Counts) -> Counts:
        return chosen if self.patient is None else np.flatnonzero(np.isin(self.patient, chosen))

    def _shares(self, rows: Counts, chosen: Counts) -> Matrix:
        """Rows x patients, so that a product with it is a mean over each patient's rows."""
        own = np.asarray(self.patient)[rows][:, None] == chosen[None, :]
        shares: Matrix = own / own.sum(axis=0)
        return shares


def cohort_of(values: Matrix, labels: Flags, patient: Counts | None, *, least: int) -> Cohort:
    """The checked cohort.

    Raises
    ------
    PredictionError
        Rows, patients and labels do not fit together, a patient has no row, or one kind has fewer than `least` patients.
    """
    patients, responders = len(labels), int(labels.sum())
    owners: Sequence[int] = range(len(values)) if patient is None else patient.tolist()
    if set(owners) != set(range(patients)) or len(owners) != len(values):
        raise PredictionError(
            f"Each of the {patients} patients needs rows of values, and each row a patient; there are {len(values)} rows of "
            f"{len(set(owners))} patients."
        )
    if min(responders, patients - responders) < least:
        raise PredictionError(
            f"A validation needs {least} responders and {least} others; there are {responders} and {patients - responders}."
        )
    return Cohort(values=values, patient=patient, patients=patients)


def knows_patients(learn: Learner) -> bool:
    """Whether a learner takes the argument `patient`, the patient of each row, for its own inner splits."""
    return "patient" in signature(learn).parameters
