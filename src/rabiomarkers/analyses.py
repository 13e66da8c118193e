"""What is asked of the joined features: change, mechanism, genes, wholes, models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rabiomarkers.assays import GATED, SIGNATURES
from rabiomarkers.blood import look_at_blood
from rabiomarkers.change.axes import axes_step
from rabiomarkers.change.by_response import by_response_step
from rabiomarkers.change.composition import composition_step
from rabiomarkers.change.courses import course_step
from rabiomarkers.change.genes import gene_step
from rabiomarkers.change.mechanism import mechanism_step
from rabiomarkers.change.sensitivity import sensitivity_step
from rabiomarkers.change.step import change_step
from rabiomarkers.features.identity import identity_step
from rabiomarkers.features.scoring.coverage import coverage_step
from rabiomarkers.files import read_table
from rabiomarkers.ingest.ledger import ledger_step
from rabiomarkers.jobs import (
    bulk_pieces,
    response_job,
)
from rabiomarkers.predict.collect import collect_step
from rabiomarkers.predict.learning_curve import learning_step
from rabiomarkers.predict.models import FROZEN, model_step
from rabiomarkers.predict.stability import stability_step
from rabiomarkers.schema import config_path
from rabiomarkers.steps import BatchFeatures, Steps, files_of
from rabiomarkers.stool import look_at_stool
from rabiomarkers.store import Job, StepResult
from rabiomarkers.study import Study


def change_of_features(study: Study, joined: StepResult, steps: Steps) -> StepResult:
    """How each feature changed within patients."""
    settings = study.settings
    plan = settings.plan.model_dump(mode="json", include={"primary", "secondary", "families", "secondary_correction"})
    return steps.run(
        "test changes",
        change_step,
        {"features": joined.file("features.parquet")},
        contrast=list(settings.contrast),
        registered=settings.registration is not False,
        seed=settings.seed,
        **plan,
        **settings.change.model_dump(mode="json", include={"test", "exploratory_test", "level"}),
    )


def analyse(
    study: Study,
    batches: Sequence[BatchFeatures],
    tables: Mapping[str, Path],
    joined: StepResult,
    gated: StepResult,
    changes: StepResult,
    steps: Steps,
) -> tuple[StepResult, ...]:
    """Ledger and outcomes, and all about the change."""
    settings = study.settings
    ledger = steps.run(
        "account for samples",
        ledger_step,
        {"samples": tables["samples"], "patients": tables["patients"], "failed": joined.file("failed.parquet")},
        timepoints=list(settings.timepoint_names),
        replicates=settings.expression.replicates,
    )
    (outcomes,) = steps.run_all("judge response", [response_job(study, tables)])
    judged = outcomes.file("outcomes.parquet")
    read = {"samples": tables["samples"], "features": joined.file("features.parquet"), "outcomes": judged}
    return (
        ledger,
        outcomes,
        *_explain_changes(study, joined, changes, judged, steps),
        *_look_at_genes(study, batches, tables, joined, changes, steps),
        *look_at_blood(study, batches, tables["samples"], joined.file("failed.parquet"), gated, steps),
        *_compare_wholes(study, batches, read, joined.file("failed.parquet"), steps),
    )


def _explain_changes(
    study: Study, joined: StepResult, changes: StepResult, outcomes: Path, steps: Steps
) -> tuple[StepResult, ...]:
    """Change by response, the mechanism, all timepoints, and how far the primary results can be trusted."""
    settings = study.settings
    tested = files_of(changes)
    features = {"features": joined.file("features.parquet")}
    options: dict[str, Any] = {"level": settings.change.level, "seed": settings.seed}
    groups = steps.run(
        "compare responders",
        by_response_step,
        {"deltas": tested["deltas"], "changes": tested["changes"], "outcomes": outcomes},
        **options,
    )
    mechanism = steps.run(
        "follow the mechanism",
        mechanism_step,
        {"deltas": tested["deltas"], "changes": tested["changes"]},
        **settings.plan.model_dump(mode="json", include={"chain", "infiltration"}),
        **options,
    )
    courses = steps.run(
        "follow all timepoints",
        course_step,
        features,
        timepoints=list(settings.timepoint_names),
        level=settings.change.level,
    )
    sensitivity = steps.run(
        "analyse otherwise",
        sensitivity_step,
        {**features, "flagged": joined.file("flagged.parquet"), "changes": tested["changes"]},
        contrast=list(settings.contrast),
        seed=settings.seed,
        **settings.change.model_dump(mode="json"),
    )
    return groups, mechanism, courses, sensitivity


def _look_at_genes(
    study: Study,
    batches: Sequence[BatchFeatures],
    tables: Mapping[str, Path],
    joined: StepResult,
    changes: StepResult,
    steps: Steps,
) -> tuple[StepResult, ...]:
    """Bulk RNA beyond its scores: single genes, whose samples these are, what was not measured; the axes of retinoic acid apart."""
    settings = study.settings
    contrast = list(settings.contrast)
    samples = {"samples": tables["samples"], **bulk_pieces(batches)}
    judged = {**samples, "failed": joined.file("failed.parquet")}
    signatures = config_path(SIGNATURES)
    names = list(settings.signatures)
    genes = steps.run(
        "test genes",
        gene_step,
        {**judged, "signatures": signatures},
        contrast=contrast,
        names=names,
        planned=[*settings.plan.primary, *settings.plan.secondary],
        level=settings.change.level,
        seed=settings.seed,
        **settings.genes.model_dump(mode="json"),
    )
    identity = steps.run(
        "check whose samples these are",
        identity_step,
        {**judged, "patients": tables["patients"]},
        contrast=contrast,
        expected_sex=settings.expression.expected_sex,
        seed=settings.seed,
    )
    coverage = steps.run("look for genes", coverage_step, {**samples, "signatures": signatures}, names=names)
    axes = steps.run(
        "read the axes",
        axes_step,
        {
            "features": joined.file("features.parquet"),
            "changes": changes.file("changes.parquet"),
            "axes": config_path("signatures/axes.csv"),
        },
        contrast=contrast,
    )
    return genes, identity, coverage, axes


def _compare_wholes(
    study: Study,
    batches: Sequence[BatchFeatures],
    tables: Mapping[str, Path],
    failed: Path,
    steps: Steps,
) -> tuple[StepResult, ...]:
    """Stool against stool, and cell types and taxa as parts of a whole; `tables`: the sheet, features and outcomes."""
    settings = study.settings
    stools, cells, parts = _wholes(batches, failed)
    compositions = steps.run(
        "compare compositions",
        composition_step,
        {
            "samples": tables["samples"],
            **{f"taxa:{sample}": path for sample, path in stools.items()},
            **{f"cells:{sample}": path for sample, path in cells.items()},
            **{f"parts:{sample}:{assay}": path for (sample, assay), path in parts.items()},
        },
        depth=settings.stool.depth,
        level=settings.change.level,
        contrast=list(settings.contrast),
        seed=settings.seed,
        **settings.composition.model_dump(mode="json"),
    )
    return *look_at_stool(study, batches, tables, stools, steps), compositions


def fit_models(
    study: Study, tables: Mapping[str, Path], steps: Steps
) -> tuple[dict[str, StepResult], tuple[StepResult, ...]]:
    """Each model by itself, by name; and all of them side by side, with what more patients would bring."""
    settings = study.settings.prediction
    options = {"contrast": list(study.settings.contrast), "seed": study.settings.seed}
    shared = settings.model_dump(mode="json", include={"penalty", "permutations", "maximum_features", "bootstraps"})
    known = {name: tables[name] for name in ("features", "deltas", "outcomes")}
    jobs = [
        Job(
            name=f"fit {model.name}",
            step=model_step,
            inputs=known | {"samples": tables["samples"]},
            parameters={
                "model": model.model_dump(mode="json"),
                "primary": model.name == settings.primary,
                "planned": list(study.settings.plan.primary),
                **shared,
                **options,
            },
        )
        for model in settings.models
    ]
    fitted = dict(zip([model.name for model in settings.models], steps.run_all("fit models", jobs), strict=True))
    files = {
        f"{name}:{Path(file).stem}": result.file(file)
        for name, result in fitted.items()
        for file in result.digests
        if file != FROZEN
    }
    collected = steps.run("compare models", collect_step, files, names=list(fitted))
    larger = steps.run(
        "simulate larger trials",
        learning_step,
        {"models": collected.file("models.json")},
        simulations=settings.simulations,
        seed=study.settings.seed,
    )
    stability = steps.run("describe stability", stability_step, known, **options)
    return fitted, (collected, larger, stability)


def _wholes(
    batches: Sequence[BatchFeatures], failed: Path
) -> tuple[dict[str, Path], dict[str, Path], dict[tuple[str, str], Path]]:
    """The taxa of every stool and the named cells of every cell sample that passed the quality check, by sample; the parts of gated
    samples by sample and assay."""
    table = read_table(failed)
    out = set(zip(table["sample_id"], table["assay"], strict=True))
    stools: dict[str, Path] = {}
    cells: dict[str, Path] = {}
    parts: dict[tuple[str, str], Path] = {}
    for batch in batches:
        for (sample, assay), scored in batch.scored.items():
            if (sample, assay) in out:
                continue
            if assay.startswith("taxa_"):
                stools[sample] = batch.pieces[sample, assay]
            elif assay == "sc_counts":
                cells[sample] = scored.file("cells.parquet")
            elif assay in GATED:
                parts[sample, assay] = scored.file("parts.parquet")
    return stools, cells, parts
