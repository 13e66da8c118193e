"""Spillover between fluorochromes: from the file, from a table, or from tubes stained with one fluorochrome each.

Of single-stain controls the spillover of a fluorochrome into another detector is the difference of medians between the stained and
the unstained tube there, over that in its own detector. Medians are taken on the linear scale among the events of ordinary scatter:
debris and doublets fluoresce by themselves.

References
----------
Bagwell & Adams 1993, doi:10.1111/j.1749-6632.1993.tb38775.x
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rabiomarkers.ingest.delimited import Sheet, read_delimited, require_sheet
from rabiomarkers.ingest.fcs import FcsFile, canonical, read_fcs
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.matrix import as_numbers
from rabiomarkers.ingest.places import Place

CONTROLS = ("file", "channel")
GATE = ("FSC-low", "FSC-high", "SSC-low", "SSC-high")
"""Optional columns of the table of controls: the scatter within which medians are taken."""
MIDDLE = (0.2, 0.8)  # of forward and side scatter: which events are ordinary where no gate is given
FEWEST = 100  # events behind a median
BRIGHT = 3.0  # a stained tube is at least so many times as bright as the unstained one
SINGULAR = 1e-6  # smallest share of the largest singular value

type Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spillover:
    """Share of each fluorochrome (row) that each detector (column) sees; the diagonal is 1. `source`: file, matrix or controls."""

    detectors: tuple[str, ...]
    matrix: Matrix
    source: str


def compensated(file: FcsFile, spillover: Spillover) -> NDArray[np.float32]:
    """The events with what other fluorochromes spill taken out of each detector."""
    at = [
        next(i for i, channel in enumerate(file.channels) if channel.detector == name) for name in spillover.detectors
    ]
    events = file.events.copy()
    events[:, at] = np.linalg.solve(spillover.matrix.T, file.events[:, at].astype(np.float64).T).T
    return events


def spillover_of_file(file: FcsFile, findings: Findings) -> Spillover | None:
    """The file's own matrix; None where it has none, or one that says nothing spills (the data were compensated before)."""
    if file.spillover is None:
        return None
    names, matrix = file.spillover
    _check_matrix(matrix, names, findings)
    if np.allclose(matrix, np.eye(len(names))):
        return None
    return Spillover(detectors=names, matrix=matrix, source="file")


def read_compensation(path: Path, detectors: Sequence[str], findings: Findings) -> Spillover | None:
    """A matrix or a table of single-stain controls, whichever the CSV is; faults are noted, and then it is None.

    Parameters
    ----------
    path
        Either the matrix: detectors as titles and in the first column, row = fluorochrome, 1 on the diagonal. Or single-stain
        controls: `file, channel` (below the folder of this table; an empty channel is the unstained tube), and where wanted the
        columns of `GATE`.
    detectors
        Of the file that will be compensated.
    """
    before = len(findings.problems)
    header = read_delimited(path, label=findings.file).header
    controls = set(CONTROLS) <= {title.strip() for title in header}
    found = _from_controls(path, findings) if controls else _from_matrix(path, findings)
    if found is None or len(findings.problems) > before:
        return None
    if absent := [name for name in found.detectors if name not in detectors]:
        findings.add(
            f"compensation of channels that the file lacks: {named(absent)}",
            f"channels of the file: {named(detectors, limit=40)}",
            "correct the names (as $PnN), or take them out",
        )
        return None
    _check_matrix(found.matrix, found.detectors, findings)
    return found if len(findings.problems) == before else None


def _check_matrix(matrix: Matrix, names: Sequence[str], findings: Findings) -> None:
    if not np.isfinite(matrix).all():
        findings.add("a spillover that is no number", "numbers", "correct the matrix")
        return
    if off := [name for name, value in zip(names, np.diagonal(matrix), strict=True) if abs(value - 1) > 1e-6]:
        findings.add(
            f"a diagonal that is not 1: {named(off)}",
            "1 for a fluorochrome in its own detector (fractions, no percent)",
            "divide each row by its diagonal",
        )
    if (matrix < -0.5).any() or (matrix > 2).any():
        findings.add("a spillover below -0.5 or above 2", "fractions between 0 and 1", "are these percent?")
    values = np.linalg.svd(matrix, compute_uv=False)
    if values[-1] <= SINGULAR * values[0]:
        findings.add(
            "a matrix that cannot be inverted: two fluorochromes look the same",
            "fluorochromes that can be told apart",
            "remove one of two equal rows",
        )


