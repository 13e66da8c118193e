"""Patients along the chain, and its links."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.chain import DEFAULT_CHAIN, ChainNode, chain_table, link_table, read_chain
from rabiomarkers.errors import StatisticsError
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.settings.plan import PlanSettings
from rabiomarkers.stats.rank_correlation import spearman

FIRST = ChainNode(name="targets", compartment="tumour", feature="RA")
SECOND = ChainNode(name="suppressors", compartment="blood", feature="MDSC", expected="down")
THIRD = ChainNode(name="taxa", compartment="faecal", feature="taxa")
CHAIN = (FIRST, SECOND, THIRD)
RA = {"P1": 1.0, "P2": 2.0, "P3": 0.5, "P4": 3.0, "P5": -1.0}
MDSC = {"P1": -2.0, "P2": -3.0, "P3": 0.0, "P4": -4.0, "P6": 1.0}


def deltas(**nodes):
    """DELTAS of the nodes' features, a change by patient each."""
    places = {"RA": ("tumour", "rank score"), "MDSC": ("blood", "log ratio"), "taxa": ("faecal", "log ratio")}
    rows = [
        {"patient_id": patient, "feature": feature, "change": change}
        | dict(zip(("compartment", "unit"), places[feature], strict=True))
        for feature, changes in nodes.items()
        for patient, change in changes.items()
    ]
    return pd.DataFrame(rows, columns=["patient_id", "compartment", "feature", "unit", "change"])


def test_each_patient_has_a_row_a_node_in_the_order_of_the_chain():
    table = chain_table(deltas(RA=RA, MDSC=MDSC), ["P2", "P1", "P7"], CHAIN)
    assert table[["patient_id", "node", "place"]].to_numpy().tolist() == [
        [patient, node.name, place] for patient in ("P1", "P2", "P7") for place, node in enumerate(CHAIN, start=1)
    ]
    assert table.loc[table["node"] == "targets", "unit"].tolist() == ["rank score"] * 3


def test_down_counts_as_expected_where_the_plan_expects_it_and_standing_still_never_does():
    table = chain_table(deltas(RA=RA, MDSC=MDSC), [*RA, "P6"], CHAIN).set_index(["patient_id", "node"])
    assert table.loc[("P1", "targets"), "as_expected"]
    assert table.loc[("P1", "suppressors"), "as_expected"]
    assert not table.loc[("P3", "suppressors"), "as_expected"]  # no change at all
    assert not table.loc[("P5", "targets"), "as_expected"]
    assert not table.loc[("P6", "suppressors"), "as_expected"]


def test_a_gap_says_whether_the_patient_or_everybody_lacks_the_pair():
    table = chain_table(deltas(RA=RA, MDSC=MDSC), ["P6"], CHAIN).set_index("node")
    assert table["note"].to_dict() == {
        "targets": "no pair",
        "suppressors": "",
        "taxa": "nobody has a pair of it",
    }
    assert table["change"].isna().tolist() == [True, False, True]
    assert table["as_expected"].isna().tolist() == [True, False, True]
    assert table.loc["taxa", "unit"] == "unknown"


def test_a_link_is_the_rank_correlation_of_both_changes_turned_as_expected():
    table = link_table(deltas(RA=RA, MDSC=MDSC), CHAIN[:2])
    alone = spearman([1.0, 2.0, 0.5, 3.0], [2.0, 3.0, 0.0, 4.0])
    row = table.iloc[0]
    assert (row["link"], row["source"], row["target"]) == (1, "targets", "suppressors")
    assert (row["n_pairs"], row["n_as_expected"]) == (4, 3)
    assert (row["estimate"], row["p_value"], row["p_floor"]) == (1.0, alone.p_value, alone.p_floor)
    assert (row["p_count"], row["p_total"]) == (2, 24)
    assert row["note"] == "cannot reach 0.05: with these 4 patients no p is below 0.0833"
    assert np.isnan([row["ci_low"], row["ci_high"], row["ci_level"]]).all()


