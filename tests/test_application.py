"""Frozen models on other patients."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from rabiomarkers.application import COLUMNS, predict_study, validation_file
from rabiomarkers.errors import InputError, PredictionError, ResultsError
from rabiomarkers.files import read_json, write_json
from rabiomarkers.predict.design import design_matrix
from rabiomarkers.predict.frozen import freeze, read_frozen, write_frozen
from rabiomarkers.predict.ridge import RidgeLogistic
from rabiomarkers.results import open_results
from rabiomarkers.store import Store
from rabiomarkers.study import open_study

NAMES = ["RA_RESPONSE_CORE", "shannon"]


@pytest.fixture
def home(own_workspace):
    """An own copy of the trial's results with two ridge models, one of all patients, one of all but one."""
    folder = own_workspace / "results"
    results = open_results(folder)
    shutil.rmtree(folder / "models")
    (folder / "models").mkdir()
    for feature_set, patients in (("baseline", 6), ("both", 5)):
        design = design_matrix(
            results.features,
            results.deltas,
            results.outcomes.sort_values("responder")[-patients:],
            feature_set=feature_set,
            contrast=("pre", "post"),
            names=NAMES,
        )
        frozen = freeze(f"ridge_{feature_set}", design, RidgeLogistic(), kind="ridge")
        write_frozen(frozen, folder / "models" / f"{frozen.name}.skops")
    models = [
        {"name": "ridge_baseline", "feature_set": "baseline", "verdict": "not testable: too few"},
        {"name": "ridge_both", "feature_set": "both", "verdict": "better than chance"},
        {"name": "never_fitted", "feature_set": "change", "verdict": "not estimable: no responders"},
    ]
    write_json(results.summary | {"models": models}, folder / "summary.json")
    return folder


@pytest.fixture
def predict(home, own_workspace, trial):
    """Apply the models to a study; the steps of the trial are computed already."""

    def call(study=trial, out="next.csv"):
        store = Store(own_workspace / ".rabiomarkers" / "store")
        return predict_study(home, open_study(study), store, own_workspace / out)

    return call


@pytest.fixture
def others(own_trial):
    """The trial with an answer of everybody given, and another patient's samples left out: other patients by their digest."""

    def make(responses):
        for table in ("lesions.csv", "visits.csv", "followup.csv"):
            (own_trial / table).unlink(missing_ok=True)
        patients = pd.read_csv(own_trial / "patients.csv", dtype=str)
        patients["best_response"] = responses
        patients.to_csv(own_trial / "patients.csv", index=False)
        return own_trial

    return make


def without(trial, lost):
    """The sheet without the samples for which `lost` is true."""
    sheet = pd.read_csv(trial / "samples.csv", dtype=str)
    sheet[~lost(sheet)].to_csv(trial / "samples.csv", index=False)
    return trial


def test_every_patient_has_a_row_for_every_model(predict, trial, own_workspace):
    table = predict().predictions
    patients = list(pd.read_csv(trial / "patients.csv")["patient_id"])
    assert sorted(table["patient_id"]) == sorted([*patients * 2, ""])
    assert list(table.columns) == COLUMNS
    assert table["probability"].notna().sum() == 12
    assert table["probability"].dropna().between(0, 1).all()
    assert table["note"].str.len().gt(0).all()
    read = pd.read_csv(own_workspace / "next.csv", keep_default_na=False, na_values={"probability": [""]})
    assert read["patient_id"].tolist() == table["patient_id"].tolist()
    np.testing.assert_array_equal(read["probability"], table["probability"])


