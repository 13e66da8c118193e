"""What the models said."""

from rabiomarkers.tables.table import Table

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

PERMUTATIONS = Table(
    name="permutations",
    columns={"model": "text", "auc": "number"},
    may_be_empty=frozenset({"auc"}),
)
"""The null distribution of each model: one row a relabelling."""
