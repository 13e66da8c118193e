import numpy as np
import pandas as pd
import pytest

from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.predict.design import design_matrix
from rabiomarkers.predict.frozen import apply_frozen
from rabiomarkers.predict.models import fit_models, model_step, verdict
from rabiomarkers.predict.validate import Validation

CONTRACT = {
    "name",
    "feature_set",
    "n",
    "responders",
    "auc",
    "auc_method",
    "p_value",
    "p_count",
    "p_total",
    "null_mean",
    "brier",
    "verdict",
}
PLAN = {"contrast": ("pre", "post"), "names": ["F*"]}


def fit(tables, **options):
    return fit_models(tables.features, tables.deltas, tables.outcomes, **{**PLAN, **options})


def validation(**changes):
    numbers = {"auc": 0.6, "p_count": 45, "p_total": 120, "p_floor": 1 / 120, "null_mean": 0.5, "null": np.array([0.6])}
    return Validation(auc_method="leave-pair-out", **(numbers | changes))


def test_both_models_have_every_number_of_the_contract(make_study):
    results = fit(make_study())
    assert [model["name"] for model in results.models] == ["ridge_baseline", "ridge_change"]
    for model in results.models:
        assert set(model) >= CONTRACT
        assert (model["n"], model["responders"], model["p_total"]) == (10, 3, 120)
        assert model["null_mean"] == pytest.approx(0.5, abs=1e-12)
        assert model["riley_n"] == 323
    assert len(results.predictions) == 20
    assert results.permutations.groupby("model").size().to_dict() == {"ridge_baseline": 120, "ridge_change": 120}


def test_noise_is_not_told_from_chance_and_a_strong_feature_is(make_study):
    noise = fit(make_study(effect=0.0)).models[0]
    assert noise["verdict"] == f"not distinguishable from chance at n = 10 (p = {noise['p_count']}/120)"
    planted = fit(make_study(effect=6.0, features=1)).models[0]
    assert planted["auc"] == 1.0
    assert planted["separable"]
    # 2, not 1: calling the three lowest patients responders separates as well, as a model learns the direction
    assert planted["verdict"].startswith(
        "better than chance in this cohort (p = 2/120), exploratory: 10 of the 323 patients a stable model needs"
    )
    assert planted["verdict"].endswith("; 2 models were tested, and p is of this one alone")


def test_no_auc_of_pooled_probabilities_is_reported(make_study):
    results = fit(make_study())
    assert not any("pooled" in str(model).lower() for model in results.models)


@pytest.mark.parametrize(
    ("patients", "responders", "told"),
    [
        (10, 0, "not estimable: no responders among 10 patients"),
        (10, 10, "not estimable: all 10 patients responded"),
        (10, 1, "not estimable: one responder among 10 patients; two of each kind are needed, as a pair is left out"),
        (
            10,
            9,
            "not estimable: one non-responder among 10 patients; two of each kind are needed, as a pair is left out",
        ),
        (1, 1, "not estimable: the only patient responded"),
    ],
)
def test_too_few_of_a_kind_is_a_verdict_and_no_number(make_study, patients, responders, told):
    results = fit(make_study(patients=patients, responders=responders))
    for model in results.models:
        assert model["verdict"] == told
        assert model["auc"] is None
        assert model["p_value"] is None
        assert model["brier"] is None
    assert results.predictions.empty
    assert results.permutations.empty
    assert results.frozen == []


def test_constant_features_are_a_verdict(make_study):
    tables = make_study()
    constant = tables.features.assign(value=0.1)
    model = fit_models(constant, tables.deltas, tables.outcomes, **PLAN).models[0]
    assert model["verdict"] == "not estimable: no feature varies between the 10 patients"
    assert model["auc"] is None


def test_features_that_were_not_measured_are_a_verdict(make_study):
    model = fit(make_study(), names=["RA_RESPONSE_CORE"]).models[0]
    assert model["verdict"] == "not estimable: none of the features named in the plan was measured"
    assert model["refused"] == [{"feature": "RA_RESPONSE_CORE", "reason": "not measured in any patient"}]


def test_no_pair_is_a_verdict_of_the_change_model_only(make_study):
    tables = make_study()
    results = fit_models(tables.features, tables.deltas.iloc[:0], tables.outcomes, **PLAN)
    assert results.models[0]["auc"] is not None
    assert results.models[1]["verdict"] == "not estimable: none of the features named in the plan was measured"


def test_few_patients_cannot_reach_significance_and_the_verdict_says_so(make_study):
    model = fit(make_study(patients=5, responders=2)).models[0]
    assert model["p_total"] == 10
    assert model["p_floor"] >= 0.1
    assert model["verdict"].startswith(
        "not testable: 2 responders among 5 patients cannot reach 0.05, the smallest possible p"
    )


def test_verdict_counts_patients_against_those_needed():
    assert (
        verdict(validation(), n=10, responders=3, riley_n=323)
        == "not distinguishable from chance at n = 10 (p = 45/120)"
    )
    small = verdict(validation(p_count=1), n=10, responders=3, riley_n=323)
    assert small == (
        "better than chance in this cohort (p = 1/120), exploratory: 10 of the 323 patients a stable model needs"
    )
    large = verdict(validation(p_count=1), n=400, responders=120, riley_n=323)
    assert large.endswith("exploratory: 400 patients, 323 are needed")


def test_a_patient_missing_a_feature_stays_in(make_study):
    tables = make_study(features=3)
    gap = (tables.features["patient_id"] == "P04") & (tables.features["feature"] == "F1")
    results = fit_models(tables.features[~gap], tables.deltas, tables.outcomes, **PLAN)
    assert results.models[0]["n"] == 10
    assert results.models[0]["missing_values"] == 1


def test_the_order_of_rows_plays_no_part(make_study):
    tables = make_study()
    shuffled = [frame.sample(frac=1, random_state=3) for frame in (tables.features, tables.deltas, tables.outcomes)]
    first, again = fit(tables), fit_models(*shuffled, **PLAN)
    assert first.models == again.models
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    pd.testing.assert_frame_equal(first.permutations, again.permutations)
    assert first.frozen == again.frozen


def test_a_frozen_model_is_applied_to_patients_of_another_study(make_study):
    results = fit(make_study(effect=4.0))
    other = make_study(patients=4, responders=2, effect=4.0, seed=9)
    frozen = results.frozen[0]
    design = design_matrix(
        other.features, other.deltas, None, feature_set="baseline", contrast=("pre", "post"), names=frozen["features"]
    )
    probability = apply_frozen(frozen, design)
    assert probability[:2].min() > probability[2:].max()


def test_step_writes_the_same_bytes_twice(make_study, tmp_path):
    tables = make_study()
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("features", "deltas", "outcomes")}
    for name, path in inputs.items():
        write_table(getattr(tables, name), path)
    written = []
    for run in ("first", "second"):
        out = tmp_path / run
        out.mkdir()
        assert model_step(inputs, out, **PLAN, seed=1) == {"models": 2}
        written.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["frozen.json", "models.json", "permutations.parquet", "predictions.parquet"]
    models = read_json(tmp_path / "first" / "models.json")
    assert models == fit(tables).models
    assert len(read_table(tmp_path / "first" / "predictions.parquet")) == 20
