"""Damped Newton steps for many penalised logistic fits at once; what is fitted, and why, is in `ridge.py`.

A stack is f training sets; each has k labellings, and each of these f x k fits its own weights. All of them take their steps
together: a handful of large matrix products instead of f x k small optimisations.

References
----------
Sun & Tran-Dinh 2019, generalised self-concordant functions, doi:10.1007/s10107-018-1282-4
"""

from dataclasses import dataclass

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Flags, Matrix

CONVERGED = 1e-4  # log odds; a last step that moves none further leaves about its square, as Newton steps do
SAFE = 1.79  # a whole step that moves no log odds further lowers the loss: exp(d) <= 1 + d + d**2
MAXIMUM_STEPS = 200
CHUNK_NUMBERS = 50_000  # numbers in the largest temporary array, 0.4 MB: a few of them stay in the cache
PRODUCT_NUMBERS = 4_000_000  # numbers, 32 MB, up to which products of columns are kept
MANY = 6  # labellings from which the products of all columns are worth forming once


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Training sets of up to n patients in w coordinates, the first of which is the intercept's."""

    design: Matrix  # (f, n, w); rows of 0 fill up a smaller set
    weight: Matrix  # (f, n): 1 / patients of the set, 0 for a row that fills up

    @property
    def size(self) -> int:
        """Numbers that one labelling needs in the largest temporary array."""
        sets, patients, width = (int(number) for number in self.design.shape)
        return sets * max(patients, width * width)


def newton(stack: Stack, labels: Matrix | Flags, penalties: Matrix, start: Matrix) -> Matrix:
    """Weights (f, k, w) at the optimum of mean log loss + penalty / 2 * the squares of all weights but the first.

    A step that would move a log odds by d > 1.79 is cut to log(1 + d) / d of itself, which lowers the loss for certain, so the loss
    need never be computed.

    Parameters
    ----------
    labels
        (f, k, n), of each patient whether (or how probably, 0 to 1) a responder; not all 0 and not all 1 in one fit.
    penalties
        (k,), above 0.
    start
        (f, k, w).

    Raises
    ------
    PredictionError
        No convergence within 200 steps.
    """
    rows = max(1, CHUNK_NUMBERS // stack.size)
    products = _products(stack) if min(rows, len(penalties)) >= MANY else None
    chunks = [slice(first, first + rows) for first in range(0, len(penalties), rows)]
    parts = [_steps(stack, products, labels[:, part], penalties[part], start[:, part]) for part in chunks]
    return np.concatenate(parts, axis=1) if parts else start


def intercepts_only(stack: Stack, labels: Matrix | Flags) -> Matrix:
    """Where to start: each fit's prevalence, and no other weight."""
    prevalence = (labels @ stack.weight[:, :, None])[:, :, 0]
    start = np.zeros((*prevalence.shape, stack.design.shape[2]))
    start[:, :, 0] = np.log(prevalence) - np.log1p(-prevalence)
    return start


def _products(stack: Stack) -> Matrix | None:
    """(f, n, w * w): each patient's products of two columns, so that one matrix product gives every Hessian."""
    sets, patients, width = stack.design.shape
    if sets * patients * width * width > PRODUCT_NUMBERS:
        return None
    return (stack.design[:, :, :, None] * stack.design[:, :, None, :]).reshape(sets, patients, width * width)


def _steps(stack: Stack, products: Matrix | None, labels: Matrix | Flags, penalties: Matrix, start: Matrix) -> Matrix:
    across = stack.design.transpose(0, 2, 1)
    weight = stack.weight[:, None, :]
    pull = (labels * weight) @ stack.design
    ridge = np.repeat(penalties[:, None], start.shape[2], axis=1)
    ridge[:, 0] = 0.0
    found, theta = np.empty_like(start), start
    logit = theta @ across
    busy = np.arange(len(penalties))
    for _ in range(MAXIMUM_STEPS):
        probability = 0.5 + 0.5 * np.tanh(0.5 * logit)
        weighted = probability * weight
        gradient = weighted @ stack.design - pull + ridge * theta
        step = _solve(_hessian(stack.design, products, weighted - weighted * probability, ridge), gradient)
        move = step @ across
        far = np.abs(move).max(axis=2)
        size = np.where(far <= SAFE, 1.0, np.log1p(far) / np.maximum(far, SAFE))[:, :, None]
        theta, logit = theta - size * step, logit - size * move
        going = ~(far <= CONVERGED).all(axis=0)  # a NaN never arrives
        if not going.all():
            found[:, busy[~going]] = theta[:, ~going]
            busy, ridge = busy[going], ridge[going]
            theta, logit, pull = theta[:, going], logit[:, going], pull[:, going]
            if not len(busy):
                return found
    raise _not_converged()


def _hessian(design: Matrix, products: Matrix | None, curvature: Matrix, ridge: Matrix) -> Matrix:
    """(f, k, w, w) of curvature (f, k, n)."""
    sets, labellings, _ = curvature.shape
    width = design.shape[2]
    if products is None:
        hessian = (design.transpose(0, 2, 1)[:, None] * curvature[:, :, None, :]) @ design[:, None]
    else:
        hessian = (curvature @ products).reshape(sets, labellings, width, width)
    diagonal = np.arange(width)
    hessian[:, :, diagonal, diagonal] += ridge
    return hessian


def _solve(hessian: Matrix, gradient: Matrix) -> Matrix:
    try:
        step: Matrix = np.linalg.solve(hessian, gradient[:, :, :, None])[:, :, :, 0]
    except np.linalg.LinAlgError as error:
        raise _not_converged() from error
    return step


def _not_converged() -> PredictionError:
    return PredictionError(f"The ridge fit did not converge in {MAXIMUM_STEPS} steps; use a larger penalty.")
