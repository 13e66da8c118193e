"""Which genomes the reads of a stool are of: sketches of their k-mers, gathered against a database by sourmash.

sourmash is called by its command line, in a process of its own and never through a shell: options and columns keep their meaning
within a major release, a fault in its compiled part cannot take this process along, and its memory goes when it ends. Nothing is
downloaded; the database is the user's.

References
----------
Irber et al. 2024, doi:10.21105/joss.06830 (sourmash); Irber et al. 2022, doi:10.1101/2022.01.11.475838 (FracMinHash sketches and
the smallest set of genomes that covers a metagenome)
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import CountingError
from rabiomarkers.files import Info, read_json, write_table
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.reads import count_reads

INSTALL = "Profiling metagenomes needs the package sourmash: install rabiomarkers[metagenome]."
RELEASES = ("4",)  # major releases whose options and columns are those used here
LINES_TOLD = 3  # of what sourmash said before it stopped
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")  # it clears its lines on a terminal
MATCHES = {
    "name": "genome",
    "f_unique_weighted": "share",
    "average_abund": "depth",
    "f_match_orig": "found",
    "unique_intersect_bp": "bases",
}
"""Columns of `sourmash gather` that are kept, and what they are called here."""


def sourmash_release() -> str:
    """The release of the installed sourmash.

    Raises
    ------
    CountingError
        It is not installed, or of a major release that is not known here.
    """
    if find_spec("sourmash") is None:
        raise CountingError(INSTALL)
    release = version("sourmash")
    if release.split(".")[0] not in RELEASES:
        raise CountingError(
            f"sourmash {release} is installed, and releases {', '.join(RELEASES)}.x are known to work here."
        )
    return release


def sketch_genomes_step(
    inputs: Mapping[str, Path], out: Path, *, names: Sequence[str], ksize: int, scaled: int, release: str
) -> Info:
    """A database of FASTA files: `genomes.sig`, a sketch a genome, each under its name.

    Inputs: `genome:<name>` for each of `names`. `release` of sourmash only enters the step's key.

    Raises
    ------
    CountingError
        sourmash stopped.
    """
    scratch = _links(out, [inputs[f"genome:{name}"] for name in names])
    listed = scratch / "list"
    listed.write_text("".join(f"{place}\n" for place in range(len(names))))
    _sourmash(
        ["sketch", "dna", "-p", f"k={ksize},scaled={scaled}", "--from-file", listed.name, "-o", "all.sig"], scratch
    )
    by_place = {entry["filename"]: entry for entry in read_json(scratch / "all.sig")}
    entries = [by_place[str(place)] | {"name": name, "filename": name} for place, name in enumerate(names)]
    shutil.rmtree(scratch)
    (out / "genomes.sig").write_text(json.dumps(sorted(entries, key=lambda entry: str(entry["name"])), sort_keys=True))
    return {"genomes": len(entries), "ksize": ksize, "scaled": scaled}


def sketch_reads_step(
    inputs: Mapping[str, Path], out: Path, *, lanes: int, ksize: int, scaled: int, release: str
) -> Info:
    """The k-mers of one sample, each with how often it occurs: `sketch.sig` and facts about the reads.

    Inputs: `read1:<lane>` and, where reads have mates, `read2:<lane>`. One k-mer in `scaled` is kept, always the same ones.
    `reads` counts both mates.

    Raises
    ------
    InputError
        A file is not what it was when it was checked.
    CountingError
        sourmash stopped.
    """
    names = [name for lane in range(lanes) for name in (f"read1:{lane}", f"read2:{lane}") if name in inputs]
    reads = 0
    for name in names:
        findings = Findings(inputs[name].name)
        reads += count_reads(inputs[name], findings) or 0
        findings.raise_if_any()
    scratch = _links(out, [inputs[name] for name in names])
    files = [str(place) for place in range(len(names))]
    parameters = f"k={ksize},scaled={scaled},abund"
    _sourmash(["sketch", "dna", "-p", parameters, "--merge", "reads", "-o", "sketch.sig", *files], scratch)
    (scratch / "sketch.sig").rename(out / "sketch.sig")
    shutil.rmtree(scratch)
    kept = _only_sketch(out / "sketch.sig")
    return {"reads": reads, "kmers": sum(kept.get("abundances", [])), "distinct_kmers": len(kept["mins"])}


def gather_step(inputs: Mapping[str, Path], out: Path, *, ksize: int, threshold_bp: int, release: str) -> Info:
    """The smallest set of the database's genomes that covers what is known of a sample: `matches.parquet`, largest overlap first.

    Columns: `genome`; `share` (0..1) of the sample's k-mers, each as often as it was read, that this genome explains and none
    before it did: about the share of its bases; `depth`, how often such a k-mer was read; `found`, the share (0..1) of the genome's
    k-mers that the sample holds; `bases`, how many bases are explained. Inputs: `sketch`, `database`. An overlap of fewer bases
    than `threshold_bp` is not called.

    Raises
    ------
    CountingError
        sourmash stopped.
    """
    table = pd.DataFrame({column: pd.Series([], dtype=np.float64) for column in MATCHES})
    if _only_sketch(inputs["sketch"])["mins"]:  # of a sketch without k-mers sourmash makes an error
        scratch = _links(out, [])
        options = ["-k", str(ksize), "--dna", "--threshold-bp", str(threshold_bp), "--create-empty-results", "-q"]
        files = [str(inputs["sketch"].resolve()), str(inputs["database"].resolve())]
        _sourmash(["gather", *options, "-o", "matches.csv", *files], scratch)
        if (scratch / "matches.csv").read_text().strip():  # empty where nothing was found
            table = pd.read_csv(scratch / "matches.csv", dtype={"name": str}, keep_default_na=False)
        shutil.rmtree(scratch)
    matches = table[list(MATCHES)].rename(columns=MATCHES)
    kinds = {"genome": str, "share": np.float64, "depth": np.float64, "found": np.float64, "bases": np.int64}
    write_table(matches.astype(kinds), out / "matches.parquet")
    known = float(matches["share"].sum())
    return {"genomes": matches["genome"].nunique(), "classified": known, "unclassified": max(0.0, 1.0 - known)}


def _only_sketch(path: Path) -> Mapping[str, Any]:
    """What a `.sig` file of one sketch holds."""
    (entry,) = read_json(path)
    (sketch,) = entry["signatures"]
    found: Mapping[str, Any] = sketch
    return found


def _links(out: Path, files: Sequence[Path]) -> Path:
    """A folder to work in, with the files under their number: sourmash writes names of files into what it makes."""
    scratch = out / "scratch"
    scratch.mkdir()
    for place, file in enumerate(files):
        (scratch / str(place)).symlink_to(file.resolve())
    return scratch


def _sourmash(words: Sequence[str], folder: Path) -> None:
    """Run sourmash in the folder.

    Raises
    ------
    CountingError
        It stopped; told with its last lines.
    """
    command = [sys.executable, "-P", "-m", "sourmash", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, errors="replace")  # noqa: S603 - a list, no shell
    if done.returncode:
        lines = ESCAPES.sub("\n", done.stderr).splitlines()
        said = [line.strip() for line in lines if line.strip() and not line.startswith("==")][-LINES_TOLD:]
        raise CountingError(
            f"sourmash {words[0]} stopped (status {done.returncode}): {' / '.join(said) or 'it said nothing'}"
        )
