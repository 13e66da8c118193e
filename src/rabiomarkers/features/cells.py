"""Cell-type shares of one sample from its single-cell RNA counts, and signatures within types. No other sample plays a part."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CellError, ScaleError
from rabiomarkers.features.ambient import ambient_rna
from rabiomarkers.features.annotation import BLOOD, UNASSIGNED, MarkerTree, annotate, marker_tree
from rabiomarkers.features.cell_quality import outlying
from rabiomarkers.features.celltypist import CellTypistModel, annotate_by_model
from rabiomarkers.features.celltypist_tables import read_model
from rabiomarkers.features.doublets import DOUBLET_SCORE, MINIMUM_FOR_DOUBLETS, doublet_scores
from rabiomarkers.features.pseudobulk import pseudobulk_features
from rabiomarkers.files import Info, read_cells, write_table
from rabiomarkers.knowledge import load_aliases, load_markers, load_signatures
from rabiomarkers.stats.composition import clr
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

if TYPE_CHECKING:
    from anndata import AnnData

MITOCHONDRIAL = "MT-"
_CALLED_COLUMNS = ("barcode", "genes", "mitochondrial_percent", "kept", "doublet", "lineage", "cell_type", "confidence")

CLR_CELLS = 100
"""So many cells the log ratios speak of, whatever a sample's number: the half cell that stands for none then weighs the same in
every sample. On raw counts 2 000 cells after 500 would raise every common type by 0.37 and lower the rarest by 0.93 without a
change."""


def call_cells(
    cells: "AnnData",
    markers: pd.DataFrame,
    *,
    compartment: str = BLOOD,
    minimum_genes: int = 200,
    maximum_mitochondrial_percent: float = 20.0,
    minimum_score_margin: float = 0.1,
    mads: float | None = None,
    model: CellTypistModel | None = None,
    minimum_coverage: float = 0.6,
    seed: int = 1,
) -> pd.DataFrame:
    """Which barcodes are intact single cells, and of which type.

    Parameters
    ----------
    cells
        Cells x genes of one sample, raw counts in `.X`, HGNC symbols as `var_names`.
    markers, compartment
        The marker table and where the cells come from; see `annotation.marker_tree`.
    minimum_genes, maximum_mitochondrial_percent
        A barcode with fewer genes, or a larger share of mitochondrial molecules, is an empty droplet or a broken cell.
    minimum_score_margin
        See `annotation.annotate`.
    mads
        Barcodes further than so many median absolute deviations from the middle of the sample are left out, too
        (`cell_quality`); None: only the limits above.
    model, minimum_coverage
        A CellTypist model that names the cells in place of the marker table, and the smallest share of its genes that must have
        been measured.

    Returns
    -------
    One row a barcode, sorted by it: `barcode, genes, mitochondrial_percent` (empty where no ``MT-`` gene was measured), `kept`,
    `doublet`, `lineage, cell_type, confidence` (empty but for kept single cells). The order of cells and genes in the file plays
    no part.

    Raises
    ------
    ScaleError
        `.X` holds negative or fractional values: it is not counts.
    CellError
        A gene occurs twice, the genes name fewer than two cell types, or too few genes of the model were measured.
    """
    ordered = _in_fixed_order(cells)
    counts, genes = _counts(ordered), pd.Index(ordered.var_names)
    called = _barcode_quality(counts, genes, pd.Index(ordered.obs_names))
    mitochondrial = called["mitochondrial_percent"].fillna(0)
    called["kept"] = (called["genes"] >= max(minimum_genes, 1)) & (mitochondrial <= maximum_mitochondrial_percent)
    if mads is not None:
        molecules = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
        genes_seen, percent = (called[name].to_numpy(np.float64) for name in ("genes", "mitochondrial_percent"))
        called["kept"] &= ~outlying(molecules, genes_seen, percent, usable=called["kept"].to_numpy(bool), mads=mads)
    kept = np.flatnonzero(called["kept"])
    called["doublet"] = False
    if len(kept) >= MINIMUM_FOR_DOUBLETS:
        called.loc[kept, "doublet"] = doublet_scores(counts[kept], seed=seed) > DOUBLET_SCORE
    single = np.flatnonzero(called["kept"] & ~called["doublet"])
    options = {"minimum_margin": minimum_score_margin}
    if model is None:
        types = annotate(counts[single], genes, marker_tree(markers, compartment), **options)
    else:
        types = annotate_by_model(counts[single], genes, model, minimum_coverage=minimum_coverage, **options)
    return called.join(types.set_index(single))[list(_CALLED_COLUMNS)]


def _in_fixed_order(cells: "AnnData") -> "AnnData":
    if not cells.var_names.is_unique:
        raise CellError("A gene occurs more than once among the columns; sum its columns first.")
    return cells[np.argsort(cells.obs_names, kind="stable"), np.argsort(cells.var_names, kind="stable")]


def _counts(cells: "AnnData") -> csr_matrix:
    counts = csr_matrix(cells.X)
    if counts.nnz and ((counts.data < 0).any() or (counts.data % 1 != 0).any()):
        raise ScaleError("Cells must hold raw counts; negative or fractional values were found. Is .X normalised?")
    return counts


def _barcode_quality(counts: csr_matrix, genes: pd.Index, barcodes: pd.Index) -> pd.DataFrame:
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    mitochondrial = genes.str.startswith(MITOCHONDRIAL)
    percent = np.full(len(totals), np.nan)
    if mitochondrial.any():
        share = np.asarray(counts[:, np.flatnonzero(mitochondrial)].sum(axis=1), dtype=np.float64).ravel()
        percent = np.divide(100 * share, totals, out=percent, where=totals > 0)
    detected = (counts > 0).sum(axis=1)
    return pd.DataFrame(
        {
            "barcode": barcodes.astype("str"),
            "genes": np.asarray(detected).ravel().astype(np.int64),
            "mitochondrial_percent": percent,
        }
    )


def cell_features(
    called: pd.DataFrame, tree: MarkerTree, genes: pd.Index, *, model: CellTypistModel | None = None
) -> pd.DataFrame:
    """Share and centred log ratio of every type of the closed list, from called cells.

    Parameters
    ----------
    called
        From `call_cells`.
    tree
        Its `types` are the closed list, rare ones included: half a cell is added to each before the logarithm, so the ratio of one
        type does not depend on which others were seen in other samples.
    genes
        Genes of the sample; a type none of whose markers is among them cannot be called, and has no value.
    model
        What named the cells, where it was not the marker table; `tree` is then the model's.

    Returns
    -------
    A `SAMPLE_FEATURES` table: ``fraction_<TYPE>``, ``fraction_<LINEAGE>`` of the lineages that have several types, and
    ``fraction_unassigned``, of all intact single cells; ``clr_<TYPE>`` of the cells expected among `CLR_CELLS`. A cell whose type
    is undecided counts for its lineage where that is clear, so a lineage's share may exceed the sum of its types'.
    """
    single = called[called["kept"] & ~called["doublet"]]
    counts = single["cell_type"].value_counts().reindex([*tree.types, UNASSIGNED], fill_value=0).astype(float)
    assigned = counts[list(tree.types)]
    shares = counts / len(single) if len(single) else counts * np.nan
    ratios = clr(assigned * CLR_CELLS / assigned.sum()) if assigned.sum() > 0 else assigned * np.nan
    coverage = tree.coverage(genes) if model is None else dict.fromkeys(tree.types, model.coverage(genes))
    nobody = "" if len(single) else _NO_CELL
    nothing = nobody or ("" if assigned.sum() > 0 else "no cell was assigned to a type")
    rows = [("fraction_unassigned", shares[UNASSIGNED], "fraction", 1.0, nobody)]
    for name in tree.types:
        unmarked = "" if coverage[name] > 0 else "none of this type's markers was measured"
        values = (np.nan, np.nan) if unmarked else (shares[name], ratios[name])
        rows.append((f"fraction_{name}", values[0], "fraction", coverage[name], unmarked or nobody))
        rows.append((f"clr_{name}", values[1], "clr", coverage[name], unmarked or nothing))
    table = pd.DataFrame(rows + _lineage_rows(single, tree, coverage), columns=_FEATURE_COLUMNS)
    method = "marker mixture" if model is None else "CellTypist"
    return SAMPLE_FEATURES.check(table.assign(method=method, cohort_dependent=False).sort_values("feature"))


def _lineage_rows(
    single: pd.DataFrame, tree: MarkerTree, coverage: Mapping[str, float]
) -> list[tuple[str, float, str, float, str]]:
    """Share of each lineage that is no type itself; covered as the best covered of its types."""
    rows = []
    for lineage in sorted(set(tree.lineage.values()) - set(tree.types)):
        covered = max(coverage[name] for name in tree.types if tree.lineage[name] == lineage)
        unmarked = "" if covered > 0 else "none of the markers of this lineage's types was measured"
        note = unmarked or ("" if len(single) else _NO_CELL)
        share = np.nan if note else float((single["lineage"] == lineage).mean())
        rows.append((f"fraction_{lineage}", share, "fraction", covered, note))
    return rows


_FEATURE_COLUMNS = ["feature", "value", "unit", "coverage", "note"]
_NO_CELL = "no intact single cell was left"


def cell_sample_quality(
    called: pd.DataFrame, *, minimum_cells: int = 100, ambient_share: float | None = None
) -> pd.DataFrame:
    """Quality of one sample as a `SAMPLE_QC` table; `cells_kept` (intact single cells) decides."""
    kept = called[called["kept"]]
    single = kept[~kept["doublet"]]
    doublets = float(kept["doublet"].mean()) if len(kept) >= MINIMUM_FOR_DOUBLETS else np.nan
    rows = [
        ("cells_before", len(called), "cells", "", True),
        ("cells_kept", len(single), "cells", f">= {minimum_cells}", len(single) >= minimum_cells),
        ("doublet_share", doublets, "fraction", "", True),
        ("median_genes", single["genes"].median(), "genes", "", True),
        ("mitochondrial_percent_median", single["mitochondrial_percent"].median(), "percent", "", True),
        ("unassigned_share", (single["cell_type"] == UNASSIGNED).mean(), "fraction", "", True),
    ]
    if ambient_share is not None:
        rows.append(("ambient_share", ambient_share, "fraction", "", True))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def cell_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    minimum_cells: int,
    minimum_genes: int,
    maximum_mitochondrial_percent: float,
    minimum_score_margin: float,
    seed: int,
    compartment: str = BLOOD,
    quality_limits: Literal["mad", "fixed"] = "fixed",
    mads: float = 5.0,
    ambient: Literal["measure", "subtract"] = "measure",
    pseudobulk: Mapping[str, Sequence[str]] | None = None,
    minimum_cells_per_type: int = 20,
    minimum_coverage: float = 0.6,
) -> Info:
    """Call the cells of one sample (`sample`, `.h5ad`) by the marker table (`markers`): `features`, `qc` and `cells.parquet`.

    With `pseudobulk` (signatures by cell type) and the table `signatures`, also scores within types. With `celltypist` (the table
    of a model; `aliases` for its old symbols), the model names the cells.
    """
    cells = _in_fixed_order(read_cells(inputs["sample"]))
    counts, genes = _counts(cells), pd.Index(cells.var_names)
    markers = load_markers(inputs["markers"])
    model = _model(inputs, markers, compartment)
    by_markers = marker_tree(markers, compartment)
    tree = by_markers if model is None else model.tree
    called = call_cells(
        cells,
        markers,
        compartment=compartment,
        minimum_genes=minimum_genes,
        maximum_mitochondrial_percent=maximum_mitochondrial_percent,
        minimum_score_margin=minimum_score_margin,
        mads=mads if quality_limits == "mad" else None,
        model=model,
        minimum_coverage=minimum_coverage,
        seed=seed,
    )
    liquid = ambient_rna(counts, genes, called, by_markers)
    features = [cell_features(called, tree, genes, model=model)]
    if pseudobulk and "signatures" in inputs:
        summed = pseudobulk_features(
            counts,
            genes,
            called,
            tree,
            load_signatures(inputs["signatures"]),
            pseudobulk,
            minimum_cells=minimum_cells_per_type,
            minimum_coverage=minimum_coverage,
            ambient=liquid if ambient == "subtract" else None,
        )
        features.append(summed)
    table = pd.concat(features, ignore_index=True).sort_values("feature")
    write_table(SAMPLE_FEATURES.check(table), out / "features.parquet")
    quality = cell_sample_quality(called, minimum_cells=minimum_cells, ambient_share=liquid.share)
    write_table(quality, out / "qc.parquet")
    shown = called[called["kept"]].drop(columns="kept").reset_index(drop=True)
    write_table(shown, out / "cells.parquet")
    return {"cells": len(called), "kept": len(shown)}


def _model(inputs: Mapping[str, Path], markers: pd.DataFrame, compartment: str) -> CellTypistModel | None:
    """The CellTypist model that the study names, if it names one."""
    if "celltypist" not in inputs:
        return None
    aliases = load_aliases(inputs["aliases"]) if "aliases" in inputs else None
    return read_model(inputs["celltypist"], markers, compartment, aliases=aliases)
