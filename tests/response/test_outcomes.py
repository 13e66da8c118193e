import json

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import ResponseError
from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.response.outcomes import endpoints, outcome_step, outcome_table, sum_table


def patients(*names, **columns):
    return pd.DataFrame({"patient_id": list(names), **columns})


def lesion(patient, *sizes):
    """A target lesion at days 0, 42, 84, ..."""
    days = [42 * visit for visit in range(len(sizes))]
    frame = pd.DataFrame({"patient_id": patient, "day": days, "lesion_id": "T1", "kind": "target", "mm": sizes})
    return frame.assign(status="measured", tenths=(frame["mm"] * 10).round().astype("Int64"))


def visit(patient, *codes):
    return pd.DataFrame(
        {"patient_id": patient, "day": [42 * (1 + place) for place in range(len(codes))], "overall_response": codes}
    )


def only(table):
    assert len(table) == 1
    return table.iloc[0]


def test_lesions_give_response_waterfall_and_progression():
    outcome = only(outcome_table(patients("P1"), lesion("P1", 30.0, 18.0, 15.0, 40.0)))
    assert (outcome.best_response, outcome.confirmed, outcome.responder, outcome.disease_control) == (
        "PR",
        True,
        True,
        True,
    )
    assert outcome.best_change_percent == -50.0
    assert (outcome.pfs_days, outcome.progressed) == (126.0, True)
    assert outcome.note == "PR on day 42, confirmed on day 84"


def test_shrinkage_after_progression_is_not_the_best_change():
    outcome = only(outcome_table(patients("P1"), lesion("P1", 30.0, 40.0, 10.0)))
    assert outcome.best_change_percent == pytest.approx(100 / 3)
    counted = outcome_table(patients("P1"), lesion("P1", 30.0, 40.0, 10.0), responses_after_progression_count=True)
    assert only(counted).best_change_percent == pytest.approx(-200 / 3)


def test_visits_are_used_where_there_are_no_lesions():
    outcome = only(outcome_table(patients("P1"), None, visit("P1", "SD", "NE")))
    assert (outcome.best_response, outcome.responder, outcome.disease_control) == ("SD", False, True)
    assert (outcome.pfs_days, outcome.progressed) == (42.0, False)
    assert np.isnan(outcome.best_change_percent)


def test_lesions_win_over_visits_and_the_note_says_where_they_disagree():
    outcome = only(outcome_table(patients("P1"), lesion("P1", 30.0, 18.0, 18.0), visit("P1", "SD", "SD")))
    assert outcome.best_response == "PR"
    assert outcome.note == "PR on day 42, confirmed on day 84; visits.csv says SD, the lesions count"


def test_lesions_that_agree_with_visits_need_no_remark():
    outcome = only(outcome_table(patients("P1"), lesion("P1", 30.0, 18.0, 18.0), visit("P1", "PR", "PR")))
    assert outcome.note == "PR on day 42, confirmed on day 84"


def test_visits_are_used_where_the_lesions_end_at_baseline():
    assert only(outcome_table(patients("P1"), lesion("P1", 30.0), visit("P1", "PD"))).best_response == "PD"


def test_a_given_best_response_is_taken_as_it_is():
    table = outcome_table(patients("P1", "P2", best_response=["PR", "pd"]))
    assert table["best_response"].tolist() == ["PR", "PD"]
    assert table["responder"].tolist() == [True, False]
    assert table["confirmed"].isna().all()
    assert table["pfs_days"].isna().all()
    assert table["note"].tolist() == ["best response as given in patients.csv"] * 2


def test_a_given_response_of_another_kind_is_refused():
    with pytest.raises(ResponseError, match=r"best_response in patients.csv holds NON-CR/NON-PD"):
        outcome_table(patients("P1", best_response=["NON-CR/NON-PD"]))


