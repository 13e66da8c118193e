import json

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.files import write_json, write_table
from rabiomarkers.report.retinoic_acid import NOT_SCORED
from rabiomarkers.report.summary import answer, build_summary, summary_step
from rabiomarkers.tables.changes import CHANGES
from rabiomarkers.tables.outcomes import OUTCOMES
from rabiomarkers.tables.samples import LEDGER, QC

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
    assert summary["plan"]["sequence_stopped_at"] is not None


def test_the_primary_rows_are_those_of_the_changes_table(results):
    rows = {row["feature"]: row for row in results.summary["primary"]}
    for _, row in results.changes.query("tier == 'primary'").iterrows():
        assert rows[row["feature"]]["p_value"] == row["p_value"]


def test_the_answer_has_five_parts(results):
    assert len(results.summary["answer"]) == 5


def test_the_answer_says_response_with_its_denominator():
    first = answer({"orr": ORR, "primary": []})[0]
    assert first.startswith("3 of 10 patients responded: objective response rate 30")
    assert first.endswith("; denominator: all patients.")


def change(feature, *, compartment="tumour", estimate=0.1, p_value=0.002, n_pairs=10, note=None):
    numbers = {"estimate": estimate, "ci_low": 0.0, "ci_high": 0.2, "ci_level": 0.95, "effect_size": 1.0}
    tested = {"p_value": p_value, "p_floor": 2 / 2**n_pairs if n_pairs else None, "q_value": p_value}
    named = {"unit": "rank score", "test": "sign-flip", "family": "primary", "tier": "primary", "note": note}
    given = {"compartment": compartment, "feature": feature, "n_pairs": n_pairs, **numbers, **tested, **named}
    return dict.fromkeys(CHANGES.columns) | {"correction": "fixed sequence"} | given


def told(call, *rows, **facts_of_the_call):
    """The sentences on retinoic acid and on the other primary features."""
    changes = CHANGES.check(pd.DataFrame(rows)) if rows else CHANGES.empty()
    tables = {"outcomes": OUTCOMES.empty(), "ledger": LEDGER.empty(), "qc": QC.empty()}
    facts = {"study": "x", "contrast": ["pre", "post"], "endpoints": {}, "models": []}
    return build_summary(**facts, **tables, changes=changes, retinoic_acid={"call": call, **facts_of_the_call})[
        "answer"
    ][1:3]


def test_a_retinoic_acid_response_is_told_with_both_scores_and_their_floors():
    said, others = told("response", change("RA_RESPONSE_CORE"), change("RA_RESPONSE_DIRECT", estimate=0.08))
    assert said.startswith(
        "The tumour shows a retinoic-acid response. Retinoic-acid target genes, core set (RA_RESPONSE_CORE): "
    )
    assert "+0.100 rank score in 10 pairs, p = 0.00200 (floor\N{NO-BREAK SPACE}0.00195)" in said
    assert others.startswith(
        "Other primary features. Direct retinoic-acid target genes (RA_RESPONSE_DIRECT), tumour: rose, +0.0800"
    )


def test_without_a_response_the_sentence_claims_no_drug_and_says_what_the_mechanism_found():
    still = change("RA_RESPONSE_DIRECT", estimate=-0.001, p_value=0.9)
    why = "The core score rose without the direct targets, as it does when immune cells move in."
    said, _ = told("no response", change("RA_RESPONSE_CORE"), still, why=why)
    assert said.startswith("No retinoic-acid response is seen in the tumour.")
    assert said.endswith(f"p = 0.900 (floor\N{NO-BREAK SPACE}0.00195). {why}")


def test_the_change_that_is_left_without_infiltration_is_told():
    row = {"feature": "RA_RESPONSE_DIRECT", "infiltration": "CYT_ROONEY_2015", "unit": "rank score"}
    left = [row | {"estimate": 0.02, "p_value": 0.4}, row | {"infiltration": "TIS_AYERS_2017", "estimate": 9.0}]
    rows = [change("RA_RESPONSE_CORE"), change("RA_RESPONSE_DIRECT")]
    said, _ = told("no response", *rows, adjusted=left)
    assert said.endswith(
        "; adjusted for cytolytic activity (CYT_ROONEY_2015), the latter changed by +0.0200 rank score, p = 0.400."
    )
    assert "9" not in said.partition("the latter")[2]
    untested = told("not estimable", *rows, adjusted=[row | {"estimate": None, "p_value": None}])[0]
    assert "the latter" not in untested


def test_a_plan_that_is_not_the_registered_one_stands_before_both_sentences_it_concerns():
    named = {"primary": [change("NLR", compartment="blood")], "retinoic_acid": {"sentence": "It rose."}}
    for plan, marked in (({"registered": False}, True), ({"registered": True}, False), ({}, False)):
        said = answer(named | {"plan": plan})
        starts = [sentence.startswith("The plan is not the one that was registered") for sentence in said]
        assert starts == [False, marked, marked, False, False]
    nobody = answer({"primary": [], "plan": {"registered": False}})
    assert nobody[1].endswith("so every feature is exploratory. " + NOT_SCORED)
    assert "names no" not in nobody[2]


def test_stool_is_said_to_be_exploratory():
    stool = {"within_median": 0.3, "between_median": 0.8, "metric": "Bray-Curtis", "n_within": 3}
    assert answer({"primary": [], "stool": stool})[3].startswith("Exploratory: stool of one patient before and after")


def test_too_few_pairs_and_no_pair_for_retinoic_acid_are_told():
    few = told("not estimable", change("RA_RESPONSE_CORE", p_value=0.25, n_pairs=3))[0]
    assert "p = 0.250 (floor\N{NO-BREAK SPACE}0.250), cannot reach 0.05; direct retinoic-acid target genes" in few
    assert few.endswith("(RA_RESPONSE_DIRECT): not measured.")
    none = told("not estimable", change("RA_RESPONSE_CORE", p_value=None, n_pairs=0, note="no pair"))[0]
    assert "(RA_RESPONSE_CORE): not estimable (no pair)" in none


def test_a_study_without_tumour_samples_says_so_and_names_no_other_features():
    said, others = told("not estimable", change("NLR", compartment="blood"))
    assert said.endswith("is not estimable: no tumour sample gave a score of its target genes.")
    assert others.startswith("Primary features. Neutrophils per lymphocyte (NLR), blood: rose")
    missing = change("NLR", compartment="any", p_value=None, n_pairs=0, note="named in the plan, no sample gave it")
    assert told("not estimable", missing)[1] == "Primary features. Neutrophils per lymphocyte (NLR): not measured."


def test_what_cannot_be_told_is_said_to_be_so():
    said = answer({"orr": {"rate": None, "note": "none of 3 patients was assessed"}, "primary": []})
    assert said[0] == "The objective response rate is not estimable: none of 3 patients was assessed."
    assert sum("not estimable" in sentence for sentence in said) == 3
    assert said[3] == "The study has no stool sample."


def test_a_stool_test_that_cannot_reach_the_level_says_so():
    stool = {"within_median": 0.3, "between_median": 0.8, "metric": "Bray-Curtis", "n_within": 3}
    said = answer({"primary": [], "stool": stool | {"p_value": 1 / 6, "p_floor": 1 / 6}})[3]
    assert said.endswith("p = 0.167 (floor\N{NO-BREAK SPACE}0.167), cannot reach 0.05.")


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
    assert summary["pairs"] == {}
    assert summary["plan"] == {"sequence_stopped_at": None}
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
