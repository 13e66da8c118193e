import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.gene_families import (
    WHOLE_TABLE,
    gene_family_features,
    gene_family_quality,
    gene_family_step,
)
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_functions
from rabiomarkers.schema import config_path

FUNCTIONS = load_functions()


def table(**values):
    return pd.DataFrame({"family": list(values), "value": [float(value) for value in values.values()]})


def features(frame, kind="ko"):
    return gene_family_features(frame, FUNCTIONS, kind=kind).set_index("feature")


def test_specific_and_unspecific_orthologues_are_told_apart():
    """K07249 is the one orthologue of EC 1.2.1.36; K00128 is an aldehyde dehydrogenase of nearly every genome."""
    told = features(table(K07249=10, K00128=90))["value"]
    assert told["ra_production_potential"] == 100
    assert told["ra_production_potential_specific"] == 10


def test_the_hosts_orthologues_take_no_part():
    """CYP26A (K07437) and BCO1 (K00515) in stool are the host's or the diet's DNA."""
    told = features(table(K07437=500, K00515=500, K14338=7, K21817=3))["value"]
    assert told["ra_degradation_potential"] == 7
    assert told["retinal_production_potential"] == told["retinal_production_potential_specific"] == 3


def test_what_a_short_table_does_not_name_is_not_taken_for_absent():
    told = features(table(K07249=10))
    assert np.isnan(told.loc["butyrate_potential", "value"])
    assert "absent and unreportable cannot be told apart" in told.loc["butyrate_potential", "note"]


def test_what_a_whole_table_does_not_name_is_absent():
    families = {f"K9{number:04d}": 1 for number in range(WHOLE_TABLE)}
    assert features(table(**families)).loc["ra_production_potential_specific", "value"] == 0.0


def test_of_enzyme_numbers_nothing_is_specific():
    told = features(pd.DataFrame({"family": ["1.2.1.36", "1.2.1.3"], "value": [4.0, 6.0]}), kind="ec")
    assert told.loc["ra_production_potential", "value"] == 10
    assert not [name for name in told.index if name.endswith("_specific")]


@settings(deadline=None, max_examples=20)
@given(st.permutations(["K07249", "K00128", "K00001", "K21817"]))
def test_the_order_of_the_families_changes_nothing(order):
    values = {"K07249": 1.0, "K00128": 2.0, "K00001": 3.0, "K21817": 4.0}
    shuffled = pd.DataFrame({"family": order, "value": [values[name] for name in order]})
    pd.testing.assert_frame_equal(features(shuffled), features(table(**values)))


def test_quality_needs_something_and_tells_what_was_lost():
    assert gene_family_quality(table(K00001=1), unmapped=0.3).set_index("measure")["value"].to_dict() == {
        "gene_families_detected": 1,
        "unmapped_share": 0.3,
    }
    assert not gene_family_quality(table(K00001=0), unmapped=None)["passed"].all()


def test_the_step_writes_features_and_quality(tmp_path):
    piece = table(K07249=10, K00128=90)
    piece.attrs["passport"] = {"scale": "cpm", "kind": "ko", "families": 2, "unmapped": None}
    write_table(piece, tmp_path / "S1.parquet")
    inputs = {"sample": tmp_path / "S1.parquet", "functions": config_path("taxa/microbial_functions.csv")}
    assert gene_family_step(inputs, tmp_path) == {"families": 2}
    assert read_table(tmp_path / "features.parquet").set_index("feature")["value"]["ra_production_potential"] == (
        pytest.approx(100)
    )


def test_only_a_potential_that_may_be_the_host_s_says_so():
    methods = features(table(K07249=5, K21817=2))["method"]
    assert methods["ra_production_potential_specific"].endswith("specific; K07249 may be the host's DNA")
    assert methods["retinal_production_potential_specific"].endswith("K21817; specific")
