"""From FASTQ files to the matrices that a study names: the optional step in front of everything else."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import CountingError, ResultsError
from rabiomarkers.files import read_json, read_table, replace_folder, write_cells, write_csv, write_json
from rabiomarkers.ingest.quantify import count_bulk_step, count_cells_step, programs
from rabiomarkers.ingest.reads import Library, Technology, check_reads
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.steps import Call, direct, run_jobs
from rabiomarkers.store import Job, StepResult, Store, file_digest

MARK, LINES = "counting.json", "samples_lines.csv"
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
    _refuse_foreign(out)
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
    """Put the counts where the user asked for them, in one move."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".counts-") as folder:
        made = Path(folder) / out.name
        made.mkdir()
        bulk = asked.technology == "bulk"
        if bulk:
            _write_bulk(results, made / "counts.h5ad")
        else:
            for result in results:
                name = f"{result.sample_ids[0]}.h5ad"
                shutil.copyfile(result.file(name), made / name)
        write_csv(_quality(results), made / "qc.csv")
        write_csv(_lines(results, _written_from(out), bulk=bulk), made / LINES)
        facts = {"technology": asked.technology, "samples": [result.sample_ids[0] for result in results]}
        files = {path.name: file_digest(path) for path in sorted(made.iterdir())}
        write_json(facts | {"files": files}, made / MARK)
        replace_folder(made, out)


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


def _written_from(out: Path) -> str:
    """The folder as `samples.csv` has to write it: from the study that it lies in, else from beside it."""
    study = next((folder for folder in out.parents if (folder / "study.yaml").is_file()), out.parent)
    return out.relative_to(study).as_posix()


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


def _refuse_foreign(out: Path) -> None:
    """The folder is replaced as a whole, so nothing may be in it that is not ours or that somebody worked on."""
    if not out.exists():
        return
    if not (out / MARK).is_file():
        raise ResultsError(f"The folder {out.name!r} is there and holds no counts of ours; name another one.")
    files: Mapping[str, str] = read_json(out / MARK).get("files", {})
    if strange := sorted({path.name for path in out.iterdir()} - {*files, MARK}):
        raise ResultsError(f"The folder {out.name!r} would be replaced, and holds {strange[0]!r}: move that elsewhere.")
    if (out / LINES).is_file() and file_digest(out / LINES) != files.get(LINES):
        raise ResultsError(
            f"{LINES} in {out.name!r} was completed by hand and would be written anew: "
            "add its lines to samples.csv, and delete it or move it elsewhere."
        )
