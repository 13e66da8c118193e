"""A results folder, opened: each table is read when it is first asked for."""

from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_json, read_table
from rabiomarkers.tables.published import FIRST_COLUMNS, TABLES
from rabiomarkers.tables.table import Table

if TYPE_CHECKING:
    from mudata import MuData


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
    def gates(self) -> pd.DataFrame:
        """Where each marker is cut, by batch and the population it is cut in."""
        return self._table("gates")

    @cached_property
    def populations(self) -> pd.DataFrame:
        """One row a gated sample and population: events, shares, cells per microlitre."""
        return self._table("populations")

    @cached_property
    def densities(self) -> pd.DataFrame:
        """How each gated sample's events lie along each marker that is cut."""
        return self._table("densities")

    @cached_property
    def positions(self) -> pd.DataFrame:
        """Each gated sample's own modes beside the cut of its batch."""
        return self._table("positions")

    @cached_property
    def gate_checks(self) -> pd.DataFrame:
        """Whether a population changed or a marker that defines it."""
        return self._table("gate_checks")

    @cached_property
    def detection(self) -> pd.DataFrame:
        """How far each protein could be measured."""
        return self._table("detection")

    @cached_property
    def overlaps(self) -> pd.DataFrame:
        """One row a patient and receptor locus: how much of the repertoire before is there after."""
        return self._table("overlaps")

    @cached_property
    def clones(self) -> pd.DataFrame:
        """T-cell clones that expanded or contracted, and the largest that did not."""
        return self._table("clones")

    @cached_property
    def embedding(self) -> pd.DataFrame:
        """Some cells of every sample, laid out for the eye."""
        return self._table("embedding")

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
