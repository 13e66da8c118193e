"""Spillover: from the file, from a table, from single-stain controls; what is taken out, and what cannot be believed."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rabiomarkers.ingest.compensation import (
    Spillover,
    compensated,
    is_compensated,
    read_compensation,
    spillover_of_file,
    tubes_of,
)
from rabiomarkers.ingest.fcs import Channel, FcsFile
from rabiomarkers.ingest.findings import Findings
from tests.support.fcs_files import fcs

DYES = ("FL1-A", "FL2-A", "FL3-A")
SHARES = np.array([[1.0, 0.25, 0.03], [0.05, 1.0, 0.12], [0.0, 0.02, 1.0]])
"""Spillover that the tubes of these tests are stained with; rows are dyes."""


def file_of(events, *, detectors=DYES, spillover=""):
    channels = tuple(Channel(detector=name, label="", top=262_144.0, kind="signal") for name in detectors)
    return FcsFile(version="3.1", events=np.asarray(events, np.float32), channels=channels, spillover=spillover)


def told(matrix, names=DYES):
    return ",".join(map(str, [len(names), *names, *np.asarray(matrix).ravel()]))


# ---- taking it out ---------------------------------------------------------------------------------------------------


@given(arrays(float, (3, 3), elements=st.floats(0, 0.3)), st.integers(0, 2**32 - 1))
def test_compensating_what_was_spilled_gives_it_back(shares, seed):
    matrix = np.where(np.eye(3, dtype=bool), 1.0, shares)  # rows sum below 2 x the diagonal: it can be inverted
    truth = np.random.default_rng(seed).uniform(0, 1e4, (40, 3))
    found = compensated(file_of(truth @ matrix), Spillover(detectors=DYES, matrix=matrix, source="matrix"))
    np.testing.assert_allclose(found, truth, atol=0.05)


def test_the_order_of_detectors_in_the_matrix_plays_no_part():
    events = np.random.default_rng(1).uniform(0, 1e4, (40, 3))
    order = [2, 0, 1]
    turned = Spillover(detectors=tuple(DYES[i] for i in order), matrix=SHARES[np.ix_(order, order)], source="matrix")
    usual = Spillover(detectors=DYES, matrix=SHARES, source="matrix")
    np.testing.assert_allclose(compensated(file_of(events), turned), compensated(file_of(events), usual), rtol=1e-6)


def test_channels_that_the_matrix_does_not_name_stay_as_they_are_and_the_file_too():
    events = np.arange(12.0).reshape(4, 3)
    file = file_of(events)
    found = compensated(file, Spillover(detectors=DYES[:2], matrix=SHARES[:2, :2], source="matrix"))
    np.testing.assert_array_equal(found[:, 2], events[:, 2])
    np.testing.assert_array_equal(file.events, events)
    by_hand = events[0, :2] @ np.linalg.inv(SHARES[:2, :2])
    np.testing.assert_allclose(found[0, :2], by_hand, rtol=1e-5)


# ---- the file's own --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [DYES, ("1", "2", "3")])
def test_the_files_own_matrix_is_read_by_name_or_number(names):
    findings = Findings("a.fcs")
    found = spillover_of_file(file_of(np.ones((2, 3)), spillover=told(SHARES, names)), findings)
    assert not findings.problems
    assert (found.detectors, found.source) == (DYES, "file")
    np.testing.assert_array_equal(found.matrix, SHARES)


@pytest.mark.parametrize("written", ["", told(np.eye(3))])
def test_no_matrix_and_one_that_says_nothing_spills_are_none(written):
    findings = Findings("a.fcs")
    assert spillover_of_file(file_of(np.ones((2, 3)), spillover=written), findings) is None
    assert not findings.problems


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("0", "makes no sense"),
        ("some,words", "makes no sense"),
        ("2,FL1-A,FL2-A,1,0", "makes no sense"),
        ("2,FL1-A,FL2-A,1,0,x,1", "makes no sense"),
        ("2,1,0.1,0.1,1", "does not name its channels"),
        ("2,FL1-A,FL9-A,1,0,0,1", "channels that are not there: FL9-A"),
        ("2,FL1-A,FL1-A,1,0.1,0.1,1", "names a channel twice"),
        ("2,FL1-A,FL2-A,1,nan,0,1", "a spillover that is no number"),
        ("2,FL1-A,FL2-A,1,1,1,1", "cannot be inverted"),
        ("2,FL1-A,FL2-A,100,10,10,100", "a diagonal that is not 1: FL1-A, FL2-A"),
    ],
)
def test_a_matrix_of_the_file_that_cannot_be_believed_is_told(written, found):
    findings = Findings("a.fcs")
    assert spillover_of_file(file_of(np.ones((2, 3)), spillover=written), findings) is None
    assert found in str(findings.problems[0])


@pytest.mark.parametrize(
    ("names", "before"),
    [
        (("FSC-A", "Comp-FL1-A"), True),
        (("FJComp-FL1-A",), True),
        (("<FL1-A>", "Time"), True),
        (("FL1-A", "Component"), False),
    ],
)
def test_the_names_of_channels_say_whether_the_events_were_compensated_before(names, before):
    assert is_compensated(names) == before


# ---- a table ---------------------------------------------------------------------------------------------------------


def from_csv(tmp_path, text, detectors=DYES):
    path = tmp_path / "compensation.csv"
    path.write_text(text)
    findings = Findings(path.name)
    return read_compensation(path, detectors, findings), [str(problem) for problem in findings.problems]


@pytest.mark.parametrize("title", ["", "detector"])
def test_a_matrix_is_read_with_its_rows_in_any_order(tmp_path, title):
    text = f"{title},FL1-A,FL2-A\nFL2-A,0.05,1\nFL1-A,1,0.25\n"
    found, problems = from_csv(tmp_path, text)
    assert not problems
    np.testing.assert_array_equal(found.matrix, [[1, 0.25], [0.05, 1]])


def test_a_matrix_that_flowjo_wrote_is_read(tmp_path):
    found, _ = from_csv(tmp_path, ",FL1-A :: CD3,FL2-A :: CD4\nFL1-A :: CD3,1,0.25\nFL2-A :: CD4,0.05,1\n")
    assert found.detectors == ("FL1-A", "FL2-A")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (",FL1-A,FL2-A\nFL1-A,2,0.2\nFL2-A,0.1,1\n", "a diagonal that is not 1: FL1-A"),
        (",FL1-A,FL2-A\nFL1-A,100,20\nFL2-A,10,100\n", "are these percent?"),
        (",FL1-A,FL2-A\nFL1-A,1,1\nFL2-A,1,1\n", "cannot be inverted"),
        (",FL1-A,FL2-A\nFL1-A,1,x\nFL2-A,0.1,1\n", "no number"),
        (",FL1-A,FL2-A\nFL1-A,1,0.1\nFL9,0.1,1\n", "rows and columns of different detectors: FL2-A, FL9"),
        (",FL1-A,FL1-A\nFL1-A,1,0.1\nFL1-A,0.1,1\n", "without a name, or twice"),
        (",FL1-A,R780-A\nFL1-A,1,0.1\nR780-A,0.1,1\n", "compensation of channels that the file lacks: R780-A"),
    ],
)
def test_a_wrong_matrix_is_told(tmp_path, text, found):
    spillover, problems = from_csv(tmp_path, text)
    assert spillover is None
    assert any(found in problem for problem in problems)


# ---- single-stain controls -------------------------------------------------------------------------------------------

CHANNELS = ("FSC-A", "SSC-A", *DYES)


def tube(dye=None, *, stained=1.0, seed=0, events=4_000, debris=0.1):
    """A tube of cells, stained with one dye or none; debris is small and glows by itself."""
    random = np.random.default_rng(seed)
    scatter = random.normal([500, 200], [60, 30], (events, 2))
    light = random.normal(20, 3, (events, 3))
    if dye is not None:
        bright = random.random(events) < stained
        light += np.outer(bright * random.lognormal(np.log(3_000), 0.4, events), SHARES[dye])
    small = random.random(events) < debris
    scatter[small] = random.normal([60, 30], 10, (int(small.sum()), 2))
    light[small] += random.uniform(0, 5_000, (int(small.sum()), 3))
    return fcs(np.column_stack([scatter, light]), CHANNELS, [""] * 5)


@pytest.fixture
def controls(tmp_path):
    """Writes tubes and their table, and reads the spillover."""

    def write(tubes=None, table=None, gate=""):
        contents = {"blank.fcs": tube()} | {f"{name}.fcs": tube(at, seed=at + 1) for at, name in enumerate(DYES)}
        for name, content in (contents | (tubes or {})).items():
            (tmp_path / name).write_bytes(content)
        rows = ["blank.fcs,", *(f"{name}.fcs,{name}" for name in DYES)]
        header, cells = (",FSC-low,FSC-high,SSC-low,SSC-high", gate) if gate else ("", "")
        text = table or f"file,channel{header}\n" + "".join(f"{row}{cells}\n" for row in rows)
        return from_csv(tmp_path, text)

    return write


@pytest.mark.parametrize("gate", ["", ",300,700,100,300"])
def test_controls_give_the_spillover_they_were_stained_with(controls, gate):
    found, problems = controls(gate=gate)
    assert not problems
    assert (found.detectors, found.source) == (DYES, "controls")
    np.testing.assert_allclose(found.matrix, SHARES, atol=0.003)


def test_a_tube_in_which_few_cells_are_stained_gives_it_too(controls):
    found, problems = controls({"FL1-A.fcs": tube(0, stained=0.2, seed=9)})
    assert not problems
    np.testing.assert_allclose(found.matrix, SHARES, atol=0.004)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(3)))
def test_the_order_of_tubes_plays_no_part(controls, order):
    rows = ["blank.fcs,", *(f"{DYES[at]}.fcs,{DYES[at]}" for at in order)]
    found, _ = controls(table="file,channel\n" + "\n".join(rows[::-1]) + "\n")
    back = [found.detectors.index(name) for name in DYES]
    usual, _ = controls()
    np.testing.assert_array_equal(found.matrix[np.ix_(back, back)], usual.matrix)


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("file,channel\nFL1-A.fcs,FL1-A\nFL2-A.fcs,FL2-A\n", ["no unstained tube"]),
        ("file,channel\nblank.fcs,\nFL1-A.fcs,FL1-A\n", ["fewer than two stained tubes"]),
        (
            "file,channel\nblank.fcs,\nnone.fcs,FL1-A\nFL2-A.fcs,FL2-A\nFL3-A.fcs,FL2-A\n",
            ["no file 'none.fcs' beside this table", "a second tube of FL2-A"],
        ),
        (
            "file,channel\nblank.fcs,\nFL1-A.fcs,FL9-A\nFL2-A.fcs,FSC-A\n",
            ["no fluorescence channel FL9-A, FSC-A in the tube of no dye"],
        ),
        (
            "file,channel\nblank.fcs,\nFL2-A.fcs,FL1-A\nFL1-A.fcs,FL2-A\n",
            ["a tube of FL1-A that is hardly brighter", "a tube of FL2-A that is hardly brighter"],
        ),
        (
            "file,channel,FSC-low,FSC-high,SSC-low,SSC-high\nblank.fcs,,9,8,0,1\n",
            ["a scatter gate that makes no sense"],
        ),
        ("file,channel\n../blank.fcs,\nFL1-A.fcs,FL1-A\nFL2-A.fcs,FL2-A\n", ["no file '../blank.fcs'"]),
    ],
)
def test_wrong_controls_are_told_all_at_once(controls, table, found):
    spillover, problems = controls(table=table)
    assert spillover is None
    for each in found:
        assert any(each in problem for problem in problems), problems


def test_the_faults_of_every_tube_are_told(controls):
    spillover, problems = controls({"FL1-A.fcs": b"nothing", "FL3-A.fcs": tube(2)[:-900]})
    assert spillover is None
    assert [problem.split(":")[0] for problem in problems] == ["FL1-A.fcs", "FL3-A.fcs"]


def test_the_files_of_the_tubes_are_known_without_reading_them(controls, tmp_path):
    controls({"FL1-A.fcs": b"nothing"})
    assert [path.name for path in tubes_of(tmp_path / "compensation.csv")] == [
        "FL1-A.fcs",
        "FL2-A.fcs",
        "FL3-A.fcs",
        "blank.fcs",
    ]
    (tmp_path / "matrix.csv").write_text(",FL1-A\nFL1-A,1\n")
    assert tubes_of(tmp_path / "matrix.csv") == []
    assert tubes_of(tmp_path / "none.csv") == []


def test_a_tube_with_too_few_cells_or_hardly_stained_is_told(controls):
    _, problems = controls({"FL1-A.fcs": tube(0, events=150)})
    assert "events of ordinary scatter; at least 100" in problems[0]
    _, problems = controls({"FL1-A.fcs": tube(0, stained=0.01, seed=5)})
    assert "hardly brighter" in problems[0]
