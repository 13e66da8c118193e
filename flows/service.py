"""A local server, a worker and the deployments of prefect.yaml, in one command."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rabiomarkers.errors import RabiomarkersError

HOME = Path(__file__).resolve().parents[1]
POOL = "rabiomarkers"
PATIENCE = 180.0  # seconds a busy machine may take to start the server


class ServiceError(RabiomarkersError):
    """The server, the worker or a deployment could not be started."""


def serve_until_interrupted(studies: Path, results: Path, *, port: int, tell: Callable[[str], None]) -> None:
    """Start what is needed, register the deployments, and wait.

    Raises
    ------
    ServiceError
        The port is taken, prefect.yaml is not beside the flows (an installed wheel has none), or Prefect said no.
    """
    if not (HOME / "prefect.yaml").is_file():
        raise ServiceError("There is no prefect.yaml: `rabiomarkers serve` runs from a checkout of the project.")
    if not studies.is_dir():
        raise ServiceError(f"There is no folder {str(studies)!r}; name the one that holds the studies with --studies.")
    environment = service_environment(studies, results, port=port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager stops us as Ctrl-C does
    with (
        suppress(KeyboardInterrupt),
        _server(environment, port=port),
        _deployed(environment),
        _lost_runs_restarted(port, tell),
        _worker(environment) as worker,
    ):
        tell(f"serving http://127.0.0.1:{port} (stop with Ctrl-C)")
        tell("a new batch: emit the event rabiomarkers.batch.ready (README), or use the form of predict-response/study")
        try:
            code = worker.wait()
        except KeyboardInterrupt:
            tell("stopping, which takes up to half a minute")
            raise
        raise ServiceError(f"The worker stopped by itself with status {code}.")


def service_environment(studies: Path, results: Path, *, port: int) -> dict[str, str]:
    """The environment of server and worker: loopback only, no telemetry, files below the results' folder, private."""
    home = results.absolute() / ".rabiomarkers" / "prefect-server"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.environ | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(HOME), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "RABIOMARKERS_HOME": str(HOME),
        "RABIOMARKERS_STUDIES": str(studies.absolute()),
        "RABIOMARKERS_RESULTS": str(results.absolute()),
    }


@contextmanager
def _lost_runs_restarted(port: int, tell: Callable[[str], None]) -> Iterator[None]:
    if lost := restart_lost_runs(port):
        tell(f"{lost} runs were lost when the service last stopped; they are started again")
    yield


def restart_lost_runs(port: int) -> int:
    """End the runs an earlier service left behind, as they hold the only slot of their deployment, and start them anew.

    Only for the moment after a start: whatever has begun by then has no process any more.
    """
    begun = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}
    lost = _ask(port, "flow_runs/filter", begun)
    for run in lost:
        ended = {"type": "CRASHED", "message": "the service that ran it was stopped"}
        _ask(port, f"flow_runs/{run['id']}/set_state", {"state": ended})
    deployed = [run for run in lost if run["deployment_id"]]
    for run in deployed:
        anew = {"state": {"type": "SCHEDULED"}, "parameters": run["parameters"]}
        _ask(port, f"deployments/{run['deployment_id']}/create_flow_run", anew)
    return len(deployed)


def _ask(port: int, path: str, body: Mapping[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  the scheme is written two lines above
        return json.load(answer)


def _prefect(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", "--no-prompt", *words]


@contextmanager
def _server(environment: Mapping[str, str], *, port: int) -> Iterator[None]:
    if _answers(port):
        raise ServiceError(f"Something already answers on port {port}; choose another with --port.")
    with _process(_prefect("server", "start"), environment) as server:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            if server.poll() is not None:
                raise ServiceError(f"The server stopped with status {server.returncode} before it was ready.")
            if time.monotonic() > deadline:
                raise ServiceError(f"The server was not ready after {PATIENCE:.0f} s.")
            time.sleep(0.5)
        yield


@contextmanager
def _deployed(environment: Mapping[str, str]) -> Iterator[None]:
    pool = _prefect("work-pool", "create", POOL, "--type", "process", "--overwrite")
    for words in (pool, _prefect("deploy", "--all")):
        done = subprocess.run(words, env=dict(environment), cwd=HOME, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ServiceError(f"`prefect {' '.join(words[4:])}` failed:\n{done.stdout}{done.stderr}")
    yield


@contextmanager
def _worker(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with _process(_prefect("worker", "start", "--pool", POOL), environment) as worker:
        yield worker


@contextmanager
def _process(words: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child that ends when the context does."""
    process = subprocess.Popen(  # noqa: S603
        words, env=dict(environment), cwd=HOME, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
