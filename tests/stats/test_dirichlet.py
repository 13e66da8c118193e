import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, polygamma
from skbio.stats.composition import dirmult_ttest

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.dirichlet import posterior_tests, sampled_changes, untied_p_values
from rabiomarkers.stats.paired import signed_rank_many


def table(values, parts="abcdef"):
    values = np.asarray(values, dtype=float)
    return pd.DataFrame(values, index=[f"P{k}" for k in range(len(values))], columns=list(parts[: values.shape[1]]))


def counted(patients=8, parts=4, cells=400, rise=3.0, seed=1):
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(parts, 4.0), size=patients)
    risen = shares * np.array([rise] + [1.0] * (parts - 1))
    return tuple(table([random.multinomial(cells, row / row.sum()) for row in side]) for side in (shares, risen))


def test_the_mean_of_the_draws_is_that_of_the_posterior():
    before, after = table([[3, 40, 57]]), table([[20, 30, 50]])
    told = sampled_changes(before, after, draws=40_000)[:, :, 0]
    # E ln of a gamma variate is the digamma function of its shape, its variance the trigamma function
    logs = digamma(after.to_numpy()[0] + 0.5) - digamma(before.to_numpy()[0] + 0.5)
    spread = math.sqrt(polygamma(1, 3.5) + polygamma(1, 20.5))
    assert told.mean(axis=0) == pytest.approx(logs - logs.mean(), abs=4 * spread / 200)
    variance = polygamma(1, before.to_numpy()[0] + 0.5) + polygamma(1, after.to_numpy()[0] + 0.5)
    # of one part minus the mean of three
    assert told.var(axis=0) == pytest.approx(variance * (1 - 2 / 3) + variance.sum() / 9, rel=0.05)


def test_the_mean_change_is_that_of_scikit_bio():
    before, after = counted()
    stacked = pd.concat([before.add_prefix("x"), after.add_prefix("x")]).set_axis([f"S{k}" for k in range(16)])
    groups = pd.Series(["before"] * 8 + ["after"] * 8, index=stacked.index)
    peer = dirmult_ttest(stacked, groups, treatment="after", reference="before", draws=2000, seed=1)
    ours = sampled_changes(before, after, draws=2000).mean(axis=(0, 2))
    # the difference of means is the mean of differences; scikit-bio tells it in log2
    assert ours == pytest.approx(peer["Log2(FC)"].to_numpy() * math.log(2), abs=0.01)


def test_pairs_find_what_two_independent_groups_cannot():
    before, after = counted(rise=2.0, patients=10, cells=2000, seed=3)
    stacked = pd.concat([before, after]).set_axis([f"S{k}" for k in range(20)])
    groups = pd.Series(["before"] * 10 + ["after"] * 10, index=stacked.index)
    peer = dirmult_ttest(stacked, groups, treatment="after", reference="before", draws=200, seed=1)
    assert posterior_tests(before, after)["p_sampled"]["a"] < 0.003 < peer["pvalue"].iloc[0]


@given(st.integers(2, 70), st.integers(0, 1000))
def test_the_p_of_continuous_changes_is_that_of_the_signed_rank_test(patients, seed):
    changes = np.random.default_rng(seed).normal(0.2, 1, size=(3, 2, patients))
    expected = signed_rank_many(changes.reshape(6, patients))["p_value"].to_numpy().reshape(3, 2)
    np.testing.assert_allclose(untied_p_values(changes), expected, atol=1e-12)


def test_many_cells_leave_the_result_as_it_is_and_few_do_not():
    many, few = (posterior_tests(*counted(cells=cells)).loc["a"] for cells in (20_000, 5))
    assert many["share_significant"] == 1.0
    assert many["p_sampled"] == 2 / 2**8
    assert few["share_significant"] < 0.5
    assert few["p_sampled"] > 0.05


def test_the_depth_of_the_second_sample_does_not_move_a_part_that_was_never_seen():
    before = table([[300, 200, 100, 0]] * 12)
    told = posterior_tests(before, 10 * before).loc["d"]
    assert (
        told["share_significant"] <= 0.12
    )  # 200 draws of a true null: 0.05 and three standard errors, and the discreteness
    assert told["p_sampled"] == pytest.approx(0.5, abs=0.1)


@given(st.randoms(use_true_random=False))
def test_c12_the_order_of_patients_and_parts_changes_nothing(random):
    before, after = counted()
    rows, columns = (random.sample(list(names), len(names)) for names in (before.index, before.columns))
    told = posterior_tests(before, after, draws=20)
    turned = posterior_tests(before.loc[rows, columns], after.loc[rows, columns], draws=20)
    pd.testing.assert_frame_equal(turned.loc[told.index], told, check_exact=True)


def test_a_patients_draws_do_not_depend_on_who_else_is_there():
    before, after = counted()
    told = sampled_changes(before, after, draws=5)
    np.testing.assert_array_equal(sampled_changes(before[2:3], after[2:3], draws=5)[:, :, 0], told[:, :, 2])


def test_a_seed_says_which_draws():
    before, after = counted()
    told = [sampled_changes(before, after, draws=5, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(told[0], told[1])
    assert not np.allclose(told[0], told[2])


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_pairs_have_no_p(rows):
    before, after = counted()
    assert posterior_tests(before[:rows], after[:rows]).isna().all(axis=None)


def test_one_part_alone_and_no_draws_have_no_p():
    before, after = counted()
    assert posterior_tests(before[["a"]], after[["a"]]).isna().all(axis=None)
    assert posterior_tests(before, after, draws=0).isna().all(axis=None)


def test_tables_of_other_patients_are_refused():
    before, after = counted()
    with pytest.raises(StatisticsError, match="the same patients and the same parts"):
        sampled_changes(before, after[::-1])
