"""Immune context of CheckMate 038 (Riaz 2017): marker means and purity against genes that are not in them, planted mixtures."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from rabiomarkers.features.immune_context import IMMUNE, STROMA, context_features
from rabiomarkers.features.scoring.expression import Expression
from rabiomarkers.ingest.symbols import harmonise
from rabiomarkers.knowledge import load_aliases, load_markers, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.paired import signed_rank

SIGNATURES = load_signatures(config_path("signatures/gene_signatures.csv"))
MARKERS = load_markers(config_path("markers/immune_markers.csv"))
MELANOCYTIC = ["DCT", "MITF", "MLANA", "PMEL", "S100B", "SOX10", "TYR"]
"""Genes of the melanocyte lineage: the tumour itself, as far as it has not lost them."""


@pytest.fixture(scope="module")
def sheet(shared_data):
    samples = pd.read_csv(shared_data / "riaz_bms038" / "samples.csv")
    return samples[(samples["replicate"] == 1) & (samples["sample_id"] != "Pt68_On")]


@pytest.fixture(scope="module")
def counts(shared_data, sheet):
    """Samples x genes of 107 libraries, symbols harmonised as the reader does."""
    table = pd.read_csv(shared_data / "riaz_bms038" / "counts.csv.gz").dropna(subset="symbol")
    genes = harmonise(table["symbol"], load_aliases(config_path("signatures/gene_aliases.csv")))
    samples = pd.Index(sheet["sample_id"])
    values = np.asarray((genes.indicator() @ table[list(samples)].to_numpy(np.float64)).T)
    return pd.DataFrame(values, index=samples, columns=pd.Index(genes.symbols))


@pytest.fixture(scope="module")
def levels(counts):
    return np.log2(counts.div(counts.sum(axis=1), axis=0) * 1e6 + 1)


def context_of(values: pd.Series, profile: pd.DataFrame | None = None) -> pd.DataFrame:
    one = Expression(
        values=values.to_numpy(np.float64)[None, :], samples=pd.Index(["S"]), genes=values.index, scale="counts"
    )
    return context_features(one, signatures=SIGNATURES, markers=MARKERS, profile=profile).set_index("feature")


@pytest.fixture(scope="module")
def context(counts):
    return pd.DataFrame({sample: context_of(values)["value"] for sample, values in counts.iterrows()}).T


@pytest.fixture(scope="module")
def pairs(sheet):
    return sheet.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()


def change(values: pd.Series, pairs: pd.DataFrame) -> np.ndarray:
    return values.loc[pairs["on"]].to_numpy() - values.loc[pairs["pre"]].to_numpy()


def test_every_sample_has_every_feature(context):
    assert context.shape == (107, 12)
    assert context.notna().all(axis=None)


def test_t_cells_by_their_markers_follow_cd8a_and_cytolytic_activity_which_are_not_among_them(context, levels):
    own = set(SIGNATURES.loc[SIGNATURES["signature"] == "MCPCOUNTER_T_CELLS", "gene"])
    assert own.isdisjoint({"CD8A", "GZMA", "PRF1"})
    assert spearmanr(context["mcp_T_CELLS"], levels["CD8A"]).statistic > 0.9
    assert spearmanr(context["mcp_T_CELLS"], levels[["GZMA", "PRF1"]].mean(axis=1)).statistic > 0.9


def test_each_population_is_nearest_to_a_gene_of_its_own_that_is_not_among_its_markers(context, levels):
    """None of the genes is in the list of its population: a label that was swapped would show."""
    apart = {
        "mcp_T_CELLS": "CD2",
        "mcp_MONOCYTIC_LINEAGE": "CD163",
        "mcp_FIBROBLASTS": "COL1A2",
        "mcp_B_LINEAGE": "MZB1",
    }
    for feature, gene in apart.items():
        own = SIGNATURES.loc[SIGNATURES["signature"] == feature.replace("mcp_", "MCPCOUNTER_"), "gene"]
        assert gene not in set(own)
        alike = context[list(apart)].apply(lambda column: spearmanr(column, levels[gene]).statistic)  # noqa: B023
        assert alike.idxmax() == feature


def test_t_cells_rise_under_nivolumab_and_fibroblasts_do_not(context, pairs):
    """The data set's README: CD8A +0.71, p = 0.005; immune cells come in, nobody claims it of stroma."""
    assert signed_rank(change(context["mcp_CD8_T_CELLS"], pairs)).p_value < 0.01
    assert signed_rank(change(context["mcp_T_CELLS"], pairs)).p_value < 0.05
    assert signed_rank(change(context["mcp_FIBROBLASTS"], pairs)).p_value > 0.2


def test_purity_falls_where_immune_cells_come_in(context, levels, pairs):
    cytolytic = levels[["GZMA", "PRF1"]].mean(axis=1)
    assert spearmanr(context["purity_proxy"], cytolytic).statistic < -0.7
    assert spearmanr(change(context["purity_proxy"], pairs), change(cytolytic, pairs)).statistic < -0.5


def test_purity_rises_with_genes_of_the_tumour_that_play_no_part_in_it(context, levels, pairs):
    used = set(SIGNATURES.loc[SIGNATURES["signature"].isin([*IMMUNE, *STROMA]), "gene"])
    assert used.isdisjoint(MELANOCYTIC)
    tumour = levels[MELANOCYTIC].mean(axis=1)
    assert spearmanr(context["purity_proxy"], levels["SOX10"]).statistic == pytest.approx(0.49, abs=0.02)
    moved = spearmanr(change(context["purity_proxy"], pairs), change(tumour, pairs))
    assert moved.statistic == pytest.approx(0.51, abs=0.02)
    assert moved.pvalue < 0.001


def test_a_melanoma_has_no_epithelium_to_judge_purity_by(context, levels):
    """Why the epithelial markers stand apart: in these tumours they fall where the tumour's own genes rise."""
    assert spearmanr(context["epithelial_markers"], levels["SOX10"]).statistic < 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_reads_drawn_from_two_real_libraries_give_back_their_shares(counts, levels, share):
    """A million reads, of which `share` come from the most inflamed tumour and the others from the least."""
    cytolytic = levels[["GZMA", "PRF1"]].mean(axis=1)
    pure = counts.loc[[cytolytic.idxmax(), cytolytic.idxmin()]]
    profile = (pure.div(pure.sum(axis=1), axis=0) * 1e6).set_axis(["hot", "cold"]).T
    chances = (profile / 1e6) @ [share, 1 - share]
    drawn = np.random.default_rng(1).multinomial(1_000_000, chances / chances.sum())
    found = context_of(pd.Series(drawn, index=counts.columns), profile)
    assert found.loc["nnls_hot", "value"] == pytest.approx(share, abs=0.01)
    assert found.loc["nnls_residual", "value"] < 0.15
    assert found.loc["nnls_residual", "note"].startswith(
        "condition number of the profile 2.21; the shares summed to 1 "
    )


def test_a_real_sample_that_is_no_mixture_of_the_profile_says_so_by_its_residual(counts, levels):
    cytolytic = levels[["GZMA", "PRF1"]].mean(axis=1)
    order = cytolytic.sort_values().index
    pure = counts.loc[[order[-1], order[0]]]
    profile = (pure.div(pure.sum(axis=1), axis=0) * 1e6).set_axis(["hot", "cold"]).T
    residuals = [context_of(counts.loc[sample], profile).loc["nnls_residual", "value"] for sample in order[10:100:15]]
    assert min(residuals) > 0.3
