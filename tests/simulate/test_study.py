"""The study folder: complete, the same bytes for the same seed, and growing only by what is added."""

import hashlib
import json
from pathlib import Path

import anndata
import flowio
import pandas as pd
import pytest
import yaml

from rabiomarkers.errors import RabiomarkersError
from rabiomarkers.simulate.study import EVENTS_PER_CELL, simulate_study

CELLS = 60


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "ten"
    simulate_study(folder, cells=CELLS)
    return folder


@pytest.fixture(scope="module")
def truth(study):
    return json.loads((study / "truth.json").read_text())


@pytest.fixture(scope="module")
def sheet(study):
    return pd.read_csv(study / "samples.csv", keep_default_na=False)


def test_the_folder_holds_what_the_contract_names(study):
    names = {path.name for path in study.iterdir()}
    tables = {"samples.csv", "patients.csv", "lesions.csv", "visits.csv", "followup.csv", "adverse_events.csv"}
    truths = {"truth.json", "truth_cells.parquet"}
    assert names == {"study.yaml", *tables, *truths, "tumour", "blood", "stool"}


def test_every_path_of_the_sheet_lies_in_the_folder(study, sheet):
    paths = {*sheet["path"], *sheet["tree"], *sheet["taxonomy"]} - {""}
    assert all((study / path).is_file() for path in paths)
    assert not any(path.startswith(("/", "..")) for path in paths)


def test_no_machine_path_is_written(study):
    for path in study.rglob("*"):
        if path.suffix in {".csv", ".yaml", ".json", ".nwk"}:
            assert str(study.parent) not in path.read_text()


def test_every_sample_of_the_sheet_is_in_its_file(study, sheet):
    for (path, assay), rows in sheet.groupby(["path", "assay"]):
        if assay == "sc_counts":
            assert anndata.read_h5ad(study / path).n_obs == CELLS
        elif assay in ("cell_counts", "proteins"):
            assert set(pd.read_csv(study / path)["sample_id"]) == set(rows["sample_id"])
        elif assay == "tcr":
            assert set(pd.read_csv(study / path, sep="\t")["sample_id"]) == set(rows["sample_id"])
        elif assay == "flow":
            assert flowio.FlowData(study / path).event_count == EVENTS_PER_CELL * CELLS
        elif assay == "gene_families":
            columns = pd.read_csv(study / path, sep="\t", index_col=0).columns
            assert set(columns) == set(rows["sample_id"] + "_Abundance-RPKs")
        else:
            assert set(pd.read_csv(study / path, index_col=0).columns) == set(rows["sample_id"])


def test_the_sheet_lacks_exactly_what_is_missing(sheet, truth):
    assert len(sheet) == 10 * 2 * 8 - 3
    assert len(truth["missing"]) == 3  # a stool is missing with its gene families
    assert not set(truth["missing"]) & set(sheet["sample_id"])
    assert set(truth["failed_qc"]) < set(sheet["sample_id"])


def test_the_truth_says_who_responds_and_what_is_expected(truth, study):
    patients = pd.read_csv(study / "patients.csv")["patient_id"].tolist()
    assert list(truth["patients"]) == patients
    assert len(truth["responders"]) == 3
    assert {row["compartment"] for row in truth["planted"]} == {"tumour", "blood", "faecal"}
    primary = {row["feature"]: (row["direction"], row["in"]) for row in truth["expected"] if row["tier"] == "primary"}
    assert primary == {
        "RA_RESPONSE_CORE": ("up", "everybody"),
        "MACROPHAGE_LIPID_PEROXIDATION": ("up", "responders"),
        "clr_CD8_TEM": ("up", "responders"),
    }


def test_the_plan_of_the_study_is_that_of_the_truth(study, truth):
    settings = yaml.safe_load((study / "study.yaml").read_text())
    for tier, features in settings["plan"].items():
        assert features == [row["feature"] for row in truth["expected"] if row["tier"] == tier]


def test_the_taxa_of_the_reagents_are_what_the_blanks_hold(study, truth):
    settings = yaml.safe_load((study / "study.yaml").read_text())
    blanks = pd.read_csv(study / settings["stool"]["blanks"], index_col="taxon")
    assert set(truth["reagent_taxa"]) == set(blanks.index[(blanks > 0).all(axis="columns")])


