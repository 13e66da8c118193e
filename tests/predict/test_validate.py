from dataclasses import dataclass
from functools import partial
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.cohort import Cohort
from rabiomarkers.predict.learners import one_by_one
from rabiomarkers.predict.nested import NestedRidge
from rabiomarkers.predict.pairs import all_labellings, sampled_labellings, within_folds
from rabiomarkers.predict.ridge import fit_ridge
from rabiomarkers.predict.splits import stratified_splits
from rabiomarkers.predict.validate import (
    leave_batch_out,
    leave_one_out,
    leave_pair_out,
    out_of_fold,
    repeats_for,
    validate,
)
from rabiomarkers.tables.predictions import BATCH_VALIDATION

RIDGE = partial(fit_ridge, penalty=1.0)
PEER = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-12, solver="newton-cholesky"))


@dataclass(frozen=True)
class FirstFeature:
    """Learns nothing: the score is the first feature."""

    models: int

    def decision(self, values):
        return np.tile(values[:, 0], (self.models, 1))

    @property
    def parameters(self):
        return np.zeros(1)


def first_feature(values, labels):
    return FirstFeature(len(labels))


@pytest.fixture
def noise():
    return np.random.default_rng(3).normal(size=(10, 2)), np.arange(10) < 3


def forty_four(effect=0.0, seed=5):
    labels = np.arange(44) < 21
    return np.random.default_rng(seed).normal(size=(44, 2)) + effect * labels[:, None], labels


# ---- pairs -----------------------------------------------------------------------------------------------------------


def test_leave_pair_out_of_a_fixed_score_is_its_auc(noise):
    values, labels = noise
    halves = leave_pair_out(values, labels[None, :], first_feature)
    assert halves[0] / (2 * 21) == pytest.approx(roc_auc_score(labels, values[:, 0]))


def test_leave_pair_out_trains_without_the_pair(noise):
    """The same by hand: one model for each pair, scikit-learn style."""
    values, labels = noise
    ordered = np.zeros((3, 7))
    for place, responder in enumerate(np.flatnonzero(labels)):
        for column, other in enumerate(np.flatnonzero(~labels)):
            training = np.setdiff1d(np.arange(10), [responder, other])
            peer = LogisticRegression(C=1 / 8, tol=1e-12, solver="newton-cholesky")
            model = make_pipeline(StandardScaler(), peer).fit(values[training], labels[training])
            scores = model.decision_function(values[[responder, other]])
            ordered[place, column] = scores[0] > scores[1]
    assert leave_pair_out(values, labels[None, :], RIDGE)[0] == 2 * ordered.sum()
    found = validate(values, labels, RIDGE, permutations=1, seed=1)
    assert (found.ordered == ordered).all()
    assert found.auc == ordered.mean()


def test_a_tie_counts_half(noise):
    _, labels = noise
    assert leave_pair_out(np.ones((10, 1)), labels[None, :], RIDGE)[0] == 21
    assert (validate(np.ones((10, 1)), labels, RIDGE, permutations=1, seed=1).ordered == 0.5).all()


def test_pairs_inside_folds_add_up_to_the_auc_of_a_fixed_score_on_average(noise):
    values, labels = noise
    cohort = Cohort(values=values, patient=None, patients=10)
    won, compared = within_folds(cohort, labels, first_feature, folds=3, repeats=400, seed=[1])
    assert compared.sum() == 400 * (3 * 2 + 1)  # 10 patients in 3 folds, a responder in each: 1 x 3, 1 x 2, 1 x 2
    assert won.sum() / (2 * compared.sum()) == pytest.approx(roc_auc_score(labels, values[:, 0]), abs=0.05)
    right = values[labels, 0][:, None] > values[~labels, 0][None, :]
    assert (won == 2 * right * compared).all()


