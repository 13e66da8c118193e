"""Alpha diversity against vegan (`reference/diversity.R`), against counting every draw, and by what must not matter."""

import csv
import io
import math
from decimal import Decimal, localcontext
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skbio import TreeNode
from skbio.diversity import alpha

from rabiomarkers.errors import AbundanceError
from rabiomarkers.features.diversity import DRAWN, UNITS, diversity, diversity_of_shares, rarefaction_curve

TABLE = (Path(__file__).parents[1] / "reference" / "diversity.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["measure"] != "versions"]
TREE = TreeNode.read(io.StringIO("((t0:1,t1:2):0.5,(t2:3,(t3:1,t4:1):2):1);"))


def sample(counts):
    return pd.Series([int(count) for count in counts], index=[f"t{place}" for place in range(len(counts))])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['measure']} {case['depth']} {case['counts'][:12]}")
def test_the_value_is_that_of_vegan(case):
    """Chao1 bias-corrected, ACE with 10 as the last rare count, Hurlbert's expected richness; Fisher's alpha to 1e-4."""
    counts = sample(case["counts"].split())
    ours = diversity(counts, depth=int(case["depth"]), seed=1)[case["measure"]]
    expected = float(case["value"])
    tolerance = 1e-4 if case["measure"] == "fisher_alpha" else 1e-10
    if case["measure"] == "ace" and math.isnan(expected):  # vegan divides by zero where no taxon is rare
        assert (counts > 10).all()
        assert ours == len(counts)
        return
    assert ours == pytest.approx(expected, abs=tolerance, rel=tolerance)


def every_draw(counts, depth):
    """All draws of so many reads, each as counts by taxon."""
    reads = [place for place, count in enumerate(counts) for _ in range(count)]
    for chosen in combinations(range(len(reads)), depth):
        yield np.bincount([reads[place] for place in chosen], minlength=len(counts))


@pytest.mark.parametrize(("counts", "depth"), [([4, 3, 1, 0, 2], 5), ([6, 1, 1, 1, 1], 3), ([2, 2, 2, 2, 2], 9)])
def test_expected_values_are_the_means_over_every_draw(counts, depth):
    drawn = list(every_draw(counts, depth))
    told = diversity(sample(counts), depth=depth, seed=1, tree=TREE)
    taxa = [f"t{place}" for place in range(5)]
    by_counting = {
        "observed_taxa": np.mean([(each > 0).sum() for each in drawn]),
        "shannon": np.mean([alpha.shannon(each, base=np.e) for each in drawn]),
        "simpson": np.mean([alpha.simpson(each) for each in drawn]),
        "faith_pd": np.mean([alpha.faith_pd(each, taxa=taxa, tree=TREE) for each in drawn]),
    }
    assert {name: told[name] for name in by_counting} == pytest.approx(by_counting, rel=1e-9)


def chance_missed(reads, total, depth):
    """Chance that `depth` reads of `total` hold none of so many: a product of fractions, 50 digits."""
    left = Decimal(1)
    for read in range(reads):
        left *= Decimal(max(total - depth - read, 0)) / (total - read)
    return left


def entropy_of(reads, total, depth):
    """Expected -(x/d) ln(x/d) of one taxon, x hypergeometric: each chance from the one before it, 50 digits."""
    chances = [Decimal(1)] if total - reads >= depth else []
    assert chances, "the recursion starts at none drawn"
    for drawn in range(min(reads, depth)):
        rate = Decimal((reads - drawn) * (depth - drawn)) / ((drawn + 1) * (total - reads - depth + drawn + 1))
        chances.append(chances[-1] * rate)
    shares = [Decimal(drawn) / depth for drawn in range(len(chances))]
    told = sum(chance * part * part.ln() for chance, part in zip(chances[1:], shares[1:], strict=True))
    return -told / sum(chances)


@pytest.mark.parametrize(("total", "depth"), [(2_000, 150), (200_000, 20_000), (3_000_000, 30_000)])
def test_expected_values_are_exact_at_the_reads_that_are_sequenced(total, depth):
    """Against arithmetic of 50 digits: differences of log gammas of millions would be off in the eighth."""
    reads = [1, 2, 7, 30, 110, 400]
    counts = [*reads, total - sum(reads)]
    told = diversity(sample(counts), depth=depth, seed=1, draws=1)
    with localcontext(prec=50):
        observed = 1 + sum(1 - chance_missed(count, total, depth) for count in reads)
        # the last taxon by what the others leave it: all that is drawn of them, as one taxon
        rare = sum(entropy_of(count, total, depth) for count in reads)
        rest = entropy_left(sum(reads), total, depth)
    assert told["observed_taxa"] == pytest.approx(float(observed), abs=1e-11)
    assert told["shannon"] == pytest.approx(float(rare + rest), abs=1e-11)


