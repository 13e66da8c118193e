import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.pairs import paired_deltas, pairing, single_values
from rabiomarkers.change.sensitivity import TEST_WORDS, sensitivity, sensitivity_step, sensitivity_table
from rabiomarkers.change.table import change_table
from rabiomarkers.change.tests import TESTS
from rabiomarkers.errors import ResultsError, StatisticsError
from rabiomarkers.files import read_table, write_json, write_table
from rabiomarkers.results import Results
from rabiomarkers.stats.paired import COLUMNS, signed_rank
from rabiomarkers.tables.changes import POWER, SENSITIVITY, SHADOW_NULL
from rabiomarkers.tables.samples import FEATURES
from tests.support.paired import CONTRAST, pairs_of, random_study, table

TESTED = ["n_pairs", "estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "test"]
STEADY = [(0.0, 1.0 + k / 10) for k in range(10)]


def change_of(features, *, test="signed_rank", exploratory_test=None, **plan):
    deltas, singles = paired_deltas(features, contrast=CONTRAST), single_values(features, contrast=CONTRAST)
    measured = pairing(features, contrast=CONTRAST)
    return change_table(deltas, measured, singles=singles, test=test, exploratory_test=exploratory_test, **plan)


def told(rows, *, flagged=None, test="signed_rank", exploratory_test=None, **plan):
    features = table(rows)
    changes = change_of(features, test=test, exploratory_test=exploratory_test, **plan)
    options = {"test": test, "exploratory_test": exploratory_test}
    put_back = None if flagged is None else table(flagged)
    return sensitivity_table(features, changes, contrast=CONTRAST, flagged=put_back, **options)


def of_kind(rows, kind):
    return rows[rows["kind"] == kind].set_index("analysis")


# ---- what the rows are -----------------------------------------------------------------------------------------------


def test_a_primary_result_is_told_as_planned_without_each_patient_and_by_every_other_test():
    rows = told(pairs_of("Z", STEADY) + random_study(1), primary=["Z", "NLR"])
    assert rows["feature"].drop_duplicates().tolist() == ["Z", "NLR"]
    for _, of_feature in rows.groupby("feature"):
        assert of_feature["kind"].drop_duplicates().tolist() == ["as planned", "leave one out", "other test"]
        assert of_kind(of_feature, "leave one out").index.tolist() == [f"without P{k:02}" for k in range(10)]
        others = [TEST_WORDS[name] for name in TESTS if name != "signed_rank"]
        assert of_kind(of_feature, "other test").index.tolist() == others


@pytest.mark.parametrize(
    ("test", "exploratory_test"),
    [*((test, None) for test in TESTS), ("moderated_t", "signed_rank"), ("signed_rank", "moderated_t")],
)
def test_the_planned_row_is_the_result_itself(test, exploratory_test):
    rows = [row for feature in "ABCDEFGHIJKL" for row in pairs_of(feature, drawn(ord(feature)))]
    rows += [("P99", "pre", "tumour", "A", 1.0, "rank score")]  # one sample only
    options = {"test": test, "exploratory_test": exploratory_test, "primary": ["A"], "secondary": ["B*"]}
    changes = change_of(table(rows), **options)
    planned = of_kind(told(rows, **options), "as planned").iloc[0]
    expected = changes[changes["feature"] == "A"].iloc[0]
    assert planned[TESTED].equals(expected[TESTED])
    assert planned["agrees"]


def drawn(seed, patients=8):
    return np.random.default_rng(seed).normal(size=(patients, 2)).round(6).tolist()


@pytest.mark.parametrize("test", TESTS)
def test_without_a_patient_is_the_analysis_of_the_others(test):
    rows = random_study(2, patients=7) + pairs_of("C", drawn(4, patients=7)) + pairs_of("D", drawn(5, patients=7))
    one_out = of_kind(told(rows, test=test, primary=["B"]), "leave one out")
    for patient in ("P00", "P04"):
        others = change_of(table([row for row in rows if row[0] != patient]), test=test, primary=["B"])
        expected = others[others["feature"] == "B"].iloc[0]
        numbers = TESTED[:-1]
        np.testing.assert_allclose(
            one_out.loc[f"without {patient}", numbers].astype(float), expected[numbers].astype(float), rtol=1e-12
        )


def test_another_test_is_that_test_of_all_pairs():
    rows = random_study(3)
    others = of_kind(told(rows, primary=["B"]), "other test")
    for name in ("sign_flip", "paired_t", "ancova", "moderated_t"):
        changes = change_of(table(rows), test=name, primary=["B"])
        expected = changes[changes["feature"] == "B"].iloc[0]
        assert others.loc[TEST_WORDS[name], TESTED].equals(expected[TESTED])


def test_only_patients_with_a_pair_are_left_out_but_a_mixed_model_uses_single_samples():
    rows = pairs_of("A", [*STEADY[:7], (1.0, None), (None, 2.0)])
    assert len(of_kind(told(rows, primary=["A"]), "leave one out")) == 7
    assert len(of_kind(told(rows, primary=["A"], test="mixed_model"), "leave one out")) == 9


# ---- agreement -------------------------------------------------------------------------------------------------------


def test_a_result_that_rests_on_one_patient_is_found_out():
    # seven small changes up, one large one down: the mean falls only for P07
    rows = pairs_of("A", [*[(0.0, 1.0 + k / 8) for k in range(7)], (0.0, -60.0)])
    one_out = of_kind(told(rows, primary=["A"], test="paired_t"), "leave one out")
    assert not one_out.loc["without P07", "agrees"]
    assert one_out.loc["without P07", "p_value"] < 0.05
    assert one_out.drop(index="without P07")["agrees"].all()


def test_agreement_is_direction_and_side_of_one_in_twenty():
    rows = told(random_study(4) + pairs_of("A2", STEADY), primary=["A", "A2", "B", "NLR", "IL6"])
    for _, of_feature in rows.groupby("feature"):
        planned = of_feature.iloc[0]
        for _, row in of_feature.iterrows():
            same = np.sign(row["estimate"]) == np.sign(planned["estimate"])
            assert row["agrees"] == (same and (row["p_value"] <= 0.05) == (planned["p_value"] <= 0.05))
    steady = rows[rows["feature"] == "A2"]
    assert steady.loc[steady["kind"] != "other test", "agrees"].all()


def test_six_pairs_leave_five_and_the_note_says_what_five_cannot():
    one_out = of_kind(told(pairs_of("A", STEADY[:6]), primary=["A"]), "leave one out")
    assert not one_out["agrees"].any()
    assert (one_out["note"] == "cannot reach 0.05: with 5 pairs no p is below 0.0625").all()


# ---- samples that failed quality control -----------------------------------------------------------------------------


def test_flagged_samples_bring_their_pairs_back():
    rows = pairs_of("A", [*STEADY[:8], (0.0, None), (None, 3.0)]) + pairs_of("B", STEADY)
    flagged = [("P08", "post", "tumour", "A", 5.0, "rank score"), ("P09", "post", "tumour", "A", 9.0, "rank score")]
    row = of_kind(told(rows, flagged=flagged, primary=["A", "B"]), "flagged samples")
    assert row["feature"].tolist() == ["A"]  # no flagged sample measured B; P09's good sample stands
    assert row["n_pairs"].tolist() == [9]
    assert row["note"].tolist() == ["1 pair comes back"]
    assert row["p_value"].tolist() == [signed_rank([*(after for _, after in STEADY[:8]), 5.0]).p_value]
    assert row["agrees"].tolist() == [True]


def test_flagged_samples_may_overturn_a_result_or_bring_no_pair():
    rows = pairs_of("A", STEADY[:6])
    opposite = [
        (f"P{k}", timepoint, "tumour", "A", value, "rank score")
        for k in range(20, 26)
        for timepoint, value in (("pre", 50.0 + k), ("post", 0.0))
    ]
    row = of_kind(told(rows, flagged=opposite, primary=["A"]), "flagged samples").iloc[0]
    assert not row["agrees"]
    assert row["note"] == "6 pairs come back"
    single = of_kind(told(rows, flagged=opposite[:1], primary=["A"]), "flagged samples").iloc[0]
    assert (single["note"], single["n_pairs"], single["agrees"]) == ("no pair comes back", 6, True)


@pytest.mark.parametrize(
    "flagged",
    [
        None,
        [],
        [("P20", "pre", "tumour", "A", 5.0, "counts")],  # another unit
        [("P20", "pre", "blood", "A", 5.0, "rank score")],  # another compartment
        [("P20", "later", "tumour", "A", 5.0, "rank score")],  # another timepoint
        [("P00", "pre", "tumour", "A", 5.0, "rank score")],  # a good sample has it
    ],
)
def test_where_no_flagged_sample_matters_there_is_no_row(flagged):
    assert of_kind(told(pairs_of("A", STEADY), flagged=flagged, primary=["A"]), "flagged samples").empty


# ---- what must not matter, and what cannot be told -------------------------------------------------------------------


def test_the_order_of_rows_plays_no_part():
    rows = random_study(5)
    flagged = [("P90", timepoint, "tumour", "A", 2.0, "rank score") for timepoint in CONTRAST]
    first = told(rows, flagged=flagged, primary=["A", "IL6"])
    pd.testing.assert_frame_equal(told(rows[::-1], flagged=flagged[::-1], primary=["A", "IL6"]), first)


@settings(max_examples=6)
@given(st.lists(st.integers(-4, 4), min_size=3, max_size=7), st.sampled_from(["signed_rank", "sign_flip", "paired_t"]))
def test_turning_all_patients_round_turns_every_analysis_round(changes, test):
    up = told(pairs_of("A", [(0.0, float(change)) for change in changes]), test=test, primary=["A"])
    down = told(pairs_of("A", [(float(change), 0.0) for change in changes]), test=test, primary=["A"])
    both = ~up["analysis"].str.startswith("ANCOVA")  # which asks about baselines too
    np.testing.assert_allclose(up.loc[both, "estimate"], -down.loc[both, "estimate"], atol=1e-9)
    np.testing.assert_allclose(up.loc[both, "p_value"], down.loc[both, "p_value"], atol=1e-9)
    assert up.loc[both, "agrees"].equals(down.loc[both, "agrees"])


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    "pairs",
    [
        [(1.0, 2.0)],
        [(1.0, None), (None, 2.0)],
        [(1.0, 1.0)] * 4,
        [(0.3, 0.6)] * 4,
        [(1.0, 2.0), (1.0, 3.0)],
        [(1.0, None)],
    ],
)
def test_degenerate_pairs_have_rows_with_reasons_and_no_accidents(test, pairs):
    rows = told(pairs_of("A", pairs), test=test, primary=["A"])
    assert rows["kind"].iloc[0] == "as planned"
    without = rows["p_value"].isna()
    assert rows.loc[without, "agrees"].isna().all()
    assert (rows.loc[without, "note"] != "").all()


