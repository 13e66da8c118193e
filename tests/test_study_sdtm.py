"""A study whose clinical data are CDISC SDTM domains: opened, checked and taken to outcomes."""

import csv

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.jobs import input_digests
from rabiomarkers.pipeline import run_study
from rabiomarkers.results import open_results
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study

SETTINGS = "name: tiny\nsdtm: {folder: sdtm, evaluator: investigator}\n"
SAMPLES = (
    "sample_id,patient_id,timepoint,compartment,assay,path\n"
    "B1,S-1,pre,blood,cell_counts,cbc.csv\nB2,S-1,post,blood,cell_counts,cbc.csv\n"
)
CBC = "sample_id,analyte,value,unit\nB1,ANC,4,G/L\nB2,ANC,3,G/L\n"
DOMAINS = {
    "dm": [
        {"USUBJID": f"S-{number}", "ARM": "A", "ACTARM": "A", "ACTARMCD": "A", "RFXSTDTC": "2020-01-10"}
        for number in (1, 2)
    ],
    "tu": [
        {
            "USUBJID": "S-1",
            "TULNKID": "T01",
            "TUTESTCD": "TUMIDENT",
            "TUORRES": "TARGET",
            "TULOC": "LIVER",
            "TUEVAL": "INVESTIGATOR",
            "TUDTC": "2020-01-08",
            "VISITNUM": "1",
            "VISIT": "BASELINE",
        }
    ],
    "tr": [
        {
            "USUBJID": "S-1",
            "TRLNKID": "T01",
            "TRTESTCD": "DIAMETER",
            "TRORRES": size,
            "TRSTRESC": size,
            "TRSTRESU": "mm",
            "TREVAL": "INVESTIGATOR",
            "TRDTC": day,
            "VISITNUM": visit,
            "VISIT": visit,
        }
        for size, day, visit in (("28.0", "2020-01-08", "1"), ("19.6", "2020-02-21", "2"), ("19.6", "2020-04-03", "3"))
    ],
}


@pytest.fixture
def folder(tmp_path):
    study = tmp_path / "tiny"
    (study / "sdtm").mkdir(parents=True)
    for name, text in (("study.yaml", SETTINGS), ("samples.csv", SAMPLES), ("cbc.csv", CBC)):
        (study / name).write_text(text)
    for name, rows in DOMAINS.items():
        with (study / "sdtm" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return study


def test_the_domains_give_patients_lesions_and_follow_up(folder):
    study = open_study(folder)
    assert check_study(folder) == []
    assert study.patients["patient_id"].tolist() == ["S-1", "S-2"]
    assert study.lesions[["day", "tenths"]].to_numpy().tolist() == [[-2.0, 280], [42.0, 196], [84.0, 196]]
    assert {"sdtm/dm.csv", "sdtm/tr.csv", "sdtm/tu.csv"} <= set(input_digests(study))


def test_they_are_taken_to_outcomes(folder, tmp_path):
    run = run_study(open_study(folder), Store(tmp_path / "store"), tmp_path / "out")
    outcomes = open_results(run.results).outcomes.set_index("patient_id")
    assert outcomes["best_response"].to_dict() == {"S-1": "PR", "S-2": "NE"}
    assert outcomes["arm"].tolist() == ["A", "A"]
    record = (run.results / "run.json").read_text()
    assert str(folder) not in record


def test_covariates_come_from_patients_csv_which_also_chooses_the_patients(folder):
    (folder / "patients.csv").write_text("patient_id,subtype\nS-1,TNBC\n")
    study = open_study(folder)
    assert study.patients["patient_id"].tolist() == ["S-1"]
    assert study.patients["subtype"].tolist() == ["TNBC"]


def test_a_clinical_csv_beside_the_domains_is_told(folder):
    (folder / "lesions.csv").write_text("patient_id,day,lesion_id,kind,mm,status\n")
    assert [str(problem) for problem in check_study(folder)] == [
        "lesions.csv: a clinical table beside SDTM domains; one source of the clinical data; "
        "remove the file, or the key sdtm from study.yaml"
    ]


def test_an_evaluator_that_is_not_there_is_told_with_those_that_are(folder):
    (folder / "study.yaml").write_text("name: tiny\nsdtm: {folder: sdtm, evaluator: radiologist}\n")
    told = " ".join(str(problem) for problem in check_study(folder))
    assert "INVESTIGATOR" in told


@pytest.mark.parametrize("written", ["nowhere", "../sdtm", "/etc"])
def test_a_folder_outside_the_study_is_not_read(folder, written):
    (folder / "study.yaml").write_text(f"name: tiny\nsdtm: {{folder: {written}, evaluator: investigator}}\n")
    (folder.parent / "sdtm").mkdir()
    with pytest.raises(InputError, match=r"study.yaml:sdtm.folder: no folder"):
        open_study(folder)


def test_domains_that_are_links_to_files_elsewhere_are_not_read(folder):
    (folder / "sdtm" / "rs.csv").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match=r"links to files elsewhere: rs.csv"):
        open_study(folder)
