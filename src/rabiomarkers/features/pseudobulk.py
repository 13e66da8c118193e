"""Signatures within a cell type: the reads of its cells added up per sample and scored as one library.

One value a sample, so that patients and not cells are what is compared: testing cell by cell takes the cells of one patient for
independent patients. Rank scores within the sum, so no other sample plays a part.

References
----------
Squair et al. 2021, doi:10.1038/s41467-021-25960-2
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CellError
from rabiomarkers.features.ambient import Ambient, without_ambient
from rabiomarkers.features.annotation import MarkerTree
from rabiomarkers.features.signatures import choose_signatures, score_signatures
from rabiomarkers.tables.samples import SAMPLE_FEATURES

METHOD = "rank, pseudobulk"
SUBTRACTED = f"{METHOD}, ambient RNA subtracted"
BETWEEN = "~"
"""Between signature and cell type in a feature's name."""


def cells_of(tree: MarkerTree, asked: str) -> tuple[str, ...]:
    """The types of the tree that are `asked`, or lie below it; none where the tree does not know it."""
    return tuple(name for name in tree.types if asked in tree.paths[name])


def pseudobulk_features(
    counts: csr_matrix,
    genes: pd.Index,
    called: pd.DataFrame,
    tree: MarkerTree,
    signatures: pd.DataFrame,
    asked: Mapping[str, Sequence[str]],
    *,
    minimum_cells: int = 20,
    minimum_coverage: float = 0.6,
    ambient: Ambient | None = None,
) -> pd.DataFrame:
    """``<SIGNATURE>~<cell type>`` of one sample, a `SAMPLE_FEATURES` table sorted by feature.

    Parameters
    ----------
    counts
        Cells x genes, raw, rows in the order of `called`.
    called
        From `call_cells`: `kept, doublet, cell_type`.
    asked
        Signatures by cell type, or by an ancestor of types (its cells are those of all types below it). What the tree does not know
        is passed over.
    minimum_cells
        With fewer cells of a type there is no score, and the note says how many there were.
    ambient
        What of the molecules is not the cells' own (`features.ambient`), to be taken away; None: nothing.

    Raises
    ------
    CellError
        `called` is not of these cells.
    SignatureError
        A signature that the table does not hold.
    """
    if counts.shape != (len(called), len(genes)):
        raise CellError(f"{counts.shape[0]} cells x {counts.shape[1]} genes, but {len(called)} calls of {len(genes)}.")
    single = (called["kept"] & ~called["doublet"]).to_numpy(bool)
    parts = [SAMPLE_FEATURES.empty()]
    for name in sorted(asked):
        below = cells_of(tree, name)
        if not below or not asked[name]:
            continue
        own = np.flatnonzero(single & called["cell_type"].isin(below).to_numpy())
        total = np.asarray(counts[own].sum(axis=0), dtype=np.float64).ravel()
        own_total = total if ambient is None else without_ambient(total, ambient)
        scored = score_signatures(
            pd.Series(own_total, index=genes),
            choose_signatures(signatures, asked[name]),
            scale="counts",
            minimum_coverage=minimum_coverage,
        )
        few = f"{len(own)} cells of this type, {minimum_cells} are needed" if len(own) < minimum_cells else ""
        method = METHOD if ambient is None or not np.isfinite(ambient.share) else SUBTRACTED
        parts.append(_named(scored, name, few, method))
    table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


def _named(scored: pd.DataFrame, cell_type: str, few: str, method: str) -> pd.DataFrame:
    named = scored.assign(feature=scored["feature"] + BETWEEN + cell_type, method=method)
    return named.assign(value=np.nan, note=few) if few else named
