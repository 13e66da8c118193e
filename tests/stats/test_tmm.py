"""Library scaling against edgeR (`reference/edger.csv`, written by `reference/edger.R`)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.tmm import enough_counts, log_cpm, tmm_factors
from tests.support.edger import COUNTS, KEPT, numbers


def test_the_genes_that_are_counted_enough_are_those_of_edger():
    assert enough_counts(COUNTS, smallest_group=6).tolist() == numbers("keep").astype(bool).tolist()
    assert enough_counts(COUNTS, smallest_group=6, minimum_count=3).tolist() == numbers("keep_3").astype(bool).tolist()
    assert 0 < KEPT.sum() < len(KEPT)


def test_of_a_large_group_seven_tenths_of_the_samples_beyond_ten_suffice():
    large = np.hstack([COUNTS, COUNTS[:, ::-1], COUNTS])
    found = enough_counts(large, smallest_group=36)
    assert found.tolist() == numbers("keep_large").astype(bool).tolist()


def test_the_factors_are_those_of_edger():
    assert tmm_factors(COUNTS[KEPT]) == pytest.approx(numbers("factors"), rel=1e-12)


def test_log_counts_per_million_are_those_of_edger():
    found = log_cpm(COUNTS[KEPT], numbers("factors"))
    assert found.ravel() == pytest.approx(numbers("log_cpm"), abs=1e-10)


def test_factors_multiply_to_one_and_follow_their_samples():
    factors = tmm_factors(COUNTS)
    assert np.prod(factors) == pytest.approx(1)
    order = np.random.default_rng(1).permutation(COUNTS.shape[1])
    assert tmm_factors(COUNTS[:, order]) == pytest.approx(factors[order], rel=1e-12)
    assert tmm_factors(COUNTS[::-1]) == pytest.approx(factors, rel=1e-12)


@given(st.integers(1, 1_000))
def test_a_library_sequenced_deeper_by_a_whole_number_has_the_same_levels_without_a_prior(depth):
    deeper = COUNTS[KEPT].copy()
    deeper[:, 3] *= depth
    plain, changed = (log_cpm(counts + 1, prior_count=1e-300) for counts in (COUNTS[KEPT] - 1, deeper - 1))
    counted = COUNTS[KEPT][:, 3] > 0
    assert changed[counted, 3] == pytest.approx(plain[counted, 3], abs=1e-9)


def test_equal_libraries_have_factors_of_one():
    assert tmm_factors(np.tile([[5.0], [7.0], [100.0]], 4)).tolist() == [1.0, 1.0, 1.0, 1.0]
    assert tmm_factors(np.array([[5.0], [3.0]])).tolist() == [1.0]


def test_what_is_no_table_of_counts_is_refused():
    for wrong in ([[1.0, -1.0]], [[np.nan, 1.0]], [1.0, 2.0]):
        with pytest.raises(StatisticsError, match="genes x samples"):
            tmm_factors(wrong)
    with pytest.raises(StatisticsError, match="1 libraries hold no read"):
        enough_counts([[1.0, 0.0]], smallest_group=1)
    with pytest.raises(StatisticsError, match="one factor above zero"):
        log_cpm([[1.0, 2.0]], [1.0, 0.0])
