"""What one stool sample's taxa say: diversity at an equal number of reads, and shares of taxa that act on retinoic acid.

Who makes or suppresses retinoic acid is known from mice and purified enzymes only, and *L. intestinalis* and segmented filamentous
bacteria are mainly murine: expect zeros in patients, and read the shares as exploratory. Each share's `method` names the evidence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import AbundanceError, ScaleError
from rabiomarkers.features.taxon_names import match_taxa
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_taxa
from rabiomarkers.stats.composition import log_balance
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

if TYPE_CHECKING:
    from skbio import TreeNode

DRAWS = 10
"""Diversity is the mean over so many random draws of `depth` reads: one draw alone would add its own noise to a paired change."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "ra_metaboliser_share": ("ra_producer", "vitamin_a_metaboliser"),
    "ra_suppressor_share": ("ra_suppressor",),
    "butyrate_producer_share": ("butyrate_producer",),
}
"""Feature -> roles of the taxon table whose taxa it adds up."""

BALANCE = "ra_metaboliser_balance"
UNITS = {"observed_taxa": "taxa", "shannon": "nats", "simpson": "probability", "faith_pd": "branch length"}

type Row = tuple[str, float, str, str, float, bool, str]


@dataclass(frozen=True, kw_only=True)
class Group:
    """The taxa of a table that belong to one group, and how much of the group the table can report."""

    member: NDArray[np.bool_]  # by row of the table
    listed: int
    named: int  # of the listed, how many the table names
    evidence: str

    @property
    def coverage(self) -> float:
        """Share of the listed taxa that the table names, 0..1."""
        return self.named / self.listed if self.listed else 0.0


def diversity(counts: pd.Series, *, depth: int, seed: int, tree: "TreeNode | None" = None) -> Mapping[str, float]:
    """Alpha diversity of one sample at an equal number of reads: the mean over `DRAWS` draws without replacement.

    Every sample is drawn with the same seeds and its taxa in alphabetical order, so the result depends neither on other samples nor
    on the order of the table.

    Parameters
    ----------
    counts
        Reads by taxon, whole numbers.
    depth
        Reads drawn; a sample with fewer has no value (NaN).
    tree
        Rooted tree with every taxon that was seen among its tips; without it there is no `faith_pd`.

    Returns
    -------
    `observed_taxa`, `shannon` (natural logarithm), `simpson` (probability that two reads are of different taxa) and, with a tree,
    `faith_pd`.

    Raises
    ------
    ScaleError
        The values are not counts.
    AbundanceError
        A value is negative or absent, or a taxon that was seen is not in the tree.
    """
    from skbio.stats import subsample_counts  # two seconds to load

    ordered = _checked(counts).sort_index(kind="stable")
    fractional = int((ordered % 1 != 0).sum())
    if fractional:
        raise ScaleError(f"Drawing reads needs read counts; {fractional} taxa hold fractions.")
    names = [name for name in UNITS if name != "faith_pd" or tree is not None]
    if ordered.sum() < depth:
        return dict.fromkeys(names, np.nan)
    seen = ordered[ordered > 0].astype(np.int64)
    if tree is not None:
        tree = _covering(tree, seen.index)
    draws = [
        subsample_counts(seen.to_numpy(), depth, seed=np.random.default_rng([seed, draw])) for draw in range(DRAWS)
    ]
    measured = [_alpha(draw, seen.index, tree) for draw in draws]
    return {name: float(np.mean([values[name] for values in measured])) for name in names}


def diversity_of_shares(abundance: pd.Series) -> Mapping[str, float]:
    """Alpha diversity of relative abundances as they are: `observed_taxa` (abundance above 0), `shannon`, `simpson`.

    How deep the sample was sequenced is not known from shares, so richness is not comparable between samples of unequal depth.
    NaN where nothing was seen.
    """
    values = _checked(abundance).sort_index(kind="stable")
    if not values.sum() > 0:
        return dict.fromkeys(("observed_taxa", "shannon", "simpson"), np.nan)
    seen = values[values > 0]
    return _alpha(seen.to_numpy(dtype=np.float64), seen.index, None)


