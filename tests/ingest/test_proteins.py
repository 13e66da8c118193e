"""Proteins: wide tables with units in their titles, and Olink's long format."""

from pathlib import Path

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.proteins import read_proteins, split_proteins

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
WIDE = "sample_id,sPD-L1 [pg/mL],sPD-L1 flag,IL6\nS1,120.5,above_uloq,1\nS2,,0,-2\n"
OLINK = (
    "SampleID;OlinkID;Assay;QC_Warning;LOD;NPX\n"
    "S1;OID1;IL6;Pass;1.0;3.5\nS1;OID2;TNF;Warning;1.0;0.5\nS1;OID3;IL6;Pass;1.0;0.25\nS2;OID1;IL6;PASS;1;NA\nCONTROL;OID1;IL6;Pass;1;9\n"
)


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


def test_units_stand_in_the_titles_and_flags_beside(read):
    pieces = read(WIDE)
    assert rows(pieces["S1"]) == [["IL6", "1.0", "arbitrary", ""], ["sPD-L1", "120.5", "pg/mL", "above_uloq"]]
    assert rows(pieces["S2"]) == [["IL6", "-2.0", "arbitrary", ""], ["sPD-L1", "nan", "pg/mL", ""]]
    assert pieces["S1"].attrs["passport"] == {"scale": "concentration", "declared": "proteins", "analytes": 2}


def test_olink_is_read_with_its_warnings_and_limits(read):
    pieces = read(OLINK)
    assert rows(pieces["S1"]) == [
        ["IL6 (OID1)", "3.5", "NPX", ""],
        ["IL6 (OID3)", "0.25", "NPX", "below_lod"],
        ["TNF", "0.5", "NPX", "qc_warning;below_lod"],
    ]
    assert rows(pieces["S2"]) == [["IL6 (OID1)", "nan", "NPX", ""]]
    assert pieces["S1"].attrs["passport"]["scale"] == "npx"


@pytest.mark.parametrize(
    ("text", "row", "column", "told"),
    [
        (WIDE.replace("120.5", "-3"), 2, "sPD-L1 [pg/mL]", "-3; a concentration: zero or more"),
        (WIDE.replace("120.5", ">500"), 2, "sPD-L1 [pg/mL]", "'>500'; a number"),
        (WIDE.replace("sPD-L1 flag", "PD-L1 flag"), 1, "PD-L1 flag", "did you mean 'sPD-L1 flag'?"),
        (WIDE.replace("IL6", "sPD-L1 [ng/mL]"), 1, "sPD-L1", "two columns of this analyte"),
        (WIDE.replace("S2", "S3"), None, "S2", "no row 'S2'"),
        (OLINK.replace("OID3", "OID1"), 4, "OlinkID", "OID1 of S1 again"),
        (OLINK.replace("3.5", "x"), 2, "NPX", "'x'; a number"),
        (OLINK.replace("Assay", "Protein"), None, None, "a column NPX, but no Assay"),
    ],
)
def test_a_wrong_table_is_told(read, text, row, column, told):
    with pytest.raises(InputError) as raised:
        read(text)
    problem = raised.value.problems[0]
    assert (problem.row, problem.column) == (row, column)
    assert told in str(problem)


def test_rows_and_columns_may_come_in_any_order(read):
    turned = "IL6,sPD-L1 flag,sPD-L1 [pg/mL]"
    text = f"sample_id,{turned}\nS2,-2,0,\nS1,1,above_uloq,120.5\n"
    assert read(text)["S1"].equals(read(WIDE)["S1"])


def test_the_step_writes_one_piece_a_sample(tmp_path):
    (tmp_path / "p.csv").write_text(WIDE)
    assert split_proteins({"matrix": tmp_path / "p.csv"}, tmp_path, label="p.csv", sample_ids=["S1"])["analytes"] == 2
    assert len(read_table(tmp_path / "S1.parquet")) == 2


def test_the_olink_example_is_read():
    path = SHARED / "olink_npx1" / "npx_long.csv.gz"
    if not path.exists():
        pytest.skip("the shared data folder is not beside the repository")
    pieces = read_proteins(path, label="npx", sample_ids=["A1", "B79"])
    assert len(pieces["A1"]) == 184  # README: 184 proteins
    assert pieces["A1"].set_index("analyte")["value"]["CHL1"] == 12.9561425886431


@pytest.mark.parametrize(
    ("title", "told"), [("", "values in column 3, which has no title"), ("[pg/mL]", "a unit without an analyte")]
)
def test_values_of_no_analyte_are_told(read, title, told):
    with pytest.raises(InputError, match=f"proteins.csv:1: {told}"):
        read(f"sample_id,IL6,{title}\nS1,1,2\nS2,3,4\n")


def test_an_empty_column_at_the_end_is_no_problem(read):
    assert rows(read("sample_id,IL6,\nS1,1,\nS2,3,\n")["S2"]) == [["IL6", "3.0", "arbitrary", ""]]
