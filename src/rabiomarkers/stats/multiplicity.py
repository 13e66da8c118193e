"""Correction for many tests, and what it leaves room for when a p cannot be arbitrarily small."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Vector
from rabiomarkers.stats.guards import checked_p_values, refuse_other_index
from rabiomarkers.tables.changes import CORRECTIONS

SEQUENCE, HOLM, BENJAMINI_HOCHBERG = CORRECTIONS
ALPHA = 0.05
"""A test passes when its p, or its adjusted p where there are several, is at most this."""


@dataclass(frozen=True, kw_only=True)
class Attainable:
    """What a correction lets the tests of one family reach, whatever the data."""

    n_tests: int
    n_cannot_pass: int  # even if every test of the family were at its floor
    n_needed: (
        int | None
    )  # tests at their floor together before any passes; None where one may pass alone or none can pass


def benjamini_hochberg(p_values: pd.Series, families: pd.Series | None = None) -> pd.Series:
    """False-discovery-rate adjusted p (q) of each test, each family on its own.

    A test without a p has no q and does not count: it was not made.

    Parameters
    ----------
    p_values
        0..1, NaN where there is none.
    families
        Name of each test's family, on the same index; one family if not given.

    Raises
    ------
    StatisticsError
        A p lies outside 0..1, the families have another index, or a test with a p has no family.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    return _by_family(p_values, families, lambda known: np.asarray(false_discovery_control(known, method="bh")))


def holm(p_values: pd.Series, families: pd.Series | None = None) -> pd.Series:
    """Adjusted p of each test that keeps the chance of any false finding in its family; parameters as `benjamini_hochberg`.

    The smallest p is multiplied by the number of tests, the next by one less, and so on; none falls below the one before.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6: 65-70
    """
    return _by_family(p_values, families, _holm)


def fixed_sequence(p_values: pd.Series, order: pd.Series) -> pd.Series:
    """Adjusted p of hypotheses that are tested one after the other, each at the full level, until one fails.

    It is the largest p up to the hypothesis' own place: what comes after a failure fails with it, however small its p.

    Parameters
    ----------
    p_values
        0..1; NaN where the test was not made: such a hypothesis takes no place and has no adjusted p. Leave a p out only for
        reasons that do not depend on the effect, as when nobody was measured.
    order
        Places on the same index, the first one smallest; NaN where a hypothesis is not in the sequence.

    Raises
    ------
    StatisticsError
        Two hypotheses have the same place, the two series have another index, or a p lies outside 0..1.

    References
    ----------
    Maurer, Hothorn & Lehmacher 1995, in Vollmar (ed.), Biometrie in der chemisch-pharmazeutischen Industrie 6: 3-18
    """
    refuse_other_index(p_values, order, "place")
    places = np.asarray(order, dtype=np.float64)
    if pd.Series(places).dropna().duplicated().any():
        raise StatisticsError("A fixed sequence needs a place of its own for each hypothesis; two have the same.")
    known = checked_p_values(p_values)
    tested = np.flatnonzero(~np.isnan(places) & ~np.isnan(known))
    tested = tested[np.argsort(places[tested])]
    adjusted = np.full(len(known), np.nan)
    adjusted[tested] = np.maximum.accumulate(known[tested])
    return pd.Series(adjusted, index=p_values.index, name="q_value")


def attainable(floors: ArrayLike, correction: str, *, alpha: float = ALPHA) -> Attainable:
    """How many tests of one family could never pass, and how many must be at their floor together before any passes.

    Ten pairs give no exact p below 1/512: of 300 tests under Benjamini-Hochberg 12 must be there together, of 20 000 tests 782.
    Only Benjamini-Hochberg lets tests help each other so; under Holm and in a sequence a test passes alone or not at all.

    Parameters
    ----------
    floors
        The smallest possible p of each test of the family; NaN where there is none (a t test). For a fixed sequence in the
        order of the sequence.
    correction
        One of `tables.changes.CORRECTIONS`.
    alpha
        A test passes when its adjusted p is at most this.

    Raises
    ------
    StatisticsError
        There is no correction of that name, or a floor lies outside 0..1.
    """
    lowest = np.nan_to_num(checked_p_values(floors, "floors"), nan=0.0)
    if correction not in CORRECTIONS:
        raise StatisticsError(f"There is no correction {correction!r}; there are {', '.join(CORRECTIONS)}.")
    if correction == SEQUENCE:
        adjusted = np.maximum.accumulate(lowest)
    elif correction == HOLM:
        adjusted = _holm(lowest)
    else:
        adjusted = np.asarray(benjamini_hochberg(pd.Series(lowest)))
    return Attainable(
        n_tests=len(lowest),
        n_cannot_pass=int((adjusted > alpha).sum()),
        n_needed=_needed(lowest, alpha) if correction == BENJAMINI_HOCHBERG else None,
    )


def _needed(floors: Vector, alpha: float) -> int | None:
    """Under Benjamini-Hochberg the k smallest pass together when the k-th times tests / k does."""
    together = np.arange(1, len(floors) + 1)
    enough = np.flatnonzero(np.sort(floors) * (len(floors) / together) <= alpha)
    return int(together[enough[0]]) if len(enough) and enough[0] > 0 else None


def _by_family(p_values: pd.Series, families: pd.Series | None, correct: Callable[[Vector], Vector]) -> pd.Series:
    names = pd.Series("all", index=p_values.index) if families is None else families
    adjusted = pd.Series(np.nan, index=p_values.index, name="q_value", dtype=np.float64)
    refuse_other_index(p_values, names, "family")
    known = checked_p_values(p_values)
    made = ~np.isnan(known)
    if nameless := int(names[made].isna().sum()):
        raise StatisticsError(f"Each test that was made belongs to a family; {nameless} have none.")
    for family in sorted(set(names[made])):
        chosen = made & (names == family).to_numpy()
        adjusted[chosen] = correct(known[chosen])
    return adjusted


def _holm(p_values: Vector) -> Vector:
    order = np.argsort(p_values, kind="stable")
    times = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(times * p_values[order]), 1.0)
    return adjusted
