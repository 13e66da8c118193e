"""T-cell receptors: AIRR rearrangement tables, cut into one piece a sample, one row a clone.

The clone numbers of a file (`clone_id`) are not used: those of two files do not mean the same receptor. scirpy counts clones by
the same rule (genes and junction) but keeps both chains of a cell together; here every chain stands alone, as bulk sequencing
knows no pairs and a patient's samples must be comparable whatever they were read by. It is not called for that, and as it
brings a data model of its own (awkward arrays) that nothing else here needs.

References
----------
Vander Heiden et al. 2018 (AIRR schema), doi:10.3389/fimmu.2018.02206
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.delimited import Delimited, read_delimited
from rabiomarkers.ingest.findings import Findings, named, nearest
from rabiomarkers.ingest.matrix import as_numbers, check_present

type CloneBy = Literal["aa", "nt"]
type Flags = "pd.Series[bool]"
type Texts = "pd.Series[str]"

SAMPLE = ("sample_id", "repertoire_id")
JUNCTION: Mapping[CloneBy, tuple[str, ...]] = {
    "aa": ("junction_aa", "cdr3_aa"),
    "nt": ("junction", "cdr3"),
}
"""The first that is filled is used. A CDR3 lacks the two residues at the ends of a junction: the two cannot be matched."""
CELLS = "cell_id"
COUNTS = ("umi_count", "duplicate_count", "consensus_count")
"""Which column tells how often a receptor was seen where there are no cells, the best first: molecules, then reads."""
LOCI = ("TRA", "TRB", "TRG", "TRD")
OTHER_LOCI = ("IGH", "IGK", "IGL")
TRUE, FALSE = (
    frozenset({"t", "true", "1", "yes", "productive"}),
    frozenset({"f", "false", "0", "no", "unproductive"}),
)
ABSENT = frozenset({"", "na", "nan", "none", "null", "."})
"""How programs write that there is nothing."""
LETTERS: Mapping[CloneBy, str] = {"aa": "ACDEFGHIKLMNPQRSTVWYX*_#", "nt": "ACGTUN"}
"""Beside the letters: ``*`` a stop codon, ``_`` and ``#`` a broken reading frame."""
STOP = re.compile(r"[*_#]")
GENE = re.compile(r"\b(?P<gene>(?:TR[ABGD]|IG[HKL])[VJ][A-Z0-9/-]*)", re.IGNORECASE)
SHARED_GENE = re.compile(r"(?<=\d)DV")  # TRAV29DV5: IMGT writes a slash between the two names


def read_repertoire(
    path: Path, *, label: str, sample_ids: Sequence[str], clone_by: CloneBy = "aa"
) -> dict[str, pd.DataFrame]:
    """The clones of each sample.

    Parameters
    ----------
    path
        AIRR rearrangement TSV (plain or gzipped): `v_call`, `j_call`, `junction_aa` or `cdr3_aa` (``aa``) or `junction` or `cdr3`
        (``nt``), and where there is one `cell_id` or a count (`umi_count`, `duplicate_count`, `consensus_count`), `productive`,
        `locus`, `is_cell`. A column `sample_id` or `repertoire_id` says whose a row is (empty: nobody's); without one the
        file holds one sample.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.
    clone_by
        A clone is a locus, a V and a J gene (alleles set aside, of several possible genes the first that is named) and the
        amino acids or nucleotides of the junction.

    Returns
    -------
    By sample id: `clone, locus, count, sequences` (how many rows make the clone), sorted, productive receptors of T cells only.
    Where the file knows cells, `count` is the number of cells, whatever each was read by. ``attrs["passport"]``: `counted`
    (which column), `region` (``junction`` or ``cdr3``), `reads` of T-cell receptors and of these `unproductive` and
    `incomplete` (no gene, no junction, chains that contradict each other, no cell), and `other_chains` (of B cells).

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    table = read_delimited(path, label=label)
    at = {title.strip().lower(): position for position, title in enumerate(table.header)}
    _check_columns(table, at, clone_by, findings)
    findings.raise_if_any()
    rows, region = _texts(table, at, clone_by)
    owner = _owners(rows, sample_ids, findings)
    rows = rows[owner.isin(list(sample_ids))].assign(owner=owner)
    rows["count"], counted = _counts(table, at, rows, findings)
    _check_words(rows, clone_by, findings)
    rows = _with_genes(rows, findings)
    findings.raise_if_any()
    facts = {"scale": "counts", "declared": "tcr", "counted": counted, "clone_by": clone_by, "region": region}
    return {sample: _piece(rows[rows["owner"] == sample], facts) for sample in sample_ids}


def split_repertoires(
    inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str], clone_by: CloneBy
) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells what was counted."""
    pieces = read_repertoire(inputs["matrix"], label=label, sample_ids=sample_ids, clone_by=clone_by)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    told = pieces[sample_ids[0]].attrs["passport"]
    return {"counted": told["counted"], "clones": {sample: len(piece) for sample, piece in pieces.items()}}


