import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import AbundanceError, ScaleError
from rabiomarkers.features.diversity import diversity, diversity_of_shares
from rabiomarkers.features.microbiome import microbiome_features, microbiome_step
from rabiomarkers.features.stool_quality import stool_quality
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_taxa
from rabiomarkers.schema import config_path
from rabiomarkers.stats.trees import read_tree

NEWICK = "((tax_a:1,tax_b:2):1,(tax_c:3,tax_d:4):1);"


@pytest.fixture(scope="module")
def taxa() -> pd.DataFrame:
    return load_taxa(config_path("taxa/microbes.csv"))


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree.nwk").write_text(NEWICK)
    return read_tree(tmp_path / "tree.nwk")


def stool(values: dict[str, float], lineages: dict[str, str] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "taxon": list(values),
            "value": np.array(list(values.values()), dtype=float),
            "lineage": [(lineages or {}).get(taxon, "") for taxon in values],
        }
    )


def features_of(
    table: pd.DataFrame, taxa: pd.DataFrame, *, scale: str = "counts", depth: int = 10, tree=None
) -> pd.DataFrame:
    return microbiome_features(table, taxa, scale=scale, depth=depth, seed=1, tree=tree).set_index("feature")


# --- diversity ------------------------------------------------------------------------------------------------------


def test_diversity_of_all_reads_by_hand():
    measured = diversity(
        pd.Series({"a": 5, "b": 5, "c": 0}), depth=10, seed=1
    )  # the depth is the total: nothing is drawn away
    by_hand = {"observed_taxa": 2.0, "shannon": math.log(2), "simpson": 0.5, "inverse_simpson": 2.0, "pielou": 1.0}
    assert {name: measured[name] for name in by_hand} == pytest.approx(by_hand)


def test_faith_diversity_is_the_branch_length_from_the_root(tree):
    measured = diversity(pd.Series({"tax_a": 5, "tax_b": 5, "tax_c": 0, "tax_d": 0}), depth=10, seed=1, tree=tree)
    assert measured["faith_pd"] == 4.0  # 1 + 2 to the tips, 1 from the root; the name keeps its underscore


def test_a_tree_without_a_root_is_rooted_at_its_midpoint(tmp_path):
    (tmp_path / "tree.nwk").write_text("(a:1,b:1,c:6);")
    counts = pd.Series({"a": 5, "b": 5, "c": 0})
    # longest way a-c or b-c is 7, its middle 3.5 from c: a and b hang 2.5 below the root
    measured = diversity(counts, depth=10, seed=1, tree=read_tree(tmp_path / "tree.nwk"))
    assert measured["faith_pd"] == pytest.approx(1 + 1 + 2.5)


def test_a_taxon_that_the_tree_lacks_matters_only_if_it_was_seen(tree):
    diversity(pd.Series({"tax_a": 10, "unknown": 0}), depth=10, seed=1, tree=tree)
    with pytest.raises(AbundanceError, match="1 taxa that were seen are not in the tree, among them unknown"):
        diversity(pd.Series({"tax_a": 10, "unknown": 1}), depth=10, seed=1, tree=tree)


def test_fewer_reads_than_the_depth_give_no_diversity():
    measured = diversity(pd.Series({"a": 5, "b": 4}), depth=10, seed=1)
    assert all(math.isnan(value) for value in measured.values())


def test_drawing_down_tends_to_the_expected_number_of_taxa():
    counts = pd.Series({f"t{number:02d}": 10 for number in range(50)})
    # a taxon of 10 of 500 reads is missed by 100 draws with probability C(490, 100) / C(500, 100)
    missed = math.comb(490, 100) / math.comb(500, 100)
    assert diversity(counts, depth=100, seed=1)["observed_taxa"] == pytest.approx(50 * (1 - missed), abs=1e-9)


