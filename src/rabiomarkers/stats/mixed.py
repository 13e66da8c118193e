"""The mixed model value ~ timepoint + (1 | patient): two and more timepoints, patients with one sample used and not dropped."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Flags, Integers, Matrix, Vector
from rabiomarkers.stats.guards import refuse_level, refuse_unknown, refuse_unlike
from rabiomarkers.stats.paired import ALL_EQUAL, ALL_ZERO, COLUMNS, NO_PAIR, NOT_TESTED, ONE_PAIR
from rabiomarkers.stats.parametric import LARGEST, t_columns
from rabiomarkers.stats.random_intercept import (
    NO_MAXIMUM,
    Fit,
    Group,
    contrasts,
    reml_ratio,
    spectrum,
    stack_spectra,
    without_spread,
)

type Values = NDArray[np.float64]  # features x patients x timepoints
type Freedom = Literal["within", "satterthwaite"]

FREEDOMS: tuple[Freedom, ...] = ("within", "satterthwaite")

DIGITS = 1e-12  # of a feature's largest value: what lies below is float noise

MODEL = "mixed model"
UNBOUNDED = "mixed model, patient variance below zero"
INDEPENDENT = "t test of independent samples"
SINGULAR = "singular: a patient's samples are no more alike than those of two patients; the variance is left below zero"
NO_PATIENT_TWICE = "no patient has two samples: different patients are compared"
FEW_TWICE = "too few patients have two samples to tell how alike these are: samples are taken as independent"
TOO_FEW = "too few samples to tell a spread"


@dataclass(frozen=True, kw_only=True)
class Courses:
    """How features go over the timepoints: features x later timepoints (each against the first), or one number a feature.

    In the unit of the values; NaN where the data cannot say, with the reason in `note`.
    """

    estimate: Matrix
    ci_low: Matrix
    ci_high: Matrix
    standard_error: Matrix
    degrees_of_freedom: Matrix
    p_value: Matrix  # two-sided
    n_patients: Integers  # with a sample at either timepoint
    n_pairs: Integers  # at both
    p_any: Vector  # of the F test that no timepoint differs
    patient_variance: Vector
    residual_variance: Vector
    test: NDArray[np.object_]
    note: NDArray[np.object_]


def mixed_model_many(
    before: ArrayLike, after: ArrayLike, *, level: float = 0.95, freedom: Freedom = "within"
) -> pd.DataFrame:
    """Two timepoints of many features; with complete pairs only, the paired t test.

    Parameters
    ----------
    before, after
        Features x patients, NaN where a patient has no such sample.
    level, freedom
        As in `mixed_courses`.

    Returns
    -------
    One row a feature: the columns of `stats.paired.COLUMNS` (`n` complete pairs), then `n_single` (patients with one sample)
    and `degrees_of_freedom`.
    """
    refuse_unlike(before, after)
    values = np.stack([np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)], axis=-1)
    told = mixed_courses(values, level=level, freedom=freedom)
    pairs, single = told.n_pairs[:, 0], told.n_patients[:, 0] - told.n_pairs[:, 0]
    moved = np.abs(values[..., 1] - values[..., 0]) > DIGITS * _largest(values)[:, None]
    known = ~np.isnan(told.ci_low[:, 0])
    columns: dict[str, Any] = {name: getattr(told, name)[:, 0] for name in ("estimate", "ci_low", "ci_high", "p_value")}
    columns |= {
        "n": pairs,
        "n_nonzero": moved.sum(axis=1),
        "ci_level": np.where(known, level, np.nan),
        "p_floor": np.nan,
    }
    columns |= {name: pd.array([pd.NA] * len(values), dtype="Int64") for name in ("p_count", "p_total")}
    columns |= {"test": told.test, "note": told.note, "n_single": single}
    columns["degrees_of_freedom"] = told.degrees_of_freedom[:, 0]
    table = pd.DataFrame(columns, index=pd.RangeIndex(len(values))).astype({"test": "str", "note": "str"})
    return table[[*COLUMNS, "n_single", "degrees_of_freedom"]]


def mixed_courses(values: ArrayLike, *, level: float = 0.95, freedom: Freedom = "within") -> Courses:
    """Each later timepoint against the first by a mixed model with a random intercept a patient, fitted by REML.

    Where REML would set the patient variance to zero ("singular"), it is left below zero: compound symmetry with a negative
    correlation. Complete data so always give the classical within-patient t and F, whose level holds, while the model at zero
    rejects up to 6.8 % of true nulls at five pairs. Where too few patients have two samples (none, say), samples are taken as
    independent, with one variance. `test` and `note` say which it was.

    Parameters
    ----------
    values
        Features x patients x timepoints, the reference first; NaN where there is no sample.
    level
        Of the intervals.
    freedom
        "satterthwaite" as lmerTest tells it, or "within": the same, but at most the degrees of freedom within patients (pairs less
        one; with complete data the two are the same). Of true nulls with 30 to 40 % single patients "satterthwaite" rejects up to
        6.5 % at five patients and 5.7 % at ten, "within" at most 5.2 %. With gaps in three timepoints "within" rejects 4.8 to
        5.3 %, in four at six patients up to 5.7 %.

    Raises
    ------
    StatisticsError
        A value is infinite or beyond 1e145, the array has another shape, `level` does not lie between 0 and 1, or `freedom` is
        another word.

    References
    ----------
    Kuznetsova et al. 2017, doi:10.18637/jss.v082.i13; Pinheiro & Bates 2000, doi:10.1007/b98882 (degrees of freedom within);
    Nelder 1954, Biometrika 41: 544-548 (negative components of variance)
    """
    refuse_level(level)
    refuse_unknown(freedom, FREEDOMS, "kind of degrees of freedom")
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] < 2 or (np.abs(array) > LARGEST).any():
        raise StatisticsError("A mixed model needs features x patients x timepoints: numbers up to 1e145, or NaN.")
    told = _empty(array)
    layouts = [layout for layout in _layouts(array) if layout.judge(told)]
    if layouts:
        _fit(layouts, told, level=level, limited=freedom == "within")
    return told


# ---- features that miss the same samples -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Features whose patients, once sorted, miss the same samples; timepoints without any sample are left out."""

    rows: Integers  # features
    columns: Integers  # later timepoints, as columns of the answer
    groups: list[Group]
    tiny: Vector  # sums of squares below are float noise

    @property
    def samples(self) -> int:
        return sum(group.patients * group.samples for group in self.groups)

    @property
    def twice(self) -> int:
        """Patients with two samples or more."""
        return sum(group.patients for group in self.groups if group.samples > 1)

    def judge(self, told: Courses) -> bool:
        """Whether there is something to fit; if not, the reason is told."""
        if not self.groups or not len(self.columns) or not any(group.present[0] for group in self.groups):
            return False  # as everything stands before: no pair
        if self.samples > len(self.columns) + 1:
            return True
        told.note[self.rows] = ONE_PAIR if self.twice == 1 else TOO_FEW
        return False

    def some(self, chosen: Flags) -> list[Group]:
        """The groups with some features only."""
        return [Group(present=group.present, values=group.values[chosen]) for group in self.groups]


