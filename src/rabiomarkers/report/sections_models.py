"""The part of the report about prediction: what each model is worth, and how little that can be known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rabiomarkers.predict.card import overall, probast_ratings, tripod_items, what_not_to_conclude
from rabiomarkers.predict.learning_curve import learning_sentence
from rabiomarkers.predict.performance import decision_note
from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.calibration import calibration_figure
from rabiomarkers.report.figures.coefficients import coefficient_figure
from rabiomarkers.report.figures.decision_curve import decision_figure
from rabiomarkers.report.figures.learning_curve import learning_figure
from rabiomarkers.report.figures.null_distribution import null_distribution
from rabiomarkers.report.figures.stability import SETS, stability_figure
from rabiomarkers.report.tables_of_models import all_about, batch_table, guard_table, model_table, prediction_table
from rabiomarkers.report.words import absent, capital, plural, present, text

TITLE = "Can biomarkers tell who responds?"
APART = (
    "What can be told before treatment (baseline), what the change under treatment tells (change), and both. Every probability is "
    "for a patient the model had not seen. One model was named as primary beforehand; the others are exploratory and their p are "
    "corrected for one another."
)
FITTED = (
    "Centring, scaling, imputation, weights, penalties and coefficients were fitted inside each fold, on the other patients only; "
    "the features are those the plan names, none is chosen by its result. Each relabelling repeats the whole procedure."
)
SAID = "a description, no signature: "  # in every note; the paragraph says it already
DESCRIPTION = (
    "A description of these patients: which features are most often among those that differ most between responders and others, in "
    "random halves of them. With few patients chance alone brings features to the top, so no list made of it may be called a "
    "signature."
)


def model_section(data: ReportData) -> Section:
    """All models side by side; the primary one in pictures; guards, batches, ratings; what more patients would bring."""
    models: Sequence[Mapping[str, Any]] = data.summary.get("models") or []
    if not models:
        said = Prose(text="Not estimable: no model could be fitted to this study.")
        return Section(name="models", title=TITLE, blocks=[said])
    primary = primary_of(models)
    blocks: list[Block] = [
        Prose(text=APART),
        model_table(models),
        *_pictures_of_primary(data, primary),
        *_more_patients(data, primary),
        *_described(data),
        *_others(data, models, primary),
        Prose(text=FITTED),
        *guard_table(models),
        *batch_table(data.batch_validation),
        all_about(models),
        prediction_table(data.predictions),
        *_judged(data, primary),
    ]
    return Section(name="models", title=TITLE, blocks=blocks)


def primary_of(models: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The model named as primary; of an earlier version, which named none, the first."""
    return next((model for model in models if model.get("primary")), models[0])


def _null(data: ReportData, model: Mapping[str, Any], name: str) -> Picture:
    return Picture(
        name=name,
        caption=f"{text(model.get('name'))}: {text(model.get('verdict'), absent())}. The bars are what the same procedure gives "
        "when the responses are dealt out at random.",
        content=null_distribution(data.permutations, model),
    )


def _pictures_of_primary(data: ReportData, model: Mapping[str, Any]) -> list[Block]:
    name = text(model.get("name"))
    blocks: list[Block] = [_null(data, model, "null-primary")]
    lines = what_not_to_conclude(model)
    blocks.append(Prose(text=f"What must not be concluded from {name}: {'; '.join(lines)}."))
    if not present(model.get("auc")):
        return blocks
    blocks.append(
        Picture(
            name="coefficients",
            caption=f"What {name} learnt of each feature. The sign tells the direction in these patients.",
            content=coefficient_figure(data.coefficients, model),
        )
    )
    blocks.append(
        Picture(
            name="calibration",
            caption="On the line, forecasts mean what they say.",
            content=calibration_figure(data.calibration, model),
        )
    )
    rough = decision_note(np.arange(model.get("n") or 0) < (model.get("responders") or 0))
    blocks.append(
        Picture(
            name="decision-curve",
            caption=f"A model helps at a threshold where its line is above both others.{f' {capital(rough)}.' if rough else ''}",
            content=decision_figure(data.decision_curve, model),
        )
    )
    return blocks


def _more_patients(data: ReportData, model: Mapping[str, Any]) -> list[Block]:
    if data.learning_curve.empty:
        return []
    said = learning_sentence(data.learning_curve)
    return [
        Picture(
            name="learning-curve",
            caption=f"{said} Simulated with independent normal features and the share of responders seen here.",
            content=learning_figure(data.learning_curve, model),
        )
    ]


def _described(data: ReportData) -> list[Block]:
    if data.stability.empty:
        return []
    told = data.stability["note"].dropna().unique()
    notes = f" {'; '.join(sorted(capital(str(note).removeprefix(SAID)) for note in told))}." if len(told) else ""
    return [
        Prose(text=f"{DESCRIPTION}{notes}"),
        *(
            Picture(
                name=f"stability-{feature_set}",
                caption=f"Features {when}: how often each is among the best.",
                content=stability_figure(data.stability, feature_set),
            )
            for feature_set, when in SETS.items()
        ),
    ]


def _others(data: ReportData, models: Sequence[Mapping[str, Any]], primary: Mapping[str, Any]) -> list[Block]:
    """Null distributions of the models that were validated beside the primary one; of an earlier version, of every model."""
    first = not any("primary" in model for model in models)
    others = [model for model in models if model is not primary and (first or present(model.get("auc")))]
    return [_null(data, model, f"null-{place}") for place, model in enumerate(others, start=1)]


def _judged(data: ReportData, model: Mapping[str, Any]) -> list[Block]:
    """PROBAST+AI and TRIPOD+AI of the primary model; those of the others are on their cards."""
    judged = not data.sums.empty
    tried = sum(present(other.get("auc")) for other in data.summary.get("models") or [])
    ratings = probast_ratings(model, data.summary, judged=judged, tried=tried)
    name = text(model.get("name"))
    return [
        Grid(
            caption=f"Risk of bias of {name} by our own rating (PROBAST+AI): {overall(ratings)}",
            columns=("part", "domain", "risk", "because"),
            rows=[(rating.part, rating.domain, rating.risk, rating.because) for rating in ratings],
            note=f"No model here is ready for use in patients. {plural(len(data.summary['models']), 'model card')}: models/*.md.",
            collapsed=True,
        ),
        Grid(
            caption=f"What TRIPOD+AI asks for, of {name}",
            columns=("item", "topic", "answer"),
            rows=[(item.number, item.topic, item.answer) for item in tripod_items(model, data.summary, judged=judged)],
            collapsed=True,
        ),
    ]
