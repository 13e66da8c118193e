"""FASTQ files to counts, in front of everything else; optional (rabiomarkers[fastq])."""

from prefect import flow

from flows.count_request import CountRequest
from flows.study_request import workspace
from flows.tasks import as_task, failures_kept_in
from flows.watching import listener
from rabiomarkers.counting import count_reads
from rabiomarkers.store import StepResult


@flow(name="count-reads", flow_run_name="count reads", persist_result=False)
def count_reads_flow(request: CountRequest) -> tuple[StepResult, ...]:
    """Every library of the sheet to counts."""
    with failures_kept_in(workspace(request.folder) / "failures.log"):
        return count_reads(request.counting(), request.store(), request.folder, call=as_task, progress=listener())
