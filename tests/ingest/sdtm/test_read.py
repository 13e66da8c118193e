"""The folder as a whole: everything that is wrong is told at once."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.ingest.clinical import (
    ADVERSE_EVENTS,
    FOLLOWUP,
    VISITS,
    read_adverse_events,
    read_followup,
    read_visits,
)
from rabiomarkers.ingest.sdtm.read import read_sdtm
from rabiomarkers.response.assess import assess_timepoints
from tests.ingest.sdtm.folders import ae, baseline, dm, good, read, rs, told, tr, tu, write

WEEK_6 = "2020-02-21"


def test_every_problem_of_every_domain_is_told_at_once(folder):
    scans = [
        tr("T01", "20"),
        tr("T01", "-5", "2", WEEK_6),
        tr("T02", "3,5", "2", WEEK_6),
        tr("T09", "10", "2", WEEK_6),
        tr("T01", "10", "3", "2014-13-45"),
        tr("T01", "10", "4", WEEK_6, patient="P7"),
    ]
    domains = {
        "dm": [dm(), dm(ACTARM="B"), dm("P2", AGE="old")],
        "tu": [tu("T01"), tu("T02"), tu("T01", "NON-TARGET")],
        "tr": scans,
        "rs": [rs("SD"), rs("PD", "9.2")],
        "ae": [ae("RASH", AETOXGR="9")],
        "ds": [{"USUBJID": "P1", "DSDECOD": "DEATH", "DSSTDTC": "soon"}],
        "ex": [{"USUBJID": "P1", "EXTRT": "X"}],
    }
    _, problems = read(folder, **domains)
    assert [(problem.file.removeprefix("sdtm/"), problem.row, problem.column) for problem in problems] == [
        ("ae.csv", 2, "AETOXGR"),
        ("dm.csv", 3, "ACTARM"),
        ("dm.csv", 4, "AGE"),
        ("ds.csv", 2, "DSSTDTC"),
        ("ex.csv", None, "EXSTDTC"),
        ("rs.csv", 3, "RSSTRESC"),
        ("tr.csv", 3, "TRSTRESC"),
        ("tr.csv", 4, "TRSTRESC"),
        ("tr.csv", 5, "TRLNKID"),
        ("tr.csv", 6, "TRDTC"),
        ("tr.csv", 7, "USUBJID"),
        ("tu.csv", 4, "TUORRES"),
    ]
    assert all(problem.found and problem.expected and problem.remedy for problem in problems)


def test_of_many_equal_faults_ten_are_told_and_the_others_counted(folder):
    scans = [tr(f"T{number:02d}", "-1") for number in range(40)]
    _, problems = read(folder, tu=[tu(f"T{number:02d}") for number in range(40)], tr=scans)
    assert len(problems) == 11
    assert any("30 more cells with the same fault" in each for each in told(problems))


def test_the_tables_are_those_that_the_readers_of_csv_give(folder, tmp_path):
    parts = baseline("20", "18")
    records = {"tu": parts["tu"], "tr": parts["tr"], "rs": [rs("PR")], "ae": [ae("RASH", AETOXGR="2")]}
    tables = good(folder, dm=[dm(DTHDTC="2020-05-09", DTHFL="Y")], **records)
    for name, reader, columns in (
        ("visits", read_visits, VISITS),
        ("followup", read_followup, FOLLOWUP),
        ("adverse_events", read_adverse_events, ADVERSE_EVENTS),
    ):
        path = tmp_path / f"{name}.csv"
        frame = getattr(tables, name)
        frame.to_csv(path, index=False)
        by_hand, problems = reader(path, {"P1"})
        assert problems == []
        assert list(frame.columns) == list(columns)
        pd.testing.assert_frame_equal(frame, by_hand)


def test_an_empty_domain_gives_an_empty_table(folder):
    write(folder, dm=[dm()])
    (folder / "ae.csv").write_text("USUBJID,AETERM,AESTDTC\n")
    tables, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert problems == []
    assert tables.adverse_events.empty
    assert list(tables.adverse_events.columns) == list(ADVERSE_EVENTS)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"USUBJID\n", b"a,b\n1\n", "é,ü\n".encode("utf-16")])
def test_files_that_are_no_tables_are_problems_and_never_raise(folder, content):
    write(folder, dm=[dm()])
    (folder / "tr.csv").write_bytes(content)
    _, problems = read_sdtm(folder, evaluator="INVESTIGATOR")
    assert problems
    assert {problem.file for problem in problems} == {"sdtm/tr.csv"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_content_of_a_cell_makes_the_reader_or_the_assessment_raise(folder, data):
    domains = {
        "dm": [dm()],
        "tu": [tu("T01"), tu("NT01", "NON-TARGET")],
        "tr": [
            tr("T01", "20"),
            tr("NT01", "PRESENT"),
            tr("T01", "15", "2", WEEK_6, TRDY="43", VISITDY="43", TRSTRESN="15"),
        ],
        "rs": [rs("SD")],
        "ae": [ae("RASH", AETOXGR="2", AESTDY="6", AEENDTC="2020-02")],
        "ex": [{"USUBJID": "P1", "EXTRT": "X", "EXDOSE": "1", "EXSTDTC": "2020-01-10", "EXENDTC": "2020-01-10"}],
        "ds": [{"USUBJID": "P1", "DSDECOD": "DEATH", "DSSTDTC": "2020-05-01"}],
    }
    odd = st.sampled_from(
        [
            "",
            " ",
            "-",
            "0",
            "-0",
            "1e400",
            "nan",
            "inf",
            "∞",
            "٣",
            "9" * 30,
            "2014-13-45",
            "2020-00-00",
            "9999-12-31",
            "/",
            "T",
            "'",
            "<",
        ]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(sorted(domains)))
        record = data.draw(st.sampled_from(domains[name]))
        record[data.draw(st.sampled_from(sorted(record)))] = data.draw(
            odd | st.text("0123456789-./:TNEW<,", max_size=12)
        )
    tables, problems = read(folder, **domains)
    assert all(str(problem) for problem in problems)
    if not problems:
        assess_timepoints(tables.lesions)  # what has no problem can be assessed
    assert list(tables.remarks.columns) == ["patient_id", "day", "source", "found", "consequence"]
