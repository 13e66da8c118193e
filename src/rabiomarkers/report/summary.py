"""Every number of the report's front page in one document, and the answer in sentences made of them.

Nothing is estimated here: numbers are taken from the finished tables, or counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.files import Info, read_json, read_table, write_json
from rabiomarkers.report import labels
from rabiomarkers.report.registration import EXPLORATORY, marked, unregistered
from rabiomarkers.report.retinoic_acid import CORE, sentence_of, with_sentence
from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    call_of_change,
    cannot_reach,
    capital,
    moved,
    number,
    p_with_floor,
    percent,
    percents,
    plural,
    present,
    reason,
    text,
)
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.tables.table import COMPARTMENTS, STATUSES

FEATURE_SETS = {
    "none": "without any sample",
    "baseline": "from samples before treatment",
    "change": "from the change under treatment",
    "both": "from samples before treatment and their change",
}
SWAP = "likely swap"
MISPLACED = r"mislabelled\?|one file twice\?"
"""What the note of a stool ends its finding with that is no swap."""
ENDPOINTS = (
    "orr",
    "orr_evaluable",
    "orr_unconfirmed",
    "dcr",
    "dcr_evaluable",
    "clinical_benefit",
    "clinical_benefit_evaluable",
    "pfs",
    "os",
    "response_duration",
    "time_to_response",
    "by_arm",
    "rule_sets",
    "decision",
    "adverse_events",
)

PRIMARY_COLUMNS = (
    "compartment",
    "feature",
    "unit",
    "n_pairs",
    "n_single",
    "estimate",
    "ci_low",
    "ci_high",
    "ci_level",
    "p_value",
    "p_floor",
    "q_value",
    "effect_size",
    "effect_low",
    "effect_high",
    "correction",
    "sequence",
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
    plan: Mapping[str, Any] | None = None,
    genes: pd.DataFrame | None = None,
    identity: pd.DataFrame | None = None,
    stool_identity: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """The content of `summary.json`.

    Parameters
    ----------
    endpoints
        What the response stage found, by the names of ENDPOINTS.
    models
        One entry a model.
    outcomes, changes, ledger, qc
        The tables of that name.
    distances
        The facts about the stool distances; None where there is no stool.
    retinoic_acid
        The `call` on the retinoic-acid response: response, no response, not estimable. It is told with the scores' own numbers.
    plan
        Its `hash`, and `registered`: whether it is the registered one; None where none was registered.
    genes, identity, stool_identity
        The tables of that name; None where an earlier version made none.
    """
    summary = {
        "study": study,
        "contrast": list(contrast),
        "patients": len(outcomes),
        "samples": {status: _samples(ledger, status) for status in STATUSES},
        "quality": {"samples": int(qc["sample_id"].nunique()), "measures": int(qc["measure"].nunique())},
        "pairs": _pairs(changes),
        "plan": {**(plan or {}), "sequence_stopped_at": _stopped_at(changes)},
        **{name: endpoints.get(name) for name in ENDPOINTS},
        "models": [dict(model) for model in models],
        "stool": dict(distances) if distances and (ledger["compartment"] == "faecal").any() else None,
        "retinoic_acid": with_sentence(retinoic_acid, changes) if retinoic_acid else None,
        "primary": _primary(changes),
        "genes": _genes(genes) if genes is not None else [],
        "identity": _identity(identity) if identity is not None else None,
        "stool_identity": _stool_identity(stool_identity) if stool_identity is not None else None,
    }
    return summary | {"answer": answer(summary)}


def answer(summary: Mapping[str, Any]) -> list[str]:
    """Five plain sentences: response, retinoic acid, the other primary features, stool, prediction.

    Where the plan is not the registered one, the second and the third begin with it: nothing is primary then. Where a sample may be
    another patient's, that stands before all else.
    """
    return [
        *_strangers(summary.get("identity") or {}, "of bulk RNA", "whose samples these are"),
        *_strangers(summary.get("stool_identity") or {}, "of stool", "“Stool samples: whose, how deep, how clean”"),
        _response(summary.get("orr") or {}, summary.get("orr_evaluable") or {}, summary.get("rule_sets") or {}),
        sentence_of(summary),
        _primary_features(summary),
        _stool(summary.get("stool") or {}),
        _models(summary.get("models") or []),
    ]


def summary_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    study: str,
    contrast: Sequence[str],
    plan: Mapping[str, Any] | None = None,
) -> Info:
    """Write `summary.json`.

    `inputs`: the JSON files `endpoints` and `models`, the tables `outcomes`, `changes`, `ledger`, `qc`, and where the study has
    them the JSON files `distances_json` (the facts beside the table of distances) and `retinoic_acid`, the tables `genes`,
    `identity` and `stool_identity`.
    """
    names = ("genes", "identity", "stool_identity")
    tables = {name: read_table(inputs[name]) if name in inputs else None for name in names}
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
        plan=plan,
        genes=tables["genes"],
        identity=tables["identity"],
        stool_identity=tables["stool_identity"],
    )
    write_json(summary, out / "summary.json")
    return {"patients": summary["patients"]}


def _primary(changes: pd.DataFrame) -> list[dict[str, Any]]:
    rows = changes[changes["tier"] == "primary"].sort_values(["sequence", "feature", "compartment"])
    return [
        {**{column: row[column] for column in PRIMARY_COLUMNS}, "call": call_of_change(row)}
        for _, row in rows.iterrows()
    ]


def _stopped_at(changes: pd.DataFrame) -> str | None:
    """The primary feature at which the sequence of tests stopped; None where all passed or none was tested."""
    failed = changes[changes["sequence"].notna() & ~changes["passes"].fillna(False).astype(bool)]
    return str(failed.sort_values("sequence")["feature"].iloc[0]) if len(failed) else None


def _genes(genes: pd.DataFrame) -> list[dict[str, Any]]:
    """By compartment and assay how many genes were tested, and how many rose and fell."""
    rows = []
    for (compartment, assay), table in genes.groupby(["compartment", "assay"]):
        passed = table[table["q_value"] <= ALPHA]
        counts = {"tested": int(table["p_value"].notna().sum()), "q": ALPHA}
        moved_by = {"up": int((passed["estimate"] > 0).sum()), "down": int((passed["estimate"] < 0).sum())}
        rows.append({"compartment": str(compartment), "assay": str(assay), **counts, **moved_by})
    return rows


def _identity(identity: pd.DataFrame) -> dict[str, Any]:
    """How many samples were looked at, and which may be another patient's."""
    found = identity[identity["finding"].fillna(False).astype(bool)]
    return {
        "samples": int(identity["sample_id"].nunique()),
        "findings": sorted({str(name) for name in found["sample_id"]}),
    }


