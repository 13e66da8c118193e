"""Small genomes, stools mixed from them in known parts, and sourmash run in this process."""

import contextlib
import gc
import gzip
import io
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

LETTERS = np.array(list("ACGT"))
PARTNER = str.maketrans("ACGT", "TGCA")
LENGTH = 60_000
READ, FRAGMENT = 100, 260
SPECIES = {
    "GCF_000000001.1": "Akkermansia muciniphila",
    "GCF_000000002.1": "Bacteroides ovatus",
    "GCF_000000003.1": "Bacteroides ovatus",
    "GCF_000000004.2": "Escherichia coli",
    "GCF_000000005.1": "Roseburia hominis",
}
PHYLA = {"Akkermansia": "Verrucomicrobiota", "Bacteroides": "Bacteroidota", "Escherichia": "Pseudomonadota"}


@cache
def genomes(seed: int = 1) -> dict[str, str]:
    """Bases by genome: 1, 4, 5 unrelated; 3 is 2 with one base in fifty exchanged, as strains of one species differ."""
    rng = np.random.default_rng(seed)
    made = {name: LETTERS[rng.integers(0, 4, LENGTH)] for name in SPECIES}
    strain = made["GCF_000000002.1"].copy()
    exchanged = rng.random(LENGTH) < 0.02
    strain[exchanged] = LETTERS[rng.integers(0, 4, int(exchanged.sum()))]
    made["GCF_000000003.1"] = strain
    made["stranger"] = LETTERS[rng.integers(0, 4, LENGTH)]
    return {name: "".join(letters) for name, letters in made.items()}


def write_genomes(folder: Path, *, without: Sequence[str] = ("stranger",)) -> Path:
    """A folder of FASTA files, every other one gzipped, each of two contigs."""
    folder.mkdir()
    for place, (name, bases) in enumerate(genomes().items()):
        if name in without:
            continue
        text = "".join(f">{name}_{part}\n{bases[part * 30_000 : (part + 1) * 30_000]}\n" for part in (0, 1))
        if place % 2:
            (folder / f"{name}.fna").write_text(text)
        else:
            (folder / f"{name}.fa.gz").write_bytes(gzip.compress(text.encode(), 1, mtime=0))
    return folder


def write_lineages(path: Path) -> Path:
    """A table of lineages as sourmash gives them out, in GTDB's spelling."""
    rows = ["ident,superkingdom,phylum,class,order,family,genus,species"]
    for name, species in SPECIES.items():
        genus = species.split()[0]
        phylum = PHYLA.get(genus, "Bacillota_A")
        rows.append(f"{name},d__Bacteria,p__{phylum},c__{genus}c,o__{genus}o,f__{genus}f,g__{genus},s__{species}")
    path.write_text("\n".join(rows) + "\n")
    return path


def write_stool(
    folder: Path, name: str, mixture: Mapping[str, float], *, fragments: int = 3_000, errors: float = 0.0, seed: int = 2
) -> str:
    """Two FASTQ files of mates from both strands, so many fragments of each genome; the row of the sheet.

    `errors` is the share of bases that are exchanged.
    """
    rng = np.random.default_rng(seed)
    known = genomes()
    pairs = []
    for genome, share in mixture.items():
        for start in rng.integers(0, LENGTH - FRAGMENT, round(share * fragments)):
            fragment = known[genome][start : start + FRAGMENT]
            pair = (fragment[:READ], fragment[::-1].translate(PARTNER)[:READ])
            pairs.append(pair if rng.random() < 0.5 else pair[::-1])
    order = rng.permutation(len(pairs))
    for mate in (0, 1):
        reads = (_misread(pairs[place][mate], errors, rng) for place in order)
        lines = "".join(f"@r{number}/{mate + 1}\n{read}\n+\n{'I' * READ}\n" for number, read in enumerate(reads))
        (folder / f"{name}_{mate + 1}.fastq.gz").write_bytes(gzip.compress(lines.encode(), 1, mtime=0))
    return f"{name.rstrip('ab')},{name}_1.fastq.gz,{name}_2.fastq.gz\n"


def _misread(read: str, errors: float, rng: np.random.Generator) -> str:
    if not errors:
        return read
    letters = np.array(list(read))
    wrong = rng.random(READ) < errors
    letters[wrong] = LETTERS[rng.integers(0, 4, int(wrong.sum()))]
    return "".join(letters)


def sourmash_here(words: Sequence[str], folder: Path) -> None:
    """The command line of sourmash in this process, where it need not be loaded anew for each call."""
    from sourmash.__main__ import main

    said = io.StringIO()
    gc.freeze()  # what was there before is not gone through
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(said),
        warnings.catch_warnings(action="ignore"),  # it leaves files and databases for the collector to close
    ):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            if ended.code:
                raise RuntimeError(said.getvalue()) from None
        finally:
            gc.collect()
            gc.unfreeze()
