"""Every case that admiralonco publishes: its tests, the examples of its reference pages, its issues, news and vignettes.

`tests/reference/recist/admiralonco.csv` holds facts (days, responses, expected answers) with the test and patient they come
from; `rule` says in words why the answer is right. Days are counted from `reference_date`. Left out are tests of data frames
alone: columns kept, texts of R's errors, deprecations, `aval_fun`, and repetitions of another test's data.
"""

import csv
import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ResponseError
from rabiomarkers.response import admiralonco
from rabiomarkers.response.codes import STABLE_OR_BETTER
from rabiomarkers.response.rules import ResponseRules

TABLE = Path(__file__).parents[1] / "reference" / "recist" / "admiralonco.csv"
CASES = list(csv.DictReader(TABLE.read_text().splitlines()))
RULE_FIELDS = {field.name for field in fields(ResponseRules)}
BEST_FIRST = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "ND", "MISSING")
RULES = ResponseRules(rule_set="admiralonco")


def pairs(text):
    return [(float(day), code) for day, code in (pair.split(":") for pair in text.split())]


def number(text):
    return float(text) if text else None


def settings_of(text):
    """The rules, and what else a function is told, of `confirmation_days=28 benefit_days=28 counted=CR+PR`."""
    told = dict(pair.split("=") for pair in text.split())
    rules = {name: json.loads(value) for name, value in told.items() if name in RULE_FIELDS}
    return rules, {name: value for name, value in told.items() if name not in RULE_FIELDS}


def answer(case):
    """What our function says of a case: response in words, day."""
    told, others = settings_of(case["settings"])
    visits, progression = pairs(case["visits"]), number(case["progression_day"])
    until = admiralonco.up_to_progression(visits, progression)
    if case["function"] == "unconfirmed_best":
        told["confirmation_required"] = False
    rules = ResponseRules(rule_set="admiralonco", **told)
    match case["function"]:
        case "best" | "unconfirmed_best":
            best = admiralonco.best(until, rules)
            return best.response, best.day
        case "first_response":
            return yes(admiralonco.first_response(visits, progression_day=progression))
        case "confirmed_response":
            return yes(admiralonco.confirmed_response(until, rules))
        case "clinical_benefit":
            counted = others.get("counted", "+".join(STABLE_OR_BETTER)).split("+")
            days = float(others["benefit_days"])
            return yes(admiralonco.clinical_benefit(until, rules, benefit_days=days, counted=counted))
        case "last_assessment":
            evaluable = "evaluable_only" in others
            return yes(admiralonco.last_assessment(visits, progression_day=progression, evaluable_only=evaluable))
        case "progression cut":
            day = admiralonco.best(visits, rules).progression_day if others else progression
            return " ".join(f"{day:g}:{code}" for day, code in admiralonco.up_to_progression(visits, day)), None
        case "warning":
            _, _, warning = admiralonco.best(visits, rules).note.partition("the data hold ")
            return warning.partition(",")[0] if "followed by PR" in warning else "", None
    raise NotImplementedError(case["function"])


def yes(day):
    return ("no" if day is None else "yes"), day


