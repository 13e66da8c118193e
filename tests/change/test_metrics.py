"""The measures of distance against R's vegan (`reference/community.csv`), hand counts, and by what must not matter."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import squareform
from skbio import TreeNode

from rabiomarkers.change.metrics import METRICS, distances_of
from rabiomarkers.errors import AbundanceError
from rabiomarkers.stats.composition import clr_rows, replace_zeros
from rabiomarkers.stats.permanova import permanova

TABLE = (Path(__file__).parents[1] / "reference" / "community.csv").read_text()
OF_R = ("bray_curtis", "jaccard", "robust_aitchison", "aitchison of counts", "aitchison of shares")
CASES = [
    case
    for case in csv.DictReader(TABLE.splitlines())
    if case["statistic"] in OF_R or case["statistic"] in ("F of jaccard", "F of robust_aitchison")
]
TAXA = [f"t{number}" for number in range(12)]


def numbers(text):
    return np.array([[float(part) for part in row.split()] for row in text.split(";")])


def tree_of(taxa):
    """A ladder."""
    text = "(" * (len(taxa) - 1) + f"{taxa[0]}:1," + ",".join(f"{name}:1):0.5" for name in taxa[1:]) + ";"
    return TreeNode.read(io.StringIO(text), format="newick", convert_underscores=False)


def stools(seed=0, samples=6, *, reads=400):
    random = np.random.default_rng(seed)
    shares = random.gamma(0.5, 1.0, size=(samples, len(TAXA)))
    counts = [random.multinomial(reads + 100 * place, row / row.sum()) for place, row in enumerate(shares)]
    return pd.DataFrame(counts, index=[f"s{number}" for number in range(samples)], columns=TAXA)


def taken(abundances, metric, scale, **options):
    return distances_of(abundances, metric, scale=scale, depth=200, draws=3, tree=tree_of(TAXA), **options)


EVERY = pytest.mark.parametrize(
    ("metric", "scale"), [(metric, scale) for metric in METRICS for scale in ("counts", "relative")]
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']}, {case['table'].count(';') + 1} samples")
def test_our_value_is_that_of_vegan(case):
    table = pd.DataFrame(numbers(case["table"]))
    metric, *of = case["statistic"].removeprefix("F of ").split(" of ")
    options = {"scale": "counts", "depth": int(case["further"])} if of == ["counts"] else {}
    found = distances_of(table, metric, **options).to_numpy()
    if case["statistic"].startswith("F of "):
        told = permanova(found, {"group": numbers(case["further"])[0]}).terms[0]
        assert [told.pseudo_f, told.r_squared] == pytest.approx(numbers(case["value"])[0], rel=1e-10)
    else:
        np.testing.assert_allclose(squareform(found), numbers(case["value"])[0], rtol=1e-10, atol=0)


@EVERY
@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=4)
def test_a_distance_hangs_on_its_two_samples_alone(metric, scale, seed):
    table = stools(seed)
    whole = taken(table, metric, scale)
    assert (whole.to_numpy() == whole.to_numpy().T).all()
    assert not np.diag(whole).any()
    random = np.random.default_rng(seed)
    rows, taxa = random.permutation(table.index), random.permutation(TAXA)
    turned = taken(table.loc[rows, taxa], metric, scale)
    pd.testing.assert_frame_equal(turned, whole.loc[rows, rows], rtol=1e-12)
    pair = taken(table.loc[["s1", "s4"]], metric, scale)  # with the other samples go their taxa
    assert pair.loc["s1", "s4"] == pytest.approx(whole.loc["s1", "s4"], rel=1e-12)
    wider = table.assign(nobody=0)[["nobody", *TAXA]]
    pd.testing.assert_frame_equal(taken(wider, metric, scale), whole, check_exact=True)


@EVERY
def test_names_of_samples_change_nothing(metric, scale):
    table = stools()
    renamed = taken(table.rename(index=lambda name: f"other {name}"), metric, scale)
    np.testing.assert_array_equal(renamed, taken(table, metric, scale))


@pytest.mark.parametrize("metric", METRICS)
@given(st.lists(st.integers(1, 1000), min_size=6, max_size=6))
@settings(deadline=None, max_examples=4)
def test_the_unit_of_relative_abundances_plays_no_part(metric, factors):
    table = stools()
    scaled = table.mul(factors, axis="index")
    np.testing.assert_allclose(taken(scaled, metric, "relative"), taken(table, metric, "relative"), atol=1e-12)


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if not metric.presence])
def test_scaling_all_counts_of_a_sample_changes_no_distance_of_shares(metric):
    table = stools()
    scaled = table.mul([1, 2, 3, 4, 50, 600], axis="index")
    np.testing.assert_allclose(taken(scaled, metric, "counts"), taken(table, metric, "counts"), atol=1e-12)


def test_zeros_of_shares_are_those_of_the_rule_for_pairs():
    shares = stools(3, 8) / 7.0
    found = taken(shares, "aitchison", "relative")
    for first in range(8):
        for second in range(first):
            pair = shares.iloc[[first, second]]
            seen = pair.loc[:, pair.any()].to_numpy()
            before, after = replace_zeros(seen[:1], seen[1:])
            expected = np.linalg.norm(clr_rows(before) - clr_rows(after))
            assert found.iloc[first, second] == pytest.approx(expected, rel=1e-12)


def test_the_zero_rule_for_pairs_never_lets_the_unseen_outweigh_the_seen():
    # two samples of one taxon each: half of 1 / 2 parts, not half of 1
    told = distances_of(pd.DataFrame([[1.0, 0.0], [0.0, 1.0]]), "aitchison")
    assert told.loc[0, 1] == pytest.approx(np.sqrt(2) * np.log(3))  # 3/4 to 1/4, and the other way round


def test_what_is_seen_nowhere_in_a_pair_is_no_part_of_it():
    # ln 9 apart in one of two parts, whatever a third sample holds; 200 reads are compared
    counts = pd.DataFrame([[100, 100, 0], [180, 20, 0], [1, 1, 300]])
    told = distances_of(counts, "aitchison", scale="counts", depth=200)
    expected = (np.log(180.5 / 20.5) - np.log(1)) / np.sqrt(2)
    assert told.loc[0, 1] == pytest.approx(expected, rel=1e-12)


def test_a_taxon_that_was_not_seen_stands_at_the_mean_of_those_seen_in_robust_aitchison():
    told = distances_of(pd.DataFrame([[1.0, np.e**2, 0.0], [0.0, 5.0, 5.0]]), "robust_aitchison")
    assert told.loc[0, 1] == pytest.approx(np.sqrt(2))  # -1, 1, 0 and 0, 0, 0


def test_presence_of_counts_is_the_mean_over_draws():
    # one read of a hundred is drawn in half of all draws of fifty
    counts = pd.DataFrame([[99, 1], [100, 0]])
    told = distances_of(counts, "jaccard", scale="counts", depth=50, draws=400).loc[0, 1]
    assert told == pytest.approx(0.5 * 0.5, abs=4 * 0.25 / np.sqrt(400))  # a distance of 1/2 in half of them
    assert distances_of(counts, "jaccard", scale="counts", depth=100).loc[0, 1] == 0.5  # all reads


def test_samples_are_drawn_independently_of_each_other():
    # with one seed for both the rare taxa of two like samples would be drawn together
    random = np.random.default_rng(0)
    rare = [2] * 200
    table = pd.DataFrame([[1000, *rare], [1001, *rare]])
    told = distances_of(table, "jaccard", scale="counts", depth=700, draws=40, seed=int(random.integers(100)))
    kept = 1 - (1 - 0.5) ** 2  # of two reads each half of all are drawn: seen in three of four
    expected = 1 - (1 + 200 * kept**2) / (1 + 200 * (1 - (1 - kept) ** 2))
    assert told.loc[0, 1] == pytest.approx(expected, abs=0.02)


def test_the_seed_decides_the_draws():
    table = stools()
    first, again, other = (taken(table, "jaccard", "counts", seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first != other).any(axis=None)


@pytest.mark.parametrize("metric", METRICS)
def test_one_sample_and_none_have_no_distance_to_another(metric):
    table = stools()
    for scale in ("counts", "relative"):
        assert taken(table.iloc[:1], metric, scale).to_numpy().tolist() == [[0.0]]
        assert taken(table.iloc[:0], metric, scale).shape == (0, 0)


@pytest.mark.parametrize("metric", METRICS)
def test_samples_with_nothing_in_common_and_samples_of_one_taxon_have_a_distance(metric):
    table = pd.DataFrame(0.0, index=["a", "b", "c"], columns=TAXA)
    table.loc["a", "t0"] = table.loc["b", "t5"] = table.loc["c", "t5"] = 300.0
    for scale in ("counts", "relative"):
        told = taken(table, metric, scale)
        assert np.isfinite(told).all(axis=None)
        assert told.loc["b", "c"] == 0
        assert (told.loc["a", "b"] > 0) == (metric != "robust_aitchison")  # which has no zero to tell from the mean


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.0] * 12, "without any taxon: bad"),
        ([-1.0] + [1.0] * 11, "negative"),
        ([np.nan] + [1.0] * 11, "missing"),
        ([np.inf] + [1.0] * 11, "infinite"),
    ],
)
def test_what_is_no_abundance_is_refused_in_words(metric, row, message):
    table = pd.concat([stools(), pd.DataFrame([row], index=["bad"], columns=TAXA)])
    with pytest.raises(AbundanceError, match=f"{re.escape(METRICS[metric].title)} .*{message}"):
        taken(table, metric, "relative")


def test_what_cannot_be_drawn_is_refused_in_words():
    table = stools()
    with pytest.raises(AbundanceError, match="Jaccard of read counts needs 401 reads of every sample"):
        distances_of(table, "jaccard", scale="counts", depth=401)
    with pytest.raises(AbundanceError, match="Jaccard draws reads, and some of the counts are fractions"):
        distances_of(table + 0.5, "jaccard", scale="counts", depth=100)
    for metric in ("jaccard", "aitchison"):
        with pytest.raises(AbundanceError, match="of read counts needs the depth"):
            distances_of(table, metric, scale="counts")
    with pytest.raises(AbundanceError, match="weighted UniFrac needs a tree, and the samples have none"):
        distances_of(table, "weighted_unifrac")


def test_every_measure_names_its_source():
    assert all("doi:10." in metric.reference for metric in METRICS.values())
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
