"""The sentence on the response to retinoic acid, for the front page and the mechanism: the call, and the numbers it rests on."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report import labels
from rabiomarkers.report.registration import marked
from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    cannot_reach,
    capital,
    moved,
    number,
    present,
    signed,
    text,
)

CORE, DIRECT = "RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT"
CALLS = {
    "response": "The tumour shows a retinoic-acid response",
    "no response": "No retinoic-acid response is seen in the tumour",
    "not estimable": "Whether the tumour shows a retinoic-acid response is not estimable",
}
NOT_SCORED = f"{CALLS[NOT_ESTIMABLE]}: its target genes were not scored."
NO_SCORE = f"{CALLS[NOT_ESTIMABLE]}: no tumour sample gave a score of its target genes."


def with_sentence(facts: Mapping[str, Any], changes: pd.DataFrame) -> dict[str, Any]:
    """The facts of the call with their `sentence`: the scores it rests on, with the numbers the tables print.

    Parameters
    ----------
    facts
        `call`, and where they are known `why` and `adjusted` (rows on the scores adjusted for infiltration).
    changes
        The CHANGES table.
    """
    here = changes[(changes["compartment"] == "tumour") & changes["feature"].isin((CORE, DIRECT))]
    rows = {str(row["feature"]): row for _, row in here.iterrows()}
    if not rows:
        return {**facts, "sentence": NO_SCORE}
    told = [
        f"{labels.described(name)}: "
        + (f"{moved(rows[name])}{cannot_reach(rows[name]['p_floor'])}" if name in rows else "not measured")
        for name in (CORE, DIRECT)
    ]
    adjusted = next((row for row in facts.get("adjusted") or () if row["feature"] == DIRECT), None)
    if adjusted is not None and present(adjusted["p_value"]):
        told.append(
            f"adjusted for {labels.described(adjusted['infiltration'])}, the latter changed by {signed(adjusted['estimate'])} "
            f"{adjusted['unit']}, p = {number(adjusted['p_value'])}"
        )
    why = f" {facts['why']}" if facts.get("why") else ""
    return {**facts, "sentence": f"{CALLS[facts['call']]}. {capital('; '.join(told))}.{why}"}


def sentence_of(summary: Mapping[str, Any]) -> str:
    """What the front page and the mechanism say; marked where the plan is not the registered one."""
    return marked(text((summary.get("retinoic_acid") or {}).get("sentence"), NOT_SCORED), summary)
