"""Does stability selection keep its bound on noise, and how far can what it selects be trusted: to C10 of the calibration plan.

Small and fast without a mark; at full size with ``-m calibration``. Bounds are nominal + 3 Monte Carlo standard errors.
"""

import numpy as np
import pytest
from sklearn.preprocessing import scale

from rabiomarkers.predict.stability import mean_differences, stability_table


def labels_of(n, responders):
    return np.arange(n) < responders


def described(values, labels, **options):
    names = [f"F{place:03d}" for place in range(values.shape[1])]
    return stability_table(values, labels, names, feature_set="baseline", draws=50, seed=1, **options)


def noise(generator, n, features, correlation):
    """Every two features share this part of their variance."""
    shared = generator.normal(size=(n, 1))
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * generator.normal(size=(n, features))


@pytest.mark.parametrize("sets", [40, pytest.param(300, marks=pytest.mark.calibration)])
@pytest.mark.parametrize("correlation", [0.0, 0.7])
@pytest.mark.parametrize(("n", "responders", "features"), [(10, 3, 5), (10, 3, 30), (20, 8, 30), (40, 12, 200)])
@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.9])
def test_on_noise_no_more_features_are_selected_than_the_bound_says(
    n, responders, features, correlation, threshold, sets
):
    generator = np.random.default_rng([n, features])
    labels = labels_of(n, responders)
    found = [described(noise(generator, n, features, correlation), labels, threshold=threshold) for _ in range(sets)]
    selected = np.array([table["selected"].sum() for table in found], dtype=float)
    bound = found[0]["false_bound"].iloc[0]
    assert selected.mean() <= bound + 3 * selected.std() / np.sqrt(sets)


@pytest.mark.parametrize("sets", [20, pytest.param(300, marks=pytest.mark.calibration)])
@pytest.mark.parametrize(
    ("n", "responders", "least", "most"), [(10, 3, 0.0, 0.1), (20, 10, 0.75, 1.0), (40, 20, 0.95, 1.0)]
)
def test_c10_a_planted_feature_is_selected_when_patients_are_many(n, responders, least, most, sets):
    """One feature of 30 lies 2 SD higher in responders; at n = 10 it is mostly missed, so an empty list tells nothing."""
    generator = np.random.default_rng([n, 30])
    labels = labels_of(n, responders)
    hits = 0
    for _ in range(sets):
        values = generator.normal(size=(n, 30))
        values[:, 0] += 2 * labels
        hits += bool(described(values, labels)["selected"].iloc[0])
    error = 3 * np.sqrt(0.25 / sets)
    assert least - error <= hits / sets <= most + error


@pytest.mark.parametrize("sets", [200, pytest.param(5000, marks=pytest.mark.calibration)])
def test_c10_of_ten_patients_the_planted_feature_is_among_the_best_three_in_79_percent(sets):
    """So a list of the best features of ten patients misses the one true feature in every fifth study."""
    generator = np.random.default_rng(10)
    labels = labels_of(10, 3)
    hits = 0
    for _ in range(sets):
        values = generator.normal(size=(10, 30))
        values[:, 0] += 2 * labels
        apart = mean_differences(scale(values), labels, np.ones((1, 10)))[0]
        hits += 0 in np.argsort(-apart)[:3]
    assert hits / sets == pytest.approx(0.79, abs=3 * np.sqrt(0.79 * 0.21 / sets) + 0.01)