def test_pairs_inside_folds_are_those_of_scikit_learn():
    values, labels = forty_four(effect=0.5)
    found = validate(values, labels, one_by_one(PEER), permutations=0, seed=7, repeats=2)
    right = pairs = 0.0
    for repeat in range(2):
        for training, out in stratified_splits(labels, folds=5, seed=[7, 0, repeat]):
            scores = PEER.fit(values[training], labels[training]).decision_function(values[out])
            ahead = scores[labels[out]][:, None] - scores[~labels[out]]
            right, pairs = right + (ahead > 0).sum(), pairs + ahead.size
    assert found.auc == pytest.approx(right / pairs, abs=1e-12)
    assert found.compared.sum() == pairs


# ---- relabelling -----------------------------------------------------------------------------------------------------


def test_every_labelling_is_there_once_with_the_observed_one_first():
    labels = np.array([False, True, False, True, False])
    every = all_labellings(labels)
    assert len(every) == len(np.unique(every, axis=0)) == comb(5, 2)
    assert (every[0] == labels).all()
    assert (every.sum(axis=1) == 2).all()


def test_sampled_labellings_keep_the_number_of_responders_and_the_seed():
    labels = np.arange(30) < 9
    drawn = sampled_labellings(labels, permutations=50, seed=4)
    assert drawn.shape == (51, 30)
    assert (drawn.sum(axis=1) == 9).all()
    assert (drawn[0] == labels).all()
    assert (drawn == sampled_labellings(labels, permutations=50, seed=4)).all()


def test_all_120_relabellings_of_3_in_10_have_a_null_mean_of_one_half(noise):
    found = validate(*noise, RIDGE, permutations=7, seed=1)
    assert (found.p_total, found.auc_method) == (120, "leave-pair-out (21 pairs)")
    assert found.p_floor == (found.null == found.null.max()).sum() / 120
    assert found.null_mean == pytest.approx(0.5, abs=1e-12)
    assert found.p_count == (found.null >= found.auc - 1e-9).sum()
    assert found.p_value == found.p_count / 120


def test_the_p_of_a_fixed_score_is_that_of_the_one_sided_rank_sum_test(noise):
    """R: wilcox.test(x, y, alternative = "greater", exact = TRUE) counts the same labellings."""
    from scipy.stats import mannwhitneyu

    values, labels = noise
    found = validate(values, labels, first_feature, permutations=1, seed=1)
    exact = mannwhitneyu(values[labels, 0], values[~labels, 0], alternative="greater", method="exact")
    assert found.p_value == pytest.approx(exact.pvalue, abs=1e-12)


def test_groups_of_equal_size_have_at_least_twice_the_floor():
    values = np.random.default_rng(1).normal(size=(8, 1))
    found = validate(values, np.arange(8) < 4, RIDGE, permutations=10, seed=1)
    assert (found.p_total, found.p_floor) == (70, (found.null == found.null.max()).sum() / 70)
    assert found.p_floor >= 2 / 70
    null = np.sort(found.null)
    assert (null[::2] == null[1::2]).all()  # each AUC twice: groups with their names swapped


def test_too_many_labellings_are_sampled_and_the_observed_one_counts(noise):
    found = validate(*noise, RIDGE, permutations=19, seed=1, enumerate_up_to=100)
    assert found.p_total == 20
    assert found.p_count == 1 + (found.null[1:] >= found.auc).sum()
    assert found.p_floor == 1 / 20


def test_many_pairs_are_validated_within_stratified_folds():
    values, labels = forty_four(effect=3.0)
    found = validate(values, labels, RIDGE, permutations=19, seed=1)
    assert found.auc_method == "within 5 stratified folds, 10 times"
    assert found.auc > 0.9
    assert found.p_value == 1 / 20
    again = validate(values, labels, RIDGE, permutations=19, seed=1)
    assert (found.null == again.null).all()
    assert found.auc == pytest.approx(np.nansum(found.ordered * found.compared) / found.compared.sum())


