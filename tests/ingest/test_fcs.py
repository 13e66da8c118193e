"""FCS files, panels and compensation: what is read of them, and what can be wrong, told all at once."""

import io
import re

import flowio
import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.compensation import compensated, read_compensation
from rabiomarkers.ingest.cytometry import read_cytometry, split_cytometry
from rabiomarkers.ingest.fcs import Channel, FcsFile, canonical, kind_of, read_fcs
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.panels import marker_of
from rabiomarkers.knowledge import load_marker_synonyms
from rabiomarkers.schema import config_path

SYNONYMS = load_marker_synonyms()
CHANNELS = ("FSC-A", "SSC-A", "B515-A", "Y586-A", "Time")
LABELS = ("", "", "CD3 FITC", "CD279 PE", "")
SPILLOVER = np.array([[1.0, 0.25], [0.05, 1.0]])


def fcs(events=None, channels=CHANNELS, labels=LABELS, **text):
    """The bytes of an FCS 3.1 file of 32-bit floats."""
    if events is None:
        events = np.random.default_rng(1).uniform(0, 1000, (50, len(channels)))
    handle = io.BytesIO()
    flowio.create_fcs(
        handle,
        np.asarray(events, np.float32).ravel().tolist(),
        list(channels),
        opt_channel_names=list(labels),
        metadata_dict=text,
    )
    return handle.getvalue()


