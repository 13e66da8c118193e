import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.best_response import BEST_FIRST, ResponseRules, best_response

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


def test_a_rule_set_of_a_later_version_is_refused():
    with pytest.raises(ResponseError, match=r"'irecist' is not known to this version; it reads recist-1.1"):
        ResponseRules(rule_set="irecist")


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
