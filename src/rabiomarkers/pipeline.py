"""The study as one plain function: which step makes which table out of which.

Every stage goes through `call(label, function, ...)`, so that a notebook runs it as it stands and a flow runs each stage as a task.
What passes between stages is where a step's files lie, never their content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rabiomarkers.analyses import analyse, change_of_features, fit_models
from rabiomarkers.assays import GATED
from rabiomarkers.blood import absolute_files, put_gated_together
from rabiomarkers.cytometry_jobs import control_jobs, gate_jobs
from rabiomarkers.errors import InputError
from rabiomarkers.features.multimodal import multimodal_step
from rabiomarkers.features.tidy import join_step
from rabiomarkers.jobs import (
    cohort_jobs,
    input_digests,
    pieces,
    read_job,
    score_jobs,
    stages,
    study_tables,
    sum_jobs,
    with_libraries,
)
from rabiomarkers.predict.models import FROZEN
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.provenance import provenance_step, run_record
from rabiomarkers.publish import publish
from rabiomarkers.report.model_card import card_step
from rabiomarkers.report.page import report_step
from rabiomarkers.report.summary import summary_step
from rabiomarkers.sample_files import SampleFile, named_file_problems
from rabiomarkers.steps import BatchFeatures, Call, Steps, direct, files_of, run_jobs
from rabiomarkers.stool import TAXA
from rabiomarkers.store import Job, StepResult, Store
from rabiomarkers.study import Study


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
    """Read every file of the sheet and every one that the settings name, collecting the problems of all before any is told."""
    files = [file for batch in study.batches() for file in study.files(batch)]
    problems = named_file_problems(study.named_files)
    try:
        read = run_jobs("check files", store, [read_job(study, file) for file in files], progress=progress)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(sorted(set(problems), key=str))
    return read


def process_batch(
    study: Study, batch: str, store: Store, *, call: Call = direct, progress: Progress = SILENT
) -> BatchFeatures:
    """The samples of one batch, from their files to their features; a sample that was scored before is not scored again."""
    found: dict[tuple[str, str], Path] = {}
    scored: dict[tuple[str, str], StepResult] = {}
    steps: list[StepResult] = []
    cuts: list[StepResult] = []

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
        found_cuts = _find_cuts(study, batch, files, here, run) if files[0].assay in GATED else {}
        by_tree = {tree: result.file("gates.parquet") for tree, result in found_cuts.items()}
        cuts += found_cuts.values()
        results = run(f"score {stage}", [job for file in files for job in score_jobs(study, file, here, by_tree)])
        found |= here
        scored |= {(result.sample_ids[0], files[0].assay): result for result in results}
        steps += [*(_newly_read(split, results) for split in read), *found_cuts.values(), *results]
    return BatchFeatures(batch=batch, pieces=found, scored=scored, steps=tuple(steps), cuts=tuple(cuts))


def _find_cuts(
    study: Study,
    batch: str,
    files: Sequence[SampleFile],
    found: Mapping[tuple[str, str], Path],
    run: Callable[[str, list[Job]], list[StepResult]],
) -> dict[Path, StepResult]:
    """The cuts of one assay's samples of the batch, by gating tree."""
    asked = control_jobs(study, batch, files)
    read = run(f"read controls {files[0].assay}", [job for _, job in asked]) if asked else []
    controls = [(control, result.file("control.parquet")) for (control, _), result in zip(asked, read, strict=True)]
    jobs = gate_jobs(study, batch, files, found, controls)
    results = run(f"find cuts {files[0].assay}", [job for _, job in jobs]) if jobs else []
    return {tree: result for (tree, _), result in zip(jobs, results, strict=True)}


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
    steps = Steps(store, call, progress)
    tables = study_tables(study, store)
    gated = put_gated_together(study, batches, tables["samples"], steps)
    joined = _join(study, batches, tables, gated, steps)
    changes = change_of_features(study, joined, steps)
    made = [joined, gated, changes, *analyse(study, batches, tables, joined, gated, changes, steps)]
    fitted, judged = fit_models(study, files_of(*made) | {"samples": tables["samples"]}, steps)
    parts = files_of(*made, *judged)
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
    parts |= files_of(summary, provenance)
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
    call("publish", publish, parts | files_of(report, multimodal), models, parts["provenance"], taken, out)
    return Run(results=out, steps=tuple(taken))


def join_batches(
    study: Study, batches: Sequence[BatchFeatures], store: Store, *, call: Call = direct, progress: Progress = SILENT
) -> tuple[StepResult, StepResult]:
    """The features of all batches, and how they changed: what a frozen model is applied to."""
    steps = Steps(store, call, progress)
    tables = study_tables(study, store)
    gated = put_gated_together(study, batches, tables["samples"], steps)
    joined = _join(study, batches, tables, gated, steps)
    return joined, change_of_features(study, joined, steps)


def _join(
    study: Study, batches: Sequence[BatchFeatures], tables: Mapping[str, Path], gated: StepResult, steps: Steps
) -> StepResult:
    asked = cohort_jobs(study, batches)
    compared = steps.run_all("compare samples", [job for _, job in asked]) if asked else []
    more = {
        f"more:{Path(name).stem}:{assay}": result.file(name)
        for (assay, _), result in zip(asked, compared, strict=True)
        for name in result.digests
    }
    more |= absolute_files(gated)
    scored = {
        f"{kind}:{sample}:{assay}": result.file(file)
        for batch in batches
        for (sample, assay), result in batch.scored.items()
        for kind, file in (("features", "features.parquet"), ("qc", "qc.parquet"))
    }
    taxa = {
        f"taxa:{sample}:{assay}": batch.pieces[sample, assay]
        for batch in batches
        for sample, assay in batch.scored
        if assay in TAXA
    }
    return steps.run("join features", join_step, {"samples": tables["samples"], **scored, **more, **taxa})


def _newly_read(split: StepResult, scored: Sequence[StepResult]) -> StepResult:
    """A file that was read again because a sample joined it brought only what had not been scored before."""
    if split.reused:
        return split
    known = {sample for result in scored if result.reused for sample in result.sample_ids}
    return replace(split, sample_ids=tuple(sample for sample in split.sample_ids if sample not in known))
