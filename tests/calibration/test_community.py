"""Do the tests of whole communities reject as often as they say, and find what is there: experiments C2 and C3."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from rabiomarkers.stats.dispersion import dispersion_change
from rabiomarkers.stats.patient_effects import response_effect, response_time_effect, time_effect

PATIENTS, TAXA, SHIFTED = 10, 40, 8
WHO, WHEN = np.repeat(np.arange(PATIENTS), 2), np.tile([0, 1], PATIENTS)
RESPONSES = np.repeat([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 2)


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def stools(random, *, patient_sd=1.0, shift=0.0):
    """Bray-Curtis distances of 10 patients x 2 stools: log-normal shares of 40 taxa, 20 000 reads; 8 taxa move by `shift`."""
    logs = random.normal(0, 1.0, size=TAXA) + np.repeat(random.normal(0, patient_sd, size=(PATIENTS, TAXA)), 2, axis=0)
    logs = logs + random.normal(0, 0.4, size=logs.shape)
    logs[1::2, random.permutation(TAXA)[:SHIFTED]] += shift
    shares = np.exp(logs)
    reads = random.poisson(20_000 * shares / shares.sum(axis=1, keepdims=True))
    return squareform(pdist(reads / reads.sum(axis=1, keepdims=True), metric="braycurtis"))


EFFECTS = {
    "time": lambda table: time_effect(table, WHO, WHEN).p_value,
    "response": lambda table: response_effect(table, WHO, RESPONSES).p_value,
    "response x time": lambda table: response_time_effect(table, WHO, WHEN, RESPONSES).p_value,
    "dispersion": lambda table: dispersion_change(table, WHO, WHEN).p_value,
}


def rates(sets, *, seed, effects=tuple(EFFECTS), **options):
    random = np.random.default_rng(seed)
    p_values = np.array(
        [[EFFECTS[name](table) for name in effects] for table in (stools(random, **options) for _ in range(sets))]
    )
    return dict(zip(effects, (p_values <= 0.05).mean(axis=0).tolist(), strict=True))


def test_c2_null_communities_are_called_at_the_nominal_rate():
    for name, rate in rates(60, seed=31).items():
        assert rate <= at_most(0.05, 60), name


@pytest.mark.calibration
@pytest.mark.parametrize("patient_sd", [0.5, 1.0])
def test_c2_at_full_size(patient_sd):
    told = rates(500, seed=32, patient_sd=patient_sd)
    assert at_most(0.05, 500) == pytest.approx(0.079, abs=0.0005)
    for name, rate in told.items():
        assert 0.01 <= rate <= at_most(0.05, 500), name


def test_c3_a_shift_of_eight_taxa_is_found():
    assert rates(40, seed=33, effects=("time",), shift=1.0)["time"] >= 0.9


@pytest.mark.calibration
def test_c3_at_full_size():
    assert rates(300, seed=34, effects=("time",), shift=1.0)["time"] >= 0.95
