"""Blood cells with a known truth, made from the marker table in the plainest way; the simulated trial has the realistic ones."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from rabiomarkers.features.annotation import MarkerTree, marker_tree
from rabiomarkers.knowledge import load_markers
from rabiomarkers.schema import config_path

PBMC: Mapping[str, float] = {
    "CD4_naive": 0.18,
    "CD4_TCM": 0.16,
    "Treg": 0.04,
    "CD8_naive": 0.09,
    "CD8_TEM": 0.10,
    "gdT": 0.02,
    "NK_CD56dim": 0.10,
    "B_naive": 0.07,
    "B_memory": 0.04,
    "mono_classical": 0.14,
    "mono_nonclassical": 0.03,
    "cDC2": 0.02,
    "pDC": 0.01,
}
MOLECULES = 2500
ON = 15.0  # a marker where it is on, relative to where it is not


@pytest.fixture(scope="session")
def markers() -> pd.DataFrame:
    return load_markers(config_path("markers/immune_markers.csv"))


@pytest.fixture(scope="session")
def tree(markers) -> MarkerTree:
    return marker_tree(markers)


@pytest.fixture(scope="session")
def make_cells(tree) -> Callable[..., AnnData]:
    """Cells x 2 000 genes of the given types (`.obs["truth"]`); doublets are sums of two cells."""

    def make(
        shares: Mapping[str, float] = PBMC,
        *,
        cells: int = 1000,
        seed: int = 1,
        doublets: int = 0,
        unknown: int = 0,
        of: MarkerTree = tree,
    ) -> AnnData:
        rng = np.random.default_rng(seed)
        others = [f"GENE{number:05d}" for number in range(2000 - len(of.genes) - 3)]
        genes = [*of.genes, *others, "MT-CO1", "MT-CO2", "MT-ND1"]
        base = rng.lognormal(0, 1, len(genes))
        base[: len(of.genes)] = rng.lognormal(-1.5, 0.4, len(of.genes))
        base[-3:] = 30.0
        truth = rng.choice(list(shares), size=cells, p=np.array(list(shares.values())) / sum(shares.values()))
        truth[:unknown] = "unknown"
        profiles = {"unknown": base / base.sum()}
        for name in shares:
            signs = np.array([of.signs[name].get(gene, 0) for gene in genes])
            level = np.where(signs == 1, base * ON, np.where(signs == -1, base / 5, base))
            profiles[name] = level / level.sum()
        depth = rng.lognormal(np.log(MOLECULES), 0.3, cells)
        expected = np.stack([profiles[name] for name in truth]) * depth[:, None]
        counts = rng.poisson(rng.gamma(4.0, expected / 4.0)).astype(np.float32)
        if doublets:
            first, second = rng.integers(unknown, cells, size=(2, doublets))
            counts = np.vstack([counts, counts[first] + counts[second]])
        names = [*truth, *["doublet"] * doublets]
        barcodes = [f"{number:06d}-1" for number in rng.permutation(len(names))]
        obs = pd.DataFrame({"truth": names}, index=barcodes)
        return AnnData(csr_matrix(counts), obs=obs, var=pd.DataFrame(index=genes))

    return make
