"""Bulk gene expression: genes x samples tables, `.h5ad` and salmon's `quant.sf`, cut into one piece a sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, write_table
from rabiomarkers.ingest.annotated import damage_told, gene_names, open_annotated, sample_names
from rabiomarkers.ingest.delimited import HDF5, Delimited, read_delimited
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.gene_tables import GeneNames, gene_names_of, read_transcripts, recognise, without_version
from rabiomarkers.ingest.matrix import check_not_negative, check_present, number_columns
from rabiomarkers.ingest.passport import DONE, Look, TpmFiles, check_expression, expression_scale, look, to_tpm
from rabiomarkers.ingest.symbols import symbol_column
from rabiomarkers.knowledge import load_aliases

SALMON = ("Name", "Length", "EffectiveLength", "TPM", "NumReads")
SCALES = {"rna_counts": "counts", "rna_tpm": "tpm"}


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """Genes x samples as the file has them; the index of both is the line, where the file has lines."""

    names: "pd.Series[str]"
    values: pd.DataFrame
    column: str | None
    estimated: bool = False
    quantified: bool = False  # by salmon, whose columns say what they hold


def read_expression(
    path: Path,
    *,
    label: str,
    assay: str,
    sample_ids: Sequence[str],
    aliases: pd.Series,
    annotation: str = "undeclared",
    gene_names: GeneNames | None = None,
    transcripts: "pd.Series[str] | None" = None,
    tpm_files: TpmFiles = "tpm",
) -> dict[str, pd.DataFrame]:
    """The expression of each sample.

    Parameters
    ----------
    path
        CSV or TSV (plain or gzipped), genes x samples: the genes in a column `symbol`, `gene_symbol`, `hgnc_symbol`, `gene_name`
        or `gene`, else in the first; columns that are no sample asked for are left aside. Or `.h5ad`, samples x genes. Or
        salmon's `quant.sf` of one sample, whose transcripts carry their symbol in GENCODE's names.
    label
        How the file is called in problems.
    assay
        `rna_counts` or `rna_tpm`; the values must look like it.
    sample_ids
        The samples to take.
    aliases
        Alias (index) -> HGNC symbol.
    annotation
        Which gene annotation was used, in words.
    gene_names
        Ensembl gene id -> symbol (`gene_tables`). An id that it does not know stays a gene under that id.
    transcripts
        Transcript id -> gene, for a `quant.sf` whose transcripts do not carry their gene in their names.
    tpm_files
        What a file of `rna_tpm` holds: TPM, FPKM (made TPM by their sum) or log2(TPM + 1) (undone).

    Returns
    -------
    By sample id: `gene` (HGNC symbol, sorted, each once: the values of one gene are summed) and `value`; `attrs["passport"]` says
    what was found and done. Genes without a name are left out and counted there. Counts with fractions, as quantifiers estimate
    them, stay as they are; the passport says `estimated`.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    matrix = _open(path, assay, sample_ids, findings, transcripts)
    genes, facts = recognise(matrix.names, aliases, findings, gene_names=gene_names, column=matrix.column)
    held: TpmFiles = tpm_files if assay == "rna_tpm" and not matrix.quantified else "tpm"
    given = matrix.values
    matrix, looks = _on_scale(matrix, assay, held, findings)
    findings.raise_if_any()
    summed = genes.indicator() @ matrix.values[list(sample_ids)].to_numpy()
    shared = {"scale": SCALES[assay], "declared": assay, "annotation": annotation, **facts}
    if held != "tpm":
        shared |= {"file_holds": held, "done": DONE[held]}
    pieces = {}
    for position, sample in enumerate(sample_ids):
        piece = pd.DataFrame({"gene": genes.symbols, "value": summed[:, position]})
        piece.attrs["passport"] = shared | {
            "estimated": assay == "rna_counts" and looks[sample].whole < 1,
            "total": float(piece["value"].sum()),
        }
        if held != "tpm":
            piece.attrs["passport"]["seen"] = expression_scale(look(given[sample]))  # before anything was done
        pieces[sample] = piece
    return pieces


