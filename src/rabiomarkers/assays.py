"""Which steps turn a file of each kind of assay into features of its samples. A new assay is a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rabiomarkers.features import blood_counts as blood_count_features
from rabiomarkers.features import cells as cell_features
from rabiomarkers.features import cytometry as cytometry_features
from rabiomarkers.features import gene_families as gene_family_features
from rabiomarkers.features import microbiome, signatures
from rabiomarkers.features import proteins as protein_features
from rabiomarkers.features import repertoires as repertoire_features
from rabiomarkers.files import Info
from rabiomarkers.ingest import (
    abundance,
    blood_counts,
    cells,
    compensation,
    cytometry,
    expression,
    gene_families,
    proteins,
    repertoires,
)
from rabiomarkers.settings.measures import COHORT_METHODS
from rabiomarkers.study import Study

type Parameters = Callable[[Study], dict[str, Any]]

ALIASES = "signatures/gene_aliases.csv"
ENSEMBL = "signatures/ensembl_genes.csv"
SIGNATURES = "signatures/gene_signatures.csv"
KNOWLEDGE: Mapping[str, str] = {
    "signatures": SIGNATURES,
    "pairs": "signatures/gene_pairs.csv",
    "rules": "signatures/scoring_rules.yaml",
}
"""What signatures are scored with, by the input it is handed in as."""
MARKERS = "markers/immune_markers.csv"
GATING_TREE = "markers/gating_tree.yaml"
SYNONYMS = "markers/protein_synonyms.csv"
BULK = ("rna_counts", "rna_tpm")
"""Assays whose pieces are one value a gene."""
GATED = ("flow", "cytof")
"""Assays whose pieces are events, cut together within a batch before each sample is scored."""


@dataclass(frozen=True, kw_only=True)
class Assay:
    """How samples of one assay are read and scored.

    `split` writes one piece a sample of a file; `score` turns a piece into `features.parquet` and `qc.parquet`. The `*_config`
    are files below `config/` by the input they are handed in as; the `*_columns` are columns of the sheet whose files go along.
    """

    split: Callable[..., Info]
    score: Callable[..., Info]
    piece: str = "{sample_id}.parquet"
    split_config: Mapping[str, str] = field(default_factory=dict)
    split_columns: tuple[str, ...] = ()
    split_parameters: Parameters = lambda study: {}
    split_further: Callable[[Mapping[str, Path]], dict[str, Path]] = (
        lambda beside: {}
    )  # files that those of the columns name
    split_files: tuple[str, ...] = ()  # keys of `settings.measures.NAMED_FILES`; go along where the study names them
    score_config: Mapping[str, str] = field(default_factory=dict)
    score_columns: tuple[str, ...] = ()
    score_parameters: Parameters = lambda study: {}
    by_compartment: bool = False  # whether scoring asks where the sample comes from
    score_files: tuple[str, ...] = ()


def _rna(assay: str) -> Assay:
    return Assay(
        split=expression.split_expression,
        split_config={"aliases": ALIASES, "ensembl": ENSEMBL},
        split_files=("gene_names", "transcripts"),
        split_parameters=lambda study: {
            "assay": assay,
            "annotation": study.settings.annotation,
            "tpm_files": study.settings.expression.tpm_files,
        },
        score=signatures.signature_step,
        score_config={**KNOWLEDGE, "markers": MARKERS},
        score_parameters=lambda study: {
            "names": list(study.settings.signatures),
            "methods": [method for method in study.settings.expression.methods if method not in COHORT_METHODS],
            **study.settings.expression.model_dump(
                mode="json", include={"minimum_coverage", "minimum_library_size", "minimum_genes"}
            ),
        },
        score_files=("reference", "profile"),
        by_compartment=True,
    )


def _taxa(assay: str) -> Assay:
    return Assay(
        split=abundance.split_abundance,
        split_columns=("taxonomy", "tree"),
        split_files=("sequencing", "taxa_map"),
        split_parameters=lambda study: {"assay": assay, "database": study.settings.taxa_database},
        score=microbiome.microbiome_step,
        score_config={"taxa": "taxa/microbes.csv", "rules": KNOWLEDGE["rules"]},
        score_columns=("tree",),
        score_parameters=lambda study: {
            "seed": study.settings.seed,
            **study.settings.stool.model_dump(mode="json", include={"depth", "draws", "minimum_coverage", "bloom"}),
        },
    )


def stained_tubes(beside: Mapping[str, Path]) -> dict[str, Path]:
    """The single-stain controls that a table of compensation names, so that another tube is another input."""
    table = beside.get("compensation")
    tubes = [] if table is None else compensation.tubes_of(table)
    return {f"tube:{number}": path for number, path in enumerate(tubes)}


def _events(assay: str) -> Assay:
    return Assay(
        split=cytometry.split_cytometry,
        split_config={"synonyms": SYNONYMS},
        split_columns=("panel", "compensation"),
        split_further=stained_tubes,
        split_parameters=lambda study: {"assay": assay},
        score=cytometry_features.cytometry_step,
        score_parameters=lambda study: {
            "assay": assay,
            **study.settings.cytometry.model_dump(
                mode="json",
                include={
                    "transform",
                    "cofactor",
                    "minimum_events",
                    "minimum_parent_events",
                    "minimum_viability",
                    "state_markers",
                },
            ),
        },
    )


ASSAYS: Mapping[str, Assay] = {
    "rna_counts": _rna("rna_counts"),
    "rna_tpm": _rna("rna_tpm"),
    "sc_counts": Assay(
        split=cells.split_cells,
        split_config={"aliases": ALIASES, "ensembl": ENSEMBL},
        split_files=("gene_names",),
        piece="{sample_id}.h5ad",
        score=cell_features.cell_step,
        score_config={"markers": MARKERS, "signatures": SIGNATURES, "aliases": ALIASES},
        score_files=("celltypist",),
        by_compartment=True,
        score_parameters=lambda study: {
            "seed": study.settings.seed,
            "minimum_coverage": study.settings.expression.minimum_coverage,
            **study.settings.cells.model_dump(mode="json", exclude={"embedding", "celltypist"}),
        },
    ),
    "cell_counts": Assay(
        split=blood_counts.split_blood_counts,
        score=blood_count_features.blood_count_step,
    ),
    "proteins": Assay(
        split=proteins.split_proteins,
        score=protein_features.protein_step,
        score_parameters=lambda study: study.settings.proteins.model_dump(mode="json"),
    ),
    "flow": _events("flow"),
    "cytof": _events("cytof"),
    "tcr": Assay(
        split=repertoires.split_repertoires,
        split_parameters=lambda study: {"clone_by": study.settings.tcr.clone_by},
        score=repertoire_features.repertoire_features_step,
        score_parameters=lambda study: {
            "seed": study.settings.seed,
            **study.settings.tcr.model_dump(mode="json", include={"depth", "minimum_clones"}),
        },
    ),
    "gene_families": Assay(
        split=gene_families.split_gene_families,
        split_files=("functions",),
        score=gene_family_features.gene_family_step,
        score_config={"functions": "taxa/microbial_functions.csv"},
    ),
    "taxa_counts": _taxa("taxa_counts"),
    "taxa_relabund": _taxa("taxa_relabund"),
}
