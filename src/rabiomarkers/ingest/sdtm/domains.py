"""Find and read the SDTM domains of a folder, as CSV (plain or gzipped) or as SAS transport files; every cell as text."""

import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.delimited import read_delimited
from rabiomarkers.ingest.findings import named, nearest
from rabiomarkers.ingest.sdtm.notes import Notes

SUFFIXES = (".csv.gz", ".csv", ".xpt")
UNREAD = (
    *(".csv.zip", ".xpt.zip", ".xpt.gz", ".zip", ".xlsx", ".xls", ".ods"),
    *(".sas7bdat", ".tsv", ".txt", ".json", ".parquet"),
)
"""Formats that a domain is kept in, too, and that would be passed over in silence."""
TRANSPORT_RECORD = 80  # bytes; a transport file is whole records
_RENAMED = re.compile(r"_duplicated\d+$")  # what pyreadstat adds to the name of a column that was there before
_OBSERVATIONS = re.compile(rb"HEADER RECORD\*{7}OBS(?:V8  |    ) HEADER RECORD!{7}(?P<count>.{15})", re.DOTALL)

type Columns = tuple[str | tuple[str, ...], ...]

REQUIRED: Mapping[str, Columns] = {
    "DM": ("USUBJID",),
    "EX": ("USUBJID", "EXSTDTC"),
    "DS": ("USUBJID", "DSDECOD", "DSSTDTC"),
    "AE": ("USUBJID", ("AEDECOD", "AETERM"), "AESTDTC"),
    "TU": ("USUBJID", "TULNKID", "TUTESTCD", ("TUSTRESC", "TUORRES"), "TUEVAL"),
    "TR": ("USUBJID", "TRLNKID", "TRTESTCD", ("TRSTRESC", "TRORRES"), "TREVAL", ("TRDTC", "TRDY")),
    "RS": ("USUBJID", "RSTESTCD", ("RSSTRESC", "RSORRES"), "RSEVAL", ("RSDTC", "RSDY")),
}
"""The columns each domain must have; of several in brackets at least one."""

INSTALL = "pip install 'rabiomarkers[xpt]'"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One record of a domain: its line of the CSV or observation number of the transport file, and its cells.

    Columns are named without the two letters of their domain (``DTC`` for ``TRDTC``), but for DM, which has few of them; what the
    file lacks is empty.
    """

    domain: str
    file: str
    number: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def patient(self) -> str:
        """The unique subject identifier."""
        return self.cells["USUBJID"]

    @property
    def source(self) -> str:
        """File and row, for a remark."""
        return f"{self.file}:{self.number}"

    def name(self, column: str) -> str:
        """The column as the file writes it."""
        common = self.domain == "DM" or column in ("USUBJID", "VISIT", "VISITNUM", "VISITDY")
        return column if common else f"{self.domain}{column}"

    def wrong(self, notes: Notes, column: str, found: str, expected: str, remedy: str) -> None:
        """Note a problem of one of its cells."""
        notes.wrong(self.file, found, expected, remedy, row=self.number, column=self.name(column))


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A domain: text, blanks around cells taken off, indexed by row number, columns named without the domain's letters."""

    name: str
    file: str
    frame: pd.DataFrame

    def has(self, column: str) -> bool:
        """Whether the file has this column (named without the domain's letters)."""
        return column in self.frame.columns

    def texts(self, column: str) -> "pd.Series[str]":
        """A column; empty text where the file lacks it."""
        if column in self.frame.columns:
            return self.frame[column]
        return pd.Series("", index=self.frame.index, dtype=object)

    def rows(self) -> Iterator[Row]:
        """Every record in the order of the file."""
        names = [str(name) for name in self.frame.columns]
        columns = [self.frame[name].tolist() for name in names]
        for number, *cells in zip(self.frame.index.tolist(), *columns, strict=True):
            yield Row(self.name, self.file, number, dict(zip(names, cells, strict=True)))

    def of(self, chosen: "pd.Series[bool]") -> "Domain":
        """The domain with these records only."""
        return Domain(name=self.name, file=self.file, frame=self.frame[chosen])