def _layouts(values: Values) -> list[_Layout]:
    """Patients are sorted by what they have and then by value, so that their order plays no part."""
    known = ~np.isnan(values)
    largest = _largest(values)
    filled = np.where(known, values, 0.0)
    codes = known @ (1 << np.arange(values.shape[2]))
    order = np.lexsort((*np.moveaxis(filled, 2, 0), codes), axis=1)
    filled = np.take_along_axis(filled, order[:, :, None], axis=1)
    middle = filled.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    patterns, pattern_of = np.unique(np.sort(codes, axis=1), axis=0, return_inverse=True)
    return [
        _layout(np.flatnonzero(pattern_of.ravel() == number), pattern, filled, middle, largest)
        for number, pattern in enumerate(patterns)
    ]


def _layout(rows: Integers, pattern: Integers, filled: Values, middle: Vector, largest: Vector) -> _Layout:
    kinds = np.unique(pattern[pattern > 0])
    has = kinds[:, None] >> np.arange(filled.shape[2]) & 1 == 1
    seen = np.flatnonzero(has.any(axis=0))
    centred = filled[rows] - middle[rows, None, None]  # far from 0, squares would lose digits
    groups = [
        Group(present=present[seen], values=centred[:, pattern == kind][:, :, present])
        for kind, present in zip(kinds, has, strict=True)
    ]
    # where the reference is missing there is no group with it: `judge` sees to it
    columns = seen[seen > 0] - 1
    complete = bool(len(seen)) and seen[0] == 0
    tiny = (pattern > 0).sum() * (DIGITS * largest[rows]) ** 2
    return _Layout(rows=rows, columns=columns, groups=groups if complete else [], tiny=tiny)


