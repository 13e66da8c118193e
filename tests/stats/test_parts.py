import csv
import math
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skbio.stats.composition import ilr

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.composition import balance_weights, clr_changes, median_changes, without_zeros
from rabiomarkers.stats.paired import ALL_ZERO, NO_PAIR, NOT_TESTED, ONE_PAIR, signed_rank_many
from rabiomarkers.stats.parts import reference_tests, whole_change

TABLE = (Path(__file__).parents[1] / "reference" / "composition.csv").read_text()
R = {
    (row["statistic"], row["case"]): np.array(row["value"].split(), float) for row in csv.DictReader(TABLE.splitlines())
}
changes_of_patients = st.tuples(st.integers(2, 9), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-40, 40).map(lambda tenth: tenth / 10))
)


@pytest.fixture(scope="module")
def counted():
    """The counts of `reference/composition.R`, patients x parts."""
    return tuple(R[side, "counts"].reshape(7, 5) for side in ("before", "after"))


@pytest.fixture(scope="module")
def changes(counted):
    return clr_changes(*without_zeros(*counted, scale="counts"))


# ---- against R -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(5))
def test_changes_and_p_values_of_each_part_are_those_of_r(changes, part):
    case = str(part + 1)
    told = reference_tests(changes)
    np.testing.assert_allclose(changes[:, part], R["clr change", case], atol=1e-10)
    np.testing.assert_allclose(median_changes(changes)[:, part], R["median change", case], atol=1e-10)
    assert told.clr["p_value"][part] == pytest.approx(R["clr p", case][0], abs=1e-10)
    assert told.median["p_value"][part] == pytest.approx(R["median p", case][0], abs=1e-10)


def test_a_balance_is_that_of_r(changes):
    above = np.array([True, True, False, False, False])
    np.testing.assert_allclose(changes @ balance_weights(above, ~above), R["balance", "1 2 / 3 4 5"], atol=1e-10)


def test_the_test_of_the_whole_is_that_of_r_as_a_fraction(changes):
    told = whole_change(changes)
    norm, count, total = R["whole", "norm, count, total"]
    assert told.estimate == pytest.approx(norm, abs=1e-10)
    assert (told.p_count, told.p_total) == (count, total)
    assert told.p_value == count / total


# ---- which parts moved -----------------------------------------------------------------------------------------------


EIGHTFOLD = math.log(8)


def planted(*, patients=10, parts=6, rise=EIGHTFOLD, noise=0.3, seed=1):
    """Absolute amounts that stand still but for noise, and a first part that rises; changes of ln."""
    change = np.random.default_rng(seed).normal(0, noise, size=(patients, parts))
    change[:, 0] += rise
    return change


def test_of_six_parts_of_which_one_rises_eightfold_only_that_one_moved():
    told = reference_tests(planted())
    assert (told.clr["q_value"] <= 0.05).tolist() == [True] * 6  # the others "fall", every one
    assert (told.clr["estimate"][1:] < 0).all()
    assert told.moved.tolist() == [True] + [False] * 5
    assert told.differs.tolist() == [False] + [True] * 5


def test_one_part_that_rises_and_one_that_falls_are_both_found():
    change = planted(parts=8, seed=3)
    change[:, 5] -= 2.0
    assert reference_tests(change).moved.tolist() == [True, False, False, False, False, True, False, False]


def test_parts_that_pass_both_references_only_beside_a_stronger_one_are_not_called():
    # the middle of five parts that stand still and one that rises lies half a rank too high: twenty pairs see that
    told = [reference_tests(planted(patients=20, seed=seed)) for seed in range(40)]
    both = [(test.clr["q_value"] <= 0.05) & (test.median["q_value"] <= 0.05) for test in told]
    assert all(test.moved[0] for test in told)
    assert np.mean([passed[1:].any() for passed in both]) > 0.2
    assert np.mean([test.moved[1:].any() for test in told]) <= 0.1


