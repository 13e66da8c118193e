"""Frozen models of one study, applied to the patients of another; nothing is fitted again."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, PredictionError, Problem
from rabiomarkers.files import read_table, write_csv, write_json
from rabiomarkers.jobs import response_job, study_tables
from rabiomarkers.pipeline import join_batches, process_batch
from rabiomarkers.predict.applicability import locate
from rabiomarkers.predict.design import Design, design_matrix
from rabiomarkers.predict.external import external_validation
from rabiomarkers.predict.frozen import Frozen, apply_frozen, design_digest, other_versions, read_all
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.results import open_results
from rabiomarkers.steps import run_jobs
from rabiomarkers.store import Store
from rabiomarkers.study import Study

COLUMNS = [
    "patient_id",
    "model",
    "feature_set",
    "probability",
    "distance",
    "note",
    "position",
    "farther",
    "outside_range",
    "missing",
]
FEWEST_TOLD = 5  # patients; a mean over fewer would tell a patient's own number


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What the models say of the patients of a study, and how well they said it where responses are known."""

    predictions: pd.DataFrame  # one row a patient and model, as in the CSV
    validation: list[dict[str, Any]]  # one entry a model; none where the study knows no response
    words: tuple[str, ...]  # the same in a line or two a model, without any patient


@dataclass(frozen=True, kw_only=True)
class _NewPatients:
    """The study that models are applied to."""

    study: Study
    features: pd.DataFrame
    deltas: pd.DataFrame
    outcomes: pd.DataFrame

    @property
    def ids(self) -> list[str]:
        """Of all patients of the sheet, sorted."""
        return sorted(self.study.patients["patient_id"])

    @property
    def responder(self) -> pd.Series:
        """Whether each patient whose response is known responded, by patient."""
        known = self.outcomes[self.outcomes["evaluable"].astype(bool) & self.outcomes["responder"].notna()]
        return known.set_index("patient_id")["responder"].astype(bool)

    def design(self, frozen: Frozen, *, labelled: bool = False) -> Design:
        """The model's columns, of everybody who has one of them; `labelled`: of those whose response is known."""
        return design_matrix(
            self.features,
            self.deltas,
            self.outcomes if labelled else None,
            feature_set=frozen.feature_set,  # type: ignore[arg-type]
            contrast=self.study.settings.contrast,
            names=frozen.columns,
            maximum_features=sys.maxsize,
        )


def predict_study(results: Path, study: Study, store: Store, out: Path, *, progress: Progress = SILENT) -> Applied:
    """Probability of response of each patient of the study, by each frozen model of the results; written to the CSV `out`.

    `distance` says how far a patient lies from those the model was trained on: the root mean square of the standardised
    features they have, about 1 for a typical training patient; `farther` is the share of training patients at least as far from
    the others, `position` the same in a word, `outside_range` and `missing` count features. A patient or a model without a
    probability has the reason in `note`. Where responses are known, `<out>.validation.json` says how well the models did.

    Raises
    ------
    ResultsError
        `results` is no results folder, or one of an earlier version.
    PredictionError
        A frozen model cannot be read.
    InputError
        A file of the study cannot be used, or `out` is a folder.
    """
    trained = open_results(results)
    if out.is_dir():
        raise InputError(
            [Problem(file=out.name, found="a folder", expected="a CSV file", remedy="name a file with --out")]
        )
    models = read_all(trained.model_files)
    batches = [process_batch(study, batch, store, progress=progress) for batch in study.batches()]
    joined, changes = join_batches(study, batches, store, progress=progress)
    patients = _NewPatients(
        study=study,
        features=read_table(joined.file("features.parquet")),
        deltas=read_table(changes.file("deltas.parquet")),
        outcomes=_outcomes(study, store, progress),
    )
    applied = _apply_all(models, trained.summary["models"], patients)
    _write(applied, out)
    return applied


def _apply_all(models: Sequence[Frozen], told: Sequence[Mapping[str, Any]], patients: _NewPatients) -> Applied:
    """`told`: what the summary of their own study says of all models, also of those that could not be fitted."""
    verdicts = {model["name"]: model["verdict"] for model in told}
    tables, validation, words = [], [], []
    for frozen in models:
        table = _apply(frozen, patients, verdicts.get(frozen.name) or frozen.verdict or "not judged")
        known = _validate(frozen, table, patients)
        tables.append(table)
        validation += [known] if known else []
        words += _words(frozen, table, known)
    applied = {frozen.name for frozen in models}
    tables.append(_unfitted([model for model in told if model["name"] not in applied]))
    rows = [row for table in tables for row in table.to_dict("records")]
    return Applied(predictions=pd.DataFrame(rows, columns=COLUMNS), validation=validation, words=tuple(words))


def _apply(frozen: Frozen, patients: _NewPatients, verdict: str) -> pd.DataFrame:
    """One row a patient of the study's sheet, also of those without any of the model's features."""
    table = pd.DataFrame({"patient_id": patients.ids, "model": frozen.name, "feature_set": frozen.feature_set})
    try:
        design = patients.design(frozen)
        probability = apply_frozen(frozen, design)
    except PredictionError as error:
        return table.assign(note=str(error)).reindex(columns=COLUMNS)
    where = locate(design.matrix[list(frozen.columns)], frozen.training, frozen.distances)
    table = table.join(where.assign(probability=probability), on="patient_id")
    remarks = [f"{frozen.name} was {verdict}", _trained_here(frozen, patients), other_versions(frozen)]
    table["note"] = [_note(row, remarks, frozen) for row in table.to_dict("records")]
    nowhere = table["missing"].isna() | (table["missing"] == len(frozen.columns))
    told = ["probability", "distance", "farther", "outside_range", "missing"]
    table[told] = table[told].mask(nowhere)
    return table.reindex(columns=COLUMNS)


