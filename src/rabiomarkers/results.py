"""A results folder, opened: each table is read when it is first asked for."""

from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rabiomarkers.errors import ResultsError
from rabiomarkers.files import read_json, read_table
from rabiomarkers.result_tables import ResultTables
from rabiomarkers.tables.published import FIRST_COLUMNS, TABLES
from rabiomarkers.tables.table import Table

if TYPE_CHECKING:
    from mudata import MuData


def open_results(folder: str | Path) -> "Results":
    """The results folder that `rabiomarkers run` or `rabiomarkers demo` wrote.

    Raises
    ------
    ResultsError
        There is no such folder, or it is not a results folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultsError(
            f"There is no folder {str(path)!r}. `rabiomarkers demo` makes results/demo; "
            "`rabiomarkers run STUDY --out RESULTS` makes one from a study."
        )
    if not (path / "summary.json").is_file():
        hint = "it is a study, `rabiomarkers run` makes results of it" if (path / "samples.csv").is_file() else ""
        raise ResultsError(
            f"{str(path)!r} is not a results folder: it holds no summary.json"
            + (f"; {hint}." if hint else ". Give the folder that was named in `rabiomarkers run ... --out`.")
        )
    return Results(path)


@dataclass(frozen=True)
class Results(ResultTables):
    """The tables of one results folder, as attributes: `results.changes`, `results.outcomes`, ...

    `summary` and `run` are the two JSON documents, `mudata()` all features as MuData.
    """

    folder: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every number of the report's front page."""
        return self._document("summary.json")

    @cached_property
    def run(self) -> dict[str, Any]:
        """How the results were made: digests, parameters, versions, steps."""
        return self._document("run.json")

    def mudata(self) -> "MuData":
        """All features, one modality per compartment and assay; samples in `.obs`."""
        import mudata  # seconds to load, and most readers want a table

        return mudata.read_h5mu(self._file("study.h5mu"))

    def _table(self, name: str) -> pd.DataFrame:
        file, table, _ = TABLES[name]
        path = self._file(file)
        try:
            frame = read_table(path)
        except ValueError as error:  # what pyarrow raises on a file that is no Parquet
            raise ResultsError(_damaged(path)) from error
        return _checked(name, table, frame)

    def _document(self, file: str) -> dict[str, Any]:
        path = self._file(file)
        try:
            document = read_json(path)
        except ValueError as error:  # no JSON, or no text
            raise ResultsError(_damaged(path)) from error
        if not isinstance(document, dict):
            raise ResultsError(_damaged(path))
        return document

    @property
    def model_files(self) -> list[Path]:
        """The frozen models, one file each, in the order of their names; `read_frozen` reads one.

        Raises ResultsError for results of a version that kept them otherwise.
        """
        found = sorted((self.folder / "models").glob("*.skops"))
        if not found and (self.folder / "models" / "frozen.json").is_file():
            raise ResultsError(
                f"The results folder {str(self.folder)!r} holds its models as frozen.json, as an earlier version wrote them. "
                "`rabiomarkers run STUDY --out RESULTS` writes them anew; steps that are already computed are not computed again."
            )
        return found

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            there = ", ".join(sorted(part.name for part in self.folder.iterdir())) or "nothing"
            raise ResultsError(
                f"The results folder {str(self.folder)!r} holds no {name} (it holds {there}). "
                "`rabiomarkers run STUDY --out RESULTS` writes it; steps that are already computed are not computed again."
            )
        return path

    def __repr__(self) -> str:
        present = [name for name, (file, _, _) in TABLES.items() if (self.folder / file).is_file()]
        return (
            f"Results of {self.summary.get('study', 'a study without a name')} in {str(self.folder)!r}\n"
            f"  tables: {', '.join(present)}\n"
            "  documents: summary, run; features as MuData: mudata()"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(row)}</td><td>{escape(file)}</td></tr>"
            for name, (file, _, row) in TABLES.items()
            if (self.folder / file).is_file()
        )
        sentences = "".join(f"<li>{escape(str(sentence))}</li>" for sentence in self.summary.get("answer", []))
        return (
            f"<h3>{escape(str(self.summary.get('study', '')))}</h3><ul>{sentences}</ul>"
            f"<table><caption>Tables of {escape(str(self.folder))}</caption>"
            "<thead><tr><th scope='col'>attribute</th><th scope='col'>one row is a</th><th scope='col'>file</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def _checked(name: str, table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as the table promises it; columns that an earlier version did not write are there and empty."""
    first = FIRST_COLUMNS.get(name, table.columns.keys())
    later = [column for column in table.columns if column not in first and column not in frame.columns]
    if not later:
        return table.check(frame)
    lenient = replace(table, may_be_empty=table.may_be_empty | set(later))
    return lenient.check(frame.join(table.empty()[later].reindex(frame.index)))


def _damaged(path: Path) -> str:
    return f"{path.name} in {path.parent.name!r} cannot be read: it is damaged. `rabiomarkers run` writes it anew."
