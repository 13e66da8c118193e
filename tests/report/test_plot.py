import pandas as pd
import plotly.graph_objects as go
import pytest

import rabiomarkers as ra
from rabiomarkers.errors import ResultsError, TableError
from rabiomarkers.report import plot
from rabiomarkers.report.figures.paired import paired_lines
from tests.support.synthetic_results import Invented, make_results


def test_every_figure_of_the_report_can_be_had_in_a_notebook(results):
    figures = [
        plot.waterfall(results),
        plot.waterfall(results, colour="RA_RESPONSE_CORE"),
        plot.paired(results, "RA_RESPONSE_CORE", colour="responder"),
        plot.paired(results, ["NLR", "shannon"], colour=None),
        plot.spider(results),
        plot.spider(results, colour="disease_control"),
        plot.swimmer(results),
        plot.survival(results),
        plot.survival(results, "os", arm="all"),
        plot.survival(results, endpoint="response_duration"),
        plot.forest(results),
        plot.forest(results, tier="primary"),
        plot.ordination(results),
        plot.ledger(results),
        plot.quality(results),
        plot.null_distribution(results, "ridge_change"),
        plot.interaction(results, ["RA_RESPONSE_CORE", "NLR"]),
        plot.chain(results),
        plot.chain(results, colour=None),
        plot.composition(results, "cell types"),
        plot.sensitivity(results),
    ]
    assert all(isinstance(figure, go.Figure) for figure in figures)


def test_an_analysis_made_on_demand_can_be_drawn(results):
    figure = plot.sensitivity(ra.sensitivity(results, "NLR"))
    assert figure.layout.title.text == "Every analysis of 1 secondary feature (10 pairs as planned)"
    assert "NLR" in figure.layout.annotations[0].text
    other = plot.sensitivity(ra.sensitivity(results, "NLR", test="paired_t"))
    assert "1 exploratory feature" in other.layout.title.text
    with pytest.raises(TableError, match="lacks the columns"):
        plot.sensitivity(results.changes)


def test_courses_are_drawn_where_a_study_has_more_than_two_timepoints(tmp_path):
    results = ra.open_results(make_results(tmp_path / "results", Invented(later_timepoint=True)))
    assert isinstance(plot.courses(results, results.courses["feature"].iloc[0]), go.Figure)


def test_the_package_offers_the_plots_under_one_name():
    assert ra.plot is plot


def test_a_paired_plot_draws_each_pair_of_the_feature_with_the_trials_timepoints(results):
    figure = plot.paired(results, "RA_RESPONSE_CORE")
    assert len(figure.data) == 9
    assert list(figure.layout.xaxis.ticktext) == ["pre", "post"]


def test_the_nearest_names_are_told_for_a_feature_that_is_not_there(results):
    with pytest.raises(ResultsError, match=r"There is no feature 'ra_response_cor'\. Did you mean RA_RESPONSE_CORE"):
        plot.paired(results, "ra_response_cor")


def test_some_names_are_told_where_none_is_near(results):
    with pytest.raises(ResultsError, match=r"There is no feature 'zzzz'; there are: CYT_ROONEY_2015, .* and \d+ more"):
        plot.waterfall(results, colour="zzzz")


def test_a_part_of_a_name_leads_to_the_names_that_hold_it(results):
    with pytest.raises(ResultsError, match=r"no feature 'cd8'\. Did you mean clr_CD8_TEM\?"):
        plot.paired(results, "cd8")


def test_cells_are_drawn_by_type_or_by_cluster(results, monkeypatch):
    rows = [(f"c{n}", "P01-pre", n, -n, str(n % 2), "B cell") for n in range(6)]
    cells = pd.DataFrame(rows, columns=["cell", "sample_id", "x", "y", "cluster", "cell_type"])
    monkeypatch.setitem(vars(results), "embedding", cells.assign(compartment="blood"))
    assert [trace.name for trace in plot.cells(results).data] == ["B cell (6)"]
    assert [trace.name for trace in plot.cells(results, by="cluster").data] == ["cluster 0 (3)", "cluster 1 (3)"]


def test_only_figures_are_offered():
    assert " ".join(dir(plot)) == (
        "axes cells chain clones composition courses enrichment forest gates gene_heatmap interaction ledger microbes "
        "null_distribution ordination paired quality rarefaction sensitivity spider stool_scores survival swimmer taxa "
        "volcano waterfall"
    )


def test_an_unknown_tier_model_flag_or_compartment_is_told(results):
    with pytest.raises(ResultsError, match=r"no tier 'primery'\. Did you mean primary"):
        plot.forest(results, tier="primery")
    with pytest.raises(ResultsError, match=r"no model 'ridge_chnge'\. Did you mean ridge_change"):
        plot.null_distribution(results, "ridge_chnge")
    with pytest.raises(ResultsError, match=r"no flag of the outcomes to colour by 'respond'\. Did you mean responder"):
        plot.paired(results, "NLR", colour="respond")
    with pytest.raises(ResultsError, match=r"no composition 'cell type'\. Did you mean cell types"):
        plot.composition(results, "cell type")
    with pytest.raises(ResultsError, match=r"no feature 'NLP'\. Did you mean"):
        plot.interaction(results, "NLP")
    with pytest.raises(ResultsError, match=r"'NLR' was measured in blood, not in 'tumour'"):
        plot.paired(results, "NLR", compartment="tumour")


def test_an_unknown_colour_endpoint_or_arm_is_told(results):
    with pytest.raises(ResultsError, match=r"no flag of the outcomes to colour by 'best'\. Did you mean best_response"):
        plot.spider(results, colour="best")
    with pytest.raises(ResultsError, match=r"no endpoint 'PSF'\. Did you mean pfs"):
        plot.survival(results, "PSF")
    with pytest.raises(ResultsError, match=r"no arm 'B'; there are: all"):
        plot.survival(results, arm="B")


@pytest.mark.parametrize("name", ["swimmer", "survival"])
def test_a_folder_without_the_table_says_which_command_writes_it(tmp_path, name):
    old = ra.open_results(make_results(tmp_path / "r", Invented(first_version=True, exploratory=0)))
    table = {"swimmer": "timeline"}.get(name, name)
    with pytest.raises(ResultsError, match=rf"holds no {table}\.parquet .*`rabiomarkers run"):
        getattr(plot, name)(old)
    assert isinstance(plot.spider(old), go.Figure)


def test_curves_can_be_had_by_arm_for_one_arm_and_for_all(tmp_path):
    results = ra.open_results(make_results(tmp_path / "r", Invented(arms=True, exploratory=0)))
    assert "median anti-PD-1: 42.5 days" in plot.survival(results).layout.title.subtitle.text
    assert plot.survival(results, arm="anti-PD-1").layout.title.text.endswith("4 events in 4 of 10 patients")
    assert plot.survival(results, arm="all").layout.title.text.endswith("7 events in 9 of 10 patients")


def test_a_paired_plot_of_nothing_says_so(results):
    assert plot.paired(results, []) == "No paired lines: no patient has both samples."


def test_a_feature_without_a_pair_is_named_instead_of_drawn_empty(results):
    deltas = results.deltas[results.deltas["feature"] != "NLR"]
    changes = results.changes[results.changes["feature"].isin(["NLR", "shannon"])]
    figure = paired_lines(deltas, changes, results.outcomes)
    assert figure.layout.title.subtitle.text == "no pair: NLR"
    assert {trace.yaxis for trace in figure.data} == {"y"}
