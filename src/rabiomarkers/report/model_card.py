"""The card of a model: one page of Markdown that travels with its frozen file."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.files import Info, read_json, read_table
from rabiomarkers.predict.card import overall, probast_ratings, tripod_items, what_not_to_conclude
from rabiomarkers.predict.learning_curve import learning_sentence
from rabiomarkers.report.words import number, percent, present

MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})

KINDS = {
    "none": "no feature: only the number of responders",
    "baseline": "values before treatment",
    "change": "changes under treatment",
    "both": "values before treatment and their changes",
}


def model_card(
    model: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    judged: bool,
    coefficients: pd.DataFrame,
    learning: str = "",
) -> str:
    """Markdown: what the model is, what it is worth, what must not be concluded; the same facts give the same text.

    Parameters
    ----------
    model, summary
        An entry of `models` of summary.json, and all of it.
    judged
        Whether responses were judged from lesions in this run.
    coefficients
        COEFFICIENTS, this model's rows or those of all.
    learning
        How many patients until the verdict could change, in words.
    """
    tried = sum(present(other.get("auc")) for other in summary.get("models") or [])
    ratings = probast_ratings(model, summary, judged=judged, tried=tried)
    own = coefficients[coefficients["model"] == model["name"]]
    parts = [
        f"# Model card: {plain_text(model['name'])}",
        f"**Verdict: the model is {plain_text(model.get('verdict') or 'not judged')}.**",
        _list("What must not be concluded", [f"{line}." for line in what_not_to_conclude(model)]),
        _table("What it is", ("", ""), _identity(model, summary)),
        _table("Features", ("feature", "unit", "centre", "spread", "log odds per spread"), _features(model, own)),
        _table("What it is worth", ("", ""), _worth(model)),
        _table("Guards that ran on it", ("guard", "what it tries", "folds", "found"), _guards(model)),
        _list("Patients", _patients(model)),
        f"## More patients\n\n{plain_text(learning) or 'No larger trial was simulated for this model.'}",
        _table(
            f"Risk of bias by our own rating (PROBAST+AI): {overall(ratings)}",
            ("part", "domain", "risk", "because"),
            [(rating.part, rating.domain, rating.risk, rating.because) for rating in ratings],
        ),
        _table(
            "TRIPOD+AI",
            ("item", "topic", "answer"),
            [(item.number, item.topic, item.answer) for item in tripod_items(model, summary, judged=judged)],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def plain_text(value: object) -> str:
    """Text that Markdown and HTML show as it stands, in one line."""
    return " ".join(str(value).split()).translate(MARKDOWN)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(plain_text(cell) for cell in row) + " |" for row in rows]
    head = f"## {plain_text(title)}"
    if not lines:
        return f"{head}\n\nNone."
    return "\n".join([head, "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns), *lines])


def _list(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {plain_text(title)}", "", *(f"- {plain_text(line)}" for line in lines)])


def _identity(model: Mapping[str, Any], summary: Mapping[str, Any]) -> list[tuple[str, object]]:
    plan = summary.get("plan") or {}
    return [
        ("study", summary.get("study", "")),
        ("kind", model.get("model", "ridge")),
        (
            "options",
            ", ".join(f"{name} {value}" for name, value in sorted((model.get("options") or {}).items())) or "none",
        ),
        ("knows", KINDS.get(str(model.get("feature_set")), "")),
        ("place in the plan", "the primary model" if model.get("primary") else "not the primary model"),
        ("hash of the plan", plan.get("hash", "")),
        ("meant for", "research; not for decisions about a patient"),
        ("output", "probability of an objective response"),
        ("applied by", "rabiomarkers predict RESULTS STUDY, which refits nothing and refuses what does not fit"),
    ]


def _features(model: Mapping[str, Any], own: pd.DataFrame) -> list[tuple[object, ...]]:
    learnt = own.set_index("feature")
    units = model.get("units") or {}
    rows = []
    for name in model.get("features") or []:
        numbers = [learnt[column].get(name) for column in ("centre", "spread", "log_odds")]
        rows.append((name, units.get(name, ""), *(number(value) if present(value) else "none" for value in numbers)))
    return rows


def _worth(model: Mapping[str, Any]) -> list[tuple[str, object]]:
    absent = str(model.get("verdict") or "not estimable")

    def told(name: str, why: str = absent) -> str:
        if not present(model.get(name)):
            return why
        low, high = model.get(f"{name}_low"), model.get(f"{name}_high")
        between = f" (95 % {number(low)} to {number(high)})" if present(low) and present(high) else ""
        return f"{number(model[name])}{between}"

    calibration = str(model.get("calibration_note") or absent)
    bootstrap = "95 %, bootstrap of patients"
    chance = (
        f"{number(model['p_value'])} ({model['p_count']} of {model['p_total']} relabellings)"
        if present(model.get("p_value"))
        else absent
    )
    return [
        ("AUC", told("auc")),
        ("how", model.get("auc_method") or "not validated"),
        (
            "about the interval",
            model.get("interval_note") or (bootstrap if present(model.get("auc")) else absent),
        ),
        ("AUC by chance", told("null_mean")),
        ("p, one-sided", chance),
        ("smallest p possible", told("p_floor")),
        ("p corrected for the models that are not primary", told("p_corrected", "does not apply")),
        ("Brier score", told("brier")),
        ("Brier score of a constant forecast", told("brier_constant")),
        ("log loss", told("log_loss")),
        ("log loss of a constant forecast", told("log_loss_constant")),
        ("calibration intercept", told("calibration_intercept", calibration)),
        ("calibration slope", told("calibration_slope", calibration)),
        ("AUC, each batch by the others", told("auc_left_out_batch", str(model.get("batch_note") or absent))),
    ]


def _guards(model: Mapping[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            guard["guard"],
            guard.get("words", ""),
            guard.get("folds", ""),
            "; ".join(guard.get("findings") or []) or "nothing",
        )
        for guard in model.get("guards") or []
    ]


def _patients(model: Mapping[str, Any]) -> list[str]:
    n, responders = model.get("n") or 0, model.get("responders") or 0
    told = [f"{n} patients, {responders} responders" + (f" ({percent(responders / n)})" if n else "")]
    left_out = model.get("left_out") or []
    reasons = sorted({str(entry["reason"]) for entry in left_out})
    told += [f"left out: {sum(entry['reason'] == reason for entry in left_out)}, {reason}" for reason in reasons]
    told.append(f"{model.get('missing_values') or 0} values missing, filled in within each fold")
    if present(model.get("riley_n")):
        criteria = ", ".join(f"{value} by {name}" for name, value in (model.get("riley") or {}).items())
        told.append(f"a stable model needs {model['riley_n']} (Riley et al. 2019{f': {criteria}' if criteria else ''})")
    return told


def card_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `<name>.md` for every model, also for those that could not be estimated.

    `inputs`: `summary` (JSON), the tables `coefficients` and `learning_curve`, and where the study has it `sums`.
    """
    summary = read_json(inputs["summary"])
    coefficients = read_table(inputs["coefficients"])
    judged = "sums" in inputs and not read_table(inputs["sums"]).empty
    curves = read_table(inputs["learning_curve"])
    models = summary.get("models") or []
    for model in models:
        text = model_card(
            model,
            summary,
            judged=judged,
            coefficients=coefficients,
            learning=learning_sentence(curves[curves["model"] == model["name"]]),
        )
        (out / f"{model['name']}.md").write_text(text, encoding="utf-8")
    return {"cards": len(models)}
