from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from sklearn.preprocessing import scale

from rabiomarkers.errors import PredictionError
from rabiomarkers.files import read_table, write_table
from rabiomarkers.predict.stability import false_bound, mean_differences, stability_step, stability_table
from rabiomarkers.tables.predictions import STABILITY

EIGHT = np.arange(8) < 4


def names(features):
    return [f"tumour:F{place:02d}" for place in range(features)]


def table(values, labels, columns=None, **options):
    options = {"feature_set": "baseline", "seed": 1} | options
    return stability_table(values, labels, columns or names(values.shape[1]), **options)


def noise(n, features, seed=3):
    return np.random.default_rng(seed).normal(size=(n, features))


# ---- the bound ---------------------------------------------------------------------------------------------------------


def test_the_bound_is_one_where_the_paper_says_so():
    """Meinshausen & Buehlmann 2010, section 2.4: at a threshold of 0.9, q = sqrt(0.8 p) features bound the false ones by 1."""
    assert false_bound(q=40, features=2000, threshold=0.9) == pytest.approx(1.0, abs=1e-12)  # 40 = sqrt(0.8 * 2000)


@given(st.integers(2, 500), st.floats(0.51, 1.0))
def test_as_many_are_taken_as_keep_the_bound_at_one(features, threshold):
    found = table(noise(8, features), EIGHT, threshold=threshold, draws=1)
    bound = found["false_bound"].iloc[0]
    q = round(np.sqrt(bound * (2 * threshold - 1) * features))
    assert bound <= 1 + 1e-9 or q == 1
    assert q == features - 1 or false_bound(q=q + 1, features=features, threshold=threshold) > 1 - 1e-9


def test_where_no_threshold_bounds_the_false_ones_it_is_said():
    assert "no threshold bounds" in table(noise(8, 9), EIGHT, q=3)["note"].iloc[0]
    note = table(noise(8, 10), EIGHT, q=3, threshold=0.75)["note"].iloc[0]
    assert "only with a threshold above 0.95" in note  # (1 + 9 / 10) / 2
    assert false_bound(q=3, features=10, threshold=0.95) == pytest.approx(1.0)
    assert "bound" not in table(noise(8, 10), EIGHT, q=3, threshold=0.96)["note"].iloc[0]


@given(st.integers(4, 20), st.integers(0, 2**31))
def test_the_difference_is_that_of_scipys_t(n, seed):
    """t = d / sqrt(1/responders + 1/others), both with the pooled standard deviation."""
    values, labels = noise(n, 3, seed), np.arange(n) % 2 == 0
    t = np.abs(ttest_ind(values[labels], values[~labels]).statistic)
    found = mean_differences(scale(values), labels, np.ones((1, n)))[0]
    assert found == pytest.approx(t * np.sqrt(1 / labels.sum() + 1 / (~labels).sum()), rel=1e-9)


# ---- the shares --------------------------------------------------------------------------------------------------------


def test_the_shares_are_those_of_all_halves():
    """Every half of 2 responders and 2 others, taken one by one with scipy's t, which orders features as the difference does."""
    values = noise(8, 5)
    taken = np.zeros(5)
    halves = list(product(combinations(range(4), 2), combinations(range(4, 8), 2)))
    for responders, others in halves:
        t = np.abs(ttest_ind(values[list(responders)], values[list(others)]).statistic)
        taken[np.argsort(t)[-2:]] += 1
    found = table(values, EIGHT, q=2, draws=4000)
    error = np.sqrt(0.25 / 8000)
    assert found["share"].to_numpy() == pytest.approx(taken / len(halves), abs=5 * error)
    assert found["share"].sum() == pytest.approx(2.0, abs=1e-12)


def test_a_feature_that_separates_everybody_is_always_taken():
    values = noise(12, 6)
    values[:, 4] = np.arange(12) < 6  # two values, no spread within a kind
    found = table(values, np.arange(12) < 6, q=1, threshold=0.9)
    assert found["share"].tolist() == [0, 0, 0, 0, 1, 0]
    assert found["selected"].tolist() == [False] * 4 + [True, False]
    assert (
        found["note"].iloc[0]
        == "a description, no signature: among the best 1 of 6 in halves of 3 responders and 3 others"
    )


def test_of_two_equal_features_neither_is_taken_before_the_other():
    values = noise(12, 4)
    values[:, 0] += 50 * (np.arange(12) < 6)
    values[:, 2] = 7 - 3 * values[:, 0]  # the same up to scale and sign
    labels = np.arange(12) < 6
    assert table(values, labels, q=1)["share"].tolist() == [0, 0, 0, 0]
    assert table(values, labels, q=2)["share"].iloc[[0, 2]].tolist() == [1, 1]


def test_a_patient_without_a_value_is_passed_over_for_this_feature():
    values = noise(16, 3)
    labels = np.arange(16) < 8
    values[:, 1] += 6 * labels
    values[[0, 8], 1] = np.nan
    found = table(values, labels, q=1)
    assert found["share"].iloc[1] > 0.95
    values[:, 2] = np.where(labels, np.nan, values[:, 2])  # no responder has it
    assert table(values, labels, q=1)["share"].iloc[2] == 0