def _largest(values: Values) -> Vector:
    told: Vector = np.max(np.abs(np.nan_to_num(values)), axis=(1, 2), initial=0.0)
    return told


def _empty(values: Values) -> Courses:
    size, _, times = values.shape
    known = ~np.isnan(values)
    numbers = ("estimate", "ci_low", "ci_high", "standard_error", "degrees_of_freedom", "p_value")
    each = ("p_any", "patient_variance", "residual_variance")
    return Courses(
        **{name: np.full((size, times - 1), np.nan) for name in numbers},
        **{name: np.full(size, np.nan) for name in each},
        n_patients=(known[:, :, 1:] | known[:, :, :1]).sum(axis=1),
        n_pairs=(known[:, :, 1:] & known[:, :, :1]).sum(axis=1),
        test=np.full(size, NOT_TESTED, dtype=object),
        note=np.full(size, NO_PAIR, dtype=object),
    )


# ---- fits ------------------------------------------------------------------------------------------------------------


def _fit(layouts: list[_Layout], told: Courses, *, level: float, limited: bool) -> None:
    """Fill in what the layouts can tell; the search for the variance ratio runs over all features at once."""
    directions = stack_spectra([spectrum(layout.groups) for layout in layouts])
    tiny = np.concatenate([layout.tiny for layout in layouts])
    few = directions.within < 1.0
    spread = np.where(few, directions.squares.sum(axis=1), directions.within_squares) > tiny
    ratio = np.zeros(len(tiny))
    searched = spread & ~few
    ratio[searched] = reml_ratio(directions.rows(searched))
    alike = few | (ratio <= NO_MAXIMUM)
    ratio[alike] = 0.0
    most = np.where(few, directions.freedom, directions.within) if limited else np.full(len(tiny), np.inf)
    start = 0
    for layout in layouts:
        here = np.arange(start, start := start + len(layout.rows))
        _tell_equal(layout, ~spread[here], tiny[here], told)
        chosen = spread[here]
        if chosen.any():
            rows = here[chosen]
            fit = contrasts(
                layout.some(chosen), directions.rows(rows), ratio[rows], alike=alike[rows], most_freedom=most[rows]
            )
            _tell_fit(layout, layout.rows[chosen], fit, told, level=level)
            _tell_how(layout, layout.rows[chosen], alike=alike[rows], singular=ratio[rows] < 0.0, told=told)


def _tell_equal(layout: _Layout, equal: Flags, tiny: Vector, told: Courses) -> None:
    """Patients who all move alike: a change without a spread, or none at all."""
    if not equal.any():
        return
    estimate = without_spread(layout.some(equal))
    still = (np.square(estimate) <= tiny[equal, None]).all(axis=1)
    rows = layout.rows[equal]
    told.estimate[np.ix_(rows, layout.columns)] = np.where(still[:, None], np.nan, estimate)
    told.note[rows] = np.where(still, ALL_ZERO, ALL_EQUAL)


def _tell_fit(layout: _Layout, rows: Integers, fit: Fit, told: Courses, *, level: float) -> None:
    where = np.ix_(rows, layout.columns)
    tested = t_columns(fit.estimate, fit.error, fit.freedom, level=level)
    for name in ("ci_low", "ci_high", "p_value"):
        getattr(told, name)[where] = tested[name]
    told.estimate[where], told.standard_error[where] = fit.estimate, fit.error
    told.degrees_of_freedom[where] = fit.freedom
    told.p_any[rows], told.patient_variance[rows], told.residual_variance[rows] = fit.p_any, fit.patient, fit.residual


def _tell_how(layout: _Layout, rows: Integers, *, alike: Flags, singular: Flags, told: Courses) -> None:
    told.patient_variance[rows[alike]] = np.nan  # samples are taken as independent: it is not asked
    told.test[rows] = np.select([alike, singular], [INDEPENDENT, UNBOUNDED], default=MODEL)
    unlinked = FEW_TWICE if layout.twice else NO_PATIENT_TWICE
    told.note[rows] = np.select([alike, singular], [unlinked, SINGULAR], default="")
