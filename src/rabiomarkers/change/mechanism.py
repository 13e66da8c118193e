"""Did the tumour respond to retinoic acid."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

CORE = "RA_RESPONSE_CORE"
DIRECT = "RA_RESPONSE_DIRECT"
ALPHA = 0.05


def retinoic_acid_call(changes: pd.DataFrame, *, compartment: str = "tumour", alpha: float = ALPHA) -> dict[str, Any]:
    """Whether retinoic acid reached the tumour's genes: the core score and the direct targets must both rise.

    Some published target genes (TGM2, PLAAT4 = RARRES3, CD38) also rise when immune cells move in. In the CheckMate 038
    biopsies (Riaz et al. 2017, 43 pairs, nivolumab, nobody had retinoic acid) PLAAT4 rose by 0.71 log2 CPM (p = 4e-4), TGM2 by
    0.52 (p = 5e-4), CD38 by 0.43 (p = 0.02), together with the cytolytic score (+0.83, p = 1.5e-4), while CYP26A1 (-0.12,
    p = 0.55), RARB (-0.07, p = 0.47) and STRA6 (+0.03, p = 0.68) stood still. As rank scores the core changed with p = 0.16,
    the direct targets with p = 0.90. A set built on the first group would call a response to a drug nobody took; here those
    genes alone cannot make the call.

    Parameters
    ----------
    changes
        The CHANGES table.
    compartment
        Where to look.
    alpha
        Largest two-sided p of each score that still counts; both are required, so no correction is due between them.

    Returns
    -------
    `call` ("response", "no response", "not estimable") and `sentence`, both texts.
    """
    here = changes[changes["compartment"] == compartment].set_index("feature")
    scores = {name: here.loc[name].to_dict() if name in here.index else None for name in (CORE, DIRECT)}
    verdicts = {name: _verdict(row, alpha) for name, row in scores.items()}
    told = "; ".join(f"{name} {_told(row, alpha)}" for name, row in scores.items())
    if all(verdict == "rose" for verdict in verdicts.values()):
        return {"call": "response", "sentence": f"The tumour responded to retinoic acid: {told}."}
    if "not risen" in verdicts.values():  # both are required, so one that stood still decides
        why = _why_not(verdicts)
        return {"call": "no response", "sentence": f"No response to retinoic acid is shown in the tumour: {told}.{why}"}
    sentence = f"Whether the tumour responded to retinoic acid is not estimable: {told}."
    return {"call": "not estimable", "sentence": sentence}


def _verdict(row: Mapping[Any, Any] | None, alpha: float) -> str:
    if row is None or np.isnan(row["p_value"]) or row["p_floor"] > alpha:
        return "unknown"
    return "rose" if row["p_value"] < alpha and row["estimate"] > 0 else "not risen"


def _why_not(verdicts: Mapping[str, str]) -> str:
    if verdicts[CORE] == "rose" and verdicts[DIRECT] == "not risen":
        return " The core score rose without the direct targets, as it does when immune cells move in."
    return ""


def _told(row: Mapping[Any, Any] | None, alpha: float) -> str:
    if row is None:
        return "was not measured"
    if np.isnan(row["p_value"]):
        return f"could not be tested ({row['note']})"
    if row["p_floor"] > alpha:
        return f"cannot be judged with {row['n_pairs']} pairs (no p is below {row['p_floor']:.3g})"
    moved = f"changed by {row['estimate']:+.3g} {row['unit']} in {row['n_pairs']} pairs"
    return f"{moved} (p = {row['p_value']:.3g}, floor {row['p_floor']:.3g})"
