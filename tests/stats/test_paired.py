import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.paired import (
    CONSERVATIVE,
    sign_flip,
    sign_flip_many,
    signed_rank,
    signed_rank_many,
)

# Hollander & Wolfe 1973, p. 29: Hamilton depression factor of nine patients before and after a tranquilliser; the example of
# R's ?wilcox.test
DEPRESSION = np.subtract(
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29], [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
)
# Darwin 1876: heights of cross- minus self-fertilised maize, eighths of an inch; Fisher 1935, section 21, counts the sums
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]

TESTS = [signed_rank, sign_flip]
integers = st.lists(st.integers(-9, 9), min_size=2, max_size=9).filter(lambda values: any(values))
decimals = st.lists(st.integers(-4000, 4000).map(lambda k: k / 100), min_size=2, max_size=14).filter(
    lambda values: len(set(values)) > 1
)


def enumerated_signed_rank(differences, zeros):
    """p as a fraction, by trying every sign assignment."""
    values = [value for value in differences if value or zeros == "pratt"]
    ranks = [Fraction(int(2 * rank), 2) for rank in rankdata(np.abs(values))]
    moved = [(rank, value) for rank, value in zip(ranks, values, strict=True) if value]
    signed = abs(sum(rank if value > 0 else -rank for rank, value in moved))
    sums = [sum(sign * rank for sign, (rank, _) in zip(signs, moved, strict=True)) for signs in all_signs(len(moved))]
    return Fraction(sum(abs(total) >= signed for total in sums), len(sums))


def enumerated_sign_flip(differences):
    sums = [
        sum(sign * value for sign, value in zip(signs, differences, strict=True))
        for signs in all_signs(len(differences))
    ]
    return Fraction(sum(abs(total) >= abs(sum(differences)) for total in sums), len(sums))


def all_signs(n):
    return list(itertools.product((-1, 1), repeat=n))


# ---- published and hand values ---------------------------------------------------------------------------------------


def test_the_depression_data_give_the_published_numbers():
    told = signed_rank(DEPRESSION)
    assert told.p_value == 0.0390625  # wilcox.test(x, y, paired = TRUE): V = 40, p-value = 0.03906
    assert (told.p_count, told.p_total) == (20, 512)
    assert told.estimate == pytest.approx(-0.46, abs=1e-12)
    assert (told.ci_low, told.ci_high) == pytest.approx((-0.786, -0.010), abs=1e-12)
    assert told.ci_level == pytest.approx(1 - 2 * 10 / 512)  # ten assignments have a sum of at most 5
    assert told.test == "exact signed-rank"


def test_fisher_counts_darwins_maize():
    told = sign_flip(DARWIN)
    assert (told.p_count, told.p_total) == (1726, 32768)  # 863 on each side, "5.267 per cent"
    assert told.estimate == pytest.approx(20.933, abs=5e-4)
    assert told.test == "exact sign-flip"


@pytest.mark.parametrize(("n", "floor"), [(5, 0.0625), (6, 0.03125), (8, 0.0078125), (10, 0.001953125)])
@pytest.mark.parametrize("test", TESTS)
def test_the_floor_is_two_of_all_sign_assignments(test, n, floor):
    told = test(np.arange(1.0, n + 1))
    assert told.p_value == told.p_floor == floor


