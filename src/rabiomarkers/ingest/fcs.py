"""FCS files: events on a linear scale, with what the file says of its channels and everything that can be wrong with it."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError  # noqa: N812 - its own name is `error`
from typing import Any

import flowio
import numpy as np
from flowio.exceptions import FCSParsingError, FlowIOException, MultipleDataSetsError
from numpy.typing import NDArray

from rabiomarkers.ingest.findings import Findings, named

VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1")
SPILLOVER = ("spillover", "spill", "$spillover", "comp")
SCATTER = re.compile(r"(?P<light>FSC|SSC)[-_. ]?(?P<what>[AHW])?\b", re.IGNORECASE)
TIME = re.compile(r"time|hdr-t", re.IGNORECASE)
NO_SIGNAL = re.compile(
    r"event[_ ]?length|width|center|offset|residual|event[_ #]*(number|id)|bc\d+|beaddist", re.IGNORECASE
)
"""Channels of mass cytometers, and of nothing, that bear no marker."""

LARGEST = 4 * 2**30  # bytes; a file beyond it would not fit into memory as numbers


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel: detector ($PnN), label ($PnS; may be empty), top of its range on the linear scale, and what it measures."""

    detector: str
    label: str
    top: float
    kind: str  # signal, scatter, time, none


@dataclass(frozen=True, kw_only=True)
class FcsFile:
    """Events x channels on a linear scale, float32, not compensated; `spillover` as detectors and matrix where the file has one."""

    version: str
    events: NDArray[np.float32]
    channels: tuple[Channel, ...]
    spillover: tuple[tuple[str, ...], NDArray[np.float64]] | None


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
    _check_beginning(path, findings)
    data = _open(path, findings)
    _check_channels(data.channels, findings)
    findings.raise_if_any()
    values = _values(data, findings)
    channels = tuple(_channel(data.channels[number]) for number in sorted(data.channels))
    _check_values(values, channels, findings)
    spillover = _spillover(data.text, [channel.detector for channel in channels], findings)
    findings.raise_if_any()
    return FcsFile(version=data.version, events=values, channels=channels, spillover=spillover)


def kind_of(detector: str) -> str:
    """What a channel of this name measures: scatter, time, none (a number of the event) or signal."""
    plain = detector.strip()
    if SCATTER.match(plain):
        return "scatter"
    if TIME.fullmatch(plain):
        return "time"
    return "none" if NO_SIGNAL.match(plain) else "signal"


def canonical(detector: str) -> str:
    """``FSC-A`` for every way to write it, ``Time`` for time; other names as they are."""
    plain = detector.strip()
    if found := SCATTER.match(plain):
        return f"{found['light'].upper()}-{(found['what'] or 'A').upper()}"
    return "Time" if TIME.fullmatch(plain) else plain


def _check_beginning(path: Path, findings: Findings) -> None:
    """Whether this can be an FCS file at all."""
    if not path.is_file():
        findings.fail("no such file", "an FCS file", "correct the path or put the file there")
    size = path.stat().st_size
    if size == 0:
        findings.fail("an empty file", "an FCS file", "copy it again; was the copy interrupted?")
    if size > LARGEST:
        findings.fail(f"a file of {size / 2**30:.1f} GiB", "at most 4 GiB", "export fewer events")
    with path.open("rb") as handle:
        start = handle.read(58)
    if start[:2] == b"\x1f\x8b":
        findings.fail("a compressed file (gzip)", "an FCS file", "unpack it")
    version = start[:6].decode("ascii", errors="replace")
    if not version.startswith("FCS"):
        findings.fail(
            "no FCS file (it does not begin with FCS)", "an FCS file", "check that the path names the right file"
        )
    if version not in VERSIONS:
        findings.fail(f"version {version}", f"one of {', '.join(VERSIONS)}", "export it as FCS 3.1")
    if len(start) < 58:
        findings.fail("a file cut off within its first line", "a complete FCS file", "copy it again")


def _open(path: Path, findings: Findings) -> Any:
    remedy = "copy the file again, or export it again from the instrument's software"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _tolerant(path)
        except MultipleDataSetsError:
            findings.fail("several data sets in one file", "one data set", "export each as a file of its own")
        except NotImplementedError:
            findings.fail("events that are not in list mode", "list mode ($MODE L)", "export it again as list mode")
        except FlowIOException as error:
            findings.fail(f"no readable events ({_reason(error)})", "a complete FCS file", remedy)
        except (
            ValueError,
            KeyError,
            IndexError,
            TypeError,
            StructError,
            OSError,
            EOFError,
            OverflowError,
            MemoryError,
        ) as error:
            findings.fail(f"a damaged FCS file ({_reason(error)})", "a complete FCS file", remedy)


