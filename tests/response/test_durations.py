import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.codes import as_recist
from rabiomarkers.response.durations import FollowUp, durations, followups
from rabiomarkers.response.rules import RULE_SETS, BestResponse, ResponseRules

RULES = ResponseRules()


def visits(*codes):
    """Visits on days 42, 84, 126, ..."""
    return [(42.0 * (1 + place), code) for place, code in enumerate(codes)]


def told(course, followup=None, rules=RULES, **options):
    """The durations of a patient with these visits, under the rules."""
    best = best_response(course, rules)
    responder = as_recist(best.response) in ("CR", "PR")
    return durations(best, course, followup, responder=responder, **options)


def pfs(course, followup=None, **options):
    found = told(course, followup, **options)
    return found.pfs_days, found.progressed


def test_progression_at_a_visit_is_the_event():
    found = told(visits("SD", "SD", "PD"))
    assert (found.pfs_days, found.progressed, found.note) == (126.0, True, "")


def test_without_event_the_last_evaluable_visit_censors():
    assert pfs(visits("SD", "SD", "NE")) == (84.0, False)


def test_death_before_any_progression_is_the_event():
    assert pfs(visits("SD", "SD"), FollowUp(os_days=100.0, died=True)) == (100.0, True)


def test_death_after_the_progression_changes_nothing():
    assert pfs(visits("SD", "PD"), FollowUp(os_days=300.0, died=True)) == (84.0, True)


def test_who_is_alive_is_censored_at_the_last_scan_and_not_at_the_last_contact():
    found = told(visits("SD", "SD"), FollowUp(os_days=300.0, died=False))
    assert (found.pfs_days, found.progressed, found.os_days, found.died) == (84.0, False, 300.0, False)


def test_a_patient_never_evaluable_is_censored_on_day_0_and_the_note_says_so():
    found = told(visits("NE", "NE"))
    assert (found.pfs_days, found.progressed) == (0.0, False)
    assert found.note == "no visit after baseline was evaluable: PFS is censored on day 0"


def test_a_patient_never_evaluable_who_dies_has_the_event_at_death():
    assert pfs(visits("NE", "NE"), FollowUp(os_days=70.0, died=True)) == (70.0, True)


@pytest.mark.parametrize("course", [visits("ND"), [(0.0, "SD")], []])
def test_who_was_followed_without_a_scan_stays_in_the_denominator(course):
    assert pfs(course, FollowUp(os_days=90.0, died=False)) == (0.0, False)


def test_who_was_scanned_at_baseline_only_stays_in_the_denominator():
    assert pfs([(-7.0, "NE")]) == (0.0, False)


def test_a_patient_of_whom_nothing_is_known_has_no_survival_and_the_note_says_why():
    found = told([])
    assert (found.pfs_days, found.progressed, found.os_days, found.died) == (None, None, None, None)
    assert found.note == "neither visits nor follow-up, so PFS is not known"


@pytest.mark.parametrize("code", ["PD", "SD", "PR"])
@pytest.mark.parametrize("followup", [None, FollowUp(os_days=300.0, died=True)])
def test_a_response_without_its_days_has_no_progression_free_survival(code, followup):
    # the death on day 300 is no event: the progression of the PD came before it, and nobody knows when
    best = BestResponse(response=code, confirmed=None, note="")
    found = durations(best, [], followup, responder=code == "PR")
    assert (found.pfs_days, found.progressed, found.response_day, found.response_days) == (None, None, None, None)
    assert found.note == "the days of the assessments are not known, so PFS is not"


def test_a_given_not_evaluable_response_counts_a_death():
    best = BestResponse(response="NE", confirmed=None, note="")
    found = durations(best, [], FollowUp(os_days=50.0, died=True), responder=False)
    assert (found.pfs_days, found.progressed) == (50.0, True)


