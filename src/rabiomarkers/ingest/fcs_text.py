"""What an FCS file says of its events: found, checked against the file, and written plainly for the library that decodes them.

Instruments divide keywords by any character, leave values empty where the standard forbids it, put keywords into a second segment,
or give the place of the events one byte too long. Here the text is read with all of that; what describes neither channels nor
events (who ran the tube, on whom, when) is dropped before anything else sees the file.

References
----------
Spidlen et al. 2010 (FCS 3.1), doi:10.1002/cyto.a.20825
"""

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rabiomarkers.ingest.findings import Findings, named

VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1")
LARGEST = 4 * 2**30  # bytes; a file beyond it would not fit into memory as numbers
HEADER = 58  # bytes of the first line: version, then where text, events and analysis begin and end
IN_HEADER = 99_999_999  # the largest place that its eight digits can hold
KEPT = re.compile(
    r"PAR|TOT|MODE|DATATYPE|BYTEORD|NEXTDATA|BEGINDATA|ENDDATA|TIMESTEP|P[0-9]{1,5}[BEGNRS]|SPILLOVER|SPILL|COMP"
)
SUPPLEMENT = ("BEGINSTEXT", "ENDSTEXT")
BYTE_ORDERS = ("1,2,3,4", "4,3,2,1", "1,2", "2,1")
BITS = {"I": (8, 16, 32), "F": (32,), "D": (64,)}  # that a number of each type may have
SPECIAL = frozenset(b".^$+?()[]{}|*\\")  # characters that the library's splitting would take for a pattern
MOST_CHANNELS = 1_000
AGAIN = "copy the file again, or export it again from the instrument's software"

type Text = dict[str, str]
"""Keyword, upper case and without ``$``, -> value; only those of `KEPT`."""


def plain_file(path: Path, findings: Findings) -> tuple[io.BytesIO, Text]:
    """The file with the plainest text that says the same of channels and events, and that text.

    Raises
    ------
    InputError
        The file cannot be read, or its text and its events do not fit together; every problem that can be told at once.
    """
    content = _content(path, findings)
    with content.getbuffer() as view:
        size = len(view)
        (start, stop), in_header = _places(bytes(view[:HEADER]), findings)
        if not HEADER <= start < stop < size:
            told = "a file cut off within its text, or whose text lies outside it"
            findings.fail(told, "a complete FCS file", AGAIN)
        text = _text(view, start, stop)
        version_2 = bytes(view[3:6]) == b"2.0"
    _check_text(text, findings)
    findings.raise_if_any()
    begin, end = _events(text, in_header, size, version_2, findings)
    text |= {"BEGINDATA": str(begin), "ENDDATA": str(end)}
    written = _written(text)
    at = start
    if len(written) > stop - start + 1:  # the first line alone said where the events are
        at = size
        if at + len(written) > IN_HEADER:
            findings.fail("a text that cannot be read in a file of this size", "one without empty values", AGAIN)
    numbers = (at, at + len(written) - 1, *((begin, end) if end <= IN_HEADER else (0, 0)), 0, 0)
    content.seek(10)
    content.write(b"".join(b"%8d" % number for number in numbers))
    content.seek(at)
    content.write(written)
    content.seek(0)
    return content, text


def _content(path: Path, findings: Findings) -> io.BytesIO:
    """The bytes of what can be an FCS file."""
    if not path.is_file():
        findings.fail("no such file", "an FCS file", "correct the path or put the file there")
    size = path.stat().st_size
    if size == 0:
        findings.fail("an empty file", "an FCS file", "copy it again; was the copy interrupted?")
    if size > LARGEST:
        findings.fail(f"a file of {size / 2**30:.1f} GiB", "at most 4 GiB", "export fewer events")
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError:
        findings.fail("a file that may not be read", "a readable file", "ask its owner for permission to read")
    start = content.read(HEADER)
    if start[:2] == b"\x1f\x8b":
        findings.fail("a compressed file (gzip)", "an FCS file", "unpack it")
    version = start[:6].decode("ascii", errors="replace")
    if not version.startswith("FCS"):
        expected = "check that the path names the right file"
        findings.fail("no FCS file (it does not begin with FCS)", "an FCS file", expected)
    if version not in VERSIONS:
        findings.fail(f"version {version}", f"one of {', '.join(VERSIONS)}", "export it as FCS 3.1")
    if len(start) < HEADER:
        findings.fail("a file cut off within its first line", "a complete FCS file", "copy it again")
    return content


