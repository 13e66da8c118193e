"""How features moved in responders and in the others."""

import math

import pandas as pd
import pytest

from rabiomarkers.change.by_response import by_response_step, change_by_response
from rabiomarkers.files import read_table, write_table


def deltas_of(changes: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": list(changes),
            "compartment": "tumour",
            "feature": "A",
            "unit": "rank score",
            "before": 0.0,
            "after": list(changes.values()),
            "change": list(changes.values()),
        }
    )


def outcomes_of(responder: dict[str, bool | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"patient_id": list(responder), "responder": pd.array(list(responder.values()), dtype="boolean")}
    ).assign(evaluable=True)


def test_the_median_change_is_told_for_responders_and_others():
    deltas = deltas_of({"P0": 1.0, "P1": 3.0, "P2": -1.0, "P3": 7.0, "P4": 9.0})
    outcomes = outcomes_of({"P0": True, "P1": True, "P2": False, "P3": None})  # P4 has no outcome row
    (row,) = change_by_response(deltas, outcomes).to_dict("records")
    assert (row["n_responders"], row["median_responders"]) == (2, 2.0)
    assert (row["n_non_responders"], row["median_non_responders"]) == (1, -1.0)
    assert row["n_unknown"] == 2


def test_a_patient_who_could_not_be_evaluated_is_no_non_responder():
    outcomes = outcomes_of({"P0": False, "P1": False}).assign(evaluable=[True, False])
    (row,) = change_by_response(deltas_of({"P0": 1.0, "P1": 9.0}), outcomes).to_dict("records")
    assert (row["n_non_responders"], row["median_non_responders"], row["n_unknown"]) == (1, 1.0, 1)


def test_the_median_of_nobody_is_absent():
    (row,) = change_by_response(deltas_of({"P0": 1.0}), outcomes_of({"P0": False})).to_dict("records")
    assert row["n_responders"] == 0
    assert math.isnan(row["median_responders"])


def test_without_a_pair_the_table_is_empty():
    assert change_by_response(deltas_of({}), outcomes_of({"P0": True})).empty


@pytest.mark.parametrize("order", [1, -1])
def test_the_step_writes_the_same_table_whatever_the_order_of_rows(tmp_path, order):
    deltas = deltas_of({"P0": 1.0, "P1": 3.0, "P2": -1.0})
    both = pd.concat([deltas, deltas.assign(feature="B")])
    write_table(both.iloc[::order], tmp_path / "deltas.parquet")
    write_table(outcomes_of({"P0": True, "P1": False, "P2": False}).iloc[::order], tmp_path / "outcomes.parquet")
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("deltas", "outcomes")}
    assert by_response_step(inputs, tmp_path) == {"features": 2}
    table = read_table(tmp_path / "by_response.parquet")
    assert list(table["feature"]) == ["A", "B"]
    assert list(table["median_non_responders"]) == [1.0, 1.0]
