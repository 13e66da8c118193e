"""Every case of the published tables; tests/reference/recist/README.md says how to read them."""

import csv
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.response.assess import assess_timepoints
from rabiomarkers.response.baseline import measurability
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.lesions import STATUSES, Reading
from rabiomarkers.response.rules import ResponseRules
from rabiomarkers.response.timepoint import assess_patient, overall_response, target_response

FOLDER = Path(__file__).parents[1] / "reference" / "recist"
KNOWN_STATUSES = {status for statuses in STATUSES.values() for status in statuses}
LESION = re.compile(r"(?P<name>\w+)(?:\(part_of=(?P<part_of>\w+)\))?(?:\[(?P<organ>\w+)\])? (?P<kind>\w+)(?P<seen>.*)")
SEEN = re.compile(r"(?P<day>-?\d+)(?:@(?P<visit>\w+))?:(?P<word>[a-z_]*)=?(?P<detail>\S*)")
NEW_LESION = {"yes": True, "no": False}
CONFIRMED = {"yes": True, "no": False, "": None}
COLUMNS = ("patient_id", "day", "lesion_id", "kind", "status", "tenths", "part_of", "organ", "visit")


def read(table):
    return list(csv.DictReader((FOLDER / f"{table}.csv").read_text().splitlines()))


CASES = {table: read(table) for table in ("lesions", "baseline", "timepoints", "sequences")}


def each_case(table):
    return pytest.mark.parametrize("case", CASES[table], ids=lambda case: case["case"])


def pairs(text):
    return [(float(day), value) for day, value in (pair.split(":") for pair in text.split())]


def tenths_of(text):
    tenths = Decimal(text) * 10
    assert tenths == int(tenths)
    return int(tenths)


