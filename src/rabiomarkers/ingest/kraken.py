"""Kraken 2 and Bracken: reports with their tree by indentation, and Bracken's tables.

Reads that were placed above the species are in no species' count, those of the host and the unplaced ones are shares of all reads.

References
----------
Wood et al. 2019, doi:10.1186/s13059-019-1891-0 (Kraken 2); Lu et al. 2017, doi:10.7717/peerj-cs.104 (Bracken)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from rabiomarkers.ingest.abundances import ABUNDANCE, Abundances
from rabiomarkers.ingest.delimited import Delimited, delimited_of
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.lineage import lineage
from rabiomarkers.ingest.matrix import check_not_negative, number_columns
from rabiomarkers.ingest.metaphlan import read_metaphlan

HOST = "9606"  # Homo sapiens at NCBI
BRACKEN = ("name", "taxonomy_id", "taxonomy_lvl")
_REPORT = re.compile(rb"^\s*\d{1,3}(?:\.\d+)?\t\d+\t\d+\t(\d+\t\d+\t)?[A-Z]\d*\t\d+\t", re.MULTILINE)
_RANKS = {"D": "k", "K": "k", "P": "p", "C": "c", "O": "o", "F": "f", "G": "g", "S": "s"}
_MPA = re.compile(rb"[dk]__[^\t\n|]*\t\d+\s*(\n|$)")
_DIGITS = re.compile(r"\d{1,15}", re.ASCII)
_PREFIX = re.compile(r"^[dkpcofgs]__")  # of databases made of GTDB


@dataclass(frozen=True, kw_only=True)
class _Row:
    line: int
    reads: int  # of the clade
    own: int
    rank: str
    taxid: str
    name: str
    depth: int


def is_report(content: bytes) -> bool:
    """Whether a file is a report of Kraken 2 or Bracken: it has no header, and its first line is one of its rows."""
    return bool(_REPORT.match(content[:10_000].lstrip(b"\n")))


def read_report(text: str, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """The species of one sample by the reads of their clade (strains and all).

    Raises
    ------
    InputError
        The report is named by several samples, or a line is no row of a report.
    """
    _refuse_many(sample_ids, findings, "combine_kreports.py, kraken-biom")
    rows = [row for at, line in enumerate(text.splitlines(), start=1) if (row := _row(at, line, findings)) is not None]
    findings.raise_if_any()
    _check_sums(rows, findings)
    total = sum(row.reads for row in rows if row.rank == "U" or (row.depth == 0 and row.rank != "U"))
    above: dict[int, tuple[str, str]] = {}
    species: dict[str, tuple[int, int, str]] = {}
    for row in rows:
        above = {depth: told for depth, told in above.items() if depth < row.depth}
        if row.rank in _RANKS:
            above[row.depth] = (_RANKS[row.rank], row.name)
        if row.rank == "S" and row.taxid != HOST:
            if row.name in species:
                findings.add(f"{row.name!r} a second time", "each species once", "make the report again", row=row.line)
            species[row.name] = (row.line, row.reads, _path(above))
    findings.raise_if_any()
    index = pd.Index([line for line, _, _ in species.values()], name="line")
    (sample,) = sample_ids
    lost = {"U": 0, HOST: 0}
    for row in rows:
        lost["U"] += row.reads * (row.rank == "U")
        lost[HOST] += row.reads * (row.taxid == HOST)
    return Abundances(
        values=pd.DataFrame({sample: [float(reads) for _, reads, _ in species.values()]}, index=index),
        taxa=pd.Series(list(species), index=index, dtype=str),
        lineages=pd.Series([path for _, _, path in species.values()], index=index, dtype=str),
        unclassified={sample: lost["U"] / total} if total else {},
        host={sample: lost[HOST] / total} if total else {},
    )


def is_mpa_report(content: bytes) -> bool:
    """Whether a file is a report of Kraken 2 in the style of MetaPhlAn (`--use-mpa-style`): clade and reads, without a header."""
    return bool(_MPA.match(content))


def read_mpa_report(content: bytes, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """As `read_report`, of a report in the style of MetaPhlAn; it does not tell what was placed nowhere.

    Raises
    ------
    InputError
        The report is named by several samples.
    """
    _refuse_many(sample_ids, findings, "combine_mpa.py")
    table = delimited_of(b"classification\t" + sample_ids[0].encode() + b"\n" + content, label=findings.file)
    lines = tuple(number - 1 for number in table.line_numbers)
    return read_metaphlan(replace(table, line_numbers=lines), sample_ids, findings, assay="taxa_counts")


def _refuse_many(sample_ids: Sequence[str], findings: Findings, tool: str) -> None:
    if len(sample_ids) != 1:
        findings.fail(
            f"a report of one sample, named by {len(sample_ids)} samples",
            "one sample for each report",
            f"give each sample its own file in samples.csv, or merge them ({tool})",
        )


def is_bracken(table: Delimited) -> bool:
    """Whether a table is Bracken's, of one sample or combined."""
    return tuple(title.lower() for title in table.header[:3]) == BRACKEN


