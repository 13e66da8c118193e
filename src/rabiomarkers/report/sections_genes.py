"""Single genes of bulk RNA: which moved, in whom, and which signatures' genes moved together; what was not measured."""

from collections.abc import Iterator

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.enrichment import enrichment_points
from rabiomarkers.report.figures.gene_heatmap import gene_heatmap
from rabiomarkers.report.figures.volcano import volcano
from rabiomarkers.report.labels import plain
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    interval,
    number,
    p_with_floor,
    percent,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)
from rabiomarkers.stats.competitive import CORRELATION
from rabiomarkers.stats.multiplicity import ALPHA

SMALLEST_P = "smallest p"
GENES_SHOWN = 40
GENE_COLUMNS = ("gene", "shown for", "pairs", "log2 fold change", "interval", "p", "q")
GENE_NOTE = (
    "p: of one gene, whether its mean change over the patients is none; it has no floor, as it takes changes as normal. "
    "q: the same p after so many genes were looked at."
)
ENRICHMENT_COLUMNS = (
    "signature",
    "genes",
    "enrichment score",
    "p among genes (q)",
    "p over patients (floor)",
    "leading edge",
)
COVERAGE_COLUMNS = ("signature", "measured in", "genes", "not measured in every sample")
EXPLORED = (
    "Exploratory: no gene was planned for. q is Benjamini–Hochberg's, over all genes tested in one compartment; of "
    "genes with q at most 0.05 one in twenty may be expected to be a false one. A gene that moved may have moved "
    "because the cells of the biopsy did."
)
TWO_QUESTIONS = (
    "The two p ask two questions. Among genes: did the signature's genes move further than other genes, taking the "
    f"correlation of genes as {CORRELATION:g}? It does not know how many patients there are. Over patients: would the mean of "
    "its genes' statistics be as far from 0 if each patient's change had its sign drawn at random? It has a floor, "
    "as every exact p of few pairs has. Only where both pass is a signature filled in the figure. Up and down are "
    "as the signature is signed."
)
HEATMAP = (
    "Each patient's own change. Shown are the genes of the planned signatures and those of the smallest p, which "
    "were chosen by looking and cannot be evidence of their own."
)


def genes_section(data: ReportData) -> Section | None:
    """Volcano, heatmap, genes and signatures of each compartment with bulk RNA; None where there is none."""
    if data.genes.empty:
        return None
    blocks: list[Block] = [Prose(text=EXPLORED)]
    for compartment, assay in _places(data.genes):
        blocks += _of_one(data, compartment, assay)
    return Section(name="genes", title="Single genes", blocks=blocks)


def coverage_section(data: ReportData) -> Section | None:
    """Genes of signatures that no sample, or not every sample, measured."""
    if data.gene_coverage.empty:
        return None
    lacking = data.gene_coverage[data.gene_coverage["n_measured"] < data.gene_coverage["n_genes"]]
    table = Grid(
        caption=f"Signatures not measured in full: {len(lacking)} of {len(data.gene_coverage)}",
        columns=COVERAGE_COLUMNS,
        rows=[
            (
                two_lines(row["signature"], plain(row["signature"])),
                f"{row['compartment']}, {text(row['assay']).replace('_', ' ')}",
                f"{whole(row['n_measured'])} of {whole(row['n_genes'])} ({percent(row['coverage'])})",
                text(row["absent"], DASH),
            )
            for _, row in lacking.sort_values(["coverage", "signature"]).iterrows()
        ],
        note="A score is absent where the share of measured genes lies below that of the plan."
        if len(lacking)
        else "Every gene of every signature was measured in every sample.",
        collapsed=bool(len(lacking)),
    )
    return Section(name="gene-coverage", title="Genes that were not measured", blocks=[table])


def planned_genes(gene_deltas: pd.DataFrame) -> dict[str, str]:
    """Gene -> the planned signature it is shown for."""
    each = gene_deltas[["gene", "chosen"]].drop_duplicates("gene").itertuples(index=False)
    return {str(gene): str(why) for gene, why in each if why != SMALLEST_P}


