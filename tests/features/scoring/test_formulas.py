"""The authors' own formulas, against values computed here by hand from the definitions of their papers."""

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
    assert genes.loc["CD276", "direction"] == -1  # Ayers 2017: the one gene of the eighteen with a negative weight
    assert (genes.drop("CD276")["direction"] == 1).all()
    assert value(author_scores(one, known()), "TIS_AYERS_2017") == pytest.approx(by_hand, rel=1e-10)


def test_a_weighted_sum_of_which_nothing_is_subtracted_is_the_sum():
    rule = {key: told for key, told in RULES["TIS_AYERS_2017"].items() if key != "minus"}
    scored = author_scores(expression(genes=GENES.drop("CD276")), known(rules={"TIS_AYERS_2017": rule}))
    assert note(scored, "TIS_AYERS_2017") == "no gene of one direction was measured"
    assert scored.coverage.tolist() == [17 / 18]
    whole = author_scores(expression(), known(rules={"TIS_AYERS_2017": rule}))
    genes = members("TIS_AYERS_2017")
    by_hand = (np.log2(tpm(expression()) + 1)[genes.index] * genes["weight"] * genes["direction"]).sum()
    assert value(whole, "TIS_AYERS_2017") == pytest.approx(by_hand, rel=1e-12)


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


def test_a_pair_of_equal_genes_does_not_count():
    one = expression()
    flat = Expression(values=np.ones_like(one.values), samples=one.samples, genes=one.genes, scale="tpm")
    assert value(author_scores(flat, known()), "IMPRES") == 0
    first = flat.values.copy()
    first[0, GENES.get_indexer(PAIRS["gene_a"].unique())] += 1
    above = (~PAIRS["gene_b"].isin(PAIRS["gene_a"])).sum()  # the second gene of these pairs is first in none
    raised = Expression(values=first, samples=one.samples, genes=one.genes, scale="tpm")
    assert value(author_scores(raised, known()), "IMPRES") == above
    assert 0 < above < 15


def test_impres_with_too_few_pairs_is_absent_and_says_how_many():
    """Without PDCD1 and CD86 seven of fifteen are left: 47 %, too few for 60 % and enough for 40 %."""
    without = PAIRS[~PAIRS[["gene_a", "gene_b"]].isin(["PDCD1", "CD86"]).any(axis=1)]
    assert len(without) == 7
    few = expression(genes=GENES.drop(["PDCD1", "CD86"]))
    scored = author_scores(few, known())
    assert np.isnan(value(scored, "IMPRES"))
    assert note(scored, "IMPRES") == "7 of 15 pairs were measured, 60% are needed"
    assert scored.coverage[scored.features.index("IMPRES")] == pytest.approx(7 / 15)
    assert np.isfinite(value(author_scores(few, known(minimum_coverage=0.4)), "IMPRES"))


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


@pytest.mark.parametrize("minimum_coverage", [0.6, 0.5, 0.0])
def test_cytolytic_activity_needs_both_genes_whatever_share_the_plan_asks(minimum_coverage):
    scored = author_scores(expression(genes=GENES.drop("PRF1")), known(minimum_coverage=minimum_coverage))
    assert np.isnan(value(scored, "CYT_ROONEY_2015"))
    assert note(scored, "CYT_ROONEY_2015") == "1 of 2 genes were measured, 100% are needed; absent: PRF1"
    assert scored.coverage[scored.features.index("CYT_ROONEY_2015")] == 0.5


def test_polarity_needs_both_genes_whatever_share_the_plan_asks():
    scored = author_scores(expression(genes=GENES.drop("SPP1")), known(minimum_coverage=0.5))
    assert np.isnan(value(scored, "CXCL9_SPP1_POLARITY"))
    assert note(scored, "CXCL9_SPP1_POLARITY") == "no gene of one direction was measured"


@pytest.mark.parametrize(("absent", "scored"), [(7, True), (8, False)])
def test_coverage_at_the_limit_is_enough_and_below_it_is_not(absent, scored):
    """18 genes: 11 are 61 %, 10 are 56 %."""
    fewer = expression(genes=GENES.drop(list(members("IFNG_EXPANDED18_AYERS_2017").index)[:absent]))
    found = author_scores(fewer, known())
    assert np.isfinite(value(found, "IFNG_EXPANDED18_AYERS_2017")) == scored
    assert found.coverage[found.features.index("IFNG_EXPANDED18_AYERS_2017")] == pytest.approx((18 - absent) / 18)


def test_without_the_reference_genes_the_inflamed_profile_is_absent_and_says_which():
    fewer = author_scores(expression(genes=GENES.drop("CD276")), known())
    assert fewer.coverage[fewer.features.index("TIS_AYERS_2017")] == pytest.approx(17 / 18)
    lacking = GENES.drop(list(members("TIS_HOUSEKEEPING_AYERS_2017").index)[:6])
    scored = author_scores(expression(genes=lacking), known())
    assert np.isnan(value(scored, "TIS_AYERS_2017"))
    assert note(scored, "TIS_AYERS_2017").startswith("TIS_HOUSEKEEPING_AYERS_2017: 5 of 11 genes were measured")
    assert scored.coverage[scored.features.index("TIS_AYERS_2017")] == pytest.approx(5 / 11)  # the lower of the two
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


