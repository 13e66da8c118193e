"""A study of gated blood from its sheet to its tables: trees, frozen borders, controls, strategies, and what can be wrong."""

import numpy as np
import pandas as pd
import pytest
import yaml

from rabiomarkers.files import write_csv
from rabiomarkers.pipeline import check_files, process_batch
from rabiomarkers.simulate.cytometry import PANEL, flow_samples, panel_table
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study

EVENTS = 3_000
STRATEGY = """\
<?xml version="1.0" encoding="UTF-8"?>
<gating:Gating-ML xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating"
  xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes">
  <gating:RectangleGate gating:id="Leukocytes">
    <gating:dimension gating:compensation-ref="FCS" gating:min="1500">
      <data-type:fcs-dimension data-type:name="V450-A"/></gating:dimension>
  </gating:RectangleGate>
  <gating:RectangleGate gating:id="T-cells" gating:parent_id="Leukocytes">
    <gating:dimension gating:compensation-ref="FCS" gating:min="1500">
      <data-type:fcs-dimension data-type:name="V605-A"/></gating:dimension>
  </gating:RectangleGate>
</gating:Gating-ML>
"""


@pytest.fixture(scope="module")
def tubes():
    """Two patients, before and after, of one batch."""
    design = design_trial(patients=2, seed=3)
    return {
        sample.sample_id: tube
        for patient in design.patients
        for sample, tube in flow_samples(design, patient, events=EVENTS)
    }


def make_study(folder, tubes, settings=None, **columns):
    folder.mkdir()
    rows = [
        {
            "sample_id": name,
            "patient_id": name[:4],
            "timepoint": name.split("-")[1],
            "compartment": "blood",
            "assay": "flow",
        }
        | {"path": f"{name}.fcs", "batch": "b1", "panel": "panel.csv"}
        for name in tubes
    ]
    write_csv(pd.DataFrame(rows).assign(**columns), folder / "samples.csv")
    write_csv(
        pd.DataFrame({"patient_id": sorted({name[:4] for name in tubes}), "best_response": "SD"}),
        folder / "patients.csv",
    )
    write_csv(panel_table(), folder / "panel.csv")
    for name, tube in tubes.items():
        (folder / f"{name}.fcs").write_bytes(tube.fcs())
    (folder / "study.yaml").write_text(yaml.safe_dump({"name": "gated", **(settings or {})}))
    return folder


def gated(folder):
    """The features of each sample, and the borders of the batch."""
    study = open_study(folder)
    store = Store(folder.parent / f"store-{folder.name}")
    batch = process_batch(study, "b1", store)
    features = {
        sample: pd.read_parquet(scored.file("features.parquet")).set_index("feature")
        for (sample, _), scored in batch.scored.items()
    }
    cuts = [pd.read_parquet(result.file("gates.parquet")) for result in batch.cuts]
    return features, cuts[0] if cuts else None


@pytest.fixture(scope="module")
def by_tree(tubes, tmp_path_factory):
    return gated(make_study(tmp_path_factory.mktemp("tree") / "study", tubes))


def test_shares_lie_within_two_points_of_the_truth(by_tree, tubes):
    features, _ = by_tree
    for name, tube in tubes.items():
        truth = tube.fractions()
        told = features[name]["value"]
        wholes = {"mono_classical": "monocyte", "B_naive": "B_cell", "CD8_TEM": "CD8_T", "CD4_naive": "CD4_T"}
        within = {population: told[f"leukocyte_fraction_{population}"] for population in wholes}
        assert within == pytest.approx({population: truth[population] for population in wholes}, abs=0.02)


def test_borders_that_the_batch_decided_are_told_to_depend_on_it(by_tree):
    features, cuts = by_tree
    assert set(cuts["method"]) <= {"valley", "mixture", "tail", "diagonal", "half-way", "none"}
    assert all(table.loc["gated_fraction_CD8_T", "cohort_dependent"] for table in features.values())


