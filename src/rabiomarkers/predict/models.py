"""The two models of the trial: ridge logistic on baseline values, and on early changes, of features named in the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.predict.design import Design, FeatureSet, design_matrix
from rabiomarkers.predict.frozen import freeze
from rabiomarkers.predict.guards import honest, refuse_leaks
from rabiomarkers.predict.ridge import Flags, Matrix, fit_ridge
from rabiomarkers.predict.sample_size import riley_sample_size
from rabiomarkers.predict.validate import (
    Validation,
    brier_score,
    constant_brier_score,
    leave_one_out,
    validate,
)
from rabiomarkers.tables.predictions import PERMUTATIONS, PREDICTIONS

FEATURE_SETS: tuple[FeatureSet, ...] = ("baseline", "change")
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class ModelResults:
    """Everything about the models; tables as in `tables.py`."""

    models: list[dict[str, Any]]  # the `models` of summary.json
    predictions: pd.DataFrame  # PREDICTIONS: leave-one-patient-out probabilities
    permutations: pd.DataFrame  # PERMUTATIONS: AUC of every labelling, the observed one first
    frozen: list[dict[str, Any]]  # fitted to all patients; none for a model that cannot be estimated


def fit_models(
    features: pd.DataFrame,
    deltas: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    contrast: Sequence[str],
    names: Sequence[str],
    penalty: float = 1.0,
    permutations: int = 1000,
    maximum_features: int = 5,
    seed: int = 1,
) -> ModelResults:
    """Fit, validate and freeze `ridge_baseline` and `ridge_change`; each also where it cannot be estimated, with the verdict why.

    Parameters
    ----------
    features, deltas, outcomes
        FEATURES, DELTAS and OUTCOMES tables.
    contrast, names, maximum_features
        As in `design_matrix`.
    penalty
        Of the ridge, see `ridge.py`.
    permutations
        Random relabellings where the distinct ones are too many to go through.
    """
    designs = [
        design_matrix(
            features,
            deltas,
            outcomes,
            feature_set=feature_set,
            contrast=contrast,
            names=names,
            maximum_features=maximum_features,
        )
        for feature_set in FEATURE_SETS
    ]
    tested = sum(not why_not_estimable(design) for design in designs)
    parts = [_fit(design, tested, penalty=penalty, permutations=permutations, seed=seed) for design in designs]
    return ModelResults(
        models=[model for part in parts for model in part.models],
        predictions=PREDICTIONS.check(_joined([part.predictions for part in parts])),
        permutations=PERMUTATIONS.check(_joined([part.permutations for part in parts])),
        frozen=[model for part in parts for model in part.frozen],
    )


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def _fit(design: Design, tested: int, *, penalty: float, permutations: int, seed: int) -> ModelResults:
    """One of `tested` models, or the reason why there is none."""
    name = f"ridge_{design.feature_set}"
    facts = _facts(name, design, penalty)
    reason = why_not_estimable(design)
    if reason:
        models = [facts | {"verdict": f"not estimable: {reason}"}]
        return ModelResults(
            models=models, predictions=PREDICTIONS.empty(), permutations=PERMUTATIONS.empty(), frozen=[]
        )
    found, probability = _validated(design, penalty=penalty, permutations=permutations, seed=seed)
    return ModelResults(
        models=[facts | _numbers(facts, design.labels.to_numpy(), found, probability.to_numpy(), tested=tested)],
        predictions=_predictions(name, design, probability),
        permutations=pd.DataFrame({"model": name, "auc": found.null}),
        frozen=[freeze(name, design, penalty=penalty)],
    )


def why_not_estimable(design: Design) -> str:
    """The reason in words why no model of this design can be validated; empty where one can."""
    n, responders = len(design.labels), int(design.labels.sum())
    if not len(design.matrix.columns):
        return "none of the features named in the plan was measured"
    if n == 0:
        return "no patient has both a known response and one of the features"
    if responders == 0:
        return f"no responders among {n} patient{'s' if n > 1 else ''}"
    if responders == n:
        return f"all {n} patients responded" if n > 1 else "the only patient responded"
    if min(responders, n - responders) < 2:
        alone = "one responder" if responders == 1 else "one non-responder"
        return f"{alone} among {n} patients; two of each kind are needed, as a pair is left out"
    if design.matrix.nunique().max() < 2:
        return f"no feature varies between the {n} patients"
    return ""


def _validated(design: Design, *, penalty: float, permutations: int, seed: int) -> tuple[Validation, pd.Series]:
    values, labels = design.matrix.to_numpy(), design.labels.to_numpy()
    learn = partial(fit_ridge, penalty=penalty)
    refuse_leaks(honest(learn), values, labels)
    found = validate(values, labels, learn, permutations=permutations, seed=seed)
    return found, pd.Series(leave_one_out(values, labels, learn), index=design.matrix.index)


def _facts(name: str, design: Design, penalty: float) -> dict[str, Any]:
    """What is known of a model whether or not it can be estimated; every number of the contract is there, empty."""
    n, responders, predictors = len(design.labels), int(design.labels.sum()), len(design.matrix.columns)
    riley = None
    if predictors and 0 < responders < n:
        riley = riley_sample_size(predictors=predictors, prevalence=responders / n).needed
    unknown = ("auc", "auc_method", "p_value", "p_count", "p_total", "p_floor", "null_mean", "brier", "brier_constant")
    return dict.fromkeys(unknown) | {
        "name": name,
        "feature_set": design.feature_set,
        "n": n,
        "responders": responders,
        "features": list(design.matrix.columns),
        "units": dict(design.units),
        "missing_values": int(design.matrix.isna().to_numpy().sum()),
        "penalty": penalty,
        "riley_n": riley,
        "separable": None,
        "left_out": [dict(patient) for patient in design.left_out],
        "refused": [dict(feature) for feature in design.refused],
    }


def _numbers(
    facts: Mapping[str, Any], labels: Flags, found: Validation, probability: Matrix, *, tested: int
) -> dict[str, Any]:
    conclusion = verdict(found, n=facts["n"], responders=facts["responders"], riley_n=facts["riley_n"], tested=tested)
    return {
        "auc": found.auc,
        "auc_method": found.auc_method,
        "p_value": found.p_value,
        "p_count": found.p_count,
        "p_total": found.p_total,
        "p_floor": found.p_floor,
        "null_mean": found.null_mean,
        "brier": brier_score(labels, probability),
        "brier_constant": constant_brier_score(labels),
        "separable": found.auc == 1.0,
        "verdict": conclusion,
    }


def verdict(found: Validation, *, n: int, responders: int, riley_n: int, tested: int = 1) -> str:
    """What may be concluded, in words that go on from "the model is"; p is not corrected for the number of models `tested`."""
    chance = f"p = {found.p_count}/{found.p_total}"
    if found.p_floor > LEVEL:
        floor = f"{found.p_floor:.2g}"
        return (
            f"not testable: {responders} responders among {n} patients cannot reach {LEVEL:g}, the smallest possible p is "
            f"{floor} ({chance})"
        )
    if found.p_value > LEVEL:
        return f"not distinguishable from chance at n = {n} ({chance})"
    needs = (
        f"{n} of the {riley_n} patients a stable model needs" if n < riley_n else f"{n} patients, {riley_n} are needed"
    )
    separated = (
        "; every left-out pair is ordered rightly, so how strong the effect is cannot be told" if found.auc == 1 else ""
    )
    others = f"; {tested} models were tested, and p is of this one alone" if tested > 1 else ""
    return f"better than chance in this cohort ({chance}), exploratory: {needs}{separated}{others}"


def _predictions(name: str, design: Design, probability: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": design.matrix.index.to_numpy(),
            "model": name,
            "feature_set": design.feature_set,
            "probability": probability.to_numpy(dtype=np.float64),
            "responder": design.labels.to_numpy(),
        }
    )


def model_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    names: Sequence[str],
    penalty: float = 1.0,
    permutations: int = 1000,
    maximum_features: int = 5,
    seed: int = 1,
) -> Info:
    """Write `predictions.parquet`, `permutations.parquet`, `models.json` and `frozen.json`.

    `inputs`: `features`, `deltas`, `outcomes`, as parquet.
    """
    results = fit_models(
        read_table(inputs["features"]),
        read_table(inputs["deltas"]),
        read_table(inputs["outcomes"]),
        contrast=contrast,
        names=names,
        penalty=penalty,
        permutations=permutations,
        maximum_features=maximum_features,
        seed=seed,
    )
    write_table(results.predictions, out / "predictions.parquet")
    write_table(results.permutations, out / "permutations.parquet")
    write_json(results.models, out / "models.json")
    write_json(results.frozen, out / "frozen.json")
    return {"models": len(results.frozen)}