def test_a_part_that_would_pass_the_other_way_round_once_others_are_gone_is_not_called():
    # At the start the fourth of eight parts lies 0.05 above the median and far above the mean, which three parts that fall drag
    # down. Once these are called it lies below both references of the rest, by more than any other part lies off.
    change = np.tile([-10.0, -9.0, -8.0, 0.0, -0.1, 0.5, 0.6, 0.7], (10, 1))
    told = reference_tests(change)
    assert told.clr.loc[3, "estimate"] > 0
    assert told.median.loc[3, "estimate"] == pytest.approx(0.05)
    assert (told.clr["q_value"][3], told.median["q_value"][3]) == pytest.approx((2 / 2**10, 2 / 2**10))
    rest = reference_tests(change[:, 3:])
    assert rest.clr.loc[0, "estimate"] < 0
    assert rest.median.loc[0, "estimate"] == pytest.approx(-0.5)
    assert told.moved.tolist() == [True, True, True, False, False, True, True, True]
    assert told.differs[3]


def test_of_two_parts_neither_is_said_to_have_moved():
    told = reference_tests(planted(parts=2))
    assert (told.clr["q_value"] <= 0.05).all()
    assert told.moved.tolist() == [False, False]
    assert told.differs.tolist() == [True, True]


def test_q_is_that_of_all_parts_against_one_reference():
    told = reference_tests(planted(noise=1.0, rise=0.5))
    p_values = told.clr["p_value"].sort_values()
    by_hand = (p_values * 6 / np.arange(1, 7))[::-1].cummin().sort_index()
    assert told.clr["q_value"].tolist() == pytest.approx(by_hand.tolist())


@given(changes_of_patients, st.randoms(use_true_random=False))
def test_c12_the_order_of_parts_and_patients_changes_no_verdict(change, random):
    patients, parts = (random.sample(range(size), size) for size in change.shape)
    told, turned = reference_tests(change), reference_tests(change[np.ix_(patients, parts)])
    np.testing.assert_allclose(turned.clr["p_value"], told.clr["p_value"][parts], atol=1e-12)
    np.testing.assert_allclose(turned.median["estimate"], told.median["estimate"][parts], atol=1e-12)
    if len(set(told.median["estimate"].abs().round(9))) == change.shape[1]:  # no two moved equally far
        assert turned.moved.tolist() == told.moved[parts].tolist()


@given(changes_of_patients)
def test_swapping_before_and_after_changes_signs_only(change):
    told, turned = reference_tests(change), reference_tests(-change)
    assert turned.moved.tolist() == told.moved.tolist()
    np.testing.assert_allclose(turned.median["estimate"], -told.median["estimate"], atol=1e-12)


@given(changes_of_patients)
def test_what_moved_passed_both_references_in_one_direction(change):
    told = reference_tests(change)
    assert not (told.moved & told.differs).any()
    for test in (told.clr[told.moved], told.median[told.moved]):
        assert (test["q_value"] <= 0.05).all()
    assert (np.sign(told.clr["estimate"]) == np.sign(told.median["estimate"]))[told.moved].all()


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (5, 0), (5, 1), (0, 0)])
def test_too_little_to_test_is_told_and_nothing_moved(shape):
    told = reference_tests(np.ones(shape))
    assert len(told.clr) == len(told.median) == shape[1]
    assert told.clr["p_value"].isna().all()
    assert not told.moved.any()


def test_nan_is_refused():
    for test in (reference_tests, whole_change):
        with pytest.raises(StatisticsError, match="finite number in every part"):
            test(np.array([[np.nan, 1.0]]))


# ---- the whole -------------------------------------------------------------------------------------------------------


def test_the_whole_of_two_patients_by_hand():
    told = whole_change(np.array([[3.0, -3.0], [1.0, -1.0]]))
    assert told.estimate == pytest.approx(math.sqrt(8))  # mean change (2, -2)
    assert (told.p_count, told.p_total, told.p_floor) == (2, 4, 0.5)


