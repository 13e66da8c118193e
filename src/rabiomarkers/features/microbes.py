"""The taxa of one stool that the literature speaks of: shares by what they do, and each with the evidence for it.

Who makes or suppresses retinoic acid is known from mice and purified enzymes only, and *L. intestinalis* and segmented filamentous
bacteria are mainly murine: expect zeros in patients, and read the shares as exploratory. Each share's `method` names the evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.features.taxon_names import match_taxa
from rabiomarkers.stats.composition import log_balance
from rabiomarkers.tables.stool import MICROBES


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which rows of the taxon table a share adds up."""

    roles: tuple[str, ...]
    species_only: bool = False  # a phylum or class would be most of the stool
    agreed_only: bool = False  # taxa on which sources disagree are left out


GROUPS: Mapping[str, Asked] = {
    "ra_metaboliser_share": Asked(roles=("ra_producer", "vitamin_a_metaboliser")),
    "ra_producer_share": Asked(roles=("ra_producer",)),
    "ra_suppressor_share": Asked(roles=("ra_suppressor",)),
    "host_ra_inducer_share": Asked(roles=("host_ra_inducer",)),
    "butyrate_producer_share": Asked(roles=("butyrate_producer",)),
    "pathobiont_share": Asked(roles=("pathobiont",)),
    "ici_favourable_share": Asked(roles=("ici_response_favourable",), species_only=True, agreed_only=True),
    "ici_unfavourable_share": Asked(roles=("ici_response_unfavourable",), species_only=True, agreed_only=True),
}
"""Feature -> the taxa that it adds up."""

BALANCE = "ra_metaboliser_balance"
MOUSE_ONLY = "known from mice only"

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


def find_groups(table: pd.DataFrame, taxa: pd.DataFrame) -> Mapping[str, Group]:
    """Which rows of an abundance table belong to each of `GROUPS`.

    Parameters
    ----------
    table
        `taxon`, `lineage` (``k__..;p__..;..``; may be empty).
    taxa
        The taxon table: `taxon`, `rank`, `ncbi_name`, `role`, `evidence`, `conflict`.
    """
    groups = {}
    for feature, asked in GROUPS.items():
        rows = taxa[taxa["role"].isin(asked.roles)]
        if asked.species_only:
            rows = rows[rows["rank"].isin(["species", "subspecies", "strain"])]
        if asked.agreed_only:
            rows = rows[rows["conflict"] != "yes"]
        listed = rows.drop_duplicates("taxon")
        found = match_taxa(table, listed)
        groups[feature] = Group(
            member=found.any(axis=1),
            listed=len(listed),
            named=int(found.any(axis=0).sum()),
            evidence=", ".join(sorted(rows["evidence"].unique())),
        )
    return groups


def group_rows(table: pd.DataFrame, taxa: pd.DataFrame, *, scale: str, depth: int) -> list[Row]:
    """The shares of one sample as rows of SAMPLE_FEATURES, and of read counts the balance of the retinoic-acid metabolisers.

    Shares are of all reads (or of the whole profile). `coverage` is the part of the listed taxa that the table names; where it
    names none there is no value, as "absent" and "cannot be reported" look the same.

    Parameters
    ----------
    table
        `taxon`, `value`, `lineage`.
    taxa, scale, depth
        As in `features.microbiome.microbiome_features`.
    """
    groups = find_groups(table, taxa)
    values = table["value"].to_numpy(dtype=np.float64)
    rows = [_share_row(feature, values, group, scale) for feature, group in groups.items()]
    if scale == "counts":
        rows.append(_balance_row(values, groups["ra_metaboliser_share"], depth))
    return rows


def microbe_table(table: pd.DataFrame, taxa: pd.DataFrame, *, scale: str) -> pd.DataFrame:
    """Each listed taxon in this sample: its share, what it is listed for, on what evidence, and whether sources disagree.

    Parameters
    ----------
    table
        `taxon`, `value` (counts or fractions), `lineage`.
    taxa
        The taxon table (`knowledge.load_taxa`).
    scale
        ``counts`` or ``relative``.

    Returns
    -------
    A MICROBES table, a row for each row of `taxa` (a taxon with two sources has two rows); `share` is absent where the table
    does not name the taxon.
    """
    found = match_taxa(table, taxa)
    values = table["value"].to_numpy(dtype=np.float64)
    total = _total(values, scale)
    named = found.any(axis=0)
    share = values @ found / total if total > 0 else np.full(len(taxa), np.nan)
    mouse = taxa.groupby(["taxon", "role"])["evidence"].transform(lambda kinds: set(kinds) == {"mouse"})
    told = taxa[["taxon", "rank", "role", "evidence", "context", "source", "verification"]].assign(
        conflict=(taxa["conflict"] == "yes").to_numpy(),
        named=named,
        share=np.where(named, share, np.nan),
        note=[_remark(bool(only), bool(known), total) for only, known in zip(mouse, named, strict=True)],
    )
    merged = told.groupby(list(MICROBES.key), sort=True, as_index=False).agg(_first_or_joined(told))
    return MICROBES.check(merged[list(MICROBES.columns)])


def _first_or_joined(told: pd.DataFrame) -> dict[str, Any]:
    """Two contexts of one source are told together; all else is the same in both rows."""
    rest = [column for column in told.columns if column not in MICROBES.key]
    return dict.fromkeys(rest, "first") | {"context": lambda texts: "; ".join(dict.fromkeys(texts))}


def _remark(mouse: bool, named: bool, total: float) -> str:
    told = [MOUSE_ONLY if mouse else "", "" if named else "not named in this table", "" if total > 0 else "no reads"]
    return "; ".join(part for part in told if part)


def _total(values: NDArray[np.float64], scale: str) -> float:
    """What a share is of: all reads, or the whole profile."""
    total = float(values.sum())
    return total if scale == "counts" or not total > 0 else 1.0


def _share_row(feature: str, values: NDArray[np.float64], group: Group, scale: str) -> Row:
    method = f"share of {'reads' if scale == 'counts' else 'the profile'}; evidence: {group.evidence}"
    total = _total(values, scale)
    note = _no_share(group, total)
    share = float(values[group.member].sum()) / total if not note else np.nan
    return feature, share, "fraction", method, group.coverage, False, note


def _no_share(group: Group, total: float) -> str:
    if group.named == 0:
        listed = "the one listed taxon is not" if group.listed == 1 else f"none of the {group.listed} listed taxa is"
        return f"{listed} named in this table: absent and unreportable cannot be told apart"
    return "" if total > 0 else "the sample holds no reads"


def _balance_row(values: NDArray[np.float64], group: Group, depth: int) -> Row:
    """Members against all others among the reads expected at `depth`, so that half a read weighs the same in every sample."""
    total = float(values.sum())
    short = f"{int(total)} reads, {depth} are needed" if total < depth else ""
    note = _no_share(group, total) or short
    expected = depth * float(values[group.member].sum()) / total if not note else np.nan
    value = log_balance(expected, depth) if not note else np.nan
    method = f"ln((members + 0.5) / (others + 0.5)) of {depth} reads; evidence: {group.evidence}"
    return BALANCE, value, "log ratio", method, group.coverage, False, note
