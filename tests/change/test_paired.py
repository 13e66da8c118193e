import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.paired import change_step, change_table, paired_deltas, pairing
from rabiomarkers.errors import TableError
from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.stats.paired import sign_flip, signed_rank
from rabiomarkers.tables.changes import CHANGES, DELTAS
from rabiomarkers.tables.samples import FEATURES

CONTRAST = ["pre", "post"]


def table(rows):
    """FEATURES from (patient, timepoint, compartment, feature, value, unit)."""
    records = [
        {
            "sample_id": f"{patient}-{timepoint}-{compartment}",
            "patient_id": patient,
            "timepoint": timepoint,
            "compartment": compartment,
            "assay": "assay",
            "feature": feature,
            "value": value,
            "unit": unit,
            "method": "method",
            "coverage": 1.0,
            "cohort_dependent": False,
            "note": "",
        }
        for patient, timepoint, compartment, feature, value, unit in rows
    ]
    return FEATURES.check(pd.DataFrame(records)) if records else FEATURES.empty()


def pairs_of(feature, pairs, unit="rank score", compartment="tumour"):
    """Rows of one feature from (before, after) by patient; None where there is no sample."""
    return [
        (f"P{number:02}", timepoint, compartment, feature, value, unit)
        for number, pair in enumerate(pairs)
        for timepoint, value in zip(CONTRAST, pair, strict=True)
        if value is not None
    ]


def changes(rows, **options):
    features = table(rows)
    deltas = paired_deltas(features, contrast=CONTRAST)
    return change_table(deltas, pairing(features, contrast=CONTRAST), **options).set_index(["compartment", "feature"])


def random_study(seed=0, patients=10):
    random = np.random.default_rng(seed)
    rows = []
    for compartment, feature, unit in [
        ("tumour", "A", "rank score"),
        ("tumour", "B", "rank score"),
        ("blood", "NLR", "ratio"),
        ("blood", "IL6", "pg/mL"),
    ]:
        pairs = np.exp(random.normal(size=(patients, 2))).round(6).tolist()
        rows += pairs_of(feature, pairs, unit, compartment)
    return rows


# ---- pairs -----------------------------------------------------------------------------------------------------------


def test_a_patients_change_is_after_minus_before():
    deltas = paired_deltas(table(pairs_of("A", [(0.2, 0.5), (0.9, 0.4)])), contrast=CONTRAST)
    assert deltas["patient_id"].tolist() == ["P00", "P01"]
    assert deltas["change"].tolist() == [0.3, -0.5]
    assert deltas["unit"].unique().tolist() == ["rank score"]
    DELTAS.check(deltas)


def test_ratios_change_on_log2():
    deltas = paired_deltas(table(pairs_of("NLR", [(2.0, 8.0), (4.0, 1.0)], "ratio", "blood")), contrast=CONTRAST)
    assert deltas["change"].tolist() == [2.0, -2.0]
    assert deltas[["before", "after"]].to_numpy().tolist() == [[1.0, 3.0], [2.0, 0.0]]
    assert deltas["unit"].unique().tolist() == ["log2 ratio"]


def test_a_change_carries_no_float_noise():
    deltas = paired_deltas(table(pairs_of("A", [(28.0, 19.6), (8.4, 0.0)])), contrast=CONTRAST)
    assert 19.6 - 28.0 != -8.4
    assert deltas["change"].tolist() == [-8.4, -8.4]


def test_pairs_are_found_by_patient_and_not_by_row():
    rows = random_study()
    ordered = paired_deltas(table(rows), contrast=CONTRAST)
    turned = paired_deltas(table(rows[::-1]), contrast=CONTRAST)
    pd.testing.assert_frame_equal(ordered, turned)


def test_other_timepoints_play_no_part():
    rows = pairs_of("A", [(0.2, 0.5)])
    later = [("P00", "month6", "tumour", "A", 9.0, "rank score"), ("P09", "month6", "tumour", "A", 9.0, "rank score")]
    with_later = table([*rows, *later])
    assert paired_deltas(with_later, contrast=CONTRAST)["change"].tolist() == [0.3]
    assert pairing(with_later, contrast=CONTRAST)["note"].tolist() == [""]


def test_patients_without_a_pair_are_counted_with_the_reason():
    pairs = [
        (1.0, 2.0),
        (1.0, None),
        (None, 2.0),
        (3.0, None),
        (np.nan, 1.0),
        (1.0, np.nan),
        (np.nan, np.nan),
        (0.0, 4.0),
    ]
    told = pairing(table(pairs_of("NLR", pairs, "ratio", "blood")), contrast=CONTRAST).iloc[0]
    assert (told["n_pairs"], told["unit"]) == (1, "log2 ratio")
    assert set(told["note"].split("; ")) == {
        "2 patients without a post sample",
        "1 patient without a pre sample",
        "1 patient without a value at pre",
        "1 patient without a value at post",
        "1 patient without a value at both timepoints",
        "1 patient with a value of zero or below, which has no logarithm",
    }


def test_values_in_another_unit_are_not_set_against_each_other():
    rows = [
        *pairs_of("IL6", [(1.0, 2.0), (1.0, 4.0)], "pg/mL", "blood"),
        ("P07", "pre", "blood", "IL6", 3.0, "NPX"),
        ("P07", "post", "blood", "IL6", 4.0, "pg/mL"),
    ]
    features = table(rows)
    assert paired_deltas(features, contrast=CONTRAST)["change"].tolist() == [1.0, 2.0]
    assert pairing(features, contrast=CONTRAST)["note"].tolist() == ["1 patient measured in another unit"]


@pytest.mark.parametrize("contrast", [[], ["pre"], ["pre", "pre"], ["pre", "mid", "post"]])
def test_a_contrast_is_two_timepoints(contrast):
    with pytest.raises(TableError, match="two timepoints, before and after"):
        paired_deltas(table(random_study()), contrast=contrast)


# ---- the table -------------------------------------------------------------------------------------------------------


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
    assert set(written[0]) == {"changes.parquet", "deltas.parquet", "retinoic_acid.json"}
    CHANGES.check(read_table(tmp_path / "as_is" / "changes.parquet"))
    DELTAS.check(read_table(tmp_path / "as_is" / "deltas.parquet"))
    assert read_json(tmp_path / "as_is" / "retinoic_acid.json")["call"] == "not estimable"


def test_a_study_without_features_runs_to_empty_tables(tmp_path):
    write_table(FEATURES.empty(), tmp_path / "features.parquet")
    info = change_step({"features": tmp_path / "features.parquet"}, tmp_path, contrast=CONTRAST, primary=["A"])
    assert info["not_measured"] == ["A"]
    assert read_table(tmp_path / "deltas.parquet").empty
