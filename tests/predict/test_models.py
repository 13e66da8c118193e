"""A model from its design to its facts."""

import json

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import PredictionError
from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.predict.collect import collect_step, fit_models
from rabiomarkers.predict.design import design_matrix, without_features
from rabiomarkers.predict.frozen import apply_frozen, read_frozen
from rabiomarkers.predict.models import FROZEN, ModelSpec, batches_of, fit_model, model_step
from rabiomarkers.tables.predictions import OF_A_MODEL

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
CONTRAST = ("pre", "post")
QUICK = {"bootstraps": 50}


def design_of(tables, feature_set="baseline", names=("F*",), **options):
    if feature_set == "none":
        return without_features(tables.outcomes)
    return design_matrix(
        tables.features,
        tables.deltas,
        tables.outcomes,
        feature_set=feature_set,
        contrast=CONTRAST,
        names=names,
        **options,
    )


def spec(name="ridge_baseline", kind="ridge", feature_set="baseline", primary=True, **options):
    return ModelSpec(name=name, kind=kind, feature_set=feature_set, options=options, primary=primary)


def fit(tables, model=None, **options):
    model = model or spec()
    return fit_model(model, design_of(tables, model.feature_set), **QUICK, **options)


def judged(tables, *models, **options):
    designs = {model.name: design_of(tables, model.feature_set) for model in models}
    return fit_models(designs, models, **QUICK, **options)


SEVERAL = (
    spec("intercept", "intercept", "none", primary=False),
    spec("ridge_baseline", penalty=1.0),
    spec("ridge_change", feature_set="change", primary=False),
    spec("ridge_both", feature_set="both", primary=False),
    spec("firth", "firth", primary=False),
    spec("fusion_both", "fusion", "both", primary=False),
)


@pytest.fixture
def several(make_study):
    return judged(make_study(), *SEVERAL)


def test_every_model_has_every_number_of_the_contract(several):
    assert [model["name"] for model in several.models] == [model.name for model in SEVERAL]
    for model in several.models:
        assert set(model) >= CONTRACT
        assert (model["n"], model["responders"]) == (10, 3)
        assert model["verdict"]
    for model in several.models[1:]:
        assert model["p_total"] == 120
        assert model["null_mean"] == pytest.approx(0.5, abs=1e-12)
        assert model["auc_low"] <= model["auc"] <= model["auc_high"]
        assert all(not guard["findings"] and guard["folds"] for guard in model["guards"])
    assert several.models[1]["riley_n"] == 323
    json.dumps(several.models)


def test_each_model_has_a_row_for_each_patient_and_each_relabelling(several):
    assert several.tables["predictions"].groupby("model").size().to_dict() == dict.fromkeys(
        (model.name for model in SEVERAL), 10
    )
    counts = several.tables["permutations"].groupby("model").size()
    assert counts.to_dict() == dict.fromkeys((model.name for model in SEVERAL[1:]), 120)
    assert set(several.frozen) == {model.name for model in SEVERAL[1:]}


def test_the_intercept_is_the_reference_and_no_test(several):
    intercept = several.models[0]
    assert intercept["verdict"].startswith("the reference: it knows only how many of the other patients respond")
    assert intercept["auc"] is intercept["p_value"] is intercept["p_corrected"] is None
    assert intercept["brier"] == intercept["brier_constant"] == several.models[1]["brier_constant"]


def test_p_of_models_that_are_not_primary_is_corrected_for_their_number(several):
    primary, *others = several.models[1:]
    assert primary["p_corrected"] is None
    ordered = sorted(others, key=lambda model: model["p_value"])
    expected, highest = [], 0.0
    for place, model in enumerate(ordered):  # Holm by hand
        highest = max(highest, min(1.0, model["p_value"] * (len(ordered) - place)))
        expected.append(highest)
    assert [model["p_corrected"] for model in ordered] == pytest.approx(expected)


def test_noise_is_not_told_from_chance_and_a_strong_feature_is(make_study):
    (noise,) = judged(make_study(effect=0.0), spec()).models
    assert noise["verdict"] == f"not distinguishable from chance at n = 10 (p = {noise['p_count']}/120)"
    planted = judged(make_study(effect=6.0, features=1), spec(), spec("second", primary=False)).models
    assert planted[0]["auc"] == 1.0
    # 2, not 1: calling the three lowest patients responders separates as well, as a model learns the direction
    assert planted[0]["verdict"] == (
        "better than chance in this cohort (p = 2/120), exploratory: 10 of the 323 patients a stable model needs; every left-out "
        "pair is ordered rightly, so how strong the effect is cannot be told"
    )
    assert planted[1]["verdict"].endswith("; corrected for 1 model that is not primary, p is 0.017")


