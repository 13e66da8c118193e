"""Which marker each channel of a cytometer bears, under one name whatever a batch's panel calls it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.fcs import Channel, canonical
from rabiomarkers.ingest.findings import Findings, named, nearest
from rabiomarkers.knowledge import PUNCTUATION, plain_marker

COLUMNS = ("channel", "marker")
UNUSED = frozenset({"", "-", "na", "n/a", "none", "empty", "unused", "blank", "bckg"})

type Synonyms = Mapping[str, str]
"""Plain name (`knowledge.plain_marker`) -> marker."""

LONGEST = 6  # words of a marker's name
PULSE = re.compile(r"(?P<stem>.+)[-_. ](?P<what>[AHW])", re.IGNORECASE)
"""A detector's name that says which property of the pulse it gives: area, height or width."""
_METALS = "Y|Rh|Pd|Ag|Cd|In|I|Sn|Te|Xe|Cs|Ba|La|Ce|Pr|Nd|Sm|Eu|Gd|Tb|Dy|Ho|Er|Tm|Yb|Lu|Ir|Pt|Au|Pb|Bi"
ISOTOPE = re.compile(rf"(([1-9]\d{{1,2}})({_METALS})|({_METALS})([1-9]\d{{1,2}}))(D[id])?")


def marker_of(name: str, synonyms: Synonyms) -> str:
    """The common name of a marker, fluorochromes, isotopes and ``anti-`` before or after it set aside; else the name as it is.

    ``CD279``, ``PD1``, ``anti-PD-1 BV421`` and ``175Lu_PD-1`` all are ``PD-1``. A name that holds two markers (``CD14/CD19 BV510``,
    a channel of all that is not wanted) is neither.
    """
    if whole := synonyms.get(plain_marker(name)):
        return whole
    words = [word for word in PUNCTUATION.split(name.strip()) if word]
    found, at = set(), 0
    while at < len(words):
        for end in range(min(len(words), at + LONGEST), at, -1):
            if marker := synonyms.get(plain_marker("".join(words[at:end]))):
                found.add(marker)
                at = end
                break
        else:
            at += 1
    return found.pop() if len(found) == 1 else name.strip()


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
    written = _labels(channels) if panel is None else _of_panel(channels, panel, synonyms, findings)
    detectors = {channel.detector for channel in channels}
    columns = []
    for channel in channels:
        if channel.kind in ("scatter", "time"):
            usual = canonical(channel.detector)
            columns.append((channel.detector if usual in detectors else usual, channel.kind))
            continue
        name = written.get(channel.detector, "")
        unused = name.strip().lower() in UNUSED
        columns.append((channel.detector, "unlabelled") if unused else (marker_of(name, synonyms), "marker"))
    _refuse_two(channels, columns, written, findings)
    return columns


def _labels(channels: Sequence[Channel]) -> dict[str, str]:
    """The file's own label of each detector that bears a marker.

    A label that only repeats the detector or its isotope names no marker; of the area, height and width of one detector the area
    bears it.
    """
    labels = {
        channel.detector: channel.label
        for channel in channels
        if channel.kind == "signal"
        and channel.label.lower() != channel.detector.lower()
        and not ISOTOPE.fullmatch(channel.label)
    }
    pulses = {detector: PULSE.fullmatch(detector) for detector in labels}
    areas = {(found["stem"], labels[own]) for own, found in pulses.items() if found and found["what"].upper() == "A"}
    return {
        detector: label
        for detector, label in labels.items()
        if (found := pulses[detector]) is None or found["what"].upper() == "A" or (found["stem"], label) not in areas
    }


def _of_panel(
    channels: Sequence[Channel], panel: Mapping[str, str], synonyms: Synonyms, findings: Findings
) -> dict[str, str]:
    """What the panel says of each detector's marker."""
    told: dict[str, str] = {}
    for name, marker in panel.items():
        channel = _bearer(name, channels, findings)
        if channel is None:
            continue
        detector = channel.detector
        if channel.kind in ("scatter", "time"):
            if plain_marker(marker_of(marker, synonyms)) in synonyms:
                found = f"the marker {marker} for {detector}, a channel of {channel.kind}"
                findings.add(found, "markers for fluorescence or metals", "correct the panel", column="channel")
        elif told.setdefault(detector, marker) != marker:
            findings.add(
                f"two markers of channel {detector}: {told[detector]} and {marker}",
                "one marker for each channel",
                "correct the panel",
                column="channel",
            )
    return told


def _bearer(name: str, channels: Sequence[Channel], findings: Findings) -> Channel | None:
    """The channel that a panel's row means: by detector, by the detector before FlowJo compensated it, or by label."""
    by_detector = {channel.detector: channel for channel in channels}
    for own in (name, f"Comp-{name}", f"<{name}>"):
        if own in by_detector:
            return by_detector[own]
    labelled = [channel for channel in channels if channel.label == name]
    pulses = [PULSE.fullmatch(channel.detector) for channel in labelled]
    areas = [channel for channel, found in zip(labelled, pulses, strict=True) if found and found["what"].upper() == "A"]
    if len(labelled) == 1 or (len(areas) == 1 and len({found and found["stem"] for found in pulses}) == 1):
        return (areas or labelled)[0]
    if labelled:
        found = f"the panel's channel {name!r}, the label of {named(channel.detector for channel in labelled)}"
        findings.add(found, "a name of one channel", "name the detector ($PnN)", column="channel")
        return None
    meant = nearest(name, [*by_detector, *(channel.label for channel in channels if channel.label)])
    findings.add(
        f"the panel's channel {name!r}, which the file lacks",
        f"one of {named(by_detector, limit=40)}" + (f" (did you mean {meant!r}?)" if meant else ""),
        "correct the panel, or take the row out",
        column="channel",
    )
    return None


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
            called = sorted({written.get(detector) or detector for detector in detectors})
            as_told = f", called {' and '.join(called)}" if called != [name] else ""
            findings.add(
                f"{name} in {len(detectors)} channels ({named(detectors)}){as_told}",
                "each marker in one channel",
                "correct the panel: empty the marker of the channel that is not meant",
                column="marker",
            )
