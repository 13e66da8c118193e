"""Spillover between fluorochromes: from the file, from a table, or from tubes stained with one fluorochrome each.

Of single-stain controls the spillover of a fluorochrome into another detector is the difference of medians between the stained and
the unstained tube there, over that in its own detector. Medians are taken on the linear scale among the events of ordinary scatter:
debris and doublets fluoresce by themselves.

References
----------
Bagwell & Adams 1993, doi:10.1111/j.1749-6632.1993.tb38775.x
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.delimited import Sheet, read_delimited, read_sheet, require_sheet
from rabiomarkers.ingest.fcs import FcsFile, canonical, read_fcs
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.matrix import as_numbers
from rabiomarkers.ingest.places import Place, nameable

CONTROLS = ("file", "channel")
GATE = ("FSC-low", "FSC-high", "SSC-low", "SSC-high")
"""Optional columns of the table of controls: the scatter within which medians are taken."""
MIDDLE = (0.2, 0.8)  # of forward and side scatter: which events are ordinary where no gate is given
FEWEST = 100  # events behind a median
DARK = 0.995  # share of the unstained events below the signal of a stained one
MOSTLY = 0.8  # share of stained events above which a tube counts as a whole
BRIGHT = 3.0  # a stained tube is at least so many times as bright as the unstained one
SINGULAR = 1e-6  # smallest share of the largest singular value
CHUNK = 200_000  # events that are compensated at a time
COMPENSATED = re.compile(r"(fj)?comp-|<.*>$", re.IGNORECASE)  # how FlowJo names the channels that it has compensated
SENSELESS = "a spillover matrix that makes no sense"
GIVE = "give the matrix as a CSV in the column compensation (1 on the diagonal and 0 elsewhere: nothing is compensated)"

type Matrix = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Spillover:
    """Share of each fluorochrome (row) that each detector (column) sees; the diagonal is 1. `source`: file, matrix or controls."""

    detectors: tuple[str, ...]
    matrix: Matrix
    source: str


def compensated(file: FcsFile, spillover: Spillover) -> NDArray[np.float32]:
    """The events with what other fluorochromes spill taken out of each detector."""
    detectors = [channel.detector for channel in file.channels]
    at = [detectors.index(name) for name in spillover.detectors]
    unmixing = np.linalg.inv(spillover.matrix)
    events = file.events.copy()
    for start in range(0, len(events), CHUNK):  # in double precision, but never all events at once
        rows = slice(start, start + CHUNK)
        events[rows, at] = events[rows][:, at].astype(np.float64) @ unmixing
    return events


def is_compensated(detectors: Sequence[str]) -> bool:
    """Whether the file's own names say that its events were compensated before: ``Comp-B515-A``, ``<B515-A>``."""
    return any(COMPENSATED.match(name) for name in detectors)


def spillover_of_file(file: FcsFile, findings: Findings) -> Spillover | None:
    """The file's own matrix; None where it has none, or one that says nothing spills (the data were compensated before)."""
    if not file.spillover:
        return None
    detectors = [channel.detector for channel in file.channels]
    parts = [part.strip() for part in file.spillover.split(",")]
    size = int(parts[0]) if parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 5 else 0
    if size == 0 or len(parts) != 1 + size + size**2:
        unnamed = size > 0 and len(parts) == 1 + size**2 and np.isfinite(as_numbers(pd.Series(parts))).all()
        found = "an old spillover matrix ($COMP) that does not name its channels" if unnamed else SENSELESS
        findings.add(found, "n, then n channels, then n x n numbers", GIVE)
        return None
    names = parts[1 : size + 1]
    if all(name.isdigit() for name in names) and not set(names) <= set(detectors):  # by number, as FCS 2.0 files do
        names = [detectors[int(name) - 1] if 0 < int(name) <= len(detectors) else name for name in names]
    if absent := [name for name in names if name not in detectors]:
        found = f"a spillover matrix of channels that are not there: {named(absent)}"
        findings.add(found, "channels of the file", GIVE)
        return None
    if len(set(names)) < size:
        findings.add("a spillover matrix that names a channel twice", "each channel once", GIVE)
        return None
    try:
        matrix = np.array([float(part) for part in parts[1 + size :]], dtype=np.float64).reshape(size, size)
    except ValueError:
        findings.add(SENSELESS, "n, then n channels, then n x n numbers", GIVE)
        return None
    if np.array_equal(matrix, np.eye(size)):
        return None
    before = len(findings.problems)
    _check_matrix(matrix, names, findings)
    return Spillover(detectors=tuple(names), matrix=matrix, source="file") if len(findings.problems) == before else None


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


