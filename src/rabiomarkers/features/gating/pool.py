"""Events of all samples of a batch side by side, on the scales on which they are cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.util import hash_pandas_object

from rabiomarkers.features.gating.apply import SUBSTITUTES
from rabiomarkers.features.gating.transforms import Transform, choose_transform, transformed
from rabiomarkers.features.gating.tree import GatingTree

EVENTS_OF_SAMPLE = 20_000  # of each sample are pooled ...
EVENTS_OF_BATCH = 400_000  # ... and no more than these of all


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Pooled events of a batch, on the scales, and of each control."""

    events: pd.DataFrame
    scales: Mapping[str, Transform]
    controls: Mapping[str, pd.DataFrame]


def pool_events(
    pieces: Mapping[str, pd.DataFrame],
    tree: GatingTree,
    known: Mapping[str, Transform],
    controls: Mapping[str, pd.DataFrame],
    *,
    assay: str,
    method: str,
    cofactor: float,
) -> Pool:
    """The pool of a batch; `known`: scales that are not to be chosen anew. Other arguments as in `batch.find_gates`."""
    channels: dict[str, Any] = {}
    pooled = []
    for _, piece in sorted(pieces.items()):
        own = thinned(piece, tree, samples=len(pieces))
        pooled.append(own)
        for name in own.columns:
            told, before = piece.attrs["passport"]["channels"][name], channels.get(name)
            channels[name] = told if before is None or told["range"] > before["range"] else before
    linear = pd.concat(pooled, ignore_index=True)
    scales = {
        name: known.get(name)
        or choose_transform(
            name,
            linear[name].dropna().to_numpy(np.float64),
            channels,
            assay=assay,
            method=method,
            cofactor=cofactor,
        )
        for name in sorted(set(linear.columns))
    }
    return Pool(
        events=transformed(linear, scales),
        scales=scales,
        controls={marker: transformed(events, scales) for marker, events in controls.items()},
    )


def thinned(piece: pd.DataFrame, tree: GatingTree, *, samples: int) -> pd.DataFrame:
    """As many events of a sample as are pooled beside those of the others, and the columns that the tree and its substitutes need.

    Which events is decided by their values alone: neither the order of the file nor chance nor another sample plays a part. What is
    thinned already stays as it is.
    """
    number = min(EVENTS_OF_SAMPLE, EVENTS_OF_BATCH // max(samples, 1))
    wanted = {*tree.markers, *SUBSTITUTES.values()}
    own: pd.DataFrame = piece[sorted(name for name in piece.columns if name in wanted)]
    if len(own) <= number or own.empty:
        return own
    drawn = np.sort(np.argsort(hash_pandas_object(own, index=False).to_numpy(), kind="stable")[:number])
    return own.iloc[drawn]
