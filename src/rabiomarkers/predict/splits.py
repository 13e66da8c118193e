"""Who is left out together. Every split is one of patients, never of samples: all that is known of a patient lies on one side."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from rabiomarkers.predict.learners import Counts, Flags

type Split = tuple[Counts, Counts]
"""(training, left out) positions of patients."""


def leave_one_out_splits(patients: int) -> Iterator[Split]:
    """Each patient left out once."""
    everyone = np.arange(patients)
    return ((np.delete(everyone, out), np.array([out])) for out in range(patients))


def leave_pair_out_splits(patients: int) -> Iterator[Split]:
    """Each pair of patients left out once."""
    everyone = np.arange(patients)
    return ((np.delete(everyone, pair), np.array(pair)) for pair in combinations(range(patients), 2))


def stratified_splits(labels: Flags, *, folds: int, seed: int | Sequence[int]) -> Iterator[Split]:
    """Each patient left out once, responders and others spread evenly over the folds.

    Parameters
    ----------
    labels
        Of each patient.
    folds
        At most as many as there are patients of the smaller class, so that no fold lacks one.
    """
    generator = np.random.default_rng(seed)
    kinds = [generator.permutation(np.flatnonzero(labels == kind)) for kind in (True, False)]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.concatenate(kinds)] = np.arange(len(labels)) % folds  # dealt like cards
    return ((np.flatnonzero(fold != out), np.flatnonzero(fold == out)) for out in range(folds))


def leave_batch_out_splits(batches: Sequence[str | None]) -> Iterator[tuple[str, Split]]:
    """Each batch, by name, left out once; who is of unknown batch (None) is on neither side: it might be the one left out."""
    of_patient = np.array(["" if batch is None else batch for batch in batches], dtype=object)
    known = np.array([batch is not None for batch in batches], dtype=np.bool_)
    for name in sorted({batch for batch in batches if batch is not None}):
        inside = known & (of_patient == name)
        yield name, (np.flatnonzero(known & ~inside), np.flatnonzero(inside))
