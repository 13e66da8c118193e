"""Tables about single genes and about whose sample a library is."""

from rabiomarkers.tables.table import COMPARTMENTS, Table, words

GENES = Table(
    name="genes",
    columns={
        "compartment": "text",
        "assay": "text",
        "gene": "text",
        "n_pairs": "integer",
        "mean_level": "number",  # log2 CPM or log2 TPM, over both timepoints
        "estimate": "number",  # log2 fold change, later over earlier
        "ci_low": "number",
        "ci_high": "number",
        "statistic": "number",
        "degrees_of_freedom": "number",
        "p_value": "number",
        "q_value": "number",  # Benjamini-Hochberg over the tested genes of the compartment and assay
        "test": "text",
        "note": "text",
    },
    key=("compartment", "assay", "gene"),
    may_be_empty=words("mean_level estimate ci_low ci_high statistic degrees_of_freedom p_value q_value note"),
    allowed={"compartment": COMPARTMENTS},
)
"""How each gene changed within patients. A gene that was not tested has its reason in `note`."""

GENE_DELTAS = Table(
    name="gene changes",
    columns={
        "compartment": "text",
        "assay": "text",
        "gene": "text",
        "patient_id": "text",
        "change": "number",  # log2
        "chosen": "text",  # why the gene is shown: "smallest p" or the name of a signature
    },
    key=("compartment", "assay", "gene", "patient_id"),
    allowed={"compartment": COMPARTMENTS},
)
"""Each patient's change of the genes that the report shows."""

ENRICHMENT = Table(
    name="enrichment",
    columns={
        "compartment": "text",
        "assay": "text",
        "signature": "text",
        "axis": "text",
        "n_genes": "integer",  # members among the tested genes
        "coverage": "number",  # their share of the signature
        "direction": "text",  # "up" or "down": as the signature is signed, after treatment
        "enrichment_score": "number",  # of the signed, preranked list, -1 to 1
        "statistic": "number",  # mean signed statistic of the members less that of all other genes
        "p_value": "number",  # competitive: members against other genes
        "q_value": "number",
        "p_patients": "number",  # self-contained: signs of whole patients' changes flipped
        "p_floor": "number",
        "n_pairs": "integer",
        "leading_edge": "text",
        "note": "text",
    },
    key=("compartment", "assay", "signature"),
    may_be_empty=words(
        "coverage direction enrichment_score statistic p_value q_value p_patients p_floor leading_edge note"
    ),
    allowed={"compartment": COMPARTMENTS},
)
"""Whether the genes of a signature changed together, among all genes ranked by their paired change."""

IDENTITY = Table(
    name="identity",
    columns={
        "sample_id": "text",
        "patient_id": "text",
        "timepoint": "text",
        "compartment": "text",
        "assay": "text",
        "check": "text",  # "pair", "sex"
        "value": "number",
        "unit": "text",
        "expected": "text",
        "found": "text",
        "finding": "flag",
        "fits": "text",  # the sample or patient that would fit, where one does
        "note": "text",
        "p_value": "number",  # of all pairs of the sheet together against re-matched ones; the same in every row of check "pair"
        "p_floor": "number",
    },
    key=("sample_id", "assay", "check"),
    may_be_empty=words("value expected found fits note p_value p_floor"),
    allowed={"compartment": COMPARTMENTS},
)
"""What speaks against a sample being whose it is said to be. A finding takes no sample out: somebody must look."""

GENE_COVERAGE = Table(
    name="gene coverage",
    columns={
        "compartment": "text",
        "assay": "text",
        "signature": "text",
        "n_genes": "integer",
        "n_measured": "integer",  # in every sample of the compartment and assay
        "coverage": "number",
        "absent": "text",  # symbols, each with how many samples lack it where not all do
    },
    key=("compartment", "assay", "signature"),
    may_be_empty=words("absent"),
    allowed={"compartment": COMPARTMENTS},
)
"""Which genes of a signature no sample, or not every sample, measured."""

AXES = Table(
    name="retinoic-acid axes",
    columns={
        "axis": "text",
        "arm": "text",
        "signature": "text",
        "compartment": "text",
        "use": "text",  # "before": the level before treatment; "change": how it moved
        "n": "integer",  # patients
        "estimate": "number",  # median level before treatment, or the estimated change
        "low": "number",  # quartiles of the level, or the interval of the change
        "high": "number",
        "unit": "text",
        "p_value": "number",  # of a change only
        "p_floor": "number",
        "words": "text",  # what the axis means
        "note": "text",
    },
    key=("axis", "arm", "signature", "compartment", "use"),
    may_be_empty=words("estimate low high p_value p_floor note"),
    allowed={"compartment": COMPARTMENTS, "use": ("before", "change")},
)
"""The retinoic-acid and peroxidation axes apart: each is read where it means something."""