def tubes_of(path: Path) -> list[Path]:
    """The files of the single-stain controls that this CSV names, sorted; none where it is a matrix or cannot be read.

    Who stores a compensated piece needs them: it changes where one of them does.
    """
    findings = Findings(path.name)
    sheet = read_sheet(path, required=CONTROLS, findings=findings)
    if sheet is None:
        return []
    place = Place(folder=path.parent, data_root=None)
    found = [place.find(row["file"]) for _, row in sheet.rows() if row["file"] and nameable(row["file"])]
    return sorted({tube for tube in found if tube is not None and tube.is_file()})


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
    titles = table.header
    names = [_detector(title) for title in titles[1:]]
    rows = [_detector(str(name)) for name in table.frame(text=[0])[0]]
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


def _detector(title: str) -> str:
    """The detector of a title; FlowJo writes ``B515-A :: CD3``."""
    return title.split(" :: ")[0].strip()


# ---- single-stain controls -------------------------------------------------------------------------------------------


def _from_controls(path: Path, findings: Findings) -> Spillover | None:
    sheet = require_sheet(path, required=CONTROLS, findings=findings)
    gate = _gate(sheet, findings)
    tubes = _tubes(sheet, path.parent, findings)
    if findings.problems:
        return None
    stained = [name for name in tubes if name]
    background = _background(tubes[""], stained, gate, findings)
    matrix = np.eye(len(stained))
    for at, name in enumerate(stained):
        row = _shares(tubes[name], stained, at, background, gate, findings) if background is not None else None
        if row is not None:
            matrix[at] = row
    return None if findings.problems else Spillover(detectors=tuple(stained), matrix=matrix, source="controls")


@dataclass(frozen=True, kw_only=True)
class _Tube:
    line: int
    file: FcsFile

    @property
    def detectors(self) -> list[str]:
        return [channel.detector for channel in self.file.channels]


def _tubes(sheet: Sheet, folder: Path, findings: Findings) -> dict[str, _Tube]:
    """The tubes by channel, the unstained one by no name; faults are noted."""
    place = Place(folder=folder, data_root=None)
    lines: dict[str, int] = {}
    tubes: dict[str, _Tube] = {}
    for line, row in sheet.rows():
        written = place.find(row["file"]) if row["file"] and nameable(row["file"]) else None
        channel = row["channel"]
        if lines.setdefault(channel, line) != line:
            what = f"a second tube of {channel}" if channel else "a second unstained tube"
            findings.add(what, "one tube for each channel", "remove one", row=line, column="channel")
        elif written is None or not written.is_file():
            found = f"no file {row['file']!r} beside this table"
            expected = "an FCS file below the folder of this table"
            findings.add(found, expected, "correct the path", row=line, column="file")
        else:
            try:
                tubes[channel] = _Tube(line=line, file=read_fcs(written, Findings(row["file"])))
            except InputError as error:
                findings.problems += error.problems
    if "" not in lines:
        expected = "one row with an empty channel"
        findings.add("no unstained tube", expected, "add the unstained control", column="channel")
    if len(lines.keys() - {""}) < 2:
        findings.add("fewer than two stained tubes", "a tube for each fluorochrome", "add the controls", column="file")
    for channel, tube in tubes.items():
        signals = [own.detector for own in tube.file.channels if own.kind == "signal"]
        if lacking := [name for name in lines if name and name not in signals]:
            found = f"no fluorescence channel {named(lacking)} in the tube of {channel or 'no dye'}"
            expected = f"one of {named(signals, limit=40)}"
            findings.add(found, expected, "correct the column channel", row=tube.line, column="channel")
    return tubes


