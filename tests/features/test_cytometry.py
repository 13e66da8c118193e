"""Populations of one gated sample: shares by hand, parts of the whole, medians, and the step from files."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import CellError
from rabiomarkers.features.cytometry import (
    LEUKOCYTE,
    OTHER,
    cytometry_features,
    cytometry_step,
    gate_sample,
    part_table,
    population_table,
)
from rabiomarkers.features.gating.batch import find_gates, gate_step
from rabiomarkers.features.gating.transforms import Transform
from rabiomarkers.features.gating.tree import load_gating_tree
from rabiomarkers.files import read_table, write_table
from rabiomarkers.schema import config_path
from rabiomarkers.stats.composition import clr
from rabiomarkers.tables.cytometry import GATES, MARKER_POSITIONS, PARTS, POPULATIONS, VIEWS
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC
from tests.support.gated import piece_of, simulated_batch

RULES = """
parts: [[T_help, T_cell], B_cell, monocyte]
populations:
  leukocyte: {parent: root, gate: {CD45: pos}}
  T_cell: {parent: leukocyte, gate: {CD3: pos}}
  T_help: {parent: T_cell, gate: {CD4: pos}}
  B_cell: {parent: leukocyte, gate: {CD3: neg, CD19: pos}}
  T_naive: {parent: T_help, gate: {CD45RA: pos}, frequency_of: T_cell}
  T_busy: {parent: T_cell, gate: {Ki-67: pos}, kind: state}
  monocyte: {parent: leukocyte, gate: {CD14: pos}}
