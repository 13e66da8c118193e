"""Do the guards accuse nobody who is honest, and everybody who leaks: C7 and C8 of the calibration plan.

Small and fast without a mark; at full size with ``-m calibration``.
"""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from rabiomarkers.predict.guards import guard, guard_pipeline
from rabiomarkers.predict.learners import learner_of
from rabiomarkers.predict.nested import NestedRidge
from rabiomarkers.predict.procedure import Rows
from rabiomarkers.predict.ridge import RidgeLogistic
from rabiomarkers.predict.splits import leave_one_out_splits
from rabiomarkers.predict.validate import validate
from tests.support.leaky import LEAKS, BestDifference, Remembering, with_step

TEN = np.arange(10) < 3
TWENTY = np.arange(20) < 8


def rows(values, labels):
    return Rows(
        values=values, labels=labels, patient=np.arange(len(labels)), names=[str(place) for place in range(len(labels))]
    )


def pair_auc(values, labels, estimator):
    return validate(values, labels, learner_of(estimator), permutations=1, seed=1, enumerate_up_to=1).auc


@pytest.mark.parametrize("sets", [3, pytest.param(50, marks=pytest.mark.calibration)])
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_c7_no_left_out_patient_reaches_into_the_fold(sets, missing):
    generator = np.random.default_rng(7)
    selecting = make_pipeline(BestDifference(3), RidgeLogistic())
    for estimator in (RidgeLogistic(), NestedRidge(), selecting):
        for _ in range(sets):
            values = generator.normal(size=(10, 30))
            values[generator.random(values.shape) < missing] = np.nan
            assert guard(estimator, values, TEN, splits=leave_one_out_splits(10), seed=7).findings == []


@pytest.mark.parametrize("sets", [2, pytest.param(40, marks=pytest.mark.calibration)])
@pytest.mark.parametrize("leak", LEAKS)
def test_c7_no_leak_goes_free(sets, leak):
    generator = np.random.default_rng(8)
    for _ in range(sets):
        Remembering.forget()
        values = generator.normal(size=(10, 5))
        splits = [(np.delete(np.arange(10), [out, 9 - out]), np.array([out, 9 - out])) for out in range(5)]
        assert guard_pipeline(LEAKS[leak], rows(values, TEN), splits=splits, seed=7).findings


@pytest.mark.parametrize("sets", [1, pytest.param(20, marks=pytest.mark.calibration)])
def test_c8_features_chosen_before_the_split_predict_noise_and_are_caught(sets):
    generator = np.random.default_rng(8)
    inside, before = [], []
    for _ in range(sets):
        values = generator.normal(size=(20, 2000))
        inside.append(pair_auc(values, TWENTY, make_pipeline(BestDifference(10), RidgeLogistic())))
        chosen = BestDifference(10).fit(values, TWENTY)
        before.append(pair_auc(chosen.transform(values), TWENTY, RidgeLogistic()))
        leaky = with_step(lambda: BestDifference(10), everybody=True)
        found = guard_pipeline(leaky, rows(values, TWENTY), splits=leave_one_out_splits(20), seed=8)
        assert {row.guard for row in found.rows if row.findings} >= {"label", "values", "rows"}
    assert np.mean(inside) < 0.8
    assert np.mean(before) > 0.95