def _alpha(values: NDArray[np.float64], taxa: pd.Index, tree: "TreeNode | None") -> dict[str, float]:
    from skbio.diversity import alpha

    measured = {
        "observed_taxa": float(alpha.sobs(values)),
        "shannon": float(alpha.shannon(values, base=np.e)),
        "simpson": float(alpha.simpson(values)),
    }
    if tree is not None:
        measured["faith_pd"] = float(alpha.faith_pd(values, taxa=list(taxa), tree=tree, validate=False))
    return measured


def _checked(values: pd.Series) -> pd.Series:
    bad = int((~np.isfinite(values.to_numpy(dtype=np.float64)) | (values < 0).to_numpy()).sum())
    if bad:
        raise AbundanceError(f"{bad} taxa have a negative or absent abundance.")
    return values


def _covering(tree: "TreeNode", taxa: pd.Index) -> "TreeNode":
    """The tree, rooted at its midpoint where it has no root (three branches at the top), if its tips hold all taxa."""
    absent = sorted(set(taxa) - {tip.name for tip in tree.tips()})
    if absent:
        told = ", ".join(absent[:5])
        raise AbundanceError(f"{len(absent)} taxa that were seen are not in the tree, among them {told}.")
    return tree.root_at_midpoint() if len(tree.children) > 2 else tree


def find_groups(table: pd.DataFrame, taxa: pd.DataFrame) -> Mapping[str, Group]:
    """Which rows of an abundance table belong to each of `GROUPS`.

    Parameters
    ----------
    table
        `taxon`, `lineage` (``k__..;p__..;..``; may be empty).
    taxa
        The taxon table: `taxon`, `rank`, `ncbi_name`, `role`, `evidence`.
    """
    groups = {}
    for feature, roles in GROUPS.items():
        rows = taxa[taxa["role"].isin(roles)]
        listed = rows.drop_duplicates("taxon")
        found = match_taxa(table, listed)
        groups[feature] = Group(
            member=found.any(axis=1),
            listed=len(listed),
            named=int(found.any(axis=0).sum()),
            evidence=", ".join(sorted(rows["evidence"].unique())),
        )
    return groups


def microbiome_features(
    table: pd.DataFrame, taxa: pd.DataFrame, *, scale: str, depth: int, seed: int, tree: "TreeNode | None" = None
) -> pd.DataFrame:
    """Every stool feature of one sample.

    Parameters
    ----------
    table
        One row a taxon: `taxon`, `value`, `lineage`.
    taxa
        The taxon table (`knowledge.load_taxa`).
    scale
        ``counts`` (reads) or ``relative`` (fractions). Relative abundances are not drawn down and have neither Faith's
        diversity nor a balance: both need reads.
    depth, seed, tree
        See `diversity`.

    Returns
    -------
    A `SAMPLE_FEATURES` table. Shares are of all reads (or of the whole profile). `coverage` of a share is the part of the listed
    taxa that the table names; where it names none there is no value, as "absent" and "cannot be reported" look the same.

    Raises
    ------
    ScaleError, AbundanceError
        See `diversity`; also for a scale that is neither of the two.
    """
    if scale not in ("counts", "relative"):
        raise ScaleError(f"The stool table is declared as {scale!r}; counts or relative abundances can be used.")
    values = _checked(table.set_index("taxon")["value"])
    groups = find_groups(table, taxa)
    if scale == "counts":
        rows = _diversity_rows(diversity(values, depth=depth, seed=seed, tree=tree), *_at_depth(values, depth))
        rows.append(_balance_row(values, groups["ra_metaboliser_share"], depth))
    else:
        empty = "" if values.sum() > 0 else "the profile holds no taxon"
        rows = _diversity_rows(diversity_of_shares(values), "relative abundances as they are, not rarefied", empty)
    rows += [_share_row(feature, values, group, scale) for feature, group in groups.items()]
    return SAMPLE_FEATURES.check(pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns)).sort_values("feature"))


