import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.multiplicity import Attainable, attainable, benjamini_hochberg, fixed_sequence, holm
from rabiomarkers.tables.changes import CORRECTIONS

TABLE = (Path(__file__).parents[1] / "reference" / "two_groups.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] in ("holm", "BH")]


def test_q_is_p_times_tests_over_rank_made_monotone():
    # 0.01*4/1, 0.02*4/2, 0.03*4/3, 0.5*4/4
    q_values = benjamini_hochberg(pd.Series([0.5, 0.01, 0.03, 0.02]))
    np.testing.assert_allclose(q_values, [0.5, 0.04, 0.04, 0.04], atol=1e-12)


def test_a_test_that_was_not_made_does_not_count():
    q_values = benjamini_hochberg(pd.Series([np.nan, 0.01, np.nan, 0.04]))
    np.testing.assert_allclose(q_values, [np.nan, 0.02, np.nan, 0.04])


def test_families_are_corrected_apart():
    p_values = pd.Series([0.01, 0.02, 0.01, np.nan], index=list("abcd"))
    q_values = benjamini_hochberg(p_values, pd.Series(["x", "x", "y", "z"], index=list("abcd")))
    assert q_values[["a", "b", "c"]].tolist() == [0.02, 0.02, 0.01]
    assert np.isnan(q_values["d"])


def test_no_test_gives_no_q():
    assert benjamini_hochberg(pd.Series([], dtype=float), pd.Series([], dtype="str")).empty


def test_ten_pairs_need_twelve_of_300_features_at_the_floor():  # VALIDITY, section 1
    floor = 2 / 2**10
    for at_floor, passes in ((11, False), (12, True)):
        p_values = pd.Series([floor] * at_floor + [0.9] * (300 - at_floor))
        assert bool(benjamini_hochberg(p_values).min() <= 0.05) is passes


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30), st.randoms())
def test_q_never_lies_below_p_and_follows_its_test(p_values, random):
    table = pd.Series(p_values)
    q_values = benjamini_hochberg(table)
    assert (q_values >= table - 1e-15).all()
    assert (q_values <= 1).all()
    order = list(range(len(table)))
    random.shuffle(order)
    np.testing.assert_allclose(benjamini_hochberg(table.iloc[order]).sort_index(), q_values, atol=1e-12)


# ---- Holm ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input'][:40]}")
def test_adjusted_p_are_what_r_says(case):
    p_values, expected = ([float(part) for part in case[name].split()] for name in ("input", "value"))
    correct = {"holm": holm, "BH": benjamini_hochberg}[case["statistic"]]
    np.testing.assert_allclose(correct(pd.Series(p_values)), expected, rtol=1e-10)


def test_holm_multiplies_by_the_tests_that_are_left():
    # 0.01*4, 0.02*3, then 0.03*2 = 0.06, 0.5*1
    np.testing.assert_allclose(holm(pd.Series([0.5, 0.01, 0.03, 0.02])), [0.5, 0.04, 0.06, 0.06], atol=1e-12)


def test_holm_corrects_families_apart_and_leaves_out_what_was_not_tested():
    p_values = pd.Series([0.01, 0.02, 0.04, np.nan, np.nan], index=list("abcde"))
    adjusted = holm(p_values, pd.Series(["x", "x", "y", "y", "z"], index=list("abcde")))
    np.testing.assert_allclose(adjusted, [0.02, 0.02, 0.04, np.nan, np.nan])
    assert adjusted.index.tolist() == list("abcde")


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30), st.randoms())
def test_holm_lies_between_benjamini_hochberg_and_bonferroni_and_follows_its_test(p_values, random):
    table = pd.Series(p_values)
    adjusted = holm(table)
    assert (adjusted >= benjamini_hochberg(table) - 1e-12).all()
    assert (adjusted <= np.minimum(len(table) * table, 1) + 1e-12).all()
    order = list(range(len(table)))
    random.shuffle(order)
    assert holm(table.iloc[order]).sort_index().equals(adjusted)


# ---- a fixed sequence ------------------------------------------------------------------------------------------------


def test_what_comes_after_a_failure_fails_with_it():
    adjusted = fixed_sequence(pd.Series([0.01, 0.2, 0.001, 0.03]), pd.Series([1, 3, 4, 2]))
    assert adjusted.tolist() == [0.01, 0.2, 0.2, 0.03]


def test_a_hypothesis_without_data_takes_no_place_in_the_sequence():
    p_values = pd.Series([np.nan, 0.04, 0.01, 0.9], index=list("abcd"))
    adjusted = fixed_sequence(p_values, pd.Series([1, 2, 3, np.nan], index=list("abcd")))
    np.testing.assert_array_equal(adjusted, [np.nan, 0.04, 0.04, np.nan])
    assert adjusted.index.tolist() == list("abcd")


