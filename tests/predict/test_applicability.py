import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from rabiomarkers.predict.applicability import describe, distances, locate, on_another_scale, reference_distances


def frame(values, columns=None):
    values = np.asarray(values, dtype=float)
    patients = [f"P{place}" for place in range(len(values))]
    return pd.DataFrame(values, index=patients, columns=columns or [f"blood:F{c}" for c in range(values.shape[1])])


def located(new, training):
    return locate(frame(new), describe(training), reference_distances(training))


def by_scikit_learn(training, new):
    """Root mean square of what StandardScaler makes of the new patients; constant and missing features do not count."""
    scaler = StandardScaler().fit(training)
    scaled = scaler.transform(new)
    scaled[:, scaler.var_ == 0] = np.nan
    return np.sqrt(np.nanmean(scaled**2, axis=1))


@pytest.fixture
def training():
    values = np.random.default_rng(3).normal([5, -1, 0, 2], [2, 0.1, 30, 1], size=(12, 4))
    values[4, 1] = values[7, 0] = np.nan
    values[:, 3] = 2.0
    return values


def test_distances_are_those_of_scikit_learns_scaler(training):
    new = np.array([[5.0, -1.0, 0.0, 2.0], [9.0, np.nan, 60.0, 2.0], [np.nan, np.nan, -30.0, 7.0]])
    np.testing.assert_allclose(located(new, training)["distance"], by_scikit_learn(training, new), rtol=1e-12)


def test_training_patients_are_measured_from_the_others(training):
    everyone = np.arange(12)
    expected = [by_scikit_learn(training[everyone != place], training[[place]])[0] for place in everyone]
    np.testing.assert_allclose(reference_distances(training), np.sort(expected), rtol=1e-12)


def test_the_description_is_that_of_pandas(training):
    told = describe(training)
    table = frame(training)
    for name, column in zip(table.columns, told, strict=True):
        expected = [table[name].mean(), table[name].std(ddof=0), table[name].min(), table[name].max()]
        np.testing.assert_allclose([column.centre, column.spread, column.minimum, column.maximum], expected, atol=1e-12)
        quartiles = table[name].quantile([0.25, 0.75])
        np.testing.assert_allclose([column.lower_quartile, column.upper_quartile], quartiles)
        assert column.missing == table[name].isna().mean()


def test_the_distance_is_taken_over_the_features_a_patient_has():
    # (3 - 1) / 2 = 1; root of (0 + 16) / 2; none
    found = distances(
        np.array([[3.0, np.nan], [1.0, 4.0], [np.nan, np.nan]]), np.array([1.0, 0.0]), np.array([2.0, 1.0])
    )
    np.testing.assert_allclose(found, [1.0, 8**0.5, np.nan])


def test_a_patient_is_placed_by_the_share_of_training_patients_at_least_as_far():
    """Training -2, -1, 0, 1, 2: from the others each is |x| * 1.25 / spread of the others, so 2.236 (+-2), 0.845 (+-1), 0 away."""
    training = np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    np.testing.assert_allclose(reference_distances(training), [0, 5 / 35**0.5, 5 / 35**0.5, 5**0.5, 5**0.5])
    found = located([[0.0], [0.5], [2.0], [3.0], [4.0]], training)
    np.testing.assert_allclose(found["distance"] * 2**0.5, [0, 0.5, 2, 3, 4])  # the spread is the root of 2
    assert found["farther"].round(12).tolist() == [1.0, 0.8, 0.4, 0.4, 0.0]
    assert found["position"].tolist() == ["inside", "inside", "inside", "inside", "outside"]
    assert found["outside_range"].tolist() == [0, 0, 0, 1, 1]


def test_at_the_edge_are_patients_whom_less_than_a_fifth_of_the_training_patients_match():
    training = np.random.default_rng(1).normal(size=(100, 1))
    found = located(np.linspace(0, 4, 4000)[:, None], training)
    words = found.groupby("position")["farther"].agg(["min", "max"])
    assert words.loc["inside", "min"] == pytest.approx(0.20)
    assert (words.loc["at the edge", "min"], words.loc["at the edge", "max"]) == pytest.approx((0.05, 0.19))
    assert words.loc["outside", "max"] == pytest.approx(0.04)


def test_features_outside_the_range_and_missing_ones_are_counted(training):
    low, high = np.nanmin(training, axis=0), np.nanmax(training, axis=0)
    new = [low, high, [high[0] + 1, low[1] - 1, np.nan, 2.5], [np.nan] * 4]
    found = located(new, training)
    assert found["outside_range"].tolist() == [0, 0, 3, 0]
    assert found["missing"].tolist() == [0, 0, 1, 4]
    assert found["position"].iloc[3] == ""
    assert np.isnan(found[["distance", "farther"]].to_numpy()[3]).all()


@pytest.mark.parametrize("training", [np.empty((0, 2)), np.ones((1, 2)), np.full((4, 2), 7.0), np.full((4, 2), np.nan)])
def test_without_training_patients_who_differ_no_distance_is_told(training):
    found = located([[1.0, 2.0]], training)
    assert found["position"].tolist() == [""]
    assert found[["distance", "farther"]].isna().all(axis=None)


