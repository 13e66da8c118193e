from typing import get_args

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.guards import guard
from rabiomarkers.predict.learners import learner_of
from rabiomarkers.predict.registry import MODELS, ModelKind, build_model
from rabiomarkers.predict.validate import validate
from rabiomarkers.settings.prediction import ModelSettings

COLUMNS = ("before tumour:CYT", "change tumour:CYT", "before blood:NLR", "change faecal:shannon")
EACH_OPTION = {
    "ridge": {"penalty": 2.0},
    "ridge_nested": {"penalties": [0.1, 1], "inner": 3},
    "elastic_net": {"penalty": 0.2, "l1_ratio": 0.5},
    "fusion": {"penalty": 0.5, "inner": "auto"},
    "boosting": {"trees": 10, "leaves": 3, "learning_rate": 0.2, "seed": 7},
}


def columns_for(kind):
    return COLUMNS[: MODELS[kind].most_columns]


def cohort(kind, seed=0):
    patients = max(MODELS[kind].least_patients, 12)
    generator = np.random.default_rng(seed)
    values, labels = generator.normal(size=(patients, len(columns_for(kind)))), np.arange(patients) < patients // 3
    values[:, 0] += 2 * labels
    values[generator.random(values.shape) < 0.1] = np.nan
    return values, labels


def test_the_kinds_of_the_settings_are_those_of_the_registry():
    assert set(get_args(ModelSettings.model_fields["kind"].annotation)) == set(MODELS)


@pytest.mark.parametrize("kind", MODELS)  # a new kind is tested by being registered
def test_every_kind_forecasts_probabilities_where_values_are_missing(kind):
    values, labels = cohort(kind)
    fitted = build_model(kind, columns_for(kind), {}).fit(values, labels)
    probability = fitted.predict_proba(np.vstack([values, np.full(values.shape[1], np.nan)]))
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert MODELS[kind].words


@pytest.mark.parametrize("kind", sorted(set(MODELS) - {"boosting"}))
def test_every_kind_can_be_validated_and_passes_the_guards(kind):
    values, labels = cohort(kind)
    values, labels = values[:9], np.arange(9) < 3
    estimator = build_model(kind, columns_for(kind), {})
    found = validate(values, labels, learner_of(estimator), permutations=1, seed=1)
    assert found.p_total == 84
    assert found.null_mean == pytest.approx(
        0.5, abs=1e-9
    )  # each pair is left out with either label, trained on the same others
    assert guard(estimator, values, labels, seed=1).findings == []


@pytest.mark.parametrize("kind", MODELS)
def test_the_order_of_the_patients_plays_no_part(kind):
    values, labels = cohort(kind)
    order = np.random.default_rng(1).permutation(len(labels))
    if kind in (
        "ridge_nested",
        "fusion",
    ):  # their inner folds are by position where patients are many, else leave-one-out
        assert len(labels) < 20
    first = build_model(kind, columns_for(kind), {}).fit(values, labels).predict_proba(values)
    other = build_model(kind, columns_for(kind), {}).fit(values[order], labels[order]).predict_proba(values)
    np.testing.assert_allclose(other, first, atol=1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_the_options_reach_the_model(kind):
    options = EACH_OPTION.get(kind, {})
    assert set(options) == set(MODELS[kind].options)  # a new option is tested by being named above
    settings = build_model(kind, columns_for(kind), options).get_params()
    known = {"trees": "max_iter", "leaves": "max_leaf_nodes", "seed": "random_state"}
    for name, value in options.items():
        expected = tuple(value) if isinstance(value, list) else value
        assert settings[known.get(name, name)] == expected


def test_fusion_joins_compartments_whatever_the_timepoint():
    assert build_model("fusion", COLUMNS, {}).blocks == ((2,), (3,), (0, 1))  # blood, faecal, tumour
    assert build_model("fusion", ("tumour:B", "blood:a:b", "tumour:A"), {}).blocks == ((1,), (0, 2))


def test_anything_with_fit_and_predict_proba_can_be_registered(monkeypatch):
    plain = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    monkeypatch.setitem(MODELS, "plain", ModelKind(build=lambda columns, options: plain, words="a pipeline"))
    values, labels = np.random.default_rng(1).normal(size=(7, 2)), np.arange(7) < 2
    estimator = build_model("plain", ("tumour:A", "blood:B"), {})
    found = validate(values, labels, learner_of(estimator), permutations=1, seed=1)
    assert found.p_total == 21
    assert found.null_mean == pytest.approx(0.5, abs=1e-9)
    assert guard(estimator, values, labels, seed=1).findings == []


def test_an_unknown_kind_is_refused_with_those_there_are():
    with pytest.raises(
        PredictionError, match=r"no kind of model 'forest'; there are boosting, elastic_net, .*signature"
    ):
        build_model("forest", COLUMNS, {})


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("ridge", {"lambda": 1.0}, r"'lambda' is not one\. It takes penalty \(a number above 0, on the mean loss\)\."),
        ("ridge", {"penalty": "1"}, "penalty is '1'"),
        ("ridge", {"penalty": 0}, "penalty is 0"),
        ("ridge", {"penalty": True}, "penalty is True"),
        ("ridge", {"penalty": float("nan")}, "penalty is nan"),
        ("ridge_nested", {"penalties": []}, r"penalties is \[\]"),
        ("ridge_nested", {"penalties": (1.0, -1.0)}, "penalties is"),
        ("ridge_nested", {"inner": 1}, "inner is 1"),
        ("fusion", {"inner": "all", "blocks": 3}, "'blocks' is not one; inner is 'all'"),
        ("elastic_net", {"l1_ratio": 1.5}, "l1_ratio is 1.5"),
        ("boosting", {"trees": 2.5}, "trees is 2.5"),
        ("boosting", {"leaves": 1, "seed": -1}, "leaves is 1; seed is -1"),
        ("firth", {"penalty": 1.0}, r"'penalty' is not one\. firth takes none\."),
    ],
)
def test_options_that_a_kind_does_not_take_are_told(kind, options, told):
    with pytest.raises(PredictionError, match=told):
        build_model(kind, columns_for(kind), options)


def test_a_signature_takes_one_feature_and_the_others_one_at_least():
    with pytest.raises(PredictionError, match="kind signature takes 1 at most of the features; it was given 4"):
        build_model("signature", COLUMNS, {})
    with pytest.raises(PredictionError, match="kind ridge takes 1 at least of the features; it was given 0"):
        build_model("ridge", (), {})
