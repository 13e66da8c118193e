"""A results folder, opened: each table is read when it is first asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_json, read_table
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
from rabiomarkers.tables.table import Table, words

if TYPE_CHECKING:
    from mudata import MuData

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
    "distances": ("distances.parquet", DISTANCES, "two stool samples"),
    "ordination": ("ordination.parquet", ORDINATION, "stool sample"),
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
    "sums": frozenset({"patient_id", "day", "sum_mm", "change_percent", "response"}),
}
"""What the first version wrote, by table: its folders still open, with the columns that came later empty."""


def open_results(folder: str | Path) -> "Results":
    """The results folder that `rabiomarkers run` or `rabiomarkers demo` wrote.

    Raises
    ------
    ResultsError
        There is no such folder, or it is not a results folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultsError(
            f"There is no folder {str(path)!r}. `rabiomarkers demo` makes results/demo; "
            "`rabiomarkers run STUDY --out RESULTS` makes one from a study."
        )
    if not (path / "summary.json").is_file():
        hint = "it is a study, `rabiomarkers run` makes results of it" if (path / "samples.csv").is_file() else ""
        raise ResultsError(
            f"{str(path)!r} is not a results folder: it holds no summary.json"
            + (f"; {hint}." if hint else ". Give the folder that was named in `rabiomarkers run ... --out`.")
        )
    return Results(path)


