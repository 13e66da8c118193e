"""The local service: a server, a worker, the deployments, and a batch that is announced."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from flows.service import HOME, ServiceError, serve_until_interrupted, service_environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_folder_of_studies_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ServiceError, match="There is no folder"):
        serve_until_interrupted(tmp_path / "nowhere", tmp_path, port=free_port(), tell=print)


def test_the_service_keeps_to_this_machine_and_to_itself(tmp_path):
    environment = service_environment(tmp_path / "studies", tmp_path / "results", port=4200)
    assert environment["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    home = Path(environment["PREFECT_HOME"])
    assert home.is_relative_to(tmp_path / "results")
    assert home.stat().st_mode & 0o777 == 0o700
    from flows import SAFE_SETTINGS

    assert SAFE_SETTINGS["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert all(environment[name] == os.environ[name] for name in SAFE_SETTINGS)


def test_every_deployment_names_a_flow_that_is_there():
    told = yaml.safe_load((HOME / "prefect.yaml").read_text())
    names = {deployment["name"] for deployment in told["deployments"]}
    assert names == {"weekly", "study", "batch"}
    for deployment in told["deployments"]:
        path, flow = deployment["entrypoint"].split(":")
        assert f"def {flow}(" in (HOME / path).read_text()
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    weekly = next(deployment for deployment in told["deployments"] if deployment["name"] == "weekly")
    assert weekly["schedules"] == [{"cron": "0 2 * * 1", "timezone": "Europe/London", "active": True}]


@pytest.mark.prefect
def test_an_announced_batch_is_taken_to_a_report(trial, finished, tmp_path):
    """The whole service as users start it; about a minute. What was computed for `finished` is looked up."""
    studies, results, port = tmp_path / "studies", tmp_path / "results", free_port()
    shutil.copytree(trial, studies / "tiny")
    shutil.copytree(finished.parent / ".rabiomarkers" / "store", results / ".rabiomarkers" / "store")
    command = [sys.executable, "-m", "flows.cli", "serve"]
    command += ["--studies", str(studies), "--results", str(results), "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    service = subprocess.Popen(command, cwd=HOME, env=own, stderr=subprocess.PIPE, text=True)
    assert service.stderr is not None
    try:
        for line in service.stderr:
            if line.startswith("serving"):
                break
        assert service.poll() is None
        event = {
            "event": "rabiomarkers.batch.ready",
            "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "resource": {"prefect.resource.id": "rabiomarkers.batch.march"},
            "payload": {"study": str(studies / "tiny")},
            "id": "6d1d7b52-5b0a-4f7c-9f6e-0d6f8a8d7f01",
        }
        report = results / "tiny" / "report.html"
        deadline = time.monotonic() + 240
        announced = False
        while not report.is_file():
            assert time.monotonic() < deadline, ask(port, "flow_runs/filter", {})
            if not announced:
                with urllib.request.urlopen(
                    urllib.request.Request(
                        f"http://127.0.0.1:{port}/api/events",
                        data=json.dumps([event]).encode(),
                        headers={"Content-Type": "application/json"},
                    ),
                    timeout=30,
                ):
                    announced = True
            time.sleep(1)
        assert (results / "tiny" / "ledger.csv").read_bytes() == (finished / "ledger.csv").read_bytes()
    finally:
        service.send_signal(signal.SIGTERM)
        service.stderr.close()
        service.wait(timeout=90)
