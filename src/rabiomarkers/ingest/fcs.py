"""FCS files: events on a linear scale, with what the file says of its channels and everything that can be wrong with it."""

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError  # noqa: N812 - its own name is `error`
from typing import Any

import flowio
import numpy as np
from flowio.exceptions import FlowIOException
from numpy.typing import NDArray

from rabiomarkers.ingest.fcs_text import AGAIN, is_whole, plain_file
from rabiomarkers.ingest.findings import Findings, named

SPILLOVER = ("SPILLOVER", "SPILL", "COMP")
SCATTER = re.compile(r"(FSC|[A-Z]?SSC|LightLoss)(?![A-Z])|(FS|SS)[-_. ](A|H|W|INT|PEAK|TOF)\b", re.IGNORECASE)
"""How the name of a scatter channel begins, of any laser."""
USUAL_SCATTER = re.compile(
    r"(?P<light>FS|SS)C?([-_. ]*(?P<what>A|AREA|INT|H|HEIGHT|PEAK|W|WIDTH|TOF)([-_. ]LIN)?)?", re.IGNORECASE
)
WHAT = {"AREA": "A", "INT": "A", "HEIGHT": "H", "PEAK": "H", "WIDTH": "W", "TOF": "W"}
TIME = re.compile(r"time|hdr-t", re.IGNORECASE)
NO_SIGNAL = re.compile(
    r"event[_ ]?length|width|center|offset|residual|event[_ #]*(number|id)|bc\d+|beaddist", re.IGNORECASE
)
"""Channels of mass cytometers, and of nothing, that bear no marker."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel: detector ($PnN), label ($PnS; may be empty), top of its range on the linear scale, and what it measures."""

    detector: str
    label: str
    top: float
    kind: str  # signal, scatter, time, none


@dataclass(frozen=True, kw_only=True)
class FcsFile:
    """Events x channels on a linear scale, float32, not compensated; `spillover` as the file writes it, else empty."""

    version: str
    events: NDArray[np.float32]
    channels: tuple[Channel, ...]
    spillover: str = ""


def read_fcs(path: Path, findings: Findings) -> FcsFile:
    """Read one FCS file.

    Amplification ($PnE), gain ($PnG) and time step are applied, so that all numbers are linear. Of the text of the file only what
    describes channels is looked at: never who ran it, on whom or when.

    Raises
    ------
    InputError
        The file cannot be read or makes no sense; every problem that can be told at once.

    References
    ----------
    Spidlen et al. 2010 (FCS 3.1), doi:10.1002/cyto.a.20825
    """
    content, text = plain_file(path, findings)
    data = _decoded(content, findings)
    values = _values(data, text, findings)
    channels = tuple(_channel(data.channels[number], text) for number in sorted(data.channels))
    _check_names(channels, findings)
    _check_values(values, channels, findings)
    findings.raise_if_any()
    told = next((text[key] for key in SPILLOVER if key in text), "")
    return FcsFile(version=data.version, events=values, channels=channels, spillover=told)


def kind_of(detector: str) -> str:
    """What a channel of this name measures: scatter, time, none (a number of the event) or signal."""
    plain = detector.strip()
    if SCATTER.match(plain):
        return "scatter"
    if TIME.fullmatch(plain):
        return "time"
    return "none" if NO_SIGNAL.match(plain) else "signal"


def canonical(detector: str) -> str:
    """``FSC-A`` for every way to write it, ``Time`` for time; other names (side scatter of a second laser) as they are."""
    plain = detector.strip()
    if kind_of(plain) == "scatter" and (found := USUAL_SCATTER.fullmatch(plain)):
        what = (found["what"] or "A").upper()
        return f"{found['light'].upper()}C-{WHAT.get(what, what)}"
    return "Time" if TIME.fullmatch(plain) else plain


def _decoded(content: io.BytesIO, findings: Findings) -> Any:
    """What the library makes of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return flowio.FlowData(content)
        except (
            FlowIOException,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            StructError,
            OSError,
            EOFError,
            OverflowError,
            MemoryError,
        ) as error:  # its words may quote the file, and with it names of people
            findings.fail(f"events that cannot be decoded ({type(error).__name__})", "a complete FCS file", AGAIN)


def _values(data: Any, text: Mapping[str, str], findings: Findings) -> NDArray[np.float32]:
    """The events as linear numbers."""
    if data.events is None or len(data.events) != data.event_count * data.channel_count:
        findings.fail("events that cannot be decoded", "as many as $TOT says", AGAIN)
    if is_whole(text):
        _take_off_bits(data, text)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(data.as_array(preprocess=True), dtype=np.float32)


def _take_off_bits(data: Any, text: Mapping[str, str]) -> None:
    """Whole numbers without the bits beyond each channel's range, as the standard asks; the range as the file gives it."""
    ranges = [float(text[f"P{number}R"]) for number in sorted(data.channels)]
    masks = [2 ** (math.ceil(top) - 1).bit_length() - 1 for top in ranges]
    events = np.array(data.events, copy=None).reshape(-1, data.channel_count)
    for at, (top, mask) in enumerate(zip(ranges, masks, strict=True)):
        if mask < np.iinfo(events.dtype).max:
            events[:, at] &= np.asarray(mask, dtype=events.dtype)
        data.channels[at + 1]["pnr"] = top
    data.events = events


def _check_names(channels: Sequence[Channel], findings: Findings) -> None:
    names = [channel.detector for channel in channels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        findings.add(f"two channels of one name: {named(twice)}", "each channel once", "export it again")


def _channel(told: Mapping[str, Any], text: Mapping[str, str]) -> Channel:
    detector, label = str(told["pnn"]).strip(), str(told.get("pns") or "").strip()
    decades, lowest = told["pne"]
    top = lowest * 10**decades if decades > 0 else float(told["pnr"])
    kind = kind_of(detector)
    step = float(text.get("TIMESTEP", 1)) if detector.lower() == "time" else 1.0
    return Channel(detector=detector, label=label, top=float(top) / float(told["png"] or 1.0) * step, kind=kind)


def _check_values(values: NDArray[np.float32], channels: Sequence[Channel], findings: Findings) -> None:
    broken = ~np.isfinite(values)
    if broken.any():
        where = [channel.detector for channel, any_ in zip(channels, broken.any(axis=0), strict=True) if any_]
        found = f"{int(broken.any(axis=1).sum()):,} events without a number in {named(where)}"
        findings.add(found, "a number in every channel", "export it again without them")
