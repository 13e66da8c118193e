"""The permutation test of the whole nested pipeline, ours against scikit-learn with the same splits.

Ten patients (3 responders), 30 features, 8 penalties chosen in inner leave-one-out, leave-pair-out outside, all 120 labellings;
targets: under 20 s, and 100 times the speed of `permutation_test_score`. The peer is timed over three labellings and scaled.
"""

import time

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, permutation_test_score

from rabiomarkers.predict.nested import PENALTIES, NestedRidge
from rabiomarkers.predict.ridge import RidgeLogistic
from rabiomarkers.predict.validate import sampled_labellings, validate
from tests.support.scikit_ridge import LeavePairOut, grid_search

pytestmark = pytest.mark.benchmark

VALUES = np.random.default_rng(1).normal(size=(10, 30))
LABELS = np.arange(10) < 3


def test_the_exact_permutation_test_of_the_nested_ridge_is_a_hundred_times_faster_than_scikit_learn(benchmark):
    ours = benchmark.pedantic(
        validate, (VALUES, LABELS, NestedRidge().fit_many), {"permutations": 1, "seed": 1}, rounds=3, warmup_rounds=1
    )
    start = time.perf_counter()
    observed, _, _ = permutation_test_score(
        grid_search(PENALTIES, LeaveOneOut()), VALUES, LABELS, cv=LeavePairOut(), scoring="roc_auc", n_permutations=2
    )
    seconds = (time.perf_counter() - start) * ours.p_total / 3
    assert ours.p_total == 120
    assert ours.auc == pytest.approx(observed)
    benchmark.extra_info["scikit-learn, seconds (3 of 120 labellings, scaled)"] = round(seconds)
    benchmark.extra_info["times faster"] = round(seconds / benchmark.stats.stats.mean)
    assert benchmark.stats.stats.max < 20
    assert seconds / benchmark.stats.stats.mean >= 100


@pytest.mark.parametrize("build", [RidgeLogistic, NestedRidge])
@pytest.mark.parametrize(("patients", "features", "responders"), [(40, 5, 13), (40, 5, 8), (40, 30, 13), (40, 30, 8)])
def test_one_left_out_pair_of_forty_patients_and_two_hundred_relabellings(
    benchmark, build, patients, features, responders
):
    """All 780 pairs take 780 times as long, a thousand relabellings five times that."""
    values = np.random.default_rng(1).normal(size=(patients, features))
    labellings = sampled_labellings(np.arange(patients) < responders, permutations=200, seed=1)
    apart = labellings[labellings[:, 0] != labellings[:, 1]]
    benchmark.pedantic(build().fit_many, (values[2:], apart[:, 2:]), rounds=2, warmup_rounds=1)
    benchmark.extra_info["all pairs, a thousand relabellings, seconds"] = round(5 * 780 * benchmark.stats.stats.mean, 1)


@pytest.mark.parametrize("build", [RidgeLogistic, NestedRidge])
@pytest.mark.parametrize(("patients", "features"), [(200, 25), (200, 500), (964, 25)])
def test_one_fold_of_hundreds_of_patients(benchmark, build, patients, features):
    """Two hundred relabellings within five folds, twice, take 2 010 times as long."""
    generator = np.random.default_rng(1)
    values, labels = generator.normal(size=(patients, features)), generator.random(patients) < 0.3
    inside = np.arange(patients) % 5 > 0
    benchmark.pedantic(build().fit_many, (values[inside], labels[None, inside]), rounds=5, warmup_rounds=1)
    benchmark.extra_info["2 010 folds, seconds"] = round(2010 * benchmark.stats.stats.mean, 1)
