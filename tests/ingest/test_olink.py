"""Olink's long export: classic and Explore, text and Parquet."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.proteins import read_proteins, split_proteins

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
CLASSIC = (
    "SampleID;OlinkID;Assay;Panel;PlateID;QC_Warning;LOD;NPX\n"
    "S1;OID1;IL6;Inf;P1;Pass;1.0;3.5\n"
    "S1;OID2;TNF;Inf;P1;Pass;1.0;0.5\n"
    "S1;OID3;IL6;Onc;P2;Warning;1.0;0.25\n"
    "S2;OID1;IL6;Inf;P1;PASS;1;NA\n"
    "CONTROL_SAMPLE 1;OID1;IL6;Inf;P1;Pass;1;9\n"
)
EXPLORE = (
    "SampleID,SampleType,PlateID,OlinkID,Assay,AssayType,Panel,Block,Count,ExtNPX,NPX,Normalization,PCNormalizedNPX,AssayQC,SampleQC\n"
    "S1,SAMPLE,P1,OID1,IL6,assay,Explore HT,1,900,1.5,2.5,Intensity,9,PASS,PASS\n"
    "S1,SAMPLE,P1,OID2,TNF,assay,Explore HT,2,900,1.5,3.5,Intensity,9,WARN,FAIL\n"
    "S1,SAMPLE,P1,OID9,Extension control 1,ext_ctrl,Explore HT,1,900,1,1,Intensity,9,NA,NA\n"
    "S2,SAMPLE,P2,OID1,IL6,assay,Explore HT,1,900,1.5,1.25,Intensity,9,PASS,WARN\n"
    "NC1,NEGATIVE_CONTROL,P1,OID1,IL6,assay,Explore HT,1,9,-9,-9,Intensity,9,NA,NA\n"
)


@pytest.fixture
def read(tmp_path):
    def reader(text, sample_ids=("S1", "S2")):
        path = tmp_path / "npx.csv"
        path.write_text(text)
        return read_proteins(path, label="npx.csv", sample_ids=sample_ids)

    return reader


def rows(piece):
    return [
        [analyte, str(value), flag]
        for analyte, value, flag in piece[["analyte", "value", "flag"]].itertuples(index=False)
    ]


def test_the_classic_export_is_read_with_its_warnings_and_limits(read):
    pieces = read(CLASSIC)
    assert rows(pieces["S1"]) == [
        ["IL6 (OID1)", "3.5", ""],
        ["IL6 (OID3)", "0.25", "qc_warning;below_lod"],
        ["TNF", "0.5", "below_lod"],
    ]
    assert rows(pieces["S2"]) == [["IL6 (OID1)", "nan", ""]]
    assert pieces["S1"][["panel", "plate", "lod"]].to_numpy().tolist()[1] == ["Onc", "P2", 1.0]
    passport = pieces["S1"].attrs["passport"]
    assert passport["scale"] == "npx"
    assert (passport["control_samples"], passport["limit_of_detection"]) == (1, "LOD")


def test_explore_is_read_by_block_without_controls(read):
    pieces = read(EXPLORE)
    assert rows(pieces["S1"]) == [["IL6", "2.5", ""], ["TNF", "3.5", "qc_fail;assay_warning"]]
    assert rows(pieces["S2"]) == [["IL6", "1.25", "qc_warning"]]
    assert pieces["S1"]["panel"].tolist() == ["Explore HT block 1", "Explore HT block 2"]
    passport = pieces["S1"].attrs["passport"]
    assert (passport["control_samples"], passport["control_assays"]) == (1, 1)
    assert passport["normalization"] == ["Intensity"]
    assert passport["limit_of_detection"] is None


@pytest.mark.parametrize("text", [CLASSIC, EXPLORE])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_separator_gives_the_same(read, text, separator):
    own = ";" if text is CLASSIC else ","
    for one, other in zip(read(text).values(), read(text.replace(own, separator)).values(), strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(("text", "separator"), [(CLASSIC, ";"), (EXPLORE, ",")])
def test_parquet_gives_the_same_as_text(read, tmp_path, text, separator):
    path = tmp_path / "npx.parquet"
    pd.read_csv(io.StringIO(text), sep=separator).to_parquet(path)
    pieces = read_proteins(path, label="npx.parquet", sample_ids=["S1", "S2"])
    for sample, piece in read(text).items():
        pd.testing.assert_frame_equal(piece, pieces[sample])


@pytest.mark.parametrize(
    ("text", "row", "column", "told"),
    [
        (CLASSIC.replace("OID3", "OID1"), 4, "OlinkID", "OID1 of S1 again"),
        (CLASSIC.replace("3.5", "x"), 2, "NPX", "'x'; a number"),
        (CLASSIC.replace("3.5", "3,5"), 2, "NPX", "write a decimal point, not a comma"),
        (CLASSIC.replace("Pass;1.0;3.5", "Pass;low;3.5"), 2, "LOD", "'low'; a number"),
        (CLASSIC.replace("Assay", "Protein"), None, None, "a column NPX, but no Assay"),
        (CLASSIC.replace(";NPX", ";Quantified_value"), None, None, "a column OlinkID, but no NPX"),
        (CLASSIC.replace("PlateID", "NPX"), None, "NPX", "the column occurs twice"),
        (CLASSIC.replace("S2;", "S3;"), None, "S2", "no sample 'S2'"),
        (EXPLORE.replace("S2,SAMPLE", "S2,PLATE_CONTROL"), None, "S2", "a control of the laboratory"),
        (EXPLORE.replace("PASS,WARN", "PASS,FAIL"), None, "S2", "failed this sample in all it measured"),
        (CLASSIC.replace("PASS;1;NA", "Fail;1;2"), None, "S2", "a sample that passed in at least one panel"),
    ],
)
def test_a_wrong_export_is_told(read, text, row, column, told):
    with pytest.raises(InputError) as raised:
        read(text)
    problem = raised.value.problems[0]
    assert (problem.row, problem.column) == (row, column)
    assert told in str(problem)


def test_every_fault_is_told_at_once(read):
    text = CLASSIC.replace("3.5", "x").replace("OID3", "OID1").replace("PASS;1;NA", "Fail;1;2")
    with pytest.raises(InputError) as raised:
        read(text, sample_ids=("S1", "S2", "S9"))
    assert [problem.column for problem in raised.value.problems] == ["S9", "OlinkID", "NPX", "S2"]


def test_a_sample_that_failed_is_none_of_ours_if_the_sheet_does_not_ask_for_it(read):
    assert list(read(EXPLORE.replace("PASS,WARN", "PASS,FAIL"), sample_ids=("S1",))) == ["S1"]


def test_a_healthy_control_that_the_sheet_asks_for_is_a_sample(read):
    piece = read(CLASSIC, sample_ids=("CONTROL_SAMPLE 1",))["CONTROL_SAMPLE 1"]
    assert rows(piece) == [["IL6 (OID1)", "9.0", ""]]
    assert piece.attrs["passport"]["control_samples"] == 0


@pytest.mark.parametrize(
    "content", [b"PAR1", b"PAR1 and nothing that follows PAR1", b"PAR1\x00\x00\x00\x00\xff\xff\xff\x7fPAR1"]
)
def test_damaged_parquet_is_told(tmp_path, content):
    (tmp_path / "npx.parquet").write_bytes(content)
    with pytest.raises(InputError, match="a Parquet file that is damaged"):
        read_proteins(tmp_path / "npx.parquet", label="npx.parquet", sample_ids=["S1"])


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (pd.DataFrame({"a": [1]}), "a Parquet file without NPX"),
        (pd.DataFrame({"NPX": [1.0]}), "a column NPX, but no SampleID and Assay and OlinkID"),
        (pd.DataFrame(columns=["SampleID", "Assay", "OlinkID", "NPX"]), "a Parquet file without rows"),
    ],
)
def test_parquet_of_something_else_is_told(tmp_path, frame, told):
    frame.to_parquet(tmp_path / "npx.parquet")
    with pytest.raises(InputError, match=told):
        read_proteins(tmp_path / "npx.parquet", label="npx.parquet", sample_ids=["S1"])


def test_nothing_is_written_of_a_file_that_is_wrong(tmp_path):
    (tmp_path / "npx.csv").write_text(EXPLORE.replace("PASS,WARN", "PASS,FAIL"))
    with pytest.raises(InputError):
        split_proteins({"matrix": tmp_path / "npx.csv"}, tmp_path, label="npx.csv", sample_ids=["S1", "S2"])
    assert [path.name for path in tmp_path.iterdir()] == ["npx.csv"]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)), values=st.lists(st.floats(-5, 15), min_size=5, max_size=5))
def test_the_order_of_rows_plays_no_part_and_no_value_is_changed(read, order, values):
    lines = CLASSIC.splitlines()
    body = [line.rpartition(";")[0] + f";{value!r}" for line, value in zip(lines[1:], values, strict=True)]
    pieces = read("\n".join([lines[0], *body]) + "\n")
    turned = read("\n".join([lines[0], *(body[at] for at in order)]) + "\n")
    assert pieces["S1"]["value"].tolist() == [values[0], values[2], values[1]]  # IL6 (OID1), IL6 (OID3), TNF
    for sample in pieces:
        pd.testing.assert_frame_equal(pieces[sample], turned[sample])


def test_the_olink_example_is_read():
    path = SHARED / "olink_npx1" / "npx_long.csv.gz"
    if not path.exists():
        pytest.skip("the shared data folder is not beside the repository")
    pieces = read_proteins(path, label="npx", sample_ids=["A1", "B79"])
    assert len(pieces["A1"]) == 184  # README: 184 proteins
    assert pieces["A1"].set_index("analyte")["value"]["CHL1"] == 12.9561425886431
    assert pieces["A1"].attrs["passport"]["control_samples"] == 2  # README: 2 control samples
    assert np.isnan(pieces["A1"]["uloq"]).all()
