"""The axes of retinoic acid: availability before treatment only, the others as changes."""

import pandas as pd
import pytest

from rabiomarkers.change.axes import axes_table
from rabiomarkers.knowledge import load_axes, load_signatures
from rabiomarkers.results import open_results
from rabiomarkers.schema import config_path

AXES_FILE = config_path("signatures/axes.csv")


def test_every_axis_names_a_signature_that_ships():
    known = set(load_signatures(config_path("signatures/gene_signatures.csv"))["signature"])
    assert set(load_axes(AXES_FILE)["signature"]) <= known


def test_availability_is_never_a_change():
    axes = load_axes(AXES_FILE)
    assert set(axes.loc[axes["axis"] == "availability", "use"]) == {"before"}
    assert set(axes.loc[axes["axis"] != "availability", "use"]) == {"change"}


def test_the_arms_of_peroxidation_share_no_gene_and_lie_within_the_whole():
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    whole = signatures[signatures["signature"] == "MACROPHAGE_LIPID_PEROXIDATION"].set_index("gene")["direction"]
    arms = signatures[signatures["signature"].str.startswith("PEROXIDATION_")]
    assert arms["signature"].nunique() == 3
    assert not arms["gene"].duplicated().any()
    for name, rows in arms.groupby("signature"):
        assert (whole[rows["gene"]] == (-1 if name == "PEROXIDATION_DEFENCE" else 1)).all()


def test_the_table_reads_levels_before_and_changes_as_the_tables_have_them(finished):
    results = open_results(finished)
    axes = load_axes(AXES_FILE)
    table = axes_table(results.features, results.changes, axes, contrast=["pre", "post"]).set_index("arm")
    assert table["signature"].tolist() == axes["signature"].tolist()  # in the order of the file
    features = results.features
    own = features[(features["feature"] == "RA_DEGRADATION") & (features["timepoint"] == "pre")]["value"]
    assert table.loc["degradation", "estimate"] == pytest.approx(own.median())
    assert table.loc["degradation", "n"] == len(own)
    assert pd.isna(table.loc["degradation", "p_value"])
    change = results.changes.set_index("feature").loc["RA_RESPONSE_DIRECT"]
    assert table.loc["direct targets", "estimate"] == change["estimate"]
    assert table.loc["direct targets", "p_value"] == change["p_value"]
    pd.testing.assert_frame_equal(results.axes, table.reset_index()[results.axes.columns])


def test_what_nobody_was_scored_for_says_so(finished):
    results = open_results(finished)
    axes = load_axes(AXES_FILE).head(1).assign(signature="NOBODY")
    table = axes_table(results.features, results.changes, axes, contrast=["pre", "post"])
    assert table["note"].tolist() == ["not scored in any sample"]
    assert table["estimate"].isna().all()
