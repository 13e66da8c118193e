"""Whether a stool sample can be used: depth, what the profiler could not place, the host's reads, one taxon that took over."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.stats.arrays import Vector
from rabiomarkers.tables.samples import SAMPLE_QC

BLOOM = 0.5
"""A single taxon above this share is told: it may be the disease, an antibiotic, or a stool that stood too long."""

LARGEST_HOST_SHARE = 0.5
"""More of the host's reads than this are told: blood in the stool, or little material."""

LARGEST_UNMAPPED_SHARE = 0.2
"""More taxa than this without a name in the other database are told: what the sample is compared by is then a part of it."""


def stool_quality(
    table: pd.DataFrame,
    *,
    scale: str,
    depth: int,
    bloom: float = BLOOM,
    passport: Mapping[str, Any] | None = None,
    sequencing: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """Quality of one stool sample as a `SAMPLE_QC` table.

    Counts: `reads` must reach `depth`. Relative abundances: `profiled_share`, what the named taxa sum to, must be above 0. All else
    is shown and takes no sample out: a measure with a limit in words (``told above 0.5``) is worth a look beyond it, and a taxon
    that took over is named there (``told above 0.5 (Escherichia coli)``). A measure that nobody told has no row.

    Parameters
    ----------
    table
        `taxon`, `value` (counts or fractions).
    depth
        Reads that the sample is drawn down to.
    bloom
        Share of one taxon above which it is called a bloom.
    passport
        What the reader found (if not given, ``table.attrs["passport"]``): `unclassified` and `host`, shares of all
        reads (0..1), and `unmapped`, share of the taxa that the study's map to another database does not know.
    sequencing
        `total_reads` and `host_reads` as the laboratory counted them; its host share comes before the profiler's.
    """
    values = table["value"].to_numpy(dtype=np.float64)
    total, seen = float(values.sum()), int((values > 0).sum())
    first: tuple[object, ...] = ("profiled_share", total, "fraction", "> 0", total > 0)
    if scale == "counts":
        first = ("reads", total, "reads", f">= {depth}", total >= depth)
    rows = [first, ("taxa_detected", seen, "taxa", "", True)]
    if total > 0:
        rows.append(_largest(table, values / total, bloom))
    told = table.attrs.get("passport", {}) if passport is None else passport
    rows += _told("unclassified_share", told.get("unclassified"), "")
    rows += _told("unmapped_share", told.get("unmapped"), f"told above {LARGEST_UNMAPPED_SHARE:g}")
    host = told.get("host")
    if sequencing and sequencing["total_reads"] > 0:
        host = sequencing["host_reads"] / sequencing["total_reads"]
        rows.append(("sequenced_reads", sequencing["total_reads"], "reads", "", True))
    rows += _told("host_share", host, f"told above {LARGEST_HOST_SHARE:g}")
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def _largest(table: pd.DataFrame, shares: Vector, bloom: float) -> tuple[object, ...]:
    """The share of the commonest taxon; its name stands behind the limit that it is beyond."""
    share = float(shares.max())
    name = f" ({table['taxon'].iloc[int(shares.argmax())]})" if share > bloom else ""
    return ("largest_taxon_share", share, "fraction", f"told above {bloom:g}{name}", True)


def _told(measure: str, share: float | None, limit: str) -> list[tuple[object, ...]]:
    known = share is not None and np.isfinite(share)
    return [(measure, float(share), "fraction", limit, True)] if known and share is not None else []