@settings(max_examples=25)
@given(
    st.integers(4, 12), st.integers(2, 8), st.integers(0, 2**31), st.floats(0, 0.3), st.randoms(use_true_random=False)
)
def test_the_order_of_patients_and_features_changes_nothing(others, features, seed, missing, random):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(others + 4, features)).round(1)  # with ties
    values[generator.random(values.shape) < missing] = np.nan
    labels = np.arange(others + 4) < 4
    found = table(values, labels, draws=20)
    patients = random.sample(range(others + 4), others + 4)
    columns = random.sample(range(features), features)
    moved = table(
        values[np.ix_(patients, columns)], labels[patients], [names(features)[place] for place in columns], draws=20
    )
    pd.testing.assert_frame_equal(moved.sort_values("feature", ignore_index=True), found)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.01, 100), st.floats(-1e4, 1e4), st.booleans())
def test_the_unit_of_a_feature_and_the_name_of_the_kinds_change_nothing(seed, scale, shift, mirrored):
    values = noise(12, 5, seed)
    other = values.copy()
    other[:, 2] = (-scale if mirrored else scale) * other[:, 2] + shift
    labels = np.arange(12) % 2 == 0
    share = table(values, labels, draws=2000)["share"].to_numpy()
    assert table(other, labels, draws=2000)["share"].to_numpy() == pytest.approx(share, abs=0.05)  # other draws


@given(st.integers(6, 20), st.integers(2, 10), st.integers(2, 12), st.integers(0, 2**31), st.integers(1, 3))
def test_shares_lie_between_0_and_1_and_sum_to_q_at_most(others, responders, features, seed, q):
    labels = np.arange(others + responders) < responders
    found = table(noise(others + responders, features, seed), labels, q=min(q, features - 1), draws=10)
    assert found["share"].between(0, 1).all()
    assert found["share"].sum() <= min(q, features - 1) + 1e-12
    assert (found["selected"] == (found["share"] >= 0.75)).all()


# ---- what cannot be told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "features", "reason"),
    [
        (np.zeros(10, bool), 3, "0 responders and 10 others cannot be halved"),
        (np.ones(10, bool), 3, "10 responders and 0 others cannot be halved"),
        (np.arange(10) < 1, 3, "1 responder and 9 others cannot be halved"),
        (np.arange(6) < 3, 3, "half of 3 responders and 3 others are fewer than 4 patients"),
        (np.arange(10) < 3, 1, "nothing to choose among"),
    ],
)
def test_nothing_is_told_of_too_little(labels, features, reason):
    found = table(noise(len(labels), features), labels)
    assert found[["share", "threshold", "false_bound"]].isna().all(axis=None)
    assert found["selected"].isna().all()
    assert found["note"].str.startswith("not estimable: ").all()
    assert found["note"].str.contains(reason).all()


def test_a_feature_that_is_the_same_in_all_patients_has_no_share():
    values = noise(8, 4)
    values[:, 1] = 2.5
    values[:, 3] = np.nan
    found = table(values, EIGHT)
    assert found["share"].isna().tolist() == [False, True, False, True]
    assert found["note"].iloc[[1, 3]].tolist() == ["the same in all patients", "measured in nobody"]
    assert "best 1 of 2" in found["note"].iloc[0]


def test_no_columns_give_no_rows():
    pd.testing.assert_frame_equal(table(np.empty((8, 0)), EIGHT), STABILITY.empty(), check_dtype=False)


@pytest.mark.parametrize("threshold", [0.5, 0.3, 1.01, np.nan])
def test_a_threshold_that_bounds_nothing_is_refused(threshold):
    with pytest.raises(PredictionError, match=r"lies above 0\.5"):
        table(noise(8, 4), EIGHT, threshold=threshold)


@pytest.mark.parametrize("q", [0, 4, 9])
def test_more_features_than_there_are_cannot_be_taken(q):
    with pytest.raises(PredictionError, match=f"1 to 3 can be taken in a half; {q} were asked for"):
        table(noise(8, 4), EIGHT, q=q)


# ---- the step ----------------------------------------------------------------------------------------------------------


def test_the_step_describes_values_before_treatment_and_changes(make_study, tmp_path):
    study = make_study(patients=20, responders=8, features=4, effect=4.0)
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("features", "deltas", "outcomes")}
    for name, path in inputs.items():
        write_table(getattr(study, name), path)
    told = stability_step(inputs, tmp_path, contrast=["pre", "post"], seed=1)
    found = STABILITY.check(read_table(tmp_path / "stability.parquet"))
    assert told == {"features": 8, "selected": int(found["selected"].sum())}
    assert found["feature_set"].tolist() == ["baseline"] * 4 + ["change"] * 4
    assert found.loc[found["selected"], "feature"].tolist()[0] == "tumour:F0"
