"""Tests of sets of features against limma's cameraPR and gseapy's preranked walk, and by hand."""

from itertools import product

import gseapy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.competitive import competitive_test, enrichment_walk, self_contained_test
from tests.support.edger import numbers

SETS = [np.arange(8), np.array([2, 8, 19, 32]), np.arange(14, 40)]


def test_p_are_those_of_camera():
    found = [competitive_test(numbers("t"), members, np.ones(len(members))).p_value for members in SETS]
    assert found == pytest.approx(numbers("camera_p").tolist(), rel=1e-8)


def test_members_expected_to_fall_count_the_other_way_round():
    signs = np.array([1.0, -1.0, 1.0, -1.0])
    found = competitive_test(numbers("t"), SETS[1], signs)
    assert found.p_value == pytest.approx(numbers("camera_signed_p")[0], rel=1e-8)


@pytest.mark.filterwarnings("ignore")
def test_the_score_and_the_leading_edge_are_those_of_gseapy():
    rng = np.random.default_rng(3)
    statistic = np.round(rng.normal(size=400), 6)
    names = [f"G{place:03d}" for place in range(400)]
    members = np.sort(rng.choice(400, 25, replace=False))
    found = enrichment_walk(statistic, members, np.ones(25))
    theirs = gseapy.prerank(
        pd.DataFrame({"gene": names, "statistic": statistic}),
        {"S": [names[place] for place in members]},
        weight=1.0,
        permutation_num=10,
        min_size=1,
        outdir=None,
        no_plot=True,
        seed=1,
        threads=1,
    ).res2d.iloc[0]
    assert found.score == pytest.approx(float(theirs["ES"]), abs=1e-10)
    assert {names[place] for place in found.edge} == set(theirs["Lead_genes"].split(";"))


def test_the_walk_by_hand():
    # 3, 2, 1, -1, -4: members of 3 and 1. Up 3/4, down 1/3, up 1/4, down twice: highest after the first place
    found = enrichment_walk(np.array([1.0, -4.0, 3.0, 2.0, -1.0]), np.array([2, 0]), np.ones(2))
    assert found.score == pytest.approx(0.75)
    assert found.edge.tolist() == [2]
    # the same members expected to fall: -3 and -1 among 2, -1, -4 -> ... the lowest point lies before the last members
    below = enrichment_walk(np.array([1.0, -4.0, 3.0, 2.0, -1.0]), np.array([2, 0]), -np.ones(2))
    assert below.score < 0


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 30))
def test_turning_every_sign_turns_the_result(seed, size):
    rng = np.random.default_rng(seed)
    statistic, members = rng.normal(size=80), rng.choice(80, size, replace=False)
    forth = competitive_test(statistic, members, np.ones(size))
    back = competitive_test(-statistic, members, np.ones(size))
    assert back.statistic == pytest.approx(-forth.statistic)
    assert back.p_value == pytest.approx(forth.p_value)


def test_without_others_members_or_spread_there_is_no_result():
    for statistic, members in (([1.0, 2, 3], [0, 1, 2]), ([1.0, 2, 3], []), ([1.0, 1, 1, 1], [0]), ([1.0, 2], [0])):
        where = np.array(members, dtype=np.int64)
        found = competitive_test(np.array(statistic), where, np.ones(len(members)))
        assert np.isnan(found.p_value)
    assert np.isnan(enrichment_walk(np.array([1.0, 2]), np.array([0, 1]), np.ones(2)).score)
    assert np.isnan(enrichment_walk(np.array([0.0, 2]), np.array([0]), np.ones(1)).score)


def test_p_over_patients_counts_every_assignment_of_signs():
    scores = np.array([[1.0, 2.0, 0.5, -0.2, 1.5], [0.1, -0.1, 0.2, -0.2, 0.0]])
    found = self_contained_test(scores)
    for row, p_value in zip(scores, found.p_value, strict=True):
        sums = [
            abs(sum(sign * value for sign, value in zip(signs, row, strict=True)))
            for signs in product((1, -1), repeat=5)
        ]
        assert p_value == pytest.approx(sum(total >= abs(row.sum()) - 1e-9 for total in sums) / 32)
    assert found.p_floor.tolist() == [2 / 32, 2 / 32]


def test_p_of_many_patients_comes_from_seeded_draws_and_keeps_its_floor():
    scores = np.random.default_rng(2).normal(1.5, 0.5, (3, 20))
    found = self_contained_test(scores, flips=499, seed=4)
    assert found.p_value.tolist() == self_contained_test(scores, flips=499, seed=4).p_value.tolist()
    assert found.p_value == pytest.approx([1 / 500] * 3)
    assert found.p_floor.tolist() == [1 / 500] * 3


def test_a_set_that_moves_in_nobody_has_no_p():
    found = self_contained_test(np.zeros((1, 4)))
    assert np.isnan(found.p_value[0])
    assert len(self_contained_test(np.empty((0, 4))).p_value) == 0
    assert np.isnan(self_contained_test(np.empty((2, 0))).p_value).all()


def test_impossible_arguments_are_refused():
    with pytest.raises(StatisticsError, match="one finite number"):
        competitive_test(np.array([1.0, np.nan, 2]), np.array([0]), np.ones(1))
    with pytest.raises(StatisticsError, match="named once"):
        competitive_test(np.array([1.0, 3.0, 2]), np.array([0, 0]), np.ones(2))
    with pytest.raises(StatisticsError, match="at least one flip"):
        self_contained_test(np.ones((1, 20)), flips=0)


@pytest.mark.calibration
def test_on_correlated_noise_p_over_patients_holds_its_level():
    # 10 patients, 200 trials of 30 members that share a factor: what the competitive test alone would call a finding
    rng = np.random.default_rng(5)
    trials = rng.normal(size=(2_000, 10)) + 0.2 * rng.normal(size=(2_000, 30, 10)).mean(axis=1)
    rejected = (self_contained_test(trials).p_value <= 0.05).mean()
    assert 0.03 <= rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2_000)