@pytest.mark.parametrize("test", TESTS)
def test_five_pairs_reach_no_95_percent_and_say_so(test):
    told = test([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (told.ci_low, told.ci_high, told.ci_level) == (1.0, 5.0, 0.9375)


def test_the_sign_flip_interval_runs_between_subset_means():
    # 1, 2, 4: subset means 1, 1.5, 2, 2.33, 2.5, 3, 4
    told = sign_flip([1.0, 2.0, 4.0], level=0.5)
    assert (told.ci_low, told.ci_high, told.ci_level) == (1.5, 3.0, 0.5)


def test_zeros_are_dropped_or_keep_their_rank():
    differences = [0, 0, 1, -2, 3, 4, 5]
    without, pratt = signed_rank(differences), signed_rank(differences, zeros="pratt")
    assert (without.n, without.n_nonzero, without.p_floor) == (7, 5, 0.0625)
    assert without.p_count == 6  # ranks 1..5, lost 2: sums of at most 2 are {}, {1}, {2}, twice
    assert pratt.p_count == 6  # ranks 3..7, lost 4: {}, {3}, {4}, twice
    assert pratt.p_floor == 0.0625


def test_zeros_stay_in_the_estimate():
    assert signed_rank([0, 0, 0, 4]).estimate == 0.0
    assert signed_rank([1.0, 3.0, np.nan]).estimate == 2.0  # Walsh averages 1, 2, 3


def test_float_noise_makes_no_difference():
    before = [0.1, 0.7, 0.2, 1.1, 2.3, 28.0, 5.0, 3.3]
    after = [0.4, 1.0, 0.5, 0.8, 2.9, 27.4, 5.6, 4.2]  # by 0.3 four times, 0.6 three times and 0.9: ties on paper only
    paper = [0.3, 0.3, 0.3, -0.3, 0.6, -0.6, 0.6, 0.9]
    noisy = np.subtract(after, before)
    assert len(set(np.abs(noisy))) > 3
    for test in TESTS:
        assert test(noisy).p_count == test(paper).p_count
    assert signed_rank(paper).p_value == float(enumerated_signed_rank([3, 3, 3, -3, 6, -6, 6, 9], "wilcoxon"))


# ---- what cannot be said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("differences", "n", "note"),
    [
        ([], 0, "no pair"),
        ([np.nan, np.nan], 0, "no pair"),
        ([2.0, np.nan], 1, "one pair: a change needs at least two"),
        ([0.0, 0.0, 0.0], 3, "all differences are zero"),
    ],
)
def test_what_cannot_be_estimated_is_empty_with_its_reason(test, differences, n, note):
    told = test(differences)
    assert (told.n, told.note, told.test) == (n, note, "not tested")
    numbers = (told.estimate, told.ci_low, told.ci_high, told.ci_level, told.p_value, told.p_floor)
    assert all(math.isnan(number) for number in numbers)
    assert told.p_count is told.p_total is None


@pytest.mark.parametrize("test", TESTS)
def test_equal_differences_have_a_p_but_no_interval(test):
    told = test([0.5] * 6)
    assert (told.estimate, told.p_value) == (0.5, 0.03125)
    assert math.isnan(told.ci_low)
    assert "no spread" in told.note


@pytest.mark.parametrize("test", TESTS)
def test_an_infinite_difference_is_refused(test):
    with pytest.raises(StatisticsError, match="finite"):
        test([1.0, np.inf])


@pytest.mark.parametrize("many", [signed_rank_many, sign_flip_many])
def test_no_feature_and_no_patient_give_an_empty_answer(many):
    assert many(np.empty((0, 5))).empty
    assert many(np.empty((2, 0)))["note"].tolist() == ["no pair", "no pair"]


# ---- against enumeration and against scipy ---------------------------------------------------------------------------


@given(integers)
@settings(max_examples=50, deadline=None)
def test_signed_rank_equals_trying_every_assignment(differences):
    for zeros in ("wilcoxon", "pratt"):
        told = signed_rank(differences, zeros=zeros)
        exact = enumerated_signed_rank(differences, zeros)
        assert Fraction(told.p_count, told.p_total) == exact


@given(integers)
@settings(deadline=None)
def test_sign_flip_equals_trying_every_assignment(differences):
    told = sign_flip(differences)
    assert Fraction(told.p_count, told.p_total) == enumerated_sign_flip(differences)


@pytest.mark.parametrize("n", [7, 10, 30, 62, 63, 120])
def test_without_ties_signed_rank_equals_scipy(n):
    differences = np.random.default_rng(n).normal(0.2, 1, size=(20, n))
    ours = signed_rank_many(differences)["p_value"]
    np.testing.assert_allclose(ours, wilcoxon(differences, axis=1, method="exact").pvalue, atol=1e-10)


def test_far_above_200_pairs_the_normal_approximation_equals_scipys_with_ties():
    differences = np.random.default_rng(3).normal(0.1, 1, size=(20, 230)).round(1)
    ours = signed_rank_many(differences)
    peer = wilcoxon(differences, axis=1, method="asymptotic", correction=True).pvalue
    np.testing.assert_allclose(ours["p_value"], peer, atol=1e-12)
    assert set(ours["test"]) == {"normal signed-rank (n > 200)"}


def test_the_normal_approximation_meets_the_exact_p_where_they_part():
    differences = np.random.default_rng(5).normal(0.15, 1, size=201)
    exact, normal = signed_rank(differences[:200]), signed_rank(np.r_[differences[:200], np.nan, 1e-9])
    assert normal.p_value == pytest.approx(exact.p_value, rel=0.02)
    assert (normal.ci_low, normal.ci_high) == pytest.approx((exact.ci_low, exact.ci_high), abs=0.01)


def test_random_flips_meet_the_exact_p():
    differences = np.random.default_rng(8).normal(0.4, 1, size=21)
    random = sign_flip(differences)
    exact = sign_flip(differences[:20])
    assert random.test == "sign-flip with 9999 random flips"
    assert random.p_total == 10_000
    assert random.p_floor == 1e-4
    assert exact.p_total == 2**20
    from rabiomarkers.stats.exact import flip_counts, to_grid

    counted = flip_counts(to_grid(differences[None, :]))[0] / 2**21
    assert random.p_value == pytest.approx(counted, abs=4 * math.sqrt(counted / 9999))


# ---- the interval under ties and zeros -------------------------------------------------------------------------------


def shifts_not_rejected(differences, zeros, level=Fraction(19, 20)):
    """The first and the last shift that trying every sign assignment does not reject: at and between the Walsh averages."""
    walsh = sorted({Fraction(a + b, 2) for a, b in itertools.combinations_with_replacement(differences, 2)})
    limit = max(1 - level, Fraction(2, 2 ** len(differences)))

    def kept(shift):
        return enumerated_signed_rank([value - shift for value in differences], zeros) > limit

    at = [shift for shift in walsh if kept(shift)]
    between = [pair for pair in itertools.pairwise(walsh) if kept(sum(pair) / 2)]
    return min([*at, *(low for low, _ in between)]), max([*at, *(high for _, high in between)])


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
@pytest.mark.parametrize(
    "differences",
    [
        [-3, -1, 2, 4, 4, 4, 4, 4],  # p 0.047; the untied distribution would put the limits at -0.5 and 4
        [0, 0, 1, 1, 2, 5, 5, 6],
        [-2, -2, -2, -2, -2, -2, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0, -1],
    ],
)
def test_with_ties_the_interval_is_what_trying_every_shift_leaves(differences, zeros):
    told = signed_rank(differences, zeros=zeros)
    assert (told.ci_low, told.ci_high) == pytest.approx(shifts_not_rejected(differences, zeros), abs=1e-12)
    assert told.ci_level == pytest.approx(0.95)


@given(st.lists(st.integers(-3, 4), min_size=3, max_size=6).filter(lambda values: 1 < len(set(values)) < len(values)))
@settings(max_examples=30)
def test_the_interval_of_tied_differences_holds_the_shifts_not_rejected(differences):
    for zeros in ("wilcoxon", "pratt"):
        told = signed_rank(differences, zeros=zeros)
        expected = shifts_not_rejected(differences, zeros)
        assert (told.ci_low, told.ci_high) == pytest.approx(expected, abs=1e-12)


def test_a_zero_that_is_not_rejected_is_never_outside():
    told = signed_rank([-2, 0, 1, 1, 1, 1, 1, 3, 3, 3])  # 0 is dropped there, and nowhere else
    assert told.p_value == 0.06640625  # ranks 1..9 with ties: 34 of 512
    assert (told.ci_low, told.ci_high) == (0.0, 2.0)


@pytest.mark.parametrize("zeros", ["wilcoxon", "pratt"])
@pytest.mark.parametrize(
    ("n", "values"), [(6, range(-4, 5)), (8, range(-3, 4)), (10, range(-2, 4)), (13, range(-1, 3))]
)
def test_over_all_tables_of_small_whole_numbers_p_and_interval_agree_or_the_note_says_so(n, values, zeros):
    tables = np.array(list(itertools.combinations_with_replacement(values, n)), dtype=float)
    told = signed_rank_many(tables[np.ptp(tables, axis=1) > 0], zeros=zeros)
    rejected = told["p_value"] <= 0.05
    assert not (~rejected & ((told["ci_low"] > 0) | (told["ci_high"] < 0))).any()
    inside = rejected & (told["ci_low"] < 0) & (told["ci_high"] > 0)
    assert ((told["note"] == CONSERVATIVE) == inside).all()
    assert inside.mean() <= (0.01 if n > 8 else 0.0)


# ---- properties ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TESTS)
@given(differences=decimals, shift=st.integers(-300, 300))
@settings(deadline=None)
def test_a_shift_of_every_patient_shifts_estimate_and_interval(test, differences, shift):
    told, moved = test(differences), test(np.add(differences, shift))
    assume(0.0 not in (told.ci_low, told.ci_high, moved.ci_low, moved.ci_high))  # a 0 that is not rejected is held in
    ours = np.array([told.estimate, told.ci_low, told.ci_high]) + shift
    np.testing.assert_allclose([moved.estimate, moved.ci_low, moved.ci_high], ours, atol=1e-9)


@pytest.mark.parametrize("test", TESTS)
@given(differences=decimals)
@settings(deadline=None)
def test_swapping_before_and_after_turns_the_sign_and_keeps_p(test, differences):
    told, turned = test(differences), test(np.negative(differences))
    assert (told.p_value, told.p_floor) == (turned.p_value, turned.p_floor)
    np.testing.assert_allclose(
        [told.estimate, told.ci_low, told.ci_high], [-turned.estimate, -turned.ci_high, -turned.ci_low], atol=1e-12
    )


@pytest.mark.parametrize("test", TESTS)
@given(differences=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=24), random=st.randoms())
@settings(deadline=None, max_examples=40)
def test_the_order_of_patients_plays_no_part(test, differences, random):
    shuffled = differences.copy()
    random.shuffle(shuffled)
    assert repr(test(differences)) == repr(test(shuffled))


