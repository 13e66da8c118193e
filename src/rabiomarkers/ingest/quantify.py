"""Counting reads: kallisto and bustools, as the package kb-python ships them, each library by itself.

Nothing is downloaded: the index and the table of transcripts are the user's, the programs lie in the installed package.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
from scipy.io import mmread
from scipy.sparse import csr_matrix

from rabiomarkers.errors import CountingError
from rabiomarkers.files import Info, read_json, write_cells, write_table
from rabiomarkers.ingest.delimited import read_text
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.gene_tables import without_version
from rabiomarkers.ingest.reads import read_genes_of_transcripts

INSTALL = "Counting reads needs the package kb-python: install rabiomarkers[fastq]."
MOST_WITHOUT_GENE = 0.5
"""Above this share of transcripts without a gene the table is another annotation's, and most counts would be lost."""
WITHOUT_GENE = "without_gene:"
LINES_TOLD = 3  # of what a program said before it stopped
FEWEST_MOLECULES = 10
"""Barcodes with fewer molecules are kept out of the file: empty droplets by the hundred thousand. How many is told."""


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Where the counting programs lie."""

    kallisto: Path
    bustools: Path


def programs() -> Programs:
    """The programs of the installed kb-python; where the machine lacks what the fast kallisto asks of it, the plain one.

    Raises
    ------
    CountingError
        kb-python is not installed, or its programs do not run here.
    """
    if find_spec("kb_python") is None:
        raise CountingError(INSTALL)
    from kb_python import config  # loads scanpy, which takes seconds

    bustools, fast = Path(config.BUSTOOLS_PATH), Path(config.KALLISTO_PATH)
    for kallisto in (fast, fast.with_name(fast.name.replace("kallisto", "kallisto_optoff"))):
        if kallisto.is_file() and bustools.is_file() and _runs(kallisto) and _runs(bustools):
            return Programs(kallisto=kallisto, bustools=bustools)
    raise CountingError(f"The programs that kb-python ships do not run on this machine ({fast.name}, {bustools.name}).")


def _runs(program: Path) -> bool:
    try:
        done = subprocess.run([program, "version"], capture_output=True, check=False, timeout=60)  # noqa: S603 - a program of the installed package
    except OSError:  # made for another machine
        return False
    return done.returncode == 0


def count_bulk_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    lanes: int,
    paired: bool,
    strand: str,
    fragment_length: float,
    fragment_sd: float,
    threads: int,
) -> Info:
    """Estimated counts of one bulk library by gene: `counts.parquet` (gene, value) and facts about its reads.

    Inputs: `index`, `transcripts`, `read1:<lane>` and, where reads have mates, `read2:<lane>`. Reads that fit several transcripts
    are shared out by kallisto's expectation maximisation, transcripts are summed to genes; those without a gene are left out and
    counted. A library of which no read fits the index has counts of 0: that is a matter of its quality.

    Raises
    ------
    InputError
        Most transcripts of the index have no gene.
    CountingError
        kallisto stopped.
    """
    scratch = out / "scratch"
    reads = [inputs[name] for lane in range(lanes) for name in (f"read1:{lane}", f"read2:{lane}") if name in inputs]
    single = [] if paired else ["--single", "-l", f"{fragment_length:g}", "-s", f"{fragment_sd:g}"]
    stranded = {"forward": ["--fr-stranded"], "reverse": ["--rf-stranded"]}.get(strand, [])
    command = ["quant", "-i", inputs["index"], "-o", scratch, "-t", str(threads), "--plaintext", *single, *stranded]
    _run([programs().kallisto, *command, *reads], nothing_found=lambda: _nothing_found(scratch))
    found = pd.read_csv(scratch / "abundance.tsv", sep="\t", dtype={"target_id": str})
    facts = read_json(scratch / "run_info.json")
    shutil.rmtree(scratch)
    if not facts["n_pseudoaligned"]:
        found["est_counts"] = 0.0
    genes = _genes(found["target_id"], inputs["transcripts"])
    summed = found["est_counts"].groupby(genes.where(genes != "")).sum().sort_index()
    table = pd.DataFrame({"gene": summed.index.astype(str), "value": summed.to_numpy(np.float64)})
    write_table(table, out / "counts.parquet")
    return {
        "reads": int(facts["n_processed"]),
        "pseudoaligned": int(facts["n_pseudoaligned"]),
        "genes": len(table),
        "transcripts_without_gene": int((genes == "").sum()),
    }


def count_cells_step(
    inputs: Mapping[str, Path], out: Path, *, lanes: int, technology: str, sample_id: str, threads: int
) -> Info:
    """Counts of one 10x library, cells x genes: `<sample_id>.h5ad` and facts about its reads.

    Inputs: `index`, `transcripts`, `read1:<lane>`, `read2:<lane>`, and `barcodes` where the user has the list of the chemistry;
    without it the list is made of the barcodes that the data hold often. Molecules are counted once a cell and gene; those of
    transcripts without a gene are left out.

    Raises
    ------
    InputError
        No read fits the index, no barcode holds enough molecules, or most transcripts of the index have no gene.
    CountingError
        A program stopped.
    """
    tools, scratch = programs(), out / "scratch"
    reads = [inputs[f"{read}:{lane}"] for lane in range(lanes) for read in ("read1", "read2")]
    _run(
        [
            tools.kallisto,
            "bus",
            "-i",
            inputs["index"],
            "-o",
            scratch,
            "-x",
            technology.upper(),
            "-t",
            str(threads),
            *reads,
        ],
        nothing_found=lambda: _nothing_found(scratch),
    )
    facts = read_json(scratch / "run_info.json")
    if not facts["n_pseudoaligned"]:
        _refuse_library(inputs, "no read fits the index")
    lost = _write_genes(scratch, inputs["transcripts"])
    bus = scratch / "output.bus"
    sorted_bus, corrected, final = (scratch / f"{step}.bus" for step in ("sorted", "corrected", "final"))
    sort = [tools.bustools, "sort", "-t", str(threads), "-m", "1G", "-T", scratch / "tmp"]
    _run([*sort, "-o", sorted_bus, bus])
    barcodes = scratch / "barcodes.txt"
    if "barcodes" in inputs:  # 10x gives the list out gzipped, and bustools reads plain text
        barcodes.write_text(read_text(inputs["barcodes"], inputs["barcodes"].name))
    else:
        _run([tools.bustools, "allowlist", "-o", barcodes, sorted_bus])
    _run([tools.bustools, "correct", "-w", barcodes, "-o", corrected, sorted_bus])
    _run([*sort, "-o", final, corrected])
    made = ["-g", scratch / "t2g.txt", "-e", scratch / "matrix.ec", "-t", scratch / "transcripts.txt"]
    _run([tools.bustools, "count", "--genecounts", "--umi-gene", "-o", scratch / "cells", *made, final])
    kept, seen = _write_matrix(scratch, out / f"{sample_id}.h5ad", sample_id)
    if not kept:
        _refuse_library(inputs, f"no barcode with {FEWEST_MOLECULES} molecules")
    shutil.rmtree(scratch)
    return {
        "reads": int(facts["n_processed"]),
        "pseudoaligned": int(facts["n_pseudoaligned"]),
        "cells": kept,
        "barcodes": seen,
        "transcripts_without_gene": lost,
    }


def _nothing_found(scratch: Path) -> bool:
    """Whether kallisto went through all reads and found a place for none: then it ends as if it had failed."""
    facts = scratch / "run_info.json"
    return facts.is_file() and read_json(facts)["n_pseudoaligned"] == 0


def _refuse_library(inputs: Mapping[str, Path], found: str) -> NoReturn:
    Findings(inputs["read1:0"].name).fail(
        found,
        "reads of the index's species and of the technology that was named",
        "look at the sheet, the index and the technology, or take the sample out of the sheet",
    )


def _genes(transcripts: "pd.Series[str]", table: Path) -> "pd.Series[str]":
    """The gene of each transcript of the index, "" where the table has none.

    Raises
    ------
    InputError
        Most have none.
    """
    known = read_genes_of_transcripts(table)
    genes = without_version(transcripts.str.split("|").str[0]).map(known).fillna("").astype(str)
    if (without := float((genes == "").mean())) > MOST_WITHOUT_GENE:
        Findings(table.name).fail(
            f"no gene for {without:.0%} of the {len(genes):,} transcripts of the index",
            "the transcripts that the index was built from",
            "take the table of the same annotation and release as the index",
        )
    return genes


def _write_genes(scratch: Path, table: Path) -> int:
    """Transcripts of the index and their genes, as bustools reads them; how many have no gene and stand under `WITHOUT_GENE`."""
    names = pd.Series((scratch / "transcripts.txt").read_text().split(), dtype=str)
    genes = _genes(names, table)
    lines = [f"{name}\t{gene or WITHOUT_GENE + name}\n" for name, gene in zip(names, genes, strict=True)]
    (scratch / "t2g.txt").write_text("".join(lines))
    return int((genes == "").sum())


def _write_matrix(scratch: Path, path: Path, sample_id: str) -> tuple[int, int]:
    """The `.h5ad` of the barcodes with enough molecules, if there are any; how many these are, and of how many."""
    from anndata import AnnData  # takes a second to load

    counts = csr_matrix(mmread(scratch / "cells.mtx", spmatrix=False), dtype=np.float32)
    barcodes = (scratch / "cells.barcodes.txt").read_text().split()
    genes = (scratch / "cells.genes.txt").read_text().split()
    with_gene = [place for place, gene in enumerate(genes) if not gene.startswith(WITHOUT_GENE)]
    counts, genes = counts[:, with_gene], [genes[place] for place in with_gene]
    enough = np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() >= FEWEST_MOLECULES)
    if not len(enough):
        return 0, len(barcodes)
    names = pd.Index([barcodes[place] for place in enough])
    order = np.argsort(names.to_numpy(dtype=str), kind="stable")
    by_gene = np.argsort(np.asarray(genes, dtype=str), kind="stable")
    obs = pd.DataFrame({"sample_id": sample_id}, index=names[order])
    var = pd.DataFrame(index=pd.Index([genes[place] for place in by_gene]))
    write_cells(AnnData(X=counts[enough[order]][:, by_gene].tocsr(), obs=obs, var=var), path)
    return len(enough), len(barcodes)


def _run(command: Sequence[object], *, nothing_found: Callable[[], bool] = lambda: False) -> None:
    """Run a program; never through a shell. That it found nothing is no failure, where `nothing_found` says so.

    Raises
    ------
    CountingError
        It stopped; told with its last lines.
    """
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, errors="replace")  # noqa: S603 - a list, no shell
    if done.returncode == 0 or (done.returncode > 0 and nothing_found()):
        return
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-LINES_TOLD:]
    raise CountingError(
        f"{Path(words[0]).name} {words[1]} stopped (status {done.returncode}): {' / '.join(said) or 'it said nothing'}"
    )