def test_a_sequence_of_nothing_is_empty():
    assert fixed_sequence(pd.Series([], dtype=float), pd.Series([], dtype=float)).empty
    assert fixed_sequence(pd.Series([0.01]), pd.Series([np.nan])).isna().all()


def test_two_hypotheses_in_one_place_are_refused():
    with pytest.raises(StatisticsError, match="a place of its own"):
        fixed_sequence(pd.Series([0.1, 0.2]), pd.Series([1, 1]))


def test_a_fixed_sequence_keeps_the_error_whatever_the_number_of_hypotheses():
    random = np.random.default_rng(3)
    order = pd.Series(np.arange(5.0))
    any_passes = [bool((fixed_sequence(pd.Series(random.random(5)), order) <= 0.05).any()) for _ in range(2000)]
    assert np.mean(any_passes) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 2000))


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.floats(0.001, 0.999))
def test_a_sequence_passes_up_to_its_first_failure(p_values, alpha):
    passes = (fixed_sequence(pd.Series(p_values), pd.Series(range(len(p_values)))) <= alpha).tolist()
    first = next((place for place, p_value in enumerate(p_values) if p_value > alpha), len(p_values))
    assert passes == [place < first for place in range(len(p_values))]


# ---- what a correction allows ----------------------------------------------------------------------------------------

FLOOR = 1 / 512  # ten pairs


@pytest.mark.parametrize(("tests", "needed"), [(1, None), (25, None), (26, 2), (300, 12), (20_000, 782)])
def test_so_many_tests_must_be_at_the_floor_together(tests, needed):  # VALIDITY, section 1; 25/512 is below 0.05
    told = attainable(np.full(tests, FLOOR), "Benjamini-Hochberg")
    assert told == Attainable(n_tests=tests, n_cannot_pass=0, n_needed=needed)


@pytest.mark.parametrize(
    ("floors", "correction", "cannot_pass"),
    [
        ([FLOOR] * 25, "Holm", 0),
        ([FLOOR] * 26, "Holm", 26),
        ([0.04, 0.04], "Holm", 2),
        ([0.04, 0.02], "Holm", 0),
        ([0.06, np.nan, 0.02], "Holm", 1),
        ([0.0625, 0.0625], "Benjamini-Hochberg", 2),
        ([0.0625, np.nan], "Benjamini-Hochberg", 1),
        ([0.01, 0.0625, 0.01], "fixed sequence", 2),
        ([np.nan, 0.01, 0.0625], "fixed sequence", 1),
        ([], "Benjamini-Hochberg", 0),
        ([], "Holm", 0),
        ([], "fixed sequence", 0),
    ],
)
def test_tests_that_cannot_pass_are_counted(floors, correction, cannot_pass):
    assert attainable(floors, correction) == Attainable(n_tests=len(floors), n_cannot_pass=cannot_pass, n_needed=None)


def test_a_t_test_without_a_floor_may_pass_alone():
    assert attainable([np.nan] + [FLOOR] * 299, "Benjamini-Hochberg").n_needed is None


def test_a_stricter_level_asks_for_more():
    assert attainable(np.full(300, FLOOR), "Benjamini-Hochberg", alpha=0.01).n_needed == 59  # 300 / 512 / 59 <= 0.01


def test_an_unknown_correction_is_refused():
    with pytest.raises(StatisticsError, match="no correction 'bonferroni'"):
        attainable([0.1], "bonferroni")


@given(st.lists(st.integers(2, 12), min_size=1, max_size=40), st.sampled_from(CORRECTIONS))
def test_the_promise_is_what_the_correction_does(pairs, correction):
    floors = 2.0 ** (1 - np.array(pairs))
    told = attainable(floors, correction)
    places = pd.Series(range(len(floors)))
    correct = {
        "fixed sequence": lambda p_values: fixed_sequence(p_values, places),
        "Holm": holm,
        "Benjamini-Hochberg": benjamini_hochberg,
    }[correction]
    assert told.n_cannot_pass == (correct(pd.Series(floors)) > 0.05).sum()
    if told.n_needed:
        smallest_first = np.argsort(floors, kind="stable")
        for at_floor, passes in ((told.n_needed - 1, False), (told.n_needed, True)):
            p_values = pd.Series(1.0, index=range(len(floors)))
            p_values.iloc[smallest_first[:at_floor]] = floors[smallest_first[:at_floor]]
            assert bool((correct(p_values) <= 0.05).any()) is passes
    elif told.n_cannot_pass < told.n_tests:
        alone = [correct(pd.Series(np.where(places == place, floors, 1.0))).min() <= 0.05 for place in places]
        assert any(alone)