def test_the_table_is_large_and_names_each_case_once():
    names = [case["case"] for case in CASES]
    assert len(names) == len(set(names)) >= 180
    assert all(case["rule"] and case["source"] for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_published_case_gives_its_answer(case):
    refused = case["expected_response"].removeprefix("refused: ")
    if refused != case["expected_response"]:
        with pytest.raises(ResponseError, match=f"does not know {refused}; it reads CR, "):
            answer(case)
    else:
        assert answer(case) == (case["expected_response"], number(case["expected_day"]))


@pytest.mark.parametrize(
    ("visits", "settings", "note"),
    [
        ([(42, "PR"), (84, "CR")], {}, "PR on day 42, confirmed on day 84"),
        ([(42, "PR"), (84, "SD")], {}, "PR on day 42 never confirmed: counts as SD"),
        (
            [(30, "PR"), (84, "SD")],
            {},
            "PR on day 30 never confirmed, and before day 42 it counts as not evaluable; SD on day 84",
        ),
        ([(42, "NON-CR/NON-PD")], {}, "NON-CR/NON-PD on day 42"),
        (
            [(30, "SD"), (60, "PD")],
            {},
            "SD on day 30, and before day 42 it counts as not evaluable; progression on day 60",
        ),
        ([(30, "SD"), (60, "NE")], {}, "SD on day 30, and before day 42 it counts as not evaluable"),
        ([(42, "NE")], {}, "no visit was evaluable"),
        ([(42, "ND")], {}, "no assessment was done"),
        ([], {}, "no assessment"),
        (
            [(42, "PR")],
            {"confirmation_required": False},
            "PR on day 42, not confirmed (the study asks for no confirmation)",
        ),
        ([(42, "PR"), (84, "PR")], {"confirmation_required": False}, "PR on day 42, confirmed on day 84"),
        (
            [(42, "PR"), (50, "SD"), (84, "PR"), (126, "PR")],
            {"confirmation_required": False},
            "PR on day 42; PR on day 84, confirmed on day 126",
        ),
        (
            [(42, "CR"), (84, "SD")],
            {},
            "CR on day 42 never confirmed: counts as SD; the data hold CR (day 42) followed by SD (day 84), which this rule "
            "set does not take for progression",
        ),
        (
            [(42, "PR"), (42, "SD")],
            {},
            "SD on day 42; several responses on day 42, which admiralonco refuses: the worst counts",
        ),
    ],
)
def test_the_note_says_why(visits, settings, note):
    assert admiralonco.best(visits, ResponseRules(rule_set="admiralonco", **settings)).note == note


def test_a_response_says_whether_it_was_confirmed():
    loose = ResponseRules(rule_set="admiralonco", confirmation_required=False)
    assert admiralonco.best([(42, "PR"), (84, "PR")], RULES).confirmed is True
    assert admiralonco.best([(42, "PR"), (84, "PR")], loose).confirmed is True
    assert admiralonco.best([(42, "PR")], loose).confirmed is False
    assert admiralonco.best([(42, "PR")], RULES).confirmed is None  # stable disease


def test_progression_and_last_evaluable_day_are_kept_for_survival():
    best = admiralonco.best([(42, "SD"), (84, "NE"), (126, "PD"), (168, "SD")], RULES)
    assert (best.progression_day, best.last_evaluable_day) == (126, 126)
    assert admiralonco.best([(42, "SD"), (84, "NE"), (126, "ND")], RULES).last_evaluable_day == 42
    assert admiralonco.best([(42, "NE")], RULES).last_evaluable_day is None
    after = ResponseRules(rule_set="admiralonco", responses_after_progression_count=True)
    best = admiralonco.best([(42, "PD"), (84, "SD")], after)
    assert (best.response, best.progression_day, best.last_evaluable_day) == ("SD", 42, 42)


def test_responses_are_read_whatever_their_case_and_blanks():
    assert admiralonco.best([(42, " pr"), (84, "Pr "), (126, "non-cr / non-pd")], RULES).response == "PR"


def test_every_word_that_is_not_of_this_rule_set_is_named():
    with pytest.raises(ResponseError, match=r"does not know iCPD, iPR; it reads CR, .*rule_set: irecist"):
        admiralonco.best([(42, "ipr"), (42, "PD"), (84, "iCPD")], RULES)
    with pytest.raises(ResponseError, match="'MR' is not known"):
        admiralonco.last_assessment([(42, "MR")])


def test_a_confirmed_clinical_benefit_needs_a_confirmed_response_or_a_lasting_one():
    early = [(10, "PR"), (38, "PR")]
    assert admiralonco.clinical_benefit(early, RULES, benefit_days=168) == 10
    assert admiralonco.clinical_benefit(early[:1], RULES, benefit_days=168) is None
    assert admiralonco.clinical_benefit([(10, "PR"), (168, "SD")], RULES, benefit_days=168) == 168


DAYS = st.integers(-4, 40).map(lambda week: 7.0 * week)
WORDS = st.sampled_from(["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "ND"])
VISITS = st.lists(st.tuples(DAYS, WORDS), max_size=9)
MOSTLY_RESPONSES = st.lists(st.tuples(DAYS, st.sampled_from(["CR", "PR", "PR", "NE", "SD", "ND"])), max_size=9)
SETTINGS = st.builds(
    ResponseRules,
    rule_set=st.just("admiralonco"),
    confirmation_required=st.booleans(),
    confirmation_days=st.sampled_from([0, 14, 28, 56]),
    stable_disease_minimum_days=st.sampled_from([0, 28, 42]),
    maximum_not_evaluable_between=st.integers(0, 3),
    accept_stable_disease_between=st.booleans(),
    missing_as_not_evaluable=st.booleans(),
    responses_after_progression_count=st.booleans(),
)


def place(visits, rules, **changed):
    """0 for the best word there is, more for a worse one."""
    told = {field.name: getattr(rules, field.name) for field in fields(ResponseRules)} | changed
    return BEST_FIRST.index(admiralonco.best(visits, ResponseRules(**told)).response)


def by_the_letter(visits, rules):
    """The documented rules read off one by one, each visit against each later one: candidates, then the best and earliest."""
    visits = sorted(visits)
    firsts = [day for day, code in visits if code == "PD"]
    if firsts and not rules.responses_after_progression_count:
        visits = [visit for visit in visits if visit[0] <= firsts[0]]
    candidates = []
    for position, (day, code) in enumerate(visits):
        for second in range(position + 1, len(visits)):
            later, word = visits[second]
            period = [each for _, each in visits[position + 1 : second + 1]]
            between = period[:-1]
            complete = period.index("CR") if "CR" in period else len(period)
            fits = later - day >= rules.confirmation_days and between.count("NE") <= rules.maximum_not_evaluable_between
            if fits and code == word == "CR" and set(between) <= {"CR", "NE"}:
                candidates.append(("CR", day))
            stable = 1 if rules.accept_stable_disease_between else 0
            fits = fits and set(between) <= {"CR", "PR", "SD", "NE"} and between.count("SD") <= stable
            if fits and code == "PR" and word in ("CR", "PR") and "PR" not in period[complete:]:
                candidates.append(("PR", day))
        if not rules.confirmation_required and code in ("CR", "PR"):
            candidates.append((code, day))
        late = day >= rules.stable_disease_minimum_days
        if code in ("CR", "PR", "SD"):
            candidates.append(("SD" if late else "NE", day))
        elif code == "NON-CR/NON-PD":
            candidates.append((code if late else "NE", day))
        else:
            candidates.append((code, day))
    if not candidates:
        return "NE" if rules.missing_as_not_evaluable else "MISSING", None
    return min(candidates, key=lambda candidate: (BEST_FIRST.index(candidate[0]), candidate[1]))


@given(st.one_of(VISITS, MOSTLY_RESPONSES), SETTINGS)
def test_the_answer_is_that_of_the_rules_read_by_the_letter(visits, rules):
    one_a_day = list(dict(visits).items())
    best = admiralonco.best(one_a_day, rules)
    assert (best.response, best.day) == by_the_letter(one_a_day, rules)
    assert best.note


@given(VISITS, SETTINGS, st.randoms(use_true_random=False))
def test_the_order_of_visits_plays_no_part(visits, rules, random):
    shuffled = random.sample(visits, len(visits))
    assert admiralonco.best(visits, rules) == admiralonco.best(shuffled, rules)


@given(VISITS)
def test_what_follows_progression_plays_no_part(visits):
    best = admiralonco.best(visits, RULES)
    assert admiralonco.best(admiralonco.up_to_progression(visits, best.progression_day), RULES) == best


@given(st.one_of(VISITS, MOSTLY_RESPONSES), SETTINGS)
def test_asking_for_confirmation_never_improves_a_response(visits, rules):
    assert place(visits, rules, confirmation_required=True) >= place(visits, rules, confirmation_required=False)


@given(st.one_of(VISITS, MOSTLY_RESPONSES), SETTINGS)
def test_allowing_more_between_a_response_and_its_confirmation_never_worsens_it(visits, rules):
    more = rules.maximum_not_evaluable_between + 1
    now = place(visits, rules)
    assert place(visits, rules, maximum_not_evaluable_between=more) <= now
    assert place(visits, rules, accept_stable_disease_between=True) <= now
    assert place(visits, rules, confirmation_days=rules.confirmation_days // 2) <= now


@given(st.one_of(VISITS, MOSTLY_RESPONSES), SETTINGS)
def test_a_confirmed_response_and_the_best_response_agree(visits, rules):
    strict = ResponseRules(
        **{field.name: getattr(rules, field.name) for field in fields(rules)} | {"confirmation_required": True}
    )
    responded = admiralonco.confirmed_response(visits, strict)
    best = admiralonco.best(visits, strict)
    assert (responded is not None) == (best.response in ("CR", "PR"))
    if responded is not None:
        assert responded <= best.day
        assert admiralonco.clinical_benefit(visits, strict, benefit_days=168) <= responded