def test_a_relabelling_does_not_move_with_the_number_of_others():
    values, labels = forty_four()
    few = validate(values, labels, RIDGE, permutations=5, seed=1, repeats=2)
    more = validate(values, labels, RIDGE, permutations=9, seed=1, repeats=2)
    assert few.auc == more.auc
    assert few.auc_method == "within 5 stratified folds, 2 times"


def test_pairs_are_left_out_up_to_the_maximum_of_pairs(noise):
    methods = [validate(*noise, RIDGE, permutations=1, seed=1, maximum_pairs=pairs).auc_method for pairs in (21, 20)]
    assert methods == ["leave-pair-out (21 pairs)", "within 3 stratified folds, 10 times"]


def test_every_relabelling_draws_its_own_folds():
    values, labels = forty_four()
    found = validate(values, labels, RIDGE, permutations=2, seed=6, repeats=1)
    second = sampled_labellings(labels, permutations=2, seed=6)[2]
    cohort = Cohort(values=values, patient=None, patients=44)
    won, compared = within_folds(cohort, second, RIDGE, folds=5, repeats=1, seed=[6, 2])
    assert found.null[2] == won.sum() / (2 * compared.sum())


@pytest.mark.parametrize(("patients", "times"), [(41, 10), (200, 5), (964, 2), (20_000, 2)])
def test_the_fewer_patients_the_more_often_folds_are_drawn(patients, times):
    assert repeats_for(patients) == times


def test_progress_is_told_to_the_end(noise):
    told = []
    validate(*noise, RIDGE, permutations=1, seed=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(place + 1, 45) for place in range(45)]
    told.clear()
    values, labels = forty_four()
    validate(values, labels, RIDGE, permutations=3, seed=1, repeats=2, progress=lambda *pair: told.append(pair))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


@given(st.integers(0, 1000))
@settings(max_examples=15)
def test_swapping_the_names_of_the_groups_keeps_auc_and_p(seed):
    values = np.random.default_rng(seed).normal(size=(8, 2))
    labels = np.arange(8) < 3
    first = validate(values, labels, RIDGE, permutations=10, seed=1)
    swapped = validate(values, ~labels, RIDGE, permutations=10, seed=1)
    assert (first.auc, first.p_count) == (swapped.auc, swapped.p_count)
    assert (first.ordered == swapped.ordered.T).all()


@given(st.integers(0, 1000), st.sampled_from([2, 3, 4]))
@settings(max_examples=15)
def test_the_order_of_patients_and_of_features_plays_no_part_when_pairs_are_left_out(seed, responders):
    generator = np.random.default_rng(seed)
    values, labels = generator.normal(size=(8, 3)).round(1), np.arange(8) < responders
    values[generator.random(values.shape) < 0.1] = np.nan
    order = generator.permutation(8)
    first = validate(values, labels, RIDGE, permutations=1, seed=1)
    mixed = validate(values[order][:, [2, 0, 1]], labels[order], RIDGE, permutations=1, seed=1)
    assert (first.auc, first.p_count, first.p_floor) == (mixed.auc, mixed.p_count, mixed.p_floor)
    assert (np.sort(first.null) == np.sort(mixed.null)).all()


@given(st.integers(0, 1000), st.integers(1, 30))
@settings(max_examples=10)
def test_the_null_mean_of_all_relabellings_is_one_half_whatever_the_values(seed, features):
    """Of two labellings that differ in a pair alone, the models are the same, and one of the two has the pair right."""
    generator = np.random.default_rng(seed)
    values = generator.standard_t(2, size=(7, features)).round(1)
    found = validate(values, np.arange(7) < 2, RIDGE, permutations=1, seed=1)
    assert found.null_mean == pytest.approx(0.5, abs=1e-12)


# ---- several rows of one patient -------------------------------------------------------------------------------------


def twice(values):
    """Each patient's row twice, in a mixed order."""
    patient = np.repeat(np.arange(len(values)), 2)
    order = np.random.default_rng(0).permutation(len(patient))
    return values[patient][order], patient[order]


