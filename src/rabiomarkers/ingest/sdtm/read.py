"""A folder of CDISC SDTM domains as the clinical tables of a study: patients, lesions, visits, follow-up, adverse events.

Day 0 is the first dose: RFXSTDTC, else the first dose of EX (placebo counts), else RFSTDTC. SDTM has no study day 0: its day 1 is
day 0 here, its day -1 is day -1.

References
----------
CDISC Study Data Tabulation Model Implementation Guide 3.4: DM, EX, DS, AE; TU, TR, RS with the oncology supplement
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.sdtm.adverse_events import read_adverse_events
from rabiomarkers.ingest.sdtm.domains import Domain, read_domains
from rabiomarkers.ingest.sdtm.evaluator import choose
from rabiomarkers.ingest.sdtm.followup import read_followup
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.responses import read_visits
from rabiomarkers.ingest.sdtm.subjects import doses, patients_table, read_subjects
from rabiomarkers.ingest.sdtm.timing import Calendar, Clock
from rabiomarkers.ingest.sdtm.tumour import read_lesions
from rabiomarkers.tables.table import TEXT


@dataclass(frozen=True, kw_only=True)
class SdtmTables:
    """The clinical tables, as the readers of `ingest.clinical` give them; None where the folder lacks the domain.

    `lesions` has `visit`, `organ` and `part_of` beside its columns, `followup` `treatment_end_day` and `new_therapy_day`,
    `adverse_events` `severity`. `remarks` is a REMARKS table.
    """

    patients: pd.DataFrame
    lesions: pd.DataFrame | None
    visits: pd.DataFrame | None
    followup: pd.DataFrame | None
    adverse_events: pd.DataFrame | None
    remarks: pd.DataFrame


def read_sdtm(
    folder: Path, *, evaluator: str, evaluator_id: str | None = None, patients: pd.DataFrame | None = None
) -> tuple[SdtmTables, list[Problem]]:
    """Read DM, EX, DS, AE, TU, TR and RS (`.csv`, `.csv.gz`, `.xpt`) of a folder; every problem of all of them is told.

    Parameters
    ----------
    evaluator, evaluator_id
        Whose readings count: TUEVAL, TREVAL, RSEVAL (such as ``INVESTIGATOR``) and, of several readers, their --EVALID.
    patients
        What `patients.csv` holds, where there is one: only these patients are used, and its columns are kept.

    Returns
    -------
    The tables as far as they can be read, and the problems; with problems the tables serve only for looking further.
    """
    notes = Notes()
    domains, unread = read_domains(folder, notes)
    if "DM" not in domains:
        choose(domains, evaluator=evaluator, evaluator_id=evaluator_id, notes=notes)
        return _nothing(patients, notes), notes.problems()
    given = doses(domains.get("EX"))
    wanted = None if patients is None else patients["patient_id"].tolist()
    subjects = read_subjects(domains["DM"], given, wanted, notes)
    for name, domain in domains.items():
        if name != "DM" and subjects.known:  # of a DM without subjects that is told
            _note_strangers(domain, subjects.known, notes)
    clock = Clock(calendar=Calendar.of(domains), notes=notes)
    chosen = choose(domains, evaluator=evaluator, evaluator_id=evaluator_id, notes=notes)
    used = subjects.used
    lesions = (
        read_lesions(chosen["TU"], chosen["TR"], used, clock) if _are_complete(chosen, unread, folder, notes) else None
    )
    tables = SdtmTables(
        patients=patients_table(subjects, patients, notes),
        lesions=lesions,
        visits=read_visits(chosen["RS"], used, clock) if "RS" in chosen else None,
        followup=read_followup(domains, used, given, notes),
        adverse_events=read_adverse_events(domains["AE"], used, clock) if "AE" in domains else None,
        remarks=notes.remarks(),
    )
    return tables, notes.problems()


def _nothing(patients: pd.DataFrame | None, notes: Notes) -> SdtmTables:
    nobody = pd.DataFrame({"patient_id": pd.Series([], dtype=TEXT)})
    return SdtmTables(
        patients=nobody if patients is None else patients,
        lesions=None,
        visits=None,
        followup=None,
        adverse_events=None,
        remarks=notes.remarks(),
    )


def _note_strangers(domain: Domain, known: frozenset[str], notes: Notes) -> None:
    """Records of subjects that DM does not have."""
    subjects = domain.frame["USUBJID"]
    strange = subjects[~subjects.isin(known) & (subjects != "")]
    for number, patient in strange.drop_duplicates().items():
        count = int((strange == patient).sum())
        told = f"{patient!r}, which DM does not have ({count:,} records)"
        expected = "subjects of DM"
        notes.wrong(
            domain.file,
            told,
            expected,
            "correct the id or add the subject to DM",
            row=int(str(number)),
            column="USUBJID",
        )


def _are_complete(chosen: Mapping[str, Domain], unread: Collection[str], folder: Path, notes: Notes) -> bool:
    """Whether there are both lesions (TU) and their measurements (TR); one without the other is a problem."""
    for name, other in (("TU", "TR"), ("TR", "TU")):
        if name not in chosen and other in chosen and name not in unread:
            what = "which lesion is a target" if name == "TU" else "what size the lesions are"
            told = f"records of {other} and none of {name} for this evaluator"
            expected = f"the domain {name}, which says {what}"
            notes.wrong(folder.name, told, expected, f"put {name} into this folder, or take {other} out")
    return "TU" in chosen and "TR" in chosen
