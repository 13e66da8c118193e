import json

import numpy as np
import pandas as pd

from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.response.assess import assess_lesions
from rabiomarkers.response.step import outcome_step, remarks_of, sum_table
from rabiomarkers.tables.outcomes import REMARKS, SUMS
from tests.support.clinical import lesion, visit


def run(tmp_path, tables, **parameters):
    inputs = {name: tmp_path / f"in-{name}.parquet" for name in tables}
    for name, table in tables.items():
        write_table(table, inputs[name])
    return outcome_step(inputs, tmp_path, **parameters)


def test_sums_hold_lesions_and_for_others_the_visits():
    visits = pd.concat([visit("P1", "SD", "ND", "iUPD"), visit("P2", "PD")])
    table = sum_table(assess_lesions(lesion("P2", 30.0, 18.0)), visits)
    columns = ["patient_id", "day", "sum_mm", "change_percent", "response", "irecist_response", "nadir_mm"]
    assert table[columns].astype(object).fillna("-").to_numpy().tolist() == [
        ["P1", 42.0, "-", "-", "SD", "-", "-"],
        ["P1", 84.0, "-", "-", "NE", "-", "-"],
        ["P1", 126.0, "-", "-", "PD", "iUPD", "-"],
        ["P2", 0.0, 30.0, 0.0, "-", "-", 30.0],
        ["P2", 42.0, 18.0, -40.0, "PR", "iPR", 30.0],
    ]
    assert sum_table(None).empty


def test_remarks_come_from_baselines_early_visits_and_the_tables_themselves():
    others = pd.DataFrame(
        [["P9", np.nan, "tr.csv row 4", "two sums at one visit", "recomputed"]], columns=list(REMARKS.columns)
    )
    early = pd.DataFrame({"patient_id": ["P1"], "day": [0.0], "overall_response": ["SD"]})
    table = remarks_of(assess_lesions(lesion("P2", 8.0, 7.0)), early, REMARKS.check(others))
    assert table["patient_id"].tolist() == ["P1", "P2", "P9"]
    assert table["source"].tolist() == ["visits", "lesions", "tr.csv row 4"]
    assert remarks_of(None, None, None).empty


def test_step_writes_tables_and_json_without_nan(tmp_path):
    tables = {
        "patients": pd.DataFrame({"patient_id": ["P1", "P2"]}),
        "lesions": lesion("P1", 30.0, 18.0, 18.0),
        "adverse_events": pd.DataFrame(
            {"patient_id": ["P1"], "term": ["Rash"], "grade": pd.array([3], dtype="Int64"), "start_day": [5.0]}
        ).assign(related=pd.array([True], dtype="boolean"), serious=pd.array([False], dtype="boolean")),
    }
    info = run(tmp_path, tables, rules={"confirmation_days": 28})
    assert info == {"patients": 2, "responders": 1}
    assert read_table(tmp_path / "outcomes.parquet")["best_response"].tolist() == ["PR", "NE"]
    assert SUMS.check(read_table(tmp_path / "sums.parquet"))["day"].tolist() == [0.0, 42.0, 84.0]
    assert "Rash" in read_table(tmp_path / "toxicity.parquet")["term"].tolist()
    assert "response" in read_table(tmp_path / "timeline.parquet")["kind"].tolist()
    assert read_table(tmp_path / "survival.parquet")["endpoint"].tolist()
    assert read_table(tmp_path / "remarks.parquet").empty
    found = read_json(tmp_path / "endpoints.json")
    assert found["orr"]["n"] == 2
    assert found["decision"]["posterior"]["prior"] == [0.5, 0.5]
    assert "NaN" not in json.dumps(found)


def test_a_design_is_decided_by(tmp_path):
    tables = {"patients": pd.DataFrame({"patient_id": ["P1"]}), "visits": visit("P1", "PR", "PR")}
    design = {
        "null_rate": 0.05,
        "target_rate": 0.25,
        "type_1_error": 0.05,
        "power": 0.8,
        "kind": "optimal",
        "stages": None,
    }
    run(tmp_path, tables, rules={}, design=design)
    told = read_json(tmp_path / "endpoints.json")["decision"]["design"]
    # Simon 1989: 0.05 against 0.25, alpha 0.05, power 0.8: stop with 0 of 9, reject with more than 2 of 17
    assert [told[name] for name in ("first_n", "first_stop", "n", "stop")] == [9, 0, 17, 2]


def test_no_verdict_rests_on_patients_whose_response_is_not_known(tmp_path):
    tables = {
        "patients": pd.DataFrame({"patient_id": [f"P{place}" for place in range(10)]}),
        "visits": pd.concat([visit("P0", "SD"), visit("P1", "PR")]),
    }
    stages = {"first_n": 9, "first_stop": 0, "n": 17, "stop": 2}
    design = {"null_rate": 0.05, "target_rate": 0.25, "stages": stages}
    run(tmp_path, tables, rules={}, design=design)
    told = read_json(tmp_path / "endpoints.json")["decision"]
    # eight were never assessed, and the partial response of P1 may still be confirmed
    assert (told["design"]["unknown"], told["design"]["verdict"]) == (9, "open")
    assert "If none of them responds: 0 of 10 patients responded" in told["design"]["reading"]
    assert told["design"]["chance_of_rejection_null"] is None
    assert told["posterior"]["note"].startswith("9 of 10 patients whose response cannot be judged")
