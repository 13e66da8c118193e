"""Mouse stem cells under retinoic acid (Semrau 2017, GSE79578), the positive control: its targets rise, the facts of its README.

Mouse symbols are upper-cased here, in the test: a reader refuses mouse genes, and rightly, as upper case is no orthologue. The 626
genes were chosen by the authors as changing, so the data say nothing of how often a set of other genes goes up.
"""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from rabiomarkers.errors import InputError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.rank_scores import singscore
from rabiomarkers.features.scoring.registry import score_table
from rabiomarkers.ingest.cells import read_single_cells
from rabiomarkers.knowledge import load_aliases, load_signatures
from rabiomarkers.schema import config_path

TARGETS = {
    "Cyp26a1": (0.00, 0.44),
    "Dhrs3": (0.05, 0.20),
    "Stra8": (0.02, 0.20),
    "Crabp2": (0.01, 0.22),
    "Crabp1": (0.01, 0.26),
    "Hoxb2": (0.00, 0.12),
    "Meis2": (0.03, 0.31),
}
PLURIPOTENT = ["Zfp42", "Nanog", "Klf4", "Esrrb", "Tbx3", "Dppa5a", "Tdgf1"]
RESPONSE = ("RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT")
PERMUTATIONS = 400


@pytest.fixture(scope="module")
def path(shared_data):
    return shared_data / "semrau2017_ra_mesc" / "expression.h5ad"


@pytest.fixture(scope="module")
def cells(path):
    return anndata.read_h5ad(path)


@pytest.fixture(scope="module")
def counts(cells):
    """Cells x genes."""
    return pd.DataFrame(np.asarray(cells.to_df()), columns=cells.var_names.astype(str))


@pytest.fixture(scope="module")
def quarters(cells):
    """Which cells lie in the first and in the last quarter of pseudotime."""
    time = cells.obs["pseudotime"].to_numpy()
    low, high = np.quantile(time, [0.25, 0.75])
    return time <= low, time >= high


@pytest.fixture(scope="module")
def levels(counts):
    depth = counts.sum(axis=1)
    return np.log1p(counts.div(depth, axis=0) * depth.median())


@pytest.fixture(scope="module")
def known():
    table = load_signatures(config_path("signatures/gene_signatures.csv"))
    return Known(signatures=table[table["signature"].isin(RESPONSE)], minimum_coverage=0.15)


def pseudobulk(counts, first, last) -> Expression:
    """Two libraries: the sums of the first and of the last cells, under upper-cased symbols."""
    sums = np.stack([counts.to_numpy()[chosen].sum(axis=0) for chosen in (first, last)]).astype(float)
    genes = pd.Index([name.upper() for name in counts.columns])
    return Expression(values=sums, samples=pd.Index(["first", "last"]), genes=genes, scale="counts")


@pytest.mark.parametrize("gene", TARGETS)
def test_every_target_rises_from_the_first_to_the_last_quarter(levels, quarters, gene):
    first, last = quarters
    found = levels.loc[first, gene].mean(), levels.loc[last, gene].mean()
    assert found == pytest.approx(TARGETS[gene], abs=0.011)
    assert found[1] > found[0]


def test_targets_rise_and_pluripotency_falls_along_pseudotime(cells, levels):
    time = cells.obs["pseudotime"]
    assert spearmanr(levels[list(TARGETS)].mean(axis=1), time).statistic == pytest.approx(0.50, abs=0.01)
    assert spearmanr(levels[PLURIPOTENT].mean(axis=1), time).statistic == pytest.approx(-0.76, abs=0.01)


def test_the_response_score_says_how_many_of_its_genes_it_found(counts, quarters, known):
    table = score_table(pseudobulk(counts, *quarters), known, ["rank"]).set_index("feature")
    of_core = known.signatures.loc[known.signatures["signature"] == "RA_RESPONSE_CORE", "gene"]
    found = sorted(set(of_core) & {name.upper() for name in counts.columns})
    assert {"CYP26A1", "DHRS3", "CRABP2"} <= set(found)
    assert not {"RARB", "HOXA1", "CYP26B1"} & set(found)
    assert table.loc["RA_RESPONSE_CORE", "coverage"].iloc[0] == pytest.approx(len(found) / len(of_core))


def test_with_the_usual_coverage_the_score_is_absent_and_names_what_lacks(counts, quarters, known):
    strict = Known(signatures=known.signatures, minimum_coverage=0.6)
    table = score_table(pseudobulk(counts, *quarters), strict, ["rank"])
    assert table["value"].isna().all()
    assert table["note"].str.contains("RARB").all()


@pytest.mark.parametrize("signature", RESPONSE)
def test_the_response_score_rises_more_than_under_permuted_times(counts, quarters, known, signature):
    first, last = quarters
    rng = np.random.default_rng(1)
    own = Known(signatures=known.signatures[known.signatures["signature"] == signature], minimum_coverage=0.15)

    def risen(start, end):
        values = singscore(pseudobulk(counts, start, end), own).values[:, 0]
        return values[1] - values[0]

    observed = risen(first, last)
    either = np.flatnonzero(first | last)
    permuted = []
    for _ in range(PERMUTATIONS):
        shuffled = rng.permutation(either)
        chosen = np.zeros(len(first), dtype=bool)
        chosen[shuffled[: first.sum()]] = True
        rest = np.zeros(len(first), dtype=bool)
        rest[shuffled[first.sum() :]] = True
        permuted.append(risen(chosen, rest))
    assert observed > 0.2
    assert (observed > np.array(permuted)).mean() >= 0.95


def test_the_reader_refuses_mouse_genes(path):
    with pytest.raises(InputError, match="mouse symbols"):
        read_single_cells(
            path,
            label="expression.h5ad",
            sample_ids=["M"],
            aliases=load_aliases(config_path("signatures/gene_aliases.csv")),
        )
