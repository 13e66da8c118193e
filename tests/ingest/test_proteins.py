"""Proteins as a table of samples x analytes: units in the titles, limits and flags beside the values."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.protein_cells import PIECE, flag_of, unit_of
from rabiomarkers.ingest.proteins import read_proteins, split_proteins

WIDE = "sample_id,sPD-L1 [pg/mL],sPD-L1 flag,IL6\nS1,120.5,above_uloq,1\nS2,,0,-2\n"
LIMITS = "sample_id,plate,IL6 [pg/ml],IL6 lloq,IL6 uloq,IL6 lod\nS1,P1,{},2,4000,1\nS2,P2,5,3,5000,1\n"


@pytest.fixture
def read(tmp_path):
    def reader(text, sample_ids=("S1", "S2")):
        path = tmp_path / "proteins.csv"
        path.write_text(text)
        return read_proteins(path, label="proteins.csv", sample_ids=sample_ids)

    return reader


def rows(piece):
    cells = piece[["analyte", "value", "unit", "flag"]].itertuples(index=False)
    return [[analyte, str(value), unit, flag] for analyte, value, unit, flag in cells]


def first(piece):
    row = piece.iloc[0]
    return row["value"], row["flag"]


def test_units_stand_in_the_titles_and_flags_beside(read):
    pieces = read(WIDE)
    assert rows(pieces["S1"]) == [["IL6", "1.0", "arbitrary", ""], ["sPD-L1", "120.5", "pg/mL", "above_uloq"]]
    assert rows(pieces["S2"]) == [["IL6", "-2.0", "arbitrary", ""], ["sPD-L1", "nan", "pg/mL", ""]]
    assert pieces["S1"].attrs["passport"] == {"scale": "concentration", "declared": "proteins", "analytes": 2}


def test_limits_and_plate_are_those_of_each_sample(read):
    pieces = read(LIMITS.format("7"))
    limits = ["value", "unit", "flag", "plate", "lod", "lloq", "uloq"]
    assert pieces["S1"].loc[0, limits].tolist() == [7.0, "pg/mL", "", "P1", 1.0, 2.0, 4000.0]
    assert pieces["S2"].loc[0, limits].tolist() == [5.0, "pg/mL", "", "P2", 1.0, 3.0, 5000.0]
    assert tuple(pieces["S1"].columns) == PIECE


@pytest.mark.parametrize(
    ("cell", "value", "flag"),
    [
        ("1.5", 1.5, "below_lloq"),
        ("0.5", 0.5, "below_lod;below_lloq"),
        ("2", 2.0, ""),
        ("4000", 4000.0, ""),
        ("4000.1", 4000.1, "above_uloq"),
        ("<2.3", 2.3, "below_lloq"),
        ("< 2.3", 2.3, "below_lloq"),
        ("≤2.3", 2.3, "below_lloq"),
        (">4000", 4000.0, "above_uloq"),
        (">=4e3", 4000.0, "above_uloq"),
        ("BLQ", 2.0, "below_lloq"),
        ("<LLOQ", 2.0, "below_lloq"),
        ("> ULOQ", 4000.0, "above_uloq"),
        ("<LOD", 1.0, "below_lod;below_lloq"),
    ],
)
def test_a_value_beyond_a_limit_is_flagged_and_the_limit_stands_for_it(read, cell, value, flag):
    assert first(read(LIMITS.format(cell))["S1"]) == (value, flag)


def test_a_word_without_a_limit_has_no_value(read):
    value, flag = first(read("sample_id,IL6 [pg/mL]\nS1,BLQ\nS2,4\n")["S1"])
    assert np.isnan(value)
    assert flag == "below_lloq"


def test_the_limit_that_a_cell_names_is_known_as_its_limit(read):
    piece = read("sample_id,IL6 [pg/mL]\nS1,<2.3\nS2,>4000\n")
    assert piece["S1"].loc[0, "lloq"] == 2.3
    assert piece["S2"].loc[0, "uloq"] == 4000


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("pg/ml", "pg/mL"),
        ("PG/ML", "pg/mL"),
        ("µg/L", "ug/L"),
        ("mcg/mL", "ug/mL"),
        ("nM", "nmol/L"),
        ("IU/mL", "IU/mL"),
        ("log2 pg/ml", "log2 pg/mL"),
        ("log2(pg/mL)", "log2 pg/mL"),
        ("NPX", "NPX"),
        ("a.u.", "arbitrary"),
        ("mfi", "MFI"),
        ("pg per mL", None),
        ("", None),
    ],
)
def test_a_unit_has_one_spelling(written, unit):
    assert unit_of(written) == unit


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        ("0", ""),
        ("Pass", ""),
        ("1", "flagged"),
        (">ULOQ", "above_uloq"),
        ("above-uloq", "above_uloq"),
        ("BLOQ", "below_lloq"),
        ("Warning", "qc_warning"),
        ("FAIL", "qc_fail"),
        ("haemolysed; clot", "haemolysed, clot"),
    ],
)
def test_a_flag_has_one_spelling(written, flag):
    assert flag_of(written) == flag


@pytest.mark.parametrize(
    ("text", "row", "column", "told"),
    [
        (WIDE.replace("120.5", "-3"), 2, "sPD-L1 [pg/mL]", "-3; a concentration: zero or more"),
        (WIDE.replace("120.5", "many"), 2, "sPD-L1 [pg/mL]", "'many'; a number"),
        (WIDE.replace("120.5", "inf"), 2, "sPD-L1 [pg/mL]", "'inf'; a number"),
        (WIDE.replace("120.5", "<-3"), 2, "sPD-L1 [pg/mL]", "'<-3'; a number"),
        (WIDE.replace("120.5", '"1,5"'), 2, "sPD-L1 [pg/mL]", "write a decimal point, not a comma"),
        (WIDE.replace("sPD-L1 flag", "PD-L1 flag"), 1, "PD-L1 flag", "did you mean 'sPD-L1 flag'?"),
        (WIDE.replace("IL6", "sPD-L1 [ng/mL]"), 1, "sPD-L1", "two columns of this analyte"),
        (WIDE.replace("IL6", "sPD-L1 flag"), 1, "sPD-L1 flag", "two columns 'sPD-L1' flag"),
        (WIDE.replace("S2", "S3"), None, "S2", "no row 'S2'"),
        (WIDE.replace("pg/mL", "pg/m"), 1, "sPD-L1 [pg/m]", "did you mean 'pg/mL'?"),
        (WIDE.replace("pg/mL", "furlong"), 1, "sPD-L1 [furlong]", "unit 'furlong'; a unit of proteins such as pg/mL"),
        (LIMITS.format("7").replace("IL6 lloq", "IL8 lloq"), 1, "IL8 lloq", "limits of an analyte that has no column"),
        (LIMITS.format("7").replace("IL6 lloq", "IL6 lloq [ng/mL]"), 1, "IL6 lloq [ng/mL]", "convert the limits"),
        (LIMITS.format("7").replace(",2,4000", ",5000,4000"), 2, "IL6 [pg/ml]", "lloq 5000, uloq 4000"),
        (LIMITS.format("7").replace(",2,4000", ",-2,4000"), 2, "IL6 lloq", "-2; a limit: zero or more"),
        (LIMITS.format("7").replace(",2,4000", ",low,4000"), 2, "IL6 lloq", "'low'; a number"),
    ],
)
def test_a_wrong_table_is_told(read, text, row, column, told):
    with pytest.raises(InputError) as raised:
        read(text)
    problem = raised.value.problems[0]
    assert (problem.row, problem.column) == (row, column)
    assert told in str(problem)


def test_every_fault_is_told_at_once(read):
    with pytest.raises(InputError) as raised:
        read("sample_id,A [pg/mL],B [pg/mL],C [pg/mL],C lloq\nS1,x,-1,1,y\nS2,1,2,3,4\n")
    assert sorted(problem.column for problem in raised.value.problems) == ["A [pg/mL]", "B [pg/mL]", "C lloq"]


def test_rows_of_other_samples_are_not_judged(read):
    assert rows(read(WIDE + "other,bad,,bad\n")["S1"]) == rows(read(WIDE)["S1"])


def test_limits_may_bear_the_unit_before_or_after_their_role(read):
    told = "sample_id,IL6 [pg/mL],IL6 [pg/mL] lloq,IL6 ULOQ [pg/ml]\nS1,7,2,9\nS2,7,2,9\n"
    assert read(told)["S1"].loc[0, ["lloq", "uloq"]].tolist() == [2.0, 9.0]


def test_rows_and_columns_may_come_in_any_order(read):
    turned = "IL6,sPD-L1 flag,sPD-L1 [pg/mL]"
    text = f"sample_id,{turned}\nS2,-2,0,\nS1,1,above_uloq,120.5\n"
    assert read(text)["S1"].equals(read(WIDE)["S1"])


def test_logarithms_may_be_negative(read):
    assert first(read("sample_id,IL6 [log2 pg/mL]\nS1,-3\nS2,1\n")["S1"]) == (-3.0, "")


def test_the_step_writes_one_piece_a_sample(tmp_path):
    (tmp_path / "p.csv").write_text(WIDE)
    assert split_proteins({"matrix": tmp_path / "p.csv"}, tmp_path, label="p.csv", sample_ids=["S1"])["analytes"] == 2
    assert len(read_table(tmp_path / "S1.parquet")) == 2


@pytest.mark.parametrize(
    ("title", "told"), [("", "values in column 3, which has no title"), ("[pg/mL]", "a unit without an analyte")]
)
def test_values_of_no_analyte_are_told(read, title, told):
    with pytest.raises(InputError, match=f"proteins.csv:1: {told}"):
        read(f"sample_id,IL6,{title}\nS1,1,2\nS2,3,4\n")


def test_an_empty_column_at_the_end_is_no_problem(read):
    assert rows(read("sample_id,IL6,\nS1,1,\nS2,3,\n")["S2"]) == [["IL6", "3.0", "arbitrary", ""]]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(0, 1e6), min_size=2, max_size=2),
    limits=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted),
)
def test_a_value_bears_the_flag_of_the_limits_it_is_beyond(read, values, limits):
    low, high = limits
    text = "sample_id,IL6 [pg/mL],IL6 lloq,IL6 uloq\n"
    text += "".join(f"S{at},{value!r},{low!r},{high!r}\n" for at, value in enumerate(values, start=1))
    pieces = read(text)
    for at, value in enumerate(values, start=1):
        expected = "below_lloq" if value < low else "above_uloq" if value > high else ""
        assert first(pieces[f"S{at}"]) == (value, expected)
