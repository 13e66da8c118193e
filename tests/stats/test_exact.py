import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.exact import (
    balanced_subset_means,
    flip_counts,
    random_flip_counts,
    rank_sum_counts,
    rank_sum_probabilities,
    subset_means,
    to_grid,
    walsh_cut,
)


def test_three_ranks_give_the_textbook_table():
    assert rank_sum_counts(np.array([1, 2, 3])).tolist() == [1, 1, 1, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("n", "cut", "level"), [(5, 1, 0.9375), (6, 1, 0.96875), (9, 6, 0.9609375), (10, 9, 0.951171875)]
)
def test_the_cut_is_that_of_the_signed_rank_table(n, cut, level):
    # R: qsignrank(0.025, c(6, 9, 10)) = 1, 6, 9
    assert walsh_cut(n, 0.95) == (cut, pytest.approx(level, abs=1e-12))


def test_a_difference_and_its_float_image_fall_on_one_grid_point():
    grid = to_grid(np.array([[28.0 - 19.6, 8.4, 0.1 + 0.2, 0.3]]))
    assert grid[0, 0] == grid[0, 1] == 840_000_000_000
    assert grid[0, 2] == grid[0, 3]


@pytest.mark.parametrize("row", [[0.0, 0.0], [5e-324, 0.0], [1e308, -1e308]])
def test_extreme_rows_have_a_grid_too(row):
    grid = to_grid(np.array([row]))
    assert np.isfinite(grid).all()
    assert (np.sign(grid) == np.sign(row))[grid != 0].all()


def test_subset_means_are_those_of_all_subsets():
    values = np.array([1.0, 2.0, 4.0])
    means = sorted(np.mean(part) for size in (1, 2, 3) for part in itertools.combinations(values, size))
    np.testing.assert_allclose(np.sort(subset_means(values[None, :])[0]), means)


def test_balanced_subsets_hold_each_patient_in_half_and_each_two_in_a_quarter():
    n = 20
    members = np.isclose(balanced_subset_means(np.eye(n), seed=4), 0.0, atol=0) ^ True  # n patients x 8191 subsets
    together = members.astype(int) @ members.T.astype(int)
    assert np.diag(together).tolist() == [4096] * n
    assert set(together[~np.eye(n, dtype=bool)]) == {2048}
    assert len(np.unique(members, axis=1).T) == 8191


def test_random_flips_depend_on_the_seed_and_on_nothing_else():
    grid = np.random.default_rng(0).integers(-9, 9, size=(3, 25))
    first = random_flip_counts(grid, flips=999, seed=1)
    assert first.tolist() == random_flip_counts(-grid[:, ::-1], flips=999, seed=1).tolist()
    assert first.tolist() != random_flip_counts(grid, flips=999, seed=2).tolist()


@given(st.lists(st.integers(1, 9), min_size=0, max_size=12))
def test_counts_and_probabilities_agree(ranks):
    ranks = np.array(ranks, dtype=np.int64)
    counts = rank_sum_counts(ranks)
    assert counts.sum() == 2 ** len(ranks)
    np.testing.assert_allclose(rank_sum_probabilities(ranks), counts / 2 ** len(ranks), atol=1e-15)


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=8))
def test_flips_are_counted_as_by_trying_each(row):
    sums = [
        sum(s * v for s, v in zip(signs, row, strict=True)) for signs in itertools.product((-1, 1), repeat=len(row))
    ]
    assert flip_counts(np.array([row]))[0] == sum(abs(total) >= abs(sum(row)) for total in sums)
