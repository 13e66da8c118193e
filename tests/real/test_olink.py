"""184 synthetic proteins of treated subjects (OlinkAnalyze), Week 6 minus baseline: the facts of the README in the shared data."""

import pandas as pd
import pytest

from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many
from rabiomarkers.stats.parametric import paired_t_many

STRONGEST = "OID01276"


@pytest.fixture(scope="module")
def change(shared_data):
    """NPX (log2), proteins x 23 subjects; samples with QC Pass, without the controls."""
    table = pd.read_csv(shared_data / "olink_npx1" / "npx_long.csv.gz")
    used = table[table["Subject"].notna() & (table["QC_Warning"] == "Pass") & (table["Treatment"] == "Treated")]
    wide = used.pivot(index="OlinkID", columns=["Time", "Subject"], values="NPX")
    return wide["Week.6"] - wide["Baseline"]


def test_the_paired_t_finds_what_the_readme_says(change):
    told = paired_t_many(change).set_index(change.index)
    assert told["n"].value_counts().to_dict() == {22: 92, 23: 92}  # one sample of the second panel has a warning
    assert (told["p_value"] < 0.05).sum() == 17
    assert (benjamini_hochberg(told["p_value"]) <= 0.05).sum() == 2
    assert told["p_value"].idxmin() == STRONGEST
    assert told.loc[STRONGEST, "estimate"] == pytest.approx(4.88, abs=0.005)
    assert told.loc[STRONGEST, "p_value"] == pytest.approx(1.3e-7, rel=0.05)


@pytest.mark.parametrize(
    ("test", "nominal"),
    [(moderated_t_many, 18), (signed_rank_many, 18), (sign_flip_many, 16)],
    ids=["moderated", "rank", "flip"],
)
def test_every_test_calls_the_same_two_proteins(change, test, nominal):
    told = test(change).set_index(change.index)
    q_values = benjamini_hochberg(told["p_value"])
    assert (told["p_value"] < 0.05).sum() == nominal
    assert set(q_values[q_values <= 0.05].index) == {STRONGEST, "OID01248"}


def test_a_shared_variance_adds_three_degrees_of_freedom(change):
    told = moderated_t_many(change).set_index(change.index)
    assert set(told["test"]) == {"moderated t"}
    assert told["prior_degrees_of_freedom"].unique() == pytest.approx([2.87], abs=0.01)
    assert told.loc[STRONGEST, "p_value"] == pytest.approx(3.7e-8, rel=0.02)
    assert told.loc[STRONGEST, "degrees_of_freedom"] == pytest.approx(22 + 2.87, abs=0.01)
