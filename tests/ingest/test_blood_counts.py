"""Blood counts: names and units of many laboratories, one table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.blood_counts import factor, read_blood_counts, split_blood_counts

HEADER = "sample_id,analyte,value,unit\n"


@pytest.fixture
def read(tmp_path):
    def reader(rows, sample_ids=("S1",)):
        path = tmp_path / "cbc.csv"
        path.write_text(HEADER + rows)
        return read_blood_counts(path, label="cbc.csv", sample_ids=sample_ids)

    return reader


@pytest.mark.parametrize(
    "unit",
    [
        "1e9/L",
        "10^9/L",
        "10*9/L",
        "x10^9/L",
        "x 10^9/l",
        "10E9/L",
        "10⁹/L",
        "G/L",
        "Gpt/l",
        "K/uL",
        "K/µL",
        "10^3/uL",
        "x10^3/µl",
        "x10³/μL",
        "10*3/uL",
        "K/mcL",
        "K/mm3",
        "/nL",
        "10**9/L",
    ],
)
def test_all_ways_to_write_billions_a_litre_are_one(read, unit):
    piece = read(f"S1,WBC,6.5,{unit}\n")["S1"]
    assert piece[["analyte", "value", "unit"]].to_numpy().tolist() == [["leukocytes", 6.5, "1e9/L"]]


@pytest.mark.parametrize(
    ("analyte", "unit", "expected"),
    [
        ("neutrophils", "cells/uL", 4.2),
        ("neutrophils", "/µL", 4.2),
        ("neutrophils", "cells/mm3", 4.2),
        ("haemoglobin", "g/L", 4200.0),
        ("haemoglobin", "g/dL", 42_000.0),
        ("haemoglobin", "mmol/L", 4200 * 16.114),
    ],
)
def test_other_units_are_converted(read, analyte, unit, expected):
    piece = read(f"S1,{analyte},4200,{unit}\n")["S1"]
    assert piece["value"].to_list() == pytest.approx([expected])


@pytest.mark.parametrize(
    ("written", "analyte"),
    [
        ("WBC", "leukocytes"),
        ("Leukocytes", "leukocytes"),
        ("ANC", "neutrophils"),
        ("neut#", "neutrophils"),
        ("LYMPH", "lymphocytes"),
        ("absolute_lymphocyte_count", "lymphocytes"),
        ("mono", "monocytes"),
        ("EOS", "eosinophils"),
        ("baso", "basophils"),
        ("PLT", "platelets"),
        ("thrombocytes", "platelets"),
    ],
)
def test_synonyms_have_one_name(read, written, analyte):
    assert read(f"S1,{written},1,1e9/L\n")["S1"]["analyte"].to_list() == [analyte]


def test_analytes_come_sorted_and_strangers_are_named(read):
    rows = "S1,PLT,200,G/L\nS1,Hb,13.2,g/dL\nS2,CRP,5,mg/L\nS1,Creatinine,80,umol/L\nS1,ANC,4,G/L\nS2,ANC,3,G/L\n"
    pieces = read(rows, sample_ids=("S1", "S2"))
    assert pieces["S1"]["analyte"].to_list() == ["haemoglobin", "neutrophils", "platelets"]
    assert pieces["S1"]["unit"].to_list() == ["g/L", "1e9/L", "1e9/L"]
    assert pieces["S1"].attrs["passport"]["left_aside"] == ["Creatinine"]


@pytest.mark.parametrize(
    ("row", "column", "told"),
    [
        ("S1,ANC,-1,G/L", "value", "-1; zero or more"),
        ("S1,ANC,,G/L", "value", "an empty cell"),
        ("S1,ANC,<0.1,G/L", "value", "'<0.1'; a number"),
        ('S1,ANC,"4,2",G/L', "value", "write a decimal point"),
        ("S1,ANC,61,%", "unit", "give the absolute count, not the percentage"),
        ("S1,ANC,61,", "unit", "unit '' of neutrophils"),
        ("S1,Hb,8,K/uL", "unit", "g/dL or g/L"),
        ("S1,neutrophls,4,G/L", "analyte", "did you mean 'neutrophils'?"),
        ("S1,,4,G/L", "analyte", "an analyte"),
        ("S1,WBC,4,G/L", "analyte", "leukocytes of 'S1' is on line 2, too"),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_column(read, row, column, told):
    with pytest.raises(InputError) as raised:
        read(f"S1,leukocytes,5,G/L\n{row}\n")
    problems = raised.value.problems
    assert [(problem.file, problem.row, problem.column) for problem in problems] == [("cbc.csv", 3, column)]
    assert told in str(problems[0])


def test_rows_of_other_samples_are_not_judged_and_absent_samples_are_told(read):
    assert len(read("S1,ANC,4,G/L\nother,ANC,bad,G/L\n")["S1"]) == 1
    with pytest.raises(InputError, match="did you mean 'S1'"):
        read("S1,ANC,4,G/L\n", sample_ids=("S-1",))


@settings(deadline=None)
@given(value=st.floats(0, 1e6), unit=st.sampled_from(["G/L", "/uL", "K/uL", "/L"]), times=st.integers(1, 1000))
def test_conversion_is_linear(value, unit, times):
    scale = factor("platelets", unit)
    assert value * times * scale == pytest.approx(times * (value * scale))


def test_the_step_writes_one_piece_a_sample(tmp_path):
    path = tmp_path / "cbc.csv"
    path.write_text(HEADER + "S1,ANC,4,G/L\nS2,ANC,3,G/L\nS2,CRP,3,mg/L\n")
    info = split_blood_counts({"matrix": path}, tmp_path, label="cbc.csv", sample_ids=["S1", "S2"])
    assert info["left_aside"] == ["CRP"]
    assert read_table(tmp_path / "S2.parquet")["value"].to_list() == [3.0]


def test_a_number_too_large_for_any_computer_is_told(read):
    with pytest.raises(InputError, match=r"cbc.csv:2:value: 1e400; a number"):
        read("S1,WBC,1e400,10^9/L\n")
