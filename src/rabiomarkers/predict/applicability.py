"""How far new patients lie from those a model was trained on: far away its forecasts rest on nothing.

Distances are taken feature by feature, standardised by the training patients, and so do not see an unusual combination of usual
values. A new patient's distance is set beside those of the training patients, each measured from the others, as a new one is
(leave-one-out). A new patient of the same population is farther than all n of them with a chance of about 1 in n + 1, rather less
(measured: 6 % at n = 10 with 5 features, 3 % at n = 30).

References
----------
Barber et al. 2021, leave-one-out comparison of a new case, doi:10.1214/20-AOS1965
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.predict.learners import Matrix

type Position = Literal["inside", "at the edge", "outside", ""]

OUTSIDE = 0.05  # farther than all but so many of the training patients
EDGE = 0.2
FAR = 10.0  # training spreads; a population half of which lies so far away is on another scale
NARROW = 30.0  # times narrower than the middle half of the training patients
ENOUGH = 5  # patients to judge how narrow values are
FARTHEST = 1e100  # spreads
ROUNDING = 1e-12  # a spread below this share of the largest value is rounding


@dataclass(frozen=True, kw_only=True)
class TrainingColumn:
    """One feature among the training patients, in its own unit; NaN where nobody has it."""

    centre: float  # mean
    spread: float  # standard deviation (divided by n); 0 of a constant
    minimum: float
    lower_quartile: float
    upper_quartile: float
    maximum: float
    missing: float  # share of the patients, 0..1


def describe(values: Matrix) -> tuple[TrainingColumn, ...]:
    """Each column of patients x features, NaN where missing; without patients, of no numbers."""
    return tuple(_column(values[:, place]) for place in range(values.shape[1]))


def _column(column: Matrix) -> TrainingColumn:
    known = column[~np.isnan(column)]
    if not len(known):
        nothing = dict.fromkeys(
            ("centre", "spread", "minimum", "lower_quartile", "upper_quartile", "maximum"), float("nan")
        )
        return TrainingColumn(**nothing, missing=1.0 if len(column) else float("nan"))
    low, lower, upper, high = (float(quantile) for quantile in np.quantile(known, [0, 0.25, 0.75, 1]))
    centre, spread = _standard(known[:, None])
    return TrainingColumn(
        centre=float(centre[0]),
        spread=float(spread[0]),
        minimum=low,
        lower_quartile=lower,
        upper_quartile=upper,
        maximum=high,
        missing=(len(column) - len(known)) / len(column),
    )


def _standard(values: Matrix) -> tuple[Matrix, Matrix]:
    """Mean and spread of each column over the patients who have it; the spread is 0 where nobody differs or nobody has it."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0)
    largest = np.maximum(np.abs(filled).max(axis=0, initial=0.0), np.finfo(float).tiny)  # so that no square overflows
    share = filled / largest
    centre = share.sum(axis=0) / count
    spread = np.sqrt((np.where(known, share - centre, 0.0) ** 2).sum(axis=0) / count)
    return centre * largest, np.where(spread <= ROUNDING, 0.0, spread * largest)


def distances(values: Matrix, centre: Matrix, spread: Matrix) -> Matrix:
    """Root mean square of the features a patient has, standardised; about 1 for a typical training patient.

    Features that are constant among the training patients do not count; NaN of a patient who has no other.

    Parameters
    ----------
    values
        Patients x features, in their own units, NaN where missing.
    centre, spread
        Of the training patients, one a feature.
    """
    counted = ~np.isnan(values) & (spread > 0)
    with np.errstate(over="ignore"):  # cut to FARTHEST, so that no square overflows
        scaled = np.where(counted, values - centre, 0.0) / np.where(spread > 0, spread, 1.0)
    number = counted.sum(axis=1)
    mean = (np.clip(scaled, -FARTHEST, FARTHEST) ** 2).sum(axis=1) / np.maximum(number, 1)
    found: Matrix = np.where(number > 0, np.sqrt(mean), np.nan)
    return found


