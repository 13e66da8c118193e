"""Time and response in communities of patients with a sample before and one after; whole patients are what is exchanged.

Two samples of a patient resemble each other. Permuting samples freely finds no time effect where there is one (p 0.90 for 0.0098)
and calls 0.28 to 0.61 of nulls a response effect (patients who differ by 0.5 to 1 standard deviations); here labels move as the
design allows.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.gower import distance_matrix, gower_matrix
from rabiomarkers.stats.permanova import Term, checked_codes, group_term, permanova, relabelled
from rabiomarkers.stats.relabelling import Codes, as_codes

EXACT_LABELLINGS = 10_000  # labellings of whole patients that are all tried; above, random ones


def time_effect(
    distances: ArrayLike, patients: ArrayLike, times: ArrayLike, *, permutations: int = 9999, seed: int = 1
) -> Term:
    """Whether the communities moved from one time to the other: before and after change places inside patients.

    What patients differ in is taken out first: the term `time` of ``patient + time``. All 2**n ways up to 12 pairs.

    Parameters
    ----------
    distances
        2n x 2n.
    patients, times
        Of each sample; each patient once at each of two times.
    permutations, seed
        As in `permanova`.

    Raises
    ------
    StatisticsError
        A patient has not exactly one sample at each of two times.
    """
    table = distance_matrix(distances)
    sample_pairs(patients, times, len(table))
    factors = {"patient": patients, "time": times}
    return permanova(table, factors, strata=patients, permutations=permutations, seed=seed).terms[1]


def response_effect(
    distances: ArrayLike, patients: ArrayLike, responses: ArrayLike, *, permutations: int = 9999, seed: int = 1
) -> Term:
    """Whether patients with different responses have different communities: both samples of a patient move together.

    The spread of responses is held against that between patients of equal response, not between samples. All ways to hand the
    responses to patients are tried where there are at most 10 000.

    Parameters
    ----------
    distances
        Samples x samples, as many samples of each patient.
    patients, responses
        Of each sample; the response is the patient's.
    permutations, seed
        As in `permanova`.

    Raises
    ------
    StatisticsError
        A patient has two responses, or another number of samples than the others.
    """
    table = distance_matrix(distances)
    who = checked_codes("patients", patients, len(table))
    labels = checked_codes("responses", responses, len(table))
    counts = np.bincount(who)
    if len(np.unique(np.stack([who, labels]), axis=1).T) != len(counts) or len(set(counts.tolist())) > 1:
        raise StatisticsError("A response effect needs one response and the same number of samples for each patient.")
    gram = gower_matrix(table)
    belongs = (np.arange(len(counts))[:, None] == who).astype(np.float64)
    between = belongs @ gram @ belongs.T / max(int(counts.max(initial=1)), 1)
    own = labels[np.unique(who, return_index=True)[1]]
    return of_patients("response", between, own, float(gram.trace()), permutations, seed)


def response_time_effect(
    distances: ArrayLike,
    patients: ArrayLike,
    times: ArrayLike,
    responses: ArrayLike,
    *,
    permutations: int = 9999,
    seed: int = 1,
) -> Term:
    """Whether communities of patients with different responses moved differently: the interaction of response and time.

    Each patient's move is a vector; their inner products follow from the distances, and the responses are handed to whole
    patients anew, all ways where there are at most 10 000. The pseudo-F is that of the last term of
    ``patient + time + response x time``.

    Parameters
    ----------
    distances, patients, times
        As in `time_effect`.
    responses
        As in `response_effect`.
    permutations, seed
        As in `permanova`.

    Raises
    ------
    StatisticsError
        A patient has not exactly one sample at each of two times, or two responses.
    """
    table = distance_matrix(distances)
    first, second = sample_pairs(patients, times, len(table))
    labels = checked_codes("responses", responses, len(table))
    if not np.array_equal(labels[first], labels[second]):
        raise StatisticsError("A patient has one response, the same at both times.")
    gram = gower_matrix(table)
    cross = gram[np.ix_(first, second)]
    moves = (gram[np.ix_(first, first)] + gram[np.ix_(second, second)] - cross - cross.T) / 2
    about_mean = moves - moves.mean(axis=0) - moves.mean(axis=0)[:, None] + moves.mean() if len(moves) else moves
    return of_patients("response x time", about_mean, labels[first], float(gram.trace()), permutations, seed)


def of_patients(name: str, gram: Matrix, codes: Codes, total: float, permutations: int, seed: int) -> Term:
    """The term of one label a patient on the inner products of patients (rows add up to zero); labels of patients permuted."""
    codes = as_codes(codes)
    alone = np.zeros(len(codes), dtype=np.int64)
    tried = relabelled([codes], alone, permutations=permutations, seed=seed, exact_ways=EXACT_LABELLINGS)
    term = group_term(name, gram, codes, tried, total=total)
    return replace(term, test=f"{term.test} of patients") if term.p_total else term


def sample_pairs(patients: ArrayLike, times: ArrayLike, n: int) -> tuple[Codes, Codes]:
    """Places of the n samples of the first and of the second time, patients in the same order.

    Raises
    ------
    StatisticsError
        A patient has not exactly one sample at each of two times.
    """
    who, when = checked_codes("patients", patients, n), checked_codes("times", times, n)
    order = np.lexsort((who, when))
    half = n // 2
    first, second = order[:half], order[half:]
    whole = n % 2 == 0 and when.max(initial=1) == 1 and not when[first].any() and when[second].all()
    if not whole or not np.array_equal(who[first], np.arange(half)) or not np.array_equal(who[second], np.arange(half)):
        raise StatisticsError("A paired effect needs each patient exactly once at each of two times.")
    return first, second