def test_patients_whose_rows_are_copies_are_validated_like_patients_with_one_row(noise):
    values, labels = noise
    doubled, patient = twice(values)
    first = validate(values, labels, RIDGE, permutations=1, seed=1)
    second = validate(doubled, labels, RIDGE, permutations=1, seed=1, patient=patient)
    assert (first.null == second.null).all()
    assert (first.ordered == second.ordered).all()
    np.testing.assert_allclose(
        out_of_fold(doubled, labels, RIDGE, patient=patient), out_of_fold(values, labels, RIDGE), atol=1e-9
    )


def test_a_patient_is_scored_by_the_mean_of_their_rows():
    labels = np.array([True, True, False, False])
    patient = np.array([0, 0, 0, 1, 2, 3])
    values = np.array([[5.0], [0.0], [1.0], [1.9], [1.0], [2.1]])  # the first patient has 2 on average
    found = validate(values, labels, first_feature, permutations=1, seed=1, patient=patient)
    assert found.ordered.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_samples_of_patients_who_differ_are_no_evidence_for_a_response():
    """Two samples a patient, patients far apart: permuting samples would reject nearly always, permuting patients may not."""
    generator = np.random.default_rng(9)
    p = []
    for _ in range(60):
        patient = np.repeat(np.arange(8), 2)
        values = generator.normal(size=(8, 2))[patient] + 0.1 * generator.normal(size=(16, 2))
        p.append(validate(values, np.arange(8) < 3, RIDGE, permutations=1, seed=1, patient=patient).p_value)
    assert np.mean(np.array(p) <= 0.2) <= 0.2 + 3 * np.sqrt(0.2 * 0.8 / 60)