"""
# CD45 CD3 CD4 CD19 CD45RA Ki-67 CD38, and how many such events
CELLS = [
    ((9, 9, 9, 0, 9, 0, 5), 300),
    ((9, 9, 9, 0, 0, 9, 7), 100),
    ((9, 9, 0, 0, 0, 0, 1), 200),
    ((9, 0, 0, 9, 0, 0, 3), 150),
    ((9, 0, 0, 0, 0, 0, 2), 50),
    ((0, 0, 0, 0, 0, 0, 0), 200),
]
MARKERS = ["CD45", "CD3", "CD4", "CD19", "CD45RA", "Ki-67", "CD38"]


def borders(method="control"):
    asked = [
        ("root", "CD45"),
        ("leukocyte", "CD3"),
        ("T_cell", "CD4"),
        ("leukocyte", "CD19"),
        ("T_help", "CD45RA"),
        ("T_cell", "Ki-67"),
    ]
    rows = [
        {
            "batch": "b",
            "assay": "cytof",
            "parent": parent,
            "marker": marker,
            "level": "pos",
            "cut": 1.0,
            "method": method,
            "separation": np.nan,
            "events": 1000,
            "transform": "asinh c=5 T=1000",
            "note": None,
        }
        for parent, marker in asked
    ]
    return GATES.check(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "tree.yaml"
    path.write_text(RULES)
    return load_gating_tree(path)


def counted(rules, cells=CELLS, method="control"):
    linear = 5 * np.sinh(np.repeat([levels for levels, _ in cells], [number for _, number in cells], axis=0))
    piece = piece_of(dict(zip(MARKERS, linear.T, strict=True)), assay="cytof")
    return gate_sample(piece, rules, borders(method), extra={"CD38": Transform(kind="asinh")})


def features(sample, **options):
    populations = population_table(sample, minimum_parent_events=100)
    told = cytometry_features(sample, populations, part_table(sample), method="gating tree", unit="asinh", **options)
    return told.set_index("feature")


def test_events_and_shares_are_those_counted_by_hand(rules):
    told = population_table(counted(rules), minimum_parent_events=100).set_index("population")
    assert told["events"].dropna().to_dict() == {
        "leukocyte": 800,
        "T_cell": 600,
        "T_help": 400,
        "B_cell": 150,
        "T_naive": 300,
        "T_busy": 100,
    }
    assert told.loc[
        "T_naive", ["parent_events", "fraction_of_parent", "fraction", "fraction_of_leukocytes"]
    ].tolist() == [*(400, 300 / 400, 300 / 600, 300 / 800)]
    assert told.loc["leukocyte", "fraction"] == 0.8
    assert told["cells_per_ul"].isna().all()
    assert told.loc["monocyte", "note"] == "the panel lacks CD14"
    assert told.loc["monocyte", ["events", "fraction", "fraction_of_leukocytes"]].isna().all()


def test_of_too_few_events_there_is_no_share_and_never_a_zero(rules):
    told = population_table(counted(rules), minimum_parent_events=500).set_index("population")
    assert told.loc["T_help", "fraction"] == 400 / 600
    assert np.isnan(told.loc["T_naive", "fraction_of_parent"])
    few = population_table(counted(rules), minimum_parent_events=700).set_index("population")
    assert few.loc["T_help", ["fraction", "events"]].isna().tolist() == [True, False]
    assert few.loc["T_help", "note"] == "600 events of T_cell, 700 are needed"


def test_every_leukocyte_is_in_one_part(rules):
    sample = counted(rules)
    told = part_table(sample).set_index("part")["events"]
    assert told.to_dict() == {"T_help": 400, "T_cell": 200, "B_cell": 150, OTHER: 50}
    assert told.sum() == sample.membership.members[LEUKOCYTE].sum()


def test_features_are_shares_log_ratios_and_medians(rules):
    told = features(counted(rules))
    assert told.loc["gated_fraction_T_help", ["value", "unit"]].tolist() == [400 / 600, "fraction of T_cell"]
    assert told.loc["leukocyte_fraction_T_help", "value"] == 400 / 800
    assert "leukocyte_fraction_T_cell" not in told.index  # it is a share of the leukocytes already
    ratios = clr(pd.Series({"T_help": 400, "T_cell": 200, "B_cell": 150}) * 100 / 750)
    for part, expected in ratios.items():
        assert told.loc[f"gated_clr_{part}", "value"] == pytest.approx(expected)
    assert told.loc["median_CD38~T_help", ["value", "unit"]].tolist() == [pytest.approx(5.0, abs=1e-5), "asinh"]
    assert told.loc["median_CD38~B_cell", "value"] == pytest.approx(3.0, abs=1e-5)
    assert "median_Ki-67~T_busy" not in told.index  # a state has no state
    lacking = told.loc["gated_fraction_monocyte"]
    assert np.isnan(lacking["value"])
    assert lacking[["note", "coverage"]].tolist() == ["the panel lacks CD14", 0.0]
    assert told.loc[told["value"].isna(), "note"].notna().all()


def test_a_marker_that_defines_a_population_is_not_measured_in_it(rules):
    told = features(counted(rules), state_markers=["CD4", "CD38"])
    assert "median_CD4~T_cell" in told.index
    assert "median_CD4~T_help" not in told.index


@pytest.mark.parametrize(("method", "depends"), [("control", False), ("frozen", False), ("valley", True)])
def test_what_hangs_on_other_samples_says_so(rules, method, depends):
    told = features(counted(rules, method=method))
    shares = told[told.index.str.contains("fraction") & told["value"].notna()]
    assert (shares["cohort_dependent"] == depends).all()


def test_the_scale_of_a_median_may_hang_on_other_samples_where_the_border_does_not(rules):
    told = features(counted(rules), state_markers=["Ki-67"])  # its width was chosen for the batch
    assert told.loc["median_Ki-67~B_cell", "cohort_dependent"]
    assert not told.loc["gated_fraction_B_cell", "cohort_dependent"]


def test_doubled_events_change_no_feature(rules):
    once = features(counted(rules))
    twice = features(counted(rules, cells=CELLS * 2))
    pd.testing.assert_frame_equal(once, twice)


def test_no_leukocyte_gives_absent_shares_with_reasons(rules):
    told = features(counted(rules, cells=[((0,) * 7, 500)]))
    assert told.loc["gated_fraction_T_cell", "note"] == "0 events of leukocyte, 100 are needed"
    assert told.loc["gated_fraction_leukocyte", "value"] == 0.0  # of 500 events: that is a number
    assert not any(name.startswith("gated_clr") for name in told.index)


def test_events_without_a_passport_are_refused(tmp_path):
    write_table(pd.DataFrame({"CD3": [1.0]}), tmp_path / "A.parquet")
    with pytest.raises(CellError, match="no passport"):
        cytometry_step({"sample": tmp_path / "A.parquet"}, tmp_path, assay="flow")


@pytest.fixture(scope="module")
def stepped(tmp_path_factory):
    """One simulated sample, gated beside others by the two steps."""
    folder = tmp_path_factory.mktemp("stepped")
    batch = simulated_batch(folder, patients=2, events=3_000)
    inputs = {"tree": config_path("markers/gating_tree.yaml")}
    for sample, piece in batch.pieces.items():
        write_table(piece, folder / f"{sample}.parquet")
        inputs[f"piece:{sample}"] = folder / f"{sample}.parquet"
    gate_step(inputs, folder, batch="batch-1", assay="flow")
    sample = next(iter(batch.pieces))
    own = {"sample": folder / f"{sample}.parquet", "tree": inputs["tree"], "gates": folder / "gates.parquet"}
    info = cytometry_step(own, folder, assay="flow")
    names = ("features", "qc", "populations", "parts", "views", "positions")
    return batch, sample, info, {name: read_table(folder / f"{name}.parquet") for name in names}


def test_the_step_writes_what_each_table_promises(stepped):
    _, _, info, tables = stepped
    promised = {
        "features": SAMPLE_FEATURES,
        "qc": SAMPLE_QC,
        "populations": POPULATIONS,
        "parts": PARTS,
        "views": VIEWS,
        "positions": MARKER_POSITIONS,
    }
    for name, table in promised.items():
        assert len(table.check(tables[name])) > 0
    assert info["events"] == 3_000
    assert info["populations"] + info["dropped"] == 54
    assert tables["qc"]["passed"].all()
    assert set(tables["features"].loc[tables["features"]["unit"] == "logicle", "feature"].str.split("~").str[0]) <= {
        *("median_Ki-67", "median_PD-1", "median_HLA-DR", "median_CD38", "median_GZMB")
    }


def test_what_the_step_counts_is_what_is_in_the_tube(stepped):
    batch, sample, _, tables = stepped
    told = tables["features"].set_index("feature")["value"]
    leukocytes = batch.events(sample, "leukocyte")
    for name in ("T_cell", "B_cell", "NK", "monocyte"):
        assert told[f"gated_fraction_{name}"] == pytest.approx(batch.events(sample, name) / leukocytes, abs=0.01)
    quality = tables["qc"].set_index("measure")["value"]
    flow = batch.truth[sample].truth
    single = ~flow["doublet"]
    assert quality["viability"] == pytest.approx(1 - flow.loc[single, "dead"].mean(), abs=0.02)
    assert quality["events_clean"] == pytest.approx(leukocytes, rel=0.02)


def test_nothing_of_the_patient_is_in_the_tables(stepped):
    _, sample, _, tables = stepped
    patient = sample.split("-")[0]
    for table in tables.values():
        texts = table.select_dtypes(include=["object", "string"])
        assert not texts.apply(lambda column: column.astype("str").str.contains(patient)).any(axis=None)


def test_another_sample_of_the_batch_moves_no_event_under_the_same_borders(stepped):
    batch, sample, _, tables = stepped
    tree = load_gating_tree()
    gates = find_gates(batch.pieces, tree, batch="batch-1", assay="flow")
    alone = population_table(gate_sample(batch.pieces[sample], tree, gates, extra={}))
    pd.testing.assert_frame_equal(alone, tables["populations"])
