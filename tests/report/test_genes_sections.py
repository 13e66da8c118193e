"""Axes, single genes, immune context, identity and coverage on the page."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import rabiomarkers as ra
from rabiomarkers.errors import ResultsError
from rabiomarkers.features.immune_context import METHODS_OF_CONTEXT
from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.figures.axes import axis_points
from rabiomarkers.report.figures.enrichment import enrichment_points
from rabiomarkers.report.figures.gene_heatmap import BAND, gene_heatmap
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.figures.volcano import NAMED, volcano
from rabiomarkers.report.page import render
from rabiomarkers.report.sections_axes import axes_section, context_section
from rabiomarkers.report.sections_genes import coverage_section, genes_section
from rabiomarkers.report.sections_identity import identity_section
from rabiomarkers.results import open_results
from tests.support.synthetic_results import Invented, make_results

SECTIONS = (axes_section, genes_section, coverage_section, identity_section)


@pytest.fixture(scope="module")
def data(folder):
    return data_of_results(open_results(folder))


@pytest.fixture(scope="module")
def swapped(tmp_path_factory):
    """Results in which the first tumour sample may be another patient's."""
    return open_results(
        make_results(tmp_path_factory.mktemp("swapped") / "r", Invented(odd_sample="P05-post-rna_counts"))
    )


def grids(section):
    return [block for block in section.blocks if isinstance(block, Grid)]


def pictures(section):
    return {block.name: block for block in section.blocks if isinstance(block, Picture)}


# --- axes -----------------------------------------------------------------------------------------------------------


def test_availability_is_told_before_treatment_only_and_the_rest_as_change(data):
    section = axes_section(data)
    before, change = grids(section)
    assert [row[1].split("\n")[0] for row in before.rows] == ["synthesis", "degradation"]
    assert "p (floor)" not in before.columns
    assert [row[1].split("\n")[0] for row in change.rows] == ["all targets", "direct targets", "whole"]
    assert {*pictures(section)} == {"axes-before", "axes-change"}
    assert "before treatment only" in pictures(section)["axes-before"].caption


def test_an_arm_without_a_value_is_told_with_its_reason_and_not_drawn(data):
    axes = data.axes.copy()
    axes.loc[axes["arm"] == "whole", ["estimate", "low", "high", "p_value"]] = np.nan
    axes["note"] = axes["note"].where(axes["arm"] != "whole", "no gene was measured")
    section = axes_section(replace(data, axes=axes))
    assert grids(section)[1].rows[2][4] == "not estimable\nno gene was measured"
    assert len(pictures(section)["axes-change"].content.data[0].x) == 2


def test_the_intervals_of_an_axis_are_those_of_the_table(data):
    figure = axis_points(data.axes, use="change")
    rows = data.axes[data.axes["use"] == "change"]
    assert list(figure.data[0].x) == rows["estimate"].tolist()
    assert list(figure.data[0].error_x.array) == pytest.approx((rows["high"] - rows["estimate"]).tolist())


# --- genes ----------------------------------------------------------------------------------------------------------


def test_every_tested_gene_counts_in_the_volcano_and_untested_ones_are_told(data):
    section = genes_section(data)
    figure = pictures(section)["volcano-tumour-rna-counts"]
    assert "Not tested: 1 too few reads" in figure.caption
    assert figure.content.layout.title.text == f"{data.genes['p_value'].notna().sum()} genes of tumour (rna counts)"
    told = "".join(trace.name for trace in figure.content.data)
    counted = sum(int(part.split(")")[0]) for part in told.split("(")[1:])
    assert counted == data.genes["p_value"].notna().sum()


def test_names_in_the_volcano_do_not_cover_one_another_and_are_not_too_many():
    rng = np.random.default_rng(1)
    genes = pd.DataFrame({"gene": [f"GENE{place}" for place in range(300)], "p_value": rng.uniform(0, 1, 300) ** 4})
    genes = genes.assign(q_value=genes["p_value"], estimate=rng.normal(0, 1, 300), ci_low=-1, ci_high=1, n_pairs=8)
    figure = volcano(genes.assign(mean_level=3.0), {}, title="tumour")
    names = [(note.x, note.y) for note in figure.layout.annotations]
    assert 3 <= len(names) <= NAMED
    assert len(set(names)) == len(names)


def test_no_name_in_the_volcano_covers_the_mark_of_a_gene_that_moved():
    near = pd.DataFrame({"gene": ["A", "B", "C"], "estimate": [2.0, 2.1, 2.2], "p_value": [1e-8, 1e-8, 1e-8]})
    near = near.assign(q_value=1e-6, ci_low=1.0, ci_high=3.0, n_pairs=8, mean_level=3.0)
    figure = volcano(near, {}, title="tumour")
    assert figure.layout.annotations
    heights = {note.y for note in figure.layout.annotations}
    assert not heights & set(
        figure.data[0].y
    )  # beside them the next mark lies in the way; above or below there is room


