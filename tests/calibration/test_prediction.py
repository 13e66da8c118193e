"""The models against data of which the truth is known: C4 to C10 of the calibration plan.

Small and fast without a mark; at full size with ``-m calibration``. Bounds are nominal + 3 Monte Carlo standard errors.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rabiomarkers.predict.guards import Fold, find_leaks, honest
from rabiomarkers.predict.ridge import RidgeFit, fit_ridge
from rabiomarkers.predict.validate import (
    leave_one_out,
    leave_one_out_splits,
    leave_pair_out,
    leave_pair_out_splits,
    stratified_splits,
    validate,
)

RIDGE = partial(fit_ridge, penalty=1.0)
TEN = np.arange(10) < 3


@dataclass(frozen=True)
class Selected:
    """A model on the features that its own training patients chose."""

    chosen: np.ndarray
    fitted: RidgeFit

    def decision(self, values):
        return self.fitted.decision(values[:, self.chosen])

    @property
    def parameters(self):
        return np.concatenate([self.chosen, self.fitted.parameters])


def best_features(values, labels, count):
    """The features whose group means differ most, in units of their standard deviation."""
    apart = np.abs(values[labels].mean(axis=0) - values[~labels].mean(axis=0)) / values.std(axis=0)
    return np.sort(np.argsort(apart)[-count:])


def select_then_fit(values, labels, *, count):
    """One labelling at a time: the features are chosen inside the fold."""
    chosen = best_features(values, labels[0], count)
    return Selected(chosen=chosen, fitted=RIDGE(values[:, chosen], labels))


def pair_auc(values, labels, learn):
    return leave_pair_out(values, labels[None, :], learn)[0] / (2 * labels.sum() * (~labels).sum())


def tolerance(rate, sets):
    return 3 * np.sqrt(rate * (1 - rate) / sets)


def p_values(sets, features, seed):
    generator = np.random.default_rng(seed)
    return np.array(
        [
            validate(generator.normal(size=(10, features)), TEN, RIDGE, permutations=1, seed=1).p_value
            for _ in range(sets)
        ]
    )


@pytest.mark.parametrize("sets", [40, pytest.param(200, marks=pytest.mark.calibration)])
def test_c4_permutation_p_on_noise_keeps_its_level(sets):
    p = p_values(sets, features=3, seed=4)
    assert (p <= 0.05).mean() <= 0.05 + tolerance(0.05, sets)
    assert (p <= 0.20).mean() <= 0.20 + tolerance(0.20, sets)
    assert abs(p.mean() - 0.5) <= 0.06 * np.sqrt(200 / sets)


@pytest.mark.parametrize("sets", [60, pytest.param(500, marks=pytest.mark.calibration)])
@pytest.mark.parametrize("features", [1, 5])
def test_c5_leave_pair_out_auc_on_noise_is_one_half(sets, features):
    generator = np.random.default_rng(5)
    found = np.mean([pair_auc(generator.normal(size=(10, features)), TEN, RIDGE) for _ in range(sets)])
    assert abs(found - 0.5) <= 0.036 * np.sqrt(500 / sets)


@pytest.mark.parametrize("sets", [60, pytest.param(500, marks=pytest.mark.calibration)])
def test_c5_pooled_leave_one_out_auc_on_noise_is_far_below_one_half_and_so_never_reported(sets):
    generator = np.random.default_rng(5)
    values = [generator.normal(size=(10, 1)) for _ in range(sets)]
    assert np.mean([roc_auc_score(TEN, leave_one_out(one, TEN, RIDGE)) for one in values]) < 0.35


def test_c6_pooled_leave_one_out_auc_of_a_constant_model_is_0():
    constant = np.zeros((10, 1))
    assert roc_auc_score(TEN, leave_one_out(constant, TEN, RIDGE)) == 0.0
    assert pair_auc(constant, TEN, RIDGE) == 0.5


@pytest.mark.parametrize("sets", [5, pytest.param(100, marks=pytest.mark.calibration)])
def test_c7_no_left_out_patient_reaches_into_the_fold(sets):
    generator = np.random.default_rng(7)
    for _ in range(sets):
        values = generator.normal(size=(10, 30))
        assert find_leaks(honest(RIDGE), values, TEN) == []
        assert find_leaks(honest(partial(select_then_fit, count=3)), values, TEN) == []


@pytest.mark.parametrize("sets", [2, pytest.param(20, marks=pytest.mark.calibration)])
def test_c8_features_chosen_before_the_split_predict_noise_and_are_caught(sets):
    generator = np.random.default_rng(8)
    labels = np.arange(20) < 8
    inside, before = [], []
    for _ in range(sets):
        values = generator.normal(size=(20, 2000))
        inside.append(pair_auc(values, labels, partial(select_then_fit, count=10)))
        before.append(pair_auc(values[:, best_features(values, labels, 10)], labels, RIDGE))
    assert np.mean(inside) < 0.8
    assert np.mean(before) > 0.95

    def leaky(values, labels, out):
        chosen = best_features(values, labels, 10)
        fold = honest(RIDGE)(values[:, chosen], labels, out)
        return Fold(probability=fold.probability, parameters=np.concatenate([chosen, fold.parameters]))

    with np.errstate(invalid="ignore"):
        assert find_leaks(leaky, values, labels)


@pytest.mark.parametrize("n", [4, 10, 25])
def test_c9_no_patient_is_on_both_sides_of_any_split(n):
    labels = np.arange(n) < max(2, n // 3)
    splits = [*leave_one_out_splits(n), *leave_pair_out_splits(n)]
    splits += [split for seed in range(20) for split in stratified_splits(labels, folds=2, seed=seed)]
    assert all(not set(training) & set(out) and len(training) + len(out) == n for training, out in splits)


@pytest.mark.parametrize(
    ("n", "sets", "least"),
    [
        (20, 20, 0.65),
        pytest.param(10, 300, 0.61, marks=pytest.mark.calibration),
        pytest.param(20, 300, 0.72, marks=pytest.mark.calibration),
        pytest.param(40, 60, 0.82, marks=pytest.mark.calibration),
    ],
)
def test_c10_a_planted_feature_among_noise_is_found(n, sets, least):
    generator = np.random.default_rng(10)
    labels = np.arange(n) < round(0.3 * n) if n == 10 else np.arange(n) < n // 2
    found = []
    for _ in range(sets):
        values = generator.normal(size=(n, 30))
        values[:, 0] += 2 * labels
        found.append(pair_auc(values, labels, partial(select_then_fit, count=3)))
    assert np.mean(found) >= least
