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


def test_rounding_makes_no_clonality_below_zero():
    assert min(diversity(np.full(number, 3))["clonality"] for number in (5, 12, 13, 18)) == 0.0


def test_an_uneven_repertoire_by_hand():
    told = diversity(np.array([8, 1, 1]))  # shares 0.8, 0.1, 0.1
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.1))
    assert told["shannon"] == pytest.approx(entropy)
    assert told["clonality"] == pytest.approx(1 - entropy / np.log(3))
    assert told["gini"] == pytest.approx(14 / 30)  # sum of |differences| 28 over 2 n^2 mean = 60


def test_measures_are_those_of_vegan():
    """R 4.2, vegan 2.6-4: diversity(x), exp(diversity(x)), 1 - diversity(x)/log(9), and rarefy(x, 30)."""
    counts = np.array([50, 20, 10, 8, 6, 3, 1, 1, 1])
    told = diversity(counts)
    assert told["shannon"] == pytest.approx(1.512934459116, rel=1e-11)
    assert told["hill_1"] == pytest.approx(4.540033809789, rel=1e-11)
    assert told["clonality"] == pytest.approx(0.311433853999, rel=1e-11)
    assert told["gini"] == pytest.approx(0.613333333333, rel=1e-11)  # sum((2i - n - 1) x_i) / (n sum(x)) in R
    means = [rarefied(counts, 30, seed=seed)["richness"] for seed in range(60)]
    assert np.mean(means) == pytest.approx(6.377530189533, abs=0.15)  # 600 draws, standard error 0.04


def test_a_single_clone_has_no_evenness_and_says_so():
    told = repertoire_features(clones([9]), minimum_clones=1).set_index("feature")
    assert told.loc["tcr_clonality", ["note"]].tolist() == ["a single clone has no evenness"]
    assert told.loc[["tcr_richness", "tcr_top10_share", "tcr_shannon"], "value"].tolist() == [1.0, 1.0, 0.0]


def test_an_empty_repertoire_gives_reasons_and_no_numbers():
    empty = clones([])
    empty.attrs["passport"] = {"counted": "rows", "reads": 0.0, "unproductive": 0.0, "incomplete": 0.0}
    told = repertoire_features(empty)
    assert told["value"].isna().all()
    assert set(told["note"]) == {"0 clones of TRB, 10 are needed"}
    quality = repertoire_quality(empty).set_index("measure")
    assert quality["value"].fillna(-1).to_dict() == {
        "clones": 0.0,
        "reads": 0.0,
        "unproductive_share": -1.0,
        "incomplete_share": -1.0,
    }


def test_quality_tells_what_was_counted_and_left_aside():
    table = clones([5] * 20)
    table.attrs["passport"] = {"counted": "umi_count", "reads": 200.0, "unproductive": 40.0, "incomplete": 60.0}
    told = repertoire_quality(table).set_index("measure")
    assert told["value"].to_dict() == {
        "clones": 20.0,
        "reads": 200.0,
        "unproductive_share": 0.2,
        "incomplete_share": 0.3,
    }
    assert told.loc["reads", "unit"] == "molecules"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_every_measure_stays_in_its_range(counts):
    told = diversity(np.array(counts))
    assert 1 - 1e-9 <= told["hill_1"] <= len(counts) + 1e-9
    assert 0 <= told["gini"] < 1
    assert 0 < told["top10_share"] <= 1
    assert len(counts) == 1 or 0 <= told["clonality"] <= 1


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
    assert told.loc["tcr_gini", "note"] == "100 counted, 1,000 are drawn"


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
