"""Which genes of which signature were measured, over all samples of a compartment and assay."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rabiomarkers.features.signatures import choose_signatures
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.tables.genes import GENE_COVERAGE


def gene_coverage(measured: Mapping[str, pd.Index], signatures: pd.DataFrame) -> pd.DataFrame:
    """By signature: how many of its genes every sample measured, and which were absent.

    Parameters
    ----------
    measured
        Genes by sample, of samples of one compartment and assay.
    signatures
        `signature`, `gene`.

    Returns
    -------
    `signature, n_genes, n_measured, coverage, absent`. In `absent` a gene that only some samples lack tells how many.
    """
    listed = pd.Index(sorted(signatures["gene"].unique()))
    lacking = pd.Series(sum((~listed.isin(genes)).astype(int) for genes in measured.values()), index=listed)
    told = {
        str(gene): str(gene) if count == len(measured) else f"{gene} (in {count} of {len(measured)} samples)"
        for gene, count in lacking[lacking > 0].items()
    }
    rows = []
    for name, genes in signatures.groupby("signature", sort=True)["gene"]:
        absent = [told[gene] for gene in sorted(genes) if gene in told]
        found = len(genes) - len(absent)
        rows.append((name, len(genes), found, found / len(genes), ", ".join(absent) or None))
    return pd.DataFrame(rows, columns=["signature", "n_genes", "n_measured", "coverage", "absent"])


def coverage_step(inputs: Mapping[str, Path], out: Path, *, names: Sequence[str]) -> Info:
    """`samples`, `signatures`, ``piece:<sample>:<assay>`` -> `gene_coverage.parquet` (GENE_COVERAGE)."""
    signatures = choose_signatures(load_signatures(inputs["signatures"]), names)
    sheet = read_table(inputs["samples"]).set_index(["sample_id", "assay"])["compartment"]
    groups: dict[tuple[str, str], dict[str, pd.Index]] = {}
    for name, path in inputs.items():
        kind, _, rest = name.partition(":")
        if kind == "piece":
            sample, _, assay = rest.rpartition(":")
            genes = pd.Index(read_table(path)["gene"])
            groups.setdefault((sheet[sample, assay], assay), {})[sample] = genes
    parts = [
        gene_coverage(measured, signatures).assign(compartment=compartment, assay=assay)
        for (compartment, assay), measured in sorted(groups.items())
    ]
    table = GENE_COVERAGE.check(pd.concat(parts, ignore_index=True)) if parts else GENE_COVERAGE.empty()
    write_table(table, out / "gene_coverage.parquet")
    absent = {
        gene for part in parts for cell in part["absent"].dropna() for gene in cell.split(", ") if " " not in gene
    }
    return {"groups": len(parts), "unresolved_genes": sorted(absent)}
