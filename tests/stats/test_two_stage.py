import csv
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.two_stage import (
    chance_of_rejection,
    design_of,
    minimax_design,
    operating_characteristics,
    optimal_design,
)

# Simon 1989, PMID 2702835, tables 1 and 2, and designs that R package clinfun prints. `verification` says whether a public copy
# of the row was seen or whether it is from memory.
PUBLISHED = list(csv.DictReader((Path(__file__).parents[1] / "reference" / "simon_1989.csv").read_text().splitlines()))
SEARCH = {"optimal": optimal_design, "minimax": minimax_design}


def stages(design):
    return design.first_stop, design.first_n, design.stop, design.n


rates = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


@st.composite
def designs(draw):
    first_n = draw(st.integers(1, 8))
    n = first_n + draw(st.integers(1, 8))
    first_stop = draw(st.integers(0, first_n - 1))
    return first_n, first_stop, n, draw(st.integers(first_stop, n - 1))


def exactly(first_n, first_stop, n, stop, rate):
    """Probability of rejecting and of stopping early, over all counts of both stages in fractions."""
    rate = Fraction(rate)

    def chance(k, size):
        return comb(size, k) * rate**k * (1 - rate) ** (size - k)

    early = sum(chance(k, first_n) for k in range(first_stop + 1))
    reject = sum(
        chance(first, first_n) * chance(second, n - first_n)
        for first in range(first_stop + 1, first_n + 1)
        for second in range(n - first_n + 1)
        if first + second > stop
    )
    return reject, early


# ---- searches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: " ".join(list(row.values())[:5]))
def test_designs_are_the_published_ones(row):
    asked = {name: float(row[name]) for name in ("null_rate", "target_rate", "type_1_error", "power")}
    told = SEARCH[row["kind"]](**asked)
    assert stages(told) == tuple(int(row[name]) for name in ("first_stop", "first_n", "stop", "n"))
    for name, ours in (("expected_n", told.expected_n_null), ("early_stop", told.early_stop_null)):
        digits = len(row[name].partition(".")[2])
        if row[name]:  # within one unit of the last digit printed: the tables do not always round to the nearest
            assert ours == pytest.approx(float(row[name]), abs=1.001 * 10.0**-digits)
    assert told.type_1_error <= asked["type_1_error"]
    assert told.power >= asked["power"]
    assert told.kind == row["kind"]


@settings(max_examples=30)
@given(
    st.floats(0.05, 0.5),
    st.floats(0.2, 0.45),
    st.sampled_from([0.05, 0.1, 0.2]),
    st.sampled_from([0.7, 0.8, 0.9]),
    st.sampled_from(["optimal", "minimax"]),
)
def test_no_design_of_the_size_searched_is_better(null_rate, difference, type_1_error, power, kind):
    target_rate = null_rate + difference
    most = 12
    kept = []
    for n in range(2, most + 1):
        for first_n in range(1, n):
            for first_stop in range(first_n):
                early = binom.cdf(first_stop, first_n, null_rate)
                going_on = np.arange(first_stop + 1, first_n + 1)[:, None]
                stops = np.arange(first_stop, n)
                reject = [
                    (binom.pmf(going_on, first_n, p) * binom.sf(stops - going_on, n - first_n, p)).sum(axis=0)
                    for p in (null_rate, target_rate)
                ]
                if ((reject[0] <= type_1_error) & (reject[1] >= power)).any():
                    kept.append((n, first_n + (1 - early) * (n - first_n)))
    search = {"type_1_error": type_1_error, "power": power, "maximum_n": most}
    if not kept:
        with pytest.raises(StatisticsError, match="No two-stage design of up to 12 patients"):
            SEARCH[kind](null_rate, target_rate, **search)
        return
    told = SEARCH[kind](null_rate, target_rate, **search)
    fewest = min(n for n, _ in kept)
    best = min(expected for n, expected in kept if kind == "optimal" or n == fewest)
    assert told.expected_n_null == pytest.approx(best, abs=1e-9)
    if kind == "minimax":
        assert told.n == fewest


def test_an_optimal_design_is_the_same_however_far_one_looks():
    near, far = (optimal_design(0.1, 0.3, maximum_n=most) for most in (29, 400))
    assert near == far


@pytest.mark.parametrize(("null_rate", "target_rate"), [(0.3, 0.3), (0.4, 0.2), (0.0, 0.2), (0.2, 1.0)])
def test_rates_out_of_order_are_refused(null_rate, target_rate):
    for search in (optimal_design, minimax_design):
        with pytest.raises(StatisticsError, match=f"they are {null_rate:g} and {target_rate:g}"):
            search(null_rate, target_rate)