def test_one_taxon_has_no_diversity():
    measured = diversity(pd.Series({"a": 100}), depth=10, seed=1)
    assert {name: measured[name] for name in ("observed_taxa", "shannon", "simpson", "inverse_simpson", "chao1")} == {
        "observed_taxa": 1.0,
        "shannon": 0.0,
        "simpson": 0.0,
        "inverse_simpson": 1.0,
        "chao1": 1.0,
    }
    assert math.isnan(measured["pielou"])  # how evenly one is shared out is no question


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=3, max_size=12).filter(lambda counts: sum(counts) >= 20), st.randoms())
def test_the_order_of_the_taxa_and_taxa_without_reads_change_nothing(counts, random):
    table = pd.Series(counts, index=[f"t{place:02d}" for place in range(len(counts))])
    mixed = list(table.index)
    random.shuffle(mixed)
    measured = diversity(table, depth=20, seed=3)
    same = pytest.approx(measured, abs=0, rel=0, nan_ok=True)
    assert diversity(table[mixed], depth=20, seed=3) == same
    assert diversity(pd.concat([pd.Series({"another": 0}), table]), depth=20, seed=3) == same


def test_values_that_are_no_reads_are_refused():
    with pytest.raises(ScaleError, match="1 taxa hold fractions"):
        diversity(pd.Series({"a": 5.5, "b": 5.0}), depth=10, seed=1)
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(AbundanceError, match="1 taxa have a negative or absent abundance"):
            diversity(pd.Series({"a": bad, "b": 50.0}), depth=10, seed=1)


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.floats(0.01, 100))
def test_diversity_of_shares_does_not_change_with_their_sum(shares, factor):
    table = pd.Series(shares, index=[f"t{place}" for place in range(len(shares))])
    same = pytest.approx(dict(diversity_of_shares(table)), abs=1e-9, nan_ok=True)
    assert diversity_of_shares(table * factor) == same


def test_an_empty_profile_has_no_diversity():
    assert all(math.isnan(value) for value in diversity_of_shares(pd.Series({"a": 0.0})).values())


# --- shares of taxa that act on retinoic acid ---------------------------------------------------------------------------


def test_shares_by_hand(taxa):
    table = stool(
        {"s__Lactobacillus_intestinalis": 2, "Bacillus cereus": 2, "Roseburia_hominis": 4, "OTU9": 12},
        {"Roseburia_hominis": "k__Bacteria;c__Clostridia", "OTU9": "k__Bacteria;c__Bacilli"},
    )
    features = features_of(table, taxa)
    assert features.loc["ra_metaboliser_share", "value"] == 0.2
    assert features.loc["ra_metaboliser_share", "coverage"] == pytest.approx(2 / 3)  # no segmented filamentous bacteria
    assert features.loc["ra_suppressor_share", "value"] == 0.2
    assert features.loc["ra_suppressor_share", "coverage"] == 0.5
    assert features.loc["butyrate_producer_share", "value"] == 0.2
    # 2 of the 10 reads of the depth are members
    assert features.loc["ra_metaboliser_balance", "value"] == pytest.approx(math.log(2.5 / 8.5))
    assert features.loc["ra_metaboliser_share", "method"] == "share of reads; evidence: mouse, organism"


def test_a_listed_taxon_without_reads_gives_a_true_zero(taxa):
    features = features_of(stool({"Bacillus cereus": 0, "Other": 20}), taxa)
    assert features.loc["ra_metaboliser_share", "value"] == 0.0
    assert features.loc["ra_metaboliser_balance", "value"] == pytest.approx(math.log(0.5 / 10.5))


def test_a_table_that_names_none_of_the_taxa_has_no_share(taxa):
    features = features_of(stool({"Other": 20}), taxa)
    told = "none of the 3 listed taxa is named in this table: absent and unreportable cannot be told apart"
    for feature in ("ra_metaboliser_share", "ra_metaboliser_balance"):
        assert np.isnan(features.loc[feature, "value"])
        assert features.loc[feature, "note"] == told
        assert features.loc[feature, "coverage"] == 0


def test_a_shallow_sample_says_how_many_reads_it_has(taxa):
    features = features_of(stool({"Bacillus cereus": 4}), taxa)
    assert features.loc[["shannon", "ra_metaboliser_balance"], "note"].tolist() == ["4 reads, 10 are needed"] * 2
    assert features.loc["ra_metaboliser_share", "value"] == 1.0


def test_a_sample_without_reads_has_no_number_at_all(taxa):
    features = features_of(stool({"Bacillus cereus": 0}), taxa)
    assert features["value"].isna().all()
    assert (features["note"] != "").all()


