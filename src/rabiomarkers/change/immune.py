"""A change adjusted for how far immune cells moved in: what is left of a score's change at no change of infiltration.

Some genes that retinoic acid raises also come with immune cells. In the CheckMate 038 biopsies (Riaz et al. 2017, 43 pairs,
nivolumab, nobody had retinoic acid) the rank score of PLAAT4, TGM2 and CD38 rises by 0.043 (p = 4e-4); 80 % of the variance of its
changes goes with the cytolytic score, and at no change of that it moves by -0.006 (p = 0.54). The direct targets go with it too
(20 %): +0.0005 (p = 0.90) by themselves, -0.009 (p = 0.07) adjusted.

Why least squares and its t test. Null sets of which half the variance is infiltration, mean infiltration change 0, 0.56 (as in
CheckMate 038) and 1 of its standard deviations; share called at 0.05, 4 000 sets (standard error 0.003):

- infiltration known, normal residuals: 0.046 to 0.052 at n = 8, 10 and 43 (t3 residuals: 0.041 to 0.048). The unadjusted t test
  calls 0.22 at n = 10 and 0.73 at n = 43 (0.56 standard deviations), 0.50 and 0.99 (1).
- lognormal residuals: 0.10 at n = 10, nearly all of them falls; false rises, which alone make a call, are 0.01.
- Theil and Sen's slope with a signed-rank test of the residuals: 0.11 to 0.22 where infiltration moved, as that test takes the
  slope for known. An exact test of an intercept would need that, so robustness would be bought with false calls.

The adjustment is partial. A measured infiltration is the true one with noise: the slope comes out too flat, and the share
(1 - reliability) of what infiltration did stays in the adjusted change. The changes of two infiltration scores without a common
gene correlate in CheckMate 038 by 0.93 (cytolytic and T cells of MCP-counter) and 0.82 (cytolytic and TIS). False calls, mean
infiltration change 0.56 and 1 standard deviations:

- reliability 0.86: 0.058 and 0.053 at n = 10, 0.073 and 0.098 at n = 43
- reliability 0.70: 0.061 and 0.086 at n = 10, 0.138 and 0.258 at n = 43

A call asks for more: core score and direct targets must rise too. Where both follow infiltration (half of their variance) and
each other, it is made by infiltration alone in 0.049 (n = 10) and 0.140 (n = 43) of sets at reliability 0.70, in 0.035 and 0.066 at
0.86, in 0.025 where infiltration is known (0.56 standard deviations; tests/calibration/test_immune.py). Of direct targets of which
20 % goes with infiltration, as in CheckMate 038, 0.037 and 0.074 at 0.70.

More patients make that worse. A set that follows infiltration is therefore no evidence even when adjusted, and the call
(`change.mechanism`) asks for the direct targets. The other way round, where the drug itself brings the cells in, the adjustment
takes away what of the drug's effect goes through them.

References
----------
Riaz et al. 2017, doi:10.1016/j.cell.2017.09.028; Fuller 1987, Measurement Error Models, doi:10.1002/9780470316665
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rabiomarkers.change.pairs import FEATURE
from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.paired import NOT_TESTED
from rabiomarkers.stats.parametric import t_columns
from rabiomarkers.tables.table import COMPARTMENTS

TUMOUR = "tumour"
FEWEST = 4  # pairs; with three, one degree of freedom is left and no p of use
NOISE = 1e-12  # spread below this share of the largest value is float noise

TEST = "intercept of a regression, t"
NO_SPREAD = "the changes of infiltration do not differ between patients, so nothing can be adjusted for them"
NO_RESIDUAL = "the changes lie on a straight line: no spread is left to judge the adjusted change by"
OUTSIDE = "infiltration {moved} in every patient, so no change of infiltration was not observed"
EXTRAPOLATED = "extrapolated: {outside}, and lies further from the mean than any patient"


@dataclass(frozen=True, kw_only=True)
class AdjustedChange:
    """A score's change at no change of infiltration, in the score's unit. NaN where the data cannot say, the reason in `note`."""

    n_pairs: int  # patients with a change of both
    estimate: float  # intercept
    ci_low: float
    ci_high: float
    ci_level: float
    p_value: float  # two-sided
    degrees_of_freedom: float  # n_pairs - 2
    unadjusted: float  # mean change of the same patients
    infiltration_change: float  # their mean change of infiltration, in its unit
    slope: float  # change of the score for a unit of infiltration
    r_squared: float  # share of the changes' variance that goes with infiltration
    extrapolated: bool  # no change of infiltration lies further from the mean change than any patient
    test: str
    note: str


COLUMNS = tuple(field.name for field in fields(AdjustedChange))


def immune_adjusted_change(change: ArrayLike, infiltration: ArrayLike, *, level: float = 0.95) -> AdjustedChange:
    """Intercept of the least-squares line of a score's change on the change of infiltration, with its t interval and p.

    Which method, how far its p holds and what measurement noise leaves unadjusted: see the module. Where no change of infiltration
    has a higher leverage than any patient (it lies further from their mean), the line says nothing about it that the data could
    bear out: `extrapolated`. Where it lies outside of what was observed but no further, only the note says so.

    Parameters
    ----------
    change, infiltration
        Change of the score and of infiltration, one a patient, each in its own unit; who lacks either plays no part.
    level
        Level of the interval.

    Raises
    ------
    StatisticsError
        The vectors are of different lengths, or hold an infinite number.

    References
    ----------
    Montgomery, Peck & Vining 2012, Introduction to Linear Regression Analysis, section 3.8 (hidden extrapolation)
    """
    pairs = _complete(change, infiltration)
    n = pairs.shape[1]
    mean, moved = (float(values.mean()) if n else np.nan for values in pairs)
    facts: dict[str, Any] = {"n_pairs": n, "unadjusted": mean, "infiltration_change": moved}
    if n < FEWEST:
        return _untested(f"{n} pair{'' if n == 1 else 's'} of both: an adjustment needs at least {FEWEST}", **facts)
    if _flat(pairs[1]):
        return _untested(NO_SPREAD, **facts)
    line = _line(*pairs)
    if line is None:
        return _untested(NO_RESIDUAL, **facts)
    columns = t_columns(*(np.array([number]) for number in (line.intercept, line.error, n - 2.0)), level=level)
    tested: dict[str, Any] = {name: float(column[0]) for name, column in columns.items()}
    outside = _outside(pairs[1])
    far = bool(abs(moved) > np.abs(pairs[1] - moved).max())
    return AdjustedChange(
        **facts,
        estimate=line.intercept,
        **tested,
        degrees_of_freedom=float(n - 2),
        slope=line.slope,
        r_squared=line.r_squared,
        extrapolated=far,
        test=TEST,
        note=EXTRAPOLATED.format(outside=outside) if far else outside,
    )


def adjusted_table(
    deltas: pd.DataFrame,
    *,
    features: Sequence[str],
    infiltration: Sequence[str],
    level: float = 0.95,
) -> pd.DataFrame:
    """`immune_adjusted_change` of each feature for each measure of infiltration, one row each, in the order asked.

    Parameters
    ----------
    deltas
        The DELTAS table.
    features
        Names of features of the tumour.
    infiltration
        Names of features of the tumour; of another compartment as ``compartment:feature``.

    Returns
    -------
    `feature, infiltration, unit` and the fields of `AdjustedChange`; what nobody has a pair of has a row with 0 pairs.
    """
    changes = deltas.pivot(index="patient_id", columns=FEATURE, values="change").sort_index()
    units = deltas.drop_duplicates(FEATURE).set_index(FEATURE)["unit"]
    nobody = pd.Series(np.nan, index=changes.index)
    rows = []
    for feature in features:
        for cells in infiltration:
            keys = (TUMOUR, feature), placed(cells)
            told = asdict(immune_adjusted_change(*(changes.get(key, nobody) for key in keys), level=level))
            if absent := list(dict.fromkeys(key[1] for key in keys if key not in changes)):
                told["note"] = f"no pair of {' and '.join(absent)}"
            unit = units.get(keys[0], "unknown")
            rows.append({"feature": feature, "infiltration": keys[1][1], "unit": unit, **told})
    return pd.DataFrame(rows, columns=["feature", "infiltration", "unit", *COLUMNS])


def placed(name: str) -> tuple[str, str]:
    """Compartment and feature of ``compartment:feature``; a name alone is a feature of the tumour."""
    before, colon, after = name.partition(":")
    return (before, after) if colon and before in COMPARTMENTS else (TUMOUR, name)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A least-squares line; `error` is the standard error of the intercept."""

    intercept: float
    slope: float
    error: float
    r_squared: float


