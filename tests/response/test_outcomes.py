import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.outcomes import outcome_table
from tests.support.clinical import lesion, visit


def patients(*names, **columns):
    return pd.DataFrame({"patient_id": list(names), **columns})


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
    assert (
        outcome.note
        == "PR on day 42, confirmed on day 84; the reported visits say SD on day 42, SD on day 84; the lesions count"
    )


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
    assert (
        table["note"].tolist()
        == ["best response as given in patients.csv; the days of the assessments are not known, so PFS is not"] * 2
    )


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
        "no lesions, visits or best response are known; neither visits nor follow-up, so PFS is not known",
        "no assessment after baseline; neither visits nor follow-up, so PFS is not known",
    ]


def test_followup_decides_survival_where_it_is_given():
    followup = pd.DataFrame({"patient_id": ["P1", "P2"], "pfs_days": [200.0, np.nan], "progressed": [False, True]})
    table = outcome_table(patients("P1", "P2"), None, pd.concat([visit("P1", "PD"), visit("P2", "PD")]), followup)
    assert table["pfs_days"].tolist() == [200.0, 42.0]
    assert table["progressed"].tolist() == [False, True]
    assert table["note"].tolist() == [
        "progression on day 42; progression on day 42, but the follow-up says none until day 200, and that counts",
        "progression on day 42",
    ]


def test_a_death_before_any_progression_is_no_contradiction():
    followup = pd.DataFrame({"patient_id": ["P1"], "pfs_days": [60.0], "progressed": [True]})
    assert only(outcome_table(patients("P1"), None, visit("P1", "SD"), followup)).note == "SD on day 42"


def test_a_misspelt_rule_is_an_error():
    with pytest.raises(TypeError, match="confirmation_dayz"):
        outcome_table(patients("P1"), confirmation_dayz=14)


def test_what_each_rule_set_says_stands_beside_the_one_that_counts():
    visits = visit("P1", "CR", "PR", "PR")
    outcome = only(outcome_table(patients("P1"), None, visits))
    # after CR any disease is progression by the paper; admiralonco reads on and finds a confirmed PR
    assert (outcome.best_response, outcome.responder, outcome.progression_day) == ("SD", False, 84.0)
    assert outcome.best_response_recist_1_1 == "SD"
    assert outcome.best_response_admiralonco == "PR"
    assert not outcome.rule_sets_agree
    assert "rule sets disagree: recist-1.1 SD, admiralonco PR, irecist i" in outcome.note
    other = only(outcome_table(patients("P1"), None, visits, rule_set="admiralonco"))
    assert (other.best_response, other.responder) == ("PR", True)


def test_irecist_words_are_those_of_the_outcome_where_the_study_asks_for_them():
    outcome = only(outcome_table(patients("P1"), None, visit("P1", "PD", "PR", "PR"), rule_set="irecist"))
    assert (outcome.best_response, outcome.confirmed, outcome.responder) == ("iPR", True, True)
    assert outcome.best_response_recist_1_1 == "PD"
    assert outcome.best_response_irecist == "iPR"


def test_rule_sets_that_differ_in_words_only_agree():
    outcome = only(outcome_table(patients("P1"), None, visit("P1", "NON-CR/NON-PD", "NON-CR/NON-PD")))
    assert (outcome.best_response_recist_1_1, outcome.best_response_admiralonco) == ("SD", "NON-CR/NON-PD")
    assert outcome.rule_sets_agree
    assert "disagree" not in outcome.note


def test_the_unconfirmed_response_stands_beside_the_confirmed_one():
    outcome = only(outcome_table(patients("P1"), None, visit("P1", "PR", "SD")))
    assert (outcome.best_response, outcome.best_response_unconfirmed) == ("SD", "PR")


def test_words_of_irecist_in_visits_are_read_by_every_rule_set():
    outcome = only(outcome_table(patients("P1"), None, visit("P1", "iUPD", "iCPD")))
    assert (outcome.best_response, outcome.best_response_admiralonco, outcome.best_response_irecist) == (
        "PD",
        "PD",
        "iCPD",
    )


def test_a_given_response_is_told_in_the_words_of_the_rule_set():
    outcome = only(outcome_table(patients("P1", best_response=["PR"]), rule_set="irecist"))
    assert (outcome.best_response, outcome.best_response_recist_1_1, outcome.responder) == ("iPR", "PR", True)


def test_a_new_lesion_that_made_the_progression_has_its_day():
    table = lesion("P1", 30.0, 30.0, 30.0)
    new = pd.DataFrame({"patient_id": ["P1"], "day": [84], "lesion_id": ["X"], "kind": ["new"], "status": ["present"]})
    outcome = only(outcome_table(patients("P1"), pd.concat([table, new])))
    assert (outcome.progression_day, outcome.new_lesion_day) == (84.0, 84.0)
    growth = only(outcome_table(patients("P1"), lesion("P1", 30.0, 30.0, 40.0)))
    assert growth.progression_day == 84.0
    assert np.isnan(growth.new_lesion_day)