@pytest.mark.parametrize("responders", [3, 21])
def test_no_row_of_a_left_out_patient_is_handed_to_the_learner(responders):
    """C9, also of inner splits: the learner is told whose rows it has, each patient's all or none."""
    n = 10 if responders == 3 else 44
    labels = np.arange(n) < responders
    values, patient = twice(np.arange(n, dtype=float)[:, None])
    seen = []

    def learn(rows, labellings, patient):
        assert (rows[:, 0] == patient).all()
        assert (np.bincount(patient, minlength=n) % 2 == 0).all()
        seen.append(set(patient.tolist()))
        return Watched(seen[-1], len(labellings))

    validate(values, labels, learn, permutations=1, seed=1, patient=patient, repeats=1)
    out_of_fold(values, labels, learn, patient=patient)
    leave_batch_out(values, labels, learn, ["a", "b"] * (n // 2), patient=patient)
    assert seen


@dataclass(frozen=True)
class Watched:
    training: set
    models: int

    def decision(self, values):
        assert not self.training & set(values[:, 0].tolist())
        return np.zeros((self.models, len(values)))

    parameters = np.zeros(1)


def test_a_nested_model_keeps_the_rows_of_a_patient_together_in_its_inner_splits(noise):
    """Copies of a row on both sides of an inner split would make the least penalty look best."""
    values, labels = noise
    doubled, patient = twice(values)
    learn = NestedRidge().fit_many
    first = validate(values, labels, learn, permutations=1, seed=1)
    second = validate(doubled, labels, learn, permutations=1, seed=1, patient=patient)
    assert (first.ordered == second.ordered).all()


# ---- forecasts -------------------------------------------------------------------------------------------------------


def test_leave_one_out_trains_without_the_patient(noise):
    values, labels = noise
    probability = leave_one_out(values, labels, RIDGE)
    scores = RIDGE(values[1:], labels[None, 1:]).decision(values[:1])[0, 0]
    assert probability[0] == pytest.approx(1 / (1 + np.exp(-scores)))


def test_forecasts_of_few_patients_leave_one_out_as_scikit_learn_does(noise):
    values, labels = noise
    peer = cross_val_predict(PEER, values, labels, cv=LeaveOneOut(), method="predict_proba")[:, 1]
    np.testing.assert_allclose(out_of_fold(values, labels, one_by_one(PEER)), peer, atol=1e-12)
    assert (out_of_fold(values, labels, RIDGE) == leave_one_out(values, labels, RIDGE)).all()


def test_forecasts_of_many_patients_are_means_over_folds_of_scikit_learn():
    values, labels = forty_four(effect=1.0)
    total = np.zeros(44)
    for repeat in range(3):
        splits = list(stratified_splits(labels, folds=5, seed=[2, 0, repeat]))
        total += cross_val_predict(PEER, values, labels, cv=splits, method="predict_proba")[:, 1]
    np.testing.assert_allclose(out_of_fold(values, labels, one_by_one(PEER), seed=2, repeats=3), total / 3, atol=1e-12)


def test_forecasts_of_folds_do_not_fall_with_the_own_label_as_those_of_leave_one_out_do():
    """A constant model: leaving one out tells every label exactly, folds of equal shares do not (C6)."""
    labels = np.arange(40) < 20
    constant = np.zeros((40, 1))
    assert roc_auc_score(labels, leave_one_out(constant, labels, RIDGE)) == 0.0
    assert np.ptp(out_of_fold(constant, labels, RIDGE)) <= 1e-12


# ---- batches ---------------------------------------------------------------------------------------------------------


def test_each_batch_is_forecast_by_a_model_of_the_others_as_scikit_learn_does():
    values, labels = forty_four(effect=1.0)
    batches = np.array(["a", "b", "c", "d"] * 11)
    found = leave_batch_out(values, labels, one_by_one(PEER), batches.tolist())
    peer = cross_val_predict(PEER, values, labels, groups=batches, cv=LeaveOneGroupOut(), method="predict_proba")[:, 1]
    np.testing.assert_allclose(found.probability, peer, atol=1e-12)
    assert found.brier == pytest.approx(brier_score_loss(labels, peer))
    table = BATCH_VALIDATION.check(found.table.assign(model="m")).set_index("batch")
    right = pairs = 0
    for name in "abcd":
        inside = batches == name
        auc = roc_auc_score(labels[inside], peer[inside])
        assert table.loc[name, "auc"] == pytest.approx(auc)
        assert table.loc[name, "brier"] == pytest.approx(brier_score_loss(labels[inside], peer[inside]))
        assert (table.loc[name, "n"], table.loc[name, "responders"]) == (11, labels[inside].sum())
        size = labels[inside].sum() * (~labels[inside]).sum()
        right, pairs = right + auc * size, pairs + size
    assert (found.auc, found.pairs) == (pytest.approx(right / pairs), pairs)
    assert found.note == ""


def test_a_batch_effect_that_is_all_there_is_does_not_survive_leaving_batches_out():
    """Response and values both differ between batches and not within: pooled, the values tell the response."""
    generator = np.random.default_rng(2)
    batches = np.repeat(["a", "b", "c"], 20)
    labels = generator.random(60) < np.repeat([0.15, 0.5, 0.85], 20)
    values = np.repeat([0.0, 3.0, 6.0], 20)[:, None] + generator.normal(size=(60, 1))
    assert validate(values, labels, RIDGE, permutations=0, seed=1).auc > 0.7
    found = leave_batch_out(values, labels, RIDGE, batches.tolist())
    assert abs(found.auc - 0.5) < 0.15


def test_a_batch_without_responders_has_a_brier_score_and_no_auc():
    values, labels = forty_four()
    batches = ["a" if label else "b" for label in labels]
    batches[0], batches[-1] = "b", "c"
    found = leave_batch_out(values, labels, RIDGE, batches)
    table = found.table.set_index("batch")
    assert table["auc"].isna().to_dict() == {"a": True, "b": False, "c": True}
    assert table["brier"].isna().to_dict() == {"a": False, "b": False, "c": False}
    assert table["note"].to_dict() == {
        "a": "no AUC: all of the batch responded",
        "b": "",
        "c": "no AUC: nobody of the batch responded",
    }


def test_a_batch_that_holds_all_responders_cannot_be_left_out():
    values, labels = forty_four()
    found = leave_batch_out(values, labels, RIDGE, ["a" if label else "b" for label in labels])
    assert found.table.set_index("batch")["note"].to_dict() == {
        "a": "cannot be left out: all 23 patients of the other batches did not respond",
        "b": "cannot be left out: all 21 patients of the other batches responded",
    }
    assert (found.auc, found.brier, found.pairs) == (None, None, 0)
    assert found.note == "no batch that can be left out has both responders and others"
    assert np.isnan(found.probability).all()


def test_scores_over_batches_are_of_the_patients_who_were_forecast():
    values, labels = forty_four()
    batches = ["a"] * 30 + ["b"] * 14  # all 21 responders are in a, so a cannot be left out and b can
    found = leave_batch_out(values, labels, RIDGE, batches)
    assert np.isnan(found.probability).tolist() == [True] * 30 + [False] * 14
    assert found.brier == found.table.set_index("batch").loc["b", "brier"]
    assert (found.auc, found.pairs) == (None, 0)


def test_one_batch_or_none_is_said_in_words():
    values, labels = forty_four()
    one = leave_batch_out(values, labels, RIDGE, ["a"] * 44)
    assert one.note == "all patients are of one batch"
    assert one.table.loc[0, "note"] == "cannot be left out: it is the only batch"
    none = leave_batch_out(values, labels, RIDGE, [None] * 44)
    assert none.note == "no batch is known; 44 patients of unknown batch left aside"
    assert len(BATCH_VALIDATION.check(none.table.assign(model="m"))) == 0
    assert none.auc is None


def test_a_patient_of_unknown_batch_teaches_nobody():
    values, labels = forty_four(effect=1.0)
    batches = [None, *(["a", "b"] * 22)[1:]]
    found = leave_batch_out(values, labels, RIDGE, batches)
    values[0] = 1e6
    assert leave_batch_out(values, labels, RIDGE, batches).auc == found.auc
    assert np.isnan(found.probability[0])
    assert found.note == "1 patient of unknown batch left aside"


# ---- what cannot be validated ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("responders", [0, 1, 9, 10])
@pytest.mark.parametrize("function", [out_of_fold, partial(validate, permutations=1, seed=1)])
def test_fewer_than_two_of_a_kind_are_refused_in_words(function, responders):
    with pytest.raises(
        PredictionError, match=f"2 responders and 2 others; there are {responders} and {10 - responders}"
    ):
        function(np.zeros((10, 1)), np.arange(10) < responders, RIDGE)


@pytest.mark.parametrize("patient", [[0, 1, 2, 3, 4], [0, 1, 2, 2], [0, 1, 2, 3, 3], [1, 2, 3, 4]])
def test_rows_that_fit_no_patient_are_refused(patient):
    rows = 4 if len(patient) == 5 and patient[-1] == 3 else len(patient)
    with pytest.raises(PredictionError, match="Each of the 4 patients needs rows of values"):
        validate(np.zeros((rows, 1)), np.arange(4) < 2, RIDGE, permutations=1, seed=1, patient=np.array(patient))


def test_a_forecast_that_is_no_number_is_refused_and_not_counted_as_wrong(noise):
    values, labels = noise
    values[4] = np.nan
    with pytest.raises(PredictionError, match="forecasts no number"):
        validate(values, labels, first_feature, permutations=1, seed=1)


@pytest.mark.parametrize(("responders", "others"), [(2, 2), (2, 3), (2, 250), (3, 140)])
def test_fewer_responders_than_folds_and_pairs_are_validated_all_the_same(responders, others):
    labels = np.arange(responders + others) < responders
    values = np.random.default_rng(1).normal(size=(len(labels), 1))
    found = validate(values, labels, first_feature, permutations=3, seed=1)
    wanted = "leave-pair-out" if responders * others <= 400 else f"within {responders} stratified folds"
    assert found.auc_method.startswith(wanted)
    assert 0 <= found.auc <= 1
