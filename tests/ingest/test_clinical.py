"""Clinical tables: what they hold, and each wrong cell with its place."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.ingest.clinical import (
    read_adverse_events,
    read_followup,
    read_patients,
    read_visits,
)
from rabiomarkers.ingest.lesions import read_lesions, tenths_of

READERS = {
    "lesions": (read_lesions, "patient_id,day,lesion_id,kind,mm,status"),
    "visits": (read_visits, "patient_id,day,overall_response"),
    "followup": (read_followup, "patient_id,pfs_days,progressed,os_days,died"),
    "adverse_events": (read_adverse_events, "patient_id,term,grade,start_day,related,serious"),
}


@pytest.fixture
def read(tmp_path):
    def reader(name, *rows, header=None):
        function, usual = READERS[name]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join([header or usual, *rows, ""]))
        return function(path, {"P1", "P2"})

    return reader


@pytest.fixture
def patients(tmp_path):
    def reader(text):
        (tmp_path / "patients.csv").write_text(text)
        return read_patients(tmp_path / "patients.csv")

    return reader


def test_lesions_keep_their_exact_tenths(read):
    frame, problems = read(
        "lesions",
        "P1,0,L1,target,28.0,measured",
        "P1,42,L1,target,19.6,measured",
        "P1,84,L1,target,,too_small",
        "P1,0,N1,non-target,,Present",
        "P1,84,X1,new,,present",
    )
    assert problems == []
    assert frame["tenths"].to_list()[:2] == [280, frame["tenths"].iloc[1]]
    by_day = frame[frame["lesion_id"] == "L1"].set_index("day")
    assert by_day.loc[[0, 42], "tenths"].to_list() == [280, 196]
    assert by_day["tenths"].isna().to_list() == [False, False, True]
    assert set(frame["kind"]) == {"target", "non_target", "new"}


@pytest.mark.parametrize(
    ("written", "tenths"), [("12.34", 123), ("12.35", 124), ("12.25", 123), ("0.05", 1), ("7", 70), ("14.4", 144)]
)
def test_a_second_decimal_place_rounds_half_up(written, tenths):
    assert tenths_of(Decimal(written)) == tenths


@given(st.integers(0, 5_000))
def test_whole_tenths_stay_what_they_are(tenths):
    assert tenths_of(Decimal(tenths) / 10) == tenths


@pytest.mark.parametrize(
    ("name", "row", "column", "told"),
    [
        ("lesions", "P9,0,L1,target,10,measured", "patient_id", "unknown patient 'P9'"),
        ("lesions", "P1,baseline,L1,target,10,measured", "day", "a number (days from first dose)"),
        ("lesions", "P1,0,,target,10,measured", "lesion_id", "an empty cell"),
        ("lesions", "P1,0,L1,targt,10,measured", "kind", "did you mean 'target'?"),
        ("lesions", "P1,0,L1,target,10,mesured", "status", "did you mean 'measured'?"),
        ("lesions", "P1,0,L1,target,,measured", "mm", "an empty cell"),
        ("lesions", "P1,0,L1,target,-4,measured", "mm", "-4; 0 or more (millimetres)"),
        ("lesions", 'P1,0,L1,target,"12,5",measured', "mm", "write a decimal point, not a comma"),
        ("lesions", "P1,0,L1,target,12 mm,measured", "mm", "a number (millimetres)"),
        ("lesions", "P1,0,L1,target,,present", "status", "one of measured, too_small, absent, merged, not_evaluated"),
        ("lesions", "P1,0,L1,non_target,12,measured", "status", "'measured' of a non_target lesion"),
        (
            "lesions",
            "P1,2024-03-01,L1,target,10,measured",
            "day",
            "a date (2024-03-01); a number (days from first dose)",
        ),
        ("lesions", "P1,12.03.2024,L1,target,10,measured", "day", "count the days from first dose, which is day 0"),
        ("lesions", "P1,42,L1,target,45,too_small", "mm", "less than 10 mm"),
        ("lesions", "P1,42,L1,target,1001,measured", "mm", "at most 1,000 (millimetres)"),
        ("lesions", "P1,45123,L1,target,15,measured", "day", "is it a date as Excel keeps it?"),
        ("visits", "P1,42,PR?", "overall_response", "'PR?'"),
        ("visits", "P1,42,-SD", "overall_response", "'-SD'"),
        ("adverse_events", "P1,Rash,-3,3,yes,no", "grade", "'-3'"),
        ("adverse_events", "P1,Rash,<2,3,yes,no", "grade", "'<2'"),
        ("followup", "P1,100,no,100,yes", "progressed", "death is an event of progression-free survival"),
        ("lesions", "P1,42,L1,target,15,absent", "mm", "15 mm of a lesion that is absent"),
        ("lesions", "P1,42,L1,target,0,not_evaluated", "mm", "no size; empty the cell"),
        ("lesions", "P1,42,L1,new,0,measured", "mm", "a new lesion of 0 mm"),
        ("lesions", "P1,0,L1,new,,present", "day", "a new lesion on day 0; new lesions after first dose"),
        ("visits", "P1,-7,SD", "day", "a visit on day -7, before first dose"),
        ("visits", "P1,2024-03,PR", "day", "a date (2024-03)"),
        ("followup", "P1,200,true,100,true", "os_days", "os_days 100 before pfs_days 200"),
        ("followup", "P1,1 Mar 2024,true,,", "pfs_days", "a date"),
        ("visits", "P1,42,RP", "overall_response", "'RP'; one of CR, PR, SD, NON-CR/NON-PD, PD, NE"),
        ("visits", "P1,,PR", "day", "an empty cell"),
        ("followup", "P1,-3,true,,", "pfs_days", "0 or more"),
        ("followup", "P1,100,,200,no", "progressed", "pfs_days and progressed together"),
        ("followup", "P1,100,maybe,,", "progressed", "true or false"),
        ("adverse_events", "P1,Rash,6,3,yes,no", "grade", "one of 1, 2, 3, 4, 5"),
        ("adverse_events", "P1,,2,3,yes,no", "term", "an empty cell"),
        ("adverse_events", "P1,Rash,2,day 3,yes,no", "start_day", "a number"),
        ("adverse_events", "P1,Rash,2,3,perhaps,no", "related", "true or false"),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_column(read, name, row, column, told):
    frame, problems = read(name, row)
    assert [(problem.file, problem.row, problem.column) for problem in problems] == [(f"{name}.csv", 2, column)]
    assert told in str(problems[0])
    assert frame.empty


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("lesions", "P1,0,L1,target,10,measured"),
        ("visits", "P1,42,PR"),
        ("followup", "P1,100,true,200,false"),
    ],
)
def test_a_repeated_row_is_told(read, name, row):
    _, problems = read(name, row, row)
    assert len(problems) == 1
    assert problems[0].row == 3
    assert "is on line 2, too" in str(problems[0])


def test_a_lesion_that_changes_its_kind_is_told(read):
    _, problems = read("lesions", "P1,0,L1,target,10,measured", "P1,42,L1,non_target,,present")
    assert [str(problem) for problem in problems] == [
        "lesions.csv:3:kind: lesion 'L1' is non_target here and target on line 2; one kind for each lesion; "
        "correct one, or give the other lesion its own id"
    ]


LINKED = "patient_id,day,lesion_id,kind,mm,status,visit,organ,part_of"


@pytest.mark.parametrize(
    ("rows", "row", "column", "told"),
    [
        (["P1,0,T1,target,10,measured,,,T9"], 2, "part_of", "'T9', which is no lesion of patient P1"),
        (["P1,0,T1,target,10,measured,,,T1"], 2, "part_of", "'T1', the lesion itself"),
        (
            [
                "P1,0,T1,target,10,measured,,,",
                "P1,0,T2,target,10,measured,,,",
                "P1,42,T1,target,,absent,,,",
                "P1,56,T1,target,5,measured,,,T2",
                "P1,84,T2,target,,merged,,,T1",
            ],
            5,
            "part_of",
            "'T2', and by way of it 'T1' is a part of itself",
        ),
        (["P1,0,T1,target,10,measured,,,", "P1,42,T1,target,,merged,,,"], 3, "part_of", "the lesion it merged into"),
        (["P1,0,T1,target,10,measured,,,", "P1,0,L1,non_target,,present,,,T1"], 3, "part_of", "target lesions only"),
        (
            ["P1,0,T1,target,10,measured,,,", "P1,0,N1,target_node,16,measured,,,T1"],
            3,
            "part_of",
            "'T1', which is a target lesion",
        ),
        (
            ["P1,-3,T1,target,10,measured,V1,,", "P1,3,T2,target,10,measured,V1,,"],
            2,
            "visit",
            "scans before and after first dose",
        ),
        (
            ["P1,40,T1,target,10,measured,V2,,", "P1,44,T1,target,9,measured,V2,,"],
            3,
            "visit",
            "lesion 'T1' of visit 'V2' is on line 2, too",
        ),
        (
            ["P1,40,T1,target,10,measured,UNS,,", "P1,200,T2,target,9,measured,UNS,,"],
            2,
            "visit",
            "visit 'UNS' of patient P1 lasts 160 days",
        ),
        (
            ["P1,40,T1,target,10,measured,V2,,", "P1,40,T2,target,9,measured,V3,,"],
            3,
            "visit",
            "two visits of patient P1 end on day 40",
        ),
    ],
)
def test_lines_that_contradict_one_another_are_told(read, rows, row, column, told):
    _, problems = read("lesions", *rows, header=LINKED)
    assert [(problem.row, problem.column) for problem in problems] == [(row, column)]
    assert told in str(problems[0])


def test_visits_organs_and_parts_are_kept_and_empty_where_the_file_lacks_them(read):
    frame, problems = read(
        "lesions", "P1,0,T1,target,10,measured,,liver,", "P1,42,T1b,target,4,measured,V2,,T1", header=LINKED
    )
    assert problems == []
    assert frame[["visit", "organ", "part_of"]].fillna("-").to_numpy().tolist() == [
        ["-", "liver", "-"],
        ["V2", "-", "T1"],
    ]
    frame, _ = read("lesions", "P1,0,T1,target,10,measured")
    assert frame[["visit", "organ", "part_of"]].isna().all(axis=None)


def test_words_of_irecist_are_read_however_they_are_written(read):
    frame, problems = read("visits", "P1,42,iupd", "P1,84,ICPD", "P2,42,non-iCR/non-iUPD", "P2,84,nd")
    assert problems == []
    assert frame["overall_response"].tolist() == ["iUPD", "iCPD", "NON-iCR/NON-iUPD", "ND"]


def test_followup_may_tell_when_treatment_ended(read):
    header = "patient_id,pfs_days,progressed,os_days,died,treatment_end_day,new_therapy_day"
    frame, problems = read("followup", "P1,100,true,200,false,90,120", header=header)
    assert problems == []
    assert frame[["treatment_end_day", "new_therapy_day"]].to_numpy().tolist() == [[90.0, 120.0]]


def test_the_same_adverse_event_may_happen_twice(read):
    frame, problems = read("adverse_events", "P1,Rash,2,3,yes,no", "P1,Rash,2,3,yes,no", "P2,Fever,1,,,")
    assert problems == []
    assert len(frame) == 3
    assert frame["grade"].to_list() == [2, 2, 1]
    assert frame["related"].isna().sum() == 1


@pytest.mark.parametrize("name", READERS)
def test_a_table_without_rows_is_in_order(read, name):
    frame, problems = read(name)
    assert problems == []
    assert frame.empty
    assert list(frame.columns)[: len(READERS[name][1].split(","))] == READERS[name][1].split(",")


@pytest.mark.parametrize(
    ("word", "flag"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("no", False), ("0", False)]
)
def test_flags_may_be_written_in_three_ways(read, word, flag):
    frame, problems = read("followup", f"P1,100,{word},,")
    assert problems == []
    assert frame["progressed"].to_list() == [flag]
    assert frame["died"].isna().all()


@pytest.mark.parametrize("word", ["NON-CR/NON-PD", "non-CR/non-PD", "Non CR / non PD"])
def test_responses_are_brought_to_one_spelling(read, word):
    frame, _ = read("visits", f"P1,42,{word}")
    assert frame["overall_response"].to_list() == ["NON-CR/NON-PD"]


def test_a_misspelt_column_is_told(read):
    _, problems = read("visits", "P1,42,PR", header="patient_id,day,overal_response")
    assert "rename the column to overall_response" in str(problems[0])


def test_rows_come_out_in_one_order(read):
    rows = ["P2,42,PR", "P1,84,SD", "P1,42,PD"]
    assert read("visits", *rows)[0].equals(read("visits", *reversed(rows))[0])


def test_patients_keep_their_covariates_as_numbers_where_they_are(patients):
    frame, problems = patients("patient_id,age,subtype,best_response\n02,61,TNBC,pr\n01,,HR+,\n")
    assert problems == []
    assert frame["patient_id"].to_list() == ["01", "02"]
    assert frame["age"].dtype == "float64"
    assert frame["best_response"].fillna("").to_list() == ["", "PR"]
    assert frame["subtype"].to_list() == ["HR+", "TNBC"]


def test_patients_may_be_ids_alone(patients):
    frame, problems = patients("patient_id\nP2\nP1\n")
    assert problems == []
    assert frame["patient_id"].to_list() == ["P1", "P2"]


@pytest.mark.parametrize(
    ("text", "row", "column", "told"),
    [
        ("patient_id\nP1\nP1\n", 3, "patient_id", "each patient once"),
        ("patient_id\nP 1\n", 2, "patient_id", "letters, digits"),
        ("patient_id,best_response\nP1,XX\n", 2, "best_response", "one of CR, PR, SD, PD, NE"),
        ("patient_id,best_respons\nP1,PR\n", 1, "best_respons", "rename the column to best_response"),
        ("patient,age\nP1,60\n", 1, "patient", "rename the column to patient_id"),
        ("patient_id,age\n,60\n", 2, "patient_id", "an empty cell"),
    ],
)
def test_a_wrong_patient_table_is_told(patients, text, row, column, told):
    _, problems = patients(text)
    assert [(problem.row, problem.column) for problem in problems] == [(row, column)]
    assert told in str(problems[0])


@pytest.mark.parametrize("written", ["9" * 400, "1000001", "99999999999999999999"])
def test_a_number_that_nobody_measured_is_told(read, written):
    _, problems = read("lesions", f"P1,0,L1,target,{written},measured")
    assert [(problem.column, problem.expected) for problem in problems] == [("mm", "at most 1,000 (millimetres)")]


def test_a_patient_in_two_arms_is_told(patients):
    _, problems = patients("patient_id,arm\nP1,A\nP1,B\n")
    assert [str(problem) for problem in problems] == [
        "patients.csv:3:arm: 'P1' is in arm 'B' here and in arm 'A' on line 2; one arm for each patient; "
        "remove the wrong row"
    ]


def test_an_arm_stays_text_where_it_is_a_number(patients):
    frame, _ = patients("patient_id,arm\nP1,1\nP2,2\n")
    assert frame["arm"].tolist() == ["1", "2"]
