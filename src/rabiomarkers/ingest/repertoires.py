"""T-cell receptors: AIRR rearrangement tables, cut into one piece a sample, one row a clone.

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

SAMPLE = ("sample_id", "repertoire_id")
JUNCTION: Mapping[CloneBy, tuple[str, ...]] = {
    "aa": ("junction_aa", "cdr3_aa"),
    "nt": ("junction", "cdr3"),
}
COUNTS = ("umi_count", "duplicate_count", "consensus_count")
"""Which column tells how often a receptor was seen, the best first: molecules, then reads."""
LOCI = ("TRA", "TRB", "TRG", "TRD")
OTHER_LOCI = ("IGH", "IGK", "IGL")
TRUE, FALSE = frozenset({"t", "true", "1", "yes"}), frozenset({"f", "false", "0", "no"})
SEQUENCE: Mapping[CloneBy, re.Pattern[str]] = {
    "aa": re.compile(r"[ACDEFGHIKLMNPQRSTVWYX*_]+", re.IGNORECASE),
    "nt": re.compile(r"[ACGTUN]+", re.IGNORECASE),
}
GENE = re.compile(r"(?P<gene>(TR[ABGD]|IG[HKL])[VJ][A-Z0-9/-]*)", re.IGNORECASE)


def read_repertoire(
    path: Path, *, label: str, sample_ids: Sequence[str], clone_by: CloneBy = "aa"
) -> dict[str, pd.DataFrame]:
    """The clones of each sample.

    Parameters
    ----------
    path
        AIRR rearrangement TSV (plain or gzipped): `v_call`, `j_call`, `junction_aa` or `cdr3_aa` (``aa``) or `junction` or `cdr3`
        (``nt``), and where there is one a count (`umi_count`, `duplicate_count`, `consensus_count`), `productive`, `locus`,
        `cell_id`. A column `sample_id` or `repertoire_id` says whose a row is; without one the file holds one sample.
    label
        How the file is called in problems.
    sample_ids
        The samples to take.
    clone_by
        A clone is a locus, a V and a J gene (alleles set aside) and the amino acids or nucleotides of the junction.

    Returns
    -------
    By sample id: `clone, locus, count, sequences` (how many rows make the clone), sorted, productive receptors of T cells only;
    ``attrs["passport"]`` with `counted` (which column), `unproductive` and `incomplete` (rows left aside), `reads`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    table = read_delimited(path, label=label)
    at = {title.strip(): position for position, title in enumerate(table.header)}
    junction = _columns(at, clone_by, findings)
    findings.raise_if_any()
    texts = _texts(table, at, junction)
    owner = _owners(texts, sample_ids, findings)
    counts, counted = _counts(table, at, texts, owner.isin(list(sample_ids)), findings)
    rows = texts.assign(owner=owner, count=counts)
    mine = rows[rows["owner"].isin(list(sample_ids))]
    _check_sequences(mine, clone_by, findings)
    findings.raise_if_any()
    return {sample: _piece(mine[mine["owner"] == sample], counted, clone_by) for sample in sample_ids}


def split_repertoires(
    inputs: Mapping[str, Path], out: Path, *, label: str, sample_ids: list[str], clone_by: CloneBy
) -> Info:
    """`matrix` -> `<sample_id>.parquet` of each sample; tells what was counted."""
    pieces = read_repertoire(inputs["matrix"], label=label, sample_ids=sample_ids, clone_by=clone_by)
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    told = pieces[sample_ids[0]].attrs["passport"]
    return {"counted": told["counted"], "clones": {sample: len(piece) for sample, piece in pieces.items()}}


def _columns(at: Mapping[str, int], clone_by: CloneBy, findings: Findings) -> str:
    """Which column holds the junction; absent columns are noted."""
    for name in ("v_call", "j_call"):
        if name not in at:
            meant = nearest(name, at)
            hint = f" (did you mean {meant!r}?)" if meant else ""
            findings.add(f"no column {name}", f"an AIRR rearrangement table{hint}", "export AIRR TSV", column=name)
    found = next((name for name in JUNCTION[clone_by] if name in at), "")
    if not found:
        wanted = " or ".join(JUNCTION[clone_by])
        findings.add(
            f"no column {wanted}", wanted, "export AIRR TSV, or set tcr.clone_by", column=JUNCTION[clone_by][0]
        )
    return found


def _texts(table: Delimited, at: Mapping[str, int], junction: str) -> pd.DataFrame:
    names = {"v_call": "v", "j_call": "j", junction: "junction"}
    names |= {name: name for name in (*SAMPLE, "productive", "locus", "cell_id") if name in at}
    frame = table.frame(text=[at[name] for name in names])
    return pd.DataFrame({own: frame[at[name]].str.strip() for name, own in names.items()}, index=frame.index)


