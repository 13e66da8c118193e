import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.proteins import protein_features, protein_quality, protein_step
from rabiomarkers.files import read_table, write_table


def proteins(values: dict[str, float], flags: dict[str, str] | None = None, **more: object) -> pd.DataFrame:
    flags = flags or {}
    return pd.DataFrame(
        {
            "analyte": list(values),
            "value": np.array(list(values.values()), dtype=float),
            "unit": "pg/mL",
            "flag": [flags.get(name, "") for name in values],
        }
    ).assign(**more)


def only(table: pd.DataFrame) -> list[object]:
    return table.loc[0, ["value", "note"]].tolist()


def test_analytes_pass_through_in_their_unit():
    features = protein_features(proteins({"sPD-L1": 88.5, "IL6": 1.5}))
    assert features["feature"].tolist() == ["IL6", "sPD-L1"]
    assert features["value"].tolist() == [1.5, 88.5]
    assert features["unit"].unique().tolist() == ["pg/mL"]


@pytest.mark.parametrize(
    ("flag", "option", "reason"),
    [
        ("qc_warning", "qc_warning", "the laboratory's quality control warns of the sample here"),
        ("assay_warning", "qc_warning", "the laboratory's quality control warns of the assay here"),
        ("above_uloq", "beyond_quantification", "above the upper limit of quantification"),
        ("below_lloq", "beyond_quantification", "below the lower limit of quantification"),
        ("below_lod", "below_detection", "below the limit of detection"),
    ],
)
def test_each_policy_leaves_values_out_or_keeps_them_with_their_flag(flag, option, reason):
    table = proteins({"IL6": 3000.0}, {"IL6": flag})
    value, note = only(protein_features(table, **{option: "drop"}))
    assert np.isnan(value)
    assert note == reason
    assert only(protein_features(table, **{option: "keep"})) == [3000.0, flag]


def test_what_is_left_out_unless_one_says_otherwise():
    flags = {"a": "qc_warning", "b": "above_uloq", "c": "below_lod", "d": "haemolysed", "e": "qc_fail"}
    told = protein_features(proteins(dict.fromkeys("abcdef", 1.0), flags)).set_index("feature")
    assert told.index[told["value"].notna()].tolist() == ["c", "d", "f"]
    assert told.loc["d", "note"] == "haemolysed"


def test_what_the_laboratory_failed_is_never_used():
    keep = {"qc_warning": "keep", "beyond_quantification": "keep", "below_detection": "keep"}
    value, note = only(protein_features(proteins({"IL6": 3.0}, {"IL6": "qc_fail;below_lod"}), **keep))
    assert np.isnan(value)
    assert note == "the laboratory's quality control failed the sample here"


def test_one_flag_of_several_is_enough():
    value, note = only(protein_features(proteins({"IL6": 3.0}, {"IL6": "below_lod;qc_warning"})))
    assert np.isnan(value)
    assert note == "the laboratory's quality control warns of the sample here"


def test_a_missing_value_is_explained():
    assert protein_features(proteins({"IL6": np.nan}))["note"].tolist() == ["the laboratory gave no value"]


def test_a_value_of_which_only_a_limit_nobody_told_is_known_is_explained_although_it_is_kept():
    table = proteins({"IL6": np.nan}, {"IL6": "below_lloq"})
    features = protein_features(table, beyond_quantification="keep")
    assert features["note"].tolist() == ["below the lower limit of quantification"]


def test_concentrations_and_intensities_may_be_taken_as_logarithms():
    table = proteins({"a": 8.0, "b": 8.0, "c": -1.0, "d": 2.0, "e": 0.0})
    table["unit"] = ["pg/mL", "MFI", "NPX", "arbitrary", "pg/mL"]
    told = protein_features(table, scale="log2").set_index("feature")
    assert told["value"].tolist()[:4] == [3.0, 3.0, -1.0, 2.0]
    assert told["unit"].tolist() == ["log2 pg/mL", "log2 MFI", "NPX", "arbitrary", "log2 pg/mL"]
    assert np.isnan(told.loc["e", "value"])
    assert told.loc["e", "note"] == "zero or below, which has no logarithm"
    assert told["method"].tolist()[1:3] == ["log2 of what was measured", "measured"]


