"""What the page says of genes, scores and identity, held against the settings and the methods."""

import re
from html import unescape

import numpy as np
import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rabiomarkers.features.scoring.rank_scores import AUC_SHARE
from rabiomarkers.report.methods import EXACT
from rabiomarkers.report.page import SETTINGS_TOLD, TEMPLATES
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.stats.competitive import FLIPS, self_contained_test


def told(**changes):
    """The words on methods alone, on one line, under settings that differ in these."""
    settings = StudySettings(name="a").model_dump(mode="json")
    assert set(SETTINGS_TOLD) <= set(settings)
    merged = settings | {key: settings[key] | value for key, value in changes.items()}
    engine = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = engine.get_template("methods.html.j2").render(settings=merged, exact=EXACT, contrast=("pre", "post"))
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", page)))


def test_the_planned_test_of_genes_is_named_and_no_other():
    moderated = told(genes={"test": "moderated_t"})
    assert "are tested by the moderated t" in moderated
    assert "DESeq2" not in moderated
    deseq2 = told(genes={"test": "deseq2"})
    assert "negative binomial (DESeq2's model, by PyDESeq2)" in deseq2
    assert "differences of log2 CPM are tested" not in deseq2


@pytest.mark.parametrize(("count", "said"), [(10.0, "about 10 reads"), (2.5, "about 2.5 reads")])
def test_the_least_count_is_that_of_the_settings(count, said):
    assert said in told(genes={"minimum_count": count})


def test_libraries_are_said_to_be_scaled_by_trimmed_means():
    assert "trimmed means of M values" in told()


METHODS = {
    "mean": "mean: mean log2 level of the genes.",
    "ssgsea": "ssgsea: raw enrichment score",
    "aucell": f"aucell: recovery among the highest {AUC_SHARE:.0%} of genes".replace("%", " %"),
    "z": "z: mean z against a reference that was frozen before",
    "authors": "authors: the formula of the signature's authors",
    "gsva": "compare samples with each other",
}


@pytest.mark.parametrize("method", METHODS)
def test_each_method_of_scoring_is_told_where_the_study_asks_for_it_only(method):
    asked = told(expression={"methods": ["rank", method]})
    assert METHODS[method] in asked
    for other, said in METHODS.items():
        assert (said in asked) == (other == method)


def test_a_study_of_rank_scores_alone_has_no_words_on_others():
    assert "Other scores" not in told(expression={"methods": ["rank"]})


def test_cells_by_type_are_told_where_the_study_scores_them():
    few = {"pseudobulk": {"CD8_T": ["CYT_ROONEY_2015"]}, "minimum_cells_per_type": 17}
    assert "where there are 17 cells or more" in told(cells=few)
    assert "Signatures within cell types" not in told(cells={"pseudobulk": {}})


def test_signs_of_patients_are_flipped_in_every_way_as_far_as_is_said():
    pairs = int(EXACT["gene_flips"])
    words = told()
    assert f"every way up to {pairs} pairs; beyond, {EXACT['gene_draws']} ways are drawn" in words
    assert f"with a correlation of {EXACT['gene_correlation']} between genes" in words
    scores = np.random.default_rng(5).normal(1, 1, size=(1, pairs + 1))
    assert self_contained_test(scores[:, :pairs]).p_floor[0] == 2 / 2**pairs
    assert self_contained_test(scores).p_floor[0] == 1 / (FLIPS + 1)
