"""Which features were tested together, so that a test can be repeated as it was done."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.pairs import FEATURE, PairMatrix

BORROWING = frozenset({"moderated_t"})
"""Tests whose result for a feature depends on the features tested with it."""


def groups_of_tests(
    changes: pd.DataFrame, *, test: str, exploratory_test: str | None = None
) -> list[tuple[str, pd.DataFrame]]:
    """The rows of the CHANGES table that were tested together, with the name of their test.

    Planned and exploratory features are one group where both have the same test, as in `change.table.change_table`.
    """
    if exploratory_test in (None, test):
        return [(test, changes)]
    exploratory = changes["tier"] == "exploratory"
    return [(test, changes[~exploratory]), (str(exploratory_test), changes[exploratory])]


def matrix_rows(pairs: PairMatrix, features: pd.DataFrame) -> NDArray[np.int64]:
    """The row of the matrices of each `compartment, feature`; -1 where there is none."""
    known = {key: place for place, key in enumerate(zip(*(pairs.features[name] for name in FEATURE), strict=True))}
    keys = zip(*(features[name] for name in FEATURE), strict=True)
    return np.fromiter((known.get(key, -1) for key in keys), dtype=np.int64, count=len(features))
