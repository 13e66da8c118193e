import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.auc import auc

scored = st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2, max_size=20)


def test_it_is_the_share_of_pairs_in_the_right_order():
    # positives 3 and 1 against negatives 2 and 0: 3>2, 3>0, 1<2, 1>0
    assert auc([1, 0, 1, 0], [3, 2, 1, 0]) == 0.75


def test_a_tie_counts_one_half():
    assert auc([True, False], [1.0, 1.0]) == 0.5


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], []])
def test_one_group_alone_has_none(labels):
    assert math.isnan(auc(labels, [0.5] * len(labels)))


def test_a_score_for_each_label_is_needed():
    with pytest.raises(StatisticsError, match="one score for each label"):
        auc([1, 0], [0.5])


@given(scored)
def test_it_equals_counting_the_pairs(pairs):
    positive = [score for label, score in pairs if label]
    negative = [score for label, score in pairs if not label]
    counted = auc(*zip(*pairs, strict=True))
    if not positive or not negative:
        assert math.isnan(counted)
        return
    wins = sum((high > low) + 0.5 * (high == low) for high in positive for low in negative)
    assert counted == pytest.approx(wins / (len(positive) * len(negative)), abs=1e-12)
