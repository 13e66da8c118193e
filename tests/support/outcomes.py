"""Outcome tables for tests that care about few of their columns."""

import pandas as pd

from rabiomarkers.tables.outcomes import OUTCOMES

IRECIST = {"CR": "iCR", "PR": "iPR", "SD": "iSD", "PD": "iUPD", "NE": "NE"}


def whole_outcomes(frame: pd.DataFrame) -> pd.DataFrame:
    """The OUTCOMES table of these rows: every rule set says the same, and what is not given is not known."""
    said = frame["best_response"]
    words = dict.fromkeys(("best_response_unconfirmed", "best_response_recist_1_1", "best_response_admiralonco"), said)
    told = {"evaluable": said != "NE", "rule_sets_agree": True, "best_response_irecist": said.map(IRECIST), **words}
    absent = {name: value for name, value in told.items() if name not in frame.columns}
    return OUTCOMES.check(frame.assign(**absent).reindex(columns=list(OUTCOMES.columns)))