def _places(header: bytes, findings: Findings) -> list[tuple[int, int]]:
    """Where text and events begin and end, the last byte counted in, as the first line says."""
    numbers = [_number(header[at : at + 8]) for at in range(10, 42, 8)]
    if None in numbers[:2]:
        findings.fail("a first line that does not say where the text lies", "two numbers", AGAIN)
    first, last, begin, end = (number or 0 for number in numbers)
    return [(first, last), (begin, end)]


def _number(written: bytes | str) -> int | None:
    """A whole number of 0 or more, blanks around it set aside; None where it is none."""
    plain = (written.decode("latin-1") if isinstance(written, bytes) else written).strip()
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) <= 18 else None


def _text(content: memoryview, start: int, stop: int) -> Text:
    """The keywords of the text and, where there is one, of its supplement; the text's own decide."""
    raw = _pairs(bytes(content[start : stop + 1]))
    begin, end = (_number(raw.get(name, "")) or 0 for name in SUPPLEMENT)
    if 0 < begin < end < len(content) and begin != start:
        raw = _pairs(bytes(content[begin : end + 1])) | raw
    kept = {key: value for key, value in raw.items() if value and KEPT.fullmatch(key)}
    return {"MODE": "L"} | kept


def _pairs(segment: bytes) -> Text:
    """Keywords, without ``$`` and in capitals, and values; one with ``$`` goes before one without.

    By the standard a doubled divider stands for itself and no value is empty. As many instruments do leave values empty, the
    doubled one divides where the standard's reading gives a keyword with a divider in it, or one without a value.
    """
    divider, body = segment[:1], segment[1:]
    last = body.rfind(divider)
    if last >= 0 and not body[last + 1 :].strip(b" \0\r\n\t"):
        body = body[:last]
    escaped = b"\0\0divider\0\0"
    words = [word.replace(escaped, divider) for word in body.replace(divider * 2, escaped).split(divider)]
    if len(words) % 2 or any(divider in key for key in words[::2]):
        words = body.split(divider)
    told: Text = {}
    for key, value in zip(words[::2], words[1::2], strict=False):
        name = _decoded(key).strip().upper()
        if name.startswith("$"):
            told[name.removeprefix("$")] = _decoded(value).strip()
        else:
            told.setdefault(name, _decoded(value).strip())
    return told


def _decoded(word: bytes) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError:  # before FCS 3.1 any code page was written
        return word.decode("latin-1")


def _check_text(text: Mapping[str, str], findings: Findings) -> None:
    """Whether the text says all that is needed to understand the events, and nothing that cannot be."""
    if absent := [f"${key}" for key in ("PAR", "DATATYPE", "BYTEORD") if key not in text]:
        findings.fail(f"a text without {', '.join(absent)}", "the keywords of the FCS standard", AGAIN)
    if (_number(text.get("NEXTDATA", "")) or 0) > 0:
        findings.add("several data sets in one file", "one data set", "export each as a file of its own")
    if text["MODE"].upper() != "L":
        findings.add("events that are not in list mode", "list mode ($MODE L)", "export it again as list mode")
    if text["BYTEORD"] not in BYTE_ORDERS:
        findings.add("an unknown order of bytes ($BYTEORD)", f"one of {'; '.join(BYTE_ORDERS)}", "export it again")
    kind, channels = text["DATATYPE"].upper(), _number(text["PAR"])
    if kind not in BITS:
        findings.add("events that are neither whole nor decimal numbers", "$DATATYPE I, F or D", "export it as FCS 3.1")
    if not channels or channels > MOST_CHANNELS:
        findings.fail("a number of channels ($PAR) that makes no sense", f"1 to {MOST_CHANNELS:,}", AGAIN)
    named_channels = {int(key[1:-1]) for key in text if re.fullmatch(r"P\d+N", key)}
    if lacking := sorted(set(range(1, channels + 1)) - named_channels):
        found = f"channels without a name: {named(f'$P{number}N' for number in lacking)}"
        findings.add(found, f"a name for each of {channels} channels ($PAR)", AGAIN)
    if more := sorted(named_channels - set(range(1, channels + 1))):
        found = f"names of channels beyond the {channels} of $PAR: {named(f'$P{number}N' for number in more)}"
        findings.add(found, "as many channels as $PAR says", AGAIN)
    present = sorted(named_channels & set(range(1, channels + 1)))
    odd = [n for n in present if kind in BITS and _number(text.get(f"P{n}B", "")) not in BITS[kind]]
    if odd:
        expected = f"{' or '.join(map(str, BITS[kind]))} bits a number of $DATATYPE {kind}"
        findings.add(f"unusual widths of numbers: {named(f'$P{number}B' for number in odd)}", expected, AGAIN)
    _check_scales(text, present, kind, findings)


