"""The rate of false positives as it is in the data at hand: before and after of whole patients swapped at random."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.context import BORROWING, groups_of_tests, matrix_rows
from rabiomarkers.change.pairs import PairMatrix
from rabiomarkers.change.tests import run_test
from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.multiplicity import ALPHA, HOLM, SEQUENCE, benjamini_hochberg, fixed_sequence, holm
from rabiomarkers.stats.paired import NOT_TESTED
from rabiomarkers.tables.changes import SHADOW_NULL

type Flips = NDArray[np.bool_]

ALL_SWAPS = 256  # up to here every swap is tried
BLOCK = 40_000  # rows tested at once
ROUNDING = 1e-12  # of a share
NONE_TESTED = "no feature could be tested"
TOO_MANY = "above the nominal rate: in these data the test calls too many changes"


def shadow_null(
    pairs: PairMatrix,
    changes: pd.DataFrame,
    *,
    test: str = "signed_rank",
    exploratory_test: str | None = None,
    level: float = 0.95,
    flips: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    """How often the planned tests call a change where there is none: in the same data, with before and after swapped.

    If nothing changed, it is chance which of a patient's two samples was taken first. Each swap turns whole patients round, all
    their features together, so that features stay as correlated as they are; then every test is done again. A test that is right
    for these data has p <= 0.05 in at most that share of cases.

    Parameters
    ----------
    pairs
        From `pair_matrix`; with patients of one sample where the tests use them.
    changes
        The CHANGES table, which tells families, corrections and the primary sequence.
    test, exploratory_test
        As in `change_table`.
    level, seed
        As in `change_table`; `seed` also draws the swaps.
    flips
        Number of swaps, where there are more than 256 different ones; else all are tried.

    Returns
    -------
    The SHADOW_NULL table: `observed` is the share of p <= 0.05 over all tests and swaps (tests of one swap are correlated, so it
    scatters more than so many independent tests would), `observed_any` the share of swaps in which any test passes the family's
    correction.
    """
    swaps = random_swaps(len(pairs.patients), flips=flips, seed=seed)
    every = _few(len(pairs.patients))
    families = []
    for name, rows in groups_of_tests(changes, test=test, exploratory_test=exploratory_test):
        known = matrix_rows(pairs, rows)
        p_values = np.full((len(swaps), len(rows)), np.nan)
        p_values[:, known >= 0] = swapped_p_values(
            pairs.rows(known[known >= 0]), swaps, test=name, level=level, seed=seed
        )
        for _, family in rows.reset_index(drop=True).groupby("family", sort=True):
            families.append(_row(family, p_values[:, family.index], every=every))
    table = pd.DataFrame(families, columns=list(SHADOW_NULL.columns)).sort_values(list(SHADOW_NULL.key))
    return SHADOW_NULL.check(table)


def random_swaps(patients: int, *, flips: int, seed: int) -> Flips:
    """Which patients are turned round in each swap (swaps x patients): all 2**patients where these are at most 256, else drawn."""
    if _few(patients):
        numbers = np.arange(2**patients)[:, None]
        every: Flips = (numbers >> np.arange(patients)) % 2 == 1
        return every
    drawn: Flips = np.random.default_rng([seed, patients]).integers(0, 2, size=(flips, patients)) == 1
    return drawn


def swapped_p_values(pairs: PairMatrix, swaps: Flips, *, test: str, level: float = 0.95, seed: int = 1) -> Matrix:
    """p of each feature in each swap (swaps x features); NaN where there is no test."""
    features = len(pairs.features)
    if not features:
        return np.empty((len(swaps), 0))
    together = 1 if test in BORROWING else max(BLOCK // features, 1)  # a variance is not borrowed from another swap
    parts = [
        run_test(test, _swapped(pairs, swaps[start : start + together]), level=level, seed=seed)["p_value"]
        for start in range(0, len(swaps), together)
    ]
    return np.concatenate([part.to_numpy(dtype=np.float64) for part in parts]).reshape(len(swaps), features)


def _swapped(pairs: PairMatrix, swaps: Flips) -> PairMatrix:
    """The matrices of each swap, one below the other."""
    turned = np.repeat(swaps, len(pairs.features), axis=0)
    before, after, change = (np.tile(values, (len(swaps), 1)) for values in (pairs.before, pairs.after, pairs.change))
    return PairMatrix(
        features=pd.concat([pairs.features] * len(swaps), ignore_index=True),
        patients=pairs.patients,
        before=np.where(turned, after, before),
        after=np.where(turned, before, after),
        change=np.where(turned, -change, change),
    )


def _few(patients: int) -> bool:
    """Whether every swap is tried."""
    few: bool = 2**patients <= ALL_SWAPS
    return few


def _row(family: pd.DataFrame, p_values: Matrix, *, every: bool) -> dict[str, Any]:
    tested = ~np.isnan(p_values)
    some = bool(tested.any())
    passed = [_any_passes(row, family) for row in p_values] if some else []
    return {
        "family": family["family"].iloc[0],
        "test": _test_of(family),
        "n_tests": int(tested.any(axis=0).sum()),
        "n_flips": len(p_values),
        "nominal": ALPHA,
        "observed": float((p_values[tested] <= ALPHA).mean()) if some else np.nan,
        "observed_any": float(np.mean(passed)) if some else np.nan,
        "note": _note(family, p_values, every=every) if some else NONE_TESTED,
    }


def _test_of(family: pd.DataFrame) -> str:
    """The test as the CHANGES table calls it; all of them where it has several names, as a moderated t that is a paired t."""
    names = sorted(set(family["test"]) - {NOT_TESTED})
    return ", ".join(names) or NOT_TESTED


def _any_passes(p_values: Matrix, family: pd.DataFrame) -> bool:
    p = pd.Series(p_values, index=family.index)
    correction = family["correction"].iloc[0]
    if correction == SEQUENCE:
        sequence = family["sequence"].astype("float64")
        adjusted = fixed_sequence(p.mask(p.isna() & sequence.notna(), 1.0), sequence)
    else:
        adjusted = (holm if correction == HOLM else benjamini_hochberg)(p)
    return bool((adjusted <= ALPHA).any())


def _note(family: pd.DataFrame, p_values: Matrix, *, every: bool) -> str:
    """What a reader must know: the tests are dead here, or they call more than they may."""
    tested = ~np.isnan(p_values).all(axis=0)
    floors = family.loc[tested, "p_floor"]
    if (floors > ALPHA).all():
        return f"no test of this family can reach {ALPHA} with so few pairs"
    shares = np.nanmean(np.where(np.isnan(p_values[:, tested]), np.nan, p_values[:, tested] <= ALPHA), axis=1)
    # of drawn swaps the share is uncertain. Tests of one swap are correlated: only the swaps are independent of each other
    drawn = not every and len(shares) > 1
    error = float(np.std(shares, ddof=1) / np.sqrt(len(shares))) if drawn else 0.0
    return TOO_MANY if shares.mean() > ALPHA + 3 * error + ROUNDING else ""
