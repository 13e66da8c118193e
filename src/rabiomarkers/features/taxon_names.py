"""Whether a row of an abundance table is one of the taxa that the literature speaks of."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_PREFIX = re.compile(r"^([dkpcofgst])__")
_RANKS: Mapping[str, str] = {
    "d": "kingdom",
    "k": "kingdom",
    "p": "phylum",
    "c": "class",
    "o": "order",
    "f": "family",
    "g": "genus",
    "s": "species",
    "t": "strain",
}


def match_taxa(table: pd.DataFrame, listed: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows of an abundance table belong to which listed taxon.

    Names are compared without case, ``s__`` prefixes, underscores and brackets. A row is the listed taxon if its name says so, or
    if its lineage does at the same rank: a listed class takes in every row of that class. A genus also takes in rows named after
    it (``Roseburia sp. 12``) where there is no lineage. A subspecies or strain matches its own name only, and never makes its
    species match.

    Parameters
    ----------
    table
        `taxon`, `lineage` (``k__..;p__..;..`` or with ``|``; may be empty).
    listed
        `taxon`, `rank`, `ncbi_name`.

    Returns
    -------
    Rows of `table` x rows of `listed`.
    """
    rows = [_known(taxon, lineage) for taxon, lineage in zip(table["taxon"], table["lineage"].fillna(""), strict=True)]
    named: dict[tuple[str, str], list[int]] = {}
    for place, names in enumerate(rows):
        for rank, name in names.items():
            named.setdefault((rank, name), []).append(place)
    found = np.zeros((len(table), len(listed)), dtype=bool)
    for column, (taxon, rank, other) in enumerate(
        zip(listed["taxon"], listed["rank"], listed["ncbi_name"], strict=True)
    ):
        wanted = {plain_name(taxon), plain_name(other)} - {"", "-"}
        below = () if rank in ("subspecies", "strain") else (rank,)
        for name in wanted:
            for where in ("", *below):
                found[named.get((where, name), []), column] = True
        if rank == "genus":
            found[[place for place, names in enumerate(rows) if _named_after(wanted, names)], column] = True
    return found


@lru_cache(maxsize=100_000)
def plain_name(text: str) -> str:
    """A taxon's name as one compares it: ``s__[Clostridium]_symbiosum`` is ``clostridium symbiosum``."""
    last = re.split(r"[|;]", text.strip().strip(";|"))[-1].strip()
    bare = _PREFIX.sub("", last)
    return re.sub(r"\s+", " ", re.sub(r"[\[\]'\"]", "", bare).replace("_", " ")).strip().lower()


@lru_cache(maxsize=100_000)
def _known(taxon: str, lineage: str) -> Mapping[str, str]:
    """What a row is called at each rank; under ``""`` the name of the row itself."""
    source = taxon if re.search(r"[|;]", taxon) else lineage
    return {"": plain_name(taxon)} | dict(_ranks(source))


def _ranks(lineage: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"[|;]", lineage):
        prefix = _PREFIX.match(part.strip())
        name = plain_name(part)
        if prefix and name:
            yield _RANKS[prefix.group(1)], name


def _named_after(wanted: set[str], names: Mapping[str, str]) -> bool:
    """Whether a row without a lineage down to the genus is called after it."""
    return "genus" not in names and any(names[""].startswith(f"{name} ") for name in wanted)
