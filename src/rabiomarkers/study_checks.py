"""What can be wrong with a study beyond single files: settings nobody can mean, files they name, assays that exclude each other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import InputError, PredictionError, Problem, StatisticsError
from rabiomarkers.ingest.findings import named, nearest
from rabiomarkers.ingest.places import Place
from rabiomarkers.ingest.sequencing import read_sequencing
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.settings.measures import NAMED_FILES
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.stats.two_stage import minimax_design, optimal_design

SETTINGS, SHEET = "study.yaml", "samples.csv"
SIGNATURES = "signatures/gene_signatures.csv"

GENE_SCORES = frozenset({"rna_counts", "rna_tpm"})
"""Assays that give the same signature scores."""

TAXA = frozenset({"taxa_counts", "taxa_relabund"})
"""Assays whose samples may have a tree."""


def data_root_of(folder: Path, settings: StudySettings) -> Path | None:
    """`data_root` of the settings as an absolute path; a relative one counts from the study folder."""
    return None if settings.data_root is None else (folder / settings.data_root).resolve()


def data_root_problems(folder: Path, settings: StudySettings) -> Iterator[Problem]:
    """A `data_root` that is not there."""
    root = data_root_of(folder, settings)
    if root is not None and not root.is_dir():
        yield Problem(
            file=SETTINGS,
            column="data_root",
            found=f"no folder {str(settings.data_root)!r}",
            expected="a folder that is there",
            remedy="correct data_root, mount it, or remove the key",
        )


def named_files(folder: Path, settings: StudySettings) -> tuple[dict[str, Path], list[Problem]]:
    """The files that the settings name, by key (`NAMED_FILES`), and those that are not there or lie outside of the study."""
    place = Place(folder=folder, data_root=data_root_of(folder, settings))
    found: dict[str, Path] = {}
    problems = []
    for key, part in NAMED_FILES.items():
        written = getattr(getattr(settings, part), key)
        if written is None:
            continue
        path = place.find(str(written))
        if path is not None and path.is_file():
            found[key] = path
            continue
        problems.append(
            Problem(
                file=SETTINGS,
                column=f"{part}.{key}",
                found=f"no file {str(written)!r} in the study folder or in data_root",
                expected="a file inside the study folder or data_root",
                remedy="correct the path, or copy the file there",
            )
        )
    return found, problems


def method_problems(settings: StudySettings) -> Iterator[Problem]:
    """Methods that are asked twice or lack what they need: a frozen reference, an optional package."""
    if "z" in settings.expression.methods and settings.expression.reference is None:
        yield Problem(
            file=SETTINGS,
            column="expression.methods",
            found="the method z without a reference",
            expected="a frozen reference of genes (gene, mean, sd)",
            remedy="name it as expression.reference (`ra.freeze_reference` makes one), or remove z",
        )
    yield from _repeated("stool.metrics", settings.stool.metrics)
    yield from _repeated("stool.ranks", settings.stool.ranks)
    if settings.genes.test == "deseq2":
        yield from _absent("pydeseq2", "genes.test", asked="deseq2", extra="deseq2", instead="choose moderated_t")
    if settings.cells.embedding.harmony:
        yield from _absent("harmonypy", "cells.embedding.harmony", asked="true", extra="harmony", instead="write false")


def _repeated(column: str, words: Sequence[str]) -> Iterator[Problem]:
    """Words that a list says twice: what is asked twice would be tested, and corrected for, twice."""
    twice = [word for word, times in Counter(words).items() if times > 1]
    if twice:
        yield Problem(
            file=SETTINGS,
            column=column,
            found=f"{named(twice)} more than once",
            expected="each once",
            remedy="remove the repeated one",
        )


def _absent(package: str, column: str, *, asked: str, extra: str, instead: str) -> Iterator[Problem]:
    """That what the settings ask for needs a package that is not there."""
    if find_spec(package) is None:
        yield Problem(
            file=SETTINGS,
            column=column,
            found=f"{asked}, but the package {package} is not installed",
            expected=f"the extra {extra}",
            remedy=f"install rabiomarkers[{extra}], or {instead}",
        )


def signature_problems(settings: StudySettings) -> Iterator[Problem]:
    """Signatures that no table holds, to be scored or asked of a cell type."""
    asked = {"signatures": settings.signatures} | {
        f"cells.pseudobulk.{name}": names for name, names in settings.cells.pseudobulk.items()
    }
    if not any(asked.values()):
        return
    known = sorted(set(load_signatures(config_path(SIGNATURES))["signature"]))
    for column, names in asked.items():
        for name in names:
            if name in known:
                continue
            meant = nearest(name, known)
            yield Problem(
                file=SETTINGS,
                column=column,
                found=f"unknown signature {name!r}",
                expected=f"one of {named(known, limit=100)}",
                remedy=f"write {meant!r} instead" if meant else "remove it; without the key all that ship are scored",
            )


def design_problems(settings: StudySettings) -> Iterator[Problem]:
    """A design that no search finds would stop the run after hours of computing."""
    design = settings.response.design
    if design is None or design.stages is not None:
        return
    search = optimal_design if design.kind == "optimal" else minimax_design
    try:
        search(design.null_rate, design.target_rate, type_1_error=design.type_1_error, power=design.power)
    except StatisticsError as error:
        yield Problem(
            file=SETTINGS,
            column="response.design",
            found=str(error),
            expected="rates that a two-stage design can tell apart",
            remedy="correct the rates, or give the protocol's own stages",
        )


def model_problems(settings: StudySettings) -> Iterator[Problem]:
    """Options that a kind of model does not take would stop the run after all features are computed."""
    told = [(place, model) for place, model in enumerate(settings.prediction.models) if model.options]
    if not told:
        return
    from rabiomarkers.predict.registry import build_model  # loads scikit-learn, which a study without options need not

    for place, model in told:
        try:
            build_model(model.kind, ("tumour:any",), model.options)
        except PredictionError as error:
            yield Problem(
                file=SETTINGS,
                column=f"prediction.models.{place}.options",
                found=str(error),
                expected=f"options of the kind {model.kind}",
                remedy="correct or remove the option",
            )


def assay_problems(settings: StudySettings, samples: pd.DataFrame) -> Iterator[Problem]:
    """Two assays that score the same genes: their features are told apart by name, so a plain name in the plan means neither.

    And UniFrac asked of stools none of which has a tree: nothing would be compared.
    """
    yield from _treeless(settings, samples)
    plan = settings.plan
    named = [*plan.primary, *plan.secondary, *(name for names in plan.families.values() for name in names)]
    if any("@rna_" in name for name in named):
        return
    used = samples[(samples["exclude"].fillna("") == "") & samples["assay"].isin(GENE_SCORES)]
    for compartment, rows in used.groupby("compartment", sort=True):
        assays = sorted(rows["assay"].unique())
        if len(assays) > 1:
            yield Problem(
                file=SHEET,
                column="assay",
                found=f"{compartment} samples of {' and of '.join(assays)}",
                expected="one of them in a compartment, as both give features of the same names",
                remedy=f"exclude the rows of one, or name features in the plan as NAME@{assays[0]}",
            )


def sequencing_problems(files: Mapping[str, Path], samples: pd.DataFrame) -> Iterator[Problem]:
    """A table of reads that names no stool of the sheet, or one in other letters: it would be passed over in silence."""
    stools = sorted(set(samples.loc[samples["assay"].isin(TAXA), "sample_id"]))
    if "sequencing" not in files or not stools:
        return
    try:
        told = [str(sample) for sample in read_sequencing(files["sequencing"]).index]
    except InputError:  # told by who reads the named files
        return
    lacking = sorted(set(stools) - set(told))
    close = {name: nearest(name, lacking, cutoff=1.0) for name in told if name not in stools}
    meant = {name: stool for name, stool in close.items() if stool is not None}
    if meant or len(lacking) == len(stools):
        yield Problem(
            file=files["sequencing"].name,
            column="sample_id",
            found=f"{named(meant or told)}, no stool of the sheet",
            expected=f"sample ids of samples.csv, such as {named(meant.values() or stools, limit=3)}",
            remedy="make the ids the same, capitals and signs too",
        )


def _treeless(settings: StudySettings, samples: pd.DataFrame) -> Iterator[Problem]:
    """Distances on a tree where the sheet names none."""
    wanted = [metric for metric in settings.stool.metrics if metric.endswith("unifrac")]
    stools = samples[(samples["exclude"].fillna("") == "") & samples["assay"].isin(TAXA)]
    if wanted and len(stools) and stools["tree"].isna().all():
        yield Problem(
            file=SETTINGS,
            column="stool.metrics",
            found=f"{named(wanted)}, but no stool has a tree",
            expected="a tree of the taxa",
            remedy="name it in the column tree of samples.csv, or remove the metric",
        )
