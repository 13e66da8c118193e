"""The models against data of which the truth is known: C4, C5, C6, C9 and C10 of the calibration plan, and the intervals.

Small and fast without a mark; at full size with ``-m calibration``. Bounds are nominal + 3 Monte Carlo standard errors.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rabiomarkers.predict.fusion import LateFusion
from rabiomarkers.predict.learners import one_by_one
from rabiomarkers.predict.nested import NestedRidge, inner_splits
from rabiomarkers.predict.performance import auc_interval, draw_patients
from rabiomarkers.predict.ridge import RidgeFit, fit_ridge
from rabiomarkers.predict.splits import leave_one_out_splits, leave_pair_out_splits, stratified_splits
from rabiomarkers.predict.validate import leave_one_out, leave_pair_out, validate

RIDGE = partial(fit_ridge, penalty=1.0)
NESTED = NestedRidge().fit_many
FUSION = LateFusion(blocks=((0,), (1, 2))).fit_many
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


# ---- C4: the p on noise ----------------------------------------------------------------------------------------------


def p_values(learn, *, sets, seed, missing=0.0):
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(sets):
        values = generator.normal(size=(10, 3))
        values[generator.random(values.shape) < missing] = np.nan
        found.append(validate(values, TEN, learn, permutations=1, seed=1).p_value)
    return np.array(found)


@pytest.mark.parametrize(
    ("learn", "sets"),
    [
        pytest.param(RIDGE, 40, id="ridge"),
        pytest.param(NESTED, 10, id="nested"),
        pytest.param(FUSION, 10, id="fusion"),
        pytest.param(RIDGE, 500, id="ridge in full", marks=pytest.mark.calibration),
        pytest.param(NESTED, 200, id="nested in full", marks=pytest.mark.calibration),
        pytest.param(FUSION, 200, id="fusion in full", marks=pytest.mark.calibration),
    ],
)
@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_c4_permutation_p_on_noise_keeps_its_level(learn, sets, missing):
    p = p_values(learn, sets=sets, seed=4, missing=missing)
    for level in (0.05, 0.20):
        assert (p <= level).mean() <= level + tolerance(level, sets)
    assert abs(p.mean() - 0.5) <= 3 * np.sqrt(1 / 12 / sets)


@pytest.mark.calibration
@pytest.mark.parametrize("learn", [RIDGE, NESTED], ids=["ridge", "nested"])
def test_c4_p_of_random_relabellings_within_folds_keeps_its_level(learn):
    generator = np.random.default_rng(44)
    labels, sets = np.arange(42) < 20, 200
    p = np.array(
        [
            validate(generator.normal(size=(42, 2)), labels, learn, permutations=19, seed=seed, repeats=1).p_value
            for seed in range(sets)
        ]
    )
    assert (p <= 0.05).mean() <= 0.05 + tolerance(0.05, sets)
    assert (p <= 0.20).mean() <= 0.20 + tolerance(0.20, sets)
    assert (p <= 0.20).mean() >= 0.20 - tolerance(0.20, sets)  # alive


# ---- C5, C6: the AUC of noise and of nothing -------------------------------------------------------------------------


@pytest.mark.parametrize("sets", [30, pytest.param(500, marks=pytest.mark.calibration)])
@pytest.mark.parametrize(
    ("learn", "features"),
    [(RIDGE, 1), (RIDGE, 5), (NESTED, 5), (FUSION, 3)],
    ids=["ridge of 1", "ridge of 5", "nested of 5", "fusion"],
)
def test_c5_leave_pair_out_auc_on_noise_is_one_half(learn, features, sets):
    """The spread of one data set's AUC is 0.27 at most, as seen, so three standard errors of the mean are 0.036 at 500."""
    generator = np.random.default_rng(5)
    found = [pair_auc(generator.normal(size=(10, features)), TEN, learn) for _ in range(sets)]
    assert abs(np.mean(found) - 0.5) <= 0.036 * np.sqrt(500 / sets)


@pytest.mark.parametrize("sets", [20, pytest.param(300, marks=pytest.mark.calibration)])
def test_c5_auc_within_folds_on_noise_is_one_half(sets):
    generator = np.random.default_rng(55)
    labels = np.arange(60) < 25
    found = [
        validate(generator.normal(size=(60, 4)), labels, RIDGE, permutations=0, seed=1, repeats=2).auc
        for _ in range(sets)
    ]
    assert abs(np.mean(found) - 0.5) <= 3 * np.std(found) / np.sqrt(sets)


@pytest.mark.parametrize("sets", [60, pytest.param(500, marks=pytest.mark.calibration)])
def test_c5_pooled_leave_one_out_auc_on_noise_is_far_below_one_half_and_so_never_reported(sets):
    generator = np.random.default_rng(5)
    values = [generator.normal(size=(10, 1)) for _ in range(sets)]
    assert np.mean([roc_auc_score(TEN, leave_one_out(one, TEN, RIDGE)) for one in values]) < 0.35


@pytest.mark.parametrize("learn", [RIDGE, NESTED, FUSION], ids=["ridge", "nested", "fusion"])
def test_c6_pooled_leave_one_out_auc_of_a_constant_model_is_0_and_leave_pair_out_one_half(learn):
    constant = np.zeros((10, 3))
    assert roc_auc_score(TEN, leave_one_out(constant, TEN, learn)) == 0.0
    found = validate(constant, TEN, learn, permutations=1, seed=1)
    assert (found.auc, found.p_value, found.p_floor) == (0.5, 1.0, 1.0)


