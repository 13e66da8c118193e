"""What is known before any patient is seen: gene signatures, cell markers, taxa and historical response rates.

Without a path a loader reads the file that ships. The tables are edited by scientists in a spreadsheet: whatever is wrong in one
is told with its file, row and column, all of it at once, and a row without a source is not accepted.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.schema import Fault, Row, Rule, config_path, load_table

LARGEST_SIGNATURE = 200  # beyond this a set describes a state of the whole cell, and one rank score of it says little

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(
    rf"(?i)(\d{{1,2}}[-/ ]({_MONTH})[a-z]*|({_MONTH})[-/ ]\d{{1,4}}|\d{{1,4}}[-/.]\d{{1,2}}([-/.]\d{{1,4}})?)"
)
_SYMBOL = re.compile(r"[A-Z][A-Za-z0-9.-]*")
_NAME = re.compile(
    r"[A-Za-z][A-Za-z0-9_.-]*"
)  # signature names become feature names; ":" and "*" mean something in a plan


def load_signatures(path: Path | None = None) -> pd.DataFrame:
    """Gene signatures, one row a signature and gene, sorted by both.

    Columns: `signature`, `gene` (HGNC symbol), `direction` (1 up, -1 down; 1 also means "member" in
    pathway sets), `weight` (>= 0), `compartment` (tumour, blood, both), `axis`, `evidence`, `verification`, `source`,
    `note`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "signatures/gene_signatures.csv", rules=(_symbols("gene"), _signature_rules))


def load_pairs(path: Path | None = None) -> pd.DataFrame:
    """Gene pairs of scores that count in how many the first gene lies above the second.

    Columns: `score`, `pair`, `gene_a`, `gene_b`, `rule`, `direction`, `source`, `verification`, `note`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "signatures/gene_pairs.csv", rules=(_symbols("gene_a"), _symbols("gene_b")))


def load_axes(path: Path | None = None) -> pd.DataFrame:
    """Which signature speaks for which axis of retinoic acid or peroxidation, and when: ``before`` treatment or as a ``change``.

    Columns: `axis`, `arm`, `signature`, `use`, `words`, `source`; in the order of the file, which is that of the report.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "signatures/axes.csv", as_written=True)


