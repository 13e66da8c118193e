"""Stool of three public cohorts: what their README files state about whole communities."""

import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from rabiomarkers.change.community import community_table
from rabiomarkers.change.distances import distance_table
from rabiomarkers.change.metrics import distances_of
from rabiomarkers.stats.permanova import permanova


def questions(abundances, samples, contrast):
    table = distance_table(distances_of(abundances.loc[samples["sample_id"]], "bray_curtis"), samples)
    return community_table(table, contrast=contrast).set_index("question")


@pytest.fixture(scope="module")
def diet_swap(shared_data):
    """Stool of 38 Africans and African Americans at six timepoints (O'Keefe 2015)."""
    folder = shared_data / "dietswap_hitchip"
    samples = pd.read_csv(folder / "samples.csv", dtype="str").rename(columns={"subject": "patient_id"})
    return pd.read_csv(folder / "abundance.csv.gz", index_col="sample_id"), samples


def test_africans_and_african_americans_have_different_stool(diet_swap):
    """Timepoint 1: pseudo-F 12.2, p = 0.001 with 999 permutations (README, on counts as they are; on shares it is 15.6)."""
    abundances, samples = diet_swap
    first = samples[samples["timepoint"] == "1"]
    counts = abundances.loc[first["sample_id"]]
    tables = (squareform(pdist(counts.to_numpy(dtype=float), metric="braycurtis")), distances_of(counts, "bray_curtis"))
    for table, pseudo_f in zip(tables, (12.23, 15.58), strict=True):
        told = permanova(table, {"nationality": first["nationality"]}, permutations=999).terms[0]
        assert told.pseudo_f == pytest.approx(pseudo_f, abs=0.005)
        assert told.p_value == 0.001


@pytest.mark.parametrize(("nationality", "pairs"), [("AAM", 19), ("AFR", 15)])
def test_the_diet_swap_moves_no_group_of_patients_far(diet_swap, nationality, pairs):
    """19 and 15 complete pairs from timepoint 4 to 5, a null for single taxa and for diversity (README)."""
    abundances, samples = diet_swap
    told = questions(abundances, samples[samples["nationality"] == nationality], ["4", "5"])
    assert told.loc["time", "n_patients"] == pairs
    assert told.loc["time", "p_value"] > 0.05
    assert told.loc["dispersion", "p_value"] > 0.05
    assert told.loc["own pairs against others", "p_value"] == 1e-4


def test_stool_on_checkpoint_inhibitors_is_individual_and_hardly_shifts(shared_data):
    """32 pairs; Bray-Curtis medians 0.43 within a patient and 0.80 between patients (README)."""
    folder = shared_data / "toposcore_longitudinal"
    abundances = pd.read_csv(folder / "relative_abundance.csv.gz", index_col="sample_id")
    pairs = pd.read_csv(folder / "pairs.csv", dtype="str")
    sides = [
        pairs[["patient_id", f"sample_id_{time}"]]
        .dropna()
        .set_axis(["patient_id", "sample_id"], axis=1)
        .assign(timepoint=time)
        for time in ("pre", "post")
    ]
    samples = pd.concat(sides, ignore_index=True)
    told = questions(abundances, samples, ["pre", "post"])
    assert told["n_patients"].eq(32)[["time", "dispersion", "own pairs against others"]].all()
    assert told.loc["time", "note"] == "patients with one of the two samples only: 33"
    # 1 % of the spread, p = 0.04 here and in vegan (strata = patient): far from what the positive control below shows
    assert told.loc["time", "r_squared"] == pytest.approx(0.00967, abs=5e-6)
    assert told.loc["time", "p_value"] == pytest.approx(0.0436, abs=0.008)
    assert told.loc["own pairs against others", "p_value"] == 1e-4
    table = distance_table(distances_of(abundances.loc[samples["sample_id"]], "bray_curtis"), samples)
    both = set(samples.loc[samples["patient_id"].duplicated(), "patient_id"])
    crossed = table[
        (table["timepoint_a"] != table["timepoint_b"]) & table["patient_a"].isin(both) & table["patient_b"].isin(both)
    ]
    medians = crossed.groupby("same_patient")["distance"].median()
    assert medians[True] == pytest.approx(0.43, abs=0.005)
    assert medians[False] == pytest.approx(0.80, abs=0.005)


def test_infants_stool_changes_in_its_first_year(shared_data):
    """32 infants at birth and at twelve months: the positive control."""
    folder = shared_data / "ecam_infant_16s"
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col="feature_id").T
    samples = pd.read_csv(folder / "samples.csv", dtype={"subject_id": "str"}).rename(
        columns={"subject_id": "patient_id"}
    )
    told = questions(counts, samples, ["pre", "post"])
    time = told.loc["time"]
    assert (time["n_patients"], time["p_value"], time["p_total"]) == (32, 1e-4, 10_000)
    assert time["r_squared"] > 0.05
    assert told.loc["dispersion", "n_patients"] == 32
