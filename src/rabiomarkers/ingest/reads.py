"""FASTQ files of a sheet, looked at before anything is counted: whose they are, whether they are whole and have their mates."""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.ingest.delimited import read_delimited, read_sheet, read_text
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.gene_tables import TRANSCRIPT_COLUMNS, read_transcripts, without_version
from rabiomarkers.ingest.places import Place, nameable
from rabiomarkers.ingest.samples import IDENTIFIER

type Technology = Literal["bulk", "10xv2", "10xv3"]

TECHNOLOGIES: tuple[Technology, ...] = ("bulk", "10xv2", "10xv3")
BARCODE_LENGTH: Mapping[Technology, int] = {"10xv2": 26, "10xv3": 28}  # cell barcode and molecule, in read 1
BARCODE = re.compile(r"[ACGT]{16}")  # of a cell, in both chemistries
SHORTEST_TRANSCRIPT_READ = 31  # bases; kallisto looks up words of 31, so no shorter read finds a place
NAME_OF_MATE = re.compile(rb"[/._]R?[12]$")  # what the two reads of a pair may differ in
INDEX_VERSION = 13  # the first eight bytes of an index of kallisto 0.50 to 0.52
GZIP = b"\x1f\x8b"
CHUNK = 1 << 22
LINE_END, RETURN, AT, PLUS = b"\n\r@+"


@dataclass(frozen=True, kw_only=True)
class Library:
    """The reads of one sample, lane by lane; `read2` is empty where the reads have no mates."""

    sample_id: str
    read1: tuple[Path, ...]
    read2: tuple[Path, ...]

    @property
    def paired(self) -> bool:
        """Whether every read has a mate."""
        return bool(self.read2)


def check_reads(
    sheet: Path,
    index: Path,
    transcripts: Path,
    *,
    technology: Technology,
    reads: Path | None = None,
    barcodes: Path | None = None,
) -> list[Library]:
    """What `read_libraries` reads, with every fault of the index, the transcripts and the list of barcodes told beside it.

    Raises
    ------
    InputError
        Something cannot be used.
    """
    problems: list[Problem] = []
    libraries: list[Library] = []
    try:
        check_index(index)
    except InputError as error:
        problems += error.problems
    try:
        read_genes_of_transcripts(transcripts)
    except InputError as error:
        problems += error.problems
    try:
        if barcodes is not None:
            check_barcodes(barcodes, technology=technology)
    except InputError as error:
        problems += error.problems
    try:
        libraries = read_libraries(sheet, technology=technology, reads=reads)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return libraries


def read_libraries(sheet: Path, *, technology: Technology, reads: Path | None = None) -> list[Library]:
    """The libraries of a sheet, and every fault of the sheet and of its FASTQ files at once.

    Parameters
    ----------
    sheet
        CSV with the columns `sample_id`, `read1`, `read2` (empty where bulk reads have no mates), a row a lane.
    technology
        10x reads have the barcode in `read1` and the transcript in `read2`.
    reads
        A second folder below which the files may lie; the first is that of the sheet.

    Returns
    -------
    Libraries by sample id; their lanes in the order of the sheet.

    Raises
    ------
    InputError
        A row or a file that cannot be used.
    """
    findings = Findings(sheet.name)
    table = read_sheet(sheet, required=("sample_id", "read1"), optional=("read2",), findings=findings)
    if table is None:
        raise InputError(findings.problems)
    place = Place(folder=sheet.resolve().parent, data_root=reads)
    lanes: dict[str, list[tuple[Path, Path | None]]] = {}
    seen: dict[Path, int] = {}
    for line, row in table.rows():
        lane = _lane(line, row, technology, place, seen, findings)
        if lane is not None:
            lanes.setdefault(row["sample_id"], []).append(lane)
    for sample, pairs in lanes.items():
        if len({mate is None for _, mate in pairs}) > 1:
            findings.add(
                f"lanes of {sample!r} with and without mates",
                "all lanes of a sample alike",
                "count them as two samples, or leave out the mates",
                column="read2",
            )
    findings.problems += [
        problem for pairs in lanes.values() for pair in pairs for problem in _faults(pair, technology)
    ]
    if findings.problems:
        raise InputError(sorted(set(findings.problems), key=str))
    return [
        Library(
            sample_id=sample,
            read1=tuple(first for first, _ in pairs),
            read2=tuple(mate for _, mate in pairs if mate is not None),
        )
        for sample, pairs in sorted(lanes.items())
    ]