def _line(score: Vector, cells: Vector) -> _Line | None:
    """The line of the score on infiltration; None where nothing is left beside it but float noise."""
    n, mean, moved = len(score), float(score.mean()), float(cells.mean())
    apart = cells - moved
    squares = float(apart @ apart)
    slope = float(apart @ (score - mean)) / squares
    left = score - mean - slope * apart
    if np.abs(left).max() <= NOISE * max(np.abs(score).max(), np.abs(slope * cells).max()):
        return None
    return _Line(
        intercept=mean - slope * moved,
        slope=slope,
        error=float(np.sqrt(left @ left / (n - 2) * (1 / n + moved**2 / squares))),
        r_squared=1 - float(left @ left) / float((score - mean) @ (score - mean)),
    )


def _complete(change: ArrayLike, infiltration: ArrayLike) -> Matrix:
    """Both changes of the patients with both, 2 x n, sorted: the order of patients cannot change a last digit."""
    vectors = [np.asarray(values, dtype=np.float64).ravel() for values in (change, infiltration)]
    if len(vectors[0]) != len(vectors[1]) or any(np.isinf(vector).any() for vector in vectors):
        raise StatisticsError("An adjusted change needs two vectors of one length, each number finite or NaN.")
    both = np.vstack(vectors)
    known = both[:, ~np.isnan(both).any(axis=0)]
    return known[:, np.lexsort(known)]


def _outside(cells: Vector) -> str:
    """That no change lies outside of what was observed, in words; empty where it does not."""
    if cells.min() > 0 or cells.max() < 0:
        return OUTSIDE.format(moved="rose" if cells.min() > 0 else "fell")
    return ""


def _flat(values: Vector) -> bool:
    return bool(np.ptp(values) <= NOISE * np.abs(values).max())


def _untested(note: str, **facts: Any) -> AdjustedChange:
    empty: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    return AdjustedChange(**empty | facts | {"extrapolated": False, "test": NOT_TESTED, "note": note})
