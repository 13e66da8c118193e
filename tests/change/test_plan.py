import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.change.plan import plan_features, read_plan

MEASURED = pd.DataFrame(
    [("blood", "NLR"), ("blood", "clr_CD8_TEM"), ("tumour", "RA_RESPONSE_CORE"), ("tumour", "clr_CD8_TEM")],
    columns=["compartment", "feature"],
)


def tiers(**plan):
    planned = plan_features(MEASURED, read_plan(**plan))
    names = planned.features["compartment"] + ":" + planned.features["feature"]
    return dict(zip(names, planned.features["tier"], strict=True)), planned


def test_a_name_a_pattern_and_a_compartment_choose_features():
    told, _ = tiers(primary=["RA_RESPONSE_CORE", "blood:clr_*"], secondary=["NL?"])
    assert told == {
        "blood:NLR": "secondary",
        "blood:clr_CD8_TEM": "primary",
        "tumour:RA_RESPONSE_CORE": "primary",
        "tumour:clr_CD8_TEM": "exploratory",
    }


def test_primary_wins_over_secondary():
    told, planned = tiers(primary=["NLR"], secondary=["NLR", "*"])
    assert told["blood:NLR"] == "primary"
    assert planned.unmatched == ()


def test_the_primary_features_are_one_family_and_the_others_one_a_compartment():
    _, planned = tiers(primary=["clr_*"], secondary=["NLR"])
    assert planned.features["family"].tolist() == ["secondary blood", "primary", "exploratory tumour", "primary"]


def test_an_entry_that_matches_nothing_is_told():
    _, planned = tiers(primary=["RA_RESPONSE_COR", "faecal:NLR"], secondary=["nlr"])
    assert [(entry.tier, entry.compartment, entry.pattern) for entry in planned.unmatched] == [
        ("primary", "any", "RA_RESPONSE_COR"),
        ("primary", "faecal", "NLR"),
        ("secondary", "any", "nlr"),
    ]


def test_a_colon_in_a_feature_name_is_no_compartment():
    features = pd.DataFrame({"compartment": ["tumour"], "feature": ["CYT_ROONEY_2015:mean"]})
    planned = plan_features(features, read_plan(primary=["CYT_ROONEY_2015:mean"]))
    assert planned.features["tier"].tolist() == ["primary"]


@pytest.mark.parametrize("name", ["IL-6 [high]", "IL*6", "what?"])
def test_a_name_that_looks_like_a_pattern_still_means_itself(name):
    features = pd.DataFrame({"compartment": ["blood"], "feature": [name]})
    assert not plan_features(features, read_plan(primary=[name])).unmatched


def test_without_features_every_entry_is_unmatched():
    planned = plan_features(MEASURED.iloc[:0], read_plan(primary=["a"], secondary=["b"]))
    assert planned.features.empty
    assert len(planned.unmatched) == 2


@given(st.lists(st.sampled_from(["NLR", "clr_*", "*", "blood:*", "none", "tumour:RA*"]), max_size=5), st.randoms())
def test_the_order_of_the_plan_changes_no_tier(primary, random):
    shuffled = primary.copy()
    random.shuffle(shuffled)
    assert tiers(primary=primary)[0] == tiers(primary=shuffled)[0]


def test_a_family_of_the_plan_is_a_secondary_family_of_its_own():
    planned = plan_features(MEASURED, read_plan(secondary=["NLR"], families={"cells": ["clr_*", "tumour:RA*"]}))
    told = dict(zip(planned.features["feature"], planned.features["family"], strict=True))
    assert told == {"NLR": "secondary blood", "clr_CD8_TEM": "secondary cells", "RA_RESPONSE_CORE": "secondary cells"}
    assert set(planned.features["tier"]) == {"secondary"}


def test_features_stand_in_the_order_of_their_entries():
    planned = plan_features(MEASURED, read_plan(primary=["RA_RESPONSE_CORE", "clr_*"])).features
    first = planned.sort_values(["place", "compartment"])["feature"].tolist()
    assert first[:3] == ["RA_RESPONSE_CORE", "clr_CD8_TEM", "clr_CD8_TEM"]
