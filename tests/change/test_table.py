import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.pairs import pair_matrix, paired_deltas, pairing, single_values
from rabiomarkers.change.step import change_step
from rabiomarkers.change.table import change_table
from rabiomarkers.change.tests import TEST_COLUMNS, TESTS, run_test
from rabiomarkers.errors import StatisticsError
from rabiomarkers.files import read_table, write_table
from rabiomarkers.results import open_results
from rabiomarkers.stats.paired import sign_flip, signed_rank
from rabiomarkers.tables.changes import CHANGES, DELTAS, FAMILIES
from rabiomarkers.tables.samples import FEATURES
from tests.support.paired import CONTRAST, changes, pairs_of, random_study, table


def test_a_row_holds_one_tests_numbers():
    moved = [0.1, 0.3, -0.2, 0.6, 0.5, 0.4]
    row = changes(pairs_of("A", [(1.0, 1.0 + change) for change in moved])).loc[("tumour", "A")]
    told = signed_rank(moved)
    # ranks 1..6, lost 2: sums of at most 2 are {}, {1}, {2}; on both sides 6 of 64
    assert row["p_value"] == 6 / 64
    assert (row["estimate"], row["ci_low"], row["ci_high"]) == pytest.approx((told.estimate, told.ci_low, told.ci_high))
    assert (row["n_pairs"], row["ci_level"], row["p_floor"]) == (6, 0.96875, 0.03125)
    assert (row["test"], row["tier"], row["family"], row["note"]) == (
        "exact signed-rank",
        "exploratory",
        "exploratory tumour",
        "",
    )


def test_the_sign_flip_test_can_be_chosen():
    moved = [0.1, 0.3, -0.2, 0.6, 0.5, 0.4]
    row = changes(pairs_of("A", [(1.0, 1.0 + change) for change in moved]), test="sign_flip").loc[("tumour", "A")]
    told = sign_flip(moved)
    assert row["test"] == "exact sign-flip"
    assert (row["estimate"], row["p_value"], row["ci_low"]) == pytest.approx((told.estimate, told.p_value, told.ci_low))


def test_primary_features_come_first_and_families_are_corrected_apart():
    told = changes(random_study(), primary=["blood:NLR"], secondary=["A"])
    assert told.index.tolist() == [("blood", "NLR"), ("tumour", "A"), ("blood", "IL6"), ("tumour", "B")]
    assert told["family"].tolist() == ["primary", "secondary tumour", "exploratory blood", "exploratory tumour"]
    np.testing.assert_allclose(told["q_value"], told["p_value"])  # each family holds one test


def test_a_planned_feature_nobody_measured_has_a_row():
    told = changes(random_study(), primary=["RA_RESPONSE_CORE", "A"], secondary=["faecal:shannon", "RA_RESPONSE_CORE"])
    row = told.loc[("any", "RA_RESPONSE_CORE")]
    assert (row["n_pairs"], row["note"], row["tier"]) == (0, "named in the plan, no sample gave it", "primary")
    assert math.isnan(row["p_value"])
    assert told.loc[("faecal", "shannon"), "family"] == "secondary faecal"
    assert told.loc[("tumour", "A"), "q_value"] == told.loc[("tumour", "A"), "p_value"]  # an empty row is no test


