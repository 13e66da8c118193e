"""Where admiralonco and RECIST 1.1 part: the table that users are pointed to, each row checked against both rule sets."""

import csv
import json
from pathlib import Path

import pytest

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.best_response import best_response
from rabiomarkers.response.rules import ResponseRules

TABLE = Path(__file__).parents[1] / "reference" / "recist" / "admiralonco_differences.csv"
DIFFERENCES = list(csv.DictReader(TABLE.read_text().splitlines()))


def judged(row, rule_set):
    visits = [(float(day), code) for day, code in (pair.split(":") for pair in row["visits"].split())]
    told = {name: json.loads(value) for name, value in (pair.split("=") for pair in row["settings"].split())}
    best = best_response(visits, ResponseRules(rule_set=rule_set, **told))
    return best.response, best.day, best.progression_day


def expected(row, name):
    days = (row[f"{name}_day"], row[f"{name}_progression_day"])
    return row[name], *(float(day) if day else None for day in days)


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row["difference"])
def test_the_two_rule_sets_differ_as_the_table_says(row):
    assert judged(row, "admiralonco") == expected(row, "admiralonco")
    assert judged(row, "recist-1.1") == expected(row, "recist_1_1")
    assert expected(row, "admiralonco") != expected(row, "recist_1_1")
    assert row["why"]


def test_words_of_irecist_are_read_by_recist_and_refused_by_admiralonco():
    visits = [(42.0, "iPR"), (84.0, "iPR")]
    assert best_response(visits, ResponseRules()).response == "PR"
    with pytest.raises(ResponseError, match="does not know iPR"):
        best_response(visits, ResponseRules(rule_set="admiralonco"))
