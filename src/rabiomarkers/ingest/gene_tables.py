"""Names of genes that are no symbols: Ensembl ids and transcripts, translated by a table that ships or that the study names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.delimited import Delimited, read_delimited
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.symbols import NO_SYMBOL, SYMBOL_COLUMNS, Harmonised, check_symbols, harmonise
from rabiomarkers.knowledge import load_ensembl

GENE_COLUMNS = ("gene_id", "ensembl_gene_id", "ensembl_id", "gene_stable_id", "id")
TRANSCRIPT_COLUMNS = (
    "transcript_id",
    "ensembl_transcript_id",
    "transcript_stable_id",
    "target_id",
    "txname",
    "tx_name",
)
ENSEMBL_GENE = r"ENSG\d{8,}(?:\.\d+)?(?:_PAR_Y)?"
_VERSION = r"(?:\.\d+)?(?:_PAR_Y)?$"

type GeneNames = Callable[[], "pd.Series[str]"]
"""Id (index, without version) -> symbol; a function, as the table need not be read where a matrix has symbols."""


def without_version(ids: "pd.Series[str]") -> "pd.Series[str]":
    """``ENSG00000095596.12`` as ``ENSG00000095596``."""
    return ids.str.strip().str.replace(_VERSION, "", regex=True)


@dataclass(frozen=True, kw_only=True)
class Translated:
    """Gene names of which the Ensembl ids were translated; an id that no table knows stays, without its version."""

    names: "pd.Series[str]"
    unknown: "pd.Series[bool]"  # ids that stayed
    known: int

    def facts(self) -> dict[str, int]:
        """The numbers a passport carries, where there were ids."""
        if not self.known and not self.unknown.any():
            return {}
        return {"ensembl_translated": self.known, "ensembl_unknown": int(self.unknown.sum())}


def translate(names: "pd.Series[str]", gene_names: GeneNames | None) -> Translated:
    """Human Ensembl gene ids to symbols; all other names stay as they are.

    Two ids of one symbol (a gene of the pseudoautosomal region) end up as one gene, whose values are summed.
    """
    plain = names.str.strip()
    ids = plain.str.fullmatch(ENSEMBL_GENE)
    if gene_names is None or not ids.any():
        return Translated(names=names, unknown=ids & False, known=0)
    bare = without_version(plain)
    found = bare.map(gene_names()).where(ids)
    filled = found.where(found.notna(), bare.where(ids, names)).astype(str)
    return Translated(names=filled, unknown=ids & found.isna(), known=int(found.notna().sum()))


def recognise(
    names: "pd.Series[str]",
    aliases: pd.Series,
    findings: Findings,
    *,
    gene_names: GeneNames | None = None,
    column: str | None = None,
) -> tuple[Harmonised, dict[str, int]]:
    """One present symbol for each gene, and the numbers a passport carries; names that are none are noted.

    Parameters
    ----------
    names
        Symbols or Ensembl gene ids; the index is the line of the file where it has lines.
    aliases
        Alias (index) -> HGNC symbol.
    gene_names
        Ensembl gene id -> symbol; without it such ids are a fault.
    column
        Title of the column they stand in.
    """
    translated = translate(names, gene_names)
    # where a table knows some ids, those it does not know are no fault: most genes of an annotation have no symbol of their own
    judged = translated.names[~translated.unknown] if translated.known else translated.names
    check_symbols(judged, aliases, findings, column=column)
    genes = harmonise(translated.names, aliases)
    return genes, {**genes.facts(), **translated.facts()}


def gene_names_of(inputs: Mapping[str, Path]) -> GeneNames | None:
    """The table a step was handed in: the study's own (`gene_names`), else the one that ships (`ensembl`)."""
    if "gene_names" in inputs:
        return lambda: read_gene_names(inputs["gene_names"])
    return (lambda: load_ensembl(inputs["ensembl"])) if "ensembl" in inputs else None


def read_gene_names(path: Path) -> "pd.Series[str]":
    """Gene id (index, without version) -> symbol, of a CSV or TSV (plain or gzipped) with the columns `gene_id` and `symbol`.

    Rows without a symbol are left aside: their genes keep their ids.

    Raises
    ------
    InputError
        Every problem of the file: a column that is missing, an id with two symbols.
    """
    findings = Findings(path.name)
    table = read_delimited(path, label=path.name)
    pairs = _pairs(table, GENE_COLUMNS, SYMBOL_COLUMNS, findings)
    return _unique(pairs, findings, what="symbols")


def read_transcripts(path: Path) -> "pd.Series[str]":
    """Transcript id (index, without version) -> gene: a symbol, or an Ensembl gene id; columns `transcript_id` and either of them.

    Where the table has both, the symbol is taken, and the id where a row has no symbol.

    Raises
    ------
    InputError
        Every problem of the file: a column that is missing, a transcript of two genes.
    """
    findings = Findings(path.name)
    table = read_delimited(path, label=path.name)
    pairs = _pairs(table, TRANSCRIPT_COLUMNS, (*SYMBOL_COLUMNS, *GENE_COLUMNS), findings)
    if (other := _column(table, GENE_COLUMNS)) is not None:
        ids = table.frame(text=[other])[other].str.strip()
        blank = pairs["value"].str.lower().isin(NO_SYMBOL)
        pairs["value"] = pairs["value"].where(~blank, ids)
    return _unique(pairs, findings, what="genes")


def _pairs(table: Delimited, keys: Sequence[str], values: Sequence[str], findings: Findings) -> pd.DataFrame:
    """`key` (without version) and `value` of each line; raises where a column is missing."""
    places = [_column(table, keys), _column(table, values)]
    for place, wanted in zip(places, (keys, values), strict=True):
        if place is None:
            found = f"no such column; the table has {named(table.header, limit=8)}"
            told = f"a column {wanted[0]} (or {named(wanted[1:5])})"
            findings.add(found, told, f"title the column {wanted[0]}", row=table.header_line)
    findings.raise_if_any()
    key, value = (place for place in places if place is not None)
    text = table.frame(text=[key, value])
    return pd.DataFrame({"key": without_version(text[key]), "value": text[value].str.strip()})


def _column(table: Delimited, titles: Sequence[str]) -> int | None:
    plain = [name.strip().lower().replace(" ", "_") for name in table.header]
    return next((plain.index(title) for title in titles if title in plain), None)


def _unique(pairs: pd.DataFrame, findings: Findings, *, what: str) -> "pd.Series[str]":
    filled = pairs[~pairs["value"].str.lower().isin(NO_SYMBOL) & (pairs["key"] != "")]
    known = filled.drop_duplicates()
    twice = known[known["key"].duplicated()]
    if len(twice):
        first = twice["key"].iloc[0]
        of_first = known.loc[known["key"] == first, "value"]
        findings.add(
            f"{len(twice)} ids with two {what}, such as {first}: {named(of_first)}",
            "one for each id",
            "keep one row of each id",
            row=int(twice.index[0]),
        )
    if known.empty:
        findings.add("no row with an id and a name", "a name for every id", "export the table again")
    findings.raise_if_any()
    return pd.Series(known["value"].to_numpy(), index=pd.Index(known["key"]), dtype=str)
