"""What is known before any patient is seen: gene signatures, cell markers, taxa and historical response rates.

The tables are the CSV files of `config/`, edited by scientists in a spreadsheet: whatever is wrong in one is told with
its file, row and column, all of it at once, and a row without a source is not accepted.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, Problem, RabiomarkersError

type Kind = Literal["text", "integer", "number"]
type Row = Mapping[str, str]

NOTHING_TO_SAY = "-"
VERIFICATIONS = ("list_checked", "source_checked", "pmid_gene_link", "memory")
LARGEST_SIGNATURE = 200  # beyond this a set describes a state of the whole cell, and one rank score of it says little

_DTYPES: Mapping[Kind, Any] = {"text": pd.StringDtype(na_value=np.nan), "integer": "Int64", "number": "float64"}
_IN_WORDS: Mapping[Kind, str] = {"text": "text", "integer": "a whole number", "number": "a number"}
_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(
    rf"(?i)(\d{{1,2}}[-/ ]({_MONTH})[a-z]*|({_MONTH})[-/ ]\d{{1,4}}|\d{{1,4}}[-/.]\d{{1,2}}([-/.]\d{{1,4}})?)"
)
_SYMBOL = re.compile(r"[A-Z][A-Za-z0-9.-]*")
_NAME = re.compile(
    r"[A-Za-z][A-Za-z0-9_.-]*"
)  # signature names become feature names; ":" and "*" mean something in a plan


def config_path(relative: str) -> Path:
    """Where a file that ships with the project lies, e.g. ``"signatures/gene_signatures.csv"``.

    Found beside the package where it was installed, and in `config/` of the source tree.

    Raises
    ------
    RabiomarkersError
        No such file ships with this version.
    """
    package = Path(__file__).parent
    for folder in (package / "_config", package.parent.parent / "config"):
        if (folder / relative).is_file():
            return folder / relative
    raise RabiomarkersError(f"No configuration file {relative!r} ships with this version of rabiomarkers.")


def load_signatures(path: Path) -> pd.DataFrame:
    """Gene signatures, one row a signature and gene, sorted by both.

    Columns: `signature`, `gene` (HGNC symbol), `direction` (1 up, -1 down; 1 also means "member" in
    pathway sets), `weight` (>= 0), `compartment` (tumour, blood, both), `axis`, `evidence`, `verification`, `source`,
    `note`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return _load(path, _SIGNATURES)


def load_aliases(path: Path) -> "pd.Series[str]":
    """Old or alternative gene symbol (index `alias`) -> the symbol used here (`gene`); only unambiguous ones.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; an alias that is itself the symbol of another gene is one.
    """
    return _load(path, _ALIASES).set_index("alias")["gene"]


def load_markers(path: Path) -> pd.DataFrame:
    """Markers of cell types and states, one row a cell type, marker and modality, sorted by them.

    Columns: `cell_type`, `parent` (``root`` or another cell type), `kind` (type, state), `marker`, `hgnc`, `sign`
    (+, -), `level`, `modality` (rna, protein), `compartment` (blood, tumour), `source`, `verification`, `note`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; a parent that is no cell type, or its own ancestor, is one.
    """
    return _load(path, _MARKERS)


