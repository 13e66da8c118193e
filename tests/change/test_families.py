"""What each family can show at its n."""

import pandas as pd

from rabiomarkers.change.families import family_table
from tests.support.paired import changes, pairs_of


def families(rows, **options):
    return family_table(changes(rows, **options).reset_index()).set_index("family")


def noise(name, n):
    return pairs_of(name, [(0.0, (patient + 1.0) * (-1.0) ** patient) for patient in range(n)])


def test_each_family_tells_its_tests_and_its_correction():
    rows = [*noise("A", 8), *noise("B", 8), *noise("C", 8)]
    told = families(rows, primary=["A", "absent"], secondary=["B"])
    assert told["correction"].to_dict() == {
        "primary": "fixed sequence",
        "secondary tumour": "Holm",
        "exploratory tumour": "Benjamini-Hochberg",
    }
    assert told["n_features"].to_dict() == {"primary": 2, "secondary tumour": 1, "exploratory tumour": 1}
    assert told["n_tests"].to_dict() == {"primary": 1, "secondary tumour": 1, "exploratory tumour": 1}
    assert (told["n_cannot_pass"] == 0).all()


def test_features_that_cannot_pass_at_this_n_are_counted():
    # floors 2/2**8 = 0.0078 and 2/2**4 = 0.125: Holm multiplies the larger one by 1 and it stays above 0.05
    told = families([*noise("A", 8), *noise("B", 4)], secondary=["*"]).loc["secondary tumour"]
    assert (told["n_tests"], told["n_cannot_pass"]) == (2, 1)
    assert told["note"] == "1 of 2 features cannot pass at this n, whatever the data"


def test_how_many_must_be_at_their_floor_together_is_told():
    # with 10 pairs, floor 0.00195: of 300 tests 12 must be at it before Benjamini-Hochberg passes any (VALIDITY, section 1)
    rows = [row for number in range(300) for row in noise(f"F{number:03}", 10)]
    told = families(rows).loc["exploratory tumour"]
    assert (told["n_tests"], told["n_cannot_pass"], told["n_needed"]) == (300, 0, 12)
    assert told["note"].startswith("at least 12 of 300 must be at their smallest possible p together")


def test_no_feature_can_pass_where_holm_asks_for_too_much():
    rows = [row for number in range(30) for row in noise(f"F{number:02}", 10)]
    told = families(rows, secondary=["*"]).loc["secondary tumour"]
    assert (told["n_cannot_pass"], told["n_tests"]) == (30, 30)
    assert "no feature can pass at this n" in told["note"]


def still(name, n):
    return pairs_of(name, [(1.0, 1.0)] * n)


def test_what_comes_after_a_feature_that_stops_the_sequence_cannot_pass():
    rows = [*noise("A", 8), *still("B", 8), *noise("C", 8), *noise("D", 4)]
    told = families(rows, primary=["A", "absent", "B", "C", "D"]).loc["primary"]
    # of A, C and D, which have a p: C comes after B, and so does D, which could not reach 0.05 anyway
    assert (told["n_features"], told["n_tests"], told["n_cannot_pass"], told["n_passed"]) == (5, 3, 2, 0)
    assert told["note"] == "the sequence stops at B, which could not be tested; 2 of 3 tests cannot pass"


def test_a_sequence_that_stops_at_its_end_holds_up_nothing():
    told = families([*noise("A", 8), *still("B", 8)], primary=["A", "B"]).loc["primary"]
    assert (told["n_tests"], told["n_cannot_pass"]) == (1, 0)
    assert told["note"] == "the sequence stops at B, which could not be tested"


def test_a_sequence_that_stops_at_once_lets_nothing_pass():
    told = families([*still("A", 8), *noise("B", 8)], primary=["A", "B"]).loc["primary"]
    assert (told["n_tests"], told["n_cannot_pass"]) == (1, 1)
    alone = families(still("A", 8), primary=["A"]).loc["primary"]
    assert (alone["n_tests"], alone["n_cannot_pass"], alone["note"]) == (0, 0, "no feature could be tested")


def test_a_secondary_feature_that_did_not_move_holds_up_nothing():
    told = families([*still("A", 8), *noise("B", 8)], secondary=["*"]).loc["secondary tumour"]
    assert (told["n_tests"], told["n_cannot_pass"]) == (1, 0)
    assert pd.isna(told["note"]) or told["note"] == ""


def test_a_family_nobody_measured_says_so():
    told = families([], primary=["A"]).loc["primary"]
    assert (told["n_tests"], told["note"]) == (0, "no feature could be tested")


def test_tests_without_a_floor_may_all_pass():
    rows = [row for number in range(30) for row in noise(f"F{number:02}", 10)]
    told = families(rows, secondary=["*"], test="paired_t").loc["secondary tumour"]
    assert told["n_cannot_pass"] == 0
    assert pd.isna(told["n_needed"])
