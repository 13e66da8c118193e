"""The tests of a paired change by name: each takes the same matrices and tells the same columns."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from rabiomarkers.change.pairs import PairMatrix
from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.mixed import mixed_model_many
from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.paired import COLUMNS, NOT_TESTED, sign_flip_many, signed_rank_many
from rabiomarkers.stats.parametric import ancova_many, paired_t_many

type PairedTest = Callable[[PairMatrix, float, int], pd.DataFrame]

TEST_COLUMNS = (*COLUMNS, "n_single", "degrees_of_freedom")
"""What every test tells; the last two are empty where it used no patient with one sample, or has no degrees of freedom."""


def _moderated(pairs: PairMatrix, level: float, seed: int) -> pd.DataFrame:
    """Variances are shared only among features of one compartment and unit: a rank score tells nothing about a count's spread."""
    kinds = (pairs.features["compartment"] + " " + pairs.features["unit"]).to_numpy(dtype=object)
    return moderated_t_many(pairs.change, groups=kinds, level=level)


def _ancova(pairs: PairMatrix, level: float, seed: int) -> pd.DataFrame:
    """Of complete pairs only, with the change that was rounded to the measured precision."""
    complete = ~np.isnan(pairs.change)
    before = np.where(complete, pairs.before, np.nan)
    return ancova_many(before, before + pairs.change, level=level)


TESTS: Mapping[str, PairedTest] = {
    "signed_rank": lambda pairs, level, seed: signed_rank_many(pairs.change, level=level),
    "signed_rank_pratt": lambda pairs, level, seed: signed_rank_many(pairs.change, zeros="pratt", level=level),
    "sign_flip": lambda pairs, level, seed: sign_flip_many(pairs.change, level=level, seed=seed),
    "paired_t": lambda pairs, level, seed: paired_t_many(pairs.change, level=level),
    "moderated_t": _moderated,
    "ancova": _ancova,
    "mixed_model": lambda pairs, level, seed: mixed_model_many(pairs.before, pairs.after, level=level),
}
"""Signed-rank: Hodges-Lehmann estimate, exact. Sign-flip: mean, exact up to 20 pairs. The others: mean, t distribution."""


def run_test(name: str, pairs: PairMatrix, *, level: float = 0.95, seed: int = 1) -> pd.DataFrame:
    """The columns `TEST_COLUMNS`, one row a feature of `pairs`.

    Raises
    ------
    StatisticsError
        There is no test of that name.
    """
    if name not in TESTS:
        raise StatisticsError(f"There is no paired test {name!r}; there are {', '.join(TESTS)}.")
    told = TESTS[name](pairs, level, seed).reindex(columns=list(TEST_COLUMNS))
    single = told["n_single"].astype("Int64").mask(told["test"] == NOT_TESTED)
    return told.assign(n_single=single, degrees_of_freedom=told["degrees_of_freedom"].astype("float64"))