def test_a_p_of_zero_is_drawn_at_a_finite_height():
    row = {"gene": "A", "p_value": 0.0, "q_value": 0.0, "estimate": 1.0, "ci_low": 0.5, "ci_high": 1.5, "n_pairs": 8}
    figure = volcano(pd.DataFrame([row | {"mean_level": 3.0}]), {"A": "SET"}, title="tumour")
    assert np.isfinite(figure.data[0].y[0])
    assert "of SET" in figure.data[0].hovertext[0]


def test_genes_none_of_which_could_be_tested_are_a_message(data):
    none = data.genes.assign(p_value=np.nan)
    assert volcano(none, {}, title="tumour") == Message("No gene of tumour could be tested.")


def test_the_heatmap_puts_responders_first_and_genes_in_order_of_their_change(data):
    figure = gene_heatmap(data.gene_deltas, data.outcomes, title="tumour")
    groups, _ = figure.data[0].x
    assert list(groups) == sorted(groups, key=["responder", "non-responder", "response not known"].index)
    means = np.nanmean(np.array(figure.data[0].z, dtype=float), axis=1)
    assert (np.diff(means) >= -1e-9).all()
    assert figure.data[0].zmin == -figure.data[0].zmax


def test_the_strip_above_the_heatmap_is_as_wide_as_each_group(data):
    figure = gene_heatmap(data.gene_deltas, data.outcomes, title="tumour")
    groups = list(figure.data[0].x[0])
    shown = [(strip.x0, strip.x1, strip.fillcolor) for strip in figure.layout.shapes]
    first = groups.count("responder") / len(groups)
    assert shown[0][:2] == pytest.approx((0, first))
    assert [strip[2] for strip in shown] == [BAND[group] for group in dict.fromkeys(groups)]
    assert shown[-1][1] == pytest.approx(1)


def test_beyond_sixty_genes_those_that_moved_furthest_are_drawn(data):
    rows = [
        {"gene": f"G{place}", "patient_id": name, "change": place / 10, "chosen": "smallest p"}
        for place in range(80)
        for name in ("P01", "P02")
    ]
    figure = gene_heatmap(pd.DataFrame(rows), data.outcomes, title="tumour")
    assert list(figure.data[0].y) == [f"G{place}" for place in range(20, 80)]
    assert "60 of 80 genes" in figure.layout.title.subtitle.text


def test_enrichment_tells_both_p_and_leaves_availability_out(data):
    extra = data.enrichment.iloc[[0]].assign(signature="RA_DEGRADATION")
    both = replace(data, enrichment=pd.concat([data.enrichment, extra], ignore_index=True))
    section = genes_section(both)
    table = grids(section)[1]
    assert {row[0].split("\n")[0] for row in table.rows} == set(data.enrichment["signature"])
    assert "Left out: RA_DEGRADATION" in pictures(section)["enrichment-tumour-rna-counts"].caption
    few = next(row for row in table.rows if row[0].startswith("RA_RECEPTORS"))
    assert few[2] == "not estimable\n1 of 5 genes was tested; at least 3 are needed"


def test_only_what_passes_both_ways_is_filled():
    rows = pd.DataFrame(
        {
            "signature": ["A", "B", "C"],
            "axis": "x",
            "n_genes": 10,
            "enrichment_score": [0.8, 0.7, -0.6],
            "p_value": 0.001,
            "q_value": [0.01, 0.01, 0.01],
            "p_patients": [0.01, 0.2, 0.01],
            "p_floor": 0.002,
            "n_pairs": 9,
            "leading_edge": "G1",
        }
    )
    figure = enrichment_points(rows, title="tumour")
    assert dict(zip(figure.data[0].y, figure.data[0].marker.symbol, strict=True)) == {
        "A": "triangle-up",
        "B": "triangle-up-open",
        "C": "triangle-down",
    }


def test_nothing_to_enrich_is_a_message(data):
    assert isinstance(enrichment_points(data.enrichment.assign(enrichment_score=np.nan), title="tumour"), Message)


# --- context, coverage ----------------------------------------------------------------------------------------------


def test_the_context_is_told_where_samples_have_it(data):
    assert context_section(data) is None
    named = data.changes.copy()
    named.loc[named.index[:2], "feature"] = ["mcp_T_CELLS", "purity_proxy"]
    section = context_section(replace(data, changes=named))
    table, methods = grids(section)
    assert [row[0].split("\n")[1] for row in table.rows] == ["mcp_T_CELLS", "purity_proxy"]
    assert [row[0].split("\n")[0] for row in methods.rows] == ["marker mean", "purity proxy"]
    assert "GPL-3" in methods.rows[0][2]
    assert "no fraction" in methods.rows[1][0]