def _gate(sheet: Sheet, findings: Findings) -> tuple[float, ...] | None:
    """The scatter gate that the table gives in its first row; None where it gives none."""
    if not set(GATE) <= set(sheet.frame.columns):
        return None
    line, first = next(sheet.rows())
    limits = as_numbers(pd.Series([first[name] for name in GATE]))
    if not np.isfinite(limits).all() or limits[0] >= limits[1] or limits[2] >= limits[3]:
        expected = f"numbers in {', '.join(GATE)}, each low below its high"
        findings.add("a scatter gate that makes no sense", expected, "correct or remove the columns", row=line)
        return None
    return tuple(limits.tolist())


def _background(
    tube: _Tube, stained: Sequence[str], gate: tuple[float, ...] | None, findings: Findings
) -> tuple[Matrix, Matrix] | None:
    """Of the unstained tube, by detector: the median, and the value that hardly an event exceeds."""
    events = _ordinary(tube, stained, gate, findings)
    return None if events is None else (np.median(events, axis=0), np.quantile(events, DARK, axis=0))


def _shares(
    tube: _Tube,
    stained: Sequence[str],
    at: int,
    background: tuple[Matrix, Matrix],
    gate: tuple[float, ...] | None,
    findings: Findings,
) -> Matrix | None:
    """What each detector sees of this tube's fluorochrome, that of detector `at` being 1.

    Where a good part of the cells is not stained (an antibody need not bind every cell), only events brighter than the unstained
    ones count; else all do, as choosing by one detector's noise would shift the others' share.
    """
    events = _ordinary(tube, stained, gate, findings)
    if events is None:
        return None
    blank, dark = background
    stained_ones = events[:, at] > dark[at]
    bright = events if stained_ones.mean() > MOSTLY else events[stained_ones]
    signal = np.median(bright, axis=0) - blank if len(bright) >= FEWEST else np.zeros(len(stained))
    if signal[at] + blank[at] < BRIGHT * max(blank[at], 1e-9) or int(np.argmax(signal)) != at:
        findings.add(
            f"a tube of {stained[at]} that is hardly brighter there than the unstained one, or brighter elsewhere",
            "the fluorochrome of this channel, and it alone",
            "is it the right file?",
            row=tube.line,
            column="file",
        )
        return None
    shares = np.maximum(signal / signal[at], 0.0)
    return np.asarray(shares, dtype=np.float64)


def _ordinary(
    tube: _Tube, detectors: Sequence[str], gate: tuple[float, ...] | None, findings: Findings
) -> Matrix | None:
    """Events of ordinary scatter x detectors."""
    names = tube.detectors
    kept = np.ones(len(tube.file.events), dtype=bool)
    for light, limits in (("FSC", (0, 1)), ("SSC", (2, 3))):
        at = next((i for i, name in enumerate(names) if canonical(name).startswith(light)), None)
        if at is None:
            continue
        values = tube.file.events[:, at]
        low, high = (gate[limits[0]], gate[limits[1]]) if gate else np.quantile(values, MIDDLE)
        kept &= (values >= low) & (values <= high)
    if kept.sum() < FEWEST:
        found = f"{int(kept.sum())} events of ordinary scatter"
        findings.add(found, f"at least {FEWEST}", "widen the gate, or take more events", row=tube.line, column="file")
        return None
    return tube.file.events[kept][:, [names.index(name) for name in detectors]].astype(np.float64)
