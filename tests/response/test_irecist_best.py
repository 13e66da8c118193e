"""The best overall response under iRECIST: Table 3 of the paper in full, and what holds for any visits."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.codes import PERSISTS, as_recist
from rabiomarkers.response.irecist_best import best
from rabiomarkers.response.rules import ResponseRules

RULES = ResponseRules(rule_set="irecist")
UNCONFIRMED = ResponseRules(rule_set="irecist", confirmation_required=False)
DAYS = (42, 84, 126, 168, 210)
ANY = "iCR iPR iSD iUPD iCPD NE"

# Table 3 of Seymour et al. 2017: what each of five time points may be, and the best response; no confirmation of responses
TABLE_3 = [
    (["iCR", "iCR iPR iUPD NE", "iCR iPR iUPD NE", "iUPD", "iCPD"], "iCR"),
    (["iUPD", "iPR iSD NE", "iCR", "iCR iUPD NE", "iCR iPR iSD iUPD iCPD NE"], "iCR"),
    (["iUPD", "iPR", "iPR iSD iUPD NE", "iPR iSD iUPD NE iCPD", "iPR iSD iUPD NE iCPD"], "iPR"),
    (["iUPD", "iSD NE", "iPR", "iPR iSD iUPD NE", "iPR iSD iUPD iCPD NE"], "iPR"),
    (["iUPD", "iSD", "iSD iUPD NE", "iSD iUPD iCPD NE", "iSD iUPD iCPD NE"], "iSD"),
    (["iUPD", "iCPD", ANY, ANY, ANY], "iCPD"),
    (["iUPD", "iUPD", "iCPD", ANY, ANY], "iCPD"),
    (["iUPD", "NE", "NE", "NE", "NE"], "iUPD"),
]

WORD = st.sampled_from(["iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iUPD", "iCPD", "NE"])
PLAIN = st.sampled_from(["CR", "PR", "SD", PERSISTS, "PD", "NE"])
WEEK = st.integers(-1, 30).map(lambda week: 7.0 * week)
VISITS = st.lists(st.tuples(WEEK, st.one_of(WORD, PLAIN)), max_size=8)
ANY_RULES = st.builds(
    ResponseRules,
    rule_set=st.just("irecist"),
    confirmation_required=st.booleans(),
    confirmation_days=st.sampled_from([0, 28, 56]),
    stable_disease_minimum_days=st.sampled_from([0, 42, 84]),
    maximum_not_evaluable_between=st.integers(0, 2),
    accept_stable_disease_between=st.booleans(),
)


@pytest.mark.parametrize(("allowed", "expected"), TABLE_3, ids=[f"example {number}" for number in range(1, 9)])
def test_every_course_of_table_3_has_the_best_response_of_its_row(allowed, expected):
    for words in itertools.product(*(text.split() for text in allowed)):
        assert best(list(zip(DAYS, words, strict=True)), UNCONFIRMED).response == expected, words


@pytest.mark.parametrize(
    ("visits", "note"),
    [
        ([(42, "iPR"), (84, "iPR")], "iPR on day 42, confirmed on day 84"),
        ([(42, "iPR"), (84, "iUPD")], "iPR on day 42 never confirmed: best response iSD"),
        ([(42, "iSD")], "iSD on day 42"),
        ([(42, PERSISTS)], "NON-iCR/NON-iUPD (no target lesion) on day 42"),
        ([(30, "iSD")], "iSD on day 30, and before day 42 it is not stable disease: not evaluable"),
        (
            [(30, "iPR"), (60, "iUPD")],
            "iPR on day 30 never confirmed, and before day 42 it is not stable disease; progression on day 60, never confirmed",
        ),
        ([(42, "iUPD"), (84, "iCPD")], "progression on day 42, confirmed on day 84"),
        ([(42, "iUPD"), (98, "iCPD")], "progression on day 42, confirmed on day 98"),
        (
            [(42, "iUPD"), (99, "iCPD")],
            "progression on day 42, confirmed on day 99; the iUPD of day 42 was confirmed on day 99, later than the eight weeks "
            "that iRECIST asks for",
        ),
        ([(84, "iCPD")], "progression on day 84, confirmed on day 84; iCPD on day 84 without an iUPD before it"),
        (
            [(42, "PD"), (84, "PD"), (126, "PD")],
            "progression on day 42, never confirmed; PD on day 84 follows an iUPD, and whether anything grew further is not told: "
            "write iCPD if it did, or give lesions.csv",
        ),
        ([(42, "PD"), (84, "PD"), (90, "iCPD")], "progression on day 42, confirmed on day 90"),
        (
            [(42, "CR"), (84, "PR")],
            "iCR on day 42 never confirmed: best response iSD; PR on day 84 after iCR is an iUPD",
        ),
        (
            [(42, "iPR"), (42, "NE"), (42, "iSD")],
            "iSD on day 42; several responses on day 42: the worst counts",
        ),
        ([(42, "NE")], "no visit was evaluable"),
        ([], "no assessment after baseline"),
    ],
)
def test_the_note_says_why(visits, note):
    assert best(visits, RULES).note == note


def test_an_unconfirmed_response_says_that_nobody_asked_for_confirmation():
    found = best([(42, "iPR")], UNCONFIRMED)
    assert (found.response, found.confirmed) == ("iPR", False)
    assert found.note == "iPR on day 42, not confirmed (the study asks for no confirmation)"


@pytest.mark.parametrize(
    ("visits", "days"),
    [  # first seen, progression, last evaluable
        ([(42, "iPR"), (84, "iPR"), (126, "NE")], (42, None, 84)),
        ([(28, "iSD"), (42, "iSD"), (84, "iUPD"), (126, "iUPD")], (42, 84, 84)),
        ([(42, "iUPD"), (84, "iSD"), (126, "iUPD"), (168, "NE")], (84, 126, 126)),
        ([(42, "iUPD"), (84, "NE"), (126, "iCPD"), (168, "iPR")], (126, 42, 42)),
        ([(42, "NE"), (84, "iUPD"), (126, "iUPD")], (84, 84, 84)),
        ([(14, "iUPD"), (35, "iSD")], (14, None, 35)),
        ([(28, "iSD"), (56, "NE")], (28, None, 28)),
        ([(42, "NE")], (None, None, None)),
        ([], (None, None, None)),
    ],
)
def test_the_days_of_response_progression_and_last_evaluation(visits, days):
    found = best(visits, RULES)
    assert (found.day, found.progression_day, found.last_evaluable_day) == days


def test_words_are_read_whatever_their_case_and_blanks():
    assert best([(42, " ipr"), (84, "IPR ")], RULES).response == "iPR"


def test_an_unknown_word_is_refused():
    with pytest.raises(ResponseError, match="'irPD' is not known"):
        best([(42, "irPD")], RULES)


@given(VISITS, ANY_RULES, st.randoms(use_true_random=False))
def test_the_order_of_visits_plays_no_part(visits, rules, random):
    assert best(random.sample(visits, len(visits)), rules) == best(visits, rules)


@given(VISITS, VISITS, ANY_RULES)
def test_nothing_after_the_confirmed_progression_matters(visits, later, rules):
    last = max([day for day, _ in visits], default=0)
    ended = [*visits, (max(last, 0) + 7, "iCPD")]
    after = [(max(last, 0) + 21 + day, word) for day, word in later]
    assert best([*ended, *after], rules) == best(ended, rules)


@given(VISITS, ANY_RULES)
def test_without_progression_it_is_the_best_response_of_recist(visits, rules):
    stable = [(day, word) for day, word in visits if as_recist(word) != "PD" and as_recist(word) != "CR"]
    expected = best_response(stable, ResponseRules(**{**vars(rules), "rule_set": "recist-1.1"}))
    found = best(stable, rules)
    assert as_recist(found.response).replace(PERSISTS, "SD") == expected.response
    assert found.confirmed == expected.confirmed
    assert found.last_evaluable_day == expected.last_evaluable_day


@given(VISITS, ANY_RULES)
def test_it_is_never_worse_than_the_best_response_of_recist(visits, rules):
    best_first = ("CR", "PR", "SD", "PD", "NE")
    recist = best_response(visits, ResponseRules(**{**vars(rules), "rule_set": "recist-1.1"})).response
    found = as_recist(best(visits, rules).response).replace(PERSISTS, "SD")  # RECIST counts NON-CR/NON-PD as SD
    assert best_first.index(found) <= best_first.index(recist)


@given(VISITS, ANY_RULES)
def test_progression_is_never_before_that_of_recist_and_is_an_iupd_or_icpd(visits, rules):
    found = best(visits, rules)
    recist = best_response(visits, ResponseRules(**{**vars(rules), "rule_set": "recist-1.1"}))
    if found.progression_day is not None:
        assert recist.progression_day is not None
        assert found.progression_day >= recist.progression_day
        assert found.last_evaluable_day == found.progression_day
    if found.response in ("iUPD", "iCPD"):
        assert recist.progression_day is not None


@given(VISITS)
def test_asking_for_confirmation_never_improves_a_response(visits):
    best_first = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iCPD", "iUPD", "NE")
    assert best_first.index(best(visits, RULES).response) >= best_first.index(best(visits, UNCONFIRMED).response)
