"""Every case of the published table; `rule` says in words why the expected answer is right."""

import csv
import json
from pathlib import Path

import pytest

from rabiomarkers.response.best_response import ResponseRules, best_response
from rabiomarkers.response.timepoint import STATUSES, Reading, assess_patient

CASES = list(csv.DictReader((Path(__file__).parents[1] / "reference" / "recist_cases.csv").read_text().splitlines()))
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


def pairs(text):
    return [(float(day), code) for day, code in (pair.split(":") for pair in text.split())]


def rules(text):
    return ResponseRules(**{name: json.loads(value) for name, value in (pair.split("=") for pair in text.split())})


def test_the_table_is_large_and_names_each_case_once():
    names = [case["case"] for case in CASES]
    assert len(names) == len(set(names)) >= 80
    assert all(case["rule"] for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_case_gives_the_answer_of_recist(case):
    visits = pairs(case["visits"])
    if case["lesions"]:
        points = [point for point in assess_patient(readings(case["lesions"])) if point.response is not None]
        visits = [(point.day, point.response) for point in points]
        assert visits == pairs(case["timepoints"])
    best = best_response(visits, rules(case["settings"]))
    assert best.response == case["best"]
    assert best.confirmed == {"yes": True, "no": False, "": None}[case["confirmed"]]
    assert best.note
