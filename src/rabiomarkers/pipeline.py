"""The study as one plain function: which step makes which table out of which.

Every stage goes through `call(label, function, ...)`, so that a notebook runs it as it stands and a flow runs each stage as a task.
What passes between stages is where a step's files lie, never their content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rabiomarkers.assays import SIGNATURES
from rabiomarkers.change.axes import axes_step
from rabiomarkers.change.by_response import by_response_step
from rabiomarkers.change.community import community_step
from rabiomarkers.change.composition import composition_step
from rabiomarkers.change.courses import course_step
from rabiomarkers.change.distances import distance_step
from rabiomarkers.change.genes import gene_step
from rabiomarkers.change.mechanism import mechanism_step
from rabiomarkers.change.sensitivity import sensitivity_step
from rabiomarkers.change.step import change_step
from rabiomarkers.errors import InputError, Problem
from rabiomarkers.features.identity import identity_step
from rabiomarkers.features.multimodal import multimodal_step
from rabiomarkers.features.scoring.coverage import coverage_step
from rabiomarkers.features.tidy import join_step
from rabiomarkers.files import read_table
from rabiomarkers.ingest.ledger import ledger_step
from rabiomarkers.jobs import (
    bulk_pieces,
    cohort_jobs,
    input_digests,
    pieces,
    read_job,
    response_job,
    score_jobs,
    stages,
    study_tables,
    sum_jobs,
    with_libraries,
)
from rabiomarkers.predict.collect import collect_step
from rabiomarkers.predict.learning_curve import learning_step
from rabiomarkers.predict.models import FROZEN, model_step
from rabiomarkers.predict.stability import stability_step
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.provenance import provenance_step, run_record
from rabiomarkers.publish import publish
from rabiomarkers.report.model_card import card_step
from rabiomarkers.report.page import report_step
from rabiomarkers.report.summary import summary_step
from rabiomarkers.schema import config_path
from rabiomarkers.store import Job, StepResult, Store
from rabiomarkers.study import Study

type Call = Callable[..., Any]


def direct(label: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the function: what a notebook and the tests do."""
    return function(*arguments, **options)


