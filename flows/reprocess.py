"""On a schedule: every study again, with whatever has arrived since."""

from pathlib import Path

from prefect import flow

from flows.predict_response import predict_response_flow
from flows.study_request import StudyRequest
from flows.tasks import StageError


@flow(name="reprocess", flow_run_name="reprocess", persist_result=False)
def reprocess_flow(studies: Path, results: Path, workers: int = 1) -> list[str]:
    """Take each folder below `studies` that holds a study.yaml, all its batches, to a report below `results`.

    What has not changed since the last time is looked up, so a night without new samples costs seconds. The sheets are read at the
    start of the run, whichever run it is: runs waiting in a queue are not served in order. A study that cannot be processed does
    not keep the others from it; the run fails at its end and names it.

    Raises
    ------
    StageError
        Some studies failed; their names, not their faults, as Prefect stores the text.
    """
    folders = sorted(path.parent for path in studies.glob("*/study.yaml"))
    faulty = []
    for folder in folders:
        request = StudyRequest(study=folder, out=results / folder.name, workers=workers)
        state = predict_response_flow(request, return_state=True)
        if not state.is_completed():
            faulty.append(folder.name)
    if faulty:
        raise StageError(f"{len(faulty)} of {len(folders)} studies failed: {', '.join(faulty)}")
    return [folder.name for folder in folders]
