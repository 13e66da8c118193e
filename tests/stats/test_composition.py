import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.composition import clr, log_balance

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