@dataclass(frozen=True)
class Results:
    """The tables of one results folder, as attributes: `results.changes`, `results.outcomes`, ...

    `summary` and `run` are the two JSON documents, `mudata()` all features as MuData.
    """

    folder: Path

    @cached_property
    def features(self) -> pd.DataFrame:
        """Sample x feature, long: `value` in `unit`."""
        return self._table("features")

    @cached_property
    def changes(self) -> pd.DataFrame:
        """One row a feature: estimate, interval, p with its floor, q, tier."""
        return self._table("changes")

    @cached_property
    def deltas(self) -> pd.DataFrame:
        """One row a patient and feature: before, after, change, on the scale that was tested."""
        return self._table("deltas")

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """One row a patient: best response, responder, PFS in days."""
        return self._table("outcomes")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold probability of response of each patient in each model."""
        return self._table("predictions")

    @cached_property
    def permutations(self) -> pd.DataFrame:
        """The AUC of each model under each relabelling of the patients."""
        return self._table("permutations")

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """What each model learnt of each feature, fitted to all patients."""
        return self._table("coefficients")

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """Forecast and observed share of responders in groups of patients, by model; only where it is estimable."""
        return self._table("calibration")

    @cached_property
    def decision_curve(self) -> pd.DataFrame:
        """Net benefit of each model, of treating everybody and of treating nobody, by threshold."""
        return self._table("decision_curve")

    @cached_property
    def batch_validation(self) -> pd.DataFrame:
        """Each batch forecast by a model of the others."""
        return self._table("batch_validation")

    @cached_property
    def stability(self) -> pd.DataFrame:
        """How often a feature is among the best in halves of the patients: a description, no signature."""
        return self._table("stability")

    @cached_property
    def learning_curve(self) -> pd.DataFrame:
        """What simulated trials of more patients would show."""
        return self._table("learning_curve")

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """Every patient x timepoint x compartment x assay: used, or why not."""
        return self._table("ledger")

    @cached_property
    def qc(self) -> pd.DataFrame:
        """Quality of each sample, each measure with its limit."""
        return self._table("qc")

    @cached_property
    def families(self) -> pd.DataFrame:
        """What each family of tests can show at this n."""
        return self._table("families")

    @cached_property
    def singles(self) -> pd.DataFrame:
        """Patients with one sample of a feature."""
        return self._table("singles")

    @cached_property
    def by_response(self) -> pd.DataFrame:
        """Whether a feature moved otherwise in responders than in the others."""
        return self._table("by_response")

    @cached_property
    def courses(self) -> pd.DataFrame:
        """Each later timepoint against the first, where a study has more than two."""
        return self._table("courses")

    @cached_property
    def axes(self) -> pd.DataFrame:
        """The retinoic-acid and peroxidation axes apart, each where it means something: before treatment, or as a change."""
        return self._table("axes")

    @cached_property
    def genes(self) -> pd.DataFrame:
        """How each gene changed within patients (log2)."""
        return self._table("genes")

    @cached_property
    def gene_deltas(self) -> pd.DataFrame:
        """Each patient's change (log2) of the genes that the report shows."""
        return self._table("gene_deltas")

    @cached_property
    def enrichment(self) -> pd.DataFrame:
        """Whether the genes of a signature changed together."""
        return self._table("enrichment")

    @cached_property
    def gene_coverage(self) -> pd.DataFrame:
        """Which genes of a signature were not measured."""
        return self._table("gene_coverage")

    @cached_property
    def identity(self) -> pd.DataFrame:
        """What speaks against a sample being whose it is said to be."""
        return self._table("identity")

    @cached_property
    def composition(self) -> pd.DataFrame:
        """Changes of cell types and taxa as parts of a whole."""
        return self._table("composition")

    @cached_property
    def community(self) -> pd.DataFrame:
        """Tests of whole communities: time, response, response x time, dispersion."""
        return self._table("community")

    @cached_property
    def chain(self) -> pd.DataFrame:
        """Each patient's change at each step of the mechanism."""
        return self._table("chain")

    @cached_property
    def links(self) -> pd.DataFrame:
        """The test of each link of the mechanism."""
        return self._table("links")

    @cached_property
    def sensitivity(self) -> pd.DataFrame:
        """Each primary result again with one thing changed."""
        return self._table("sensitivity")

    @cached_property
    def shadow_null(self) -> pd.DataFrame:
        """How often the tests reject when before and after are swapped at random."""
        return self._table("shadow_null")

    @cached_property
    def power(self) -> pd.DataFrame:
        """The smallest change each primary test would have found."""
        return self._table("power")

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Distance of every two stool samples."""
        return self._table("distances")

    @cached_property
    def ordination(self) -> pd.DataFrame:
        """The stool samples on two principal coordinates."""
        return self._table("ordination")

    @cached_property
    def sums(self) -> pd.DataFrame:
        """The target lesions' sum of diameters (mm) and the response at each visit."""
        return self._table("sums")

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """What happened to each patient and when, in days from first dose."""
        return self._table("timeline")

    @cached_property
    def survival(self) -> pd.DataFrame:
        """Kaplan-Meier steps of progression-free survival, survival and response duration, of all patients and by arm."""
        return self._table("survival")

    @cached_property
    def toxicity(self) -> pd.DataFrame:
        """How many patients had each adverse event, at which worst grade."""
        return self._table("toxicity")

    @cached_property
    def remarks(self) -> pd.DataFrame:
        """What in the clinical tables is no mistake and yet must not pass in silence."""
        return self._table("remarks")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every number of the report's front page."""
        return self._document("summary.json")

    @cached_property
    def run(self) -> dict[str, Any]:
        """How the results were made: digests, parameters, versions, steps."""
        return self._document("run.json")

    def mudata(self) -> "MuData":
        """All features, one modality per compartment and assay; samples in `.obs`."""
        import mudata  # seconds to load, and most readers want a table

        return mudata.read_h5mu(self._file("study.h5mu"))

    def _table(self, name: str) -> pd.DataFrame:
        file, table, _ = TABLES[name]
        path = self._file(file)
        try:
            frame = read_table(path)
        except ValueError as error:  # what pyarrow raises on a file that is no Parquet
            raise ResultsError(_damaged(path)) from error
        return _checked(name, table, frame)

    def _document(self, file: str) -> dict[str, Any]:
        path = self._file(file)
        try:
            document = read_json(path)
        except ValueError as error:  # no JSON, or no text
            raise ResultsError(_damaged(path)) from error
        if not isinstance(document, dict):
            raise ResultsError(_damaged(path))
        return document

    @property
    def model_files(self) -> list[Path]:
        """The frozen models, one file each, in the order of their names; `read_frozen` reads one.

        Raises ResultsError for results of a version that kept them otherwise.
        """
        found = sorted((self.folder / "models").glob("*.skops"))
        if not found and (self.folder / "models" / "frozen.json").is_file():
            raise ResultsError(
                f"The results folder {str(self.folder)!r} holds its models as frozen.json, as an earlier version wrote them. "
                "`rabiomarkers run STUDY --out RESULTS` writes them anew; steps that are already computed are not computed again."
            )
        return found

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            there = ", ".join(sorted(part.name for part in self.folder.iterdir())) or "nothing"
            raise ResultsError(
                f"The results folder {str(self.folder)!r} holds no {name} (it holds {there}). "
                "`rabiomarkers run STUDY --out RESULTS` writes it; steps that are already computed are not computed again."
            )
        return path

    def __repr__(self) -> str:
        present = [name for name, (file, _, _) in TABLES.items() if (self.folder / file).is_file()]
        return (
            f"Results of {self.summary.get('study', 'a study without a name')} in {str(self.folder)!r}\n"
            f"  tables: {', '.join(present)}\n"
            "  documents: summary, run; features as MuData: mudata()"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(row)}</td><td>{escape(file)}</td></tr>"
            for name, (file, _, row) in TABLES.items()
            if (self.folder / file).is_file()
        )
        sentences = "".join(f"<li>{escape(str(sentence))}</li>" for sentence in self.summary.get("answer", []))
        return (
            f"<h3>{escape(str(self.summary.get('study', '')))}</h3><ul>{sentences}</ul>"
            f"<table><caption>Tables of {escape(str(self.folder))}</caption>"
            "<thead><tr><th scope='col'>attribute</th><th scope='col'>one row is a</th><th scope='col'>file</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def _checked(name: str, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the table promises it; columns that an earlier version did not write are there and empty."""
    first = FIRST_COLUMNS.get(name, table.columns.keys())
    later = [column for column in table.columns if column not in first and column not in frame.columns]
    if not later:
        return table.check(frame)
    lenient = replace(table, may_be_empty=table.may_be_empty | set(later))
    return lenient.check(frame.join(table.empty()[later].reindex(frame.index)))


def _damaged(path: Path) -> str:
    return f"{path.name} in {path.parent.name!r} cannot be read: it is damaged. `rabiomarkers run` writes it anew."