def test_a_patient_of_whom_nothing_is_known_stays_in_with_the_reason():
    table = outcome_table(patients("P2", "P1", "P3", best_response=[None, "CR", None]), lesion("P3", 20.0))
    assert table["patient_id"].tolist() == ["P1", "P2", "P3"]
    assert table["best_response"].tolist() == ["CR", "NE", "NE"]
    assert table["evaluable"].tolist() == [True, False, False]
    assert table["responder"].tolist() == [True, False, False]
    assert table["note"].tolist()[1:] == [
        "no lesions, visits or best response are known",
        "no assessment after baseline",
    ]


def test_missing_assessments_leave_the_denominator_only_where_the_study_says_so():
    sheet = patients("P1", "P2", best_response=["PR", None])
    found = endpoints(outcome_table(sheet, missing_as_not_evaluable=False))["orr"]
    assert (found["responders"], found["n"]) == (1, 1)
    assert found["denominator"] == "patients with an assessment (1 without any left out)"
    assert endpoints(outcome_table(sheet))["orr"]["n"] == 2


def test_followup_decides_survival_where_it_is_given():
    followup = pd.DataFrame({"patient_id": ["P1", "P2"], "pfs_days": [200.0, np.nan], "progressed": [False, True]})
    table = outcome_table(patients("P1", "P2"), None, pd.concat([visit("P1", "PD"), visit("P2", "PD")]), followup)
    assert table["pfs_days"].tolist() == [200.0, 42.0]
    assert table["progressed"].tolist() == [False, True]
    assert table["note"].tolist() == [
        "progression on day 42; progression on day 42, but followup.csv says none until day 200, and that counts",
        "progression on day 42",
    ]


def test_a_death_before_any_progression_is_no_contradiction():
    followup = pd.DataFrame({"patient_id": ["P1"], "pfs_days": [60.0], "progressed": [True]})
    assert only(outcome_table(patients("P1"), None, visit("P1", "SD"), followup)).note == "SD on day 42"


def test_survival_from_visits_alone_says_that_deaths_are_not_in_it():
    visits = pd.concat([visit("P1", "PD"), visit("P2", "SD"), visit("P3", "SD")])
    followup = pd.DataFrame({"patient_id": ["P3"], "pfs_days": [90.0], "progressed": [True]})
    outcomes = outcome_table(patients("P1", "P2", "P3"), None, visits, followup)
    assert endpoints(outcomes, followup=followup)["pfs"]["note"].endswith(
        "from visits alone, so deaths are not counted: 2 of 3 patients"
    )


def test_a_misspelt_rule_is_an_error():
    with pytest.raises(TypeError, match="confirmation_dayz"):
        outcome_table(patients("P1"), confirmation_dayz=14)


def ten_patients(responders, not_evaluable=0):
    codes = ["PR"] * responders + ["NE"] * not_evaluable + ["SD"] * (5 - not_evaluable) + ["PD"] * (5 - responders)
    return outcome_table(patients(*[f"P{place}" for place in range(10)], best_response=codes))


def test_three_of_ten_have_the_exact_interval():
    found = endpoints(ten_patients(3))["orr"]
    assert (found["responders"], found["n"], found["rate"]) == (3, 10, 0.3)
    # R binom.test(3, 10): 0.06673951 0.65245285
    assert (found["ci_low"], found["ci_high"]) == (pytest.approx(0.06673951117), pytest.approx(0.65245285006))
    assert found["method"] == "Clopper-Pearson 95 %"
    assert found["denominator"] == "all patients (intention to treat)"


def test_patients_not_evaluable_are_in_one_denominator_and_not_in_the_other():
    found = endpoints(ten_patients(3, not_evaluable=2))
    assert (found["orr"]["n"], found["orr_evaluable"]["n"]) == (10, 8)
    assert found["orr"]["note"] == "2 of 10 patients not evaluable: in the denominator only"
    assert (found["dcr"]["responders"], found["dcr_evaluable"]["responders"]) == (6, 6)


