"""Single-cell RNA counts of blood (PBMC) with known cell types.

A cell type expresses its own markers and those of its ancestors in the marker table; what the table calls negative is silent.
Beside good cells there are what every real library has: ambient RNA, doublets, and broken cells.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from rabiomarkers.knowledge import load_markers, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import Design, Patient, Sample, shared_stream, stream

if TYPE_CHECKING:
    from anndata import AnnData

type Numbers = npt.NDArray[np.float64]

FRACTIONS: Mapping[str, float] = {
    "CD4_naive": 0.14,
    "CD4_TCM": 0.13,
    "Treg": 0.025,
    "CD8_naive": 0.07,
    "CD8_TEM": 0.08,
    "gdT": 0.025,
    "MAIT": 0.025,
    "NK_CD56dim": 0.10,
    "NK_CD56bright": 0.015,
    "B_naive": 0.06,
    "B_memory": 0.04,
    "plasmablast": 0.01,
    "mono_classical": 0.20,
    "mono_nonclassical": 0.035,
    "cDC2": 0.015,
    "pDC": 0.01,
    "platelet": 0.02,
}
"""Cell types of blood mononuclear cells and their typical shares."""

SIZE: Mapping[str, float] = {"platelet": 0.6, "plasmablast": 1.6, "mono_classical": 1.3, "mono_nonclassical": 1.2}
"""RNA content relative to a lymphocyte."""

EXPANDING = "CD8_TEM"
EXPANSION_FOLD = 2.0
PATIENT_SD = 0.35  # natural log of a type's share, between patients
SAMPLE_SD = 0.12  # the same, between two samples of one patient

GENES = 2_800
ABUNDANT_GENES = 60  # what ribosomal genes are in blood: a third of all molecules
MEDIAN_TOTAL = 3_200  # molecules a cell
AMBIENT_SHARE = 0.03
DOUBLET_SHARE = 0.05
BROKEN_SHARE = 0.05
MITOCHONDRIAL_GENES = tuple(
    f"MT-{name}"
    for name in ("ATP6", "ATP8", "CO1", "CO2", "CO3", "CYB", "ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6")
)
_PROGRAMMES = 3  # directions in which cells of one type differ
_BARCODE_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class CellModel:
    """What every blood sample shares: expression by cell type (types x genes, each row sums to 1), and how cells vary."""

    genes: pd.Index
    types: tuple[str, ...]
    profiles: Numbers
    programmes: Numbers
    mitochondrial: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class BloodSample:
    """One simulated sample: the counts, and what each cell truly is (`barcode, true_type, doublet, broken`)."""

    cells: "AnnData"
    truth: pd.DataFrame

    def fractions(self) -> dict[str, float]:
        """True share of each type among intact single cells, which is what an analysis tries to find."""
        intact = self.truth.loc[~(self.truth["doublet"] | self.truth["broken"]), "true_type"]
        shares = intact.value_counts(normalize=True)
        return {name: float(shares.get(name, 0.0)) for name in FRACTIONS}


def cell_model(seed: int) -> CellModel:
    """Expression of every cell type over the blood genes of the knowledge tables, mitochondrial and neutral genes."""
    table = load_markers(config_path("markers/immune_markers.csv"))
    markers = table.query("modality == 'rna' and compartment == 'blood'")
    parents = dict(zip(table["cell_type"], table["parent"], strict=True))  # also of types without an RNA marker
    signatures = load_signatures(config_path("signatures/gene_signatures.csv")).query("compartment != 'tumour'")
    named = sorted({*markers["hgnc"], *signatures["gene"]} - set(MITOCHONDRIAL_GENES))
    neutral = GENES - len(named) - len(MITOCHONDRIAL_GENES)
    genes = pd.Index(
        [*named, *(f"GENE{number:05d}" for number in range(1, neutral + 1)), *MITOCHONDRIAL_GENES], name="gene"
    )
    rng = shared_stream(seed, "pbmc")
    level = rng.normal(-2.6, 1.4, len(genes))  # natural log of molecules in a cell; most genes are seen in few cells
    level[genes.isin(markers["hgnc"])] = rng.normal(-3.2, 0.6, int(genes.isin(markers["hgnc"]).sum()))
    level[rng.choice(np.flatnonzero(genes.str.startswith("GENE")), ABUNDANT_GENES, replace=False)] = 2.8
    mitochondrial = np.asarray(genes.isin(MITOCHONDRIAL_GENES))
    kinship: dict[str, Numbers] = {}  # types of one parent differ little beside their markers
    profiles = np.empty((len(FRACTIONS), len(genes)))
    for row, cell_type in enumerate(FRACTIONS):
        positive, negative = _markers_of(cell_type, markers, parents)
        kin = kinship.setdefault(parents[cell_type], rng.normal(0.0, 0.25, len(genes)))
        own = level + kin + rng.normal(0.0, 0.08, len(genes))
        own = np.where(genes.isin(positive), rng.normal(-0.5, 0.9, len(genes)), own)
        own = np.where(genes.isin(negative), -5.0, own)
        profiles[row] = _normalised(np.exp(own), mitochondrial, 0.05)
    programmes = rng.normal(0.0, 0.15, (_PROGRAMMES, len(genes)))
    return CellModel(
        genes=genes, types=tuple(FRACTIONS), profiles=profiles, programmes=programmes, mitochondrial=mitochondrial
    )


def _markers_of(cell_type: str, markers: pd.DataFrame, parents: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Positive and negative genes of a type and its ancestors; where they disagree the nearer one counts."""
    signs: dict[str, str] = {}
    node = cell_type
    while node != "root":
        rows = markers[markers["cell_type"] == node]
        signs = dict(zip(rows["hgnc"], rows["sign"], strict=True)) | signs
        node = parents[node]
    return {gene for gene, sign in signs.items() if sign == "+"}, {gene for gene, sign in signs.items() if sign == "-"}