def _stool_identity(stools: pd.DataFrame) -> dict[str, Any]:
    """How many stools were looked at, and which may be another patient's."""
    found = stools.loc[perhaps_anothers(stools), "sample_id"]
    return {"samples": len(stools), "findings": sorted(str(name) for name in found)}


def perhaps_anothers(stools: pd.DataFrame) -> "pd.Series[bool]":
    """Which stools of a STOOL_IDENTITY table may be another patient's: swapped, clearly fitting elsewhere, or one file twice.

    That another's stool is nearer is no finding. A sheet that slipped by a row makes no swap: nothing fits back.
    """
    return (stools["verdict"] == SWAP) | stools["note"].fillna("").str.contains(MISPLACED)


def _strangers(identity: Mapping[str, Any], kind: str, place: str) -> list[str]:
    found = identity.get("findings") or []
    if not found:
        return []
    return [
        f"Before anything else: {plural(len(found), 'sample')} {kind} may be another patient's ({', '.join(found)}). "
        f"Every number below takes the sheet at its word; see {place}."
    ]


def _pairs(changes: pd.DataFrame) -> dict[str, int]:
    """The most complete pairs any feature of a compartment has."""
    measured = changes[changes["compartment"].isin(COMPARTMENTS)]
    return {str(name): int(count) for name, count in measured.groupby("compartment")["n_pairs"].max().items()}


def _samples(ledger: pd.DataFrame, status: str) -> int:
    return int((ledger["status"] == status).sum())


