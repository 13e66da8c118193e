"""A batch of samples, from files to features."""

from prefect import flow

from flows.study_request import BatchRequest
from flows.tasks import as_task, failures_kept_in
from flows.watching import listener
from rabiomarkers.pipeline import process_batch
from rabiomarkers.steps import BatchFeatures


@flow(name="process-batch", flow_run_name="process {request.batch}", persist_result=False)
def process_batch_flow(request: BatchRequest) -> BatchFeatures:
    """Read, check and score the samples of one batch; what was scored before is looked up."""
    with failures_kept_in(request.failure_log):
        study = as_task("read sheet", request.open)
        return process_batch(study, request.batch, request.store(), call=as_task, progress=listener())
