"""Late fusion against the same procedure written out in scikit-learn's parts, patient by patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.fusion import LateFusion, block_gain
from rabiomarkers.predict.learners import learnt
from rabiomarkers.predict.nested import inner_splits
from rabiomarkers.predict.ridge import RidgeLogistic
from tests.support.scikit_ridge import scikit_ridge

BLOCKS = ((0, 1), (2, 4), (3,))


def data(patients=12, responders=4, seed=0, lacking=0.2, effect=1.5):
    """Five columns in three blocks; block 0 tells something; some patients lack a block, one a single value."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(patients) < responders)
    values = generator.normal(size=(patients, 5))
    values[:, 0] += effect * labels
    for block in BLOCKS:
        values[np.ix_(generator.random(patients) < lacking, block)] = np.nan
    values[0, 1] = np.nan
    return values, labels


def loss_of(odds, label):
    return np.logaddexp(0, -odds if label else odds)


def log_odds_of(count, total):
    return np.log(count) - np.log(total - count)


def written_out(values, labels, new, blocks, penalty):
    """Log odds of new patients, and the weights before they are made to sum to 1."""
    gains, forecasts = [], []
    for block in blocks:
        own, others = values[:, block], new[:, block]
        has = ~np.isnan(own).all(axis=1)
        gain = 0.0
        for inside, out in inner_splits(labels):
            known = inside[has[inside]]
            responders = labels[known].sum()
            if len(known) == 0 or responders in (0, len(known)):
                continue  # nothing can be fitted, so nothing is gained
            model = scikit_ridge(penalty).fit(own[known], labels[known])
            for patient in out[has[out]]:
                plain = loss_of(log_odds_of(responders, len(known)), labels[patient])
                gain += plain - loss_of(model.decision_function(own[[patient]])[0], labels[patient])
        gains.append(max(0.0, gain / len(values)))
        both = 0 < labels[has].sum() < has.sum()
        model = scikit_ridge(penalty).fit(own[has], labels[has]) if both else None
        known = ~np.isnan(others).all(axis=1)
        odds = np.full(len(new), np.nan)
        if model is not None and known.any():
            odds[known] = model.decision_function(others[known])
        forecasts.append(odds)
    weights, odds = np.array(gains), np.array(forecasts)
    fused = np.full(len(new), log_odds_of(labels.sum(), len(labels)))
    for patient in range(len(new)):
        here = (weights > 0) & ~np.isnan(odds[:, patient])
        if here.any():
            fused[patient] = np.average(odds[here, patient], weights=weights[here])
    return fused, weights


@pytest.mark.parametrize(
    ("patients", "responders", "lacking"), [(8, 2, 0.0), (10, 3, 0.3), (12, 4, 0.2), (30, 12, 0.1), (26, 2, 0.6)]
)
def test_forecasts_and_weights_are_those_of_the_procedure_written_out(patients, responders, lacking):
    values, labels = data(patients, responders, lacking=lacking, seed=2)
    new, _ = data(9, 3, seed=3, lacking=0.4)
    fitted = LateFusion(BLOCKS, penalty=0.5).fit(values, labels)
    expected, weights = written_out(values, labels, new, BLOCKS, 0.5)
    assert weights.any()
    np.testing.assert_allclose(fitted.weights_, weights / weights.sum(), atol=1e-6)
    np.testing.assert_allclose(fitted.decision_function(new), expected, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(6, 12), st.integers(2, 4), st.floats(0, 0.7))
@settings(max_examples=15, deadline=None)
def test_any_small_shape_gives_what_the_procedure_written_out_gives(seed, patients, responders, lacking):
    values, labels = data(patients, responders, seed=seed, lacking=lacking, effect=seed % 3)
    fitted = LateFusion(BLOCKS).fit(values, labels)
    expected, weights = written_out(values, labels, values, BLOCKS, 1.0)
    np.testing.assert_allclose(fitted.weights_ * weights.sum(), weights, atol=1e-6)
    if not ((weights > 0) & (weights < 1e-6)).any():  # a gain that is rounding decides nothing
        np.testing.assert_allclose(fitted.decision_function(values), expected, atol=1e-5)


@given(st.integers(0, 10_000), st.integers(5, 12), st.booleans())
@settings(max_examples=20, deadline=None)
def test_all_labellings_at_once_are_fitted_as_each_alone(seed, patients, several_rows):
    values, labels = data(patients, 2, seed=seed)
    patient = np.arange(patients) // 2 if several_rows else None
    if patient is not None:
        labels = np.isin(patient, [0, 1])
    labellings = np.array([labels, ~labels, labels[patient[::-1]] if several_rows else np.roll(labels, 1)])
    labellings = labellings[[0 < row.sum() < patients for row in labellings]]
    together = LateFusion(BLOCKS).fit_many(values, labellings, patient).decision(values)
    for row, labelling in enumerate(labellings):
        alone = LateFusion(BLOCKS).fit(values, labelling, patient).decision_function(values)
        np.testing.assert_allclose(together[row], alone, atol=1e-7)


def test_blocks_and_columns_in_another_order_give_the_same_forecasts():
    values, labels = data()
    order = np.array([3, 2, 0, 4, 1])
    place = np.argsort(order)
    moved = tuple(tuple(int(place[column]) for column in block) for block in reversed(BLOCKS))
    np.testing.assert_allclose(
        LateFusion(moved).fit(values[:, order], labels).predict_proba(values[:, order]),
        LateFusion(BLOCKS).fit(values, labels).predict_proba(values),
        atol=1e-9,
    )


