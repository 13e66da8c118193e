"""A study folder, opened and checked: every problem of every file at once, and nothing written."""

from dataclasses import replace
from pathlib import Path

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.study import check_study, open_study

GENES = ["CD8A", "GZMB", "CYP26A1", "RARB"]
FILES = {
    "study.yaml": "name: tiny\n",
    "patients.csv": "patient_id,age\nP1,60\nP2,70\n",
    "samples.csv": (
        "sample_id,patient_id,timepoint,compartment,assay,path,batch\n"
        "T1,P1,pre,tumour,rna_counts,data/counts.csv,one\nT2,P1,post,tumour,rna_counts,data/counts.csv,two\n"
        "B1,P1,pre,blood,cell_counts,data/cbc.csv,one\nF1,P2,pre,faecal,taxa_counts,data/taxa.csv,one\n"
    ),
    "lesions.csv": "patient_id,day,lesion_id,kind,mm,status\nP1,0,L1,target,20.5,measured\n",
    "data/counts.csv": "gene,T1,T2\n" + "".join(f"{gene},{at},7\n" for at, gene in enumerate(GENES)),
    "data/cbc.csv": "sample_id,analyte,value,unit\nB1,ANC,4,G/L\n",
    "data/taxa.csv": "taxon,F1\nBlautia,10\nDorea,3\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tiny"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_study_in_order_opens_and_has_no_problem(folder):
    study = open_study(folder)
    assert study.settings == StudySettings(name="tiny")
    assert study.patients["patient_id"].to_list() == ["P1", "P2"]
    assert study.lesions["tenths"].to_list() == [205]
    assert (study.visits, study.followup, study.adverse_events) == (None, None, None)
    assert study.batches() == ["one", "two"]
    assert check_study(folder) == []


def test_each_file_is_read_once_and_told_as_the_sheet_writes_it(folder):
    told = []
    assert check_study(folder, on_file=told.append) == []
    assert told == ["data/cbc.csv", "data/taxa.csv", "data/counts.csv"]
    assert [file.sample_ids for file in open_study(folder).files()] == [("B1",), ("F1",), ("T1", "T2")]


def test_a_batch_alone_keeps_the_others_visible(folder):
    study = open_study(folder).restricted_to("two")
    assert study.batches() == ["two"]
    assert study.samples.set_index("sample_id")["exclude"].fillna("").to_dict() == {
        "B1": "not in batch two",
        "F1": "not in batch two",
        "T1": "not in batch two",
        "T2": "",
    }
    with pytest.raises(InputError, match="no batch 'tow'; one of one, two"):
        open_study(folder).restricted_to("tow")


def test_problems_of_every_file_are_told_at_once_sorted_and_nothing_is_written(folder):
    (folder / "study.yaml").write_text("name: tiny\nsede: 1\n")
    (folder / "patients.csv").write_text("patient_id,age\nP1,60\nP1,70\nP2,1\n")
    (folder / "samples.csv").write_text(FILES["samples.csv"].replace("P2,pre", "P3,pre"))
    (folder / "lesions.csv").write_text(FILES["lesions.csv"].replace("20.5", "-1"))
    (folder / "data" / "counts.csv").write_text("gene,T1,T2\nCD8A,1.5,2.5\nGZMB,3.5,-1\n")
    (folder / "data" / "cbc.csv").write_text(FILES["data/cbc.csv"].replace("G/L", "%"))
    before = everything(folder)
    problems = check_study(folder)
    assert [(problem.file, problem.row, problem.column) for problem in problems] == [
        ("data/cbc.csv", 2, "unit"),
        ("data/counts.csv", None, None),
        ("lesions.csv", 2, "mm"),
        ("patients.csv", 3, "patient_id"),
        ("samples.csv", 5, "patient_id"),
        ("study.yaml", 2, "sede"),
    ]
    assert everything(folder) == before
    with pytest.raises(InputError) as raised:
        open_study(folder)
    assert {problem.file for problem in raised.value.problems} == {
        "lesions.csv",
        "patients.csv",
        "samples.csv",
        "study.yaml",
    }


@pytest.mark.parametrize("name", ["study.yaml", "samples.csv", "patients.csv"])
def test_a_missing_table_is_told(folder, name):
    (folder / name).unlink()
    told = [problem for problem in check_study(folder) if problem.file == name]
    assert [problem.found for problem in told] == ["no such file"]


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        open_study(tmp_path / "none")


def test_a_table_with_a_misspelt_name_is_told(folder):
    (folder / "visit.csv").write_text("patient_id,day,overall_response\n")
    assert [str(problem) for problem in check_study(folder)] == [
        "visit.csv: a table 'visit.csv'; visits.csv; rename the file to visits.csv, or keep it in another folder"
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("signatures: [RA_RESPONSE_CROE]", "write 'RA_RESPONSE_CORE' instead"),
        ("data_root: ../nowhere", "no folder '../nowhere'"),
    ],
)
def test_settings_that_name_what_is_not_there_are_told(folder, line, told):
    (folder / "study.yaml").write_text(f"name: tiny\n{line}\n")
    assert told in "\n".join(map(str, check_study(folder)))


