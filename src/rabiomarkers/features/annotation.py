"""Which type each blood cell is, from the marker table and the counts of this sample alone.

A mixture of Poisson profiles over the marker genes: a type is expected to express the + markers of itself and its ancestors and
nothing of its - markers or of the other types' markers; from there a few rounds fit the profiles to the sample's own cells, held
to the table by a prior. All leaf types compete at once, so a cell is never lost by a wrong turn at an upper branch, and lineages
are sums over their leaves. One further profile expresses no marker at all: a cell that fits nothing better is unassigned.

Why not a mean of z-scores: a type that is absent from the sample still has cells with the highest z, and is called. Here its
share of the mixture goes to zero. Measured on simulated PBMC (20 types, 2 500 molecules a cell): 99 % of cells right, against 78 %
with z-like scores of single cells and 97 % with the same averaged over 30 neighbours; with 1 200 molecules 95 % against 89 %. On
the 700 sorted PBMC that ship with scanpy 87 % of lineages are right, against 81 % of two-level z-scores.

References
----------
CellAssign, the idea of a marker-guided mixture: Zhang et al. 2019, doi:10.1038/s41592-019-0529-1
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from rabiomarkers.errors import CellError

UNASSIGNED = "unassigned"
BLOOD = "blood"
LINEAGES = (
    "T_cell",
    "B_cell",
    "NK",
    "ILC",
    "monocyte",
    "DC",
    "neutrophil",
    "platelet",
    "erythrocyte",
    "HSPC",
)
"""Where the marker table's tree is cut to name a cell's lineage."""

type Numbers = NDArray[np.float64]

_CALLED = {"lineage": "str", "cell_type": "str", "confidence": "float64"}

_ON_SHARE = 0.05  # a marker's "on" level is read from the 5 % of cells that have most of it ...
_ON_FACTOR = 0.6  # ... less what the choice of the highest adds to it by chance
_OFF_FACTOR = 0.1  # ambient RNA leaves a tenth of the "on" level in cells that do not express the gene
_LOWEST_ON = 1e-4  # one molecule in ten thousand: below it a gene does not mark anything
_DISPERSION = 0.3  # squared coefficient of variation beyond Poisson; weighs down genes of many molecules
_PRIOR_MOLECULES = 1e5  # how many molecules the marker table's expectation is worth against the sample's own
_PRIOR_CELLS = 2.0  # per type, so that a share never is 0
_ENRICHMENT = 2.0  # a lineage's markers are at least twice as frequent in its cells as in all others ...
_OTHERS = 0.05  # ... where at least 5 % of cells are others
_ROUNDS = 12  # fewer than one cell in a thousand is called otherwise afterwards


@dataclass(frozen=True, kw_only=True)
class MarkerTree:
    """The cell types of a marker table that are told apart, and what each is expected to express.

    `types` are the leaves of the tree that have RNA markers of their own, sorted: the closed list over which shares are taken.
    `signs` holds by type 1 (expressed) or -1 (not expressed) by gene, ancestors included; where they disagree the nearer one
    counts. `own` are a type's own + markers, `paths` the type and its ancestors, `lineage_own` those of a lineage.
    """

    types: tuple[str, ...]
    lineage: Mapping[str, str]
    signs: Mapping[str, Mapping[str, int]]
    own: Mapping[str, frozenset[str]]
    paths: Mapping[str, tuple[str, ...]]
    lineage_own: Mapping[str, frozenset[str]]

    @property
    def genes(self) -> tuple[str, ...]:
        """Every gene that says something, sorted."""
        return tuple(sorted({gene for signs in self.signs.values() for gene in signs}))

    def coverage(self, measured: pd.Index) -> Mapping[str, float]:
        """Share of each type's own + markers among the measured genes, 0..1."""
        known = frozenset(measured)
        return {name: len(self.own[name] & known) / max(len(self.own[name]), 1) for name in self.types}


def type_paths(markers: pd.DataFrame, compartment: str = BLOOD) -> dict[str, tuple[str, ...]]:
    """Every cell type of a compartment, branches included, with itself and its ancestors, nearest first."""
    known = _known(markers, compartment)
    parents: dict[str, str] = dict(zip(known["cell_type"], known["parent"], strict=True))
    return {name: tuple(_path(name, parents)) for name in sorted(parents)}


def _known(markers: pd.DataFrame, compartment: str) -> pd.DataFrame:
    return markers[markers["compartment"].isin([BLOOD, compartment]) & (markers["kind"] == "type")]


