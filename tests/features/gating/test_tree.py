"""The gating tree: the facts of the one that ships, and every fault of one that is wrong."""

import re

import pytest
import yaml

from rabiomarkers.errors import InputError
from rabiomarkers.features.gating.tree import ROOT, load_gating_tree
from rabiomarkers.schema import config_path


def written(folder, text):
    path = folder / "tree.yaml"
    path.write_text(text)
    return path


def faults(folder, text):
    with pytest.raises(InputError) as caught:
        load_gating_tree(written(folder, text))
    return [str(problem) for problem in caught.value.problems]


def test_the_facts_that_ship_are_those_of_the_shared_knowledge(shared_data):
    ours = yaml.safe_load(config_path("markers/gating_tree.yaml").read_text())
    shared = yaml.safe_load((shared_data.parent / "knowledge" / "gating_tree.yaml").read_text())
    assert ours["populations"].keys() == shared["populations"].keys()
    for name, facts in shared["populations"].items():
        assert {key: ours["populations"][name].get(key) for key in facts} == facts
    assert ours["levels"] == shared["levels"]


def test_every_population_lies_below_the_root_and_after_its_parent():
    tree = load_gating_tree()
    assert len(tree.populations) == 54
    seen = {ROOT}
    for population in tree.populations:
        assert population.parent in seen
        seen.add(population.name)
    assert tree.path("Treg_activated") == (
        *("Treg_activated", "Treg_memory", "Treg", "CD4_T", "T_cell"),
        *("lymphocyte", "leukocyte", "live", "singlets"),
    )


def test_parts_of_the_whole_share_no_event_by_their_order(tree):
    """A part that lies in another must claim its events first."""
    for place, part in enumerate(tree.parts):
        assert not set(tree.path(part)[1:]) & set(tree.parts[:place])


def test_what_the_panel_may_lack_and_what_is_dim_is_told(tree):
    assert [each.name for each in tree.populations if each.optional] == ["singlets", "live", "leukocyte"]
    assert tree.dims("NK", "CD56")
    assert tree.dims("monocyte", "CD14")
    assert not tree.dims("leukocyte", "CD14")
    assert {"FSC-A", "FSC-H", "SSC-A", "Viability", "PD-1"} <= set(tree.markers)
    assert tree.only_excludes("Viability")
    assert not tree.only_excludes("CD19")


def test_every_fault_of_a_tree_is_told_at_once(tmp_path):
    told = faults(
        tmp_path,
        """
        parts: [A, Z, A]
        populations:
          A: {parent: root, gate: {CD3: pos, CD3: neg}}
          B: {parent: nowhere, gate: {CD4: bright}}
          C: {gate: {FSC-A: singlet}, shade: dark}
          D: {parent: E, gate: {CD8: pos}}
          E: {parent: D, gate: {CD8: pos}}
          F: {parent: A, gate: {}, kind: mood, optional: perhaps}
          G: {parent: A, gate: {CD8: pos}, frequency_of: H}
          H: {parent: A, gate: {CD8: neg}}
          H: {parent: A, gate: {CD8: pos}}
          "1 x": {parent: A, gate: {CD8: pos}}
          I: nothing
          root: {parent: A, gate: {FSC-A/FSC-H/FSC-W: singlet}, frequency_of: 3}
        """,
    )
    expected = [
        "populations.A.gate.CD3: the marker twice",
        "populations.B.parent: 'nowhere'",
        "populations.B.gate.CD4: the level 'bright'",
        "populations.C.parent: no parent",
        "populations.C.shade: an unknown key",
        "populations.C.gate.FSC-A: FSC-A: singlet",
        "populations.D.parent: a population that lies in itself",
        "populations.E.parent: a population that lies in itself",
        "populations.F.gate: no gate",
        "populations.F.kind: 'mood'",
        "populations.F.optional: 'perhaps'",
        "populations.G.frequency_of: H",
        "populations.H: the population twice",
        "populations.1 x: the name '1 x'",
        "populations.I: no rule",
        "populations.root: the name 'root'",
        "populations.root.gate.FSC-A/FSC-H/FSC-W: FSC-A/FSC-H/FSC-W: singlet",
        "populations.root.frequency_of: 3",
        "parts: 'Z'",
        "parts: 'A' twice",
    ]
    lacking = [each for each in expected if not any(f"tree.yaml:{each};" in line for line in told)]
    assert lacking == []
    assert all(re.fullmatch(r"tree\.yaml:[^;]+; [^;]+; [^;]+", line) for line in told)


@pytest.mark.parametrize(
    "text", ["", "[", "a: 1", "populations: 3", "populations: {}", "populations: []", "? [a]\n: b"]
)
def test_what_is_no_tree_is_told(tmp_path, text):
    assert faults(tmp_path, text)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="no readable YAML"):
        load_gating_tree(tmp_path / "none.yaml")