def _lane(
    line: int,
    row: Mapping[str, str],
    technology: Technology,
    place: Place,
    seen: dict[Path, int],
    findings: Findings,
) -> tuple[Path, Path | None] | None:
    """The files of one row; None where one of them cannot be used."""
    if not IDENTIFIER.fullmatch(row["sample_id"]):
        findings.add(
            f"{row['sample_id']!r}",
            "letters, digits and . _ + -, a letter or digit first",
            "use the ids of samples.csv",
            row=line,
            column="sample_id",
        )
    if technology != "bulk" and not row["read2"]:
        findings.add(
            "no second file",
            f"the barcodes in read1 and the transcripts in read2 ({technology})",
            "name it",
            row=line,
            column="read2",
        )
    found: list[Path | None] = []
    for column in ("read1", "read2"):
        written = row[column]
        if not written and column == "read2":
            found.append(None)
            continue
        path = place.find(written) if written and nameable(written) else None
        if path is None or not path.is_file():
            expected = "a FASTQ file below the folder of the sheet or that of --reads"
            findings.add(f"no such file: {written!r}", expected, "correct the path", row=line, column=column)
            return None
        if path in seen:
            told = f"{written!r} is on line {seen[path]}, too"
            findings.add(told, "each file once", "correct one of the two", row=line, column=column)
        seen.setdefault(path, line)
        found.append(path)
    return (found[0], found[1]) if found[0] is not None else None


def _faults(pair: tuple[Path, Path | None], technology: Technology) -> Iterator[Problem]:
    """What is wrong with the files of one lane."""
    counts = {}
    for path in pair:
        if path is None:
            continue
        findings = Findings(path.name)
        counts[path] = count_reads(path, findings)
        yield from findings.problems
    first, mate = pair
    if mate is not None and None not in counts.values() and counts[first] != counts[mate]:
        findings = Findings(mate.name)
        findings.add(
            f"{counts[mate]:,} reads, and {counts[first]:,} in {first.name}",
            "a mate for every read",
            "copy both files again; were they trimmed one without the other?",
        )
        yield from findings.problems
    if mate is not None and all(counts.values()):
        yield from _mate_faults(first, mate, technology)


def _mate_faults(first: Path, mate: Path, technology: Technology) -> Iterator[Problem]:
    """What the first read and its mate tell of the two files."""
    (name, length), (name_of_mate, length_of_mate) = _first_read(first), _first_read(mate)
    findings = Findings(mate.name)
    if NAME_OF_MATE.sub(b"", name) != NAME_OF_MATE.sub(b"", name_of_mate):
        findings.add(
            f"its first read has another name than that of {first.name}",
            "the mates of the reads in read1, in their order",
            "pair the files of one lane; were they sorted one without the other?",
        )
    if technology != "bulk" and length_of_mate < SHORTEST_TRANSCRIPT_READ:
        findings.add(
            f"reads of {length_of_mate} bases",
            f"{SHORTEST_TRANSCRIPT_READ} or more: the transcripts ({technology})",
            "put the file with the barcodes in read1 and that with the transcripts in read2",
        )
    yield from findings.problems
    if technology != "bulk" and length < BARCODE_LENGTH[technology]:
        findings = Findings(first.name)
        findings.add(
            f"reads of {length} bases",
            f"{BARCODE_LENGTH[technology]} or more: cell barcode and molecule ({technology})",
            "put the file with the barcodes in read1, or name the right technology",
        )
        yield from findings.problems


def _first_read(path: Path) -> tuple[bytes, int]:
    """The name of the first read and how many bases it has."""
    with _opened(path) as file:
        words = file.readline().split()
        return words[0], len(file.readline().strip())