def _check_scales(text: Mapping[str, str], channels: Iterable[int], kind: str, findings: Findings) -> None:
    """Amplification, gain and range of each channel."""
    for number in channels:
        scale = [_decimal(part) for part in text.get(f"P{number}E", "0,0").split(",")]
        if len(scale) != 2 or None in scale:
            findings.add(f"an amplification that is none ($P{number}E)", "two numbers", AGAIN)
        elif kind != "I" and scale[0]:
            found = f"decimal numbers said to be logarithmic ($P{number}E)"
            findings.add(found, "0,0: decimal numbers are linear", "export it again as FCS 3.1, linear")
        gain = _decimal(text.get(f"P{number}G", "1"))
        if gain is None or gain < 0:
            findings.add(f"a gain that makes no sense ($P{number}G)", "a number above 0", AGAIN)
        span = text.get(f"P{number}R", "")
        if _decimal(span) is None or (kind == "I" and not 1 <= float(span) < 2**53):
            findings.add(f"a range that is none ($P{number}R)", "a number above 0", AGAIN)
    if _decimal(text.get("TIMESTEP", "1")) is None:
        findings.add("a time step that is no number ($TIMESTEP)", "seconds", AGAIN)


def _decimal(written: str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def _events(
    text: Text, in_header: tuple[int, int], size: int, header_only: bool, findings: Findings
) -> tuple[int, int]:
    """The first and last byte of the events: of the places the file gives, the one with as many bytes as they take.

    A last byte that is one too far is common and set right; `$TOT`, which FCS 2.0 does not ask for, is counted where it is absent.
    """
    width = sum(int(text[f"P{number}B"]) // 8 for number in range(1, int(text["PAR"]) + 1))
    in_text = (_number(text.get("BEGINDATA", "")) or 0, _number(text.get("ENDDATA", "")) or 0)
    places = [place for place in ([in_header] if header_only else [in_text, in_header]) if 0 < place[0] < place[1]]
    if "TOT" in text and _number(text["TOT"]) is None:
        findings.fail("a number of events ($TOT) that is none", "a number", AGAIN)
    if _number(text.get("TOT", "")) == 0 or not places:
        findings.fail("no events", "at least one event", "check that the file is the right one")
    if "TOT" not in text:
        text["TOT"] = str((places[0][1] - places[0][0] + 1) // width)
    needed = int(text["TOT"]) * width
    fitting = {(begin, begin + needed - 1) for begin, end in places if end - begin + 1 - needed in (0, 1)}
    if len(fitting) > 1:
        findings.fail("two places that it says its events lie", "one place", AGAIN)
    if not fitting:
        have = places[0][1] - places[0][0] + 1
        findings.fail(
            f"room for {have / width:,.6g} events of {text['PAR']} channels, where the file promises {int(text['TOT']):,}",
            "as many events as $TOT says, of as many channels as $PAR says",
            AGAIN,
        )
    (begin, end), *_ = fitting
    if end >= size:
        told = f"{max(size - begin, 0) // width:,} of {int(text['TOT']):,} events: the file ends before they do"
        findings.fail(told, "a complete FCS file", "copy it again; was the copy interrupted?")
    if begin < HEADER:
        findings.fail("events that lie within the first line", "a complete FCS file", AGAIN)
    return begin, end


def _written(text: Mapping[str, str]) -> bytes:
    """The text as the library reads it: keywords that have a value, divided by what occurs in none of them.

    Of whole numbers all bits are asked for: those beyond the range are taken off by `fcs`, which takes seconds less.
    """
    whole = {f"P{n}R": str(2 ** int(text[f"P{n}B"])) for n in range(1, int(text["PAR"]) + 1)} if is_whole(text) else {}
    words = [word for key, value in {**text, **whole}.items() for word in (f"${key}", value)]
    used = set("".join(words))
    divider = next(chr(code) for code in range(1, 0x800) if chr(code) not in used and code not in SPECIAL)
    return (divider + divider.join(words) + divider).encode()


def is_whole(text: Mapping[str, str]) -> bool:
    """Whether the events are whole numbers."""
    return text["DATATYPE"].upper() == "I"