def test_no_responder_is_a_rate_of_0_with_its_interval():
    found = endpoints(ten_patients(0))["orr"]
    assert (found["rate"], found["ci_low"]) == (0.0, 0.0)
    assert found["ci_high"] == pytest.approx(1 - 0.025 ** (1 / 10))  # closed form at 0 of n


@pytest.mark.parametrize("names", [(), ("P1", "P2")])
def test_nobody_assessed_is_no_rate(names):
    found = endpoints(outcome_table(patients(*names)))
    for endpoint in ("orr", "orr_evaluable", "dcr", "dcr_evaluable"):
        assert found[endpoint]["rate"] is None
        assert found[endpoint]["note"].startswith("not estimable")
    assert found["pfs"]["median_days"] is None
    assert found["pfs"]["note"].startswith("not estimable: no patient has a known duration")


def test_median_survival_counts_those_without_followup():
    followup = pd.DataFrame(
        {"patient_id": list("ABCDE"), "pfs_days": [10.0, 20.0, 30.0, 40.0, 50.0], "progressed": [True] * 5}
    )
    found = endpoints(outcome_table(patients(*"ABCDEF"), None, None, followup), followup=followup)["pfs"]
    assert (found["median_days"], found["n"], found["events"]) == (30.0, 5, 5)
    assert found["note"].endswith("without follow-up, left out: 1 of 6 patients")


def test_an_open_upper_limit_is_said_in_words():
    followup = pd.DataFrame(
        {"patient_id": list("ABCD"), "pfs_days": [10.0, 20.0, 30.0, 40.0], "progressed": [True, True, True, False]}
    )
    found = endpoints(outcome_table(patients(*"ABCD"), None, None, followup), followup=followup)["pfs"]
    assert found["median_days"] == 25.0  # S is one half from 20 to 30: the middle
    assert found["ci_high"] is None
    assert found["note"] == "upper limit not reached in the time observed"


def test_adverse_events_count_each_patient_once_at_the_worst_grade():
    events = pd.DataFrame({"patient_id": ["P0", "P0", "P1", "P2", "other"], "grade": [1, 4, 3, 2, 5]})
    found = endpoints(ten_patients(3), events)["adverse_events"]
    assert found["n"] == 10
    assert found["patients_with_any"] == 3
    assert found["patients_with_grade_3_or_higher"] == 2
    assert found["by_worst_grade"] == {"1": 0, "2": 1, "3": 1, "4": 1, "5": 0}
    assert found["none"] == 7


def test_no_table_of_adverse_events_is_not_no_adverse_event():
    found = endpoints(ten_patients(3))["adverse_events"]
    assert found["patients_with_any"] is None
    assert found["note"] == "no adverse events table"


def test_sums_hold_lesions_and_for_others_the_visits():
    table = sum_table(lesion("P2", 30.0, 18.0), pd.concat([visit("P1", "SD"), visit("P2", "PD")]))
    assert table.fillna("-").to_numpy().tolist() == [
        ["P1", 42.0, "-", "-", "SD"],
        ["P2", 0.0, 30.0, 0.0, "-"],
        ["P2", 42.0, 18.0, -40.0, "PR"],
    ]
    assert sum_table(None).empty


def test_step_writes_tables_and_json_without_nan(tmp_path):
    tables = {"patients": patients("P1", "P2"), "lesions": lesion("P1", 30.0, 18.0, 18.0)}
    inputs = {name: tmp_path / f"in-{name}.parquet" for name in tables}
    for name, table in tables.items():
        write_table(table, inputs[name])
    info = outcome_step(inputs, tmp_path, confirmation_days=28)
    assert info == {"patients": 2, "responders": 1}
    assert read_table(tmp_path / "outcomes.parquet")["best_response"].tolist() == ["PR", "NE"]
    assert len(read_table(tmp_path / "sums.parquet")) == 3
    assert read_json(tmp_path / "endpoints.json")["pfs"]["median_days"] is None
    assert "NaN" not in json.dumps(read_json(tmp_path / "endpoints.json"))