def test_a_planned_feature_nobody_measured_has_one_row():
    row = told(random_study(6), primary=["nowhere"]).iloc[0]
    assert (row["kind"], row["n_pairs"], row["test"]) == ("as planned", 0, "not tested")
    assert row["note"] == "named in the plan, no sample gave it"
    assert row["agrees"] is pd.NA


def test_without_a_primary_feature_the_table_is_empty():
    rows = told(random_study(6), secondary=["A"])
    assert rows.empty
    assert rows.dtypes.equals(SENSITIVITY.empty().dtypes)


# ---- the step, and on demand -----------------------------------------------------------------------------------------


SETTINGS = {
    "contrast": CONTRAST,
    "seed": 1,
    "change": {"test": "signed_rank", "exploratory_test": "paired_t", "level": 0.9, "flips": 20, "power": 0.8},
}


@pytest.fixture
def folder(tmp_path):
    """A results folder as far as sensitivity needs one."""
    features = table(random_study(7) + pairs_of("NLR", drawn(1), compartment="tumour"))
    flagged = table([("P90", timepoint, "tumour", "A", 2.0, "rank score") for timepoint in CONTRAST])
    change = SETTINGS["change"]
    plan = {"primary": ["A", "blood:NLR"], "secondary": ["B"]}
    changes = change_of(features, test=change["test"], exploratory_test=change["exploratory_test"], level=0.9, **plan)
    for name, frame in {"features": features, "flagged": flagged, "changes": changes}.items():
        write_table(frame, tmp_path / f"{name}.parquet")
    write_json({"settings": SETTINGS}, tmp_path / "run.json")
    return tmp_path


