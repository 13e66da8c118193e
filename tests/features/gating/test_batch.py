"""The borders of a batch: populations with a known truth, controls, frozen borders, panels that lack a marker."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.cytometry import gate_sample, population_table
from rabiomarkers.features.gating.batch import cuts_of, find_gates, gate_step
from rabiomarkers.features.gating.frozen import read_gates
from rabiomarkers.features.gating.pool import thinned
from rabiomarkers.features.gating.tree import load_gating_tree
from rabiomarkers.files import read_table, write_csv, write_table
from rabiomarkers.schema import config_path
from rabiomarkers.tables.cytometry import GATES
from tests.support.gated import TRUTH, piece_of, simulated_batch

KEY = ["parent", "marker", "level"]
ENOUGH = 500  # events of the denominator


def fractions(piece, tree, gates):
    table = population_table(gate_sample(piece, tree, gates, extra={}))
    return table.set_index("population")


def errors(batch, tree, gates):
    """Measured less true fraction of each population whose denominator truly holds enough events."""
    rows = []
    for sample, piece in batch.pieces.items():
        told = fractions(piece, tree, gates)
        for name in TRUTH:
            of = told.loc[name, "frequency_of"] if name in told.index else None
            whole = batch.events(sample, of) if of in TRUTH else 0
            if whole > ENOUGH:
                rows.append((sample, name, told.loc[name, "fraction"] - batch.events(sample, name) / whole))
    return pd.DataFrame(rows, columns=["sample", "population", "error"])


def test_fractions_are_within_a_point_of_the_truth(simulated, tree, gates):
    told = errors(simulated, tree, gates)
    assert set(told["population"]) >= {"T_cell", "CD4_T", "CD8_T", "Treg", "CD8_TEM", "B_cell", "NK", "monocyte", "DC"}
    assert told["error"].abs().max() < 0.01


@pytest.mark.parametrize(("method", "cofactor"), [("asinh", 150), ("asinh", 20)])
def test_they_are_on_another_scale_too(simulated, tree, method, cofactor):
    own = find_gates(simulated.pieces, tree, batch="batch-1", assay="flow", method=method, cofactor=cofactor)
    assert own["transform"].str.startswith(("asinh", "linear")).all()
    assert errors(simulated, tree, own)["error"].abs().max() < 0.02


@pytest.mark.calibration
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("events", [2_000, 20_000])
def test_fractions_are_within_two_points_of_the_truth_in_further_trials(tmp_path, tree, seed, events):
    batch = simulated_batch(tmp_path, patients=5, events=events, seed=seed)
    own = find_gates(batch.pieces, tree, batch="batch-1", assay="flow")
    assert errors(batch, tree, own)["error"].abs().max() < 0.02


def test_every_border_says_how_it_was_found(gates):
    assert set(gates["method"]) <= {"valley", "mixture", "tail", "diagonal", "none"}
    assert gates["cut"].notna().all() or gates.loc[gates["cut"].isna(), "note"].notna().all()
    valleys = gates[gates["method"] == "valley"]
    assert (valleys["separation"] > 2).all()
    assert len(valleys) > 40


def test_a_rare_parent_borrows_the_border_of_a_wider_population(gates):
    """HLA-DR has one mode among CD8 T cells; B cells among the lymphocytes show where negative ends."""
    row = gates.set_index(KEY).loc["CD8_T", "HLA-DR", "pos"]
    assert row["note"].startswith("found among the events of ")


def test_neither_the_order_of_events_nor_of_samples_moves_a_border(simulated, tree, gates):
    rng = np.random.default_rng(1)
    shuffled = {}
    for sample, piece in reversed(simulated.pieces.items()):
        own = piece.iloc[rng.permutation(len(piece))].reset_index(drop=True)
        own.attrs = piece.attrs
        shuffled[sample] = own
    pd.testing.assert_frame_equal(find_gates(shuffled, tree, batch="batch-1", assay="flow"), gates)


def test_of_large_samples_the_same_events_are_pooled_whatever_their_order(tree):
    rng = np.random.default_rng(1)
    piece = piece_of({"CD3": rng.normal(0, 1, 25_000), "CD4": np.zeros(25_000), "Time": np.arange(25_000)})
    turned = piece.iloc[::-1].reset_index(drop=True)
    first, second = (thinned(own, tree, samples=2) for own in (piece, turned))
    assert len(first) == 20_000
    assert list(first.columns) == ["CD3", "CD4"]
    assert sorted(first["CD3"]) == sorted(second["CD3"])
    assert len(thinned(piece, tree, samples=40)) == 10_000
    pd.testing.assert_frame_equal(thinned(first, tree, samples=2), first)


def test_frozen_borders_stay_and_make_a_sample_independent_of_its_batch(simulated, tree, gates, tmp_path):
    write_csv(gates, tmp_path / "gates.csv")
    frozen = read_gates(tmp_path / "gates.csv")
    sample = next(iter(simulated.pieces))
    alone = find_gates({sample: simulated.pieces[sample]}, tree, batch="batch-1", assay="flow", frozen=frozen)
    assert set(alone["method"]) == {"frozen"}
    assert alone["cut"].tolist() == gates["cut"].tolist()
    assert alone["transform"].tolist() == gates["transform"].tolist()
    before, after = (gate_sample(simulated.pieces[sample], tree, own, extra={}) for own in (gates, alone))
    assert before.membership.members.keys() == after.membership.members.keys()
    for name, mask in before.membership.members.items():
        assert (mask == after.membership.members[name]).all()
    assert not any(after.depends.values())
    assert all(before.depends[name] for name in ("T_cell", "CD8_PD1pos"))
    assert after.scaled == frozenset()


def test_borders_of_another_batch_or_assay_are_not_used(simulated, tree, gates):
    own = find_gates(simulated.pieces, tree, batch="batch-2", assay="flow", frozen=gates)
    assert "frozen" not in set(own["method"])


def test_a_control_decides_before_the_data(simulated, tree):
    """Stained without PD-1: 99.5 % of its CD8 T cells lie below the border."""
    sample = next(iter(simulated.pieces))
    unstained = simulated.pieces[sample].copy()
    unstained["PD-1"] = np.random.default_rng(1).normal(300.0, 130.0, len(unstained)).astype("float32")
    own = find_gates(simulated.pieces, tree, batch="batch-1", assay="flow", controls={"PD-1": unstained})
    row = own.set_index(KEY).loc["CD8_T", "PD-1", "pos"]
    assert row["method"] == "control"
    linear = 300.0 + 2.576 * 130.0  # of a normal, 99.5 % lie below
    scale = cuts_of(own).scales["PD-1"]
    assert row["cut"] == pytest.approx(float(scale.apply(np.array([linear]))[0]), abs=0.02)
    gated = gate_sample(simulated.pieces[sample], tree, own, extra={})
    assert gated.depends["CD8_PD1pos"]  # its parents were still found on the data


def test_a_population_that_the_panel_cannot_tell_is_dropped_by_name_with_all_below(simulated, tree):
    pieces = {}
    for sample, piece in simulated.pieces.items():
        pieces[sample] = piece.drop(columns=["CD19", "Viability"])
        pieces[sample].attrs = piece.attrs
    own = find_gates(pieces, tree, batch="batch-1", assay="flow")
    told = fractions(pieces[next(iter(pieces))], tree, own)
    assert len(told) == 54
    assert told.loc["B_cell", "note"] == "the panel lacks CD19"
    assert told.loc["CD8_TEM", "note"] == "CD8_T cannot be gated: the panel lacks CD19"
    assert told.loc[["B_cell", "CD8_TEM", "B_naive"], ["events", "fraction"]].isna().all(axis=None)
    assert told.loc["live", "note"] == "passed through: no Viability was measured"
    assert told.loc["live", "events"] == told.loc["singlets", "events"]
    assert told.loc["lymphocyte", "fraction"] > 0.5


def test_a_marker_that_one_sample_lacks_is_cut_by_the_others(simulated, tree):
    first, *others = simulated.pieces
    lacking = simulated.pieces[first].drop(columns="CD25")
    lacking.attrs = simulated.pieces[first].attrs
    own = find_gates(simulated.pieces | {first: lacking}, tree, batch="batch-1", assay="flow")
    assert fractions(lacking, tree, own).loc["Treg", "note"] == "the panel lacks CD25"
    assert fractions(simulated.pieces[others[0]], tree, own).loc["Treg", "fraction"] > 0.01


def test_cells_that_are_all_alive_are_not_taken_for_dead(tmp_path):
    """A dye that no population is positive for has one mode, of living cells, however bright their background."""
    path = tmp_path / "tree.yaml"
    path.write_text("populations: {live: {parent: root, gate: {Viability: neg}}}")
    own = load_gating_tree(path)
    piece = piece_of({"Viability": 10 ** np.random.default_rng(1).normal(3.3, 0.1, 5_000)})
    gates = find_gates({"A": piece}, own, batch="b", assay="flow")
    assert fractions(piece, own, gates).loc["live", "fraction"] > 0.98


@pytest.mark.parametrize(
    ("rules", "spread", "expected"),
    [
        # one positive mode: usually dim beside a high child, usually positive beside a dim one
        ("a: {parent: root, gate: {CD56: high}}\n  b: {parent: root, gate: {CD56: dim}}", 0.5, (0.0, 0.5)),
        ("a: {parent: root, gate: {CD56: pos}}\n  b: {parent: root, gate: {CD56: dim}}", 0.5, (0.5, 0.0)),
        # without a dim child the brightest mode, if few events make it, else nobody is high
        ("a: {parent: root, gate: {CD56: high}}\n  b: {parent: root, gate: {CD56: pos}}", 0.2, (0.2, 0.2)),
        ("a: {parent: root, gate: {CD56: high}}\n  b: {parent: root, gate: {CD56: pos}}", 0.7, (0.0, 0.7)),
    ],
)
def test_one_mode_of_positive_events_is_high_or_dim_by_what_the_tree_asks(tmp_path, rules, spread, expected):
    path = tmp_path / "tree.yaml"
    path.write_text(f"populations:\n  {rules}\n")
    own = load_gating_tree(path)
    rng = np.random.default_rng(1)
    positive = rng.random(20_000) < spread
    piece = piece_of({"CD56": np.where(positive, 10 ** rng.normal(4, 0.1, 20_000), rng.normal(0, 100, 20_000))})
    gates = find_gates({"A": piece}, own, batch="b", assay="flow")
    told = fractions(piece, own, gates)["fraction"]
    assert (told["a"], told["b"]) == pytest.approx(expected, abs=0.02)


def test_dim_and_high_are_parted_where_there_are_two_positive_modes(tmp_path):
    path = tmp_path / "tree.yaml"
    rules = "bright: {parent: root, gate: {CD56: high}}\n  dim: {parent: root, gate: {CD56: dim}}"
    path.write_text(f"populations:\n  {rules}\n  none: {{parent: root, gate: {{CD56: neg}}}}\n")
    own = load_gating_tree(path)
    rng = np.random.default_rng(1)
    light = np.concatenate(
        [rng.normal(0, 100, 7_000), 10 ** rng.normal(3.2, 0.1, 2_500), 10 ** rng.normal(4.4, 0.1, 500)]
    )
    piece = piece_of({"CD56": light})
    told = fractions(piece, own, find_gates({"A": piece}, own, batch="b", assay="flow"))["fraction"]
    assert told[["none", "dim", "bright"]].tolist() == pytest.approx([0.70, 0.25, 0.05], abs=0.003)


def test_what_cannot_be_cut_has_no_border_and_its_reason(tmp_path):
    path = tmp_path / "tree.yaml"
    path.write_text("populations: {a: {parent: root, gate: {CD3: pos}}, b: {parent: a, gate: {CD4: pos}}}")
    own = load_gating_tree(path)
    piece = piece_of({"CD3": np.arange(50.0), "CD4": np.arange(50.0)})
    gates = find_gates({"A": piece}, own, batch="b", assay="flow")
    assert gates["note"].tolist() == ["50 events, 200 are needed"]
    told = fractions(piece, own, gates)
    assert told["note"].tolist() == [
        "no border of CD3 within root (50 events, 200 are needed)",
        "a cannot be gated: no border of CD3 within root (50 events, 200 are needed)",
    ]


@pytest.mark.parametrize("values", [np.zeros(1000), np.full(1000, 262_144.0), np.full(1000, -5.0)])
def test_a_dead_channel_has_no_border(tmp_path, values):
    path = tmp_path / "tree.yaml"
    path.write_text("populations: {a: {parent: root, gate: {CD3: pos}}, b: {parent: root, gate: {CD3: high}}}")
    own = load_gating_tree(path)
    piece = piece_of({"CD3": values})
    told = fractions(piece, own, find_gates({"A": piece}, own, batch="b", assay="flow"))
    assert told["fraction"].isna().all()
    assert told["note"].str.contains("every event has the same value").all()


def test_a_panel_without_any_marker_of_the_tree_has_no_population(tree):
    piece = piece_of({"CD999": np.arange(1000.0), "Time": np.arange(1000.0)})
    gates = find_gates({"A": piece}, tree, batch="b", assay="flow")
    assert len(gates) == 0
    told = fractions(piece, tree, gates)
    assert told.loc["leukocyte", "events"] == 1000  # passed through
    assert told.loc["T_cell", "note"] == "lymphocyte cannot be gated: the panel lacks CD14"


def test_the_step_finds_the_same_borders_from_files(simulated, tmp_path, gates):
    inputs = {"tree": config_path("markers/gating_tree.yaml")}
    for sample, piece in simulated.pieces.items():
        inputs[f"piece:{sample}"] = tmp_path / f"{sample}.parquet"
        write_table(piece, inputs[f"piece:{sample}"])
    told = gate_step(inputs, tmp_path, batch="batch-1", assay="flow")
    own = GATES.check(read_table(tmp_path / "gates.parquet"))
    pd.testing.assert_frame_equal(own, gates)
    assert told == {"borders": int(gates["cut"].notna().sum()), "not_found": int(gates["cut"].isna().sum())}
    write_csv(gates, tmp_path / "frozen.csv")
    some = next(name for name in inputs if name.startswith("piece:"))
    control = {"control:PD-1:fmo": inputs[some], "frozen": tmp_path / "frozen.csv"}
    gate_step(inputs | control, tmp_path, batch="batch-1", assay="flow")
    assert set(read_table(tmp_path / "gates.parquet")["method"]) == {"frozen"}  # before the control, too