def test_a_reason_is_not_written_over_by_the_logarithm():
    table = proteins({"IL6": 0.0}, {"IL6": "qc_warning"})
    assert "warns of the sample" in protein_features(table, scale="log2").loc[0, "note"]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(0.001, 1e6), max_size=6))
def test_the_logarithm_only_changes_the_scale(values):
    given_values = protein_features(proteins(values))["value"].to_numpy(dtype=float)
    logarithms = protein_features(proteins(values), scale="log2")["value"].to_numpy(dtype=float)
    assert np.exp2(logarithms) == pytest.approx(given_values)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(0, 1e6), max_size=6))
def test_no_value_is_changed_or_lost(values):
    features = protein_features(proteins(values))
    assert dict(zip(features["feature"], features["value"], strict=True)) == values


def shares(table: pd.DataFrame) -> dict[str, float]:
    return protein_quality(table).set_index("measure")["value"].to_dict()


def test_quality_tells_what_shares_of_the_analytes_can_be_trusted():
    flags = {"a": "below_lod", "b": "qc_warning;above_uloq", "c": "qc_fail"}
    told = shares(proteins({"a": 1, "b": 2, "c": 3, "d": np.nan}, flags, lod=1.5))
    assert told == {
        "analytes_measured": 3.0,
        "analytes_used": 3.0,
        "flagged_share": 0.75,
        "below_detection_share": pytest.approx(1 / 3),  # of the three with a value
        "above_quantification_share": 0.25,
        "warned_share": 0.5,
    }


def test_without_a_limit_no_share_lies_below_it():
    assert np.isnan(shares(proteins({"a": 1.0}))["below_detection_share"])


def test_the_limit_of_quantification_stands_in_where_no_limit_of_detection_is_known():
    table = proteins({"a": 1.0, "b": 3.0}, {"a": "below_lloq"}, lloq=2.0)
    assert shares(table)["below_detection_share"] == 0.5
    assert shares(table.assign(lod=0.5))["below_detection_share"] == 0.0


def test_each_panel_tells_its_own_warnings():
    table = proteins({"a": 1.0, "b": 2.0, "c": 3.0}, {"a": "qc_warning", "c": "below_lod"}, panel=["x", "x", "y"])
    told = shares(table)
    assert told["warned_share x"] == 0.5
    assert told["warned_share y"] == 0.0


@pytest.mark.parametrize("values", [{}, {"IL6": np.nan}])
def test_a_sample_without_any_value_fails_quality(values):
    assert not protein_quality(proteins(values)).set_index("measure").loc["analytes_measured", "passed"]


def test_the_step_reads_a_piece_and_writes_both_tables(tmp_path):
    write_table(proteins({"IL6": 1.0, "TNF": 4.0}, {"TNF": "above_uloq"}), tmp_path / "S1.parquet")
    assert protein_step({"sample": tmp_path / "S1.parquet"}, tmp_path) == {"analytes": 2, "used": 1}
    assert read_table(tmp_path / "features.parquet")["value"].dropna().tolist() == [1.0]
    assert read_table(tmp_path / "qc.parquet").set_index("measure")["value"]["analytes_used"] == 1.0


def test_a_sample_whose_values_are_all_left_out_fails_quality(tmp_path):
    write_table(proteins({"TNF": 4.0}, {"TNF": "above_uloq"}), tmp_path / "S1.parquet")
    protein_step({"sample": tmp_path / "S1.parquet"}, tmp_path)
    quality = read_table(tmp_path / "qc.parquet").set_index("measure")["passed"]
    assert quality["analytes_measured"]
    assert not quality["analytes_used"]
