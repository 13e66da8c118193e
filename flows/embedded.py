"""Run the study's flow from the command line, with Prefect's server embedded unless one is named, and without its noise."""

import os
from collections.abc import Callable

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
    server = os.environ.get("PREFECT_API_URL")
    home = workspace(request.results) / "prefect"
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

    from flows.predict_response import predict_response_flow
    from flows.tasks import StageError, failures

    with watched_by(progress):
        try:
            run: Run = predict_response_flow(request)
        except StageError:
            raise failures[-1] from None
    return run