def test_a_new_patient_of_the_same_population_is_as_likely_to_be_farther_as_to_be_nearer():
    """3 000 patients against 300 cohorts of 10: the mean share is 1/2 and every word has about its share."""
    generator = np.random.default_rng(4)
    found = pd.concat([located(draw[10:], draw[:10]) for draw in generator.normal(size=(300, 20, 4))])
    assert found["farther"].mean() == pytest.approx(0.5, abs=0.03)
    assert (found["position"] == "outside").mean() <= 1 / 11 + 3 * (1 / 11 * 10 / 11 / 300) ** 0.5


def test_a_distance_beyond_what_numbers_hold_is_cut_without_a_warning():
    training = np.array([[0.0], [1e-200], [0.0]])
    assert located([[1e200]], training)["distance"].tolist() == [1e100]


@given(
    arrays(np.float64, (6, 3), elements=st.floats(-1e200, 1e200) | st.just(np.nan)),
    st.permutations(range(6)),
    st.permutations(range(3)),
)
def test_no_number_depends_on_an_order_and_none_is_infinite(values, patients, columns):
    turned = values[np.ix_(patients, columns)]
    np.testing.assert_allclose(reference_distances(turned), reference_distances(values), rtol=1e-6)
    plain, other = located(values, values), located(values[:, columns], turned)
    np.testing.assert_allclose(other["distance"], plain["distance"], rtol=1e-6)
    assert not np.isinf(plain["distance"]).any()
    assert plain["farther"].dropna().between(0, 1).all()


@given(
    arrays(np.float64, (8, 2), elements=st.floats(-100, 100)),
    st.floats(-50, 50),
    st.floats(0.01, 100),
)
def test_distances_do_not_depend_on_the_unit(values, shift, factor):
    rounded = values.round(3)
    plain = located(rounded, rounded)["distance"]
    np.testing.assert_allclose(
        located(rounded * factor + shift, rounded * factor + shift)["distance"], plain, atol=1e-6
    )


class TestScale:
    """Values of log2(TPM + 1) of a gene, and what a study may hand in for them."""

    @pytest.fixture
    def logs(self):
        return np.random.default_rng(2).normal(6, 2, size=(10, 1))

    def seen(self, new, training):
        return on_another_scale(frame(new, ["tumour:CYT"]), describe(training))

    def test_the_same_scale_passes(self, logs):
        assert self.seen(np.random.default_rng(9).normal(6, 2, size=(10, 1)), logs) == []

    def test_linear_values_for_logarithms_are_seen(self, logs):
        (told,) = self.seen(2 ** (logs + 2), logs)
        assert told.startswith("tumour:CYT lies more than 10 training standard deviations away in ")

    def test_logarithms_for_linear_values_are_seen(self, logs):
        (told,) = self.seen(np.log2(2 ** (logs + 3)), 2 ** (logs + 3))
        assert "times less between all 10 patients than between the middle half of the training patients" in told

    def test_percentages_and_fractions_are_seen_both_ways(self):
        fractions = np.random.default_rng(3).uniform(0.1, 0.6, size=(12, 1))
        assert self.seen(fractions * 100, fractions)
        assert self.seen(fractions, fractions * 100)

    def test_a_single_patient_who_is_far_away_is_seen(self, logs):
        assert "in 1 of 1 patients" in self.seen([[60.0]], logs)[0]

    def test_one_outlier_among_many_is_no_other_scale(self, logs):
        assert self.seen([[5.0], [6.0], [7.0], [500.0]], logs) == []

    def test_patients_who_are_all_equal_are_no_other_scale(self, logs):
        assert self.seen(np.full((8, 1), 6.0), logs) == []

    @pytest.mark.parametrize("training", [np.full((5, 1), 6.0), np.full((5, 1), np.nan)])
    def test_a_constant_of_the_training_says_nothing(self, training):
        assert self.seen([[1e9]] * 6, training) == []

    def test_a_feature_nobody_has_says_nothing(self, logs):
        assert self.seen([[np.nan]], logs) == []

    @pytest.mark.parametrize(
        ("draw", "patients", "share"),
        [
            (lambda generator, size: generator.normal(size=size), 10, 0.001),
            (lambda generator, size: generator.lognormal(sigma=1.5, size=size), 10, 0.001),
            (lambda generator, size: generator.lognormal(sigma=1.5, size=size), 1, 0.03),
        ],
        ids=["normal", "skewed", "one skewed patient"],
    )
    def test_the_same_population_is_seldom_taken_for_another_scale(self, draw, patients, share):
        """Shares measured with 4 000 other draws: 0, 0 and 0.022."""
        draws = draw(np.random.default_rng(5), (1000, 10 + patients, 1))
        assert (
            sum(bool(self.seen(drawn[10:], drawn[:10])) for drawn in draws) <= 1000 * share + 3 * (1000 * share) ** 0.5
        )