@pytest.mark.parametrize(
    ("days", "progressed", "note"),
    [
        (200.0, False, "progression on day 84, but the follow-up says none until day 200, and that counts"),
        (30.0, False, "progression on day 84, but the follow-up says none until day 30, and that counts"),
        (99.0, True, "progression on day 84, but the follow-up says progression or death on day 99, and that counts"),
        (60.0, True, ""),  # seen between the scans
        (84.0, True, ""),
    ],
)
def test_the_follow_up_counts_and_a_contradiction_is_said(days, progressed, note):
    found = told(visits("SD", "PD"), FollowUp(pfs_days=days, progressed=progressed))
    assert (found.pfs_days, found.progressed, found.note) == (days, progressed, note)


def test_a_follow_up_with_half_a_pair_does_not_count():
    assert pfs(visits("PD"), FollowUp(pfs_days=200.0)) == (42.0, True)


def test_a_new_therapy_before_the_event_censors_at_the_last_scan_before_it():
    found = told(visits("SD", "SD", "SD", "PD"), FollowUp(new_therapy_day=100.0))
    assert (found.pfs_days, found.progressed) == (84.0, False)  # scans on 42, 84 | 100 | 126, 168
    assert found.note == "new therapy on day 100: PFS is censored on day 84"


@pytest.mark.parametrize(
    ("new_therapy", "days", "progressed"),
    [
        (84.0, 84.0, False),  # a scan on the day it begins counts
        (126.0, 126.0, True),  # begun on the day of progression: because of it
        (130.0, 126.0, True),
        (20.0, 0.0, False),  # before the first scan
        (-30.0, 126.0, True),  # an earlier line of treatment
        (0.0, 126.0, True),
    ],
)
def test_the_day_of_the_new_therapy_decides(new_therapy, days, progressed):
    assert pfs(visits("SD", "SD", "PD"), FollowUp(new_therapy_day=new_therapy)) == (days, progressed)


def test_a_new_therapy_after_the_last_scan_needs_no_remark():
    found = told(visits("SD", "SD"), FollowUp(new_therapy_day=90.0))
    assert (found.pfs_days, found.progressed, found.note) == (84.0, False, "")


def test_a_death_after_new_therapy_is_no_event():
    assert pfs(visits("SD"), FollowUp(new_therapy_day=60.0, os_days=200.0, died=True)) == (42.0, False)


@pytest.mark.parametrize(
    ("gap", "days", "progressed"),
    [(None, 210.0, True), (168, 210.0, True), (167, 42.0, False)],  # 210 - 42 = 168 days without an evaluable scan
)
def test_an_event_long_after_the_last_scan_is_censored_there(gap, days, progressed):
    course = visits("SD", "NE", "NE", "NE", "PD")
    assert pfs(course, maximum_gap_days=gap) == (days, progressed)


def test_the_note_names_what_came_too_late():
    found = told(visits("SD"), FollowUp(os_days=200.0, died=True), maximum_gap_days=112)
    assert (found.pfs_days, found.progressed, found.died) == (42.0, False, True)
    assert found.note == (
        "death on day 200 came 158 days after the last evaluable visit, more than 112: PFS is censored on day 42"
    )


def test_the_gap_counts_from_day_0_where_there_was_no_scan():
    assert pfs(visits("NE"), FollowUp(os_days=100.0, died=True), maximum_gap_days=90) == (0.0, False)
    assert pfs([(100.0, "PD")], maximum_gap_days=90) == (0.0, False)


def test_a_scan_on_the_day_of_death_leaves_no_gap():
    assert pfs([(150.0, "SD")], FollowUp(os_days=150.0, died=True), maximum_gap_days=90) == (150.0, True)


def test_a_partial_response_lasts_from_its_first_visit_to_the_progression():
    found = told(visits("SD", "PR", "PR", "SD", "PD"))  # 210 - 84 = 126
    assert (found.response_day, found.response_days, found.response_ended) == (84.0, 126.0, True)


def test_a_response_that_goes_on_is_censored_at_the_last_evaluable_visit():
    found = told(visits("PR", "PR", "PR", "NE"))  # 126 - 42 = 84
    assert (found.response_day, found.response_days, found.response_ended) == (42.0, 84.0, False)


def test_a_death_ends_the_response():
    found = told(visits("PR", "PR"), FollowUp(os_days=182.0, died=True))  # 182 - 42 = 140
    assert (found.response_days, found.response_ended) == (140.0, True)


