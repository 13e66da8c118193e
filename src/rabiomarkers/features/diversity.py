"""How many kinds of taxa one sample holds and how evenly: alpha diversity, at an equal number of reads.

A sample read more deeply shows more taxa. Every sample is therefore taken down to one depth. What is a sum over taxa (observed
taxa, Shannon, Simpson, Faith) has an expected value over all possible draws that can be written down, so no draw is made and no
noise added; what is a ratio of sums (Pielou, inverse Simpson, Chao1, ACE, Fisher's alpha) is averaged over draws with seeds of
its own.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

from rabiomarkers.errors import AbundanceError, ScaleError
from rabiomarkers.stats.trees import covering
from rabiomarkers.tables.stool import RAREFACTION

if TYPE_CHECKING:
    from skbio import TreeNode

type Counts = NDArray[np.integer[Any]]
type Values = NDArray[np.float64]

DRAWS = 10
"""Draws that a ratio is averaged over: one alone would add its own noise to a paired change."""

UNITS: Mapping[str, str] = {
    "observed_taxa": "taxa",
    "shannon": "nats",
    "simpson": "probability",
    "inverse_simpson": "effective taxa",
    "pielou": "evenness (0 to 1)",
    "chao1": "taxa",
    "ace": "taxa",
    "fisher_alpha": "alpha",
    "faith_pd": "branch length",
}
OF_SHARES = ("observed_taxa", "shannon", "simpson", "inverse_simpson", "pielou")
"""What relative abundances give: the rest counts taxa that were seen once or twice, or needs a depth."""

DRAWN = ("inverse_simpson", "pielou", "chao1", "ace", "fisher_alpha")
_FEW = 32.0  # up to here factorials are small enough for gammaln; beyond, four terms of Stirling's series are exact
_NONE = 1e-300  # no mean is smaller but 0, of a cell that holds nothing
_TAIL = 12.0  # standard deviations of a draw; beyond them lies less than double precision can tell


def diversity(
    counts: pd.Series, *, depth: int, seed: int, draws: int = DRAWS, tree: "TreeNode | None" = None
) -> Mapping[str, float]:
    """Alpha diversity of one sample at an equal number of reads, drawn without replacement.

    Expected values are exact for `observed_taxa` (Hurlbert), `shannon`, `simpson` and `faith_pd`; the others are means over
    `draws` draws. Seeds are the same for every sample and taxa are taken in alphabetical order, so the result depends neither
    on other samples nor on the order of the table.

    Parameters
    ----------
    counts
        Reads by taxon, whole numbers.
    depth
        Reads drawn; a sample with fewer has no value (NaN).
    seed, draws
        Of the draws.
    tree
        Rooted tree with every taxon that was seen among its tips; without it there is no `faith_pd`.

    Returns
    -------
    By the names of `UNITS`. `simpson` is the probability that two reads are of different taxa (1 - D), Shannon has the natural
    logarithm, `chao1` is the bias-corrected form. NaN where a measure is not defined: evenness of a single taxon, ACE where all
    rare taxa were seen once.

    Raises
    ------
    ScaleError
        The values are not counts.
    AbundanceError
        A value is negative or absent, a taxon stands in the sample twice, or one that was seen is not in the tree exactly once.

    References
    ----------
    Hurlbert 1971, doi:10.2307/1934145; Nipperess & Matsen 2013, doi:10.1111/2041-210X.12042 (expected phylogenetic diversity);
    Chao 1984; Chao & Lee 1992, doi:10.1080/01621459.1992.10475194; Fisher, Corbet & Williams 1943, doi:10.2307/1411
    """
    ordered = checked(counts).sort_index(kind="stable")
    fractional = int((ordered % 1 != 0).sum())
    if fractional:
        raise ScaleError(f"Drawing reads needs read counts; {fractional} taxa hold fractions.")
    names = [name for name in UNITS if name != "faith_pd" or tree is not None]
    if ordered.sum() < depth:
        return dict.fromkeys(names, np.nan)
    seen = ordered[ordered > 0].astype(np.int64)
    found = _expected(seen.to_numpy(), depth) | _drawn(seen.to_numpy(), depth, seed, draws)
    if tree is not None:
        found["faith_pd"] = _expected_faith(seen, depth, covering(tree, [str(taxon) for taxon in seen.index]))
    return {name: found[name] for name in names}


def diversity_of_shares(abundance: pd.Series) -> Mapping[str, float]:
    """Alpha diversity of relative abundances as they are: the names of `OF_SHARES`; `observed_taxa` are those above 0.

    How deep the sample was sequenced is not known from shares, so richness is not comparable between samples of unequal depth.
    NaN where nothing was seen.
    """
    values = checked(abundance).sort_index(kind="stable").to_numpy(dtype=np.float64)
    if not values.sum() > 0:
        return dict.fromkeys(OF_SHARES, np.nan)
    seen = values[values > 0] / values.sum()
    shannon, repeated = float(-(seen * np.log(seen)).sum()) + 0.0, float((seen**2).sum())
    return {
        "observed_taxa": float(len(seen)),
        "shannon": shannon,
        "simpson": 1.0 - repeated,
        "inverse_simpson": 1.0 / repeated,
        "pielou": shannon / float(np.log(len(seen))) if len(seen) > 1 else np.nan,
    }


def rarefaction_curve(counts: pd.Series, *, points: int = 20) -> pd.DataFrame:
    """What would be seen of the sample with fewer reads: the RAREFACTION table, exact, up to all its reads.

    Raises
    ------
    AbundanceError
        A value is negative or absent, or a taxon stands in the sample twice.
    """
    values = checked(counts).to_numpy()
    seen = np.sort(values[values > 0].astype(np.int64))
    total = int(seen.sum())
    if total < 1:
        return RAREFACTION.empty()
    depths = np.unique(np.geomspace(min(10, total), total, points).round().astype(np.int64))
    rows = [{"depth": int(depth), **_expected(seen, int(depth))} for depth in depths]
    return RAREFACTION.check(pd.DataFrame(rows)[list(RAREFACTION.columns)])


def checked(values: pd.Series) -> pd.Series:
    """The values by taxon, if all are there, none is negative and each taxon stands there once.

    Raises
    ------
    AbundanceError
        Otherwise.
    """
    bad = int((~np.isfinite(values.to_numpy(dtype=np.float64)) | (values < 0).to_numpy()).sum())
    if bad:
        raise AbundanceError(f"{bad} taxa have a negative or absent abundance.")
    twice = sorted({str(taxon) for taxon in values.index[values.index.duplicated()]})
    if twice:
        raise AbundanceError(
            f"{len(twice)} taxa stand in the sample twice, among them {', '.join(twice[:5])}; sum their rows."
        )
    return values


# ---- expected over all draws -----------------------------------------------------------------------------------------


def _log_chance(drawn: Values, of: Values, total: int, depth: int) -> Values:
    """ln of the hypergeometric chance that a draw of `depth` of `total` reads holds so many of a taxon's.

    Factorials by Stirling with what that leaves out, so that the large parts of the four cells (of the taxon or not, drawn or not)
    are never formed: differences of log gammas of millions of reads are off in the eighth decimal.

    References
    ----------
    Loader 2000, Fast and accurate computation of binomial probabilities
    """
    others, left = total - of, float(total - depth)
    beyond = drawn - of * (depth / total)  # how many more are drawn than the mean
    cells = (  # how many, of how many (row), of which so many are drawn or left (column), and which way `beyond` moves them
        (drawn, of, depth, 1.0),
        (of - drawn, of, left, -1.0),
        (depth - drawn, others, depth, -1.0),
        (others - depth + drawn, others, left, 1.0),
    )
    told = sum(_beyond_stirling(held) for held in (of, others, np.array([float(depth)]), np.array([left])))
    told = told - _beyond_stirling(np.array([float(total)]))
    for held, row, column, way in cells:
        mean = np.maximum(row * (column / total), _NONE)
        told -= _beyond_stirling(held) + xlog1py(held, way * beyond / mean)
    return np.asarray(told)


def _beyond_stirling(number: Values) -> Values:
    """ln(n!) - (n ln n - n): exactly 0 of 0."""
    few = np.minimum(number, _FEW)
    small = gammaln(few + 1.0) - xlogy(few, few) + few
    inverse = 1.0 / np.maximum(number, _FEW)
    series = inverse / 12.0 - inverse**3 / 360.0 + inverse**5 / 1260.0 - inverse**7 / 1680.0
    return np.asarray(np.where(number < _FEW, small, 0.5 * np.log(2.0 * np.pi / inverse) + series))


def _chance_seen(reads: Values | Counts, total: int, depth: int) -> Values:
    """Probability that at least one of so many reads is among `depth` drawn of `total`."""
    own = np.asarray(reads, dtype=np.float64)
    possible = total - own >= depth
    missed = _log_chance(np.zeros_like(own), np.where(possible, own, 0.0), total, depth)
    return np.asarray(np.where(possible, -np.expm1(missed), 1.0))


def _expected(seen: Counts, depth: int) -> dict[str, float]:
    total = int(seen.sum())
    if total == depth:
        shares = seen / total
        return {
            "observed_taxa": float(len(seen)),
            "shannon": float(-(shares * np.log(shares)).sum()) + 0.0,
            "simpson": float(1.0 - (shares**2).sum()),
        }
    share = seen / total
    mean = depth * share
    variance = mean * (1.0 - share) * (total - depth) / (total - 1)
    return {
        "observed_taxa": float(_chance_seen(seen, total, depth).sum()),
        "shannon": _expected_entropy(seen, total, depth),
        "simpson": float(1.0 - (variance + mean**2).sum() / depth**2),
    }


def _expected_entropy(seen: Counts, total: int, depth: int) -> float:
    """Expected sum of -(x/d) ln(x/d) over the taxa, each x hypergeometric; all that can be drawn of all taxa in one array."""
    reads = seen.astype(np.float64)
    mean = depth * reads / total
    spread = np.sqrt(mean * (1.0 - reads / total) * (total - depth) / max(total - 1, 1))
    low = np.maximum(np.maximum(1.0, reads + depth - total), np.floor(mean - _TAIL * spread) - 2.0)
    high = np.minimum(np.minimum(reads, depth), np.floor(mean + _TAIL * (spread + 1.0)) + 2.0)
    width = np.maximum(high - low + 1.0, 0.0).astype(np.int64)
    taxon = np.repeat(np.arange(len(reads)), width)
    within = np.arange(len(taxon)) - np.repeat(np.cumsum(width) - width, width)
    drawn: Values = low[taxon] + within.astype(np.float64)
    of: Values = reads[taxon]
    chances = np.exp(_log_chance(drawn, of, total, depth))
    part = drawn / depth
    return float(-(chances * part * np.log(part)).sum()) + 0.0


def _expected_faith(seen: pd.Series, depth: int, tree: "TreeNode") -> float:
    """Expected length of the branches above the taxa drawn, up to the root and, where it has one, its own branch."""
    total = int(seen.sum())
    reads = dict(zip(map(str, seen.index), seen.tolist(), strict=True))
    below: dict[int, int] = {}
    lengths: list[float] = []
    above: list[float] = []
    for node in tree.postorder():
        own = reads.get(str(node.name), 0) if node.is_tip() else sum(below.pop(id(child)) for child in node.children)
        below[id(node)] = own
        if own and node.length:
            lengths.append(float(node.length))
            above.append(float(own))
    return float((np.array(lengths) * _chance_seen(np.array(above), total, depth)).sum())


# ---- means over draws ------------------------------------------------------------------------------------------------


def _drawn(seen: Counts, depth: int, seed: int, draws: int) -> dict[str, float]:
    from skbio.stats import subsample_counts  # two seconds to load

    if int(seen.sum()) == depth:  # every draw is the sample itself
        return _ratios(seen)
    measured = [
        _ratios(subsample_counts(seen, depth, seed=np.random.default_rng([seed, draw]))) for draw in range(draws)
    ]
    return {name: float(np.mean([values[name] for values in measured])) for name in DRAWN}


def _ratios(values: Counts) -> dict[str, float]:
    from skbio.diversity import alpha

    kinds = int((values > 0).sum())
    rare = values[(values > 0) & (values <= 10)]
    measures: dict[str, tuple[Callable[..., float], bool]] = {
        "inverse_simpson": (alpha.inv_simpson, kinds > 0),
        "pielou": (alpha.pielou_e, kinds > 1),
        "chao1": (alpha.chao1, kinds > 0),
        "ace": (alpha.ace, len(rare) == 0 or bool((rare > 1).any())),
        "fisher_alpha": (alpha.fisher_alpha, 0 < kinds < int(values.sum())),
    }
    return {name: float(measure(values)) if defined else np.nan for name, (measure, defined) in measures.items()}
