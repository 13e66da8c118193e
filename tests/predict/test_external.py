import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.external import external_validation

TABLE = (Path(__file__).parents[1] / "reference" / "performance.csv").read_text()


def of_r(statistic):
    """Values of R 4.2: wilcox.test, pROC (tests/reference/performance.R)."""
    numbers = [
        [np.array(row[column].split(), dtype=float) for column in ("labels", "probability", "value")]
        for row in csv.DictReader(io.StringIO(TABLE))
        if row["statistic"] == statistic
    ]
    return [(labels == 1, probability, value[0]) for labels, probability, value in numbers]


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("AUC"))
def test_the_auc_is_that_of_r(labels, probability, value):
    assert external_validation(probability, labels)["auc"] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("labels", "probability", "value"), of_r("rank-sum p"))
def test_the_exact_p_is_that_of_r(labels, probability, value):
    told = external_validation(probability, labels)
    assert told["p_value"] == pytest.approx(value, rel=1e-10)
    assert told["p_value"] == told["p_count"] / told["p_total"]
    assert told["test"] == "exact rank-sum"


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=25)
def test_auc_and_p_are_those_of_two_other_libraries(responders, others, seed):
    labels = np.arange(responders + others) < responders
    probability = np.random.default_rng(seed).random(len(labels))
    told = external_validation(probability, labels, bootstraps=50)
    assert told["auc"] == pytest.approx(roc_auc_score(labels, probability))
    peer = mannwhitneyu(probability[labels], probability[~labels], method="exact")
    assert told["p_value"] == pytest.approx(peer.pvalue)
    assert told["p_floor"] <= told["p_value"]


@given(st.integers(0, 99))
@settings(max_examples=15)
def test_the_order_of_patients_changes_no_point_estimate(seed):
    generator = np.random.default_rng(seed)
    probability, labels = generator.random(30).round(1), generator.random(30) < 0.4
    order = generator.permutation(30)
    names = ("auc", "p_value", "brier", "log_loss", "expected_responders", "note")
    first, mixed = (
        external_validation(probability[take], labels[take], bootstraps=20) for take in (np.arange(30), order)
    )
    assert [first[name] for name in names] == pytest.approx([mixed[name] for name in names])


def test_forecasts_are_compared_with_the_response_rate_of_the_training_patients():
    labels, probability = np.array([True, False, False]), np.array([0.5, 0.5, 0.0])
    told = external_validation(probability, labels, training_rate=0.3)
    assert told["brier"] == pytest.approx(0.5 / 3)
    assert told["brier_constant"] == pytest.approx((0.49 + 2 * 0.09) / 3)
    assert told["log_loss"] == pytest.approx(2 * np.log(2) / 3)
    assert told["log_loss_constant"] == pytest.approx(-(np.log(0.3) + 2 * np.log(0.7)) / 3)
    assert told["expected_responders"] == 1.0
    unknown = external_validation(probability, labels)
    assert unknown["brier_constant"] is None
    assert "response rate of the training patients is not known" in unknown["note"]


def test_patients_without_a_forecast_are_counted_and_play_no_part():
    labels, probability = np.array([True, False, True, False]), np.array([0.8, 0.2, np.nan, np.nan])
    told = external_validation(probability, labels)
    assert (told["n"], told["responders"], told["without_forecast"], told["auc"]) == (2, 1, 2, 1.0)


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        ([], "no patient with a known response was forecast"),
        ([0, 0], "none of 2 patients responded"),
        ([1], "all 1 patients"),
    ],
)
def test_patients_of_one_kind_or_none_have_no_auc_but_the_reason(labels, note):
    told = external_validation(np.full(len(labels), 0.4), np.array(labels, dtype=bool), training_rate=0.3)
    assert (told["auc"], told["auc_low"], told["p_value"], told["auc_method"]) == (None, None, None, None)
    assert note in told["note"]
    assert (told["brier"] is None) == (len(labels) == 0)


def test_forecasts_that_are_alike_order_nobody():
    told = external_validation(np.full(10, 0.4), np.arange(10) < 3)
    assert (told["auc"], told["p_value"]) == (0.5, None)
    assert told["test"] == "not tested: all values are equal"
    assert "every pair is ordered alike" in told["interval_note"]


def test_what_is_told_can_be_written_as_json():
    """Numbers are plain and finite, absent ones None."""
    generator = np.random.default_rng(1)
    for n in (0, 1, 5, 60):
        probability = generator.random(n)
        told = external_validation(probability, generator.random(n) < probability, training_rate=0.4)
        assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_calibration_is_told_from_20_of_each_kind_on():
    generator = np.random.default_rng(3)
    probability = generator.random(90)
    labels = generator.random(90) < probability
    told = external_validation(probability, labels)
    assert told["calibration_slope_low"] < 1 < told["calibration_slope_high"]
    assert external_validation(probability[:20], labels[:20])["calibration_note"].startswith(
        "calibration is not estimable"
    )


def test_fewer_than_100_of_a_kind_settle_nothing():
    probability = np.random.default_rng(1).random(250)
    few, many = (np.arange(250) < responders for responders in (99, 100))
    assert "99 responders and 151 others; 100 of each" in external_validation(probability, few)["note"]
    assert external_validation(probability, many, training_rate=0.4)["note"] == ""


@pytest.mark.parametrize(
    ("probability", "labels", "rate", "message"),
    [
        ([0.1, 1.2], [True, False], None, "1 lie outside 0 to 1"),
        ([0.1], [True, False], None, "1 forecasts need as many labels; there are 2"),
        ([0.1, 0.2], [True, False], 1.0, "between 0 and 1; it is 1"),
    ],
)
def test_what_is_no_forecast_is_refused(probability, labels, rate, message):
    with pytest.raises(PredictionError, match=message):
        external_validation(np.array(probability), np.array(labels), training_rate=rate)
