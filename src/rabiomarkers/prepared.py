"""Folders made in front of a study, such as counts of reads: replaced as a whole, but never what people wrote or put there."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_json, replace_folder, write_json
from rabiomarkers.store import file_digest

LINES = "samples_lines.csv"
"""Rows for `samples.csv` that the user completes."""


def refuse_foreign(out: Path, *, mark: str, what: str) -> None:
    """Raise where replacing the folder would lose something.

    Parameters
    ----------
    out
        The folder; it need not be there.
    mark
        The file in it that says it is ours, and lists its files.
    what
        What it holds, in words.

    Raises
    ------
    ResultsError
        The folder is there and holds something else, or lines that somebody completed.
    """
    if not out.exists():
        return
    if not (out / mark).is_file():
        raise ResultsError(f"The folder {out.name!r} is there and holds no {what} of ours; name another one.")
    files: Mapping[str, str] = read_json(out / mark).get("files", {})
    if strange := sorted({path.name for path in out.iterdir()} - {*files, mark}):
        raise ResultsError(f"The folder {out.name!r} would be replaced, and holds {strange[0]!r}: move that elsewhere.")
    if (out / LINES).is_file() and file_digest(out / LINES) != files.get(LINES):
        raise ResultsError(
            f"{LINES} in {out.name!r} was completed by hand and would be written anew: "
            "add its lines to samples.csv, and delete it or move it elsewhere."
        )


def put_folder(out: Path, *, mark: str, facts: Mapping[str, Any], write: Callable[[Path], None]) -> None:
    """Have `write` fill a new folder, mark it with the facts and the digests of its files, and put it in place in one move."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".prepared-") as folder:
        made = Path(folder) / out.name
        made.mkdir()
        write(made)
        files = {path.name: file_digest(path) for path in sorted(made.iterdir())}
        write_json(dict(facts) | {"files": files}, made / mark)
        replace_folder(made, out)


def written_from_study(out: Path) -> str:
    """The folder as `samples.csv` has to write it: from the study that it lies in, else from beside it."""
    study = next((folder for folder in out.parents if (folder / "study.yaml").is_file()), out.parent)
    return out.relative_to(study).as_posix()
