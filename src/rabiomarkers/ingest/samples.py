"""The sample sheet: which file holds which sample of which patient, and everything that can be wrong with it."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import Problem
from rabiomarkers.ingest.delimited import read_sheet
from rabiomarkers.ingest.findings import Findings, named, one_of
from rabiomarkers.ingest.places import Place, nameable
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.table import COMPARTMENTS

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
LONGEST_IDENTIFIER = 100  # characters; an id is the name of a file
BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # what a run may be asked for with --batch

ASSAY_COMPARTMENTS: Mapping[str, tuple[str, ...]] = {
    "rna_counts": ("tumour", "blood"),
    "rna_tpm": ("tumour", "blood"),
    "sc_counts": ("tumour", "blood"),
    "flow": ("blood",),
    "cytof": ("blood",),
    "cell_counts": ("blood",),
    "proteins": ("blood",),
    "tcr": ("blood", "tumour"),
    "taxa_counts": ("faecal",),
    "taxa_relabund": ("faecal",),
    "gene_families": ("faecal",),
}
"""Where each assay may come from."""

COMPANIONS: Mapping[str, tuple[str, ...]] = {
    "tree": ("taxa_counts", "taxa_relabund"),
    "taxonomy": ("taxa_counts", "taxa_relabund"),
    "panel": ("flow", "cytof"),
    "gating": ("flow", "cytof"),
    "compensation": ("flow",),
}
"""The columns that name a second file, and the assays that take it."""

REQUIRED = ("sample_id", "patient_id", "timepoint", "compartment", "assay", "path")
OPTIONAL = ("batch", "collected_day", "replicate", *COMPANIONS, "exclude")


def read_samples(
    path: Path,
    *,
    timepoints: Sequence[str] | None,
    study_folder: Path,
    data_root: Path | None,
    patients: Collection[str] | None = None,
) -> tuple[pd.DataFrame, list[Problem]]:
    """The sample sheet and every problem of it.

    Parameters
    ----------
    path
        `samples.csv`.
    timepoints
        Names that may occur; None where they are not known (a broken `study.yaml`): then they are not checked.
    study_folder, data_root
        The two places where the paths of the sheet may lie; nothing outside them is accepted, links and `..` followed.
    patients
        Ids of `patients.csv`; None where they are not known.

    Returns
    -------
    The SAMPLES table of the rows without a problem, in the order of the sheet's ids, and the problems.
    """
    findings = Findings(path.name)
    sheet = read_sheet(path, required=REQUIRED, optional=OPTIONAL, findings=findings)
    if sheet is None:
        return SAMPLES.empty(), findings.problems
    place = Place(folder=study_folder, data_root=data_root)
    rows = dict(sheet.rows())
    faulty = {line for line, row in rows.items() if not _row_is_right(line, row, timepoints, patients, place, findings)}
    faulty |= _repeated(rows, findings)
    findings.problems.sort()
    good = [_sample(row, place) for line, row in rows.items() if line not in faulty]
    if not good:
        return SAMPLES.empty(), findings.problems
    frame = pd.DataFrame(good).sort_values(["sample_id", "assay"], ignore_index=True)
    return SAMPLES.check(frame), findings.problems


def _row_is_right(
    line: int,
    row: Mapping[str, str],
    timepoints: Sequence[str] | None,
    patients: Collection[str] | None,
    place: Place,
    findings: Findings,
) -> bool:
    before = len(findings.problems)
    for column in REQUIRED:
        if not row[column]:
            findings.add("an empty cell", "a value", f"fill in {column} or take the row out", row=line, column=column)
    for column in ("sample_id", "patient_id"):
        check_identifier(row[column], line, column, findings)
    if patients is not None and row["patient_id"] and row["patient_id"] not in patients:
        findings.add(
            f"unknown patient {row['patient_id']!r}",
            f"a patient of patients.csv: {one_of(row['patient_id'], patients)}",
            "correct the id or add the patient to patients.csv",
            row=line,
            column="patient_id",
        )
    _check_word(row["timepoint"], timepoints, line, "timepoint", "study.yaml names the timepoints", findings)
    _check_word(row["compartment"], COMPARTMENTS, line, "compartment", "correct it", findings)
    _check_assay(line, row, findings)
    _check_numbers(line, row, findings)
    for column in ("path", *COMPANIONS):
        if row[column]:
            _check_path(line, row, column, place, findings)
    return len(findings.problems) == before


def check_identifier(value: str, line: int, column: str, findings: Findings) -> None:
    """Note an id that cannot be the name of a file; an empty one is not looked at."""
    if value and not IDENTIFIER.fullmatch(value):
        findings.add(
            f"{value!r}",
            "letters, digits and . _ + - only, a letter or digit first",
            "rename it in every table (no blanks, slashes or umlauts)",
            row=line,
            column=column,
        )
    elif len(value) > LONGEST_IDENTIFIER:
        found, expected = f"{value[:20]}…, {len(value):,} characters", f"at most {LONGEST_IDENTIFIER} characters"
        findings.add(found, expected, "shorten it in every table", row=line, column=column)


def _check_word(
    value: str, known: Sequence[str] | None, line: int, column: str, remedy: str, findings: Findings
) -> None:
    if value and known is not None and value not in known:
        findings.add(f"unknown {column} {value!r}", one_of(value, known), remedy, row=line, column=column)


def _check_assay(line: int, row: Mapping[str, str], findings: Findings) -> None:
    assay, compartment = row["assay"], row["compartment"]
    if assay and assay not in ASSAY_COMPARTMENTS:
        findings.add(
            f"unknown assay {assay!r}",
            one_of(assay, tuple(ASSAY_COMPARTMENTS)),
            "correct the assay",
            row=line,
            column="assay",
        )
    if assay in ASSAY_COMPARTMENTS and compartment in COMPARTMENTS and compartment not in ASSAY_COMPARTMENTS[assay]:
        findings.add(
            f"assay {assay!r} of compartment {compartment!r}",
            f"{assay} of {' or '.join(ASSAY_COMPARTMENTS[assay])}",
            "correct the assay or the compartment",
            row=line,
            column="assay",
        )
    for column, assays in COMPANIONS.items():
        if row[column] and assay in ASSAY_COMPARTMENTS and assay not in assays:
            findings.add(
                f"a file for {assay!r}",
                f"an empty cell: only {' and '.join(assays)} take a {column}",
                "empty the cell",
                row=line,
                column=column,
            )


def _check_numbers(line: int, row: Mapping[str, str], findings: Findings) -> None:
    if row["replicate"] and not re.fullmatch(r"[1-9]\d{0,8}", row["replicate"]):
        findings.add(
            f"{row['replicate']!r}",
            "a whole number, 1 for the first library",
            "correct it or leave it empty",
            row=line,
            column="replicate",
        )
    if row["batch"] and not BATCH.fullmatch(row["batch"]):
        findings.add(
            f"{row['batch']!r}",
            "at most 64 letters, digits and . _ -, a letter or digit first",
            "rename the batch; `run --batch` asks for it by this name",
            row=line,
            column="batch",
        )
    if row["collected_day"] and not re.fullmatch(r"[+-]?\d+(\.\d+)?", row["collected_day"]):
        findings.add(
            f"{row['collected_day']!r}",
            "a number: days from first dose",
            "count the days from first dose; no dates",
            row=line,
            column="collected_day",
        )


def _check_path(line: int, row: Mapping[str, str], column: str, place: Place, findings: Findings) -> None:
    if not nameable(row[column]):
        found_text = f"{row[column][:20]}…, {len(row[column]):,} characters"
        findings.add(found_text, "a path", "correct the path", row=line, column=column)
        return
    found = place.find(row[column])
    if found is None:
        findings.add(
            f"{row[column]!r} lies outside the study folder",
            "a path below the study folder or the data_root of study.yaml",
            "move the file there, or name its folder as data_root",
            row=line,
            column=column,
        )
        return
    if row["exclude"]:  # a sample that is taken out may lack its file: that may be why
        return
    folder_allowed = column == "path" and row["assay"] == "sc_counts"
    if not found.exists():
        there = [each.name for each in found.parent.iterdir() if each.exists()] if found.parent.is_dir() else []
        expected = one_of(found.name, there).partition(" (did")[2]
        findings.add(
            f"no such file: {row[column]!r}",
            "a file that is there" + (f" (did{expected}" if expected else ""),
            "correct the path or put the file there",
            row=line,
            column=column,
        )
    elif not (found.is_file() or found.is_dir()):
        findings.add(f"{row[column]!r} is a pipe or a device", "a file", "name a file", row=line, column=column)
    elif found.is_dir() and not folder_allowed:
        findings.add(f"{row[column]!r} is a folder", "a file", "name the file inside it", row=line, column=column)
    elif found.is_dir() and (strangers := place.strangers(found)):
        findings.add(
            f"{named(strangers)} of {row[column]!r} links to a file outside the study folder",
            "files below the study folder or the data_root of study.yaml",
            "copy the file there",
            row=line,
            column=column,
        )
    elif found.is_file() and found.stat().st_size == 0:
        findings.add(
            f"{row[column]!r} is an empty file",
            "a file with content",
            "copy it again; was the copy interrupted?",
            row=line,
            column=column,
        )


def _repeated(rows: Mapping[int, Mapping[str, str]], findings: Findings) -> set[int]:
    """The lines that repeat an earlier one in what must be unique, each noted."""
    seen: dict[tuple[str, ...], int] = {}
    faulty = set()

    def first(*key: str, line: int) -> int | None:
        earlier = seen.setdefault(key, line)
        return None if earlier == line else earlier

    for line, row in rows.items():
        sample, assay = row["sample_id"], row["assay"]
        if earlier := first("sample", sample, assay, line=line):
            found = f"sample {sample!r} with assay {assay!r} is on line {earlier}, too"
            findings.add(found, "each sample once per assay", "rename or remove one", row=line, column="sample_id")
            faulty.add(line)
            continue
        library = [row[column] for column in ("patient_id", "timepoint", "compartment", "assay")]
        if not row["exclude"] and (earlier := first("library", *library, row["replicate"] or "1", line=line)):
            findings.add(
                f"the same patient, timepoint, compartment and assay as line {earlier}",
                "a replicate number of its own for a second library",
                "number them 1, 2, ... in the column replicate, or exclude one with a reason",
                row=line,
                column="replicate",
            )
            faulty.add(line)
    return faulty | _torn(rows, findings)


def _torn(rows: Mapping[int, Mapping[str, str]], findings: Findings) -> set[int]:
    """The lines that give a sample id of another line to another patient, timepoint or compartment, each noted."""
    owners: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    faulty = set()
    for line, row in rows.items():
        owner = (row["patient_id"], row["timepoint"], row["compartment"])
        owners[row["sample_id"]].setdefault(owner, line)
        (told, earlier), *_ = owners[row["sample_id"]].items()
        if told != owner and row["sample_id"]:
            findings.add(
                f"sample {row['sample_id']!r} is {' '.join(told)} on line {earlier} and {' '.join(owner)} here",
                "one patient, timepoint and compartment for each sample id",
                "correct one of the two lines",
                row=line,
                column="sample_id",
            )
            faulty.add(line)
    return faulty


def _sample(row: Mapping[str, str], place: Place) -> dict[str, object]:
    """A row of the sheet as a row of SAMPLES."""
    cells: dict[str, object] = {column: row[column] or None for column in SAMPLES.columns}
    for column in ("path", *COMPANIONS):
        cells[column] = str(place.find(row[column])) if row[column] else None
    return cells | {
        "batch": row["batch"] or "all",
        "replicate": int(row["replicate"] or "1"),
        "collected_day": float(row["collected_day"]) if row["collected_day"] else float("nan"),
    }
