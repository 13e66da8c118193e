import csv
import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as peer_log_loss

from rabiomarkers.predict.performance import (
    auc_interval,
    calibration_table,
    decision_curve,
    decision_note,
    draw_patients,
    performance,
)
from rabiomarkers.predict.recalibration import recalibrate
from rabiomarkers.predict.ridge import fit_ridge
from rabiomarkers.predict.scores import brier_score, constant_forecast, log_loss
from rabiomarkers.predict.validate import out_of_fold, validate
from rabiomarkers.stats.intervals import clopper_pearson
from rabiomarkers.tables.predictions import CALIBRATION, DECISION_CURVE

TABLE = (Path(__file__).parents[1] / "reference" / "performance.csv").read_text()
RIDGE = partial(fit_ridge, penalty=1.0)


def of_r(statistic):
    """Values of R 4.2: glm, confint.default, pROC (tests/reference/performance.R)."""
    numbers = [
        [np.array(row[column].split(), dtype=float) for column in ("labels", "probability", "value")]
        for row in csv.DictReader(io.StringIO(TABLE))
        if row["statistic"] == statistic
    ]
    return [(labels == 1, probability, value) for labels, probability, value in numbers]


def simulated(n, *, slope=1.0, shift=0.0, seed=1):
    """Forecasts, and labels that follow log odds of shift + slope * those forecast."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(size=n)
    probability = 1 / (1 + np.exp(-odds))
    return generator.random(n) < 1 / (1 + np.exp(-shift - slope * odds)), probability


forecasts = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
        st.lists(st.integers(0, 20), min_size=n, max_size=n).map(lambda numbers: np.array(numbers) / 20),
    )
)


# ---- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("Brier"))
def test_the_brier_score_is_that_of_r(labels, probability, value):
    assert brier_score(labels, probability) == pytest.approx(value[0], abs=1e-12)


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("log loss"))
def test_the_log_loss_is_that_of_r(labels, probability, value):
    assert log_loss(labels, probability) == pytest.approx(value[0], abs=1e-12)


@given(forecasts)
def test_scores_are_those_of_scikit_learn(case):
    labels, probability = case
    assert brier_score(labels, probability) == pytest.approx(brier_score_loss(labels, probability, pos_label=True))
    inside = np.clip(probability, 1e-15, 1 - 1e-15)
    assert log_loss(labels, probability) == pytest.approx(peer_log_loss(labels, inside, labels=[False, True]))


def test_brier_scores_by_hand():
    labels = np.array([True, False, False, False])
    assert brier_score(labels, np.array([0.5, 0.5, 0.0, 0.0])) == 0.125
    # the responder is given 0 of 3, each other patient 1 of 3: (1 + 3/9) / 4
    assert brier_score(labels, constant_forecast(labels)) == pytest.approx(1 / 3)


def test_the_constant_forecast_is_that_of_a_model_without_features_validated_alike():
    """Where folds are drawn, leaving one out would make the reference worse than it is (0.263 instead of 0.25 for 20 v 20)."""
    for responders, n in ((3, 10), (20, 40), (70, 210)):
        labels = np.arange(n) < responders
        validated = out_of_fold(np.zeros((n, 1)), labels, RIDGE)
        assert brier_score(labels, constant_forecast(labels)) == pytest.approx(brier_score(labels, validated), abs=2e-3)


def test_one_certain_and_wrong_forecast_costs_a_finite_log_loss():
    assert log_loss(np.array([True, False]), np.array([0.0, 0.0])) == pytest.approx(-np.log(1e-15) / 2)


# ---- intervals -------------------------------------------------------------------------------------------------------


def validated(n=24, effect=1.0, seed=1):
    labels = np.arange(n) < n // 3
    values = np.random.default_rng(seed).normal(size=(n, 2)) + effect * labels[:, None]
    return labels, validate(values, labels, RIDGE, permutations=20, seed=1)


def test_the_interval_of_the_auc_is_a_bootstrap_of_patients_within_their_kind():
    """The same by a loop over draws, each drawn patient standing as often in the list as they are drawn."""
    labels, found = validated()
    drawn = draw_patients(labels, bootstraps=300, seed=3)
    aucs = []
    for responders, others in zip(*drawn, strict=True):
        rows, columns = np.repeat(np.arange(8), responders), np.repeat(np.arange(16), others)
        aucs.append(found.ordered[np.ix_(rows, columns)].mean())
    told = auc_interval(found.ordered, found.compared, drawn)
    assert [told["auc_low"], told["auc_high"]] == pytest.approx(np.quantile(aucs, [0.025, 0.975]), abs=1e-12)


def test_draws_keep_the_number_of_responders_and_the_seed():
    labels = np.arange(20) < 6
    responders, others = draw_patients(labels, bootstraps=50, seed=1)
    assert responders.shape == (50, 6)
    assert (responders.sum(axis=1) == 6).all()
    assert (others.sum(axis=1) == 14).all()
    assert (responders == draw_patients(labels, bootstraps=50, seed=1)[0]).all()
    assert (responders != draw_patients(labels, bootstraps=50, seed=2)[0]).any()


def test_pairs_that_were_compared_more_often_weigh_more():
    ordered, compared = np.array([[1.0, 0.0], [0.0, np.nan]]), np.array([[3, 1], [1, 0]])
    drawn = np.array([[1, 1]]), np.array([[1, 1]])
    told = auc_interval(ordered, compared, drawn)
    assert told["auc_low"] == told["auc_high"] == pytest.approx(3 / 5)


@pytest.mark.parametrize(("order", "word"), [(1.0, "rightly"), (0.0, "wrongly"), (0.5, "alike")])
def test_where_every_pair_is_ordered_alike_there_is_no_interval_without_a_null(order, word):
    labels = np.arange(10) < 3
    drawn = draw_patients(labels, bootstraps=9, seed=1)
    told = auc_interval(np.full((3, 7), order), np.ones((3, 7), dtype=int), drawn)
    assert (told["auc_low"], told["auc_high"]) == (None, None)
    assert f"every pair is ordered {word}" in told["interval_note"]


def test_the_interval_reaches_as_far_as_relabelled_patients_do():
    """Every pair is right, so the bootstrap has no width; 95 % of the null lie within 0.2 and 0.9."""
    labels = np.arange(10) < 3
    drawn = draw_patients(labels, bootstraps=9, seed=1)
    null = np.concatenate([np.full(50, 0.2), np.full(50, 0.9)])
    right, compared = np.ones((3, 7)), np.ones((3, 7), dtype=int)
    told = auc_interval(right, compared, drawn, null=null)
    assert (told["auc_low"], told["auc_high"]) == (pytest.approx(1 - 0.4), 1.0)
    assert auc_interval(right, compared, drawn, null=null[:19])["auc_low"] is None  # too few to tell their spread


@given(st.integers(0, 200))
@settings(max_examples=15)
def test_an_interval_that_leaves_out_one_half_has_a_small_p(seed):
    labels = np.arange(9) < 4
    values = np.random.default_rng(seed).normal(size=(9, 1)) + labels[:, None]
    found = validate(values, labels, RIDGE, permutations=1, seed=1)
    told = performance(labels, np.full(9, 0.4), found, bootstraps=50)
    if told["auc_low"] > 0.5:
        assert found.p_value <= 0.05


@pytest.mark.parametrize(("n", "start"), [(24, "rough: "), (30, "")])
def test_intervals_of_fewer_than_30_patients_are_called_rough(n, start):
    labels, found = validated(n)
    told = performance(labels, np.full(n, 1 / 3), found, bootstraps=50)
    assert told["interval_note"].startswith(start)
    assert bool(told["interval_note"]) == bool(start)


@given(st.integers(0, 500))
@settings(max_examples=10)
def test_intervals_hold_what_they_are_of(seed):
    labels, found = validated(seed=seed)
    told = performance(labels, np.random.default_rng(seed).random(24), found, bootstraps=400)
    assert told["brier_low"] <= told["brier"] <= told["brier_high"]
    if told["auc_low"] is not None:
        assert 0 <= told["auc_low"] <= found.auc <= told["auc_high"] <= 1


def test_the_interval_of_the_brier_score_is_about_what_its_standard_error_says():
    labels, probability = simulated(400)
    told = performance(labels, probability, bootstraps=4000)
    squares = (labels - probability) ** 2
    inside_kinds = sum(
        (squares[kind].var(ddof=1) * kind.mean() ** 2) / kind.sum() for kind in (labels, ~labels)
    )  # of a stratified mean
    assert told["brier_high"] - told["brier_low"] == pytest.approx(2 * 1.96 * np.sqrt(inside_kinds), rel=0.05)


def test_without_a_validation_the_auc_has_no_interval_and_all_facts_are_there():
    labels = np.arange(10) < 3
    told = performance(labels, constant_forecast(labels))
    assert (told["auc_low"], told["auc_high"], told["interval_note"]) == (None, None, "")
    assert told["brier"] == told["brier_constant"]
    assert told["log_loss"] == told["log_loss_constant"]
    assert told["calibration_slope"] is None
    assert "3 responders and 7 others, 20 of each are needed" in told["calibration_note"]


# ---- calibration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("intercept and 95 % interval"))
def test_calibration_in_the_large_is_that_of_r(labels, probability, value):
    told = recalibrate(labels, probability)
    assert [told.intercept, told.intercept_low, told.intercept_high] == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("slope and 95 % interval"))
def test_the_calibration_slope_is_that_of_r(labels, probability, value):
    told = recalibrate(labels, probability)
    assert [told.slope, told.slope_low, told.slope_high] == pytest.approx(value, abs=1e-8)
    assert told.note == ""


@given(st.integers(0, 300), st.floats(0.3, 3), st.floats(-1, 1))
@settings(max_examples=30)
def test_forecasts_that_are_recalibrated_have_intercept_0_and_slope_1(seed, slope, shift):
    labels, probability = simulated(300, slope=slope, shift=shift, seed=seed)
    odds = np.log(probability / (1 - probability))
    told = recalibrate(labels, probability)
    assert recalibrate(labels, 1 / (1 + np.exp(-odds - told.intercept))).intercept == pytest.approx(0, abs=1e-7)
    stretched = recalibrate(labels, 1 / (1 + np.exp(-told.slope * odds)))
    assert stretched.slope == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("sets", [150, pytest.param(2000, marks=pytest.mark.calibration)])
def test_intervals_of_a_calibrated_forecast_hold_0_and_1_as_often_as_they_say(sets):
    inside = np.zeros(2)
    for seed in range(sets):
        labels, probability = simulated(150, seed=seed)
        told = recalibrate(labels, probability)
        inside += [told.intercept_low <= 0 <= told.intercept_high, told.slope_low <= 1 <= told.slope_high]
    assert (inside / sets >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / sets)).all()


@pytest.mark.parametrize(("responders", "others"), [(19, 60), (60, 19), (0, 50), (3, 7)])
def test_calibration_of_few_patients_is_absent_with_the_reason(responders, others):
    labels = np.arange(responders + others) < responders
    told = recalibrate(labels, np.random.default_rng(1).random(len(labels)))
    assert (told.intercept, told.slope) == (None, None)
    assert told.note.startswith(f"calibration is not estimable: {responders} responders and {others} others")
    assert len(CALIBRATION.check(calibration_table(labels, np.full(len(labels), 0.5)).assign(model="m"))) == 0


def test_a_slope_of_equal_or_separating_forecasts_is_absent_with_the_reason():
    labels = np.arange(50) < 20
    alike = recalibrate(labels, np.full(50, 0.3))
    assert alike.intercept == pytest.approx(np.log(0.4 / 0.6) - np.log(0.3 / 0.7))
    assert (alike.slope, alike.note) == (None, "no calibration slope: all forecasts are alike")
    for probability in (np.where(labels, 0.9, 0.2), np.where(labels, 0.2, 0.9)):
        separating = recalibrate(labels, probability)
        assert separating.slope is None
        assert "separate responders from others" in separating.note


@given(forecasts)
def test_recalibration_gives_numbers_or_reasons_for_any_forecasts(case):
    labels, probability = np.tile(case[0], 20), np.tile(case[1], 20)
    told = recalibrate(labels, probability)
    assert (told.slope is None) == bool(told.note)
    numbers = [number for number in (told.intercept, told.slope, told.slope_low, told.slope_high) if number is not None]
    assert np.isfinite(numbers).all()


def test_groups_of_the_calibration_table_by_hand():
    labels, probability = simulated(100)
    table = CALIBRATION.check(calibration_table(labels, probability).assign(model="m"))
    assert table["group"].tolist() == list(range(1, 11))
    assert table["n"].tolist() == [10] * 10
    lowest = np.argsort(probability)[:10]
    assert table.loc[0, "forecast"] == pytest.approx(probability[lowest].mean())
    assert table.loc[0, "observed"] == pytest.approx(labels[lowest].mean())
    exact = clopper_pearson(int(labels[lowest].sum()), 10)
    assert (table.loc[0, "low"], table.loc[0, "high"]) == (exact.ci_low, exact.ci_high)


@given(forecasts, st.integers(0, 99))
@settings(max_examples=25)
def test_calibration_groups_hold_everybody_once_whatever_their_order(case, seed):
    labels, probability = np.tile(case[0], 20), np.tile(case[1], 20)
    order = np.random.default_rng(seed).permutation(len(labels))
    table = calibration_table(labels, probability)
    np.testing.assert_allclose(table, calibration_table(labels[order], probability[order]), atol=1e-12)
    if len(table):
        assert table["n"].sum() == len(labels)
        assert (table["n"] * table["observed"]).sum() == pytest.approx(labels.sum())
        assert table["forecast"].is_monotonic_increasing


# ---- decisions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("net benefit at 0.45"))
def test_the_net_benefit_is_that_counted_in_r(labels, probability, value):
    curve = decision_curve(labels, probability, thresholds=[0.45])
    assert curve["net_benefit"].tolist() == pytest.approx(value, abs=1e-12)


def test_net_benefit_by_hand():
    """Ten patients, four respond; at 0.2 six are treated, three respond: 3/10 - 3/10 * 1/4. Everybody: 4/10 - 6/10 * 1/4."""
    labels = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0]) == 1
    probability = np.array([0.9, 0.8, 0.2, 0.6, 0.5, 0.3, 0.1, 0.1, 0.1, 0.1])
    curve = decision_curve(labels, probability, thresholds=[0.2, 0.95, 0.05])
    assert DECISION_CURVE.check(curve.assign(model="m"))["threshold"].tolist() == [0.2]  # else all or nobody is treated
    assert curve.loc[0, "net_benefit"] == pytest.approx(0.225)
    assert curve.loc[0, "treat_all"] == pytest.approx(0.25)
    assert curve.loc[0, "treat_none"] == 0
    assert decision_curve(labels, probability, thresholds=[0.1, 0.9])["threshold"].tolist() == [0.9]  # one is treated


@given(forecasts)
def test_no_model_is_better_than_treating_exactly_those_who_respond(case):
    labels, probability = case
    curve = decision_curve(labels, probability)
    assert (curve["net_benefit"] <= labels.mean() + 1e-12).all()
    assert (curve["treat_all"] <= labels.mean()).all()
    assert curve["threshold"].is_monotonic_increasing


@pytest.mark.parametrize("labels", [np.zeros(5, dtype=bool), np.ones(5, dtype=bool)])
def test_patients_of_one_kind_and_forecasts_that_are_alike_have_no_decision_curve(labels):
    assert len(decision_curve(labels, np.linspace(0.1, 0.9, 5))) == 0
    curve = decision_curve(np.arange(5) < 2, np.full(5, 0.4))
    assert len(DECISION_CURVE.check(curve.assign(model="m"))) == 0


def test_a_decision_curve_of_few_patients_is_called_rough():
    assert decision_note(np.arange(10) < 3).startswith(
        "rough: 3 responders and 7 others; one patient moves the curve by 0.1"
    )
    assert decision_note(np.arange(60) < 30) == ""


def test_leaving_one_out_makes_a_model_that_knows_nothing_look_worse_than_treating_nobody():
    """Why the note says that the curve lies too low: at 0.3 the constant model treats all but the responders."""
    labels = np.arange(10) < 3
    curve = decision_curve(labels, constant_forecast(labels), thresholds=[0.3])
    assert curve.loc[0, "net_benefit"] == pytest.approx(-0.7 * 3 / 7)