def test_a_design_that_no_search_finds_is_told_before_anything_is_computed(folder):
    (folder / "study.yaml").write_text("name: tiny\nresponse:\n  design: {null_rate: 0.3, target_rate: 0.31}\n")
    (problem,) = check_study(folder)
    assert (problem.file, problem.column) == ("study.yaml", "response.design")
    assert "give the protocol's own stages" in str(problem)


def test_an_option_that_a_model_does_not_take_is_told_before_anything_is_computed(folder):
    (folder / "study.yaml").write_text(
        "name: tiny\nprediction:\n  models:\n    - {name: ridge_baseline, options: {penalty: -1, depth: 3}}\n"
    )
    (problem,) = check_study(folder)
    assert (problem.file, problem.column) == ("study.yaml", "prediction.models.0.options")
    assert "'depth' is not one; penalty is -1" in str(problem)
    assert "It takes penalty (a number above 0, on the mean loss)." in str(problem)


def test_a_data_root_relative_to_the_study_holds_files_and_never_shows_its_place(folder, tmp_path):
    root = tmp_path / "archive"
    root.mkdir()
    (folder / "data" / "taxa.csv").rename(root / "stool.csv")
    (folder / "samples.csv").write_text(FILES["samples.csv"].replace("data/taxa.csv", "stool.csv"))
    (folder / "study.yaml").write_text("name: tiny\ndata_root: ../archive\n")
    assert check_study(folder) == []
    study = open_study(folder)
    assert [file.label for file in study.files()] == ["data/cbc.csv", "stool.csv", "data/counts.csv"]
    assert study.data_root == root


def test_the_same_problem_is_told_once(folder):
    text = FILES["samples.csv"] + "T3,P2,pre,tumour,rna_tpm,data/counts.csv,one\n"
    (folder / "samples.csv").write_text(text)
    problems = check_study(folder)
    assert len(problems) == len(set(problems)) > 0


def test_two_assays_of_the_same_scores_are_told_apart_before_a_plan_means_neither(folder):
    (folder / "data" / "tpm.csv").write_text((folder / "data" / "counts.csv").read_text())
    row = "T1,P1,pre,tumour,rna_tpm,data/tpm.csv,one"
    header, first = FILES["samples.csv"].splitlines()[0], FILES["samples.csv"]
    (folder / "samples.csv").write_text(first + row + "\n")
    told = [str(problem) for problem in check_study(folder) if problem.column == "assay"]
    assert len(told) == 1, header
    assert "tumour samples of rna_counts and of rna_tpm" in told[0]
    assert "name features in the plan as NAME@rna_counts" in told[0]
    (folder / "study.yaml").write_text("name: tiny\nplan:\n  primary: [RA_RESPONSE_CORE@rna_counts]\n")
    assert not [problem for problem in check_study(folder) if problem.column == "assay"]


def test_a_study_does_not_change(folder):
    study = open_study(folder)
    with pytest.raises(AttributeError):
        study.folder = folder
    assert replace(study).settings == study.settings


@pytest.mark.parametrize("name", ["study.yaml", "samples.csv", "patients.csv", "lesions.csv"])
def test_a_table_that_is_a_link_out_of_the_study_is_not_read(folder, tmp_path, name):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: a link to a file outside the study folder"):
        open_study(folder)
    assert [problem.file for problem in check_study(folder)] == [name]


@pytest.mark.parametrize("name", ["lesions.xlsx", "lesions.tsv", "Lesion.csv", "lesions.csv.gz"])
def test_a_table_of_another_format_is_not_passed_over(folder, name):
    (folder / "lesions.csv").rename(folder / name)
    assert [(problem.file, problem.expected) for problem in check_study(folder)] == [(name, "lesions.csv")]