def test_the_step_writes_three_tables_and_the_same_bytes_again(folder, tmp_path):
    inputs = {name: folder / f"{name}.parquet" for name in ("features", "flagged", "changes")}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        info = sensitivity_step(inputs, tmp_path / name, contrast=CONTRAST, seed=1, **SETTINGS["change"])
    promised = {"sensitivity": SENSITIVITY, "shadow_null": SHADOW_NULL, "power": POWER}
    for name, promise in promised.items():
        file = f"{name}.parquet"
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
        assert len(promise.check(read_table(tmp_path / "one" / file)))
    rows = read_table(tmp_path / "one" / "sensitivity.parquet")
    assert info == {"analyses": len(rows), "disagree": int((~rows["agrees"].dropna()).sum())}
    assert read_table(tmp_path / "one" / "shadow_null.parquet")["n_flips"].max() == 20


def test_a_scientist_gets_the_rows_of_the_plan_and_the_plans_tier(folder):
    results = Results(folder)
    rows = sensitivity(results, "A")
    planned = rows[rows["kind"] == "as planned"].iloc[0]
    expected = results.changes[results.changes["feature"] == "A"].iloc[0]
    assert planned[TESTED].equals(expected[TESTED])
    assert (rows["tier"] == "primary").all()
    assert of_kind(rows, "flagged samples")["note"].tolist() == ["1 pair comes back"]
    exploratory = sensitivity(results, "IL6")
    assert (exploratory["tier"] == "exploratory").all()
    assert exploratory["test"].iloc[0] == "paired t"
    assert (sensitivity(results, "B")["tier"] == "secondary").all()


