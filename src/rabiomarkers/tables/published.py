"""The tables of a results folder."""

from collections.abc import Mapping

from rabiomarkers.tables.changes import (
    BY_RESPONSE,
    CHAIN,
    CHANGES,
    COMMUNITY,
    COMPOSITION,
    COURSES,
    DELTAS,
    DISTANCES,
    FAMILIES,
    LINKS,
    ORDINATION,
    POWER,
    SENSITIVITY,
    SHADOW_NULL,
    SINGLES,
)
from rabiomarkers.tables.cytometry import (
    CLONES,
    DETECTION,
    EMBEDDING,
    GATE_CHECKS,
    GATES,
    OVERLAPS,
    SAMPLE_POPULATIONS,
    SAMPLE_POSITIONS,
    SAMPLE_VIEWS,
)
from rabiomarkers.tables.genes import AXES, ENRICHMENT, GENE_COVERAGE, GENE_DELTAS, GENES, IDENTITY
from rabiomarkers.tables.outcomes import OUTCOMES, REMARKS, SUMS, SURVIVAL, TIMELINE, TOXICITY
from rabiomarkers.tables.predictions import (
    BATCH_VALIDATION,
    CALIBRATION,
    COEFFICIENTS,
    DECISION_CURVE,
    LEARNING_CURVE,
    PERMUTATIONS,
    PREDICTIONS,
    STABILITY,
)
from rabiomarkers.tables.samples import FEATURES, LEDGER, QC
from rabiomarkers.tables.stool import (
    CONTAMINANTS,
    CONTAMINATED_SAMPLES,
    PROCRUSTES,
    SAMPLE_MICROBES,
    SAMPLE_RAREFACTION,
    SAMPLE_SCORES,
    STOOL_IDENTITY,
    TAXA_CHANGES,
)
from rabiomarkers.tables.table import Table, words

