"""Are clones called where nothing changed: the same repertoire sequenced twice, by cells, molecules and reads of few molecules."""

import math

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.repertoires import clone_tests, compare_repertoires

NUMBER, SLOPE = 3_000, 0.9
EXPANDED, FOLD = np.arange(20, 60, 4), 8


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def sequenced(random, weights, *, cells, reads, spread=0.7):
    """Counts of each clone: cells drawn by share, each copied gamma-distributed with coefficient of variation `spread`."""
    drawn = random.multinomial(cells, weights / weights.sum())
    if reads == 1:
        return drawn
    shape = 1 / spread**2
    copies = random.gamma(np.maximum(drawn, 1) * shape, reads / shape)
    return random.poisson(np.where(drawn > 0, copies, 0.0))


def pairs(*, sets, cells, reads, seed, fold=1):
    """The calls of so many pairs: clone numbers called, by pair; and the pairs themselves."""
    random, weights = np.random.default_rng(seed), np.arange(1, NUMBER + 1.0) ** -SLOPE
    later = weights.copy()
    later[EXPANDED] *= fold
    for _ in range(sets):
        sides = [
            sequenced(random, own, cells=number, reads=copies)
            for own, number, copies in zip((weights, later), cells, reads, strict=True)
        ]
        _, told = compare_repertoires(*(_table(side, "umi_count" if reads == (1, 1) else "rows") for side in sides))
        called = told[told["direction"] != "unchanged"]
        yield {int(name): way for name, way in zip(called["clone"], called["direction"], strict=True)}, sides


def _table(counts, counted):
    table = pd.DataFrame({"clone": np.arange(NUMBER).astype(str), "locus": "TRB", "count": counts})[counts > 0]
    table.attrs["passport"] = {"counted": counted, "region": "junction"}
    return table


def any_called(**options):
    return float(np.mean([bool(called) for called, _ in pairs(**options)]))


def test_a_repertoire_sequenced_twice_calls_no_clone_however_deep_its_reads():
    sets = 12
    assert any_called(sets=sets, cells=(700, 900), reads=(500, 500), seed=1) <= at_most(0.05, sets)
    taken = [
        (clone_tests(*sides)["q_value"] <= 0.05).mean()
        for _, sides in pairs(sets=1, cells=(700, 900), reads=(500, 500), seed=1)
    ]
    assert min(taken) > 0.1  # of all clones, where reads are taken for cells


def test_expanding_clones_are_found_in_reads():
    found = [called for called, _ in pairs(sets=4, cells=(4_000, 4_000), reads=(30, 30), seed=2, fold=FOLD)]
    power = np.mean(
        [sum(called.get(int(clone)) == "expanded" for clone in EXPANDED) / len(EXPANDED) for called in found]
    )
    assert power >= 0.8


@pytest.mark.calibration
@pytest.mark.parametrize("reads", [(1, 1), (30, 30), (500, 500)])
@pytest.mark.parametrize("cells", [(700, 700), (700, 1_500), (4_000, 4_000), (20_000, 30_000)])
def test_null_pairs_call_a_clone_at_most_at_the_false_discovery_rate(cells, reads):
    sets = 60 if min(cells) > 10_000 else 200
    assert any_called(sets=sets, cells=cells, reads=reads, seed=11) <= at_most(0.05, sets)


@pytest.mark.calibration
@pytest.mark.parametrize("reads", [(30, 30), (200, 350)])
def test_five_times_as_many_cells_in_one_sample_call_hardly_more(reads):
    assert any_called(sets=200, cells=(300, 1_500), reads=reads, seed=12) <= 0.15


@pytest.mark.calibration
@pytest.mark.parametrize(("reads", "power"), [((1, 1), 0.8), ((30, 30), 0.9), ((500, 500), 0.9)])
def test_of_the_calls_among_expanding_clones_few_are_false(reads, power):
    told = [called for called, _ in pairs(sets=40, cells=(4_000, 4_000), reads=reads, seed=13, fold=FOLD)]
    right = [sum(called.get(int(clone)) == "expanded" for clone in EXPANDED) for called in told]
    false = [(len(called) - hits) / max(len(called), 1) for called, hits in zip(told, right, strict=True)]
    assert np.mean(right) / len(EXPANDED) >= power
    assert np.mean(false) <= at_most(0.05, 40)
