"""A study folder, opened: its settings, its sheet, its clinical tables, and everything that can be wrong with them."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from rabiomarkers.config import read_settings
from rabiomarkers.errors import InputError, Problem
from rabiomarkers.ingest.clinical import (
    read_adverse_events,
    read_followup,
    read_patients,
    read_visits,
)
from rabiomarkers.ingest.findings import Findings, named, nearest, one_of
from rabiomarkers.ingest.lesions import read_lesions
from rabiomarkers.ingest.libraries import summed_libraries, usable_samples
from rabiomarkers.ingest.places import Place
from rabiomarkers.ingest.samples import COMPANIONS, read_samples
from rabiomarkers.ingest.sdtm.read import read_sdtm
from rabiomarkers.sample_files import SampleFile, check_file, named_file_problems, reading_of
from rabiomarkers.settings.response import SdtmSettings
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.study_checks import (
    SETTINGS,
    SHEET,
    assay_problems,
    data_root_of,
    data_root_problems,
    design_problems,
    method_problems,
    model_problems,
    named_files,
    sequencing_problems,
    signature_problems,
)
from rabiomarkers.tables.table import TEXT

PATIENTS = "patients.csv"
TABLE_SUFFIXES = (".gz", ".zip", ".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods")

CLINICAL: Mapping[str, Callable[[Path, Collection[str]], tuple[pd.DataFrame, list[Problem]]]] = {
    "lesions": read_lesions,
    "visits": read_visits,
    "followup": read_followup,
    "adverse_events": read_adverse_events,
}
"""The optional tables, each `<name>.csv`, and who reads it."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study whose sheet and clinical tables have been read and found in order."""

    folder: Path
    settings: StudySettings
    samples: pd.DataFrame  # SAMPLES
    patients: pd.DataFrame  # patient_id, covariates, best_response where given
    lesions: pd.DataFrame | None
    visits: pd.DataFrame | None
    followup: pd.DataFrame | None
    adverse_events: pd.DataFrame | None
    remarks: pd.DataFrame | None = None  # REMARKS: what was noticed while reading SDTM domains
    sdtm_folder: Path | None = None
    named_files: Mapping[str, Path] = field(default_factory=dict)  # by key of `settings.measures.NAMED_FILES`

    @property
    def data_root(self) -> Path | None:
        """The second folder where sample files may lie, absolute."""
        return data_root_of(self.folder, self.settings)

    @cached_property
    def libraries(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The further libraries that are added to a sample, by (sample, assay); none unless the settings ask for it."""
        return summed_libraries(self.samples) if self.settings.expression.replicates == "sum" else {}

    def batches(self) -> list[str]:
        """The batches that have a sample that is used, sorted."""
        return sorted(set(usable_samples(self.samples)["batch"]))

    def restricted_to(self, batch: str) -> "Study":
        """The study in which only the samples of this batch are used; the others stay visible as excluded.

        Raises
        ------
        InputError
            No sample is of this batch.
        """
        known = sorted(set(self.samples["batch"]))
        if batch not in known:
            Findings(SHEET).fail(f"no batch {batch!r}", one_of(batch, known), "name a batch of the sheet")
        others = (self.samples["batch"] != batch) & self.samples["exclude"].isna()
        reason = self.samples["exclude"].mask(others, f"not in batch {batch}")
        return replace(self, samples=self.samples.assign(exclude=reason))

    def compartment(self, sample_id: str, assay: str) -> str:
        """Where a sample of the sheet comes from."""
        rows = self.samples[(self.samples["sample_id"] == sample_id) & (self.samples["assay"] == assay)]
        return str(rows["compartment"].iloc[0])

    def label(self, path: Path | str) -> str:
        """The path as the sheet would write it: never where on this machine it lies."""
        roots = [root.resolve() for root in (self.folder, self.data_root) if root is not None]
        inside = [Path(path).relative_to(root) for root in roots if Path(path).is_relative_to(root)]
        return inside[0].as_posix() if inside else Path(path).name

    def files(self, batch: str | None = None) -> list[SampleFile]:
        """Every file that holds a sample that is used, or a library that is added to one, sorted by compartment, assay and label.

        `batch`: of that one only.
        """
        columns = ["compartment", "assay", "path", *COMPANIONS]
        added = {(sample, assay) for (_, assay), names in self.libraries.items() for sample in names}
        keys = pd.Series(list(zip(self.samples["sample_id"], self.samples["assay"], strict=True)), dtype=object)
        further = self.samples[keys.isin(added).to_numpy(dtype=bool)]
        rows = pd.concat([usable_samples(self.samples), further]).fillna(dict.fromkeys(COMPANIONS, ""))
        rows = rows if batch is None else rows[rows["batch"] == batch]
        files = []
        for key, group in rows.groupby(columns, sort=True):
            compartment, assay, path, *beside = (str(part) for part in key)
            files.append(
                SampleFile(
                    path=Path(path),
                    compartment=compartment,
                    assay=assay,
                    sample_ids=tuple(sorted(group["sample_id"])),
                    label=self.label(path),
                    companions={name: Path(own) for name, own in zip(COMPANIONS, beside, strict=True) if own},
                )
            )
        return sorted(files, key=lambda file: (file.compartment, file.assay, file.label))


def open_study(folder: Path) -> Study:
    """Read the settings, the sheet and the clinical tables of a study folder; the files of the samples are not opened.

    Raises
    ------
    InputError
        Every problem of all of them.
    """
    study, problems = _read(folder)
    if problems:
        raise InputError(sorted_once(problems))
    return study


def check_study(folder: Path, *, on_file: Callable[[str], None] | None = None) -> list[Problem]:
    """Everything that is wrong with a study folder, the content of every sample file included; sorted, each once.

    `on_file` is told each file before it is read, as the sheet writes it.
    """
    outside = _tables_outside(folder)
    if outside:
        return outside
    study, problems = _read(folder)
    faults = named_file_problems(study.named_files)
    reading = reading_of(study.settings, {} if faults else study.named_files)
    problems += faults
    for file in study.files():
        if on_file is not None:
            on_file(file.label)
        problems += check_file(file, reading)
    return sorted_once(problems)


def sorted_once(problems: Collection[Problem]) -> list[Problem]:
    """The problems by file, row and column, each once."""
    return sorted(
        set(problems), key=lambda each: (each.file, each.row or 0, each.column or "", each.found, each.expected)
    )


def _read(folder: Path) -> tuple[Study, list[Problem]]:
    """The study as far as it can be read, and every problem; with problems it serves only for looking further."""
    if not folder.is_dir():
        Findings(folder.name or str(folder)).fail(
            "no such folder", "a study folder with study.yaml and samples.csv", "correct the path"
        )
    outside = _tables_outside(folder)
    if outside:
        raise InputError(outside)
    settings, problems = read_settings(folder / SETTINGS)
    usable = settings or StudySettings(name="unreadable")
    files, found = named_files(folder, usable)
    problems += [
        *found,
        *data_root_problems(folder, usable),
        *method_problems(usable),
        *signature_problems(usable),
        *design_problems(usable),
        *model_problems(usable),
    ]
    tables, found = _clinical_tables(folder, usable)
    problems += found
    known = set(tables.patients["patient_id"])
    samples, found = read_samples(
        folder / SHEET,
        timepoints=None if settings is None else settings.timepoint_names,
        study_folder=folder,
        data_root=data_root_of(folder, usable),
        patients=known or None,
    )
    problems += found
    problems += assay_problems(usable, samples)
    problems += sequencing_problems(files, samples)
    problems += _misnamed_tables(folder, sdtm=usable.sdtm is not None)
    return Study(folder=folder.resolve(), settings=usable, samples=samples, named_files=files, **vars(tables)), problems


@dataclass(frozen=True, kw_only=True)
class _ClinicalTables:
    """The clinical tables by their names in a `Study`."""

    patients: pd.DataFrame
    lesions: pd.DataFrame | None = None
    visits: pd.DataFrame | None = None
    followup: pd.DataFrame | None = None
    adverse_events: pd.DataFrame | None = None
    remarks: pd.DataFrame | None = None
    sdtm_folder: Path | None = None


def _clinical_tables(folder: Path, settings: StudySettings) -> tuple[_ClinicalTables, list[Problem]]:
    """From the study's own CSV files, or from a folder of SDTM domains with the covariates of `patients.csv`."""
    if settings.sdtm is not None:
        return _sdtm_tables(folder, settings, settings.sdtm)
    patients, problems = read_patients(folder / PATIENTS)
    known = set(patients["patient_id"])
    clinical: dict[str, pd.DataFrame | None] = dict.fromkeys(CLINICAL)
    for name, read in CLINICAL.items():
        path = folder / f"{name}.csv"
        if path.exists() and known:
            clinical[name], found = read(path, known)
            problems += found
    tables = _ClinicalTables(
        patients=patients,
        lesions=clinical["lesions"],
        visits=clinical["visits"],
        followup=clinical["followup"],
        adverse_events=clinical["adverse_events"],
    )
    return tables, problems


def _sdtm_tables(folder: Path, settings: StudySettings, sdtm: SdtmSettings) -> tuple[_ClinicalTables, list[Problem]]:
    problems = [
        Problem(
            file=f"{name}.csv",
            found="a clinical table beside SDTM domains",
            expected="one source of the clinical data",
            remedy="remove the file, or the key sdtm from study.yaml",
        )
        for name in CLINICAL
        if (folder / f"{name}.csv").exists()
    ]
    given = None
    if (folder / PATIENTS).exists():
        given, found = read_patients(folder / PATIENTS)
        problems += found
    nobody = _ClinicalTables(patients=pd.DataFrame({"patient_id": []}, dtype=TEXT) if given is None else given)
    place = Place(folder=folder, data_root=data_root_of(folder, settings))
    domains = place.find(str(sdtm.folder))
    if domains is None or not domains.is_dir() or place.strangers(domains):
        problems.append(
            Problem(
                file=SETTINGS,
                column="sdtm.folder",
                found=f"no folder {str(sdtm.folder)!r} in the study folder or in data_root"
                if domains is None or not domains.is_dir()
                else f"links to files elsewhere: {named(place.strangers(domains))}",
                expected="a folder of SDTM domains inside the study folder or data_root",
                remedy="correct the folder, or copy the domains there",
            )
        )
        return nobody, problems
    read, found = read_sdtm(domains, evaluator=sdtm.evaluator, evaluator_id=sdtm.evaluator_id, patients=given)
    return _ClinicalTables(**vars(read), sdtm_folder=domains), problems + found


def _tables_outside(folder: Path) -> list[Problem]:
    """The study's own tables that are links to a file outside its folder: nothing else is read."""
    names = [SETTINGS, SHEET, PATIENTS, *(f"{name}.csv" for name in CLINICAL)]
    place = Place(folder=folder, data_root=None)
    return [
        Problem(
            file=name,
            found="a link to a file outside the study folder",
            expected="a file in the study folder",
            remedy="copy the file there",
        )
        for name in names
        if not place.holds(folder / name)
    ]


def _misnamed_tables(folder: Path, *, sdtm: bool) -> Iterator[Problem]:
    """Tables whose names look like one that is absent, misspelt or of another format: they would be passed over in silence."""
    names = [SHEET, PATIENTS, *(f"{name}.csv" for name in CLINICAL)]
    wanted = names[:2] if sdtm else names
    absent = [name.removesuffix(".csv") for name in wanted if not (folder / name).exists()]
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in TABLE_SUFFIXES or path.name in names:
            continue
        meant = nearest(path.name.partition(".")[0], absent, cutoff=0.8)
        if meant:
            rename = path.suffix.lower() == ".csv"
            remedy = f"rename the file to {meant}.csv" if rename else f"save it as {meant}.csv (in Excel: CSV UTF-8)"
            yield Problem(
                file=path.name,
                found=f"a table {path.name!r}",
                expected=f"{meant}.csv",
                remedy=f"{remedy}, or keep it in another folder",
            )