def test_the_links_are_corrected_together_by_holm():
    random = np.random.default_rng(3)
    first = random.normal(size=10)
    changes = [first, first + random.normal(0, 0.6, 10), random.normal(size=10)]
    named = {
        name: {f"P{place}": sign * value for place, value in enumerate(values)}
        for name, sign, values in zip(("RA", "MDSC", "taxa"), (1, -1, 1), changes, strict=True)
    }
    table = link_table(deltas(**named), CHAIN)
    low, high = sorted(table["p_value"])
    assert sorted(table["q_value"]) == pytest.approx([2 * low, max(2 * low, high)])
    assert table["p_total"].tolist() == [3_628_800] * 2  # ten patients: every order


def test_a_link_nobody_has_both_ends_of_is_not_tested_and_not_counted():
    ten = {f"P{place}": float(place) for place in range(10)}
    table = link_table(deltas(RA=ten, MDSC={name: -value for name, value in ten.items()}), CHAIN)
    assert table["note"].tolist() == ["", "nobody has a pair of taxa"]
    assert table["test"].tolist() == ["exact Spearman", "not tested"]
    assert table.loc[0, "q_value"] == table.loc[0, "p_value"] == 2 / 3_628_800
    assert np.isnan(table.loc[1, ["estimate", "p_value", "q_value"]].astype(float)).all()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"P1": 1.0}, "1 patient with both: a correlation needs at least three"),
        ({"P9": 1.0}, "0 patients with both: a correlation needs at least three"),
        (dict.fromkeys(RA, -1.0), "one of the two does not vary"),
    ],
)
def test_a_link_that_cannot_be_tested_says_why(values, note):
    row = link_table(deltas(RA=RA, MDSC=values), CHAIN[:2]).iloc[0]
    assert (row["note"], row["test"]) == (note, "not tested")
    assert np.isnan(row["p_value"])


def test_nobody_and_a_chain_of_one_node_give_tables_without_rows():
    assert len(chain_table(deltas(), [], CHAIN)) == 0
    assert len(chain_table(deltas(RA=RA), list(RA), ())) == 0
    assert len(link_table(deltas(RA=RA), CHAIN[:1])) == 0
    assert link_table(deltas(), CHAIN)["note"].tolist() == [
        "nobody has a pair of targets and suppressors",
        "nobody has a pair of suppressors and taxa",
    ]


@given(values=st.lists(st.integers(-9, 9), min_size=10, max_size=30), random=st.randoms())
@settings(deadline=None, max_examples=25)
def test_the_order_of_rows_plays_no_part(values, random):
    half = len(values) // 2
    table = deltas(
        RA={f"P{place}": float(value) for place, value in enumerate(values[:half])},
        MDSC={f"P{place}": float(value) for place, value in enumerate(values[half:])},
    )
    rows = list(table.index)
    random.shuffle(rows)
    pd.testing.assert_frame_equal(link_table(table, CHAIN), link_table(table.loc[rows], CHAIN))
    patients = sorted(set(table["patient_id"]))
    pd.testing.assert_frame_equal(
        chain_table(table, patients, CHAIN), chain_table(table.loc[rows], patients[::-1], CHAIN)
    )


def test_the_default_chain_is_that_of_the_settings():
    told = PlanSettings().model_dump(mode="json")["chain"]
    assert read_chain(told) == DEFAULT_CHAIN


def test_neighbouring_nodes_of_the_default_chain_share_no_gene():
    genes = load_signatures(config_path("signatures/gene_signatures.csv")).groupby("signature")["gene"].agg(set)
    tumour = [genes[node.feature] for node in DEFAULT_CHAIN if node.compartment == "tumour"]
    assert len(tumour) == 4
    assert all(not source & target for source, target in pairwise(tumour))


def test_a_chain_that_cannot_be_read_is_an_error():
    node = {"name": "targets", "compartment": "tumour", "feature": "RA"}
    with pytest.raises(StatisticsError, match="'targets' more than once"):
        read_chain([node, node])
    with pytest.raises(StatisticsError, match="expects 'sideways'; choose 'up' or 'down'"):
        read_chain([{**node, "expected": "sideways"}])
