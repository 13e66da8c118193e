import json

import numpy as np
import pytest

from rabiomarkers.files import write_json, write_table
from rabiomarkers.report.summary import answer, build_summary, summary_step
from rabiomarkers.tables import CHANGES, LEDGER, OUTCOMES, QC

CONTRACT = {"orr", "dcr", "pfs", "models"}
ORR = {"responders": 3, "n": 10, "rate": 0.3, "ci_low": 0.0667, "ci_high": 0.6525, "denominator": "all patients"}


def test_the_summary_holds_what_the_contract_promises(results):
    assert results.summary.keys() >= CONTRACT
    assert results.summary["orr"].keys() >= {"responders", "n", "rate", "ci_low", "ci_high", "method", "denominator"}
    keys = {"name", "feature_set", "n", "responders", "auc", "auc_method", "p_value", "p_count", "p_total"}
    assert all(model.keys() >= keys | {"null_mean", "brier", "verdict"} for model in results.summary["models"])


def test_samples_pairs_and_tests_are_counted(results):
    summary = results.summary
    assert summary["patients"] == 10
    assert summary["samples"] == {"used": 77, "missing": 2, "excluded": 0, "failed_qc": 1}
    assert summary["pairs"] == {"blood": 10, "faecal": 9, "tumour": 9}
    assert summary["families"]["primary"] == 3


def test_the_primary_rows_are_those_of_the_changes_table(results):
    rows = {row["feature"]: row for row in results.summary["primary"]}
    for _, row in results.changes.query("tier == 'primary'").iterrows():
        assert rows[row["feature"]]["p_value"] == row["p_value"]


def test_the_answer_has_three_to_five_sentences(results):
    assert 3 <= len(results.summary["answer"]) <= 5


def test_the_answer_says_response_with_its_denominator():
    first = answer({"orr": ORR, "primary": []})[0]
    assert first.startswith("3 of 10 patients responded: objective response rate 30")
    assert first.endswith("; denominator: all patients.")


def test_the_sentence_on_retinoic_acid_is_taken_over():
    said = answer({"orr": ORR, "primary": [], "retinoic_acid": {"call": "response", "sentence": "It did."}})
    assert said[1] == "It did."


def test_what_cannot_be_told_is_said_to_be_so():
    told = answer({"orr": {"rate": None, "note": "none of 3 patients was assessed"}, "primary": []})
    assert "not estimable: none of 3 patients was assessed" in told[0]
    assert sum("not estimable" in sentence for sentence in told) == 4


def test_an_empty_trial_is_summed_up_without_a_number_by_accident():
    summary = build_summary(
        study="empty",
        contrast=["pre", "post"],
        endpoints={},
        models=[],
        outcomes=OUTCOMES.empty(),
        changes=CHANGES.empty(),
        ledger=LEDGER.empty(),
        qc=QC.empty(),
    )
    assert summary["orr"] is None
    assert summary["pairs"] == summary["families"] == {}
    assert len(summary["answer"]) == 5


@pytest.mark.parametrize("with_stool", [True, False])
def test_the_step_writes_the_summary_with_null_for_what_is_absent(results, tmp_path, with_stool):
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("outcomes", "changes", "ledger", "qc")}
    for name, path in inputs.items():
        frame = getattr(results, name)
        write_table(frame.assign(effect_size=np.nan) if name == "changes" else frame, path)
    inputs |= {name: tmp_path / f"{name}.json" for name in ("endpoints", "models")}
    write_json({"orr": ORR | {"ci_low": float("nan")}}, inputs["endpoints"])
    write_json(results.summary["models"], inputs["models"])
    if with_stool:
        inputs["distances_json"] = tmp_path / "distances.json"
        write_json(
            {"within_median": 0.43, "between_median": 0.8, "metric": "Bray-Curtis", "n_within": 32},
            inputs["distances_json"],
        )
    facts = summary_step(inputs, tmp_path, study="trial", contrast=["pre", "post"])
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert facts == {"patients": 10}
    assert summary["orr"]["ci_low"] is None
    assert summary["primary"][0]["effect_size"] is None
    assert (summary["stool"] is not None) == with_stool
    assert any("0.430 apart" in sentence for sentence in summary["answer"]) == with_stool
