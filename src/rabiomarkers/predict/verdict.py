"""What may be concluded about a model, in words; or why nothing can be."""

from collections.abc import Mapping
from typing import Any

from rabiomarkers.predict.design import Design
from rabiomarkers.stats.multiplicity import ALPHA

LARGEST = 1e100  # squares of larger values leave the range of numbers


def why_not_estimable(design: Design) -> str:
    """The reason in words why no model of this design can be validated; empty where one can."""
    n, responders = len(design.labels), int(design.labels.sum())
    knows_nothing = design.feature_set == "none"
    if not len(design.matrix.columns) and not knows_nothing:
        if design.feature_set == "change":
            return "no patient has a pair of samples with any of the features named in the plan"
        return "none of the features named in the plan was measured"
    if n == 0:
        return "no patient has a known response" + ("" if knows_nothing else " and one of the features")
    if responders == 0:
        return f"no responders among {n} patient{'s' if n > 1 else ''}"
    if responders == n:
        return f"all {n} patients responded" if n > 1 else "the only patient responded"
    if min(responders, n - responders) < 2:
        alone = "one responder" if responders == 1 else "one non-responder"
        return f"{alone} among {n} patients; two of each kind are needed, as a pair is left out"
    beyond = design.matrix.columns[(design.matrix.abs() > LARGEST).any()]
    if len(beyond):
        return f"values beyond {LARGEST:g} in {', '.join(beyond)}, which no measurement gives"
    if not knows_nothing and design.matrix.nunique().max() < 2:
        return f"no feature varies between the {n} patients"
    return ""


def verdict(model: Mapping[str, Any], *, corrected_for: int) -> str:
    """What may be concluded, in words that go on from "the model is".

    Parameters
    ----------
    model
        The facts of a model that was validated: `n, responders, riley_n, auc, p_value, p_count, p_total, p_floor, p_corrected,
        primary`.
    corrected_for
        How many models, none of them primary, `p_corrected` is corrected for.
    """
    several = "1 model that is" if corrected_for == 1 else f"{corrected_for} models that are"
    n, chance = model["n"], f"p = {model['p_count']}/{model['p_total']}"
    if model["p_floor"] > ALPHA:
        return (
            f"not testable: {model['responders']} responders among {n} patients cannot reach {ALPHA:g}, the smallest possible p "
            f"is {model['p_floor']:.2g} ({chance})"
        )
    if model["p_value"] > ALPHA:
        return f"not distinguishable from chance at n = {n} ({chance})"
    if not model["primary"] and model["p_corrected"] > ALPHA:
        return (
            f"not distinguishable from chance at n = {n}: {chance}, but {model['p_corrected']:.2g} corrected for "
            f"{several} not primary"
        )
    riley = model["riley_n"]
    needs = (
        ""
        if riley is None
        else f": {n} of the {riley} patients a stable model needs"
        if n < riley
        else f": {n} patients, {riley} are needed"
    )
    separated = (
        "; every left-out pair is ordered rightly, so how strong the effect is cannot be told"
        if model["auc"] == 1
        else ""
    )
    others = "" if model["primary"] else f"; corrected for {several} not primary, p is {model['p_corrected']:.2g}"
    return f"better than chance in this cohort ({chance}), exploratory{needs}{separated}{others}"
