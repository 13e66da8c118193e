"""The measured facts of two public cohorts, as their README files in the shared data folder state them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.distances import bray_curtis, principal_coordinates, within_between
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import signed_rank, signed_rank_many

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def folder(name):
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"the public cohort {name} is not beside the repository (../shared/data/{name})")
    return path


@pytest.fixture(scope="module")
def melanoma():
    """log2(CPM + 1) on minus pre, genes x 43 patients, nivolumab (Riaz 2017); replicate 1, without the disputed Pt68_On."""
    path = folder("riaz_bms038")
    counts = pd.read_csv(path / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    counts = counts.groupby("symbol").sum()
    expression = np.log2(counts / counts.sum() * 1e6 + 1)
    samples = pd.read_csv(path / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    change = expression[pairs["on"]].to_numpy() - expression[pairs["pre"]].to_numpy()
    response = samples.drop_duplicates("patient_id").set_index("patient_id")["response3"].reindex(pairs.index)
    return pd.DataFrame(change, index=counts.index, columns=pairs.index), response


@pytest.fixture(scope="module")
def stool():
    """Species of 32 patients before and on checkpoint inhibitors (Derosa 2024), MetaPhlAn percent."""
    path = folder("toposcore_longitudinal")
    abundances = pd.read_csv(path / "relative_abundance.csv.gz", index_col="sample_id")
    pairs = pd.read_csv(path / "pairs.csv", dtype="str").query("complete_pair == 'True'")
    samples = pd.concat(
        pd.DataFrame({"sample_id": pairs[f"sample_id_{time}"], "patient_id": pairs["patient_id"], "timepoint": time})
        for time in ("pre", "post")
    )
    return abundances.loc[samples["sample_id"]], samples


def test_the_cytolytic_score_rises_under_nivolumab(melanoma):
    change, response = melanoma
    score = change.loc[["GZMA", "PRF1"]].mean()
    told = signed_rank(score)
    assert told.n == 43
    assert score.mean() == pytest.approx(0.83, abs=0.005)  # the README's +0.83 is the mean; the median is +0.41
    assert told.p_value == pytest.approx(1.5e-4, rel=0.05)
    assert told.estimate == pytest.approx(0.74, abs=0.005)  # Hodges-Lehmann, between the two
    assert told.ci_low > 0
    means = {
        group: (score[response == group].mean(), signed_rank(score[response == group]).p_value)
        for group in set(response)
    }
    assert means["PRCR"] == pytest.approx((1.35, 0.039), rel=0.02)
    assert means["SD"] == pytest.approx((1.25, 0.0015), rel=0.04)
    assert means["PD"] == pytest.approx((0.20, 0.28), rel=0.04)


@pytest.mark.parametrize(
    ("gene", "mean", "p_value"),
    [
        ("RARRES3", 0.71, 4e-4),
        ("TGM2", 0.52, 5e-4),
        ("CD38", 0.43, 0.02),
        ("DHRS3", 0.44, 0.046),
        ("CYP26A1", -0.12, 0.55),
        ("CYP26B1", -0.06, 0.70),
        ("RARB", -0.07, 0.47),
        ("CRABP2", -0.22, 0.40),
        ("STRA6", 0.03, 0.68),
    ],
)
def test_without_retinoic_acid_only_the_infiltration_genes_move(melanoma, gene, mean, p_value):
    change, _ = melanoma
    told = signed_rank(change.loc[gene])
    assert change.loc[gene].mean() == pytest.approx(mean, abs=0.006)
    assert told.p_value == pytest.approx(p_value, rel=0.25)  # one digit is printed


def test_stool_is_individual(stool):
    abundances, samples = stool
    facts = within_between(bray_curtis(abundances), samples, contrast=["pre", "post"])
    assert facts.n_within == 32
    assert facts.within_median == pytest.approx(0.43, abs=0.005)  # the median; the mean is 0.50
    assert facts.between_median == pytest.approx(0.80, abs=0.005)
    assert facts.p_value == facts.p_floor == 1e-4  # none of 9 999 matchings comes near


def test_the_stool_ordination_explains_what_bray_curtis_of_species_does(stool):
    abundances, samples = stool
    told = principal_coordinates(bray_curtis(abundances), samples)
    assert len(told.axes) == 64
    assert 0.05 < told.variance_explained[1] < told.variance_explained[0] < 0.2


def test_no_species_changes_after_correction(stool):
    abundances, samples = stool
    before, after = (abundances.loc[samples.loc[samples["timepoint"] == time, "sample_id"]] for time in ("pre", "post"))
    change = (after.to_numpy() - before.to_numpy()).T
    present = (change != 0).sum(axis=1) >= 10
    q_values = benjamini_hochberg(signed_rank_many(change[present])["p_value"])
    assert present.sum() > 200
    assert q_values.min() > 0.05
