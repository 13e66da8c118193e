"""Diversity of T-cell receptors against hand counts, and what it cannot tell."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.features.repertoires import (
    MEASURES,
    diversity,
    rarefied,
    repertoire_features,
    repertoire_features_step,
    repertoire_quality,
)
from rabiomarkers.files import read_table, write_table


def clones(counts, locus="TRB"):
    return pd.DataFrame({"clone": [f"c{at}" for at in range(len(counts))], "locus": locus, "count": counts})


def test_an_even_repertoire_by_hand():
    told = diversity(np.full(20, 5))
    assert told["shannon"] == pytest.approx(np.log(20))
    assert told["hill_1"] == pytest.approx(20)
    assert told["clonality"] == pytest.approx(0, abs=1e-12)
    assert told["gini"] == pytest.approx(0, abs=1e-12)
    assert (told["top10_share"], told["richness"]) == (0.5, 20)


def test_an_uneven_repertoire_by_hand():
    told = diversity(np.array([8, 1, 1]))  # shares 0.8, 0.1, 0.1
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.1))
    assert told["shannon"] == pytest.approx(entropy)
    assert told["clonality"] == pytest.approx(1 - entropy / np.log(3))
    assert told["gini"] == pytest.approx(14 / 30)  # sum of |differences| 28 over 2 n^2 mean = 60


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=60), st.integers(2, 9))
def test_scaling_all_counts_and_their_order_change_nothing(counts, factor):
    once, again = diversity(np.array(counts)), diversity(np.array(counts[::-1]) * factor)
    assert {name: again[name] for name in MEASURES} == pytest.approx(once, rel=1e-9, abs=1e-9)


def test_rarefying_is_by_seed_and_needs_the_reads():
    counts = np.arange(1, 101)
    assert rarefied(counts, 500, seed=3) == rarefied(counts[::-1], 500, seed=3)
    assert rarefied(counts, 500, seed=3)["richness"] < 100
    assert all(np.isnan(value) for value in rarefied(counts, 10_000, seed=3).values())


def test_of_unequal_depth_the_drawn_down_richness_is_alike():
    rng = np.random.default_rng(1)
    shares = np.arange(1, 2_001.0) ** -0.8
    shares /= shares.sum()
    deep, shallow = rng.multinomial(50_000, shares), rng.multinomial(5_000, shares)
    plain = [diversity(counts[counts > 0])["richness"] for counts in (deep, shallow)]
    drawn = [rarefied(counts[counts > 0], 4_000, seed=1)["richness"] for counts in (deep, shallow)]
    assert plain[0] - plain[1] > 400
    assert abs(drawn[0] - drawn[1]) < 40


def test_too_few_clones_say_so_and_other_chains_are_named():
    table = pd.concat([clones([3, 2, 1]), clones([4] * 12, "TRA")])
    told = repertoire_features(table).set_index("feature")
    assert np.isnan(told.loc["tcr_shannon", "value"])
    assert told.loc["tcr_shannon", "note"] == "3 clones of TRB, 10 are needed"
    assert told.loc["tcr_shannon_TRA", "value"] == pytest.approx(np.log(12))


def test_a_sample_without_the_depth_says_so():
    told = repertoire_features(clones([5] * 20), depth=1_000).set_index("feature")
    assert told["value"].isna().all()
    assert told.loc["tcr_gini", "note"] == "100 reads, 1,000 are drawn"


def test_quality_fails_with_too_few_clones():
    told = repertoire_quality(clones([5] * 3)).set_index("measure")
    assert not told.loc["clones", "passed"]
    assert told.loc["clones", "limit"] == ">= 10"


def test_the_step_writes_both_tables(tmp_path):
    write_table(clones([5] * 20), tmp_path / "S1.parquet")
    told = repertoire_features_step(
        {"sample": tmp_path / "S1.parquet"}, tmp_path, depth=None, minimum_clones=10, seed=1
    )
    assert told == {"clones": 20}
    assert set(read_table(tmp_path / "features.parquet")["feature"]) == {f"tcr_{name}" for name in MEASURES}