def read_domains(folder: Path, notes: Notes) -> tuple[dict[str, Domain], frozenset[str]]:
    """The domains that the folder has, by name; and the names of those that it has but that cannot be read.

    A file is a domain's where it is called like it, alone or before ``_`` or ``-`` (`tr.xpt`, `TR_onco.csv.gz`). What is wrong with
    files and headers is noted.
    """
    if not folder.is_dir():
        notes.wrong(
            folder.name, "no such folder", "a folder of SDTM domains", "correct the path or put the files there"
        )
        return {}, frozenset(REQUIRED)
    found = {name: files for name in REQUIRED if (files := _files_of(name, folder))}
    domains = {}
    for name, files in found.items():
        path = _one_file(name, files, folder, notes)
        if path is None:
            continue
        label = f"{folder.name}/{path.name}"
        frame = _read(path, label, notes)
        if frame is not None and _header_is_right(name, label, frame.columns, notes):
            frame.columns = pd.Index([_plain(name, str(column)) for column in frame.columns])
            domains[name] = Domain(name=name, file=label, frame=frame)
            _check_content(domains[name], notes)
    others = _other_formats(folder, notes)
    if "DM" in domains and domains["DM"].frame.empty:
        notes.wrong(domains["DM"].file, "no rows", "a row for each subject", "export the demographics again")
    if "DM" not in found and "DM" not in others:
        told = "no file of the domain DM"
        notes.wrong(folder.name, told, "dm.csv, dm.csv.gz or dm.xpt", "export the demographics into this folder")
    return domains, frozenset((found.keys() | others) - domains.keys())


def _files_of(name: str, folder: Path) -> list[Path]:
    stems = {
        path: _stem(path.name.lower()) for path in sorted(folder.iterdir()) if path.name.lower().endswith(SUFFIXES)
    }
    lower = name.lower()
    return [path for path, stem in stems.items() if stem == lower or stem.startswith((f"{lower}_", f"{lower}-"))]


def _other_formats(folder: Path, notes: Notes) -> set[str]:
    """The names of the domains that are there in a format that is not read, which is noted."""
    found = set()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        lower = path.name.lower()
        suffix = next((suffix for suffix in UNREAD if lower.endswith(suffix)), None)
        stem = lower.removesuffix(suffix or "").partition("_")[0].partition("-")[0]
        if suffix is not None and stem.upper() in REQUIRED:
            told = f"a file of the domain {stem.upper()} in a format that is not read ({suffix})"
            remedy = "save it as CSV or XPT, or move it elsewhere"
            notes.wrong(f"{folder.name}/{path.name}", told, ".csv, .csv.gz or .xpt", remedy)
            found.add(stem.upper())
    return found


def _one_file(name: str, files: Sequence[Path], folder: Path, notes: Notes) -> Path | None:
    if len(files) > 1:
        told = f"{len(files)} files of the domain {name} ({named(path.name for path in files)})"
        notes.wrong(folder.name, told, "one file a domain", "keep the one that counts and move the others elsewhere")
    return files[0] if len(files) == 1 else None


def _stem(name: str) -> str:
    return next(name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix))


def _read(path: Path, label: str, notes: Notes) -> pd.DataFrame | None:
    if path.name.lower().endswith(".xpt") and path.is_file():
        return _read_transport(path, label, notes)
    try:
        table = read_delimited(path, label=label, rows=0)
        frame = table.texts()
    except InputError as error:
        notes.extend(list(error.problems))
        return None
    frame.columns = pd.Index([name.upper() for name in table.header])
    return frame


