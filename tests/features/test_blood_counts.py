import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.blood_counts import blood_count_features, blood_count_quality, blood_count_step
from rabiomarkers.files import read_table, write_table


def blood(**values: float) -> pd.DataFrame:
    units = ["g/L" if analyte == "haemoglobin" else "1e9/L" for analyte in values]
    return pd.DataFrame({"analyte": list(values), "value": list(values.values()), "unit": units}).astype(
        {"value": float}
    )


def by_feature(counts: pd.DataFrame) -> pd.DataFrame:
    return blood_count_features(counts).set_index("feature")


def test_ratios_by_hand():
    features = by_feature(blood(neutrophils=6, lymphocytes=2, monocytes=0.5, platelets=250, haemoglobin=120))
    values = features.loc[["NLR", "PLR", "LMR", "SII"], "value"].tolist()
    assert values == [3.0, 125.0, 4.0, 750.0]  # 6/2, 250/2, 2/0.5, 250*6/2
    assert features.loc[["NLR", "SII", "haemoglobin"], "unit"].tolist() == ["ratio", "1e9/L", "g/L"]
    assert features.loc["haemoglobin", "value"] == 120


def test_a_zero_denominator_gives_no_ratio_and_says_why():
    features = by_feature(blood(neutrophils=6, lymphocytes=0, monocytes=0.5, platelets=250))
    assert np.isnan(features.loc["NLR", "value"])
    assert features.loc["NLR", "note"] == "lymphocytes are 0, and nothing can be divided by 0"
    assert features.loc["LMR", "value"] == 0.0


def test_an_analyte_that_was_not_measured_is_named():
    features = by_feature(blood(neutrophils=6, lymphocytes=2))
    assert features.loc["NLR", "value"] == 3.0
    assert features.loc["SII", "note"] == "not measured: platelets"
    assert features.loc["SII", "coverage"] == pytest.approx(2 / 3)


def test_an_analyte_without_a_value_counts_as_not_measured():
    features = by_feature(blood(neutrophils=np.nan, lymphocytes=2))
    assert features.loc["NLR", "note"] == "not measured: neutrophils"
    assert features.loc["neutrophils", "note"] == "the analyte has no value"


def test_a_blood_count_without_a_row_has_empty_ratios():
    features = blood_count_features(blood())
    assert features["feature"].tolist() == ["LMR", "NLR", "PLR", "SII", "dNLR"]
    assert features["value"].isna().all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.01, 1000))
def test_a_change_of_unit_leaves_the_ratio_as_it_is(neutrophils, lymphocytes, factor):
    one = by_feature(blood(neutrophils=neutrophils, lymphocytes=lymphocytes)).loc["NLR", "value"]
    other = by_feature(blood(neutrophils=neutrophils * factor, lymphocytes=lymphocytes * factor)).loc["NLR", "value"]
    assert other == pytest.approx(one)


def test_the_order_of_the_rows_plays_no_part():
    counts = blood(neutrophils=6, lymphocytes=2, monocytes=0.5, platelets=250)
    pd.testing.assert_frame_equal(blood_count_features(counts), blood_count_features(counts[::-1]))


def test_a_value_in_the_wrong_unit_fails_quality():
    quality = blood_count_quality(blood(neutrophils=4500, haemoglobin=12)).set_index("measure")  # per uL, g/dL
    assert not quality["passed"].any()
    assert quality.loc["neutrophils", "limit"] == "0 to 200"


def test_a_low_but_possible_value_passes_quality():
    assert blood_count_quality(blood(neutrophils=0.0, lymphocytes=0.1, haemoglobin=60))["passed"].all()


def test_the_step_reads_a_piece_and_writes_both_tables(tmp_path):
    write_table(blood(neutrophils=6, lymphocytes=2), tmp_path / "S1.parquet")
    assert blood_count_step({"sample": tmp_path / "S1.parquet"}, tmp_path) == {"analytes": 2}
    assert len(read_table(tmp_path / "features.parquet")) == 7
    assert len(read_table(tmp_path / "qc.parquet")) == 2


def test_the_derived_ratio_by_hand():
    features = by_feature(blood(leukocytes=8, neutrophils=6))
    assert features.loc["dNLR", ["value", "unit", "note"]].tolist() == [3.0, "ratio", ""]  # 6 / (8 - 6)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"leukocytes": 6, "neutrophils": 6}, "there are no other leukocytes than neutrophils"),
        ({"leukocytes": 5, "neutrophils": 6}, "there are no other leukocytes than neutrophils"),
        ({"neutrophils": 6}, "not measured: leukocytes"),
        ({}, "not measured: neutrophils, leukocytes"),
    ],
)
def test_a_derived_ratio_that_cannot_be_says_why(counts, told):
    row = by_feature(blood(**counts)).loc["dNLR"]
    assert np.isnan(row["value"])
    assert row["note"] == told


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_derived_ratio_is_the_ratio_where_there_are_no_other_cells(neutrophils, lymphocytes):
    features = by_feature(blood(leukocytes=neutrophils + lymphocytes, neutrophils=neutrophils, lymphocytes=lymphocytes))
    assert features.loc["dNLR", "value"] == pytest.approx(features.loc["NLR", "value"])


def test_how_a_value_came_about_is_its_method():
    counts = blood(neutrophils=6, leukocytes=8).assign(method=["share x leukocytes", "measured"])
    assert by_feature(counts).loc[["neutrophils", "leukocytes"], "method"].tolist() == [
        "share x leukocytes",
        "measured",
    ]


@pytest.mark.parametrize(
    ("analyte", "value", "told"),
    [
        ("neutrophils", 4500.0, "1e9/L (probably in cells/ul)"),
        ("platelets", 250_000.0, "1e9/L (probably in cells/ul)"),
        ("platelets", 0.25, "1e9/L (probably in 1e12/L)"),
        ("leukocytes", 6.5e9, "1e9/L (probably in cells/L)"),
        ("haemoglobin", 12.0, "g/L (probably in g/dL or mmol/L)"),
        ("haemoglobin", 1200.0, "g/L (probably in g/L, where the file says g/dL)"),
        ("haemoglobin", 0.0, "g/L"),
    ],
)
def test_a_slip_of_the_unit_is_named(analyte, value, told):
    quality = blood_count_quality(blood(**{analyte: value})).set_index("measure")
    assert quality.loc[analyte, ["unit", "passed"]].tolist() == [told, False]


def parts(**counts: float) -> pd.Series:
    return blood_count_quality(blood(**counts)).set_index("measure").loc["parts_of_leukocytes"]


def test_parts_larger_than_the_whole_fail_quality():
    told = parts(leukocytes=5, neutrophils=4, lymphocytes=2)
    assert told[["value", "passed"]].tolist() == [1.2, False]
    assert parts(leukocytes=5, neutrophils=4, lymphocytes=1.5)["passed"]  # a tenth more
    assert parts(leukocytes=0.5, neutrophils=0.4, lymphocytes=0.3)["passed"]  # 0.2 more: rounded to tenths


def test_parts_in_another_unit_than_the_whole_fail_quality():
    assert not parts(leukocytes=6.5, neutrophils=0.004, lymphocytes=0.0015)["passed"]
    assert parts(leukocytes=6.5, monocytes=0.004)["passed"]  # one part may be small


def test_without_the_whole_nothing_is_said_of_its_parts():
    quality = blood_count_quality(blood(neutrophils=4, lymphocytes=2))
    assert "parts_of_leukocytes" not in set(quality["measure"])
