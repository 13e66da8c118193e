"""The report's part on stool: warnings first, evidence beside every listed taxon, refusals in words, and true words on methods."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rabiomarkers.change import procrustes, taxa, taxa_sensitivity
from rabiomarkers.change.metrics import METRICS
from rabiomarkers.features.stool_quality import LARGEST_HOST_SHARE
from rabiomarkers.knowledge import load_rules
from rabiomarkers.report import plot_stool
from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.figures.microbes import MOST_OF_A_ROLE, listed_microbes, microbe_dots
from rabiomarkers.report.figures.stool_scores import BORDERS, score_panels
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.figures.taxa import MOST_TAXA, taxa_forest
from rabiomarkers.report.methods import EXACT
from rabiomarkers.report.page import TEMPLATES
from rabiomarkers.report.sections_community import likeness_section, stool_section
from rabiomarkers.report.sections_stool import depth_of, diversity_section, stool_quality_section
from rabiomarkers.report.sections_taxa import microbe_section, taxa_section
from rabiomarkers.report.summary import build_summary
from rabiomarkers.results import open_results
from rabiomarkers.settings.study import StudySettings
from tests.support.synthetic_change import POST, PRE
from tests.support.synthetic_results import INJECTION, Invented, make_results
from tests.support.synthetic_stool import SHORT, stool_tables

SECTIONS = (stool_quality_section, diversity_section, likeness_section, taxa_section, microbe_section)
NAMES = ("stool-quality", "stool-diversity", "likeness", "taxa", "microbes")
RULES = Path(__file__).parents[2] / "config" / "signatures" / "scoring_rules.yaml"
THIN = "\N{NO-BREAK SPACE}%"


@pytest.fixture(scope="module")
def data(results):
    return data_of_results(results)


def grids(section):
    return {block.caption: block for block in section.blocks if isinstance(block, Grid)}


def grid(section, beginning):
    (found,) = [block for caption, block in grids(section).items() if caption.startswith(beginning)]
    return found


def pictures(section):
    return {block.name: block.content for block in section.blocks if isinstance(block, Picture)}


def prose(section):
    return " ".join(block.text for block in section.blocks if isinstance(block, Prose))


def first_lines(table):
    return [row[0].partition("\n")[0] for row in table.rows]


# ---- what is absent --------------------------------------------------------------------------------------------------


def test_a_study_without_stool_has_none_of_it(tmp_path):
    bare = data_of_results(open_results(make_results(tmp_path / "r", Invented(compartments=("tumour",)))))
    assert [section(bare) for section in SECTIONS] == [None] * 5


@pytest.mark.parametrize(
    ("section", "missing", "gone"),
    [
        (stool_quality_section, "contaminants", "Taxa of the blank"),
        (stool_quality_section, "stool_identity", "Whose stools"),
        (microbe_section, "microbe_scores", "Scores"),
        (microbe_section, "microbes", "Listed microbes: "),
    ],
)
def test_a_part_that_was_not_asked_says_nothing(data, section, missing, gone):
    without = section(replace(data, **{missing: getattr(data, missing).head(0)}))
    assert any(caption.startswith(gone) for caption in grids(section(data)))
    assert not any(caption.startswith(gone) for caption in grids(without))


# ---- whose, how deep, how clean --------------------------------------------------------------------------------------


def test_likely_swaps_come_first(data):
    section = stool_quality_section(data)
    said, table = section.blocks[:2]
    assert "of 16 of 20 the patient's other stool is the nearest; 4 stools may have been swapped" in said.text
    assert table.caption == "Stools somebody must look at: 4"
    assert not table.collapsed
    assert {name.split("-")[0] for name in first_lines(table)} == {"P01", "P03"}
    assert "P01-pre-taxa_counts of patient P01, and what is there now" in next(
        why for name, why in table.rows if name.startswith("P03-pre")
    )


def summary_of(results, stools):
    return build_summary(
        study="invented",
        contrast=[PRE, POST],
        endpoints={},
        models=[],
        outcomes=results.outcomes,
        changes=results.changes,
        ledger=results.ledger,
        qc=results.qc,
        stool_identity=stools,
    )


def test_a_named_swap_stands_before_the_answer(results):
    summary = summary_of(results, results.stool_identity)
    swapped = sorted(f"{patient}-{time}-taxa_counts" for patient in ("P01", "P03") for time in (PRE, POST))
    assert summary["stool_identity"] == {"samples": 20, "findings": swapped}
    told = f"Before anything else: 4 samples of stool may be another patient's ({', '.join(swapped)})."
    assert summary["answer"][0].startswith(told)
    assert summary["answer"][0].endswith(f"see “{stool_quality_section(data_of_results(results)).title}”.")


def test_that_another_s_stool_is_nearer_is_no_finding(results):
    summary = summary_of(results, results.stool_identity.assign(verdict="another is nearer"))
    assert summary["stool_identity"]["findings"] == []
    assert len(summary["answer"]) == 5


MISLABELLED = "fits P05-pre-taxa_counts of patient P05, and nothing fits back: mislabelled?"
COPIED = "does not differ from P05-pre-taxa_counts of patient P05: one file twice?"


@pytest.mark.parametrize("note", [MISLABELLED, COPIED])
@pytest.mark.parametrize("verdict", ["another is nearer", "cannot be told"])
def test_a_stool_that_must_be_another_s_is_told_as_loudly_as_a_swap(results, data, note, verdict):
    """A sheet that slipped by one row makes no swap, and one file given twice none either."""
    stools = results.stool_identity.assign(verdict="own nearest", note="")
    stools.loc[0, ["verdict", "note"]] = [verdict, note]
    summary = summary_of(results, stools)
    name = stools.loc[0, "sample_id"]
    assert summary["stool_identity"]["findings"] == [name]
    told = f"Before anything else: 1 sample of stool may be another patient's ({name})."
    assert summary["answer"][0].startswith(told)
    said = prose(stool_quality_section(replace(data, stool_identity=stools)))
    assert "no swap was found" not in said
    assert "1 stool may be another patient's" in said


def test_a_stool_is_told_beyond_a_limit_and_not_at_it(data):
    rows = [("a", 0.5), ("b", 0.51), ("c", 0.1)]
    bloom = pd.DataFrame(rows, columns=["sample_id", "value"]).assign(
        assay="taxa_counts", measure="largest_taxon_share", unit="fraction", limit="told above 0.5", passed=True
    )
    section = stool_quality_section(replace(data, qc=bloom, stool_identity=data.stool_identity.head(0)))
    table = grid(section, "Stools somebody must look at: 1")
    (measured,) = grid(section, "What was measured of the stools").rows
    assert measured[4] == f"told above 50{THIN}"
    assert table.rows[0][0] == "b"
    assert f"one taxon is 51{THIN} of the stool" in table.rows[0][1]
    assert "in 1 of 3 stools" in prose(section)


def test_the_taxon_that_took_over_is_named(data):
    row = {"sample_id": "a", "assay": "taxa_counts", "measure": "largest_taxon_share", "value": 0.8, "unit": "fraction"}
    bloom = pd.DataFrame([row | {"limit": "told above 0.5 (Escherichia <coli>)", "passed": True}])
    section = stool_quality_section(replace(data, qc=bloom, stool_identity=data.stool_identity.head(0)))
    assert grid(section, "Stools somebody must look at: 1").rows[0][1].startswith(f"Escherichia <coli> is 80{THIN}")


def test_the_stool_with_most_of_the_reagents_is_named(data):
    held = pd.DataFrame({"sample_id": ["a", "b", "c"], "contaminants": [0, 1, 2], "share": [0.0, 0.0003, 0.021]})
    note = grid(stool_quality_section(replace(data, contaminated_samples=held)), "Taxa of the blank").note
    assert note.endswith(f"They are in 2 of 3 stools, at most 2.1{THIN} of one (c).")
    none = replace(data, contaminated_samples=held.assign(contaminants=0, share=0.0))
    assert grid(stool_quality_section(none), "Taxa of the blank").note.endswith("No reads were taken out.")


def test_each_stool_that_holds_contaminants_is_listed_with_its_share(data):
    held = pd.DataFrame(
        {"sample_id": ["a", "b", "c", "d"], "contaminants": [0, 1, 2, 1], "share": [0.0, 0.0003, 0.021, 0.4]}
    )
    table = grid(stool_quality_section(replace(data, contaminated_samples=held)), "What the contaminants are of each")
    assert table.caption == "What the contaminants are of each stool: 3 of 4 stools hold any"
    assert table.rows == [("d", "1", f"40{THIN}"), ("c", "2", f"2.1{THIN}"), ("b", "1", f"< 0.1{THIN}")]
    assert table.collapsed
    none = stool_quality_section(replace(data, contaminated_samples=held.assign(contaminants=0, share=0.0)))
    assert not any(caption.startswith("What the contaminants are") for caption in grids(none))


def test_where_nothing_can_be_told_of_whose_stools_no_swap_is_denied(data):
    unknown = data.stool_identity.assign(verdict="cannot be told", note="3 patients with both stools; 4 are needed")
    section = stool_quality_section(replace(data, stool_identity=unknown))
    assert "Whose 20 stools these are cannot be told: 3 patients with both stools" in prose(section)
    assert "no swap" not in prose(section)


def test_the_curves_carry_the_depth_and_name_what_ends_before_it(data):
    assert depth_of(data) == 10_000  # the limit of the quality check
    figure = pictures(stool_quality_section(data))["stool-depth"]
    names = {trace.name: trace for trace in figure.data if trace.showlegend}
    assert set(names) == {"reaches the depth (19)", "ends before it (1)"}
    short = names["ends before it (1)"]
    assert short.line.dash == "dash"
    assert max(value for value in short.x if value is not None) == SHORT
    assert {shape.x0 for shape in figure.layout.shapes} == {10_000}
    assert sum(value is None for value in names["reaches the depth (19)"].x) == 19  # one gap a stool


def test_contaminants_stand_before_what_was_kept(data):
    table = grid(stool_quality_section(data), "Taxa of the blank controls: 1 of 3")
    assert [row[1].partition("\n")[0] for row in table.rows] == ["contaminant", "cannot be told", "kept"]
    assert table.rows[1][1].endswith("p cannot be below 0.17")
    assert "No reads were taken out" in table.note


# ---- diversity and communities ---------------------------------------------------------------------------------------


def test_diversity_is_shown_patient_by_patient_with_the_response(data):
    section = diversity_section(data)
    figure = pictures(section)["stool-diversity"]
    assert {trace.name for trace in figure.data} == {"responder", "non-responder", "response not known"}
    (row,) = grid(section, "Diversity before and after: 1 measure").rows
    change = data.changes.set_index("feature").loc["shannon"]
    assert row[0].startswith("shannon\nShannon diversity")
    assert row[2] == str(int(change["n_pairs"]))
    assert row[-1].startswith("no difference shown")


def test_a_note_that_every_row_has_is_told_once_and_a_missing_value_has_its_own_reason(data):
    shannon = data.changes[data.changes["feature"] == "shannon"].assign(note="10 patients without a sample")
    chao1 = shannon.assign(
        feature="chao1", p_value=np.nan, estimate=np.nan, ci_low=np.nan, note="no pair: 32 patients without a value"
    )
    changes = pd.concat([shannon, shannon.assign(feature="simpson"), chao1], ignore_index=True)
    own = data.features[data.features["feature"] == "shannon"].assign(
        feature="chao1", value=np.nan, note="needs read counts"
    )
    table = grid(diversity_section(replace(data, changes=changes, features=own)), "Diversity before and after: 3")
    assert table.note.endswith("Of all: 10 patients without a sample.")
    assert [row[1].partition("\n")[2] for row in table.rows] == ["", "", "needs read counts"]


def with_two_metrics(data):
    other = data.distances.assign(metric="aitchison", distance=data.distances["distance"] * 10)
    ordination = pd.concat([data.ordination, data.ordination.assign(metric="aitchison", axis_1=0.5)])
    facts = dict(data.summary["stool"])
    second = facts | {
        "name": "aitchison",
        "metric": "Aitchison",
        "variance_explained": [0.2, 0.1],
        "p_value": None,
        "note": "odd",
    }
    stool = facts | {"metrics": [facts, second]}
    return replace(
        data,
        distances=pd.concat([data.distances, other], ignore_index=True),
        ordination=ordination,
        summary={**data.summary, "stool": stool},
    )


def test_each_metric_has_its_own_map_with_its_own_axes(data):
    drawn = pictures(stool_section(with_two_metrics(data)))
    assert list(drawn) == ["ordination", "ordination-aitchison"]
    assert drawn["ordination"].layout.xaxis.title.text == f"axis 1 (31{THIN} of the variance)"
    assert drawn["ordination-aitchison"].layout.xaxis.title.text == f"axis 1 (20{THIN} of the variance)"
    points = [trace for trace in drawn["ordination-aitchison"].data if trace.mode == "markers"]
    assert {value for trace in points for value in trace.x} == {0.5}
    table = grid(stool_section(with_two_metrics(data)), "Distance between stool samples by 2 metrics")
    assert [row[0] for row in table.rows] == ["Bray-Curtis", "Aitchison\nodd"]
    assert table.rows[1][-1] == "not estimable"


def test_own_stools_stand_beside_the_quartiles_of_others(data):
    figure = pictures(likeness_section(with_two_metrics(data)))["stool-distances"]
    assert [note.text for note in figure.layout.annotations] == ["<b>Bray-Curtis</b>", "<b>Aitchison</b>"]
    rows = data.distances[data.distances["timepoint_a"] != data.distances["timepoint_b"]]
    others = rows.loc[rows["patient_a"] != rows["patient_b"], "distance"].to_numpy()
    box = next(trace for trace in figure.data if trace.type == "box")
    told = [box.lowerfence[0], box.q1[0], box.median[0], box.q3[0], box.upperfence[0]]
    np.testing.assert_allclose(told, np.percentile(others, [0, 25, 50, 75, 100]))
    own = rows.loc[rows["patient_a"] == rows["patient_b"], "distance"]
    drawn = [value for trace in figure.data if trace.type == "scatter" and trace.yaxis == "y" for value in trace.y]
    np.testing.assert_allclose(sorted(drawn), sorted(own))


def test_compartments_that_cannot_be_laid_over_one_another_say_why(data):
    few = stool_tables(("A", "B", "C"), contrast=(PRE, POST))["procrustes"]
    table = grid(likeness_section(replace(data, procrustes=few)), "Are patients who are alike")
    assert table.collapsed
    assert {row[4] for row in table.rows} == {"not estimable"}
    assert table.rows[0][5] == "not tested\n3 patients with both; 5 are needed"
    told = grid(likeness_section(data), "Are patients who are alike")
    assert told.rows[0][0] == "blood and faecal\nsc_counts, stool against stool"
    assert told.rows[0][4].startswith("0.300 (floor")


# ---- taxa ------------------------------------------------------------------------------------------------------------


def test_taxa_stand_in_the_order_of_their_change_with_the_sign_of_their_verdict(data):
    genera = data.taxa[data.taxa["rank"] == "genus"]
    figure = taxa_forest(genera, title="genera")
    tested = genera[genera["estimate"].notna()].sort_values("estimate", ascending=False)
    assert list(figure.layout.yaxis.ticktext) == tested["taxon"].tolist()
    signs = {trace.name: trace.marker.symbol for trace in figure.data if trace.error_x.array is not None}
    assert signs == {
        "rose, methods agree": "triangle-up",
        "fell, methods agree": "triangle-down",
        "methods disagree": "diamond",
        "no change shown": "circle",
    }
    (other,) = [trace for trace in figure.data if trace.name == "ANCOM-BC"]
    np.testing.assert_allclose(other.x, tested["ancombc_log_fold"])
    (after,) = [trace for trace in figure.data if trace.name == "seen after"]
    np.testing.assert_allclose(after.x, tested["prevalence_after"])


def test_the_figure_holds_the_taxa_of_the_smallest_p_only(data):
    species = data.taxa[data.taxa["verdict"] == "not shown"].iloc[[0] * 60].reset_index(drop=True)
    many = species.assign(taxon=[f"t{at:02d}" for at in range(60)], p_value=np.linspace(0.9, 0.01, 60))
    figure = taxa_forest(many, title="species")
    assert sorted(figure.layout.yaxis.ticktext) == [f"t{at:02d}" for at in range(60 - MOST_TAXA, 60)]
    assert f"{MOST_TAXA} of 60 taxa, those of the smallest p" in figure.layout.title.subtitle.text


def test_rare_taxa_are_folded_and_have_no_p(data):
    section = taxa_section(data)
    rare = grid(section, "Species seen in too few stools to be tested: 4")
    assert rare.collapsed
    assert not any(column.startswith("p") for column in rare.columns)
    names = set(data.taxa.loc[data.taxa["verdict"] == "rare", "taxon"])
    assert not names & set(first_lines(grid(section, "Species: 12 common enough")))


def test_what_other_methods_take_back_is_told_as_a_question(data):
    rows = {row[0]: row for row in grid(taxa_section(data), "Genera: 6").rows}
    assert rows["Blautia"][1] == "rose"
    assert rows["Prevotella"][1] == "fell? methods disagree"
    assert rows["Bacteroides"][1] == "no change shown"
    assert rows["Blautia"][5].startswith("ANCOM-BC +")
    assert "\nDirichlet +" in rows["Blautia"][5]
    assert (
        "Genera: 6 of 7 tested in 10 pairs; 2 changed by every method that could be asked, 2 by the main test only"
        in prose(taxa_section(data))
    )


def test_ranks_that_no_table_names_are_told_in_one_sentence(data):
    nameless = [
        data.taxa[data.taxa["rank"] == rank].head(1).assign(taxon="(unclassified)") for rank in ("phylum", "genus")
    ]
    section = taxa_section(replace(data, taxa=pd.concat(nameless, ignore_index=True)))
    assert "Phyla, genera: not asked, as no table says which taxa belong where" in prose(section)
    assert not grids(section)


def test_a_call_that_no_other_method_could_be_asked_about_says_so(data):
    columns = [name for name in data.taxa.columns if name.startswith(("ancombc", "dirichlet"))]
    alone = data.taxa.assign(**dict.fromkeys(columns, np.nan))
    assert "the call is of one method alone" in prose(taxa_section(replace(data, taxa=alone)))
    assert "the call is of one method alone" not in prose(taxa_section(data))


def test_few_pairs_can_call_nothing(data):
    four = data.taxa.assign(
        n_pairs=4, p_floor=np.where(data.taxa["p_value"].notna(), 0.125, np.nan), verdict="not shown"
    )
    section = taxa_section(replace(data, taxa=four))
    assert "none can reach 0.05 with so few pairs" in prose(section)
    assert grid(section, "Genera: 7 common").rows[0][1].startswith("cannot reach 0.05 with 4 pairs")


def test_the_figure_of_taxa_says_what_its_signs_and_axes_are(data):
    figure = taxa_forest(data.taxa[data.taxa["rank"] == "genus"], title="genera")
    assert "no change shown" in {trace.name for trace in figure.data}
    assert "not shown" not in {trace.name for trace in figure.data}
    assert figure.layout.xaxis2.title.text == "seen in (share of stools)"


def test_a_rank_without_a_table_is_a_message_and_no_error(results, monkeypatch):
    none = results.taxa.head(0)
    monkeypatch.setattr(type(results), "taxa", property(lambda _: none))
    assert isinstance(plot_stool.taxa(results, rank="kingdom"), Message)


# ---- listed microbes and scores --------------------------------------------------------------------------------------


def listing(*rows):
    names = ["sample_id", "timepoint", "taxon", "role", "evidence", "source", "conflict", "named", "share"]
    return pd.DataFrame(rows, columns=names).astype({"share": "float64"})


BY_HAND = (
    ("a", PRE, "X", "ra_producer", "mouse", "one", False, True, 0.1),
    ("a", PRE, "X", "ra_producer", "human", "two", True, True, 0.1),
    ("b", PRE, "X", "ra_producer", "mouse", "one", False, True, 0.3),
    ("b", PRE, "X", "ra_producer", "human", "two", True, True, 0.3),
    ("c", POST, "X", "ra_producer", "mouse", "one", False, True, 0.0),
    ("a", PRE, "Y", "ra_producer", "mouse", "one", False, True, 0.5),
    ("c", POST, "Y", "ra_producer", "mouse", "one", False, False, None),
    ("a", PRE, "Z", "own_role", "guess", "mine", False, False, None),
)


def test_listed_microbes_are_counted_once_whatever_their_sources():
    told = listed_microbes(listing(*BY_HAND), contrast=(PRE, POST)).set_index("taxon")
    assert list(told.index) == ["Y", "X", "Z"]  # the most abundant of a role first, other roles last
    assert told.loc["X", ["share_before", "share_after", "seen_before", "seen_after"]].tolist() == pytest.approx(
        [0.2, 0, 1, 0]
    )
    assert told.loc["X", ["stools_before", "stools_after"]].tolist() == [2, 1]
    assert told["evidence"].to_dict() == {
        "X": "human",
        "Y": "mouse",
        "Z": "guess",
    }  # mice only where nothing else is known
    assert told["conflict"].to_dict() == {"X": True, "Y": False, "Z": False}
    assert np.isnan(told.loc["Y", "share_after"])  # not named is not absent
    assert told.loc["X", "sources"] == "one, two"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(len(BY_HAND))))
def test_the_order_of_the_rows_says_nothing(order):
    first, other = (
        listed_microbes(listing(*(BY_HAND[at] for at in places)), contrast=(PRE, POST)) for places in (range(8), order)
    )
    pd.testing.assert_frame_equal(first, other)


def test_a_small_p_beside_no_change_has_its_adjusted_p(data):
    """A p below 0.05 beside `no change shown` reads as a mistake unless the adjusted one stands there."""
    own = (data.changes["compartment"] == "faecal") & (data.changes["feature"] == "shannon")
    assert own.sum() == 1
    weak = data.changes.assign(
        tier=data.changes["tier"].mask(own, "exploratory"),
        p_value=data.changes["p_value"].mask(own, 0.02),
        p_floor=data.changes["p_floor"].mask(own, 0.002),
        q_value=data.changes["q_value"].mask(own, 0.3),
    )
    table = grid(diversity_section(replace(data, changes=weak)), "Diversity before and after")
    (row,) = [row for row in table.rows if row[0].startswith("shannon")]
    assert row[1].startswith("no change shown")
    assert row[5].startswith("0.0200")
    assert row[5].endswith("\nadjusted 0.300")


def test_the_axis_of_the_listed_microbes_says_what_it_shows(data):
    figure = microbe_dots(data.microbes, contrast=(PRE, POST))
    assert figure.layout.xaxis.title.text == "mean share of the stools (logarithmic)"


def test_evidence_and_disputes_stand_beside_the_names(data):
    figure = microbe_dots(data.microbes, contrast=(PRE, POST))
    ticks = [re.sub(r"<[^>]+>", "", text) for text in figure.layout.yaxis.ticktext]
    assert "Lactobacillus intestinalis (mice only)" in ticks
    assert "Roseburia intestinalis (sources disagree)" in ticks
    assert ticks.index("make retinoic acid") == 0
    assert not any("Faecalibaculum" in tick for tick in ticks)  # no table names it
    assert {trace.name for trace in figure.data if trace.showlegend} == {
        "seen in patients",
        "of the organism or its enzyme",
        "known from mice only",
    }
    table = {row[0]: row for row in grid(microbe_section(data), "Listed microbes: 7 of 8").rows}
    assert table["Faecalibaculum rodentium"][2:5] == ("known from mice only", "not named", "\N{EN DASH}")


def test_a_long_role_is_cut_in_the_figure_and_whole_in_the_table(data):
    one = data.microbes[data.microbes["role"] == "butyrate_producer"].head(1)
    many = pd.concat([one.assign(taxon=f"T{at}", share=0.01 * at) for at in range(30)], ignore_index=True)
    figure = microbe_dots(many, contrast=(PRE, POST))
    assert len(figure.layout.yaxis.ticktext) == MOST_OF_A_ROLE + 1
    assert len(grid(microbe_section(replace(data, microbes=many)), "Listed microbes: 30").rows) == 30
    disputed = microbe_dots(many.assign(conflict=many["taxon"] == "T1"), contrast=(PRE, POST)).layout.yaxis.ticktext
    names = [re.sub(r"<[^>]+>", "", text) for text in disputed]
    assert "T1 (sources disagree)" in names  # however rare
    assert "T20" not in names
    assert "T21" in names


def test_the_borders_drawn_are_those_of_the_rules(data):
    numbers = load_rules(RULES)["TOPOSCORE"]["numbers"]
    assert BORDERS["TOPOSCORE"] == (numbers["low"], numbers["high"])
    assert BORDERS["akkermansia"] == (pytest.approx(numbers["akkermansia_percent"] / 100),)
    figure = score_panels(data.microbe_scores, data.outcomes, contrast=(PRE, POST))
    lines = [shape.y0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == [0.5351, 0.7911, 0.04799]
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert len(bands) == 6


def test_classes_with_other_borders_are_not_drawn_as_the_published_ones(data):
    scores = data.microbe_scores
    own = scores.assign(category=scores["category"].mask(scores["score"] == "TOPOSCORE", "Gray"))
    figure = score_panels(own, data.outcomes, contrast=(PRE, POST))
    assert [shape.y0 for shape in figure.layout.shapes if shape.type == "line"] == [0.04799]
    captions = [
        block.caption
        for block in microbe_section(replace(data, microbe_scores=own)).blocks
        if isinstance(block, Picture)
    ]
    assert any("TOPOSCORE have other borders" in caption for caption in captions)


def test_refusals_are_told_in_words_with_how_many_they_concern(data):
    (row,) = grid(microbe_section(data), "Scores that are not given: 2 of 20 stools").rows
    assert row == ("TOPOSCORE", "2 of 20", "the table names 12 of 37 members of SIG1; 80% of each are needed")
    scores = grid(microbe_section(data), "Scores of 20 stools")
    refused = [row for row in scores.rows if row[4].startswith("refused")]
    assert [row[2] for row in refused] == ["\N{EN DASH}"] * 2
    none = score_panels(data.microbe_scores.assign(value=np.nan), data.outcomes)
    assert isinstance(none, Message)


def test_what_is_absent_lies_below_every_share(data):
    figure = score_panels(data.microbe_scores, data.outcomes, contrast=(PRE, POST))
    axis = figure.layout.yaxis2
    place = axis.tickvals[0]
    assert axis.ticktext[0] == "absent"
    drawn = sorted({value for trace in figure.data if trace.yaxis == "y2" for value in trace.y})
    assert drawn[0] == place < drawn[1]


# ---- the page and the methods ----------------------------------------------------------------------------------------


def test_no_free_text_is_taken_for_markup_in_a_figure(hostile):
    odd = data_of_results(hostile)
    for section in (*SECTIONS, stool_section):
        for figure in pictures(section(odd)).values():
            assert not isinstance(figure, go.Figure) or INJECTION not in str(figure.to_dict())


def told(**changes):
    """The words on methods alone, on one line, under settings that differ in these."""
    chosen = StudySettings(name="a").model_dump(mode="json")
    chosen["stool"] |= changes
    engine = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = engine.get_template("methods_stool.html.j2").render(settings=chosen, exact=EXACT, contrast=("pre", "post"))
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", page)))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_told_with_its_reference_where_it_is_asked_only(name):
    def identifier(metric):
        return metric.reference.split("doi:")[1]

    asked = told(metrics=[name])
    assert identifier(METRICS[name]) in asked
    others = {identifier(metric) for metric in METRICS.values()} - {identifier(METRICS[name])}
    assert not {other for other in others if other in asked}
    drawn = METRICS[name].presence
    assert ("counts are drawn down first" in asked) == drawn


def test_the_numbers_in_the_words_are_those_of_the_methods():
    words = told(depth=4_321, draws=7, minimum_prevalence=0.3, minimum_coverage=0.65, bloom=0.4)
    assert "at an equal number of reads (4321)" in words
    assert "means over 7 draws" in words
    assert "seen in fewer than 30 % of the samples" in words
    assert "below 65 % of either list" in words
    assert "one taxon is more than 40 % of it" in words
    assert LARGEST_HOST_SHARE == 0.5
    assert "more than half of its reads are the patient's" in words
    assert (procrustes.AXES, procrustes.EXACT_PATIENTS, procrustes.PERMUTATIONS) == (2, 8, 9_999)
    assert "all orders up to 8 patients, 9 999 random ones beyond. Five patients at the least" in words
    assert procrustes.LEAST_PATIENTS == 5
    assert (taxa_sensitivity.LEAST_PAIRS, taxa_sensitivity.LEAST_TAXA, taxa.LEAST_SAMPLES) == (5, 3, 3)
    assert "at least three stools hold it; with fewer than five pairs, fewer than three taxa" in words


def test_the_scores_are_told_with_the_numbers_of_the_rules():
    numbers = load_rules(RULES)["TOPOSCORE"]["numbers"]
    words = told()
    assert f"(SIG2 present / {numbers['sig2']} \N{MINUS SIGN} SIG1 present / {numbers['sig1']} + 1) / 2" in words
    assert f"SIG1 up to {numbers['low']}, SIG2 from {numbers['high']}" in words
    assert f"below {numbers['akkermansia_percent']} % of the profile" in words


def test_the_other_methods_are_said_to_be_asked_where_the_settings_ask_them():
    assert "asked only at ranks where something is called" in told(other_methods="called")
    assert "asked only at ranks" not in told(other_methods="all")
