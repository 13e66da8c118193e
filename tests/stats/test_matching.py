import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.matching import matching_test


def test_three_patients_nearest_to_themselves_reach_the_floor_of_one_in_six():
    told = matching_test([[0.1, 0.9, 0.8], [0.9, 0.2, 0.7], [0.8, 0.9, 0.3]])
    assert told.statistic == pytest.approx(0.2)
    assert (told.p_count, told.p_total, told.p_value, told.p_floor) == (1, 6, 1 / 6, 1 / 6)
    assert told.test == "exact matching permutation"


def test_equal_distances_say_nothing():
    assert matching_test(np.full((4, 4), 0.3)).p_value == 1.0


@pytest.mark.parametrize("n", [0, 1])
def test_one_patient_cannot_be_compared(n):
    told = matching_test(np.full((n, n), 0.4))
    assert math.isnan(told.p_value)
    assert told.test == "not tested"


def test_many_patients_are_re_matched_at_random_and_the_own_matching_counts():
    table = np.full((30, 30), 0.9) - 0.5 * np.eye(30)
    told = matching_test(table, matchings=199)
    assert (told.p_count, told.p_total, told.p_value, told.p_floor) == (1, 200, 0.005, 0.005)
    assert told == matching_test(table, matchings=199)


def test_a_table_that_is_not_square_is_refused():
    with pytest.raises(StatisticsError, match="square"):
        matching_test([[0.1, 0.2]])


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.integers(0, 20), min_size=n * n, max_size=n * n)))
def test_it_equals_trying_every_matching(cells):
    n = int(len(cells) ** 0.5)
    table = np.array(cells).reshape(n, n)
    sums = [sum(table[i, j] for i, j in enumerate(order)) for order in permutations(range(n))]
    assert matching_test(table).p_count == sum(total <= np.trace(table) for total in sums)