def test_without_response_there_is_no_duration():
    found = told(visits("SD", "SD", "PD"))
    assert (found.response_day, found.response_days, found.response_ended) == (None, None, None)


@pytest.mark.parametrize(
    ("course", "first"),
    [
        (visits("CR", "CR"), 42.0),
        (visits("PR", "CR", "CR"), 42.0),  # whichever of CR and PR is seen first
        (visits("PR", "NE", "CR", "CR"), 42.0),
        (visits("PR", "SD", "CR", "CR"), 126.0),  # the PR was never confirmed
        (visits("PR", "PR", "SD", "CR", "CR"), 42.0),  # it was, and a response ends with progression only
        (visits("PR", "SD", "PR", "CR", "CR"), 126.0),
        ([(42.0, "PR"), (49.0, "PR"), (84.0, "SD"), (126.0, "CR"), (168.0, "CR")], 126.0),  # 7 days confirm nothing
    ],
)
def test_a_complete_response_begins_with_the_partial_one_that_led_to_it(course, first):
    found = told(course)
    assert found.response_day == first
    assert found.response_days == course[-1][0] - first


def test_without_confirmation_the_first_response_is_the_start():
    rules = ResponseRules(confirmation_required=False)
    assert told(visits("PR", "SD", "CR"), rules=rules, confirmation_days=0).response_day == 42.0


def test_a_progression_that_irecist_does_not_count_neither_ends_nor_interrupts_a_response():
    rules = ResponseRules(rule_set="irecist")
    found = told(visits("iPR", "iPR", "iUPD", "iPR", "iUPD", "iCPD"), rules=rules)
    # the iUPD of day 126 was followed by iPR; that of day 210 was confirmed on day 252 and dates the progression
    assert (found.pfs_days, found.progressed) == (210.0, True)
    assert (found.response_day, found.response_days, found.response_ended) == (42.0, 168.0, True)
    for word in ("iUPD", "PD"):
        assert told(visits("iPR", word, "iCR", "iCR"), rules=rules).response_day == 42.0


def test_a_response_after_progression_has_no_duration():
    rules = ResponseRules(responses_after_progression_count=True)
    found = told(visits("PD", "PR", "PR"), rules=rules)
    assert (found.response_day, found.response_days, found.response_ended) == (84.0, None, None)
    assert found.note == "PFS ended on day 42, before the response on day 84, whose duration is not known"


def test_a_response_after_new_therapy_has_no_duration():
    found = told(visits("SD", "PR", "PR"), FollowUp(new_therapy_day=60.0))
    assert (found.pfs_days, found.response_day, found.response_days) == (42.0, 84.0, None)


@pytest.mark.parametrize(
    ("course", "followup", "benefit"),
    [
        (visits("PR", "PR", "PD"), None, True),  # a response, however short
        (visits("SD", "SD", "SD", "SD"), None, True),  # without progression on day 168
        (visits("SD", "SD", "SD", "PD"), None, True),  # stable for 168 days, 24 weeks
        (visits("SD", "SD", "PD"), None, False),  # 126 days
        (visits("SD", "SD"), FollowUp(os_days=150.0, died=True), False),
        (visits("SD", "SD"), None, None),  # 84 days so far
        (visits("SD", "SD"), FollowUp(pfs_days=170.0, progressed=False), True),
        (visits("SD", "SD", "SD", "SD"), FollowUp(new_therapy_day=100.0), None),
        (visits("NON-CR/NON-PD", "NON-CR/NON-PD", "NON-CR/NON-PD", "NON-CR/NON-PD"), None, True),
        (visits("PD"), None, False),
        (visits("NE"), None, False),
    ],
)
def test_clinical_benefit_is_a_response_or_24_weeks_without_progression(course, followup, benefit):
    assert told(course, followup).clinical_benefit is benefit


def test_the_days_of_clinical_benefit_are_a_choice():
    assert told(visits("SD", "SD"), clinical_benefit_days=84).clinical_benefit is True


def test_clinical_benefit_under_irecist_reads_its_words():
    rules = ResponseRules(rule_set="irecist")
    assert told(visits("iSD", "iSD", "iSD", "iSD"), rules=rules).clinical_benefit is True


