import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import distinct, learner_of, learnt
from rabiomarkers.predict.nested import PENALTIES, Nested, NestedRidge, inner_splits
from rabiomarkers.predict.pairs import all_labellings
from rabiomarkers.predict.ridge import RidgeLogistic
from rabiomarkers.predict.validate import leave_pair_out
from tests.support.scikit_ridge import grid_search

FEW = (0.01, 0.5, 100.0)


def data(patients, features, responders, seed=0, missing=0.0, effect=0.0):
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(patients) < responders)
    values = generator.normal(size=(patients, features))
    values[:, 0] += effect * labels
    values[generator.random(values.shape) < missing] = np.nan
    values[0] = np.nan_to_num(values[0])
    return values * 10.0 ** generator.integers(-2, 3, features), labels


@pytest.mark.parametrize("effect", [0.0, 2.0])
@pytest.mark.parametrize(
    ("patients", "features", "responders"), [(8, 1, 2), (8, 30, 3), (12, 5, 4), (30, 8, 12), (25, 40, 11)]
)
def test_penalty_and_probabilities_are_those_of_a_grid_search_on_the_same_splits(
    patients, features, responders, effect
):
    values, labels = data(patients, features, responders, missing=0.1, effect=effect)
    ours = NestedRidge().fit(values, labels)
    theirs = grid_search(PENALTIES, inner_splits(labels)).fit(values, labels)
    assert ours.penalty_ == theirs.best_params_["scikitridge__weight"]
    np.testing.assert_allclose(ours.inner_losses_, -theirs.cv_results_["mean_test_score"], atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=1e-6, rtol=0)


@given(st.integers(0, 10_000), st.integers(5, 12), st.integers(1, 20), st.integers(2, 4), st.floats(0, 0.3))
@settings(max_examples=12, deadline=None)
def test_any_small_shape_gives_what_a_grid_search_gives(seed, patients, features, responders, missing):
    values, labels = data(
        patients, features, min(responders, patients - 2), seed=seed, missing=missing, effect=seed % 4
    )
    ours = NestedRidge(FEW).fit(values, labels)
    theirs = grid_search(FEW, inner_splits(labels)).fit(values, labels)
    np.testing.assert_allclose(ours.inner_losses_, -theirs.cv_results_["mean_test_score"], atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=1e-6, rtol=0)


@given(st.integers(0, 10_000), st.integers(4, 12), st.integers(1, 15))
@settings(max_examples=15, deadline=None)
def test_many_labellings_at_once_choose_and_forecast_as_each_alone(seed, patients, features):
    values, labels = data(patients, features, 2, seed=seed, missing=0.1)
    labellings = np.array([np.roll(labels, shift) for shift in range(4)])
    together = NestedRidge(FEW).fit_many(values, labellings)
    for row, labelling in enumerate(labellings):
        alone = NestedRidge(FEW).fit(values, labelling)
        assert together.penalties[row] == alone.penalty_
        np.testing.assert_allclose(together.decision(values)[row], alone.decision_function(values), atol=1e-7)


def test_labellings_with_more_and_fewer_responders_each_keep_their_own_splits():
    values, _ = data(24, 3, 4)
    few, many = np.arange(24) % 6 == 0, np.arange(24) % 2 == 0
    together = NestedRidge(FEW).fit_many(values, np.array([few, many, ~few]))
    for row, labelling in enumerate([few, many, ~few]):
        np.testing.assert_allclose(
            together.losses[:, row], NestedRidge(FEW).fit(values, labelling).inner_losses_, atol=1e-9
        )


def test_one_patient_far_off_costs_a_forecast_of_1e_15_at_most():
    values, labels = np.linspace(-1, 1, 8)[:, None], np.arange(8) > 4
    values[0] = 1e4
    ours = NestedRidge(FEW).fit(values, labels)
    theirs = grid_search(FEW, inner_splits(labels)).fit(values, labels)
    generic = Nested(RidgeLogistic(), {"penalty": FEW[::-1]}).fit(values, labels)
    others = 8 * ours.inner_losses_ + np.log(1e-15)  # what is left for the seven is a loss as of guessing
    assert ((others > 0) & (others < 7)).all()
    np.testing.assert_allclose(ours.inner_losses_, -theirs.cv_results_["mean_test_score"], atol=1e-6)
    np.testing.assert_allclose(ours.inner_losses_, generic.inner_losses_, atol=1e-3)  # 1 - 1e-15 is a rounded number


