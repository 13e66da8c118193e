"""From FASTQ files to the matrices that a study names: the optional step in front of everything else."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import CountingError
from rabiomarkers.files import read_table, write_cells, write_csv
from rabiomarkers.ingest.quantify import count_bulk_step, count_cells_step, programs
from rabiomarkers.ingest.reads import Library, Technology, check_reads
from rabiomarkers.prepared import LINES, put_folder, refuse_foreign, written_from_study
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.steps import Call, direct, run_jobs
from rabiomarkers.store import Job, StepResult, Store

MARK = "counting.json"
LEAST_PSEUDOALIGNED = 0.3
"""Below this share of reads something is wrong more often than not: another species, another annotation, adapters."""


@dataclass(frozen=True, kw_only=True)
class Counting:
    """What is counted, and with what."""

    sheet: Path
    index: Path
    transcripts: Path
    technology: Technology = "bulk"
    reads: Path | None = None  # a second folder for FASTQ files
    barcodes: Path | None = None  # the barcodes of the 10x chemistry
    strand: str = "unstranded"
    fragment_length: float = 200.0  # of reads without mates
    fragment_sd: float = 30.0
    threads: int = 1


def count_reads(
    asked: Counting, store: Store, out: Path, *, call: Call = direct, progress: Progress = SILENT
) -> tuple[StepResult, ...]:
    """Count every library of the sheet into the folder `out`, written whole or not at all; what was counted before is not again.

    Bulk: `counts.h5ad`, samples x genes, for the assay `rna_counts`. 10x: `<sample_id>.h5ad`, cells x genes, for `sc_counts`.
    Beside it `qc.csv` (reads, share that fits the index) and `samples_lines.csv`, the lines to complete and add to `samples.csv`.
    The folder always holds the libraries of the sheet and no others: a second sheet gets a folder of its own, or its rows are added
    to the first.

    Raises
    ------
    InputError
        Every fault of the sheet, the FASTQ files, the index, the table of transcripts and the list of barcodes, or a library that
        cannot be counted with them; nothing is written.
    CountingError
        kb-python is not installed, or a program stopped.
    ResultsError
        `out` is there and holds something else, or lines that somebody completed.
    """
    refuse_foreign(out, mark=MARK, what="counts")
    programs()
    libraries: list[Library] = call("check reads", _checked, asked)
    results: list[StepResult] = call(
        "count reads",
        run_jobs,
        "count reads",
        store,
        [_job(asked, library) for library in libraries],
        progress=progress,
    )
    call("write counts", _publish, asked, results, out)
    return tuple(results)


def _checked(asked: Counting) -> list[Library]:
    return check_reads(
        asked.sheet,
        asked.index,
        asked.transcripts,
        technology=asked.technology,
        reads=asked.reads,
        barcodes=asked.barcodes,
    )


def _job(asked: Counting, library: Library) -> Job:
    inputs = {"index": asked.index, "transcripts": asked.transcripts}
    inputs |= {f"read1:{lane}": path for lane, path in enumerate(library.read1)}
    inputs |= {f"read2:{lane}": path for lane, path in enumerate(library.read2)}
    shared: dict[str, Any] = {"lanes": len(library.read1), "threads": asked.threads}
    if asked.technology == "bulk":
        options = {"strand": asked.strand, "paired": library.paired}
        fragments = {"fragment_length": asked.fragment_length, "fragment_sd": asked.fragment_sd}
        parameters = shared | options | fragments
        step: Any = count_bulk_step
    else:
        inputs |= {"barcodes": asked.barcodes} if asked.barcodes is not None else {}
        parameters = shared | {"technology": asked.technology, "sample_id": library.sample_id}
        step = count_cells_step
    name = f"count {library.sample_id}"
    return Job(name=name, step=step, inputs=inputs, parameters=parameters, sample_ids=(library.sample_id,))


def _publish(asked: Counting, results: Sequence[StepResult], out: Path) -> None:
    """Put the counts where the user asked for them."""
    facts = {"technology": asked.technology, "samples": [result.sample_ids[0] for result in results]}
    write = partial(_write, results, written_from_study(out), asked.technology == "bulk")
    put_folder(out, mark=MARK, facts=facts, write=write)


def _write(results: Sequence[StepResult], folder: str, bulk: bool, made: Path) -> None:
    if bulk:
        _write_bulk(results, made / "counts.h5ad")
    else:
        for result in results:
            name = f"{result.sample_ids[0]}.h5ad"
            shutil.copyfile(result.file(name), made / name)
    write_csv(_quality(results), made / "qc.csv")
    write_csv(_lines(results, folder, bulk=bulk), made / LINES)


def _write_bulk(results: Sequence[StepResult], path: Path) -> None:
    from anndata import AnnData  # takes a second to load

    columns = {
        result.sample_ids[0]: read_table(result.file("counts.parquet")).set_index("gene")["value"] for result in results
    }
    counts = pd.DataFrame(columns).sort_index()
    if counts.isna().any(axis=None):  # one index and one table give every library the same genes
        raise CountingError("The libraries were counted against different indices; delete the store and count again.")
    obs = pd.DataFrame({"sample_id": list(counts.columns)}, index=pd.Index(list(counts.columns)))
    var = pd.DataFrame(index=pd.Index(counts.index.astype(str), name=None))
    write_cells(AnnData(X=counts.to_numpy(np.float64).T, obs=obs, var=var), path)


def _quality(results: Sequence[StepResult]) -> pd.DataFrame:
    rows = []
    for result in results:
        facts: Mapping[str, Any] = result.info
        share = facts["pseudoaligned"] / facts["reads"] if facts["reads"] else 0.0
        low = f"fewer than {LEAST_PSEUDOALIGNED:.0%} of the reads fit the index: is it of this species and annotation?"
        rows.append(
            {
                "sample_id": result.sample_ids[0],
                **facts,
                "share": share,
                "finding": low if share < LEAST_PSEUDOALIGNED else "",
            }
        )
    return pd.DataFrame(rows)


def _lines(results: Sequence[StepResult], folder: str, *, bulk: bool) -> pd.DataFrame:
    """Rows for `samples.csv`; whose sample it is, when and where it was taken, only the user knows."""
    samples = [result.sample_ids[0] for result in results]
    return pd.DataFrame(
        {
            "sample_id": samples,
            "patient_id": "",
            "timepoint": "",
            "compartment": "",
            "assay": "rna_counts" if bulk else "sc_counts",
            "path": [f"{folder}/{'counts' if bulk else sample}.h5ad" for sample in samples],
            "batch": "",
        }
    )