def test_what_the_plan_did_not_ask_is_stamped_exploratory(folder):
    results = Results(folder)
    rows = sensitivity(results, "A", test="sign_flip")
    assert rows["test"].iloc[0] == "exact sign-flip"
    assert (rows["tier"] == "exploratory").all()
    assert (sensitivity(results, "A", test="signed_rank")["tier"] == "primary").all()


def test_results_without_flagged_samples_have_no_row_of_them(folder):
    (folder / "flagged.parquet").unlink()
    assert of_kind(sensitivity(Results(folder), "A"), "flagged samples").empty


def test_a_feature_that_is_not_there_or_not_one_is_told(folder):
    results = Results(folder)
    with pytest.raises(ResultsError, match=r"no feature 'IL66'\. Did you mean IL6\?"):
        sensitivity(results, "IL66")
    with pytest.raises(ResultsError, match=r"no feature 'zzzzzz'\. results\.changes lists all"):
        sensitivity(results, "zzzzzz")
    with pytest.raises(ResultsError, match=r"Several compartments have 'NLR': blood, tumour"):
        sensitivity(results, "NLR")
    with pytest.raises(ResultsError, match=r"'A' was not measured in 'faecal', but in tumour"):
        sensitivity(results, "A", compartment="faecal")
    with pytest.raises(StatisticsError, match="no paired test 'wilcoxon'"):
        sensitivity(results, "A", test="wilcoxon")
    assert set(sensitivity(results, "NLR", compartment="blood")["compartment"]) == {"blood"}


def test_every_test_has_words_and_the_columns_are_those_of_the_tests():
    assert TEST_WORDS.keys() == TESTS.keys()
    assert set(TESTED) - {"n_pairs"} <= set(COLUMNS)
    assert set(FEATURES.key) == {"patient_id", "timepoint", "compartment", "feature"}