# ---- C9: both sides --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 10, 25])
def test_c9_no_patient_is_on_both_sides_of_any_split(n):
    labels = np.arange(n) < max(2, n // 3)
    splits = [*leave_one_out_splits(n), *leave_pair_out_splits(n)]
    splits += [split for seed in range(20) for split in stratified_splits(labels, folds=2, seed=seed)]
    assert all(not set(training) & set(out) and len(training) + len(out) == n for training, out in splits)


@pytest.mark.parametrize("n", [8, 30])
def test_c9_no_patient_with_two_samples_is_on_both_sides_of_an_inner_split(n):
    patient = np.random.default_rng(9).permutation(np.repeat(np.arange(n), 2))
    labels = (np.arange(n) < n // 2)[patient]
    splits = inner_splits(labels, patient=patient)
    assert all(not set(patient[training]) & set(patient[out]) for training, out in splits)
    assert sorted(np.concatenate([out for _, out in splits])) == list(range(2 * n))


# ---- C10: a planted effect -------------------------------------------------------------------------------------------


def planted(n, sets, learn):
    generator = np.random.default_rng(10)
    labels = np.arange(n) < (round(0.3 * n) if n == 10 else n // 2)
    found = []
    for _ in range(sets):
        values = generator.normal(size=(n, 30))
        values[:, 0] += 2 * labels
        found.append(pair_auc(values, labels, learn))
    return np.mean(found)


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
    assert planted(n, sets, partial(select_then_fit, count=3)) >= least


@pytest.mark.parametrize(
    ("n", "sets", "least"),
    [
        (20, 4, 0.60),
        pytest.param(10, 300, 0.58, marks=pytest.mark.calibration),
        pytest.param(20, 60, 0.68, marks=pytest.mark.calibration),
        pytest.param(40, 10, 0.75, marks=pytest.mark.calibration),
    ],
)
def test_c10_a_planted_feature_is_found_by_a_ridge_that_chooses_its_penalty(n, sets, least):
    assert planted(n, sets, NESTED) >= least


@pytest.mark.calibration
def test_c10_a_planted_block_is_found_by_fusion_without_the_other_block():
    """One feature 2 SD apart in a block of its own; the other block is noise and missing in every third patient."""
    generator = np.random.default_rng(11)
    labels = np.arange(20) < 8
    learn = LateFusion(blocks=((0,), (1, 2, 3))).fit_many
    found = []
    for _ in range(100):
        values = generator.normal(size=(20, 4))
        values[:, 0] += 2 * labels
        values[::3, 1:] = np.nan
        found.append(pair_auc(values, labels, learn))
    assert np.mean(found) >= 0.82  # the feature alone orders 0.921 of pairs: Phi(2 / sqrt(2))


def test_c10_any_registered_estimator_is_validated_by_the_same_door():
    from sklearn.neighbors import KNeighborsClassifier

    values = np.random.default_rng(1).normal(size=(12, 2))
    values[:5] += 4
    assert (
        validate(
            values, np.arange(12) < 5, one_by_one(KNeighborsClassifier(3)), permutations=20, seed=1, enumerate_up_to=1
        ).auc
        > 0.9
    )


# ---- intervals -------------------------------------------------------------------------------------------------------


def covered(*, n, responders, effect, sets, seed):
    """How often the 95 % interval of the AUC holds the mean AUC of all data sets; and how often a plain bootstrap does."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) < responders
    drawn = draw_patients(labels, bootstraps=400, seed=1)
    aucs, intervals = [], []
    for _ in range(sets):
        values = generator.normal(size=(n, 3))
        values[:, 0] += effect * labels
        found = validate(values, labels, RIDGE, permutations=99, seed=1, repeats=2, maximum_pairs=100)
        aucs.append(found.auc)
        for null in (found.null, None):
            told = auc_interval(found.ordered, found.compared, drawn, null=null)
            intervals.append((told["auc_low"], told["auc_high"]))
    truth = np.mean(aucs) if effect else 0.5
    inside = [low is not None and low <= truth <= high for low, high in intervals]
    return np.mean(inside[::2]), np.mean(inside[1::2])


@pytest.mark.parametrize("sets", [60, pytest.param(600, marks=pytest.mark.calibration)])
def test_the_interval_of_the_auc_of_ten_patients_holds_one_half_on_noise_where_a_plain_bootstrap_does_not(sets):
    widened, plain = covered(n=10, responders=3, effect=0.0, sets=sets, seed=12)
    assert widened >= 0.95 - tolerance(0.05, sets)
    assert plain <= 0.85


@pytest.mark.calibration
@pytest.mark.parametrize(("n", "responders", "sets"), [(10, 3, 300), (20, 7, 200), (43, 13, 100), (100, 30, 100)])
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0])
def test_the_interval_of_the_auc_covers_as_often_as_it_says(n, responders, sets, effect):
    widened, _ = covered(n=n, responders=responders, effect=effect, sets=sets, seed=13)
    assert widened >= 0.95 - 0.02 - tolerance(0.05, sets)  # rough: two points are allowed
