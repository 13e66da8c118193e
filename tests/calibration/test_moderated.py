"""Do the t tests of paired changes reject as often as they say: C1 for paired t and ANCOVA, C11 for moderated t."""

import math

import numpy as np
import pytest

from rabiomarkers.stats.moderated import MINIMUM_FEATURES, moderated_t_many
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.parametric import ancova_many, paired_t_many

NOISE = {
    "normal": lambda random, shape: random.normal(size=shape),
    "t3": lambda random, shape: random.standard_t(3, size=shape),
}


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def before_and_after(noise, *, sets, n, correlation, seed):
    random = np.random.default_rng(seed)
    patient, *samples = (NOISE[noise](random, (sets, n)) for _ in range(3))
    return [math.sqrt(correlation) * patient + math.sqrt(1 - correlation) * sample for sample in samples]


TESTS = {
    "paired t": lambda before, after: paired_t_many(after - before),
    "ANCOVA": ancova_many,
}


def null_rates(test, noise, *, sets, n, correlation, seed):
    p_values = TESTS[test](*before_and_after(noise, sets=sets, n=n, correlation=correlation, seed=seed))["p_value"]
    return float((p_values <= 0.05).mean()), float((p_values <= 0.01).mean())


# ---- C1: the nominal rate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("test", TESTS)
def test_c1_null_pairs_are_rejected_at_the_nominal_rate(test, noise):
    at_5, at_1 = null_rates(test, noise, sets=2000, n=10, correlation=0.5, seed=11)
    assert 0.03 <= at_5 <= 0.065
    assert at_1 <= 0.017


@pytest.mark.calibration
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [6, 8, 10, 15, 25])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("test", TESTS)
def test_c1_at_full_size(test, noise, n, correlation):
    sets = 20_000
    at_5, at_1 = null_rates(test, noise, sets=sets, n=n, correlation=correlation, seed=12)
    assert at_5 <= at_most(0.05, sets)
    assert at_1 <= at_most(0.01, sets)
    assert at_5 >= 0.03


def test_baselines_taken_as_fixed_would_reject_too_often():
    # the printed error of an intercept, as lm() gives it: regression to the mean passes for a change
    sets, n = 2000, 10
    before, after = before_and_after("normal", sets=sets, n=n, correlation=0.0, seed=13)
    told = ancova_many(before, after)
    change, centred = after - before, before - before.mean(axis=1, keepdims=True)
    slope = told["baseline_slope"].to_numpy()[:, None]
    residual = change - change.mean(axis=1, keepdims=True) - slope * centred
    error = np.sqrt((residual**2).sum(axis=1) / (n - 2) / n)
    reach = 2.306004  # t table, 8 degrees of freedom
    assert np.mean(np.abs(told["estimate"]) > reach * error) == pytest.approx(0.138, abs=0.02)
    assert (told["p_value"] <= 0.05).mean() <= 0.065


@pytest.mark.calibration
@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("n", [6, 10, 25])
def test_intervals_cover_with_the_level_they_claim(test, n):
    sets, shift = 20_000, 3.0
    before, after = before_and_after("normal", sets=sets, n=n, correlation=0.5, seed=14)
    told = TESTS[test](before, after + shift)
    missed = float(((told["ci_low"] > shift) | (told["ci_high"] < shift)).mean())
    assert missed <= at_most(0.05, sets)


# ---- C11: moderated t on wide data -----------------------------------------------------------------------------------


def genes(seed, *, true, patients=10, count=300, block=30, correlation=0.4, dz=1.3, prior=4):
    """Changes of genes that move in blocks, each with a spread of its own (scaled inverse chi-square); the first are true."""
    random = np.random.default_rng(seed)
    shared = np.repeat(random.normal(size=(count // block, patients)), block, axis=0)
    noise = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * random.normal(size=(count, patients))
    spread = np.sqrt(0.3 * prior / random.chisquare(prior, size=(count, 1)))
    order = random.permutation(count)  # true genes are spread over the blocks
    is_true = np.zeros(count, dtype=bool)
    is_true[order[:true]] = True
    return spread * (noise + dz * is_true[:, None]), is_true


def found(seed, *, true, **options):
    """False discovery proportion, share of the true genes called, whether any gene was called."""
    changes, is_true = genes(seed, true=true, **options)
    called = benjamini_hochberg(moderated_t_many(changes)["p_value"]).to_numpy() <= 0.05
    return (called & ~is_true).sum() / max(called.sum(), 1), called[is_true].sum() / max(true, 1), called.any()


def check_c11(sets):
    wrong, power, _ = np.mean([found(seed, true=30) for seed in range(sets)], axis=0)
    _, _, any_called = np.mean([found(10_000 + seed, true=0) for seed in range(sets)], axis=0)
    assert wrong <= 0.06
    assert power >= 0.45
    assert any_called <= 0.08


def test_c11_planted_genes_are_found_and_others_seldom():
    check_c11(150)


@pytest.mark.calibration
def test_c11_at_full_size():
    check_c11(1500)


@pytest.mark.calibration
@pytest.mark.parametrize("patients", [5, 10, 25])
@pytest.mark.parametrize("prior", [2, 4, 20])
def test_single_null_genes_are_rejected_at_the_nominal_rate(patients, prior):
    sets = 100
    p_values = np.concatenate(
        [
            moderated_t_many(genes(seed, true=0, patients=patients, prior=prior, correlation=0.0)[0])["p_value"]
            for seed in range(sets)
        ]
    )
    assert 0.045 <= np.mean(p_values <= 0.05) <= at_most(0.05, len(p_values))
    assert np.mean(p_values <= 0.01) <= 0.0115  # the prior is estimated, from 300 genes each time


@pytest.mark.calibration
@pytest.mark.parametrize(("patients", "limit"), [(5, 0.062), (10, 0.056)])
def test_the_smallest_group_that_shares_a_variance_is_nearly_calibrated(patients, limit):
    told = [
        moderated_t_many(
            genes(seed, true=0, patients=patients, count=MINIMUM_FEATURES, block=1, correlation=0.0, prior=4)[0]
        )
        for seed in range(2000)
    ]
    assert all(set(table["test"]) == {"moderated t"} for table in told)
    assert np.mean([table["p_value"] <= 0.05 for table in told]) <= limit