def test_true_fractions_are_those_of_the_cells(study, truth):
    cells = pd.read_parquet(study / "truth_cells.parquet")
    assert set(cells["sample_id"]) == set(truth["cell_fractions"])
    intact = cells[~(cells["doublet"] | cells["broken"]) & (cells["sample_id"] == "P001-pre-pbmc")]
    expected = (intact["true_type"] == "mono_classical").mean()
    assert truth["cell_fractions"]["P001-pre-pbmc"]["mono_classical"] == pytest.approx(expected)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(study, tmp_path):
    simulate_study(tmp_path / "again", cells=CELLS)
    assert digests(tmp_path / "again") == digests(study)
    simulate_study(tmp_path / "other", cells=CELLS, seed=2)
    other = digests(tmp_path / "other")
    same = {name for name, digest in digests(study).items() if other.get(name) == digest}
    # what is known of species, and the panel, do not depend on a trial
    assert same == {"stool/taxonomy.csv", "stool/tree.nwk", "blood/panel.csv"}


def test_an_eleventh_patient_changes_no_file_of_the_first_ten(study, tmp_path):
    simulate_study(tmp_path / "eleven", patients=11, cells=CELLS)
    ten, eleven = digests(study), digests(tmp_path / "eleven")
    changed = {name for name in ten if eleven[name] != ten[name]}
    tables = {f"{name}.csv" for name in ("samples", "patients", "lesions", "visits", "followup", "adverse_events")}
    assert changed == {*tables, "truth.json", "truth_cells.parquet", "stool/blanks.csv"}
    before, after = (
        pd.read_csv(folder / "stool/blanks.csv", index_col="taxon") for folder in (study, tmp_path / "eleven")
    )
    pd.testing.assert_frame_equal(after[before.columns.tolist()], before)
    for name in tables:
        assert (tmp_path / "eleven" / name).read_text().startswith((study / name).read_text())
    added = {"tumour/counts_batch-3.csv.gz", "stool/counts_batch-3.csv", "stool/gene_families_batch-3.tsv"}
    added |= {"blood/cbc_batch-3.csv", "blood/proteins_batch-3.csv", "blood/tcr_batch-3.tsv"}
    added |= {f"blood/P011-{time}-{part}" for time in ("pre", "post") for part in ("pbmc.h5ad", "flow.fcs")}
    assert set(eleven) - set(ten) == added


def test_without_an_effect_the_folder_looks_the_same_and_the_truth_expects_nothing(study, tmp_path):
    simulate_study(tmp_path / "none", effect="none", cells=CELLS)
    assert digests(tmp_path / "none").keys() == digests(study).keys()
    assert (tmp_path / "none" / "samples.csv").read_bytes() == (study / "samples.csv").read_bytes()
    truth = json.loads((tmp_path / "none" / "truth.json").read_text())
    assert truth["planted"] == []
    assert {row["direction"] for row in truth["expected"]} == {"none"}


@pytest.mark.parametrize(("patients", "samples"), [(1, 16), (2, None), (4, None), (25, 397)])
def test_any_number_of_patients_is_simulated(tmp_path, patients, samples):
    truth = simulate_study(tmp_path / "study", patients=patients, cells=50)
    sheet = pd.read_csv(tmp_path / "study" / "samples.csv")
    assert sheet["patient_id"].nunique() == patients
    assert len(sheet) == 16 * patients - len(truth.as_json()["missing"])
    assert samples in (None, len(sheet))


def test_an_empty_folder_is_filled_and_an_occupied_one_left_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    simulate_study(tmp_path / "empty", patients=1, cells=50)
    assert (tmp_path / "empty" / "study.yaml").is_file()
    before = digests(tmp_path / "empty")
    with pytest.raises(RabiomarkersError, match="folder empty already holds something"):
        simulate_study(tmp_path / "empty", patients=1, cells=50)
    assert digests(tmp_path / "empty") == before


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "study").write_text("mine")
    with pytest.raises(RabiomarkersError, match="study is a file"):
        simulate_study(tmp_path / "study")


@pytest.mark.parametrize("arguments", [{"cells": 10}, {"patients": 0}, {"seed": -3}])
def test_arguments_out_of_range_write_nothing(tmp_path, arguments):
    with pytest.raises(RabiomarkersError):
        simulate_study(tmp_path / "study", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_simulation_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rabiomarkers.simulate.study.write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate_study(tmp_path / "study", patients=1, cells=50)
    assert list(tmp_path.iterdir()) == []