@pytest.fixture
def write(tmp_path):
    def writer(content, name="a.fcs"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def read(path, *, assay="flow", ids=("S1",), **options):
    return read_cytometry(path, label=path.name, sample_ids=list(ids), assay=assay, synonyms=SYNONYMS, **options)["S1"]


def told_of(path, **options):
    with pytest.raises(InputError) as error:
        read(path, **options)
    return [str(problem) for problem in error.value.problems]


# ---- what is read ----------------------------------------------------------------------------------------------------


def test_columns_bear_the_markers_of_the_labels_under_one_name(write):
    piece = read(write(fcs()))
    assert list(piece.columns) == ["FSC-A", "SSC-A", "CD3", "PD-1", "Time"]
    told = piece.attrs["passport"]
    assert (told["scale"], told["events"], told["compensation"]) == ("linear", 50, "none")
    assert told["channels"]["CD3"] == {
        "detector": "B515-A",
        "range": pytest.approx(told["channels"]["CD3"]["range"]),
        "kind": "marker",
    }


def test_two_batches_that_name_a_marker_differently_end_up_with_one_name(write):
    first = read(write(fcs(labels=("", "", "CD3", "PD1", "")), "a.fcs"))
    second = read(write(fcs(labels=("", "", "CD3e-BV421", "anti-CD279", "")), "b.fcs"))
    assert list(first.columns) == list(second.columns)


def test_the_events_of_the_files_own_matrix_are_compensated(write):
    truth = np.random.default_rng(2).uniform(100, 1000, (50, 2))
    events = np.column_stack([np.full((50, 2), 500.0), truth @ SPILLOVER, np.arange(50.0)])
    told = "2,B515-A,Y586-A," + ",".join(f"{value:g}" for value in SPILLOVER.ravel())
    piece = read(write(fcs(events, spillover=told)))
    np.testing.assert_allclose(piece[["CD3", "PD-1"]], truth, rtol=1e-4)
    assert piece.attrs["passport"]["compensation"] == "file"


def test_a_matrix_beside_the_file_is_preferred(write, tmp_path):
    matrix = tmp_path / "matrix.csv"
    matrix.write_text(",B515-A,Y586-A\nY586-A,0.05,1\nB515-A,1,0.25\n")  # rows in any order
    truth = np.full((50, 2), 300.0)
    events = np.column_stack([np.full((50, 2), 500.0), truth @ SPILLOVER, np.arange(50.0)])
    piece = read(write(fcs(events)), compensation=matrix)
    np.testing.assert_allclose(piece[["CD3", "PD-1"]], truth, rtol=1e-4)


def test_what_flowjo_has_compensated_is_not_compensated_again(write):
    channels = ("FSC-A", "SSC-A", "Comp-B515-A", "Comp-Y586-A", "Time")
    told = "2,Comp-B515-A,Comp-Y586-A,1,0.25,0.05,1"
    piece = read(write(fcs(channels=channels, spillover=told)))
    assert piece.attrs["passport"]["compensation"] == "done before"


def test_the_gain_of_a_channel_is_taken_out(write):
    values = np.tile([100.0, 100.0], (10, 1))
    piece = read(write(fcs(values, ("FL1-H", "FL2-H"), ("CD3", "CD4"), p2g="2")))
    assert piece.iloc[0].tolist() == pytest.approx([100.0, 50.0])


def test_names_of_people_in_the_text_reach_neither_piece_nor_message(write):
    piece = read(write(fcs(op="Dr Secret", src="Jane Patient", patient="Jane Patient")))
    assert "Secret" not in str(piece.attrs)
    assert "Jane" not in str(piece.attrs)


@pytest.mark.parametrize(
    ("written", "marker"),
    [
        ("CD279", "PD-1"),
        ("anti-PD-1 BV421", "PD-1"),
        ("175Lu_PD-1", "PD-1"),
        ("HLA-DR-PE", "HLA-DR"),
        ("Granzyme B", "GZMB"),
        ("Ki67", "Ki-67"),
        ("LIVE/DEAD Aqua", "Viability"),
        ("integrin β7", "integrin-b7"),
        ("TCR Vα7.2", "TCRVa7.2"),
        ("CD45RA APC-H7", "CD45RA"),
        ("pS6", "pS6"),
    ],
)
def test_a_marker_has_one_name_however_it_is_written(written, marker):
    assert marker_of(written, SYNONYMS) == marker


def test_every_marker_of_the_gating_tree_is_its_own_synonym():
    from rabiomarkers.features.gating.tree import load_gating_tree

    for marker in load_gating_tree().markers:
        if kind_of(marker) == "signal":
            assert marker_of(marker, SYNONYMS) == marker


@pytest.mark.parametrize(
    ("written", "name", "kind"),
    [
        ("fsc_a", "FSC-A", "scatter"),
        ("SSC-H", "SSC-H", "scatter"),
        ("TIME", "Time", "time"),
        ("Event_length", "Event_length", "none"),
    ],
)
def test_scatter_and_time_have_one_name(written, name, kind):
    assert (canonical(written), kind_of(written)) == (name, kind)


# ---- what can be wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"\x1f\x8b\x08abc", "a compressed file"),
        (b"PK\x03\x04", "no FCS file"),
        (b"FCS4.9" + b" " * 60, "version FCS4.9"),
        (b"FCS3.1   ", "cut off within its first line"),
        (fcs()[:900], "of 50 events: the file ends before they do"),
        (re.sub(rb"\$TOT/50/", b"$TOT/77/", fcs()), "50 events of 5 channels, where the file promises 77"),
        (re.sub(rb"\$PAR/5/", b"$PAR/7/", fcs()), "channels without a name"),
        (fcs(np.full((20, 5), np.nan)), "20 events without a number"),
        (fcs(spillover="2,B515-A,NOPE,1,0,0,1"), "channels that are not there: NOPE"),
        (fcs(spillover="2,B515-A,Y586-A,1,0"), "spillover matrix"),
        (fcs(spillover="2,B515-A,Y586-A,1,1,1,1"), "cannot be inverted"),
    ],
    ids=range(12),
)
def test_a_broken_file_is_told_in_words(write, content, found):
    assert any(re.search(found, problem) for problem in told_of(write(content))), told_of(write(content))


def test_a_file_cut_anywhere_is_told_and_never_a_crash(write):
    whole = fcs()
    for length in range(0, len(whole) - 1, 97):
        assert told_of(write(whole[:length]))


def test_one_file_holds_one_sample(write):
    with pytest.raises(InputError, match=r"2 samples \(S1, S2\) in one FCS file"):
        read(write(fcs()), ids=("S1", "S2"))


