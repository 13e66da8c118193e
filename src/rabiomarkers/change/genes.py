"""Single genes: how each changed within patients, from the bulk RNA of both timepoints.

Counts: genes that are counted too rarely are left out (edgeR's rule), libraries put on one scale by TMM, and the patients'
differences of log2 CPM tested by moderated t. That equals limma's ~ patient + time on the same values. TPM: log2(TPM + 1), without
TMM. With `deseq2` the counts themselves are modelled (~ patient + time).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.change.count_model import count_model
from rabiomarkers.change.enrichment import enrichment_table
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.tmm import enough_counts, log_cpm, tmm_factors
from rabiomarkers.tables.genes import ENRICHMENT, GENE_DELTAS, GENES
from rabiomarkers.tables.samples import SAMPLES

PIECE = "piece:"
FEWEST_PAIRS = 3
SMALLEST_P = "smallest p"
RARE = "counted too rarely to be tested"
SILENT = "not expressed in enough samples to be tested"
TESTS = ("moderated_t", "deseq2")
PAIR = ("patient_id", "compartment", "assay")


@dataclass(frozen=True, kw_only=True)
class GeneChange:
    """How the genes of one compartment and assay changed: GENES without these two columns, and log2 changes (genes x patients)."""

    genes: pd.DataFrame
    deltas: pd.DataFrame
    filtered: int  # genes that were measured and not tested


def gene_change(
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    *,
    scale: str,
    test: str = "moderated_t",
    minimum_count: float = 10.0,
    named: Sequence[str] = (),
    level: float = 0.95,
) -> GeneChange:
    """Test the change of every gene.

    Parameters
    ----------
    earlier, later
        Genes x patients, the same patients and genes in both: counts, or TPM.
    scale
        ``counts`` or ``tpm``.
    test
        ``moderated_t`` or ``deseq2`` (counts only).
    minimum_count
        Reads in a library of median size that as many samples as there are pairs must have; of TPM, a tenth of it as TPM.
    named
        Genes that are told even if they were not tested, with the reason.
    level
        Of the intervals.

    Returns
    -------
    The tested genes, sorted, and `named` ones that were not. With fewer than three pairs nothing is tested and the note says so.

    Raises
    ------
    StatisticsError
        ``deseq2`` without the package.
    """
    patients = sorted(earlier.columns)
    before, after = (frame.sort_index()[patients] for frame in (earlier, later))
    genes = before.index.astype(str)
    values = np.hstack([before.to_numpy(np.float64), after.to_numpy(np.float64)])
    if len(patients) < FEWEST_PAIRS:
        note = f"{len(patients)} pair{'' if len(patients) == 1 else 's'}: genes are tested from {FEWEST_PAIRS} on"
        told = _untested([gene for gene in genes if gene in set(named)], len(patients), note)
        return GeneChange(genes=told, deltas=pd.DataFrame(columns=patients, dtype="float64"), filtered=len(genes))
    kept, levels = _levels(values, scale, len(patients), minimum_count)
    deltas = pd.DataFrame(
        levels[:, len(patients) :] - levels[:, : len(patients)], index=genes[kept], columns=pd.Index(patients)
    )
    tested = (
        count_model(values[kept], genes[kept], patients, level=level)
        if test == "deseq2" and scale == "counts"
        else _moderated(deltas, level)
    )
    tested = tested.assign(n_pairs=len(patients), mean_level=levels.mean(axis=1))
    tested["q_value"] = benjamini_hochberg(tested["p_value"])
    lost = [gene for gene in genes[~kept] if gene in set(named)]
    table = pd.concat([tested, _untested(lost, len(patients), RARE if scale == "counts" else SILENT)])
    return GeneChange(genes=table.sort_values("gene", ignore_index=True), deltas=deltas, filtered=int((~kept).sum()))


def _levels(values: np.ndarray, scale: str, pairs: int, minimum_count: float) -> tuple[np.ndarray, np.ndarray]:
    """Which genes are tested, and their log2 levels (genes x samples)."""
    if scale == "counts":
        kept = enough_counts(values, smallest_group=pairs, minimum_count=minimum_count)
        counts = values[kept]
        return kept, log_cpm(counts, tmm_factors(counts)) if kept.any() else counts
    kept = np.asarray((values >= minimum_count / 10).sum(axis=1) >= pairs)
    return kept, np.log2(values[kept] + 1)


def _moderated(deltas: pd.DataFrame, level: float) -> pd.DataFrame:
    told = moderated_t_many(deltas.to_numpy(np.float64), level=level)
    half = (told["ci_high"] - told["ci_low"]) / 2
    error = half / _t_quantile(told["degrees_of_freedom"].to_numpy(np.float64), level)
    columns = ["estimate", "ci_low", "ci_high", "degrees_of_freedom", "p_value", "test", "note"]
    return told[columns].assign(gene=deltas.index.to_numpy(), statistic=told["estimate"] / error)


def _t_quantile(freedom: np.ndarray, level: float) -> np.ndarray:
    from scipy.stats import t as t_distribution

    return np.asarray(t_distribution.ppf((1 + level) / 2, freedom), dtype=np.float64)


def _untested(genes: Sequence[str], pairs: int, note: str) -> pd.DataFrame:
    numbers = ("mean_level", "estimate", "ci_low", "ci_high", "statistic", "degrees_of_freedom", "p_value", "q_value")
    return pd.DataFrame({"gene": list(genes), "n_pairs": pairs, "test": "not tested", "note": note}).assign(
        **dict.fromkeys(numbers, np.nan)
    )


def shown_genes(change: GeneChange, planned: Mapping[str, Sequence[str]], number: int) -> pd.DataFrame:
    """Each patient's change of the `number` genes of smallest p and of those of planned signatures.

    Columns: `gene, patient_id, change, chosen` (why the gene is shown).
    """
    tested = change.genes[change.genes["p_value"].notna()]
    first = tested.sort_values(["p_value", "gene"])["gene"].head(number)
    chosen = dict.fromkeys(first, SMALLEST_P)
    for name, genes in sorted(planned.items()):
        chosen |= {gene: name for gene in sorted(genes) if gene in change.deltas.index and gene not in chosen}
    long = change.deltas.loc[list(chosen)].rename_axis(index="gene").reset_index()
    table = long.melt(id_vars="gene", var_name="patient_id", value_name="change")
    return table.assign(chosen=table["gene"].map(chosen))


def gene_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    names: Sequence[str] = (),
    planned: Sequence[str] = (),
    test: str = "moderated_t",
    minimum_count: float = 10.0,
    shown: int = 40,
    level: float = 0.95,
    seed: int = 1,
) -> Info:
    """Write `genes`, `gene_deltas` and `enrichment.parquet` of every compartment and assay with bulk RNA of both timepoints.

    Inputs: `samples` (SAMPLES), `failed` (`sample_id, assay`), `signatures`, and ``piece:<sample>:<assay>`` of each sample.
    `names` are the signatures that are asked (none: all), `planned` those of the plan whose genes are shown patient by patient.
    """
    signatures = load_signatures(inputs["signatures"])
    signatures = signatures[signatures["signature"].isin(names)] if len(names) else signatures
    wanted = {str(name): list(rows["gene"]) for name, rows in signatures.groupby("signature") if name in set(planned)}
    parts: dict[str, list[pd.DataFrame]] = {"genes": [], "gene_deltas": [], "enrichment": []}
    info: dict[str, Any] = {"groups": 0, "tested": 0, "not_tested": 0}
    for (compartment, assay), pairs in _pairs(inputs, contrast):
        frames = _matrices(inputs, pairs, assay)
        change = gene_change(
            frames[0],
            frames[1],
            scale="counts" if assay == "rna_counts" else "tpm",
            test=test,
            minimum_count=minimum_count,
            named=sorted(set(signatures["gene"])),
            level=level,
        )
        place = {"compartment": compartment, "assay": assay}
        parts["genes"].append(change.genes.assign(**place))
        parts["gene_deltas"].append(shown_genes(change, wanted, shown).assign(**place))
        ranked = change.genes[change.genes["statistic"].notna()]
        if len(ranked) > FEWEST_PAIRS:
            parts["enrichment"].append(enrichment_table(ranked, change.deltas, signatures, seed=seed).assign(**place))
        info |= {"groups": info["groups"] + 1, "tested": info["tested"] + len(ranked)}
        info["not_tested"] += change.filtered
    for name, table in (("genes", GENES), ("gene_deltas", GENE_DELTAS), ("enrichment", ENRICHMENT)):
        found = [part for part in parts[name] if len(part)]
        whole = pd.concat(found, ignore_index=True) if found else table.empty()
        write_table(table.check(whole.sort_values(list(table.key))), out / f"{name}.parquet")
    return info


def _pairs(inputs: Mapping[str, Path], contrast: Sequence[str]) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Patients x the two timepoints, the sample of each, of those that have both and passed the quality check."""
    samples = SAMPLES.check(read_table(inputs["samples"]))
    there = (PIECE + samples["sample_id"] + ":" + samples["assay"]).isin(list(inputs))
    failed = read_table(inputs["failed"])
    out = set(zip(failed["sample_id"], failed["assay"], strict=True))
    passed = np.array([key not in out for key in zip(samples["sample_id"], samples["assay"], strict=True)], dtype=bool)
    used = samples[there.to_numpy(bool) & passed & samples["timepoint"].isin(list(contrast))]
    first = used.sort_values(["replicate", "sample_id"]).drop_duplicates([*PAIR, "timepoint"])
    groups = []
    for (compartment, assay), rows in first.groupby(["compartment", "assay"], sort=True):
        wide = rows.pivot(index="patient_id", columns="timepoint", values="sample_id").reindex(columns=list(contrast))
        complete = wide.dropna().sort_index()
        if len(complete):
            groups.append(((str(compartment), str(assay)), complete))
    return groups


def _matrices(inputs: Mapping[str, Path], pairs: pd.DataFrame, assay: str) -> list[pd.DataFrame]:
    """Genes x patients of each timepoint, of the genes that every sample measured."""
    columns = {
        (timepoint, patient): read_table(inputs[f"{PIECE}{sample}:{assay}"]).set_index("gene")["value"]
        for timepoint in pairs.columns
        for patient, sample in pairs[timepoint].items()
    }
    table = pd.concat(columns, axis="columns", join="inner")
    return [pd.DataFrame(table.xs(timepoint, axis="columns")) for timepoint in pairs.columns]
