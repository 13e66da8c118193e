"""The files of a folder: CSV, gzipped CSV, SAS transport; and what is wrong with them."""

import gzip
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.ingest.sdtm.read import read_sdtm
from tests.ingest.sdtm.folders import ae, baseline, dm, good, lesions, read, rs, told, tr, write

pyreadstat = pytest.importorskip("pyreadstat")


def as_transport(folder, name, version=5):
    """The CSV as a SAS transport file, its numbers as doubles."""
    path = folder / f"{name}.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in frame.columns:
        if column in ("VISITNUM", "TRSTRESN", "AGE", "TRDY"):
            frame[column] = pd.to_numeric(frame[column])
    pyreadstat.write_xport(frame, path.with_suffix(".xpt"), table_name=name.upper(), file_format_version=version)
    path.unlink()


def trial():
    parts = baseline("28", "11.7")
    later = [tr("T01", "19.6", "2", "2020-02-21"), tr("T02", "12.35", "2", "2020-02-21")]
    response = [rs("PR"), rs("PD", "3", "2020-04-03")]
    return {"tu": parts["tu"], "tr": [*parts["tr"], *later], "rs": response, "ae": [ae("RASH", AETOXGR="3")]}


@pytest.mark.parametrize("version", [5, 8])
def test_transport_files_say_what_csv_files_say(folder, version):
    by_csv = good(folder, **trial())
    for name in ("dm", *trial()):
        as_transport(folder, name, version)
    by_transport, problems = read_sdtm(folder, evaluator="Investigator")
    assert problems == []
    for table in ("patients", "lesions", "visits", "followup", "adverse_events"):
        pd.testing.assert_frame_equal(getattr(by_transport, table), getattr(by_csv, table))
    assert [tenths for (tenths,) in lesions(by_transport, "tenths")] == [280, 117, 196, 124]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=4))
def test_a_double_of_a_transport_file_is_the_tenths_that_were_written(folder, sizes):
    """TRSTRESN is all there is: a binary number such as 11.700000000000001."""
    names = [f"T{number:02d}" for number in range(len(sizes))]
    scans = [
        tr(name, "1", TRORRES="", TRSTRESC="", TRSTRESN=repr(size * 0.1))
        for name, size in zip(names, sizes, strict=True)
    ]
    write(folder, dm=[dm()], tu=[baseline("1")["tu"][0] | {"TULNKID": name} for name in names], tr=scans)
    for path in folder.glob("tr.xpt"):
        path.unlink()
    as_transport(folder, "tr")
    tables, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert problems == []
    assert [tenths for (tenths,) in lesions(tables, "tenths")] == sizes


def test_a_problem_in_a_transport_file_names_the_observation(folder):
    parts = trial()
    write(folder, dm=[dm()], **parts | {"tr": [*parts["tr"], tr("T01", "-4", "3", "2020-04-03")]})
    as_transport(folder, "tr")
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert told(problems) == ["sdtm/tr.xpt:5:TRSTRESC: -4 mm; 0 to 1,000,000 mm; correct it"]


def test_gzipped_files_and_names_with_an_ending_are_found(folder):
    write(folder, dm=[dm()], **trial())
    content = (folder / "tr.csv").read_bytes()
    (folder / "tr.csv").unlink()
    (folder / "TR_onco.csv.gz").write_bytes(gzip.compress(content))
    tables, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert problems == []
    assert len(tables.lesions) == 4


def test_without_pyreadstat_a_transport_file_says_what_to_install(folder, monkeypatch):
    write(folder, dm=[dm()], **trial())
    as_transport(folder, "tr")
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert "pip install 'rabiomarkers[xpt]'" in str(problems)
    assert problems[0].file == "sdtm/tr.xpt"


def test_a_damaged_transport_file_is_a_problem(folder):
    write(folder, dm=[dm()], **trial())
    as_transport(folder, "tr")
    (folder / "tr.xpt").write_bytes(b"HEADER RECORD*******" + b"\xff" * 300)
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert any("cannot be read as SAS transport" in each for each in told(problems))


def test_a_folder_that_is_not_there_is_a_problem(tmp_path):
    tables, problems = read_sdtm(tmp_path / "nothing", evaluator="INVESTIGATOR")
    assert "no such folder" in told(problems)[0]
    assert len(tables.patients) == 0


def test_without_dm_nothing_can_be_counted(folder):
    write(folder, **trial())
    tables, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert told(problems)[0].startswith("sdtm: no file of the domain DM; dm.csv, dm.csv.gz or dm.xpt")
    assert tables.lesions is None


def test_two_files_of_one_domain_are_a_problem(folder):
    write(folder, dm=[dm()], **trial(), tr_onco=trial()["tr"])
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert "2 files of the domain TR (tr.csv, tr_onco.csv)" in str(problems)


def test_a_file_of_another_domain_is_a_problem(folder):
    _, problems = read(folder, ae=[ae("RASH", DOMAIN="CM")])
    assert "records of the domain CM" in told(problems)[0]


def test_every_missing_column_is_named_with_what_may_be_meant(folder):
    events = [{"USUBJID": "P1", "AETERM": "RASH", "AESTDT": "2020-01-15"}]
    scans = [{"USUBJID": "P1", "TRLNKID": "T01", "TRORRES": "10"}]
    _, problems = read(folder, ae=events, tr=scans)
    assert [(problem.file, problem.column) for problem in problems] == [
        ("sdtm/ae.csv", "AESTDTC"),
        ("sdtm/tr.csv", "TRDTC"),
        ("sdtm/tr.csv", "TREVAL"),
        ("sdtm/tr.csv", "TRTESTCD"),
    ]
    assert problems[0].remedy.startswith("is AESTDT meant?")
    assert problems[1].expected == "a column TRDTC or TRDY"


def test_a_column_twice_is_a_problem(folder):
    write(folder, dm=[dm()])
    (folder / "ae.csv").write_text("USUBJID,AETERM,AETERM,AESTDTC\nP1,RASH,RASH,2020-01-12\n")
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert told(problems) == ["sdtm/ae.csv:AETERM: the column occurs twice; each column once; remove or rename one"]


def test_columns_in_lower_case_are_understood(folder):
    good(folder, **trial())
    path = folder / "tr.csv"
    header, _, rest = path.read_text().partition("\n")
    path.write_text(f"{header.lower()}\n{rest}")
    assert read_sdtm(folder, evaluator="INVESTIGATOR")[1] == []


def test_a_record_twice_and_a_record_of_nobody_are_problems(folder):
    events = [ae("RASH", AESEQ="1"), ae("FEVER", AESEQ="1"), ae("FEVER", patient="", AESEQ="2")]
    _, problems = read(folder, ae=events)
    assert [(problem.row, problem.column) for problem in problems] == [(3, "AESEQ"), (4, "USUBJID")]


def test_domains_that_are_absent_give_no_table(folder):
    tables = good(folder)
    assert [tables.lesions, tables.visits, tables.adverse_events] == [None, None, None]
    assert tables.followup["patient_id"].tolist() == ["P1"]
