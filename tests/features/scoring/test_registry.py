"""The table of all methods: what stands in a row belongs to its sample and its feature, whoever is scored beside them."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.mean_scores import freeze_reference
from rabiomarkers.features.scoring.registry import METHODS, score, score_samples, score_table
from rabiomarkers.knowledge import load_pairs, load_rules, load_signatures

CHOSEN = ("CYT_ROONEY_2015", "IFNG6_AYERS_2017", "TLS12_CHEMOKINE", "DAVOLI_CYTOTOXIC_INFILTRATE", "RA_RECEPTORS")
SIGNATURES = load_signatures()[lambda table: table["signature"].isin(CHOSEN)]
ABSENT = ("CCL2", "IDO1")
PER_SAMPLE = [name for name, method in METHODS.items() if not method.cohort_dependent]


def expression(rows=slice(None), scale="counts"):
    named = {*SIGNATURES["gene"], *load_pairs()["gene_a"], *load_pairs()["gene_b"]} - set(ABSENT)
    genes = pd.Index(sorted(named | {f"X{place}" for place in range(40)}))
    values = np.random.default_rng(1).poisson(30, (5, len(genes))).astype(float)
    samples = pd.Index(["S5", "S1", "S4", "S2", "S3"])
    return Expression(values=values[rows], samples=samples[rows], genes=genes, scale=scale)


def known(**more):
    reference = freeze_reference(expression())
    told = {"signatures": SIGNATURES, "pairs": load_pairs(), "rules": load_rules(), "reference": reference}
    return Known(**(told | more))


def test_each_row_of_a_table_of_many_samples_is_that_of_the_sample_alone():
    whole = score_table(expression(), known(), PER_SAMPLE)
    alone = [score_table(expression(slice(place, place + 1)), known(), PER_SAMPLE) for place in range(5)]
    pd.testing.assert_frame_equal(whole, pd.concat(alone, ignore_index=True), check_exact=False, rtol=0, atol=1e-12)
    assert whole["coverage"].nunique() > 2
    assert set(whole["unit"]) >= {"CPM", "log2 CPM", "pairs", "mean z"}


def test_samples_keep_their_order_and_features_are_sorted():
    table = score_table(expression(), known(), ["mean", "rank"])
    assert table["sample_id"].drop_duplicates().tolist() == ["S5", "S1", "S4", "S2", "S3"]
    first = table.loc[table["sample_id"] == "S5", "feature"].tolist()
    assert first == sorted([*CHOSEN, *(f"{name}:mean" for name in CHOSEN)])


def test_coverage_and_marks_are_those_of_the_feature():
    table = score_table(expression(), known(), list(METHODS)).set_index("feature")
    for method in METHODS:
        suffix = "" if method == "rank" else f":{method}"
        if method != "authors":
            rows = table.loc[[f"TLS12_CHEMOKINE{suffix}"]]
            assert rows["coverage"].tolist() == pytest.approx([11 / 12] * 5)  # CCL2 was not measured
            assert set(rows["method"]) == {method}
    hanging = set(table.loc[table["cohort_dependent"], "method"])
    assert hanging == {"gsva", "authors_cohort"}
    assert set(table.loc[~table["cohort_dependent"], "method"]) == set(PER_SAMPLE)


def test_only_what_compares_samples_moves_when_one_comes():
    four, five = (score_table(expression(slice(count)), known(), list(METHODS)) for count in (4, 5))
    before, after = (table.set_index(["sample_id", "feature"]) for table in (four, five))
    moved = (after.loc[before.index, "value"] - before["value"]).abs()
    fixed = moved[~before["cohort_dependent"]]
    assert fixed.max() <= 1e-12
    assert (moved[before["cohort_dependent"]] > 1e-6).any()


def test_methods_that_are_not_there_are_all_named_beside_those_that_are():
    with pytest.raises(SignatureError, match=r"No scoring method 'plage', 'magic'; there are rank, mean, .*gsva"):
        score(expression(), known(), ["rank", "plage", "magic"])
    with pytest.raises(SignatureError, match="No scoring method 'plage'"):
        list(score_samples([expression()], known(), ["plage"]))


@pytest.mark.parametrize("method", ["mean", "z", "authors"])
def test_methods_that_take_the_logarithm_themselves_refuse_logarithms(method):
    with pytest.raises(ScaleError, match="counts or TPM, not log values"):
        score(expression(scale="log"), known(), [method])


def test_without_methods_the_table_is_empty_and_has_its_columns():
    table = score_table(expression(), known(), [])
    assert table.empty
    assert list(table.columns) == list(score_table(expression(), known(), ["rank"]).columns)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_says_what_it_is_where_it_comes_from_and_its_licence(method):
    entry = METHODS[method]
    assert entry.words
    assert entry.licence
    assert entry.source.startswith(("doi:10.", "the form of MCP-counter, doi:10.", "config/", "project convention"))
