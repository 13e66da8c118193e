"""REML of value ~ timepoint + (1 | patient) for many features that miss the same samples; `stats.mixed` is its front.

With a random intercept alone the restricted likelihood is a sum over independent directions of the data, each with the variance
``(1 - share) * residual + share * between``: `residual` is the variance within patients, `between` that of a patient with the
most samples (``residual + most * patient variance``). The ratio between / residual is searched on a line; derivatives are sums.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from rabiomarkers.stats.arrays import Flags, Integers, Matrix, Vector
from rabiomarkers.stats.exact import SMALLEST_P

NO_SHARE = 1e-10  # a direction's share of the patient variance below which it is one within patients
RATIOS = np.arange(-18.0, 36.5, 0.5)  # ln of between / residual: from 1e-8 to 4e15
NO_MAXIMUM = -17.4
HALVINGS = 54  # of a step of 1 in that logarithm: to the last bit


@dataclass(frozen=True, kw_only=True)
class Group:
    """Patients with samples at the same timepoints; timepoint 0 is the reference."""

    present: Flags  # timepoints
    values: NDArray[np.float64]  # features x patients x timepoints present

    @property
    def samples(self) -> int:
        """Of each patient."""
        return int(self.present.sum())

    @property
    def patients(self) -> int:
        """How many they are."""
        return int(self.values.shape[1])


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """Independent directions of the data that tell nothing of the timepoint means, alike ones together: features x directions."""

    share: Matrix  # of the patient variance: 0 within patients .. 1 of a patient with the most samples
    count: Matrix  # how many alike directions
    squares: Matrix  # their sum of squares

    @property
    def freedom(self) -> Vector:
        """Samples less timepoints."""
        return np.asarray(self.count.sum(axis=1))

    @property
    def within(self) -> Vector:
        """Directions free of patient variance: the degrees of freedom within patients."""
        return np.asarray(np.where(self.share == 0.0, self.count, 0.0).sum(axis=1))

    @property
    def within_squares(self) -> Vector:
        """Their sum of squares."""
        return np.asarray(np.where(self.share == 0.0, self.squares, 0.0).sum(axis=1))

    def rows(self, chosen: Flags | Integers) -> "Spectrum":
        """Some features only."""
        return Spectrum(share=self.share[chosen], count=self.count[chosen], squares=self.squares[chosen])


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One row a feature, one column a later timepoint against the reference."""

    estimate: Matrix
    error: Matrix  # standard errors
    freedom: Matrix
    p_any: Vector
    residual: Vector  # variance within patients
    patient: Vector  # variance of the patients; below 0 where two samples of a patient are less alike than those of two


# ---- directions ------------------------------------------------------------------------------------------------------


def spectrum(groups: list[Group]) -> Spectrum:
    """The directions: between and within the patients of each group, and among the means of the groups."""
    most = max(group.samples for group in groups)
    shares, counts, squares = [0.0], [0.0], [np.zeros(groups[0].values.shape[0])]
    for group in groups:
        means = group.values.mean(axis=2, keepdims=True)
        centre = means.mean(axis=1, keepdims=True)
        times = group.values.mean(axis=1, keepdims=True) - centre
        shares.append(group.samples / most)
        counts.append(float(group.patients - 1))
        squares.append(group.samples * np.square(means - centre).sum(axis=(1, 2)))
        counts[0] += (group.patients - 1) * (group.samples - 1)
        squares[0] = squares[0] + np.square(group.values - means - times).sum(axis=(1, 2))
    share, square = _among_groups(groups, most)
    told = np.column_stack([*squares, square])
    return Spectrum(
        share=np.tile(np.r_[shares, share], (len(told), 1)),
        count=np.tile(np.r_[counts, np.ones(len(share))], (len(told), 1)),
        squares=told,
    )


def _among_groups(groups: list[Group], most: int) -> tuple[Vector, Matrix]:
    """Directions of the groups' means at each timepoint, each mean times the root of its patients, so that all vary alike."""
    present = np.concatenate([np.flatnonzero(group.present) for group in groups])
    owner = np.repeat(np.arange(len(groups)), [group.samples for group in groups])
    root = np.sqrt([group.patients for group in groups])[owner]
    means = np.concatenate([group.values.mean(axis=1) for group in groups], axis=1) * root
    times = np.unique(present)
    design = root[:, None] * (present[:, None] == times)
    free = np.linalg.qr(design, mode="complete").Q[:, len(times) :]
    together = (owner[:, None] == owner) / most
    share, turned = np.linalg.eigh(free.T @ together @ free)
    share = np.where(share < NO_SHARE, 0.0, np.minimum(share, 1.0))
    return share, np.square(np.einsum("fr,rk->fk", means, free @ turned))


