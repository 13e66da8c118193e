import csv
from pathlib import Path

import pytest

from rabiomarkers.report.labels import described, explained, plain

SIGNATURES = Path(__file__).parents[2] / "config" / "signatures" / "gene_signatures.csv"


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("clr_CD8_TEM", "CD8 effector memory T cells"),
        ("NLR", "neutrophils per lymphocyte"),
        ("DANAHER_CD8_T_CELLS", "CD8 T cells, Danaher"),
        ("CYT_ROONEY_2015:mean", "cytolytic activity, by mean of genes"),
        ("haemoglobin", ""),
        ("clr_OF_SOMETHING_NEW", ""),
    ],
)
def test_a_feature_has_plain_words_or_none(feature, words):
    assert plain(feature) == words


def test_a_cell_type_is_told_with_its_scale():
    assert explained("fraction_Treg") == "regulatory T cells, fraction of all cells"
    assert explained("shannon") == "Shannon diversity of the stool"


def test_running_text_keeps_the_name():
    assert described("NLR") == "neutrophils per lymphocyte (NLR)"
    assert described("unheard_of") == "unheard_of"


def test_every_signature_that_ships_has_plain_words():
    with SIGNATURES.open(newline="") as handle:
        names = {row["signature"] for row in csv.DictReader(handle)}
    assert len(names) > 50
    assert [name for name in sorted(names) if not plain(name)] == []


@pytest.mark.parametrize(
    ("feature", "told"),
    [
        ("mcp_T_CELLS", "T cells, mean of markers"),
        ("nnls_T", "T, share of RNA"),
        ("nnls_residual", "part of the tumour RNA that the profile of cell types does not explain"),
        ("purity_proxy", "tumour against immune and stromal cells (proxy of purity)"),
    ],
)
def test_the_context_of_bulk_rna_has_plain_words(feature, told):
    assert plain(feature) == told
