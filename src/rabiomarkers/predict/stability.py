"""Which features stand out again and again in halves of the patients: a description of the data, never a signature.

Complementary pairs stability selection: the patients are halved at random many times, responders and others each in half, and in
each half the `q` features with the largest standardised mean difference between responders and others are taken. A feature is
selected if its share of the halves reaches the threshold. That selector is chosen, and no path of a penalised model, as it has
nothing to tune, needs no other feature to be known, and works with two patients of a kind.

Theorem 1 of Shah & Samworth bounds the expected number of selected features that a half takes no more often than chance would
(q of p): it is at most q^2 / ((2 threshold - 1) p), whatever the selector and however features depend on each other. It needs two
halves that are independent and alike; given the responses these are. It is about false selections only: with few patients a true
feature is missed in most halves, and a share tells how a feature does among these patients, not among others. So no list of
selected features is called a signature.

References
----------
Shah & Samworth 2013, doi:10.1111/j.1467-9868.2011.01034.x
Meinshausen & Buehlmann 2010, doi:10.1111/j.1467-9868.2010.00740.x
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import PredictionError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.predict.design import design_matrix
from rabiomarkers.predict.learners import Flags, Matrix
from rabiomarkers.tables.predictions import STABILITY

type DescribedSet = Literal["baseline", "change"]

THRESHOLD = 0.75
DRAWS = 100  # pairs of halves; 50 are recommended
LEAST_PATIENTS = 4  # of a half with a known value: two are spent on the means, two are left for the standard deviation
FLAT = 1e-6  # standard deviations; a spread below is the rounding of sums of squares
TIE = 1e-9  # relative; features closer than this are equally good
SAME = "the same in all patients"
CHUNK_NUMBERS = 4_000_000  # numbers in the largest temporary array, about 32 MB
FEATURE_SETS: tuple[DescribedSet, ...] = ("baseline", "change")


def stability_table(
    values: Matrix,
    labels: Flags,
    columns: Sequence[str],
    *,
    feature_set: DescribedSet,
    q: int | None = None,
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int,
) -> pd.DataFrame:
    """STABILITY: how often each feature is among the `q` that differ most between responders and others in a half of the patients.

    One row a column, in their order; without a share where nothing can be halved or chosen, and the note says why. The order of
    patients and of features changes nothing: halves are drawn of patients in the order of their labels and values.

    Parameters
    ----------
    values, labels
        Patients x features, NaN where missing (such a patient is passed over for this feature); length n.
    columns
        Names of the features, each once.
    q
        Features taken in a half, 1 to p - 1 of the p that vary; features that tie for the last places are not taken. None: the
        most whose bound at this threshold is 1, at least one.
    threshold
        Share of the halves, above 1/2 up to 1, from which a feature is called selected; else PredictionError, as for `q`.
    draws
        Pairs of halves.
    """
    if not 0.5 < threshold <= 1:
        raise PredictionError(f"The threshold of a stable feature lies above 0.5 and up to 1; it is {threshold:g}.")
    varies = _varies(values)
    features = int(varies.sum())
    reason = _why_not(labels, features)
    rows = _untold(columns, reason or np.where(np.isnan(values).all(axis=0), "measured in nobody", SAME))
    if not reason:
        taken = _taken(q, features, threshold)
        share = _shares(values[:, varies], labels, np.asarray(columns)[varies], taken, draws=draws, seed=seed)
        rows.loc[varies, "share"] = share
        rows.loc[varies, "threshold"] = threshold
        rows.loc[varies, "selected"] = share >= threshold
        rows.loc[varies, "false_bound"] = false_bound(q=taken, features=features, threshold=threshold)
        rows.loc[varies, "note"] = _note(labels, taken, features, threshold)
    return STABILITY.check(rows.assign(feature_set=feature_set))


def _untold(columns: Sequence[str], note: str | NDArray[np.str_]) -> pd.DataFrame:
    """A row a feature without numbers, and why."""
    unknown = pd.array([pd.NA] * len(columns), dtype="boolean")
    numbers = dict.fromkeys(("share", "threshold", "false_bound"), np.nan)
    return pd.DataFrame({"feature": list(columns), **numbers, "selected": unknown, "note": note})


def false_bound(*, q: int, features: int, threshold: float) -> float:
    """Most features, in expectation, that are selected though a half picks them no more often than `q` random ones of all."""
    return q**2 / ((2 * threshold - 1) * features)


def _taken(q: int | None, features: int, threshold: float) -> int:
    if q is None:
        return min(features - 1, max(1, floor(sqrt((2 * threshold - 1) * features))))
    if not 0 < q < features:
        raise PredictionError(
            f"Of the {features} features that vary, 1 to {features - 1} can be taken in a half; {q} were asked for."
        )
    return q


def _varies(values: Matrix) -> Flags:
    known = ~np.isnan(values)
    highest = np.where(known, values, -np.inf).max(axis=0, initial=-np.inf)
    lowest = np.where(known, values, np.inf).min(axis=0, initial=np.inf)
    varies: Flags = highest > lowest
    return varies


def _why_not(labels: Flags, features: int) -> str:
    responders, others = int(labels.sum()), int((~labels).sum())
    if min(responders, others) < 2:
        return f"not estimable: {_kinds(responders, others)} cannot be halved; two of each are needed"
    if responders // 2 + others // 2 < LEAST_PATIENTS:
        return f"not estimable: half of {_kinds(responders, others)} are fewer than {LEAST_PATIENTS} patients"
    if features < 2:
        return "not estimable: there is nothing to choose among where fewer than two features vary"
    return ""


def _kinds(responders: int, others: int) -> str:
    return f"{responders} responder{'s' * (responders != 1)} and {others} other{'s' * (others != 1)}"


def _note(labels: Flags, q: int, features: int, threshold: float) -> str:
    """What the numbers are, and what they are not."""
    half = _kinds(int(labels.sum()) // 2, int((~labels).sum()) // 2)
    told = f"a description, no signature: among the best {q} of {features} in halves of {half}"
    if q**2 >= features:
        return f"{told}; no threshold bounds the features selected by chance below one"
    if false_bound(q=q, features=features, threshold=threshold) >= 1:
        needed = (1 + q**2 / features) / 2
        return f"{told}; features selected by chance are bounded below one only with a threshold above {needed:.3g}"
    return told


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Of the responders, or of the others, in each half: halves x features."""

    count: Matrix
    total: Matrix
    squares: Matrix

    @property
    def mean(self) -> Matrix:
        return self.total / np.maximum(self.count, 1)

    @property
    def within(self) -> Matrix:
        """Sum of squares about the mean."""
        return np.maximum(self.squares - self.count * self.mean**2, 0.0)