@pytest.mark.parametrize(
    ("pairs", "n", "note"),
    [
        ([(0.1, None), (0.2, None), (0.4, None)], 0, "no pair: 3 patients without a post sample"),
        ([(0.1, 0.2), (0.3, None)], 1, "one pair: a change needs at least two; 1 patient without a post sample"),
        ([(0.1, 0.1), (0.3, 0.3)], 2, "all differences are zero"),
        (
            [(np.nan, 0.1), (0.2, np.nan)],
            0,
            "no pair: 1 patient without a value at post; 1 patient without a value at pre",
        ),
    ],
)
@pytest.mark.parametrize("test", ["signed_rank", "sign_flip"])
def test_what_cannot_be_estimated_is_empty_and_says_why(test, pairs, n, note):
    row = changes(pairs_of("A", pairs), test=test).loc[("tumour", "A")]
    assert (row["n_pairs"], row["test"]) == (n, "not tested")
    assert row["note"].startswith(note)
    numbers = ["estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "q_value", "effect_size"]
    assert row[numbers].isna().all()


def test_too_few_pairs_to_reach_5_percent_is_said():
    row = changes(pairs_of("A", [(0.1, 0.2), (0.1, 0.4), (0.2, 0.3), (0.1, 0.9)])).loc[("tumour", "A")]
    assert row["note"] == "cannot reach 0.05: with 4 pairs no p is below 0.125"
    assert row["p_value"] == row["p_floor"] == 0.125


def test_pairs_that_did_not_move_raise_the_floor_and_that_is_said():
    pairs = [(0.1, 0.2), (0.1, 0.4), (0.2, 0.3), (0.1, 0.9), (0.5, 0.5), (0.6, 0.6)]
    row = changes(pairs_of("A", pairs)).loc[("tumour", "A")]
    assert row["note"] == "cannot reach 0.05: with 6 pairs (4 of which moved) no p is below 0.125"


def test_an_equal_change_in_all_has_a_p_but_neither_interval_nor_effect_size():
    row = changes(pairs_of("A", [(number, number + 1.0) for number in range(6)])).loc[("tumour", "A")]
    assert (row["estimate"], row["p_value"]) == (1.0, 0.03125)
    assert row[["ci_low", "ci_high", "effect_size"]].isna().all()
    assert "no spread" in row["note"]


def test_two_pairs_have_no_effect_size():
    row = changes(pairs_of("A", [(0.1, 0.2), (0.1, 0.4)])).loc[("tumour", "A")]
    assert math.isnan(row["effect_size"])
    assert "no effect size with fewer than three pairs" in row["note"]


def test_no_features_at_all_give_an_empty_table():
    assert changes([]).empty
    assert changes([], primary=["A"]).index.tolist() == [("any", "A")]


def test_deltas_alone_make_a_table():
    features = table(random_study())
    deltas = paired_deltas(features, contrast=CONTRAST)
    pd.testing.assert_frame_equal(change_table(deltas), change_table(deltas, pairing(features, contrast=CONTRAST)))


# ---- properties ------------------------------------------------------------------------------------------------------


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=4)
def test_the_order_of_rows_and_features_plays_no_part(random):
    rows = random_study(seed=3)
    shuffled = rows.copy()
    random.shuffle(shuffled)
    options = {"primary": ["A"], "secondary": ["NLR"]}
    pd.testing.assert_frame_equal(changes(rows, **options), changes(shuffled, **options), check_exact=True)


@given(st.floats(0.01, 100))
@settings(deadline=None, max_examples=5)
def test_another_dilution_changes_no_fold_change(factor):
    rows = pairs_of("IL6", np.exp(np.random.default_rng(1).normal(size=(8, 2))).tolist(), "pg/mL", "blood")
    diluted = [(*row[:4], row[4] * factor, row[5]) for row in rows]
    told, scaled = changes(rows).iloc[0], changes(diluted).iloc[0]
    assert told["p_value"] == scaled["p_value"]
    assert told["estimate"] == pytest.approx(scaled["estimate"], abs=1e-9)


def test_swapping_the_timepoints_turns_the_sign_and_keeps_p():
    features = table(random_study())
    there, back = (change_table(paired_deltas(features, contrast=contrast)) for contrast in (CONTRAST, CONTRAST[::-1]))
    pd.testing.assert_series_equal(there["p_value"], back["p_value"])
    np.testing.assert_allclose(there["estimate"], -back["estimate"], atol=1e-12)
    np.testing.assert_allclose(there["ci_low"], -back["ci_high"], atol=1e-12)


# ---- the step --------------------------------------------------------------------------------------------------------


