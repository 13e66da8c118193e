"""What changed between two data cuts."""

import json

import pandas as pd
import pytest

from rabiomarkers.comparison import compare_results
from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_table, write_table


@pytest.fixture
def cuts(finished, own_workspace):
    """The same results twice; the second may be changed."""
    return finished, own_workspace / "results"


def edit(folder, name, change):
    """Change a table of the later cut."""
    table = change(read_table(folder / f"{name}.parquet"))
    write_table(table, folder / f"{name}.parquet")
    if (folder / f"{name}.csv").is_file():
        table.to_csv(folder / f"{name}.csv", index=False)


def edit_json(folder, name, change):
    told = json.loads((folder / name).read_text())
    change(told)
    (folder / name).write_text(json.dumps(told))


def test_two_equal_cuts_have_no_difference(cuts):
    assert compare_results(*cuts) == ["nothing changed"]


def test_a_changed_plan_and_another_version_are_told_first(cuts):
    def change(told):
        told["plan_hash"] = "other"
        told["versions"]["scipy"] = "9.9"

    edit_json(cuts[1], "run.json", change)
    first, second = compare_results(*cuts)
    assert first.startswith("plan: changed between the two cuts")
    assert second.startswith("version of scipy: ")
    assert second.endswith("-> 9.9")


def test_an_outcome_that_changed_is_told_and_one_that_did_not_is_not(cuts):
    def change(outcomes):
        outcomes.loc[0, "pfs_days"] = 999.0
        return outcomes

    edit(cuts[1], "outcomes", change)
    (line,) = compare_results(*cuts)
    patient = read_table(cuts[0] / "outcomes.parquet")["patient_id"].iloc[0]
    assert line.startswith(f"patient {patient} pfs_days: ")
    assert line.endswith("-> 999")


def test_a_sample_that_left_or_came_is_told(cuts):
    gone = read_table(cuts[0] / "ledger.parquet").iloc[0]
    edit(cuts[1], "ledger", lambda ledger: ledger.iloc[1:])
    (line,) = compare_results(*cuts)
    assert line.startswith(f"sample {gone['patient_id']} {gone['timepoint']} {gone['compartment']} {gone['assay']}")
    assert line.endswith("-> not listed")


def test_a_planned_change_that_moved_is_told_and_an_exploratory_one_is_not(cuts):
    def change(changes):
        changes.loc[changes["tier"] == "exploratory", "estimate"] += 1
        changes.loc[changes["feature"] == "RA_RESPONSE_CORE", "p_value"] = 0.5
        return changes

    edit(cuts[1], "changes", change)
    (line,) = compare_results(*cuts)
    assert line.startswith("change tumour RA_RESPONSE_CORE: p_value ")
    assert line.endswith("-> 0.5")


def test_another_verdict_is_told_also_where_a_model_was_not_fitted(cuts):
    edit_json(cuts[1], "summary.json", lambda told: told["models"].pop())
    (line,) = compare_results(*cuts)
    assert line.startswith("model fusion_both: ")
    assert line.endswith("-> not fitted")


def test_a_folder_without_results_is_told(cuts, tmp_path):
    with pytest.raises(ResultsError, match="not a results folder"):
        compare_results(cuts[0], tmp_path)


def test_values_that_are_both_absent_are_equal(cuts):
    edit(cuts[1], "outcomes", lambda outcomes: outcomes.assign(note=pd.NA))
    assert compare_results(*cuts) == ["nothing changed"]