def test_nothing_is_said_of_a_response_nobody_knows():
    found = durations(best_response([], RULES), [], None, responder=None)
    assert (found.clinical_benefit, found.response_day) == (None, None)


def test_a_visit_after_the_death_is_told():
    found = told(visits("SD", "SD", "SD"), FollowUp(os_days=100.0, died=True))
    assert (found.pfs_days, found.progressed) == (100.0, True)
    assert found.note == "a visit on day 126 after the death on day 100 of the follow-up"
    found = told(visits("SD"), FollowUp(pfs_days=200.0, progressed=True, os_days=150.0, died=False))
    assert found.note == "PFS on day 200 after the last contact on day 150 of the follow-up"


def test_a_word_that_is_no_response_is_refused():
    with pytest.raises(ResponseError, match="'better'"):
        durations(BestResponse(response="SD", confirmed=None, note=""), [(42.0, "better")], None, responder=False)


def test_follow_up_is_read_from_the_columns_that_are_there():
    frame = pd.DataFrame(
        {
            "patient_id": ["P1", "P2"],
            "pfs_days": [100.0, np.nan],
            "progressed": pd.array([True, pd.NA], dtype="boolean"),
            "new_therapy_day": [np.nan, 50.0],
        }
    )
    assert followups(frame) == {
        "P1": FollowUp(pfs_days=100.0, progressed=True),
        "P2": FollowUp(new_therapy_day=50.0),
    }
    assert followups(None) == {}


words = st.sampled_from(["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "iUPD"])
courses = st.lists(st.tuples(st.integers(1, 600).map(float), words), max_size=8)
optional_days = st.one_of(st.none(), st.integers(0, 700).map(float))
gaps = st.one_of(st.none(), st.integers(0, 200))
rule_sets = st.sampled_from(RULE_SETS).map(lambda name: ResponseRules(rule_set=name))


@given(courses, st.integers(600, 900).map(float), st.booleans(), optional_days, gaps, rule_sets)
def test_who_is_free_of_progression_is_alive(course, os_days, died, new_therapy, gap, rules):
    followup = FollowUp(os_days=os_days, died=died, new_therapy_day=new_therapy)
    course = [(day, "PD" if code == "iUPD" and rules.rule_set != "irecist" else code) for day, code in course]
    found = told(course, followup, rules=rules, maximum_gap_days=gap)
    assert 0 <= found.pfs_days <= found.os_days
    assert found.response_days is None or 0 <= found.response_days <= found.pfs_days
    assert found.response_days is None or found.response_day + found.response_days == found.pfs_days


@given(courses, optional_days, gaps)
def test_a_shorter_gap_never_lengthens_survival_nor_makes_an_event(course, death, gap):
    followup = None if death is None else FollowUp(os_days=death, died=True)
    free = told(course, followup)
    bound = told(course, followup, maximum_gap_days=gap)
    if free.pfs_days is not None:
        assert bound.pfs_days <= free.pfs_days
        assert free.progressed or not bound.progressed


@given(courses, optional_days, st.randoms())
def test_the_order_of_the_visits_plays_no_part(course, death, random):
    followup = FollowUp(os_days=death, died=None if death is None else True)
    shuffled = course.copy()
    random.shuffle(shuffled)
    assert told(course, followup) == told(shuffled, followup)


@given(courses, st.integers(1, 500))
def test_days_of_clinical_benefit_asked_for_less_are_reached_earlier(course, days):
    longer = told(course, clinical_benefit_days=days + 1)
    shorter = told(course, clinical_benefit_days=days)
    assert shorter.clinical_benefit or not longer.clinical_benefit


@pytest.mark.scale
def test_ten_thousand_patients_take_well_under_a_second():
    course = visits("PR", "PR", "CR", "CR", "CR", "NE", "CR", "CR", "CR", "CR", "CR", "PD")
    best = replace(best_response(course, RULES), note="")
    followup = FollowUp(os_days=600.0, died=True)
    start = time.perf_counter()
    for _ in range(10_000):
        durations(best, course, followup, responder=True, maximum_gap_days=100)
    assert time.perf_counter() - start < 1.0