def test_every_fault_of_the_panel_is_told_at_once(write, tmp_path):
    panel = tmp_path / "panel.csv"
    panel.write_text("channel,marker\nB515-A,CD3\nY586-A,CD3e\nR780-A,CD4\nB515-A,CD8\n,CD5\n")
    problems = told_of(write(fcs()), panel=panel)
    assert any("channel 'B515-A' is on line 2, too" in problem for problem in problems)
    assert any("an empty cell" in problem for problem in problems)
    panel.write_text("channel,marker\nB515-A,CD3\nY586-A,CD3e\nR780-A,CD4\n")
    problems = told_of(write(fcs()), panel=panel)
    assert any("the panel's channel 'R780-A', which the file lacks" in problem for problem in problems)
    assert any("CD3 in 2 channels (B515-A, Y586-A), called CD3 and CD3e" in problem for problem in problems)


def test_two_names_of_one_marker_are_one_marker(write, tmp_path):
    panel = tmp_path / "panel.csv"
    panel.write_text("channel,marker\nB515-A,PD1\nY586-A,CD279\n")
    assert "PD-1 in 2 channels (B515-A, Y586-A), called CD279 and PD1" in told_of(write(fcs()), panel=panel)[0]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (",B515-A,Y586-A\nB515-A,2,0.2\nY586-A,0.1,1\n", "a diagonal that is not 1: B515-A"),
        (",B515-A,Y586-A\nB515-A,1,1\nY586-A,1,1\n", "cannot be inverted"),
        (",B515-A,Y586-A\nB515-A,1,x\nY586-A,0.1,1\n", "no number"),
        (",B515-A,Y586-A\nB515-A,1,0.1\nFL9,0.1,1\n", "rows and columns of different detectors: FL9, Y586-A"),
        (",B515-A,R780-A\nB515-A,1,0.1\nR780-A,0.1,1\n", "compensation of channels that the file lacks: R780-A"),
        ("file,channel\nnone.fcs,B515-A\n", "no file 'none.fcs' beside this table"),
    ],
)
def test_a_wrong_compensation_is_told(write, tmp_path, table, found):
    path = tmp_path / "compensation.csv"
    path.write_text(table)
    assert any(found in problem for problem in told_of(write(fcs()), compensation=path))


def test_controls_outside_the_folder_are_not_read(write, tmp_path):
    (tmp_path / "study").mkdir()
    write(fcs(), "outside.fcs")
    table = tmp_path / "study" / "controls.csv"
    table.write_text("file,channel\n../outside.fcs,B515-A\n")
    findings = Findings("controls.csv")
    assert read_compensation(table, CHANNELS, findings) is None
    assert "no file '../outside.fcs'" in str(findings.problems[0])


def test_compensating_what_was_spilled_gives_it_back():
    truth = np.random.default_rng(4).uniform(0, 1e4, (100, 2))
    channels = tuple(Channel(detector=name, label="", top=262144.0, kind="signal") for name in ("A", "B"))
    file = FcsFile(version="3.1", events=(truth @ SPILLOVER).astype(np.float32), channels=channels)
    from rabiomarkers.ingest.compensation import Spillover

    told = compensated(file, Spillover(detectors=("A", "B"), matrix=SPILLOVER, source="matrix"))
    np.testing.assert_allclose(told, truth, rtol=1e-4)


def test_nothing_is_written_where_something_is_wrong(write, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    inputs = {"matrix": write(fcs()[:900]), "synonyms": config_path("markers/protein_synonyms.csv")}
    with pytest.raises(InputError):
        split_cytometry(inputs, out, label="a.fcs", sample_ids=["S1"], assay="flow")
    assert not list(out.iterdir())


def test_the_step_writes_the_piece_with_its_passport(write, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    inputs = {"matrix": write(fcs()), "synonyms": config_path("markers/protein_synonyms.csv")}
    info = split_cytometry(inputs, out, label="a.fcs", sample_ids=["S1"], assay="flow")
    assert info == {"scale": "linear", "events": 50, "compensation": "none", "markers": ["CD3", "PD-1"]}
    assert pd.read_parquet(out / "S1.parquet").shape == (50, 5)


def test_reading_notes_problems_in_the_findings_it_was_given(write):
    findings = Findings("a.fcs")
    with pytest.raises(InputError):
        read_fcs(write(b"nothing"), findings)
    assert findings.problems
