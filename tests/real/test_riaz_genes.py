"""Genes of CheckMate 038 (Riaz 2017), on minus before nivolumab, nobody had RA: the facts of the README in the shared data."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.enrichment import enrichment_table
from rabiomarkers.change.genes import gene_change
from rabiomarkers.knowledge import load_aliases, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import signed_rank, signed_rank_many

DIRECT_TARGETS = ["CYP26A1", "CYP26B1", "RARB", "STRA6", "CRABP2"]
INFILTRATION = ["RARRES3", "TGM2", "CD38"]


@pytest.fixture(scope="module")
def change(shared_data):
    """log2(CPM + 1), genes x 43 patients; replicate 1, without the disputed Pt68_On."""
    folder = shared_data / "riaz_bms038"
    counts = pd.read_csv(folder / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    counts = counts.groupby("symbol").sum()
    expression = np.log2(counts / counts.sum() * 1e6 + 1)
    samples = pd.read_csv(folder / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    difference = expression[pairs["on"]].to_numpy() - expression[pairs["pre"]].to_numpy()
    return pd.DataFrame(difference, index=counts.index, columns=pairs.index)


@pytest.fixture(scope="module")
def moderated(change):
    told = moderated_t_many(change).set_index(change.index)
    return told.assign(q_value=benjamini_hochberg(told["p_value"]))


@pytest.mark.parametrize(
    ("genes", "mean", "p_value"),
    [
        (["GZMA", "PRF1"], 0.83, 1.5e-4),  # cytolytic score
        (["CD8A"], 0.71, 0.005),
        (["PDCD1"], 0.71, 4e-5),
        (["RARRES3"], 0.71, 4e-4),
        (["TGM2"], 0.52, 5e-4),
        (["CYP26A1"], -0.12, 0.55),
        (["RARB"], -0.07, 0.47),
        (["STRA6"], 0.03, 0.68),
    ],
)
def test_infiltration_rises_and_direct_ra_targets_do_not(change, genes, mean, p_value):
    score = change.loc[genes].mean()
    told = signed_rank(score)
    assert told.n == 43
    assert score.mean() == pytest.approx(mean, abs=0.006)
    assert told.p_value == pytest.approx(p_value, rel=0.25)  # one digit is printed


def test_moderated_t_tests_every_gene_that_was_seen(change, moderated):
    assert change.shape == (22276, 43)
    assert moderated["test"].value_counts().to_dict() == {"moderated t": 22199, "not tested": 77}
    assert set(moderated.loc[moderated["test"] == "not tested", "note"]) == {"all differences are zero"}
    assert moderated["prior_degrees_of_freedom"].max() == pytest.approx(
        1.15, abs=0.01
    )  # genes spread very unlike each other
    np.testing.assert_allclose(moderated.loc["RARRES3", "estimate"], change.loc["RARRES3"].mean())


def test_no_direct_ra_target_is_called_and_infiltration_alone_moves_the_others(moderated):
    direct, others = moderated.loc[DIRECT_TARGETS], moderated.loc[INFILTRATION]
    assert direct["p_value"].min() > 0.25
    assert (direct["ci_low"] < 0).all()
    assert (direct["ci_high"] > 0).all()
    assert others["p_value"].max() < 0.05
    assert (others["ci_low"] > 0).all()


def test_over_all_genes_nothing_passes_benjamini_hochberg(change, moderated):
    # 43 pairs: ranks have p-values small enough, the changes are not; so no RA gene is called, of either kind
    ranks = benjamini_hochberg(signed_rank_many(change)["p_value"])
    assert moderated["q_value"].min() > 0.3
    assert ranks.min() > 0.2
    assert moderated.loc[DIRECT_TARGETS, "q_value"].min() > 0.75


@pytest.fixture(scope="module")
def tested(shared_data):
    """Every gene through the workflow's own path: edgeR's filter, TMM, moderated t; present symbols."""
    folder = shared_data / "riaz_bms038"
    aliases = load_aliases(config_path("signatures/gene_aliases.csv"))
    counts = pd.read_csv(folder / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    counts = counts.groupby(counts.pop("symbol").map(lambda symbol: aliases.get(symbol, symbol))).sum()
    samples = pd.read_csv(folder / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    earlier, later = (counts[pairs[time]].set_axis(pairs.index, axis=1) for time in ("pre", "on"))
    change = gene_change(earlier, later, scale="counts")
    genes = change.genes[change.genes["statistic"].notna()]
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    return genes.set_index("gene"), enrichment_table(genes, change.deltas, signatures).set_index("signature")


def test_with_libraries_on_one_scale_infiltration_rises_and_retinoic_acid_controls_stay(tested):
    genes, _ = tested
    assert len(genes) == 16495
    assert genes.loc["CD8A", "estimate"] == pytest.approx(0.86, abs=0.01)
    assert genes.loc["CD8A", "p_value"] < 0.01
    for control in ("CYP26A1", "RARB", "STRA6", "CRABP2", "CYP26B1"):
        assert control not in genes.index or genes.loc[control, "p_value"] > 0.1


def test_signatures_of_infiltration_rise_over_patients_and_the_direct_targets_do_not(tested):
    _, enriched = tested
    for name in ("ROH_IMMUNE_SCORE_2017", "TIS_AYERS_2017", "DANAHER_CYTOTOXIC_CELLS"):
        assert enriched.loc[name, "direction"] == "up"
        assert enriched.loc[name, "q_value"] < 0.01
        assert enriched.loc[name, "p_patients"] < 0.01
    assert enriched.loc["RA_RESPONSE_DIRECT", "p_value"] > 0.5
    assert enriched.loc["RA_RESPONSE_DIRECT", "p_patients"] > 0.5
