"""Who responded, what happened to whom and when, and what was predicted."""

from collections.abc import Mapping

import pandas as pd

from rabiomarkers.tables.table import Table, words

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
