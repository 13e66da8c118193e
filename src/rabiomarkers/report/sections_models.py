"""The part of the report about prediction: what each model is worth, and how little that can be known."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.null_distribution import null_distribution
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

FITTED = (
    "Centring, scaling, imputation and the coefficients were fitted inside each fold, on the other patients only; the features "
    "are those the plan names, none is chosen by its result. Each relabelling repeats the whole procedure."
)
CALIBRATION = (
    "Calibration is not estimable at this size: a slope drawn from a handful of responders says nothing. The Brier score beside "
    "that of a constant forecast is all that can be given."
)

PROBAST = (
    ("participants", "low", "one trial, every enrolled patient in the ledger with a reason where a sample is absent"),
    ("predictors", "low", "computed without the outcome, within each sample; named in the plan"),
    (
        "analysis",
        "high",
        "far fewer patients than a stable model needs, no external validation, calibration not estimable",
    ),
)

OUTCOME_JUDGED = ("outcome", "low", "RECIST 1.1 by fixed rules from the lesion table, the same for all patients")
OUTCOME_GIVEN = (
    "outcome",
    "unclear",
    "responses taken as the study gives them; how they were judged is not known here",
)

TRIPOD = (
    ("source of data, participants", "the trial in numbers; ledger.csv"),
    ("outcome and how it was judged", "methods; outcomes.csv"),
    ("predictors and when they were measured", "methods; features.parquet"),
    ("sample size and how it was arrived at", "table of models: patients beside the number a stable model needs"),
    ("missing data", "ledger.csv, each with its reason"),
    ("model specification", "models/frozen.json: coefficients, centres, scales"),
    ("performance", "table of models; predictions.csv, out of fold; permutations.parquet"),
    ("how it can be applied", "the command rabiomarkers predict RESULTS STUDY, which refits nothing"),
)


def model_section(data: ReportData) -> Section:
    """Null distribution and verdict of each model, and a rating of the whole by PROBAST+AI."""
    models: Sequence[Mapping[str, Any]] = data.summary.get("models") or []
    if not models:
        said = Prose(text="Not estimable: no model could be fitted to this study.")
        return Section(name="models", title="Can biomarkers tell who responds?", blocks=[said])
    blocks: list[Block] = [
        Prose(
            text="Two questions kept apart: what can be told before treatment (baseline), and what the change under treatment "
            "tells (change). Every probability is for a patient the model had not seen."
        )
    ]
    for index, model in enumerate(models, start=1):
        blocks.append(
            Picture(
                name=f"null-{index}",
                caption=f"{text(model.get('name'))}: {text(model.get('verdict'), absent())}. The bars are what the same "
                "procedure gives when the responses are dealt out at random.",
                content=null_distribution(data.permutations, model),
            )
        )
    blocks += [
        _model_table(models),
        Prose(text=f"{FITTED} {CALIBRATION}"),
        _prediction_table(data.predictions),
        _rating(judged=not data.sums.empty),
        _items(),
    ]
    return Section(name="models", title="Can biomarkers tell who responds?", blocks=blocks)


def _model_table(models: Sequence[Mapping[str, Any]]) -> Grid:
    """One column a model: what it is made of, what it is worth."""
    told = [_told(model) for model in models]
    note = (
        "Patients needed: by Riley et al., for a model whose performance would hold up elsewhere. With fewer, everything here "
        "is exploratory. AUC by chance is the mean over the relabellings."
    )
    return Grid(
        caption="The models",
        columns=("", *(text(model.get("name")) for model in models)),
        rows=[(line, *(column[line] for column in told)) for line in told[0]],
        note=note,
    )


def _told(model: Mapping[str, Any]) -> dict[str, str]:
    """The lines of one model; its verdict says why a number below is absent."""
    counts = f"{text(model.get('p_count'), '?')} of {text(model.get('p_total'), '?')} relabellings"
    by = f", {text(model.get('auc_method'), 'method not stated')}"
    return {
        "verdict": text(model.get("verdict"), absent()),
        "feature set": text(model.get("feature_set")),
        "features": _features(model.get("features")),
        "features refused": _reasons(model.get("refused"), "feature"),
        "patients": f"{whole(model.get('n'))}, of them {plural(model.get('responders'), 'responder')}",
        "patients left out": _reasons(model.get("left_out"), "patient_id"),
        "missing values": f"{whole(model.get('missing_values'))}, filled in within each fold",
        "patients needed": whole(model["riley_n"]) if present(model.get("riley_n")) else DASH,
        "AUC": f"{number(model['auc'])}{by}" if present(model.get("auc")) else DASH,
        "AUC by chance": number(model["null_mean"]) if present(model.get("null_mean")) else DASH,
        "p": f"{number(model['p_value'])} ({counts})" if present(model.get("p_value")) else DASH,
        "Brier score": _brier(model),
    }


def _brier(model: Mapping[str, Any]) -> str:
    if not present(model.get("brier")):
        return DASH
    constant = model.get("brier_constant")
    return f"{number(model['brier'])}" + (f" (constant forecast: {number(constant)})" if present(constant) else "")


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


def _prediction_table(predictions: pd.DataFrame) -> Grid:
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


def _rating(*, judged: bool) -> Grid:
    return Grid(
        caption="Risk of bias by our own rating (PROBAST+AI)",
        columns=("domain", "risk", "because"),
        rows=[*PROBAST[:2], OUTCOME_JUDGED if judged else OUTCOME_GIVEN, *PROBAST[2:]],
        note="Overall: high, by the analysis domain. No model here is ready for use in patients.",
        collapsed=True,
    )


def _items() -> Grid:
    return Grid(
        caption="Where to find what TRIPOD+AI asks for", columns=("item", "answered by"), rows=TRIPOD, collapsed=True
    )
