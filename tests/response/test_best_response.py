import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.codes import BEST_FIRST
from rabiomarkers.response.rules import RULE_SETS, ResponseRules

CODES = st.sampled_from(["CR", "PR", "SD", "PD", "NE"])
VISITS = st.lists(st.tuples(st.integers(1, 30).map(lambda week: 7.0 * week), CODES), max_size=8)


@pytest.mark.parametrize(
    ("visits", "note"),
    [
        ([(42, "PR"), (84, "PR")], "PR on day 42, confirmed on day 84"),
        ([(42, "PR"), (84, "PD")], "PR on day 42 never confirmed: best response SD"),
        ([(30, "SD")], "SD on day 30, and before day 42 it is not stable disease: not evaluable"),
        (
            [(30, "PR"), (60, "PD")],
            "PR on day 30 never confirmed, and before day 42 it is not stable disease; progression on day 60",
        ),
        ([(42, "PD")], "progression on day 42"),
        ([(42, "NE")], "no visit was evaluable"),
        ([], "no assessment after baseline"),
        (
            [(42, "CR"), (84, "PR")],
            "CR on day 42 never confirmed: best response SD; PR on day 84 after CR is progression",
        ),
        ([(42, "NON-CR/NON-PD")], "NON-CR/NON-PD (no target lesion) on day 42, counted as SD"),
    ],
)
def test_the_note_says_why(visits, note):
    assert best_response(visits).note == note


def test_an_unconfirmed_response_says_that_nobody_asked_for_confirmation():
    best = best_response([(42, "PR")], ResponseRules(confirmation_required=False))
    assert (best.response, best.confirmed) == ("PR", False)
    assert best.note == "PR on day 42, not confirmed (the study asks for no confirmation)"


def test_progression_and_last_evaluable_day_are_kept_for_survival():
    best = best_response([(42, "SD"), (84, "NE"), (126, "PD"), (168, "SD")])
    assert (best.progression_day, best.last_evaluable_day) == (126, 126)
    assert best_response([(42, "SD"), (84, "NE")]).last_evaluable_day == 42


def test_codes_are_read_whatever_their_case_and_blanks():
    assert best_response([(42, " pr"), (84, "Pr ")]).response == "PR"


def test_an_unknown_code_is_refused_with_what_is_known():
    with pytest.raises(ResponseError, match="'MR' is not known; expected one of CR"):
        best_response([(42, "MR")])


def test_an_unknown_rule_set_is_refused():
    with pytest.raises(ResponseError, match=r"'who' is not known; it is one of recist-1.1, admiralonco, irecist"):
        ResponseRules(rule_set="who")


def test_negative_days_and_visits_are_refused_together():
    with pytest.raises(ResponseError, match="confirmation_days, maximum_not_evaluable_between must not be negative"):
        ResponseRules(confirmation_days=-1, maximum_not_evaluable_between=-2)


@pytest.mark.parametrize(
    ("visits", "day"),
    [
        ([(42, "SD"), (84, "PR"), (126, "PR")], 84),
        ([(42, "PR"), (84, "CR"), (126, "CR")], 84),
        ([(30, "SD"), (60, "SD")], 60),
        ([(42, "PD")], 42),
        ([(30, "SD")], 30),
        ([(42, "NE")], None),
    ],
)
def test_the_day_is_the_first_visit_of_the_response(visits, day):
    assert best_response(visits).day == day


def test_several_responses_on_one_day_are_told_where_they_count():
    best = best_response([(42, "PR"), (42, "SD"), (84, "PD"), (126, "PR"), (126, "CR")])
    assert best.note == "SD on day 42; several responses on day 42: the worst counts"


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_every_rule_set_is_reached_by_its_name(rule_set):
    best = best_response([(42, "PR"), (84, "PR")], ResponseRules(rule_set=rule_set))
    assert best.response == ("iPR" if rule_set == "irecist" else "PR")
    assert best.confirmed


def test_words_of_irecist_and_not_done_are_read_by_recist_too():
    assert best_response([(42, "iPR"), (84, "ND"), (126, "iCR")]).response == "PR"
    assert best_response([(42, "iUPD"), (84, "iSD")]).response == "PD"


@given(VISITS, st.randoms(use_true_random=False))
def test_the_order_of_visits_plays_no_part(visits, random):
    shuffled = random.sample(visits, len(visits))
    assert best_response(visits) == best_response(shuffled)


@given(VISITS)
def test_asking_for_confirmation_never_improves_a_response(visits):
    strict = best_response(visits).response
    loose = best_response(visits, ResponseRules(confirmation_required=False)).response
    assert BEST_FIRST.index(strict) >= BEST_FIRST.index(loose)


@given(VISITS)
def test_what_follows_progression_plays_no_part(visits):
    best = best_response(visits)
    until = [visit for visit in visits if best.progression_day is None or visit[0] <= best.progression_day]
    assert best_response(until) == best


@pytest.mark.parametrize("rule_set", RULE_SETS)
def test_without_confirmation_a_response_begins_with_its_first_visit(rule_set):
    rules = ResponseRules(rule_set=rule_set, confirmation_required=False)
    best = best_response([(7, "PR"), (49, "SD"), (69, "PR"), (125, "PR")], rules)
    assert best.day == 7
    assert best.confirmed
    assert "confirmed on day 125" in best.note
