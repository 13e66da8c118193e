import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skbio.stats import composition as skbio

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.composition import (
    balance_weights,
    clr,
    clr_changes,
    clr_rows,
    log_balance,
    median_changes,
    replace_zeros,
    same_total,
    without_zeros,
)

counts_of_parts = st.lists(st.integers(1, 10_000), min_size=2, max_size=8)


def test_clr_of_one_two_four_is_minus_ln2_zero_ln2():
    ratios = clr(pd.Series({"a": 1, "b": 2, "c": 4}), pseudocount=0)
    # the mean logarithm is ln 2, so each part is its logarithm less that
    assert ratios.to_dict() == pytest.approx({"a": -math.log(2), "b": 0.0, "c": math.log(2)})


def test_half_a_count_is_added_to_every_part():
    ratios = clr(pd.Series({"seen": 4, "unseen": 0}))
    assert ratios["seen"] == pytest.approx(math.log(4.5 / 0.5) / 2)
    assert ratios["unseen"] == pytest.approx(-math.log(4.5 / 0.5) / 2)


@settings(deadline=None)
@given(counts_of_parts, st.floats(0.01, 1000))
def test_clr_without_zeros_does_not_change_with_the_total(counts, factor):
    parts = pd.Series(counts, dtype=float)
    assert clr(parts * factor, pseudocount=0).to_numpy() == pytest.approx(
        clr(parts, pseudocount=0).to_numpy(), abs=1e-9
    )


@settings(deadline=None)
@given(counts_of_parts)
def test_clr_sums_to_zero_and_keeps_the_order(counts):
    ratios = clr(pd.Series(counts))
    assert ratios.sum() == pytest.approx(0, abs=1e-9)
    assert (np.argsort(ratios, kind="stable") == np.argsort(counts, kind="stable")).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": -1, "b": 2}, "1 parts are negative or absent: a"),
        ({"a": np.nan, "b": 2}, "1 parts are negative or absent: a"),
        ({"a": 0, "b": 0}, "Nothing was counted"),
    ],
)
def test_what_is_no_count_is_refused(counts, message):
    with pytest.raises(StatisticsError, match=message):
        clr(pd.Series(counts, dtype=float))


def test_a_zero_without_a_pseudocount_is_refused():
    with pytest.raises(StatisticsError, match="1 parts are 0"):
        clr(pd.Series({"a": 0, "b": 2}), pseudocount=0)


def test_a_balance_of_equal_halves_is_zero():
    assert log_balance(50, 100) == 0.0


def test_a_balance_adds_half_a_count_to_either_side():
    assert log_balance(0, 10_000) == pytest.approx(math.log(0.5 / 10_000.5))


@settings(deadline=None)
@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_swapping_part_and_rest_changes_the_sign_of_the_balance(part, rest):
    total = part + rest
    assert log_balance(part, total) == pytest.approx(-log_balance(total - part, total), abs=1e-6)


@pytest.mark.parametrize(("part", "total"), [(-1, 10), (11, 10)])
def test_a_part_beyond_its_total_is_refused(part, total):
    with pytest.raises(StatisticsError, match="is no composition"):
        log_balance(part, total)


# ---- pairs -----------------------------------------------------------------------------------------------------------

pairs_of_counts = st.integers(2, 6).flatmap(
    lambda parts: st.lists(
        st.tuples(*(st.lists(st.integers(1, 999), min_size=parts, max_size=parts) for _ in "ab")),
        min_size=1,
        max_size=5,
    )
)


def sides(pairs):
    return tuple(np.array([pair[side] for pair in pairs], dtype=float) for side in (0, 1))


def test_rows_of_clr_are_those_of_one_sample():
    table = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0]])
    assert clr_rows(table) == pytest.approx(np.array([[-math.log(2), 0, math.log(2)], [0, 0, 0]]))


def test_the_larger_sample_is_brought_to_the_total_of_the_smaller():
    before, after = same_total([[1, 3], [10, 30]], [[6, 2], [1, 1]])
    assert before.tolist() == [[1, 3], [0.5, 1.5]]
    assert after.tolist() == [[3, 1], [1, 1]]


def test_a_part_never_seen_does_not_fall_because_the_second_sample_is_larger():
    before, after = [[250, 250, 0]], [[1000, 1000, 0]]
    naive = clr_changes(np.array(before) + 0.5, np.array(after) + 0.5)
    assert naive[0, 2] == pytest.approx(
        -2 / 3 * math.log(4), abs=0.01
    )  # what half a count does at four times the depth
    assert clr_changes(*without_zeros(before, after, scale="counts")).tolist() == [[0.0, 0.0, 0.0]]


def test_zeros_of_shares_become_half_the_smallest_share_of_the_pair():
    before, after = replace_zeros([[0.8, 0.2, 0.0]], [[0.9, 0.0, 0.1]])
    # smallest 0.1, so 0.05 for a zero, and the others shrink by 0.95
    assert before == pytest.approx(np.array([[0.76, 0.19, 0.05]]))
    assert after == pytest.approx(np.array([[0.855, 0.05, 0.095]]))


def test_unseen_parts_never_outweigh_the_seen_ones():
    before, after = replace_zeros([[1.0] + [0.0] * 9], [[1.0] + [0.0] * 9])
    assert before[0, 1:] == pytest.approx(
        np.full(9, 0.05)
    )  # half of one would leave less than nothing for the first part
    assert after[0, 0] == pytest.approx(0.55)


@given(pairs_of_counts)
def test_nothing_is_replaced_where_nothing_is_zero(pairs):
    before, after = replace_zeros(*sides(pairs))
    assert clr_changes(before, after) == pytest.approx(clr_changes(*sides(pairs)), abs=1e-9)


