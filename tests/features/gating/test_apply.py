"""Which events belong where, counted by hand; and what may not matter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.features.gating.apply import Cuts, area_over_height, gate
from rabiomarkers.features.gating.transforms import Transform
from rabiomarkers.features.gating.tree import load_gating_tree

RULES = """
populations:
  single: {parent: root, gate: {"FSC-A/FSC-H": singlet}, optional: true}
  plain: {parent: single, gate: {CD3: neg, "SSC-A": low}}
  seen: {parent: single, gate: {CD14: not_neg}}
  bright: {parent: single, gate: {CD56: high}}
  dull: {parent: single, gate: {CD56: dim}}
  above_dim: {parent: single, gate: {CD56: pos}}
  below: {parent: bright, gate: {CD3: pos}}
"""
BORDERS = {
    ("root", "FSC-A/FSC-H", "singlet_low"): 0.8,
    ("root", "FSC-A/FSC-H", "singlet_high"): 1.2,
    ("single", "CD3", "pos"): 1.0,
    ("single", "SSC-A", "pos"): 0.5,
    ("single", "CD14", "pos"): 1.0,
    ("single", "CD56", "pos"): 1.0,
    ("single", "CD56", "high"): 2.0,
    ("bright", "CD3", "pos"): 3.0,
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "tree.yaml"
    path.write_text(RULES)
    return load_gating_tree(path)


def cuts(borders=BORDERS, reasons=None):
    return Cuts(borders=borders, scales={"CD3": Transform(kind="linear")}, reasons=reasons or {})


EVENTS = pd.DataFrame(
    {
        "FSC-A": [1.0, 1.0, 1.0, 2.0, 1.0, 1.0],
        "FSC-H": [1.0, 1.0, 1.0, 1.0, 0.0, 1.1],
        "SSC-A": [0.1, 0.9, 0.5, 0.1, 0.1, 0.1],
        "CD3": [0.0, 0.0, 1.0, 0.0, 0.0, 4.0],
        "CD14": [1.0, 1.1, 9.0, 9.0, 9.0, np.nan],
        "CD56": [0.0, 1.5, 2.0, 2.5, 2.5, 2.5],
    }
)


def test_each_level_is_as_the_tree_defines_it(rules):
    told = gate(EVENTS, rules, cuts()).members
    expected = {
        "single": [1, 1, 1, 0, 0, 1],  # the fourth is two cells, the fifth has no height
        "plain": [1, 0, 1, 0, 0, 0],  # at the border is below it
        "seen": [0, 1, 1, 0, 0, 0],  # what was not measured is on neither side
        "bright": [0, 0, 0, 0, 0, 1],
        "dull": [0, 1, 1, 0, 0, 0],
        "above_dim": [0, 0, 0, 0, 0, 1],  # a sibling is dim, so positive begins above dim
        "below": [0, 0, 0, 0, 0, 1],
    }
    assert {name: mask.astype(int).tolist() for name, mask in told.items()} == expected


def test_what_has_no_border_is_dropped_with_all_below_and_the_reason(rules):
    lacking = {key: value for key, value in BORDERS.items() if key != ("single", "CD56", "high")}
    told = gate(EVENTS, rules, cuts(lacking, {("single", "CD56", "high"): "one mode only"}))
    assert told.dropped["bright"] == "no border of CD56 within single (one mode only)"
    assert told.dropped["below"] == "bright cannot be gated: no border of CD56 within single (one mode only)"
    assert "seen" in told.members


def test_a_lacking_channel_drops_or_passes_through(rules):
    told = gate(EVENTS.drop(columns=["FSC-H", "CD14"]), rules, cuts())
    assert told.members["single"].all()
    assert told.remarks == {"single": "passed through: no FSC-A/FSC-H was measured"}
    assert told.dropped == {"seen": "the panel lacks CD14"}


def test_mass_cytometry_has_no_scatter_and_is_not_asked_for_it(rules):
    told = gate(EVENTS.drop(columns=["FSC-A", "FSC-H", "SSC-A"]), rules, cuts())
    assert told.members["plain"].tolist() == (EVENTS["CD3"] <= 1).tolist()


def test_the_height_of_side_scatter_stands_in_for_its_area(rules):
    told = gate(EVENTS.rename(columns={"SSC-A": "SSC-H"}), rules, cuts())
    assert told.members["plain"].tolist() == gate(EVENTS, rules, cuts()).members["plain"].tolist()


def test_a_column_without_a_scale_is_not_said_to_be_lacking(rules):
    told = gate(EVENTS.drop(columns="CD14"), rules, cuts({}), measured=list(EVENTS.columns))
    assert told.dropped["seen"] == "no border of CD14 within single (it was not looked for)"


def test_an_event_without_height_has_no_ratio():
    assert area_over_height(EVENTS, ["FSC-A", "FSC-H"])[4] == np.inf


levels = st.lists(st.floats(-1, 5), min_size=1, max_size=30)


@given(levels, st.randoms())
def test_order_and_number_of_the_events_play_no_part(rules, values, random):
    """Every event is judged by itself: shuffled or doubled, the same ones are in."""
    events = pd.DataFrame(dict.fromkeys(["CD3", "CD14", "CD56", "SSC-A"], values)).assign(
        **{"FSC-A": 1.0, "FSC-H": 1.0}
    )
    told = gate(events, rules, cuts()).members
    order = list(range(len(events)))
    random.shuffle(order)
    shuffled = gate(events.iloc[order], rules, cuts()).members
    doubled = gate(pd.concat([events, events], ignore_index=True), rules, cuts()).members
    for name, mask in told.items():
        assert mask[order].tolist() == shuffled[name].tolist()
        assert doubled[name].mean() == mask.mean()


@given(levels)
def test_children_lie_in_their_parents_and_levels_part_the_events(rules, values):
    events = pd.DataFrame(dict.fromkeys(["CD3", "CD14", "CD56", "SSC-A"], values)).assign(
        **{"FSC-A": 1.0, "FSC-H": 1.0}
    )
    told = gate(events, rules, cuts()).members
    for population in rules.populations:
        if population.parent != "root":
            assert not (told[population.name] & ~told[population.parent]).any()
    assert not (told["dull"] & told["bright"]).any()
    assert (told["dull"] | told["bright"]).tolist() == (events["CD56"] > 1).tolist()
