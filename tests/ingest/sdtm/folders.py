"""Tiny SDTM folders: the records a test is about, everything else as a site would have it."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.sdtm.read import SdtmTables, read_sdtm

FIRST_DOSE = "2020-01-10"

type Cells = dict[str, str]


def dm(patient: str = "P1", **cells: str) -> Cells:
    """A patient of arm A, first dosed on 10 January 2020."""
    usual = {
        "ARM": "A",
        "ACTARM": "A",
        "ACTARMCD": "A",
        "RFSTDTC": FIRST_DOSE,
        "RFXSTDTC": FIRST_DOSE,
        "RFXENDTC": "2020-06-30",
    }
    return {"USUBJID": patient, **usual, **cells}


def tu(lesion: str, kind: str = "TARGET", place: str = "LIVER", patient: str = "P1", **cells: str) -> Cells:
    """A lesion that the investigator identified at baseline."""
    usual = {"TULNKID": lesion, "TUTESTCD": "TUMIDENT", "TUORRES": kind, "TULOC": place, "TUEVAL": "INVESTIGATOR"}
    return {"USUBJID": patient, **usual, "TUDTC": FIRST_DOSE, "VISITNUM": "1", "VISIT": "BASELINE", **cells}


def tr(lesion: str, result: str, visit: str = "1", when: str = FIRST_DOSE, patient: str = "P1", **cells: str) -> Cells:
    """A diameter in millimetres, or a state in words."""
    number = result[:1].isdigit() or result[:1] in "-+"
    usual = {"TRLNKID": lesion, "TRTESTCD": "DIAMETER" if number else "TUMSTATE", "TREVAL": "INVESTIGATOR"}
    units = {"TRORRES": result, "TRSTRESC": result, "TRSTRESU": "mm" if number else ""}
    return {"USUBJID": patient, **usual, **units, "TRDTC": when, **visit_cells(visit), **cells}


def rs(response: str, visit: str = "2", when: str = "2020-02-21", patient: str = "P1", **cells: str) -> Cells:
    """An overall response by RECIST 1.1."""
    usual = {"RSTESTCD": "OVRLRESP", "RSCAT": "RECIST 1.1", "RSSTRESC": response, "RSEVAL": "INVESTIGATOR"}
    return {"USUBJID": patient, **usual, "RSDTC": when, **visit_cells(visit), **cells}


def ae(term: str, start: str = "2020-01-15", patient: str = "P1", **cells: str) -> Cells:
    """A mild adverse event that is neither serious nor related."""
    usual = {"AETERM": term, "AEDECOD": term, "AESTDTC": start, "AESEV": "MILD", "AESER": "N", "AEREL": "NONE"}
    return {"USUBJID": patient, **usual, **cells}


def visit_cells(visit: str) -> Cells:
    """Visit 1 is the baseline, whole numbers are weeks, others are unscheduled."""
    names = {"1": "BASELINE"} | {str(number): f"WEEK {6 * (number - 1)}" for number in range(2, 9)}
    return {"VISITNUM": visit, "VISIT": names.get(visit, f"UNSCHEDULED {visit}")}


def write(folder: Path, **domains: Sequence[Cells]) -> Path:
    """A CSV a domain; columns that some record lacks are empty in it."""
    folder.mkdir(exist_ok=True)
    for name, records in domains.items():
        columns = list(dict.fromkeys(column for record in records for column in record))
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(records)
    return folder


def read(
    folder: Path,
    *,
    evaluator: str = "INVESTIGATOR",
    evaluator_id: str | None = None,
    patients: pd.DataFrame | None = None,
    **domains: Sequence[Cells],
) -> tuple[SdtmTables, list[Problem]]:
    """What is read of a folder of these domains; DM holds one usual patient where it is not given."""
    write(folder, **{"dm": [dm()], **domains})
    return read_sdtm(folder, evaluator=evaluator, evaluator_id=evaluator_id, patients=patients)


def good(folder: Path, **arguments: object) -> SdtmTables:
    """The tables of a folder that has no problem."""
    tables, problems = read(folder, **arguments)  # type: ignore[arg-type]
    assert problems == []
    return tables


def told(problems: Sequence[Problem]) -> list[str]:
    """The problems as a user sees them."""
    return [str(problem) for problem in problems]


def remarks(tables: SdtmTables) -> list[str]:
    """The remarks, found and consequence in one text each."""
    frame = tables.remarks
    return [
        f"{found} -> {consequence}" for found, consequence in zip(frame["found"], frame["consequence"], strict=True)
    ]


def lesions(tables: SdtmTables, *columns: str) -> list[tuple[object, ...]]:
    """These columns of the lesions, empty ones as None."""
    frame: pd.DataFrame = tables.lesions[list(columns)].astype(object)
    frame = frame.where(frame.notna(), None)
    return [tuple(row) for row in frame.itertuples(index=False)]


def states(tables: SdtmTables) -> dict[tuple[str, float], str]:
    """Lesion and day -> status."""
    return {(str(name), float(day)): str(status) for name, day, status in lesions(tables, "lesion_id", "day", "status")}


def baseline(*sizes: str, place: str = "LIVER") -> Mapping[str, list[Cells]]:
    """Targets T01, T02, ... of these sizes at baseline: `tu` and `tr` records."""
    names = [f"T{number:02d}" for number in range(1, len(sizes) + 1)]
    return {
        "tu": [tu(name, place=place) for name in names],
        "tr": [tr(name, size) for name, size in zip(names, sizes, strict=True)],
    }
