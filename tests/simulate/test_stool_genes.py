"""Gene families of the simulated stools: read as HUMAnN's, and moved by the taxa that carry them."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.gene_families import gene_family_features
from rabiomarkers.ingest.gene_families import read_gene_families
from rabiomarkers.knowledge import load_functions
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.stool import SHIFT, stool_model
from rabiomarkers.simulate.stool_genes import gene_copies, gene_families, planted_families

FUNCTIONS = load_functions(config_path("taxa/microbial_functions.csv"))


def test_what_only_the_planted_taxa_carry_are_the_specific_orthologues():
    specific = FUNCTIONS.loc[(FUNCTIONS["use"] == "specific"), "ko"]
    assert planted_families() == sorted(set(specific))
    assert gene_copies().loc[planted_families()].sum(axis="columns").eq(stool_model().shifted.sum()).all()


def test_the_reader_takes_the_table_and_the_shares_that_were_not_placed(tmp_path):
    design = design_trial(patients=3)
    table = gene_families(design)
    table.reset_index().to_csv(tmp_path / "genes.tsv", sep="\t", index=False)
    samples = [name.removesuffix("_Abundance-RPKs") for name in table.columns]
    pieces = read_gene_families(tmp_path / "genes.tsv", label="genes.tsv", sample_ids=samples)
    for sample, column in zip(samples, table.columns, strict=True):
        passport = pieces[sample].attrs["passport"]
        assert passport["kind"] == "ko"
        assert 0.25 <= passport["unmapped"] <= 0.4
        families = table[column].drop(["UNMAPPED", "UNGROUPED"])
        read = pieces[sample].set_index("family")["value"]
        pd.testing.assert_series_equal(
            read / read.sum(), families / families.sum(), check_names=False, check_index_type=False
        )


@pytest.mark.parametrize(("effect", "expected"), [("planted", SHIFT), ("none", 0.0)])
def test_the_specific_potential_rises_where_its_carriers_do(effect, expected):
    design = design_trial(patients=60, effect=effect)
    table = gene_families(design).drop(["UNMAPPED", "UNGROUPED"])
    changes = []
    for patient in design.patients:
        pair = [f"{sample.sample_id}_Abundance-RPKs" for sample in patient.of("genes") if not sample.missing]
        if len(pair) == 2:
            pre, post = (table.loc[planted_families(), name].sum() / table[name].sum() for name in pair)
            changes.append(np.log((post + 1e-6) / (pre + 1e-6)))
    assert np.mean(changes) == pytest.approx(expected, abs=0.3)  # shares, so a little less than the planted log-ratio


def test_values_of_a_patient_depend_on_nobody_else():
    design = design_trial(patients=4)
    alone = gene_families(design, patients=design.patients[1:2])
    pd.testing.assert_frame_equal(alone, gene_families(design)[alone.columns.tolist()])


def test_every_effect_on_retinoic_acid_that_bacteria_have_can_be_scored():
    column = gene_families(design_trial(patients=1)).iloc[2:, 0]
    piece = pd.DataFrame({"family": column.index.astype("str"), "value": column.to_numpy() / column.sum() * 1e6})
    features = gene_family_features(piece, FUNCTIONS, kind="ko").set_index("feature")
    assert features["coverage"].eq(1.0).all()
    assert features.loc["ra_production_potential", "value"] > features.loc["ra_production_potential_specific", "value"]
