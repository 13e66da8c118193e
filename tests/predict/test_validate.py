from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rabiomarkers.predict.ridge import fit_ridge
from rabiomarkers.predict.validate import (
    all_labellings,
    brier_score,
    constant_brier_score,
    leave_one_out,
    leave_one_out_splits,
    leave_pair_out,
    leave_pair_out_splits,
    sampled_labellings,
    stratified_splits,
    validate,
    within_folds,
)

RIDGE = partial(fit_ridge, penalty=1.0)


@dataclass(frozen=True)
class FirstFeature:
    """Learns nothing: the score is the first feature."""

    models: int

    def decision(self, values):
        return np.tile(values[:, 0], (self.models, 1))

    @property
    def parameters(self):
        return np.zeros(1)


def first_feature(values, labels):
    return FirstFeature(len(labels))


@pytest.fixture
def noise():
    return np.random.default_rng(3).normal(size=(10, 2)), np.arange(10) < 3


def test_leave_pair_out_of_a_fixed_score_is_its_auc(noise):
    values, labels = noise
    halves = leave_pair_out(values, labels[None, :], first_feature)
    assert halves[0] / (2 * 21) == pytest.approx(roc_auc_score(labels, values[:, 0]))


def test_leave_pair_out_trains_without_the_pair(noise):
    """The same by hand: one model for each pair, scikit-learn style."""
    values, labels = noise
    right = 0
    for responder in np.flatnonzero(labels):
        for other in np.flatnonzero(~labels):
            training = np.setdiff1d(np.arange(10), [responder, other])
            scores = RIDGE(values[training], labels[None, training]).decision(values[[responder, other]])[0]
            right += 2 * int(scores[0] > scores[1])
    assert leave_pair_out(values, labels[None, :], RIDGE)[0] == right


def test_a_tie_counts_half(noise):
    _, labels = noise
    assert leave_pair_out(np.ones((10, 1)), labels[None, :], RIDGE)[0] == 21


def test_pairs_inside_folds_add_up_to_the_auc_of_a_fixed_score_on_average(noise):
    values, labels = noise
    halves, pairs = within_folds(values, labels, first_feature, folds=3, repeats=400, seed=[1])
    assert pairs == 400 * (3 * 2 + 1)  # 10 patients in 3 folds, a responder in each: 1 x 3, 1 x 2, 1 x 2
    assert halves / (2 * pairs) == pytest.approx(roc_auc_score(labels, values[:, 0]), abs=0.05)


def test_every_labelling_is_there_once_with_the_observed_one_first():
    labels = np.array([False, True, False, True, False])
    every = all_labellings(labels)
    assert len(every) == len(np.unique(every, axis=0)) == comb(5, 2)
    assert (every[0] == labels).all()
    assert (every.sum(axis=1) == 2).all()


def test_sampled_labellings_keep_the_number_of_responders_and_the_seed():
    labels = np.arange(30) < 9
    drawn = sampled_labellings(labels, permutations=50, seed=4)
    assert drawn.shape == (51, 30)
    assert (drawn.sum(axis=1) == 9).all()
    assert (drawn[0] == labels).all()
    assert (drawn == sampled_labellings(labels, permutations=50, seed=4)).all()


def test_all_120_relabellings_of_3_in_10_have_a_null_mean_of_one_half(noise):
    found = validate(*noise, RIDGE, permutations=7, seed=1)
    assert (found.p_total, found.auc_method) == (120, "leave-pair-out (21 pairs)")
    assert found.p_floor == (found.null == found.null.max()).sum() / 120
    assert found.null_mean == pytest.approx(0.5, abs=1e-12)
    assert found.p_count == (found.null >= found.auc - 1e-9).sum()
    assert found.p_value == found.p_count / 120


def test_groups_of_equal_size_have_at_least_twice_the_floor():
    values = np.random.default_rng(1).normal(size=(8, 1))
    found = validate(values, np.arange(8) < 4, RIDGE, permutations=10, seed=1)
    assert (found.p_total, found.p_floor) == (70, (found.null == found.null.max()).sum() / 70)
    assert found.p_floor >= 2 / 70
    null = np.sort(found.null)
    assert (null[::2] == null[1::2]).all()  # each AUC twice: groups with their names swapped


def test_too_many_labellings_are_sampled_and_the_observed_one_counts(noise):
    found = validate(*noise, RIDGE, permutations=19, seed=1, enumerate_up_to=100)
    assert found.p_total == 20
    assert found.p_count >= 1
    assert found.p_floor == 1 / 20


def test_many_pairs_are_validated_within_stratified_folds():
    generator = np.random.default_rng(5)
    labels = np.arange(44) < 14
    values = generator.normal(size=(44, 2)) + 3 * labels[:, None]
    found = validate(values, labels, RIDGE, permutations=19, seed=1)
    assert found.auc_method == "within 5 stratified folds, 10 times"
    assert found.auc > 0.9
    assert found.p_value == 1 / 20
    again = validate(values, labels, RIDGE, permutations=19, seed=1)
    assert (found.null == again.null).all()


def test_leave_one_out_trains_without_the_patient(noise):
    values, labels = noise
    probability = leave_one_out(values, labels, RIDGE)
    scores = RIDGE(values[1:], labels[None, 1:]).decision(values[:1])[0, 0]
    assert probability[0] == pytest.approx(1 / (1 + np.exp(-scores)))


def test_brier_scores_by_hand():
    labels = np.array([True, False, False, False])
    assert brier_score(labels, np.array([0.5, 0.5, 0.0, 0.0])) == 0.125
    # the responder is given 0 of 3, each other patient 1 of 3: (1 + 3/9) / 4
    assert constant_brier_score(labels) == pytest.approx(1 / 3)


@pytest.mark.parametrize("n", [4, 10])
def test_splits_leave_out_each_patient_and_each_pair_once(n):
    assert [out.tolist() for _, out in leave_one_out_splits(n)] == [[place] for place in range(n)]
    assert [tuple(out.tolist()) for _, out in leave_pair_out_splits(n)] == list(combinations(range(n), 2))


@given(st.integers(2, 20), st.integers(2, 20), st.integers(2, 5), st.integers(0, 99))
def test_no_patient_is_on_both_sides_of_a_stratified_split(responders, others, folds, seed):
    labels = np.arange(responders + others) < responders
    folds = min(folds, responders, others)
    seen = []
    for training, out in stratified_splits(labels, folds=folds, seed=seed):
        assert not set(training) & set(out)
        assert 0 < labels[out].sum() < len(out)
        seen += out.tolist()
    assert sorted(seen) == list(range(len(labels)))


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_swapping_the_names_of_the_groups_keeps_auc_and_p(seed):
    values = np.random.default_rng(seed).normal(size=(8, 2))
    labels = np.arange(8) < 3
    first = validate(values, labels, RIDGE, permutations=10, seed=1)
    swapped = validate(values, ~labels, RIDGE, permutations=10, seed=1)
    assert (first.auc, first.p_count) == (swapped.auc, swapped.p_count)
