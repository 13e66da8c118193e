"""The study from end to end, as a notebook or `--direct` runs it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from rabiomarkers import store as store_module
from rabiomarkers.errors import InputError, ResultsError
from rabiomarkers.pipeline import run_study
from rabiomarkers.results import open_results
from rabiomarkers.simulate.study import simulate_study
from rabiomarkers.store import Store
from rabiomarkers.study import open_study
from rabiomarkers.tables.changes import CHANGES
from rabiomarkers.tables.outcomes import OUTCOMES
from rabiomarkers.tables.predictions import PREDICTIONS
from rabiomarkers.tables.samples import FEATURES, LEDGER, QC

CONTRACT = {
    "features.parquet": FEATURES,
    "changes.parquet": CHANGES,
    "changes.csv": CHANGES,
    "outcomes.csv": OUTCOMES,
    "predictions.csv": PREDICTIONS,
    "ledger.csv": LEDGER,
    "qc.csv": QC,
}


def run(study: Path, workspace: Path, *, workers: int = 1):
    """Run a study below a workspace, as the command line does."""
    store = Store(workspace / ".rabiomarkers" / "store", workers=workers)
    done = run_study(open_study(study), store, workspace / "results")
    store.close()
    return done


def digests(results: Path) -> dict[str, str]:
    """sha256 of every file but run.json, which tells how long each step took."""
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def edit_settings(study: Path, **changes) -> None:
    settings = yaml.safe_load((study / "study.yaml").read_text())
    (study / "study.yaml").write_text(yaml.safe_dump(settings | changes, sort_keys=False))


@pytest.mark.parametrize("name", CONTRACT)
def test_every_table_of_the_contract_is_there_with_its_columns(finished, name):
    path = finished / name
    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    assert set(CONTRACT[name].columns) <= set(frame.columns)
    assert len(frame)


def test_the_other_files_of_the_contract_are_there(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"summary.json", "study.h5mu", "models", "report.html", "run.json"} <= names
    told = json.loads((finished / "run.json").read_text())
    assert {"inputs", "settings", "versions", "seed", "plan_hash", "steps"} <= told.keys()
    assert {"name", "key", "reused", "seconds", "sample_ids"} == told["steps"][0].keys()


def test_no_result_names_where_on_this_machine_it_was_made(finished, trial):
    for path in finished.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert str(trial.parent).encode() not in content, path.name
            assert str(finished.parent).encode() not in content, path.name


def test_the_ledger_accounts_for_every_patient_timepoint_and_assay(finished, trial):
    ledger = open_results(finished).ledger
    samples = pd.read_csv(trial / "samples.csv")
    patients = pd.read_csv(trial / "patients.csv")
    kinds = samples[["compartment", "assay"]].drop_duplicates()
    assert len(ledger) == len(patients) * 2 * len(kinds)
    assert ledger.loc[ledger["status"] != "used", "reason"].notna().all()
    truth = json.loads((trial / "truth.json").read_text())
    assert set(ledger["status"]) >= {"used", "missing", "failed_qc"}, truth


def test_the_same_study_again_computes_nothing_and_gives_the_same_bytes(trial, own_workspace):
    before = digests(own_workspace / "results")
    again = run(trial, own_workspace)
    assert again.computed == ()
    assert digests(own_workspace / "results") == before


def test_another_folder_and_another_machine_give_the_same_bytes(own_trial, finished, tmp_path):
    run(own_trial, tmp_path / "elsewhere", workers=2)
    assert digests(tmp_path / "elsewhere" / "results") == digests(finished)


def test_the_order_of_the_sheets_changes_nothing(own_trial, own_workspace, finished):
    for name in ("samples.csv", "patients.csv", "lesions.csv", "visits.csv", "followup.csv"):
        sheet = pd.read_csv(own_trial / name, dtype=str, keep_default_na=False)
        sheet.sample(frac=1, random_state=3).to_csv(own_trial / name, index=False)
    run(own_trial, own_workspace)
    results = {name: digest for name, digest in digests(own_workspace / "results").items() if "provenance" not in name}
    reference = digests(finished)
    tables = [name for name in results if name.endswith((".parquet", ".csv", ".h5mu")) or name == "summary.json"]
    assert {name: results[name] for name in tables} == {name: reference[name] for name in tables}


def test_a_new_patient_costs_only_the_new_patients_samples(own_workspace, tmp_path):
    study = tmp_path / "seven"
    simulate_study(study, patients=7, effect="planted", seed=1, cells=300)
    new = set(pd.read_csv(study / "patients.csv")["patient_id"])
    new -= set(open_results(own_workspace / "results").ledger["patient_id"])
    sheet = pd.read_csv(study / "samples.csv")
    theirs = set(sheet.loc[sheet["patient_id"].isin(new), "sample_id"])
    done = run(study, own_workspace)
    processed = {sample for step in done.computed for sample in step.sample_ids}
    assert len(new) == 1
    batches = set(sheet.loc[sheet["patient_id"].isin(new), "batch"])
    # the borders of a batch are found on all of its samples, so those are gated again
    gated_together = sheet[sheet["batch"].isin(batches) & (sheet["assay"] == "flow")]
    assert processed == theirs | set(gated_together["sample_id"])


def test_an_edited_helper_recomputes_exactly_the_steps_that_reach_it(trial, own_workspace, monkeypatch):
    original = store_module._source_file
    helper = Path(sys.modules["rabiomarkers.features.blood_counts"].__file__)
    edited = own_workspace / "edited.py"
    edited.write_text(helper.read_text() + "\nEDITED = True\n")
    monkeypatch.setattr(
        store_module,
        "_source_file",
        lambda module: edited if module == "rabiomarkers.features.blood_counts" else original(module),
    )
    store_module.code_fingerprint.cache_clear()
    done = run(trial, own_workspace)
    monkeypatch.undo()
    store_module.code_fingerprint.cache_clear()
    assert {step.name.split()[1] for step in done.computed} == {"cell_counts"}
    assert all(step.name.startswith("score cell_counts") for step in done.computed)


@pytest.mark.parametrize("moment", [1.5, 4.0])
def test_killed_at_any_moment_the_next_run_completes_with_the_same_tables(trial, finished, tmp_path, moment):
    code = f"""
