"""Which genes of which signatures were measured, and sums over them for all samples and signatures at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from rabiomarkers.errors import SignatureError
from rabiomarkers.features.scoring.expression import Matrix, Notes, Vector

ONE_DIRECTION = "no gene of one direction was measured"
NO_ORDER = "all genes have one value, so none ranks above another"
NOTHING_COUNTED = "nothing was counted in this sample"
NOTHING_OUTSIDE = "every measured gene is in the set, so there is none to rank above"


@dataclass(frozen=True, kw_only=True)
class Members:
    """The measured genes of each signature, one entry a (signature, gene) pair.

    Genes are taken in the order of their names, whatever order the file has, so that sums do not hang on it to the last bit.
    """

    names: tuple[str, ...]
    genes: NDArray[np.intp]  # position in the expression of each gene that is in any signature, by name
    signature: NDArray[np.intp]  # position in `names`
    gene: NDArray[np.intp]  # position in `genes`
    direction: Vector  # 1, -1, or 0 where nobody knows
    weight: Vector
    sizes: NDArray[np.int64]  # genes of each signature, measured or not
    absent: tuple[tuple[str, ...], ...]  # by signature
    asked: NDArray[np.int64]  # how many directions (up, down) each signature has

    def total(self, values: Matrix, chosen: NDArray[np.bool_], weights: Vector | None = None) -> Matrix:
        """Sums by signature: samples x signatures, from samples x `genes`, over the chosen pairs."""
        entries = np.ones(len(self.gene)) if weights is None else weights
        shape = (len(self.names), len(self.genes))
        table = sparse.csr_matrix((entries[chosen], (self.signature[chosen], self.gene[chosen])), shape=shape)
        return np.asarray((table @ values.T).T, dtype=np.float64)

    def count(self, chosen: NDArray[np.bool_]) -> Vector:
        """How many of the chosen pairs each signature has."""
        return np.bincount(self.signature[chosen], minlength=len(self.names)).astype(np.float64)

    @cached_property
    def everyone(self) -> NDArray[np.bool_]:
        """Every pair."""
        return np.ones(len(self.gene), dtype=bool)

    @cached_property
    def coverage(self) -> Vector:
        """Share of each signature's genes that were measured."""
        return self.count(self.everyone) / self.sizes

    def one_sided(self) -> NDArray[np.bool_]:
        """Signatures of up and down genes of which one direction was not measured: their score would mean something else."""
        found = (self.count(self.direction > 0) > 0).astype(int) + (self.count(self.direction < 0) > 0)
        return np.asarray(found < self.asked)

    def reasons(self, minimum_coverage: float, *, directed: bool = True) -> list[str]:
        """By signature: why it cannot be scored, "" where it can."""
        told = [
            "" if share >= minimum_coverage and share > 0 else self._too_few(place, minimum_coverage)
            for place, share in enumerate(self.coverage)
        ]
        sides = self.one_sided() if directed else np.zeros(len(told), dtype=bool)
        return [reason or (ONE_DIRECTION if side else "") for reason, side in zip(told, sides, strict=True)]

    def _too_few(self, place: int, minimum: float) -> str:
        absent = self.absent[place]
        named = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
        size = int(self.sizes[place])
        return f"{size - len(absent)} of {size} genes were measured, {minimum:.0%} are needed; absent: {named}"


def members_of(genes: pd.Index, signatures: pd.DataFrame) -> Members:
    """The measured genes of each signature.

    Parameters
    ----------
    genes
        Those that were measured, each once.
    signatures
        One row a signature and gene: `signature`, `gene`, `direction` (1, -1; 0 where it is not known), `weight`.

    Raises
    ------
    SignatureError
        A signature lists a gene twice.
    """
    if signatures.duplicated(["signature", "gene"]).any():
        twice = signatures.loc[signatures.duplicated(["signature", "gene"]), "signature"].unique()
        raise SignatureError(f"These signatures list a gene twice: {', '.join(twice)}.")
    table = signatures.sort_values(["signature", "gene"], ignore_index=True)
    codes, names = pd.factorize(table["signature"], sort=True)
    listed, gene_names = pd.factorize(table["gene"], sort=True)
    place = genes.get_indexer(pd.Index(gene_names))
    measured = place >= 0
    renumbered = np.cumsum(measured) - 1
    found = measured[listed]
    absent: list[list[str]] = [[] for _ in names]
    for code, gene in zip(codes[~found], table["gene"][~found], strict=True):
        absent[code].append(str(gene))
    direction = table["direction"].to_numpy(np.float64)
    asked = sum(np.bincount(codes[sign], minlength=len(names)) > 0 for sign in (direction > 0, direction < 0))
    return Members(
        names=tuple(str(name) for name in names),
        genes=place[measured],
        signature=codes[found],
        gene=renumbered[listed[found]],
        direction=direction[found],
        weight=table["weight"].to_numpy(np.float64)[found],
        sizes=np.bincount(codes, minlength=len(names)),
        absent=tuple(tuple(sorted(names)) for names in absent),
        asked=np.asarray(asked, dtype=np.int64),
    )


def notes_of(values: Matrix, reasons: Sequence[str], silent: str) -> tuple[Matrix, Notes]:
    """The values without those of features that cannot be scored, and why each absent one is."""
    told = np.broadcast_to(np.asarray(reasons, dtype=object), values.shape)
    kept = np.where(told == "", values, np.nan)
    return kept, np.where((told == "") & np.isnan(kept), silent, told)
