"""Do the tests of compositions reject as often as they say, and does a part that rises make others fall."""

import math

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.composition import MOVED, composition_table
from rabiomarkers.stats.composition import clr_changes, without_zeros
from rabiomarkers.stats.parts import reference_tests, whole_change

SIX = (0.10, 0.30, 0.25, 0.20, 0.10, 0.05)
TEN = (0.10, 0.25, 0.20, 0.15, 0.10, 0.08, 0.06, 0.04, 0.015, 0.005)
SAME_DEPTH, DEEPER_AFTER = ((500, 600), (500, 600)), ((500, 600), (2000, 2400))


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def counted(random, *, patients, shares, rise=1.0, depth=SAME_DEPTH, concentration=60):
    """Dirichlet-multinomial counts before and after: patients differ (SD 1 of ln), the first part rises in absolute number."""
    own = np.log(shares) + random.normal(0, 1, size=(patients, len(shares)))
    sides = []
    for time, (low, high) in enumerate(depth):
        amounts = np.exp(own) * np.array([rise if time else 1.0] + [1.0] * (len(shares) - 1))
        means = amounts / amounts.sum(axis=1, keepdims=True)
        drawn = np.array([random.dirichlet(np.maximum(concentration * row, 1e-3)) for row in means])
        totals = random.integers(low, high, size=patients)
        sides.append(
            np.array([random.multinomial(total, row) for total, row in zip(totals, drawn, strict=True)], float)
        )
    return sides


def told(random, **design):
    before, after = counted(random, **design)
    common = (np.concatenate([before, after]) > 0).mean(axis=0) >= 0.3  # the prevalence floor; the rest is summed
    if not common.all():
        before, after = (np.column_stack([side[:, common], side[:, ~common].sum(axis=1)]) for side in (before, after))
    changes = clr_changes(*without_zeros(before, after, scale="counts"))
    return changes, reference_tests(changes, (before > 0) | (after > 0))


def null_rates(sets, *, seed, **design):
    """Rejections at 0.05 of parts against either reference and of the whole, and how often any part is said to have moved."""
    random, rates = np.random.default_rng(seed), []
    for _ in range(sets):
        changes, tests = told(random, **design)
        rates.append(
            [
                (tests.clr["p_value"] <= 0.05).mean(),
                (tests.median["p_value"] <= 0.05).mean(),
                whole_change(changes).p_value <= 0.05,
                tests.moved.any(),
            ]
        )
    return dict(zip(("clr", "median", "whole", "any"), np.mean(rates, axis=0), strict=True))


def planted_rates(sets, *, seed, **design):
    """With a first part that rises eightfold: found, and how often one that stands still is called, by which rule."""
    random, rates = np.random.default_rng(seed), []
    for _ in range(sets):
        _, tests = told(random, rise=8.0, **design)
        clr, both = tests.clr["q_value"] <= 0.05, (tests.clr["q_value"] <= 0.05) & (tests.median["q_value"] <= 0.05)
        wrong = tests.moved[1:]
        called = [tests.moved[0], wrong.mean(), wrong.any(), wrong.sum() / max(tests.moved.sum(), 1)]
        rates.append([*called, clr[1:].any(), both[1:].any()])
    names = ("power", "false_part", "false_any", "false_share", "any_by_clr", "any_by_both")
    return dict(zip(names, np.mean(rates, axis=0), strict=True))


def test_null_compositions_are_rejected_at_the_nominal_rate():
    sets = 150
    rates = null_rates(sets, seed=31, patients=10, shares=SIX)
    # parts of one composition are not independent: the standard error is that of the sets
    assert 0.02 <= rates["clr"] <= at_most(0.05, sets)
    assert 0.02 <= rates["median"] <= at_most(0.05, sets)
    assert 0.01 <= rates["whole"] <= at_most(0.05, sets)
    assert rates["any"] <= at_most(0.05, sets)


def test_one_part_that_rises_is_found_and_no_other_is_said_to_fall():
    sets = 100
    rates = planted_rates(sets, seed=32, patients=10, shares=SIX)
    assert rates["power"] >= 0.9
    assert rates["false_part"] <= at_most(0.05, sets)
    assert rates["false_share"] <= at_most(0.05, sets)
    assert rates["any_by_clr"] > 0.4  # the trap is there


@pytest.mark.calibration
@pytest.mark.parametrize("depth", [SAME_DEPTH, DEEPER_AFTER], ids=["same depth", "deeper after"])
@pytest.mark.parametrize("shares", [SIX, TEN], ids=["six parts", "ten parts"])
@pytest.mark.parametrize("patients", [8, 10, 20])
def test_null_compositions_at_full_size(patients, shares, depth):
    sets = 300
    rates = null_rates(sets, seed=33, patients=patients, shares=shares, depth=depth)
    for name in ("clr", "median", "whole"):
        assert 0.015 <= rates[name] <= at_most(0.05, sets)  # of 8 pairs the largest attainable rate is 0.039
    assert rates["any"] <= at_most(0.05, sets)


@pytest.mark.calibration
@pytest.mark.parametrize("depth", [SAME_DEPTH, DEEPER_AFTER], ids=["same depth", "deeper after"])
@pytest.mark.parametrize("shares", [SIX, TEN], ids=["six parts", "ten parts"])
@pytest.mark.parametrize("patients", [10, 20])
def test_a_planted_riser_at_full_size(patients, shares, depth):
    sets = 200
    rates = planted_rates(sets, seed=34, patients=patients, shares=shares, depth=depth)
    assert rates["power"] >= 0.95
    assert rates["false_part"] <= at_most(0.05, sets)
    assert rates["false_share"] <= at_most(0.05, sets)
    assert rates["false_any"] <= 0.5 * rates["any_by_both"] + 0.02


# ---- the whole table -------------------------------------------------------------------------------------------------


def study(seed=41, **design):
    before, after = counted(np.random.default_rng(seed), **design)
    patients = [f"P{number:02d}" for number in range(len(before))]
    names = [f"T{number}" for number in range(before.shape[1])]
    rows = [(f"{patient}{time}", patient, time) for time in ("pre", "post") for patient in patients]
    samples = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint"])
    return pd.DataFrame(np.concatenate([before, after]), index=samples["sample_id"], columns=names), samples


def test_c12_the_order_of_samples_and_parts_changes_nothing():
    counts, samples = study(patients=9, shares=TEN, rise=4.0)
    expected = composition_table(counts, samples, contrast=["pre", "post"], draws=20)
    for seed in range(3):
        turned = counts.sample(frac=1, random_state=seed).sample(frac=1, axis="columns", random_state=seed)
        shuffled = samples.sample(frac=1, random_state=seed)
        told = composition_table(turned, shuffled, contrast=["pre", "post"], draws=20)
        pd.testing.assert_frame_equal(told, expected, check_exact=True)


def test_c13_relabelled_timepoints_turn_the_signs_only():
    counts, samples = study(patients=10, shares=SIX, rise=4.0)
    there, back = (
        composition_table(counts, samples, contrast=way, draws=0) for way in (["pre", "post"], ["post", "pre"])
    )
    parts = there["coordinate"].isin(["clr", "median"])
    assert (there["verdict"] == MOVED).any()
    assert back["verdict"].tolist() == there["verdict"].tolist()
    np.testing.assert_allclose(back["p_value"], there["p_value"], atol=1e-12)
    np.testing.assert_allclose(back.loc[parts, "estimate"], -there.loc[parts, "estimate"], atol=1e-12)
