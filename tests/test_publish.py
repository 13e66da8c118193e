"""A results folder: whole or not at all, and never in place of something else."""

import json

import pandas as pd
import pytest

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import write_json, write_table
from rabiomarkers.publish import publish, refuse_foreign_folder
from rabiomarkers.store import StepResult


@pytest.fixture
def step(tmp_path):
    return StepResult(
        name="s", key="k", folder=tmp_path, digests={}, info={}, reused=True, seconds=0.5, sample_ids=("S1",)
    )


@pytest.fixture
def made(tmp_path):
    """Files as steps leave them."""
    folder = tmp_path / "steps"
    folder.mkdir()
    for stem in ("ledger", "deltas", "failed"):
        write_table(pd.DataFrame({"patient_id": ["P1"]}), folder / f"{stem}.parquet")
    write_json({"seed": 1}, folder / "provenance.json")
    return {path.stem: path for path in folder.iterdir()}


def test_tables_lie_as_parquet_and_the_small_ones_also_as_csv(made, step, tmp_path):
    models = {name: tmp_path / name.rpartition(".")[2] for name in ("ridge.skops", "ridge.md")}
    for name, path in models.items():
        path.write_text(name)
    out = publish(made, models, made["provenance"], [step], tmp_path / "results")
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert names == {
        "deltas.parquet",
        "ledger.csv",
        "ledger.parquet",
        "models/ridge.md",
        "models/ridge.skops",
        "provenance.json",
        "run.json",
    }
    assert (out / "models" / "ridge.md").read_text() == "ridge.md"
    told = json.loads((out / "run.json").read_text())
    assert told == {
        "seed": 1,
        "steps": [{"name": "s", "key": "k", "reused": True, "seconds": 0.5, "sample_ids": ["S1"]}],
    }


def test_what_a_killed_run_left_is_cleared_and_the_old_results_are_gone(made, step, tmp_path):
    out = publish(made, {}, made["provenance"], [step], tmp_path / "results")
    (out / "stale.csv").write_text("old")
    (tmp_path / ".results.new-killed").mkdir()
    publish(made, {}, made["provenance"], [step], out)
    assert not (out / "stale.csv").exists()
    assert not (tmp_path / ".results.new-killed").exists()


def test_a_failure_in_the_middle_leaves_the_old_results(made, step, tmp_path):
    out = publish(made, {}, made["provenance"], [step], tmp_path / "results")
    before = sorted(path.name for path in out.iterdir())
    made["deltas"].unlink()
    with pytest.raises(FileNotFoundError):
        publish(made, {}, made["provenance"], [step], out)
    assert sorted(path.name for path in out.iterdir()) == before


def test_something_else_is_never_replaced(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("x")
    with pytest.raises(ResultsError, match="'thesis' holds something that is no results folder"):
        refuse_foreign_folder(tmp_path / "thesis")
    with pytest.raises(ResultsError, match=r"'chapter.txt' is a file"):
        refuse_foreign_folder(tmp_path / "thesis" / "chapter.txt")
    (tmp_path / "empty").mkdir()
    refuse_foreign_folder(tmp_path / "empty")
    refuse_foreign_folder(tmp_path / "absent")
