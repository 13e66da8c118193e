"""Two hundred relabellings of the same patients, all at once against a library's fits one by one (ten of them, scaled)."""

import time

import numpy as np
import pytest
from firthmodels import FirthLogisticRegression
from sklearn.linear_model import LogisticRegression

from rabiomarkers.predict.elastic_net import fit_elastic_net
from rabiomarkers.predict.firth import fit_firth

pytestmark = pytest.mark.benchmark


def relabelled(patients, features):
    generator = np.random.default_rng(1)
    values = generator.normal(size=(patients, features))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return values, np.array([generator.permutation(np.arange(patients) < patients * 3 // 10) for _ in range(200)])


def held_against(benchmark, fit, one, values, labellings):
    benchmark.pedantic(fit, (values, labellings), rounds=5, warmup_rounds=1)
    start = time.perf_counter()
    for labels in labellings[:10]:
        one(values, labels)
    times = 20 * (time.perf_counter() - start) / benchmark.stats.stats.mean
    benchmark.extra_info["times faster than one by one"] = round(times)
    assert times > 1


@pytest.mark.parametrize(("patients", "features"), [(8, 1), (8, 5), (38, 1), (38, 5), (160, 20)])
def test_firth_against_firthmodels(benchmark, patients, features):
    peer = FirthLogisticRegression(backend="numpy", gtol=1e-7, xtol=1e-7, max_iter=100)
    held_against(benchmark, fit_firth, peer.fit, *relabelled(patients, features))


@pytest.mark.parametrize(("patients", "features"), [(8, 5), (38, 5), (38, 30), (160, 20)])
def test_elastic_net_against_scikit_learn(benchmark, patients, features):
    values, labellings = relabelled(patients, features)
    peer = LogisticRegression(solver="saga", l1_ratio=0.1, C=1 / patients, tol=1e-8, max_iter=10_000, random_state=0)
    held_against(
        benchmark, lambda *data: fit_elastic_net(*data, penalty=1.0, l1_ratio=0.1), peer.fit, values, labellings
    )
