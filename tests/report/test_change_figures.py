import json

import pandas as pd
import plotly.graph_objects as go
import pytest

from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.figures.composition import MOST_PARTS, composition_forest
from rabiomarkers.report.figures.courses import course_lines
from rabiomarkers.report.figures.interaction import interaction_points
from rabiomarkers.report.figures.style import Message
from rabiomarkers.results import open_results
from rabiomarkers.tables.changes import BY_RESPONSE, COMPOSITION, COURSES
from tests.support.synthetic_results import INJECTION, Invented, make_results


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    trial = Invented(later_timepoint=True, exploratory=2)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("figures") / "r", trial)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Names of patients, features and taxa that try to be scripts."""
    patients = tuple(f"{INJECTION}{index}" for index in range(6))
    trial = Invented(
        patients=patients, responders=2, later_timepoint=True, taxon=INJECTION, exploratory=2, note=INJECTION
    )
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("hostile") / "r", trial)))


def primary(data):
    return data.changes[data.changes["tier"] == "primary"].sort_values("sequence")


def every_figure(data):
    return {
        "interaction": interaction_points(data.deltas, primary(data), data.by_response, data.outcomes),
        "cells": composition_forest(data.composition.query("compartment == 'blood'"), title="cell types, blood"),
        "taxa": composition_forest(data.composition.query("compartment == 'faecal'"), title="taxa, faecal"),
        "courses": course_lines(data.courses),
    }


@pytest.fixture(scope="module")
def figures(data):
    return every_figure(data)


def test_the_same_tables_give_the_same_figures_in_whatever_order_their_rows_are(data, figures):
    shuffled = data.deltas.sample(frac=1, random_state=3), data.composition.sample(frac=1, random_state=3)
    again = interaction_points(shuffled[0], primary(data), data.by_response.iloc[::-1], data.outcomes.iloc[::-1])
    assert again.to_json() == figures["interaction"].to_json()
    cells = shuffled[1].query("compartment == 'blood'")
    assert composition_forest(cells, title="cell types, blood").to_json() == figures["cells"].to_json()


def test_each_patients_change_is_one_sign_in_the_column_of_its_group(data, figures):
    core = data.deltas.query("feature == 'RA_RESPONSE_CORE'").set_index("patient_id")["change"]
    panel = [trace for trace in figures["interaction"].data if trace.xaxis == "x" and trace.mode == "markers"]
    assert sum(len(trace.y) for trace in panel) == len(core) == 9
    responders = next(trace for trace in panel if trace.name == "responder")
    assert sorted(responders.y) == sorted(core[["P01", "P02"]])  # P03 has no tumour sample after treatment
    assert all(abs(place) < 0.5 for place in responders.x)
    unknown = next(trace for trace in panel if trace.name == "response not known")
    assert unknown.marker.symbol.endswith("-open")
    assert list(unknown.x) == [2.0]


def test_each_group_has_its_median_and_who_is_not_known_has_none(data, figures):
    panel = [trace for trace in figures["interaction"].data if trace.xaxis == "x" and trace.mode == "lines"]
    row = data.by_response.query("feature == 'RA_RESPONSE_CORE'").iloc[0]
    assert [trace.y[0] for trace in panel] == [row["median_responders"], row["median_non_responders"]]


def test_a_panel_tells_the_numbers_compared_and_what_they_cannot_reach(figures):
    titles = [note.text for note in figures["interaction"].layout.annotations]
    assert titles[0].endswith("tumour · 2 against 6<br>cannot reach 0.05: p = 0.0714 (floor\N{NO-BREAK SPACE}0.0714)")
    assert titles[2].endswith("blood · 3 against 6<br>p = 0.0476 (floor\N{NO-BREAK SPACE}0.0238)")
    assert figures["interaction"].layout.title.subtitle.text == "3 responders, 6 others, 1 not known"


def test_signs_of_equal_changes_stand_side_by_side(data):
    deltas = data.deltas.query("feature == 'NLR'").assign(change=0.5)
    rows = data.changes.query("feature == 'NLR'")
    figure = interaction_points(deltas, rows, data.by_response, data.outcomes)
    others = next(trace for trace in figure.data if trace.name == "non-responder" and trace.mode == "markers")
    assert len(set(others.x)) == len(others.x) == 6


def test_a_feature_nobody_compared_is_drawn_without_a_p(data):
    figure = interaction_points(data.deltas, primary(data), BY_RESPONSE.empty(), data.outcomes)
    assert all(note.text.endswith("not compared") for note in figure.layout.annotations)


def test_parts_stand_in_the_order_of_their_estimates_with_both_references(figures):
    names = [text.partition(" <")[0].strip() for text in figures["cells"].layout.yaxis.ticktext]
    assert names[0] == "CD8_TEM"
    assert names[-1] == "CD8_naive"
    drawn = [trace for trace in figures["cells"].data if trace.hoverinfo == "text"]
    assert [trace.name for trace in drawn] == ["against the average of all parts", "against the part in the middle"]
    assert [len(trace.x) for trace in drawn] == [8, 8]


def test_a_verdict_has_a_colour_and_a_sign_of_its_own(figures):
    first, second = (trace for trace in figures["cells"].data if trace.hoverinfo == "text")
    assert first.marker.symbol[0] == "triangle-up"
    assert second.marker.symbol[0] == "triangle-up-open"
    assert first.marker.symbol[-1] == "triangle-down"
    looks = set(zip(first.marker.symbol, first.marker.color, strict=True))
    assert len(looks) == len({colour for _, colour in looks}) == 4  # up, down, depends on the reference, not shown


def test_of_many_parts_those_of_the_smallest_p_are_drawn_and_it_is_said(figures):
    assert len(figures["taxa"].layout.yaxis.ticktext) == MOST_PARTS
    assert figures["taxa"].layout.title.subtitle.text == "9 pairs; 30 of 40 parts, those with the smallest p"


def test_a_lineage_is_shortened_at_its_front():
    row = {
        "part": "k__Bacteria;" * 5 + "g__Roseburia",
        "coordinate": "clr",
        "estimate": 0.3,
        "ci_low": 0.1,
        "ci_high": 0.5,
    }
    told = dict.fromkeys(COMPOSITION.columns) | {"n_pairs": 9, "p_value": 0.01, "verdict": "moved"} | row
    figure = composition_forest(pd.DataFrame([told]), title="taxa")
    assert figure.layout.yaxis.ticktext[0].strip().endswith("g__Roseburia")
    assert len(figure.layout.yaxis.ticktext[0].strip()) == 34


def test_the_first_timepoint_is_the_zero_line_of_each_course(data, figures):
    traces = figures["courses"].data
    assert len(traces) == len(data.courses.drop_duplicates(["compartment", "feature"]))
    for trace in traces:
        assert trace.y[0] == 0
        assert (trace.error_y.array[0], trace.error_y.arrayminus[0]) == (0, 0)
    row = data.courses.query("feature == 'NLR' and timepoint == 'follow-up'").iloc[0]
    trace = next(trace for trace in traces if row["estimate"] in trace.y)
    assert trace.error_y.array[2] == pytest.approx(row["ci_high"] - row["estimate"])
    assert "6 pairs" in figures["courses"].layout.xaxis.ticktext[2]


def test_a_timepoint_without_an_estimate_keeps_its_place(data):
    rows = data.courses.query("feature == 'NLR'").reset_index(drop=True)
    rows.loc[0, ["estimate", "ci_low", "ci_high"]] = float("nan")
    trace = course_lines(rows).data[0]
    assert list(trace.x) == [0, 2]


def test_nothing_to_draw_is_said_in_words(data):
    none = [
        interaction_points(data.deltas.head(0), primary(data), data.by_response, data.outcomes),
        composition_forest(data.composition.assign(estimate=float("nan")), title="taxa"),
        composition_forest(COMPOSITION.empty(), title="taxa"),
        course_lines(COURSES.empty()),
    ]
    for message in none:
        assert isinstance(message, Message)
        assert message.startswith("No ")


def test_text_of_the_input_is_no_markup_in_a_figure(hostile):
    hostile_names = {"feature": INJECTION, "unit": INJECTION, "timepoint": INJECTION, "reference": INJECTION}
    odd = course_lines(hostile.courses.head(1).assign(**hostile_names))
    taxa = composition_forest(hostile.composition.assign(part=INJECTION), title=INJECTION)
    for name, figure in (every_figure(hostile) | {"odd": odd, "title": taxa}).items():
        assert isinstance(figure, go.Figure), name
        assert "<script" not in json.dumps(json.loads(figure.to_json())), name
