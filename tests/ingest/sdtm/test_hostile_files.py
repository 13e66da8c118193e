"""Folders that look like SDTM and are not quite."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.ingest.sdtm.dates import study_day
from rabiomarkers.ingest.sdtm.read import read_sdtm
from rabiomarkers.ingest.sdtm.timing import visit_key
from tests.ingest.sdtm.folders import ae, dm, good, lesions, remarks, rs, tr, tu, write

pyreadstat = pytest.importorskip("pyreadstat")


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


@pytest.mark.parametrize("written", ["1" * 400, "-" + "9" * 400, "100001"])
def test_a_study_day_beyond_any_trial_is_a_problem_of_its_cell(folder, written):
    write(folder, tr=[tr("T1", "20", TRDY=written)], ae=[ae("RASH", AESTDY=written)])
    _, found = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert [(problem.file, problem.row, problem.column) for problem in found] == [
        ("sdtm/ae.csv", 2, "AESTDY"),
        ("sdtm/tr.csv", 2, "TRDY"),
    ]
    assert {problem.expected for problem in found} == {"a whole number of days, at most 100,000"}


def test_a_planned_day_beyond_any_trial_is_not_used(folder):
    write(folder, tr=[tr("T1", "20", VISITDY="1" * 400), tr("T1", "18", "2", "2020-02", VISITDY="9" * 400)])
    assert problems(folder) == []


@given(st.integers(-100_000, 100_000), st.integers(0, 30))
def test_a_study_day_may_have_any_number_of_noughts_behind_the_point(number, noughts):
    assert study_day(f"{number}.{'0' * noughts}") == number


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


def cut(folder, version, dropped):
    """RS of 40 records as a transport file, and the same file without its last bytes."""
    path = folder / "rs.xpt"
    records = pd.DataFrame([rs("PR", visit=str(number), when=f"2020-03-{number:02d}") for number in range(2, 32)])
    pyreadstat.write_xport(records, path, table_name="RS", file_format_version=version)
    assert problems(folder) == []
    path.write_bytes(path.read_bytes()[:-dropped])
    return problems(folder)


@pytest.mark.parametrize("version", [5, 8])
@pytest.mark.parametrize("dropped", [1, 79, 81])
def test_half_a_record_is_told_in_either_version(folder, version, dropped):
    (told,) = cut(folder, version, dropped)
    assert told.endswith("whole records of 80 bytes; copy or export the file again")


def test_a_transport_file_of_version_8_has_the_observations_that_its_header_says(folder):
    (told,) = cut(folder, 8, 800)
    assert told.startswith("sdtm/rs.xpt: a transport file that breaks off (")
    assert told.endswith("; 30, as its header says; copy or export the file again")


@pytest.mark.parametrize("count", [b"0" * 15, b"             29"])
def test_a_header_that_says_no_number_or_too_few_is_passed_over(folder, count):
    path = folder / "rs.xpt"
    records = [rs("PR", when=f"2020-03-{number:02d}") for number in range(1, 31)]
    pyreadstat.write_xport(pd.DataFrame(records), path, table_name="RS", file_format_version=8)
    content = path.read_bytes()
    at = content.index(b"OBSV8   HEADER RECORD!!!!!!!") + 28
    assert content[at : at + 15].strip() == b"30"
    path.write_bytes(content[:at] + count + content[at + 15 :])
    assert problems(folder) == []


@pytest.mark.parametrize("version", [5, 8])
def test_no_cut_through_a_transport_file_makes_the_reader_raise(folder, version):
    path = folder / "rs.xpt"
    pyreadstat.write_xport(pd.DataFrame([rs("PR")]), path, table_name="RS", file_format_version=version)
    content = path.read_bytes()
    begin = content.index(b" HEADER RECORD!!!!!!!", content.index(b"*******OBS")) + 53  # behind it the observations
    for length in range(0, begin, 80):
        path.write_bytes(content[:length])
        assert problems(folder), length


def test_a_column_twice_in_a_transport_file_is_told(folder):
    path = folder / "rs.xpt"
    records = pd.DataFrame([rs("PR", RSTEXT="one", RSNOTE="two")])
    pyreadstat.write_xport(records, path, table_name="RS", file_format_version=5)
    path.write_bytes(path.read_bytes().replace(b"RSNOTE", b"RSTEXT"))
    (told,) = problems(folder)
    assert told == "sdtm/rs.xpt:RSTEXT: the column occurs twice; each column once; remove or rename one"


def test_a_patient_with_only_a_new_lesion_that_was_never_measured_keeps_it(folder):
    write(folder, tu=[tu("T1"), tu("N1", "NEW", patient="P2", TUDTC="2020-02-21")])
    tables, found = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert found == []
    assert ("P2", "N1") in lesions(tables, "patient_id", "lesion_id")
    assert "lesions identified, none measured -> their sizes are not known; is TR complete?" in remarks(tables)


@pytest.mark.parametrize(
    ("lesion", "patient"), [(tu("T9", "BENIGN", patient="P2"), "P2"), (tu("T9", patient="P3"), "P3")]
)
def test_who_has_no_tumour_or_is_no_patient_needs_no_measurement(folder, lesion, patient):
    write(folder, dm=[dm(), dm("P2"), dm("P3", ACTARMCD="SCRNFAIL")], tu=[tu("T1"), lesion])
    tables, found = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert found == []
    assert not any("none measured" in each for each in remarks(tables))


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


@pytest.mark.parametrize("name", ["ae.xpt.gz", "DS-final.XLSX", "ex.xpt.zip"])
def test_packed_files_and_capitals_are_told_too(folder, name):
    (folder / name).write_text("something")
    assert len(problems(folder)) == 1


@pytest.mark.parametrize("name", ["readme.txt", "aeroplane.xlsx", "define.json", "lb.sas7bdat", "tracker.xls"])
def test_other_files_are_passed_over(folder, name):
    (folder / name).write_text("something")
    assert problems(folder) == []


def test_a_folder_called_like_a_workbook_of_a_domain_is_passed_over(folder):
    (folder / "ae.zip").mkdir()
    assert problems(folder) == []


@pytest.mark.parametrize("name", ["dm", "tr"])
def test_a_domain_that_is_there_in_another_format_is_not_called_absent_as_well(folder, name):
    (folder / f"{name}.csv").rename(folder / f"{name}.xlsx")
    (told,) = problems(folder)
    assert told.startswith(f"sdtm/{name}.xlsx: a file of the domain {name.upper()} in a format that is not read")


def test_demographics_of_screen_failures_only_are_told(tmp_path):
    folder = write(tmp_path / "sdtm", dm=[dm(ACTARMCD="SCRNFAIL"), dm("P2", ACTARMCD="SCRNFAIL")])
    assert problems(folder) == [
        "sdtm/dm.csv: no patient of the trial among 2 subjects (2 of them screen failures); "
        "a subject who was enrolled; correct ACTARMCD, or export the domain again"
    ]


def test_demographics_without_any_patient_that_is_asked_for_are_told(folder):
    asked = pd.DataFrame({"patient_id": ["P8"]})
    _, found = read_sdtm(folder, evaluator="INVESTIGATOR", patients=asked)
    assert [problem.file for problem in found] == ["patients.csv", "sdtm/dm.csv"]
    assert found[1].expected == "a subject who was enrolled and is in patients.csv"


def test_demographics_without_rows_are_told_once_whatever_else_there_is(folder):
    (folder / "dm.csv").write_text("USUBJID,ARM\n")
    assert problems(folder) == ["sdtm/dm.csv: no rows; a row for each subject; export the demographics again"]


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


def test_one_domain_without_rows_beside_others_is_remarked_as_such(folder):
    (folder / "rs.csv").write_text("USUBJID,RSTESTCD,RSSTRESC,RSEVAL,RSDTC\n")
    tables, found = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert found == []
    assert "RS has no rows -> nothing is read from RS" in remarks(tables)


def test_no_day_and_no_visit_is_minus_nought(tmp_path):
    scans = [tr("T1", "20", "-0", VISIT=""), tr("T1", "-0", "2", "2020-02-21", VISIT="")]
    tables = good(tmp_path / "sdtm", dm=[dm(AGE="-0")], tu=[tu("T1", VISITNUM="0")], tr=scans, rs=[rs("PR")])
    assert lesions(tables, "visit")[0] == ("0",)
    assert visit_key("-0", "") == visit_key("0.0", "") == "0"
    numbers = [tables.patients["age"], tables.lesions["day"], tables.lesions["mm"], tables.visits["day"]]
    numbers += [tables.followup["os_days"], tables.remarks["day"]]
    for each in numbers:
        zeros = each.dropna().to_numpy(dtype=float)
        assert not np.signbit(zeros[zeros == 0]).any(), each.name


def test_remarks_speak_of_domains_and_not_of_tables_that_a_site_would_write(folder):
    scans = [tr("T1", "20"), tr("T1", "15", "2", "2020-02"), tr("T1", "", "3", "", TRSTAT="NOT DONE")]
    write(folder, tr=scans, rs=[rs("XX"), rs("SD", "3", "2020-04")], ae=[ae("RASH", "2020-02", AEREL="?", AESEV="?")])
    tables, _ = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert len(tables.remarks) > 5
    for name in ("visits.csv", "followup.csv", "lesions.csv", "adverse_events.csv"):
        assert not any(name in each for each in remarks(tables))
