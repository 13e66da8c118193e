"""Gene names: which are HGNC symbols, which are something else, and one name for each gene."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import sparse

from rabiomarkers.ingest.findings import Findings, named

SYMBOL_COLUMNS = (
    "symbol",
    "gene_symbol",
    "gene_symbols",
    "hgnc_symbol",
    "gene_name",
    "external_gene_name",
    "feature_name",
    "gene",
)
"""Titles of a column of symbols, best first; without one the first column is taken."""

NO_SYMBOL = ("", "na", "nan", "none", "null", "-", "---")
ENSEMBL = r"ENS[A-Z]{0,4}[GTP]\d{8,}(?:\.\d+)?(?:_PAR_Y)?"
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|mär|mrz|mai|okt|dez"
_WRITTEN_DATE = rf"\d{{1,2}}[-. /](?:{_MONTHS})\.?|(?:{_MONTHS})[-. /]\d{{1,2}}"
EXCEL_DATE = rf"(?i){_WRITTEN_DATE}|\d{{4}}-\d{{2}}-\d{{2}}(?: .*)?|\d{{1,2}}([./])\d{{1,2}}\1\d{{2,4}}"
# HGNC symbols are upper case, but for the "orf" of C9orf72 and names of clones; MT- and HLA- have a hyphen
SYMBOL = r"(?:[A-Z][A-Z0-9]*|C(?:\d+|X|Y)orf\d+[A-Z]?|[A-Z]\w*p\d{3}\w+)(?:[-._@/][A-Za-z0-9]+)*"
ENOUGH_TO_KNOW_ONE = 100  # genes; of so many at least one is in the table of known symbols


def symbol_column(header: Sequence[str]) -> int:
    """The position of the column that holds the gene symbols."""
    plain = [name.strip().lower().replace(" ", "_") for name in header]
    return next((plain.index(title) for title in SYMBOL_COLUMNS if title in plain), 0)


def check_symbols(names: pd.Series, aliases: pd.Series, findings: Findings, *, column: str | None = None) -> None:
    """Note gene names that are not HGNC symbols.

    Parameters
    ----------
    names
        Gene names; the index is the line of the file where it has lines. Empty ones are not looked at.
    aliases
        Alias (index) -> symbol: the names that are known.
    column
        Title of the column they stand in.
    """
    filled = names[~names.str.lower().isin(NO_SYMBOL)]
    symbols = "HGNC gene symbols such as CYP26A1"
    if filled.empty:
        findings.add("no gene names", symbols, "name the genes in the first column", column=column)
        return
    dates = filled[filled.str.fullmatch(EXCEL_DATE)]
    if len(dates):
        findings.add(
            f"{len(dates)} dates among the gene names: {named(dates)}",
            symbols,
            "a spreadsheet changed SEPT, MARCH or DEC genes into dates: export the table again without it",
            row=_line(dates),
            column=column,
        )
    for pattern, what, remedy in (
        (ENSEMBL, "Ensembl ids", "translate them to HGNC symbols (the GTF's gene_name), or add a column `symbol`"),
        (r"\d+", "Entrez or row numbers", "translate them to HGNC symbols, or add a column `symbol`"),
        (r"[A-Z][a-z][a-z0-9-]*|[A-Z]\d*[a-z][a-z0-9-]*", "mouse symbols", "translate them to their human orthologues"),
    ):
        matching = filled[filled.str.fullmatch(pattern)]
        if 2 * len(matching) > len(filled):
            told = f"{what} in {len(matching):,} of {len(filled):,} gene names: {named(matching, limit=3)}"
            findings.add(told, symbols, remedy, row=_line(matching), column=column)
            return
    likely = filled.str.fullmatch(SYMBOL) | filled.isin(aliases.index)
    if 2 * int(likely.sum()) < len(filled):
        odd = filled[~likely]
        told = f"{len(odd):,} of {len(filled):,} gene names that are no symbols: {named(odd, limit=3)}"
        findings.add(told, symbols, "name the genes by HGNC symbol", row=_line(odd), column=column)
    elif len(filled) >= ENOUGH_TO_KNOW_ONE and not filled.isin({*aliases.index, *aliases}).any():
        told = f"none of {len(filled):,} gene names is known: {named(filled, limit=3)}"
        findings.add(told, symbols, "name the genes by human HGNC symbol", row=_line(filled), column=column)


def _line(names: pd.Series) -> int | None:
    """The first line, where the index holds lines."""
    return int(names.index[0]) if names.index.name == "line" else None


@dataclass(frozen=True, kw_only=True)
class Harmonised:
    """One symbol for each gene.

    `symbols` is sorted and without repeats; `codes` says for each original name which of them it is, -1 where it has no name.
    """

    symbols: pd.Index
    codes: pd.Series
    aliases_resolved: int
    without_symbol: int
    repeated: int

    def indicator(self) -> sparse.csr_matrix:
        """Symbols x original names, 1 where a name is that symbol: multiplying sums what belongs to one gene."""
        named_at = self.codes.to_numpy() >= 0
        rows, columns = self.codes.to_numpy()[named_at], named_at.nonzero()[0]
        ones = pd.Series(1.0, index=range(len(rows))).to_numpy()
        return sparse.csr_matrix((ones, (rows, columns)), shape=(len(self.symbols), len(self.codes)))

    def facts(self) -> dict[str, int]:
        """The numbers a passport carries."""
        return {
            "genes": len(self.symbols),
            "aliases_resolved": self.aliases_resolved,
            "genes_without_symbol": self.without_symbol,
            "repeated_symbols": self.repeated,
        }


def harmonise(names: pd.Series, aliases: pd.Series) -> Harmonised:
    """Give every gene its present symbol; names that are empty have none, and several names may be one gene."""
    stripped = names.str.strip()
    filled = ~stripped.str.lower().isin(NO_SYMBOL)
    known = stripped.map(aliases)
    current = known.where(known.notna(), stripped)
    symbols = pd.Index(sorted(set(current[filled])), dtype=str)
    codes = pd.Series(symbols.get_indexer(pd.Index(current)), index=names.index).where(filled, -1)
    return Harmonised(
        symbols=symbols,
        codes=codes,
        aliases_resolved=int((known.notna() & filled).sum()),
        without_symbol=int((~filled).sum()),
        repeated=int(filled.sum()) - len(symbols),
    )
