"""What the command line says, and with which exit status."""

import re
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from flows.cli import app

COMMANDS = ["demo", "simulate", "count", "profile", "check", "run", "report", "serve", "predict", "diff"]


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Call the command line in an empty folder; a narrow terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(command, name):
    told = command(name, "--help")
    assert told.exit_code == 0
    assert "Example: rabiomarkers" in " ".join(told.output.split())


def test_help_loads_none_of_the_heavy_libraries():
    code = (
        "import sys; from typer.testing import CliRunner; from flows.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print(sorted({'pandas', 'numpy', 'scanpy', 'prefect', 'plotly'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_importing_the_library_loads_none_of_the_heavy_libraries():
    code = "import sys, rabiomarkers; print(sorted({'pandas', 'numpy', 'scanpy', 'plotly'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_simulated_study_has_no_problem(command, tmp_path):
    assert command("simulate", "study", "--patients", "2", "--cells", "60").exit_code == 0
    told = command("check", "study")
    assert told.exit_code == 0
    first, plan = told.stdout.splitlines()
    assert first == "no problem found"
    found = re.fullmatch("plan ([0-9a-f]{64}): not registered .*", plan)
    settings = tmp_path / "study" / "study.yaml"
    written = yaml.safe_load(settings.read_text())
    settings.write_text(yaml.safe_dump(written | {"plan": {"registered": found[1]}}))
    assert command("check", "study").stdout.splitlines()[1] == f"plan {found[1]}: as registered"
    settings.write_text(yaml.safe_dump(written | {"plan": {"registered": found[1], "primary": ["NLR"]}}))
    assert "not the registered one" in command("check", "study").stdout.splitlines()[1]


def test_simulating_into_a_folder_in_use_is_refused(command, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.txt").write_text("years of work")
    told = command("simulate", "study")
    assert told.exit_code == 1
    assert (tmp_path / "study" / "thesis.txt").read_text() == "years of work"


def test_check_lists_every_problem_on_a_line_of_its_own_and_exits_with_2(command, own_trial):
    sheet = pd.read_csv(own_trial / "samples.csv", dtype=str)
    sheet.loc[0, "timepoint"] = "prre"
    sheet.loc[1, "path"] = "../../etc/passwd"
    sheet.to_csv(own_trial / "samples.csv", index=False)
    told = command("check", own_trial)
    assert told.exit_code == 2
    assert told.stdout == ""
    lines = told.stderr.splitlines()
    assert any(line.startswith("samples.csv:2:timepoint: ") and "prre" in line for line in lines)
    assert any(line.startswith("samples.csv:3:path: ") for line in lines)


def test_run_on_faulty_input_writes_nothing(command, own_trial, tmp_path):
    (own_trial / "patients.csv").write_text("patient,age\nP1,60\n")
    told = command("run", own_trial, "--out", "out", "--direct")
    assert told.exit_code == 2
    assert "patients.csv" in told.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / ".rabiomarkers").exists()


def test_a_folder_that_is_no_study_is_told(command, tmp_path):
    told = command("run", "nowhere", "--direct")
    assert told.exit_code == 2
    assert "nowhere" in told.stderr
    assert "Traceback" not in told.stderr


def test_run_direct_tells_where_the_report_lies(command, trial, own_workspace, monkeypatch):
    monkeypatch.chdir(own_workspace)
    told = command("run", trial, "--out", "results", "--direct")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.strip() == "results/report.html"
    assert "0 steps computed" in told.stderr


def test_run_of_one_batch_lists_the_others_as_excluded(command, trial, own_workspace, monkeypatch):
    monkeypatch.chdir(own_workspace)
    batches = sorted(pd.read_csv(trial / "samples.csv")["batch"].unique())
    told = command("run", trial, "--out", "one", "--batch", batches[0], "--direct")
    assert told.exit_code == 0, told.stderr
    ledger = pd.read_csv(own_workspace / "one" / "ledger.csv")
    assert ledger["reason"].fillna("").str.contains(f"not in batch {batches[0]}").any()


def test_a_batch_nobody_knows_is_told_with_those_there_are(command, trial, own_workspace, monkeypatch):
    monkeypatch.chdir(own_workspace)
    told = command("run", trial, "--out", "one", "--batch", "march", "--direct")
    assert told.exit_code == 2
    assert "march" in told.stderr
    assert "batch-1" in told.stderr


def test_a_batch_that_is_no_plain_word_is_refused(command, trial):
    told = command("run", trial, "--batch", "a b; rm", "--direct")
    assert told.exit_code == 2
    assert "is no batch name" in " ".join(told.stderr.split())


def test_report_writes_the_same_report_again(command, own_workspace):
    path = own_workspace / "results" / "report.html"
    before = path.read_bytes()
    path.unlink()
    assert command("report", own_workspace / "results").exit_code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["summary.json", "changes.parquet", "models/ridge_baseline.skops"])