def _read_transport(path: Path, label: str, notes: Notes) -> pd.DataFrame | None:
    """A SAS transport file, version 5 or 8, as text: its numbers are doubles, told with 15 digits (8.7 is 8.7 again)."""
    try:
        import pyreadstat
    except ImportError:
        notes.wrong(label, "a SAS transport file, and pyreadstat is not installed", "pyreadstat or a CSV file", INSTALL)
        return None
    if path.stat().st_size % TRANSPORT_RECORD:
        told = f"a transport file that breaks off ({path.stat().st_size:,} bytes)"
        expected = f"whole records of {TRANSPORT_RECORD} bytes"
        notes.wrong(label, told, expected, "copy or export the file again")
        return None
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of columns twice, which are told below
            frame, _ = pyreadstat.read_xport(path, disable_datetime_conversion=True)
    except (pyreadstat.ReadstatError, UnicodeDecodeError, OSError) as error:
        told = f"a file that cannot be read as SAS transport ({error})"
        notes.wrong(label, told, "a complete XPT file of version 5 or 8, text in UTF-8", "export it again, or as CSV")
        return None
    stated = _observations(path)
    if stated is not None and stated > len(frame):
        told = f"a transport file that breaks off ({len(frame):,} observations)"
        notes.wrong(label, told, f"{stated:,}, as its header says", "copy or export the file again")
        return None
    columns = {at: [_text(value) for value in frame.iloc[:, at].tolist()] for at in range(frame.shape[1])}
    index = pd.RangeIndex(1, len(frame) + 1, name="line")
    texts = pd.DataFrame(columns, index=index, dtype=object)
    texts.columns = pd.Index([_RENAMED.sub("", str(name)).upper() for name in frame.columns])
    return texts


def _observations(path: Path) -> int | None:
    """How many observations the header of a transport file says there are; None where it says nothing, as version 5 does."""
    with path.open("rb") as file:
        while record := file.read(TRANSPORT_RECORD):
            if match := _OBSERVATIONS.match(record):
                count = match["count"].strip()
                return int(count) or None if count.isdigit() else None
    return None


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.15g}"
    return "" if value is None else str(value).strip()


def _plain(domain: str, column: str) -> str:
    return column if domain == "DM" else column.removeprefix(domain)


def _header_is_right(name: str, label: str, header: Collection[str], notes: Notes) -> bool:
    right = True
    for column in sorted({column for column in header if list(header).count(column) > 1}):
        notes.wrong(label, "the column occurs twice", "each column once", "remove or rename one", column=column)
        right = False
    plain: dict[str, str] = {}
    for column in dict.fromkeys(header):
        other = plain.setdefault(_plain(name, column), column)
        if other != column:
            told = f"the columns {other} and {column}, which mean the same in {name}"
            notes.wrong(label, told, "one of the two", "remove or rename the one that is not SDTM's", column=column)
            right = False
    for wanted in REQUIRED[name]:
        options = (wanted,) if isinstance(wanted, str) else wanted
        if any(option in header for option in options):
            continue
        meant = nearest(options[0], [column for column in header if column.startswith(name)], cutoff=0.8)
        hint = f"is {meant} meant? rename it, or " if meant else ""
        expected = f"a column {' or '.join(options)}"
        notes.wrong(label, "no such column", expected, f"{hint}export the domain with it", column=options[0])
        right = False
    return right


def _check_content(domain: Domain, notes: Notes) -> None:
    """Records of another domain, without a subject, or with a sequence number that the subject has twice."""
    frame = domain.frame
    others = sorted(set(domain.texts("DOMAIN")) - {"", domain.name})
    if others:
        told = f"records of the domain {named(others)}"
        notes.wrong(
            domain.file, told, f"records of {domain.name} only", "correct the file's name or content", column="DOMAIN"
        )
    for number in frame.index[frame["USUBJID"] == ""]:
        notes.wrong(
            domain.file,
            "an empty cell",
            "the subject's id",
            "fill it in or take the row out",
            row=number,
            column="USUBJID",
        )
    if domain.has("SEQ"):
        keyed = frame[(frame["SEQ"] != "") & (frame["USUBJID"] != "")]
        repeated = keyed[keyed.duplicated(["USUBJID", "SEQ"], keep=False)]
        first: dict[tuple[str, str], int] = {}
        for subject, sequence, number in zip(repeated["USUBJID"], repeated["SEQ"], repeated.index, strict=True):
            earlier = first.setdefault((subject, sequence), number)
            if earlier != number:
                told = f"{sequence} of {subject} is in row {earlier}, too"
                expected, remedy = "a number that the subject has once", "remove or renumber one of the records"
                notes.wrong(domain.file, told, expected, remedy, row=number, column=f"{domain.name}SEQ")
