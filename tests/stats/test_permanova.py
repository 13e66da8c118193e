"""PERMANOVA against R's vegan (`reference/permanova.csv`), against trying every labelling, and by its laws."""

import csv
import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.gower import gower_matrix
from rabiomarkers.stats.group_squares import count_at_least, squares_between
from rabiomarkers.stats.patient_effects import response_effect, response_time_effect, time_effect
from rabiomarkers.stats.permanova import permanova
from rabiomarkers.stats.relabelling import all_relabellings, count_relabellings, random_relabellings

TABLE = (Path(__file__).parents[1] / "reference" / "permanova.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] != "versions"]
CENTROIDS = "distances to centroids"  # compared in test_dispersion.py


def numbers(text):
    return np.array([float(part) for part in text.split()])


def factor_terms(distances, *factors):
    told = permanova(distances, {str(place): factor for place, factor in enumerate(factors)}, permutations=9).terms
    return [term.pseudo_f for term in told] + [term.r_squared for term in told]


def effect(test):
    def f_and_share(distances, *factors):
        told = test(distances, *factors)
        return [told.pseudo_f, told.r_squared]

    return f_and_share


def fraction(test):
    def counted(distances, *factors):
        told = test(distances, *factors)
        return Fraction(told.p_count, told.p_total)

    return counted


def one_factor(distances, labels):
    return permanova(distances, {"group": labels}).terms[0]


VALUES = {
    "one factor": effect(one_factor),
    "two factors": factor_terms,
    "two factors and their interaction": factor_terms,
    "time": effect(time_effect),
    "response": effect(response_effect),
    "response x time": effect(response_time_effect),
}
COUNTS = {
    "exact p of one factor": fraction(one_factor),
    "exact p of time": fraction(time_effect),
    "exact p of response": fraction(response_effect),
    "exact p of response x time": fraction(response_time_effect),
}


def inputs(case):
    return squareform(numbers(case["distances"])), *(numbers(part) for part in case["factors"].split(";"))


def communities(seed, samples, taxa=12, shift=0.0):
    """Bray-Curtis distances of log-normal abundances; the second half of the samples has some taxa raised."""
    logs = np.random.default_rng(seed).normal(size=(samples, taxa))
    logs[samples // 2 :, :3] += shift
    return squareform(pdist(np.exp(logs), metric="braycurtis"))


def paired_communities(seed, patients, *, patient_sd=1.0, shift=0.0):
    """Distances of patients x 2 samples that differ between patients far more than between times; patients and times."""
    random = np.random.default_rng(seed)
    logs = np.repeat(random.normal(0, patient_sd, size=(patients, 20)), 2, axis=0)
    logs = logs + random.normal(0, 0.4, size=logs.shape)
    logs[1::2, :4] += shift
    table = squareform(pdist(np.exp(logs), metric="braycurtis"))
    return table, np.repeat(np.arange(patients), 2), np.tile(["post", "pre"], patients)


# ---- against vegan ---------------------------------------------------------------------------------------------------


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == {*VALUES, *COUNTS, CENTROIDS}


@pytest.mark.parametrize("case", [case for case in CASES if case["statistic"] in VALUES], ids=lambda c: c["statistic"])
def test_pseudo_f_and_share_are_vegans(case):
    ours = VALUES[case["statistic"]](*inputs(case))
    np.testing.assert_allclose(ours, numbers(case["value"]), rtol=1e-10)


@pytest.mark.parametrize("case", [case for case in CASES if case["statistic"] in COUNTS], ids=lambda c: c["statistic"])
def test_the_exact_p_is_vegans_as_a_fraction(case):
    count, total = numbers(case["value"]).astype(int).tolist()
    assert COUNTS[case["statistic"]](*inputs(case)) == Fraction(count, total)


# ---- against trying every labelling ----------------------------------------------------------------------------------


def pseudo_f(table, labels):
    """Anderson 2001, from sums of squared distances alone."""
    labels = np.asarray(labels)
    squares = table**2
    within = sum(
        squares[np.ix_(own, own)].sum() / 2 / len(own)
        for own in (np.flatnonzero(labels == g) for g in np.unique(labels))
    )
    total, groups, n = squares.sum() / 2 / len(table), len(np.unique(labels)), len(table)
    return (total - within) / (groups - 1) / (within / (n - groups))


@given(seed=st.integers(0, 1000), labels=st.permutations([0, 0, 0, 1, 1, 2, 2]))
@settings(max_examples=20, deadline=None)
def test_the_exact_p_is_the_share_of_all_labellings(seed, labels):
    table = communities(seed, 7)
    told = one_factor(table, labels)
    every = [pseudo_f(table, way) for way in set(itertools.permutations(labels))]
    assert told.pseudo_f == pytest.approx(pseudo_f(table, labels), rel=1e-10)
    assert (told.p_count, told.p_total) == (sum(f >= told.pseudo_f * (1 - 1e-9) for f in every), len(every))


@pytest.mark.parametrize(("samples", "groups"), [(70, 2), (110, 2), (131, 3), (90, 5)])
def test_what_single_precision_decides_double_precision_confirms(samples, groups):
    table = communities(samples, samples)
    codes = np.sort(np.arange(samples) ** 2 % groups if groups > 3 else np.arange(samples) % groups)
    codes = np.unique(codes, return_inverse=True)[1]
    random = np.random.default_rng(1)
    labels = random_relabellings(codes, np.zeros_like(codes), size=500, random=random)
    gram, sizes = gower_matrix(table), np.bincount(codes)
    squares = squares_between(gram, labels, sizes)
    for place in (0, 17, 250, 499):  # each of these is one of the labellings: a tie with itself
        assert count_at_least(gram, labels, sizes, float(squares[place])) == (squares >= squares[place] - 1e-12).sum()


def test_ties_are_counted_in_a_large_table_too():
    # samples of two kinds, all distances 0 or 1: hardly any two labellings differ but by a tie
    kinds = np.random.default_rng(2).integers(0, 2, size=80)
    told = one_factor((kinds[:, None] != kinds).astype(float), np.arange(80) % 2)
    ones = int(kinds[::2].sum())
    from scipy.stats import hypergeom

    law = hypergeom(80, int(kinds.sum()), 40)
    middle = kinds.sum() / 2
    chance = sum(law.pmf(k) for k in range(81) if abs(k - middle) >= abs(ones - middle))
    assert told.p_value == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / 9999))


