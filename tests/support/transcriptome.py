"""A transcriptome of a few genes, and reads of it whose counts are known."""

import gzip
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np

GENES = {"CYP26A1": 2, "DHRS3": 1, "CD8A": 1, "GZMB": 1, "GPX4": 1}  # and how many transcripts each has
LENGTH = 1_200
READ = 75


def sequences(seed: int = 1) -> dict[str, tuple[str, str]]:
    """Transcript -> its gene and its bases; no two transcripts are alike, so that every read has one place."""
    rng = np.random.default_rng(seed)
    made, number = {}, 0
    for gene, transcripts in GENES.items():
        for _ in range(transcripts):
            number += 1
            made[f"ENST{number:011d}.1"] = (gene, "".join(rng.choice(list("ACGT"), LENGTH)))
    return made


def write_reference(folder: Path) -> tuple[Path, Path]:
    """`index` and the table of transcripts, built by the kallisto that kb-python ships."""
    from rabiomarkers.ingest.quantify import programs

    fasta, index, genes = folder / "transcripts.fa", folder / "transcripts.idx", folder / "t2g.txt"
    fasta.write_text("".join(f">{name}\n{bases}\n" for name, (_, bases) in sequences().items()))
    genes.write_text("".join(f"{name}\tENSG_{gene}\t{gene}\n" for name, (gene, _) in sequences().items()))
    subprocess.run([programs().kallisto, "index", "-i", index, fasta], check=True, capture_output=True, cwd=folder)
    return index, genes


def write_bulk(folder: Path, name: str, counts: Mapping[str, int], *, paired: bool = True, seed: int = 1) -> list[Path]:
    """FASTQ files with so many fragments of each gene (of its first transcript), shuffled."""
    rng = np.random.default_rng(seed)
    first = {gene: bases for _, (gene, bases) in reversed(sequences().items())}
    pairs = []
    for gene, count in counts.items():
        for _ in range(count):
            length = int(rng.integers(180, 260))
            start = int(rng.integers(0, LENGTH - length))
            fragment = first[gene][start : start + length]
            pairs.append((fragment[:READ], _reversed(fragment)[:READ]))
    rng.shuffle(pairs)
    files = []
    for place, read in enumerate(("1", "2") if paired else ("1",)):
        path = folder / f"{name}_{read}.fastq.gz"
        _write(path, [str(pair[place]) for pair in pairs])
        files.append(path)
    return files


def write_cells(folder: Path, name: str, molecules: Mapping[str, Mapping[str, int]], *, seed: int = 1) -> list[Path]:
    """10x v3 FASTQ files: by barcode and gene so many molecules, each read twice."""
    rng = np.random.default_rng(seed)
    first = {gene: bases for _, (gene, bases) in reversed(sequences().items())}
    barcodes, reads = [], []
    for barcode, counts in molecules.items():
        for gene, count in counts.items():
            for _ in range(count):
                molecule = "".join(rng.choice(list("ACGT"), 12))
                start = int(rng.integers(0, LENGTH - READ))
                barcodes += [barcode + molecule] * 2
                reads += [first[gene][start : start + READ]] * 2
    files = [folder / f"{name}_R{read}.fastq.gz" for read in (1, 2)]
    _write(files[0], barcodes)
    _write(files[1], reads)
    return files


def random_barcodes(number: int, seed: int = 3) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), 16)) for _ in range(number)]


def _write(path: Path, reads: list[str]) -> None:
    with gzip.open(path, "wt") as file:
        file.writelines(f"@r{place}\n{bases}\n+\n{'I' * len(bases)}\n" for place, bases in enumerate(reads))


def _reversed(bases: str) -> str:
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))
