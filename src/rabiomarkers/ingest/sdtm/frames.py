"""Rows as a frame of the columns and types that the readers of the clinical tables give."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.tables.table import DTYPES, Kind

_TYPES: Mapping[Kind, Any] = DTYPES


def typed(
    rows: Sequence[Mapping[str, object]], columns: Mapping[str, Kind], *, key: Sequence[str] = ()
) -> pd.DataFrame:
    """One row each, sorted by the key (else by all columns); what a row does not say is empty."""
    frame = pd.DataFrame({name: [row.get(name) for row in rows] for name in columns}, columns=list(columns))
    frame = frame.astype({name: _TYPES[kind] for name, kind in columns.items()})
    return frame.sort_values(list(key) or list(columns), ignore_index=True)
