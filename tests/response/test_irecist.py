"""iRECIST's word of each visit: the published table of cases, and what holds for any lesions."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.response import irecist_best
from rabiomarkers.response.irecist import AS_IRECIST, assess
from rabiomarkers.response.lesions import STATUSES, Reading
from rabiomarkers.response.rules import ResponseRules
from rabiomarkers.response.timepoint import assess_patient

TABLE = Path(__file__).parents[1] / "reference" / "recist" / "irecist.csv"
CASES = list(csv.DictReader(TABLE.read_text().splitlines()))
KNOWN_STATUSES = {status for statuses in STATUSES.values() for status in statuses}


def readings(text):
    """`T1 target 0:28.0 42:absent; X1 new 42:present` as the lesions read on each day."""
    visits = {}
    for lesion in filter(None, (part.strip() for part in text.split(";"))):
        name, kind, *seen = lesion.split()
        for day, value in (pair.split(":") for pair in seen):
            status, size = (value, None) if value in KNOWN_STATUSES else ("measured", value.removeprefix("measured="))
            tenths = None if size is None else round(float(size) * 10)
            reading = Reading(lesion_id=name, kind=kind, status=status, tenths=tenths)
            visits.setdefault(float(day), []).append(reading)
    return visits


def words(visits, **settings):
    """The words by day, baseline left out."""
    points = assess_patient(visits)
    found = zip(points, assess(visits, points, **settings), strict=True)
    return [(point.day, word) for point, word in found if word is not None]


def pairs(text):
    return [(float(day), code) for day, code in (pair.split(":") for pair in text.split())]


def rules(text):
    return ResponseRules(**{name: json.loads(value) for name, value in (pair.split("=") for pair in text.split())})


def test_the_table_names_each_case_once_with_its_rule_and_source():
    names = [case["case"] for case in CASES]
    assert len(names) == len(set(names)) >= 35
    assert all(case["rule"] and case["source"] for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case_gives_the_answer_of_irecist(case):
    visits, settings = pairs(case["visits"]), rules(case["settings"])
    if case["lesions"]:
        visits = words(readings(case["lesions"]), confirmation_days=settings.progression_confirmation_days)
        assert visits == pairs(case["timepoints"])
    best = irecist_best.best(visits, settings)
    assert best.response == case["best"]
    assert best.confirmed == {"yes": True, "no": False, "": None}[case["confirmed"]]
    assert best.progression_day == (float(case["progression"]) if case["progression"] else None)
    assert best.note


def test_the_baseline_has_no_word_and_a_patient_without_one_has_a_word_at_every_visit():
    visits = readings("T1 target 0:50 42:60")
    assert assess(visits, assess_patient(visits)) == [None, "iUPD"]
    without = readings("T1 target 14:50 42:60; X1 new 42:present")
    assert assess(without, assess_patient(without)) == ["NE", "iUPD"]


def test_a_patient_without_progression_costs_no_look_at_the_lesions():
    points = assess_patient(readings("T1 target 0:50 42:30 84:30"))
    assert assess({}, points) == [None, "iPR", "iPR"]


def test_points_of_other_visits_are_refused():
    points = assess_patient(readings("T1 target 0:50 42:60"))
    with pytest.raises(ValueError, match="zip"):
        assess({}, points)


def test_the_day_of_the_point_counts_where_a_visit_has_several():
    visits = readings("T1 target 0:50 42:60 69.5:70")
    assert words(visits)[-1] == (69.5, "iUPD")  # 27.5 days
    assert words(visits, confirmation_days=27)[-1] == (69.5, "iCPD")


@pytest.mark.parametrize(
    ("lesions", "expected"),
    [
        # T1 splits into two fragments of 33 mm: 66 mm is 6 mm over the iUPD
        (
            [
                (0, "T1", "measured", 500, None),
                (42, "T1", "measured", 600, None),
                (84, "T1a", "measured", 330, "T1"),
                (84, "T1b", "measured", 330, "T1"),
            ],
            ["iUPD", "iCPD"],
        ),
        # T2 merged into T1, which carries 66 mm
        (
            [
                (0, "T1", "measured", 250, None),
                (0, "T2", "measured", 250, None),
                (42, "T1", "measured", 300, None),
                (42, "T2", "measured", 300, None),
                (84, "T1", "measured", 660, None),
                (84, "T2", "merged", None, "T1"),
            ],
            ["iUPD", "iCPD"],
        ),
    ],
    ids=["split", "merged"],
)
def test_lesions_that_split_or_merge_confirm_by_their_common_sum(lesions, expected):
    visits = {}
    for day, name, status, tenths, part_of in lesions:
        visits.setdefault(float(day), []).append(Reading(name, "target", status, tenths, part_of))
    assert [word for _, word in words(visits)] == expected


@pytest.mark.parametrize(
    ("lesions", "expected"),
    [
        # a new lesion left behind, gone, and seen again: new once more
        (
            "T1 target 0:50 42:50 84:30 126:30 168:30; X1 new 42:present 84:present 126:absent 168:present",
            "iUPD iPR iPR iUPD",
        ),
        # a new lesion left behind is no longer missed when it has no row
        ("T1 target 0:50 42:50 84:30 126:30; X1 new 42:present 84:present", "iUPD iPR iPR"),
        # the new lesion was last seen, so an evaluable visit without it resolves nothing, and the next one does
        ("T1 target 0:50 42:50 84:50 126:50; X1 new 42:present 126:absent", "iUPD NE iSD"),
        # the new lesion is in doubt now, and another one was never more than that: nothing resolved, nothing confirmed
        ("T1 target 0:50 42:50 84:50; X1 new 42:present 84:equivocal; X2 new 84:equivocal", "iUPD NE"),
        # one of two new lesions gone, the other seen: still iUPD
        ("T1 target 0:50 42:50 84:50; X1 new 42:present 84:absent; X2 new 42:present 84:present", "iUPD iUPD"),
        # targets in response, yet one of two new lesions was not evaluated: it may have grown
        ("T1 target 0:50 42:50 84:30; X1 new 42:present 84:present; X2 new 42:present", "iUPD NE"),
        # targets not evaluated and the new lesion gone: nothing to tell
        ("T1 target 0:50 42:50 84:not_evaluated; X1 new 42:present 84:absent", "iUPD NE"),
        # targets not evaluated and the new lesion larger
        ("T1 target 0:50 42:50 84:not_evaluated; X1 new 42:measured=10 84:measured=15", "iUPD iCPD"),
        # targets not evaluated at the iUPD: the PR of before is what has to be bettered
        (
            "T1 target 0:50 28:30 42:not_evaluated 84:30 126:absent; X1 new 42:present 84:present 126:present",
            "iPR iUPD iUPD iPR",
        ),
        # a new lesion of unknown size that is measured later shows no growth by that
        ("T1 target 0:50 42:50 84:50; X1 new 42:present 84:measured=30", "iUPD iUPD"),
        # after a reset, what opened the second iUPD is progression for as long as it is there
        (
            "T1 target 0:50 42:50 84:30 126:30 168:30; X1 new 42:present 84:present 126:further_progression 168:present",
            "iUPD iPR iUPD iUPD",
        ),
        # the second iUPD is of the targets: what the first reset left behind does not keep it open
        (
            "T1 target 0:50 42:50 84:30 126:40 168:33; X1 new 42:present 84:present 126:present 168:present",
            "iUPD iPR iUPD iPR",
        ),
        # left behind, the new lesion shrinks to 10 mm, its nadir: 15 mm is +50 % and +5 mm
        (
            "T1 target 0:50 42:50 84:30 126:30 168:30; X1 new 42:measured=20 84:measured=20 126:measured=10 168:measured=15",
            "iUPD iPR iPR iUPD",
        ),
        # the nadir of new lesions reaches back to the first iUPD: 10, 14, 15 mm, and over a second iUPD: 10, 14, 14, 15 mm
        (
            "T1 target 0:50 42:50 84:30 126:30; X1 new 42:measured=10 84:measured=14 126:measured=15",
            "iUPD iPR iUPD",
        ),
        (
            "T1 target 0:50 42:50 84:30 126:40 168:30 210:30; "
            "X1 new 42:measured=12 84:measured=10 126:measured=14 168:measured=14 210:measured=15",
            "iUPD iPR iUPD iPR iUPD",
        ),
        # new targets opened the second iUPD, and were not evaluated after it
        (
            "T1 target 0:50 42:50 84:30 126:30 168:30; X1 new 42:measured=20 84:measured=20 126:measured=25",
            "iUPD iPR iUPD NE",
        ),
        # a lesion left behind stays so when it has no row for a while: at the second reset, at the second iUPD
        (
            "T1 target 0:50 42:50 84:30 126:40 168:30 210:30; X1 new 42:present 84:present 126:present 210:present",
            "iUPD iPR iUPD iPR iPR",
        ),
        (
            "T1 target 0:50 42:50 84:30 126:40 168:40; X1 new 42:present 84:present 168:present",
            "iUPD iPR iUPD iUPD",
        ),
        (
            "T1 target 0:50 42:50 84:30 126:40 168:30 210:30; "
            "L1 non_target 0:present 42:progression 84:progression 126:progression 210:progression",
            "iUPD iPR iUPD iPR iPR",
        ),
        (
            "T1 target 0:50 42:50 84:30 126:40 168:40; L1 non_target 0:present 42:progression 84:progression 168:progression",
            "iUPD iPR iUPD iUPD",
        ),
        # a non-target left behind that got better and then progresses again
        (
            "T1 target 0:50 42:50 84:30 126:30 168:30; "
            "L1 non_target 0:present 42:progression 84:progression 126:present 168:progression",
            "iUPD iPR iPR iUPD",
        ),
        # a new lesion that had gone needs no row afterwards
        (
            "T1 target 0:50 42:50 84:50 126:50; X1 new 42:present 84:absent; X2 new 42:present 84:present 126:absent",
            "iUPD iUPD iSD",
        ),
        # what has to be bettered is the last known response of the targets: PR after SD, before and after a reset
        ("T1 target 0:50 14:50 28:30 42:not_evaluated 84:30; X1 new 42:present 84:present", "iSD iPR iUPD iUPD"),
        (
            "T1 target 0:50 28:50 42:60 84:30 126:not_evaluated 168:30; X1 new 126:present 168:present",
            "iSD iUPD iPR iUPD iUPD",
        ),
        # a non-target without a baseline tells as little as it tells RECIST
        ("T1 target 0:50 42:60 84:60; L1 non_target 84:progression", "iUPD iCPD"),
        # a new lesion too small to measure counts 5 mm
        ("T1 target 0:50 42:50 84:50; X1 new 42:too_small 84:measured=10", "iUPD iCPD"),
        # after iCR: both are seen again, not larger in any category
        (
            "T1 target 0:50 42:absent 84:3 126:3; L1 non_target 0:present 42:absent 84:present 126:present",
            "iCR iUPD iUPD",
        ),
        # after iCR both, then the target alone: nothing more
        (
            "T1 target 0:50 42:absent 84:3 126:3; L1 non_target 0:present 42:absent 84:present 126:absent",
            "iCR iUPD iUPD",
        ),
        # after iCR a target and a new lesion, then the target alone: nothing more
        ("T1 target 0:50 42:absent 84:3 126:3; X1 new 84:present 126:absent", "iCR iUPD iUPD"),
        # after iCR both, then the target gone again: the bar is reset, and the non-target that stays is no progression
        (
            "T1 target 0:50 42:absent 84:3 126:absent 168:absent; "
            "L1 non_target 0:present 42:absent 84:present 126:present 168:present",
            "iCR iUPD iPR iPR",
        ),
        # iCR after an iUPD, and seen again after that
        ("T1 target 0:50 42:60 84:absent 126:3", "iUPD iCR iUPD"),
        # after iCR a target, then a non-target as well: another category
        (
            "T1 target 0:50 42:absent 84:3 126:3; L1 non_target 0:present 42:absent 84:absent 126:present",
            "iCR iUPD iCPD",
        ),
        # after iCR one of two targets is seen again, the other not evaluated
        ("T1 target 0:50 42:absent 84:3; T2 target 0:50 42:absent 84:not_evaluated", "iCR iUPD"),
        # after iCR one of two non-targets is seen again, the other not evaluated
        (
            "T1 target 0:50 42:absent 84:absent; L1 non_target 0:present 42:absent 84:present; "
            "L2 non_target 0:present 42:absent 84:not_evaluated",
            "iCR iUPD",
        ),
    ],
)
def test_readings_where_the_paper_leaves_room_are_those_of_the_docstring(lesions, expected):
    assert [word for _, word in words(readings(lesions))] == expected.split()


TARGET = st.one_of(
    st.integers(0, 90).map(lambda size: ("measured", size * 10)),
    st.sampled_from([("absent", None), ("too_small", None), ("not_evaluated", None), None]),
)
OTHER = st.sampled_from(
    [(status, None) for status in ("absent", "present", "progression", "further_progression", "not_evaluated")] + [None]
)
NEW = st.one_of(st.none(), st.integers(5, 40).map(lambda size: ("measured", size * 10)), OTHER)
LATER = st.tuples(TARGET, TARGET, OTHER, NEW, NEW)
KINDS = (("T1", "target"), ("T2", "target"), ("L1", "non_target"), ("X1", "new"), ("X2", "new"))


@st.composite
def courses(draw, *, later=LATER):
    """A patient with two targets and a non-target, up to seven visits three or six weeks apart, up to two new lesions."""
    visits = {0.0: [Reading("T1", "target", "measured", 400), Reading("T2", "target", "measured", 300)]}
    visits[0.0].append(Reading("L1", "non_target", "present"))
    day = 0.0
    for found in draw(st.lists(later, max_size=7)):
        day += draw(st.sampled_from([21.0, 42.0]))
        named = [(name, kind, value) for (name, kind), value in zip(KINDS, found, strict=True) if value is not None]
        visits[day] = [Reading(name, kind, status, tenths) for name, kind, (status, tenths) in named]
    return visits


@given(courses())
def test_up_to_the_first_progression_irecist_is_recist_with_an_i(visits):
    recist = [point.response for point in assess_patient(visits) if point.response is not None]
    found = [word for _, word in words(visits)]
    until = recist.index("PD") + 1 if "PD" in recist else len(recist)
    assert found[:until] == [AS_IRECIST[response] for response in recist[:until]]
    if "PD" not in recist:
        assert found == [AS_IRECIST[response] for response in recist]


@given(courses())
def test_a_confirmed_progression_has_an_open_iupd_at_least_four_weeks_before(visits):
    found = words(visits)
    confirmed = next((position for position, (_, word) in enumerate(found) if word == "iCPD"), None)
    if confirmed is None:
        return
    resolved = [position for position in range(confirmed) if found[position][1] not in ("iUPD", "NE")]
    episode = found[resolved[-1] + 1 if resolved else 0 : confirmed]
    first = next(day for day, word in episode if word == "iUPD")
    assert found[confirmed][0] - first >= 28
    assert {word for _, word in found[confirmed:]} <= {"iCPD", "NE"}


@given(courses(), st.randoms(use_true_random=False))
def test_the_order_of_visits_and_lesions_plays_no_part(visits, random):
    days = random.sample(sorted(visits), len(visits))
    shuffled = {day: random.sample(visits[day], len(visits[day])) for day in days}
    assert words(shuffled) == words(visits)


@given(courses(), st.integers(0, 7))
def test_no_later_visit_changes_an_earlier_word(visits, kept):  # none of these new lesions is equivocal
    until = {day: visits[day] for day in sorted(visits)[: kept + 1]}
    assert words(until) == words(visits)[: len(until) - 1]


@given(courses())
def test_what_recist_cannot_evaluate_irecist_cannot(visits):
    points = assess_patient(visits)
    for point, word in zip(points, assess(visits, points), strict=True):
        assert word == "NE" or point.response != "NE"


@given(courses(), st.integers(0, 100), st.integers(0, 100))
def test_a_longer_wait_confirms_no_more(visits, short, long):
    short, long = sorted((short, long))
    sooner = next((day for day, word in words(visits, confirmation_days=short) if word == "iCPD"), float("inf"))
    later = next((day for day, word in words(visits, confirmation_days=long) if word == "iCPD"), float("inf"))
    assert sooner <= later


@given(courses(later=st.tuples(TARGET, TARGET, OTHER, st.none(), st.none())))
def test_without_new_lesions_a_word_other_than_progression_is_that_of_the_categories(visits):
    points = assess_patient(visits)
    complete = False
    for point, word in zip(points, assess(visits, points), strict=True):
        if word in ("iCR", "iPR", "iSD") and not complete and point.non_target != "PD":
            assert word == AS_IRECIST[point.response]
        complete = complete or point.response == "CR"