def load_rules(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """How the authors of a score compute it: by score its `form`, `input`, `source` and what the form needs.

    Raises
    ------
    InputError
        The file is no YAML of this kind, or a score lacks its form, its input or its source.
    """
    path = path or config_path("signatures/scoring_rules.yaml")
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError([_rule_problem(path, None, f"no readable YAML ({reason})", "a YAML file")]) from None
    scores = told.get("scores") if isinstance(told, dict) else None
    if not isinstance(scores, dict) or not all(isinstance(rule, dict) for rule in scores.values()):
        raise InputError([_rule_problem(path, "scores", "no scores", "a rule for each score below `scores`")])
    lacking = [(name, key) for name, rule in scores.items() for key in ("form", "input", "source") if not rule.get(key)]
    if lacking:
        raise InputError(
            _rule_problem(path, f"{name}.{key}", "nothing", f"the {key} of the score") for name, key in lacking
        )
    return scores


def _rule_problem(path: Path, column: str | None, found: str, expected: str) -> Problem:
    return Problem(file=path.name, column=column, found=found, expected=expected, remedy="restore the file that ships")


def load_aliases(path: Path | None = None) -> "pd.Series[str]":
    """Old or alternative gene symbol (index `alias`) -> the symbol used here (`gene`); only unambiguous ones.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; an alias that is itself the symbol of another gene is one.
    """
    return load_table(path, "signatures/gene_aliases.csv", rules=(_symbols("gene"), _alias_rules)).set_index("alias")[
        "gene"
    ]


def load_ensembl(path: Path | None = None) -> "pd.Series[str]":
    """Ensembl gene id without version (index) -> gene symbol: the coding genes of GENCODE, and others of our own tables.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "signatures/ensembl_genes.csv").set_index("ensembl_gene_id")["symbol"]


def load_markers(path: Path | None = None) -> pd.DataFrame:
    """Markers of cell types and states, one row a cell type, marker and modality, sorted by them.

    Columns: `cell_type`, `parent` (``root`` or another cell type), `kind` (type, state), `marker`, `hgnc`, `sign`
    (+, -), `level`, `modality` (rna, protein), `compartment` (blood, tumour), `source`, `verification`, `note`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; a parent that is no cell type, or its own ancestor, is one.
    """
    return load_table(path, "markers/immune_markers.csv", rules=(_symbols("hgnc"), _marker_rules))


PUNCTUATION = re.compile(r"[\s_\-/().,:;|]+")
_GREEK = str.maketrans({"α": "a", "β": "b", "γ": "g", "δ": "d", "ε": "e"})


def plain_marker(name: str) -> str:
    """A marker's name without case, blanks and punctuation, Greek letters as Latin ones: how two spellings of it are compared."""
    return PUNCTUATION.sub("", name.strip().lower().translate(_GREEK))


def load_marker_synonyms(path: Path | None = None) -> dict[str, str]:
    """What panels call the markers of cytometry: plain name (`plain_marker`) -> marker.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; a name of two markers is one.
    """
    table = load_table(path, "markers/protein_synonyms.csv", rules=(_synonym_rules,))
    names = {plain_marker(marker): marker for marker in table["marker"]}
    return names | {plain_marker(name): marker for name, marker in zip(table["synonym"], table["marker"], strict=True)}


def load_taxa(path: Path | None = None) -> pd.DataFrame:
    """Taxa with a role in retinoic-acid metabolism or immune-checkpoint response, one row a taxon, role and source.

    Columns: `taxon`, `rank`, `ncbi_taxid` (may be empty), `ncbi_name`, `role`, `evidence`, `context`, `source`,
    `verification`, `metaphlan_sgb`, `gtdb_r220`, `note`, `conflict`.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "taxa/microbes.csv")


def load_functions(path: Path | None = None) -> pd.DataFrame:
    """KEGG orthologues on the way from carotene to retinoic acid and beside it, one row a step and orthologue.

    Columns: `step`, `effect_on_ra`, `ko`, `ko_name`, `ec` (several with blanks between), `gene`, `scope`, `source`, `verification`,
    `note`, `use` (``specific``; ``unspecific``: in most genomes; ``host``: in stool the host's or the diet's DNA).

    Raises
    ------
    InputError
        Every row that cannot be used, with its place.
    """
    return load_table(path, "taxa/microbial_functions.csv")


def load_historical(path: Path | None = None) -> pd.DataFrame:
    """Published response rates, one row a trial population.

    Rates and intervals are in percent; `cp_low` and `cp_high` are the exact (Clopper-Pearson) 95 % interval.

    Raises
    ------
    InputError
        Every row that cannot be used, with its place; `responders` above `n` is one.
    """
    return load_table(path, "historical/clinical_reference.csv", rules=(_historical_rules,))


def _symbols(column: str) -> Rule:
    """Gene symbols that a spreadsheet turned into dates, and identifiers of other kinds, are told."""

    def rule(rows: Mapping[int, Row]) -> Iterator[Fault]:
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


def _signature_rules(rows: Mapping[int, Row]) -> Iterator[Fault]:
    sizes: dict[str, int] = {}
    directed: dict[str, bool] = {}
    for line, row in rows.items():
        name = row["signature"]
        if directed.setdefault(name, float(row["direction"]) != 0) != (float(row["direction"]) != 0):
            found = f"{name} has genes with a direction and genes without one"
            yield line, "direction", found, "1 or -1 for all, or 0 for all", "split it into two signatures"
        sizes[name] = sizes.get(name, 0) + 1
        if not _NAME.fullmatch(name):
            yield line, "signature", repr(name), "letters, digits, '_', '-' and '.', a letter first", "rename it"
        if float(row["weight"]) < 0:
            yield line, "weight", repr(row["weight"]), "a weight of 0 or more", "put the sign into `direction`"
        if sizes[name] == LARGEST_SIGNATURE + 1:
            expected = f"at most {LARGEST_SIGNATURE}"
            yield line, "signature", f"{name} has more than {LARGEST_SIGNATURE} genes", expected, "choose a core of it"


def _alias_rules(rows: Mapping[int, Row]) -> Iterator[Fault]:
    symbols = {row["gene"] for row in rows.values()}
    for line, row in rows.items():
        if row["alias"] in symbols:
            found = f"{row['alias']} is itself the symbol of a gene of this table"
            yield line, "alias", found, "an unambiguous old name", "remove the row"


def _marker_rules(rows: Mapping[int, Row]) -> Iterator[Fault]:
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


def _synonym_rules(rows: Mapping[int, Row]) -> Iterator[Fault]:
    """A name that means two markers."""
    meaning = {plain_marker(row["marker"]): row["marker"] for row in rows.values()}
    for line, row in rows.items():
        before = meaning.setdefault(plain_marker(row["synonym"]), row["marker"])
        if before != row["marker"]:
            found = f"{row['synonym']!r} means {before} and {row['marker']}"
            yield line, "synonym", found, "one marker for each name", "remove the name from one of the two"


def _in_a_circle(cell_type: str, parents: Mapping[str, str]) -> bool:
    above = parents[cell_type]
    for _ in parents:
        if above == cell_type:
            return True
        above = parents.get(above, "root")
    return False


def _historical_rules(rows: Mapping[int, Row]) -> Iterator[Fault]:
    for line, row in rows.items():
        if not 0 <= int(row["responders"]) <= int(row["n"]):
            yield line, "responders", repr(row["responders"]), f"0 to {row['n']} (`n`)", "correct one of the two"
        for column in ("orr_pct", "ci_low", "ci_high", "cp_low", "cp_high"):
            if row[column] and not 0 <= float(row[column]) <= 100:
                yield line, column, repr(row[column]), "a percentage from 0 to 100", "correct it"
