"""How samples are measured and judged: bulk RNA, genes, single cells, stool."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rabiomarkers.settings.base import Above, Count, Folder, Name, Positive, Settings, Share, wrong

type Metric = Literal[
    "bray_curtis",
    "jaccard",
    "aitchison",
    "robust_aitchison",
    "unweighted_unifrac",
    "weighted_unifrac",
    "normalized_unifrac",
    "generalized_unifrac",
]
type Rank = Literal["phylum", "class", "order", "family", "genus", "species"]
type MethodName = Literal["rank", "mean", "ssgsea", "aucell", "z", "authors", "gsva", "authors_cohort"]

COHORT_METHODS = ("gsva", "authors_cohort")
"""Methods whose scores depend on which other samples there are."""


class ExpressionSettings(Settings):
    """How bulk RNA is read, scored and judged."""

    methods: Annotated[tuple[MethodName, ...], Field(min_length=1)] = ("rank", "authors")
    """How signatures are scored. gsva and authors_cohort depend on the other samples and serve no model."""
    minimum_coverage: Share = 0.6
    """Smallest share of a signature's genes that must be measured."""
    minimum_library_size: Count = 1_000_000
    """Fewest reads of a sample (counts only)."""
    minimum_genes: Count = 5_000
    """Fewest genes that a sample expresses."""
    tpm_files: Literal["tpm", "fpkm", "log2_tpm"] = "tpm"
    """What files of the assay rna_tpm hold: TPM, FPKM, or log2(TPM + 1); the latter two are turned into TPM."""
    replicates: Literal["first", "sum"] = "first"
    """Of several libraries of one sample: only the first, or all of a batch put together."""
    gene_names: Folder | None = None
    """A table of gene ids and symbols, for matrices of Ensembl ids; null: the table that ships."""
    transcripts: Folder | None = None
    """A table of transcripts and their genes, for salmon's quant.sf without GENCODE's names."""
    reference: Folder | None = None
    """The frozen reference of the method z: gene, mean, sd."""
    profile: Folder | None = None
    """Expression of pure cell types: gene, then a column a type; with it their shares are estimated. In TPM for rna_tpm, in CPM for
    rna_counts: the length of genes does not cancel between the two."""
    expected_sex: Literal["female", "male", "unknown"] = "female"
    """Of every patient; a column `sex` of patients.csv is believed first."""

    @field_validator("methods")
    @classmethod
    def _each_method_once(cls, methods: tuple[MethodName, ...]) -> tuple[MethodName, ...]:
        if len(set(methods)) < len(methods):
            raise wrong("each method once", "remove the repeated one")
        return methods


class GeneSettings(Settings):
    """How single genes are tested for a change within patients."""

    test: Literal["moderated_t", "deseq2"] = "moderated_t"
    """deseq2 needs counts and the extra `deseq2`; samples in TPM are tested by moderated_t all the same."""
    minimum_count: Above = 10.0
    """Genes with fewer reads in too many samples are not tested (edgeR's rule)."""
    shown: Positive = 40
    """Genes of smallest p whose changes are shown patient by patient."""


PSEUDOBULK: Mapping[str, tuple[str, ...]] = {
    "macrophage": ("RA_RESPONSE_DIRECT", "MACROPHAGE_LIPID_PEROXIDATION"),
    "monocyte": ("RA_RESPONSE_DIRECT", "MACROPHAGE_LIPID_PEROXIDATION"),
    "CD8_T": ("CYT_ROONEY_2015", "T_CELL_EXHAUSTION_CORE"),
    "tumour_epithelial": ("RA_RESPONSE_DIRECT", "APM_WANG_2019"),
}
"""Which signatures are asked of which cell type, as the trial's rationale names them."""


class EmbeddingSettings(Settings):
    """The picture of single cells; no number is computed from it."""

    cells: Count = 4_000
    """Cells that are drawn, as many of each sample; 0: no picture."""
    harmony: bool = False
    """Whether batches are laid over one another (needs the extra `harmony`)."""


class CellSettings(Settings):
    """How single cells are judged and named."""

    minimum_cells: Count = 100
    """Fewest cells of a sample after quality control."""
    minimum_genes: Count = 200
    """Fewest genes that a cell expresses."""
    maximum_mitochondrial_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    """Largest share of a cell's reads from mitochondrial genes, percent."""
    minimum_score_margin: Share = 0.1
    """By how much the probability of a cell's best type must lead that of the second best; a cell below stays unassigned."""
    minimum_cells_per_type: Positive = 20
    """Fewest cells of a type whose reads are added up and scored."""
    pseudobulk: dict[Name, tuple[str, ...]] = Field(default_factory=lambda: dict(PSEUDOBULK))
    """Signatures that are scored in the added-up reads of a cell type, by type; what a compartment lacks is passed over."""
    quality_limits: Literal["mad", "fixed"] = "mad"
    """mad: cells far from the middle of their own sample are left out, too."""
    mads: Above = 5.0
    """How far, in median absolute deviations."""
    ambient: Literal["measure", "subtract"] = "measure"
    """Whether RNA from the liquid is only told, or taken from the added-up reads as well."""
    celltypist: Folder | None = None
    """A CellTypist model that was turned into a table (README); with it, it names the cells in place of the marker table."""
    embedding: EmbeddingSettings = EmbeddingSettings()