def reference_distances(values: Matrix) -> Matrix:
    """Distance of each training patient from all others, in rising order; without patients who have none.

    In this order no number can be told to be anyone's.

    Parameters
    ----------
    values
        Training patients x features, NaN where missing.
    """
    everyone = np.arange(len(values))
    found = [
        distances(values[place : place + 1], *_standard(values[everyone != place]))[0] for place in range(len(values))
    ]
    each = np.array(found, dtype=np.float64)
    return np.sort(each[~np.isnan(each)])


def locate(matrix: pd.DataFrame, training: Sequence[TrainingColumn], reference: Sequence[float]) -> pd.DataFrame:
    """Where each patient lies among the training patients.

    Parameters
    ----------
    matrix
        Patients x features in the order of `training`, NaN where missing.
    training, reference
        What `describe` and `reference_distances` said of the training patients.

    Returns
    -------
    By patient: ``distance``; ``farther``, the share of training patients at least as far from the others (NaN where no distance
    is known); ``outside_range``, features below or above all training patients; ``missing``, features; ``position``:
    ``outside`` (under 5 % of the training patients are as far), ``at the edge`` (under 20 %), ``inside``, or empty. It goes by
    the distance alone: with five features every second patient of the same population has one outside the range of ten.
    """
    values = matrix.to_numpy(dtype=np.float64)
    centre, spread = (_of(training, name) for name in ("centre", "spread"))
    distance = distances(values, centre, spread)
    outside = ((values < _of(training, "minimum")) | (values > _of(training, "maximum"))).sum(axis=1)
    farther = _share_at_least(distance, np.asarray(reference, dtype=np.float64))
    return pd.DataFrame(
        {
            "distance": distance,
            "farther": farther,
            "outside_range": outside.astype(np.int64),
            "missing": np.isnan(values).sum(axis=1).astype(np.int64),
            "position": [_position(share) for share in farther],
        },
        index=matrix.index,
    )


def _of(training: Sequence[TrainingColumn], name: str) -> Matrix:
    return np.array([getattr(column, name) for column in training], dtype=np.float64)


def _share_at_least(distance: Matrix, reference: Matrix) -> Matrix:
    if not len(reference):
        return np.full(len(distance), np.nan)
    # distances that differ by rounding only are the same
    nearer = np.searchsorted(np.sort(reference), distance * (1 - 1e-9), side="left")
    return np.where(np.isnan(distance), np.nan, (len(reference) - nearer) / len(reference))


def _position(farther: float) -> Position:
    if np.isnan(farther):
        return ""
    if farther < OUTSIDE:
        return "outside"
    return "at the edge" if farther < EDGE else "inside"


def on_another_scale(matrix: pd.DataFrame, training: Sequence[TrainingColumn]) -> list[str]:
    """Columns whose values cannot be on the training patients' scale, each with what was seen; the unit's name may be the same.

    Two things are seen: more than half of the patients lie more than 10 spreads from the training mean (a percentage where a
    fraction is meant, linear values where logarithms are), or at least five patients, who are not all equal, lie 30 times closer
    together than the middle half of the training patients (the other way round). Neither tells log2 from natural logarithms.
    A single new patient of the same population is refused by mistake in 2 % of draws where the feature is strongly skewed
    (log-normal with an SD of 1.5 logs, ten training patients), ten patients never in 4 000 draws: either way nobody like them was
    seen in training.

    Parameters
    ----------
    matrix
        Patients x features in the order of `training`, NaN where missing.
    """
    found = []
    for name, column in zip(matrix.columns, training, strict=True):
        values = matrix[name].dropna().to_numpy(dtype=np.float64)
        if not len(values):
            continue
        away = np.abs(values - column.centre) > FAR * column.spread
        width, middle = float(np.ptp(values)), column.upper_quartile - column.lower_quartile
        if column.spread > 0 and 2 * away.sum() > len(values):
            found.append(
                f"{name} lies more than {FAR:g} training standard deviations away in {away.sum()} of {len(values)} patients: "
                "another scale, or unlike any patient it was trained on"
            )
        elif len(values) >= ENOUGH and 0 < width < middle / NARROW:
            found.append(
                f"{name} differs {middle / width:.0f} times less between all {len(values)} patients than between the middle half "
                "of the training patients"
            )
    return found