@pytest.mark.parametrize("wrong", [{"type_1_error": 0.0}, {"power": 1.0}, {"power": 80}])
def test_error_rates_are_shares(wrong):
    with pytest.raises(StatisticsError, match="Type 1 error and power lie between 0 and 1"):
        optimal_design(0.1, 0.3, **wrong)


@pytest.mark.parametrize("search", [optimal_design, minimax_design])
def test_rates_too_near_to_each_other_have_no_design(search):
    with pytest.raises(StatisticsError, match=r"up to 90 patients tells 0.2 from 0.22 .*rates that lie further apart"):
        search(0.2, 0.22, maximum_n=90)


@pytest.mark.parametrize("search", [optimal_design, minimax_design])
def test_extreme_rates_have_designs_too(search):
    told = search(0.001, 0.999)
    assert (told.first_n, told.n) == (1, 2)


# ---- characteristics -------------------------------------------------------------------------------------------------


def test_the_protocols_own_stages_have_the_published_error_rates():
    told = design_of(10, 1, 29, 5, null_rate=0.1, target_rate=0.3)
    # tests of R package PhIIdesign: alpha 0.0470863066438917, beta 0.194937086849675
    assert told.type_1_error == pytest.approx(0.0470863066438917, abs=1e-12)
    assert told.power == pytest.approx(1 - 0.194937086849675, abs=1e-12)
    assert told.kind == "as given"


def test_a_design_whose_second_stage_decides_nothing_is_a_single_stage():
    told = operating_characteristics(5, 2, 9, 2, 0.3)
    assert told.reject == pytest.approx(binom.sf(2, 5, 0.3), abs=1e-14)


@pytest.mark.parametrize("wrong", [(10, 10, 20, 12), (10, -1, 20, 5), (20, 3, 20, 5), (10, 3, 20, 2), (10, 3, 20, 20)])
def test_stages_that_do_not_follow_each_other_are_refused(wrong):
    with pytest.raises(StatisticsError, match=f"it has {wrong[1]} of {wrong[0]}, then {wrong[3]} of {wrong[2]}"):
        operating_characteristics(*wrong, 0.2)


def test_a_rate_beyond_one_is_refused():
    with pytest.raises(StatisticsError, match="it is 12"):
        operating_characteristics(10, 1, 29, 5, 12)


@given(designs(), st.integers(0, 20))
def test_characteristics_are_those_of_counting_every_outcome(design, twentieths):
    told = operating_characteristics(*design, twentieths / 20)
    reject, early = exactly(*design, Fraction(twentieths, 20))
    first_n, _, n, _ = design
    assert told.reject == pytest.approx(float(reject), abs=1e-12)
    assert told.early_stop == pytest.approx(float(early), abs=1e-12)
    assert told.expected_n == pytest.approx(float(first_n + (1 - early) * (n - first_n)), abs=1e-12)


@given(designs(), rates, rates)
def test_a_better_treatment_is_rejected_less_and_stopped_less(design, one, other):
    low, high = (operating_characteristics(*design, rate) for rate in sorted((one, other)))
    assert low.reject <= high.reject + 1e-12
    assert low.early_stop >= high.early_stop - 1e-12


# ---- on the way ------------------------------------------------------------------------------------------------------


def chance(design, responders, n, rate):
    return chance_of_rejection(design_of(*design, null_rate=0.1, target_rate=0.3), responders, n, rate)


def test_before_the_first_patient_the_chance_is_the_power():
    assert chance((10, 1, 29, 5), 0, 0, 0.3) == pytest.approx(0.8050629131503244, abs=1e-12)


def test_the_chance_is_certain_where_nothing_can_change_it():
    assert chance((10, 1, 29, 5), 1, 10, 0.9) == 0.0
    assert chance((10, 1, 29, 5), 6, 20, 0.0) == 1.0
    assert chance((10, 1, 29, 5), 5, 29, 0.5) == 0.0


@pytest.mark.parametrize(("responders", "n", "rate"), [(3, 2, 0.1), (1, 30, 0.1), (1, 5, 1.5)])
def test_a_chance_of_impossible_numbers_is_refused(responders, n, rate):
    with pytest.raises(StatisticsError, match="A chance to reject needs"):
        chance((10, 1, 29, 5), responders, n, rate)


@given(designs(), st.data(), rates)
def test_the_chance_is_the_mean_of_what_the_next_patient_makes_of_it(design, data, rate):
    first_n, first_stop, _, _ = design
    n = data.draw(st.integers(0, design[2] - 1))
    responders = data.draw(st.integers(0, n))
    if n == first_n and responders <= first_stop:
        assert chance(design, responders, n, rate) == 0.0
        return
    mean = rate * chance(design, responders + 1, n + 1, rate) + (1 - rate) * chance(design, responders, n + 1, rate)
    assert chance(design, responders, n, rate) == pytest.approx(mean, abs=1e-12)
