"""Firth's logistic regression for many relabellings of the same patients at once.

Maximises log likelihood + 1/2 log det(X' W X), which takes the first-order bias away and keeps the weights finite where the two
kinds of patients are separated. The score is that of patients who count (1 + h) times, h the leverages: label - p + h (1/2 - p). So
each step solves their information matrix against it; a step that lowers the penalised likelihood is halved. The few fits that this
does not bring home in 20 steps go on with the second derivative, to which the leverages' own change belongs.

The fit runs in orthogonal directions that the features of the training patients span. The penalty does not depend on the axes, so
the weights are those of a fit in the features themselves; where features are tied to each other, or as many as the patients, they
are the smallest standardised weights that give the same forecasts.

References
----------
Firth 1993, doi:10.1093/biomet/80.1.27
Heinze & Schemper 2002, separation, doi:10.1002/sim.1047
Kosmidis & Firth 2021, the maximum is finite, doi:10.1093/biomet/asaa052
"""

from dataclasses import dataclass

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Flags, Matrix
from rabiomarkers.predict.ridge import RidgeFit, require_two_classes, standardised

CONVERGED, CONVERGED_EXACT = 1e-9, 1e-6  # log odds that a last step moves; an exact one leaves about its square
LONGEST = 5.0  # log odds that one step may move
SURE = 1e-6  # log odds; a step that moves less is taken unasked: rounding would decide whether it is a gain
PATIENCE = 20  # steps after which those that are not there yet take the leverages' own change into account
MAXIMUM_STEPS = 1000
CHUNK_NUMBERS = 100_000  # log odds times directions that are computed together, so that they stay in the cache
MOST_PRODUCTS = 4_000_000  # numbers that are kept of them
HILL = 1e-8  # a flatter second derivative may be none
RANK = 1e-10  # directions with less than this share of the largest spread are rounding


def fit_firth(values: Matrix, labels: Flags) -> RidgeFit:
    """Fit one model a row of `labels`.

    Parameters
    ----------
    values
        Training patients x features, in their own units, NaN (the mean is filled in) where missing.
    labels
        Relabellings x training patients, true for a responder.

    Raises
    ------
    PredictionError
        A relabelling has one class only, a value is infinite, or the steps do not converge.
    """
    require_two_classes(labels)
    training = standardised(values, [np.arange(len(values))])
    coordinates = training.stack.design[0, :, 1:]
    left, spread, across = np.linalg.svd(coordinates, full_matrices=False)
    kept = spread > RANK * max(float(spread.max(initial=0.0)), 1.0)
    unit = np.sqrt(len(values))
    design = np.column_stack([np.ones(len(values)), left[:, kept] * unit])
    theta = _maximised(design, labels)
    weights = (theta[:, 1:] * unit / spread[kept]) @ across[kept]
    weights = np.where((coordinates != 0).any(axis=0), weights, 0.0)  # none of a constant, not even in the last digit
    return RidgeFit(
        centre=training.centre[0],
        scale=training.scale[0],
        intercept=theta[:, 0],
        coefficients=weights if training.rotation is None else weights @ training.rotation[0].T,
    )


@dataclass(frozen=True)
class _Axes:
    """Patients x w directions, the intercept's first, of full rank."""

    design: Matrix  # (n, w)
    products: Matrix | None  # (n, w * w): each patient's products of two columns; None where they would be too many

    def information(self, curvature: Matrix) -> Matrix:
        """(k, w, w) of curvature (k, n)."""
        width = self.design.shape[1]
        if self.products is not None:
            return (curvature @ self.products).reshape(-1, width, width)
        weighted = (self.design.T * curvature[:, None, :]).reshape(-1, len(self.design))
        return (weighted @ self.design).reshape(-1, width, width)

    def spread(self, inverse: Matrix) -> Matrix:
        """(k, n): of each patient x, x' inverse x, with inverse (k, w, w)."""
        if self.products is not None:
            return inverse.reshape(len(inverse), -1) @ self.products.T
        turned: Matrix = (inverse @ self.design.T * self.design.T).sum(axis=1)
        return turned