@given(pairs_of_counts, st.integers(2, 50))
def test_c13_a_deeper_reading_of_a_sample_without_zeros_changes_no_log_ratio(pairs, factor):
    before, after = sides(pairs)
    assert clr_changes(before, factor * after) == pytest.approx(clr_changes(before, after), abs=1e-9)
    shares = clr_changes(*without_zeros(factor * before, after, scale="relative"))
    assert shares == pytest.approx(clr_changes(*without_zeros(before, after, scale="relative")), abs=1e-9)


@given(pairs_of_counts, st.integers(2, 50))
def test_c13_the_larger_sample_may_be_read_any_times_more_deeply_with_zeros_or_without(pairs, factor):
    before, after = sides(pairs)
    after = after + before.sum(axis=1, keepdims=True)  # the larger one
    before[:, 0] = 0
    before[:, 1] += 1
    once, deeper = (clr_changes(*without_zeros(before, times * after, scale="counts")) for times in (1, factor))
    assert deeper == pytest.approx(once, abs=1e-9)


@given(pairs_of_counts)
def test_the_order_of_parts_and_patients_goes_along(pairs):
    before, after = sides(pairs)
    changes = clr_changes(*without_zeros(before, after, scale="counts"))
    turned = clr_changes(*without_zeros(before[::-1, ::-1], after[::-1, ::-1], scale="counts"))
    assert turned[::-1, ::-1] == pytest.approx(changes, abs=1e-12)


@given(pairs_of_counts)
def test_the_ratio_of_two_parts_is_the_same_in_any_subcomposition(pairs):
    before, after = sides(pairs)
    changes, of_two = clr_changes(before, after), clr_changes(before[:, :2], after[:, :2])
    assert of_two[:, 0] - of_two[:, 1] == pytest.approx(changes[:, 0] - changes[:, 1], abs=1e-9)


def test_one_part_that_rises_tenfold_drags_the_others_by_clr_and_not_by_the_median():
    changes = clr_changes([[10, 10, 10, 10, 10]], [[100, 10, 10, 10, 10]])
    assert changes[0] == pytest.approx(np.array([0.8, -0.2, -0.2, -0.2, -0.2]) * math.log(10))
    assert median_changes(changes)[0] == pytest.approx(np.array([1, 0, 0, 0, 0]) * math.log(10))


def test_parts_in_neither_sample_are_no_median():
    changes = np.array([[0.5, 0.7, 0.9, 0.0, 0.0, 0.0, 0.0]])
    seen = np.array([[True, True, True, False, False, False, False]])
    assert median_changes(changes)[0, 0] == pytest.approx(0.5)
    assert median_changes(changes, seen)[0] == pytest.approx([-0.2, 0.0, 0.2, -0.7, -0.7, -0.7, -0.7])
    assert median_changes(changes, ~seen & seen)[0, 0] == pytest.approx(0.5)  # none seen: all


@given(pairs_of_counts, st.floats(-5, 5))
def test_the_median_reference_does_not_care_which_reference_was_taken_before(pairs, shift):
    changes = clr_changes(*sides(pairs))
    assert median_changes(changes + shift) == pytest.approx(median_changes(changes), abs=1e-9)


def test_a_balance_is_the_scaled_ratio_of_geometric_means():
    weights = balance_weights(np.array([True, True, False, False, False, False]), np.array([0, 0, 1, 1, 1, 0]) == 1)
    parts = np.array([2.0, 8.0, 1.0, 3.0, 9.0, 50.0])
    # geometric means 4 and 3, sqrt(2 * 3 / 5)
    assert np.log(parts) @ weights == pytest.approx(math.sqrt(6 / 5) * math.log(4 / 3))
    assert weights.sum() == pytest.approx(0)
    assert np.linalg.norm(weights) == pytest.approx(1)


def test_balances_of_a_partition_are_the_ilr_coordinates_of_scikit_bio():
    parts = np.array([[3.0, 5.0, 1.0, 9.0], [2.0, 2.0, 7.0, 4.0]])
    partition = np.array([[1, 1, -1, -1], [1, -1, 0, 0], [0, 0, 1, -1]])
    ours = np.log(parts) @ np.array([balance_weights(row > 0, row < 0) for row in partition]).T
    assert ours == pytest.approx(skbio.ilr(parts / parts.sum(axis=1, keepdims=True), basis=skbio.sbp_basis(partition)))


@pytest.mark.parametrize(
    ("above", "below", "message"),
    [([1, 0], [0, 0], "parts on either side"), ([1, 0], [1, 1], "none on both")],
)
def test_a_balance_needs_two_separate_sides(above, below, message):
    with pytest.raises(StatisticsError, match=message):
        balance_weights(np.array(above) == 1, np.array(below) == 1)


@pytest.mark.parametrize("rule", [same_total, replace_zeros])
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([[1, 2]], [[1, 2, 3]], "the same patients and parts twice"),
        ([[1, -2]], [[1, 2]], "1 parts are negative"),
        ([[1, np.nan]], [[1, 2]], "a finite number in every part"),
        ([[1, 2]], [[0, 0]], "Nothing was counted in a sample"),
    ],
)
def test_pairs_that_are_no_compositions_are_refused(rule, before, after, message):
    with pytest.raises(StatisticsError, match=message):
        rule(before, after)


@pytest.mark.parametrize("scale", ["counts", "relative"])
def test_no_patient_is_no_change(scale):
    assert clr_changes(*without_zeros(np.empty((0, 3)), np.empty((0, 3)), scale=scale)).shape == (0, 3)
