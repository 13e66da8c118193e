import json
import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.endpoint_tables import denominator
from rabiomarkers.report.figures.forest import forest
from rabiomarkers.report.figures.ledger import ledger_map
from rabiomarkers.report.figures.null_distribution import null_distribution
from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.figures.quality import quality_bars
from rabiomarkers.report.figures.spider import spider
from rabiomarkers.report.figures.style import BUTTONS_REMOVED, Message, label
from rabiomarkers.report.figures.survival import survival_curves
from rabiomarkers.report.figures.swimmer import swimmer
from rabiomarkers.report.figures.waterfall import waterfall

LEDGER_COLUMNS = ["patient_id", "timepoint", "compartment", "assay", "sample_id", "status", "reason"]


def every_figure(results):
    data = data_of_results(results)
    primary = data.changes[data.changes["tier"] == "primary"]
    of_ra = data.deltas[data.deltas["feature"] == "RA_RESPONSE_CORE"]
    return {
        "waterfall": waterfall(data.outcomes),
        "coloured waterfall": waterfall(data.outcomes, deltas=of_ra, colour="RA_RESPONSE_CORE"),
        "forest": forest(data.changes, data.deltas),
        "exploratory forest": forest(data.changes, data.deltas, tiers=["exploratory"]),
        "paired": paired_lines(data.deltas, primary, data.outcomes),
        "ordination": ordination_map(
            data.ordination, data.outcomes, stool=data.summary["stool"], contrast=["pre", "post"]
        ),
        "spider": spider(data.sums, data.outcomes),
        "swimmer": swimmer(data.timeline, data.outcomes),
        **{
            endpoint: survival_curves(data.survival, endpoint=endpoint, patients=denominator(data.outcomes, endpoint))
            for endpoint in ("pfs", "os", "response_duration")
        },
        "ledger": ledger_map(data.ledger),
        "quality": quality_bars(data.qc),
        **{model["name"]: null_distribution(data.permutations, model) for model in data.summary["models"]},
    }


@pytest.fixture(scope="module")
def figures(results):
    return every_figure(results)


def title(figure):
    return figure.layout.title.text


def test_every_figure_states_its_denominator(figures):
    assert len(figures) == 15
    for name, figure in figures.items():
        told = f"{title(figure)} {figure.layout.title.subtitle.text}"
        assert re.search(r"\d+ (of \d+ )?(patients|responders|pairs|samples|expected)", told), name


def test_the_same_tables_give_the_same_figures(results, figures):
    again = every_figure(results)
    assert {name: figure.to_json() for name, figure in figures.items()} == {
        name: figure.to_json() for name, figure in again.items()
    }


def test_no_figure_offers_to_upload_itself(figures):
    assert "sendChartToCloud" in BUTTONS_REMOVED
    for figure in figures.values():
        assert "sendChartToCloud" in figure.layout.modebar.remove


def test_the_order_of_rows_plays_no_part(results):
    data = data_of_results(results)
    shuffled = data.outcomes.sample(frac=1, random_state=3)
    assert waterfall(shuffled).to_json() == waterfall(data.outcomes).to_json()
    turned = data.changes.iloc[::-1]
    assert forest(turned, data.deltas).to_json() == forest(data.changes, data.deltas).to_json()


def test_the_waterfall_shows_who_was_not_measured_and_says_how_many_were(figures):
    figure = figures["waterfall"]
    assert title(figure) == "Best change of the sum of target diameters: 9 of 10 patients measured"
    missing = next(trace for trace in figure.data if trace.name == "not measured (1)")
    assert list(missing.x) == ["P10"]
    heights = [height for trace in figure.data if trace.type == "bar" for height in trace.y]
    assert max(heights) == 42.0  # P08: 21 + 3 x 7
    assert {shape.y0 for shape in figure.layout.shapes} == {-30, 20}


def test_a_waterfall_of_many_patients_is_as_wide_as_its_bars_need():
    names = [f"P{number}" for number in range(84)]
    outcomes = pd.DataFrame({"patient_id": names, "best_response": "SD", "best_change_percent": 5.0, "note": ""})
    outcomes["new_lesion_day"] = float("nan")
    assert waterfall(outcomes).layout.width == 180 + 84 * 20
    assert waterfall(outcomes.head(40)).layout.width is None
    assert tuple(waterfall(outcomes.head(1)).layout.xaxis.range) == (-0.6, 5.6)


def test_a_bar_without_a_pair_is_hatched_not_coloured(figures):
    hatched = [
        trace for trace in figures["coloured waterfall"].data if trace.type == "bar" and trace.marker.pattern.shape
    ]
    assert [list(trace.x) for trace in hatched] == [["P03"]]


def test_a_bar_rises_to_blue_and_falls_to_vermilion():
    outcomes = pd.DataFrame(
        {
            "patient_id": ["a", "b"],
            "best_response": ["PR", "PD"],
            "best_change_percent": [-40.0, 30.0],
            "new_lesion_day": [float("nan")] * 2,
            "note": ["", ""],
        }
    )
    deltas = pd.DataFrame({"patient_id": ["a", "b"], "change": [0.2, -0.2], "unit": "rank score"})
    bars = waterfall(outcomes, deltas=deltas, colour="X").data[0]
    assert dict(zip(bars.x, bars.marker.color, strict=True)) == {"a": "rgb(0, 114, 178)", "b": "rgb(213, 94, 0)"}