def rows(text):
    """`T1 target 0:28.0 42:absent; X1 new 42:present` as rows of `lesions.csv`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        lesion = LESION.fullmatch(part)
        for pair in lesion["seen"].split():
            seen = SEEN.fullmatch(pair)
            status = seen["word"] or "measured"
            assert status in KNOWN_STATUSES
            merged = status == "merged"
            tenths = tenths_of(seen["detail"]) if seen["detail"] and not merged else None
            part_of = seen["detail"] if merged else lesion["part_of"]
            found.append(
                (
                    "P1",
                    float(seen["day"]),
                    lesion["name"],
                    lesion["kind"],
                    status,
                    tenths,
                    part_of,
                    lesion["organ"],
                    seen["visit"],
                )
            )
    return found


def readings(text):
    visits = {}
    for _, day, name, kind, status, tenths, part_of, organ, _ in rows(text):
        visits.setdefault(day, []).append(Reading(name, kind, status, tenths, part_of, organ))
    return visits


def frame(text):
    lesions = pd.DataFrame(rows(text), columns=list(COLUMNS))
    lesions["tenths"] = lesions["tenths"].astype("Int64")
    lesions["mm"] = lesions["tenths"].astype("float64") / 10
    return lesions


def test_the_tables_are_large_and_name_each_case_once():
    names = [(table, case["case"]) for table, cases in CASES.items() for case in cases]
    assert len(names) == len(set(names)) >= 150
    assert all(case["rule"] and case["source"] for cases in CASES.values() for case in cases)


def test_every_answer_says_who_decided_it_and_every_reading_is_explained():
    explained = re.findall(r"^\| `([a-z0-9-]+)` \|", (FOLDER / "README.md").read_text(), flags=re.MULTILINE)
    decided = [(case["decided_by"], case["source"]) for cases in CASES.values() for case in cases]
    assert {by for by, _ in decided} == {"paper", "clarification", "reading"}
    assert {source for by, source in decided if by == "reading"} == set(explained)
    assert all(source.startswith("RECIST 1.1") for by, source in decided if by == "paper")
    assert all(source.startswith(("EORTC FAQ", "Schwartz 2016")) for by, source in decided if by == "clarification")


@each_case("lesions")
def test_lesions_give_the_responses_and_sums_of_recist(case):
    lesions = frame(case["lesions"])
    points = assess_timepoints(lesions)
    judged = points[points["response"].notna()]
    assert list(zip(judged["day"], judged["response"], strict=True)) == pairs(case["responses"])
    if case["sums_mm"]:
        sums = [
            (day, None if pd.isna(tenths) else int(tenths)) for day, tenths in judged[["day", "sum_tenths"]].to_numpy()
        ]
        assert sums == [(day, None if mm == "-" else tenths_of(mm)) for day, mm in pairs(case["sums_mm"])]
    pd.testing.assert_frame_equal(assess_timepoints(lesions.drop(columns="tenths")), points)


@pytest.mark.parametrize(
    "case", [case for case in CASES["lesions"] if "@" not in case["lesions"]], ids=lambda case: case["case"]
)
def test_the_readings_of_one_patient_give_the_same_responses(case):
    points = assess_patient(readings(case["lesions"]))
    assert [(point.day, point.response) for point in points if point.response is not None] == pairs(case["responses"])


@each_case("lesions")
def test_lesions_give_the_best_response_of_recist(case):
    best = best_response(pairs(case["responses"]), ResponseRules())
    assert (best.response, best.confirmed) == (case["best"], CONFIRMED[case["confirmed"]])


@each_case("baseline")
def test_what_falls_short_at_baseline_is_remarked_on(case):
    remarks = measurability(frame(case["lesions"]))
    expected = [word.strip() for word in case["remarks"].split(";") if word]
    found = remarks["found"].tolist()
    assert len(found) == len(expected)
    assert all(any(re.search(rf"\b{word}", text) for text in found) for word in expected)
    assert set(remarks["patient_id"]) <= {"P1"}
    assert remarks["consequence"].astype(bool).all()


@each_case("timepoints")
def test_a_visit_gives_the_response_of_tables_1_and_2(case):
    response = overall_response(
        case["target"] or None, case["non_target"] or None, new_lesion=NEW_LESION[case["new_lesion"]]
    )
    assert response == case["overall"]


def test_tables_1_and_2_are_complete():
    combinations = {(case["target"], case["non_target"], case["new_lesion"]) for case in CASES["timepoints"]}
    assert len(combinations) == len(CASES["timepoints"]) == 6 * 5 * 2


@each_case("sequences")
def test_visits_give_the_best_response_of_recist(case):
    settings = (pair.split("=") for pair in case["settings"].split())
    best = best_response(pairs(case["visits"]), ResponseRules(**{name: json.loads(value) for name, value in settings}))
    assert (best.response, best.confirmed) == (case["best"], CONFIRMED[case["confirmed"]])
    assert best.progression_day == (float(case["progression_day"]) if case["progression_day"] else None)
    assert best.note


def float_sums(text):
    """The sum of the targets on each day, added as floats would be."""
    days = {}
    for _, day, *_, tenths, _, _, _ in rows(text):
        days.setdefault(day, []).append(tenths / 10)
    return [sum(days[day]) for day in sorted(days)]


@pytest.mark.parametrize(
    "case", [case for case in CASES["lesions"] if case["case"].startswith("float_")], ids=lambda case: case["case"]
)
def test_floats_would_fall_into_the_trap(case):
    sums = float_sums(case["lesions"])
    if "minus_30" in case["case"]:
        baseline, now = sums[0], sums[1]
        naive = [now / baseline <= 0.7, now <= 0.7 * baseline]
    elif "plus_20" in case["case"]:
        nadir, now = sums[-2:]
        naive = [(now - nadir) / nadir >= 0.2, now - nadir >= 0.2 * nadir]
    else:
        nadir, now = sums[-2:]
        naive = [now - nadir >= 5]
    assert not any(naive)


TENTHS = st.lists(st.integers(1, 2000), min_size=1, max_size=5)


def targets(tenths):
    return [Reading(f"T{number}", "target", "measured", size) for number, size in enumerate(tenths)]


@given(TENTHS, st.integers(1, 5000), st.integers(0, 5000))
def test_target_response_is_that_of_fractions(sizes, baseline, below):
    nadir = max(0, baseline - below)
    now = Fraction(sum(sizes), 10)
    grown = now - Fraction(nadir, 10)
    if grown >= 5 and grown >= Fraction(1, 5) * Fraction(nadir, 10):
        expected = "PD"
    elif now <= Fraction(7, 10) * Fraction(baseline, 10):
        expected = "PR"
    else:
        expected = "SD"
    assert target_response(targets(sizes), baseline_tenths=baseline, nadir_tenths=nadir) == expected


@given(st.integers(1, 300), st.sampled_from([(Fraction(7, 10), "PR", "SD", 1), (Fraction(6, 5), "PD", "SD", -1)]))
def test_a_threshold_is_met_exactly_and_missed_by_a_tenth(baseline_mm, threshold):
    share, met, missed, step = threshold
    baseline = 10 * (baseline_mm + 24)  # +20 % of at least 25 mm is at least 5 mm
    now = int(share * baseline)
    assert now == share * baseline

    def response(tenths):
        return target_response(targets([tenths]), baseline_tenths=baseline, nadir_tenths=baseline)

    assert response(now) == met
    assert response(now + step) == missed


@given(TENTHS.flatmap(lambda sizes: st.tuples(st.just(sizes), st.permutations(sizes))), st.integers(1, 5000))
def test_the_order_of_lesions_plays_no_part(orders, baseline):
    first, second = (
        target_response(targets(sizes), baseline_tenths=baseline, nadir_tenths=baseline) for sizes in orders
    )
    assert first == second
