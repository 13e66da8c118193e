"""The report's figures for a notebook: `ra.plot.waterfall(results)`, `ra.plot.paired(results, "NLR")`, ...

Each takes an opened results folder and returns a plotly figure, or a message in words where there is nothing to draw.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.errors import ResultsError
from rabiomarkers.report.endpoint_tables import denominator, medians
from rabiomarkers.report.figures.axes import Use, axis_points
from rabiomarkers.report.figures.chain import chain_lines
from rabiomarkers.report.figures.clones import clone_panels
from rabiomarkers.report.figures.composition import composition_forest
from rabiomarkers.report.figures.courses import course_lines
from rabiomarkers.report.figures.embedding import By as CellsBy
from rabiomarkers.report.figures.embedding import cell_map
from rabiomarkers.report.figures.enrichment import enrichment_points
from rabiomarkers.report.figures.forest import forest as forest_figure
from rabiomarkers.report.figures.gates import gate_panels
from rabiomarkers.report.figures.gene_heatmap import gene_heatmap as heatmap_figure
from rabiomarkers.report.figures.interaction import interaction_points
from rabiomarkers.report.figures.ledger import ledger_map
from rabiomarkers.report.figures.null_distribution import null_distribution as null_figure
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.figures.quality import quality_bars
from rabiomarkers.report.figures.sensitivity import sensitivity_panels
from rabiomarkers.report.figures.spider import spider as spider_figure
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.figures.survival import ENDPOINTS, survival_curves
from rabiomarkers.report.figures.swimmer import swimmer as swimmer_figure
from rabiomarkers.report.figures.volcano import volcano as volcano_figure
from rabiomarkers.report.figures.waterfall import waterfall as waterfall_figure
from rabiomarkers.report.plot_stool import microbes, ordination, rarefaction, stool_scores, taxa
from rabiomarkers.report.sections_genes import planned_genes
from rabiomarkers.results import Results
from rabiomarkers.tables.changes import SENSITIVITY
from rabiomarkers.tables.table import TIERS

__all__ = [
    "axes",
    "cells",
    "chain",
    "clones",
    "composition",
    "courses",
    "enrichment",
    "forest",
    "gates",
    "gene_heatmap",
    "interaction",
    "ledger",
    "microbes",
    "null_distribution",
    "ordination",
    "paired",
    "quality",
    "rarefaction",
    "sensitivity",
    "spider",
    "stool_scores",
    "survival",
    "swimmer",
    "taxa",
    "volcano",
    "waterfall",
]


def paired(
    results: Results, feature: str | Sequence[str], *, colour: str | None = "responder", compartment: str | None = None
) -> go.Figure | Message:
    """Before and after treatment, one line a patient; one panel for each feature named.

    `colour` is a flag of the outcomes (`responder`, `disease_control`, `progressed`), or None. `compartment` settles which is
    meant where two compartments have a feature of one name; without it both are shown.

    Raises
    ------
    ResultsError
        No such feature or flag; the nearest names are told.
    """
    names = [feature] if isinstance(feature, str) else list(feature)
    changes = results.changes
    rows = [_feature_rows(changes, name, compartment) for name in names]
    chosen = pd.concat([changes.head(0), *rows], ignore_index=True)
    if colour is not None:
        _check_colour(colour, _flags(results))
    return paired_lines(results.deltas, chosen, results.outcomes, contrast=_contrast(results), colour=colour)


def waterfall(
    results: Results, *, colour: str = "best_response", compartment: str | None = None
) -> go.Figure | Message:
    """Best change of the sum of target diameters of each patient.

    `colour` is ``best_response`` or the name of a feature, whose change then colours the bars.

    Raises
    ------
    ResultsError
        No such feature, or it was measured in several compartments and none was named.
    """
    if colour == "best_response":
        return waterfall_figure(results.outcomes)
    rows = _feature_rows(results.changes, colour, compartment)
    if len(rows) > 1:
        raise ResultsError(
            f"Feature {colour!r} was measured in {' and '.join(rows['compartment'])}; say which with `compartment=`."
        )
    deltas = results.deltas
    of_feature = deltas[(deltas["feature"] == colour) & (deltas["compartment"] == rows["compartment"].iloc[0])]
    return waterfall_figure(results.outcomes, deltas=of_feature, colour=colour)


def spider(results: Results, *, colour: str = "best_response") -> go.Figure | Message:
    """Change of the sum of target diameters from baseline over time, one line a patient.

    `colour` is ``best_response`` or a flag of the outcomes (`responder`, `disease_control`, ...).

    Raises
    ------
    ResultsError
        No such flag, or a study without lesions or visits.
    """
    _check_colour(colour, ["best_response", *_flags(results)])
    return spider_figure(results.sums, results.outcomes, colour=colour)


def swimmer(results: Results) -> go.Figure | Message:
    """The course of each patient on one line: treatment, response, progression, adverse events, death.

    Raises
    ------
    ResultsError
        The folder was written before there was a timeline.
    """
    return swimmer_figure(results.timeline, results.outcomes)


def survival(results: Results, endpoint: str = "pfs", *, arm: str | None = None) -> go.Figure | Message:
    """Kaplan-Meier curves with limits, censored patients and numbers at risk.

    `endpoint` is ``pfs``, ``os`` or ``response_duration``. Where the study has arms there is a curve for each; `arm` shows one of
    them, or with ``all`` all patients together.

    Raises
    ------
    ResultsError
        No such endpoint or arm, or the folder was written before there were curves.
    """
    if endpoint not in ENDPOINTS:
        raise _unknown("endpoint", endpoint, ENDPOINTS)
    curves = results.survival[results.survival["endpoint"] == endpoint]
    if arm is not None and arm not in set(curves["arm"]):
        raise _unknown("arm", arm, curves["arm"])
    return survival_curves(
        curves,
        endpoint=endpoint,
        patients=denominator(results.outcomes, endpoint),
        medians=medians(results.summary, endpoint),
        arm=arm,
    )


def forest(results: Results, *, tier: str | Sequence[str] = ("primary", "secondary")) -> go.Figure | Message:
    """Paired change of every feature of the tier or tiers, with interval, p and q.

    Raises
    ------
    ResultsError
        A tier is none of primary, secondary, exploratory.
    """
    tiers = [tier] if isinstance(tier, str) else list(tier)
    for name in tiers:
        if name not in TIERS:
            raise _unknown("tier", name, TIERS)
    return forest_figure(results.changes, results.deltas, tiers=tiers)


def interaction(
    results: Results, feature: str | Sequence[str], *, compartment: str | None = None
) -> go.Figure | Message:
    """The patients' changes by response, one panel for each feature named; `compartment` as in `paired`.

    Raises
    ------
    ResultsError
        No such feature; the nearest names are told.
    """
    names = [feature] if isinstance(feature, str) else list(feature)
    chosen = pd.concat([_feature_rows(results.changes, name, compartment) for name in names], ignore_index=True)
    return interaction_points(results.deltas, chosen, results.by_response, results.outcomes)


def chain(results: Results, *, colour: str | None = "responder") -> go.Figure | Message:
    """Each patient's change at each step of the mechanism; `colour` as in `paired`.

    Raises
    ------
    ResultsError
        No such flag of the outcomes.
    """
    if colour is not None:
        _check_colour(colour, _flags(results))
    return chain_lines(results.chain, results.outcomes, colour=colour)


def composition(results: Results, name: str) -> go.Figure | Message:
    """The parts of one composition (``cell types``, ``taxa``) against both references.

    Raises
    ------
    ResultsError
        No such composition.
    """
    parts = results.composition
    if name not in set(parts["composition"]):
        raise _unknown("composition", name, parts["composition"])
    return composition_forest(parts[parts["composition"] == name], title=name)


def axes(results: Results, *, use: Use = "change") -> go.Figure | Message:
    """The axes of retinoic acid and peroxidation: their ``change``, or availability ``before`` treatment.

    Raises
    ------
    ResultsError
        Another use.
    """
    if use not in ("before", "change"):
        raise _unknown("use of an axis", use, ("before", "change"))
    return axis_points(results.axes, use=use)


def volcano(results: Results, *, compartment: str | None = None) -> go.Figure | Message:
    """Every tested gene of one compartment: log2 fold change against p, the planned signatures' genes marked.

    `compartment` is needed only where several have bulk RNA.

    Raises
    ------
    ResultsError
        No such compartment, or several and none was named.
    """
    genes, title = _of_place(results.genes, compartment)
    shown, _ = _of_place(results.gene_deltas, compartment)
    return volcano_figure(genes, planned_genes(shown), title=title)


def gene_heatmap(results: Results, *, compartment: str | None = None) -> go.Figure | Message:
    """Each patient's change of the shown genes of one compartment, responders beside the others; `compartment` as in `volcano`.

    Raises
    ------
    ResultsError
        No such compartment, or several and none was named.
    """
    shown, title = _of_place(results.gene_deltas, compartment)
    return heatmap_figure(shown, results.outcomes, title=title)


def enrichment(results: Results, *, compartment: str | None = None) -> go.Figure | Message:
    """Which signatures' genes moved together; `compartment` as in `volcano`.

    Raises
    ------
    ResultsError
        No such compartment, or several and none was named.
    """
    table, title = _of_place(results.enrichment, compartment)
    return enrichment_points(table, title=title)


def courses(results: Results, feature: str | Sequence[str]) -> go.Figure | Message:
    """Each later timepoint against the first, one panel for each feature named.

    Raises
    ------
    ResultsError
        No such feature; the nearest names are told.
    """
    names = [feature] if isinstance(feature, str) else list(feature)
    return course_lines(pd.concat([_feature_rows(results.courses, name, None) for name in names], ignore_index=True))


def sensitivity(results: Results | pd.DataFrame) -> go.Figure | Message:
    """Every analysis of the primary features: as planned, without each patient, by each other test.

    In place of the results it takes a table that was made on demand: ``ra.plot.sensitivity(ra.sensitivity(results, "NLR"))``.

    Raises
    ------
    TableError
        The table is none of `ra.sensitivity`.
    """
    return sensitivity_panels(SENSITIVITY.check(results) if isinstance(results, pd.DataFrame) else results.sensitivity)


def ledger(results: Results) -> go.Figure | Message:
    """Which sample of which patient was used, and why the others were not."""
    return ledger_map(results.ledger)


def quality(results: Results) -> go.Figure | Message:
    """How many samples passed each limit of quality control."""
    return quality_bars(results.qc)


def null_distribution(results: Results, model: str) -> go.Figure | Message:
    """A model's AUC against the AUC of the same procedure on relabelled patients.

    Raises
    ------
    ResultsError
        No such model.
    """
    models = {str(entry["name"]): entry for entry in results.summary.get("models", [])}
    if model not in models:
        raise _unknown("model", model, models)
    return null_figure(results.permutations, models[model])


def __dir__() -> list[str]:
    """What `ra.plot.<TAB>` offers: the figures, not what they are made with."""
    return sorted(__all__)


def _flags(results: Results) -> list[str]:
    return [str(name) for name, kind in results.outcomes.dtypes.items() if str(kind) == "boolean"]


def _check_colour(colour: str, known: Sequence[str]) -> None:
    if colour not in known:
        raise _unknown("flag of the outcomes to colour by", colour, known)


def _of_place(table: pd.DataFrame, compartment: str | None) -> tuple[pd.DataFrame, str]:
    """The rows of one compartment's bulk RNA, and what they are called."""
    if compartment is not None and compartment not in set(table["compartment"]):
        raise _unknown("compartment with bulk RNA", compartment, table["compartment"])
    rows = table if compartment is None else table[table["compartment"] == compartment]
    places = rows[["compartment", "assay"]].drop_duplicates().to_numpy().tolist()
    if len(places) > 1:
        named = " and ".join(f"{name} ({assay})" for name, assay in places)
        raise ResultsError(f"There is bulk RNA of {named}; say which with `compartment=`.")
    return rows, " ".join(str(places[0][0]).split()) if places else "bulk RNA"


