"""The scales on which events are cut: logicle of flow cytometry, asinh of mass cytometry, linear of scatter.

The logicle scale is linear about zero and logarithmic far from it. How wide its linear part is (W) follows from how far the events
of the batch spread below zero, so that compensation does not tear one population into two.

References
----------
Parks, Roederer & Moore 2006, doi:10.1002/cyto.a.20258; Moore & Parks 2012, doi:10.1002/cyto.a.22030
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from flowutils.transforms import logicle
from numpy.typing import NDArray

from rabiomarkers.errors import ScaleError

type Values = NDArray[np.float64]

DECADES = 4.5  # of the logicle scale (M)
USUAL_WIDTH = 0.5  # its linear part (W) where nothing lies below zero
WIDEST = 1.5
NEGATIVE_SHARE = 0.05  # of the events below zero: the quantile that the linear part reaches
FEWEST_NEGATIVE = 100
CYTOF_COFACTOR = 5.0
OVER = " / "  # between the scales of two channels that are looked at together
_TOLD = re.compile(r"(?P<kind>logicle|asinh|linear)(?P<options>( \w=[-+\d.e]+)*)")


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One channel's scale: ``logicle`` (T, W), ``asinh`` (c) or ``linear`` (1 is T); T is the top of the channel's range."""

    kind: str
    top: float = 1.0
    width: float = USUAL_WIDTH
    cofactor: float = CYTOF_COFACTOR

    def __str__(self) -> str:
        """As `parse` reads it."""
        match self.kind:
            case "logicle":
                return f"logicle T={self.top:.10g} W={self.width:.6g} M={DECADES:g} A=0"
            case "asinh":
                return f"asinh c={self.cofactor:.6g} T={self.top:.10g}"
        return f"linear T={self.top:.10g}"

    def apply(self, values: Values) -> Values:
        """The values on this scale, the same shape."""
        match self.kind:
            case "logicle":
                own = np.ascontiguousarray(values, dtype=np.float64)
                scaled = logicle(own, None, self.top, DECADES, self.width, 0)
                return np.where(np.isfinite(own), scaled, np.nan)  # the library makes a number of what is none
            case "asinh":
                return np.asarray(np.arcsinh(np.asarray(values, dtype=np.float64) / self.cofactor))
        return np.asarray(values, dtype=np.float64) / self.top


def parse(told: str) -> Transform:
    """The transform that `str` wrote.

    Raises
    ------
    ScaleError
        It is none.
    """
    found = _TOLD.fullmatch(told.strip())
    if found is None:
        raise ScaleError(f"{told!r} is no transform; logicle T=.. W=.. M=4.5 A=0, asinh c=.. T=.. or linear T=.. are.")
    options = dict(option.split("=") for option in found["options"].split())
    return Transform(
        kind=found["kind"],
        top=float(options.get("T", 1.0)),
        width=float(options.get("W", USUAL_WIDTH)),
        cofactor=float(options.get("c", CYTOF_COFACTOR)),
    )


def choose_transform(
    column: str, pooled: Values, channels: Mapping[str, Any], *, assay: str, method: str, cofactor: float
) -> Transform:
    """The scale of one column of a batch.

    Parameters
    ----------
    column
        Its name.
    pooled
        Its values in events of all samples of the batch, linear.
    channels
        `channels` of the passports: `kind` and `range` by column; of several samples the largest range.
    assay, method, cofactor
        ``cytof``: asinh with cofactor 5; of ``flow`` as `method` says, with this cofactor of asinh.
    """
    told = channels[column]
    top = float(told["range"]) if float(told["range"]) > 0 else 1.0
    if len(pooled) and float(np.quantile(pooled, 0.99)) > top:  # the file does not mean its range
        top = float(pooled.max())
    if told["kind"] in ("scatter", "time"):
        return Transform(kind="linear", top=top)
    if assay == "cytof" or method == "asinh":
        return Transform(kind="asinh", cofactor=CYTOF_COFACTOR if assay == "cytof" else cofactor, top=top)
    return Transform(kind="logicle", top=top, width=_width(pooled, top))


def _width(pooled: Values, top: float) -> float:
    """W by which the 5 % quantile of what lies below zero is just within the linear part, as Parks proposed."""
    below = pooled[pooled < 0]
    if len(below) < FEWEST_NEGATIVE:
        return USUAL_WIDTH
    reach = abs(float(np.quantile(below, NEGATIVE_SHARE)))
    width = (DECADES - np.log10(top / reach)) / 2 if reach > 0 else USUAL_WIDTH
    return float(np.round(np.clip(width, USUAL_WIDTH, WIDEST), 4))


def transformed(events: pd.DataFrame, scales: Mapping[str, Transform]) -> pd.DataFrame:
    """The columns that have a scale, on it, float32 (a ten-millionth of the range is finer than any cytometer)."""
    columns = {
        name: scale.apply(events[name].to_numpy(np.float64)).astype(np.float32)
        for name, scale in scales.items()
        if name in events.columns
    }
    return pd.DataFrame(columns, index=events.index)