def test_the_floor_of_few_draws_is_one_in_their_number_and_of_many_that_of_all_labellings():
    table, patients, times = paired_communities(5, 13, shift=3.0)
    few, many = (time_effect(table, patients, times, permutations=size) for size in (99, 9999))
    assert (few.p_floor, few.p_value, few.p_total) == (1 / 100, 1 / 100, 100)
    assert (many.p_floor, many.p_total) == (2 / 2**13, 10_000)
    assert many.p_value >= 1 / 10_000


@pytest.mark.parametrize(("responders", "ways"), [(6, 8008), (8, None)])  # 16 over 6, and 16 over 8 = 12 870
def test_up_to_10_000_labellings_of_whole_patients_all_are_tried(responders, ways):
    table, patients, times = paired_communities(6, 16)
    responded = patients < responders
    for told in (
        response_effect(table, patients, responded, permutations=99),
        response_time_effect(table, patients, times, responded, permutations=99),
    ):
        assert told.p_total == (ways or 100)
        assert told.test == ("exact permutation of patients" if ways else "99 random permutations of patients")


def test_random_labellings_meet_the_exact_p():
    table, patients, times = paired_communities(5, 12, shift=0.3)
    exact = time_effect(table, patients, times)
    more, who, when = paired_communities(5, 13, shift=0.3)
    assert (exact.test, exact.p_total) == ("exact permutation", 4096)
    random = time_effect(more, who, when)
    assert (random.test, random.p_total, random.p_floor) == ("9999 random permutations", 10_000, 2 / 2**13)
    gram = gower_matrix(more)  # the squared length of the mean move, for all 2**13 directions
    after, before = gram[::2], gram[1::2]
    moves = (after - before)[:, ::2] - (after - before)[:, 1::2]
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=13)))
    lengths = np.vecdot(signs @ moves, signs)
    counted = (lengths >= moves.sum() * (1 - 1e-9)).mean()
    assert random.p_value == pytest.approx(counted, abs=4 * math.sqrt(counted / 9999))


def test_drawn_labellings_are_uniform():
    for codes in (np.arange(40) < 11, np.arange(40) % 3):
        drawn = random_relabellings(
            codes.astype(int), np.zeros(40, dtype=int), size=20_000, random=np.random.default_rng(3)
        )
        assert (np.sort(drawn, axis=1) == np.sort(codes.astype(int))).all()
        for label in np.unique(codes):
            share = (codes == label).mean()
            has = (drawn == label).astype(float)
            spread = math.sqrt(share * (1 - share) / 20_000)
            assert np.abs(has.mean(axis=0) - share).max() < 4.5 * spread
            pairs = has.T @ has / 20_000  # two samples: as often together as in a draw without replacement
            together = share * (share * 40 - 1) / 39
            np.testing.assert_allclose(pairs[np.triu_indices(40, 1)], together, atol=5 * math.sqrt(together / 20_000))


