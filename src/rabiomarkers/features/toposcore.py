"""Published scores of stool before checkpoint inhibitors: TOPOSCORE and the classes of *Akkermansia*.

TOPOSCORE counts species of two published lists: S = (SIG2 present / 45 - SIG1 present / 37 + 1) / 2. The authors divide by 45 and
37 whether or not a profiler knows every member, which pulls S towards the middle without a word where it does not. Here the
members that the database can report are the denominators, the method says so, and below a stated coverage of either list there is
no score.

References
----------
Derosa et al. 2024, doi:10.1016/j.cell.2024.05.029
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.features.taxon_names import match_taxa, plain_name
from rabiomarkers.tables.stool import MICROBE_SCORES

type System = Literal["metaphlan", "gtdb", "names", "amplicon"]
type Row = tuple[str, float, str, str, float, bool, str]

LISTS = ("SIG1", "SIG2")
AKKERMANSIA = "Akkermansia muciniphila"
NEEDED = 0.8
"""Least share of either list that a database must be able to report."""

_AMPLICON = re.compile(r"silva|greengenes|\bgg2?\b|\brdp\b|16s|\bv[1-9][-_ ]?v[1-9]\b", re.IGNORECASE)
_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_METAPHLAN = re.compile(rf"metaphlan|mpa_v|chocophlan|\bv({_MONTH})\d\d", re.IGNORECASE)
_JAN21 = re.compile(r"(\b|_)vjan21", re.IGNORECASE)
_SGB = re.compile(r"SGB\d+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Members:
    """One published list against one table."""

    listed: int
    reportable: NDArray[np.bool_]  # by listed member
    present: NDArray[np.bool_]

    @property
    def coverage(self) -> float:
        return float(self.reportable.mean()) if self.listed else 0.0


def naming_system(database: str) -> System:
    """Whose names a table uses, by its declared database.

    ``amplicon`` (SILVA, Greengenes, RDP, 16S) cannot tell most of the listed species apart.
    """
    if _AMPLICON.search(database):
        return "amplicon"
    if "gtdb" in database.lower():  # also of a MetaPhlAn profile that was converted
        return "gtdb"
    return "metaphlan" if _METAPHLAN.search(database) else "names"


def stool_scores(
    table: pd.DataFrame,
    taxa: pd.DataFrame,
    numbers: Mapping[str, float],
    *,
    scale: str,
    database: str,
    minimum_coverage: float = NEEDED,
) -> pd.DataFrame:
    """TOPOSCORE and the class of *Akkermansia* of one sample.

    Parameters
    ----------
    table
        `taxon`, `value` (counts or fractions), `lineage`.
    taxa
        The taxon table; members of TOPOSCORE are the rows whose `note` starts with ``TOPOSCORE SIG``.
    numbers
        Of the scoring rule: `low` and `high` (borders of S), `akkermansia_percent`.
    scale
        ``counts`` or ``relative``.
    database
        Of the passport; decides which names the members are looked up by.
    minimum_coverage
        Least share of either list, 0..1.

    Returns
    -------
    A MICROBE_SCORES table of two rows. Presence is any abundance above 0, as published; a deeper sample shows more.
    """
    share, note = akkermansia_share(table, taxa, scale=scale, database=database)
    category = _akkermansia_class(share, numbers["akkermansia_percent"])
    akkermansia = {
        "score": "akkermansia",
        "value": share,
        "unit": "fraction",
        "category": category,
        "verdict": "no score" if note else ("favourable" if category == "low" else "unfavourable"),
        "members": 1,
        "reportable": int(not note),
        "present": int(np.nan_to_num(share) > 0),
        "coverage": float(not note),
        "database": database,
        "method": f"absent, below {numbers['akkermansia_percent']:g} %, at or above it: not monotone",
        "note": note,
    }
    score = _toposcore(
        table, taxa, numbers, category, scale=scale, database=database, minimum_coverage=minimum_coverage
    )
    return MICROBE_SCORES.check(pd.DataFrame([score, akkermansia])[list(MICROBE_SCORES.columns)])


def score_rows(scores: pd.DataFrame) -> list[Row]:
    """The scores as rows of SAMPLE_FEATURES: `toposcore`, `toposcore_favourable` (1 or 0), `akkermansia_share`."""
    by: dict[str, dict[Any, Any]] = {row["score"]: row for row in scores.to_dict("records")}
    topo, akkermansia = by["TOPOSCORE"], by["akkermansia"]
    favourable = {"favourable": 1.0, "unfavourable": 0.0}.get(topo["verdict"], np.nan)
    why = topo["note"] if not topo["value"] >= 0 else ""
    undecided = why or ("" if favourable == favourable else "between the borders, and no class of Akkermansia")
    share = akkermansia["value"]
    return [
        ("toposcore", topo["value"], "score (0 to 1)", topo["method"], topo["coverage"], False, why),
        ("toposcore_favourable", favourable, "1 = yes", topo["method"], topo["coverage"], False, undecided),
        (
            "akkermansia_share",
            share,
            "fraction",
            akkermansia["method"],
            akkermansia["coverage"],
            False,
            akkermansia["note"],
        ),
    ]


def akkermansia_share(table: pd.DataFrame, taxa: pd.DataFrame, *, scale: str, database: str) -> tuple[float, str]:
    """Share of *Akkermansia muciniphila* in the profile, 0..1, and why there is none."""
    listed = taxa[taxa["taxon"] == AKKERMANSIA].drop_duplicates("taxon")
    values = table["value"].to_numpy(dtype=np.float64)
    total = float(values.sum())
    if not total > 0:
        return np.nan, "the sample holds no reads" if scale == "counts" else "the profile holds no taxon"
    found = _rows_of(table, listed, naming_system(database)).any(axis=1)
    if not found.any() and not _knows_all(table, database):
        return np.nan, f"{AKKERMANSIA} is not named in this table: absent and unreportable cannot be told apart"
    return float(values[found].sum()) / (total if scale == "counts" else 1.0), ""


def _akkermansia_class(share: float, percent: float) -> str | None:
    if not share >= 0:
        return None
    # a share of 0.04799 is 4.799 %, and 100 times the float is a little less
    return "absent" if share == 0 else ("low" if round(100 * share, 9) < percent else "high")


def _toposcore(
    table: pd.DataFrame,
    taxa: pd.DataFrame,
    numbers: Mapping[str, float],
    akkermansia: str | None,
    *,
    scale: str,
    database: str,
    minimum_coverage: float,
) -> dict[str, object]:
    system = naming_system(database)
    sig1, sig2 = (_members(table, taxa, name, system, database) for name in LISTS)
    coverage = min(sig1.coverage, sig2.coverage)
    row: dict[str, object] = {
        "score": "TOPOSCORE",
        "value": np.nan,
        "unit": "score (0 to 1)",
        "category": None,
        "verdict": "refused",
        "members": sig1.listed + sig2.listed,
        "reportable": int(sig1.reportable.sum() + sig2.reportable.sum()),
        "present": int(sig1.present.sum() + sig2.present.sum()),
        "coverage": coverage,
        "database": database,
        "method": _method(sig1, sig2, scale),
    }
    if reason := _refusal(table, sig1, sig2, system, minimum_coverage):
        return row | {"note": reason}
    score = (_part(sig2) - _part(sig1) + 1.0) / 2.0
    category = "SIG1" if score <= numbers["low"] else ("SIG2" if score >= numbers["high"] else "Gray")
    return row | {
        "value": score,
        "category": category,
        "verdict": _verdict(category, akkermansia),
        "note": ""
        if category != "Gray"
        else f"between the borders: decided by Akkermansia ({akkermansia or 'not known'})",
    }


def _part(members: Members) -> float:
    return float(members.present.sum()) / float(members.reportable.sum())


def _verdict(category: str, akkermansia: str | None) -> str:
    if category == "Gray":
        return "no score" if akkermansia is None else ("favourable" if akkermansia == "low" else "unfavourable")
    return "favourable" if category == "SIG2" else "unfavourable"


def _method(sig1: Members, sig2: Members, scale: str) -> str:
    whole = sig1.reportable.all() and sig2.reportable.all()
    parts = f"{sig2.reportable.sum()} of {sig2.listed} and {sig1.reportable.sum()} of {sig1.listed}"
    denominators = (
        "as published (45 and 37)" if whole else f"rescaled to the members that the database reports: {parts}"
    )
    seen = "any read" if scale == "counts" else "abundance above 0"
    return f"TOPOSCORE; present = {seen}; denominators {denominators}; derived in lung cancer"


def _refusal(table: pd.DataFrame, sig1: Members, sig2: Members, system: System, minimum_coverage: float) -> str:
    if system == "amplicon":
        return "16S tables cannot tell most of the listed species apart"
    if not float(table["value"].sum()) > 0:
        return "the sample holds no taxon"
    short = [
        f"{members.reportable.sum()} of {members.listed} members of {name}"
        for name, members in zip(LISTS, (sig1, sig2), strict=True)
        if members.coverage < minimum_coverage or not members.reportable.any()
    ]
    if not short:
        return ""
    return f"the table names {' and '.join(short)}; {minimum_coverage:.0%} of each are needed"


def _members(table: pd.DataFrame, taxa: pd.DataFrame, name: str, system: System, database: str) -> Members:
    listed = taxa[taxa["note"].fillna("").str.startswith(f"TOPOSCORE {name}")].drop_duplicates("taxon")
    found = _rows_of(table, listed, system)
    present = ((table["value"].to_numpy(dtype=np.float64) > 0)[:, None] & found).any(axis=0)
    reportable = np.ones(len(listed), dtype=bool) if _knows_all(table, database) else found.any(axis=0)
    return Members(listed=len(listed), reportable=reportable, present=present)


def _knows_all(table: pd.DataFrame, database: str) -> bool:
    """Whether the database is known to hold every member: the lists were published in the names of this index of MetaPhlAn.

    A table of one sample then lists what it found, and what it does not list is absent.
    """
    return naming_system(database) == "metaphlan" and bool(_JAN21.search(database))


def _rows_of(table: pd.DataFrame, listed: pd.DataFrame, system: System) -> NDArray[np.bool_]:
    """Rows of the table x listed members; a member with several names is there if any of them is."""
    if system == "gtdb":
        wanted = [{plain_name(name) for name in str(names).split(",")} - {"", "-"} for names in listed["gtdb_r220"]]
        rows = [plain_name(taxon) for taxon in table["taxon"]]
        return np.array([[row in names for names in wanted] for row in rows], dtype=bool).reshape(
            len(rows), len(wanted)
        )
    found = match_taxa(table, listed)
    if system == "metaphlan":
        found |= _by_genome_bin(list(table["taxon"]), list(table["lineage"].fillna("")), list(listed["metaphlan_sgb"]))
    return found


def _by_genome_bin(taxa: Sequence[str], lineages: Sequence[str], bins: Sequence[str]) -> NDArray[np.bool_]:
    wanted = [{name.upper() for name in _SGB.findall(str(names))} for names in bins]
    rows = [
        {name.upper() for name in _SGB.findall(f"{taxon};{lineage}")}
        for taxon, lineage in zip(taxa, lineages, strict=True)
    ]
    return np.array([[bool(row & names) for names in wanted] for row in rows], dtype=bool).reshape(
        len(rows), len(wanted)
    )
