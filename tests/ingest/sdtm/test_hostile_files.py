"""Folders that look like SDTM and are not quite."""

import pandas as pd
import pyreadstat
import pytest

from rabiomarkers.ingest.sdtm.read import read_sdtm
from tests.ingest.sdtm.folders import dm, rs, tr, tu, write


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "sdtm", dm=[dm(), dm("P2")], tu=[tu("T1"), tu("T1", patient="P2")], tr=[tr("T1", "20")])


def problems(folder):
    return [str(problem) for problem in read_sdtm(folder, evaluator="INVESTIGATOR")[1]]


@pytest.mark.parametrize(("common", "own"), [("VISITNUM", "TRVISITNUM"), ("TESTCD", "TRTESTCD")])
def test_two_columns_that_mean_the_same_are_told(folder, common, own):
    write(folder, tr=[tr("T1", "20", **{common: "1", own: "2"})])
    told = problems(folder)
    assert len(told) == 1
    assert common in told[0]
    assert own in told[0]


def test_a_study_day_of_four_hundred_digits_is_no_day(folder):
    write(folder, tr=[tr("T1", "20", TRDY="1" * 400)])
    read_sdtm(folder, evaluator="INVESTIGATOR")


@pytest.mark.parametrize("name", ["rs.xpt", "rs.csv"])
def test_a_folder_called_like_a_domain_is_told_without_its_place(folder, name):
    (folder / name).mkdir()
    (told,) = problems(folder)
    assert told.startswith(f"sdtm/{name}: a folder")
    assert str(folder) not in told


def test_a_transport_file_that_breaks_off_is_told(folder):
    path = folder / "rs.xpt"
    pyreadstat.write_xport(pd.DataFrame([rs("PR"), rs("PD", visit="3", when="2020-04-03")]), path, table_name="RS")
    assert problems(folder) == []
    path.write_bytes(path.read_bytes()[:-33])
    (told,) = problems(folder)
    assert told.startswith("sdtm/rs.xpt: a transport file that breaks off")


def test_a_patient_whose_lesions_were_never_measured_is_remarked_on(folder):
    tables, found = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert found == []
    told = tables.remarks[tables.remarks["found"] == "lesions identified, none measured"]
    assert told["patient_id"].tolist() == ["P2"]


@pytest.mark.parametrize("name", ["ae.xlsx", "RS.sas7bdat", "ds.tsv", "ds.csv.zip", "tr_onco.json"])
def test_a_domain_in_a_format_that_is_not_read_is_told(folder, name):
    (folder / name).write_text("something")
    (told,) = problems(folder)
    assert told.startswith(f"sdtm/{name}: a file of the domain {name[:2].upper()} in a format that is not read")


def test_demographics_without_rows_are_told(tmp_path):
    folder = tmp_path / "sdtm"
    folder.mkdir()
    (folder / "dm.csv").write_text("USUBJID,ARM\n")
    assert problems(folder) == ["sdtm/dm.csv: no rows; a row for each subject; export the demographics again"]


def test_domains_without_rows_are_told_as_such(tmp_path):
    folder = write(tmp_path / "sdtm", dm=[dm()])
    (folder / "rs.csv").write_text("USUBJID,RSTESTCD,RSSTRESC,RSEVAL,RSDTC\n")
    (told,) = problems(folder)
    assert "no record of any evaluator (sdtm/rs.csv: no rows)" in told
