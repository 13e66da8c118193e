"""Single-stain controls of a FACSCalibur (FCS 2.0, logarithmic channels): the spillover of the README in the shared data."""

import shutil

import flowio
import numpy as np
import pytest

from rabiomarkers.ingest.compensation import compensated, read_compensation
from rabiomarkers.ingest.fcs import read_fcs
from rabiomarkers.ingest.findings import Findings

TUBES = {"control_2.fcs": "FL1-H", "control_3.fcs": "FL2-H", "control_5.fcs": "FL3-H", "control_4.fcs": "FL4-H"}
README = np.array(
    [[1, 0.242, 0.032, 0.001], [0.0078, 1, 0.141, 0.0027], [0.015, 0.173, 1, 0.231], [0.0008, 0.0010, 0.0032, 1]]
)
"""Rows FITC, PE, 7AAD, APC; columns FL1 to FL4; by medians after linearising, FSC 300-600 and SSC 60-250."""


@pytest.fixture(scope="module")
def tubes(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tubes")
    for path in (shared_data / "flow_compensation_controls" / "fcs").glob("*.fcs"):
        shutil.copy(path, folder / path.name)
    return folder


def test_logarithmic_channels_are_read_as_the_readme_says(tubes):
    file = read_fcs(tubes / "control_2.fcs", Findings("control_2.fcs"))
    raw = flowio.FlowData(str(tubes / "control_2.fcs")).as_array(preprocess=False)
    assert file.events.shape == (8_805, 7)
    for at, channel in enumerate(file.channels):
        if channel.detector.startswith("FL") and channel.detector.endswith("-H"):
            np.testing.assert_allclose(file.events[:, at], 10 ** (raw[:, at] / 256), rtol=1e-6)
        elif channel.kind == "scatter":
            np.testing.assert_array_equal(file.events[:, at], raw[:, at])


def test_real_files_are_read_as_the_library_alone_reads_them(shared_data):
    paths = [
        *(shared_data / "bcrxl_pbmc_cytof" / "fcs").glob("*.fcs"),
        shared_data / "gatingml_reference" / "data1.fcs",
    ]
    for path in paths:
        library = flowio.FlowData(str(path)).as_array()
        np.testing.assert_allclose(read_fcs(path, Findings(path.name)).events, library, rtol=1e-6)
    assert len(paths) == 9


def spillover(tubes, *, gate=None):
    """By the table of controls, with the scatter gate of the README or with none."""
    title, cells = (",FSC-low,FSC-high,SSC-low,SSC-high", ",300,600,60,250") if gate else ("", "")
    rows = [f"control_1.fcs,{cells}", *(f"{name},{channel}{cells}" for name, channel in TUBES.items())]
    path = tubes / f"controls{bool(gate)}.csv"
    path.write_text("\n".join([f"file,channel{title}", *rows]) + "\n")
    findings = Findings(path.name)
    found = read_compensation(path, list(TUBES.values()), findings)
    assert not findings.problems
    assert found.detectors == tuple(TUBES.values())
    return found


def test_with_the_gate_of_the_readme_the_whole_matrix_is_its_own(tubes):
    assert spillover(tubes, gate=True).matrix == pytest.approx(README, abs=0.0006)


def test_without_a_gate_fitc_spills_a_quarter_into_pe(tubes):
    found = spillover(tubes).matrix
    assert found[0, 1] == pytest.approx(0.242, abs=0.01)
    assert found == pytest.approx(README, abs=0.016)


def medians(tubes, name, found):
    """Of each fluorescence channel after compensation, among cells of ordinary scatter."""
    file = read_fcs(tubes / name, Findings(name))
    names = [each.detector for each in file.channels]
    forward, side = (file.events[:, names.index(light)] for light in ("FSC-H", "SSC-H"))
    cells = (forward >= 300) & (forward <= 600) & (side >= 60) & (side <= 250)
    return np.median(compensated(file, found)[cells][:, [names.index(own) for own in TUBES.values()]], axis=0)


def test_compensated_by_it_each_tube_is_bright_in_its_own_channel_only(tubes):
    found = spillover(tubes, gate=True)
    blank = medians(tubes, "control_1.fcs", found)
    for at, name in enumerate(TUBES):
        signal = medians(tubes, name, found) - blank
        assert np.abs(np.delete(signal, at)).max() < 0.04 * signal[at]  # before: up to a quarter
