"""ECAM (infants' stool at birth and at twelve months): a change known to be there, the numbers its README lists."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.pairs import paired_deltas, pairing
from rabiomarkers.change.table import change_table
from rabiomarkers.features.diversity import diversity, diversity_of_shares
from tests.support.paired import CONTRAST, table

DEPTH = 4388  # of the shallowest sample


@pytest.fixture(scope="module")
def infants(shared_data):
    """Counts (samples x sequence variants) and whose sample of which timepoint each is."""
    folder = shared_data / "ecam_infant_16s"
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0)
    samples = pd.read_csv(folder / "samples.csv", dtype="str").set_index("sample_id")
    return (counts if samples.index.isin(counts.index).all() else counts.T).loc[samples.index], samples


UNITS = {"shannon": "nats", "observed_taxa": "taxa", "simpson": "probability"}


def changes_of(measured, samples, **options):
    """CHANGES by feature, and each infant's change by feature."""
    rows = [
        (samples.loc[name, "subject_id"], samples.loc[name, "timepoint"], "faecal", feature, value, UNITS[feature])
        for name, values in measured.items()
        for feature, value in values.items()
    ]
    features = table(rows)
    deltas = paired_deltas(features, contrast=CONTRAST)
    told = change_table(deltas, pairing(features, contrast=CONTRAST), **options).set_index("feature")
    return told, deltas.pivot(index="patient_id", columns="feature", values="change")


def test_diversity_rises_in_29_of_32_infants_and_the_number_of_taxa_falls(infants):
    counts, samples = infants
    shares = {name: diversity_of_shares(row / row.sum()) for name, row in counts.iterrows()}
    measured = {name: {feature: told[feature] for feature in UNITS} for name, told in shares.items()}
    told, change = changes_of(measured, samples, primary=["shannon"])
    assert change["shannon"].mean() == pytest.approx(1.07, abs=0.006)
    assert (change["shannon"] > 0).sum() == 29
    assert (told.loc["shannon", "n_pairs"], told.loc["shannon", "note"]) == (32, "")
    assert told.loc["shannon", "p_value"] == pytest.approx(1.7e-7, rel=0.03)
    assert told.loc["shannon", "passes"]
    assert told.loc["shannon", "ci_low"] > 0.7
    # the other way round: a newborn's stool holds many taxa of few reads
    assert change["observed_taxa"].mean() == pytest.approx(-38.8, abs=0.06)
    assert told.loc["observed_taxa", "ci_high"] < 0
    assert told.loc["observed_taxa", "p_value"] == pytest.approx(0.00126, rel=0.01)  # README, by a normal p: 0.0018


def test_both_hold_at_one_depth_and_by_every_test(infants):
    counts, samples = infants
    drawn = {name: diversity(row.astype(int), depth=DEPTH, seed=1, draws=1) for name, row in counts.iterrows()}
    measured = {name: {feature: told[feature] for feature in UNITS} for name, told in drawn.items()}
    for test in ("signed_rank", "signed_rank_pratt", "sign_flip", "paired_t", "moderated_t", "ancova", "mixed_model"):
        told, change = changes_of(measured, samples, test=test)
        assert change["shannon"].mean() == pytest.approx(1.07, abs=0.02)
        assert (np.sign(told["estimate"]) == [-1, 1, 1]).all(), test  # observed_taxa, shannon, simpson
        assert (told["p_value"] <= 0.01).all(), test
