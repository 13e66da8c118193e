"""FASTQ files of stools to a table of taxa, in front of everything else; optional (rabiomarkers[metagenome])."""

from contextlib import closing

from prefect import flow

from flows.profile_request import ProfileRequest
from flows.study_request import workspace
from flows.tasks import as_task, failures_kept_in
from flows.watching import listener
from rabiomarkers.metagenome import profile_reads
from rabiomarkers.store import StepResult


@flow(name="profile-reads", flow_run_name="profile reads", persist_result=False)
def profile_reads_flow(request: ProfileRequest) -> tuple[StepResult, ...]:
    """Every sample of the sheet to taxa."""
    with failures_kept_in(workspace(request.folder) / "failures.log"), closing(request.store()) as store:
        return profile_reads(request.profiling(), store, request.folder, call=as_task, progress=listener())
