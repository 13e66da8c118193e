import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.design import Design
from rabiomarkers.predict.frozen import apply_frozen, design_digest, freeze
from rabiomarkers.predict.ridge import RidgeLogistic

COLUMNS = ["tumour:A", "blood:B"]


def design(values, labels=(), columns=COLUMNS, units=("rank score", "log2 ratio"), feature_set="baseline"):
    index = pd.Index([f"P{place}" for place in range(len(values))], name="patient_id")
    return Design(
        feature_set=feature_set,
        matrix=pd.DataFrame(values, index=index, columns=columns, dtype=float),
        units=dict(zip(columns, units, strict=True)),
        labels=pd.Series(labels, index=index if len(labels) else None, dtype=bool),
        left_out=(),
        refused=(),
    )


@pytest.fixture
def training():
    values = np.random.default_rng(8).normal(size=(10, 2))
    values[4, 1] = np.nan
    return design(values, np.arange(10) < 3)


@pytest.fixture
def model(training):
    return json.loads(json.dumps(freeze("ridge_baseline", training, penalty=1.0)))


def test_a_model_gives_the_same_probabilities_after_a_way_through_json(training, model):
    direct = RidgeLogistic(penalty=1.0).fit(training.matrix, training.labels).predict_proba(training.matrix)[:, 1]
    np.testing.assert_allclose(apply_frozen(model, training), direct, atol=1e-12)


def test_it_says_where_it_comes_from(training, model):
    assert (model["n"], model["responders"]) == (10, 3)
    assert model["features"] == COLUMNS
    assert model["fill_values"] == model["centres"]
    assert model["training_digest"] == design_digest(training)
    assert len(model["training_digest"]) == 64
    assert not any("P0" in str(value) for value in model.values())


def test_the_digest_changes_with_a_value_and_a_label(training):
    values = training.matrix.to_numpy()
    labels = training.labels.to_numpy()
    other = values.copy()
    other[0, 0] += 1e-9
    digests = {design_digest(one) for one in (training, design(other, labels), design(values, ~labels))}
    assert len(digests) == 3


def test_a_missing_value_is_filled_with_the_training_mean(model):
    filled = apply_frozen(model, design([[0.1, model["centres"][1]]]))
    missing = apply_frozen(model, design([[0.1, np.nan], [0.1, 5.0]]))
    assert missing.iloc[0] == filled.iloc[0]


def test_further_features_and_their_order_play_no_part(model):
    plain = apply_frozen(model, design([[0.1, 0.2]]))
    other = design([[7.0, 0.2, 0.1]], columns=["x:C", *COLUMNS[::-1]], units=("u", "log2 ratio", "rank score"))
    assert apply_frozen(model, other).tolist() == plain.tolist()


def test_what_does_not_fit_is_named_all_at_once(model):
    other = design([[0.1, np.nan]], units=("log2 CPM", "log2 ratio"), feature_set="change")
    with pytest.raises(PredictionError) as error:
        apply_frozen(model, other)
    assert str(error.value) == (
        "Model ridge_baseline cannot be applied: it takes baseline values, these are change values; tumour:A is in log2 CPM, "
        "the model was trained in rank score; blood:B was measured in no patient."
    )


def test_another_format_is_refused(model):
    with pytest.raises(PredictionError, match="no frozen model this version can read"):
        apply_frozen({**model, "format": "other"}, design([[0.1, 0.2]]))


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=5))
def test_probabilities_stay_between_0_and_1_and_none_depends_on_another_patient(values):
    labels = np.arange(6) < 2
    frozen = freeze("any", design(np.arange(12.0).reshape(6, 2) ** 1.5, labels), penalty=1.0)
    together = apply_frozen(frozen, design(values))
    assert together.between(0, 1).all()
    assert apply_frozen(frozen, design(values[:1])).iloc[0] == pytest.approx(together.iloc[0], abs=1e-12)