def _from_matrix(path: Path, findings: Findings) -> Spillover | None:
    table = read_delimited(path, label=findings.file)
    titles = [title.strip() for title in table.header]
    names = titles[1:]
    frame = table.frame(text=[0])
    rows = [str(name).strip() for name in frame[0]]
    if not names or any(not name for name in names) or len(set(names)) < len(names):
        findings.add("detectors without a name, or twice", "each detector once", "correct the titles", row=1)
        return None
    if sorted(rows) != sorted(names):
        lonely = sorted(set(rows) ^ set(names))
        findings.add(
            f"rows and columns of different detectors: {named(lonely)}" if lonely else "a detector twice",
            "a square matrix: the titles again in the first column, or a table `file, channel` of single-stain controls",
            "correct the names",
        )
        return None
    cells = table.frame(text=range(1, len(titles)))
    matrix = np.column_stack([as_numbers(cells[at]) for at in range(1, len(titles))])
    order = [rows.index(name) for name in names]
    if not np.isfinite(matrix).all():
        findings.add("a cell that is no number", "numbers", "correct the matrix")
        return None
    return Spillover(detectors=tuple(names), matrix=matrix[order], source="matrix")


# ---- single-stain controls -------------------------------------------------------------------------------------------


def _from_controls(path: Path, findings: Findings) -> Spillover | None:
    sheet = require_sheet(path, required=CONTROLS, findings=findings)
    place = Place(folder=path.parent, data_root=None)
    tubes: dict[str, tuple[int, FcsFile]] = {}
    for line, row in sheet.rows():
        written = place.find(row["file"]) if row["file"] else None
        if written is None or not written.is_file():
            found = f"no file {row['file']!r} beside this table"
            findings.add(
                found, "an FCS file below the folder of this table", "correct the path", row=line, column="file"
            )
            continue
        if row["channel"] in tubes:
            what = f"a second tube of {row['channel']}" if row["channel"] else "a second unstained tube"
            findings.add(what, "one tube for each channel", "remove one", row=line, column="channel")
            continue
        own = Findings(row["file"])
        tubes[row["channel"]] = (line, read_fcs(written, own))
    if "" not in tubes:
        findings.add(
            "no unstained tube", "one row with an empty channel", "add the unstained control", column="channel"
        )
    if len(tubes) < 3:
        findings.add("fewer than two stained tubes", "a tube for each fluorochrome", "add the controls", column="file")
    if findings.problems:
        return None
    return _of_tubes(tubes, _gate(sheet, findings), findings)


def _gate(sheet: Sheet, findings: Findings) -> tuple[float, ...] | None:
    """The scatter gate that the table gives in its first row; None where it gives none."""
    if not set(GATE) <= set(sheet.frame.columns):
        return None
    _, first = next(sheet.rows())
    try:
        return tuple(float(first[name]) for name in GATE)
    except ValueError:
        findings.add("a scatter gate that is no number", "four numbers", "correct or remove the columns")
        return None


def _of_tubes(
    tubes: Mapping[str, tuple[int, FcsFile]], gate: tuple[float, ...] | None, findings: Findings
) -> Spillover | None:
    stained = [name for name in tubes if name]
    unstained = tubes[""][1]
    detectors = [channel.detector for channel in unstained.channels]
    for name in stained:
        line, file = tubes[name]
        if name not in [channel.detector for channel in file.channels] or name not in detectors:
            found = f"no channel {name!r} in this tube or the unstained one"
            findings.add(found, f"one of {named(detectors, limit=40)}", "correct it", row=line, column="channel")
    if findings.problems:
        return None
    blank = _medians(unstained, stained, gate, tubes[""][0], findings)
    matrix = np.eye(len(stained))
    for at, name in enumerate(stained):
        line, file = tubes[name]
        own = _medians(file, stained, gate, line, findings)
        if blank is None or own is None:
            continue
        signal = own - blank
        if own[at] < BRIGHT * max(blank[at], 1e-9) or int(np.argmax(signal)) != at:
            findings.add(
                f"a tube of {name} that is hardly brighter there than the unstained one, or brighter elsewhere",
                "the fluorochrome of this channel, and it alone",
                "is it the right file?",
                row=line,
                column="file",
            )
            continue
        matrix[at] = signal / signal[at]
    if findings.problems:
        return None
    return Spillover(detectors=tuple(stained), matrix=np.maximum(matrix, 0.0), source="controls")


def _medians(
    file: FcsFile, detectors: Sequence[str], gate: tuple[float, ...] | None, line: int, findings: Findings
) -> Matrix | None:
    """Of each detector, among the events of ordinary scatter."""
    names = [channel.detector for channel in file.channels]
    kept = np.ones(len(file.events), dtype=bool)
    for light, limits in (("FSC", (0, 1)), ("SSC", (2, 3))):
        at = next((i for i, name in enumerate(names) if canonical(name).startswith(light)), None)
        if at is None:
            continue
        values = file.events[:, at]
        low, high = (gate[limits[0]], gate[limits[1]]) if gate else np.quantile(values, MIDDLE)
        kept &= (values >= low) & (values <= high)
    if kept.sum() < FEWEST:
        found = f"{int(kept.sum())} events of ordinary scatter"
        findings.add(found, f"at least {FEWEST}", "widen the gate, or take more events", row=line, column="file")
        return None
    columns = [names.index(name) for name in detectors]
    return np.median(file.events[kept][:, columns].astype(np.float64), axis=0)
