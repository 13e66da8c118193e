"""One model of response from its design to its facts: guarded, validated, described, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from rabiomarkers.errors import PredictionError
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.predict.design import Design, design_matrix, without_features
from rabiomarkers.predict.frozen import Frozen, freeze, write_frozen
from rabiomarkers.predict.guards import guard, refuse_leaks
from rabiomarkers.predict.learners import Matrix, learner_of
from rabiomarkers.predict.performance import calibration_table, decision_curve, performance
from rabiomarkers.predict.registry import MODELS, build_model
from rabiomarkers.predict.sample_size import riley_sample_size
from rabiomarkers.predict.validate import (
    Validation,
    leave_batch_out,
    out_of_fold,
    validate,
)
from rabiomarkers.predict.verdict import why_not_estimable
from rabiomarkers.tables.predictions import OF_A_MODEL

FROZEN = "model.skops"
NUMBERS = [
    "auc",
    "auc_low",
    "auc_high",
    "interval_note",
    "auc_method",
    "p_value",
    "p_count",
    "p_total",
    "p_floor",
    "null_mean",
    "brier",
    "brier_low",
    "brier_high",
    "brier_constant",
    "log_loss",
    "log_loss_constant",
    "calibration_intercept",
    "calibration_intercept_low",
    "calibration_intercept_high",
    "calibration_slope",
    "calibration_slope_low",
    "calibration_slope_high",
    "calibration_note",
    "auc_left_out_batch",
    "brier_left_out_batch",
    "batch_note",
]
"""What a validated model has, each empty where it cannot be told."""

REFERENCE = "the reference: it knows only how many of the other patients respond, and cannot tell two of them apart"


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a model is, as the plan names it."""

    name: str
    kind: str  # a name in `MODELS`
    feature_set: Literal["none", "baseline", "change", "both"]
    options: Mapping[str, Any] = field(default_factory=dict)
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelResult:
    """Everything about one model."""

    facts: dict[
        str, Any
    ]  # its entry of `models` in summary.json, but for `p_corrected`; no `verdict` yet if it was validated
    tables: dict[str, pd.DataFrame]  # by the names of `OF_A_MODEL`
    frozen: Frozen | None  # fitted to all patients; none for a model that cannot be estimated


def fit_model(
    spec: ModelSpec,
    design: Design,
    *,
    batches: pd.Series | None = None,
    permutations: int = 1000,
    bootstraps: int = 2000,
    seed: int = 1,
) -> ModelResult:
    """Guard, validate and freeze one model; where it cannot be estimated its verdict says why.

    Parameters
    ----------
    design
        Of the model's feature set.
    batches
        Batch of each patient, by patient; each batch is forecast by a model of the others. None: they are one batch.
    permutations
        Random relabellings where the distinct ones are too many to go through.
    bootstraps
        Draws of patients behind the intervals.

    Raises
    ------
    PredictionError
        The kind is not registered or does not take the options, or a guard found a leak.
    """
    facts = model_facts(spec, design)
    reason = why_not_estimable(design) or _too_few(spec, design)
    if reason:
        return ModelResult(facts=facts | {"verdict": f"not estimable: {reason}"}, tables=_tables(spec), frozen=None)
    columns = tuple(design.matrix.columns)
    estimator = build_model(spec.kind, columns, spec.options)
    values = design.matrix.to_numpy() if columns else np.zeros((len(design.labels), 1))
    labels = design.labels.to_numpy()
    learn = learner_of(estimator)
    if spec.feature_set == "none":
        probability = out_of_fold(values, labels, learn, seed=seed)
        told = performance(labels, probability, bootstraps=bootstraps, seed=seed)
        tables = _tables(spec, predictions=_predictions(design, probability))
        return ModelResult(facts=facts | told | {"verdict": REFERENCE}, tables=tables, frozen=None)
    guards = guard(estimator, values, labels, patients=list(design.labels.index), seed=seed)
    refuse_leaks(guards)
    found = validate(values, labels, learn, permutations=permutations, seed=seed)
    probability = out_of_fold(values, labels, learn, seed=seed)
    told = performance(labels, probability, found, bootstraps=bootstraps, seed=seed)
    elsewhere = leave_batch_out(values, labels, learn, _batches(batches, design))
    frozen = freeze(spec.name, design, estimator, kind=spec.kind)
    return ModelResult(
        facts=facts
        | told
        | _validation_facts(found)
        | {
            "guards": guards.records(),
            "auc_left_out_batch": elsewhere.auc,
            "brier_left_out_batch": elsewhere.brier,
            "batch_note": elsewhere.note,
        },
        tables=_tables(
            spec,
            predictions=_predictions(design, probability),
            permutations=pd.DataFrame({"auc": found.null}),
            coefficients=_coefficients(frozen.estimator, design),
            calibration=calibration_table(labels, probability),
            decision_curve=decision_curve(labels, probability),
            batch_validation=elsewhere.table,
        ),
        frozen=frozen,
    )