def stack_spectra(spectra: list[Spectrum]) -> Spectrum:
    """All features below each other; a direction that a feature does not have counts 0 times."""
    widest = max(one.share.shape[1] for one in spectra)

    def stacked(name: str) -> Matrix:
        parts = [getattr(one, name) for one in spectra]
        return np.concatenate([np.pad(part, ((0, 0), (0, widest - part.shape[1]))) for part in parts])

    return Spectrum(share=stacked("share"), count=stacked("count"), squares=stacked("squares"))


# ---- the likelihood --------------------------------------------------------------------------------------------------


def reml_ratio(directions: Spectrum) -> Vector:
    """ln of between / residual at the maximum of the restricted likelihood, for each feature; `NO_MAXIMUM` or less where the
    likelihood rises for ever towards patient means of no variance at all."""
    best = np.full(len(directions.squares), RATIOS[0])
    lowest = np.full(len(best), np.inf)
    for ratio in RATIOS.tolist():
        profile = _profile(directions, np.full(len(best), ratio))
        best, lowest = np.where(profile < lowest, ratio, best), np.minimum(profile, lowest)
    low, high = np.maximum(best - 0.5, RATIOS[0]), np.minimum(best + 0.5, RATIOS[-1])
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        rising = _slope(directions, middle) > 0
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    told: Vector = (low + high) / 2.0
    return told


def _variances(directions: Spectrum, ratio: Vector) -> Matrix:
    """Features x directions, over the residual variance."""
    return (1.0 - directions.share) + np.exp(ratio)[:, None] * directions.share


def _profile(directions: Spectrum, ratio: Vector) -> Vector:
    """-2 log restricted likelihood, but for a constant, with the residual variance at its best."""
    variances = _variances(directions, ratio)
    squares = (directions.squares / variances).sum(axis=1)
    told: Vector = (directions.count * np.log(variances)).sum(axis=1) + directions.freedom * np.log(squares)
    return told


def _slope(directions: Spectrum, ratio: Vector) -> Vector:
    variances = _variances(directions, ratio)
    part = directions.share * np.exp(ratio)[:, None] / variances
    squares = directions.squares / variances
    told: Vector = (directions.count * part).sum(axis=1)
    return told - directions.freedom * (squares * part).sum(axis=1) / squares.sum(axis=1)


def _spread_of_variances(directions: Spectrum, residual: Vector, between: Vector, alike: Flags) -> Matrix:
    """Covariance of both variance estimates, features x 2 x 2: twice the inverse of the second derivatives of -2 log likelihood;
    of the one variance there is where samples are `alike`."""
    part = np.stack([1.0 - directions.share, directions.share])
    variance = residual[:, None] * part[0] + between[:, None] * part[1]
    weight = (2.0 * directions.squares / variance - directions.count) / variance**2
    curvature = np.einsum("fk,afk,bfk->fab", weight, part, part)
    one = np.broadcast_to((2.0 * residual**2 / directions.freedom)[:, None, None], curvature.shape)
    return np.where(
        alike[:, None, None], one, 2.0 * np.linalg.inv(np.where(alike[:, None, None], np.eye(2), curvature))
    )


# ---- timepoints ------------------------------------------------------------------------------------------------------


def contrasts(groups: list[Group], directions: Spectrum, ratio: Vector, *, alike: Flags, most_freedom: Vector) -> Fit:
    """Generalised least squares at this variance ratio, with Satterthwaite's degrees of freedom and the F test of all contrasts.

    Parameters
    ----------
    groups, directions, ratio
        The data, their `spectrum`, and `reml_ratio`.
    alike
        Features whose samples are taken as independent, with one variance; their ratio is 0.
    most_freedom
        Upper limit of the degrees of freedom of each feature.

    References
    ----------
    Giesbrecht & Burns 1985, doi:10.2307/2530872; Fai & Cornelius 1996, doi:10.1080/00949659608811740
    """
    most = max(group.samples for group in groups)
    residual = (directions.squares / _variances(directions, ratio)).sum(axis=1) / directions.freedom
    between = residual * np.exp(ratio)
    estimate, scaled, gradients = _least_squares(groups, ratio, most)
    covariance = scaled * residual[:, None, None]
    spread = _spread_of_variances(directions, residual, between, alike)
    freedom = np.minimum(_satterthwaite(covariance, gradients, spread), most_freedom[:, None])
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    statistic, joint = _f_test(groups, estimate, covariance, gradients, spread)
    p_any = fdtrc(estimate.shape[1], np.minimum(joint, most_freedom), statistic)
    return Fit(
        estimate=estimate,
        error=error,
        freedom=freedom,
        p_any=np.maximum(p_any, SMALLEST_P),
        residual=residual,
        patient=(between - residual) / most,
    )


def without_spread(groups: list[Group]) -> Matrix:
    """The contrasts of features whose patients all move alike: the limit of no residual variance."""
    size = groups[0].values.shape[0]
    return _least_squares(groups, np.full(size, RATIOS[-1]), max(group.samples for group in groups))[0]


