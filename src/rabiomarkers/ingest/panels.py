"""Which marker each channel of a cytometer bears, under one name whatever a batch's panel calls it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.fcs import Channel, canonical
from rabiomarkers.ingest.findings import Findings, named, nearest
from rabiomarkers.knowledge import PUNCTUATION, plain_marker

COLUMNS = ("channel", "marker")
UNUSED = frozenset({"", "-", "na", "n/a", "none", "empty", "unused", "blank", "bckg"})

type Synonyms = Mapping[str, str]
"""Plain name (`knowledge.plain_marker`) -> marker."""


def marker_of(name: str, synonyms: Synonyms) -> str:
    """The common name of a marker, fluorochromes, isotopes and ``anti-`` before or after it set aside; else the name as it is.

    ``CD279``, ``PD1``, ``anti-PD-1 BV421`` and ``175Lu_PD-1`` all are ``PD-1``; the longest part of the name that is known decides.
    """
    for candidate in _parts(name.strip()):
        if found := synonyms.get(plain_marker(candidate)):
            return found
    return name.strip()


def _parts(name: str) -> Iterator[str]:
    """The name, then its beginnings and its ends from long to short, cut at punctuation."""
    yield name
    words = [word for word in PUNCTUATION.split(name) if word]
    if words and words[0].lower() == "anti":
        words = words[1:]
        yield " ".join(words)
    for length in range(len(words) - 1, 0, -1):
        yield " ".join(words[:length])
        yield " ".join(words[-length:])


def read_panel(path: Path, label: str | None = None) -> dict[str, str]:
    """The markers by channel, as written; a channel without a marker bears an empty one.

    Parameters
    ----------
    path
        CSV with `channel` (the detector, $PnN, or the label, $PnS) and `marker`; further columns are left aside.

    Raises
    ------
    InputError
        Every problem of the table.
    """
    findings = Findings(label or path.name)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    lines: dict[str, int] = {}
    panel = {}
    for line, row in sheet.rows():
        channel = row["channel"]
        if not channel:
            findings.add("an empty cell", "the name of a channel", "fill it in", row=line, column="channel")
        elif lines.setdefault(channel, line) != line:
            found = f"channel {channel!r} is on line {lines[channel]}, too"
            findings.add(found, "one marker for each channel", "remove one", row=line, column="channel")
        panel[channel] = "" if row["marker"].strip().lower() in UNUSED else row["marker"].strip()
    if not any(panel.values()):
        findings.add("no marker", "a marker for at least one channel", "fill in the column marker")
    findings.raise_if_any()
    return panel


def columns_of(
    channels: Sequence[Channel], panel: Mapping[str, str] | None, synonyms: Synonyms, findings: Findings
) -> list[tuple[str, str]]:
    """Name and kind (marker, scatter, time, unlabelled) of each channel's column; faults are noted.

    Parameters
    ----------
    panel
        Markers by channel; without a panel the labels of the file ($PnS) are believed.
    """
    written = _written(channels, panel, findings)
    columns = []
    for channel in channels:
        if channel.kind in ("scatter", "time"):
            columns.append((canonical(channel.detector), channel.kind))
            continue
        name = written[channel.detector]
        unused = name.strip().lower() in UNUSED or channel.kind == "none"
        columns.append((channel.detector, "unlabelled") if unused else (marker_of(name, synonyms), "marker"))
    _refuse_two(channels, columns, written, findings)
    return columns


def _written(channels: Sequence[Channel], panel: Mapping[str, str] | None, findings: Findings) -> dict[str, str]:
    """What is written of each detector's marker."""
    if panel is None:
        return {channel.detector: channel.label for channel in channels}
    by_label = {channel.label: channel.detector for channel in channels if channel.label}
    detectors = [channel.detector for channel in channels]
    told: dict[str, str] = {}
    for name, marker in panel.items():
        detector = name if name in detectors else by_label.get(name)
        if detector is None:
            meant = nearest(name, [*detectors, *by_label])
            findings.add(
                f"the panel's channel {name!r}, which the file lacks",
                f"one of {named(detectors, limit=40)}" + (f" (did you mean {meant!r}?)" if meant else ""),
                "correct the panel, or take the row out",
                column="channel",
            )
        elif told.setdefault(detector, marker) != marker:
            findings.add(
                f"two markers of channel {detector}: {told[detector]} and {marker}",
                "one marker for each channel",
                "correct the panel",
                column="channel",
            )
    return {detector: told.get(detector, "") for detector in detectors}


def _refuse_two(
    channels: Sequence[Channel],
    columns: Sequence[tuple[str, str]],
    written: Mapping[str, str],
    findings: Findings,
) -> None:
    """Two channels that bear one marker, also under two of its names."""
    bearers: dict[str, list[str]] = {}
    for channel, (name, _) in zip(channels, columns, strict=True):
        bearers.setdefault(name, []).append(channel.detector)
    for name, detectors in bearers.items():
        if len(detectors) > 1:
            called = sorted({written[detector] or detector for detector in detectors})
            as_told = f", called {' and '.join(called)}" if called != [name] else ""
            findings.add(
                f"{name} in {len(detectors)} channels ({named(detectors)}){as_told}",
                "each marker in one channel",
                "correct the panel: empty the marker of the channel that is not meant",
                column="marker",
            )
