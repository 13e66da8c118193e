"""A picture of the single cells: neighbours lie together, clusters are drawn. No number of the report is computed from it.

Distances and areas of such a map mean little, and clusters change with every cell that is added: types are called cell by cell from
markers (`features.annotation`), and the map only shows them.

References
----------
McInnes et al. 2018 (UMAP), doi:10.21105/joss.00861; Traag et al. 2019 (Leiden), doi:10.1038/s41598-019-41695-z; Korsunsky et
al. 2019 (Harmony), doi:10.1038/s41592-019-0619-0
"""

import random
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_matrix

from rabiomarkers.errors import CellError
from rabiomarkers.features.cell_levels import log_levels, most_variable
from rabiomarkers.files import Info, read_cells, read_table, write_table
from rabiomarkers.tables.cytometry import EMBEDDING
from rabiomarkers.tables.samples import SAMPLES

if TYPE_CHECKING:
    from anndata import AnnData

FEWEST = 100  # cells, no two of them alike, that make a map
FEWEST_GENES = 3  # that vary between them: two directions are drawn
VARIABLE_GENES = 1_000
COMPONENTS = 30
SOLVER = "covariance_eigh"  # exact and without chance, five times as fast as the iterative one on a thousand genes
NEIGHBOURS = 15
RESOLUTION = 1.0  # of the clusters
EPOCHS = 200  # of the layout
SEEDS = 2**32  # numpy's old generator, which scanpy uses, takes no larger one
SPREAD = 10.0  # of the first two components, where the layout begins
MISSING_HARMONY = "cells.embedding.harmony needs the extra harmony: install rabiomarkers[harmony], or set it to false."


def embed(cells: "AnnData", *, harmony: bool = False, seed: int = 1) -> pd.DataFrame:
    """Place and cluster of each cell: `x, y, cluster`, in the order of `cells`; no row where the cells make no map.

    They make none where fewer than 100 of them differ from each other, or fewer than three genes vary. The same cells in the
    same order give the same map; the order of genes plays no part.

    Parameters
    ----------
    cells
        Cells x genes, raw counts; `.obs["batch"]` where `harmony` is asked for.
    harmony
        Whether batches are laid over one another before neighbours are looked for.

    Raises
    ------
    CellError
        Harmony is asked for and not installed.
    """
    nothing = pd.DataFrame({"x": [], "y": [], "cluster": pd.Series([], dtype="str")})
    if cells.n_obs < FEWEST:
        return nothing
    counts = csr_matrix(cells.X)[:, np.argsort(cells.var_names, kind="stable")]
    totals = np.maximum(np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(), 1.0)
    levels = log_levels(csr_matrix(counts[:, most_variable(counts, totals, VARIABLE_GENES)]), totals)
    levels = levels[:, np.ptp(levels, axis=0) > 0]
    if levels.shape[1] < FEWEST_GENES or len(np.unique(levels, axis=0)) < FEWEST:
        return nothing
    return _drawn(levels, _obs(cells)["batch"].to_numpy() if harmony else None, seed % SEEDS)


