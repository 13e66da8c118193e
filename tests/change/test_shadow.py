"""The shadow null: near the nominal rate for tests that are right, and a test that is wrong is caught."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from scipy.stats import wilcoxon

from rabiomarkers.change.pairs import pair_matrix, paired_deltas, pairing, single_values
from rabiomarkers.change.shadow import NONE_TESTED, TOO_MANY, random_swaps, shadow_null, swapped_p_values
from rabiomarkers.change.table import change_table
from rabiomarkers.change.tests import TESTS, run_test
from rabiomarkers.stats.paired import COLUMNS, sign_flip_many
from rabiomarkers.tables.changes import SHADOW_NULL
from tests.support.paired import CONTRAST, pairs_of, random_study, table

FEATURES = 40
PLAN = {"primary": ["F00", "F01"], "secondary": ["F02", "F03", "F04"]}


def noise(patients=10, *, seed=0, digits=6, own=1.0, shift=0.0):
    """FEATURES without a change (or with the same `shift` of all), each patient with a level of their own."""
    random = np.random.default_rng(seed)
    rows = []
    for feature in range(FEATURES):
        level = own * random.normal(size=(patients, 1))
        values = level + random.normal(size=(patients, 2)) + [0.0, shift]
        rows += pairs_of(f"F{feature:02}", values.round(digits).tolist())
    return table(rows)


def shadow(features, *, test="signed_rank", **options):
    deltas = paired_deltas(features, contrast=CONTRAST)
    singles = single_values(features, contrast=CONTRAST)
    plan = {name: options.pop(name) for name in ("primary", "secondary", "exploratory_test") if name in options}
    changes = change_table(deltas, pairing(features, contrast=CONTRAST), singles=singles, test=test, **PLAN | plan)
    if "exploratory_test" in plan:
        options["exploratory_test"] = plan["exploratory_test"]
    return shadow_null(pair_matrix(deltas, singles), changes, test=test, **options).set_index("family")


def only_p(p_values):
    empty = dict.fromkeys(COLUMNS, np.nan) | {"n": 10, "n_nonzero": 10, "test": "wrong", "note": ""}
    counts = {"p_count": pd.NA, "p_total": pd.NA}
    return pd.DataFrame(empty, index=range(len(p_values))).assign(p_value=p_values, **counts)


def free_permutation(pairs, level, seed):
    """Wrong: samples of all patients are mixed, whoever they are from."""
    random = np.random.default_rng(seed)
    both = np.concatenate([pairs.before, pairs.after], axis=1)
    n = pairs.before.shape[1]
    orders = np.argsort(random.random((199, 2 * n)), axis=1)
    observed = np.abs(pairs.change.mean(axis=1))
    drawn = both[:, orders]
    differences = np.abs(drawn[:, :, n:].mean(axis=2) - drawn[:, :, :n].mean(axis=2))
    p_values = ((differences >= observed[:, None] - 1e-12).sum(axis=1) + 1) / 200
    return only_p(p_values)


def untied_table(pairs, level, seed):
    """Wrong: the exact table of ranks without ties and zeros, for data that have both."""
    p_values = wilcoxon(pairs.change, axis=1, method="exact", zero_method="pratt").pvalue
    return only_p(p_values)


def normal_p(pairs, level, seed):
    """Wrong: the t statistic of a few pairs against the normal distribution, as a mixed model's z."""
    n = pairs.change.shape[1]
    score = pairs.change.mean(axis=1) / pairs.change.std(axis=1, ddof=1) * np.sqrt(n)
    p_values = 2 * ndtr(-np.abs(score))
    return only_p(p_values)


# ---- right tests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TESTS)
def test_on_noise_the_observed_rate_is_near_the_nominal_one(test):
    told = shadow(noise(seed=1), test=test)
    assert told.index.tolist() == ["exploratory tumour", "primary", "secondary tumour"]
    assert told["n_tests"].tolist() == [35, 2, 3]
    assert (told["n_flips"] == 200).all()
    assert 0.03 <= told.loc["exploratory tumour", "observed"] <= 0.07  # 7 000 tests of 200 swaps
    assert (told["note"] == "").all()
    # the chance that any primary or secondary feature passes: 0.05 and three standard errors of 200 swaps
    assert (told.loc[["primary", "secondary tumour"], "observed_any"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)).all()


@pytest.mark.parametrize("test", ["signed_rank", "sign_flip"])
@pytest.mark.parametrize("patients", [6, 7, 8])
def test_over_all_swaps_an_exact_test_keeps_its_level_exactly(test, patients):
    told = shadow(noise(patients, seed=2, digits=0), test=test)  # rounded: ties and zeros
    assert (told["n_flips"] == 2**patients).all()
    assert (told["observed"] <= 0.05).all()
    assert (told["observed"] > 0).any()