def _places(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    for compartment, assay in table[["compartment", "assay"]].drop_duplicates().itertuples(index=False):
        yield str(compartment), str(assay)


def _within(table: pd.DataFrame, compartment: str, assay: str) -> pd.DataFrame:
    return table[(table["compartment"] == compartment) & (table["assay"] == assay)]


def _of_one(data: ReportData, compartment: str, assay: str) -> list[Block]:
    genes, shown, enrichment = (
        _within(table, compartment, assay) for table in (data.genes, data.gene_deltas, data.enrichment)
    )
    title = f"{compartment} ({assay.replace('_', ' ')})"
    planned = planned_genes(shown)
    name = f"{compartment}-{assay}".replace("_", "-")
    untested = genes[genes["p_value"].isna()]
    reasons = untested["note"].map(lambda note: text(note, "no reason given")).value_counts()
    left = "; ".join(f"{count} {why}" for why, count in reasons.items())
    caption = f"Hover for a gene. Not tested: {left}." if left else "Hover for a gene."
    blocks: list[Block] = [
        Picture(name=f"volcano-{name}", caption=caption, content=volcano(genes, planned, title=title)),
        Picture(name=f"heatmap-{name}", caption=HEATMAP, content=gene_heatmap(shown, data.outcomes, title=title)),
        _gene_table(genes, shown, title),
    ]
    if enrichment.empty:
        return [*blocks, Prose(text=f"Signatures among the genes of {title}: none. {LATER}")]
    enrichment, left_out = _without_availability(enrichment, data.axes)
    picture = enrichment_points(enrichment, title=title)
    return [
        *blocks,
        Picture(name=f"enrichment-{name}", caption=TWO_QUESTIONS + left_out, content=picture),
        _enrichment_table(enrichment, title),
    ]


def _without_availability(enrichment: pd.DataFrame, axes: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The signatures whose change means something, and the words about the others."""
    before = set(axes.loc[axes["use"] == "before", "signature"]) & set(enrichment["signature"])
    if not before:
        return enrichment, ""
    told = f" Left out: {', '.join(sorted(before))}, which speak of samples before treatment only."
    return enrichment[~enrichment["signature"].isin(before)], told


def _gene_table(genes: pd.DataFrame, shown: pd.DataFrame, title: str) -> Grid:
    why = shown.drop_duplicates("gene").set_index("gene")["chosen"]
    rows = genes[genes["gene"].isin(why.index)].sort_values(["p_value", "gene"]).head(GENES_SHOWN)
    passed = int((genes["q_value"] <= ALPHA).sum())
    tested = int(genes["p_value"].notna().sum())
    return Grid(
        caption=f"Genes of {title}: {plural(tested, 'gene')} tested, {passed} with q at most {ALPHA}",
        columns=GENE_COLUMNS,
        rows=[
            (
                text(row["gene"]),
                text(why.get(row["gene"])),
                whole(row["n_pairs"]),
                signed(row["estimate"]) if present(row["estimate"]) else two_lines(NOT_ESTIMABLE, reason(row["note"])),
                interval(row["ci_low"], row["ci_high"]) if present(row["ci_low"]) else DASH,
                number(row["p_value"]) if present(row["p_value"]) else DASH,
                number(row["q_value"]) if present(row["q_value"]) else DASH,
            )
            for _, row in rows.iterrows()
        ],
        note=GENE_NOTE
        + (f" The {GENES_SHOWN} of smallest p stand here; all are in genes.parquet." if len(why) > GENES_SHOWN else ""),
        collapsed=True,
    )


def _enrichment_table(enrichment: pd.DataFrame, title: str) -> Grid:
    ordered = enrichment.sort_values(["p_patients", "p_value", "signature"], na_position="last")
    return Grid(
        caption=f"Signatures among the genes of {title}",
        columns=ENRICHMENT_COLUMNS,
        rows=[_enrichment_row(row) for _, row in ordered.iterrows()],
        note="Leading edge: the members up to the peak of the running sum, those that carry the score.",
        collapsed=True,
    )


def _enrichment_row(row: pd.Series) -> tuple[str, ...]:
    some = present(row["enrichment_score"])
    among = f"{number(row['p_value'])} ({number(row['q_value'])})" if present(row["p_value"]) else DASH
    return (
        two_lines(row["signature"], plain(row["signature"])),
        whole(row["n_genes"]),
        signed(row["enrichment_score"]) if some else two_lines(NOT_ESTIMABLE, reason(row["note"])),
        among,
        p_with_floor(row["p_patients"], row["p_floor"]) if present(row["p_patients"]) else DASH,
        text(row["leading_edge"], DASH),
    )