def model_facts(spec: ModelSpec, design: Design) -> dict[str, Any]:
    """What is known of a model whether or not it can be estimated; every number is there, empty."""
    n, responders, predictors = len(design.labels), int(design.labels.sum()), len(design.matrix.columns)
    riley = None
    if predictors and 0 < responders < n:
        riley = riley_sample_size(predictors=predictors, prevalence=responders / n)
    return dict.fromkeys(NUMBERS) | {
        "name": spec.name,
        "model": spec.kind,
        "feature_set": spec.feature_set,
        "primary": spec.primary,
        "options": dict(spec.options),
        "n": n,
        "responders": responders,
        "features": list(design.matrix.columns),
        "units": dict(design.units),
        "missing_values": int(design.matrix.isna().to_numpy().sum()),
        "riley_n": riley.needed if riley else None,
        "riley": {name: getattr(riley, name) for name in ("shrinkage", "optimism", "prevalence")} if riley else None,
        "guards": [],
        "left_out": [dict(patient) for patient in design.left_out],
        "refused": [dict(feature) for feature in design.refused],
        "verdict": "",
    }


def _too_few(spec: ModelSpec, design: Design) -> str:
    """Why this kind of model is not fitted to so few patients or columns; empty where it is."""
    kind = MODELS.get(spec.kind)
    n = len(design.labels)
    if kind is not None and n < kind.least_patients:
        return f"{spec.kind} needs {kind.least_patients} patients, there are {n}"
    return ""


def _batches(batches: pd.Series | None, design: Design) -> list[str | None]:
    if batches is None:
        return ["all"] * len(design.labels)
    return [None if pd.isna(batch) else str(batch) for batch in batches.reindex(design.labels.index)]


def _validation_facts(found: Validation) -> dict[str, Any]:
    names = ("auc", "auc_method", "p_value", "p_count", "p_total", "p_floor", "null_mean")
    return {name: getattr(found, name) for name in names}


def _predictions(design: Design, probability: Matrix) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": design.labels.index.to_numpy(),
            "feature_set": design.feature_set,
            "probability": probability,
            "responder": design.labels.to_numpy(),
        }
    )


def _coefficients(estimator: BaseEstimator, design: Design) -> pd.DataFrame:
    """Log odds for one spread of each column, where the fitted estimator has them on that scale."""
    columns = list(design.matrix.columns)
    values = design.matrix
    slopes = np.ravel(getattr(estimator, "coef_", np.empty(0)))
    return pd.DataFrame(
        {
            "feature": columns,
            "unit": [design.units[column] for column in columns],
            "centre": values.mean().to_numpy(),
            "spread": values.std(ddof=0).to_numpy(),
            "log_odds": slopes if len(slopes) == len(columns) else np.nan,
        }
    )


def _tables(spec: ModelSpec, **filled: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All tables of a model, those without rows too, with its name in each row."""
    return {
        name: table.check(filled[name].assign(model=spec.name))
        if name in filled and len(filled[name])
        else table.empty()
        for name, table in OF_A_MODEL.items()
    }


def batches_of(samples: pd.DataFrame) -> pd.Series:
    """Batch of each patient, by patient: that of their samples, or all of them joined by " + " where they are of several."""
    used = samples[["patient_id", "batch"]].drop_duplicates().sort_values(["patient_id", "batch"])
    return used.groupby("patient_id")["batch"].agg(" + ".join)


def model_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    model: Mapping[str, Any],
    primary: bool,
    planned: Sequence[str],
    contrast: Sequence[str],
    penalty: float = 1.0,
    permutations: int = 1000,
    maximum_features: int = 5,
    bootstraps: int = 2000,
    seed: int = 1,
) -> Info:
    """Write `model.json`, the tables of `OF_A_MODEL`, and `model.skops` if there is a model to freeze.

    `inputs`: `features`, `deltas`, `outcomes`, `samples`, as parquet.

    Parameters
    ----------
    model
        `name, kind, feature_set, features, compartment, options` of the plan.
    planned
        Features of a model that names none itself.
    penalty
        Of a kind that shrinks, where the options name none.
    """
    kind = MODELS.get(model["kind"])
    if kind is None:
        raise PredictionError(f"There is no kind of model {model['kind']!r}; there are {', '.join(sorted(MODELS))}.")
    options = ({"penalty": penalty} if "penalty" in kind.options else {}) | dict(model["options"])
    spec = ModelSpec(
        name=model["name"], kind=model["kind"], feature_set=model["feature_set"], options=options, primary=primary
    )
    outcomes = read_table(inputs["outcomes"])
    design = without_features(outcomes)
    if spec.feature_set != "none":
        design = design_matrix(
            read_table(inputs["features"]),
            read_table(inputs["deltas"]),
            outcomes,
            feature_set=spec.feature_set,
            contrast=contrast,
            names=list(model["features"]) or list(planned),
            compartment=model["compartment"],
            maximum_features=min(maximum_features, kind.most_columns or maximum_features),
        )
    result = fit_model(
        spec,
        design,
        batches=batches_of(read_table(inputs["samples"])),
        permutations=permutations,
        bootstraps=bootstraps,
        seed=seed,
    )
    for name, table in result.tables.items():
        write_table(table, out / f"{name}.parquet")
    write_json(result.facts, out / "model.json")
    if result.frozen is not None:
        write_frozen(result.frozen, out / FROZEN)
    return {"patients": result.facts["n"], "estimated": result.facts["auc"] is not None}