def test_the_generic_search_gives_the_same_for_the_same_ridge():
    values, labels = data(9, 12, 3, missing=0.1, effect=1.0)
    ours = NestedRidge(FEW).fit(values, labels)
    generic = Nested(RidgeLogistic(), {"penalty": sorted(FEW, reverse=True)}).fit(values, labels)
    assert generic.chosen_ == {"penalty": ours.penalty_}
    np.testing.assert_allclose(generic.inner_losses_, ours.inner_losses_, atol=1e-9)
    np.testing.assert_allclose(generic.predict_proba(values), ours.predict_proba(values), atol=1e-9)


@pytest.mark.parametrize("build", [lambda: NestedRidge(FEW), lambda: Nested(RidgeLogistic(), {"penalty": FEW[::-1]})])
def test_where_penalties_do_not_differ_the_largest_is_taken(build):
    values, labels = np.ones((8, 2)), np.arange(8) < 3
    model = build().fit(values, labels)
    assert (model.penalty_ if isinstance(model, NestedRidge) else model.chosen_["penalty"]) == 100.0
    np.testing.assert_allclose(model.predict_proba(values)[:, 1], 3 / 8, atol=1e-9)


@pytest.mark.parametrize("build", [lambda: NestedRidge(FEW), lambda: Nested(RidgeLogistic(), {"penalty": FEW[::-1]})])
def test_an_inner_training_set_of_one_class_forecasts_its_shrunk_prevalence(build):
    """One responder of four and a constant feature: out with a non-responder 1/3 is left, out with the responder (0 + 1/2) / 4."""
    losses = build().fit(np.ones((4, 1)), np.arange(4) < 1).inner_losses_
    np.testing.assert_allclose(losses, -(3 * np.log(2 / 3) + np.log(1 / 8)) / 4, atol=1e-9)


def test_two_training_patients_leave_nothing_to_choose_from():
    model = NestedRidge(FEW).fit([[0.0], [1.0]], [False, True])
    assert model.penalty_ == 100.0
    np.testing.assert_allclose(
        model.inner_losses_, -np.log(1 / 4)
    )  # each is forecast by the other: (0 + 1/2) / (1 + 1)


def test_separable_data_choose_a_small_penalty_and_noise_a_large_one():
    values = np.linspace(-1, 1, 30)[:, None]
    assert NestedRidge().fit(values, values[:, 0] > 0).penalty_ == min(PENALTIES)
    noise = [NestedRidge().fit(*data(40, 30, 15, seed=seed)).penalty_ for seed in range(21)]
    assert np.median(noise) >= 2.0


def test_each_patient_is_left_out_once_and_one_at_a_time_up_to_twelve():
    few = inner_splits(np.arange(12) < 6)
    assert [out.tolist() for _, out in few] == [[place] for place in range(12)]
    uneven = inner_splits(np.arange(30) < 9)
    assert len(uneven) == 10
    assert uneven[1][1].tolist() == [1, 11, 21]
    many = inner_splits(np.arange(30) < 10)
    assert len(many) == 5
    assert sorted(np.concatenate([out for _, out in many]).tolist()) == list(range(30))
    assert many[1][1].tolist() == [1, 6, 11, 16, 21, 26]


@given(st.lists(st.integers(0, 6), min_size=2, max_size=30), st.sampled_from(["auto", 2, 3, 50]))
def test_no_patient_is_on_both_sides_of_an_inner_split(patient, inner):
    patient = np.array([*patient, 7])  # two patients at least
    labels = patient % 2 == 0
    splits = inner_splits(labels, inner=inner, patient=patient)
    for training, out in splits:
        assert not set(patient[training]) & set(patient[out])
        assert sorted([*training, *out]) == list(range(len(patient)))
    assert sorted(np.concatenate([out for _, out in splits])) == list(range(len(patient)))


