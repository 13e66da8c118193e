"""How well a score separates two groups."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from rabiomarkers.errors import StatisticsError


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of (positive, negative) pairs in which the positive has the higher score; a tie counts one half.

    Parameters
    ----------
    labels
        Length n, true or 1 for a positive.
    scores
        Length n, finite.

    Returns
    -------
    0..1; NaN where one of the groups is empty.

    Raises
    ------
    StatisticsError
        The lengths differ, or a score is NaN.

    References
    ----------
    Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747
    """
    positive = np.asarray(labels).astype(bool).ravel()
    score = np.asarray(scores, dtype=np.float64).ravel()
    if len(positive) != len(score) or np.isnan(score).any():
        raise StatisticsError("The AUC needs one score for each label, and no score may be NaN.")
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    wins = rankdata(score)[positive].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))
