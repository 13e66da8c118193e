"""Stool: real names, a tree that agrees with the lineages, people who resemble themselves, and the planted taxa."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from skbio import TreeNode

from rabiomarkers.knowledge import load_taxa
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.stool import (
    BLANK_DEPTHS,
    DEPTHS,
    all_species,
    blank_counts,
    lineages,
    newick,
    reagent_table,
    stool_counts,
    stool_model,
)

PLANTED = {"Bacillus cereus", "Candidatus Arthromitus sp SFB human", "Lactobacillus intestinalis"}


@pytest.fixture(scope="module")
def tree():
    return TreeNode.read(io.StringIO(newick()))


def test_species_of_the_roles_that_are_scored_are_there():
    known = load_taxa(config_path("taxa/microbes.csv")).query("rank == 'species'")
    roles = ["ra_producer", "vitamin_a_metaboliser", "ra_suppressor", "butyrate_producer", "pathobiont"]
    assert set(known.loc[known["role"].isin(roles), "taxon"]) <= set(stool_model().taxa)
    assert 100 <= len(stool_model().taxa) <= 200


def test_only_taxa_that_make_or_use_retinoic_acid_are_planted():
    model = stool_model()
    assert set(model.taxa[model.shifted]) == PLANTED


def test_lineages_have_seven_ranks_and_end_in_the_taxon():
    table = lineages()
    assert table["lineage"].str.fullmatch(r"k__[^;]+;p__[^;]+;c__[^;]+;o__[^;]+;f__[^;]+;g__[^;]+;s__[^;]+").all()
    assert table["lineage"].str.split("s__").str[-1].tolist() == table["taxon"].tolist()
    assert table["lineage"].str.contains(";c__Clostridia;").sum() > 30  # so that the class can be summed


def test_the_tree_is_rooted_and_its_tips_are_the_taxa(tree):
    assert len(tree.children) == 2
    assert {tip.name for tip in tree.tips()} == set(all_species()["species"])
    assert all(node.length > 0 for node in tree.traverse(include_self=False))
    assert all(len(node.children) != 1 for node in tree.traverse())


def test_each_family_is_one_branch_of_the_tree(tree):
    family = lineages().set_index("taxon")["lineage"].str.extract(r"f__([^;]+)")[0]
    for _, members in family.groupby(family):
        if len(members) > 1:
            below = {tip.name for tip in tree.lca(members.index.tolist()).tips()}
            assert below == set(members.index)


def test_people_resemble_themselves():
    """As in real stool (TOPOSCORE, 32 pairs): about 0.43 within a patient and 0.80 between."""
    design = design_trial(patients=20)
    counts = stool_counts(design)
    distance = squareform(pdist((counts / counts.sum()).T, "braycurtis"))
    patient = np.array([name.split("-")[0] for name in counts.columns])
    pairs = np.triu(np.ones_like(distance, dtype=bool), 1)
    same = patient[:, None] == patient[None, :]
    assert 0.3 < np.median(distance[pairs & same]) < 0.5
    assert 0.7 < np.median(distance[pairs & ~same]) < 0.9


def log_change(design) -> list[float]:
    model = stool_model()
    counts = stool_counts(design).loc[model.taxa]
    balance = np.log((counts[model.shifted].sum() + 0.5) / (counts[~model.shifted].sum() + 0.5))
    pairs = [patient.of("stool") for patient in design.patients]
    return [balance[post.sample_id] - balance[pre.sample_id] for pre, post in pairs if not post.missing]


@pytest.mark.parametrize(("effect", "expected"), [("planted", 1.5), ("none", 0.0)])
def test_planted_taxa_rise_in_everybody(effect, expected):
    changes = log_change(design_trial(patients=100, effect=effect))
    assert np.mean(changes) == pytest.approx(expected, abs=0.15)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100_000))
def test_depth_is_realistic_and_rows_are_all_taxa(seed):
    counts = stool_counts(design_trial(patients=4, seed=seed))
    assert counts.loc[stool_model().taxa].sum().between(*DEPTHS).all()
    assert counts.index.tolist() == sorted(all_species()["species"])
    assert (counts >= 0).all(axis=None)


def test_counts_of_a_patient_depend_on_nobody_else():
    design = design_trial(patients=6)
    alone = stool_counts(design, patients=design.patients[4:5])
    pd.testing.assert_frame_equal(alone, stool_counts(design)[alone.columns.tolist()])


def test_reagents_bring_little_to_stools_and_nearly_all_of_the_blanks():
    design = design_trial(patients=20)
    counts, blanks, reagents = stool_counts(design), blank_counts(design), reagent_table()["species"]
    assert not set(reagents) & set(stool_model().taxa)
    brought = counts.loc[reagents]
    assert 0.08 < (brought > 0).to_numpy().mean() < 0.22  # planted: 0.15 of the stools hold a given one
    assert (brought.sum() / counts.sum()).max() < 0.005
    assert (blanks.loc[reagents].sum() / blanks.sum()).min() > 0.9
    assert blanks.columns.tolist() == [f"batch-{batch}-blank-{number}" for batch in range(1, 5) for number in (1, 2)]
    assert blanks.loc[reagents].sum().between(*BLANK_DEPTHS).all()


def test_more_patients_bring_blanks_of_their_own_and_change_none():
    few, many = blank_counts(design_trial(patients=5)), blank_counts(design_trial(patients=10))
    pd.testing.assert_frame_equal(few, many[few.columns.tolist()])
