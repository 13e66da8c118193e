"""Does the mixed model reject as often as it says: C1 for patients with one sample and for more than two timepoints."""

import math

import numpy as np
import pytest
from scipy.special import stdtr

from rabiomarkers.stats.mixed import mixed_courses, mixed_model_many

ALIKE = [0.0, 0.3, 0.6, 0.9]  # correlation of two samples of a patient


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def null(*, sets, n, times, alike, seed, missing=()):
    """Features x patients x timepoints without any change; `missing` are (patient, timepoint)."""
    random = np.random.default_rng(seed)
    patients = random.normal(size=(sets, n, 1))
    values = math.sqrt(alike) * patients + math.sqrt(1 - alike) * random.normal(size=(sets, n, times))
    for patient, timepoint in missing:
        values[:, patient, timepoint] = np.nan
    return values


def rejected(p_values):
    return float((np.asarray(p_values) <= 0.05).mean())


def singles(n):
    """30 % of the patients have one sample, in turn before and after."""
    return [(patient, patient % 2) for patient in range(round(0.3 * n))]


GAPS = {  # of three timepoints
    5: [(0, 1), (1, 2)],
    6: [(0, 1), (1, 2), (2, 0)],
    8: [(0, 0), (1, 1), (1, 2), (2, 0), (2, 1)],
    10: [(0, 1), (1, 2), (2, 0), (3, 1), (3, 2)],
}


# ---- the nominal rate ------------------------------------------------------------------------------------------------


def pair_rate(*, sets, n, alike, seed, missing=(), freedom="within"):
    values = null(sets=sets, n=n, times=2, alike=alike, seed=seed, missing=missing)
    return rejected(mixed_model_many(values[..., 0], values[..., 1], freedom=freedom)["p_value"])


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_null_pairs_and_singles_are_rejected_at_the_nominal_rate(alike):
    for n in (5, 10):
        for missing in ([], singles(n)):
            rate = pair_rate(sets=4000, n=n, alike=alike, seed=31, missing=missing)
            assert 0.035 <= rate <= at_most(0.05, 4000)


@pytest.mark.parametrize("alike", [0.0, 0.6])
def test_null_courses_are_rejected_at_the_nominal_rate(alike):
    told = mixed_courses(null(sets=4000, n=5, times=3, alike=alike, seed=32))
    for p_values in (told.p_value[:, 0], told.p_value[:, 1], told.p_any):
        assert 0.035 <= rejected(p_values) <= at_most(0.05, 4000)


@pytest.mark.calibration
@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("n", [5, 6, 8, 10])
@pytest.mark.parametrize("some", [False, True])
def test_pairs_and_singles_at_full_size(n, alike, some):
    rate = pair_rate(sets=20_000, n=n, alike=alike, seed=33, missing=singles(n) if some else [])
    assert 0.04 <= rate <= at_most(0.05, 20_000)


@pytest.mark.calibration
@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("n", [5, 6, 8, 10])
def test_complete_courses_at_full_size(n, alike):
    told = mixed_courses(null(sets=20_000, n=n, times=3, alike=alike, seed=34))
    for p_values in (told.p_value[:, 0], told.p_value[:, 1], told.p_any):
        assert 0.04 <= rejected(p_values) <= at_most(0.05, 20_000)


@pytest.mark.calibration
@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("n", GAPS)
def test_courses_with_gaps_at_full_size(n, alike):
    told = mixed_courses(null(sets=20_000, n=n, times=3, alike=alike, seed=35, missing=GAPS[n]))
    for p_values in (told.p_value[:, 0], told.p_value[:, 1], told.p_any):
        assert 0.04 <= rejected(p_values) <= at_most(0.05, 20_000)


@pytest.mark.calibration
@pytest.mark.parametrize("alike", ALIKE)
def test_different_patients_at_each_timepoint_at_full_size(alike):
    missing = [(patient, patient % 2) for patient in range(9)]  # one of ten patients has both samples
    assert 0.02 <= pair_rate(sets=20_000, n=10, alike=alike, seed=36, missing=missing) <= at_most(0.05, 20_000)


@pytest.mark.calibration
@pytest.mark.parametrize(("n", "some"), [(5, False), (8, True)])
def test_intervals_cover_with_their_level(n, some):
    values = null(sets=20_000, n=n, times=2, alike=0.5, seed=37, missing=singles(n) if some else [])
    told = mixed_model_many(values[..., 0], values[..., 1] + 3.0)
    missed = (told["ci_low"] > 3.0) | (told["ci_high"] < 3.0)
    assert 0.04 <= float(missed.mean()) <= at_most(0.05, 20_000)


# ---- why it is as it is ----------------------------------------------------------------------------------------------


def test_a_patient_variance_kept_at_zero_would_reject_too_often():
    values = null(sets=20_000, n=5, times=2, alike=0.0, seed=38)
    ours = mixed_model_many(values[..., 0], values[..., 1])
    change = values[..., 1].mean(axis=1) - values[..., 0].mean(axis=1)
    pooled = values.var(axis=1, ddof=1).mean(axis=1)  # the fit at zero: eight degrees of freedom, as lmerTest has it
    at_zero = 2 * stdtr(8, -np.abs(change) / np.sqrt(pooled * 2 / 5))
    singular = ours["test"] == "mixed model, patient variance below zero"
    assert 0.45 <= singular.mean() <= 0.55
    assert rejected(np.where(singular, at_zero, ours["p_value"])) >= 0.06
    assert rejected(ours["p_value"]) <= at_most(0.05, 20_000)


def test_satterthwaites_degrees_of_freedom_alone_would_reject_too_often():
    missing = [(0, 0), (1, 1)]
    options = {"sets": 10_000, "n": 5, "alike": 0.3, "seed": 39, "missing": missing}
    assert pair_rate(**options, freedom="satterthwaite") >= 0.057
    assert pair_rate(**options) <= at_most(0.05, 10_000)


def test_a_change_of_all_patients_is_found():
    values = null(sets=4000, n=10, times=2, alike=0.5, seed=40, missing=singles(10))
    told = mixed_model_many(values[..., 0], values[..., 1] + 1.0)
    pairs_only = mixed_model_many(values[:, 3:, 0], values[:, 3:, 1] + 1.0)
    assert rejected(told["p_value"]) > rejected(pairs_only["p_value"]) + 0.02  # single samples tell something