def _maximised(design: Matrix, labels: Flags) -> Matrix:
    """Weights, labellings x columns of the design (patients x columns, full rank)."""
    patients, width = design.shape
    products = None
    if patients * width**2 <= MOST_PRODUCTS:
        products = (design[:, :, None] * design[:, None, :]).reshape(patients, -1)
    axes, rows = _Axes(design, products), max(1, CHUNK_NUMBERS // design.size)
    parts = [_steps(axes, labels[first : first + rows]) for first in range(0, len(labels), rows)]
    return np.concatenate(parts) if parts else np.empty((0, width))


@dataclass(frozen=True)
class _Point:
    """Where some of the fits are."""

    theta: Matrix  # (k, w)
    likelihood: Matrix  # (k,), penalised
    step: Matrix  # (k, w)
    far: Matrix  # (k,): log odds that the step moves at most

    def where(self, chosen: Flags, other: "_Point") -> "_Point":
        """The other point for the chosen fits."""
        return _Point(
            theta=np.where(chosen[:, None], other.theta, self.theta),
            likelihood=np.where(chosen, other.likelihood, self.likelihood),
            step=np.where(chosen[:, None], other.step, self.step),
            far=np.where(chosen, other.far, self.far),
        )

    def of(self, chosen: Flags) -> "_Point":
        """These fits only."""
        return _Point(self.theta[chosen], self.likelihood[chosen], self.step[chosen], self.far[chosen])


def _steps(axes: _Axes, labels: Flags) -> Matrix:
    found = np.zeros((len(labels), axes.design.shape[1]))
    busy = np.arange(len(labels))
    here = _point(axes, labels, found, exact=False)
    share = np.ones(len(labels))
    for number in range(MAXIMUM_STEPS):
        going = ~(here.far <= (CONVERGED_EXACT if number > PATIENCE else CONVERGED))  # a NaN never arrives
        found[busy[~going]] = (here.theta + here.step)[~going]
        busy, here, share = busy[going], here.of(going), share[going]
        if not len(busy):
            return found
        size = np.minimum(share, LONGEST / here.far)
        there = _point(axes, labels[busy], here.theta + size[:, None] * here.step, exact=number >= PATIENCE)
        gain = (there.likelihood >= here.likelihood) | (here.far * size <= SURE)
        share = np.where(gain, 1.0, share / 2)
        here = here.where(gain, there)
    raise PredictionError(f"The Firth fit did not converge in {MAXIMUM_STEPS} steps.")


def _point(axes: _Axes, labels: Flags, theta: Matrix, *, exact: bool) -> _Point:
    odds = theta @ axes.design.T
    small = np.exp(-np.abs(odds))  # so that nothing cancels where a forecast is almost certain
    half = np.copysign(0.5 * (1 - small) / (1 + small), odds)  # probability - 1/2
    curvature = small / (1 + small) ** 2
    information = axes.information(curvature)
    inverse = np.linalg.inv(information)
    leverage = curvature * axes.spread(inverse)
    score = (labels - 0.5 - half * (1 + leverage)) @ axes.design
    bend = axes.information(curvature * (1 + leverage))
    if exact:
        bend = _exact(axes, inverse, half, curvature, leverage, bend)
    step = np.linalg.solve(bend, score[:, :, None])[:, :, 0]
    likelihood = ((labels - 0.5) * odds - 0.5 * np.abs(odds) - np.log1p(small)).sum(axis=1)
    return _Point(
        theta=theta,
        likelihood=likelihood + 0.5 * np.linalg.slogdet(information).logabsdet,
        step=step,
        far=np.abs(step @ axes.design.T).max(axis=1),
    )


def _exact(
    axes: _Axes, inverse: Matrix, half: Matrix, curvature: Matrix, leverage: Matrix, otherwise: Matrix
) -> Matrix:
    """(k, w, w) second derivative, the leverages' part included, where it shows a hill, and `otherwise` where it does not."""
    change = half * curvature  # half of what the curvature loses with the log odds
    crossed = change[:, :, None] * (axes.design @ (inverse @ axes.design.T)) ** 2 * change[:, None, :]
    bend = otherwise - axes.information(2 * half**2 * leverage) + 2 * (axes.design.T @ crossed) @ axes.design
    hill = np.linalg.eigvalsh(bend)[:, 0] > HILL * np.linalg.norm(otherwise, axis=(1, 2))
    return np.where(hill[:, None, None], bend, otherwise)
