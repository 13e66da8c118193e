"""How different two stools are, by each of the usual measures; the distance of two samples never depends on a third.

What weighs taxa (Bray-Curtis, weighted UniFrac, Aitchison) is taken of all reads as shares: throwing reads away adds noise. What
only asks which taxa are there (Jaccard, unweighted UniFrac) grows with the reads, so read counts are first drawn down to one
depth, and the distance is the mean over draws.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist, squareform

from rabiomarkers.errors import AbundanceError
from rabiomarkers.stats.arrays import Flags, Matrix, Vector
from rabiomarkers.stats.composition import PSEUDOCOUNT
from rabiomarkers.stats.unifrac import Branches, Variant, branch_table, unifrac

if TYPE_CHECKING:
    from skbio import TreeNode

DRAWS = 10


@dataclass(frozen=True, kw_only=True)
class Community:
    """What a measure is taken of: samples x taxa, 0 or more, something in every sample."""

    values: Matrix
    depth: int | None = None  # of read counts, None for relative abundances
    branches: Branches | None = None

    @property
    def shares(self) -> Matrix:
        """Each sample sums to 1."""
        return self.values / self.values.sum(axis=1, keepdims=True)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One measure: what it is called, how it is taken, and what it needs."""

    title: str
    measure: Callable[[Community], Matrix]
    reference: str
    presence: bool = False  # asks which taxa are there, and so hangs on the depth
    needs_tree: bool = False


def _bray_curtis(community: Community) -> Matrix:
    return _square(pdist(community.shares, metric="braycurtis"))


def _jaccard(community: Community) -> Matrix:
    return _square(pdist(community.values > 0, metric="jaccard"))


def _robust_aitchison(community: Community) -> Matrix:
    """ln(share) less its mean over the taxa seen in the sample; a taxon that was not seen stands at that mean, 0.

    So does R's vegan. To look only at the taxa that both samples hold would call two stools alike that have one taxon in common,
    and completing the matrix, as the method was published, would let every other sample decide. The price: two even communities
    lie close to each other though they share nothing. It is a second opinion, never the only one.
    """
    seen = community.values > 0
    logs = np.log(np.where(seen, community.shares, 1.0))
    centred = np.where(seen, logs - logs.sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True), 0.0)
    return _square(pdist(centred, metric="euclidean"))


def _aitchison(community: Community) -> Matrix:
    """Euclidean distance of centred log ratios, over the taxa that were seen in either of the two samples.

    Zeros by the rules of `stats.composition`, with `depth` for the total that all samples of counts are brought to: half a read
    is added to the reads expected at that depth. Of relative abundances a zero becomes half the smallest share seen in the pair
    (at most 1 / (2 x parts)), the other shares of that sample being scaled down.
    """
    shares, seen = community.shares, community.values > 0
    table = np.zeros((len(shares), len(shares)))
    if community.depth is not None:
        logs = np.log(shares * community.depth + PSEUDOCOUNT)
        for at in range(len(shares) - 1):
            table[at, at + 1 :] = _spread(logs[at + 1 :] - logs[at], seen[at + 1 :] | seen[at])
    else:
        logs, smallest = np.log(np.where(seen, shares, 1.0)), np.where(seen, shares, 1.0).min(axis=1)
        for at in range(len(shares) - 1):
            table[at, at + 1 :] = _spread(*_log_ratios(logs, seen, smallest, at))
    return table + table.T


def _spread(differences: Matrix, parts: Flags) -> Vector:
    """Length of each row of differences about its mean, of `parts` alone."""
    mean = (differences * parts).sum(axis=1, keepdims=True) / parts.sum(axis=1, keepdims=True)
    told: Vector = np.sqrt((((differences - mean) * parts) ** 2).sum(axis=1))
    return told


def _log_ratios(logs: Matrix, seen: Flags, smallest: Vector, at: int) -> tuple[Matrix, Flags]:
    """ln(share) of each later sample less that of sample `at`, and the parts of each such pair."""
    parts = seen[at + 1 :] | seen[at]
    number = parts.sum(axis=1, keepdims=True)
    unseen = np.minimum(np.minimum(smallest[at + 1 :, None], smallest[at]) / 2.0, 0.5 / number)

    def filled(logs: Matrix, seen: Flags) -> Matrix:
        zeros = number - seen.sum(axis=-1, keepdims=True)
        told: Matrix = np.where(seen, logs + np.log1p(-zeros * unseen), np.log(unseen))
        return told

    return filled(logs[at + 1 :], seen[at + 1 :]) - filled(logs[at], seen[at]), parts


def _unifrac(variant: Variant) -> Callable[[Community], Matrix]:
    def measure(community: Community) -> Matrix:
        if community.branches is None:
            raise AbundanceError("UniFrac needs a tree.")
        return unifrac(community.values, community.branches, variant=variant)

    return measure


def _square(condensed: Vector) -> Matrix:
    return np.asarray(squareform(condensed, checks=False), dtype=np.float64)


