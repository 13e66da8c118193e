"""Whether the genes of a signature changed together: among all genes, and from patient to patient.

Two questions, two p. Competitive: do the members move more than other genes do, given the list of moderated t? It knows nothing of
patients, so it is told beside the second. Self-contained: does the signature move at all, over patients? For each patient the
signed changes of the members, each over the root mean square of its gene's changes (which no flip of a patient's sign alters), are
averaged, and the signs of whole patients are flipped: exact, as whole patients keep their genes together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rabiomarkers.stats.arrays import Integers, Matrix, Vector
from rabiomarkers.stats.competitive import competitive_test, enrichment_walk, self_contained_test
from rabiomarkers.stats.multiplicity import benjamini_hochberg

FEWEST_GENES = 5
SHOWN_EDGE = 30  # genes of the leading edge that are named
TOO_FEW = "{found} of {size} genes were tested, {needed} are needed"
UNDIRECTED = "the direction of its genes is not known"


def enrichment_table(
    genes: pd.DataFrame, deltas: pd.DataFrame, signatures: pd.DataFrame, *, minimum_coverage: float = 0.5, seed: int = 1
) -> pd.DataFrame:
    """One row a signature: the columns of ENRICHMENT but for compartment and assay.

    Parameters
    ----------
    genes
        The tested genes: `gene`, `statistic`, as many rows as genes.
    deltas
        Genes x patients, log2 changes of the same genes.
    signatures
        `signature, gene, direction, axis`.
    minimum_coverage
        Smallest share of a signature's genes that must have been tested; five genes at least.
    """
    ranked = genes.sort_values("gene", ignore_index=True)
    place = {str(gene): position for position, gene in enumerate(ranked["gene"])}
    statistic = ranked["statistic"].to_numpy(np.float64)
    changes = deltas.reindex(ranked["gene"]).to_numpy(np.float64)
    scaled = _over_root_mean_square(changes)
    asked = [_asked(own, place, minimum_coverage) for _, own in signatures.groupby("signature", sort=True)]
    means = [(scaled[one.members] * one.signs[:, None]).mean(axis=0) for one in asked if not one.note]
    tested = self_contained_test(np.array(means).reshape(-1, scaled.shape[1]), seed=seed)
    told = zip(tested.p_value.tolist(), tested.p_floor.tolist(), strict=True)
    rows = [_row(one, ranked["gene"], statistic, (np.nan, np.nan) if one.note else next(told)) for one in asked]
    table = pd.DataFrame(rows).assign(n_pairs=scaled.shape[1])
    table["q_value"] = benjamini_hochberg(table["p_value"])
    return table


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One signature: its tested members, and why it cannot be asked ("" where it can)."""

    name: str
    axis: str
    size: int
    members: Integers
    signs: Vector
    note: str


def _asked(own: pd.DataFrame, place: Mapping[str, int], minimum_coverage: float) -> _Asked:
    found = own[[gene in place for gene in own["gene"]]].sort_values("gene")
    needed = max(FEWEST_GENES, int(np.ceil(minimum_coverage * len(own))))
    few = TOO_FEW.format(found=len(found), size=len(own), needed=needed) if len(found) < needed else ""
    return _Asked(
        name=str(own["signature"].iloc[0]),
        axis=str(own["axis"].iloc[0]),
        size=len(own),
        members=np.array([place[gene] for gene in found["gene"]], dtype=np.int64),
        signs=found["direction"].to_numpy(np.float64),
        note=few or (UNDIRECTED if (found["direction"] == 0).any() else ""),
    )


def _row(asked: _Asked, genes: pd.Series, statistic: Vector, patients: tuple[float, float]) -> dict[str, object]:
    found = len(asked.members)
    row: dict[str, object] = {
        "signature": asked.name,
        "axis": asked.axis,
        "n_genes": found,
        "coverage": found / asked.size,
        "note": asked.note or None,
        "p_patients": patients[0],
        "p_floor": patients[1],
    }
    if asked.note:
        empty = dict.fromkeys(("enrichment_score", "statistic", "p_value"), np.nan)
        return row | empty | {"direction": None, "leading_edge": None}
    among = competitive_test(statistic, asked.members, asked.signs)
    walk = enrichment_walk(statistic, asked.members, asked.signs)
    moved = np.isfinite(among.difference)
    return row | {
        "direction": ("up" if among.difference > 0 else "down") if moved else None,
        "enrichment_score": walk.score,
        "statistic": among.difference,
        "p_value": among.p_value,
        "leading_edge": ", ".join(genes.iloc[walk.edge[:SHOWN_EDGE]]) or None,
    }


def _over_root_mean_square(changes: Matrix) -> Matrix:
    size = np.sqrt((changes**2).mean(axis=1, keepdims=True))
    return np.asarray(np.divide(changes, size, out=np.zeros_like(changes), where=size > 0))
