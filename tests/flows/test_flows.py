"""Each flow once, in one Prefect server, and what that server keeps of a patient: nothing."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.prefect

CANARY = "CANARY"


def digests(results: Path) -> dict[str, str]:
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


def request(study: Path, out: Path):
    from flows.study_request import StudyRequest

    return StudyRequest(study=study, out=out)


def test_the_flow_gives_the_bytes_of_the_direct_run(prefect_server, trial, finished, tmp_path):
    from flows.predict_response import predict_response_flow

    done = predict_response_flow(request(trial, tmp_path / "results"))
    assert digests(tmp_path / "results") == digests(finished)
    assert done.computed
    again = predict_response_flow(request(trial, tmp_path / "results"))
    assert again.computed == ()


def test_a_batch_alone_is_taken_to_features(prefect_server, trial, own_workspace):
    from flows.process_batch import process_batch_flow
    from flows.study_request import BatchRequest

    batch = sorted(pd.read_csv(trial / "samples.csv")["batch"].unique())[0]
    done = process_batch_flow(BatchRequest(study=trial, out=own_workspace / "results", batch=batch))
    assert done.batch == batch
    assert done.scored
    assert all(step.reused for step in done.steps)


def test_the_scheduled_flow_takes_every_study_of_a_folder(prefect_server, own_workspace, trial):
    from flows.reprocess import reprocess_flow

    studies = own_workspace / "studies"
    studies.mkdir()
    (studies / "results").symlink_to(trial)
    (studies / "not a study").mkdir()
    assert reprocess_flow(studies, own_workspace) == ["results"]
    assert (own_workspace / "results" / "report.html").is_file()


def test_one_faulty_study_does_not_keep_the_others_from_being_processed(prefect_server, own_workspace, trial):
    from flows.reprocess import reprocess_flow
    from flows.tasks import StageError

    studies = own_workspace / "studies"
    (studies / "a-faulty").mkdir(parents=True)
    (studies / "a-faulty" / "study.yaml").write_text("nam: x\n")
    (studies / "results").symlink_to(trial)
    (own_workspace / "results" / "report.html").unlink()
    with pytest.raises(StageError, match="a-faulty"):
        reprocess_flow(studies, own_workspace)
    assert (own_workspace / "results" / "report.html").is_file()


def mark(study: Path) -> None:
    """Put a marked value into every input, each in a place that a wrong step might repeat."""
    import anndata

    samples = pd.read_csv(study / "samples.csv", dtype=str)
    samples["comment"] = f"{CANARY}_SHEET"
    samples.loc[0, "exclude"] = f"{CANARY}_EXCLUDE"
    samples.to_csv(study / "samples.csv", index=False)
    for name in ("patients", "visits", "followup"):
        table = pd.read_csv(study / f"{name}.csv", dtype=str)
        table.assign(comment=f"{CANARY}_{name.upper()}").to_csv(study / f"{name}.csv", index=False)
    for name, column in (("adverse_events", "term"), ("lesions", "lesion_id")):
        table = pd.read_csv(study / f"{name}.csv", dtype=str)
        table.assign(**{column: f"{CANARY}_" + table[column]}).to_csv(study / f"{name}.csv", index=False)
    files = samples.groupby("assay")["path"].unique()
    for path in files["cell_counts"]:
        table = pd.read_csv(study / path, dtype=str)
        table.assign(comment=f"{CANARY}_CBC").to_csv(study / path, index=False)
    for path in [*files["rna_counts"], *files["taxa_counts"]]:  # a gene and a taxon that nobody else has
        table = pd.read_csv(study / path, dtype=str)
        row = pd.DataFrame([[f"{CANARY}{len(path)}", *["0"] * (table.shape[1] - 1)]], columns=table.columns)
        pd.concat([table, row]).to_csv(study / path, index=False)
    for path in files["sc_counts"][:2]:
        cells = anndata.read_h5ad(study / path)
        cells.obs["comment"] = f"{CANARY}_CELLS"
        cells.write_h5ad(study / path)


def kept_by_prefect(home: Path) -> list[str]:
    """Every place of Prefect's files where a marked value stands."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and CANARY.encode() in path.read_bytes():
            found.append(path.name)
    for database in home.rglob("*.db"):
        with closing(sqlite3.connect(database)) as connection:
            tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                for row in connection.execute(f'select * from "{table}"'):
                    found += [table] if any(CANARY in str(value) for value in row) else []
    return found


def everything_prefect_tells() -> str:
    """Flow runs, task runs, logs and artifacts as its API gives them out."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        parts = [
            client._client.post(f"/{kind}/filter", json={"limit": 200}).json()
            for kind in ("flow_runs", "task_runs", "logs", "artifacts")
        ]
        parts.append(client._client.post("/events/filter", json={"limit": 50}).json())
    return json.dumps(parts)


def test_nothing_of_a_patient_is_kept_by_prefect(prefect_server, own_trial, own_workspace, capfd, caplog):
    """With marked values in every input, in a run that ends well and in one that fails on them."""
    from flows.predict_response import predict_response_flow
    from flows.tasks import StageError, failures

    mark(own_trial)
    predict_response_flow(request(own_trial, own_workspace / "results"))
    path = own_trial / pd.read_csv(own_trial / "samples.csv").query("assay == 'cell_counts'")["path"].iloc[0]
    table = pd.read_csv(path, dtype=str)
    table.assign(value=f"{CANARY}_VALUE").to_csv(path, index=False)
    with pytest.raises(StageError, match="problems in the input"):
        predict_response_flow(request(own_trial, own_workspace / "results"))
    assert f"{CANARY}_VALUE" in str(failures[-1])
    assert CANARY not in everything_prefect_tells()
    assert kept_by_prefect(prefect_server) == []
    printed = capfd.readouterr()
    assert CANARY not in printed.out + printed.err + caplog.text


def test_only_what_can_get_better_by_itself_is_tried_again(prefect_server):
    from prefect import flow

    from flows.tasks import StageError, as_task, failures

    calls = []

    def shaky(error):
        calls.append(type(error).__name__)
        if len(calls) < 2 or not isinstance(error, ConnectionError):
            raise error
        return "done"

    @flow
    def trying(kind: str):
        return as_task("shaky", shaky, {"connection": ConnectionError("reset"), "data": ValueError("x")}[kind])

    assert trying("connection") == "done"
    assert calls == ["ConnectionError", "ConnectionError"]
    calls.clear()
    with pytest.raises(StageError, match=r"^ValueError: "):
        trying("data")
    assert calls == ["ValueError"]
    assert str(failures[-1]) == "x"
