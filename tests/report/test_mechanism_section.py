"""The part of the report about the mechanism: the call, the figure, the links, and what they cannot show."""

from dataclasses import replace
from math import factorial

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.chain import ChainNode, chain_table, link_table
from rabiomarkers.change.immune import adjusted_table
from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.figures.chain import chain_lines
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.sections_mechanism import mechanism_section
from rabiomarkers.report.summary import answer
from rabiomarkers.settings.plan import PlanSettings
from rabiomarkers.stats.rank_correlation import product_sum_counts
from rabiomarkers.tables.changes import CHAIN, LINKS

NODES = (
    ChainNode(name="targets", compartment="tumour", feature="RA"),
    ChainNode(name="suppressors", compartment="blood", feature="MDSC", expected="down"),
    ChainNode(name="taxa", compartment="faecal", feature="taxa"),
)
PATIENTS = ("P1", "P2", "P3", "P10")
MOVED = {"RA": [1.0, 2.0, 3.0, 6.0], "MDSC": [-2.0, -1.0, np.nan, -4.0]}


def deltas(**changes):
    places = {node.feature: node.compartment for node in NODES}
    rows = [
        {"patient_id": patient, "compartment": places[feature], "feature": feature, "unit": "units", "change": change}
        for feature, values in changes.items()
        for patient, change in zip(PATIENTS, values, strict=False)
        if not np.isnan(change)
    ]
    return pd.DataFrame(rows, columns=["patient_id", "compartment", "feature", "unit", "change"])


def outcomes(**responders):
    return pd.DataFrame(
        {
            "patient_id": list(PATIENTS),
            "best_response": ["PR", "PD", "NE", "SD"],
            "responder": [True, False, False, False],
        }
    ).assign(**responders)


def chain_of(nodes=NODES, **changes):
    return chain_table(deltas(**changes), PATIENTS, nodes)


@pytest.fixture
def figure():
    return chain_lines(chain_of(**MOVED), outcomes(), colour=None)


def lines(figure):
    return {trace.name: trace for trace in figure.data}


def test_every_patient_is_a_line_and_the_median_is_one_more(figure):
    assert len(figure.data) == 4 + 1
    assert figure.layout.title.text == "The mechanism, step by step: 4 patients with a pair at one step or more"


def test_a_change_is_divided_by_its_steps_spread_and_turned_so_that_expected_is_up(figure):
    first, last = figure.data[0], figure.data[3]
    spread = np.std(MOVED["RA"], ddof=1), np.nanstd(MOVED["MDSC"], ddof=1)
    assert first.y[:2] == pytest.approx((1 / spread[0], 2 / spread[1]))
    assert last.y[:2] == pytest.approx((6 / spread[0], 4 / spread[1]))  # P10 comes after P3


def test_a_missing_pair_is_a_gap(figure):
    assert figure.data[2].y[1] is None
    assert figure.data[2].connectgaps is False
    assert lines(figure)["median"].y[2] is None  # nobody has the taxa


def test_the_axis_names_each_step_its_compartment_and_its_pairs(figure):
    assert list(figure.layout.xaxis.ticktext) == [
        "targets<br>tumour<br>4 pairs",
        "suppressors<br>blood (turned)<br>3 pairs",
        "taxa<br>faecal<br>0 pairs",
    ]
    assert figure.layout.title.subtitle.text == "no two pairs that differ: taxa"


def test_responders_are_told_by_colour_line_and_sign(results):
    data = data_of_results(results)
    told = lines(chain_lines(data.chain, data.outcomes))
    groups = [told[name] for name in ("responder", "non-responder")]
    for sign in ("color", "dash"):
        assert groups[0].line[sign] != groups[1].line[sign]
    assert groups[0].marker.symbol != groups[1].marker.symbol


@pytest.mark.parametrize(
    "changes",
    [{}, {"RA": [1.0]}, {"RA": [2.0, 2.0, 2.0]}, {"RA": [0.0, 0.0], "MDSC": [1.0]}],
    ids=["nobody", "one patient", "all equal", "no step with a spread"],
)
def test_without_two_changes_that_differ_there_is_a_sentence_in_place_of_the_figure(changes):
    told = chain_lines(chain_of(**changes), outcomes(), colour=None)
    assert isinstance(told, Message)
    assert "no step has the changes of two patients that differ" in told


def test_free_text_of_the_plan_cannot_be_markup():
    node = replace(NODES[0], name="<b>x</b>")
    told = chain_lines(chain_of((node,), RA=[1.0, 2.0]), outcomes(), colour=None)
    assert "<b>" not in told.to_json().replace("\\u003c", "<")


# ---- the section -----------------------------------------------------------------------------------------------------


def section(results, *, chain=None, links=None, called=None, plan=None):
    data = data_of_results(results)
    changed = replace(
        data,
        chain=CHAIN.empty() if chain is None else chain,
        links=LINKS.empty() if links is None else links,
        summary={**data.summary, "retinoic_acid": called, "plan": plan or {}},
    )
    return mechanism_section(changed).blocks


def links_of(**changes):
    return link_table(deltas(**changes), NODES)


def grids(blocks):
    return [block for block in blocks if isinstance(block, Grid)]