def _on_scale(matrix: _Matrix, assay: str, held: TpmFiles, findings: Findings) -> tuple[_Matrix, dict[str, Look]]:
    """The matrix as counts or TPM, and how its samples look; what is negative or on another scale is noted."""
    if held == "tpm" or not np.isfinite(matrix.values.to_numpy()).all():  # cells that are no numbers are noted already
        return matrix, _check_values(matrix, assay, findings) if held == "tpm" else {}
    samples = [str(name) for name in matrix.values.columns]
    if held == "fpkm":
        check_not_negative(matrix.values, findings, what="FPKM")
    tpm = to_tpm(matrix.values.to_numpy(np.float64), samples, held, findings)
    values = pd.DataFrame(tpm, index=matrix.values.index, columns=matrix.values.columns)
    return replace(matrix, values=values), {name: look(values[name]) for name in samples}


def _check_values(matrix: _Matrix, assay: str, findings: Findings) -> dict[str, Look]:
    """Note values that are negative or on another scale; how the samples look whose cells are all numbers."""
    finite = matrix.values.loc[:, np.isfinite(matrix.values.to_numpy()).all(axis=0)]
    looks = {str(sample): look(finite[sample]) for sample in finite.columns}
    check_expression(looks, assay, findings, estimated=matrix.estimated)
    negative = [sample for sample, seen in looks.items() if expression_scale(seen) == "negative"]
    check_not_negative(finite[negative], findings, what="expression")
    return looks


def split_expression(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    label: str,
    assay: str,
    sample_ids: list[str],
    annotation: str,
    tpm_files: TpmFiles = "tpm",
) -> Info:
    """`matrix`, `aliases` -> `<sample_id>.parquet` of each sample; tells what the matrix is.

    Further inputs: `ensembl` (the table of gene ids that ships) or `gene_names` (the study's own), `transcripts`.
    """
    pieces = read_expression(
        inputs["matrix"],
        label=label,
        assay=assay,
        sample_ids=sample_ids,
        aliases=load_aliases(inputs["aliases"]),
        annotation=annotation,
        gene_names=gene_names_of(inputs),
        transcripts=read_transcripts(inputs["transcripts"]) if "transcripts" in inputs else None,
        tpm_files=tpm_files,
    )
    for sample, piece in pieces.items():
        write_table(piece, out / f"{sample}.parquet")
    passport = pieces[sample_ids[0]].attrs["passport"]
    return {key: value for key, value in passport.items() if key not in ("estimated", "total", "seen")}


def _open(
    path: Path, assay: str, sample_ids: Sequence[str], findings: Findings, transcripts: "pd.Series[str] | None"
) -> _Matrix:
    if path.is_file():
        with path.open("rb") as handle:
            if handle.read(len(HDF5)) == HDF5:
                return _annotated(path, sample_ids, findings)
    table = read_delimited(path, label=findings.file)
    if set(SALMON) <= set(table.header):
        return _salmon(table, assay, sample_ids, findings, transcripts)
    genes = symbol_column(table.header)
    header = [name for position, name in enumerate(table.header) if position != genes]
    _check_not_transposed(table, header, sample_ids, findings)
    check_present(sample_ids, header, findings, where="column")
    wanted = {at: name for at, name in enumerate(table.header) if at != genes and name in set(sample_ids)}
    return _Matrix(
        names=table.frame(text=[genes])[genes].str.strip(),
        values=number_columns(table, wanted, findings),
        column=table.header[genes] or None,
    )


def _check_not_transposed(
    table: Delimited, header: Sequence[str], sample_ids: Sequence[str], findings: Findings
) -> None:
    """Raise where the samples stand in the rows: told once, not once for each sample.

    Raises
    ------
    InputError
        The first column holds sample ids, the header none.
    """
    if set(sample_ids) & set(header) or not set(sample_ids) & set(table.frame(text=[0])[0].str.strip()):
        return
    findings.fail(
        "samples in the rows, genes in the columns",
        "genes in the rows, samples in the columns",
        "transpose the table",
        row=table.header_line,
    )


