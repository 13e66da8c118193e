"""Which lesions there are, by TU: target, target node, non-target or new, where, and what split or merged.

References
----------
CDISC SDTM Implementation Guide 3.4, section 6.3.5.9.3 (tumor and lesion identification; link ids of tumours that split or merged)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import letters

IDENTIFIED, SPLIT, MERGED = ("TUMIDENT", "LESIDENT"), ("TUSPLIT", "LESSPLIT"), ("TUMERGE", "LESMERGE")
TARGETS = ("target", "target_node")
WORDS = "TARGET, NON-TARGET or NEW"


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A lesion as TU names it. `part_of` of a fragment is the lesion that split; `merged` are the lesions one became of."""

    name: str
    kind: str  # target, target_node, non_target, new
    organ: str
    row: Row
    part_of: str | None = None
    merged: tuple[str, ...] = ()


type Lesions = Mapping[str, Mapping[str, Lesion]]
"""Subject -> link id -> lesion."""


def identify(tumours: Domain, used: Iterable[str], notes: Notes) -> dict[str, dict[str, Lesion]]:
    """The lesions of the subjects in use, one evaluator's.

    A lesion in a lymph node is a target node where it is a target: its short axis is what counts. A fragment (`T04.1`) has the kind
    of the lesion it came of, a merged one (`T02/T03`) that of the first; what cannot be traced is a problem.
    """
    wanted = set(used)
    if not tumours.has("LOC"):
        told = "no column TULOC"
        notes.remark(
            None, None, tumours.file, told, "no lesion is known to be a lymph node: all are read by longest diameter"
        )
    rows = [row for row in tumours.rows() if row.patient in wanted]
    lesions: dict[str, dict[str, Lesion]] = {}
    for row in rows:
        if row["TESTCD"].upper() in IDENTIFIED and (lesion := _identified(row, notes)) is not None:
            known = lesions.setdefault(row.patient, {})
            _note_change(lesion, known.setdefault(lesion.name, lesion), notes)
    for tests, derive in ((SPLIT, _fragment), (MERGED, _merged)):
        for row in sorted((row for row in rows if row["TESTCD"].upper() in tests), key=lambda row: row["LNKID"]):
            known = lesions.setdefault(row.patient, {})
            if (derived := derive(row, known, notes)) is not None:
                known[derived.name] = derived
    return lesions


def _identified(row: Row, notes: Notes) -> Lesion | None:
    word = row["STRESC"] or row["ORRES"]
    plain = letters(word).removesuffix("S").removesuffix("LESION").removesuffix("TUMOR").removesuffix("TUMOUR")
    if not row["LNKID"]:
        row.wrong(notes, "LNKID", "an empty cell", "the id that links the lesion to its measurements", "fill it in")
        return None
    if "BENIGN" in plain:
        notes.remark(row.patient, None, row.source, f"{row['LNKID']} is {word!r}", "no tumour: left out")
        return None
    if plain.startswith("NEW") or plain.endswith("NEW"):
        kind = "new"
    elif plain == "NONTARGET":
        kind = "non_target"
    elif plain == "TARGET":
        kind = "target_node" if is_node(row["LOC"]) else "target"
    else:
        found = repr(word) if word else "an empty cell"
        row.wrong(notes, "STRESC" if row["STRESC"] else "ORRES", found, WORDS, "correct it")
        return None
    return Lesion(name=row["LNKID"], kind=kind, organ=row["LOC"], row=row)


def is_node(location: str) -> bool:
    """Whether a location of the body is a lymph node."""
    return "LYMPHNODE" in letters(location)


def _note_change(lesion: Lesion, earlier: Lesion, notes: Notes) -> None:
    if lesion.kind != earlier.kind:
        here, there = _told(lesion), f"{_told(earlier)} in row {earlier.row.number}"
        told = f"lesion {lesion.name} of {lesion.row.patient} is {here} here and {there}"
        lesion.row.wrong(
            notes, "ORRES", told, "one kind for each lesion", "correct one, or give the other lesion its own id"
        )


def _told(lesion: Lesion) -> str:
    return f"{lesion.kind} ({lesion.organ})" if lesion.organ else lesion.kind


def _fragment(row: Row, known: Mapping[str, Lesion], notes: Notes) -> Lesion | None:
    """A fragment is named after the lesion that split (`T04.1`, `T04-1`, `T04a`), or shares its group (TUGRPID)."""
    name = row["LNKID"]
    stem = re.sub(r"([._-]\d+|(?<=\d)[A-Za-z])$", "", name)
    parent = next((known[each] for each in (stem, row["GRPID"]) if each != name and each in known), None)
    if parent is None:
        expected = f"an id made of the lesion's that split, such as T04.1 of T04 (there are {named(sorted(known))})"
        row.wrong(notes, "LNKID", f"a fragment {name!r} of no known lesion", expected, "correct the id")
        return None
    return Lesion(name=name, kind=parent.kind, organ=parent.organ, row=row, part_of=parent.name)


def _merged(row: Row, known: Mapping[str, Lesion], notes: Notes) -> Lesion | None:
    """A lesion that several became: its id names them (`T02/T03`)."""
    name = row["LNKID"]
    parts = tuple(part.strip() for part in re.split(r"[/+&,]", name))
    kinds = {known[part].kind for part in parts if part in known}
    if len(parts) < 2 or not set(parts) <= set(known) or len(kinds) > 1:
        expected = f"an id made of lesions of one kind, such as T02/T03 (there are {named(sorted(known))})"
        row.wrong(notes, "LNKID", f"a merged lesion {name!r}", expected, "correct the id")
        return None
    first = known[parts[0]]
    return Lesion(name=name, kind=first.kind, organ=first.organ, row=row, merged=parts)