def _feature_rows(changes: pd.DataFrame, name: str, compartment: str | None) -> pd.DataFrame:
    rows = changes[changes["feature"] == name]
    if rows.empty:
        raise _unknown("feature", name, changes["feature"])
    if compartment is None:
        return rows
    inside = rows[rows["compartment"] == compartment]
    if inside.empty:
        raise ResultsError(
            f"Feature {name!r} was measured in {' and '.join(rows['compartment'])}, not in {compartment!r}."
        )
    return inside


def _unknown(kind: str, name: str, known: Iterable[str]) -> ResultsError:
    """An error that names the nearest of what there is, or what holds the name; upper and lower case do not matter."""
    names = sorted(set(known))
    folded = {text.casefold(): text for text in names}
    near = [folded[text] for text in get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    if near := near or [folded[text] for text in folded if name.casefold() in text][:6]:
        return ResultsError(f"There is no {kind} {name!r}. Did you mean {' or '.join(near)}?")
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return ResultsError(f"There is no {kind} {name!r}; there are: {shown or 'none'}.")


def _contrast(results: Results) -> list[str]:
    return [str(name) for name in results.summary.get("contrast") or ("before", "after")]


def gates(results: Results, *, batch: str | None = None, assay: str = "flow") -> go.Figure | Message:
    """Where the markers of a batch are cut, with the events of each of its samples; `batch`: the first where none is named.

    Raises
    ------
    ResultsError
        No sample of this batch and assay was gated.
    """
    own = results.densities[results.densities["assay"] == assay]
    known = sorted(own["batch"].unique())
    chosen = batch if batch is not None else next(iter(known), None)
    if chosen not in known:
        raise ResultsError(f"No batch {chosen!r} was gated by {assay}; there are: {', '.join(known) or 'none'}.")
    borders = results.gates[(results.gates["batch"] == chosen) & (results.gates["assay"] == assay)]
    return gate_panels(own[own["batch"] == chosen], borders, title=f"Borders of {chosen}, {assay}")


def clones(results: Results, *, compartment: str = "blood", locus: str = "TRB") -> go.Figure | Message:
    """T-cell clones of each patient before and after, those that expanded or contracted in colour."""
    overlaps, moved = (
        table[(table["compartment"] == compartment) & (table["locus"] == locus)]
        for table in (results.overlaps, results.clones)
    )
    return clone_panels(moved, overlaps, title=f"T-cell clones of {compartment}, {locus}")


def cells(results: Results, *, compartment: str = "blood", by: CellsBy = "cell_type") -> go.Figure | Message:
    """Some single cells of every sample laid out for the eye, in the colours of their types or of their clusters (`by`)."""
    drawn = results.embedding[results.embedding["compartment"] == compartment]
    return cell_map(drawn, title=f"Single cells of {compartment}", by=by)