def test_no_auc_of_pooled_probabilities_is_reported(several):
    assert not any("pooled" in str(model).lower() for model in several.models)


@pytest.mark.parametrize("model", SEVERAL, ids=lambda model: model.name)
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
def test_too_few_of_a_kind_is_a_verdict_and_no_number(make_study, model, patients, responders, told):  # C14
    result = fit(make_study(patients=patients, responders=responders), model)
    assert result.facts["verdict"] == told
    assert all(result.facts[number] is None for number in ("auc", "p_value", "brier", "auc_low", "log_loss"))
    assert all(table.empty for table in result.tables.values())
    assert result.frozen is None


def test_constant_features_are_a_verdict(make_study):
    tables = make_study()
    design = design_of(type(tables)(tables.features.assign(value=0.1), tables.deltas, tables.outcomes))
    facts = fit_model(spec(), design, **QUICK).facts
    assert facts["verdict"] == "not estimable: no feature varies between the 10 patients"
    assert facts["auc"] is None


@pytest.mark.parametrize("value", [1e200, -1e200, np.inf])
def test_values_that_no_measurement_gives_are_a_verdict(make_study, value):
    tables = make_study()
    design = design_of(tables)
    design.matrix.iloc[0, 0] = value
    facts = fit_model(spec(), design, **QUICK).facts
    assert facts["verdict"] == "not estimable: values beyond 1e+100 in tumour:F0, which no measurement gives"


def test_features_that_were_not_measured_are_a_verdict(make_study):
    facts = fit_model(spec(), design_of(make_study(), names=["RA_RESPONSE_CORE"])).facts
    assert facts["verdict"] == "not estimable: none of the features named in the plan was measured"
    assert facts["refused"] == [{"feature": "RA_RESPONSE_CORE", "reason": "not measured in any patient"}]


def test_no_pair_is_a_verdict_of_the_change_model_and_both_has_the_values_before(make_study):
    tables = make_study()
    alone = type(tables)(tables.features, tables.deltas.iloc[:0], tables.outcomes)
    change, both = judged(alone, *SEVERAL[2:4]).models
    assert change["verdict"] == (
        "not estimable: no patient has a pair of samples with any of the features named in the plan"
    )
    assert both["features"] == ["before tumour:F0", "before tumour:F1"]
    assert both["auc"] is not None


def test_few_patients_cannot_reach_significance_and_the_verdict_says_so(make_study):
    (model,) = judged(make_study(patients=5, responders=2), spec()).models
    assert model["p_total"] == 10
    assert model["p_floor"] >= 0.1
    assert model["verdict"].startswith(
        "not testable: 2 responders among 5 patients cannot reach 0.05, the smallest possible p"
    )


def test_a_kind_that_needs_many_patients_is_not_fitted_to_few(make_study):
    facts = fit(make_study(), spec("boosting", "boosting")).facts
    assert facts["verdict"] == "not estimable: boosting needs 200 patients, there are 10"


def test_a_kind_that_does_not_exist_is_refused(make_study):
    with pytest.raises(PredictionError, match="random_forest"):
        fit(make_study(), spec("forest", "random_forest"))


def test_a_patient_missing_a_feature_stays_in(make_study):
    tables = make_study(features=3)
    gap = (tables.features["patient_id"] == "P04") & (tables.features["feature"] == "F1")
    facts = fit(type(tables)(tables.features[~gap], tables.deltas, tables.outcomes)).facts
    assert (facts["n"], facts["missing_values"]) == (10, 1)


@pytest.mark.parametrize("model", SEVERAL, ids=lambda model: model.name)
def test_c12_the_order_of_rows_plays_no_part(make_study, model):
    tables = make_study()
    shuffled = [frame.sample(frac=1, random_state=3) for frame in (tables.features, tables.deltas, tables.outcomes)]
    first, again = fit(tables, model), fit(type(tables)(*shuffled), model)
    assert first.facts == again.facts
    for name in OF_A_MODEL:
        pd.testing.assert_frame_equal(first.tables[name], again.tables[name])


