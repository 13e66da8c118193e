"""Every number of the report's front page in one document, and the answer in sentences made of them.

Nothing is estimated here: numbers are taken from the finished tables, or counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.files import Info, read_json, read_table, write_json
from rabiomarkers.report.words import (
    absent,
    call_of_change,
    number,
    p_with_floor,
    percent,
    percents,
    plural,
    present,
    signed,
    text,
)
from rabiomarkers.tables import STATUSES

RA_FEATURE = "RA_RESPONSE_CORE"
ENDPOINTS = ("orr", "orr_evaluable", "dcr", "dcr_evaluable", "pfs", "adverse_events")

PRIMARY_COLUMNS = (
    "compartment",
    "feature",
    "unit",
    "n_pairs",
    "estimate",
    "ci_low",
    "ci_high",
    "ci_level",
    "p_value",
    "p_floor",
    "q_value",
    "effect_size",
    "test",
    "note",
)


def build_summary(
    *,
    study: str,
    contrast: Sequence[str],
    endpoints: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    outcomes: pd.DataFrame,
    changes: pd.DataFrame,
    ledger: pd.DataFrame,
    qc: pd.DataFrame,
    distances: Mapping[str, Any] | None = None,
    retinoic_acid: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `summary.json`.

    Parameters
    ----------
    endpoints
        `orr`, `dcr`, `pfs`, `adverse_events`.
    models
        One entry a model.
    outcomes, changes, ledger, qc
        The tables of that name.
    distances
        The facts about the stool distances; None where there is no stool.
    retinoic_acid
        What is said of the retinoic-acid response; its `sentence` is shown. Without it the core signature's row is described.
    """
    summary = {
        "study": study,
        "contrast": list(contrast),
        "patients": len(outcomes),
        "samples": {status: _samples(ledger, status) for status in STATUSES},
        "quality": {"samples": int(qc["sample_id"].nunique()), "measures": int(qc["measure"].nunique())},
        "pairs": {str(name): int(count) for name, count in changes.groupby("compartment")["n_pairs"].max().items()},
        "families": {str(name): int(count) for name, count in changes.groupby("family")["p_value"].count().items()},
        **{name: endpoints.get(name) for name in ENDPOINTS},
        "models": [dict(model) for model in models],
        "stool": dict(distances) if distances else None,
        "retinoic_acid": dict(retinoic_acid) if retinoic_acid else None,
        "primary": _primary(changes),
    }
    return summary | {"answer": answer(summary)}


def answer(summary: Mapping[str, Any]) -> list[str]:
    """Three to five plain sentences: response, retinoic acid, immune change, stool, prediction."""
    sentences = (
        _response(summary.get("orr") or {}),
        _retinoic_acid(summary.get("retinoic_acid") or {}, summary["primary"]),
        _immune(summary["primary"]),
        _stool(summary.get("stool") or {}),
        _models(summary.get("models") or []),
    )
    return [sentence for sentence in sentences if sentence]


def summary_step(inputs: Mapping[str, Path], out: Path, *, study: str, contrast: Sequence[str]) -> Info:
    """Write `summary.json`.

    `inputs`: the JSON files `endpoints` and `models`, the tables `outcomes`, `changes`, `ledger`, `qc`, and where the study has
    them the JSON files `distances_json` (the facts beside the table of distances) and `retinoic_acid`.
    """
    facts = {name: read_json(inputs[name]) if name in inputs else None for name in ("distances_json", "retinoic_acid")}
    summary = build_summary(
        study=study,
        contrast=contrast,
        endpoints=read_json(inputs["endpoints"]),
        models=read_json(inputs["models"]),
        outcomes=read_table(inputs["outcomes"]),
        changes=read_table(inputs["changes"]),
        ledger=read_table(inputs["ledger"]),
        qc=read_table(inputs["qc"]),
        distances=facts["distances_json"],
        retinoic_acid=facts["retinoic_acid"],
    )
    write_json(summary, out / "summary.json")
    return {"patients": summary["patients"]}


def _primary(changes: pd.DataFrame) -> list[dict[str, Any]]:
    rows = changes[changes["tier"] == "primary"].sort_values(["feature", "compartment"])
    return [
        {**{column: row[column] for column in PRIMARY_COLUMNS}, "call": call_of_change(row)}
        for _, row in rows.iterrows()
    ]


def _samples(ledger: pd.DataFrame, status: str) -> int:
    return int((ledger["status"] == status).sum())


def _response(orr: Mapping[str, Any]) -> str:
    if not present(orr.get("rate")):
        why = absent(text(orr.get("note"), "no patient has a response that can be judged"))
        return f"Objective response rate: {why}."
    span = percents(orr.get("ci_low"), orr.get("ci_high"))
    return (
        f"{orr['responders']} of {plural(orr['n'], 'patient')} responded: objective response rate {percent(orr['rate'])}, "
        f"exact 95 % interval {span}; denominator: {text(orr.get('denominator'), 'all patients')}."
    )


def _retinoic_acid(facts: Mapping[str, Any], primary: Sequence[Mapping[str, Any]]) -> str:
    if sentence := text(facts.get("sentence")):
        return sentence
    for row in primary:
        if row["feature"] == RA_FEATURE:
            return f"Retinoic-acid target genes: {described(row)}."
    return "Whether the tumour responded to retinoic acid is not estimable: no primary feature scores its target genes."


def _immune(primary: Sequence[Mapping[str, Any]]) -> str:
    others = [row for row in primary if row["feature"] != RA_FEATURE]
    if not others:
        return "The plan names no other primary feature that was measured."
    return "Other primary features: " + "; ".join(described(row) for row in others) + "."


def described(row: Mapping[str, Any]) -> str:
    """One primary feature in words: what it did, by how much, in how many pairs, with which p and floor."""
    name = f"{row['feature']} in {row['compartment']}"
    if not present(row["p_value"]):
        return f"{name}: {call_of_change(row)}"
    return (
        f"{name}: {call_of_change(row)}, estimate {signed(row['estimate'])} {row['unit']}, {plural(row['n_pairs'], 'pair')}, "
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}, q = {number(row['q_value'])}"
    )


def _stool(stool: Mapping[str, Any]) -> str:
    if not stool:
        return "Stool: not estimable, no stool sample was used."
    if not (present(stool.get("within_median")) and present(stool.get("between_median"))):
        return f"Stool: {absent(text(stool.get('note'), 'no patient has two stool samples'))}."
    tested = (
        f", p = {p_with_floor(stool.get('p_value'), stool.get('p_floor'))}" if present(stool.get("p_value")) else ""
    )
    return (
        f"Stool of one patient before and after lies {number(stool['within_median'])} apart (median {text(stool.get('metric'))}, "
        f"{plural(stool.get('n_within'), 'pair')}), stool of different patients {number(stool['between_median'])}{tested}."
    )


def _models(models: Sequence[Mapping[str, Any]]) -> str:
    if not models:
        return "Prediction of response: not estimable, no model could be fitted."
    said = [f"the {model['name']} model is {text(model.get('verdict'), 'not estimable')}" for model in models]
    return f"Prediction of response: {'; '.join(said)}."