def _tolerant(path: Path) -> Any:
    """Many instruments say one byte too many of where events end; whether the events are complete is checked against $TOT."""
    content = io.BytesIO(path.read_bytes())  # a file that is given by name stays open where reading fails
    try:
        return flowio.FlowData(content)
    except FCSParsingError:
        content = io.BytesIO(path.read_bytes())
        return flowio.FlowData(content, ignore_offset_error=True, ignore_offset_discrepancy=True)


def _reason(error: BaseException) -> str:
    """The kind of fault only: texts of the file may name people."""
    words = {
        "FCSParsingError": "its parts do not fit together",
        "DataOffsetDiscrepancyError": "it says in two places where its events lie, and the two differ",
        "KeyError": "a keyword is missing",
        "ValueError": "a number is none",
        "error": "its events end too early",
        "StructError": "its events end too early",
    }
    return words.get(type(error).__name__, type(error).__name__)


def _check_channels(channels: Mapping[int, Mapping[str, Any]], findings: Findings) -> None:
    if not channels:
        findings.add("no channels", "at least one channel", "export it again")
    names = [str(channel["pnn"]).strip() for channel in channels.values()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        findings.add(f"two channels of one name: {named(twice)}", "each channel once", "export it again")
    if any(not name for name in names):
        findings.add("a channel without a name ($PnN)", "a name for each channel", "export it again")
    for channel in channels.values():
        if channel["pne"][0] > 0 and not channel["pnr"] > 0:
            findings.add(f"no range of {channel['pnn']}", "$PnR above 0", "export it again")


def _values(data: Any, findings: Findings) -> NDArray[np.float32]:
    """The events as linear numbers; checked against what the file promises."""
    promised = str(data.text.get("tot", "")).strip()
    count, width = len(data.events), data.channel_count
    remedy = "copy the file again, or export it again from the instrument's software"
    if count % width:
        findings.fail(f"{count:,} numbers, which are no rows of {width} channels", "$PAR numbers an event", remedy)
    if promised and (not promised.isdigit() or int(promised) != count // width):
        told = f"{count // width:,} events of {width} channels, where the file promises {promised[:12]}"
        findings.fail(told, "as many events as $TOT says", remedy)
    if count == 0:
        findings.fail("no events", "at least one event", "check that the file is the right one")
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return np.asarray(data.as_array(preprocess=True), dtype=np.float32)
        except (ValueError, ZeroDivisionError) as error:
            findings.fail(f"keywords that are no numbers ({_reason(error)})", "a complete FCS file", remedy)


def _channel(told: Mapping[str, Any]) -> Channel:
    detector, label = str(told["pnn"]).strip(), str(told.get("pns") or "").strip()
    decades, lowest = told["pne"]
    gain = told["png"] or 1.0
    top = lowest * 10**decades if decades > 0 else float(told["pnr"])
    return Channel(detector=detector, label=label, top=float(top) / float(gain), kind=kind_of(detector))


def _check_values(values: NDArray[np.float32], channels: Sequence[Channel], findings: Findings) -> None:
    broken = ~np.isfinite(values)
    if broken.any():
        where = [channel.detector for channel, any_ in zip(channels, broken.any(axis=0), strict=True) if any_]
        found = f"{int(broken.any(axis=1).sum()):,} events without a number in {named(where)}"
        findings.add(found, "a number in every channel", "export it again without them")


def _spillover(
    text: Mapping[str, str], detectors: Sequence[str], findings: Findings
) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
    """Names and matrix of the keyword $SPILLOVER, also as older software calls it."""
    told = next((text[key] for key in SPILLOVER if str(text.get(key, "")).strip()), "")
    if not told:
        return None
    parts = [part.strip() for part in told.split(",")]
    faulty = "a spillover matrix that makes no sense", "n, then n channels, then n x n numbers"
    if not parts[0].isdigit() or len(parts) != 1 + int(parts[0]) + int(parts[0]) ** 2:
        findings.add(*faulty, "give the matrix as a CSV in the column compensation")
        return None
    size = int(parts[0])
    try:
        matrix = np.array([float(part) for part in parts[1 + size :]], dtype=np.float64).reshape(size, size)
    except ValueError:
        findings.add(*faulty, "give the matrix as a CSV in the column compensation")
        return None
    names = parts[1 : size + 1]
    if all(name.isdigit() for name in names) and not set(names) <= set(detectors):  # by number, as FCS 2.0 files do
        names = [detectors[int(name) - 1] if 0 < int(name) <= len(detectors) else name for name in names]
    if absent := [name for name in names if name not in detectors]:
        findings.add(
            f"a spillover matrix of channels that are not there: {named(absent)}",
            "channels of the file",
            "give the matrix as a CSV in the column compensation",
        )
        return None
    return tuple(names), matrix
