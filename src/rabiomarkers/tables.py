"""The tables that pass between stages: which columns each always has, of what type.

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


SAMPLES = Table(
    name="samples",
    columns={
        "sample_id": "text",
        "patient_id": "text",
        "timepoint": "text",
        "compartment": "text",
        "assay": "text",
        "path": "text",
        "batch": "text",
        "collected_day": "number",
        "replicate": "integer",
        "tree": "text",
        "taxonomy": "text",
        "panel": "text",
        "gating": "text",
        "compensation": "text",
        "exclude": "text",
    },
    # one tumour sample may be sequenced and imaged: the same id may serve several assays, never one assay twice
    key=("sample_id", "assay"),
    may_be_empty=frozenset({"collected_day", "tree", "taxonomy", "panel", "gating", "compensation", "exclude"}),
    allowed={"compartment": COMPARTMENTS},
)
"""The sample sheet after reading. `path` and the optional paths are absolute; `batch` is ``"all"`` and `replicate` 1 where the
sheet does not say."""

SAMPLE_FEATURES = Table(
    name="sample features",
    columns={
        "feature": "text",
        "value": "number",
        "unit": "text",
        "method": "text",
        "coverage": "number",
        "cohort_dependent": "flag",
        "note": "text",
    },
    key=("feature",),
    may_be_empty=frozenset({"value", "note"}),
)
"""What one sample's file says, before anyone knows whose sample it is. An empty `value` has its reason in `note`."""

SAMPLE_QC = Table(
    name="sample quality",
    columns={"measure": "text", "value": "number", "unit": "text", "limit": "text", "passed": "flag"},
    key=("measure",),
    may_be_empty=frozenset({"value", "limit"}),
)
"""Quality of one sample; `limit` in words (``">= 1000000"``), empty for a measure that is only shown."""

_IDENTITY: dict[str, Kind] = {
    "sample_id": "text",
    "patient_id": "text",
    "timepoint": "text",
    "compartment": "text",
    "assay": "text",
}

_WHICH: dict[str, Kind] = {"sample_id": "text", "assay": "text"}

FEATURES = Table(
    name="features",
    columns=_IDENTITY | dict(SAMPLE_FEATURES.columns),
    key=("patient_id", "timepoint", "compartment", "feature"),
    may_be_empty=frozenset({"value", "note"}),
    allowed={"compartment": COMPARTMENTS},
)

QC = Table(
    name="quality",
    columns=_WHICH | dict(SAMPLE_QC.columns),
    key=("sample_id", "assay", "measure"),
    may_be_empty=frozenset({"value", "limit"}),
)

LEDGER = Table(
    name="ledger",
    columns={
        "patient_id": "text",
        "timepoint": "text",
        "compartment": "text",
        "assay": "text",
        "sample_id": "text",
        "status": "text",
        "reason": "text",
    },
    may_be_empty=frozenset({"sample_id", "reason"}),
    allowed={"status": STATUSES, "compartment": COMPARTMENTS},
)
"""Every patient x timepoint x compartment x assay; a second library of a sample has a row of its own."""

CHANGES = Table(
    name="changes",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "n_pairs": "integer",
        "estimate": "number",
        "ci_low": "number",
        "ci_high": "number",
        "ci_level": "number",
        "p_value": "number",
        "p_floor": "number",
        "q_value": "number",
        "effect_size": "number",
        "test": "text",
        "family": "text",
        "tier": "text",
        "note": "text",
    },
    key=("compartment", "feature"),
    may_be_empty=frozenset(
        {"estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "q_value", "effect_size", "note"}
    ),
    allowed={"tier": TIERS},
)

DELTAS = Table(
    name="deltas",
    columns={
        "patient_id": "text",
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "before": "number",
        "after": "number",
        "change": "number",
    },
    key=("patient_id", "compartment", "feature"),
)
"""One patient's change in one feature, on the scale the test used (`unit`); only complete pairs have a row."""

BY_RESPONSE = Table(
    name="changes by response",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "n_responders": "integer",
        "median_responders": "number",
        "n_non_responders": "integer",
        "median_non_responders": "number",
        "n_unknown": "integer",
    },
    key=("compartment", "feature"),
    may_be_empty=frozenset({"median_responders", "median_non_responders"}),
)
"""How a feature moved in responders and in the others: a description, not a test."""

OUTCOMES = Table(
    name="outcomes",
    columns={
        "patient_id": "text",
        "best_response": "text",
        "confirmed": "flag",
        "responder": "flag",
        "disease_control": "flag",
        "evaluable": "flag",
        "pfs_days": "number",
        "progressed": "flag",
        "best_change_percent": "number",
        "note": "text",
    },
    key=("patient_id",),
    may_be_empty=frozenset(
        {"confirmed", "responder", "disease_control", "pfs_days", "progressed", "best_change_percent", "note"}
    ),
    allowed={"best_response": ("CR", "PR", "SD", "PD", "NE")},
)

SUMS = Table(
    name="sums of diameters",
    columns={
        "patient_id": "text",
        "day": "number",
        "sum_mm": "number",
        "change_percent": "number",
        "response": "text",
    },
    may_be_empty=frozenset({"sum_mm", "change_percent", "response"}),
)
"""The target lesions' sum at each visit of a patient."""

PREDICTIONS = Table(
    name="predictions",
    columns={
        "patient_id": "text",
        "model": "text",
        "feature_set": "text",
        "probability": "number",
        "responder": "flag",
    },
    key=("patient_id", "model"),
    allowed={"feature_set": ("baseline", "change")},
)

DISTANCES = Table(
    name="distances",
    columns={
        "patient_a": "text",
        "timepoint_a": "text",
        "patient_b": "text",
        "timepoint_b": "text",
        "same_patient": "flag",
        "distance": "number",
    },
)
"""Stool against stool: each unordered pair of samples once."""

ORDINATION = Table(
    name="ordination",
    columns={"sample_id": "text", "patient_id": "text", "timepoint": "text", "axis_1": "number", "axis_2": "number"},
    key=("sample_id",),
)

PERMUTATIONS = Table(
    name="permutations",
    columns={"model": "text", "auc": "number"},
    may_be_empty=frozenset({"auc"}),
)
"""The null distribution of each model: one row a relabelling."""
