"""Controls of cytometry: stained without one marker (FMO) or with an isotype, they say where the marker's cut lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rabiomarkers.ingest.delimited import require_sheet
from rabiomarkers.ingest.findings import Findings, one_of
from rabiomarkers.ingest.places import Place

COLUMNS = ("batch", "marker", "file", "kind")
KINDS = ("fmo", "isotype")


@dataclass(frozen=True, kw_only=True, order=True)
class Control:
    """One control of one batch."""

    batch: str
    marker: str
    kind: str
    path: Path


def read_controls(path: Path, *, label: str | None = None, batches: Sequence[str] | None = None) -> list[Control]:
    """The controls of a study, sorted.

    Parameters
    ----------
    path
        CSV with `batch, marker, file, kind` (``fmo`` or ``isotype``); files count from where the table lies and stay below it.
    label
        How the table is called in problems.
    batches
        The batches that there are; None where they are not known.

    Raises
    ------
    InputError
        Every problem of the table.
    """
    findings = Findings(label or path.name)
    sheet = require_sheet(path, required=COLUMNS, findings=findings)
    place = Place(folder=path.parent, data_root=None)
    controls: dict[tuple[str, str], int] = {}
    found = []
    for line, row in sheet.rows():
        for column in COLUMNS:
            if not row[column]:
                findings.add("an empty cell", "a value", f"fill in {column}", row=line, column=column)
        if row["kind"] and row["kind"] not in KINDS:
            findings.add(f"{row['kind']!r}", one_of(row["kind"], KINDS), "correct the kind", row=line, column="kind")
        if batches is not None and row["batch"] and row["batch"] not in batches:
            findings.add(
                f"no batch {row['batch']!r}",
                one_of(row["batch"], batches),
                "name a batch of samples.csv",
                row=line,
                column="batch",
            )
        earlier = controls.setdefault((row["batch"], row["marker"]), line)
        if earlier != line:
            told = f"a second control of {row['marker']} (line {earlier})"
            findings.add(told, "one control of a marker and batch", "remove one", row=line, column="marker")
        own = place.find(row["file"]) if row["file"] else None
        if row["file"] and (own is None or not own.is_file()):
            findings.add(
                f"no file {row['file']!r} beside this table",
                "an FCS file below the folder of this table",
                "correct the path or copy the file there",
                row=line,
                column="file",
            )
        elif own is not None:
            found.append(Control(batch=row["batch"], marker=row["marker"], kind=row["kind"], path=own))
    findings.raise_if_any()
    return sorted(found)