def _at_depth(values: pd.Series, depth: int) -> tuple[str, str]:
    reads = int(values.sum())
    short = f"{reads} reads, {depth} are needed" if reads < depth else ""
    return f"mean of {DRAWS} draws of {depth} reads", short


def _diversity_rows(measured: Mapping[str, float], method: str, empty: str) -> list[Row]:
    return [(name, value, UNITS[name], method, 1.0, False, empty) for name, value in measured.items()]


def _share_row(feature: str, values: pd.Series, group: Group, scale: str) -> Row:
    method = f"share of {'reads' if scale == 'counts' else 'the profile'}; evidence: {group.evidence}"
    total = float(values.sum()) if scale == "counts" else 1.0
    if scale == "relative" and not values.sum() > 0:
        total = 0.0
    note = _no_share(group, total)
    share = float(values.to_numpy()[group.member].sum()) / total if not note else np.nan
    return feature, share, "fraction", method, group.coverage, False, note


def _no_share(group: Group, total: float) -> str:
    if group.named == 0:
        return f"none of the {group.listed} listed taxa is named in this table: absent and unreportable cannot be told apart"
    return "" if total > 0 else "the sample holds no reads"


def _balance_row(values: pd.Series, group: Group, depth: int) -> Row:
    """Members against all others among the reads expected at `depth`, so that half a read weighs the same in every sample."""
    total = float(values.sum())
    short = f"{int(total)} reads, {depth} are needed" if total < depth else ""
    note = _no_share(group, total) or short
    expected = depth * float(values.to_numpy()[group.member].sum()) / total if not note else np.nan
    value = log_balance(expected, depth) if not note else np.nan
    method = f"ln((members + 0.5) / (others + 0.5)) of {depth} reads; evidence: {group.evidence}"
    return BALANCE, value, "log ratio", method, group.coverage, False, note


def microbiome_quality(table: pd.DataFrame, *, scale: str, depth: int) -> pd.DataFrame:
    """Quality of one stool sample as a `SAMPLE_QC` table.

    Counts: `reads` must reach `depth`. Relative abundances: `profiled_share`, what the named taxa sum to, must be above 0.
    `taxa_detected` is shown.
    """
    total, seen = float(table["value"].sum()), int((table["value"] > 0).sum())
    first: tuple[object, ...] = ("profiled_share", total, "fraction", "> 0", total > 0)
    if scale == "counts":
        first = ("reads", total, "reads", f">= {depth}", total >= depth)
    rows = [first, ("taxa_detected", seen, "taxa", "", True)]
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def read_tree(path: Path) -> "TreeNode":
    """A newick tree; underscores in names stay, as in the table.

    Raises
    ------
    AbundanceError
        The file is not newick.
    """
    from skbio import TreeNode
    from skbio.io import NewickFormatError, UnrecognizedFormatError

    reader: Callable[..., TreeNode] = TreeNode.read
    try:
        return reader(str(path), format="newick", verify=False, convert_underscores=False)
    except (NewickFormatError, UnrecognizedFormatError) as error:
        raise AbundanceError(f"{path.name} is not a newick tree: {error}") from error


def microbiome_step(inputs: Mapping[str, Path], out: Path, *, depth: int, seed: int) -> Info:
    """Features and quality of one stool sample (`sample`) by the taxon table (`taxa`) and, where given, the `tree`."""
    table = read_table(inputs["sample"])
    scale = table.attrs["passport"]["scale"]
    tree = read_tree(inputs["tree"]) if "tree" in inputs and scale == "counts" else None
    features = microbiome_features(table, load_taxa(inputs["taxa"]), scale=scale, depth=depth, seed=seed, tree=tree)
    write_table(features, out / "features.parquet")
    write_table(microbiome_quality(table, scale=scale, depth=depth), out / "qc.parquet")
    return {"taxa": len(table)}