def _note(row: Mapping[Any, Any], remarks: Sequence[str], frozen: Frozen) -> str:
    """What must be known to read a patient's probability, or why there is none."""
    missing, of = row["missing"], len(frozen.columns)
    if np.isnan(missing) or missing == of:
        return "none of the model's features was measured in this patient"
    if np.isnan(row["probability"]):
        return f"{missing:.0f} of {of} features were not measured in this patient, and the model needs all"
    told = [*remarks]
    if row["position"] == "outside":
        whom = "any of them" if not row["farther"] else f"{1 - row['farther']:.0%} of them"
        told.append(f"lies outside the {frozen.n} patients it was trained on, farther than {whom}")
    if missing:
        told.append(f"{missing:.0f} of {of} features were not measured and are filled as in training")
    return "; ".join(part for part in told if part)


def _trained_here(frozen: Frozen, patients: _NewPatients) -> str:
    """A warning where the study's patients are those of the training; a part of them is not noticed."""
    if design_digest(patients.design(frozen, labelled=True)) != frozen.training_digest:
        return ""
    return "it was trained on these very patients, so the probabilities are too good"


def _validate(frozen: Frozen, table: pd.DataFrame, patients: _NewPatients) -> dict[str, Any]:
    """How well the model did where the response is known; empty where it is known of nobody."""
    responder = patients.responder
    if not len(responder):
        return {}
    known = table[table["patient_id"].isin(responder.index)]
    counts = table["position"].value_counts()
    return {
        "model": frozen.name,
        "feature_set": frozen.feature_set,
        "trained_on": frozen.n,
        "trained_on_these_patients": bool(_trained_here(frozen, patients)),
        "positions": {word: int(counts.get(word, 0)) for word in ("inside", "at the edge", "outside")},
        **external_validation(
            known["probability"].to_numpy(dtype=np.float64),
            responder.loc[known["patient_id"]].to_numpy(dtype=bool),
            training_rate=frozen.responders / frozen.n,
        ),
    }


def _words(frozen: Frozen, table: pd.DataFrame, known: Mapping[str, Any]) -> list[str]:
    """Lines for the terminal; no number of theirs is one patient's."""
    applied = int(table["probability"].notna().sum())
    if not applied:
        reasons = sorted(set(table["note"]))
        return [f"{frozen.name}: no patient has a probability: {reasons[0]}"]
    outside = int((table["position"] == "outside").sum())
    lines = [
        f"{frozen.name}: {applied} of {len(table)} patients have a probability, {outside} of them lie outside the "
        f"{frozen.n} it was trained on"
    ]
    if known:
        lines.append(f"{frozen.name}: {_performance(known)}")
    return lines


def _performance(known: Mapping[str, Any]) -> str:
    n, responders = known["n"], known["responders"]
    if known["trained_on_these_patients"]:
        return "these are the patients it was trained on, so how well it does here says nothing"
    if n < FEWEST_TOLD:
        return f"{n} of the patients with a probability have a known response, too few to say how well it does"
    if known["auc"] is None:
        return str(known["note"])
    chance = "" if known["p_value"] is None else f" (two-sided p = {known['p_value']:.2g})"
    return (
        f"{responders} responders among {n} patients whose response is known: AUC {known['auc']:.2f}{chance}, Brier score "
        f"{known['brier']:.3f}, {known['brier_constant']:.3f} by the training patients' response rate alone; {known['note']}"
    ).removesuffix("; ")


def _unfitted(models: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each model of the results that has no frozen one, with the reason."""
    return pd.DataFrame(
        [
            {
                "patient_id": "",
                "model": model["name"],
                "feature_set": model["feature_set"],
                "note": f"not applied: {model['verdict']}",
            }
            for model in models
        ],
        columns=COLUMNS,
    )


def _outcomes(study: Study, store: Store, progress: Progress) -> pd.DataFrame:
    """The OUTCOMES of the study, judged as `run` judges them."""
    job = response_job(study, study_tables(study, store))
    (judged,) = run_jobs(job.name, store, [job], progress=progress)
    return read_table(judged.file("outcomes.parquet"))


def validation_file(out: Path) -> Path:
    """Where the validation of the predictions `out` lies."""
    return out.with_name(f"{out.stem}.validation.json")


def _write(applied: Applied, out: Path) -> None:
    """The CSV, and beside it the validation; one of an earlier call that no longer holds is taken away."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _replace(out, partial(write_csv, applied.predictions))
    if applied.validation:
        _replace(validation_file(out), partial(write_json, applied.validation))
    else:
        validation_file(out).unlink(missing_ok=True)


def _replace(target: Path, write: Callable[[Path], None]) -> None:
    """Write beside the target and put it in its place in one move."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    write(draft)
    draft.replace(target)
