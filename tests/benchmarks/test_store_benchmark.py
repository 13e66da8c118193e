"""How fast 300 unchanged steps are checked."""

import pytest

from rabiomarkers.files import write_table
from rabiomarkers.ingest.ledger import ledger_step
from rabiomarkers.store import Job, Store

pytestmark = pytest.mark.benchmark


def test_300_unchanged_steps(benchmark, tmp_path):
    """Target: under 0.5 s."""
    import pandas as pd

    from rabiomarkers.tables.samples import SAMPLES

    def table(name, frame):
        write_table(frame, tmp_path / name)
        return tmp_path / name

    inputs = {
        "samples": table("samples.parquet", SAMPLES.empty()),
        "patients": table("patients.parquet", pd.DataFrame({"patient_id": ["P1"]})),
        "failed": table("failed.parquet", pd.DataFrame({"sample_id": [], "assay": [], "reason": []}, dtype="str")),
    }
    jobs = [
        Job(name="ledger", step=ledger_step, inputs=inputs, parameters={"timepoints": [f"day {day}"]})
        for day in range(300)
    ]
    store = Store(tmp_path / "store")
    list(store.run_many(jobs))
    results = benchmark(lambda: list(Store(tmp_path / "store").run_many(jobs)))
    assert all(result.reused for result in results)