def _salmon(
    table: Delimited,
    assay: str,
    sample_ids: Sequence[str],
    findings: Findings,
    transcripts: "pd.Series[str] | None",
) -> _Matrix:
    """One sample; its transcripts are summed by gene when the names are harmonised."""
    if len(sample_ids) > 1:
        findings.add(
            f"a salmon quant.sf, named by {len(sample_ids)} samples",
            "one sample for each quant.sf",
            "give each sample its own file in samples.csv",
        )
        findings.raise_if_any()
    names = table.frame(text=[table.header.index("Name")]).iloc[:, 0].str.strip()
    column = "NumReads" if assay == "rna_counts" else "TPM"
    return _Matrix(
        names=_named_in_full(names, findings) if transcripts is None else _mapped(names, transcripts, findings),
        values=number_columns(table, {table.header.index(column): sample_ids[0]}, findings),
        column="Name",
        estimated=assay == "rna_counts",
        quantified=True,
    )


def _named_in_full(names: "pd.Series[str]", findings: Findings) -> "pd.Series[str]":
    """GENCODE names its transcripts ``ENST|ENSG|..|..|name|SYMBOL|..``: the sixth part is the gene."""
    parts = names.str.split("|", n=6, expand=True).reindex(columns=range(6))
    bare = names[parts[5].isna() & names.str.fullmatch(r"ENST\d{8,}(?:\.\d+)?")]
    if 2 * len(bare) > len(names):
        findings.add(
            f"transcripts without their gene in {len(bare):,} of {len(names):,} names: {named(bare, limit=3)}",
            "GENCODE's names, or a table of transcripts and genes",
            "name one as `expression: transcripts:` in study.yaml (columns transcript_id and symbol or gene_id)",
            row=int(bare.index[0]),
            column="Name",
        )
        findings.raise_if_any()
    return parts[5].where(parts[5].notna(), names).str.strip()


def _mapped(names: "pd.Series[str]", transcripts: "pd.Series[str]", findings: Findings) -> "pd.Series[str]":
    """The gene of each transcript; one that the table does not know has none, and its reads are left out and counted."""
    ids = without_version(names.str.split("|").str[0])
    genes = ids.map(transcripts)
    lost = names[genes.isna()]
    if 2 * len(lost) > len(names):
        findings.add(
            f"{len(lost):,} of {len(names):,} transcripts that the table of transcripts does not know: {named(lost, limit=3)}",
            "the table of the annotation that the index was built from",
            "name that table as `expression: transcripts:` in study.yaml",
            row=int(lost.index[0]),
            column="Name",
        )
        findings.raise_if_any()
    return genes.fillna("").astype(str)


def _annotated(path: Path, sample_ids: Sequence[str], findings: Findings) -> _Matrix:
    """Samples x genes; the symbols stand in a column of `.var`, or are its names."""
    data = open_annotated(path, findings.file, in_memory=False)  # of thousands of samples a study may ask for twenty
    try:
        return _asked_of(data, sample_ids, findings)
    finally:
        data.file.close()


def _asked_of(data: Any, sample_ids: Sequence[str], findings: Findings) -> _Matrix:
    names = sample_names(data.obs)
    if set(sample_ids) & set(data.var_names) and not set(sample_ids) & set(names):
        findings.fail(
            "genes x samples", "samples x genes, as AnnData has it", "transpose it: `adata.T.write_h5ad(...)`"
        )
    check_present(sample_ids, list(names), findings, where="sample")
    if "X" not in data.file:
        findings.add("no matrix in .X", "the values in .X", "write the AnnData with its matrix")
    findings.raise_if_any()
    place = {name: row for row, name in enumerate(names)}
    with damage_told(findings.file):
        rows = data[[place[sample] for sample in sample_ids]].to_memory().X
    dense = np.asarray(rows.todense() if hasattr(rows, "todense") else rows, dtype=np.float64)
    if not np.isfinite(dense).all():
        findings.add(
            "values that are not finite", "a number in every cell", "fill them in; 0 only where 0 was measured"
        )
    return _Matrix(
        names=gene_names(data.var),
        values=pd.DataFrame(dense.T, columns=list(sample_ids)),
        column=None,
    )
