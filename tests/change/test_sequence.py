"""Tests that use patients with one sample in the plan's sequence, and what only some of the tests tell."""

import math

import numpy as np
import pandas as pd

from rabiomarkers.change.families import family_table
from rabiomarkers.change.pairs import pair_matrix, paired_deltas, pairing, single_values
from rabiomarkers.change.table import change_table
from rabiomarkers.change.tests import TESTS
from rabiomarkers.stats.mixed import mixed_model_many
from tests.support.paired import CONTRAST, pairs_of, table


def moved(n):
    """n patients who all moved the same way: p is the floor."""
    return [(0.0, patient + 1.0) for patient in range(n)]


def sequence_of(rows, primary, **options):
    features = table(rows)
    deltas, alone = (make(features, contrast=CONTRAST) for make in (paired_deltas, single_values))
    told = change_table(deltas, pairing(features, contrast=CONTRAST), singles=alone, primary=primary, **options)
    return told.set_index("feature")


FALLEN = [(None, 1.0), (None, 1.4), (None, 0.6), (7.0, None), (7.7, None), (6.1, None)]


def test_a_mixed_model_of_patients_with_one_sample_has_its_place_in_the_sequence():
    rows = [*pairs_of("singles", FALLEN), *pairs_of("pairs", moved(10))]
    told = sequence_of(rows, ["singles", "pairs"], test="mixed_model")
    assert told["sequence"].tolist() == [1, 2]
    assert told["n_pairs"].tolist() == [0, 10]
    assert told["n_single"].tolist() == [6, 0]
    assert told["passes"].tolist() == [True, True]
    assert told.loc["singles", "q_value"] == told.loc["singles", "p_value"] < 0.001
    assert told.loc["singles", "note"] == (
        "no patient has two samples: different patients are compared; no effect size with fewer than three pairs; "
        "3 patients without a post sample; 3 patients without a pre sample"
    )
    # a feature that fails keeps the next from passing, whether its patients have pairs or not
    risen_and_fallen = [(None, 1.0), (None, 4.0), (None, 7.0), (1.2, None), (4.0, None), (6.6, None)]
    rows = [*pairs_of("singles", risen_and_fallen), *pairs_of("pairs", moved(10))]
    stopped = sequence_of(rows, ["singles", "pairs"], test="mixed_model")
    assert stopped["passes"].tolist() == [False, False]
    assert family_table(stopped.reset_index()).loc[0, ["n_tests", "n_passed"]].tolist() == [2, 0]


def test_one_pair_and_single_samples_that_give_no_p_take_no_place_unless_nobody_moved():
    short = [*pairs_of("short", [(1.0, None), (None, 2.0)]), *pairs_of("pairs", moved(10))]
    told = sequence_of(short, ["short", "pairs"], test="mixed_model")
    assert told["sequence"].dropna().to_dict() == {"pairs": 1}
    assert told.loc["pairs", "passes"]
    assert told.loc["short", "note"].startswith("no pair: 1 patient without a post sample")
    assert told.loc["short", "note"].endswith("too few samples to tell a spread")
    still = [*pairs_of("still", [(1.0, 1.0), (1.0, None), (None, 1.0)]), *pairs_of("pairs", moved(10))]
    told = sequence_of(still, ["still", "pairs"], test="mixed_model")
    assert told["sequence"].tolist() == [1, 2]
    assert not told.loc["pairs", "passes"]


def test_the_same_patients_have_no_place_in_a_sequence_of_paired_tests():
    rows = [*pairs_of("singles", FALLEN), *pairs_of("one", [(1.0, 2.0)]), *pairs_of("pairs", moved(10))]
    told = sequence_of(rows, ["singles", "one", "pairs"])
    assert told["sequence"].dropna().to_dict() == {"pairs": 1}
    assert told.loc["singles", "note"] == "no pair: 3 patients without a post sample; 3 patients without a pre sample"
    assert told.loc["one", "note"] == "one pair: a change needs at least two"


def test_two_pairs_are_enough_for_a_place_and_one_is_not():
    rows = [*pairs_of("two", [(1.0, 2.0), (1.0, 4.0)]), *pairs_of("pairs", moved(10))]
    told = sequence_of(rows, ["two", "pairs"])
    assert told["sequence"].tolist() == [1, 2]
    assert not told.loc["pairs", "passes"]  # two pairs have p 0.5, and the sequence stops there
    still = sequence_of([*pairs_of("two", [(1.0, 1.0)] * 2), *pairs_of("pairs", moved(10))], ["two", "pairs"])
    assert still["sequence"].tolist() == [1, 2]
    assert not still.loc["pairs", "passes"]
    unused = sequence_of(
        [*pairs_of("two", [(1.0, 2.0), (2.0, 4.0)]), *pairs_of("pairs", moved(10))], ["two", "pairs"], test="ancova"
    )
    assert unused["sequence"].tolist() == [1, 2]  # ANCOVA needs three; the sequence stops rather than going on
    assert not unused.loc["pairs", "passes"]


