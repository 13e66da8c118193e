"""The files of the sheet, and what is wrong with what they hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.features.celltypist_tables import read_model
from rabiomarkers.features.gating.frozen import read_gates
from rabiomarkers.features.gating.strategies import check_strategy
from rabiomarkers.features.gating.tree import load_gating_tree
from rabiomarkers.features.immune_context import read_profile
from rabiomarkers.features.scoring.mean_scores import read_reference
from rabiomarkers.ingest.abundance import read_abundance
from rabiomarkers.ingest.blanks import read_blanks
from rabiomarkers.ingest.blood_counts import read_blood_counts
from rabiomarkers.ingest.cells import single_cells
from rabiomarkers.ingest.controls import read_controls
from rabiomarkers.ingest.cytometry import read_cytometry
from rabiomarkers.ingest.expression import read_expression
from rabiomarkers.ingest.functions import read_functions
from rabiomarkers.ingest.gene_families import read_gene_families
from rabiomarkers.ingest.gene_tables import GeneNames, read_gene_names, read_transcripts
from rabiomarkers.ingest.passport import TpmFiles
from rabiomarkers.ingest.proteins import read_proteins
from rabiomarkers.ingest.repertoires import CloneBy, read_repertoire
from rabiomarkers.ingest.sequencing import read_sequencing
from rabiomarkers.ingest.taxa_map import read_taxa_map
from rabiomarkers.knowledge import load_aliases, load_ensembl, load_marker_synonyms, load_markers
from rabiomarkers.schema import config_path
from rabiomarkers.settings.study import StudySettings

STRATEGIES = (".xml", ".wsp")
"""How the names of gating strategies end; any other file of the column `gating` is a tree."""


@dataclass(frozen=True, kw_only=True)
class SampleFile:
    """A file of the sheet with the samples to take from it."""

    path: Path
    compartment: str
    assay: str
    sample_ids: tuple[str, ...]
    label: str  # the path as the sheet would write it
    companions: Mapping[str, Path] = field(default_factory=dict)  # the files the sheet names beside it, by column


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the study says of its files."""

    gene_names: GeneNames
    transcripts: "pd.Series[str] | None"
    tpm_files: TpmFiles
    clone_by: CloneBy
    functions: Path | None = None
    taxa_database: str = "undeclared"
    taxa_map: Path | None = None


def reading_of(settings: StudySettings, files: Mapping[str, Path]) -> Reading:
    """How files are read; `files` are those that the settings name, by key."""
    own = read_gene_names(files["gene_names"]) if "gene_names" in files else None
    return Reading(
        gene_names=_ensembl if own is None else lambda: own,
        transcripts=read_transcripts(files["transcripts"]) if "transcripts" in files else None,
        tpm_files=settings.expression.tpm_files,
        clone_by=settings.tcr.clone_by,
        functions=files.get("functions"),
        taxa_database=settings.taxa_database,
        taxa_map=files.get("taxa_map"),
    )


def _read_celltypist(path: Path) -> object:
    return read_model(path, load_markers(), aliases=_aliases())


NAMED_FILE_READERS: Mapping[str, Callable[[Path], object]] = {
    "gene_names": read_gene_names,
    "transcripts": read_transcripts,
    "reference": read_reference,
    "profile": read_profile,
    "celltypist": _read_celltypist,
    "controls": read_controls,
    "gates": read_gates,
    "tree": load_gating_tree,
    "blanks": read_blanks,
    "sequencing": read_sequencing,
    "functions": read_functions,
    "taxa_map": read_taxa_map,
}
"""Who reads each file that the settings name."""


def named_file_problems(files: Mapping[str, Path]) -> list[Problem]:
    """What is wrong with the files that the settings name, by key."""
    return [problem for key, path in files.items() for problem in _problems(NAMED_FILE_READERS[key], path)]


def check_file(file: SampleFile, reading: Reading) -> list[Problem]:
    """What is wrong with one sample file."""
    return _problems(READERS[file.assay], file, reading)


def _problems(read: Callable[..., object], *arguments: object) -> list[Problem]:
    try:
        read(*arguments)
    except InputError as error:
        return list(error.problems)
    return []


@cache
def _aliases() -> "pd.Series[str]":
    return load_aliases(config_path("signatures/gene_aliases.csv"))


@cache
def _ensembl() -> "pd.Series[str]":
    return load_ensembl(config_path("signatures/ensembl_genes.csv"))


def _whole(file: SampleFile) -> dict[str, Any]:
    return {"path": file.path, "label": file.label, "sample_ids": file.sample_ids}


def _expression(file: SampleFile, reading: Reading) -> object:
    return read_expression(
        **_whole(file),
        assay=file.assay,
        aliases=_aliases(),
        gene_names=reading.gene_names,
        transcripts=reading.transcripts,
        tpm_files=reading.tpm_files,
    )


def _cells(file: SampleFile, reading: Reading) -> object:
    for _ in single_cells(**_whole(file), aliases=_aliases(), ensembl=reading.gene_names):
        break  # whatever is wrong with the file is told before its first sample
    return None


def _abundance(file: SampleFile, reading: Reading) -> object:
    return read_abundance(
        **_whole(file),
        assay=file.assay,
        database=reading.taxa_database,
        taxonomy=file.companions.get("taxonomy"),
        tree=file.companions.get("tree"),
        taxa_map=reading.taxa_map,
    )


def _events(file: SampleFile, _: Reading) -> object:
    """Events, and the strategy or tree that the sheet names for them: the problems of both."""
    problems = _problems(
        lambda: read_cytometry(
            **_whole(file),
            assay=file.assay,
            synonyms=_synonyms(),
            panel=file.companions.get("panel"),
            compensation=file.companions.get("compensation"),
        )
    )
    if (gating := file.companions.get("gating")) is not None:
        strategy = gating.suffix.lower() in STRATEGIES
        problems += _problems(check_strategy if strategy else load_gating_tree, gating)
    if problems:
        raise InputError(problems)
    return None


@cache
def _synonyms() -> dict[str, str]:
    return load_marker_synonyms()


READERS: Mapping[str, Callable[[SampleFile, Reading], object]] = {
    "rna_counts": _expression,
    "rna_tpm": _expression,
    "sc_counts": _cells,
    "cell_counts": lambda file, _: read_blood_counts(**_whole(file)),
    "proteins": lambda file, _: read_proteins(**_whole(file)),
    "flow": _events,
    "cytof": _events,
    "tcr": lambda file, reading: read_repertoire(**_whole(file), clone_by=reading.clone_by),
    "gene_families": lambda file, reading: read_gene_families(**_whole(file), functions=reading.functions),
    "taxa_counts": _abundance,
    "taxa_relabund": _abundance,
}
