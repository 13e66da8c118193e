"""FASTQ files of a sheet, looked at before anything is counted: whose they are, whether they are whole and have their mates."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Literal

import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.ingest.delimited import read_delimited, read_sheet
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.gene_tables import TRANSCRIPT_COLUMNS, read_transcripts, without_version
from rabiomarkers.ingest.places import Place
from rabiomarkers.ingest.samples import IDENTIFIER

type Technology = Literal["bulk", "10xv2", "10xv3"]

TECHNOLOGIES: tuple[Technology, ...] = ("bulk", "10xv2", "10xv3")
BARCODE_LENGTH: Mapping[Technology, int] = {"10xv2": 26, "10xv3": 28}  # cell barcode and molecule, in read 1
INDEX_VERSION = 13  # the first eight bytes of an index of kallisto 0.50 to 0.52
GZIP = b"\x1f\x8b"
CHUNK = 1 << 22


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
        path = place.find(written) if written else None
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
    if technology != "bulk" and counts.get(first):
        yield from _barcode_faults(first, technology)


def _barcode_faults(path: Path, technology: Technology) -> Iterator[Problem]:
    with _opened(path) as file:
        file.readline()
        length = len(file.readline().strip())
    if length < BARCODE_LENGTH[technology]:
        findings = Findings(path.name)
        findings.add(
            f"reads of {length} bases",
            f"{BARCODE_LENGTH[technology]} or more: cell barcode and molecule ({technology})",
            "put the file with the barcodes in read1, or name the right technology",
        )
        yield from findings.problems


def _opened(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    return gzip.open(path) if zipped else path.open("rb")


def count_reads(path: Path, findings: Findings) -> int | None:
    """How many reads a FASTQ file holds; None, with the reason noted, where it is no whole FASTQ file."""
    lines, last = 0, b""
    try:
        with _opened(path) as file:
            if file.read(1) not in (b"@", b""):
                findings.add("no '@' at the beginning", "a FASTQ file", "check that the path names the right file")
                return None
            while chunk := file.read(CHUNK):
                lines += chunk.count(b"\n")
                last = chunk[-1:]
    except (EOFError, OSError, zlib.error) as error:
        told = f"a damaged or incomplete file ({type(error).__name__})"
        findings.add(told, "a complete gzip file", "copy it again; was the copy interrupted?")
        return None
    lines += last not in (b"\n", b"")
    if lines == 0:
        findings.add("an empty file", "reads", "copy it again; was the copy interrupted?")
        return None
    if lines % 4:
        findings.add(f"{lines:,} lines", "four lines a read", "copy it again; was the copy interrupted?")
        return None
    return lines // 4


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
