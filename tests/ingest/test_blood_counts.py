"""Blood counts: names and units of many laboratories, one table."""

import pytest
from hypothesis import HealthCheck, given, settings
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
        ("S1,PLT,61,%", "unit", "give the absolute count, not the percentage"),
        ("S1,ANC,161,%", "value", "161 percent; at most 100"),
        ("S1,ANC,-1,%", "value", "-1; zero or more"),
        ("S1,NEUT,61,ng/mL", "unit", "10^9/L, K/uL or cells/uL, or % of the leukocytes"),
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


@pytest.mark.parametrize("name", ["neutrophils", "NEUT%", "% neutrophils", "Neutrophils (%)", "neut percent"])
def test_a_share_is_taken_of_the_leukocytes(read, name):
    piece = read(f"S1,{name},60,%\nS1,WBC,6500,/uL\n")["S1"]  # 60 % of 6.5
    told = piece.set_index("analyte").loc["neutrophils"]
    assert told["value"] == pytest.approx(3.9)
    assert (told["unit"], told["method"]) == ("1e9/L", "share x leukocytes")
    assert piece.attrs["passport"]["from_shares"] == ["neutrophils"]


def test_a_name_may_say_that_the_value_is_a_share(read):
    assert read("S1,NEUT%,50,\nS1,WBC,4,G/L\n")["S1"]["value"].tolist() == [4.0, 2.0]


def test_a_number_beside_a_share_is_the_one_that_is_taken(read):
    piece = read("S1,NEUT%,61,%\nS1,NEUT#,3.9,G/L\nS1,WBC,6.5,G/L\n")["S1"].set_index("analyte")
    assert piece.loc["neutrophils", ["value", "method"]].tolist() == [3.9, "measured"]
    assert read("S1,NEUT%,61,%\nS1,NEUT#,3.9,G/L\n")["S1"]["value"].tolist() == [3.9]


@pytest.mark.parametrize(
    ("rows", "line", "told"),
    [
        ("S1,NEUT%,61,%\n", 2, "a share of the leukocytes, but no leukocytes of 'S1'"),
        ("S1,WBC,6.5,G/L\nS1,NEUT#,3.9,G/L\nS1,NEUT%,20,%\n", 4, "20 % of 6.5 leukocytes, but 3.9 neutrophils of 'S1'"),
        ("S1,WBC,6.5,G/L\nS1,NEUT,60,%\nS1,neutrophils,61,%\n", 4, "neutrophils of 'S1' is on line 3, too"),
    ],
)
def test_shares_that_cannot_be_used_are_told(read, rows, line, told):
    with pytest.raises(InputError) as raised:
        read(rows)
    assert [problem.row for problem in raised.value.problems] == [line]
    assert told in str(raised.value.problems[0])


def test_the_leukocytes_of_another_sample_are_no_total(read):
    with pytest.raises(InputError, match="no leukocytes of 'S1'"):
        read("S1,NEUT%,61,%\nS2,WBC,6.5,G/L\n", sample_ids=("S1", "S2"))


@pytest.mark.parametrize("name", ["HbA1c", "Haemoglobin A1c", "Methaemoglobin", "MCHC", "Immature granulocytes", "RBC"])
def test_analytes_of_other_tests_are_left_aside(read, name):
    piece = read(f"S1,{name},5,%\nS1,ANC,4,G/L\n")["S1"]
    assert piece["analyte"].tolist() == ["neutrophils"]
    assert piece.attrs["passport"]["left_aside"] == [name]


@pytest.mark.parametrize("name", ["neutrophils abs", '"Lymphocytes, absolute"', "eos (abs)", "monocyte count", "PLT #"])
def test_a_name_may_say_that_the_value_is_a_number(read, name):
    assert read(f"S1,{name},1,G/L\n")["S1"]["value"].tolist() == [1.0]


def test_every_fault_is_told_at_once(read):
    with pytest.raises(InputError) as raised:
        read("S1,ANC,4,parsec\nS1,LYMPH%,40,%\nS1,PLT,many,G/L\nS1,MONO,-1,G/L\n")
    assert sorted(problem.row for problem in raised.value.problems) == [2, 3, 4, 5]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(total=st.floats(0.5, 50), shares=st.lists(st.integers(0, 100), min_size=5, max_size=5))
def test_shares_give_the_same_counts_as_the_numbers_they_stand_for(read, total, shares):
    names = ["neutrophils", "lymphocytes", "monocytes", "eosinophils", "basophils"]
    rows = f"S1,WBC,{total!r},G/L\n"
    rows += "".join(f"S1,{name},{share},%\n" for name, share in zip(names, shares, strict=True))
    told = read(rows)["S1"].set_index("analyte")["value"]
    for name, share in zip(names, shares, strict=True):
        assert told[name] == pytest.approx(total * share / 100)