def _normalised(amounts: Numbers, mitochondrial: npt.NDArray[np.bool_], share: float) -> Numbers:
    """Amounts scaled to a sum of 1 with the given mitochondrial share."""
    nuclear = np.where(mitochondrial, 0.0, amounts)
    mito = np.where(mitochondrial, amounts, 0.0)
    scaled: Numbers = (1 - share) * nuclear / nuclear.sum() + share * mito / mito.sum()
    return scaled


def blood_samples(
    design: Design, patient: Patient, *, cells: int = 2000, model: CellModel | None = None
) -> Iterator[tuple[Sample, BloodSample]]:
    """The blood samples that were taken of one patient.

    Parameters
    ----------
    cells
        Cells a sample, all kinds of bad ones included.
    model
        `cell_model(design.seed)`, where it is at hand already.
    """
    shared = model or cell_model(design.seed)
    rng = stream(design.seed, patient.index, "cells")
    shares = compositions(design, patient)
    deviation = np.exp(rng.normal(0.0, 0.12, len(shared.genes)))
    for sample in patient.of("pbmc"):
        drawn = _library(shared, shares[sample.sample_id].to_numpy(), deviation, cells, rng)
        if not sample.missing:
            yield sample, drawn


def compositions(design: Design, patient: Patient) -> dict[str, pd.Series]:
    """The share of each cell type in the blood of one patient, by sample, from which the cells are drawn; no file needed."""
    rng = stream(design.seed, patient.index, "pbmc")
    own = np.log(np.fromiter(FRACTIONS.values(), float)) + rng.normal(0.0, PATIENT_SD, len(FRACTIONS))
    shares: dict[str, pd.Series] = {}
    for sample in patient.of("pbmc"):
        weight = pd.Series(own + rng.normal(0.0, SAMPLE_SD, len(FRACTIONS)), index=list(FRACTIONS))
        if design.planted and patient.responder and sample.timepoint == "post":
            weight[EXPANDING] += np.log(EXPANSION_FOLD)
        shares[sample.sample_id] = np.exp(weight) / np.exp(weight).sum()
    return shares


def _library(
    model: CellModel, fractions: Numbers, deviation: Numbers, cells: int, rng: np.random.Generator
) -> BloodSample:
    from anndata import AnnData  # slow to load, and only needed here
    from scipy.sparse import csr_matrix

    profiles = model.profiles * deviation
    profiles /= profiles.sum(axis=1, keepdims=True)
    first, second = rng.choice(len(fractions), size=(2, cells), p=fractions)
    doublet = rng.random(cells) < DOUBLET_SHARE
    broken = ~doublet & (rng.random(cells) < BROKEN_SHARE)
    expected = _molecules(model, profiles, first, rng)
    expected[doublet] += _molecules(model, profiles, second[doublet], rng)
    expected[broken] = _broken(model, expected[broken], rng)
    soup = fractions @ profiles
    ambient = AMBIENT_SHARE * expected.sum(axis=1, keepdims=True) * soup
    counts = csr_matrix(rng.poisson((1 - AMBIENT_SHARE) * expected + ambient).astype(np.float32))
    barcodes = _barcodes(cells, rng)
    truth = pd.DataFrame(
        {"barcode": barcodes, "true_type": np.array(model.types)[first], "doublet": doublet, "broken": broken}
    )
    adata = AnnData(counts, obs=pd.DataFrame(index=pd.Index(barcodes)), var=pd.DataFrame(index=model.genes))
    return BloodSample(cells=adata, truth=truth)


def _molecules(
    model: CellModel, profiles: Numbers, kinds: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Expected molecules, cells x genes: the type's profile, bent a little for each cell, times the cell's size."""
    size = np.array([SIZE.get(name, 1.0) for name in model.types])[kinds]
    total = MEDIAN_TOTAL * size * np.exp(rng.normal(0.0, 0.3, len(kinds)))
    state = rng.normal(0.0, 1.0, (len(kinds), _PROGRAMMES)).astype(np.float32)
    bent = profiles.astype(np.float32)[kinds] * np.exp(state @ model.programmes.astype(np.float32))
    shares: npt.NDArray[np.float32] = bent * (total / bent.sum(axis=1))[:, None].astype(np.float32)
    return shares


def _broken(model: CellModel, expected: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Half of them have lost most of their RNA, half all but their mitochondria's."""
    empty = rng.random(len(expected)) < 0.5
    leaking = np.where(model.mitochondrial, rng.uniform(8.0, 15.0, (len(expected), 1)), 0.5)
    factor = np.where(empty[:, None], rng.uniform(0.01, 0.03, (len(expected), 1)), leaking)
    lost: npt.NDArray[np.float32] = (expected * factor).astype(np.float32)
    return lost


def _barcodes(cells: int, rng: np.random.Generator) -> list[str]:
    """Distinct 10x-like barcodes, in the order of the cells."""
    numbers = rng.permutation(np.unique(rng.integers(0, 4**_BARCODE_LENGTH, size=2 * cells + 16))[:cells])
    letters = np.array(list("ACGT"))[(numbers[:, None] >> (2 * np.arange(_BARCODE_LENGTH))) & 3]
    return [f"{''.join(row)}-1" for row in letters.tolist()]