def test_the_probability_is_that_of_the_frozen_coefficients(predict, home):
    """By hand: expit(intercept + sum of coefficient times (value - centre) / scale), for patients who lack nothing."""
    model = read_frozen(home / "models" / "ridge_both.skops")
    table = predict().predictions.query("model == 'ridge_both'").set_index("patient_id")
    results = open_results(home)
    before = results.features.query("timepoint == 'pre'")
    parts = []
    for word, long, value in (("before ", before, "value"), ("change ", results.deltas, "change")):
        column = word + long["compartment"].astype(str) + ":" + long["feature"].astype(str)
        parts.append(long.assign(column=column).pivot(index="patient_id", columns="column", values=value))
    wide = pd.concat(parts, axis="columns")[list(model.columns)].dropna()
    assert len(wide) >= 3
    fitted = model.estimator
    decision = fitted.intercept_ + ((wide - fitted.centre_) / fitted.scale_) @ fitted.coef_[0]
    np.testing.assert_allclose(table.loc[wide.index, "probability"], 1 / (1 + np.exp(-decision)), rtol=1e-9)


def test_a_model_finds_the_patients_it_was_trained_on_at_home(predict):
    """Standardised by their own mean and SD the training values have a mean square of 1, where nothing is missing."""
    table = predict().predictions.query("model == 'ridge_baseline'")
    assert (table["distance"] ** 2).mean() == pytest.approx(1.0, abs=0.1)
    assert set(table["position"]) <= {"inside", "at the edge"}
    assert table["outside_range"].eq(0).all()


def test_patients_it_was_trained_on_are_recognised_and_validate_nothing(predict, own_workspace):
    applied = predict()
    notes = applied.predictions.groupby("model")["note"].agg(
        lambda notes: notes.str.contains("these very patients").all()
    )
    assert notes.to_dict() == {"ridge_baseline": True, "ridge_both": False, "never_fitted": False}
    validation = read_json(validation_file(own_workspace / "next.csv"))
    assert {known["model"]: known["trained_on_these_patients"] for known in validation} == {
        "ridge_baseline": True,
        "ridge_both": False,
    }
    assert any(line.endswith("so how well it does here says nothing") for line in applied.words)


def test_where_responses_are_known_the_validation_is_told_and_written(predict, others, own_workspace):
    responses = ["PR", "PD", "PR", "SD", "PD", "CR"]
    applied = predict(others(responses))
    (known,) = [
        known for known in read_json(own_workspace / "next.validation.json") if known["model"] == "ridge_baseline"
    ]
    table = applied.predictions.query("model == 'ridge_baseline'").sort_values("patient_id")
    truth = np.isin(responses, ["PR", "CR"])
    assert (known["n"], known["responders"], known["trained_on"]) == (6, 3, 6)
    forecast = table["probability"].to_numpy()
    assert known["auc"] == mannwhitneyu(forecast[truth], forecast[~truth]).statistic / 9
    assert known["brier"] == pytest.approx(np.mean((forecast - truth) ** 2))
    assert sum(known["positions"].values()) == 6
    line = next(line for line in applied.words if "known" in line)
    assert line.startswith(
        f"ridge_baseline: 3 responders among 6 patients whose response is known: AUC {known['auc']:.2f}"
    )


def test_no_line_of_the_terminal_names_a_patient_or_one_patients_number(predict, others):
    applied = predict(others(["PR", None, None, None, None, None]))
    words = " ".join(applied.words)
    assert not any(patient in words for patient in applied.predictions["patient_id"] if patient)
    assert not any(f"{value:.2f}" in words for value in applied.predictions["probability"].dropna())
    assert "1 of the patients with a probability have a known response, too few to say" in words


def test_where_no_response_is_known_there_is_no_validation_and_an_earlier_one_is_taken_away(
    predict, others, own_workspace
):
    stale = validation_file(own_workspace / "next.csv")
    stale.write_text("[]")
    assert predict(others([None] * 6)).validation == []
    assert not stale.exists()


def test_a_model_whose_features_were_not_measured_is_refused_with_the_reason(predict, own_trial):
    study = without(own_trial, lambda sheet: sheet["compartment"] == "tumour")
    applied = predict(study)
    table = applied.predictions
    assert table["probability"].isna().all()
    assert (
        table["note"][table["patient_id"] != ""]
        .str.contains("tumour:RA_RESPONSE_CORE was measured in no patient")
        .all()
    )
    assert applied.words[0].startswith(
        "ridge_baseline: no patient has a probability: Model ridge_baseline cannot be applied"
    )


