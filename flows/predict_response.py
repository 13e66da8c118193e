"""Features and outcomes of a study, to changes, models and a report."""

from prefect import flow

from flows.process_batch import process_batch_flow
from flows.study_request import BatchRequest, StudyRequest
from flows.tasks import as_task, failures_kept_in
from flows.watching import listener
from rabiomarkers.pipeline import Run, check_files, predict_response


@flow(name="predict-response", flow_run_name="predict response", persist_result=False)
def predict_response_flow(request: StudyRequest) -> Run:
    """Every batch of the study to features, then all features with the outcomes to a results folder."""
    with failures_kept_in(request.failure_log):
        study, store = as_task("read sheet", request.open), request.store()
        as_task("check files", check_files, study, store, progress=listener())
        whole = request.model_dump(exclude={"batch"})
        batches = [process_batch_flow(BatchRequest(**whole, batch=batch)) for batch in study.batches()]
        return predict_response(study, batches, store, request.results, call=as_task, progress=listener())