def load_taxa(path: Path) -> pd.DataFrame:
    """Taxa with a role in retinoic-acid metabolism or immune-checkpoint response, one row a taxon, role and source.

    Columns: `taxon`, `rank`, `ncbi_taxid` (may be empty), `ncbi_name`, `role`, `evidence`, `context`, `source`,
    `verification`, `metaphlan_sgb`, `gtdb_r220`, `note`, `conflict`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return _load(path, _TAXA)


def load_historical(path: Path) -> pd.DataFrame:
    """Published response rates, one row a trial population.

    Rates and intervals are in percent; `cp_low` and `cp_high` are the exact (Clopper-Pearson) 95 % interval.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; `responders` above `n` is one.
    """
    return _load(path, _HISTORICAL)


@dataclass(frozen=True, kw_only=True)
class _Format:
    """What a knowledge file promises: its columns, what identifies a row, and rules beyond single cells."""

    columns: Mapping[str, Kind]
    key: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    allowed: Mapping[str, tuple[str, ...]]
    rules: tuple["_Rule", ...]


type _Fault = tuple[int | None, str | None, str, str, str]
"""Line, column, found, expected, remedy."""
type _Rule = Callable[[Mapping[int, Row]], Iterator[_Fault]]


def _load(path: Path, layout: _Format) -> pd.DataFrame:
    rows, faults = _read(path, layout)
    if not faults:
        faults = [*_cell_faults(rows, layout), *_key_faults(rows, layout)]
    if not faults:
        faults = [fault for rule in layout.rules for fault in rule(rows)]
    if faults:
        raise InputError(
            Problem(file=path.name, row=row, column=column, found=found, expected=expected, remedy=remedy)
            for row, column, found, expected, remedy in faults
        )
    texts = pd.DataFrame(list(rows.values()), columns=list(layout.columns), dtype=_DTYPES["text"])
    typed = {column: _typed(texts[column], kind) for column, kind in layout.columns.items()}
    return pd.DataFrame(typed).sort_values(list(layout.key), ignore_index=True)


def _typed(texts: "pd.Series[str]", kind: Kind) -> pd.Series:
    if kind == "text":
        return texts
    numbers = pd.to_numeric(texts.where(texts != "", np.nan), errors="raise")
    return numbers.astype("int64") if kind == "integer" and not numbers.isna().any() else numbers.astype(_DTYPES[kind])


def _read(path: Path, layout: _Format) -> tuple[dict[int, Row], list[_Fault]]:
    """Rows by the line a text editor shows; an empty `note` says the same as "-"."""
    if not path.is_file():
        return {}, [(None, None, "there is no such file", "a CSV file", "put it there or correct the path")]
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader]
    except UnicodeDecodeError:
        return {}, [(None, None, "the text is not UTF-8", "a CSV file in UTF-8", "save it as 'CSV UTF-8'")]
    except csv.Error as error:
        return {}, [(None, None, f"this is not CSV ({error})", "quoted cells closed", "save it as CSV again")]
    header = lines[0][1] if lines else []
    faults = list(_header_faults(header, layout))
    if faults:
        return {}, faults
    rows: dict[int, Row] = {}
    for line, cells in lines[1:]:
        if not any(cells):
            continue
        if len(cells) != len(header):
            told = f"{len(cells)} cells", f"{len(header)} as in the header", "quote a cell that holds a comma"
            faults.append((line, None, *told))
            continue
        row = dict(zip(header, cells, strict=True))
        rows[line] = row | {"note": row["note"] or NOTHING_TO_SAY} if "note" in row else row
    if not rows and not faults:
        faults.append((None, None, "the file has no rows", "at least one row", "restore the file that ships"))
    return rows, faults


def _header_faults(header: list[str], layout: _Format) -> Iterator[_Fault]:
    expected = f"the columns {', '.join(layout.columns)}"
    remedy = "use commas, and the names of the file that ships" if len(header) < 2 else "correct the header"
    for column in layout.columns:
        if column not in header:
            yield 1, column, "the column is missing", expected, remedy
    for column in dict.fromkeys(header):
        if column not in layout.columns:
            yield 1, column or "(no name)", "the column is not known", expected, "remove or rename it"
        elif header.count(column) > 1:
            yield 1, column, "the column occurs more than once", expected, "keep one"


def _cell_faults(rows: Mapping[int, Row], layout: _Format) -> Iterator[_Fault]:
    for line, row in rows.items():
        for column, kind in layout.columns.items():
            text = row[column]
            allowed = layout.allowed.get(column)
            if text == "" and column in layout.optional:
                continue
            if column == "source" and text in ("", NOTHING_TO_SAY):
                yield line, column, "no source", "where the row comes from", "give a PMID, a DOI or a data set"
            elif text == "":
                yield line, column, "the cell is empty", _IN_WORDS[kind], f"fill it in ({NOTHING_TO_SAY!r} for nothing)"
            elif allowed and text not in allowed:
                yield line, column, repr(text), f"one of {', '.join(allowed)}", "correct it"
            elif kind != "text" and not _is(kind, text):
                yield line, column, repr(text), _IN_WORDS[kind], "correct it (decimal point, no thousands sign)"


def _is(kind: Kind, text: str) -> bool:
    pattern = r"[+-]?\d+" if kind == "integer" else r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
    return re.fullmatch(pattern, text) is not None


def _key_faults(rows: Mapping[int, Row], layout: _Format) -> Iterator[_Fault]:
    first: dict[tuple[str, ...], int] = {}
    for line, row in rows.items():
        key = tuple(row[column] for column in layout.key)
        if key in first:
            told = f"{' / '.join(key)} stands in row {first[key]} already", "one row each", "remove one"
            yield line, layout.key[-1], *told
        first.setdefault(key, line)


def _symbols(column: str) -> _Rule:
    """Gene symbols that a spreadsheet turned into dates, and identifiers of other kinds, are told."""

    def rule(rows: Mapping[int, Row]) -> Iterator[_Fault]:
        for line, row in rows.items():
            symbol = row[column]
            if _DATE.fullmatch(symbol):
                remedy = "restore the symbol (MARCHF1, SEPTIN2, ...) and format the column as text"
                yield line, column, f"{symbol!r} looks like a date", "an HGNC gene symbol", remedy
            elif re.fullmatch(r"ENS[A-Z]*G\d{6,}(\.\d+)?", symbol):
                yield line, column, f"{symbol!r} is an Ensembl id", "an HGNC gene symbol", "look the symbol up"
            elif not _SYMBOL.fullmatch(symbol):
                yield line, column, repr(symbol), "an HGNC gene symbol", "one symbol a row, as HGNC writes it"

    return rule


def _signature_rules(rows: Mapping[int, Row]) -> Iterator[_Fault]:
    sizes: dict[str, int] = {}
    for line, row in rows.items():
        name = row["signature"]
        sizes[name] = sizes.get(name, 0) + 1
        if not _NAME.fullmatch(name):
            yield line, "signature", repr(name), "letters, digits, '_', '-' and '.', a letter first", "rename it"
        if float(row["weight"]) < 0:
            yield line, "weight", repr(row["weight"]), "a weight of 0 or more", "put the sign into `direction`"
        if sizes[name] == LARGEST_SIGNATURE + 1:
            expected = f"at most {LARGEST_SIGNATURE}"
            yield line, "signature", f"{name} has more than {LARGEST_SIGNATURE} genes", expected, "choose a core of it"


def _alias_rules(rows: Mapping[int, Row]) -> Iterator[_Fault]:
    symbols = {row["gene"] for row in rows.values()}
    for line, row in rows.items():
        if row["alias"] in symbols:
            found = f"{row['alias']} is itself the symbol of a gene of this table"
            yield line, "alias", found, "an unambiguous old name", "remove the row"


def _marker_rules(rows: Mapping[int, Row]) -> Iterator[_Fault]:
    parents: dict[str, str] = {}
    for line, row in rows.items():
        cell_type, parent = row["cell_type"], row["parent"]
        if parents.setdefault(cell_type, parent) != parent:
            found = f"{cell_type} has the parents {parents[cell_type]} and {parent}"
            yield line, "parent", found, "one parent a cell type", "keep one"
    for line, row in rows.items():
        if row["parent"] != "root" and row["parent"] not in parents:
            yield line, "parent", repr(row["parent"]), "'root' or a cell type of this table", "correct it"
        elif _in_a_circle(row["cell_type"], parents):
            yield line, "parent", f"{row['cell_type']} is its own ancestor", "a tree that ends in 'root'", "correct it"


def _in_a_circle(cell_type: str, parents: Mapping[str, str]) -> bool:
    above = parents[cell_type]
    for _ in parents:
        if above == cell_type:
            return True
        above = parents.get(above, "root")
    return False


def _historical_rules(rows: Mapping[int, Row]) -> Iterator[_Fault]:
    for line, row in rows.items():
        if not 0 <= int(row["responders"]) <= int(row["n"]):
            yield line, "responders", repr(row["responders"]), f"0 to {row['n']} (`n`)", "correct one of the two"
        for column in ("orr_pct", "ci_low", "ci_high", "cp_low", "cp_high"):
            if row[column] and not 0 <= float(row[column]) <= 100:
                yield line, column, repr(row[column]), "a percentage from 0 to 100", "correct it"


def _columns(names: str) -> dict[str, Kind]:
    """Columns of text, but for those that say otherwise (``direction:integer``)."""
    split = (name.partition(":") for name in names.split())
    return {name: cast("Kind", kind or "text") for name, _, kind in split}


_SIGNATURES = _Format(
    columns=_columns(
        "signature gene direction:integer weight:number compartment axis evidence verification source note"
    ),
    key=("signature", "gene"),
    allowed={
        "direction": ("1", "-1"),
        "compartment": ("tumour", "blood", "both"),
        "evidence": (
            "human_clinical",
            "human_tissue",
            "human_cells",
            "multi_species",
            "animal",
            "pathway_db",
            "expert",
        ),
        "verification": VERIFICATIONS,
    },
    rules=(_symbols("gene"), _signature_rules),
)

_ALIASES = _Format(
    columns=_columns("alias gene source"),
    key=("alias",),
    allowed={},
    rules=(_symbols("gene"), _alias_rules),
)

_MARKERS = _Format(
    columns=_columns("cell_type parent kind marker hgnc sign level modality compartment source verification note"),
    key=("cell_type", "marker", "modality"),
    allowed={
        "kind": ("type", "state"),
        "sign": ("+", "-"),
        "level": (NOTHING_TO_SAY, "pos", "neg", "high", "low", "dim"),
        "modality": ("rna", "protein"),
        "compartment": ("blood", "tumour"),
        "verification": VERIFICATIONS,
    },
    rules=(_symbols("hgnc"), _marker_rules),
)

_TAXA = _Format(
    columns=_columns(
        "taxon rank ncbi_taxid:integer ncbi_name role evidence context source verification metaphlan_sgb "
        "gtdb_r220 note conflict"
    ),
    key=("taxon", "role", "evidence", "source"),
    optional=frozenset({"ncbi_taxid"}),
    allowed={
        "rank": ("phylum", "class", "order", "family", "genus", "species", "subspecies", "strain"),
        "role": (
            "ra_producer",
            "vitamin_a_metaboliser",
            "ra_suppressor",
            "host_ra_inducer",
            "ici_response_favourable",
            "ici_response_unfavourable",
            "ici_response_context",
            "butyrate_producer",
            "pathobiont",
        ),
        "evidence": ("human", "mouse", "organism"),
        "verification": VERIFICATIONS,
        "conflict": ("yes", "no"),
    },
    rules=(),
)

_HISTORICAL = _Format(
    columns=_columns(
        "id trial nct population prior_ici line regimen n:integer responders:integer responders_basis "
        "orr_pct:number ci_low:number ci_high:number ci_verification ci_agrees_with cp_low:number "
        "cp_high:number source verification note"
    ),
    key=("id",),
    optional=frozenset({"ci_low", "ci_high"}),
    allowed={
        "responders_basis": ("reported", "derived"),
        "ci_agrees_with": ("clopper_pearson", "agresti_coull", "neither", "no_published_ci"),
        "prior_ici": ("naive", "mixed", "pre_ici_era"),
        "verification": VERIFICATIONS,
    },
    rules=(_historical_rules,),
)