def test_damaged_results_are_told_and_not_a_traceback(command, own_workspace, trial, damage):
    (own_workspace / "results" / damage).write_text("[")
    words = (
        ("predict", own_workspace / "results", trial) if "models" in damage else ("report", own_workspace / "results")
    )
    told = command(*words)
    assert told.exit_code == 1
    assert "is damaged" in told.stderr


def test_a_link_in_place_of_the_results_stays_a_link(command, trial, own_workspace, monkeypatch):
    monkeypatch.chdir(own_workspace)
    (own_workspace / "latest").symlink_to("results")
    assert command("run", trial, "--out", "latest", "--direct").exit_code == 0
    assert (own_workspace / "latest").is_symlink()
    assert (own_workspace / "results" / "report.html").is_file()


@pytest.mark.parametrize("out", ["file/below", "n" * 300])
def test_an_out_that_cannot_be_written_is_told(command, trial, tmp_path, out):
    (tmp_path / "file").write_text("x")
    told = command("run", trial, "--out", out, "--direct")
    assert told.exit_code == 1
    assert told.stderr.strip()
    assert not isinstance(told.exception, OSError)


def test_report_of_a_folder_that_holds_no_results_is_told(command, tmp_path):
    told = command("report", tmp_path)
    assert told.exit_code == 1
    assert "not a results folder" in told.stderr


def test_diff_of_a_run_with_itself_says_so(command, finished):
    told = command("diff", finished, finished)
    assert (told.exit_code, told.stdout.strip()) == (0, "nothing changed")


def test_diff_names_what_a_later_cut_changed(command, own_trial, own_workspace, finished, monkeypatch):
    monkeypatch.chdir(own_workspace)
    sheet = pd.read_csv(own_trial / "samples.csv", dtype=str)
    sheet.loc[0, "exclude"] = "withdrawn consent"
    sheet.to_csv(own_trial / "samples.csv", index=False)
    assert command("run", own_trial, "--out", "results", "--direct").exit_code == 0
    told = command("diff", finished, "results").stdout
    assert f"{sheet.loc[0, 'patient_id']} {sheet.loc[0, 'timepoint']}" in told
    assert "used -> excluded (withdrawn consent)" in told


def test_predict_applies_the_frozen_models_to_another_study(command, own_workspace, tmp_path):
    assert command("simulate", "other", "--patients", "3", "--cells", "200", "--seed", "5").exit_code == 0
    told = command("predict", own_workspace / "results", "other", "--out", "next.csv")
    assert told.exit_code == 0, told.stderr
    table = pd.read_csv(tmp_path / "next.csv")
    assert {"patient_id", "model", "feature_set", "probability", "note"} <= set(table.columns)
    assert table["probability"].dropna().between(0, 1).all()


def test_no_module_of_the_flows_hides_a_library(monkeypatch):
    """A worker that loads a flow by its file puts the flows' folder first on the module path."""
    from importlib.metadata import packages_distributions
    from pathlib import Path

    import flows

    names = {path.stem for path in Path(flows.__file__).parent.glob("*.py")} - {"__init__"}
    assert not names & (set(sys.stdlib_module_names) | set(packages_distributions()))
