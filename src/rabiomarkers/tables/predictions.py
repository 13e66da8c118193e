"""What the models said, and what they are worth."""

from rabiomarkers.tables.table import Table, words

FEATURE_SETS = ("none", "baseline", "change", "both")
"""What a model may know: nothing, the values before treatment, how they changed, or both."""

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
    allowed={"feature_set": FEATURE_SETS},
)

PERMUTATIONS = Table(
    name="permutations",
    columns={"model": "text", "auc": "number"},
    may_be_empty=frozenset({"auc"}),
)
"""The null distribution of each model: one row a relabelling."""

COEFFICIENTS = Table(
    name="coefficients",
    columns={
        "model": "text",
        "feature": "text",
        "unit": "text",
        "centre": "number",
        "spread": "number",
        "log_odds": "number",
    },
    key=("model", "feature"),
    may_be_empty=words("centre spread log_odds"),
)
"""Of the model fitted to all patients: `log_odds` is by how much the log odds of response rise with one `spread` of the feature;
empty for a model that has no coefficients."""

CALIBRATION = Table(
    name="calibration",
    columns={
        "model": "text",
        "group": "integer",
        "n": "integer",
        "forecast": "number",
        "observed": "number",
        "low": "number",
        "high": "number",
    },
    key=("model", "group"),
)
"""Patients in groups of rising out-of-fold probability: the mean forecast, the share that responded and its exact 95 % interval.
Without rows of a model whose calibration is not estimable."""

DECISION_CURVE = Table(
    name="decision_curve",
    columns={
        "model": "text",
        "threshold": "number",
        "net_benefit": "number",
        "treat_all": "number",
        "treat_none": "number",
    },
    key=("model", "threshold"),
)
"""Net benefit (true positives a patient, false ones taken off at the odds of the threshold) of treating whom the model
recommends, everybody, nobody; out of fold."""

BATCH_VALIDATION = Table(
    name="batch_validation",
    columns={
        "model": "text",
        "batch": "text",
        "n": "integer",
        "responders": "integer",
        "auc": "number",
        "brier": "number",
        "note": "text",
    },
    key=("model", "batch"),
    may_be_empty=words("auc brier note"),
)
"""Each batch forecast by a model of the others."""

OF_A_MODEL = {
    table.name: table
    for table in (PREDICTIONS, PERMUTATIONS, COEFFICIENTS, CALIBRATION, DECISION_CURVE, BATCH_VALIDATION)
}
"""The tables that each model has rows in, by name."""

STABILITY = Table(
    name="stability",
    columns={
        "feature_set": "text",
        "feature": "text",
        "share": "number",
        "threshold": "number",
        "selected": "flag",
        "false_bound": "number",
        "note": "text",
    },
    key=("feature_set", "feature"),
    may_be_empty=words("share threshold selected false_bound note"),
    allowed={"feature_set": FEATURE_SETS},
)
"""How often a feature is among the best in halves of the patients: a description of the data, no signature. `false_bound` bounds
the expected number of features selected by chance at `threshold`."""

LEARNING_CURVE = Table(
    name="learning_curve",
    columns={
        "model": "text",
        "effect": "text",
        "true_auc": "number",
        "n": "integer",
        "auc_mean": "number",
        "auc_low": "number",
        "auc_high": "number",
        "power": "number",
    },
    key=("model", "effect", "n"),
    allowed={"effect": ("observed", "lower limit", "upper limit")},
)
"""Simulated trials of `n` patients in which the best possible score has the AUC `true_auc`: mean and middle 95 % of the AUC that
the model reaches, and the share of trials (`power`) in which it is above what 95 % of trials without an effect reach."""
