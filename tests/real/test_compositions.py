"""Public stool compositions before and after: two cohorts in which nothing moved, and infants in whom almost everything did."""

import pandas as pd
import pytest

from rabiomarkers.change.composition import CANNOT, MOVED, NOT_SHOWN, RARE, TOGETHER, composition_table


def of_parts(told, coordinate="clr"):
    return told[(told["coordinate"] == coordinate) & (told["verdict"] != RARE)]


def whole(told):
    return told[told["coordinate"] == "whole"].squeeze()


@pytest.fixture(scope="module")
def toposcore_table(shared_data):
    folder = shared_data / "toposcore_longitudinal"
    abundances = pd.read_csv(folder / "relative_abundance.csv.gz", index_col="sample_id")
    pairs = pd.read_csv(folder / "pairs.csv", dtype="str")
    samples = pd.concat(
        pd.DataFrame({"sample_id": pairs[f"sample_id_{time}"], "patient_id": pairs["patient_id"], "timepoint": time})
        for time in ("pre", "post")
    ).dropna()
    return composition_table(
        abundances,
        samples,
        contrast=["pre", "post"],
        compartment="faecal",
        composition="taxa",
        scale="relative",
        balances={"Akkermansia against Prevotella": {"numerator": ["*Akkermansia*"], "denominator": ["*Prevotella*"]}},
    )


def test_no_species_moves_on_checkpoint_inhibitors(toposcore_table):
    told = toposcore_table
    assert set(of_parts(told)["n_pairs"]) == {32}
    assert set(of_parts(told)["verdict"]) == set(of_parts(told, "median")["verdict"]) == {NOT_SHOWN}
    assert len(of_parts(told)) == 208  # 207 species in 30 % of the samples, and the sum of 836 rarer ones
    assert (told["verdict"] == RARE).sum() == 2 * 836
    for coordinate in ("clr", "median"):
        assert of_parts(told, coordinate)["q_value"].min() > 0.1
        assert (of_parts(told, coordinate)["p_value"] <= 0.05).mean() == pytest.approx(0.065, abs=0.02)
    assert whole(told)["p_value"] == pytest.approx(0.33, abs=0.02)
    assert "patients without both samples: 33" in whole(told)["note"]


def test_relative_abundances_have_no_posterior(toposcore_table):
    assert toposcore_table["p_sampled"].isna().all()


@pytest.mark.parametrize(("nationality", "pairs"), [("AAM", 19), ("AFR", 15)])
def test_no_group_moves_from_the_fourth_to_the_fifth_timepoint_of_the_diet_swap(shared_data, nationality, pairs):
    folder = shared_data / "dietswap_hitchip"
    abundances = pd.read_csv(folder / "abundance.csv.gz", index_col=0)
    samples = pd.read_csv(folder / "samples.csv", dtype="str").rename(columns={"subject": "patient_id"})
    abundances = abundances if set(samples["sample_id"]) <= set(abundances.index) else abundances.T
    own = samples[samples["nationality"] == nationality]
    told = composition_table(abundances, own, contrast=["4", "5"], compartment="faecal", composition="taxa")
    assert set(of_parts(told)["n_pairs"]) == {pairs}
    assert set(of_parts(told)["verdict"]) == {NOT_SHOWN}
    for coordinate in ("clr", "median"):
        assert of_parts(told, coordinate)["q_value"].min() > 0.1
    assert whole(told)["p_value"] > 0.1
    assert CANNOT not in set(told["verdict"])


def test_infants_stool_changes_from_birth_to_the_first_birthday(shared_data):
    folder = shared_data / "ecam_infant_16s"
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0)
    samples = pd.read_csv(folder / "samples.csv", dtype="str").rename(columns={"subject_id": "patient_id"})
    counts = counts if set(samples["sample_id"]) <= set(counts.index) else counts.T
    told = composition_table(counts, samples, contrast=["pre", "post"], compartment="faecal", composition="taxa")
    assert whole(told)["verdict"] == MOVED
    assert whole(told)["p_value"] == whole(told)["p_floor"] == 1 / 10_000
    parts = of_parts(told)
    assert len(parts) == 42  # 41 sequence variants in 30 % of the samples, and the sum of the rest
    assert (parts["q_value"] <= 0.05).sum() == 32
    # where most of what is there moves, the middle part moves too: half of them depend on the reference
    assert (parts["verdict"] == MOVED).sum() == 17
    strongest = parts[parts["verdict"] == MOVED]
    assert strongest["share_significant"].median() == 1.0
    assert strongest["share_significant"].min() > 0.75
    assert TOGETHER in set(parts["part"])
