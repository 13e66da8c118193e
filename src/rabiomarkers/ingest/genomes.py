"""Genomes that reads of a stool are compared with: a database of sourmash sketches or a folder of FASTA files, and their lineages.

Everything is looked at here, without sourmash, before any read is: a database without sketches of the length asked for would give
a stool in which nothing is known, and that only after hours.
"""

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.delimited import ZIP, read_text
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.lineage import read_taxonomy, split_lineage
from rabiomarkers.ingest.reads import GZIP

FASTA = (".fa", ".fna", ".fasta")
SKETCHES = (".zip", ".sig", ".sig.gz")
MANIFEST = "SOURMASH-MANIFEST.csv"
LARGEST_MANIFEST = 2 * 1024**3
"""Bytes; the manifest of all genomes of GenBank, two million rows, stays far below."""
CHUNK = 1 << 22
VERSION = re.compile(r"\.\d+$")  # of an accession


@dataclass(frozen=True, kw_only=True)
class Genomes:
    """What reads are compared with: sketches as they are, or FASTA files by the genome's name that are sketched first."""

    names: tuple[str, ...]
    sketches: Path | None = None
    fasta: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Sketch:
    """What a database says of one of its sketches."""

    name: str
    ksize: int
    molecule: str
    scaled: bool  # takes a share of all k-mers; else a fixed number of them, which cannot be compared with a stool


def check_genomes(path: Path, *, ksize: int) -> Genomes:
    """The genomes of a database.

    Parameters
    ----------
    path
        sourmash's `.zip` or `.sig` (gzipped or not), or a folder of genomes: `.fa`, `.fna` or `.fasta`, gzipped or not, a genome a
        file, which is named as its file without these endings.
    ksize
        Bases of a k-mer; the database must have sketches of it.

    Raises
    ------
    InputError
        Every fault of the database.
    """
    findings = Findings(path.name)
    if path.is_dir():
        return _folder(path, findings)
    if not path.is_file():
        findings.fail("no such file", "a database of sourmash or a folder of genomes", "correct the path")
    if not path.name.endswith(SKETCHES):
        findings.fail(
            f"a file {path.suffix or 'without an ending'}",
            f"a database of sourmash ({', '.join(SKETCHES)}), or a folder of genomes ({', '.join(FASTA)}, gzipped or not)",
            "write the sketches into one .zip (`sourmash sig cat ... -o database.zip`), or name the folder of the genomes",
        )
    with path.open("rb") as file:
        zipped = file.read(len(ZIP)) == ZIP
    sketches = list(_of_manifest(_manifest(path, findings), findings) if zipped else _of_json(path, findings))
    return Genomes(names=_usable(sketches, ksize, findings), sketches=path)


def _usable(sketches: Collection[_Sketch], ksize: int, findings: Findings) -> tuple[str, ...]:
    """The names of the genomes with a sketch of DNA that fits.

    Raises
    ------
    InputError
        There is none, or one has no name.
    """
    dna = [sketch for sketch in sketches if sketch.molecule.upper() == "DNA" and sketch.scaled]
    fitting = [sketch.name for sketch in dna if sketch.ksize == ksize]
    if not fitting:
        lengths = sorted({sketch.ksize for sketch in dna})
        findings.fail(
            f"sketches of DNA with k = {named(lengths)}"
            if lengths
            else "no sketches of DNA that were made with `scaled`",
            f"sketches of DNA with k = {ksize}",
            "name a length that the database has with --ksize" if lengths else "make them with `sourmash sketch dna`",
        )
    if unnamed := sum(not name for name in fitting):
        findings.fail(
            f"{unnamed:,} of {len(fitting):,} sketches without a name",
            "the name of its genome in each",
            "name them (`sourmash sig rename`), or make them anew with --name",
        )
    return tuple(sorted(set(fitting)))