def _owners(texts: pd.DataFrame, sample_ids: Sequence[str], findings: Findings) -> "pd.Series[str]":
    """Whose each row is."""
    named_by = next((name for name in SAMPLE if name in texts.columns and texts[name].ne("").any()), None)
    if named_by is None:
        if len(sample_ids) > 1:
            findings.fail(
                f"receptors of {len(sample_ids)} samples ({named(sample_ids)}), but no column sample_id",
                "sample_id saying whose each row is",
                "add it, or give each sample a file of its own",
            )
        return pd.Series(sample_ids[0], index=texts.index)
    owner = texts[named_by]
    if (
        len(sample_ids) == 1
        and owner.nunique() == 1
        and sample_ids[0] not in set(owner)
        and named_by == "repertoire_id"
    ):
        return pd.Series(sample_ids[0], index=texts.index)  # a repertoire's own number is no sample of the sheet
    check_present(sample_ids, sorted(set(owner) - {""}), findings, where="sample")
    return owner


def _counts(
    table: Delimited, at: Mapping[str, int], texts: pd.DataFrame, mine: "pd.Series[bool]", findings: Findings
) -> tuple["pd.Series[float]", str]:
    """How often each row was seen, and what was counted."""
    for name in COUNTS:
        if name not in at:
            continue
        cells = table.frame(text=[at[name]])[at[name]].str.strip()
        numbers = pd.Series(as_numbers(cells), index=cells.index)
        if numbers[mine].isna().all():
            continue
        wrong = mine & ~((numbers >= 0) & np.isfinite(numbers) & (numbers % 1 == 0))
        findings.add_cells(
            [(int(str(line)), name, repr(cell) if cell else "an empty cell") for line, cell in cells[wrong].items()],
            "a whole number, zero or more",
            "correct the count",
        )
        return numbers.fillna(0.0), name
    if "cell_id" in texts.columns:
        return pd.Series(1.0, index=texts.index), "cell_id"
    return pd.Series(1.0, index=texts.index), "rows"


def _check_sequences(rows: pd.DataFrame, clone_by: CloneBy, findings: Findings) -> None:
    written = rows["junction"][rows["junction"] != ""]
    odd = written[~written.map(lambda text: bool(SEQUENCE[clone_by].fullmatch(text)))]
    kind = "amino acids" if clone_by == "aa" else "nucleotides"
    findings.add_cells(
        [(int(str(line)), "junction", repr(text[:30])) for line, text in odd.items()],
        f"{kind} in one-letter code",
        "correct the cell",
    )


def _piece(rows: pd.DataFrame, counted: str, clone_by: CloneBy) -> pd.DataFrame:
    """The clones of one sample."""
    v, j = rows["v"].map(_gene), rows["j"].map(_gene)
    told = rows["locus"].str.upper() if "locus" in rows.columns else pd.Series("", index=rows.index)
    locus = told.where(told.isin([*LOCI, *OTHER_LOCI]), v.str[:3].where(v != "", j.str[:3]))
    stopped = rows["junction"].str.contains(r"[*_]", regex=True) if clone_by == "aa" else False
    written = rows["productive"].str.lower() if "productive" in rows.columns else pd.Series("t", index=rows.index)
    unproductive = written.isin(FALSE) | stopped
    incomplete = ~unproductive & ((rows["junction"] == "") | (v == "") | (j == "") | ~locus.isin(LOCI))
    kept = ~unproductive & ~incomplete & (rows["count"] > 0)
    clones = pd.DataFrame(
        {
            "clone": (v + ":" + j + ":" + rows["junction"].str.upper())[kept],
            "locus": locus[kept],
            "count": rows["count"][kept],
        }
    )
    grouped = clones.groupby(["locus", "clone"], sort=True)["count"]
    piece = grouped.agg(["sum", "size"]).reset_index().rename(columns={"sum": "count", "size": "sequences"})
    piece = piece.astype({"count": "int64", "sequences": "int64"})[["clone", "locus", "count", "sequences"]]
    piece.attrs["passport"] = {
        "scale": "counts",
        "declared": "tcr",
        "counted": counted,
        "clone_by": clone_by,
        "reads": float(rows["count"].sum()),
        "unproductive": float(rows["count"][unproductive].sum()),
        "incomplete": float(rows["count"][incomplete].sum()),
    }
    return piece


def _gene(call: str) -> str:
    """The gene of the first call, its allele set aside."""
    found = GENE.match(call.split(",")[0].strip())
    return found["gene"].upper() if found else ""
