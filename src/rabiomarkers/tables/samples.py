"""The sample sheet, what a sample's file says, and the ledger."""

from rabiomarkers.tables.table import COMPARTMENTS, STATUSES, Kind, Table, words

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
    may_be_empty=words("collected_day tree taxonomy panel gating compensation exclude"),
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
