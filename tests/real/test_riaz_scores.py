"""Scores of CheckMate 038 (Riaz 2017): the authors' formula against the published score; negative controls of retinoic acid."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from rabiomarkers.features.immune_context import context_features
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.registry import score_table
from rabiomarkers.ingest.symbols import harmonise
from rabiomarkers.knowledge import load_aliases, load_markers, load_pairs, load_rules, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.paired import signed_rank

METHODS = ("rank", "mean", "ssgsea", "aucell", "authors")
SIGNATURES = load_signatures(config_path("signatures/gene_signatures.csv"))


@pytest.fixture(scope="module")
def sheet(shared_data):
    samples = pd.read_csv(shared_data / "riaz_bms038" / "samples.csv")
    return samples[(samples["replicate"] == 1) & (samples["sample_id"] != "Pt68_On")]


@pytest.fixture(scope="module")
def expression(shared_data, sheet):
    """Counts of 107 libraries, symbols harmonised as the reader does."""
    counts = pd.read_csv(shared_data / "riaz_bms038" / "counts.csv.gz").dropna(subset="symbol")
    genes = harmonise(counts["symbol"], load_aliases(config_path("signatures/gene_aliases.csv")))
    samples = pd.Index(sheet["sample_id"])
    values = (genes.indicator() @ counts[list(samples)].to_numpy(np.float64)).T
    return Expression(values=np.asarray(values), samples=samples, genes=pd.Index(genes.symbols), scale="counts")


@pytest.fixture(scope="module")
def scores(expression):
    known = Known(
        signatures=SIGNATURES,
        pairs=load_pairs(config_path("signatures/gene_pairs.csv")),
        rules=load_rules(config_path("signatures/scoring_rules.yaml")),
    )
    return score_table(expression, known, METHODS).pivot(index="sample_id", columns="feature", values="value")


@pytest.fixture(scope="module")
def pairs(sheet):
    return sheet.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()


def change(values, pairs):
    return values.loc[pairs["on"]].to_numpy() - values.loc[pairs["pre"]].to_numpy()


def test_cytolytic_activity_orders_the_baseline_samples_as_the_published_score(shared_data, sheet, scores):
    published = pd.read_csv(shared_data / "riaz_bms038" / "baseline_published_scores.csv").set_index("patient")
    before = sheet[sheet["timepoint"] == "pre"].set_index("patient_id")["sample_id"]
    theirs = published["cytolytic_score"].dropna()
    common = theirs.index.intersection(before.index)
    assert len(common) == 51
    ours = scores.loc[before[common], "CYT_ROONEY_2015:authors"]
    assert spearmanr(ours, theirs[common]).statistic == pytest.approx(0.995, abs=0.001)  # README of the data set


@pytest.mark.parametrize("method", ["", ":mean", ":ssgsea", ":authors"])
def test_cytolytic_activity_rises_by_every_method(scores, pairs, method):
    assert signed_rank(change(scores[f"CYT_ROONEY_2015{method}"], pairs)).p_value < 0.01


def test_aucell_made_for_single_cells_sees_nothing_of_two_genes_in_bulk(scores):
    """They are not among the highest 5 % of genes of a tumour."""
    assert (scores["CYT_ROONEY_2015:aucell"] == 0).mean() > 0.9


@pytest.mark.parametrize("method", ["", ":mean", ":ssgsea"])
def test_direct_targets_of_retinoic_acid_do_not_move_by_any_method(scores, pairs, method):
    assert signed_rank(change(scores[f"RA_RESPONSE_DIRECT{method}"], pairs)).p_value > 0.1


def test_the_marker_mean_of_cd8_cells_rises_as_much_as_the_data_set_says(scores, pairs):
    """CD8A is not in the MCP-counter list of one gene, CD8B: the figure is that of CD8A itself."""
    moved = change(scores["DANAHER_CD8_T_CELLS:mean"], pairs)
    assert moved.mean() > 0.5
    assert signed_rank(moved).p_value < 0.01


def test_every_sample_has_every_score_whose_genes_were_measured(scores):
    absent = scores.columns[scores.isna().any()]
    assert set(absent) <= {"IMPRES:authors", "DANAHER_CD45", "MCPCOUNTER_CD8_T_CELLS:aucell"}


def test_the_context_agrees_with_the_genes_it_speaks_of(expression, scores):
    markers = load_markers(config_path("markers/immune_markers.csv"))
    rows = []
    for place, sample in enumerate(expression.samples[:40]):
        one = Expression(
            values=expression.values[[place]],
            samples=expression.samples[[place]],
            genes=expression.genes,
            scale="counts",
        )
        table = context_features(one, signatures=SIGNATURES, markers=markers)
        rows.append(table.set_index("feature")["value"].rename(sample))
    context = pd.DataFrame(rows)
    cytolytic = scores.loc[context.index, "CYT_ROONEY_2015:authors"]
    assert spearmanr(context["mcp_CYTOTOXIC_LYMPHOCYTES"], cytolytic).statistic > 0.8
    assert spearmanr(context["mcp_T_CELLS"], cytolytic).statistic > 0.8
    assert spearmanr(context["purity_proxy"], context["mcp_T_CELLS"]).statistic < -0.5
