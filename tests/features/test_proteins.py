import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.proteins import protein_features, protein_quality, protein_step
from rabiomarkers.files import read_table, write_table


def proteins(values: dict[str, float], flags: dict[str, str] | None = None) -> pd.DataFrame:
    flags = flags or {}
    return pd.DataFrame(
        {
            "analyte": list(values),
            "value": np.array(list(values.values()), dtype=float),
            "unit": "pg/mL",
            "flag": [flags.get(name, "") for name in values],
        }
    )


def test_analytes_pass_through_in_their_unit():
    features = protein_features(proteins({"sPD-L1": 88.5, "IL6": 1.5}))
    assert features["feature"].tolist() == ["IL6", "sPD-L1"]
    assert features["value"].tolist() == [1.5, 88.5]
    assert features["unit"].unique().tolist() == ["pg/mL"]


def test_a_flagged_value_stays_and_bears_its_flag():
    features = protein_features(proteins({"sPD-L1": 3000.0}, {"sPD-L1": "above_uloq"}))
    assert features[["value", "coverage", "note"]].to_numpy().tolist() == [[3000.0, 1.0, "above_uloq"]]


def test_a_missing_value_is_explained():
    assert protein_features(proteins({"IL6": np.nan}))["note"].tolist() == ["the laboratory gave no value"]


def test_quality_tells_how_many_are_measured_and_flagged():
    quality = protein_quality(proteins({"a": 1, "b": np.nan}, {"a": "below_lod"})).set_index("measure")
    assert quality["value"].to_dict() == {"analytes_measured": 1.0, "flagged_share": 0.5}
    assert quality["passed"].all()


@pytest.mark.parametrize("values", [{}, {"IL6": np.nan}])
def test_a_sample_without_any_value_fails_quality(values):
    assert not protein_quality(proteins(values)).set_index("measure").loc["analytes_measured", "passed"]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(0, 1e6), max_size=6))
def test_no_value_is_changed_or_lost(values):
    features = protein_features(proteins(values))
    assert dict(zip(features["feature"], features["value"], strict=True)) == values


def test_the_step_reads_a_piece_and_writes_both_tables(tmp_path):
    write_table(proteins({"IL6": 1.0}), tmp_path / "S1.parquet")
    assert protein_step({"sample": tmp_path / "S1.parquet"}, tmp_path) == {"analytes": 1}
    assert read_table(tmp_path / "features.parquet")["value"].tolist() == [1.0]
    assert read_table(tmp_path / "qc.parquet")["measure"].tolist() == ["analytes_measured", "flagged_share"]
