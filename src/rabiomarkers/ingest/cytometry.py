"""Flow and mass cytometry: one FCS file a sample, on a linear scale, compensated, its columns named by marker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.errors import InputError
from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.compensation import (
    Spillover,
    compensated,
    is_compensated,
    read_compensation,
    spillover_of_file,
)
from rabiomarkers.ingest.fcs import FcsFile, read_fcs
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.panels import Synonyms, columns_of, read_panel
from rabiomarkers.knowledge import load_marker_synonyms


def read_cytometry(
    path: Path,
    *,
    label: str,
    sample_ids: Sequence[str],
    assay: str,
    panel: Path | None = None,
    compensation: Path | None = None,
    synonyms: Synonyms | None = None,
) -> dict[str, pd.DataFrame]:
    """The events of one sample.

    Parameters
    ----------
    path
        FCS 2.0, 3.0 or 3.1, list mode.
    label
        How the file is called in problems; its panel and compensation are called by their own names.
    sample_ids
        The sample; one file holds one.
    assay
        ``flow`` or ``cytof``; mass cytometry is not compensated unless a matrix is given.
    panel
        CSV `channel, marker`; without it the file's own labels ($PnS) are believed.
    compensation
        CSV: a spillover matrix, or a table of single-stain controls; without it the file's own matrix is used, if it has one and
        its events are not compensated already, which the names of its channels say (``Comp-B515-A``, ``<B515-A>``).
    synonyms
        From `load_marker_synonyms`; the table that ships where None.

    Returns
    -------
    By sample id: events x columns, float32, linear; ``attrs["passport"]`` with `scale`, `declared`, `events`, `channels` and
    `compensation` (none, file, matrix, controls, or ``done before``).

    Raises
    ------
    InputError
        Every problem of the file, its panel and its compensation.
    """
    findings = Findings(label)
    if len(sample_ids) != 1:
        findings.add(
            f"{len(sample_ids)} samples ({named(sample_ids)}) in one FCS file",
            "a file for each sample",
            "correct the column path of samples.csv",
        )
    problems = findings.problems
    file = _told(lambda: read_fcs(path, Findings(label)), problems)
    markers = None if panel is None else _told(lambda: read_panel(panel), problems)
    if file is None:  # its problems are noted; nothing of panel or compensation can be held against it
        raise InputError(problems)
    in_panel = Findings(label if panel is None else panel.name)
    columns = columns_of(file.channels, markers, synonyms if synonyms is not None else load_marker_synonyms(), in_panel)
    problems += in_panel.problems if panel is None or markers is not None else []
    spillover, remark = _spillover(file, label, assay, compensation, problems)
    findings.raise_if_any()
    events = file.events if spillover is None else compensated(file, spillover)
    frame = pd.DataFrame(events, columns=[name for name, _ in columns])
    source = spillover.source if spillover is not None else remark
    frame.attrs["passport"] = _passport(file, columns, assay, source)
    return {sample_ids[0]: frame}


def split_cytometry(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str], assay: str) -> Info:
    """`matrix` (the FCS file), `synonyms`, and where there are such `panel` and `compensation` -> `<sample_id>.parquet`."""
    pieces = read_cytometry(
        inputs["matrix"],
        label=label,
        sample_ids=sample_ids,
        assay=assay,
        panel=inputs.get("panel"),
        compensation=inputs.get("compensation"),
        synonyms=load_marker_synonyms(inputs["synonyms"]),
    )
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    passport = pieces[sample_ids[0]].attrs["passport"]
    markers = [name for name, channel in passport["channels"].items() if channel["kind"] == "marker"]
    return {key: passport[key] for key in ("scale", "events", "compensation")} | {"markers": markers}


def _passport(file: FcsFile, columns: Sequence[tuple[str, str]], assay: str, compensation: str) -> dict[str, Any]:
    return {
        "scale": "linear",
        "declared": assay,
        "events": len(file.events),
        "compensation": compensation,
        "channels": {
            name: {"detector": channel.detector, "range": channel.top, "kind": kind}
            for (name, kind), channel in zip(columns, file.channels, strict=True)
        },
    }


def _told(read: Any, problems: list[Any]) -> Any:
    """What `read` gives; None with its problems noted."""
    try:
        return read()
    except InputError as error:
        problems.extend(error.problems)
        return None


def _spillover(
    file: FcsFile, label: str, assay: str, compensation: Path | None, problems: list[Any]
) -> tuple[Spillover | None, str]:
    """The matrix to use, and in a word why there is none."""
    detectors = [channel.detector for channel in file.channels]
    if compensation is not None:
        own = Findings(compensation.name)
        found = _told(lambda: read_compensation(compensation, detectors, own), problems)
        problems += [problem for problem in own.problems if problem not in problems]
        return found, "none"
    if assay == "cytof":
        return None, "none"
    if is_compensated(detectors):
        return None, "done before"
    own = Findings(label)
    found = spillover_of_file(file, own)
    problems += own.problems
    return found, "none"
