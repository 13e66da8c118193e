"""Quality of one RNA sample; the counts are small enough to add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.expression_quality import HOUSEKEEPING, expression_quality, housekeeping_rank
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path


def sample(housekeeping=1500.0, genes=2000):
    """Genes at 1, 2, 3, .. reads, and the reference genes at one level."""
    values = pd.Series(np.arange(1.0, genes + 1), index=[f"G{number:04d}" for number in range(genes)])
    return pd.concat([values, pd.Series(housekeeping, index=list(HOUSEKEEPING))])


def quality(expression, **options):
    return expression_quality(expression, scale="counts", **options).set_index("measure")


def test_the_reference_genes_are_those_of_the_signature_table():
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    known = signatures.loc[signatures["signature"] == "TIS_HOUSEKEEPING_AYERS_2017", "gene"]
    assert set(HOUSEKEEPING) == set(known)


def test_low_reference_genes_fail_a_sample():
    high, low = quality(sample(1500.5)), quality(sample(10.5))
    # 1 500 of the others lie below eleven genes that share a rank: (1500 + 5) / 2010
    assert high.loc["housekeeping_rank", "value"] == pytest.approx(1505 / 2010)
    assert high.loc["housekeeping_rank", "passed"]
    assert low.loc["housekeeping_rank", "value"] == pytest.approx(15 / 2010)
    assert not low.loc["housekeeping_rank", "passed"]


@given(st.floats(0.01, 1e4))
def test_the_rank_of_reference_genes_knows_no_depth(factor):
    assert housekeeping_rank(sample() * factor) == pytest.approx(housekeeping_rank(sample()), abs=1e-12)


def test_a_sample_made_of_fifty_genes_fails():
    expression = sample(0.0)
    expression.iloc[:50] = 1e6
    told = quality(expression)
    rest = 2000 * 2001 / 2 - 50 * 51 / 2
    assert told.loc["top_50_share", "value"] == pytest.approx(5e7 / (5e7 + rest))
    assert not told.loc["top_50_share", "passed"]
    assert quality(sample()).loc["top_50_share", "passed"]


def test_mitochondrial_genes_are_shown_where_they_were_measured():
    expression = pd.concat([sample(), pd.Series({"MT-CO1": 5000.0, "MT-ND1": 0.0})])
    told = quality(expression)
    assert told.loc["mitochondrial_share", "value"] == pytest.approx(5000 / expression.sum())
    assert told.loc["mitochondrial_share", "passed"]
    assert "mitochondrial_share" not in quality(sample()).index


@pytest.mark.parametrize(("scale", "unit"), [("counts", "reads"), ("tpm", "TPM")])
def test_a_sample_in_which_every_gene_is_at_zero_fails_and_says_so(scale, unit):
    told = expression_quality(sample() * 0, scale=scale).set_index("measure")
    assert told.loc["total", ["value", "unit", "limit", "passed"]].to_list() == [
        0,
        unit,
        "> 0 (every gene is at zero)",
        False,
    ]
    assert not told.loc["genes_detected", "passed"]
    assert not {"housekeeping_rank", "top_50_share"} & set(told.index)


def test_a_sample_without_genes_fails_in_the_same_words():
    assert not quality(pd.Series(dtype=float)).loc["total", "passed"]


def test_ids_without_symbols_and_panels_have_no_row_that_says_nothing():
    by_id = sample()
    by_id.index = [f"ENSG{number:011d}" for number in range(len(by_id))]
    assert "housekeeping_rank" not in quality(by_id).index
    assert np.isnan(quality(by_id).loc["y_chromosome_log2cpm", "value"])
    panel = sample(genes=300)
    assert not {"housekeeping_rank", "top_50_share"} & set(quality(panel).index)


def test_logarithms_are_refused():
    with pytest.raises(ScaleError, match="not from 'log' values"):
        expression_quality(sample(), scale="log")


@pytest.mark.parametrize(("measured", "told"), [(5, False), (6, True)])
def test_of_fewer_than_six_reference_genes_no_rank_is_told(measured, told):
    assert np.isnan(housekeeping_rank(sample().drop(list(HOUSEKEEPING[measured:])))) != told
