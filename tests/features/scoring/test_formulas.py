"""The authors' own formulas, against values computed here by hand from ../shared/knowledge/scoring_rules.yaml and its papers."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.formulas import author_cohort_scores, author_scores
from rabiomarkers.knowledge import load_pairs, load_rules, load_signatures

SIGNATURES, PAIRS, RULES = load_signatures(), load_pairs(), load_rules()
GENES = pd.Index(sorted({*SIGNATURES["gene"], *PAIRS["gene_a"], *PAIRS["gene_b"]}))


def expression(rows=1, scale="tpm", seed=1, genes=GENES):
    values = np.random.default_rng(seed).gamma(0.8, 60.0, (rows, len(GENES)))
    values = values.round() if scale == "counts" else values
    chosen = GENES.get_indexer(genes)
    return Expression(
        values=values[:, chosen], samples=pd.Index([f"S{row}" for row in range(rows)]), genes=genes, scale=scale
    )


def known(**more):
    return Known(**({"signatures": SIGNATURES, "pairs": PAIRS, "rules": RULES} | more))


def value(scored, name, row=0):
    return scored.values[row, scored.features.index(name)]


def note(scored, name, row=0):
    return scored.notes[row, scored.features.index(name)]


def tpm(sample):
    return pd.Series(sample.values[0], sample.genes)


def members(name):
    return SIGNATURES[SIGNATURES["signature"] == name].set_index("gene")


def test_cytolytic_activity_is_the_geometric_mean_of_two_genes():
    """Rooney 2015: of GZMA and PRF1 in TPM, 0.01 added."""
    one = expression()
    by_hand = np.sqrt((tpm(one)["GZMA"] + 0.01) * (tpm(one)["PRF1"] + 0.01))
    assert value(author_scores(one, known()), "CYT_ROONEY_2015") == pytest.approx(by_hand, rel=1e-12)


def test_roh_s_score_is_the_geometric_mean_of_its_genes():
    one = expression()
    by_hand = np.exp(np.log(tpm(one)[members("ROH_IMMUNE_SCORE_2017").index] + 0.01).mean())
    assert value(author_scores(one, known()), "ROH_IMMUNE_SCORE_2017") == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("name", ["IFNG6_AYERS_2017", "IFNG_EXPANDED18_AYERS_2017"])
def test_the_interferon_scores_are_means_of_logarithms(name):
    one = expression()
    by_hand = np.log2(tpm(one)[members(name).index] + 1).mean()
    assert value(author_scores(one, known()), name) == pytest.approx(by_hand, rel=1e-12)


def test_the_inflamed_profile_weighs_genes_after_the_housekeeping_mean_is_taken_off():
    """Ayers 2017: for each gene log2 less the mean of eleven reference genes, times its weight, summed."""
    one, genes = expression(), members("TIS_AYERS_2017")
    logs = np.log2(tpm(one) + 1)
    reference = logs[members("TIS_HOUSEKEEPING_AYERS_2017").index].mean()
    by_hand = ((logs[genes.index] - reference) * genes["weight"] * genes["direction"]).sum()
    assert value(author_scores(one, known()), "TIS_AYERS_2017") == pytest.approx(by_hand, rel=1e-10)


def test_a_factor_on_all_genes_moves_the_inflamed_profile_little_as_the_reference_moves_along():
    one = expression(seed=4)
    double = Expression(values=one.values * 8, samples=one.samples, genes=one.genes, scale="tpm")
    weight = members("TIS_AYERS_2017")["weight"].sum()
    moved = value(author_scores(double, known()), "TIS_AYERS_2017") - value(
        author_scores(one, known()), "TIS_AYERS_2017"
    )
    assert abs(moved) < 0.5 * 3 * weight  # without the reference it would move by three times the weights


def test_impres_counts_pairs_and_scales_to_fifteen():
    """Auslander 2018: of fifteen pairs in how many the first gene lies above the second."""
    one = expression()
    above = sum(tpm(one)[a] > tpm(one)[b] for a, b in zip(PAIRS["gene_a"], PAIRS["gene_b"], strict=True))
    assert value(author_scores(one, known()), "IMPRES") == above
    pair = PAIRS.iloc[0]
    lacking = GENES.drop(pair["gene_a"])
    fewer = expression(genes=lacking)
    kept = PAIRS[(PAIRS["gene_a"] != pair["gene_a"]) & (PAIRS["gene_b"] != pair["gene_a"])]
    count = sum(tpm(fewer)[a] > tpm(fewer)[b] for a, b in zip(kept["gene_a"], kept["gene_b"], strict=True))
    assert value(author_scores(fewer, known()), "IMPRES") == pytest.approx(15 * count / len(kept))


def test_impres_with_too_few_pairs_is_absent_and_says_how_many():
    few = GENES.drop([gene for gene in PAIRS["gene_a"].unique() if gene in GENES][:9])
    scored = author_scores(expression(genes=few), known())
    assert np.isnan(value(scored, "IMPRES"))
    assert "of 15 pairs were measured, 60% are needed" in note(scored, "IMPRES")


def test_polarity_is_one_gene_less_the_other():
    one = expression()
    logs = np.log2(tpm(one) + 1)
    by_hand = logs["CXCL9"] - logs["SPP1"]
    assert value(author_scores(one, known()), "CXCL9_SPP1_POLARITY") == pytest.approx(by_hand, rel=1e-12)


def test_of_counts_the_formulas_take_cpm_and_the_unit_says_so():
    counts = expression(scale="counts")
    scored = author_scores(counts, known())
    cpm = tpm(counts) / tpm(counts).sum() * 1e6
    by_hand = np.sqrt((cpm["GZMA"] + 0.01) * (cpm["PRF1"] + 0.01))
    assert value(scored, "CYT_ROONEY_2015") == pytest.approx(by_hand, rel=1e-12)
    assert scored.unit[scored.features.index("CYT_ROONEY_2015")] == "CPM"
    assert scored.unit[scored.features.index("TIS_AYERS_2017")] == "log2 CPM"


@pytest.mark.parametrize("score", [author_scores, author_cohort_scores])
def test_logarithms_are_refused(score):
    with pytest.raises(ScaleError):
        score(expression(scale="log"), known())


def test_a_score_one_of_whose_two_genes_is_absent_is_absent():
    scored = author_scores(expression(genes=GENES.drop("PRF1")), known())
    assert np.isnan(value(scored, "CYT_ROONEY_2015"))
    assert note(scored, "CYT_ROONEY_2015") == "1 of 2 genes were measured, 60% are needed; absent: PRF1"


def test_without_the_reference_genes_the_inflamed_profile_is_absent_and_says_which():
    lacking = GENES.drop(list(members("TIS_HOUSEKEEPING_AYERS_2017").index)[:6])
    scored = author_scores(expression(genes=lacking), known())
    assert np.isnan(value(scored, "TIS_AYERS_2017"))
    assert note(scored, "TIS_AYERS_2017").startswith("TIS_HOUSEKEEPING_AYERS_2017: 5 of 11 genes were measured")
    alone = SIGNATURES[SIGNATURES["signature"] != "TIS_HOUSEKEEPING_AYERS_2017"]
    scored = author_scores(expression(), known(signatures=alone))
    assert "is not among the signatures that are scored" in note(scored, "TIS_AYERS_2017")


def test_davoli_ranks_each_gene_among_the_samples():
    """Davoli 2017: ranks scaled to 0..1 by gene, averaged."""
    some = expression(rows=6)
    logs = pd.DataFrame(some.values, columns=some.genes)[members("DAVOLI_CYTOTOXIC_INFILTRATE").index]
    by_hand = ((logs.rank() - 1) / 5).mean(axis=1)
    scored = author_cohort_scores(some, known())
    column = scored.features.index("DAVOLI_CYTOTOXIC_INFILTRATE")
    assert scored.values[:, column] == pytest.approx(by_hand.to_numpy(), rel=1e-12)


def test_the_chemokine_component_is_that_of_the_standardised_genes_with_high_where_they_are_high():
    from sklearn.decomposition import PCA

    some = expression(rows=12)
    genes = members("TLS12_CHEMOKINE").index
    logs = np.log2(pd.DataFrame(some.values, columns=some.genes)[genes] + 1)
    scaled = (logs - logs.mean()) / logs.std(ddof=1)
    component = PCA(1).fit(scaled)
    theirs = component.transform(scaled).ravel() * np.sign(component.components_[0].sum())
    scored = author_cohort_scores(some, known())
    assert scored.values[:, scored.features.index("TLS12_CHEMOKINE")] == pytest.approx(theirs, abs=1e-9)


def test_two_samples_are_too_few_to_compare():
    scored = author_cohort_scores(expression(rows=2), known())
    assert np.isnan(scored.values).all()
    assert set(scored.notes.ravel()) == {"this score compares samples: it needs 3 or more, there are 2"}


def test_a_score_of_one_sample_hangs_on_no_other_sample():
    three, one = expression(rows=3), expression(rows=1)
    assert (three.values[0] == one.values[0]).all()
    assert author_scores(three, known()).values[0] == pytest.approx(author_scores(one, known()).values[0], abs=1e-12)


def test_a_form_nobody_knows_is_an_error_that_names_those_there_are():
    rules = RULES | {"MINE": {"form": "harmonic_mean", "input": "tpm", "source": "me"}}
    with pytest.raises(SignatureError, match=r"MINE has the form 'harmonic_mean'; there are .*geometric_mean"):
        author_scores(expression(), known(rules=rules))


def test_without_rules_or_pairs_one_is_told_what_lacks():
    with pytest.raises(SignatureError, match=r"scoring_rules\.yaml"):
        author_scores(expression(), known(rules=None))
    only = {"IMPRES": RULES["IMPRES"]}
    assert author_scores(expression(), known(rules=only, pairs=None)).features == ()