from pathlib import Path
from rabiomarkers.pipeline import run_study
from rabiomarkers.store import Store
from rabiomarkers.study import open_study
print("started", flush=True)
out = Path({str(tmp_path / "results")!r})
run_study(open_study(Path({str(trial)!r})), Store(out.parent / ".rabiomarkers" / "store"), out)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(moment)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    run(trial, tmp_path)
    assert digests(tmp_path / "results") == digests(finished)


def test_a_folder_that_is_no_results_folder_is_not_replaced(trial, own_workspace):
    precious = own_workspace / "results"
    (precious / "run.json").unlink()
    with pytest.raises(ResultsError, match="holds something that is no results folder"):
        run(trial, own_workspace)
    assert (precious / "features.parquet").is_file()


def test_the_problems_of_every_file_are_raised_together_and_no_results_written(own_trial, tmp_path):
    sheet = pd.read_csv(own_trial / "samples.csv")
    tumour = sheet.loc[sheet["assay"] == "rna_counts", "path"].iloc[0]
    stool = sheet.loc[sheet["assay"] == "taxa_counts", "path"].iloc[0]
    (own_trial / tumour).write_bytes((own_trial / tumour).read_bytes()[:-20_000])  # a copy that was cut off
    table = pd.read_csv(own_trial / stool, index_col=0)
    table.iloc[3, 1] = -7
    table.to_csv(own_trial / stool)
    with pytest.raises(InputError) as caught:
        run(own_trial, tmp_path / "workspace")
    assert {tumour, stool} <= {problem.file for problem in caught.value.problems}
    assert not (tmp_path / "workspace" / "results").exists()


def keep(
    study: Path, *, patients: list[str] | None = None, compartment: str | None = None, timepoint: str | None = None
):
    """Cut the study down to some patients, one compartment or one timepoint."""
    sheet = pd.read_csv(study / "samples.csv", dtype=str)
    if compartment:
        sheet = sheet[sheet["compartment"] == compartment]
    if timepoint:
        sheet = sheet[sheet["timepoint"] == timepoint]
    if patients is not None:
        sheet = sheet[sheet["patient_id"].isin(patients)]
        for name in ("patients", "lesions", "visits", "followup", "adverse_events"):
            table = pd.read_csv(study / f"{name}.csv", dtype=str)
            table[table["patient_id"].isin(patients)].to_csv(study / f"{name}.csv", index=False)
    sheet.to_csv(study / "samples.csv", index=False)


