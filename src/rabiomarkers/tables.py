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
RECIST_RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
RECIST_OF: Mapping[str, str] = {
    "iCR": "CR",
    "iPR": "PR",
    "iSD": "SD",
    "NON-iCR/NON-iUPD": "NON-CR/NON-PD",
    "iUPD": "PD",
    "iCPD": "PD",
}
"""What RECIST 1.1 calls a response of iRECIST; every other word is its own."""
IRECIST_RESPONSES = (*RECIST_OF, "NE")
BEST_RESPONSES = (*RECIST_RESPONSES, *RECIST_OF)
TIMELINE_KINDS = (
    "first_dose",
    "last_dose",
    "new_therapy",
    "assessment",
    "response",
    "progression",
    "new_lesion",
    "adverse_event",
    "death",
    "last_contact",
)


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
    may_be_empty=words("estimate ci_low ci_high ci_level p_value p_floor q_value effect_size note"),
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
        "best_response_unconfirmed": "text",
        "best_response_recist_1_1": "text",
        "best_response_admiralonco": "text",
        "best_response_irecist": "text",
        "rule_sets_agree": "flag",
        "clinical_benefit": "flag",
        "response_day": "number",
        "response_days": "number",
        "response_ended": "flag",
        "progression_day": "number",
        "new_lesion_day": "number",
        "os_days": "number",
        "died": "flag",
        "arm": "text",
    },
    key=("patient_id",),
    may_be_empty=words(
        "confirmed responder disease_control pfs_days progressed best_change_percent note "
        "rule_sets_agree clinical_benefit response_day response_days response_ended progression_day "
        "new_lesion_day os_days died arm"
    ),
    allowed={
        "best_response": BEST_RESPONSES,
        "best_response_unconfirmed": BEST_RESPONSES,
        "best_response_recist_1_1": RECIST_RESPONSES,
        "best_response_admiralonco": RECIST_RESPONSES,
        "best_response_irecist": IRECIST_RESPONSES,
    },
)
"""One patient's outcome. `best_response` is that of the study's rule set, the columns by rule set are what each would say of the
same visits with the same parameters. `response_day` is the first visit of the response (responders only), `response_days` from
there to progression or death (`response_ended`) or to the last evaluable visit. `new_lesion_day` is where a new lesion made the
progression. `progressed` and `pfs_days` count death as an event."""


def known_responses(outcomes: pd.DataFrame) -> "pd.Series[bool]":
    """`responder` by patient, empty for who could not be evaluated.

    The response rate counts such a patient as without response (intention to treat); a comparison of responders with others must
    not, as nobody knows to whom the patient belongs.
    """
    known = outcomes["responder"].astype("boolean").where(outcomes["evaluable"].fillna(False).astype(bool))
    return known.set_axis(outcomes["patient_id"])


SUMS = Table(
    name="sums of diameters",
    columns={
        "patient_id": "text",
        "day": "number",
        "sum_mm": "number",
        "change_percent": "number",
        "response": "text",
        "irecist_response": "text",
        "target_response": "text",
        "non_target_response": "text",
        "new_lesion": "flag",
        "nadir_mm": "number",
        "note": "text",
    },
    may_be_empty=words(
        "sum_mm change_percent response irecist_response target_response non_target_response new_lesion nadir_mm note"
    ),
)
"""Each visit of a patient: the target lesions' sum, its change from baseline, the smallest sum before it, and the response by
RECIST 1.1 and by iRECIST; the baseline has no response, visits that were given as responses have no sum."""

REMARKS = Table(
    name="remarks on the clinical tables",
    columns={"patient_id": "text", "day": "number", "source": "text", "found": "text", "consequence": "text"},
    may_be_empty=frozenset({"patient_id", "day"}),
)
"""What is no mistake and yet must not pass in silence: a lesion that was too small at baseline, a date in parts, two sums at one
visit. `source` is the table (and, where there is one, its row), `consequence` what was done about it."""

TIMELINE = Table(
    name="timeline",
    columns={"patient_id": "text", "day": "number", "kind": "text", "detail": "text"},
    may_be_empty=frozenset({"detail"}),
    allowed={"kind": TIMELINE_KINDS},
)
"""What happened to each patient and when, in days from first dose; `detail` is the response of an assessment, the term and grade
of an adverse event, the reason treatment ended."""

SURVIVAL = Table(
    name="survival curves",
    columns={
        "endpoint": "text",
        "arm": "text",
        "day": "number",
        "survival": "number",
        "ci_low": "number",
        "ci_high": "number",
        "at_risk": "integer",
        "events": "integer",
        "censored": "integer",
    },
    key=("endpoint", "arm", "day"),
    may_be_empty=frozenset({"ci_low", "ci_high"}),
    allowed={"endpoint": ("pfs", "os", "response_duration")},
)
"""Kaplan-Meier steps, the first at day 0; `arm` is ``"all"`` for all patients together. `at_risk` is just before the day."""

TOXICITY = Table(
    name="adverse events by term",
    columns={
        "term": "text",
        "patients": "integer",
        "grade_1": "integer",
        "grade_2": "integer",
        "grade_3": "integer",
        "grade_4": "integer",
        "grade_5": "integer",
        "ungraded": "integer",
        "related": "integer",
        "serious": "integer",
        "related_grade_3_or_higher": "integer",
    },
    key=("term",),
    may_be_empty=frozenset({"related", "serious", "related_grade_3_or_higher"}),
)
"""Patients, not events: each counts once a term, at the worst grade they had of it. A count is empty where no event of the trial
says whether it was related, or serious."""

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