def test_the_step_writes_the_same_bytes_whatever_the_order_of_rows(tmp_path):
    features = table(random_study())
    written = []
    for name, frame in (("as_is", features), ("turned", features.iloc[::-1].reset_index(drop=True))):
        out = tmp_path / name
        out.mkdir()
        write_table(frame, tmp_path / f"{name}.parquet")
        info = change_step(
            {"features": tmp_path / f"{name}.parquet"},
            out,
            contrast=CONTRAST,
            primary=["A", "RA_RESPONSE_CORE"],
            secondary=["NLR"],
            test="signed_rank",
            level=0.95,
        )
        assert info == {"features": 5, "planned": 3, "not_measured": ["RA_RESPONSE_CORE"]}
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"changes.parquet", "deltas.parquet", "families.parquet", "singles.parquet"}
    CHANGES.check(read_table(tmp_path / "as_is" / "changes.parquet"))
    DELTAS.check(read_table(tmp_path / "as_is" / "deltas.parquet"))
    FAMILIES.check(read_table(tmp_path / "as_is" / "families.parquet"))


def test_results_of_before_there_were_these_columns_still_open(tmp_path):
    told = changes(random_study(), test="mixed_model").reset_index()
    write_table(told.drop(columns=["n_single", "degrees_of_freedom"]), tmp_path / "changes.parquet")
    (tmp_path / "summary.json").write_text("{}")
    opened = open_results(tmp_path).changes
    assert opened[["n_single", "degrees_of_freedom"]].isna().all(axis=None)
    pd.testing.assert_series_equal(opened["p_value"], told["p_value"])


def test_a_study_without_features_runs_to_empty_tables(tmp_path):
    write_table(FEATURES.empty(), tmp_path / "features.parquet")
    info = change_step({"features": tmp_path / "features.parquet"}, tmp_path, contrast=CONTRAST, primary=["A"])
    assert info["not_measured"] == ["A"]
    assert read_table(tmp_path / "deltas.parquet").empty


# ---- the tests by name ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TESTS)
def test_every_test_tells_the_same_columns_and_needs_no_order_of_patients(test):
    rows = random_study(seed=5)
    assert tuple(run_test(test, pair_matrix(paired_deltas(table(rows), contrast=CONTRAST))).columns) == TEST_COLUMNS
    told = changes(rows, test=test)
    assert (told["p_value"] > 0).all()
    assert (told["p_value"] <= 1).all()
    assert ((told["ci_low"] < told["estimate"]) & (told["estimate"] < told["ci_high"])).all()
    renamed = [(f"Q{99 - int(row[0][1:]):02}", *row[1:]) for row in rows]
    pd.testing.assert_frame_equal(told, changes(renamed, test=test), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    "pairs", [[], [(1.0, 2.0)], [(1.0, None), (None, 2.0)], [(1.0, 1.0)] * 4, [(np.nan, 1.0), (2.0, np.nan)]]
)
def test_no_test_makes_a_number_of_nothing(test, pairs):
    planned = changes(pairs_of("A", pairs), primary=["A"], test=test)
    row = planned.iloc[0]
    assert row["note"]
    assert row[["p_value", "q_value", "ci_low", "ci_high", "effect_size", "hedges_g"]].isna().all()


def test_a_test_nobody_wrote_is_told():
    deltas = paired_deltas(table(random_study()), contrast=CONTRAST)
    with pytest.raises(StatisticsError, match="no paired test 'z_test'; there are signed_rank, "):
        run_test("z_test", pair_matrix(deltas))


def test_exploratory_features_may_have_a_test_of_their_own():
    told = changes(random_study(), primary=["NLR"], exploratory_test="paired_t")
    assert told.loc[("blood", "NLR"), "test"] == "exact signed-rank"
    others = told.drop(index=[("blood", "NLR")])
    assert others["test"].str.contains("t").all()
    assert others["p_floor"].isna().all()
    alone = changes(random_study(), test="paired_t")
    pd.testing.assert_series_equal(others["p_value"], alone["p_value"].reindex(others.index))


