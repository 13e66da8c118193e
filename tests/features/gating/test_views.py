"""What a person sees of a border, and where a sample's events lie about it."""

import numpy as np
import pytest

from rabiomarkers.features.cytometry import gate_sample
from rabiomarkers.features.gating.batch import cuts_of, find_gates
from rabiomarkers.features.gating.tree import load_gating_tree
from rabiomarkers.features.gating.views import BINS, densities, marker_positions
from tests.support.gated import piece_of


@pytest.fixture(scope="module")
def seen(simulated, tree, gates):
    piece = next(iter(simulated.pieces.values()))
    return gate_sample(piece, tree, gates, extra={})


def test_every_density_integrates_to_one(seen, gates):
    told = densities(seen.events, seen.membership, gates)
    for (parent, _), one in told.groupby(["parent", "marker"]):
        width = np.diff(one["position"]).mean()
        assert one["density"].sum() * width == pytest.approx(1.0, rel=1e-6)
        assert len(one) == BINS
        assert parent == "root" or seen.membership.members[parent].sum() >= 50
    cut = gates[~gates["marker"].str.contains("/")][["parent", "marker"]].drop_duplicates()
    assert len(told.groupby(["parent", "marker"])) >= 0.9 * len(cut)


def test_positions_are_the_medians_of_those_inside_and_of_others(seen, tree, gates):
    told = marker_positions(seen.events, seen.membership, tree, gates).set_index(["population", "marker"])
    row = told.loc["B_cell", "CD19"]
    members = seen.membership.members
    assert row["positive"] == pytest.approx(seen.events.loc[members["B_cell"], "CD19"].median(), abs=1e-6)
    assert row["positive_events"] == members["B_cell"].sum()
    t_cells = members["lymphocyte"] & (seen.events["CD3"] > cuts_of(gates).borders["lymphocyte", "CD3", "pos"])
    assert row["background"] == pytest.approx(seen.events.loc[t_cells, "CD19"].median(), abs=1e-6)
    assert row["background_events"] == t_cells.sum()
    assert row["background"] < row["cut"] < row["positive"]
    assert row["background_above_cut"] < 0.02


def test_what_is_dim_begins_above_negative(seen, tree, gates):
    told = marker_positions(seen.events, seen.membership, tree, gates).set_index(["population", "marker"])
    borders = cuts_of(gates).borders
    assert told.loc["NK_CD56dim", "CD56"]["cut"] == borders["NK", "CD56", "pos"]
    assert told.loc["NK_CD56bright", "CD56"]["cut"] == borders["NK", "CD56", "high"]
    assert told.loc["mono_classical", "CD14"]["cut"] == borders["monocyte", "CD14", "high"]  # positive is above dim
    assert (told["positive"].dropna() > told.loc[told["positive"].notna(), "cut"]).all()


def test_few_events_have_neither_density_nor_position(tmp_path):
    path = tmp_path / "tree.yaml"
    path.write_text("populations: {a: {parent: root, gate: {CD3: pos}}}")
    own = load_gating_tree(path)
    rng = np.random.default_rng(1)
    whole = piece_of({"CD3": np.concatenate([rng.normal(0, 100, 500), 10 ** rng.normal(4, 0.1, 500)])})
    gates = find_gates({"A": whole}, own, batch="b", assay="flow")
    few = gate_sample(piece_of({"CD3": [0.0, 10_000.0] * 10}), own, gates, extra={})
    assert len(densities(few.events, few.membership, gates)) == 0
    row = marker_positions(few.events, few.membership, own, gates).squeeze()
    assert row["positive_events"] == 10
    assert np.isnan([row["positive"], row["background"], row["background_above_cut"]]).all()
