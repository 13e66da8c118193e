"""Do the paired tests reject as often as they say: experiments C1, C12, C13 and C15 of the validity targets."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from rabiomarkers.change.pairs import paired_deltas
from rabiomarkers.change.table import change_table
from rabiomarkers.stats.intervals import clopper_pearson, wilson
from rabiomarkers.stats.matching import matching_test
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many

TESTS = {
    "signed-rank": signed_rank_many,
    "signed-rank, Pratt": partial(signed_rank_many, zeros="pratt"),
    "sign-flip": sign_flip_many,
}
NOISE = {
    "normal": lambda random, shape: random.normal(size=shape),
    "t3": lambda random, shape: random.standard_t(3, size=shape),
    "rounded": lambda random, shape: random.normal(size=shape).round(0),  # ties and zeros
}


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def null_rates(test, noise, *, sets, n, seed):
    p_values = test(NOISE[noise](np.random.default_rng(seed), (sets, n)))["p_value"]
    return float((p_values <= 0.05).mean()), float((p_values <= 0.01).mean())


# ---- C1: the nominal rate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("test", TESTS)
def test_c1_null_pairs_are_rejected_at_the_nominal_rate(test, noise):
    at_5, at_1 = null_rates(TESTS[test], noise, sets=2000, n=10, seed=11)
    assert (0.015 if noise == "rounded" else 0.03) <= at_5 <= 0.065  # with ties fewer p-values lie just below 0.05
    assert at_1 <= 0.017


@pytest.mark.calibration
@pytest.mark.parametrize("n", [6, 8, 10, 15, 25])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("test", TESTS)
def test_c1_at_full_size(test, noise, n):
    sets = 20_000
    at_5, at_1 = null_rates(TESTS[test], noise, sets=sets, n=n, seed=12)
    assert at_5 <= at_most(0.05, sets)
    assert at_1 <= at_most(0.01, sets)
    if n >= 8:  # of six pairs with a zero among them none can reach 0.05
        assert at_5 >= (0.01 if noise == "rounded" else 0.03)


@pytest.mark.calibration
@pytest.mark.parametrize("n", [5, 6, 10, 16, 18, 25, 43])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("test", ["signed-rank", "sign-flip"])
def test_intervals_cover_with_the_level_they_claim(test, noise, n):
    sets = 5_000
    told = TESTS[test](3.0 + NOISE[noise](np.random.default_rng(13), (sets, n))).dropna(subset="ci_low")
    missed = float(((told["ci_low"] > 3.0) | (told["ci_high"] < 3.0)).mean())
    assert missed <= at_most(
        float((1 - told["ci_level"]).mean()), sets
    )  # rows with equal differences have their own level


@pytest.mark.calibration
@pytest.mark.parametrize("n", [4, 6, 12])
def test_patients_who_are_no_islands_are_called_so_at_the_nominal_rate(n):
    random, sets = np.random.default_rng(14), 1000
    p_values = [matching_test(random.random((n, n)), matchings=999, seed=seed).p_value for seed in range(sets)]
    assert np.mean(np.array(p_values) <= 0.05) <= at_most(0.05, sets)


# ---- power: the tests are alive --------------------------------------------------------------------------------------


@pytest.mark.calibration
def test_power_is_the_one_measured():
    # exact signed-rank at n = 10 and dz 1.0: 0.79
    told = signed_rank_many(np.random.default_rng(15).normal(1.0, 1.0, size=(20_000, 10)))
    assert float((told["p_value"] <= 0.05).mean()) == pytest.approx(0.79, abs=0.015)


# ---- C12, C13: what must not matter ----------------------------------------------------------------------------------


def study(seed, patients, features):
    random = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"P{k}" for k in range(patients)], ["pre", "post"], [f"F{k}" for k in range(features)]],
        names=["patient_id", "timepoint", "feature"],
    )
    frame = pd.DataFrame({"value": np.exp(random.normal(size=len(index)))}, index=index).reset_index()
    kind = {"compartment": "blood", "assay": "proteins", "unit": "pg/mL", "method": "measured", "coverage": 1.0}
    return frame.assign(sample_id=frame["patient_id"] + frame["timepoint"], cohort_dependent=False, note="", **kind)


def changes(features, **options):
    return change_table(paired_deltas(features, contrast=["pre", "post"]), primary=["F0"], **options)


def check_orders(*, patients, features, shuffles):
    frame = study(21, patients, features)
    for test in ("signed_rank", "sign_flip"):
        expected = changes(frame, test=test)
        for seed in range(shuffles):
            shuffled = frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)
            pd.testing.assert_frame_equal(changes(shuffled, test=test), expected, check_exact=True)


def test_c12_the_order_of_patients_samples_and_features_changes_nothing():
    check_orders(patients=8, features=5, shuffles=2)


@pytest.mark.calibration
@pytest.mark.parametrize("patients", [6, 10, 24])
def test_c12_at_full_size(patients):
    check_orders(patients=patients, features=200, shuffles=10)


def test_c12_a_patients_name_changes_nothing():
    frame = study(22, 9, 4)
    renamed = frame.assign(patient_id=frame["patient_id"].map(lambda name: f"X{9 - int(name[1:])}"))
    pd.testing.assert_frame_equal(changes(frame), changes(renamed), check_exact=True)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e4])
def test_c13_the_unit_of_a_concentration_changes_no_p(factor):
    frame = study(23, 10, 6)
    scaled = changes(frame.assign(value=frame["value"] * factor))
    expected = changes(frame)
    pd.testing.assert_series_equal(scaled["p_value"], expected["p_value"])
    np.testing.assert_allclose(scaled["estimate"], expected["estimate"], atol=1e-9)
    np.testing.assert_allclose(scaled["effect_size"], expected["effect_size"], atol=1e-9)


# ---- C15: the interval of the response rate --------------------------------------------------------------------------


def coverage(interval, n, shares):
    """Exact probability that the interval of n patients holds the true share, for each of `shares`."""
    limits = [interval(successes, n) for successes in range(n + 1)]
    return np.array(
        [
            sum(binom.pmf(told.successes, n, share) for told in limits if told.ci_low <= share <= told.ci_high)
            for share in shares
        ]
    )


def test_c15_the_exact_interval_of_ten_patients_always_covers():
    shares = np.linspace(0.05, 0.95, 181)
    exact = coverage(clopper_pearson, 10, shares)
    assert exact.min() >= 0.95
    assert exact.min() == pytest.approx(0.961, abs=0.002)  # VALIDITY, section 1
    assert coverage(wilson, 10, np.linspace(0.001, 0.999, 999)).min() == pytest.approx(0.838, abs=0.005)


@pytest.mark.calibration
@pytest.mark.parametrize("n", [3, 5, 10, 20, 43])
def test_c15_at_full_size(n):
    assert coverage(clopper_pearson, n, np.linspace(0.05, 0.95, 1801)).min() >= 0.95
