"""How much of a sample's RNA comes from the liquid and not from the cell it was counted in.

What floats in the liquid gets into every droplet. A gene that marks one lineage is then found in cells of others, in proportion
to its share of the liquid: the ratio is the contamination, or more where those cells express a little of the gene or doublets hide
among them. So the genes with the lowest ratios say it best, and what they say is an upper bound. The liquid's composition is that
of empty droplets where the matrix still has them (barcodes with hardly a molecule), else that of all molecules of the sample.

Measured on the simulated trial, where every gene is a little on in every type and doublets are left: 0.05, 0.07, 0.14 and 0.25 for
a true share of 0, 0.03, 0.10 and 0.20.

References
----------
Young & Behjati 2020 (SoupX), doi:10.1093/gigascience/giaa151
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.stats import chi2

from rabiomarkers.features.annotation import UNASSIGNED, MarkerTree

type Values = NDArray[np.float64]

EMPTY_MOLECULES = (1, 100)  # of an empty droplet
FEWEST_EMPTY = 100
EXPECTED = 20.0  # molecules of a gene that would be seen if all were ambient; with fewer it says nothing
FEWEST_CELLS = 20
CLEAREST = 3  # genes that are taken together; one alone may be rarer in the liquid than in the cells that broke
SURE = 0.95  # genes are ordered by how little they allow for: the upper limit of their ratio, one-sided


@dataclass(frozen=True, kw_only=True)
class Ambient:
    """`share` of the molecules that are ambient at most (NaN where it cannot be told), the `profile` of the liquid.

    `genes` are those that were looked at.
    """

    share: float
    profile: Values
    genes: int
    source: str  # empty droplets, all molecules


def ambient_rna(counts: csr_matrix, genes: pd.Index, called: pd.DataFrame, tree: MarkerTree) -> Ambient:
    """Estimate the ambient share of one sample.

    Parameters
    ----------
    counts
        Barcodes x genes, raw, rows in the order of `called`.
    called
        `kept, doublet, lineage` of each barcode.
    tree
        Its lineages' own markers are looked for in cells of other lineages.
    """
    profile, source = _liquid(counts)
    single = (called["kept"] & ~called["doublet"]).to_numpy(bool)
    lineages = called["lineage"].to_numpy(dtype=object)
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    seen, expected = [], []
    for lineage, markers in tree.lineage_own.items():
        others = single & (lineages != lineage) & (lineages != UNASSIGNED) & pd.notna(lineages)
        if min((single & (lineages == lineage)).sum(), others.sum()) < FEWEST_CELLS:
            continue
        columns = np.flatnonzero(genes.isin(sorted(_alone(markers, lineage, tree))))
        seen.append(np.asarray(counts[others][:, columns].sum(axis=0), dtype=np.float64).ravel())
        expected.append(float(totals[others].sum()) * profile[columns])
    share, number = _share(np.concatenate([*seen, []]), np.concatenate([*expected, []]))
    return Ambient(share=share, profile=profile, genes=number, source=source)


def _share(seen: Values, expected: Values) -> tuple[float, int]:
    """The ratio of the clearest genes together, and how many genes could say something.

    `expected` are the molecules that would be seen if nothing but liquid were in the cells.
    """
    telling = expected >= EXPECTED
    if not telling.any():
        return np.nan, 0
    seen, expected = seen[telling], expected[telling]
    most = chi2.ppf(SURE, 2 * (seen + 1)) / 2 / expected  # upper limit of a Poisson mean
    clearest = np.argsort(most, kind="stable")[:CLEAREST]
    return float(np.clip(seen[clearest].sum() / expected[clearest].sum(), 0.0, 1.0)), len(seen)


def without_ambient(total: Values, ambient: Ambient) -> Values:
    """Added-up molecules of some cells less what of them is ambient, in whole molecules, none below 0; as they are if unknown."""
    if not np.isfinite(ambient.share):
        return total
    left = total - ambient.share * total.sum() * ambient.profile
    return np.asarray(np.maximum(np.round(left), 0.0))


def _liquid(counts: csr_matrix) -> tuple[Values, str]:
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    low, high = EMPTY_MOLECULES
    empty = (totals >= low) & (totals <= high)
    chosen, source = (empty, "empty droplets") if empty.sum() >= FEWEST_EMPTY else (totals > 0, "all molecules")
    summed = np.asarray(counts[chosen].sum(axis=0), dtype=np.float64).ravel()
    return summed / max(float(summed.sum()), 1.0), source


def _alone(markers: frozenset[str], lineage: str, tree: MarkerTree) -> frozenset[str]:
    """Markers of the lineage that no type of another one expresses."""
    taken: Mapping[str, set[str]] = {
        own: {
            gene
            for name, signs in tree.signs.items()
            if tree.lineage[name] == own
            for gene, sign in signs.items()
            if sign > 0
        }
        for own in set(tree.lineage.values())
    }
    others = set().union(*(names for own, names in taken.items() if own != lineage))
    return markers - others