def _shares(values: Matrix, labels: Flags, names: NDArray[np.str_], q: int, *, draws: int, seed: int) -> Matrix:
    """Share of the halves in which each feature is taken."""
    by_name = np.argsort(names, kind="stable")
    ordered = values[:, by_name]
    patients = np.lexsort([*ordered.T[::-1], labels])
    ordered, called = _standardised(ordered[patients]), labels[patients]
    halves = _halves(called, draws=draws, seed=seed)
    together = max(1, CHUNK_NUMBERS // max(1, ordered.shape[1]))
    taken = np.zeros(ordered.shape[1])
    for start in range(0, len(halves), together):
        taken += _best(mean_differences(ordered, called, halves[start : start + together]), q).sum(axis=0)
    share = np.empty(len(names))
    share[by_name] = taken / len(halves)
    return share


def _standardised(values: Matrix) -> Matrix:
    """About 0 and of size 1, so that sums of squares lose no digits; NaN stays."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    centred = values - np.where(known, values, 0.0).sum(axis=0) / count
    size = np.sqrt((np.where(known, centred, 0.0) ** 2).sum(axis=0) / count)
    standard: Matrix = centred / size
    return standard


def _halves(labels: Flags, *, draws: int, seed: int) -> Matrix:
    """2 draws x patients, 1 for who is in the half. Both halves of a draw have as many of each kind; who is odd is in neither."""
    generator = np.random.default_rng(seed)
    first, second = np.zeros((2, draws, len(labels)))
    for kind in (True, False):
        own = np.flatnonzero(labels == kind)
        shuffled = generator.permuted(np.tile(own, (draws, 1)), axis=1)
        half = len(own) // 2
        np.put_along_axis(first, shuffled[:, :half], 1.0, axis=1)
        np.put_along_axis(second, shuffled[:, half : 2 * half], 1.0, axis=1)
    return np.concatenate([first, second])


def mean_differences(values: Matrix, labels: Flags, halves: Matrix) -> Matrix:
    """Standardised mean difference, halves x features, without sign; -1 where it cannot be told, infinite without spread.

    Parameters
    ----------
    values
        Patients x features, each feature with mean 0 and standard deviation 1, NaN where missing.
    labels
        Of the patients.
    halves
        Halves x patients: 1 for who is in the half, else 0.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    one, other = (
        _Kind(count=part @ known[own], total=part @ filled[own], squares=part @ filled[own] ** 2)
        for own in (labels, ~labels)
        for part in (halves[:, own],)
    )
    count = one.count + other.count
    apart = np.abs(one.mean - other.mean)
    spread = np.sqrt((one.within + other.within) / np.maximum(count - 2, 1))
    flat = spread <= FLAT
    told = (one.count >= 1) & (other.count >= 1) & (count >= LEAST_PATIENTS) & ~(flat & (apart <= FLAT))
    difference = apart / np.where(flat, 1.0, spread)
    return np.where(told, np.where(flat, np.inf, difference), -1.0)


def _best(differences: Matrix, q: int) -> Flags:
    """The q largest of each row, fewer where others tie with the last of them."""
    places = differences.shape[1]
    next_best = np.partition(differences, places - q - 1, axis=1)[:, places - q - 1 : places - q]
    best: Flags = differences > next_best + TIE * np.maximum(next_best, 0.0)
    return best


def stability_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str], seed: int = 1) -> Info:
    """Write `stability.parquet`: every feature that was measured, before treatment and as a change.

    `inputs`: `features`, `deltas`, `outcomes`, as parquet. Features that depend on the cohort are not described.
    """
    features, deltas, outcomes = (read_table(inputs[name]) for name in ("features", "deltas", "outcomes"))
    parts = []
    for feature_set in FEATURE_SETS:
        design = design_matrix(
            features,
            deltas,
            outcomes,
            feature_set=feature_set,
            contrast=contrast,
            names=["*"],
            maximum_features=len(features) + 1,
        )
        parts.append(
            stability_table(
                design.matrix.to_numpy(),
                design.labels.to_numpy(),
                list(design.matrix.columns),
                feature_set=feature_set,
                seed=seed,
            )
        )
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else STABILITY.empty()
    write_table(STABILITY.check(table), out / "stability.parquet")
    return {"features": len(table), "selected": int(table["selected"].fillna(False).sum())}
