"""What a matrix is, found out by looking."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.ingest.passport import abundance_scale, expression_scale, look


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0, 3, 1200], "counts"),
        ([0, 0, 0], "counts"),
        ([], "counts"),
        ([0.5, 3.25, 14.9], "log"),
        ([-1.5, 0.2, 3.0], "log"),
        ([-3, 10, 2000], "negative"),
        ([250_000.5, 749_999.5], "tpm"),
        ([1.5, 3000.25, 17], "fractional"),
    ],
)
def test_the_scale_of_expression(values, scale):
    assert expression_scale(look(values)) == scale


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0, 0], "empty"),
        ([0.25, 0.75], "fractions"),
        ([0.2, 0.3], "fractions"),
        ([25.5, 74.5], "percent"),
        ([100.00004, 0], "percent"),
        ([25, 75], "percent"),
        ([250, 75], "counts"),
        ([250.5, 75], "fractional"),
    ],
)
def test_the_scale_of_abundance(values, scale):
    assert abundance_scale(look(values)) == scale


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_a_look_does_not_depend_on_the_order(values, order):
    shuffled = list(values)
    order.shuffle(shuffled)
    assert look(values) == look(shuffled)
    assert str(look(np.array(values))) == str(look(shuffled))
