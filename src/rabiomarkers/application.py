"""Frozen models of one study, applied to the patients of another; nothing is fitted again."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, PredictionError, Problem
from rabiomarkers.files import read_table, write_csv
from rabiomarkers.pipeline import join_batches, process_batch
from rabiomarkers.predict.design import Design, design_matrix
from rabiomarkers.predict.frozen import apply_frozen
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.results import open_results
from rabiomarkers.store import Store
from rabiomarkers.study import Study

COLUMNS = ["patient_id", "model", "feature_set", "probability", "distance", "note"]


def predict_study(results: Path, study: Study, store: Store, out: Path, *, progress: Progress = SILENT) -> pd.DataFrame:
    """Probability of response of each patient of the study, by each frozen model of the results; written to the CSV `out`.

    `distance` says how far a patient lies from those the model was trained on: the root mean square of the standardised
    features it has, about 1 for a typical training patient. A patient or a model without a probability has the reason in `note`.

    Raises
    ------
    ResultsError
        `results` is no results folder.
    InputError
        A file of the study cannot be used, or `out` is a folder.
    """
    trained = open_results(results)
    if out.is_dir():
        raise InputError(
            [Problem(file=out.name, found="a folder", expected="a CSV file", remedy="name a file with --out")]
        )
    models = trained.frozen_models
    verdicts = {model["name"]: model["verdict"] for model in trained.summary["models"]}
    batches = [process_batch(study, batch, store, progress=progress) for batch in study.batches()]
    joined, changes = join_batches(study, batches, store, progress=progress)
    features, deltas = read_table(joined.file("features.parquet")), read_table(changes.file("deltas.parquet"))
    rows = [
        row
        for model in models
        for row in _apply(model, study, features, deltas, verdicts.get(model["name"], "not judged"))
    ]
    rows += [_unfitted(name, verdict) for name, verdict in verdicts.items() if name not in {m["name"] for m in models}]
    table = pd.DataFrame(rows, columns=COLUMNS)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    write_csv(table, draft)
    draft.replace(out)
    return table


def _apply(
    model: Mapping[str, Any], study: Study, features: pd.DataFrame, deltas: pd.DataFrame, verdict: str
) -> Iterator[dict[str, Any]]:
    """One row a patient of the study's sheet, also of those without any of the model's features."""
    design = design_matrix(
        features,
        deltas,
        None,
        feature_set=model["feature_set"],
        contrast=study.settings.contrast,
        names=model["features"],
        maximum_features=len(model["features"]),
    )
    shared = {"model": model["name"], "feature_set": model["feature_set"]}
    try:
        probability = apply_frozen(model, design)
    except PredictionError as error:
        yield from (_row(patient, shared, note=str(error)) for patient in sorted(study.patients["patient_id"]))
        return
    distance = training_distance(model, design)
    for patient in sorted(study.patients["patient_id"]):
        if patient in probability.index:
            yield _row(patient, shared, probability[patient], distance[patient], f"{model['name']} was {verdict}")
        else:
            yield _row(patient, shared, note="none of the model's features was measured in this patient")


def training_distance(model: Mapping[str, Any], design: Design) -> pd.Series:
    """Root mean square of the patient's features, standardised by the training centre and scale; by patient, no unit."""
    values = design.matrix[list(model["features"])].to_numpy(dtype=float)
    standardised = (values - np.array(model["centres"])) / np.array(model["scales"])
    return pd.Series(np.sqrt(np.nanmean(standardised**2, axis=1)), index=design.matrix.index)


def _row(
    patient: str, shared: Mapping[str, str], probability: float = np.nan, distance: float = np.nan, note: str = ""
) -> dict[str, Any]:
    return {"patient_id": patient, **shared, "probability": probability, "distance": distance, "note": note}


def _unfitted(name: str, verdict: str) -> dict[str, Any]:
    return _row("", {"model": name, "feature_set": name.rsplit("_", 1)[-1]}, note=f"not applied: {verdict}")