@pytest.mark.parametrize("seed", range(1, 7))  # the sign that the decomposition happens to give is not always ours
def test_the_chemokine_component_is_that_of_the_standardised_genes_with_high_where_they_are_high(seed):
    from sklearn.decomposition import PCA

    some = expression(rows=12, seed=seed)
    genes = members("TLS12_CHEMOKINE").index
    logs = np.log2(pd.DataFrame(some.values, columns=some.genes)[genes] + 1)
    scaled = (logs - logs.mean()) / logs.std(ddof=1)
    component = PCA(1).fit(scaled)
    theirs = component.transform(scaled).ravel() * np.sign(component.components_[0].sum())
    scored = author_cohort_scores(some, known())
    assert scored.values[:, scored.features.index("TLS12_CHEMOKINE")] == pytest.approx(theirs, abs=1e-9)


def test_a_sample_in_which_nothing_was_found_is_left_out_of_the_ranks():
    some = expression(rows=5)
    values = np.vstack([some.values[:2], np.zeros((1, len(GENES))), some.values[2:]])
    with_zeros = Expression(values=values, samples=pd.Index(list("abcdef")), genes=GENES, scale="tpm")
    scored, whole = author_cohort_scores(with_zeros, known()), author_cohort_scores(some, known())
    assert np.isnan(scored.values[2]).all()
    assert np.delete(scored.values, 2, axis=0) == pytest.approx(whole.values, rel=1e-12)


def test_genes_that_differ_in_no_sample_have_no_component():
    genes = members("TLS12_CHEMOKINE").index
    some = expression(rows=4)
    values = some.values.copy()
    values[:, GENES.get_indexer(genes)] = 7.0
    flat = Expression(values=values, samples=some.samples, genes=GENES, scale="tpm")
    scored = author_cohort_scores(flat, known())
    assert np.isnan(value(scored, "TLS12_CHEMOKINE"))
    assert note(scored, "TLS12_CHEMOKINE") == "none of its genes differs between the samples"
    values[:, GENES.get_loc(genes[0])] = [
        1.0,
        3.0,
        7.0,
        15.0,
    ]  # one gene that does: the component is its z, mean 0, sd 1
    one = author_cohort_scores(Expression(values=values, samples=some.samples, genes=GENES, scale="tpm"), known())
    ours = one.values[:, one.features.index("TLS12_CHEMOKINE")]
    assert ours == pytest.approx(np.array([-1.5, -0.5, 0.5, 1.5]) / np.sqrt(5 / 3), abs=1e-12)


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


def test_all_that_a_rule_says_and_no_formula_knows_is_told_at_once():
    rules = {
        "CYT_ROONEY_2015": RULES["CYT_ROONEY_2015"] | {"offest": 1.0, "offset": "much"},
        "IFNG6_AYERS_2017": RULES["IFNG6_AYERS_2017"] | {"input": "log10_tpm", "offset": 1.0},
        "IMPRES": {key: told for key, told in RULES["IMPRES"].items() if key != "total"},
    }
    with pytest.raises(SignatureError) as raised:
        author_scores(expression(), known(rules=rules))
    told = str(raised.value)
    assert "The rule of CYT_ROONEY_2015 has a key 'offest'; geometric_mean knows form, input, source," in told
    assert "The rule of CYT_ROONEY_2015 has the offset 'much'; a number of 0 or more is needed." in told
    assert "The rule of IFNG6_AYERS_2017 has the input 'log10_tpm'; there are log2_tpm, tpm." in told
    assert "The rule of IFNG6_AYERS_2017 has a key 'offset'; mean knows " in told
    assert "The rule of IMPRES has the total None; a number of 0 or more is needed." in told


@pytest.mark.parametrize("offset", [-0.01, float("nan"), float("inf"), True])
def test_an_offset_that_is_no_number_of_zero_or_more_is_refused(offset):
    rules = {"CYT_ROONEY_2015": RULES["CYT_ROONEY_2015"] | {"offset": offset}}
    with pytest.raises(SignatureError, match="has the offset"):
        author_scores(expression(), known(rules=rules))


def test_without_an_offset_a_gene_at_zero_makes_the_geometric_mean_zero():
    rule = {key: told for key, told in RULES["CYT_ROONEY_2015"].items() if key != "offset"}
    one = expression()
    values = one.values.copy()
    values[0, GENES.get_loc("GZMA")] = 0.0
    silent = Expression(values=values, samples=one.samples, genes=one.genes, scale="tpm")
    assert value(author_scores(silent, known(rules={"CYT_ROONEY_2015": rule})), "CYT_ROONEY_2015") == 0


def test_pair_scores_go_by_the_pairs_and_others_by_the_signatures():
    named = SIGNATURES.head(1).assign(signature="IMPRES")
    only = {"IMPRES": RULES["IMPRES"]}
    assert author_scores(expression(), known(rules=only, signatures=named, pairs=PAIRS.head(0))).features == ()
    assert author_scores(expression(), known(rules=only, signatures=named)).features == ("IMPRES",)


def test_without_rules_or_pairs_one_is_told_what_lacks():
    with pytest.raises(SignatureError, match=r"scoring_rules\.yaml"):
        author_scores(expression(), known(rules=None))
    only = {"IMPRES": RULES["IMPRES"]}
    assert author_scores(expression(), known(rules=only, pairs=None)).features == ()
