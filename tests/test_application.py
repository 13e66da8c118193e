"""Frozen models on other patients."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.application import predict_study, training_distance
from rabiomarkers.errors import InputError
from rabiomarkers.predict.design import Design
from rabiomarkers.store import Store
from rabiomarkers.study import open_study


@pytest.fixture
def predict(finished, own_workspace, trial):
    """Apply the models of the (own copy of the) results to a study; its steps are computed already."""

    def call(study=trial):
        store = Store(own_workspace / ".rabiomarkers" / "store")
        return predict_study(own_workspace / "results", open_study(study), store, own_workspace / "next.csv")

    return call


def test_every_patient_has_a_row_for_every_model(predict, trial, own_workspace):
    table = predict()
    patients = list(pd.read_csv(trial / "patients.csv")["patient_id"])
    assert sorted(table["patient_id"]) == sorted(patients * 2)
    assert table["probability"].dropna().between(0, 1).all()
    assert table["note"].str.len().gt(0).all()
    pd.testing.assert_frame_equal(pd.read_csv(own_workspace / "next.csv"), table, check_dtype=False)


def test_a_model_finds_the_patients_it_was_trained_on_at_home(predict):
    """Standardised by their own mean and SD the training values have a root mean square of about 1."""
    distances = predict()["distance"].dropna()
    assert distances.mean() == pytest.approx(1.0, abs=0.35)


def test_the_probability_is_that_of_the_frozen_coefficients(predict, own_workspace):
    """By hand: expit(intercept + sum of coefficient times (value - centre) / scale), for a patient who lacks nothing."""
    table = predict().query("model == 'ridge_change'").set_index("patient_id")
    (model,) = [
        model
        for model in json.loads((own_workspace / "results" / "models" / "frozen.json").read_text())
        if model["name"] == "ridge_change"
    ]
    deltas = pd.read_parquet(own_workspace / "results" / "deltas.parquet")
    deltas["column"] = deltas["compartment"] + ":" + deltas["feature"]
    wide = deltas.pivot(index="patient_id", columns="column", values="change")[model["features"]].dropna()
    standardised = (wide - np.array(model["centres"])) / np.array(model["scales"])
    decision = model["intercept"] + standardised @ np.array(model["coefficients"])
    expected = 1 / (1 + np.exp(-decision))
    np.testing.assert_allclose(table.loc[wide.index, "probability"], expected, rtol=1e-9)


def test_a_model_whose_features_were_not_measured_is_refused_with_the_reason(predict, own_trial):
    sheet = pd.read_csv(own_trial / "samples.csv", dtype=str)
    sheet[sheet["compartment"] == "faecal"].to_csv(own_trial / "samples.csv", index=False)
    table = predict(own_trial)
    assert table["probability"].isna().all()
    assert table["note"].str.contains("was measured in no patient").all()


def test_a_patient_without_the_models_samples_has_the_reason(predict, own_trial):
    sheet = pd.read_csv(own_trial / "samples.csv", dtype=str)
    first = sorted(sheet["patient_id"])[0]
    sheet[(sheet["patient_id"] != first) | (sheet["compartment"] == "faecal")].to_csv(
        own_trial / "samples.csv", index=False
    )
    rows = predict(own_trial).query("patient_id == @first")
    assert rows["probability"].isna().all()
    assert rows["note"].eq("none of the model's features was measured in this patient").all()


def test_a_model_that_could_not_be_fitted_is_named(predict, own_workspace):
    path = own_workspace / "results" / "models" / "frozen.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    table = predict()
    assert table["note"].iloc[-1].startswith("not applied: ")


def test_a_folder_in_place_of_the_csv_is_told(finished, trial, tmp_path):
    with pytest.raises(InputError, match="a folder; a CSV file"):
        predict_study(finished, open_study(trial), Store(tmp_path / "s"), tmp_path)


def test_nothing_is_fitted_or_written_to_the_results(predict, own_workspace):
    before = {path: path.read_bytes() for path in (own_workspace / "results").rglob("*") if path.is_file()}
    predict()
    assert {path: path.read_bytes() for path in before} == before


def test_the_distance_is_taken_over_the_features_a_patient_has():
    model = {"features": ["a", "b"], "centres": [1.0, 0.0], "scales": [2.0, 1.0]}
    matrix = pd.DataFrame({"a": [3.0, 1.0], "b": [np.nan, 4.0]}, index=["P1", "P2"])
    design = Design(
        feature_set="baseline", matrix=matrix, units={}, labels=pd.Series(dtype=bool), left_out=(), refused=()
    )
    # P1: (3 - 1) / 2 = 1; P2: root of (0 + 16) / 2
    np.testing.assert_allclose(training_distance(model, design), [1.0, 8**0.5])


def test_copying_results_takes_the_models_along(predict, own_workspace, tmp_path, trial):
    shutil.copytree(own_workspace / "results", tmp_path / "copied")
    store = Store(own_workspace / ".rabiomarkers" / "store")
    table = predict_study(tmp_path / "copied", open_study(trial), store, tmp_path / "next.csv")
    pd.testing.assert_frame_equal(table, predict())