def test_duration_of_response_and_arm_are_kept():
    outcome = only(outcome_table(patients("P1", arm=["A"]), lesion("P1", 30.0, 18.0, 15.0, 40.0)))
    assert (outcome.response_day, outcome.response_days, outcome.response_ended) == (42.0, 84.0, True)
    assert outcome.arm == "A"


def test_a_patient_left_out_of_the_denominator_has_no_flags():
    outcome = only(outcome_table(patients("P1"), missing_as_not_evaluable=False))
    assert pd.isna([outcome.responder, outcome.disease_control, outcome.clinical_benefit]).all()
    assert (outcome.best_response, outcome.best_response_admiralonco) == ("NE", "NE")


def test_a_visit_without_a_scan_is_told_where_lesions_count():
    visits = visit("P1", "SD", "PD")
    outcome = only(outcome_table(patients("P1"), lesion("P1", 20.0, 20.0), visits))
    assert (outcome.best_response, outcome.pfs_days) == ("SD", 42.0)
    assert "the reported visits say PD on day 84, where no lesion was read: not counted" in outcome.note


def test_a_response_a_few_days_from_its_scans_belongs_to_them():
    visits = pd.DataFrame({"patient_id": ["P1"], "day": [45], "overall_response": ["PD"]})
    outcome = only(outcome_table(patients("P1"), lesion("P1", 20.0, 20.0), visits))
    assert "the reported visits say PD on day 45; the lesions count" in outcome.note


def test_visits_after_a_new_therapy_make_no_response_unless_the_study_says_so():
    followup = pd.DataFrame({"patient_id": ["P1"], "new_therapy_day": [50.0]})
    tables = (patients("P1"), lesion("P1", 30.0, 29.0, 18.0, 18.0), None, followup)
    outcome = only(outcome_table(*tables))
    assert (outcome.best_response, outcome.responder) == ("SD", False)
    assert outcome.best_change_percent == pytest.approx(-100 / 30)
    assert "PR on day 84, PR on day 126 after the new therapy began on day 50: not counted" in outcome.note
    assert only(outcome_table(*tables, responses_after_new_therapy_count=True)).best_response == "PR"


def test_admiralonco_reads_on_after_a_complete_response_in_lesions_as_it_does_in_visits():
    scanned = only(outcome_table(patients("P1"), lesion("P1", 20.0, 0.0, 4.0, 4.0), rule_set="admiralonco"))
    told = only(outcome_table(patients("P1"), None, visit("P1", "CR", "PR", "PR"), rule_set="admiralonco"))
    assert scanned.best_response == told.best_response == "PR"
    assert np.isnan([scanned.progression_day, told.progression_day]).all()


@pytest.mark.parametrize("place", ["lesions", "visits", "followup"])
def test_patients_who_are_not_in_the_table_of_patients_are_refused(place):
    followup = pd.DataFrame({"patient_id": ["P9"], "pfs_days": [10.0], "progressed": [True]})
    tables = {"lesions": lesion("P9", 20.0), "visits": visit("P9", "PR"), "followup": followup}
    with pytest.raises(ResponseError, match=f"not in the table of patients: {place}: P9"):
        outcome_table(patients("P1"), **{place: tables[place]})


def test_frames_that_cannot_be_used_are_told_at_once():
    visits = pd.DataFrame({"patient_id": ["P1"], "day": [np.nan], "overall_response": ["PR"]})
    with pytest.raises(ResponseError) as caught:
        outcome_table(patients("P1", "P1"), pd.DataFrame({"patient_id": ["P1"]}), visits)
    told = str(caught.value)
    assert "patients has these patients twice: P1" in told
    assert "lesions lacks day, lesion_id, kind, status, mm" in told
    assert "visits has a day that is no number" in told


def test_numbers_for_ids_are_refused_where_the_patients_have_text():
    visits = pd.DataFrame({"patient_id": [1], "day": [42], "overall_response": ["PR"]})
    with pytest.raises(ResponseError, match="not in the table of patients: visits: 1"):
        outcome_table(patients("1"), None, visits)


def test_text_for_a_flag_of_the_follow_up_is_refused():
    followup = pd.DataFrame({"patient_id": ["P1"], "pfs_days": [30.0], "progressed": ["no"]})
    with pytest.raises(ResponseError, match="is the text 'no'; give True, False or nothing"):
        outcome_table(patients("P1"), None, None, followup)


def test_why_no_visit_could_be_evaluated_stands_in_the_note():
    late = lesion("P1", 20.0, 20.0).assign(day=[14, 42])
    outcome = only(outcome_table(patients("P1"), late))
    assert outcome.note.startswith(
        "no visit was evaluable; no assessment on or before day 0 (first dose) to compare with"
    )


def test_a_best_response_that_does_not_count_is_told():
    outcome = only(outcome_table(patients("P1", best_response=["CR"]), None, visit("P1", "PD")))
    assert outcome.best_response == "PD"
    assert "patients.csv says CR, which does not count beside visits" in outcome.note