def read_bracken(table: Delimited, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """Bracken's estimated reads of each species, of one sample (`new_est_reads`) or combined (``<sample>..._num``).

    Raises
    ------
    InputError
        A sample has no column, or the table holds another rank than species.
    """
    texts = table.frame(text=[0, 1, 2])
    taxa, taxids, ranks = (texts[at].str.strip() for at in (0, 1, 2))
    taxa = taxa.str.replace(_PREFIX, "", regex=True)
    others = sorted(set(ranks) - {"S"})
    if others:
        findings.add(
            f"rows of the rank {', '.join(others)}", "species (S)", "run bracken with -l S", column="taxonomy_lvl"
        )
    wanted = _columns(table.header, sample_ids, findings)
    findings.raise_if_any()
    values = number_columns(table, wanted, findings)
    check_not_negative(values, findings, what=ABUNDANCE)
    mine = (taxids != HOST).to_numpy()
    totals = values.sum()
    host = values[~mine].sum()
    return Abundances(
        values=values[mine],
        taxa=taxa[mine],
        lineages=pd.Series("", index=taxa[mine].index),
        host={str(sample): float(host[sample] / totals[sample]) for sample in totals.index if totals[sample] > 0},
    )


def _columns(header: Sequence[str], sample_ids: Sequence[str], findings: Findings) -> dict[int, str]:
    if "new_est_reads" in header:
        if len(sample_ids) != 1:
            findings.fail(
                f"a Bracken table of one sample, named by {len(sample_ids)} samples",
                "one sample for each table",
                "give each sample its own file, or combine them (combine_bracken_outputs.py)",
            )
        return {list(header).index("new_est_reads"): sample_ids[0]}
    named_after = {at: title.removesuffix("_num") for at, title in enumerate(header) if title.endswith("_num")}
    wanted: dict[int, str] = {}
    for sample in sample_ids:
        own = [at for at, title in named_after.items() if title == sample or title.startswith(f"{sample}.")]
        if len(own) == 1:
            wanted[own[0]] = sample
        else:
            findings.add(
                f"{len(own)} columns of reads named after {sample!r}",
                f"one column {sample}_num",
                "make sample_id in samples.csv and the name in the file the same",
                column=sample,
            )
    return wanted


def _row(at: int, line: str, findings: Findings) -> _Row | None:
    if not line.strip():
        return None
    cells = line.rstrip("\r\n").split("\t")
    if len(cells) == 8:  # with minimizers
        cells = [*cells[:3], *cells[5:]]
    if len(cells) != 6 or not all(_DIGITS.fullmatch(cells[at].strip()) for at in (1, 2, 4)):
        findings.add(
            f"a line of {len(cells)} cells that is no row of a report",
            "percent, reads of the clade, own reads, rank, taxid, name",
            "copy the report again; it may break off here",
            row=at,
        )
        return None
    name = cells[5]
    depth = (len(name) - len(name.lstrip(" "))) // 2
    return _Row(
        line=at,
        reads=int(cells[1]),
        own=int(cells[2]),
        rank=cells[3].strip(),
        taxid=cells[4].strip(),
        name=_PREFIX.sub("", name.strip()),
        depth=depth,
    )


def _check_sums(rows: Sequence[_Row], findings: Findings) -> None:
    """Note the clades with fewer reads than they have themselves, or than the clades right below: the report was cut or edited."""
    below = {row.line: 0 for row in rows}
    parents: list[_Row] = []
    for row in rows:
        parents = [parent for parent in parents if parent.depth < row.depth]
        if parents:
            below[parents[-1].line] += row.reads
        parents.append(row)
    for row in rows:
        inside = max(row.own, below[row.line])
        if inside > row.reads:
            findings.add(
                f"{row.reads:,} reads of {row.name}, and {inside:,} in it",
                "as many reads as there are in it",
                "make the report again",
                row=row.line,
            )


def _path(above: dict[int, tuple[str, str]]) -> str:
    """The lineage of the ranks above."""
    return lineage(f"{letter}__{name}" for _, (letter, name) in sorted(above.items()))
