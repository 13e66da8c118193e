"""RS of one evaluator as `visits.csv` would have it: the overall response at each visit."""

from collections.abc import Mapping, Sequence

import pandas as pd

from rabiomarkers.ingest.clinical import VISITS
from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Domain, Row
from rabiomarkers.ingest.sdtm.frames import typed
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import Subject, letters
from rabiomarkers.ingest.sdtm.timing import Clock
from rabiomarkers.ingest.sdtm.values import not_done
from rabiomarkers.tables.outcomes import IRECIST_RESPONSES, RECIST_RESPONSES

OVERALL = "OVRLRESP"
PREFERRED = ("RECIST11", "RECISTV11", "RECISTVERSION11", "RECIST")
IN_WORDS: Mapping[str, str] = {
    "COMPLETERESPONSE": "CR",
    "PARTIALRESPONSE": "PR",
    "STABLEDISEASE": "SD",
    "PROGRESSIVEDISEASE": "PD",
    "NOTEVALUABLE": "NE",
    "INEVALUABLE": "NE",
}


def read_visits(responses: Domain, used: Mapping[str, Subject], clock: Clock) -> pd.DataFrame:
    """The overall responses of the subjects in use, by one criterion: RECIST 1.1 where there are several.

    A code that is none of the criterion's makes the visit NE, with a remark.

    Returns
    -------
    Columns of `visits.csv`, sorted by patient and day; `overall_response` is of RECIST 1.1, or of iRECIST where RSCAT says so.
    """
    rows = [row for row in responses.rows() if row["TESTCD"].upper() == OVERALL and row.patient in used]
    criterion, rows = _one_criterion(rows, responses.file, clock.notes)
    visits: dict[tuple[str, float], tuple[str, Row]] = {}
    for row in rows:
        subject = used[row.patient]
        day = clock.day(row, subject)
        if day is None:
            if subject.first_dose is not None and not row["DTC"]:
                expected = "a date, a study day, or a visit whose day is known"
                row.wrong(clock.notes, "DTC", "no date", expected, "fill in the date of the assessment")
            continue
        if day < 0:
            told = f"an overall response before first dose ({row['STRESC'] or row['ORRES']})"
            clock.notes.remark(
                row.patient, day, row.source, told, "left out: a response is judged against the baseline"
            )
            continue
        code = _code(row, day, criterion, clock.notes)
        earlier, first = visits.setdefault((row.patient, day), (code, row))
        if first is not row:
            _note_twice(row, code, earlier, first, day, clock.notes)
    found = [dict(zip(VISITS, (*key, code), strict=True)) for key, (code, _) in visits.items()]
    return typed(found, VISITS, key=("patient_id", "day"))


def _one_criterion(rows: Sequence[Row], file: str, notes: Notes) -> tuple[str, list[Row]]:
    """RECIST 1.1 unless only another criterion exists; of several others the first in the alphabet, which is told."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["CAT"]] = counts.get(row["CAT"], 0) + 1
    if not counts:
        return "", []
    preferred = [name for plain in PREFERRED for name in sorted(counts) if letters(name) == plain]
    chosen = next(iter([*preferred, *sorted(counts)]))
    same = {name for name in counts if letters(name) == letters(chosen)}
    others = [f"{name or 'no criterion'} ({counts[name]:,} responses)" for name in sorted(set(counts) - same)]
    if others:
        told = f"responses by several criteria: {chosen or 'no criterion'} and {named(others)}"
        notes.remark(None, None, file, told, f"{chosen or 'those without a criterion'} counts")
    elif chosen and not preferred:
        notes.remark(None, None, file, f"responses by {chosen}, none by RECIST 1.1", f"{chosen} counts")
    return chosen, [row for row in rows if row["CAT"] in same]


def _code(row: Row, day: float, criterion: str, notes: Notes) -> str:
    """The response; NE with a remark where it is empty or none that the criterion knows."""
    word = row["STRESC"] or row["ORRES"]
    known = (*IRECIST_RESPONSES, *RECIST_RESPONSES) if "IRECIST" in letters(criterion) else RECIST_RESPONSES
    codes = {letters(code): code for code in reversed(known)}
    code = codes.get(letters(word)) or IN_WORDS.get(letters(word))
    if code is not None:
        return code
    visit = row["VISIT"] or row["VISITNUM"]
    if not_done(row):
        found = f"overall response not done at visit {visit}{f' ({row["REASND"]})' if row['REASND'] else ''}"
    else:
        found = f"overall response {word!r} at visit {visit}" if word else f"no overall response at visit {visit}"
    notes.remark(row.patient, day, row.source, found, "the visit is NE: that is no response of the criterion")
    return "NE"


def _note_twice(row: Row, code: str, earlier: str, first: Row, day: float, notes: Notes) -> None:
    if code == earlier:
        told = f"overall response {code} twice on one day (rows {first.number} and {row.number})"
        notes.remark(row.patient, day, row.source, told, "counted once")
    else:
        told = f"{code} of {row.patient}, and {earlier} on the same day in row {first.number}"
        row.wrong(notes, "STRESC", told, "one overall response a day", "remove or re-date one of them")