def marker_tree(markers: pd.DataFrame, compartment: str = BLOOD, *, names: Sequence[str] | None = None) -> MarkerTree:
    """The tree of cell types of a compartment that RNA can tell apart.

    Parameters
    ----------
    markers
        The marker table: `cell_type`, `parent`, `kind`, `hgnc`, `sign`, `modality`, `compartment`. States (activation, homing) play
        no part.
    compartment
        ``blood``, or another: cells of the blood are found there too, beside its own types.
    names
        The cell types to tell apart in place of the leaves, where something else than the markers does so.

    Raises
    ------
    CellError
        No cell type has an RNA marker.
    """
    known = _known(markers, compartment)
    parents: dict[str, str] = dict(zip(known["cell_type"], known["parent"], strict=True))
    rna = known[known["modality"] == "rna"]
    own = {str(name): dict(zip(rows["hgnc"], rows["sign"], strict=True)) for name, rows in rna.groupby("cell_type")}
    branches = {above for name in own for above in _path(name, parents)[1:]}
    leaves = sorted(name for name in own if name not in branches and "+" in own[name].values())
    types = tuple(leaves if names is None else names)
    if not types:
        raise CellError(f"The marker table holds no cell type of {compartment} with an RNA marker.")
    lineage = {name: _lineage(_path(name, parents)) for name in types}
    return MarkerTree(
        types=types,
        lineage=lineage,
        signs={name: _signs(_path(name, parents), own) for name in types},
        own={name: _positive(own.get(name, {})) for name in types},
        paths={name: tuple(_path(name, parents)) for name in types},
        lineage_own={name: _positive(own.get(name, {})) for name in sorted(set(lineage.values()))},
    )


def _positive(signs: Mapping[str, str]) -> frozenset[str]:
    return frozenset(gene for gene, sign in signs.items() if sign == "+")


def _path(name: str, parents: Mapping[str, str]) -> list[str]:
    """The type and its ancestors, nearest first."""
    path = [name]
    while parents.get(path[-1], "root") != "root":
        path.append(parents[path[-1]])
    return path


def _lineage(path: list[str]) -> str:
    return next((name for name in path if name in LINEAGES), path[0])


