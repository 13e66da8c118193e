"""Whether one sample's cytometry can be believed: enough living single events, a steady stream, few at the edge of the range."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from rabiomarkers.features.gating.apply import Membership
from rabiomarkers.tables.samples import SAMPLE_QC

SINGLETS, LIVE, LEUKOCYTE = "singlets", "live", "leukocyte"
TIME_BINS = 20
DRIFT = 1.0  # of the run's interquartile range: beyond it another population is in the gate
EVENTS_OF_BIN = 50
EDGE = 0.999  # of the range
MARGIN = 0.1


def cytometry_quality(
    piece: pd.DataFrame,
    membership: Membership,
    *,
    minimum_events: int = 1_000,
    minimum_viability: float = 0.5,
) -> pd.DataFrame:
    """Quality of one gated sample as a SAMPLE_QC table.

    `events` of the file, `events_clean` (living single leukocytes; decides), `singlet_share`, `viability` (of single events;
    decides where the panel has a dye), `time_drift` (how far the median of the worst channel leaves the run's in any of 20 spans of
    time, in interquartile ranges; decides) and `margin_events` (share at the top of the range in the worst channel; decides).
    """
    members, remarks = membership.members, membership.remarks
    clean = next((members[name] for name in (LEUKOCYTE, LIVE, SINGLETS) if name in members), None)
    number = int(clean.sum()) if clean is not None else len(piece)
    rows: list[tuple[str, float, str, str, bool]] = [
        ("events", len(piece), "events", "", True),
        ("events_clean", number, "events", f">= {minimum_events}", number >= minimum_events),
    ]
    if SINGLETS in members and SINGLETS not in remarks:
        rows.append(("singlet_share", float(members[SINGLETS].mean()), "fraction", "", True))
    if LIVE in members and LIVE not in remarks:
        single = int(members[SINGLETS].sum()) if SINGLETS in members else len(piece)
        viable = float(members[LIVE].sum() / single) if single else np.nan
        rows.append(("viability", viable, "fraction", f">= {minimum_viability:g}", viable >= minimum_viability))
    drift, channel = _worst(_drifts(piece))
    if channel:
        rows.append(("time_drift", drift, f"interquartile ranges of {channel}", f"<= {DRIFT:g}", drift <= DRIFT))
    margin, channel = _worst(_margins(piece))
    if channel:
        rows.append(("margin_events", margin, f"fraction, {channel}", f"<= {MARGIN:g}", margin <= MARGIN))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def _worst(told: Iterator[tuple[float, str]]) -> tuple[float, str]:
    return max(told, default=(np.nan, ""), key=lambda pair: (pair[0], pair[1]))


def _drifts(piece: pd.DataFrame) -> Iterator[tuple[float, str]]:
    """Of each channel the largest distance of a span's median from the run's."""
    channels = piece.attrs["passport"]["channels"]
    if "Time" not in piece.columns or len(piece) < TIME_BINS * EVENTS_OF_BIN:
        return
    order = np.argsort(piece["Time"].to_numpy(), kind="stable")
    if piece["Time"].nunique() < TIME_BINS:
        return
    for name, told in channels.items():
        if told["kind"] not in ("marker", "scatter"):
            continue
        values = piece[name].to_numpy(np.float64)[order]
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        if high > low:
            spans = [float(np.median(span)) for span in np.array_split(values, TIME_BINS)]
            yield float(np.abs(np.array(spans) - middle).max() / (high - low)), name


def _margins(piece: pd.DataFrame) -> Iterator[tuple[float, str]]:
    """Of each channel the share of events at the top of its range; channels whose range is a formality are passed over."""
    for name, told in piece.attrs["passport"]["channels"].items():
        top = float(told["range"])
        if told["kind"] in ("marker", "scatter") and top > 1:
            yield float((piece[name].to_numpy() >= EDGE * top).mean()), name
