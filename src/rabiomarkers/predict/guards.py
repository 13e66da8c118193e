"""Mechanical proof that a left-out patient plays no part in the model that predicts them.

A run that fails one of these has no result: a leak of one label is enough to "predict" noise (mean AUC 1.00 at n = 10 where the
ten best of 500 noise features are picked before the split). It proves so of what is learnt; what is done before, the design matrix,
is safe for another reason: `design.py` refuses features whose value depends on other patients.

References
----------
Kapoor & Narayanan 2023, doi:10.1016/j.patter.2023.100804
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.ridge import Flags, Matrix
from rabiomarkers.predict.validate import Learner, leave_one_out_splits

POISONS = (1e6, np.nan)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What a pipeline learnt without the left-out patients, and what it says of them."""

    probability: Matrix  # (left out,)
    parameters: Matrix  # everything that was learnt, as one vector


type Pipeline = Callable[[Matrix, Flags, NDArray[np.int64]], Fold]
"""(patients x features, labels, positions left out) -> the fold. It is handed everybody, so it can cheat: that is tested."""


def honest(learn: Learner) -> Pipeline:
    """The pipeline in which `learn` is handed the training patients only."""

    def pipeline(values: Matrix, labels: Flags, out: NDArray[np.int64]) -> Fold:
        training = np.delete(np.arange(len(labels)), out)
        fitted = learn(values[training], labels[None, training])
        return Fold(probability=expit(fitted.decision(values[out])[0]), parameters=fitted.parameters)

    return pipeline


def find_leaks(pipeline: Pipeline, values: Matrix, labels: Flags) -> list[str]:
    """How each left-out patient reaches into their own fold, in words; empty where none does.

    Each patient in turn is left out; flipping their label may not move their prediction nor what was learnt, and replacing
    their features by 1e6 and by NaN may not change one bit of what was learnt.

    Parameters
    ----------
    values
        Patients x features.
    labels
        Length n; each kind at least twice.
    """
    leaks = []
    for _, out in leave_one_out_splits(len(labels)):
        fold = pipeline(values, labels, out)
        flipped = labels.copy()
        flipped[out] = ~flipped[out]
        other = pipeline(values, flipped, out)
        where = f"patient {int(out[0]) + 1} of {len(labels)}"
        if not np.array_equal(fold.probability, other.probability):
            leaks.append(f"{where}: the prediction moves with the patient's own label")
        if not np.array_equal(fold.parameters, other.parameters):
            leaks.append(f"{where}: what is learnt moves with the left-out label")
        for poison in POISONS:
            poisoned = values.copy()
            poisoned[out] = poison
            if not np.array_equal(fold.parameters, pipeline(poisoned, labels, out).parameters):
                leaks.append(f"{where}: what is learnt moves when the left-out features become {poison:g}")
    return leaks


def refuse_leaks(pipeline: Pipeline, values: Matrix, labels: Flags) -> None:
    """Stop the run where `find_leaks` finds any.

    Raises
    ------
    PredictionError
        The pipeline leaks; the first three leaks are named.
    """
    leaks = find_leaks(pipeline, values, labels)
    if leaks:
        raise PredictionError(
            f"The prediction pipeline leaks ({len(leaks)} findings): {'; '.join(leaks[:3])}. No result of it can be trusted; "
            "fit every step inside the fold."
        )