def test_the_forest_divides_each_row_by_the_spread_of_its_changes():
    changes = pd.DataFrame(
        {
            "compartment": ["blood"],
            "feature": ["NLR"],
            "unit": ["log2 ratio"],
            "n_pairs": [3],
            "estimate": [2.0],
            "ci_low": [1.0],
            "ci_high": [3.0],
            "ci_level": [0.75],
            "p_value": [0.25],
            "p_floor": [0.25],
            "q_value": [0.25],
            "effect_size": [2.0],
            "test": ["exact"],
            "tier": ["primary"],
            "sequence": [1],
            "note": [None],
        }
    )
    deltas = pd.DataFrame({"compartment": "blood", "feature": "NLR", "change": [0.0, 2.0, 4.0]})  # SD 2
    points = forest(changes, deltas).data[0]
    assert (points.x[0], points.error_x.array[0], points.error_x.arrayminus[0]) == (1.0, 0.5, 0.5)


def test_the_forest_tells_estimate_p_floor_q_and_n_of_each_row(figures):
    figure = figures["forest"]
    first = figure.layout.yaxis.ticktext[0] + figure.layout.yaxis2.ticktext[0]
    assert "RA_RESPONSE_CORE" in first  # the first of the sequence
    assert "9 pairs" in first
    assert "p 0.00391 (floor\N{NO-BREAK SPACE}0.00391) · adjusted 0.00391" in first


def test_paired_lines_draw_one_line_for_each_complete_pair(results, figures):
    lines = [trace for trace in figures["paired"].data if trace.type == "scatter"]
    primary = results.changes.query("tier == 'primary'")
    assert len(lines) == primary["n_pairs"].sum() == 28  # 10 in blood, 9 in each of two tumour features


def test_responders_differ_from_others_in_colour_and_in_sign(figures):
    looks = {(trace.name, trace.line.color, trace.marker.symbol) for trace in figures["paired"].data}
    # responders, non-responders, and who could not be evaluated
    assert len(looks) == len({colour for _, colour, _ in looks}) == len({symbol for *_, symbol in looks}) == 3


def test_the_ledger_shows_each_status_with_a_sign_of_its_own(figures):
    told = {trace.name: trace.marker.symbol for trace in figures["ledger"].data}
    assert told == {"used (77)": "square", "failed quality control (1)": "triangle-down", "missing (2)": "circle-open"}
    missing = next(trace for trace in figures["ledger"].data if trace.name.startswith("missing"))
    assert "biopsy not possible" in missing.hovertext[0]


def test_a_long_list_has_its_timepoints_on_top_and_its_patients_as_people_sort_them():
    names = [f"P{number}" for number in range(1, 41)]
    rows = [(name, "pre", "tumour", "rna_counts", name, "used", None) for name in names]
    figure = ledger_map(pd.DataFrame(rows, columns=LEDGER_COLUMNS))
    assert figure.layout.xaxis.side == "top"
    assert list(figure.layout.yaxis.categoryarray)[::-1] == names


def test_a_cell_with_two_libraries_shows_the_one_that_was_used_and_both_are_counted():
    rows = [
        ("P1", "pre", "tumour", "rna_counts", sample, status, None)
        for sample, status in (("b", "excluded"), ("a", "used"))
    ]
    figure = ledger_map(pd.DataFrame(rows, columns=LEDGER_COLUMNS))
    assert [trace.name for trace in figure.data] == ["used (1)"]
    assert title(figure) == "1 of 2 samples used, 1 patient"
    assert figure.layout.title.subtitle.text.startswith("1 of the 2 are other libraries")
    assert "b: excluded" in figure.data[0].hovertext[0]


def test_the_null_distribution_shows_the_count_behind_p(figures, results):
    model = next(model for model in results.summary["models"] if model["name"] == "ridge_change")
    assert f"{model['p_count']} of 120 relabellings" in title(figures["ridge_change"])
    assert len(figures["ridge_change"].data[0].x) == 120


def test_arrows_join_only_patients_with_both_stools(figures):
    arrows = [trace for trace in figures["ordination"].data if trace.marker.symbol == "arrow"]
    assert len(arrows) == 9
    assert figures["ordination"].layout.xaxis.title.text == "axis 1 (31\N{NO-BREAK SPACE}% of the variance)"


def test_nothing_to_draw_is_said_in_words(degenerate):
    for name, figure in every_figure(degenerate).items():
        assert isinstance(figure, go.Figure | Message), name
        if isinstance(figure, Message):
            assert figure.startswith("No "), name
        else:
            assert any(len(trace.y) if trace.y is not None else len(trace.x) for trace in figure.data), name


def test_text_of_the_input_is_no_markup_in_a_figure(hostile):
    for name, figure in every_figure(hostile).items():
        told = json.dumps(json.loads(figure.to_json())) if isinstance(figure, go.Figure) else ""
        assert "<script" not in told, name
        assert "<img" not in told, name


def test_a_label_shows_angle_brackets_as_they_are():
    assert label("a<b>&c") == "a&lt;b&gt;&amp;c"


def test_a_message_is_escaped_in_a_notebook():
    assert Message("<b>")._repr_html_() == "<p><em>&lt;b&gt;</em></p>"
