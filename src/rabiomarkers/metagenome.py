"""From FASTQ files of stools to a table of taxa that a study names: the optional step in front of everything else."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.files import read_table, write_csv
from rabiomarkers.ingest.genomes import Genomes, check_genomes, read_lineages, taxon_of
from rabiomarkers.ingest.reads import Library, read_libraries
from rabiomarkers.ingest.sketches import gather_step, sketch_genomes_step, sketch_reads_step, sourmash_release
from rabiomarkers.prepared import LINES, put_folder, refuse_foreign, written_from_study
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.steps import Call, direct, run_jobs
from rabiomarkers.store import Job, StepResult, Store

MARK, ABUNDANCE, MATCHES = "profile.json", "abundance.csv", "matches.csv"
LEAST_CLASSIFIED = 0.3
"""Below this share of k-mers the profile is of a minor part of the stool: host, adapters or a database of other genomes."""
LEAST_UNPLACED = 0.001  # of a sample: less is not worth a finding
FACTS = ("reads", "kmers", "distinct_kmers", "genomes", "classified", "unclassified")


@dataclass(frozen=True, kw_only=True)
class Profiling:
    """What is profiled, and against what."""

    sheet: Path
    database: Path
    lineages: Path | None = None
    reads: Path | None = None  # a second folder for FASTQ files
    ksize: int = 31  # bases; 31 tells species apart
    scaled: int = 1000  # one k-mer in so many is kept
    threshold_bp: int = 50_000  # a genome of which fewer bases are found is not called


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """What the input holds."""

    libraries: tuple[Library, ...]
    genomes: Genomes
    lineages: Mapping[str, str]  # of genomes that have one


def profile_reads(
    asked: Profiling, store: Store, out: Path, *, call: Call = direct, progress: Progress = SILENT
) -> tuple[StepResult, ...]:
    """Profile every sample of the sheet into the folder `out`, written whole or not at all; what was done before is not again.

    `abundance.csv`: taxa x samples, shares of what was classified, for the assay `taxa_relabund`. Species with a table of lineages,
    else genomes. `qc.csv`: reads, k-mers, the share that no genome explains. `matches.csv`: each genome that was found, with its
    share of everything. `samples_lines.csv`: the lines to complete and add to `samples.csv`.

    Shares are of DNA, not of cells: a genome twice as long counts twice. The folder always holds the samples of the sheet and no
    others.

    Returns
    -------
    What `gather_step` made of each sample, in the order of the sample ids.

    Raises
    ------
    InputError
        Every fault of the sheet, the FASTQ files, the database and the lineages; nothing is written.
    CountingError
        sourmash is not installed, or stopped.
    ResultsError
        `out` is there and holds something else, or lines that somebody completed.
    """
    refuse_foreign(out, mark=MARK, what="profile")
    release = sourmash_release()
    checked: _Checked = call("check reads", _check, asked)
    database = checked.genomes.sketches
    if database is None:
        job = _genomes_job(asked, checked.genomes, release)
        (made,) = call("sketch genomes", run_jobs, "sketch genomes", store, [job], progress=progress)
        database = made.file("genomes.sig")
    jobs = [_sketch_job(asked, library, release) for library in checked.libraries]
    sketches: list[StepResult] = call("sketch reads", run_jobs, "sketch reads", store, jobs, progress=progress)
    jobs = [_gather_job(asked, sketch, database, release) for sketch in sketches]
    found: list[StepResult] = call("find genomes", run_jobs, "find genomes", store, jobs, progress=progress)
    call("write profile", _publish, asked, checked, sketches, found, out, release)
    return tuple(found)


def _check(asked: Profiling) -> _Checked:
    """The libraries, the genomes and their lineages.

    Raises
    ------
    InputError
        Every fault of each.
    """
    problems: list[Problem] = []
    genomes, lineages, libraries = Genomes(names=()), {}, []
    try:
        genomes = check_genomes(asked.database, ksize=asked.ksize)
        if asked.lineages is not None:
            lineages = read_lineages(asked.lineages, genomes=genomes.names)
    except InputError as error:
        problems += error.problems
    try:
        libraries = read_libraries(asked.sheet, technology="bulk", reads=asked.reads)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return _Checked(libraries=tuple(libraries), genomes=genomes, lineages=lineages)


def _genomes_job(asked: Profiling, genomes: Genomes, release: str) -> Job:
    return Job(
        name="sketch genomes",
        step=sketch_genomes_step,
        inputs={f"genome:{name}": path for name, path in genomes.fasta.items()},
        parameters={"names": list(genomes.names), "ksize": asked.ksize, "scaled": asked.scaled, "release": release},
    )


def _sketch_job(asked: Profiling, library: Library, release: str) -> Job:
    inputs = {f"read1:{lane}": path for lane, path in enumerate(library.read1)}
    inputs |= {f"read2:{lane}": path for lane, path in enumerate(library.read2)}
    lanes = len(library.read1)
    return Job(
        name=f"sketch {library.sample_id}",
        step=sketch_reads_step,
        inputs=inputs,
        parameters={"lanes": lanes, "ksize": asked.ksize, "scaled": asked.scaled, "release": release},
        sample_ids=(library.sample_id,),
    )


def _gather_job(asked: Profiling, sketch: StepResult, database: Path, release: str) -> Job:
    return Job(
        name=f"find genomes {sketch.sample_ids[0]}",
        step=gather_step,
        inputs={"sketch": sketch.file("sketch.sig"), "database": database},
        parameters={"ksize": asked.ksize, "threshold_bp": asked.threshold_bp, "release": release},
        sample_ids=sketch.sample_ids,
    )


def _publish(
    asked: Profiling,
    checked: _Checked,
    sketches: Sequence[StepResult],
    found: Sequence[StepResult],
    out: Path,
    release: str,
) -> None:
    """Put the profile where the user asked for it."""
    matches = _matches(found, checked.lineages)
    facts = {
        "database": asked.database.name,
        "lineages": None if asked.lineages is None else asked.lineages.name,
        "ksize": asked.ksize,
        "scaled": asked.scaled,
        "threshold_bp": asked.threshold_bp,
        "sourmash": release,
        "samples": [result.sample_ids[0] for result in found],
    }
    nameless = matches[matches["lineage"] == ""].groupby("sample_id")["share"].sum().to_dict()
    unplaced = nameless if checked.lineages else {}
    write = partial(_write, matches, unplaced, sketches, found, written_from_study(out))
    put_folder(out, mark=MARK, facts=facts, write=write)


def _write(
    matches: pd.DataFrame,
    unplaced: Mapping[Hashable, float],
    sketches: Sequence[StepResult],
    found: Sequence[StepResult],
    folder: str,
    made: Path,
) -> None:
    samples = [result.sample_ids[0] for result in found]
    profiled = [result.sample_ids[0] for result in found if result.info["genomes"]]
    write_csv(_abundance(matches, samples), made / ABUNDANCE)
    write_csv(matches, made / MATCHES)
    write_csv(_quality(sketches, found, unplaced), made / "qc.csv")
    write_csv(_lines(profiled, folder), made / LINES)


def _matches(found: Sequence[StepResult], lineages: Mapping[str, str]) -> pd.DataFrame:
    """Every genome of every sample, with its taxon and lineage."""
    parts = [read_table(result.file("matches.parquet")).assign(sample_id=result.sample_ids[0]) for result in found]
    table = pd.concat(parts, ignore_index=True)
    table["lineage"] = [lineages.get(genome, "") for genome in table["genome"]]
    table["taxon"] = [taxon_of(*pair) for pair in zip(table["genome"], table["lineage"], strict=True)]
    return table[["sample_id", "taxon", "genome", "share", "depth", "found", "bases", "lineage"]]


def _abundance(matches: pd.DataFrame, samples: Sequence[str]) -> pd.DataFrame:
    """Taxa x samples: shares of what was classified, as profilers give them; what was not is in `qc.csv`."""
    summed = matches.pivot_table(index=["taxon", "lineage"], columns="sample_id", values="share", aggfunc="sum")
    shares = summed.reindex(columns=list(samples)).fillna(0.0)
    totals = shares.sum()
    return (shares / totals.where(totals > 0, 1.0)).sort_index().reset_index().rename_axis(columns=None)


def _quality(
    sketches: Sequence[StepResult], found: Sequence[StepResult], unplaced: Mapping[Hashable, float]
) -> pd.DataFrame:
    """A row a sample; `unplaced` is the share of its k-mers that are of genomes without a lineage."""
    rows = []
    for sketch, result in zip(sketches, found, strict=True):
        sample, facts = sketch.sample_ids[0], sketch.info | result.info
        told = {name: facts[name] for name in FACTS}
        rows.append({"sample_id": sample, **told, "finding": _finding(facts, unplaced.get(sample, 0.0))})
    return pd.DataFrame(rows)


def _finding(facts: Mapping[str, float], unplaced: float) -> str:
    left_out = "the sample is left out of samples_lines.csv"
    if not facts["kmers"]:
        return f"no k-mers: the reads are shorter than a k-mer, or too few; {left_out}"
    if not facts["genomes"]:
        return f"no genome of the database was found; {left_out}"
    told = []
    if facts["classified"] < LEAST_CLASSIFIED:
        told.append(f"less than {LEAST_CLASSIFIED:.0%} is of genomes of the database: host, adapters, other species?")
    if unplaced > LEAST_UNPLACED:
        told.append(f"{unplaced:.1%} is of genomes without a lineage: they stand under their own names")
    return "; ".join(told)


def _lines(samples: Sequence[str], folder: str) -> pd.DataFrame:
    """Rows for `samples.csv`; whose sample it is and when it was taken, only the user knows."""
    return pd.DataFrame(
        {
            "sample_id": list(samples),
            "patient_id": "",
            "timepoint": "",
            "compartment": "faecal",
            "assay": "taxa_relabund",
            "path": f"{folder}/{ABUNDANCE}",
            "batch": "",
        }
    )