METRICS: Mapping[str, Metric] = {
    "bray_curtis": Metric(
        title="Bray-Curtis",
        measure=_bray_curtis,
        reference="Bray & Curtis 1957, doi:10.2307/1942268",
    ),
    "jaccard": Metric(
        title="Jaccard",
        measure=_jaccard,
        presence=True,
        reference="Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x",
    ),
    "aitchison": Metric(
        title="Aitchison",
        measure=_aitchison,
        reference="Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x",
    ),
    "robust_aitchison": Metric(
        title="robust Aitchison",
        measure=_robust_aitchison,
        reference="Martino et al. 2019, doi:10.1128/mSystems.00016-19",
    ),
    "unweighted_unifrac": Metric(
        title="unweighted UniFrac",
        measure=_unifrac("unweighted"),
        presence=True,
        needs_tree=True,
        reference="Lozupone & Knight 2005, doi:10.1128/AEM.71.12.8228-8235.2005",
    ),
    "weighted_unifrac": Metric(
        title="weighted UniFrac",
        measure=_unifrac("weighted"),
        needs_tree=True,
        reference="Lozupone et al. 2007, doi:10.1128/AEM.01996-06",
    ),
    "normalized_unifrac": Metric(
        title="normalised weighted UniFrac",
        measure=_unifrac("normalized"),
        needs_tree=True,
        reference="Lozupone et al. 2007, doi:10.1128/AEM.01996-06",
    ),
    "generalized_unifrac": Metric(
        title="generalised UniFrac (alpha 0.5)",
        measure=_unifrac("generalized"),
        needs_tree=True,
        reference="Chen et al. 2012, doi:10.1093/bioinformatics/bts342",
    ),
}
"""By the name in `stool: metrics`."""


def distances_of(
    abundances: pd.DataFrame,
    metric: str,
    *,
    scale: Literal["counts", "relative"] = "relative",
    depth: int | None = None,
    seed: int = 1,
    draws: int = DRAWS,
    tree: "TreeNode | None" = None,
) -> pd.DataFrame:
    """Distance of each sample to each by one of `METRICS`; the order of samples and taxa plays no part.

    Parameters
    ----------
    abundances
        Samples x taxa, counts or relative abundances, no negatives; every sample holds something. Taxa that no sample holds
        change nothing.
    metric
        A name of `METRICS`.
    scale, depth
        Of ``counts``, presence is the mean over `draws` draws of `depth` reads without replacement, and Aitchison's distance is
        taken at `depth`. Of ``relative`` abundances presence is taken as it is: how deep they were sequenced is not known.
    seed, draws
        Of the draws. A sample's own counts are mixed into the seed, so that two samples are drawn independently of each other
        and of their names and neighbours.
    tree
        For UniFrac; its tips hold every taxon that was seen.

    Raises
    ------
    AbundanceError
        A value is negative, absent or infinite, a sample holds no taxon or fewer reads than `depth`, counts are fractional where
        reads are drawn, `depth` is needed and not given, or UniFrac lacks its tree or tips.
    """
    asked = METRICS[metric]
    table = abundances.sort_index(axis="columns")
    table = table.loc[:, (table != 0).any(axis="index")]  # NaN differs from 0
    # one order of adding up, in one memory layout: same bytes
    values = np.ascontiguousarray(table.to_numpy(dtype=np.float64))
    _refuse(values, abundances.index, asked.title)
    if scale == "counts" and depth is None and (asked.presence or metric == "aitchison"):
        raise AbundanceError(f"{asked.title} of read counts needs the depth that samples are compared at.")
    community = Community(
        values=values,
        depth=depth if scale == "counts" else None,
        branches=_branches(tree, table.columns, asked.title) if asked.needs_tree else None,
    )
    if len(values) < 2:
        found = np.zeros((len(values), len(values)))
    elif asked.presence and community.depth is not None:
        found = _mean_over_draws(community, asked, seed, draws)
    else:
        found = asked.measure(community)
    return pd.DataFrame(found, index=abundances.index, columns=abundances.index)


def _branches(tree: "TreeNode | None", taxa: pd.Index, title: str) -> Branches:
    if tree is None:
        raise AbundanceError(f"{title} needs a tree, and the samples have none.")
    return branch_table(tree, [str(taxon) for taxon in taxa])


def _refuse(values: Matrix, samples: pd.Index, title: str) -> None:
    if not (values >= 0).all() or not np.isfinite(values).all():
        raise AbundanceError(
            f"{title} needs abundances that are zero or positive; some are negative, missing or infinite."
        )
    empty = samples[values.sum(axis=1) <= 0]
    if len(empty):
        raise AbundanceError(f"{title} is not defined for samples without any taxon: {', '.join(map(str, empty))}.")


def _mean_over_draws(community: Community, asked: Metric, seed: int, draws: int) -> Matrix:
    depth, values = community.depth or 0, community.values
    if (values.sum(axis=1) < depth).any():
        raise AbundanceError(f"{asked.title} of read counts needs {depth} reads of every sample.")
    if (values % 1 != 0).any():
        raise AbundanceError(f"{asked.title} draws reads, and some of the counts are fractions.")
    total: Matrix = np.zeros((len(values), len(values)))
    for draw in range(draws):
        drawn = np.vstack([_draw(sample, depth, seed, draw) for sample in values])
        total += asked.measure(replace(community, values=drawn))
    return total / draws


def _draw(sample: Vector, depth: int, seed: int, draw: int) -> Vector:
    from skbio.stats import subsample_counts  # two seconds to load

    seen = np.flatnonzero(sample)
    counts = sample[seen].astype(np.int64)
    own = np.frombuffer(hashlib.sha256(counts.tobytes()).digest(), dtype=np.uint32).tolist()
    drawn = np.zeros_like(sample)
    drawn[seen] = subsample_counts(counts, depth, seed=np.random.default_rng([seed, draw, *own]))
    return drawn
