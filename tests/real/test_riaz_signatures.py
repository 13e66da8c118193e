"""Signatures of CheckMate 038 (Riaz 2017) as paired changes: nobody had retinoic acid: its controls stay, immune cells come.

Figures of the README of the data set: log2(CPM + 1), on minus before nivolumab, 43 pairs, exact or normal Wilcoxon. Libraries are
given to `score_signatures` one by one, as the workflow does.
"""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.signatures import score_signatures
from rabiomarkers.ingest.symbols import harmonise
from rabiomarkers.knowledge import load_aliases, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.paired import signed_rank

OWN = {
    "CD8A_ALONE": ["CD8A"],
    "CYTOLYTIC": ["GZMA", "PRF1"],
    "INFILTRATING_TARGETS": ["PLAAT4", "TGM2", "CD38"],  # PLAAT4 was RARRES3
}
CONTROLS = {"CYP26A1_ALONE": ["CYP26A1"], "RARB_ALONE": ["RARB"], "STRA6_ALONE": ["STRA6"]}


@pytest.fixture(scope="module")
def signatures():
    """The shipped ones that matter here, and rows a scientist might add."""
    shipped = load_signatures(config_path("signatures/gene_signatures.csv"))
    kept = shipped[shipped["signature"].isin(["RA_RESPONSE_DIRECT", "RA_RESPONSE_CORE", "CYT_ROONEY_2015"])]
    added = [(name, gene) for name, genes in (OWN | CONTROLS).items() for gene in genes]
    rows = pd.DataFrame(added, columns=["signature", "gene"]).assign(direction=1, weight=1.0)
    return pd.concat([kept, rows], ignore_index=True)


@pytest.fixture(scope="module")
def moved(shared_data, signatures):
    """Change of each score by patient: 43 patients x features."""
    folder = shared_data / "riaz_bms038"
    counts = pd.read_csv(folder / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    genes = harmonise(counts.pop("symbol"), load_aliases(config_path("signatures/gene_aliases.csv")))
    values = pd.DataFrame(genes.indicator() @ counts.to_numpy(np.float64), genes.symbols, counts.columns)
    samples = pd.read_csv(folder / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    scored = {
        sample: score_signatures(values[sample], signatures, scale="counts", methods=["rank", "mean"]).set_index(
            "feature"
        )["value"]
        for sample in [*pairs["pre"], *pairs["on"]]
    }
    table = pd.DataFrame(scored).T
    return pd.DataFrame(
        table.loc[pairs["on"]].to_numpy() - table.loc[pairs["pre"]].to_numpy(), pairs.index, table.columns
    )


@pytest.mark.parametrize(
    ("feature", "mean", "p_value"), [("CD8A_ALONE:mean", 0.71, 0.005), ("CYTOLYTIC:mean", 0.83, 1.5e-4)]
)
def test_cd8_and_cytolytic_activity_rise_by_what_the_readme_measured(moved, feature, mean, p_value):
    told = signed_rank(moved[feature])
    assert told.n == 43
    assert moved[feature].mean() == pytest.approx(mean, abs=0.006)
    assert told.p_value == pytest.approx(p_value, rel=0.25)  # one or two digits are printed


@pytest.mark.parametrize("feature", ["CYT_ROONEY_2015", "CYT_ROONEY_2015:mean"])
def test_the_shipped_cytolytic_score_rises(moved, feature):
    assert moved[feature].mean() > 0
    assert signed_rank(moved[feature]).p_value < 0.001


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("method", ["", ":mean"])
def test_a_control_gene_of_retinoic_acid_stays(moved, control, method):
    assert signed_rank(moved[f"{control}{method}"]).p_value > 0.05


@pytest.mark.parametrize("method", ["", ":mean"])
def test_the_direct_response_stays_and_rises_less_than_targets_that_come_with_immune_cells(moved, method):
    direct = moved[f"RA_RESPONSE_DIRECT{method}"]
    assert signed_rank(direct).p_value > 0.1
    others = moved[f"INFILTRATING_TARGETS{method}"]
    assert signed_rank(others).p_value < 0.01  # a set of these would call a response that nobody could have
    assert others.mean() > 3 * abs(direct.mean())
