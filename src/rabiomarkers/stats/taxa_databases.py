"""Which taxonomic database is meant, however its name is written."""

import re
from collections import Counter
from collections.abc import Iterable

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_INDEX = re.compile(
    rf"(?<![a-z0-9])(?:mpa_?)?v(?P<version>(?:{_MONTHS})\d{{2}}|\d{{2,3}}(?=_chocophlan))"
    r"(?:_chocophlan(?:sgb)?)?(?:_(?P<date>\d{6}))?(?!\d)"
)
_GTDB_RELEASES = (re.compile(r"rs[-_ ]?(\d{2,3})(?!\d)"), re.compile(r"(?<!\d)(\d{2,3})(?:\.0)?(?![\d.])"))
_SILVA_RELEASE = re.compile(r"(?<![\d.])(\d{3})(?:[._](\d))?(?!\d)")
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)*")
_FILLERS = {"release", "rel", "version", "ver", "v", "r", "rs", "database", "db", "taxonomy"}


def database_of(written: str) -> str:
    """A name that is the same for all ways to write one database, and another for another database or release.

    ``mpa_vJun23_CHOCOPhlAnSGB_202403`` and ``vJun23_202403`` are one, as are ``GTDB r220``, ``GTDB release 220`` and
    ``gtdb_r220``, or ``SILVA 138.1`` and ``silva-138.1``. Two releases are two databases, and so is an index of MetaPhlAn
    without the date of its build, of which one version has had several.
    """
    text = " ".join(written.casefold().split())
    gtdb = "gtdb" in text
    if index := _INDEX.search(text):
        name = f"metaphlan {index['version']} {index['date'] or ''}".strip()
        return f"gtdb of {name}" if gtdb else name
    if gtdb and (releases := [found[1] for pattern in _GTDB_RELEASES if (found := pattern.search(text))]):
        return f"gtdb {releases[0]}"
    if "silva" in text and (found := _SILVA_RELEASE.search(text)):
        return f"silva {found[1]}" + (f".{found[2]}" if found[2] else "")
    words = [word for word in _WORD.findall(text) if word not in _FILLERS]
    known = ["greengenes" if word == "gg" else word for word in words]
    return " ".join(known) or text


def commonest_database(written: Iterable[str]) -> str:
    """The database that most name, as `database_of` calls it; of equally common ones the first by name; empty of none."""
    counted = Counter(database_of(name) for name in written)
    return min(counted, key=lambda name: (-counted[name], name), default="")