@pytest.mark.parametrize("test", ["signed_rank", "paired_t", "moderated_t"])
def test_a_real_change_of_every_feature_does_not_show_in_the_shadow(test):
    told = shadow(noise(seed=3, shift=4.0), test=test)
    assert (told["observed"] <= 0.08).all()


@pytest.mark.calibration
@pytest.mark.parametrize("test", TESTS)
def test_on_noise_the_observed_rate_is_the_nominal_one_over_many_studies(test):
    studies = [shadow(noise(seed=seed), test=test).loc["exploratory tumour", "observed"] for seed in range(100, 112)]
    error = np.std(studies, ddof=1) / np.sqrt(len(studies))
    assert np.mean(studies) <= 0.05 + 3 * error
    assert np.mean(studies) >= 0.035


# ---- wrong tests -----------------------------------------------------------------------------------------------------


def test_a_test_that_permutes_samples_freely_is_caught_as_dead(monkeypatch):
    features = noise(seed=4, own=3.0)
    right = shadow(features).loc["exploratory tumour", "observed"]
    monkeypatch.setitem(TESTS, "wrong", free_permutation)
    wrong = shadow(features, test="wrong", flips=40).loc["exploratory tumour", "observed"]
    assert right >= 0.03
    assert wrong <= 0.002  # VALIDITY, section 2: size 0.00 under strong patient effects


def test_an_exact_table_without_ties_is_caught_on_data_with_ties_and_zeros(monkeypatch):
    features = noise(seed=5, digits=0, own=0.0)
    monkeypatch.setitem(TESTS, "wrong", untied_table)
    wrong = shadow(features, test="wrong").loc["exploratory tumour"]
    right = shadow(features, test="signed_rank_pratt").loc["exploratory tumour"]
    assert wrong["observed"] > 0.06
    assert wrong["note"] == TOO_MANY
    assert right["observed"] <= 0.05
    assert right["note"] == ""


def test_a_normal_p_of_six_pairs_is_caught(monkeypatch):
    monkeypatch.setitem(TESTS, "wrong", normal_p)
    told = shadow(noise(6, seed=6), test="wrong").loc["exploratory tumour"]
    assert told["observed"] > 0.08  # VALIDITY, section 2: 0.107 with six pairs
    assert told["note"] == TOO_MANY


def test_of_every_swap_there_is_no_error_and_of_drawn_ones_there_is(monkeypatch):
    def sometimes(pairs, level, seed):
        """p small where the first patient rises and the second, or the third and the fourth, do so: 7 of 16 swaps."""
        up = pairs.change[:, :4] > 0
        return only_p(np.where((up[:, 0] & up[:, 1]) | (up[:, 2] & up[:, 3]), 0.01, 0.5))

    def seldom(pairs, level, seed):
        """p small in one of 16 swaps, 0.0625 of them."""
        return only_p(np.where((pairs.change[:, :4] > 0).all(axis=1), 0.01, 0.5))

    for test, share in ((sometimes, 7 / 16), (seldom, 1 / 16)):
        monkeypatch.setitem(TESTS, "wrong", test)
        every, drawn = (shadow(noise(n, seed=6), test="wrong").loc["primary"] for n in (8, 9))
        assert every["observed"] == share
        assert every["note"] == TOO_MANY  # 0.0625 is above 0.05, and no chance is in it
        assert drawn["note"] == (TOO_MANY if test is sometimes else "")


# ---- swaps -----------------------------------------------------------------------------------------------------------


def test_up_to_eight_patients_every_swap_is_tried_once():
    for patients in (0, 1, 3, 8):
        swaps = random_swaps(patients, flips=200, seed=1)
        assert sorted(map(tuple, swaps.tolist())) == list(product([False, True], repeat=patients))
    assert random_swaps(9, flips=200, seed=1).shape == (200, 9)
    assert 0.45 < random_swaps(9, flips=2000, seed=1).mean() < 0.55


@pytest.mark.parametrize("test", TESTS)
def test_a_swap_is_what_the_test_says_of_the_exchanged_columns(test):
    features = table([row for row in random_study(7, patients=9) if row[0] != "P03" or row[1] == "pre"])
    deltas, singles = paired_deltas(features, contrast=CONTRAST), single_values(features, contrast=CONTRAST)
    pairs = pair_matrix(deltas, singles)
    swaps = random_swaps(9, flips=5, seed=2)
    told = swapped_p_values(pairs, swaps, test=test)
    for swap, p_values in zip(swaps, told, strict=True):
        turned = {patient for patient, flag in zip(pairs.patients, swap, strict=True) if flag}
        moved = features.assign(
            timepoint=[
                CONTRAST[1 - CONTRAST.index(timepoint)] if patient in turned else timepoint
                for patient, timepoint in zip(features["patient_id"], features["timepoint"], strict=True)
            ]
        )
        again = pair_matrix(paired_deltas(moved, contrast=CONTRAST), single_values(moved, contrast=CONTRAST))
        np.testing.assert_allclose(p_values, run_test(test, again)["p_value"], rtol=1e-12)