def _response(orr: Mapping[str, Any], evaluable: Mapping[str, Any], rule_sets: Mapping[str, Any]) -> str:
    if not present(orr.get("rate")):
        why = reason(orr.get("note"), "no patient has a response that can be judged")
        return f"The objective response rate is not estimable: {why}."
    span = percents(orr.get("ci_low"), orr.get("ci_high"))
    unknown = int(orr["n"]) - int(evaluable.get("n") or orr["n"])
    judged = f" {plural(unknown, 'patient')} of these could not be evaluated." if unknown > 0 else ""
    return (
        f"{orr['responders']} of {plural(orr['n'], 'patient')} responded: objective response rate {percent(orr['rate'])}, "
        f"exact 95 % interval {span}; denominator: {text(orr.get('denominator'), 'all patients')}.{judged}"
        + _disagreements(rule_sets)
    )


def _disagreements(rule_sets: Mapping[str, Any]) -> str:
    """A sentence where the response of some patient hangs on the rule set."""
    patients = rule_sets.get("disagreements") or []
    if not patients:
        return ""
    return (
        f" Under another rule set {plural(len(patients), 'patient')} would have another best response (see Response)."
    )


def _primary_features(summary: Mapping[str, Any]) -> str:
    if unregistered(summary) and not summary["primary"]:
        return f"{EXPLORATORY} None is primary; what changed is in the section on changes."
    return marked(_others(summary["primary"]), summary)


def _others(primary: Sequence[Mapping[str, Any]]) -> str:
    others = [row for row in primary if row["feature"] != CORE or row["compartment"] in ("blood", "faecal")]
    if not others:
        return "The plan names no other primary feature."
    head = "Primary features" if len(others) == len(primary) else "Other primary features"
    return f"{head}. {capital('; '.join(described(row) for row in others))}."


def described(row: Mapping[str, Any]) -> str:
    """One primary feature in words: what it did, by how much, in how many pairs, with which p and floor."""
    name = labels.described(row["feature"])
    if row["compartment"] not in COMPARTMENTS:
        return f"{name}: not measured"
    if not present(row["p_value"]):
        return f"{name}, {row['compartment']}: {moved(row)}"
    return f"{name}, {row['compartment']}: {call_of_change(row)}, {moved(row)}, adjusted p = {number(row['q_value'])}"


def _stool(stool: Mapping[str, Any]) -> str:
    if not stool:
        return "The study has no stool sample."
    if not (present(stool.get("within_median")) and present(stool.get("between_median"))):
        why = reason(stool.get("note"), "no patient has two stool samples")
        return f"Whether a patient's stool stays like itself is not estimable: {why}."
    tested = (
        f", p = {p_with_floor(stool['p_value'], stool.get('p_floor'))}{cannot_reach(stool.get('p_floor'))}"
        if present(stool.get("p_value"))
        else ""
    )
    return (
        f"Exploratory: stool of one patient before and after lies {number(stool['within_median'])} apart "
        f"(median {text(stool.get('metric'))}, {plural(stool.get('n_within'), 'pair')}), stool of different patients "
        f"{number(stool['between_median'])}{tested}."
    )


def _models(models: Sequence[Mapping[str, Any]]) -> str:
    """The primary model's verdict, and how many of the others are better than chance; of an earlier version, every verdict."""
    if not models:
        return "Prediction of response is not estimable: no model could be fitted."
    primary = [model for model in models if model.get("primary")]
    said = [
        f"{text(FEATURE_SETS.get(str(model.get('feature_set'))))} ({model['name']}): "
        f"{text(model.get('verdict'), NOT_ESTIMABLE)}"
        for model in primary or models
    ]
    others = [model for model in models if primary and not model.get("primary") and model.get("feature_set") != "none"]
    better = [model["name"] for model in others if str(model.get("verdict")).startswith("better than chance")]
    untold = sum(str(model.get("verdict") or NOT_ESTIMABLE).startswith(NOT_ESTIMABLE) for model in others)
    found = f"{len(better)} better than chance ({', '.join(better)})" if better else "none better than chance"
    if untold:
        found = f"{untold} not estimable" + (f", {found}" if untold < len(others) else "")
    further = f" Of {plural(len(others), 'further model')} {found}." if others else ""
    return f"Prediction of response {'; '.join(said)}.{further}"