def test_a_patient_without_the_models_samples_has_the_reason(predict, own_trial):
    first = sorted(pd.read_csv(own_trial / "samples.csv", dtype=str)["patient_id"])[0]
    table = predict(without(own_trial, lambda sheet: sheet["patient_id"] == first)).predictions
    rows = table[table["patient_id"] == first]
    assert rows[["probability", "distance", "farther", "outside_range", "missing"]].isna().all(axis=None)
    assert rows["note"].eq("none of the model's features was measured in this patient").all()


def test_a_patient_without_one_compartment_has_a_probability_and_is_told_what_was_filled(predict, own_trial):
    first = sorted(pd.read_csv(own_trial / "samples.csv", dtype=str)["patient_id"])[0]
    lost = without(own_trial, lambda sheet: (sheet["patient_id"] == first) & (sheet["compartment"] == "faecal"))
    row = predict(lost).predictions.query("model == 'ridge_baseline' and patient_id == @first").iloc[0]
    assert 0 < row["probability"] < 1
    assert row["missing"] == 1
    assert row["note"].endswith("1 of 2 features were not measured and are filled as in training")


def test_a_patient_far_from_all_training_patients_is_told(predict, home):
    """The same patients seem far where the training patients are said to have lain closer together."""
    path = home / "models" / "ridge_baseline.skops"
    frozen = read_frozen(path)
    write_frozen(replace(frozen, distances=tuple(0.01 * far for far in frozen.distances)), path)
    rows = predict().predictions.query("model == 'ridge_baseline'")
    assert rows["position"].eq("outside").all()
    assert rows["note"].str.contains("lies outside the 6 patients it was trained on, farther than any of them").all()


def test_a_model_that_could_not_be_fitted_is_named(predict):
    last = predict().predictions.iloc[-1]
    assert (last["model"], last["feature_set"], last["note"]) == (
        "never_fitted",
        "change",
        "not applied: not estimable: no responders",
    )


def test_results_without_any_model_say_so_of_each(predict, home):
    for path in (home / "models").glob("*.skops"):
        path.unlink()
    applied = predict()
    assert applied.predictions["note"].str.startswith("not applied: ").tolist() == [True] * 3
    assert applied.words == ()


def test_results_of_an_earlier_version_are_told(predict, home):
    for path in (home / "models").glob("*.skops"):
        path.unlink()
    (home / "models" / "frozen.json").write_text("[]")
    with pytest.raises(
        ResultsError, match=r"as frozen\.json, as an earlier version wrote them\. `rabiomarkers run STUDY"
    ):
        predict()


def test_a_damaged_model_is_named(predict, home):
    (home / "models" / "ridge_both.skops").write_bytes(b"[")
    with pytest.raises(PredictionError, match=r"ridge_both\.skops is no model this version can read: it is damaged"):
        predict()


def test_a_folder_in_place_of_the_csv_is_told(finished, trial, tmp_path):
    with pytest.raises(InputError, match="a folder; a CSV file"):
        predict_study(finished, open_study(trial), Store(tmp_path / "s"), tmp_path)


def test_nothing_is_fitted_or_written_to_the_results(predict, home):
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    predict()
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_the_responses_of_a_study_that_was_run_are_looked_up(predict, own_workspace):
    store = own_workspace / ".rabiomarkers" / "store"
    before = {path for path in store.rglob("*") if path.is_file()}
    predict()
    assert set(store.rglob("*.parquet")) <= before


def test_copying_results_takes_the_models_along(predict, home, own_workspace, tmp_path, trial):
    shutil.copytree(home, tmp_path / "copied")
    store = Store(own_workspace / ".rabiomarkers" / "store")
    applied = predict_study(tmp_path / "copied", open_study(trial), store, tmp_path / "again.csv")
    pd.testing.assert_frame_equal(applied.predictions, predict().predictions)
    assert json.loads((tmp_path / "again.validation.json").read_text())