def _signs(path: list[str], own: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    signs: dict[str, int] = {}
    for name in reversed(path):  # the nearest last, so that it has the last word
        signs |= {gene: 1 if sign == "+" else -1 for gene, sign in own.get(name, {}).items()}
    return signs


def annotate(counts: csr_matrix, genes: pd.Index, tree: MarkerTree, *, minimum_margin: float = 0.1) -> pd.DataFrame:
    """Call the type of each cell.

    Parameters
    ----------
    counts
        Cells x genes, raw counts (molecules) of one sample, doublets and broken cells removed.
    genes
        HGNC symbols of the columns, each once.
    minimum_margin
        By how much (0..1) the probability of the best lineage must exceed that of the second best, else the cell is unassigned; the
        same rule for its type, which is unassigned too where it is not one of that lineage.

    Returns
    -------
    One row a cell, in the order of `counts`: `lineage`, `cell_type` (`UNASSIGNED` where undecided) and `confidence`, the
    probability of the best type.

    Raises
    ------
    CellError
        Fewer than two types have a marker among the genes.
    """
    coverage = tree.coverage(genes)
    types = [name for name in tree.types if coverage[name] > 0]
    if len(types) < 2:
        raise CellError(f"{len(types)} cell types have a marker among the {len(genes)} genes. Are they HGNC symbols?")
    if counts.shape[0] == 0:
        return no_calls()
    names = [gene for gene in tree.genes if gene in genes]
    marked = csr_matrix(counts[:, genes.get_indexer(pd.Index(names))], dtype=np.float64)
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    on, off = _levels(marked, totals)
    prior = np.stack([_expected(tree.signs[name], names, on, off) for name in types] + [off])
    chances = _fit(marked, totals, prior, 1 / (1 + _DISPERSION * np.median(totals) * on))
    lineage_of = np.array([*(tree.lineage[name] for name in types), UNASSIGNED])
    lineages = np.unique(lineage_of)
    by_lineage = np.column_stack([chances[:, lineage_of == name].sum(axis=1) for name in lineages])
    called = called_levels(
        chances, by_lineage, np.array([*types, UNASSIGNED]), lineage_of, lineages, minimum_margin=minimum_margin
    )
    best = lineage_of[chances.argmax(axis=1)]
    beside = np.maximum(totals - np.asarray(marked.sum(axis=1)).ravel(), 1)
    for name, markers in tree.lineage_own.items():
        if not _is_marked(marked[:, np.isin(names, list(markers))], beside, best == name):
            called.loc[best == name, ["lineage", "cell_type"]] = UNASSIGNED
    return called


def no_calls() -> pd.DataFrame:
    """The table of calls without a cell."""
    return pd.DataFrame({"lineage": [], "cell_type": [], "confidence": []}).astype(_CALLED)


def called_levels(
    by_type: Numbers,
    by_lineage: Numbers,
    types: NDArray[np.str_],
    lineage_of: NDArray[np.str_],
    lineages: NDArray[np.str_],
    *,
    minimum_margin: float,
) -> pd.DataFrame:
    """Name each cell's lineage, then its type within that lineage.

    Parameters
    ----------
    by_type, by_lineage
        Cells x types and cells x lineages, probabilities.
    types, lineage_of, lineages
        Names of the columns, and the lineage of each type; `UNASSIGNED` is one of each.
    minimum_margin
        How far the best must lead the second best, at either level.
    """
    lineage = _decide(by_lineage, lineages, minimum_margin)
    cell_type = _decide(by_type, types, minimum_margin)
    within = lineage_of[by_type.argmax(axis=1)] == lineage
    called = pd.DataFrame(
        {
            "lineage": lineage,
            "cell_type": np.where(within, cell_type, UNASSIGNED),
            "confidence": by_type.max(axis=1).round(6),  # beyond that it is the order of additions
        }
    )
    return called.astype(_CALLED)


def _is_marked(markers: csr_matrix, beside: Numbers, inside: NDArray[np.bool_]) -> bool:
    """Whether a lineage's markers are enriched in the cells inside.

    Cells of a kind that the table does not know end up in the lineage that says least about them, and do not express its markers.
    Molecules are counted against those `beside` the markers: in a cell without markers everything else is a larger share.
    """
    if not inside.any() or (~inside).mean() < _OTHERS or markers.sum() == 0:
        return True
    within, beyond = _rates(markers[inside], beside[inside]), _rates(markers[~inside], beside[~inside])
    return bool(np.log(within / beyond).mean() >= np.log(_ENRICHMENT))


def _rates(markers: csr_matrix, beside: Numbers) -> Numbers:
    return (np.asarray(markers.sum(axis=0), dtype=np.float64).ravel() + 0.5) / float(beside.sum())


def _levels(marked: csr_matrix, totals: Numbers) -> tuple[Numbers, Numbers]:
    """Share of a cell's molecules that each marker has where it is on, and where it is off."""
    rates = csc_matrix(marked.multiply(1 / np.maximum(totals, 1)[:, None]))
    pooled = (np.asarray(marked.sum(axis=0)).ravel() + 0.5) / max(totals.sum(), 1)
    highest = np.fromiter(_top_means(rates, max(1, round(_ON_SHARE * len(totals)))), dtype=np.float64)
    on = np.maximum.reduce([_ON_FACTOR * highest, 2 * pooled, np.full(len(pooled), _LOWEST_ON)])
    return on, np.minimum(pooled, _OFF_FACTOR * on)


def _top_means(rates: csc_matrix, top: int) -> Iterator[float]:
    """Mean of the `top` highest entries of each column, zeros included."""
    for start, end in zip(rates.indptr[:-1], rates.indptr[1:], strict=True):
        yield float(np.sort(rates.data[start:end])[-top:].sum()) / top


def _expected(signs: Mapping[str, int], names: list[str], on: Numbers, off: Numbers) -> Numbers:
    """On for its + markers, off for everything else: what marks another type is not expected here."""
    expressed = np.array([signs.get(name, 0) == 1 for name in names])
    return np.where(expressed, on, off)


def _fit(marked: csr_matrix, totals: Numbers, prior: Numbers, weight: Numbers) -> Numbers:
    """Probability of each profile (the last one stays as it is) for each cell, after a fixed number of rounds."""
    weighted = csr_matrix(marked.multiply(weight[None, :]))
    shares = np.full(len(prior), 1 / len(prior))
    profiles = prior
    for _ in range(_ROUNDS):
        fits = weighted @ np.log(profiles).T - totals[:, None] * (profiles @ weight)[None, :] + np.log(shares)
        fits -= fits.max(axis=1, keepdims=True)
        chances = np.exp(fits)
        chances /= chances.sum(axis=1, keepdims=True)
        shares = (chances.sum(axis=0) + _PRIOR_CELLS) / (len(chances) + _PRIOR_CELLS * len(prior))
        seen = (marked.T @ chances).T
        profiles = (_PRIOR_MOLECULES * prior + seen) / (_PRIOR_MOLECULES + totals @ chances)[:, None]
        profiles[-1] = prior[-1]
    return np.asarray(chances, dtype=np.float64)


def _decide(chances: Numbers, names: NDArray[np.str_], minimum_margin: float) -> NDArray[np.str_]:
    two = np.sort(chances, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] >= minimum_margin
    return np.where(clear, names[chances.argmax(axis=1)], UNASSIGNED)