def _drawn(levels: NDArray[np.float64], batch: NDArray[Any] | None, seed: int) -> pd.DataFrame:
    """The map of cells x genes; `batch` of each cell where batches are laid over one another."""
    import scanpy as sc  # takes seconds to load
    from anndata import AnnData

    map_of = AnnData(levels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries say about themselves
        sc.pp.scale(map_of, max_value=10)
        sc.pp.pca(map_of, n_comps=min(COMPONENTS, *(side - 1 for side in map_of.shape)), svd_solver=SOLVER)
        if batch is not None and len(set(batch)) > 1:
            map_of.obsm["X_pca"] = _laid_over(np.asarray(map_of.obsm["X_pca"]), batch, seed)
        sc.pp.neighbors(
            map_of, n_neighbors=NEIGHBOURS, use_rep="X_pca", method="gauss", transformer="sklearn", random_state=seed
        )
        sc.tl.leiden(map_of, resolution=RESOLUTION, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    places = _layout(map_of.obsp["distances"], np.asarray(map_of.obsm["X_pca"], dtype=np.float64), seed)
    clusters = _obs(map_of)["leiden"].astype(str).to_numpy()
    return pd.DataFrame({"x": places[:, 0].round(3), "y": places[:, 1].round(3), "cluster": clusters})


def _obs(cells: Any) -> pd.DataFrame:
    """What is known of the cells (typed loosely: AnnData's own types admit lazy frames)."""
    frame: pd.DataFrame = cells.obs
    return frame


def _layout(distances: csr_matrix, components: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """UMAP's layout of the graph of neighbours, as igraph computes it: no code is compiled for it, as UMAP's own package does."""
    import igraph

    edges = distances.tocoo()
    other = edges.row != edges.col  # of cells that are alike in every gene one may be its own neighbour
    edges = coo_array((edges.data[other], (edges.row[other], edges.col[other])), shape=edges.shape)
    graph = igraph.Graph(n=distances.shape[0], edges=list(zip(edges.row.tolist(), edges.col.tolist(), strict=True)))
    start = components[:, :2] / max(float(np.abs(components[:, :2]).max()), 1e-12) * SPREAD
    igraph.set_random_number_generator(random.Random(seed))  # noqa: S311 - a layout, no secret
    try:
        layout = graph.layout_umap(dist=edges.data.tolist(), dim=2, min_dist=0.1, epochs=EPOCHS, seed=start.tolist())
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(layout.coords, dtype=np.float64)


def _laid_over(components: NDArray[np.float64], batch: NDArray[Any], seed: int) -> NDArray[np.float64]:
    """Principal components after Harmony, cells x components."""
    fitted = _harmony().run_harmony(
        components, pd.DataFrame({"batch": batch}), "batch", random_state=seed, verbose=False
    )
    return np.asarray(fitted.Z_corr, dtype=np.float64)


def _harmony() -> Any:
    try:
        import harmonypy
    except ImportError:
        raise CellError(MISSING_HARMONY) from None
    return harmonypy


def embedding_step(inputs: Mapping[str, Path], out: Path, *, cells: int, harmony: bool, seed: int) -> Info:
    """`samples`, `failed`, ``piece:<sample_id>`` (counts) and ``cells:<sample_id>`` (calls) -> `embedding.parquet`.

    As many cells of each sample that passed, `cells` of all; 0, or too few for a map: an empty table. A compartment has a map
    of its own. The order of samples, cells and genes in their files plays no part.

    Raises
    ------
    CellError
        Harmony is asked for and not installed; told before a cell is read.
    """
    if harmony and cells:
        _harmony()
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    failed = read_table(inputs["failed"])
    gone = set(failed.loc[failed["assay"] == "sc_counts", "sample_id"])
    rows = sheet[(sheet["assay"] == "sc_counts") & ~sheet["sample_id"].isin(gone)]
    known = [f"piece:{sample}" in inputs and f"cells:{sample}" in inputs for sample in rows["sample_id"]]
    rows = rows[np.array(known, dtype=bool)]
    maps = []
    for _, own in rows.groupby("compartment", sort=True) if cells else ():
        each = max(1, cells // len(own))
        drawn = [
            _some(inputs[f"piece:{name}"], inputs[f"cells:{name}"], number=each, seed=seed)
            for name in sorted(own["sample_id"])
        ]
        sheet_rows = own.sort_values("sample_id")[["sample_id", "batch", "compartment"]]
        of_cells = sheet_rows.loc[sheet_rows.index.repeat([part.n_obs for part in drawn])]
        maps.append(_map(drawn, of_cells, harmony=harmony, seed=seed))
    table = pd.concat(maps, ignore_index=True) if maps else EMBEDDING.empty()
    write_table(EMBEDDING.check(table[list(EMBEDDING.columns)]), out / "embedding.parquet")
    return {"cells": len(table)}


def _some(piece: Path, calls: Path, *, number: int, seed: int) -> "AnnData":
    """Some single cells of a sample with their `lineage, cell_type`, by a draw that depends on nothing but the sample."""
    called = read_table(calls)
    single = called[~called["doublet"].astype(bool)].sort_values("barcode", ignore_index=True)
    at = np.sort(np.random.default_rng([seed, len(single)]).permutation(len(single))[:number])
    chosen = single.iloc[at].set_index("barcode")
    cells = read_cells(piece)[chosen.index.to_list()].copy()
    cells.obs = chosen[["lineage", "cell_type"]].astype("str")
    return cells


def _map(parts: "list[AnnData]", sheet: pd.DataFrame, *, harmony: bool, seed: int) -> pd.DataFrame:
    """The rows of EMBEDDING of one compartment; `sheet`: `sample_id, batch, compartment` of each cell."""
    import anndata  # takes a second to load

    if len(sheet) < FEWEST:
        return EMBEDDING.empty()
    cells = anndata.concat(parts, join="inner", index_unique="-", keys=[str(at) for at in range(len(parts))])
    cells.obs["batch"] = sheet["batch"].to_numpy()
    places = embed(cells, harmony=harmony, seed=seed)
    if places.empty:
        return EMBEDDING.empty()
    types = _obs(cells)[["lineage", "cell_type"]].reset_index(drop=True)
    return pd.concat([sheet.reset_index(drop=True), types, places], axis="columns")
