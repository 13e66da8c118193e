"""A results folder, written whole or not at all."""

import fcntl
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_json, read_table, replace_folder, write_csv, write_json
from rabiomarkers.store import StepResult

AS_CSV = (
    "changes",
    "families",
    "by_response",
    "courses",
    "axes",
    "enrichment",
    "identity",
    "gene_coverage",
    "gates",
    "populations",
    "gate_checks",
    "detection",
    "overlaps",
    "clones",
    "taxa",
    "microbes",
    "microbe_scores",
    "contaminants",
    "contaminated_samples",
    "stool_identity",
    "procrustes",
    "composition",
    "community",
    "links",
    "sensitivity",
    "shadow_null",
    "power",
    "outcomes",
    "predictions",
    "coefficients",
    "batch_validation",
    "stability",
    "learning_curve",
    "ledger",
    "qc",
    "toxicity",
    "remarks",
)
NOT_SHOWN = frozenset({"failed"})  # told by the ledger
PART_OF_FEATURES = "absolute."  # files whose rows are among the features


def publish(
    files: Mapping[str, Path],
    models: Mapping[str, Path],
    provenance: Path,
    steps: Sequence[StepResult],
    out: Path,
) -> Path:
    """Put the steps' files, the CSVs of the small tables and `run.json` where users look for them.

    Parameters
    ----------
    files
        What the steps wrote, by stem.
    models
        What goes into the folder `models`: frozen models and their cards, by file name.
    out
        The results folder; replaced in one move, so that a reader finds the old state or the new one.

    Raises
    ------
    ResultsError
        `out` is there, holds something, and is not a results folder: nothing of it is touched.
    """
    out = out.resolve()  # what a link leads to is replaced, not the link
    refuse_foreign_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f".{out.name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for leftover in out.parent.glob(f".{out.name}.new-*"):  # of a run that was killed
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix=f".{out.name}.new-", dir=out.parent))
        new.chmod(0o755)
        _fill(new, files, models)
        write_json(read_json(provenance) | {"steps": [_told(step) for step in steps]}, new / "run.json")
        replace_folder(new, out)
    return out


def refuse_foreign_folder(out: Path) -> None:
    """Raise ResultsError if writing results to `out` would destroy something else."""
    if out.is_dir() and any(out.iterdir()) and not (out / "run.json").is_file():
        raise ResultsError(
            f"The folder {out.name!r} holds something that is no results folder (it has no run.json); "
            "it would be replaced. Choose another --out, or empty it first."
        )
    if out.exists() and not out.is_dir():
        raise ResultsError(f"{out.name!r} is a file; results need a folder. Choose another --out.")


def _fill(new: Path, files: Mapping[str, Path], models: Mapping[str, Path]) -> None:
    for stem, path in sorted(files.items()):
        if stem in NOT_SHOWN or stem.startswith(PART_OF_FEATURES):
            continue
        if stem in AS_CSV:
            write_csv(read_table(path), new / f"{stem}.csv")
        shutil.copyfile(path, new / path.name)
    (new / "models").mkdir()
    for name, path in sorted(models.items()):
        shutil.copyfile(path, new / "models" / name)


def _told(step: StepResult) -> dict[str, object]:
    return {
        "name": step.name,
        "key": step.key,
        "reused": step.reused,
        "seconds": step.seconds,
        "sample_ids": list(step.sample_ids),
    }
