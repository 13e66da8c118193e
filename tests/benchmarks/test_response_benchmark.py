"""How fast lesions become best responses: 10 000 patients, 12 visits, 5 lesions, under all three rule sets, on one core.

There is no peer in Python to compare with; the target is 10 s.
"""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.files import write_table
from rabiomarkers.response.outcomes import outcome_table
from rabiomarkers.response.step import outcome_step

pytestmark = pytest.mark.benchmark

PATIENTS, VISITS, LESIONS = 10_000, 12, 5
TARGET_SECONDS = 10.0


@pytest.fixture(scope="module")
def patients():
    return pd.DataFrame({"patient_id": [f"P{number:05d}" for number in range(PATIENTS)]})


@pytest.fixture(scope="module")
def lesions(patients):
    """Lesions that shrink and grow: all kinds of response, many progressions."""
    rng = np.random.default_rng(1)
    growth = np.cumprod(rng.normal(0.98, 0.12, (PATIENTS, VISITS + 1, LESIONS)).clip(0.3), axis=1)
    start = rng.integers(100, 500, (PATIENTS, 1, LESIONS))
    tenths = (start * growth / growth[:, :1]).round().astype(int).ravel()
    rows = (VISITS + 1) * LESIONS
    return pd.DataFrame(
        {
            "patient_id": np.repeat(patients["patient_id"].to_numpy(), rows),
            "day": np.tile(np.repeat(np.arange(VISITS + 1) * 42.0, LESIONS), PATIENTS),
            "lesion_id": np.tile([f"T{number}" for number in range(LESIONS)], PATIENTS * (VISITS + 1)),
            "kind": "target",
            "mm": tenths / 10,
            "status": "measured",
            "tenths": pd.array(tenths, dtype="Int64"),
        }
    )


def test_best_response_of_ten_thousand_patients(benchmark, patients, lesions):
    outcomes = benchmark.pedantic(outcome_table, (patients, lesions), rounds=3)
    assert len(outcomes) == PATIENTS
    assert set(outcomes["best_response"]) >= {"PR", "SD"}
    assert benchmark.stats["min"] < TARGET_SECONDS


def test_the_whole_stage_of_ten_thousand_patients(benchmark, tmp_path, patients, lesions):
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("patients", "lesions")}
    write_table(patients, inputs["patients"])
    write_table(lesions, inputs["lesions"])
    info = benchmark.pedantic(outcome_step, (inputs, tmp_path), {"rules": {}}, rounds=1)
    assert info["patients"] == PATIENTS