def test_a_sequence_by_mixed_models_uses_the_singles_of_each_feature():
    rows = [
        *pairs_of("A", [(1.0, 2.1), (2.0, 2.7), (3.0, 4.4), (2.5, 2.9), (1.4, 2.6), (9.0, None), (None, 8.0)]),
        *pairs_of("B", [(1.0, 2.0), (2.0, 3.5), (1.0, 2.2), (3.0, 4.4), (2.0, 3.1)]),
        *pairs_of("C", [(1.0, 2.0), (2.0, 1.0), (1.5, 2.0), (1.2, 1.0), (None, 2.0)]),
        *pairs_of("D", moved(8)),
    ]
    told = sequence_of(rows, ["B", "A", "C", "D"], test="mixed_model")
    assert told.index.tolist() == ["B", "A", "C", "D"]
    assert told["n_single"].tolist() == [0, 2, 1, 0]
    matrix = pair_matrix(*(make(table(rows), contrast=CONTRAST) for make in (paired_deltas, single_values)))
    alone = mixed_model_many(matrix.before, matrix.after).set_index(matrix.features["feature"]).loc[told.index]
    for name in ("estimate", "p_value", "ci_low", "degrees_of_freedom"):
        np.testing.assert_allclose(told[name], alone[name], rtol=1e-12)
    assert told["passes"].tolist() == [True, True, False, False]
    assert told["q_value"].tolist() == told["p_value"].cummax().tolist()


def test_degrees_of_freedom_and_single_patients_are_told_by_the_tests_that_have_them():
    rows = pairs_of("A", [(1.0, 2.1), (2.0, 2.7), (3.0, 4.4), (2.5, 2.9), (1.4, 2.6), (9.0, None)])
    told = {test: sequence_of(rows, ["A"], test=test).iloc[0] for test in TESTS}
    freedom = {test: row["degrees_of_freedom"] for test, row in told.items()}
    assert (freedom["paired_t"], freedom["ancova"], freedom["moderated_t"]) == (4, 3, 4)
    assert 3 < freedom["mixed_model"] <= 4
    assert all(math.isnan(freedom[test]) for test in ("signed_rank", "signed_rank_pratt", "sign_flip"))
    assert [test for test, row in told.items() if not pd.isna(row["n_single"])] == ["mixed_model"]
    assert told["mixed_model"]["n_single"] == 1
    empty = sequence_of(pairs_of("A", [(1.0, 2.0)]), ["A"], test="mixed_model").iloc[0]
    assert pd.isna(empty["n_single"])  # not tested: nobody was used


def test_pratts_zeros_keep_their_ranks_in_the_table():
    # ranks 3..7 of which 4 is lost: {}, {3}, {4} of 32, twice; without the zeros 1..5, 2 lost: the same count. With -1 lost
    # too, ranks 3 and 4 are lost: {}, {3}, {4}, {5}, {6}, {7}, {3,4}; without, 1 and 2: {}, {1}, {2}, {3}, {1,2}
    rows = pairs_of("A", [(0.0, change) for change in (0.0, 0.0, -1.0, -2.0, 3.0, 4.0, 5.0)])
    told = {test: sequence_of(rows, ["A"], test=test).iloc[0] for test in ("signed_rank", "signed_rank_pratt")}
    assert told["signed_rank"][["p_count", "p_total"]].tolist() == [10, 32]
    assert told["signed_rank_pratt"][["p_count", "p_total"]].tolist() == [14, 32]


def test_the_moderated_t_shares_a_variance_within_compartment_and_unit_only():
    random = np.random.default_rng(11)

    def wide(compartment, unit, spread, count):
        values = spread * random.normal(size=(count, 6, 2))
        names = (f"{compartment} {unit} {number:02}" for number in range(count))
        return [
            row
            for name, pairs in zip(names, values.round(6).tolist(), strict=True)
            for row in pairs_of(name, pairs, unit, compartment)
        ]

    groups = {
        ("tumour", "rank score"): wide("tumour", "rank score", 0.1, 12),
        ("tumour", "nats"): wide("tumour", "nats", 5.0, 12),
        ("blood", "nats"): wide("blood", "nats", 40.0, 12),
        ("faecal", "clr"): wide("faecal", "clr", 1.0, 9),
    }
    together = sequence_of([row for rows in groups.values() for row in rows], [], test="moderated_t")
    for rows in groups.values():
        alone = sequence_of(rows, [], test="moderated_t")
        pd.testing.assert_frame_equal(
            together.loc[alone.index, ["p_value", "ci_low", "degrees_of_freedom", "test"]],
            alone[["p_value", "ci_low", "degrees_of_freedom", "test"]],
        )
    assert (together.loc[together["compartment"] == "faecal", "test"] == "paired t").all()  # nine share nothing
    assert (together.loc[together["compartment"] != "faecal", "test"] == "moderated t").all()