TABLES: Mapping[str, tuple[str, Table, str]] = {
    "features": ("features.parquet", FEATURES, "sample and feature"),
    "changes": ("changes.parquet", CHANGES, "compartment and feature"),
    "deltas": ("deltas.parquet", DELTAS, "patient and feature with a complete pair"),
    "families": ("families.parquet", FAMILIES, "family of tests"),
    "singles": ("singles.parquet", SINGLES, "patient with one sample, and feature"),
    "by_response": ("by_response.parquet", BY_RESPONSE, "compartment and feature"),
    "courses": ("courses.parquet", COURSES, "feature and later timepoint"),
    "axes": ("axes.parquet", AXES, "retinoic-acid axis, arm and use"),
    "genes": ("genes.parquet", GENES, "gene"),
    "gene_deltas": ("gene_deltas.parquet", GENE_DELTAS, "patient and shown gene"),
    "enrichment": ("enrichment.parquet", ENRICHMENT, "signature"),
    "gene_coverage": ("gene_coverage.parquet", GENE_COVERAGE, "signature"),
    "identity": ("identity.parquet", IDENTITY, "sample and check"),
    "gates": ("gates.parquet", GATES, "border of a marker in a batch"),
    "populations": ("populations.parquet", SAMPLE_POPULATIONS, "gated sample and population"),
    "densities": ("densities.parquet", SAMPLE_VIEWS, "gated sample, marker and position"),
    "positions": ("positions.parquet", SAMPLE_POSITIONS, "gated sample and marker"),
    "gate_checks": ("gate_checks.parquet", GATE_CHECKS, "population and the marker that defines it"),
    "detection": ("detection.parquet", DETECTION, "protein"),
    "overlaps": ("overlaps.parquet", OVERLAPS, "patient and receptor locus"),
    "clones": ("clones.parquet", CLONES, "patient and clone"),
    "embedding": ("embedding.parquet", EMBEDDING, "cell that is drawn"),
    "composition": ("composition.parquet", COMPOSITION, "part of a composition and reference"),
    "community": ("community.parquet", COMMUNITY, "question about whole communities"),
    "chain": ("chain.parquet", CHAIN, "patient and step of the mechanism"),
    "links": ("links.parquet", LINKS, "link of the mechanism"),
    "sensitivity": ("sensitivity.parquet", SENSITIVITY, "primary result and analysis"),
    "shadow_null": ("shadow_null.parquet", SHADOW_NULL, "family of tests and test"),
    "power": ("power.parquet", POWER, "primary feature"),
    "outcomes": ("outcomes.parquet", OUTCOMES, "patient"),
    "predictions": ("predictions.parquet", PREDICTIONS, "patient and model, out of fold"),
    "permutations": ("permutations.parquet", PERMUTATIONS, "model and relabelling"),
    "coefficients": ("coefficients.parquet", COEFFICIENTS, "model and feature"),
    "calibration": ("calibration.parquet", CALIBRATION, "model and group of patients"),
    "decision_curve": ("decision_curve.parquet", DECISION_CURVE, "model and threshold"),
    "batch_validation": ("batch_validation.parquet", BATCH_VALIDATION, "model and batch"),
    "stability": ("stability.parquet", STABILITY, "feature set and feature"),
    "learning_curve": ("learning_curve.parquet", LEARNING_CURVE, "model, effect and number of patients"),
    "ledger": ("ledger.parquet", LEDGER, "patient, timepoint, compartment and assay"),
    "qc": ("qc.parquet", QC, "sample and measure"),
    "distances": ("distances.parquet", DISTANCES, "metric and two stool samples"),
    "ordination": ("ordination.parquet", ORDINATION, "metric and stool sample"),
    "microbes": ("microbes.parquet", SAMPLE_MICROBES, "stool sample and listed microbe"),
    "microbe_scores": ("microbe_scores.parquet", SAMPLE_SCORES, "stool sample and score"),
    "rarefaction": ("rarefaction.parquet", SAMPLE_RAREFACTION, "stool sample and depth"),
    "taxa": ("taxa.parquet", TAXA_CHANGES, "taxon of a rank"),
    "contaminants": ("contaminants.parquet", CONTAMINANTS, "taxon of the blank controls"),
    "contaminated_samples": (
        "contaminated_samples.parquet",
        CONTAMINATED_SAMPLES,
        "stool sample, where there are blanks",
    ),
    "stool_identity": ("stool_identity.parquet", STOOL_IDENTITY, "stool sample"),
    "procrustes": ("procrustes.parquet", PROCRUSTES, "two compartments and a timepoint"),
    "sums": ("sums.parquet", SUMS, "patient and visit"),
    "timeline": ("timeline.parquet", TIMELINE, "event of a patient"),
    "survival": ("survival.parquet", SURVIVAL, "step of a Kaplan-Meier curve"),
    "toxicity": ("toxicity.parquet", TOXICITY, "adverse event term"),
    "remarks": ("remarks.parquet", REMARKS, "remark on the clinical tables"),
}
"""By name: the file in a results folder, what it promises, and what one row of it is."""

FIRST_COLUMNS: Mapping[str, frozenset[str]] = {
    "changes": words(
        "compartment feature unit n_pairs estimate ci_low ci_high ci_level p_value p_floor q_value effect_size test family "
        "tier note"
    ),
    "by_response": words(
        "compartment feature unit n_responders median_responders n_non_responders median_non_responders n_unknown"
    ),
    "outcomes": frozenset(
        {
            "patient_id",
            "best_response",
            "confirmed",
            "responder",
            "disease_control",
            "evaluable",
            "pfs_days",
            "progressed",
            "best_change_percent",
            "note",
        }
    ),
    "distances": words("patient_a timepoint_a patient_b timepoint_b same_patient distance"),
    "ordination": words("sample_id patient_id timepoint axis_1 axis_2"),
    "sums": frozenset({"patient_id", "day", "sum_mm", "change_percent", "response"}),
}
"""What the first version wrote, by table: its folders still open, with the columns that came later empty."""
