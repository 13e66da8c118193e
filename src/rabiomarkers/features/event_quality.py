"""Whether one sample's cytometry can be believed: enough living single events, a steady stream, few at the edge of the range."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from rabiomarkers.features.gating.apply import Membership
from rabiomarkers.tables.samples import SAMPLE_QC

SINGLETS, LIVE, LEUKOCYTE = "singlets", "live", "leukocyte"
TIME_BINS = 20
DRIFT = 1.0  # of the usual interquartile range of a span, within which its median stays if the stream does
DRIFTING = 0.1  # largest share of such spans
EVENTS_OF_BIN = 50
EDGE, EDGE_OF_MARKER = 0.999, 0.95  # of the range; compensation takes something off the top of a marker
FORMALITY = 0.01  # share of events beyond the range that shows that the file does not mean it
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
    decides where the panel has a dye), `time_drift` (share of 20 spans of as many events each in which the median of the worst
    channel leaves the others' by more than an interquartile range; decides) and `margin_events` (share at the top of the range, or
    of scatter at the bottom, in the worst channel; decides). The worst channel is named in the unit.
    """
    members, remarks = membership.members, membership.remarks
    clean = next((members[name] for name in (LEUKOCYTE, LIVE, SINGLETS) if name in members), None)
    number = int(clean.sum()) if clean is not None else len(piece)
    rows: list[tuple[str, float, str, str, bool]] = [
        ("events", len(piece), "events", "", True),
        ("events_clean", number, "events", f">= {minimum_events}", number >= minimum_events),
    ]
    if SINGLETS in members and SINGLETS not in remarks:
        share = float(members[SINGLETS].mean()) if len(piece) else np.nan
        rows.append(("singlet_share", share, "fraction", "", True))
    if LIVE in members and LIVE not in remarks:
        single = int(members[SINGLETS].sum()) if SINGLETS in members else len(piece)
        viable = float(members[LIVE].sum() / single) if single else np.nan
        rows.append(("viability", viable, "fraction", f">= {minimum_viability:g}", viable >= minimum_viability))
    drift, channel = _worst(_drifts(piece))
    if channel:
        rows.append(
            ("time_drift", drift, _unit("fraction of spans", drift, channel), f"<= {DRIFTING:g}", drift <= DRIFTING)
        )
    margin, channel = _worst(_margins(piece))
    if channel:
        rows.append(("margin_events", margin, _unit("fraction", margin, channel), f"<= {MARGIN:g}", margin <= MARGIN))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def _worst(told: Iterator[tuple[float, str]]) -> tuple[float, str]:
    return max(told, default=(np.nan, ""), key=lambda pair: (pair[0], pair[1]))


def _unit(unit: str, share: float, channel: str) -> str:
    return f"{unit}, {channel}" if share > 0 else unit


def _drifts(piece: pd.DataFrame) -> Iterator[tuple[float, str]]:
    """Of each channel the share of spans whose median leaves that of the others.

    The spread is that within spans: were it the run's, a stream that moved for long would widen it and hide.
    """
    channels = piece.attrs["passport"]["channels"]
    if "Time" not in piece.columns or len(piece) < TIME_BINS * EVENTS_OF_BIN:
        return
    order = np.argsort(piece["Time"].to_numpy(), kind="stable")
    if piece["Time"].nunique() < TIME_BINS:
        return
    for name, told in channels.items():
        if told["kind"] not in ("marker", "scatter"):
            continue
        spans = np.array_split(piece[name].to_numpy(np.float64)[order], TIME_BINS)
        low, middle, high = np.array([np.quantile(span, [0.25, 0.5, 0.75]) for span in spans]).T
        spread = float(np.median(high - low))
        if spread > 0:
            yield float((np.abs(middle - np.median(middle)) > DRIFT * spread).mean()), name


def _margins(piece: pd.DataFrame) -> Iterator[tuple[float, str]]:
    """Of each channel the share of events at the edge of its range; channels whose range is a formality are passed over."""
    for name, told in piece.attrs["passport"]["channels"].items():
        top, kind = float(told["range"]), told["kind"]
        if kind not in ("marker", "scatter") or top <= 1 or piece.empty:
            continue
        values = piece[name].to_numpy()
        if (values > 1.01 * top).mean() <= FORMALITY:
            scatter = kind == "scatter"
            edge = values >= (EDGE if scatter else EDGE_OF_MARKER) * top
            yield float((edge | (scatter & (values <= 0))).mean()), name