def _opened(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    return gzip.open(path) if zipped else path.open("rb")


def count_reads(path: Path, findings: Findings) -> int | None:
    """How many reads a FASTQ file holds; None, with the reason noted, where it is no whole FASTQ file.

    Every read is looked at: the counting program ends at the first one that is damaged, without a word, and counts what it has.
    """
    reads, rest = 0, b""
    try:
        for chunk in _chunks(path):
            if not reads and not rest and not chunk.startswith(b"@"):
                findings.add("no '@' at the beginning", "a FASTQ file", "check that the path names the right file")
                return None
            reads, left = _look_at(rest + chunk, reads, findings)
            if left is None:
                return None
            rest = left
    except (EOFError, OSError, zlib.error) as error:
        told = f"a damaged or incomplete file ({type(error).__name__})"
        findings.add(told, "a complete gzip file", "copy it again; was the copy interrupted?")
        return None
    if rest.strip():
        told = "a last read of fewer than four lines"
        findings.add(told, "four lines a read", "copy it again; was the copy interrupted?", row=4 * reads + 1)
    elif reads == 0:
        findings.add("an empty file", "reads", "copy it again; was the copy interrupted?")
    else:
        return reads
    return None


def _chunks(path: Path) -> Iterator[bytes]:
    """The content piece by piece, its last line ended."""
    chunk = b""
    with _opened(path) as file:
        while piece := file.read(CHUNK):
            chunk = piece
            yield chunk
    if chunk and not chunk.endswith(b"\n"):
        yield b"\n"


def _look_at(text: bytes, before: int, findings: Findings) -> tuple[int, bytes | None]:
    """Look at the whole reads of `text`: how many there are with those before, and what is left; None where one is damaged."""
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == LINE_END)
    ends = ends[: len(ends) // 4 * 4]
    if not len(ends):
        return before, text
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = (ends - starts - ((ends > starts) & (letters[ends - 1] == RETURN))).reshape(-1, 4)
    first = letters[starts].reshape(-1, 4)
    named_right = (first[:, 0] == AT) & (lengths[:, 0] > 1)
    parted, scored = first[:, 2] == PLUS, lengths[:, 1] == lengths[:, 3]
    right = named_right & parted & scored
    if right.all():
        return before + len(right), text[ends[-1] + 1 :]
    at = int(right.argmin())
    reads, row = before + at, 4 * (before + at) + 1
    if not text[starts[4 * at] :].strip():  # empty lines at the end are no reads
        return reads, b""
    remedy = "copy it again; is it FASTQ with four lines a read, and was the copy interrupted?"
    if not named_right[at]:
        findings.add("no '@' and name where a read begins", "a FASTQ file", remedy, row=row)
    elif not parted[at]:
        findings.add("no '+' below the bases of a read", "a FASTQ file", remedy, row=row + 2)
    else:
        told = f"{lengths[at, 3]} qualities for {lengths[at, 1]} bases"
        findings.add(told, "a quality for every base", remedy, row=row + 3)
    return reads, None


def check_barcodes(path: Path, *, technology: Technology) -> None:
    """Raise where the file is no list of barcodes of the chemistry: one a line, plain or gzipped.

    Raises
    ------
    InputError
        It cannot be read, holds something else, or nobody asked for it.
    """
    findings = Findings(path.name)
    if technology == "bulk":
        findings.fail("a list of barcodes", "none: bulk reads have no barcodes", "leave it out, or name the technology")
    odd = [
        (line, "barcode", repr(word[:40]))
        for line, word in enumerate(read_text(path, path.name).rstrip("\n").split("\n"), start=1)
        if not BARCODE.fullmatch(word)
    ]
    findings.add_cells(odd, "a barcode of 16 bases on each line", "take the list that 10x gives out for the chemistry")
    findings.raise_if_any()


def check_index(path: Path) -> None:
    """Raise where the file is no index that the counting program can read.

    Raises
    ------
    InputError
        It is absent, or begins otherwise than an index of kallisto 0.50 and later does.
    """
    findings = Findings(path.name)
    expected = "an index of kallisto 0.50 or later"
    remedy = "build it with `kallisto index` of the same release, or `kb ref`"
    if not path.is_file():
        findings.fail("no such file", expected, "correct the path")
    with path.open("rb") as file:
        version = int.from_bytes(file.read(8), "little")
    if version != INDEX_VERSION:
        told = f"an index of version {version}" if 0 < version < 100 else "no index"
        findings.fail(told, f"{expected} (version {INDEX_VERSION})", remedy)


def read_genes_of_transcripts(path: Path) -> "pd.Series[str]":
    """Transcript id without version -> gene, of a table with a header (`read_transcripts`), or kallisto's without one.

    kallisto's (`kb ref`) is tab-separated: transcript, gene id, gene name. The name is taken where there is one.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    table = read_delimited(path, label=path.name, rows=0)
    if {name.strip().lower() for name in table.header} & set(TRANSCRIPT_COLUMNS):
        return read_transcripts(path)
    rows = pd.concat([pd.DataFrame([table.header[:3]]), table.frame(text=list(range(min(3, len(table.header)))))])
    name = rows[2].fillna("").astype(str).str.strip() if 2 in rows.columns else pd.Series("", index=rows.index)
    genes = name.where(name != "", without_version(rows[1].astype(str)))
    known = pd.Series(genes.to_numpy(), index=pd.Index(without_version(rows[0].astype(str)), name="key"), dtype=str)
    twice = known.groupby(level=0).nunique()
    if (twice > 1).any():
        findings = Findings(path.name)
        odd = twice.index[twice > 1]
        findings.fail(
            f"{len(odd)} transcripts of two genes: {named(odd, limit=3)}", "one gene each", "keep one row each"
        )
    return known[~known.index.duplicated()]