def test_relative_abundances_are_neither_drawn_nor_balanced(taxa, tree):
    table = stool({"Bacillus cereus": 0.25, "Other": 0.25})
    features = features_of(table, taxa, scale="relative", tree=tree)
    assert "faith_pd" not in features.index
    assert "ra_metaboliser_balance" not in features.index
    assert features.loc["shannon", "value"] == pytest.approx(math.log(2))
    assert features.loc["shannon", "method"] == "relative abundances as they are, not rarefied"
    assert features.loc["ra_metaboliser_share", "value"] == 0.25  # of the whole profile, half of which has no name


def test_another_scale_is_refused(taxa):
    with pytest.raises(ScaleError, match="declared as 'log'"):
        features_of(stool({"a": 1}), taxa, scale="log")


# --- quality, tree and step ---------------------------------------------------------------------------------------------


def test_quality_needs_as_many_reads_as_are_drawn():
    quality = stool_quality(stool({"a": 5, "b": 4, "c": 0}), scale="counts", depth=10)
    assert quality[["measure", "value", "limit", "passed"]].to_numpy().tolist() == [
        ["reads", 9.0, ">= 10", False],
        ["taxa_detected", 2.0, "", True],
        ["largest_taxon_share", 5 / 9, "told above 0.5 (a)", True],
    ]


def test_an_empty_profile_fails_quality():
    assert stool_quality(stool({"a": 0.4}), scale="relative", depth=10)["passed"].all()
    assert not stool_quality(stool({"a": 0.0}), scale="relative", depth=10)["passed"].all()


def test_a_file_that_is_no_tree_is_told(tmp_path):
    (tmp_path / "tree.nwk").write_text("taxon,lineage\n")
    with pytest.raises(AbundanceError, match=r"tree\.nwk is not a newick tree"):
        read_tree(tmp_path / "tree.nwk")


def test_the_step_writes_the_same_bytes_twice(tmp_path):
    (tmp_path / "tree.nwk").write_text(NEWICK)
    table = stool({"tax_a": 500, "tax_b": 300, "tax_c": 200, "tax_d": 0})
    table.attrs["passport"] = {"scale": "counts"}
    write_table(table, tmp_path / "S1.parquet")
    inputs = {
        "sample": tmp_path / "S1.parquet",
        "taxa": config_path("taxa/microbes.csv"),
        "rules": config_path("signatures/scoring_rules.yaml"),
        "tree": tmp_path / "tree.nwk",
    }
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert microbiome_step(inputs, tmp_path / folder, depth=100, seed=1) == {"taxa": 4, "listed taxa named": 0}
    names = ["features.parquet", "microbe_scores.parquet", "microbes.parquet", "qc.parquet", "rarefaction.parquet"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    features = read_table(tmp_path / "one" / "features.parquet").set_index("feature")["value"]
    assert features["faith_pd"] == pytest.approx(8.0)  # every draw of 100 has all three: 1 + 2 + 3, and 1 twice


# --- a real cohort ------------------------------------------------------------------------------------------------------


def test_toposcore_has_no_shift_of_diversity(shared_data, taxa):
    """The data set's README: V3 minus V0, 32 pairs: Shannon +0.045, richness +13 species."""
    folder = shared_data / "toposcore_longitudinal"
    percent = pd.read_csv(folder / "relative_abundance.csv.gz", index_col=0)
    pairs = pd.read_csv(folder / "pairs.csv").dropna(subset=["sample_id_pre", "sample_id_post"])
    assert len(pairs) == 32
    measured = {
        sample: diversity_of_shares(percent.loc[sample] / 100)
        for sample in [*pairs["sample_id_pre"], *pairs["sample_id_post"]]
    }
    change = {
        name: np.array(
            [
                measured[post][name] - measured[pre][name]
                for pre, post in zip(pairs["sample_id_pre"], pairs["sample_id_post"], strict=True)
            ]
        )
        for name in ("shannon", "observed_taxa")
    }
    assert change["shannon"].mean() == pytest.approx(0.045, abs=0.001)
    assert change["observed_taxa"].mean() == pytest.approx(13, abs=0.5)
    table = stool((percent.iloc[0] / 100).to_dict())
    features = features_of(table, taxa, scale="relative")
    assert features.loc["butyrate_producer_share", "coverage"] > 0.6
    assert np.isnan(features.loc["ra_metaboliser_share", "value"])  # MetaPhlAn's table names none of the three
