"""The statistics of the response engine against peers: an exact log-rank test under 20 ms, any usual two-stage design under 1 s."""

import time
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import CensoredData, binom, logrank

from rabiomarkers.stats.log_rank import exact_log_rank
from rabiomarkers.stats.two_stage import minimax_design, optimal_design

pytestmark = pytest.mark.benchmark

RANDOM = np.random.default_rng(1)
TIMES, EVENTS = np.ceil(300 * RANDOM.exponential(size=12)), (RANDOM.random(12) < 0.8).astype(int)
GROUPS = np.arange(12) < 5  # 792 labellings


def scipy_log_rank(times, events, groups):
    """The same count, one labelling after the other."""

    def statistic(first):
        first = np.isin(np.arange(len(times)), first)
        sides = [
            CensoredData(times[side & (events == 1)], right=times[side & (events == 0)]) for side in (first, ~first)
        ]
        return logrank(*sides).statistic ** 2

    observed = statistic(np.flatnonzero(groups))
    found = [statistic(first) for first in combinations(range(len(times)), int(groups.sum()))]
    return sum(value >= observed - 1e-9 for value in found), len(found)


def plain_search(null_rate, target_rate, *, type_1_error, power, largest):
    """Every first stage of every n, with scipy's binomial and nothing left out."""
    best = (np.inf,)
    for n in range(2, largest + 1):
        for first_n in range(1, n):
            first, stops = np.arange(first_n + 1)[:, None], np.arange(n)
            null, target = (
                (binom.pmf(first, first_n, p) * binom.sf(stops - first, n - first_n, p))[::-1].cumsum(axis=0)[::-1]
                for p in (null_rate, target_rate)
            )
            early = binom.cdf(np.arange(first_n), first_n, null_rate)
            kept = ((null[1:] <= type_1_error) & (target[1:] >= power)).any(axis=1)
            expected = (first_n + (1 - early) * (n - first_n))[kept]
            best = min(best, *((value, n) for value in expected.tolist())) if len(expected) else best
    return best


def test_the_exact_log_rank_of_twelve_patients_takes_milliseconds(benchmark):
    told = benchmark.pedantic(exact_log_rank, args=(TIMES, EVENTS, GROUPS), rounds=20, warmup_rounds=1)
    start = time.perf_counter()
    counted = scipy_log_rank(TIMES, EVENTS, GROUPS)
    seconds = time.perf_counter() - start
    assert (told.p_count, told.p_total) == counted
    benchmark.extra_info["scipy, seconds"] = round(seconds, 2)
    benchmark.extra_info["times faster"] = round(seconds / benchmark.stats.stats.mean, 1)
    assert benchmark.stats.stats.median < 0.02


def test_a_usual_optimal_design_is_found_faster_than_by_trying_all(benchmark):
    told = benchmark.pedantic(optimal_design, args=(0.3, 0.5), rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    expected, n = plain_search(0.3, 0.5, type_1_error=0.05, power=0.8, largest=60)
    seconds = time.perf_counter() - start
    assert (told.n, told.expected_n_null) == (n, pytest.approx(expected, abs=1e-9))
    benchmark.extra_info["trying all of up to 60 patients, seconds"] = round(seconds, 2)
    benchmark.extra_info["times faster"] = round(seconds / benchmark.stats.stats.mean, 1)
    assert benchmark.stats.stats.max < 1.0


@pytest.mark.parametrize("search", [optimal_design, minimax_design])
def test_the_hardest_designs_of_the_published_tables_take_less_than_a_second(benchmark, search):
    told = benchmark.pedantic(search, args=(0.5, 0.65), kwargs={"power": 0.9}, rounds=3, warmup_rounds=1)
    assert told.n in (105, 93)
    assert benchmark.stats.stats.min < 1.0