@dataclass(frozen=True, kw_only=True)
class BatchFeatures:
    """Where the pieces and the features of a batch's samples lie, by (sample, assay)."""

    batch: str
    pieces: Mapping[tuple[str, str], Path]
    scored: Mapping[tuple[str, str], StepResult]
    steps: tuple[StepResult, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run: where its results lie and what was computed for them."""

    results: Path
    steps: tuple[StepResult, ...]

    @property
    def computed(self) -> tuple[StepResult, ...]:
        """The steps that were not there already."""
        return tuple(step for step in self.steps if not step.reused)


def run_study(study: Study, store: Store, out: Path, *, call: Call = direct, progress: Progress = SILENT) -> Run:
    """From a study folder to a results folder; what is already computed is not computed again.

    Raises
    ------
    InputError
        A file of the sheet cannot be used; every problem of every file is in it, and nothing is written to `out`.
    ResultsError
        `out` is there and is no results folder.
    """
    options: dict[str, Any] = {"call": call, "progress": progress}
    call("check files", check_files, study, store, progress=progress)
    batches = [process_batch(study, batch, store, **options) for batch in study.batches()]
    return predict_response(study, batches, store, out, call=call, progress=progress)


def check_files(study: Study, store: Store, *, progress: Progress = SILENT) -> list[StepResult]:
    """Read every file of the sheet, collecting the problems of all before any is told."""
    files = [file for batch in study.batches() for file in study.files(batch)]
    return run_jobs("check files", store, [read_job(study, file) for file in files], progress=progress)


def process_batch(
    study: Study, batch: str, store: Store, *, call: Call = direct, progress: Progress = SILENT
) -> BatchFeatures:
    """The samples of one batch, from their files to their features; a sample that was scored before is not scored again."""
    found: dict[tuple[str, str], Path] = {}
    scored: dict[tuple[str, str], StepResult] = {}
    steps: list[StepResult] = []

    def run(label: str, jobs: list[Job]) -> list[StepResult]:
        results: list[StepResult] = call(label, run_jobs, label, store, jobs, progress=progress)
        return results

    for stage, files in stages(study, batch):
        read = run(f"read {stage}", [read_job(study, file) for file in files])
        both = list(zip(files, read, strict=True))
        here = {(sample, file.assay): piece for file, split in both for sample, piece in pieces(file, split).items()}
        if adding := sum_jobs(study, here):
            added = run(f"add libraries {stage}", adding)
            here = with_libraries(here, added, files[0].assay)
            steps += added
        results = run(f"score {stage}", [job for file in files for job in score_jobs(study, file, here)])
        found |= here
        scored |= {(result.sample_ids[0], files[0].assay): result for result in results}
        steps += [*(_newly_read(split, results) for split in read), *results]
    return BatchFeatures(batch=batch, pieces=found, scored=scored, steps=tuple(steps))


def predict_response(
    study: Study,
    batches: Sequence[BatchFeatures],
    store: Store,
    out: Path,
    *,
    call: Call = direct,
    progress: Progress = SILENT,
) -> Run:
    """Features and outcomes to changes, models, report and a results folder."""
    steps = _Steps(store, call, progress)
    tables = study_tables(study, store)
    joined = _join(study, batches, tables, steps)
    changes = _test_changes(study, joined, steps)
    made = [joined, changes, *_analyse(study, batches, tables, joined, changes, steps)]
    fitted, judged = _predict(study, _files(*made) | {"samples": tables["samples"]}, steps)
    parts = _files(*made, *judged)
    record = run_record(study, input_digests(study))
    provenance = steps.run("record provenance", provenance_step, {}, record=record)
    settings = study.settings
    summary = steps.run(
        "sum up",
        summary_step,
        parts,
        study=settings.name,
        contrast=list(settings.contrast),
        plan={"hash": settings.plan_hash, "registered": settings.registration},
    )
    parts |= _files(summary, provenance)
    report = steps.run("write report", report_step, parts)
    told: dict[str, Path] = {
        name: parts[name] for name in ("summary", "coefficients", "learning_curve", "sums") if name in parts
    }
    cards = steps.run("write model cards", card_step, told)
    models = {f"{name}.skops": result.file(FROZEN) for name, result in fitted.items() if FROZEN in result.digests}
    models |= {name: cards.file(name) for name in cards.digests}
    shared = {"features": parts["features"], "samples": tables["samples"], "outcomes": parts["outcomes"]}
    multimodal = steps.run("join modalities", multimodal_step, shared)
    taken = [*(step for batch in batches for step in batch.steps), *steps.done]
    call("publish", publish, parts | _files(report, multimodal), models, parts["provenance"], taken, out)
    return Run(results=out, steps=tuple(taken))


def join_batches(
    study: Study, batches: Sequence[BatchFeatures], store: Store, *, call: Call = direct, progress: Progress = SILENT
) -> tuple[StepResult, StepResult]:
    """The features of all batches, and how they changed: what a frozen model is applied to."""
    steps = _Steps(store, call, progress)
    joined = _join(study, batches, study_tables(study, store), steps)
    return joined, _test_changes(study, joined, steps)


class _Steps:
    """Runs the steps of an analysis in their order and remembers them."""

    def __init__(self, store: Store, call: Call, progress: Progress) -> None:
        self.store, self.call, self.progress = store, call, progress
        self.done: list[StepResult] = []

    def run(self, name: str, step: Callable[..., Any], inputs: Mapping[str, Path], **parameters: Any) -> StepResult:
        return self.run_all(name, [Job(name=name, step=step, inputs=inputs, parameters=parameters)])[0]

    def run_all(self, label: str, jobs: Sequence[Job]) -> list[StepResult]:
        results: list[StepResult] = self.call(label, run_jobs, label, self.store, jobs, progress=self.progress)
        self.done += results
        return results


def _join(study: Study, batches: Sequence[BatchFeatures], tables: Mapping[str, Path], steps: _Steps) -> StepResult:
    asked = cohort_jobs(study, batches)
    compared = steps.run_all("compare samples", [job for _, job in asked]) if asked else []
    more = {
        f"more:{Path(name).stem}:{assay}": result.file(name)
        for (assay, _), result in zip(asked, compared, strict=True)
        for name in result.digests
    }
    scored = {
        f"{kind}:{sample}:{assay}": result.file(file)
        for batch in batches
        for (sample, assay), result in batch.scored.items()
        for kind, file in (("features", "features.parquet"), ("qc", "qc.parquet"))
    }
    return steps.run("join features", join_step, {"samples": tables["samples"], **scored, **more})


def _test_changes(study: Study, joined: StepResult, steps: _Steps) -> StepResult:
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


def _analyse(
    study: Study,
    batches: Sequence[BatchFeatures],
    tables: Mapping[str, Path],
    joined: StepResult,
    changes: StepResult,
    steps: _Steps,
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
    return (
        ledger,
        outcomes,
        *_explain_changes(study, joined, changes, judged, steps),
        *_look_at_genes(study, batches, tables, joined, changes, steps),
        *_compare_wholes(study, batches, tables["samples"], joined.file("failed.parquet"), judged, steps),
    )


def _explain_changes(
    study: Study, joined: StepResult, changes: StepResult, outcomes: Path, steps: _Steps
) -> tuple[StepResult, ...]:
    """Change by response, the mechanism, all timepoints, and how far the primary results can be trusted."""
    settings = study.settings
    tested = _files(changes)
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
    steps: _Steps,
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
    samples: Path,
    failed: Path,
    outcomes: Path,
    steps: _Steps,
) -> tuple[StepResult, ...]:
    """Stool against stool, and cell types and taxa as parts of a whole."""
    settings = study.settings
    contrast = {"contrast": list(settings.contrast), "seed": settings.seed}
    stools, cells = _wholes(batches, failed)
    distances = steps.run(
        "compare stools",
        distance_step,
        {"samples": samples, **{f"piece:{sample}": path for sample, path in stools.items()}},
        depth=settings.stool.depth,
        **contrast,
    )
    communities = steps.run(
        "compare communities",
        community_step,
        {"distances": distances.file("distances.parquet"), "outcomes": outcomes},
        **contrast,
    )
    compositions = steps.run(
        "compare compositions",
        composition_step,
        {
            "samples": samples,
            **{f"taxa:{sample}": path for sample, path in stools.items()},
            **{f"cells:{sample}": path for sample, path in cells.items()},
        },
        depth=settings.stool.depth,
        level=settings.change.level,
        **settings.composition.model_dump(mode="json"),
        **contrast,
    )
    return distances, communities, compositions


def _predict(
    study: Study, tables: Mapping[str, Path], steps: _Steps
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


def _newly_read(split: StepResult, scored: Sequence[StepResult]) -> StepResult:
    """A file that was read again because a sample joined it brought only what had not been scored before."""
    if split.reused:
        return split
    known = {sample for result in scored if result.reused for sample in result.sample_ids}
    return replace(split, sample_ids=tuple(sample for sample in split.sample_ids if sample not in known))


def run_jobs(label: str, store: Store, jobs: Sequence[Job], *, progress: Progress = SILENT) -> list[StepResult]:
    """The results of a stage's jobs; the input problems of all jobs are raised together."""
    problems: list[Problem] = []
    results: list[StepResult] = []
    with progress.stage(label, len(jobs)) as tell:
        for result in store.run_many(jobs, on_input_error=problems.extend):
            results.append(result)
            tell(result)
    if problems:
        raise InputError(sorted(set(problems), key=str))
    return results


def _files(*results: StepResult) -> dict[str, Path]:
    """The steps' files by their stem, as the next step takes them in; facts beside a table of the same name end in `_json`."""
    files: dict[str, Path] = {}
    for result in results:
        for name in sorted(result.digests, key=lambda name: not name.endswith(".parquet")):
            stem = Path(name).stem
            files[f"{stem}_json" if stem in files else stem] = result.file(name)
    return files


def _wholes(batches: Sequence[BatchFeatures], failed: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The taxa of every stool, and the named cells of every cell sample, that passed the quality check, by sample."""
    table = read_table(failed)
    out = set(zip(table["sample_id"], table["assay"], strict=True))
    stools: dict[str, Path] = {}
    cells: dict[str, Path] = {}
    for batch in batches:
        for (sample, assay), scored in batch.scored.items():
            if (sample, assay) in out:
                continue
            if assay.startswith("taxa_"):
                stools[sample] = batch.pieces[sample, assay]
            elif assay == "sc_counts":
                cells[sample] = scored.file("cells.parquet")
    return stools, cells
