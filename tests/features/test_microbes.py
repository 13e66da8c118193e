import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.microbes import GROUPS, MOUSE_ONLY, find_groups, group_rows, microbe_table
from rabiomarkers.knowledge import load_taxa

TAXA = load_taxa()


def stool(**values):
    names = [name.replace("_", " ") for name in values]
    return pd.DataFrame({"taxon": names, "value": [float(value) for value in values.values()], "lineage": ""})


def shares(frame, scale="counts"):
    return {row[0]: row for row in group_rows(frame, TAXA, scale=scale, depth=10)}


def test_producers_metabolisers_and_suppressors_are_told_apart():
    told = shares(stool(Lactobacillus_intestinalis=2, Bacillus_cereus=3, Faecalibaculum_rodentium=4, other=11))
    assert told["ra_producer_share"][1] == pytest.approx(5 / 20)
    assert told["ra_metaboliser_share"][1] == pytest.approx(5 / 20)
    assert told["ra_suppressor_share"][1] == pytest.approx(4 / 20)
    assert "evidence: mouse" in told["ra_suppressor_share"][3]


def test_taxa_on_which_sources_disagree_are_in_no_share_and_marked_in_the_table():
    """README of the knowledge: Roseburia intestinalis, Phocaeicola massiliensis and Streptococcus anginosus."""
    disputed = sorted(TAXA.loc[TAXA["conflict"] == "yes", "taxon"].unique())
    assert disputed == ["Phocaeicola massiliensis", "Roseburia intestinalis", "Streptococcus anginosus"]
    frame = stool(Roseburia_intestinalis=50, Bifidobacterium_longum=50)
    told = shares(frame)
    assert told["ici_favourable_share"][1] == 0.5
    assert np.isnan(told["ici_unfavourable_share"][1]) or told["ici_unfavourable_share"][1] == 0.0
    table = microbe_table(frame, TAXA, scale="counts")
    assert set(table.loc[table["conflict"], "taxon"]) == set(disputed)


def test_a_listed_phylum_is_no_part_of_the_shares_of_species():
    frame = pd.DataFrame({"taxon": ["x"], "value": [10.0], "lineage": ["k__Bacteria;p__Actinomycetota;s__x"]})
    assert not find_groups(frame, TAXA)["ici_favourable_share"].member.any()
    table = microbe_table(frame, TAXA, scale="counts")
    assert table.loc[table["taxon"] == "Actinomycetota", "share"].iloc[0] == 1.0


def test_every_row_says_what_it_rests_on():
    table = microbe_table(stool(Lactobacillus_intestinalis=1, Akkermansia_muciniphila=3), TAXA, scale="counts")
    mouse = table[table["taxon"] == "Lactobacillus intestinalis"]
    assert mouse["note"].str.contains(MOUSE_ONLY).all()
    assert mouse["share"].to_list() == [0.25] * len(mouse)
    human = table[(table["taxon"] == "Akkermansia muciniphila") & (table["evidence"] == "human")]
    assert len(human)
    assert not human["note"].str.contains(MOUSE_ONLY).any()
    assert (table["source"] != "").all()


def test_what_the_table_does_not_name_has_no_share():
    table = microbe_table(stool(other=5), TAXA, scale="counts")
    assert not table["named"].any()
    assert table["share"].isna().all()


@pytest.mark.parametrize("scale", ["counts", "relative"])
def test_an_empty_sample_has_no_share_and_the_reason(scale):
    told = shares(stool(Lactobacillus_intestinalis=0, other=0), scale)
    assert np.isnan(told["ra_producer_share"][1])
    assert told["ra_producer_share"][-1] == "the sample holds no reads"


def test_every_role_of_the_table_is_asked_for_or_is_the_context_of_akkermansia():
    asked = {role for group in GROUPS.values() for role in group.roles}
    assert set(TAXA["role"]) - asked == {"ici_response_context"}
