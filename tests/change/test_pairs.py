import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.pairs import pair_matrix, paired_deltas, pairing, scaled_values, single_values
from rabiomarkers.errors import TableError
from rabiomarkers.tables.changes import DELTAS
from tests.support.paired import CONTRAST, pairs_of, random_study, table


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


def test_patients_with_one_usable_sample_are_kept_apart():
    pairs = [(1.0, 2.0), (4.0, None), (None, 2.0), (np.nan, 8.0), (0.0, None)]
    alone = single_values(table(pairs_of("NLR", pairs, "ratio", "blood")), contrast=CONTRAST)
    assert alone["patient_id"].tolist() == ["P01", "P02", "P03"]
    assert alone["before"].fillna(-1).tolist() == [2.0, -1.0, -1.0]  # log2 of 4
    assert alone["after"].fillna(-1).tolist() == [-1.0, 1.0, 3.0]
    assert alone["change"].isna().all()


def test_every_value_is_brought_to_the_scale_it_is_compared_on():
    rows = [*pairs_of("NLR", [(2.0, 0.0)], "ratio", "blood"), ("P00", "mid", "blood", "NLR", 8.0, "ratio")]
    told = scaled_values(table(rows)).set_index("timepoint")
    assert told.loc[["pre", "mid"], "value"].tolist() == [1.0, 3.0]
    assert told.loc["post", "reason"] == "with a value of zero or below, which has no logarithm"
    assert set(told["unit"]) == {"log2 ratio"}


def test_the_matrix_holds_each_pair_at_its_place():
    rows = [*pairs_of("B", [(1.0, 4.0), (2.0, None)]), *pairs_of("A", [(None, 5.0), (1.0, 3.0)])]
    features = table(rows)
    matrix = pair_matrix(paired_deltas(features, contrast=CONTRAST), single_values(features, contrast=CONTRAST))
    assert matrix.features["feature"].tolist() == ["A", "B"]
    assert matrix.patients == ("P00", "P01")
    np.testing.assert_array_equal(matrix.change, [[np.nan, 2.0], [3.0, np.nan]])
    np.testing.assert_array_equal(matrix.before, [[np.nan, 1.0], [1.0, 2.0]])
    np.testing.assert_array_equal(matrix.after, [[5.0, 3.0], [4.0, np.nan]])