def respond(study: Path, responses: dict[str, str]) -> None:
    """Give best responses in place of lesions and visits."""
    patients = pd.read_csv(study / "patients.csv", dtype=str)
    patients.assign(best_response=patients["patient_id"].map(responses)).to_csv(study / "patients.csv", index=False)
    for name in ("lesions", "visits", "followup"):
        (study / f"{name}.csv").unlink()


def verdicts(results: Path) -> str:
    return " ".join(model["verdict"] for model in open_results(results).summary["models"])


@pytest.mark.parametrize(
    ("response", "rate", "words"),
    [
        ("PD", 0.0, "no responders among 6 patients"),
        ("PR", 1.0, "all 6 patients responded"),
        (None, None, "not estimable"),
    ],
)
def test_without_both_kinds_of_patients_no_model_is_fitted_and_the_report_says_why(
    own_trial, own_workspace, response, rate, words
):
    ids = list(pd.read_csv(own_trial / "patients.csv")["patient_id"])
    respond(own_trial, dict.fromkeys(ids, response) if response else {})
    results = run(own_trial, own_workspace).results
    summary = open_results(results).summary
    assert words in verdicts(results).lower()
    assert all(model["auc"] is None for model in summary["models"])
    if rate is not None:
        assert summary["orr"]["rate"] == rate
    assert words in (results / "report.html").read_text()


def test_a_patient_without_response_is_kept_and_counted(own_trial, own_workspace):
    ids = list(pd.read_csv(own_trial / "patients.csv")["patient_id"])
    respond(own_trial, dict(zip(ids, ["PR", "PR", "SD", "PD", "PD"], strict=False)))
    results = open_results(run(own_trial, own_workspace).results)
    last = results.outcomes.set_index("patient_id").loc[ids[-1]]
    assert last["best_response"] == "NE"
    assert not last["evaluable"]
    assert results.summary["orr"]["n"] == 6
    assert results.summary["orr"]["responders"] == 2


def test_one_patient_runs_to_a_report(own_trial, own_workspace):
    ids = list(pd.read_csv(own_trial / "patients.csv")["patient_id"])
    keep(own_trial, patients=ids[1:2])
    results = open_results(run(own_trial, own_workspace).results)
    assert (results.changes["n_pairs"] <= 1).all()
    assert results.changes.loc[results.changes["n_pairs"] == 1, "note"].str.contains("one pair").all()


def test_without_a_pair_no_change_is_claimed(own_trial, own_workspace):
    keep(own_trial, timepoint="pre")
    results = open_results(run(own_trial, own_workspace).results)
    assert results.changes["estimate"].isna().all()
    assert results.changes["p_value"].isna().all()
    assert results.changes["note"].notna().all()
    assert set(results.ledger.loc[results.ledger["timepoint"] == "post", "status"]) == {"missing"}


@pytest.mark.parametrize("compartment", ["tumour", "blood", "faecal"])
def test_one_compartment_is_enough(own_trial, own_workspace, compartment):
    keep(own_trial, compartment=compartment)
    results = open_results(run(own_trial, own_workspace).results)
    assert set(results.features["compartment"]) == {compartment}
    assert (results.folder / "report.html").is_file()


def test_the_plan_decides_the_tiers_and_its_hash_is_kept(own_trial, own_workspace):
    before = open_results(own_workspace / "results").run["plan_hash"]
    edit_settings(own_trial, plan={"primary": ["NLR"], "secondary": ["blood:clr_*", "not_a_feature"]})
    results = open_results(run(own_trial, own_workspace).results)
    tiers = results.changes.set_index("feature")["tier"]
    assert tiers["NLR"] == "primary"
    assert tiers["clr_CD8_TEM"] == "secondary"
    assert tiers["shannon"] == "exploratory"
    assert tiers["not_a_feature"] == "secondary"
    assert results.run["plan_hash"] != before