# ---- columns ---------------------------------------------------------------------------------------------------------


def _check_columns(table: Delimited, at: Mapping[str, int], clone_by: CloneBy, findings: Findings) -> None:
    header = [title.strip().lower() for title in table.header]
    used = {"v_call", "j_call", *JUNCTION[clone_by], *COUNTS, *SAMPLE, CELLS, "productive", "locus"}
    for name in sorted(name for name in used if header.count(name) > 1):
        findings.add("the column occurs twice", "each column once", "remove or rename one", column=name)
    for name in ("v_call", "j_call"):
        if name not in at:
            meant = nearest(name, at)
            hint = f" (did you mean {meant!r}?)" if meant else ""
            findings.add(f"no column {name}", f"an AIRR rearrangement table{hint}", "export AIRR TSV", column=name)
    if not any(name in at for name in JUNCTION[clone_by]):
        wanted = " or ".join(JUNCTION[clone_by])
        findings.add(
            f"no column {wanted}", wanted, "export AIRR TSV, or set tcr.clone_by", column=JUNCTION[clone_by][0]
        )


def _texts(table: Delimited, at: Mapping[str, int], clone_by: CloneBy) -> tuple[pd.DataFrame, str]:
    """The columns that are used as text, absent ones empty, and the region of the receptor that stands for it."""
    wanted = ("v_call", "j_call", *SAMPLE, CELLS, "is_cell", "productive", "locus", "junction_aa", *JUNCTION[clone_by])
    there = list(dict.fromkeys(name for name in wanted if name in at))
    frame = table.frame(text=[at[name] for name in there])
    texts = {name: frame[at[name]].str.strip() for name in there}
    texts = {name: cells.mask(cells.str.lower().isin(ABSENT), "") for name, cells in texts.items()}
    filled = [name for name in JUNCTION[clone_by] if name in texts and texts[name].ne("").any()]
    region = (filled or [name for name in JUNCTION[clone_by] if name in texts])[0]
    whole = pd.DataFrame(texts, index=frame.index)
    whole = whole.reindex(columns=list(dict.fromkeys(wanted)), fill_value="")
    whole["sequence"] = whole[region].str.upper()
    whole["protein"] = (whole["sequence"] if clone_by == "aa" else whole["junction_aa"]).astype("str")
    return whole, region.removesuffix("_aa")


def _owners(rows: pd.DataFrame, sample_ids: Sequence[str], findings: Findings) -> Texts:
    """Whose each row is."""
    filled = [name for name in SAMPLE if rows[name].ne("").any()]
    if not filled:
        if len(sample_ids) > 1:
            findings.fail(
                f"receptors of {len(sample_ids)} samples ({named(sample_ids)}), but no column sample_id",
                "sample_id saying whose each row is",
                "add it, or give each sample a file of its own",
            )
        return pd.Series(sample_ids[0], index=rows.index)
    named_by = next((name for name in filled if rows[name].isin(list(sample_ids)).any()), filled[0])
    present = sorted(set(rows[named_by]) - {""})
    if named_by == "repertoire_id" and len(sample_ids) == len(present) == 1:
        return pd.Series(sample_ids[0], index=rows.index)  # a repertoire's own number is no sample of the sheet
    check_present(sample_ids, present, findings, where="sample")
    return rows[named_by]


def _counts(
    table: Delimited, at: Mapping[str, int], rows: pd.DataFrame, findings: Findings
) -> tuple["pd.Series[float]", str]:
    """How often each row was seen, and what was counted. With cells each row counts once: `_piece` counts cells, not rows."""
    if rows[CELLS].ne("").any():
        return pd.Series(1.0, index=rows.index), CELLS
    for name in (name for name in COUNTS if name in at):
        cells = table.frame(text=[at[name]])[at[name]].str.strip().reindex(rows.index)
        if cells.str.lower().isin(ABSENT).all():
            continue
        numbers = pd.Series(as_numbers(cells), index=cells.index)
        wrong = cells[~((numbers >= 0) & np.isfinite(numbers) & (numbers % 1 == 0))]
        findings.add_cells(
            [(int(str(line)), name, repr(cell) if cell else "an empty cell") for line, cell in wrong.items()],
            "a whole number, zero or more",
            "correct the count",
        )
        return numbers.fillna(0.0), name
    return pd.Series(1.0, index=rows.index), "rows"


# ---- what the cells say ----------------------------------------------------------------------------------------------


