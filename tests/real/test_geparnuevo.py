"""GeparNuevo (durvalumab before surgery, triple-negative breast cancer): the facts of the README in the shared data.

The list is a panel of 2 549 genes with a p each and no patients, so only the competitive question can be asked of it: do the genes
of a signature move more than the other genes of the panel.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from rabiomarkers.knowledge import load_aliases, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.competitive import competitive_test, enrichment_walk

IMMUNE = ["CYT_ROONEY_2015", "TIS_AYERS_2017", "ROH_IMMUNE_SCORE_2017", "IFNG_EXPANDED18_AYERS_2017", "DANAHER_T_CELLS"]
RETINOID = ["RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT"]


@pytest.fixture(scope="module")
def genes(shared_data):
    return pd.read_csv(shared_data / "geparnuevo_gene_summary" / "gene_summary.csv.gz").set_index("gene")


def ranked(genes, arm):
    """Each gene's change as a z value: its p with the sign of its mean change; present symbols, sorted."""
    aliases = load_aliases(config_path("signatures/gene_aliases.csv"))
    z = norm.isf(genes[f"p_AB_{arm}"] / 2) * np.sign(genes[f"meanlog2Diff_AB_{arm}"])
    return z.dropna().rename(lambda symbol: aliases.get(symbol, symbol)).groupby(level=0).mean().sort_index()


def asked(statistic, name):
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    own = signatures[(signatures["signature"] == name) & signatures["gene"].isin(statistic.index)]
    members = statistic.index.get_indexer(own["gene"]).astype(np.int64)
    signs = own["direction"].to_numpy(float)
    values = statistic.to_numpy()
    return competitive_test(values, members, signs), enrichment_walk(values, members, signs)


@pytest.mark.parametrize(
    ("gene", "durvalumab", "p_value", "placebo"),
    [
        ("CD8A", 0.34, 0.047, -0.05),
        ("GZMA", 0.49, 0.007, 0.08),
        ("PDCD1", 0.45, 0.014, 0.14),
        ("CD274", 0.36, 0.002, 0.01),
        ("IFNG", 0.27, 0.032, -0.23),
        ("RARA", -0.04, None, None),
        ("RARB", -0.04, None, None),
        ("RBP1", -0.43, 0.008, None),
        ("ALDH1A1", 0.55, 0.002, None),
    ],
)
def test_genes_move_as_published(genes, gene, durvalumab, p_value, placebo):
    row = genes.loc[gene]
    assert row["meanlog2Diff_AB_durva"] == pytest.approx(durvalumab, abs=0.006)
    if p_value is not None:
        assert row["p_AB_durva"] == pytest.approx(p_value, abs=6e-4)
    if placebo is not None:
        assert row["meanlog2Diff_AB_plac"] == pytest.approx(placebo, abs=0.006)


def test_three_hundred_genes_move_with_the_drug_and_fewer_with_placebo(genes):
    assert int((genes["p_AB_durva"] < 0.05).sum()) == 302
    assert int((genes["p_AB_plac"] < 0.05).sum()) == 86


@pytest.mark.parametrize("name", IMMUNE)
def test_immune_signatures_rise_on_the_antibody_more_than_on_placebo(genes, name):
    drug, placebo = (asked(ranked(genes, arm), name)[0] for arm in ("durva", "plac"))
    assert drug.difference > 0
    assert drug.difference > placebo.difference


def test_the_t_cell_signature_stands_out_of_the_panel_on_the_antibody(genes):
    drug, walk = asked(ranked(genes, "durva"), "ROH_IMMUNE_SCORE_2017")
    assert drug.p_value < 0.01
    assert walk.score > 0.5


@pytest.mark.parametrize("name", RETINOID)
def test_retinoic_acid_signatures_do_not_move_where_nobody_had_retinoic_acid(genes, name):
    drug, _ = asked(ranked(genes, "durva"), name)
    assert drug.p_value > 0.05
