"""Run the study's flow from the command line, with Prefect's server embedded unless one is named, and without its noise."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.study_request import StudyRequest, workspace
from flows.watching import watched_by
from rabiomarkers.pipeline import Run
from rabiomarkers.progress import Progress

QUIET = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
}


def run_flow(request: StudyRequest, progress: Progress, *, tell: Callable[[str], None]) -> Run:
    """Run `predict-response` for the request and hand back what it made.

    Raises
    ------
    RabiomarkersError
        Why a stage failed, with the full text that Prefect did not get.
    """
    use_server(workspace(request.results) / "prefect", tell=tell)

    from flows.predict_response import predict_response_flow

    run: Run = told_in_full(predict_response_flow, request, progress)
    return run


def use_server(home: Path, *, tell: Callable[[str], None]) -> None:
    """Set Prefect up, before it is imported: the server that the environment names, or an embedded one with its files in `home`."""
    server = os.environ.get("PREFECT_API_URL")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = QUIET | ({} if server else {"PREFECT_HOME": str(home)})
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    where = (
        f"the Prefect server at {server}"
        if server
        else "an embedded Prefect server (its history is partial; run.json is the record)"
    )
    tell(f"running through {where}")


def told_in_full(flow: Callable[[Any], Any], request: object, progress: Progress) -> Any:
    """What the flow makes of the request.

    Raises
    ------
    RabiomarkersError
        Why a stage failed, with the full text that Prefect did not get.
    """
    from flows.tasks import StageError, failures

    with watched_by(progress):
        try:
            return flow(request)
        except StageError:
            raise failures[-1] from None