@given(changes_of_patients)
def test_the_count_of_the_whole_is_that_of_trying_every_sign(change):
    told = whole_change(change)
    lengths = np.array(
        [np.linalg.norm(np.mean(change * np.array(s)[:, None], axis=0)) for s in product([1, -1], repeat=len(change))]
    )
    if change.any():
        assert told.p_count == int((lengths >= lengths[0] - 1e-9).sum())
        assert told.p_value >= told.p_floor


@given(changes_of_patients.filter(lambda change: change.shape[1] > 2))
def test_the_whole_is_the_same_in_ilr_coordinates(change):
    centred = change - change.mean(axis=1, keepdims=True)
    told, turned = whole_change(centred), whole_change(ilr(np.exp(centred)))
    assert turned.p_count == told.p_count
    np.testing.assert_allclose(turned.estimate, told.estimate, atol=1e-9)


def test_changes_that_cancel_have_no_length_in_any_coordinates():
    random = np.random.default_rng(3)
    for _ in range(50):
        half = random.integers(-40, 41, size=(3, 5)) / 10
        centred = np.vstack([half, -half]) - np.vstack([half, -half]).mean(axis=1, keepdims=True)
        told, turned = whole_change(centred), whole_change(ilr(np.exp(centred)))
        assert (told.estimate, turned.estimate) == (0.0, 0.0)
        assert told.p_count == turned.p_count == 64


@given(changes_of_patients, st.randoms(use_true_random=False))
def test_c12_the_order_of_patients_and_parts_does_not_change_the_whole(change, random):
    patients, parts = (random.sample(range(size), size) for size in change.shape)
    told, turned = whole_change(change), whole_change(change[np.ix_(patients, parts)])
    assert turned.p_count == told.p_count
    np.testing.assert_allclose(turned.estimate, told.estimate, atol=1e-12)


def test_up_to_twelve_pairs_every_flip_is_counted_and_beyond_they_are_drawn():
    exact = whole_change(planted(patients=12))
    assert (exact.p_count, exact.p_total, exact.p_floor) == (2, 4096, 2 / 4096)
    drawn = [whole_change(planted(patients=13, rise=0.2), seed=seed) for seed in (1, 1, 2)]
    assert drawn[0].p_count == drawn[1].p_count
    assert drawn[0].p_total == 10_000
    assert drawn[0].p_value == drawn[0].p_count / 10_000
    assert 0 < abs(drawn[2].p_value - drawn[0].p_value) < 0.03


def test_no_drawn_p_is_below_one_in_the_number_of_draws():
    told = whole_change(planted(patients=30))
    assert told.p_value == told.p_floor == 1 / 10_000


def test_c12_many_patients_in_another_order_have_the_same_sampled_p():
    change = planted(patients=20, rise=0.2, seed=4)
    assert whole_change(change[::-1]).p_count == whole_change(change).p_count


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (np.ones((0, 3)), NO_PAIR),
        (np.ones((1, 3)), ONE_PAIR),
        (np.zeros((4, 3)), ALL_ZERO),
        (np.zeros((4, 0)), ALL_ZERO),
    ],
)
def test_a_whole_that_cannot_be_tested_says_why(change, note):
    told = whole_change(change)
    assert (told.n, told.note, told.test) == (len(change), note, NOT_TESTED)
    assert math.isnan(told.p_value)
    assert math.isnan(told.estimate)


def test_patients_who_did_not_move_raise_the_floor():
    told = whole_change(np.array([[1.0, -1.0], [2.0, -2.0], [0.0, 0.0], [0.0, 0.0]]))
    assert (told.n, told.n_nonzero, told.p_floor) == (4, 2, 0.5)
    assert asdict(told)["p_value"] == 0.5


def test_the_parts_p_values_are_those_of_the_signed_rank_test():
    change = planted(rise=0.3)
    centred = change - change.mean(axis=1, keepdims=True)
    assert reference_tests(change).clr["p_value"].tolist() == signed_rank_many(centred.T)["p_value"].tolist()
