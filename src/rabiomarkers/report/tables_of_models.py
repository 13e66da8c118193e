"""The models in tables: side by side, their guards, their batches, their forecasts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid
from rabiomarkers.report.labels import plain
from rabiomarkers.report.words import (
    DASH,
    absent,
    in_natural_order,
    natural,
    number,
    percent,
    plural,
    present,
    text,
    whole,
    yes_no,
)

type Models = Sequence[Mapping[str, Any]]

KNOWS = {"none": "nothing", "baseline": "before treatment", "change": "change", "both": "before and change"}


def model_table(models: Models) -> Grid:
    """One row a model: what it knows, how well it orders patients, what may be concluded."""
    ranked = sorted(models, key=lambda model: not model.get("primary"))
    return Grid(
        caption=f"The models side by side ({plural(len(models), 'model')})",
        columns=("model", "knows", "patients", "AUC", "p", "Brier score", "verdict"),
        rows=[
            (
                text(model.get("name")) + (" (primary)" if model.get("primary") else ""),
                text(KNOWS.get(str(model.get("feature_set")))),
                f"{whole(model.get('n'))}, {plural(model.get('responders'), 'responder')}",
                _with_interval(model),
                _p(model),
                _brier(model),
                text(model.get("verdict"), absent()),
            )
            for model in ranked
        ],
        note=_interval_note(models),
    )


def _with_interval(model: Mapping[str, Any]) -> str:
    if not present(model.get("auc")):
        return DASH
    low, high = model.get("auc_low"), model.get("auc_high")
    between = f" ({number(low)} to {number(high)})" if present(low) and present(high) else ""
    return f"{number(model['auc'])}{between}"


def _p(model: Mapping[str, Any]) -> str:
    if not present(model.get("p_value")):
        return DASH
    corrected = f"; corrected {number(model['p_corrected'])}" if present(model.get("p_corrected")) else ""
    return f"{number(model['p_value'])} ({_counts(model)}){corrected}"


def _counts(model: Mapping[str, Any]) -> str:
    return f"{text(model.get('p_count'), '?')} of {text(model.get('p_total'), '?')}"


def _interval_note(models: Models) -> str:
    notes = sorted({str(model["interval_note"]) for model in models if model.get("interval_note")})
    told = "; ".join(notes)
    return f"In brackets: AUC with its 95 % interval{f', {told}' if told else ''}; p as a count of relabellings."


def all_about(models: Models) -> Grid:
    """One column a model: what it is made of, what it is worth."""
    told = [_told(model) for model in models]
    note = (
        "Patients needed: by Riley et al., for a model whose performance would hold up elsewhere. With fewer, everything here "
        "is exploratory. AUC by chance is the mean over the relabellings."
    )
    return Grid(
        caption="All about each model",
        columns=("", *(text(model.get("name")) for model in models)),
        rows=[(line, *(column[line] for column in told)) for line in told[0]],
        note=note,
        collapsed=True,
    )


def _told(model: Mapping[str, Any]) -> dict[str, str]:
    """The lines of one model; its verdict says why a number below is absent."""
    by = f", {text(model.get('auc_method'), 'method not stated')}"
    options = ", ".join(f"{name} {value}" for name, value in sorted((model.get("options") or {}).items()))
    return {
        "verdict": text(model.get("verdict"), absent()),
        "kind": f"{text(model.get('model'), 'ridge')}{f' ({options})' if options else ''}",
        "feature set": text(model.get("feature_set")),
        "features": _features(model.get("features")),
        "features refused": _reasons(model.get("refused"), "feature"),
        "patients": f"{whole(model.get('n'))}, of them {plural(model.get('responders'), 'responder')}",
        "patients left out": _reasons(model.get("left_out"), "patient_id"),
        "missing values": f"{whole(model.get('missing_values'))}, filled in within each fold",
        "patients needed": whole(model["riley_n"]) if present(model.get("riley_n")) else DASH,
        "AUC": f"{_with_interval(model)}{by}" if present(model.get("auc")) else DASH,
        "AUC by chance": number(model["null_mean"]) if present(model.get("null_mean")) else DASH,
        "p": f"{number(model['p_value'])} ({_counts(model)} relabellings)" if present(model.get("p_value")) else DASH,
        "p corrected": number(model["p_corrected"]) if present(model.get("p_corrected")) else DASH,
        "Brier score": _brier(model),
        "log loss": _against(model, "log_loss", "log_loss_constant"),
        "calibration slope": _calibration(model),
        "AUC, each batch by the others": _elsewhere(model),
    }


def _brier(model: Mapping[str, Any]) -> str:
    return _against(model, "brier", "brier_constant")


def _against(model: Mapping[str, Any], name: str, constant: str) -> str:
    if not present(model.get(name)):
        return DASH
    reference = model.get(constant)
    return number(model[name]) + (f" (constant forecast: {number(reference)})" if present(reference) else "")


def _calibration(model: Mapping[str, Any]) -> str:
    if not present(model.get("calibration_slope")):
        return text(model.get("calibration_note"), DASH)
    low, high = (number(model.get(f"calibration_slope_{end}")) for end in ("low", "high"))
    return f"{number(model['calibration_slope'])} ({low} to {high})"


def _elsewhere(model: Mapping[str, Any]) -> str:
    if not present(model.get("auc_left_out_batch")):
        return text(model.get("batch_note"), DASH)
    return number(model["auc_left_out_batch"])


def _features(features: Any) -> str:
    """Each feature with its compartment, ``tumour:NLR`` as in the frozen model, in plain words behind."""
    names = [str(name) for name in features] if isinstance(features, list | tuple) else []
    told = [(name, plain(name.partition(":")[2] or name)) for name in names]
    return "; ".join(f"{name} ({said})" if said else name for name, said in told) or "none"


def _reasons(entries: Any, name: str) -> str:
    """Who or what was left out, by reason: thirty patients without a sample are one reason."""
    by_reason: dict[str, list[str]] = {}
    for entry in entries or []:
        by_reason.setdefault(str(entry["reason"]), []).append(str(entry[name]))
    return (
        "; ".join(
            f"{reason}: {len(names)} ({', '.join(sorted(names, key=natural))})" for reason, names in by_reason.items()
        )
        or "none"
    )


def guard_table(models: Models) -> list[Block]:
    """Which guards ran on which model, on how many folds; a run in which one finds a leak has no result."""
    rows = [
        (
            text(model.get("name")),
            text(guard.get("guard")),
            text(guard.get("words")),
            whole(guard.get("folds")),
            "; ".join(map(str, guard.get("findings") or [])) or "nothing",
        )
        for model in models
        for guard in model.get("guards") or []
    ]
    if not rows:
        return []
    return [
        Grid(
            caption=f"Guards against leaks: {plural(len(rows), 'check')}, "
            + ("none found any" if all(row[-1] == "nothing" for row in rows) else "SOME FOUND A LEAK"),
            columns=("model", "guard", "what it tries", "folds", "found"),
            rows=rows,
            collapsed=True,
        )
    ]


def batch_table(batches: pd.DataFrame) -> list[Block]:
    """Each batch forecast by a model of the others, where there are several."""
    if batches["batch"].nunique() < 2:
        return []
    rows = [
        (
            text(row["model"]),
            text(row["batch"]),
            f"{whole(row['n'])}, {plural(row['responders'], 'responder')}",
            number(row["auc"]) if present(row["auc"]) else DASH,
            number(row["brier"]) if present(row["brier"]) else DASH,
            text(row["note"]),
        )
        for _, row in in_natural_order(batches, "model", "batch").iterrows()
    ]
    return [
        Grid(
            caption="Each batch forecast by a model of the other batches",
            columns=("model", "batch", "patients", "AUC", "Brier score", "note"),
            rows=rows,
            collapsed=True,
        )
    ]


def prediction_table(predictions: pd.DataFrame) -> Grid:
    """Every out-of-fold probability."""
    rows = [
        (text(row["patient_id"]), text(row["model"]), percent(row["probability"]), yes_no(row["responder"]))
        for _, row in in_natural_order(predictions, "model", "patient_id").iterrows()
    ]
    return Grid(
        caption=f"Out-of-fold probability of response ({len(rows)} predictions)",
        columns=("patient", "model", "probability", "responder"),
        rows=rows,
        note="" if rows else "No patient could be predicted.",
        collapsed=bool(rows),
    )