@pytest.mark.parametrize("test", TESTS)
@given(differences=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=24))
@settings(deadline=None, max_examples=60)
def test_p_lies_between_its_floor_and_one(test, differences):
    told = test(differences)
    if told.note != "all differences are zero":
        assert 0 < told.p_floor <= told.p_value <= 1


@pytest.mark.parametrize("test", TESTS)
@given(seed=st.integers(0, 10_000), n=st.integers(6, 16))
@settings(deadline=None, max_examples=40)
def test_the_interval_leaves_zero_out_exactly_when_the_same_test_rejects(test, seed, n):
    told = test(np.random.default_rng(seed).normal(0.6, 1, size=n))
    outside = told.ci_low > 0 or told.ci_high < 0
    assert outside is bool(told.p_value <= 1 - told.ci_level + 1e-12)


@pytest.mark.parametrize(("many", "test"), [(signed_rank_many, signed_rank), (sign_flip_many, sign_flip)])
def test_many_features_at_once_are_judged_as_one_by_one(many, test):
    rows = np.random.default_rng(2).normal(size=(30, 12)).round(1)
    rows[np.random.default_rng(3).random(rows.shape) < 0.3] = np.nan
    rows[0], rows[1], rows[2] = np.nan, 0.0, 1.5
    table = many(rows)
    for (_, row), differences in zip(table.iterrows(), rows, strict=True):
        alone = test(differences)
        np.testing.assert_equal(float(row["p_value"]), alone.p_value)
        np.testing.assert_equal(
            [row["estimate"], row["ci_low"], row["ci_high"]], [alone.estimate, alone.ci_low, alone.ci_high]
        )
        assert (row["n"], row["n_nonzero"], row["note"], row["test"]) == (
            alone.n,
            alone.n_nonzero,
            alone.note,
            alone.test,
        )
