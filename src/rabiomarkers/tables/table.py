"""What a table promises: its columns, each of one type, and which of them may be empty.

A stage that writes a table calls `check` on it; a stage that reads one may add columns but never rename these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pandera.pandas as pa

from rabiomarkers.errors import TableError

Kind = Literal["text", "number", "integer", "flag"]

TEXT = pd.StringDtype(na_value=np.nan)
DTYPES: Mapping[Kind, object] = {"text": TEXT, "number": "float64", "integer": "Int64", "flag": "boolean"}

COMPARTMENTS = ("tumour", "blood", "faecal")
STATUSES = ("used", "missing", "excluded", "failed_qc")
TIERS = ("primary", "secondary", "exploratory")


def words(names: str) -> frozenset[str]:
    """The names in a line of text."""
    return frozenset(names.split())


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table's promise: its columns with their kind, which may be empty, which identify a row, which values are allowed."""

    name: str
    columns: Mapping[str, Kind]
    key: tuple[str, ...] = ()
    may_be_empty: frozenset[str] = frozenset()
    allowed: Mapping[str, tuple[str, ...]] | None = None

    def _schema(self) -> pa.DataFrameSchema:
        allowed = self.allowed or {}
        return pa.DataFrameSchema(
            {
                column: pa.Column(
                    DTYPES[kind],
                    nullable=column in self.may_be_empty,
                    coerce=True,
                    checks=pa.Check.isin(allowed[column]) if column in allowed else None,
                )
                for column, kind in self.columns.items()
            },
            unique=list(self.key) or None,
        )

    def check(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The frame with the promised columns first and of the promised types; other columns follow as they are.

        Raises
        ------
        TableError
            A column is missing, holds another type, a value that is not allowed, nothing where something is needed, or a key
            occurs twice. All faults are named; values of cells are not, as they may be a patient's.
        """
        missing = [column for column in self.columns if column not in frame.columns]
        if missing:
            raise TableError(f"The {self.name} table lacks the columns {', '.join(missing)}.")
        try:
            checked = self._schema().validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases
            faults = cases.assign(column=cases["column"].fillna("key")).groupby(["column", "check"], sort=True).size()
            told = "; ".join(f"{column}: {check} ({count} rows)" for (column, check), count in faults.items())
            raise TableError(f"The {self.name} table does not hold what it promises: {told}.") from None
        others = [column for column in checked.columns if column not in self.columns]
        return checked[[*self.columns, *others]].reset_index(drop=True)

    def empty(self) -> pd.DataFrame:
        """The table without rows."""
        return pd.DataFrame({column: pd.Series([], dtype=DTYPES[kind]) for column, kind in self.columns.items()})  # type: ignore[call-overload]
