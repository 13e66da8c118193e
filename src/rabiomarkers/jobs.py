"""What a study asks to be computed of its files: which step, on which input, with which parameters."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

from rabiomarkers.assays import ASSAYS, BULK, GATED, KNOWLEDGE, Assay
from rabiomarkers.cytometry_jobs import gate_inputs
from rabiomarkers.features.scoring.cohort import cohort_step
from rabiomarkers.ingest.libraries import sum_step
from rabiomarkers.response.step import outcome_step
from rabiomarkers.sample_files import SampleFile
from rabiomarkers.schema import config_path
from rabiomarkers.settings.measures import COHORT_METHODS
from rabiomarkers.store import Job, StepResult, Store, path_digest
from rabiomarkers.study import Study

CLINICAL_TABLES = ("patients", "lesions", "visits", "followup", "adverse_events", "remarks")
PATH_COLUMNS = ("path", "tree", "taxonomy", "panel", "gating", "compensation")


class Scored(Protocol):
    """Where the pieces and the features of a batch's samples lie, by (sample, assay)."""

    @property
    def pieces(self) -> Mapping[tuple[str, str], Path]: ...

    @property
    def scored(self) -> Mapping[tuple[str, str], StepResult]: ...


def stages(study: Study, batch: str) -> list[tuple[str, list[SampleFile]]]:
    """The batch's files by "compartment assay", in a fixed order."""
    files = study.files(batch)
    return [(label, list(group)) for label, group in groupby(files, lambda file: f"{file.compartment} {file.assay}")]


def read_job(study: Study, file: SampleFile) -> Job:
    """Split off the pieces of the file's samples."""
    assay = ASSAYS[file.assay]
    return Job(
        name=f"read {file.label}",
        step=assay.split,
        inputs={
            "matrix": file.path,
            **_config(assay.split_config),
            **_beside(file, assay.split_columns),
            **assay.split_further(file.companions),
            **_named(study, assay.split_files),
        },
        parameters={"label": file.label, "sample_ids": list(file.sample_ids), **assay.split_parameters(study)},
        sample_ids=file.sample_ids,
    )


def pieces(file: SampleFile, read: StepResult) -> dict[str, Path]:
    """Where the piece of each sample of the file lies."""
    name = ASSAYS[file.assay].piece
    return {sample: read.file(name.format(sample_id=sample)) for sample in file.sample_ids}


def sum_jobs(study: Study, found: Mapping[tuple[str, str], Path]) -> list[Job]:
    """Add up the libraries of each sample of the stage that has several; `found`: the pieces by (sample, assay)."""
    return [
        Job(
            name=f"add libraries {assay} {sample}",
            step=sum_step,
            inputs={f"piece:{library}": found[library, assay] for library in (sample, *further)},
            parameters={"sample_id": sample},
            sample_ids=(sample, *further),
        )
        for (sample, assay), further in study.libraries.items()
        if (sample, assay) in found
    ]


def with_libraries(
    found: Mapping[tuple[str, str], Path], added: Sequence[StepResult], assay: str
) -> dict[tuple[str, str], Path]:
    """The pieces by (sample, assay) with each sum in the place of its first library; the further ones are gone."""
    gone = {(sample, assay) for result in added for sample in result.sample_ids[1:]}
    sums = {(result.sample_ids[0], assay): result.file(f"{result.sample_ids[0]}.parquet") for result in added}
    return {key: path for key, path in found.items() if key not in gone} | sums


def score_jobs(
    study: Study, file: SampleFile, found: Mapping[tuple[str, str], Path], cuts: Mapping[Path, Path] | None = None
) -> list[Job]:
    """Score the piece of each sample of the file.

    `found`: the pieces by (sample, assay), libraries added up; `cuts`: of gated samples, the table of cuts by gating tree.
    """
    assay: Assay = ASSAYS[file.assay]
    beside = {
        **_config(assay.score_config),
        **_beside(file, assay.score_columns),
        **_named(study, assay.score_files),
        **(gate_inputs(study, file, cuts or {}) if file.assay in GATED else {}),
    }
    place = {"compartment": file.compartment} if assay.by_compartment else {}
    parameters = assay.score_parameters(study) | place
    return [
        Job(
            name=f"score {file.assay} {sample}",
            step=assay.score,
            inputs={"sample": piece, **beside},
            parameters=parameters,
            sample_ids=(sample,),
        )
        for sample in file.sample_ids
        if (piece := found.get((sample, file.assay))) is not None
    ]