def test_rows_of_one_patient_are_fitted_without_each_other():
    """Each patient twice, the same row: judged by other patients, the losses are those of one row each."""
    values, labels = data(7, 3, 3)
    twice = NestedRidge(FEW).fit(np.repeat(values, 2, axis=0), np.repeat(labels, 2), patient=np.repeat(np.arange(7), 2))
    np.testing.assert_allclose(twice.inner_losses_, NestedRidge(FEW).fit(values, labels).inner_losses_, atol=1e-7)
    generic = Nested(RidgeLogistic(), {"penalty": FEW[::-1]})
    generic.fit(np.repeat(values, 2, axis=0), np.repeat(labels, 2), patient=np.repeat(np.arange(7), 2))
    np.testing.assert_allclose(generic.inner_losses_, twice.inner_losses_, atol=1e-7)


@pytest.mark.parametrize(
    ("labels", "inner", "words"),
    [([True], "auto", "needs two training patients"), ([True, False], 1, "two folds or more; it was given 1")],
)
def test_splits_that_cannot_be_made_are_refused(labels, inner, words):
    with pytest.raises(PredictionError, match=words):
        inner_splits(np.array(labels), inner=inner)


def test_settings_of_no_sense_are_refused():
    values, labels = data(8, 2, 3)
    with pytest.raises(PredictionError, match="one penalty at least"):
        NestedRidge(()).fit(values, labels)
    with pytest.raises(PredictionError, match="must be above 0"):
        NestedRidge((1.0, 0.0)).fit(values, labels)
    with pytest.raises(PredictionError, match="two folds or more"):
        NestedRidge(inner=1).fit(values, labels)
    with pytest.raises(PredictionError, match="needs responders and non-responders"):
        NestedRidge().fit_many(values, np.ones((1, 8), dtype=bool))


def test_folds_prepared_in_parts_give_the_same_losses(monkeypatch):
    values, labels = data(10, 14, 3, missing=0.1)
    whole = NestedRidge().fit(values, labels).inner_losses_
    monkeypatch.setattr("rabiomarkers.predict.nested.FOLD_NUMBERS", 1)
    monkeypatch.setattr("rabiomarkers.predict.newton.CHUNK_NUMBERS", 1)
    np.testing.assert_allclose(NestedRidge().fit(values, labels).inner_losses_, whole, atol=1e-9)


def test_the_choice_is_among_what_was_learnt():
    values, labels = data(8, 3, 3)
    fitted = NestedRidge(FEW).fit_many(values, labels[None, :])
    assert set(fitted.penalties) < set(fitted.parameters)
    assert set(fitted.losses.ravel()) < set(fitted.parameters)
    generic = Nested(RidgeLogistic(), {"penalty": FEW[::-1]}).fit(values, labels)
    assert generic.chosen_["penalty"] in learnt(generic)


def test_a_label_outside_the_training_set_moves_nothing():
    values, labels = data(10, 20, 3)
    flipped = labels.copy()
    flipped[0] = ~flipped[0]
    first, second = (learner_of(NestedRidge(FEW))(values[1:], each[None, 1:]) for each in (labels, flipped))
    np.testing.assert_array_equal(first.parameters, second.parameters)


def test_labellings_that_repeat_change_no_count_of_pairs():
    values, labels = data(7, 9, 3)
    labellings = all_labellings(labels)
    learn = NestedRidge(FEW).fit_many
    np.testing.assert_array_equal(
        leave_pair_out(values, labellings, learn), leave_pair_out(values, labellings, distinct(learn))
    )


def test_turning_responders_into_others_turns_the_forecast_round():
    values, labels = data(9, 12, 4, missing=0.1)
    there, back = NestedRidge().fit_many(values, np.array([labels, ~labels])).decision(values)
    np.testing.assert_allclose(there, -back, atol=1e-8)


def test_the_order_of_patients_plays_no_part_where_one_is_left_out_at_a_time():
    values, labels = data(9, 12, 4, missing=0.1)
    order = np.random.default_rng(1).permutation(9)
    first = NestedRidge().fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(NestedRidge().fit(values[order], labels[order]).predict_proba(values), first, atol=1e-9)


@parametrize_with_checks([NestedRidge(FEW), Nested(RidgeLogistic(), {"penalty": [1.0, 0.1]}, inner=2)])
def test_they_are_scikit_learn_estimators(estimator, check):
    check(estimator)