def test_patients_with_one_sample_are_used_by_the_mixed_model_only():
    rows = pairs_of("A", [(1.0, 2.1), (2.0, 2.7), (3.0, 4.4), (2.5, 2.9), (1.4, 2.6), (9.0, None), (None, -4.0)])
    features = table(rows)
    deltas, alone = (make(features, contrast=CONTRAST) for make in (paired_deltas, single_values))
    for test in TESTS:
        with_singles = change_table(deltas, singles=alone, test=test).iloc[0]
        without = change_table(deltas, test=test).iloc[0]
        assert with_singles["n_pairs"] == without["n_pairs"] == 5
        assert (with_singles["estimate"] != without["estimate"]) == (test == "mixed_model")


# ---- many tests -------------------------------------------------------------------------------------------------------


def moved(n, sign=1.0):
    """n patients who all moved the same way: p is the floor."""
    return [(0.0, sign * (patient + 1.0)) for patient in range(n)]


def torn(n):
    """n patients of whom half moved either way: p is about 1."""
    return [(0.0, (patient + 1.0) * (-1.0) ** patient) for patient in range(n)]


def test_the_primary_features_are_tested_in_the_order_of_the_plan_until_one_fails():
    rows = [*pairs_of("A", moved(10)), *pairs_of("B", torn(10)), *pairs_of("C", moved(10))]
    told = changes(rows, primary=["C", "A", "B"])
    assert told["sequence"].tolist() == [1, 2, 3]
    assert told.index.get_level_values("feature").tolist() == ["C", "A", "B"]
    assert told["q_value"].tolist() == told["p_value"].tolist()
    assert told["passes"].tolist() == [True, True, False]
    stopped = changes(rows, primary=["B", "A", "C"])
    assert stopped["passes"].tolist() == [False, False, False]
    assert (stopped["q_value"] == stopped["p_value"].iloc[0]).all()
    assert (stopped["correction"] == "fixed sequence").all()


def test_a_primary_feature_that_did_not_move_at_all_stops_the_sequence_and_one_nobody_measured_does_not():
    rows = [*pairs_of("still", [(1.0, 1.0)] * 10), *pairs_of("C", moved(10))]
    assert not changes(rows, primary=["still", "C"]).loc[("tumour", "C"), "passes"]
    assert changes(rows, primary=["absent", "C"]).loc[("tumour", "C"), "passes"]


def test_secondary_families_are_corrected_by_holm_or_as_the_plan_says():
    rows = [row for name in "ABCD" for row in pairs_of(name, moved(10))]
    holm = changes(rows, secondary=["*"])
    np.testing.assert_allclose(holm["q_value"], 4 * 2 / 2**10)
    assert (holm["correction"] == "Holm").all()
    bh = changes(rows, secondary=["*"], secondary_correction="benjamini_hochberg")
    np.testing.assert_allclose(bh["q_value"], 2 / 2**10)
    named = changes(rows, families={"one": ["A"], "two": ["B", "C", "D"]})
    assert named["family"].tolist() == ["secondary one", *["secondary two"] * 3]
    np.testing.assert_allclose(named["q_value"], [2 / 2**10, *[3 * 2 / 2**10] * 3])


def test_a_plan_that_is_not_the_registered_one_makes_everything_exploratory():
    told = changes(random_study(), primary=["NLR", "absent"], secondary=["A"], registered=False)
    assert (told["tier"] == "exploratory").all()
    assert told["sequence"].isna().all()
    named = ["NLR", "A", "absent"]
    stamped = told["note"].str.contains("the plan is not the one that was registered")
    assert sorted(told[stamped].index.get_level_values("feature")) == sorted(named)


def test_sizes_are_told_beside_the_test():
    change = np.array([0.1, 0.3, -0.2, 0.6, 0.5, 0.4])
    row = changes(pairs_of("A", [(1.0, 1.0 + value) for value in change])).iloc[0]
    assert (row["median"], row["minimum"], row["maximum"]) == pytest.approx((0.35, -0.2, 0.6))
    assert row["effect_low"] < row["effect_size"] < row["effect_high"]
    assert math.isnan(row["hedges_g"]) or row["hedges_g_low"] < row["hedges_g"] < row["hedges_g_high"]
