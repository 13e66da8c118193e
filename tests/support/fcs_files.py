"""FCS files of any kind, written byte by byte from the standard and not by the library that reads them.

Source: Spidlen et al. 2010 (FCS 3.1), doi:10.1002/cyto.a.20825
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.cytometry import read_cytometry
from rabiomarkers.knowledge import load_marker_synonyms

CHANNELS = ("FSC-A", "SSC-A", "B515-A", "Y586-A", "Time")
LABELS = ("", "", "CD3 FITC", "CD279 PE", "")
SYNONYMS = load_marker_synonyms()
TYPES = {"F": "f4", "D": "f8"}
BEGIN = 4_000  # where the events begin: behind any text of these tests


def uniform(events=50, channels=5, *, seed=1, top=1_000):
    return np.random.default_rng(seed).uniform(0, top, (events, channels))


def fcs(
    events=None,
    channels: Sequence[str] = CHANNELS,
    labels: Sequence[str] = LABELS,
    *,
    version="FCS3.1",
    kind="F",
    little=True,
    bits: Sequence[int] | int = 16,
    divider="/",
    encoding="utf-8",
    places: tuple[int, int] = (0, 0),
    without: Sequence[str] = (),
    **text: object,
) -> bytes:
    """The bytes of a file.

    Parameters
    ----------
    kind, little, bits
        Of the numbers: whole (`bits` each, for each channel or for all) or decimal, and their order of bytes.
    places
        What is added to where the first line says that the events begin and end.
    without, text
        Keywords, without ``$``, that are left out or set.
    """
    rows = uniform(channels=len(channels)) if events is None else np.asarray(events)
    order, width = "<" if little else ">", [bits] * len(channels) if isinstance(bits, int) else list(bits)
    types = [f"{order}{TYPES[kind]}" if kind in TYPES else f"{order}u{each // 8}" for each in width]
    table = np.zeros(len(rows), dtype=[(f"c{at}", each) for at, each in enumerate(types)])
    for at, name in enumerate(table.dtype.names):
        table[name] = rows[:, at]
    data = table.tobytes()
    end = BEGIN + len(data) - 1
    told: dict[str, object] = {
        "BEGINDATA": BEGIN,
        "ENDDATA": end,
        "PAR": len(channels),
        "TOT": len(rows),
        "MODE": "L",
        "DATATYPE": kind,
        "BYTEORD": "1,2,3,4" if little else "4,3,2,1",
        "NEXTDATA": 0,
    }
    for at, (name, label) in enumerate(zip(channels, labels, strict=True), start=1):
        size = {"F": 32, "D": 64}.get(kind, width[at - 1])
        told |= {f"P{at}N": name, f"P{at}B": size, f"P{at}R": 1024 if kind == "I" else 262_144, f"P{at}E": "0,0"}
        told |= {f"P{at}S": label} if label else {}
    words = {key: value for key, value in (told | text).items() if key not in without}
    return _file(version, _segment(words, divider, encoding), data, (BEGIN + places[0], end + places[1]))


def _segment(words: Mapping[str, object], divider: str, encoding: str) -> bytes:
    return (divider + "".join(f"${key}{divider}{value}{divider}" for key, value in words.items())).encode(encoding)


def _file(version: str, segment: bytes, data: bytes, places: tuple[int, int]) -> bytes:
    numbers = (58, 57 + len(segment), *places, 0, 0)
    head = version.encode() + b"    " + b"".join(b"%8d" % number for number in numbers) + segment
    assert len(head) <= BEGIN
    return head.ljust(BEGIN, b" ") + data


def read(path, *, assay="flow", ids=("S1",), **options):
    """The piece of sample S1."""
    told = read_cytometry(path, label=path.name, sample_ids=list(ids), assay=assay, synonyms=SYNONYMS, **options)
    return told["S1"]


def told_of(path, **options):
    """The problems, each as it prints."""
    with pytest.raises(InputError) as error:
        read(path, **options)
    return [str(problem) for problem in error.value.problems]