def test_each_batch_is_forecast_by_the_others(make_study):
    tables = make_study(patients=12, responders=6, features=1, effect=5.0)
    batches = pd.Series({f"P{place:02d}": "AB"[place % 2] for place in range(12)})
    result = fit(tables, batches=batches)
    rows = result.tables["batch_validation"]
    assert list(rows["batch"]) == ["A", "B"]
    assert rows["auc"].min() > 0.6
    assert result.facts["auc_left_out_batch"] == pytest.approx(rows["auc"].mean())
    assert fit(tables).facts["batch_note"] == "all patients are of one batch"


def test_the_batch_of_a_patient_is_that_of_their_samples():
    rows = [("P1", "A"), ("P1", "A"), ("P2", "B"), ("P2", "A")]
    samples = pd.DataFrame(rows, columns=["patient_id", "batch"])
    assert batches_of(samples).to_dict() == {"P1": "A", "P2": "A + B"}


def test_coefficients_are_those_of_the_model_fitted_to_all_patients(make_study):
    tables = make_study(effect=2.0)
    result = fit(tables)
    rows = result.tables["coefficients"].set_index("feature")
    values = design_of(tables).matrix
    odds = result.frozen.estimator.decision_function(values.to_numpy())
    by_hand = ((values - rows["centre"]) / rows["spread"]) @ rows["log_odds"]
    assert np.ptp(odds - by_hand) == pytest.approx(0.0, abs=1e-12)  # all but the intercept


def test_a_frozen_model_is_applied_to_patients_of_another_study(make_study):
    frozen = fit(make_study(effect=4.0)).frozen
    other = make_study(patients=4, responders=2, effect=4.0, seed=9)
    design = design_matrix(
        other.features, other.deltas, None, feature_set="baseline", contrast=CONTRAST, names=frozen.columns
    )
    probability = apply_frozen(frozen, design)
    assert probability[:2].min() > probability[2:].max()


@pytest.fixture
def inputs(make_study, tmp_path):
    tables = make_study()
    names = ("features", "deltas", "outcomes", "samples")
    found = {name: tmp_path / f"{name}.parquet" for name in names}
    for name in names[:3]:
        write_table(getattr(tables, name), found[name])
    write_table(tables.features[["patient_id"]].drop_duplicates().assign(batch="all"), found["samples"])
    return found


def run_step(inputs, out, **changes):
    model = {
        "name": "m",
        "kind": "ridge",
        "feature_set": "baseline",
        "features": [],
        "compartment": None,
        "options": {},
    }
    out.mkdir()
    options = {"primary": True, "planned": ["F*"], "contrast": list(CONTRAST), **QUICK}
    told = model_step(inputs, out, model=model | changes, **options)
    return told, {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_the_step_writes_the_same_bytes_twice(inputs, tmp_path):
    told, first = run_step(inputs, tmp_path / "first")
    _, second = run_step(inputs, tmp_path / "second")
    assert told == {"patients": 10, "estimated": True}
    assert first == second
    assert set(first) == {"model.json", FROZEN, *(f"{name}.parquet" for name in OF_A_MODEL)}
    assert read_frozen(tmp_path / "first" / FROZEN).columns == ("tumour:F0", "tumour:F1")
    assert read_json(tmp_path / "first" / "model.json")["options"] == {"penalty": 1.0}


def test_a_signature_takes_the_first_feature_of_the_plan_and_says_what_it_refused(inputs, tmp_path):
    run_step(inputs, tmp_path / "out", kind="signature")
    facts = read_json(tmp_path / "out" / "model.json")
    assert facts["features"] == ["tumour:F0"]
    assert facts["refused"] == [{"feature": "tumour:F1", "reason": "the model takes 1 features at most"}]


def test_the_options_of_a_model_come_before_those_of_all(inputs, tmp_path):
    _, weak = run_step(inputs, tmp_path / "weak", options={"penalty": 0.01})
    _, strong = run_step(inputs, tmp_path / "strong")
    assert weak["predictions.parquet"] != strong["predictions.parquet"]


def test_models_are_collected_side_by_side(inputs, tmp_path):
    files = {}
    for name, kind in (("b", "ridge"), ("a", "firth")):
        run_step(inputs, tmp_path / name, name=name, kind=kind)
        files |= {f"{name}:{path.stem}": path for path in (tmp_path / name).iterdir() if path.name != FROZEN}
    (tmp_path / "all").mkdir()
    assert collect_step(files, tmp_path / "all", names=["b", "a"]) == {"models": 2, "estimated": 2}
    assert [model["name"] for model in read_json(tmp_path / "all" / "models.json")] == ["b", "a"]
    assert list(read_table(tmp_path / "all" / "predictions.parquet")["model"].unique()) == ["b", "a"]
