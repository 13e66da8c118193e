"""What the genes of a stool can do: KEGG orthologues or enzyme numbers x samples, as HUMAnN and others write them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import read_delimited
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.functions import read_functions
from rabiomarkers.ingest.matrix import check_not_negative, check_present, number_columns

MILLION = 1_000_000.0
UNMAPPED = ("UNMAPPED", "READS_UNMAPPED")  # of HUMAnN 3 and 4
UNPLACED = (*UNMAPPED, "UNINTEGRATED", "UNGROUPED")  # the latter two were found, and have no orthologue
_SUFFIX = re.compile(r"[._ ]?(abundance[-_ ]?)?(rpks?|cpm|relab|abundance)$", re.IGNORECASE)
_KO = re.compile(r"^(?:ko:)?(K\d{5})$", re.IGNORECASE)
_EC = re.compile(r"^(?:ec[:\s]*)?(\d+\.(?:\d+|-)\.(?:\d+|-)\.(?:n?\d+|-))$", re.IGNORECASE)


def read_gene_families(
    path: Path, *, label: str, sample_ids: Sequence[str], functions: Path | None = None
) -> dict[str, pd.DataFrame]:
    """The orthologues or enzymes of each sample.

    Rows by organism (``K07249|g__Blautia``) repeat what their sum tells and are left out. A name after the id (``K07249: ...``) is
    dropped.

    Parameters
    ----------
    path
        CSV or TSV, plain or gzipped: a column of gene families (``K07249``, ``ko:K07249``, ``1.2.1.36``, ``EC:1.2.1.36``), then a
        column a sample; in any unit that is proportional to abundance (RPK, CPM, relative abundance). A column may be called as
        HUMAnN does (``<sample_id>_Abundance-RPKs``).
    label
        How the file is called in problems.
    sample_ids
        The samples to take.
    functions
        Which orthologue each gene family of the study's own is; without it other names than KO and EC are refused.

    Returns
    -------
    By sample id: `family` (KO or EC, sorted), `value` (copies per million of all families that the table holds, those without an
    orthologue among them: ``UNGROUPED``, or what a map does not know); `attrs["passport"]` with `kind` (``ko`` or ``ec``),
    `families`, and `unmapped`, the share of the reads that was placed nowhere (absent where not told).

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    table = read_delimited(path, label=label)
    header = [_bare(title, sample_ids) for title in table.header]
    check_present(sample_ids, header[1:], findings, where="column")
    wanted = {at: title for at, title in enumerate(header) if at and title in set(sample_ids)}
    values = number_columns(table, wanted, findings)
    check_not_negative(values, findings, what="an abundance")
    names = table.frame(text=[0])[0].str.strip()
    kept = ~names.str.contains("|", regex=False)
    names, values = names[kept], values[kept]
    unplaced = names.str.upper().isin(UNPLACED).to_numpy()
    mapping = None if functions is None else read_functions(functions)
    families = _families(names[~unplaced], mapping, findings)
    findings.raise_if_any()
    kind = "ec" if any("." in family for _, family in families) else "ko"
    rows = values[~unplaced].to_numpy()[[place for place, _ in families]]
    summed = pd.DataFrame(rows, columns=values.columns).groupby([family for _, family in families]).sum().sort_index()
    _refuse_empty(values[~unplaced].sum(), findings)
    upper = names.str.upper()
    found = values[~upper.isin(UNMAPPED).to_numpy()].sum()
    unmapped = upper.eq("UNMAPPED").to_numpy()
    lost = values[unmapped].sum() / values.sum() if unmapped.any() else None
    return {
        sample: _piece(summed[sample], float(found[sample]), None if lost is None else float(lost[sample]), kind)
        for sample in sample_ids
    }


def split_gene_families(inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str]) -> Info:
    """`matrix` and, where the study names one, `functions` -> `<sample_id>.parquet` of each sample; tells what it is."""
    pieces = read_gene_families(inputs["matrix"], label=label, sample_ids=sample_ids, functions=inputs.get("functions"))
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    return dict(pieces[sample_ids[0]].attrs["passport"])


def _bare(title: str, sample_ids: Sequence[str]) -> str:
    """A column's sample, without what HUMAnN adds to its name."""
    return title if title in set(sample_ids) else _SUFFIX.sub("", title)


def _families(names: "pd.Series[str]", mapping: pd.DataFrame | None, findings: Findings) -> list[tuple[int, str]]:
    """Place of the row and its orthologue or enzyme; a gene family that is several orthologues stands several times."""
    known = {} if mapping is None else mapping.groupby("gene_family")["ko"].agg(list).to_dict()
    found: list[tuple[int, str]] = []
    strange: list[str] = []
    kinds: set[str] = set()
    seen: dict[str, int] = {}
    for place, (line, name) in enumerate(names.items()):
        bare = name.split(": ", 1)[0].strip()
        ko, ec = _KO.match(bare), _EC.match(bare)
        own = (ko or ec).group(1).upper() if (ko or ec) else bare  # type: ignore[union-attr]
        if not own:
            findings.add("a gene family without a name", "a name", "name it, or take it out", row=_line(line))
            continue
        if own in seen:
            findings.add(f"{own!r} a second time", "each gene family once", "sum its rows", row=_line(line))
        seen[own] = place
        if ko or ec:
            kinds.add("ko" if ko else "ec")
            found.append((place, own))
        elif bare in known:
            kinds.add("ko")
            found += [(place, each) for each in known[bare]]
        else:
            strange.append(bare)
    _refuse_strange(strange, len(names), mapping is not None, findings)
    if len(kinds) > 1:
        findings.add(
            "orthologues (KO) and enzyme numbers (EC) in one table", "one of the two", "give each its own file"
        )
    if not found and not strange:
        findings.add("no gene family", "a row for each", "export the table again")
    return found


def _refuse_strange(strange: list[str], rows: int, mapped: bool, findings: Findings) -> None:
    """Names that are no KO and no EC: with a map those outside it are left out, unless nothing is in it."""
    if not strange or (mapped and len(strange) < rows):
        return
    said = "none of them is in stool.functions" if mapped else "give stool.functions: gene_family, ko"
    findings.add(
        f"{len(strange):,} names that are neither KO nor EC: {named(strange, limit=3)}",
        "KEGG orthologues (K07249) or enzyme numbers (1.2.1.36)",
        f"regroup the table (humann_regroup_table), or {said}" if not mapped else said,
    )


def _refuse_empty(placed: "pd.Series[float]", findings: Findings) -> None:
    for sample in placed.index[placed <= 0]:
        findings.add("nothing but zeros", "gene families", "leave the sample out", column=str(sample))
    findings.raise_if_any()


def _line(name: object) -> int | None:
    return int(str(name)) if str(name).isdigit() else None


def _piece(values: "pd.Series[float]", found: float, unmapped: float | None, kind: str) -> pd.DataFrame:
    """Copies per million of all families that were found, so that depth and unit fall out."""
    numbers = np.asarray(values.to_numpy(dtype=np.float64)) * (MILLION / found)
    piece = pd.DataFrame({"family": pd.Series(values.index, dtype="str"), "value": numbers})
    piece.attrs["passport"] = {"scale": "cpm", "kind": kind, "families": len(piece), "unmapped": unmapped}
    return piece