def test_each_labelling_is_listed_once_and_keeps_its_stratum():
    codes, strata = np.array([0, 1, 1, 2, 0, 0]), np.array([0, 0, 0, 0, 1, 1])
    every = all_relabellings(codes, strata)
    assert len(every) == len({tuple(row) for row in every.tolist()}) == count_relabellings(codes, strata) == 12
    assert set(map(tuple, np.sort(every[:, :4], axis=1).tolist())) == {(0, 1, 1, 2)}
    assert (every[:, 4:] == 0).all()


# ---- the traps -------------------------------------------------------------------------------------------------------


def test_samples_permuted_freely_miss_the_change_that_patients_show():
    """The trap of VALIDITY, section 2: p 0.90 where the exact p within patients is 0.0098."""
    table, patients, times = paired_communities(7, 10, patient_sd=1.5, shift=0.8)
    right = time_effect(table, patients, times)
    free = permanova(table, {"time": times}, permutations=999).terms[0]
    assert right.p_total == 1024
    assert right.p_value < 0.02
    assert free.p_value > 0.5


def test_samples_permuted_freely_call_patients_a_response():
    """The other trap: with a patient SD of 1, more than half of all nulls are called."""
    responses = np.repeat([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 2)
    called = {"free": 0, "patients": 0}
    for seed in range(60):
        table, patients, _ = paired_communities(seed, 10)
        free = permanova(table, {"response": responses}, permutations=199).terms[0]
        called["free"] += free.p_value <= 0.05
        called["patients"] += response_effect(table, patients, responses).p_value <= 0.05
    assert called["free"] > 20
    assert called["patients"] <= 8  # 3 expected, and three standard errors


@pytest.mark.parametrize(("n", "floor"), [(5, 0.0625), (10, 0.001953125)])
def test_the_floor_of_a_time_effect_is_two_of_all_swaps(n, floor):
    table, patients, times = paired_communities(1, n, shift=6.0)
    told = time_effect(table, patients, times)
    assert told.p_floor == told.p_value == floor


def test_the_floor_of_a_response_of_three_in_ten_is_one_of_120():
    table, patients, times = paired_communities(1, 10)
    responses = np.repeat([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 2)
    for told in (
        response_effect(table, patients, responses),
        response_time_effect(table, patients, times, responses),
    ):
        assert told.p_floor == 1 / 120
        assert told.p_total == 120
        assert told.test == "exact permutation of patients"


def test_the_order_of_the_terms_counts_as_in_vegan():
    table = communities(4, 12)
    first, second = np.arange(12) % 2, np.arange(12) // 5
    one, two = permanova(table, {"a": first, "b": second}), permanova(table, {"b": second, "a": first})
    assert one.terms[0].sum_of_squares != pytest.approx(two.terms[1].sum_of_squares)
    assert one.residual_sum_of_squares == pytest.approx(two.residual_sum_of_squares, rel=1e-12)
    whole = sum(term.sum_of_squares for term in one.terms) + one.residual_sum_of_squares
    assert whole == pytest.approx(one.total_sum_of_squares, rel=1e-12)
    assert one.terms[0].p_total == 10_000


# ---- what cannot be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "labels", "note"),
    [
        (communities(1, 5), [1] * 5, "one group only: nothing to compare"),
        (communities(1, 4), [1, 2, 3, 4], "no sample is left to tell the spread within groups"),
        (np.zeros((6, 6)), [1, 1, 1, 2, 2, 2], "all distances are zero"),
        (np.zeros((0, 0)), [], "one group only: nothing to compare"),
        (np.zeros((1, 1)), [1], "one group only: nothing to compare"),
    ],
)
def test_what_cannot_be_tested_is_empty_with_its_reason(table, labels, note):
    told = one_factor(table, labels)
    assert (told.note, told.test) == (note, "not tested")
    assert math.isnan(told.pseudo_f)
    assert math.isnan(told.p_value)
    assert math.isnan(told.p_floor)
    assert told.p_count is told.p_total is None


def test_groups_without_any_spread_have_a_p_but_no_pseudo_f():
    kinds = np.array([0, 0, 0, 1, 1, 1])
    told = one_factor((kinds[:, None] != kinds).astype(float), kinds)
    assert math.isnan(told.pseudo_f)
    assert (told.p_count, told.p_total, told.r_squared) == (2, 20, 1.0)
    assert "infinite" in told.note


def test_distances_of_no_space_that_leave_less_than_nothing_have_no_pseudo_f():
    # four samples on a ring: sides 1, diagonals 2. By hand: total 12 / 4 = 3; what patients and times leave is
    # (four sides squared - two diagonals squared) / 4 = (4 - 8) / 4 = -1
    table = np.array([[0.0, 1, 1, 2], [1, 0, 2, 1], [1, 2, 0, 1], [2, 1, 1, 0]])
    time = time_effect(table, ["A", "A", "B", "B"], ["pre", "post", "pre", "post"])
    assert time.sum_of_squares == pytest.approx(2.0)
    assert "the pseudo-F is not defined" in time.note
    assert math.isnan(time.pseudo_f)
    assert math.isnan(time.p_value)
    assert time.test == "not tested"


def test_a_term_that_no_permutation_moves_or_that_adds_nothing_says_so():
    table, patients, times = paired_communities(3, 4)
    patient, time, again = permanova(table, {"patient": patients, "time": times, "again": times}, strata=patients).terms
    assert patient.note == "the same for all samples of a stratum: no permutation moves it"
    assert math.isnan(patient.p_value)
    assert time.p_total == 16
    assert again.note == "already explained by the terms before it"
    assert math.isnan(again.sum_of_squares)


@pytest.mark.parametrize(
    ("table", "labels", "message"),
    [
        ([[0, 1], [2, 0]], [1, 2], "not symmetric"),
        ([[0, -1], [-1, 0]], [1, 2], "not negative"),
        ([[0, np.nan], [np.nan, 0]], [1, 2], "finite"),
        ([[1, 1], [1, 0]], [1, 2], "diagonal"),
        ([[0, 1, 1]], [1], "square"),
        ([[0, 1], [1, 0]], [1], "2 samples, 1 labels"),
        ([[0, 1], [1, 0]], ["a", None], "lacks the labels of 1 samples"),
    ],
)
def test_what_is_no_distance_matrix_or_no_factor_is_refused(table, labels, message):
    with pytest.raises(StatisticsError, match=message):
        permanova(np.asarray(table, dtype=float), {"group": np.asarray(labels, dtype=object)})


def test_effects_of_patients_need_pairs_and_one_response():
    table, patients, times = paired_communities(3, 3)
    with pytest.raises(StatisticsError, match="exactly once"):
        time_effect(table[:5, :5], patients[:5], times[:5])
    with pytest.raises(StatisticsError, match="one response and the same number"):
        response_effect(table, patients, [0, 1, 1, 1, 0, 0])
    with pytest.raises(StatisticsError, match="one response"):
        response_time_effect(table, patients, times, [0, 1, 1, 1, 0, 0])


# ---- laws ------------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), order=st.permutations(list(range(8))), scale=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_names_of_groups_order_of_samples_and_unit_play_no_part(seed, order, scale):
    table, labels = communities(seed, 8, shift=0.5), np.array([0, 0, 0, 1, 1, 1, 1, 1])
    told = one_factor(table, labels)
    renamed = one_factor(table, np.where(labels == 0, "z", "a"))
    turned = one_factor(scale * table[np.ix_(order, order)], labels[list(order)])
    for other in (renamed, turned):
        assert (other.p_count, other.p_total, other.p_floor) == (told.p_count, told.p_total, told.p_floor)
        np.testing.assert_allclose([other.pseudo_f, other.r_squared], [told.pseudo_f, told.r_squared], rtol=1e-9)


@given(seed=st.integers(0, 1000), order=st.permutations(list(range(12))))
@settings(max_examples=25, deadline=None)
def test_exact_effects_of_patients_do_not_depend_on_the_order_of_samples(seed, order):
    table, patients, times = paired_communities(seed, 6)
    responses = np.repeat([1, 0, 1, 0, 0, 0], 2)
    turned, order = table[np.ix_(order, order)], list(order)
    for told, other in (
        (time_effect(table, patients, times), time_effect(turned, patients[order], times[order])),
        (response_effect(table, patients, responses), response_effect(turned, patients[order], responses[order])),
        (
            response_time_effect(table, patients, times, responses),
            response_time_effect(turned, patients[order], times[order], responses[order]),
        ),
    ):
        assert (told.p_count, told.p_total) == (other.p_count, other.p_total)
        assert told.pseudo_f == pytest.approx(other.pseudo_f, rel=1e-9)


@given(seed=st.integers(0, 1000), n=st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_p_lies_between_its_floor_and_one(seed, n):
    table, patients, times = paired_communities(seed, n)
    told = time_effect(table, patients, times)
    assert 0 < told.p_floor <= told.p_value <= 1


def test_the_same_seed_gives_the_same_p_and_another_seed_another():
    table = communities(9, 70, shift=0.2)
    labels = np.arange(70) // 35
    one, same, other = (permanova(table, {"g": labels}, seed=seed).terms[0] for seed in (1, 1, 2))
    assert one == same
    assert one.p_count != other.p_count
