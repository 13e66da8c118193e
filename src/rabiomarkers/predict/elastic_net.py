"""Elastic-net logistic regression for many relabellings of the same few patients at once.

Objective, for n training patients and standardised features z:

    1/n * sum log(1 + exp(-s_i (a + b.z_i))) + penalty * (l1_ratio * sum |b_j| + (1 - l1_ratio) / 2 * |b|^2)

(s_i = +1 responder, -1 not; the intercept a is free.) It is scikit-learn's ``LogisticRegression(l1_ratio=l1_ratio,
C=1 / (n * penalty))``, as in `ridge.py` with a penalty that means the same in every fold. A feature has a weight only where its
covariance with what the others leave unexplained exceeds penalty * l1_ratio, and no covariance of a standardised feature with a
response exceeds 1/2.

Fitted by accelerated proximal gradient steps, all labellings in one matrix product; each starts its momentum anew where it leads
astray.

References
----------
Zou & Hastie 2005, doi:10.1111/j.1467-9868.2005.00503.x
Beck & Teboulle 2009, the steps, doi:10.1137/080716542
O'Donoghue & Candes 2015, the restart, doi:10.1007/s10208-013-9150-3
"""

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Flags, Matrix
from rabiomarkers.predict.ridge import RidgeFit, require_penalties, require_two_classes, standardise, standardised

CONVERGED = 1e-10  # standardised weight that a last step moves
MAXIMUM_STEPS = 20_000
CHUNK_NUMBERS = 400_000  # numbers in the largest temporary array
LARGEST_COVARIANCE = 0.5  # of a standardised feature and a response


def fit_elastic_net(values: Matrix, labels: Flags, *, penalty: float, l1_ratio: float) -> RidgeFit:
    """Fit one model a row of `labels`.

    Parameters
    ----------
    values
        Training patients x features, in their own units, NaN (the mean is filled in) where missing.
    labels
        Relabellings x training patients, true for a responder.
    penalty
        Above 0; see the objective in the module's docstring.
    l1_ratio
        Share of the penalty that is on absolute weights, 0 (ridge) to 1 (lasso).

    Raises
    ------
    PredictionError
        The penalty is not positive or leaves every feature without weight, `l1_ratio` is no share, a relabelling has one class
        only, a value is infinite, or the steps do not converge.
    """
    require_penalties([penalty])
    _require_share(penalty, l1_ratio)
    require_two_classes(labels)
    training = standardised(values, [np.arange(len(values))])
    centre, scale = training.centre[0], training.scale[0]
    scaled = standardise(values, centre, scale)
    scaled[:, np.abs(scaled).max(axis=0, initial=0.0) < 0.5] = 0.0  # a constant: any other has a patient 1 or more away
    rows = max(1, CHUNK_NUMBERS // max(1, sum(scaled.shape)))
    theta = np.concatenate(
        [
            _steps(scaled, labels[first : first + rows], penalty * l1_ratio, penalty * (1 - l1_ratio))
            for first in range(0, len(labels), rows)
        ]
        or [np.empty((0, 1 + scaled.shape[1]))]
    )
    return RidgeFit(centre=centre, scale=scale, intercept=theta[:, 0], coefficients=theta[:, 1:])


def _require_share(penalty: float, l1_ratio: float) -> None:
    if not 0 <= l1_ratio <= 1:
        raise PredictionError(f"The l1_ratio of an elastic net is a share, 0 to 1; it is {l1_ratio:g}.")
    if penalty * l1_ratio >= LARGEST_COVARIANCE:
        raise PredictionError(
            f"With penalty {penalty:g} and l1_ratio {l1_ratio:g} no feature can have a weight, whatever the data: their product "
            f"must be below {LARGEST_COVARIANCE:g}."
        )


def _steps(scaled: Matrix, labels: Flags, lasso: float, ridge: float) -> Matrix:
    """(k, 1 + p) of standardised patients x features."""
    patients, features = scaled.shape
    design = np.column_stack([np.ones(patients), scaled])
    # the loss bends at most a quarter as much as the largest direction of the design
    length = 1 / (0.25 * np.linalg.norm(design, 2) ** 2 / patients + ridge)
    shrink = np.concatenate([[0.0], np.full(features, lasso)]) * length
    pull = np.concatenate([[0.0], np.full(features, ridge)])
    prevalence = labels.mean(axis=1)
    found = np.zeros((len(labels), 1 + features))
    found[:, 0] = np.log(prevalence) - np.log1p(-prevalence)
    busy, told = np.arange(len(labels)), labels.astype(np.float64)
    theta = ahead = found
    momentum = np.ones(len(labels))
    for _ in range(MAXIMUM_STEPS):
        gradient = (0.5 + 0.5 * np.tanh(0.5 * (ahead @ design.T)) - told) @ design / patients + pull * ahead
        moved = ahead - length * gradient
        reached = np.sign(moved) * np.maximum(np.abs(moved) - shrink, 0.0)
        astray = ((ahead - reached) * (reached - theta)).sum(axis=1) > 0
        following = np.where(astray, 1.0, (1 + np.sqrt(1 + 4 * momentum**2)) / 2)
        share = np.where(astray, 0.0, (momentum - 1) / following)
        going = ~(np.abs(reached - ahead).max(axis=1) <= CONVERGED)  # a NaN never arrives
        found[busy[~going]] = reached[~going]
        busy, told, momentum = busy[going], told[going], following[going]
        ahead = (reached + share[:, None] * (reached - theta))[going]
        theta = reached[going]
        if not len(busy):
            return found
    raise PredictionError(f"The elastic net did not converge in {MAXIMUM_STEPS} steps; use a larger penalty.")