def _manifest(path: Path, findings: Findings) -> str:
    """The table in the archive that lists its sketches.

    Raises
    ------
    InputError
        The archive is damaged or has no such table.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(MANIFEST) as member:
            content = member.read(LARGEST_MANIFEST)
        return content.decode()
    except KeyError:
        findings.fail(
            f"a zip archive without {MANIFEST}",
            "a database that sourmash 4 wrote",
            "write it anew: `sourmash sig cat OLD.zip -o NEW.zip`",
        )
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zlib.error):
        findings.fail("a damaged zip archive", "a complete .zip file", "copy or download it again")


def _of_manifest(text: str, findings: Findings) -> Iterable[_Sketch]:
    lines = io.StringIO(text)
    if not text.startswith("#"):
        findings.fail(f"a {MANIFEST} without its first line", "a database that sourmash 4 wrote", "write it anew")
    next(lines)
    try:
        for row in csv.DictReader(lines):
            yield _Sketch(
                name=row["name"].strip(),
                ksize=int(row["ksize"]),
                molecule=row["moltype"],
                scaled=int(row["scaled"]) > 0,
            )
    except (KeyError, ValueError, AttributeError, TypeError, csv.Error):
        findings.fail(f"a {MANIFEST} that cannot be read", "a database that sourmash 4 wrote", "write it anew")


def _of_json(path: Path, findings: Findings) -> Iterable[_Sketch]:
    try:
        for entry in json.loads(read_text(path, path.name)):
            for sketch in entry["signatures"]:
                yield _Sketch(
                    name=str(entry.get("name") or "").strip(),
                    ksize=int(sketch["ksize"]),
                    molecule=str(sketch["molecule"]),
                    scaled=int(sketch["max_hash"]) > 0,
                )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        findings.fail("no sketches of sourmash", "a .sig file that sourmash 4 wrote", "copy or make it again")


def _folder(path: Path, findings: Findings) -> Genomes:
    """The genomes in a folder; other files in it do not count.

    Raises
    ------
    InputError
        There is none, two have one name, or a file is no whole FASTA file.
    """
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        whole = file.name.removesuffix(".gz")
        stem = next((whole.removesuffix(ending) for ending in FASTA if whole.endswith(ending)), "")
        if not stem or stem.startswith(".") or not file.is_file():  # macOS lays files ._name beside others
            continue
        if stem in found:
            findings.add(f"{file.name} beside {found[stem].name}", "one file a genome", "take one of the two out")
        found[stem] = file
    if not found:
        findings.fail(
            "no genomes",
            f"files {', '.join(FASTA)}, gzipped or not, a genome a file",
            "name the folder that holds them",
        )
    for file in found.values():
        findings.problems += _fasta_problems(file).problems
    findings.raise_if_any()
    return Genomes(names=tuple(found), fasta=found)


def _fasta_problems(path: Path) -> Findings:
    findings = Findings(path.name)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(len(GZIP)) == GZIP
        with gzip.open(path) if zipped else path.open("rb") as file:
            head = file.read(CHUNK)
            while file.read(CHUNK):  # to its end: what breaks off would be half a genome
                pass
    except (EOFError, OSError, zlib.error) as error:
        told = f"a damaged or incomplete file ({type(error).__name__})"
        findings.add(told, "a complete file", "copy it again; was the copy interrupted?")
        return findings
    if not head.lstrip().startswith(b">") or b"\n" not in head.strip():
        told = "no '>' at the beginning, or no bases" if head.strip() else "an empty file"
        findings.add(told, "a FASTA file", "name FASTA files so, and others otherwise; was the copy interrupted?")
    return findings


def read_lineages(path: Path, *, genomes: Collection[str]) -> dict[str, str]:
    """The lineage of each genome that the table names, down to the species: ``k__..;..;s__..``.

    A genome is looked up by its name, then by the first word of it (the accession), then by that without its version (`.1`).

    Parameters
    ----------
    path
        CSV, the first column the accession (`ident`), then the ranks (superkingdom, phylum, ... species) or one column `lineage`:
        what sourmash gives out with its databases (`.lineages.csv`, gzipped or not).
    genomes
        The genomes of the database.

    Raises
    ------
    InputError
        Every fault of the table; it names none of the genomes, or gives a species two lineages.
    """
    findings = Findings(path.name)
    known = read_taxonomy(path, label=path.name).map(_to_species)
    known = known[known != ""]
    bare = pd.Series(known.to_numpy(), index=known.index.str.replace(VERSION, "", regex=True))
    bare = bare[bare.groupby(level=0).transform("nunique") == 1]
    exact, loose = known.to_dict(), bare.to_dict()
    found: dict[str, str] = {}
    for genome in genomes:
        word = genome.split()[0]
        if lineage := exact.get(genome) or exact.get(word) or loose.get(VERSION.sub("", word)):
            found[genome] = lineage
    if not found:
        findings.fail(
            f"genomes such as {named(known.index, limit=3)}",
            f"the genomes of the database, such as {named(sorted(genomes), limit=3)}",
            "take the lineages that belong to the database",
        )
    _check_species(found, findings)
    return found


def _check_species(lineages: Mapping[str, str], findings: Findings) -> None:
    """Raise where one species would be two taxa of one name."""
    by_name: dict[str, set[str]] = {}
    for genome, lineage in lineages.items():
        by_name.setdefault(taxon_of(genome, lineage), set()).add(lineage)
    for name in sorted(name for name, written in by_name.items() if len(written) > 1)[:5]:
        told = f"{name!r} has {len(by_name[name])} lineages"
        findings.add(told, "one lineage for each species", "correct the table; the lineages must be of one release")
    findings.raise_if_any()


def _to_species(lineage: str) -> str:
    parts = [part for part in split_lineage(lineage) if not part.startswith("t__") and part.partition("__")[2].strip()]
    return ";".join(parts)


def taxon_of(genome: str, lineage: str) -> str:
    """The species; where the lineage ends above it its last name with the rank (``g__Bacteroides``), without any the genome."""
    last = split_lineage(lineage)[-1:] if lineage else []
    return last[0].removeprefix("s__") if last else genome