def _least_squares(groups: list[Group], ratio: Vector, most: int) -> tuple[Matrix, Matrix, tuple[Matrix, Matrix]]:
    """Contrasts, their covariance over the residual variance, and its derivatives by `residual` and by `between`.

    The reference mean is eliminated first: the contrasts then keep their digits however far the patients lie apart.
    """
    size, later = len(ratio), len(groups[0].present) - 1
    base, base_sum = np.zeros(size), np.zeros(size)
    cross, sums = np.zeros((size, later)), np.zeros((size, later))
    information = np.zeros((size, later, later))
    for group in groups:
        mine = _weight(group, ratio, most)
        here, means = group.present[1:].astype(np.float64), _means(group)
        total = means.sum(axis=1)
        both, shared = np.outer(here, here) / group.samples, total[:, None] * here / group.samples
        base += group.patients * group.samples * mine
        base_sum += group.patients * total * mine
        cross += group.patients * mine[:, None] * here
        sums += group.patients * ((means[:, 1:] - shared) + mine[:, None] * shared)
        information += group.patients * ((np.diag(here) - both) + mine[:, None, None] * both)
    lead = cross / base[:, None]
    scaled = np.linalg.inv(information - lead[:, :, None] * cross[:, None, :])
    estimate = np.einsum("fab,fb->fa", scaled, sums - lead * base_sum[:, None])
    return estimate, scaled, _derivatives(groups, ratio, most, lead, scaled)


def _weight(group: Group, ratio: Vector, most: int) -> Vector:
    """Of a patient's mean, against deviations from it: over the residual variance, the inverse covariance of a patient's samples is
    what centres them plus `_weight` times what takes their mean."""
    share = group.samples / most
    told: Vector = 1.0 / ((1.0 - share) + share * np.exp(ratio))
    return told


def _means(group: Group) -> Matrix:
    means = np.zeros((group.values.shape[0], len(group.present)))
    means[:, group.present] = group.values.mean(axis=1)
    return means


def _derivatives(groups: list[Group], ratio: Vector, most: int, lead: Matrix, scaled: Matrix) -> tuple[Matrix, Matrix]:
    """With V the covariance of all values and C that of the contrasts: ``C X' V^-1 dV V^-1 X C``, dV by either variance."""
    size, later = lead.shape
    plain, between = np.zeros((size, later, later)), np.zeros((size, later, later))
    for group in groups:
        weight = group.patients * np.square(_weight(group, ratio, most))[:, None, None]
        rows = np.zeros((size, later, len(group.present)))
        rows[:, :, 1:] = np.eye(later)
        rows = (rows - lead[:, :, None]) * group.present
        along = rows.sum(axis=2)
        square = along[:, :, None] * along[:, None, :]
        centred = np.einsum("fat,fbt->fab", rows, rows) - square / group.samples
        plain += group.patients * centred + weight * square / group.samples
        between += weight * square / most
    return scaled @ (plain - between) @ scaled, scaled @ between @ scaled


def _satterthwaite(covariance: Matrix, gradients: tuple[Matrix, Matrix], spread: Matrix) -> Matrix:
    """2 variance^2 / variance of the variance, of each contrast."""
    gradient = np.stack([np.diagonal(one, axis1=1, axis2=2) for one in gradients], axis=2)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    told: Matrix = 2.0 * variance**2 / np.einsum("fca,fab,fcb->fc", gradient, spread, gradient)
    return told


def _f_test(
    groups: list[Group], estimate: Matrix, covariance: Matrix, gradients: tuple[Matrix, Matrix], spread: Matrix
) -> tuple[Vector, Vector]:
    """F of "no timepoint differs" and its denominator's degrees of freedom. Where samples are missing, these depend a little on
    which contrasts span the question: taken are the successive ones, as lmerTest does."""
    seen = sum((group.patients * group.present.astype(np.float64) for group in groups), np.zeros(1))
    later = seen[1:]
    upper = np.linalg.cholesky(np.diag(later) - np.outer(later, later) / seen.sum()).T
    rows = upper / np.diag(upper)[:, None]
    variance, turned = np.linalg.eigh(rows @ covariance @ rows.T)
    own = np.swapaxes(turned, 1, 2) @ rows
    back = np.swapaxes(own, 1, 2)
    squares = np.square(np.einsum("fab,fb->fa", own, estimate)) / variance
    freedom = _satterthwaite(own @ covariance @ back, (own @ gradients[0] @ back, own @ gradients[1] @ back), spread)
    return squares.mean(axis=1), _joint(freedom)


def _joint(freedom: Matrix) -> Vector:
    """Degrees of freedom with which F has the mean that the squared t statistics have together."""
    count = freedom.shape[1]
    enough = freedom > 2.0
    ratio = np.divide(freedom, freedom - 2.0, out=np.ones_like(freedom), where=enough).sum(axis=1)
    joint = np.divide(2.0 * ratio, ratio - count, out=np.full(len(freedom), 2.0), where=enough.all(axis=1))
    alike = np.ptp(freedom, axis=1) < 1e-8
    return np.where(alike, freedom.mean(axis=1), joint)