def test_every_method_of_the_context_stands_with_the_source_and_licence_it_was_written_with(data):
    given = {"mcp_T_CELLS": "marker mean", "nnls_b": "nnls", "purity_proxy": "purity proxy"}
    assert set(given.values()) == set(METHODS_OF_CONTEXT)
    named = data.changes.copy()
    named.loc[named.index[:3], "feature"] = list(given)
    told = {row[0].split("\n")[0]: row for row in grids(context_section(replace(data, changes=named)))[1].rows}
    for name, method in METHODS_OF_CONTEXT.items():
        for doi in re.findall(r"doi:[^\s,;)]+", method.source):
            assert doi in told[name][1]
        assert ("GPL-3" in method.licence) == ("GPL-3" in told[name][2])


@pytest.mark.parametrize("feature", ["epithelial_markers", "nnls_residual", "purity_proxy", "mcp_NK_CELLS"])
def test_every_feature_of_the_context_is_told_in_plain_words(data, feature):
    named = data.changes.copy()
    named.loc[named.index[0], "feature"] = feature
    (row,) = grids(context_section(replace(data, changes=named)))[0].rows
    words, name = row[0].split("\n")
    assert name == feature
    assert words != feature


def test_a_context_that_could_not_be_estimated_has_no_number_by_accident(data):
    named = data.changes.copy()
    named.loc[named.index[0], ["feature", "note"]] = ["purity_proxy", "no pair"]
    named.loc[named.index[0], ["estimate", "ci_low", "ci_high", "p_value", "p_floor", "q_value"]] = np.nan
    (row,) = grids(context_section(replace(data, changes=named)))[0].rows
    assert row[3] == "not estimable"
    assert row[4:7] == ("\N{EN DASH}",) * 3
    assert "no pair" in row[7]


def test_genes_that_were_not_measured_are_named(data):
    (table,) = grids(coverage_section(data))
    assert table.caption == "Signatures not measured in full: 1 of 2"
    assert table.rows[0][2:] == ("4 of 6 (66.7\N{NO-BREAK SPACE}%)", "RXRG, RORC (in 2 samples)")


def test_signatures_measured_in_full_are_told_in_a_sentence(data):
    whole = data.gene_coverage[data.gene_coverage["coverage"] == 1]
    (table,) = grids(coverage_section(replace(data, gene_coverage=whole)))
    assert not table.rows
    assert table.note == "Every gene of every signature was measured in every sample."


# --- identity -------------------------------------------------------------------------------------------------------


def test_a_sample_that_may_be_another_s_stands_before_everything(swapped):
    section = identity_section(data_of_results(swapped))
    assert isinstance(section.blocks[0], Prose)
    assert "1 sample of" in section.blocks[0].text
    found = grids(section)[0]
    assert not found.collapsed
    assert {row[6] for row in found.rows} >= {"P05-post-rna_counts"}
    first = swapped.summary["answer"][0]
    assert first.startswith("Before anything else: 1 sample of bulk RNA may be another patient's (P01-pre-rna_counts)")
    assert swapped.summary["identity"]["findings"] == ["P01-pre-rna_counts"]


def test_without_a_finding_the_answer_has_its_five_sentences(results):
    assert len(results.summary["answer"]) == 5
    assert results.summary["identity"]["findings"] == []


def test_the_summary_counts_genes_by_compartment(results):
    (counted,) = results.summary["genes"]
    passed = results.genes[results.genes["q_value"] <= 0.05]
    assert counted == {
        "compartment": "tumour",
        "assay": "rna_counts",
        "tested": int(results.genes["p_value"].notna().sum()),
        "q": 0.05,
        "up": int((passed["estimate"] > 0).sum()),
        "down": int((passed["estimate"] < 0).sum()),
    }
    assert counted["up"] > counted["down"] > 0


# --- the page, and a notebook ---------------------------------------------------------------------------------------


def test_folders_of_earlier_versions_have_no_such_sections(tmp_path):
    old = data_of_results(open_results(make_results(tmp_path / "r", Invented(first_version=True))))
    assert [section(old) for section in SECTIONS] == [None] * 4
    assert 'id="genes"' not in render(old)


def test_hostile_names_stay_text(hostile):
    page = render(data_of_results(hostile))
    assert "<script>alert(1)</script>" not in page
    assert 'id="identity"' in page


@pytest.mark.parametrize("name", ["volcano", "gene_heatmap", "enrichment"])
def test_a_notebook_has_the_figures_and_says_which_compartment_it_lacks(results, name):
    assert getattr(ra.plot, name)(results).layout.title.text
    with pytest.raises(ResultsError, match="There is no compartment with bulk RNA 'blood'; there are: tumour"):
        getattr(ra.plot, name)(results, compartment="blood")


def test_a_notebook_has_the_axes(results):
    assert ra.plot.axes(results, use="before").layout.title.text.startswith("Availability")
    with pytest.raises(ResultsError, match="no use of an axis 'after'"):
        ra.plot.axes(results, use="after")
