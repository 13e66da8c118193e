"""Figures of stool for a notebook; `rabiomarkers.plot` offers them beside all others."""

import plotly.graph_objects as go

from rabiomarkers.errors import ResultsError
from rabiomarkers.report.figures.diversity import rarefaction_curves
from rabiomarkers.report.figures.microbes import microbe_dots
from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.report.figures.stool_scores import score_panels
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.figures.taxa import taxa_forest
from rabiomarkers.report.sections_taxa import PLURALS
from rabiomarkers.results import Results


def ordination(results: Results, *, metric: str | None = None) -> go.Figure | Message:
    """Stool samples on two principal coordinates, with an arrow from before to after for each patient.

    `metric` is a name of `stool: metrics`; without it the main one.

    Raises
    ------
    ResultsError
        The study has no distances of this metric; those it has are told.
    """
    stool = results.summary.get("stool") or {}
    if metric is not None:
        facts = {str(told.get("name")): told for told in stool.get("metrics") or [stool]}
        if metric not in facts:
            raise ResultsError(f"No distances by {metric!r}; there are: {', '.join(sorted(facts)) or 'none'}.")
        stool = facts[metric]
    return ordination_map(results.ordination, results.outcomes, stool=stool, contrast=_contrast(results))


def rarefaction(results: Results) -> go.Figure | Message:
    """What would be seen of each stool with fewer reads, and the depth that all were brought down to."""
    reads = results.qc.loc[results.qc["assay"].eq("taxa_counts") & results.qc["measure"].eq("reads"), "limit"]
    asked = [str(limit).removeprefix(">= ") for limit in reads.dropna().unique()]
    return rarefaction_curves(results.rarefaction, depth=int(float(asked[0])) if asked else None)


def taxa(results: Results, *, rank: str = "species") -> go.Figure | Message:
    """How the taxa of one rank changed, with intervals, by three methods.

    Raises
    ------
    ResultsError
        Taxa were not tested at this rank; those that were are told.
    """
    ranks = list(results.taxa["rank"].unique())
    if len(ranks) and rank not in ranks:
        raise ResultsError(f"No taxa of the rank {rank!r}; there are: {', '.join(map(str, ranks))}.")
    return taxa_forest(results.taxa[results.taxa["rank"] == rank], title=PLURALS.get(rank, rank))


def microbes(results: Results) -> go.Figure | Message:
    """Listed microbes by what they are listed for, before and after, with the evidence."""
    return microbe_dots(results.microbes, contrast=_contrast(results))


def stool_scores(results: Results) -> go.Figure | Message:
    """TOPOSCORE and the share of Akkermansia of each patient, with the published borders."""
    return score_panels(results.microbe_scores, results.outcomes, contrast=_contrast(results))


def _contrast(results: Results) -> list[str]:
    told = results.summary.get("contrast") or ["before", "after"]
    return [str(time) for time in told]