def test_all_features_of_a_patient_turn_round_together():
    features = noise(seed=8)
    deltas = paired_deltas(features, contrast=CONTRAST)
    same = pd.concat([deltas[deltas["feature"] == "F00"].assign(feature=name) for name in ("F00", "F01", "F02")])
    changes = change_table(same, primary=["F00"], secondary=["F0*"])
    told = shadow_null(pair_matrix(same), changes).set_index("family")
    assert told.loc["primary", "observed_any"] == told.loc["secondary tumour", "observed"]


def test_the_any_rate_is_that_of_the_correction():
    features = noise(7, seed=9)
    deltas = paired_deltas(features, contrast=CONTRAST)
    pairs = pair_matrix(deltas)
    p_values = swapped_p_values(pairs, random_swaps(7, flips=1, seed=1), test="sign_flip")
    told = shadow(features, test="sign_flip")
    first = p_values[:, 0]  # the sequence stops where the first feature fails
    assert told.loc["primary", "observed_any"] == (first <= 0.05).mean()
    assert told.loc["secondary tumour", "observed_any"] == (p_values[:, 2:5].min(axis=1) <= 0.05 / 3).mean()
    ordered = np.sort(p_values[:, 5:], axis=1)
    steps = 0.05 * np.arange(1, 36) / 35
    assert told.loc["exploratory tumour", "observed_any"] == (ordered <= steps).any(axis=1).mean()
    assert told.loc["secondary tumour", "observed"] == (p_values[:, 2:5] <= 0.05).mean()


def test_a_test_of_its_own_for_exploratory_features_is_told_by_name():
    told = shadow(noise(7, seed=10), exploratory_test="moderated_t")
    assert told["test"].tolist() == ["moderated t", "exact signed-rank", "exact signed-rank"]


def test_a_family_with_several_tests_names_them_and_one_without_says_so():
    rows = [*pairs_of("A", [(1.0, 2.0), (2.0, 2.5), (1.5, 3.5), (0.5, 1.5)])]
    rows += pairs_of("B", [(1.0, 2.0), (1.0, 2.5), (1.0, 3.5), (1.0, 1.5)])  # no baseline to adjust for
    told = shadow(table(rows), test="ancova", primary=["absent"], secondary=["*"])
    assert told["test"].to_dict() == {"primary": "not tested", "secondary tumour": "ANCOVA on the baseline, paired t"}


# ---- what must not matter, and what cannot be told -------------------------------------------------------------------


def test_the_order_of_rows_plays_no_part_and_the_seed_does():
    features = noise(seed=11)
    first = shadow(features, flips=20)
    pd.testing.assert_frame_equal(shadow(features.sample(frac=1.0, random_state=1), flips=20), first)
    assert not shadow(features, flips=20, seed=2).equals(first)


def test_five_pairs_cannot_reach_the_level_and_the_note_says_so():
    told = shadow(noise(5, seed=12))
    assert (told["observed"] == 0).all()
    assert (told["note"] == "no test of this family can reach 0.05 with so few pairs").all()


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("pairs", [[(1.0, 2.0)], [(1.0, None), (None, 2.0)], [(1.0, 1.0)] * 4, [(0.0, 0.0)] * 3])
def test_features_without_a_test_have_no_rate(test, pairs):
    rows = pairs_of("A", pairs)
    told = shadow(table(rows), test=test, primary=["A", "nowhere"], secondary=[]).loc["primary"]
    assert told["n_tests"] == 0
    assert np.isnan(told["observed"])
    assert np.isnan(told["observed_any"])
    assert told["note"] == NONE_TESTED


def test_no_feature_gives_an_empty_table():
    told = shadow(table([]), primary=[], secondary=[]).reset_index()[list(SHADOW_NULL.columns)]
    assert told.empty
    assert told.dtypes.equals(SHADOW_NULL.empty().dtypes)


def test_the_sign_flip_needs_no_loop_to_agree_with_its_definition():
    changes = np.array([[1.0, 2.0, -0.5, 3.0, 1.5, 2.5]])
    deltas = pd.DataFrame(
        {"patient_id": [f"P{k}" for k in range(6)], "compartment": "tumour", "feature": "A", "unit": "u"}
    )
    deltas = deltas.assign(before=0.0, after=changes[0], change=changes[0])
    told = swapped_p_values(pair_matrix(deltas), random_swaps(6, flips=1, seed=1), test="sign_flip")[:, 0]
    # over all sign assignments the p-values are the ranks of the sums: the share at most p is at most p
    expected = sign_flip_many(changes * (1 - 2 * random_swaps(6, flips=1, seed=1)))["p_value"]
    np.testing.assert_array_equal(told, expected)
    for p in np.unique(told):
        assert (told <= p).mean() == p
