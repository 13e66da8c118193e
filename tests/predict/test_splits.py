from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.predict.splits import (
    leave_batch_out_splits,
    leave_one_out_splits,
    leave_pair_out_splits,
    stratified_splits,
)


@pytest.mark.parametrize("n", [4, 10])
def test_splits_leave_out_each_patient_and_each_pair_once(n):
    assert [out.tolist() for _, out in leave_one_out_splits(n)] == [[place] for place in range(n)]
    assert [tuple(out.tolist()) for _, out in leave_pair_out_splits(n)] == list(combinations(range(n), 2))


@pytest.mark.parametrize("splits", [leave_one_out_splits, leave_pair_out_splits])
def test_everybody_else_is_trained_on(splits):
    assert all(sorted([*training, *out]) == list(range(7)) for training, out in splits(7))


@given(st.integers(2, 20), st.integers(2, 20), st.integers(2, 5), st.integers(0, 99))
def test_no_patient_is_on_both_sides_of_a_stratified_split(responders, others, folds, seed):
    labels = np.arange(responders + others) < responders
    folds = min(folds, responders, others)
    seen = []
    for training, out in stratified_splits(labels, folds=folds, seed=seed):
        assert not set(training) & set(out)
        assert len(training) + len(out) == len(labels)
        assert 0 < labels[out].sum() < len(out)
        seen += out.tolist()
    assert sorted(seen) == list(range(len(labels)))


@given(st.integers(2, 30), st.integers(2, 30), st.integers(0, 99))
def test_folds_differ_by_one_patient_and_one_responder_at_most(responders, others, seed):
    labels = np.arange(responders + others) < responders
    folds = min(5, responders, others)
    outs = [out for _, out in stratified_splits(labels, folds=folds, seed=seed)]
    assert np.ptp([len(out) for out in outs]) <= 1
    assert np.ptp([labels[out].sum() for out in outs]) <= 1


def test_the_seed_alone_decides_the_folds():
    labels = np.arange(30) < 12

    def folds(seed):
        return [out.tolist() for _, out in stratified_splits(labels, folds=5, seed=seed)]

    assert folds([1, 2]) == folds([1, 2])
    assert folds([1, 2]) != folds([2, 1])


def test_each_batch_is_left_out_by_name_and_patients_of_unknown_batch_are_on_neither_side():
    splits = list(leave_batch_out_splits(["b", None, "a", "b", "c", None]))
    assert [(name, training.tolist(), out.tolist()) for name, (training, out) in splits] == [
        ("a", [0, 3, 4], [2]),
        ("b", [2, 4], [0, 3]),
        ("c", [0, 2, 3], [4]),
    ]


def test_without_batches_there_is_nothing_to_leave_out():
    assert list(leave_batch_out_splits([None, None])) == []
