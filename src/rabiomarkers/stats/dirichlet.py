"""How much of a composition's result hangs on the counting alone: the same test on draws from the posterior of the counts."""

from hashlib import sha256

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.composition import PSEUDOCOUNT, same_total
from rabiomarkers.stats.exact import INTEGER_LIMIT, rank_sum_counts, rank_sum_probabilities
from rabiomarkers.stats.guards import refuse_fewer_than_one
from rabiomarkers.stats.multiplicity import ALPHA

DRAWS = 200
COLUMNS = ("p_sampled", "share_significant")


def sampled_changes(before: pd.DataFrame, after: pd.DataFrame, *, draws: int = DRAWS, seed: int = 1) -> Matrix:
    """Changes of clr (ln) in draws from the posterior of the counts; draws x parts x patients.

    Each sample's shares are drawn from the Dirichlet distribution of its counts + 0.5 (Jeffreys' prior), after both samples of
    a pair are brought to one total as in `composition.same_total`: a part never seen is then as uncertain before as after.
    The draws of a sample depend on the seed, its patient's name and its own parts, not on the order of parts or patients nor
    on who else is there.

    Parameters
    ----------
    before, after
        Patients x parts, counts, with the same index (patients) and columns (parts).

    Raises
    ------
    StatisticsError
        The two tables do not have the same patients and parts, or hold no counts, or `draws` is below 1.
    """
    if not (before.index.equals(after.index) and before.columns.equals(after.columns)):
        raise StatisticsError("Both tables need the same patients and the same parts in the same order.")
    refuse_fewer_than_one(draws, "draws")
    order = np.argsort(before.columns.astype(str).to_numpy(), kind="stable")
    pairs = (
        np.stack(same_total(before.iloc[:, order], after.iloc[:, order]), axis=1) + PSEUDOCOUNT
    )  # patients x 2 x parts
    changes = np.empty((draws, pairs.shape[2], len(pairs)))
    for place, patient in enumerate(before.index):
        first, second = (_log_gamma(pairs[place, side], draws, [seed, _number(str(patient)), side]) for side in (0, 1))
        changes[:, order, place] = (second - first) - (second - first).mean(axis=1, keepdims=True)
    return changes


def posterior_tests(before: pd.DataFrame, after: pd.DataFrame, *, draws: int = DRAWS, seed: int = 1) -> pd.DataFrame:
    """Exact signed-rank test of each part's clr change in each draw: mean p and share of draws with p <= 0.05.

    It tells how far a result would survive counting the same samples again: a part of three cells is all noise, one of three
    hundred is none. It does not tell how patients vary (the test itself does), nor whether another reference or another
    rule for zeros would say otherwise, and the draws add noise to counts that had it already: the mean p is larger than the p of
    the counts, and no substitute for it. Counts only: relative abundances no longer know how much was counted.

    The nearest relative, ALDEx2 and scikit-bio's `dirmult_ttest` after it, compares two independent groups by Welch's t and
    likewise averages p over draws; pairs it cannot use.

    Parameters
    ----------
    before, after, draws, seed
        As in `sampled_changes`.

    Returns
    -------
    `p_sampled, share_significant` by part (NaN with fewer than two pairs).

    References
    ----------
    Fernandes et al. 2014, doi:10.1186/2049-2618-2-15
    """
    if len(before) < 2 or before.shape[1] < 2 or draws < 1:
        return pd.DataFrame(np.nan, index=before.columns, columns=list(COLUMNS))
    p_values = untied_p_values(sampled_changes(before, after, draws=draws, seed=seed))
    told = {"p_sampled": p_values.mean(axis=0), "share_significant": (p_values <= ALPHA).mean(axis=0)}
    return pd.DataFrame(told, index=before.columns)


def untied_p_values(changes: Matrix) -> Matrix:
    """Exact two-sided signed-rank p along the last axis of continuous changes: no ties, no zeros, so one table serves all."""
    n = changes.shape[-1]
    ranks = rankdata(np.abs(changes), axis=-1)
    plus = np.rint((ranks * (changes > 0)).sum(axis=-1)).astype(np.int64)
    extreme = np.maximum(plus, n * (n + 1) // 2 - plus)
    steps = np.arange(1, n + 1, dtype=np.int64)
    chances = rank_sum_counts(steps) / 2.0**n if n <= INTEGER_LIMIT else rank_sum_probabilities(steps)
    tails = chances[::-1].cumsum()[::-1]
    p_values: Matrix = np.minimum(2.0 * tails[extreme], 1.0)
    return p_values


def _log_gamma(shapes: Matrix, draws: int, seed: list[int]) -> Matrix:
    """Logarithms of gamma variates, which are a Dirichlet draw but for their sum; the sum drops out of every log ratio."""
    values = np.random.default_rng(seed).standard_gamma(shapes, size=(draws, len(shapes)))
    logarithms: Matrix = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    return logarithms


def _number(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")
