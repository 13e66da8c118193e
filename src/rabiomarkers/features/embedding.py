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

FEWEST = 100  # cells that make a map
VARIABLE_GENES = 1_000
COMPONENTS = 30
NEIGHBOURS = 15
RESOLUTION = 1.0  # of the clusters
EPOCHS = 200  # of the layout
SPREAD = 10.0  # of the first two components, where the layout begins
MISSING_HARMONY = "cells.embedding.harmony needs the extra harmony: install rabiomarkers[harmony], or set it to false."


def embed(cells: "AnnData", *, harmony: bool = False, seed: int = 1) -> pd.DataFrame:
    """Place and cluster of each cell: `x, y, cluster`, in the order of `cells`.

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
    import scanpy as sc  # takes seconds to load
    from anndata import AnnData

    counts = csr_matrix(cells.X)
    totals = np.maximum(np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(), 1.0)
    shown = csr_matrix(counts[:, most_variable(counts, totals, VARIABLE_GENES)])
    map_of = AnnData(log_levels(shown, totals), obs=_obs(cells))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries say about themselves
        sc.pp.scale(map_of, max_value=10)
        sc.pp.pca(map_of, n_comps=min(COMPONENTS, *(side - 1 for side in map_of.shape)), random_state=seed)
        basis = _laid_over(map_of, seed) if harmony and map_of.obs["batch"].nunique() > 1 else "X_pca"
        sc.pp.neighbors(
            map_of, n_neighbors=NEIGHBOURS, use_rep=basis, method="gauss", transformer="sklearn", random_state=seed
        )
        sc.tl.leiden(map_of, resolution=RESOLUTION, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    places = _layout(map_of.obsp["distances"], np.asarray(map_of.obsm[basis], dtype=np.float64), seed)
    clusters = map_of.obs["leiden"].astype(str).to_numpy()
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


def _laid_over(cells: "AnnData", seed: int) -> str:
    """Principal components after Harmony; the name of where they are kept."""
    try:
        import harmonypy
    except ImportError:
        raise CellError(MISSING_HARMONY) from None
    fitted = harmonypy.run_harmony(
        np.asarray(cells.obsm["X_pca"]), cells.obs[["batch"]], "batch", random_state=seed, verbose=False
    )
    corrected = np.asarray(fitted.Z_corr)
    cells.obsm["X_harmony"] = corrected if corrected.shape[0] == cells.n_obs else corrected.T
    return "X_harmony"


def embedding_step(inputs: Mapping[str, Path], out: Path, *, cells: int, harmony: bool, seed: int) -> Info:
    """`samples`, `failed`, ``piece:<sample_id>`` (counts) and ``cells:<sample_id>`` (calls) -> `embedding.parquet`.

    As many cells of each sample that passed, `cells` of all; 0, or too few for a map: an empty table. A compartment has a map
    of its own.
    """
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    failed = read_table(inputs["failed"])
    gone = set(failed.loc[failed["assay"] == "sc_counts", "sample_id"])
    rows = sheet[(sheet["assay"] == "sc_counts") & ~sheet["sample_id"].isin(gone)]
    known = [f"piece:{sample}" in inputs and f"cells:{sample}" in inputs for sample in rows["sample_id"]]
    rows = rows[np.array(known, dtype=bool)]
    parts = []
    for compartment, own in rows.groupby("compartment", sort=True) if cells else ():
        each = max(1, cells // len(own))
        drawn = [
            _some(inputs[f"piece:{row.sample_id}"], inputs[f"cells:{row.sample_id}"], row, each, seed)
            for row in own.sort_values("sample_id").itertuples()
        ]
        parts.append(_map([part for part in drawn if part.n_obs], str(compartment), harmony=harmony, seed=seed))
    table = pd.concat(parts, ignore_index=True) if parts else EMBEDDING.empty()
    write_table(EMBEDDING.check(table[list(EMBEDDING.columns)]), out / "embedding.parquet")
    return {"cells": len(table)}


def _some(piece: Path, calls: Path, row: object, number: int, seed: int) -> "AnnData":
    """Some named single cells of a sample, by a draw that depends on nothing but the sample."""
    called = read_table(calls)
    single = called[~called["doublet"].astype(bool)].sort_values("barcode", ignore_index=True)
    rng = np.random.default_rng([seed, len(single)])
    at = np.sort(rng.permutation(len(single))[:number])
    chosen = single.iloc[at]
    cells = read_cells(piece)[chosen["barcode"].to_list()].copy()
    cells.obs = _obs(cells).assign(
        sample_id=row.sample_id,  # type: ignore[attr-defined]
        batch=row.batch,  # type: ignore[attr-defined]
        lineage=chosen["lineage"].to_numpy(),
        cell_type=chosen["cell_type"].to_numpy(),
    )
    return cells


def _map(parts: "list[AnnData]", compartment: str, *, harmony: bool, seed: int) -> pd.DataFrame:
    import anndata  # takes a second to load

    if sum(part.n_obs for part in parts) < FEWEST:
        return EMBEDDING.empty()
    cells = anndata.concat(parts, join="inner", index_unique="-", keys=[str(at) for at in range(len(parts))])
    places = embed(cells, harmony=harmony, seed=seed)
    told = _obs(cells)[["sample_id", "lineage", "cell_type"]].reset_index(drop=True).astype("str")
    joined: pd.DataFrame = pd.concat([told, places], axis="columns").assign(compartment=compartment)
    return joined