class CytometrySettings(Settings):
    """How flow and mass cytometry is gated and judged."""

    material: Literal["pbmc", "whole_blood"] = "pbmc"
    """Which total of the blood count a fraction is taken of: lymphocytes and monocytes, or all leukocytes."""
    transform: Literal["logicle", "asinh"] = "logicle"
    """Scale of flow cytometry; mass cytometry is always asinh with cofactor 5."""
    cofactor: Above = 150.0
    """Of asinh for flow cytometry."""
    minimum_events: Count = 1_000
    """Fewest intact, living single events of a sample."""
    minimum_parent_events: Positive = 100
    """Fewest events of the population that a fraction is taken of."""
    minimum_viability: Share = 0.5
    """Smallest share of living cells, where the panel has a dye for dead ones."""
    state_markers: tuple[str, ...] = ("Ki-67", "PD-1", "HLA-DR", "CD38", "GZMB")
    """Markers whose median is told in every population that they do not define."""
    controls: Folder | None = None
    """A table of controls for the cuts: batch, marker, file, kind (fmo, isotype)."""
    gates: Folder | None = None
    """Frozen cuts: the gates.csv of an earlier run; with them a sample's numbers depend on no other sample."""
    tree: Folder | None = None
    """A gating tree of the study's own (YAML); null: the one that ships."""


class ProteinSettings(Settings):
    """How proteins are judged."""

    scale: Literal["as_given", "log2"] = "log2"
    """Whether concentrations are analysed as their logarithm; NPX is one already."""
    qc_warning: Literal["drop", "keep"] = "drop"
    """Values of a sample that the laboratory's own control warns of."""
    beyond_quantification: Literal["drop", "keep"] = "drop"
    """Values above or below what the assay can quantify."""
    below_detection: Literal["keep", "drop"] = "keep"
    """Values below the limit of detection; NPX has a value there, and leaving it out would favour the high ones."""


class RepertoireSettings(Settings):
    """How T-cell receptors are counted."""

    clone_by: Literal["aa", "nt"] = "aa"
    """What makes a clone beside its V and J genes: the amino acids of the junction, or its nucleotides."""
    depth: Positive | None = None
    """Reads that every sample is drawn down to before diversity is taken; null: none is drawn, and samples of unequal depth differ
    by that alone."""
    minimum_clones: Positive = 10
    """Fewest clones of a sample."""


class StoolSettings(Settings):
    """How stool samples are made comparable, and what is asked of them."""

    depth: Annotated[int, Field(ge=1)] = 10_000
    """Reads that every sample is drawn down to (counts only); a sample with fewer has no diversity."""
    draws: Positive = 10
    """Draws that a measure without an exact expected value is averaged over."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = ("bray_curtis", "aitchison")
    """Distances between communities; the first is the main one. UniFrac needs a tree."""
    ranks: tuple[Rank, ...] = ("phylum", "family", "genus", "species")
    """Ranks at which taxa are tested."""
    minimum_prevalence: Share = 0.25
    """A taxon seen in a smaller share of the samples is not tested."""
    other_methods: Literal["all", "called"] = "all"
    """Whether ANCOM-BC and the Dirichlet-multinomial model are asked at every rank, or only where something is called."""
    minimum_coverage: Share = 0.8
    """Least share of each list of TOPOSCORE that the database must be able to report."""
    bloom: Share = 0.5
    """A single taxon above this share of a stool is told."""
    blanks: Folder | None = None
    """Counts of blank controls, taxa x blanks, with the taxa named as in the samples."""
    sequencing: Folder | None = None
    """Reads of each stool: sample_id, total_reads, host_reads."""
    functions: Folder | None = None
    """Which KEGG orthologue each gene family of the study's own is: gene_family, ko."""
    taxa_map: Folder | None = None
    """Which taxon of another database each taxon is: database, taxon, mapped_database, mapped_taxon, mapped_lineage."""


NAMED_FILES: Mapping[str, str] = {
    "gene_names": "expression",
    "transcripts": "expression",
    "reference": "expression",
    "profile": "expression",
    "celltypist": "cells",
    "controls": "cytometry",
    "gates": "cytometry",
    "tree": "cytometry",
    "blanks": "stool",
    "sequencing": "stool",
    "functions": "stool",
    "taxa_map": "stool",
}
"""The keys that name a file of the study, and the part of the settings where they stand."""
