"""Bulk RNA counts of tumour biopsies with a known change under treatment.

Counts are negative binomial around a mean made of the gene's level, the patient's own deviation, an immune-infiltration
factor that varies between patients and biopsies, and (where planted) the effect of treatment.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rabiomarkers.knowledge import load_markers, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import Design, Patient, Sample, shared_stream, stream

type Numbers = npt.NDArray[np.float64]

NEUTRAL_GENES = 10_500
"""Genes of no signature; with the named ones above 12 000, as many as a biopsy expresses."""

LIBRARY_READS = (15e6, 60e6)
POOR_LIBRARY_READS = 200_000

PATIENT_SD = 0.5  # log2; between patients, the same in both biopsies of one patient
INFILTRATION_SD = 0.8  # log2 of immune genes; between patients
INFILTRATION_DRIFT_SD = 0.35  # log2; between two biopsies of one patient
SILENT_SHARE = 0.25

# Immune genes move together with how many immune cells a biopsy happens to hold.
_INFILTRATION: Mapping[str, float] = {
    "immune_infiltrate": 1.0,
    "cd8_cytotoxicity": 1.0,
    "t_cell_inflamed": 1.0,
    "tls": 0.9,
    "treg": 0.8,
    "t_cell_exhaustion": 0.7,
    "ifng": 0.6,
    "antigen_presentation": 0.5,
}
_STROMAL = ("MCPCOUNTER_ENDOTHELIAL_CELLS", "MCPCOUNTER_FIBROBLASTS")
# Retinoic-acid targets that rise with infiltration in patients who had no retinoic acid (GEO GSE91061).
_INFILTRATING_TARGETS = ("CD38", "PLAAT4", "TGM2")

# Every patient is a woman: XIST is expressed and no gene of the Y chromosome is, but for a stray read.
SEX_GENES = ("XIST", "RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY")
XIST_LEVEL, XIST_SD = 5.5, 0.6  # log2 counts per million; between biopsies
STRAY_READS = 0.2  # of each Y-linked gene, on average

RA_SIGNATURE = "RA_RESPONSE_DIRECT"
PEROXIDATION_SIGNATURE = "MACROPHAGE_LIPID_PEROXIDATION"
CYTOTOXIC_SIGNATURES = (
    "CYT_ROONEY_2015",
    "DANAHER_CD8_T_CELLS",
    "DANAHER_CYTOTOXIC_CELLS",
    "TEFF_IFNG_MARIATHASAN_2018",
)

RA_LOG2_FOLD = 1.75
RA_PATIENT_SD = 0.3  # how differently patients respond to the drug
PEROXIDATION_LOG2_FOLD = 1.0
CYTOTOXIC_LOG2_FOLD = 0.7
INFILTRATION_LOG2_FOLD = 0.9  # times a gene's loading


@dataclass(frozen=True, kw_only=True)
class TumourModel:
    """What every biopsy shares: per gene the log2 level in counts per million, the infiltration loading, the planted folds."""

    genes: pd.Index
    level: Numbers
    infiltration: Numbers
    everybody: Numbers
    """Planted log2 fold after treatment in every patient."""
    responders: Numbers
    """Further log2 fold after treatment in responders."""


def tumour_model(seed: int, *, neutral_genes: int = NEUTRAL_GENES) -> TumourModel:
    """The genes of a simulated biopsy: all of the signature and marker tables, and `neutral_genes` of none."""
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    markers = load_markers(config_path("markers/immune_markers.csv"))
    named = sorted({*signatures["gene"], *markers["hgnc"]})
    genes = pd.Index([*named, *(f"GENE{number:05d}" for number in range(1, neutral_genes + 1))], name="gene")
    rng = shared_stream(seed, "tumour")
    is_named = np.arange(len(genes)) < len(named)
    level = np.where(is_named, rng.normal(4.0, 1.8, len(genes)), rng.normal(3.5, 2.3, len(genes)))
    silent = rng.random(len(genes)) < np.where(is_named, 0.08, SILENT_SHARE)
    silent &= ~genes.isin(signatures.loc[signatures["axis"] == "housekeeping", "gene"])
    targets = np.asarray(genes.isin(_members(signatures, RA_SIGNATURE)["gene"]))
    # targets of a drug not yet given: low, but transcribed
    level = np.where(targets, np.clip(rng.normal(1.5, 1.0, len(genes)), -0.5, 4.0), level)
    level = np.where(silent & ~targets, rng.normal(-8.0, 1.5, len(genes)), level)
    level -= np.log2(np.exp2(level).sum() / 1e6)
    peroxidation = (
        _members(signatures, PEROXIDATION_SIGNATURE).set_index("gene")["direction"].reindex(genes, fill_value=0)
    )
    cytotoxic = genes.isin(_members(signatures, *CYTOTOXIC_SIGNATURES)["gene"])
    infiltration = _infiltration(signatures, genes) * rng.uniform(0.6, 1.2, len(genes))
    responders = PEROXIDATION_LOG2_FOLD * peroxidation.to_numpy(float) + CYTOTOXIC_LOG2_FOLD * cytotoxic
    return TumourModel(
        genes=genes,
        level=level,
        infiltration=infiltration,
        everybody=np.where(targets, RA_LOG2_FOLD, 0.0),
        responders=responders + INFILTRATION_LOG2_FOLD * infiltration,
    )


def _members(signatures: pd.DataFrame, *names: str) -> pd.DataFrame:
    return signatures[signatures["signature"].isin(names)]


def _infiltration(signatures: pd.DataFrame, genes: pd.Index) -> Numbers:
    """How strongly a gene follows immune infiltration: the strongest of its axes, 0 for most genes."""
    immune = signatures[~signatures["signature"].isin(_STROMAL) & (signatures["direction"] == 1)]
    loading = immune["axis"].map(_INFILTRATION).fillna(0.0).groupby(immune["gene"]).max()
    loading.loc[list(_INFILTRATING_TARGETS)] = 0.8
    return np.asarray(loading.reindex(genes, fill_value=0.0), dtype=np.float64)


def tumour_counts(
    design: Design, *, patients: tuple[Patient, ...] | None = None, neutral_genes: int = NEUTRAL_GENES
) -> pd.DataFrame:
    """Read counts, genes x samples, of the biopsies that were taken.

    Parameters
    ----------
    design
        The trial.
    patients
        Those of the design to simulate; all where not given. A patient's counts do not depend on it.
    neutral_genes
        How many genes of no signature there are.
    """
    model = tumour_model(design.seed, neutral_genes=neutral_genes)
    columns: dict[str, npt.NDArray[np.int64]] = {}
    for patient in design.patients if patients is None else patients:
        columns |= _biopsies(design, model, patient)
    return pd.DataFrame(columns, index=_all_genes(model))


def _biopsies(design: Design, model: TumourModel, patient: Patient) -> dict[str, npt.NDArray[np.int64]]:
    """Both biopsies are drawn even where one is missing, so that the other does not depend on that."""
    rng, sex = stream(design.seed, patient.index, "tumour"), stream(design.seed, patient.index, "sex")
    own = model.level + rng.normal(0.0, PATIENT_SD, len(model.genes))
    own += model.infiltration * rng.normal(0.0, INFILTRATION_SD)
    exposure = max(0.5, rng.normal(1.0, RA_PATIENT_SD / RA_LOG2_FOLD))
    drawn: dict[str, npt.NDArray[np.int64]] = {}
    for sample in patient.of("tumour"):
        level = own + model.infiltration * rng.normal(0.0, INFILTRATION_DRIFT_SD)
        if design.planted and sample.timepoint == "post":
            level = level + exposure * model.everybody + patient.responder * model.responders
        counts = _sequence(level, sample, rng)
        last = _sex_counts(int(counts.sum()), sex)
        if not sample.missing:
            whole = pd.Series(counts, model.genes).reindex(_all_genes(model), fill_value=0)
            whole[list(SEX_GENES)] = last
            drawn[sample.sample_id] = whole.to_numpy(np.int64)
    return drawn


def _all_genes(model: TumourModel) -> pd.Index:
    """Those of the model, and the sex genes that it lacks behind them."""
    return model.genes.append(pd.Index([gene for gene in SEX_GENES if gene not in model.genes], name="gene"))


def _sex_counts(reads: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Reads of `SEX_GENES` in a library of so many; from a stream of their own."""
    xist = reads * np.exp2(rng.normal(XIST_LEVEL, XIST_SD)) / 1e6
    counts: npt.NDArray[np.int64] = rng.poisson([xist, *[STRAY_READS] * (len(SEX_GENES) - 1)])
    return counts


def _sequence(level: Numbers, sample: Sample, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Negative-binomial counts; the dispersion falls with the mean towards that of biological replicates."""
    low, high = LIBRARY_READS
    reads = np.exp(rng.uniform(np.log(low), np.log(high)))
    share = np.exp2(level) / np.exp2(level).sum()
    mean = share * (POOR_LIBRARY_READS if sample.poor else reads)
    dispersion = 0.06 + 2.0 / (mean + 20.0)
    counts: npt.NDArray[np.int64] = rng.poisson(rng.gamma(1.0 / dispersion, mean * dispersion))
    return counts
