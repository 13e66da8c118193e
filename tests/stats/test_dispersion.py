"""Distances to centroids against R's vegan (`reference/permanova.csv`) and the tests on them."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from rabiomarkers.stats.dispersion import centroid_distances, dispersion_change

TABLE = (Path(__file__).parents[1] / "reference" / "permanova.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] == "distances to centroids"]
points = st.lists(st.lists(st.floats(-10, 10), min_size=3, max_size=3), min_size=6, max_size=6)


def numbers(text):
    return np.array([float(part) for part in text.split()])


@pytest.mark.parametrize("case", CASES, ids=["Euclidean", "Bray-Curtis", "a negative square"])
def test_distances_to_the_centroid_are_betadispers(case):
    ours = centroid_distances(squareform(numbers(case["distances"])), numbers(case["factors"]))
    np.testing.assert_allclose(ours, numbers(case["value"]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("permutations", [99, 999])
def test_a_drawn_p_counts_the_labels_as_they_are_and_is_never_below_one_in_the_draws(permutations):
    random = np.random.default_rng(1)
    before, after = random.normal(0, 0.2, size=(13, 5)), random.normal(0, 2.0, size=(13, 5))
    table = squareform(pdist(np.concatenate([before, after])))
    told = dispersion_change(table, np.tile(np.arange(13), 2), np.repeat([0, 1], 13), permutations=permutations)
    assert told.test == f"{permutations} random swaps inside patients"
    assert (told.p_count, told.p_total) == (1, permutations + 1)  # none of the draws comes near
    assert told.p_value == 1 / (permutations + 1)
    assert told.p_floor == max(1 / (permutations + 1), 2 / 2**13)


@given(points)
@settings(deadline=None, max_examples=40)
def test_in_space_they_are_distances_to_the_mean(coordinates):
    places, groups = np.array(coordinates), np.array([0, 0, 0, 1, 1, 1])
    means = np.array([places[groups == group].mean(axis=0) for group in groups])
    ours = centroid_distances(squareform(pdist(places)), groups)
    np.testing.assert_allclose(ours**2, ((places - means) ** 2).sum(axis=1), atol=1e-9)


def test_communities_that_drew_apart_are_found_and_the_direction_told():
    random = np.random.default_rng(1)
    before, after = random.normal(0, 0.2, size=(8, 5)), random.normal(0, 2.0, size=(8, 5))
    table = squareform(pdist(np.concatenate([before, after])))
    patients, times = np.tile(np.arange(8), 2), np.repeat([0, 1], 8)
    told = dispersion_change(table, patients, times)
    assert (told.p_count, told.p_total) == (2, 256)
    assert told.estimate > 0
    turned = dispersion_change(table, patients, 1 - times)
    assert turned.estimate == pytest.approx(-told.estimate)


def test_centres_are_computed_anew_for_every_swap():
    random = np.random.default_rng(4)
    table = squareform(pdist(random.gamma(0.5, size=(10, 6)), metric="braycurtis"))
    patients, times = np.repeat(np.arange(5), 2), np.tile([0, 1], 5)
    told = dispersion_change(table, patients, times)
    changes = []
    for swap in itertools.product((0, 1), repeat=5):
        swapped = times ^ np.repeat(swap, 2)
        away = centroid_distances(table, swapped)
        changes.append(away[swapped == 1].mean() - away[swapped == 0].mean())
    assert told.estimate == pytest.approx(changes[0], abs=1e-12)
    assert (told.p_count, told.p_total) == (sum(abs(change) >= abs(changes[0]) - 1e-12 for change in changes), 32)
    assert told.p_floor == 2 / 32
