"""One FCS file with its panel and compensation becomes one piece: linear, compensated, its columns named by marker."""

import numpy as np
import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.cytometry import read_cytometry, split_cytometry
from rabiomarkers.schema import config_path
from tests.support.fcs_files import SYNONYMS, fcs, read, told_of

SHARES = np.array([[1.0, 0.25], [0.05, 1.0]])
OWN = "2,B515-A,Y586-A,1,0.25,0.05,1"


@pytest.fixture
def write(tmp_path):
    def writer(content, name="a.fcs"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def spilled(seed=2):
    """Two markers before and after spillover, with the other channels of the file."""
    truth = np.random.default_rng(seed).uniform(100, 1_000, (50, 2))
    return truth, np.column_stack([np.full((50, 2), 500.0), truth @ SHARES, np.arange(50.0)])


def test_columns_bear_the_markers_of_the_labels_under_one_name(write):
    piece = read(write(fcs()))
    assert list(piece.columns) == ["FSC-A", "SSC-A", "CD3", "PD-1", "Time"]
    assert set(piece.dtypes) == {np.dtype(np.float32)}
    told = piece.attrs["passport"]
    assert {key: told[key] for key in ("scale", "declared", "events", "compensation")} == {
        "scale": "linear",
        "declared": "flow",
        "events": 50,
        "compensation": "none",
    }
    assert told["channels"]["CD3"] == {"detector": "B515-A", "range": 262_144.0, "kind": "marker"}
    assert [channel["kind"] for channel in told["channels"].values()] == [
        "scatter",
        "scatter",
        "marker",
        "marker",
        "time",
    ]


def test_the_events_of_the_files_own_matrix_are_compensated(write):
    truth, events = spilled()
    piece = read(write(fcs(events, SPILLOVER=OWN)))
    np.testing.assert_allclose(piece[["CD3", "PD-1"]], truth, rtol=1e-4)
    np.testing.assert_array_equal(piece["Time"], events[:, 4])
    assert piece.attrs["passport"]["compensation"] == "file"


def test_a_matrix_beside_the_file_is_preferred_and_helps_where_the_files_own_makes_no_sense(write):
    truth, events = spilled()
    matrix = write(",B515-A,Y586-A\nB515-A,1,0.25\nY586-A,0.05,1\n", "matrix.csv")
    for own in ("2,B515-A,Y586-A,1,0.5,0.5,1", "2,1,0,0,1", "nonsense"):
        piece = read(write(fcs(events, SPILLOVER=own)), compensation=matrix)
        np.testing.assert_allclose(piece[["CD3", "PD-1"]], truth, rtol=1e-4)
        assert piece.attrs["passport"]["compensation"] == "matrix"


def test_mass_cytometry_is_compensated_only_by_a_matrix_that_is_given(write):
    _, events = spilled()
    path = write(fcs(events, SPILLOVER=OWN))
    piece = read(path, assay="cytof")
    np.testing.assert_allclose(piece["CD3"], events[:, 2], rtol=1e-6)
    matrix = write(",B515-A,Y586-A\nB515-A,1,0.25\nY586-A,0.05,1\n", "matrix.csv")
    assert read(path, assay="cytof", compensation=matrix).attrs["passport"]["compensation"] == "matrix"


def test_what_flowjo_has_compensated_is_not_compensated_again(write):
    _, events = spilled()
    channels = ("FSC-A", "SSC-A", "Comp-B515-A", "Comp-Y586-A", "Time")
    piece = read(write(fcs(events, channels, SPILLOVER="2,Comp-B515-A,Comp-Y586-A,1,0.25,0.05,1")))
    np.testing.assert_allclose(piece["CD3"], events[:, 2], rtol=1e-6)
    assert piece.attrs["passport"]["compensation"] == "done before"


def test_names_of_people_in_the_text_reach_neither_piece_nor_file_nor_message(write, tmp_path):
    people = {"OP": "Dr Secret", "SRC": "Jane Patient", "PATIENT ID": "Jane Patient"}
    path = write(fcs(**people))
    piece = read(path)
    split_cytometry(
        {"matrix": path, "synonyms": config_path("markers/protein_synonyms.csv")},
        tmp_path,
        label="a.fcs",
        sample_ids=["S1"],
        assay="flow",
    )
    told = " ".join(told_of(write(fcs(TOT=9, BYTEORD="x", **people))))
    for place in (str(piece.attrs), told, (tmp_path / "S1.parquet").read_bytes().decode("latin-1")):
        assert "Secret" not in place
        assert "Jane" not in place


def test_the_faults_of_file_panel_and_compensation_are_told_at_once(write):
    panel = write("channel,marker\nB515-A,CD3\nY586-A,CD3e\nR780-A,CD4\n", "panel.csv")
    matrix = write(",B515-A,R1\nB515-A,1,0\nR1,0,1\n", "matrix.csv")
    told = told_of(write(fcs()), panel=panel, compensation=matrix, ids=("S1", "S2"))
    assert [problem.split(":")[0] for problem in told] == ["a.fcs", "panel.csv", "panel.csv", "matrix.csv"]
    assert "2 samples (S1, S2) in one FCS file" in told[0]


def test_the_faults_of_a_panel_are_told_beside_those_of_a_broken_file(write):
    told = told_of(write(fcs()[:-8]), panel=write("channel\nB515-A\n", "panel.csv"))
    assert [problem.split(":")[0] for problem in told] == ["a.fcs", "panel.csv"]


def test_the_step_writes_the_piece_with_its_passport(write, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    path = write(fcs())
    inputs = {"matrix": path, "synonyms": config_path("markers/protein_synonyms.csv")}
    info = split_cytometry(inputs, out, label="a.fcs", sample_ids=["S1"], assay="flow")
    assert info == {"scale": "linear", "events": 50, "compensation": "none", "markers": ["CD3", "PD-1"]}
    piece = read_table(out / "S1.parquet")
    assert piece.equals(read(path))
    assert piece.attrs == read(path).attrs


def test_nothing_is_written_where_something_is_wrong(write, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    inputs = {"matrix": write(fcs()[:-8]), "synonyms": config_path("markers/protein_synonyms.csv")}
    with pytest.raises(InputError):
        split_cytometry(inputs, out, label="a.fcs", sample_ids=["S1"], assay="flow")
    assert not list(out.iterdir())


def test_what_was_handed_in_is_not_changed(write):
    path, synonyms = write(fcs(SPILLOVER=OWN)), dict(SYNONYMS)
    before = path.read_bytes()
    read_cytometry(path, label="a.fcs", sample_ids=["S1"], assay="flow", synonyms=synonyms)
    assert path.read_bytes() == before
    assert synonyms == SYNONYMS