def _check_words(rows: pd.DataFrame, clone_by: CloneBy, findings: Findings) -> None:
    """Note words that say neither yes nor no, and letters that are no residues; a receptor itself is never shown."""
    for column in ("productive", "is_cell"):
        told = rows[column].str.lower()
        unknown = rows.loc[~told.isin([*TRUE, *FALSE, ""]), column]
        findings.add_cells(
            [(int(str(line)), column, repr(cell)) for line, cell in unknown.items()], "T or F", "correct the cell"
        )
    odd = rows.loc[~_said(rows["productive"], FALSE), "sequence"].str.replace(
        f"[{re.escape(LETTERS[clone_by])}]+", "", regex=True
    )
    kind = "amino acids" if clone_by == "aa" else "nucleotides"
    findings.add_cells(
        [
            (int(str(line)), "junction", f"the characters {''.join(sorted(set(text)))[:20]!r}")
            for line, text in odd[odd.fillna("") != ""].items()
        ],
        f"{kind} in one-letter code",
        "correct the cell",
    )


def _said(cells: Texts, words: frozenset[str]) -> Flags:
    return cells.str.lower().isin(list(words))


def _with_genes(rows: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """The rows with the genes `v` and `j`, empty where none is told; note calls that are no names of genes."""
    genes = {}
    for own, column in (("v", "v_call"), ("j", "j_call")):
        calls = rows[column]
        genes[own] = calls.map({call: _gene(str(call)) for call in calls.unique()}).astype("str")
        strange = (calls != "") & (genes[own] == "")
        if strange.sum() * 2 > (calls != "").sum():
            findings.add(
                f"{int(strange.sum()):,} calls that name no gene, as {named(sorted(set(calls[strange])), limit=3)}",
                "names of IMGT (TRBV5-1*01)",
                "export AIRR TSV with IMGT names; TCRBV05-01 is a name of Adaptive's",
                column=column,
            )
    return rows.assign(**genes)


def _gene(call: str) -> str:
    """The gene of the first call, its allele set aside; a species before it and the like play no part."""
    found = GENE.search(call.split(",")[0])
    return SHARED_GENE.sub("/DV", found["gene"].upper().replace("/DV", "DV")).rstrip("/-") if found else ""


def _loci(rows: pd.DataFrame) -> Texts:
    """The chain of each row, empty where its genes contradict each other or what the file says.

    The J gene tells it where the file does not: some V genes serve both the alpha and the delta chain.
    """
    told = rows["locus"].str.upper()
    known = told.isin([*LOCI, *OTHER_LOCI])
    v, j = rows["v"].str[:3], rows["j"].str[:3]
    locus = told.where(known, j.where(j != "", v))
    shared = rows["v"].str.contains("/DV", regex=False) & locus.isin(["TRA", "TRD"])
    fits = ((v == locus) | (v == "") | shared) & ((j == locus) | (j == ""))
    return locus.where(fits, "")


def _piece(rows: pd.DataFrame, facts: Mapping[str, object]) -> pd.DataFrame:
    """The clones of one sample."""
    locus = _loci(rows)
    other = locus.isin(OTHER_LOCI)
    silent = rows["productive"] == ""
    broken = silent & (facts["clone_by"] == "nt") & (rows["sequence"].str.len() % 3 != 0)
    unproductive = ~other & (_said(rows["productive"], FALSE) | rows["protein"].str.contains(STOP) | broken)
    lacking = (rows["sequence"] == "") | (rows["v"] == "") | (rows["j"] == "") | ~locus.isin(LOCI)
    if facts["counted"] == CELLS:
        lacking |= (rows[CELLS] == "") | _said(rows["is_cell"], FALSE)
    incomplete = ~other & ~unproductive & lacking
    kept = ~other & ~unproductive & ~incomplete & (rows["count"] > 0)
    names = rows["v"] + ":" + rows["j"] + ":" + rows["sequence"]
    clones = pd.DataFrame({"locus": locus, "clone": names, "count": rows["count"], "cell": rows[CELLS]})[kept]
    grouped = clones.groupby(["locus", "clone"], sort=True)
    counts = grouped["cell"].nunique() if facts["counted"] == CELLS else grouped["count"].sum()
    piece = pd.DataFrame({"count": counts, "sequences": grouped.size()}).astype("int64").reset_index()
    piece.attrs["passport"] = {
        **facts,
        "reads": float(rows["count"][~other].sum()),
        "unproductive": float(rows["count"][unproductive].sum()),
        "incomplete": float(rows["count"][incomplete].sum()),
        "other_chains": float(rows["count"][other].sum()),
    }
    return piece[["clone", "locus", "count", "sequences"]]
