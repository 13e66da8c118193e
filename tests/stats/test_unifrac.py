"""UniFrac against R's phyloseq and GUniFrac (`reference/community.csv`), scikit-bio, hand counts, and by its laws."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import squareform
from skbio import TreeNode
from skbio.diversity import beta_diversity

from rabiomarkers.errors import AbundanceError
from rabiomarkers.stats import unifrac as module
from rabiomarkers.stats.permanova import permanova
from rabiomarkers.stats.unifrac import branch_table, unifrac

TABLE = (Path(__file__).parents[1] / "reference" / "community.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["further"].endswith(";")]  # those with a tree
VARIANTS = ("unweighted", "weighted", "normalized", "generalized")


def newick(text):
    return TreeNode.read(io.StringIO(text), format="newick", convert_underscores=False)


def table_of(text):
    return np.array([[float(part) for part in row.split()] for row in text.split(";")])


def names(count):
    return [f"t{number}" for number in range(1, count + 1)]


def communities(seed, samples, tips, *, unseen=0.6):
    """A tree of random joins with lengths, and counts of its tips; the first tip is in every sample."""
    random = np.random.default_rng(seed)
    nodes = [TreeNode(name=name, length=float(random.gamma(1, 0.1))) for name in names(tips)]
    while len(nodes) > 1:
        first, second = sorted(random.choice(len(nodes), 2, replace=False))
        joined = TreeNode(length=float(random.gamma(1, 0.1)))  # the last: above the root
        joined.extend([nodes.pop(second), nodes.pop(first)])
        nodes.append(joined)
    counts = random.negative_binomial(0.5, 0.02, size=(samples, tips)) * (random.random((samples, tips)) >= unseen)
    counts[:, 0] += 1
    return nodes[0], counts


def distances(tree, counts, variant, **options):
    return unifrac(counts, branch_table(tree, names(counts.shape[1])), variant=variant, **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']}, {case['table'].count(' ')} values")
def test_our_value_is_that_of_phyloseq_and_gunifrac(case):
    counts, (variant, *alpha) = table_of(case["table"]), case["statistic"].removeprefix("F of ").split()
    options = {"alpha": float(alpha[0])} if alpha else {}
    ours = distances(newick(case["further"]), counts, variant, **options)
    if case["statistic"].startswith("F of "):
        told = permanova(ours, {"group": np.array([1, 1, 1, 2, 2, 2])}).terms[0]
        assert [told.pseudo_f, told.r_squared] == pytest.approx(table_of(case["value"])[0], rel=1e-10)
    else:
        np.testing.assert_allclose(squareform(ours), table_of(case["value"])[0], atol=1e-10, rtol=0)


@pytest.mark.parametrize(("samples", "tips", "unseen"), [(30, 200, 0.8), (7, 3, 0.3), (40, 60, 0.95)])
def test_it_equals_scikit_bio(samples, tips, unseen):
    tree, counts = communities(3, samples, tips, unseen=unseen)
    for variant, metric, options in [
        ("unweighted", "unweighted_unifrac", {}),
        ("weighted", "weighted_unifrac", {}),
        ("normalized", "weighted_unifrac", {"normalized": True}),
    ]:
        peer = beta_diversity(metric, counts, taxa=names(tips), tree=tree, **options).data
        np.testing.assert_allclose(distances(tree, counts, variant), peer, atol=1e-10, rtol=0)


def test_the_parts_of_a_small_tree_can_be_counted_by_hand():
    # t1 and t2 hang on a stem of 3; a is all t1, b half t2 and half t3
    tree, counts = newick("((t1:1,t2:2):3,t3:4);"), np.array([[5, 0, 0], [0, 4, 4]])
    branches = branch_table(tree, ["t1", "t2", "t3"])
    assert sorted(branches.lengths.tolist()) == [1, 2, 3, 4]
    assert branches.below.toarray().sum() == 5
    expected = {
        "unweighted": (1 + 2 + 4) / 10,
        "weighted": 1 + 2 / 2 + 3 / 2 + 4 / 2,
        "normalized": 5.5 / (1 + 1 + 3 * 1.5 + 2),
        "generalized": (1 + 2 * 0.5**0.5 + 3 * 1.5**0.5 / 3 + 4 * 0.5**0.5) / (1 + 6 * 0.5**0.5 + 3 * 1.5**0.5),
    }
    for variant, value in expected.items():
        np.testing.assert_allclose(unifrac(counts, branches, variant=variant), [[0, value], [value, 0]], atol=1e-15)


def test_generalised_of_one_is_normalised_and_of_presence_without_weight_is_unweighted():
    tree, counts = communities(5, 12, 30)
    np.testing.assert_allclose(
        distances(tree, counts, "generalized", alpha=1.0), distances(tree, counts, "normalized"), atol=1e-14
    )
    # on a star, samples of equal evenness: every branch's relative difference is 0 or 1
    star = newick(f"(({','.join(f'{name}:1' for name in names(6))}):0,none:1);")
    even = np.array([[1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1]])
    np.testing.assert_allclose(
        distances(star, even, "generalized", alpha=0.0), distances(star, even, "unweighted"), atol=1e-14
    )


@pytest.mark.parametrize("variant", VARIANTS)
@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_neither_order_nor_depth_nor_other_samples_nor_the_size_of_blocks_play_a_part(variant, seed):
    tree, counts = communities(seed, 6, 15)
    whole = distances(tree, counts, variant)
    assert (whole == whole.T).all()
    assert not whole.diagonal().any()
    assert (whole >= 0).all()
    assert variant == "weighted" or (whole <= 1).all()
    random = np.random.default_rng(seed)
    rows, tips = random.permutation(6), random.permutation(15)
    turned = branch_table(tree, [names(15)[tip] for tip in tips])
    deeper = counts * random.integers(1, 50, size=(6, 1))
    found = unifrac(deeper[rows][:, tips], turned, variant=variant, block=int(random.integers(1, 30)))
    np.testing.assert_allclose(found, whole[np.ix_(rows, rows)], atol=1e-13)
    np.testing.assert_allclose(distances(tree, counts[:2], variant), whole[:2, :2], atol=1e-13)
    seen = np.flatnonzero(counts.any(axis=0))
    fewer = unifrac(counts[:, seen], branch_table(tree, [names(15)[tip] for tip in seen]), variant=variant)
    np.testing.assert_allclose(fewer, whole, atol=1e-13)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tiles_of_samples_change_nothing(variant, monkeypatch):
    tree, counts = communities(8, 11, 20)
    whole = distances(tree, counts, variant)
    monkeypatch.setattr(module, "ROWS", 3)
    monkeypatch.setattr(module, "WIDE", 4)
    np.testing.assert_allclose(distances(tree, counts, variant), whole, atol=1e-14)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_copy_of_a_sample_is_at_no_distance_at_all(variant, monkeypatch):
    monkeypatch.setattr(module, "WIDE", 7)  # products of unlike shape may add up in another order
    tree, counts = communities(2, 40, 90)
    told = distances(tree, np.vstack([counts, 3 * counts]), variant)
    own = told[np.arange(40), np.arange(40) + 40]
    assert not own.any() if variant == "unweighted" else (own < 1e-14).all()
    assert (told[~np.tile(np.eye(40, dtype=bool), (2, 2))] > 1e-3).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_sample_none_and_a_tree_without_lengths_have_no_distance(variant):
    tree, counts = communities(1, 3, 5)
    assert distances(tree, counts[:1], variant).tolist() == [[0.0]]
    assert distances(tree, counts[:0], variant).shape == (0, 0)
    assert not distances(newick("((t1,t2),(t3,(t4,t5)));"), counts, variant).any()


def test_a_tree_without_a_root_is_rooted_at_its_midpoint():
    # the longest way leads from t1 to t3 and is 10 long: its middle lies on the branch of t1, 5 from the tip
    found = branch_table(newick("(t1:7,t2:1,(t3:2,t4:1):1);"), ["t1", "t2", "t3", "t4"])
    assert sorted(found.lengths.tolist()) == [1, 1, 1, 2, 2, 5]
    one = branch_table(newick("((t2:1,(t3:2,t4:1):1):2,t1:5);"), ["t1", "t2", "t3", "t4"])
    counts = np.array([[1, 2, 0, 4], [0, 0, 3, 3], [5, 1, 1, 0]])
    for variant in VARIANTS:
        np.testing.assert_allclose(
            unifrac(counts, found, variant=variant), unifrac(counts, one, variant=variant), atol=1e-15
        )


def test_a_stem_above_the_root_is_shared_by_all_as_in_scikit_bio():
    counts = np.array([[1, 0], [1, 1]])
    tree = newick("(t1:1,t2:1):2;")
    for variant, metric, value in [
        ("unweighted", "unweighted_unifrac", 1 / 4),
        ("weighted", "weighted_unifrac", 1.0),
        ("normalized", "weighted_unifrac", 1 / 6),
    ]:
        options = {"normalized": True} if variant == "normalized" else {}
        peer = beta_diversity(metric, counts, taxa=["t1", "t2"], tree=tree, **options).data
        assert distances(tree, counts, variant)[0, 1] == pytest.approx(value) == pytest.approx(peer[0, 1])


def test_the_tree_is_left_as_it_was():
    tree = newick("(t1:7,t2:1,(t3:2,t4:1):1);")
    before = str(tree)
    branch_table(tree, ["t1", "t3"])
    assert str(tree) == before


@pytest.mark.parametrize(
    ("text", "tips", "message"),
    [
        ("((t1:1,t2:1):1,t3:1);", ["t1", "x", "y"], "2 taxa that were seen are not in the tree, among them x, y"),
        ("((t1:1,t2:1):1,t3:1);", ["t1", "t1"], "stands in the table twice"),
        ("((t1:1,t1:1):1,t3:1);", ["t1", "t3"], "1 taxa stand in the tree twice, among them t1"),
        ("((t1:1,t2:-0.1):1,t3:1);", ["t1", "t2"], "1 branches of the tree have a length below 0"),
        ("((t1:1,t2:1):nan,t3:1);", ["t1", "t2"], "or none that is finite"),
    ],
)
def test_what_is_no_tree_of_these_taxa_is_refused(text, tips, message):
    with pytest.raises(AbundanceError, match=message):
        branch_table(newick(text), tips)


@pytest.mark.parametrize("row", [[0, 0, 0], [-1, 2, 0], [np.nan, 1, 0], [np.inf, 1, 0]])
def test_what_is_no_community_is_refused(row):
    branches = branch_table(newick("((t1:1,t2:1):1,t3:1);"), ["t1", "t2", "t3"])
    for variant in VARIANTS:
        with pytest.raises(AbundanceError, match="something in every sample"):
            unifrac(np.array([[1.0, 1.0, 1.0], row]), branches, variant=variant)
