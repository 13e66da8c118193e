"""What the report is made of: the finished tables, read from a results folder or from the files of the steps before it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.files import read_json, read_table
from rabiomarkers.report.registration import unregistered
from rabiomarkers.results import Results
from rabiomarkers.tables.published import TABLES
from rabiomarkers.tables.table import Table

OPTIONAL = frozenset(
    {
        "families",
        "by_response",
        "courses",
        "axes",
        "genes",
        "gene_deltas",
        "enrichment",
        "gene_coverage",
        "identity",
        "gates",
        "populations",
        "densities",
        "positions",
        "gate_checks",
        "detection",
        "overlaps",
        "clones",
        "embedding",
        "composition",
        "community",
        "chain",
        "links",
        "sensitivity",
        "shadow_null",
        "power",
        "predictions",
        "permutations",
        "coefficients",
        "calibration",
        "decision_curve",
        "batch_validation",
        "stability",
        "learning_curve",
        "distances",
        "ordination",
        "microbes",
        "microbe_scores",
        "rarefaction",
        "taxa",
        "contaminants",
        "contaminated_samples",
        "stool_identity",
        "procrustes",
        "sums",
        "timeline",
        "survival",
        "toxicity",
        "remarks",
    }
)
"""Tables a study may have no use for (no stool, no lesions, no model), or that an earlier version did not write."""


LATER = "An earlier version wrote these results; rabiomarkers run adds it."
"""Beside whatever a folder of the first version lacks."""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """The tables by their names in a results folder, the summary, and how the results were made."""

    features: pd.DataFrame
    changes: pd.DataFrame
    deltas: pd.DataFrame
    families: pd.DataFrame
    by_response: pd.DataFrame
    courses: pd.DataFrame
    axes: pd.DataFrame
    genes: pd.DataFrame
    gene_deltas: pd.DataFrame
    enrichment: pd.DataFrame
    gene_coverage: pd.DataFrame
    identity: pd.DataFrame
    gates: pd.DataFrame
    populations: pd.DataFrame
    densities: pd.DataFrame
    positions: pd.DataFrame
    gate_checks: pd.DataFrame
    detection: pd.DataFrame
    overlaps: pd.DataFrame
    clones: pd.DataFrame
    embedding: pd.DataFrame
    composition: pd.DataFrame
    community: pd.DataFrame
    chain: pd.DataFrame
    links: pd.DataFrame
    sensitivity: pd.DataFrame
    shadow_null: pd.DataFrame
    power: pd.DataFrame
    outcomes: pd.DataFrame
    predictions: pd.DataFrame
    permutations: pd.DataFrame
    coefficients: pd.DataFrame
    calibration: pd.DataFrame
    decision_curve: pd.DataFrame
    batch_validation: pd.DataFrame
    stability: pd.DataFrame
    learning_curve: pd.DataFrame
    ledger: pd.DataFrame
    qc: pd.DataFrame
    distances: pd.DataFrame
    ordination: pd.DataFrame
    microbes: pd.DataFrame
    microbe_scores: pd.DataFrame
    rarefaction: pd.DataFrame
    taxa: pd.DataFrame
    contaminants: pd.DataFrame
    contaminated_samples: pd.DataFrame
    stool_identity: pd.DataFrame
    procrustes: pd.DataFrame
    sums: pd.DataFrame
    timeline: pd.DataFrame
    survival: pd.DataFrame
    toxicity: pd.DataFrame
    remarks: pd.DataFrame
    summary: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @property
    def of_first_version(self) -> bool:
        """Whether the results were written before there were timelines, curves, remarks and decisions."""
        return not self.summary.get("rule_sets")

    @property
    def unregistered(self) -> bool:
        """Whether a plan was registered and this is another one, so that nothing is primary or secondary."""
        return unregistered(self.summary)


def data_of_results(results: Results) -> ReportData:
    """The report's tables from a results folder.

    Raises
    ------
    ResultsError
        The folder lacks a table that every study has.
    """
    tables = {
        name: table.empty() if name in OPTIONAL and not (results.folder / file).is_file() else getattr(results, name)
        for name, (file, table, _) in _shown().items()
    }
    made = results.folder / "provenance.json"
    return ReportData(**tables, summary=results.summary, provenance=read_json(made) if made.is_file() else {})


def data_of_inputs(inputs: Mapping[str, Path]) -> ReportData:
    """The report's tables from the files of the steps before it, by the table's name."""
    tables = {
        name: table.empty() if name in OPTIONAL and name not in inputs else table.check(read_table(inputs[name]))
        for name, (_, table, _) in _shown().items()
    }
    made = read_json(inputs["provenance"]) if "provenance" in inputs else {}
    return ReportData(**tables, summary=read_json(inputs["summary"]), provenance=made)


def _shown() -> dict[str, tuple[str, Table, str]]:
    """The tables of a results folder that the report shows something of."""
    names = {field.name for field in fields(ReportData)}
    return {name: entry for name, entry in TABLES.items() if name in names}
