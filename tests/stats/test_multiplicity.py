import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.multiplicity import benjamini_hochberg


def test_q_is_p_times_tests_over_rank_made_monotone():
    # 0.01*4/1, 0.02*4/2, 0.03*4/3, 0.5*4/4
    q_values = benjamini_hochberg(pd.Series([0.5, 0.01, 0.03, 0.02]))
    np.testing.assert_allclose(q_values, [0.5, 0.04, 0.04, 0.04], atol=1e-12)


def test_a_test_that_was_not_made_does_not_count():
    q_values = benjamini_hochberg(pd.Series([np.nan, 0.01, np.nan, 0.04]))
    np.testing.assert_allclose(q_values, [np.nan, 0.02, np.nan, 0.04])


def test_families_are_corrected_apart():
    p_values = pd.Series([0.01, 0.02, 0.01, np.nan], index=list("abcd"))
    q_values = benjamini_hochberg(p_values, pd.Series(["x", "x", "y", "z"], index=list("abcd")))
    assert q_values[["a", "b", "c"]].tolist() == [0.02, 0.02, 0.01]
    assert np.isnan(q_values["d"])


def test_no_test_gives_no_q():
    assert benjamini_hochberg(pd.Series([], dtype=float), pd.Series([], dtype="str")).empty


def test_ten_pairs_need_twelve_of_300_features_at_the_floor():  # VALIDITY, section 1
    floor = 2 / 2**10
    for at_floor, passes in ((11, False), (12, True)):
        p_values = pd.Series([floor] * at_floor + [0.9] * (300 - at_floor))
        assert bool(benjamini_hochberg(p_values).min() <= 0.05) is passes


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30), st.randoms())
def test_q_never_lies_below_p_and_follows_its_test(p_values, random):
    table = pd.Series(p_values)
    q_values = benjamini_hochberg(table)
    assert (q_values >= table - 1e-15).all()
    assert (q_values <= 1).all()
    order = list(range(len(table)))
    random.shuffle(order)
    np.testing.assert_allclose(benjamini_hochberg(table.iloc[order]).sort_index(), q_values, atol=1e-12)
