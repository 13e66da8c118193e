"""A reader for the plainest of FCS files, for tests: version 3.x, list mode, 32-bit floats, no compensation."""

from pathlib import Path

import numpy as np
import pandas as pd


def read_fcs(path: Path) -> pd.DataFrame:
    """Events x channels, by the short name of each channel (`$PnS`, else `$PnN`).

    The header tells in bytes 10..57, eight characters each, where the text and the data begin and end. In the text the first
    character divides keywords from values. Source: Spidlen et al. 2010 (FCS 3.1), doi:10.1002/cyto.a.20825
    """
    raw = path.read_bytes()
    begin, end, data, _ = (int(raw[place : place + 8]) for place in (10, 18, 26, 34))
    text = raw[begin : end + 1].decode()
    words = text[1:].rstrip(text[0]).split(text[0])
    told = dict(zip(words[::2], words[1::2], strict=True))
    assert (told["$DATATYPE"], told["$MODE"]) == ("F", "L")
    channels, events = int(told["$PAR"]), int(told["$TOT"])
    order = "<" if told["$BYTEORD"] == "1,2,3,4" else ">"
    values = np.frombuffer(raw, dtype=f"{order}f4", count=channels * events, offset=int(told.get("$BEGINDATA", data)))
    names = [told.get(f"$P{number}S", told[f"$P{number}N"]) for number in range(1, channels + 1)]
    return pd.DataFrame(values.reshape(events, channels).astype(np.float64), columns=names)
