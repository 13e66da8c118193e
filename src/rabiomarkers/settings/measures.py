"""How samples are measured and judged: bulk RNA, genes, single cells, stool."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rabiomarkers.settings.base import Above, Count, Folder, Name, Positive, Settings, Share, wrong

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


EXPRESSION_FILES = ("gene_names", "transcripts", "reference", "profile")
"""The keys of `expression` that name a file of the study."""


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


class StoolSettings(Settings):
    """How stool samples are made comparable."""

    depth: Annotated[int, Field(ge=1)] = 10_000
    """Reads that every sample is drawn down to (counts only); a sample with fewer has no diversity."""
