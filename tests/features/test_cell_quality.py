"""Limits that each sample sets for itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import median_abs_deviation

from rabiomarkers.features.cell_quality import FEWEST, far_from_middle, outlying
from rabiomarkers.features.cells import call_cells

# 1..21: the median is 11; distances 0, 1, 1, 2, 2, .. 10, 10, so their median is 5
VALUES = np.arange(1.0, 22.0)


def test_values_far_from_the_median_are_told_by_hand():
    assert far_from_middle(VALUES, 1.9).nonzero()[0].tolist() == [0, 20]  # 10 > 1.9 x 5, 9 is not
    assert far_from_middle(VALUES, 1.7).nonzero()[0].tolist() == [0, 1, 19, 20]  # 9 > 1.7 x 5 = 8.5
    assert far_from_middle(VALUES, 1.9, only_above=True).nonzero()[0].tolist() == [20]
    assert not far_from_middle(VALUES, 2.0).any()  # exactly at the limit is within it


def test_a_distance_that_is_never_far_holds_where_all_look_alike():
    alike = np.append(np.full(30, 3.0), [3.5, 9.0])
    assert far_from_middle(alike, 5.0).nonzero()[0].tolist() == [30, 31]
    assert far_from_middle(alike, 5.0, least=1.0).nonzero()[0].tolist() == [31]


def test_values_that_are_absent_are_never_far_and_do_not_move_the_middle():
    with_gap = np.append(VALUES, np.nan)
    assert far_from_middle(with_gap, 1.9).tolist() == [*far_from_middle(VALUES, 1.9).tolist(), False]


def test_few_values_have_no_middle():
    few = np.append(np.zeros(FEWEST - 2), 100.0)
    assert not far_from_middle(few, 1.0).any()
    assert far_from_middle(np.append(few, 0.0), 1.0).sum() == 1


@settings(max_examples=30)
@given(
    values=st.lists(st.integers(-50, 50), min_size=FEWEST, max_size=60),
    mads=st.sampled_from([1.0, 3.0, 5.0]),
    random=st.randoms(),
)
def test_the_limits_are_those_of_scipy_and_the_order_plays_no_part(values, mads, random):
    numbers = np.array(values, dtype=float)
    spread = median_abs_deviation(numbers)  # an independent implementation, unscaled
    far = np.abs(numbers - np.median(numbers)) > mads * spread
    assert (far_from_middle(numbers, mads) == far).all()
    order = list(range(len(values)))
    random.shuffle(order)
    assert (far_from_middle(numbers[order], mads) == far[order]).all()


def test_a_deeper_library_has_the_same_outliers():
    rng = np.random.default_rng(1)
    molecules = np.append(rng.lognormal(8, 0.3, 200), [30.0, 60_000.0])
    usable = np.ones(202, dtype=bool)
    genes, percent = np.full(202, 800.0), np.full(202, 4.0)
    for depth in (1.0, 50.0):  # log(1 + x) and log x are the same up here
        out = outlying(molecules * depth, genes, percent, usable=usable, mads=5.0)
        assert out.nonzero()[0].tolist() == [200, 201]


def test_only_usable_barcodes_set_the_limits_and_are_judged():
    molecules = np.append(np.linspace(1900, 2100, 40), np.full(60, 5.0))  # empty droplets, more of them than of cells
    usable = molecules > 100
    out = outlying(molecules, molecules / 3, np.full(100, np.nan), usable=usable, mads=5.0)
    assert not out.any()


def test_few_percent_above_the_middle_are_never_too_many():
    percent = np.append(np.full(40, 1.0), [5.9, 6.1])
    flat = np.full(42, 1000.0)
    out = outlying(flat, flat, percent, usable=np.ones(42, dtype=bool), mads=5.0)
    assert out.nonzero()[0].tolist() == [41]


def test_fixed_limits_stay_as_outer_bounds(make_cells, markers):
    cells = make_cells(cells=150)
    options = {"minimum_genes": 50, "maximum_mitochondrial_percent": 20.0}
    fixed = call_cells(cells, markers, **options)
    narrow = call_cells(cells, markers, mads=3.0, **options)
    narrower = call_cells(cells, markers, mads=1.0, **options)
    wide = call_cells(cells, markers, mads=1e6, **options)
    assert wide["kept"].equals(fixed["kept"])
    assert not (narrow["kept"] & ~fixed["kept"]).any()
    assert not (narrower["kept"] & ~narrow["kept"]).any()
    assert narrower["kept"].sum() < fixed["kept"].sum()


@pytest.mark.parametrize("mads", [None, 5.0])
def test_hardly_an_intact_cell_is_lost(make_cells, markers, mads):
    called = call_cells(make_cells(cells=300), markers, minimum_genes=50, mads=mads)
    assert called["kept"].mean() > 0.98