def test_a_patient_who_lacks_a_block_is_forecast_by_the_others():
    values, labels = data(30, 12, lacking=0.0)
    values[:, 2] += 2 * labels
    fitted = LateFusion(((0, 1), (2, 4))).fit(values, labels)
    assert (fitted.weights_ > 0).all()
    assert fitted.weights_.sum() == pytest.approx(1)
    whole, other = values[:1].copy(), values[:1].copy()
    other[:, [2, 4]] = np.nan
    alone = RidgeLogistic().fit(values[:, :2], labels).decision_function(whole[:, :2])
    np.testing.assert_allclose(fitted.decision_function(other), alone, atol=1e-9)
    assert abs(fitted.decision_function(whole) - alone) > 0.01


def test_the_joined_weights_forecast_a_patient_who_has_every_block():
    values, labels = data(30, 12, lacking=0.0)
    values[:, 2] += 2 * labels
    fitted = LateFusion(BLOCKS).fit(values, labels)
    whole = values[1:]
    joined = fitted.intercept_ + (whole - fitted.centre_) / fitted.scale_ @ fitted.coef_[0]
    np.testing.assert_allclose(fitted.decision_function(whole), joined, atol=1e-9)


def test_a_patient_without_any_block_and_a_fusion_that_gains_nothing_forecast_the_share_of_responders():
    values, labels = data(12, 4)
    nobody = LateFusion(BLOCKS).fit(values, labels).predict_proba(np.full((1, 5), np.nan))
    np.testing.assert_allclose(nobody, [[8 / 12, 4 / 12]], rtol=1e-12)
    constant = LateFusion(BLOCKS).fit(np.zeros((12, 5)), labels)
    np.testing.assert_array_equal(constant.weights_, 0.0)
    np.testing.assert_array_equal(constant.coef_, 0.0)
    np.testing.assert_allclose(constant.predict_proba(values), [[8 / 12, 4 / 12]] * 12, rtol=1e-12)


def test_a_block_that_nobody_has_or_only_one_class_has_plays_no_part():
    values, labels = data(14, 5, lacking=0.0, effect=3.0)
    values[:, 3] = np.nan
    values[np.ix_(~labels, [2, 4])] = np.nan  # only responders have it
    fitted = LateFusion(BLOCKS).fit(values, labels)
    assert fitted.weights_.tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(
        fitted.predict_proba(values), RidgeLogistic().fit(values[:, :2], labels).predict_proba(values[:, :2]), atol=1e-9
    )


def test_a_block_that_one_patient_has_gains_nothing():
    values = np.full((8, 1), np.nan)
    values[3] = 1.0
    labels = np.arange(8) < 3
    assert block_gain(values, labels[None, :], inner_splits(labels), penalty=1.0).tolist() == [0.0]


def test_the_block_that_tells_more_weighs_more():
    generator = np.random.default_rng(5)
    values, labels = generator.normal(size=(80, 3)), np.arange(80) < 30
    values[:, 0] += 2 * labels
    values[:, 1] += labels
    weights = LateFusion(((0,), (1,), (2,))).fit(values, labels).weights_
    assert weights[0] > weights[1] > weights[2]


def test_without_blocks_all_columns_are_one():
    values, labels = data(12, 4)
    np.testing.assert_array_equal(
        LateFusion().fit(values, labels).predict_proba(values),
        LateFusion((tuple(range(5)),)).fit(values, labels).predict_proba(values),
    )


def test_rows_of_a_patient_are_left_out_together():
    values, labels = data(12, 4)
    patient = np.repeat(np.arange(6), 2)
    labels = np.isin(patient, [1, 4])
    fitted = LateFusion(BLOCKS).fit_many(values, labels[None, :], patient)
    splits = inner_splits(labels, patient=patient)
    assert len(splits) == 6
    assert fitted.weights[0, 0] == block_gain(values[:, [0, 1]], labels[None, :], splits, penalty=1.0)[0]


def test_what_is_learnt_is_in_the_parameters():
    values, labels = data(12, 4)
    fitted = LateFusion(BLOCKS).fit_many(values, labels[None, :])
    for part in (fitted.weights.ravel(), fitted.prevalence, *(model.parameters for model in fitted.models)):
        assert np.isin(part, fitted.parameters).all()
    one, other = LateFusion(BLOCKS).fit(values, labels), LateFusion(BLOCKS).fit(values[1:], labels[1:])
    assert not np.array_equal(learnt(one), learnt(other))


@pytest.mark.parametrize("blocks", [(), ((),), ((0, 1), ()), ((0, 1), (1, 2))])
def test_blocks_that_are_empty_or_overlap_are_refused(blocks):
    values, labels = data()
    with pytest.raises(PredictionError, match="one column each at least, and no column twice"):
        LateFusion(blocks).fit(values, labels)


def test_a_block_of_a_column_that_is_not_there_is_refused():
    values, labels = data()
    with pytest.raises(PredictionError, match="not there; columns are 0 to 4"):
        LateFusion(((0,), (5,))).fit(values, labels)


def test_a_penalty_must_be_positive():
    values, labels = data()
    with pytest.raises(PredictionError, match="penalty must be above 0"):
        LateFusion(penalty=0.0).fit(values, labels)


@parametrize_with_checks([LateFusion()])
def test_it_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)