def test_the_section_holds_the_sentence_the_figure_the_links_and_the_adjusted_numbers(results):
    adjusted = adjusted_table(
        deltas(RA=[1.0, 2.0, 2.0, 4.0], MDSC=[-1.0, 1.0, 2.0, 3.0]), features=["RA"], infiltration=["blood:MDSC"]
    )
    called = {"call": "no response", "sentence": "Said.", "why": "Because.", "adjusted": adjusted.to_dict("records")}
    blocks = section(results, chain=chain_of(**MOVED), links=links_of(**MOVED), called=called)
    assert [type(block) for block in blocks] == [Prose, Grid, Picture, Grid]
    assert blocks[0].text == "Said."
    assert blocks[1].note.endswith("Because.")
    row = dict(zip(blocks[1].columns, blocks[1].rows[0], strict=True))
    assert row["mean change"] == "+2.25"
    assert row["adjusted change"].startswith("+1.43 units")  # 2.25 - 1.25 * 5.75 / 8.75
    assert row["share"] == "79.5\N{NO-BREAK SPACE}%"
    assert "are no proof of the mechanism" in blocks[2].caption


def test_the_correlation_that_ten_patients_show_is_the_one_the_caption_tells(results):
    """Spearman's rho of ten patients without ties is 1 - sum of squared rank differences / 165; all 10! orders are counted."""
    ranks = np.arange(1, 11)
    counts = np.asarray(product_sum_counts(ranks, ranks))
    rho = np.arange(len(counts)) / 82.5 - 11 / 3  # of each sum of products
    shares = {at: counts[np.abs(rho) >= at - 1e-9].sum() / factorial(10) for at in rho[(counts > 0) & (rho > 0)]}
    links = len(PlanSettings().chain) - 1
    alone, first = (min(at for at, share in shares.items() if share <= level) for level in (0.05, 0.05 / links))
    assert links == 4
    caption = section(results, chain=chain_of(**MOVED), links=links_of(**MOVED))[1].caption
    assert f"a link tested alone is seen from a correlation of {alone:.2f} on" in caption
    assert f"the first of four links (Holm asks it for p of 0.0125) from {first:.2f} on" in caption


def test_the_mechanism_begins_with_the_sentence_of_the_front_page(results):
    for called in (None, {}, {"call": "no response", "sentence": "Said."}):
        summary = {"primary": [], "retinoic_acid": called}
        assert section(results, called=called)[0].text == answer(summary)[1]
    marked = section(results, called={"sentence": "Said."}, plan={"registered": False})
    assert marked[0].text == "The plan is not the one that was registered, so every feature is exploratory. Said."


def test_the_adjusted_change_is_said_to_be_an_intercept_and_not_patients(results):
    adjusted = adjusted_table(
        deltas(RA=[1.0, 2.0, 2.0, 4.0], MDSC=[-1.0, 1.0, 2.0, 3.0]), features=["RA"], infiltration=["blood:MDSC"]
    )
    note = section(results, called={"sentence": "Said.", "adjusted": adjusted.to_dict("records")})[1].note
    assert "its intercept; there need be no such patient" in note


def test_a_link_that_few_patients_cannot_show_says_cannot_reach(results):
    moved = {"RA": [1.0, 2.0, 3.0, 6.0], "MDSC": [-1.0, -2.0, -3.0, -4.0]}
    (table,) = grids(section(results, chain=chain_of(**moved), links=links_of(**moved)))
    assert [row[:4] for row in table.rows] == [
        ("targets \N{RIGHTWARDS ARROW} suppressors", "cannot reach 0.05 with 4 patients", "4", "4 of 4"),
        ("suppressors \N{RIGHTWARDS ARROW} taxa", "not estimable\nnobody has a pair of taxa", "0", "\N{EN DASH}"),
    ]
    assert "floor\N{NO-BREAK SPACE}0.0833" in table.rows[0][5]


@pytest.mark.parametrize(
    ("turn", "said"), [(-1, "moved together"), (1, "moved against each other")], ids=["together", "against"]
)
def test_a_link_that_passes_says_which_way(results, turn, said):
    ten = [float(value) for value in range(1, 11)]
    table = pd.concat(
        pd.DataFrame(
            {
                "patient_id": [f"P{place}" for place in range(10)],
                "compartment": node.compartment,
                "feature": node.feature,
                "unit": "units",
                "change": [sign * value for value in ten],
            }
        )
        for node, sign in zip(NODES, (1, turn), strict=False)
    )
    (grid,) = grids(section(results, chain=chain_of(**MOVED), links=link_table(table, NODES[:2])))
    assert grid.rows[0][1] == said


def test_a_link_that_does_not_pass_says_so(results):
    links = links_of(**MOVED).assign(p_value=0.3, p_floor=0.001, q_value=0.6, estimate=0.4, note="")
    (table,) = grids(section(results, chain=chain_of(**MOVED), links=links))
    assert table.rows[0][1] == "no link shown"


def test_what_could_not_be_adjusted_stands_with_its_reason(results):
    adjusted = adjusted_table(deltas(RA=[1.0, 2.0]), features=["RA"], infiltration=["CYT"]).to_dict("records")
    row = section(results, called={"sentence": "Said.", "adjusted": adjusted})[1].rows[0]
    assert row[4] == "not estimable\nno pair of CYT"
    assert row[5:] == ("\N{EN DASH}",) * 3


def test_results_without_a_chain_say_so(results):
    assert section(results)[-1].text == "No patient has a pair at any step of the mechanism."
    of_before = section(results, called={"call": "no response", "sentence": "Said."})
    assert of_before[0].text == "Said."
    assert "An earlier version" in of_before[-1].text


def test_one_patient_has_a_sentence_in_place_of_the_figure(results):
    picture = section(results, chain=chain_of(RA=[1.0]), links=links_of(RA=[1.0]))[1]
    assert picture.message
