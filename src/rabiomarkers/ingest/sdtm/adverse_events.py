"""AE as `adverse_events.csv` would have it, with the severity in words where there is no CTCAE grade."""

import re
from collections.abc import Mapping

import pandas as pd

from rabiomarkers.ingest.clinical import ADVERSE_EVENTS, SEVERITIES
from rabiomarkers.ingest.sdtm.dates import complete_dates
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.frames import typed
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import Subject, letters
from rabiomarkers.ingest.sdtm.timing import Clock

RELATED: Mapping[str, bool] = {
    **dict.fromkeys(("Y", "YES", "RELATED", "DEFINITE", "DEFINITELYRELATED", "CERTAIN", "REASONABLEPOSSIBILITY"), True),
    **dict.fromkeys(("PROBABLE", "PROBABLYRELATED", "LIKELY", "LIKELYRELATED", "POSSIBLE", "POSSIBLYRELATED"), True),
    **dict.fromkeys(("N", "NO", "NONE", "NOTRELATED", "UNRELATED", "NOREASONABLEPOSSIBILITY"), False),
    **dict.fromkeys(("UNLIKELY", "UNLIKELYRELATED", "REMOTE", "DOUBTFUL"), False),
}
"""Whether AEREL says that the treatment caused the event: possible counts as related, remote and unlikely do not; another word
leaves it open."""


def read_adverse_events(events: Domain, used: Mapping[str, Subject], clock: Clock) -> pd.DataFrame:
    """The adverse events of the subjects in use.

    Returns
    -------
    The columns of ADVERSE_EVENTS, sorted by all of them; `grade` is empty where AETOXGR is, `severity` is AESEV in lower case.
    """
    rows = [row for row in events.rows() if row.patient in used and _occurred(row, clock.notes)]
    parsed = [each for row in rows if (each := _event(row, used[row.patient], clock)) is not None]
    ungraded = sum(not row["TOXGR"] for row in rows)
    if ungraded:
        told = f"{ungraded:,} of {len(rows):,} adverse events without a CTCAE grade (AETOXGR)"
        severity = " (AESEV is kept)" if any(row["SEV"] for row in rows) else ""
        clock.notes.remark(None, None, events.file, told, f"their grade is empty; severity is no grade{severity}")
    return typed(parsed, ADVERSE_EVENTS)


def _occurred(row: Row, notes: Notes) -> bool:
    if letters(row["OCCUR"]) not in ("N", "NO"):
        return True
    notes.remark(
        row.patient, None, row.source, f"{row['DECOD'] or row['TERM']} was asked for and did not occur", "left out"
    )
    return False


def _event(row: Row, subject: Subject, clock: Clock) -> dict[str, object] | None:
    term = row["DECOD"] or row["TERM"]
    if not term:
        row.wrong(clock.notes, "TERM", "an empty cell", "what happened", "fill in AETERM or AEDECOD")
        return None
    start = clock.day(
        row, subject, date_column="STDTC", day_column="STDY", not_after=complete_dates((row["ENDTC"], row["DTC"]))
    )
    if start is None and subject.first_dose is not None and not row["STDTC"]:
        clock.notes.remark(row.patient, None, row.source, f"no start of {term}", "its start day is empty")
    related = RELATED.get(letters(row["REL"]))
    if related is None and row["REL"]:
        clock.notes.remark(
            None, None, row.file, f"AEREL is {row['REL']!r}", "neither related nor unrelated: left empty"
        )
    return {
        "patient_id": row.patient,
        "term": term,
        "grade": _grade(row, clock.notes),
        "start_day": start,
        "related": related,
        "serious": _serious(row, clock.notes),
        "severity": _severity(row, clock.notes),
    }


def _severity(row: Row, notes: Notes) -> str | None:
    word = row["SEV"].lower()
    if word and word not in SEVERITIES:
        notes.remark(None, None, row.file, f"AESEV is {row['SEV']!r}", f"none of {', '.join(SEVERITIES)}: left empty")
    return word if word in SEVERITIES else None


def _grade(row: Row, notes: Notes) -> int | None:
    text = row["TOXGR"]
    match = re.fullmatch(r"(?:GRADE\s*)?([1-5])(?:\.0*)?", text.upper())
    if text and match is None:
        row.wrong(notes, "TOXGR", repr(text), "a CTCAE grade, 1 to 5", "correct it")
    return None if match is None else int(match[1])


def _serious(row: Row, notes: Notes) -> bool | None:
    word = letters(row["SER"])
    if word and word not in ("Y", "YES", "N", "NO"):
        row.wrong(notes, "SER", repr(row["SER"]), "Y or N", "correct it")
    return word in ("Y", "YES") if word in ("Y", "YES", "N", "NO") else None
