"""Where a trial stands, for Simon's optimal design of 10 % against 30 %: 1 of 10, then 5 of 29."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.response.standing import STAGES, VERDICTS, standing
from rabiomarkers.stats.two_stage import chance_of_rejection, design_of

DESIGN = design_of(10, 1, 29, 5, null_rate=0.1, target_rate=0.3)
SMALL = design_of(3, 0, 5, 1, null_rate=0.1, target_rate=0.5)
GRANTED = (
    " This takes for granted that more than 1 of the first 10 responded, as the design asks for a second stage; the totals do not "
    "tell."
)


@pytest.mark.parametrize(
    ("responders", "n", "stage", "verdict", "reading"),
    [
        (0, 0, "not started", "open", "No patient with an evaluable response yet."),
        (
            0,
            3,
            "first",
            "open",
            "0 of 3 patients responded; the first stage has 10 patients. At least 2 of the next 7 patients must respond for the "
            "trial to continue.",
        ),
        (
            1,
            9,
            "first",
            "open",
            "1 of 9 patients responded; the first stage has 10 patients. The next patient must respond for the trial to continue.",
        ),
        (
            2,
            5,
            "first",
            "continues",
            "2 of 5 patients responded; the first stage has 10 patients. More than 1: the trial continues to 29 patients, of whom "
            "at least 6 must respond, whatever the next 5 show in the first stage.",
        ),
        (
            0,
            9,
            "first",
            "stops",
            "0 of 9 patients responded; the first stage has 10 patients. The trial will stop after it, whatever the next patient "
            "shows: more than 1 are out of reach.",
        ),
        (
            1,
            10,
            "ended",
            "stops",
            "1 of 10 patients responded, and 1 or fewer of the first 10 stop the trial: it stops after its first stage, and a "
            "response rate of 10 % is not rejected.",
        ),
        (
            2,
            10,
            "first",
            "continues",
            "2 of 10 patients responded; the first stage has 10 patients. More than 1: the trial continues to 29 patients, of whom "
            "at least 6 must respond.",
        ),
        (
            6,
            8,
            "first",
            "rejected",
            "6 of 8 patients responded; the first stage has 10 patients. More than 5: a response rate of 10 % is rejected, "
            "whatever the next 21 show.",
        ),
        (
            1,
            12,
            "ended",
            "stops",
            "1 of 12 patients responded, and 1 or fewer of the first 10 stop the trial: it stops after its first stage, and a "
            "response rate of 10 % is not rejected. The 2 treated beyond the first stage change nothing of that.",
        ),
        (
            4,
            12,
            "second",
            "open",
            "4 of 12 patients responded; the second stage ends with 29 patients. At least 2 of the next 17 patients must respond "
            "for a response rate of 10 % to be rejected.",
        ),
        (
            3,
            15,
            "second",
            "open",
            "3 of 15 patients responded; the second stage ends with 29 patients. At least 3 of the next 14 patients must respond "
            f"for a response rate of 10 % to be rejected.{GRANTED}",
        ),
        (
            12,
            20,
            "second",
            "rejected",
            "12 of 20 patients responded; the second stage ends with 29 patients. More than 5: a response rate of 10 % is "
            "rejected, whatever the next 9 show.",
        ),
        (
            3,
            28,
            "second",
            "not rejected",
            "3 of 28 patients responded; the second stage ends with 29 patients. A response rate of 10 % will not be rejected, "
            "whatever the next patient shows.",
        ),
        (
            6,
            29,
            "ended",
            "rejected",
            f"6 of 29 patients responded, more than 5: a response rate of 10 % is rejected.{GRANTED}",
        ),
        (
            5,
            29,
            "ended",
            "not rejected",
            "5 of 29 patients responded, and 5 or fewer are too few: a response rate of 10 % is not rejected.",
        ),
        (
            30,
            31,
            "beyond the plan",
            "rejected",
            "30 of 31 patients responded, 2 more than the 29 of the design, which decides by those who were treated first. At "
            "least 28 of them responded, more than 5: a response rate of 10 % is rejected.",
        ),
        (
            5,
            31,
            "beyond the plan",
            "not rejected",
            "5 of 31 patients responded, 2 more than the 29 of the design, which decides by those who were treated first. At "
            "most 5 of them responded, and 5 or fewer are too few: a response rate of 10 % is not rejected.",
        ),
        (
            6,
            30,
            "beyond the plan",
            "not told",
            "6 of 30 patients responded, 1 more than the 29 of the design, which decides by those who were treated first. "
            "Between 5 and 6 of them responded, and more than 5 are needed: count them.",
        ),
    ],
)
def test_where_the_trial_stands_is_told_in_words(responders, n, stage, verdict, reading):
    told = standing(DESIGN, responders, n)
    assert (told.stage, told.verdict) == (stage, verdict)
    assert told.reading == reading


@pytest.mark.parametrize(("responders", "n"), [(-1, 3), (4, 3)])
def test_more_responders_than_patients_are_refused(responders, n):
    with pytest.raises(StatisticsError, match=f"there are {responders} of {n}"):
        standing(DESIGN, responders, n)


@given(st.integers(0, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_count_has_a_stage_and_a_verdict_in_whole_sentences(counts):
    told = standing(SMALL, *counts)
    assert told.stage in STAGES
    assert told.verdict in VERDICTS
    assert told.reading[0].isupper() or told.reading[0].isdigit()
    assert told.reading.endswith(".")


@given(st.integers(0, 29).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_what_is_called_certain_is_certain(counts):
    verdict = standing(DESIGN, *counts).verdict
    chances = {round(chance_of_rejection(DESIGN, *counts, rate), 12) for rate in (0.001, 0.999)}
    if verdict == "rejected":
        assert chances == {1.0}
    elif verdict == "not rejected" or (verdict == "stops" and counts[1] <= DESIGN.first_n):
        assert chances == {0.0}
    elif verdict in ("open", "continues"):
        assert min(chances) < 0.5 < max(chances)


@given(st.lists(st.booleans(), min_size=6, max_size=12))
def test_whoever_was_treated_first_a_verdict_holds(outcomes):
    """The outcomes come in their order here, and the design applied to that order never contradicts what the totals told."""
    first, planned = sum(outcomes[:3]), sum(outcomes[:5])
    by_order = "rejected" if first > SMALL.first_stop and planned > SMALL.stop else "not rejected"
    told = standing(SMALL, sum(outcomes), len(outcomes))
    if told.verdict in ("not rejected", "stops"):
        assert by_order == "not rejected"
    elif told.verdict == "rejected" and "takes for granted" not in told.reading:
        assert by_order == "rejected"