def entropy_left(others, total, depth):
    """As `entropy_of`, of the taxon that holds all reads but so many."""
    chances, told = [Decimal(1)], Decimal(0)
    for drawn in range(min(others, depth)):
        rate = Decimal((others - drawn) * (depth - drawn)) / ((drawn + 1) * (total - others - depth + drawn + 1))
        chances.append(chances[-1] * rate)
    for drawn, chance in enumerate(chances):
        part = Decimal(depth - drawn) / depth
        told -= chance * part * part.ln() if part else 0
    return told / sum(chances)


@pytest.mark.parametrize("name", DRAWN)
def test_ratios_come_near_the_mean_of_many_draws(name):
    counts = sample(np.random.default_rng(5).negative_binomial(0.5, 0.01, 80))
    few, many = (diversity(counts, depth=1_000, seed=seed, draws=draws)[name] for seed, draws in ((1, 10), (9, 200)))
    assert few == pytest.approx(many, rel=0.05)


def test_a_sample_has_the_same_values_whatever_stands_beside_it():
    counts = sample([40, 30, 20, 10, 5])
    alone = diversity(counts, depth=50, seed=3, tree=TREE)
    beside = diversity(pd.concat([counts, pd.Series({"x1": 0, "x2": 0})]), depth=50, seed=3, tree=TREE)
    assert beside == alone


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=10).filter(lambda counts: sum(counts) >= 30))
def test_fewer_reads_never_show_more_taxa_and_all_reads_show_all(counts):
    curve = rarefaction_curve(sample(counts))
    assert (np.diff(curve["observed_taxa"]) >= -1e-9).all()
    assert curve["depth"].iloc[-1] == sum(counts)
    assert curve["observed_taxa"].iloc[-1] == np.count_nonzero(counts)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 200), min_size=2, max_size=12).filter(lambda counts: sum(counts) >= 10))
def test_every_measure_lies_where_it_can(counts):
    told = diversity(sample(counts), depth=10, seed=1)
    kinds = np.count_nonzero(counts)
    assert set(told) == set(UNITS) - {"faith_pd"}
    assert 1 - 1e-9 <= told["observed_taxa"] <= min(kinds, 10) + 1e-9
    assert -1e-12 <= told["shannon"] <= math.log(min(kinds, 10)) + 1e-9
    assert 0 <= told["simpson"] < 1
    assert 1 - 1e-9 <= told["inverse_simpson"] <= kinds + 1e-9


def test_a_branch_above_the_root_counts_as_in_scikit_bio():
    tree = TreeNode.read(io.StringIO("(t0:1,t1:1):2;"))
    assert diversity(sample([3, 4]), depth=7, seed=1, tree=tree)["faith_pd"] == 4.0
    assert alpha.faith_pd([3, 4], taxa=["t0", "t1"], tree=tree) == 4.0


def test_an_empty_sample_has_no_curve():
    assert rarefaction_curve(sample([0, 0])).empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("((t0:1,t0:1):1,t1:1);", "1 taxa stand in the tree twice, among them t0"),
        ("((t0:1,x:1):1,t1:-2);", "1 branches of the tree have a length below 0"),
        ("((t0:1,x:1):1,x:1);", "1 taxa that were seen are not in the tree, among them t1"),
    ],
)
def test_a_tree_that_would_give_a_wrong_length_is_refused(text, message):
    tree = TreeNode.read(io.StringIO(text))
    with pytest.raises(AbundanceError, match=message):
        diversity(sample([3, 4]), depth=5, seed=1, tree=tree)


def test_a_taxon_that_stands_in_a_sample_twice_is_refused():
    twice = pd.Series([3, 4, 1], index=["t0", "t1", "t0"])
    for measure in (lambda: diversity(twice, depth=5, seed=1), lambda: diversity_of_shares(twice / 8)):
        with pytest.raises(AbundanceError, match="1 taxa stand in the sample twice, among them t0; sum their rows"):
            measure()