def test_a_marker_that_the_panel_lacks_drops_its_populations_by_name(by_tree):
    features, _ = by_tree
    told = next(iter(features.values())).loc["gated_fraction_neutrophil"]
    assert np.isnan(told["value"])
    assert told["note"] == "the panel lacks CD15 and CD66b"


def test_with_frozen_borders_a_sample_stands_for_itself(by_tree, tubes, tmp_path):
    _, cuts = by_tree
    settings = {"cytometry": {"gates": "gates.csv"}}
    both = make_study(tmp_path / "both", tubes, settings)
    few = {name: tube for name, tube in tubes.items() if name.startswith("P001")}
    alone = make_study(tmp_path / "alone", few, settings)
    for folder in (both, alone):
        write_csv(cuts, folder / "gates.csv")
    first, second = gated(both)[0], gated(alone)[0]
    for name in few:
        assert not first[name]["cohort_dependent"].any()
        pd.testing.assert_frame_equal(first[name], second[name])


def test_a_control_decides_before_the_data(by_tree, tubes, tmp_path):
    tube = next(iter(tubes.values()))
    blank = tube.events.copy()
    channel = next(name for name, marker in PANEL.items() if marker == "PD-1")
    blank[channel] = np.random.default_rng(1).normal(0, 130, len(blank)).astype(np.float32)
    folder = make_study(tmp_path / "study", tubes, {"cytometry": {"controls": "controls.csv"}})
    control = type(tube)(events=blank, truth=tube.truth, spillover=tube.spillover)
    (folder / "fmo.fcs").write_bytes(control.fcs())
    (folder / "controls.csv").write_text("batch,marker,file,kind\nb1,PD-1,fmo.fcs,fmo\n")
    features, cuts = gated(folder)
    methods = cuts.set_index(["parent", "marker", "level"])["method"]
    assert methods["CD8_T", "PD-1", "pos"] == "control"
    assert methods["T_cell", "CD4", "pos"] != "control"
    before, _ = by_tree
    for name, table in features.items():
        own = (table.loc["gated_fraction_CD8_PD1pos", "value"], before[name].loc["gated_fraction_CD8_PD1pos", "value"])
        assert own[0] == pytest.approx(own[1], abs=0.03)


def test_a_strategy_gates_in_place_of_the_tree(by_tree, tubes, tmp_path):
    folder = make_study(tmp_path / "study", tubes, gating="strategy.xml")
    (folder / "strategy.xml").write_text(STRATEGY)
    assert not check_study(folder)
    features, cuts = gated(folder)
    assert cuts is None
    before, _ = by_tree
    for name, table in features.items():
        assert not table["cohort_dependent"].any()
        told = table.loc["gated_fraction_T_cell"]
        assert told["unit"] == "fraction of leukocyte"
        assert told["value"] == pytest.approx(before[name].loc["gated_fraction_T_cell", "value"], abs=0.05)


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_computed(tubes, tmp_path):
    folder = make_study(tmp_path / "study", tubes, {"cytometry": {"gates": "gates.csv", "tree": "tree.yaml"}})
    names = list(tubes)
    whole = (folder / f"{names[0]}.fcs").read_bytes()
    (folder / f"{names[0]}.fcs").write_bytes(whole[: len(whole) // 2])
    (folder / f"{names[1]}.fcs").write_text("not a cytometer's file")
    told = panel_table()
    told.loc[0, "channel"] = "V999-A"
    told.loc[len(told)] = ["B515-A", "PD1"]
    write_csv(told, folder / "panel.csv")
    (folder / "gates.csv").write_text("batch,assay\nb1,flow\n")
    (folder / "tree.yaml").write_text("populations: {T_cell: {parent: nobody, gate: {CD3: bright}}}\n")
    problems = [str(problem) for problem in check_study(folder)]
    for words in (
        "the file ends before they do",
        "no FCS file",
        "'B515-A' is on line",
        "no column cut",
        "the level 'bright'",
    ):
        assert any(words in problem for problem in problems), (words, problems)
    with pytest.raises(Exception, match="no FCS file"):
        check_files(open_study(folder), Store(tmp_path / "store"))
    assert not list((tmp_path / "store" / "partial").iterdir())