def cohort_jobs(study: Study, batches: Sequence[Scored]) -> list[tuple[str, Job]]:
    """Score the samples of each compartment and bulk assay against one another, where the study asks for a method that does.

    Each job with its assay.
    """
    methods = [method for method in study.settings.expression.methods if method in COHORT_METHODS]
    groups: dict[tuple[str, str], dict[str, Path]] = {}
    for batch in batches if methods else ():
        for (sample, assay), result in batch.scored.items():
            if assay in BULK:
                inputs = groups.setdefault((study.compartment(sample, assay), assay), {})
                inputs |= {f"piece:{sample}": batch.pieces[sample, assay], f"qc:{sample}": result.file("qc.parquet")}
    parameters = {
        "names": list(study.settings.signatures),
        "methods": methods,
        "minimum_coverage": study.settings.expression.minimum_coverage,
    }
    return [
        (
            assay,
            Job(
                name=f"compare {compartment} {assay}",
                step=cohort_step,
                inputs=_config(KNOWLEDGE) | inputs,
                parameters=parameters,
            ),
        )
        for (compartment, assay), inputs in sorted(groups.items())
    ]


def bulk_pieces(batches: Sequence[Scored]) -> dict[str, Path]:
    """The pieces of every bulk RNA sample, as the steps that see all of them take them in."""
    return {
        f"piece:{sample}:{assay}": path
        for batch in batches
        for (sample, assay), path in batch.pieces.items()
        if assay in BULK
    }


def pieces_of(batches: Sequence[Scored], assay: str, *, prefix: str = "piece") -> dict[str, Path]:
    """The pieces of every sample of one assay, as ``<prefix>:<sample_id>``."""
    return {
        f"{prefix}:{sample}": path for batch in batches for (sample, own), path in batch.pieces.items() if own == assay
    }


def study_tables(study: Study, store: Store) -> dict[str, Path]:
    """The sheet and the clinical tables as files that a step takes in.

    Paths in them are relative, so that a study that was moved is the same study.
    """
    samples = study.samples.copy()
    for column in PATH_COLUMNS:
        samples[column] = samples[column].map(study.label, na_action="ignore")
    clinical = {name: frame for name in CLINICAL_TABLES if (frame := getattr(study, name)) is not None}
    return {name: store.put_table(frame) for name, frame in {"samples": samples, **clinical}.items()}


def input_digests(study: Study) -> dict[str, str]:
    """sha256 of every input file by its path in the study; an excluded sample may lack its file."""
    named = {Path(path) for column in PATH_COLUMNS for path in study.samples[column].dropna() if Path(path).exists()}
    named |= set(study.named_files.values())
    own = {path for path in study.folder.glob("*") if path.suffix in {".yaml", ".csv"}}
    domains = set() if study.sdtm_folder is None else {path for path in study.sdtm_folder.iterdir() if path.is_file()}
    return {study.label(path): path_digest(path) for path in sorted(named | own | domains)}


def _config(files: Mapping[str, str]) -> dict[str, Path]:
    return {name: config_path(relative) for name, relative in files.items()}


def _beside(file: SampleFile, columns: tuple[str, ...]) -> dict[str, Path]:
    """The files that the sheet names beside the file itself."""
    return {column: path for column, path in file.companions.items() if column in columns}


def _named(study: Study, keys: tuple[str, ...]) -> dict[str, Path]:
    """The files that `study.yaml` names, by key."""
    return {key: path for key, path in study.named_files.items() if key in keys}


def response_job(study: Study, tables: Mapping[str, Path]) -> Job:
    """Judges the response of the study's patients; `tables` as `study_tables` gives them."""
    response = study.settings.response
    clinical = {name: tables[name] for name in CLINICAL_TABLES if name in tables}
    return Job(
        name="judge response",
        step=outcome_step,
        inputs=clinical | {"historical": config_path("historical/clinical_reference.csv")},
        parameters={"rules": response.rules, "seed": study.settings.seed, **response.endpoints},
    )
