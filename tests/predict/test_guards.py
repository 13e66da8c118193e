"""The leaky pipelines below exist to be caught."""

from functools import partial

import numpy as np
import pytest
from scipy.special import expit

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.guards import Fold, find_leaks, honest, refuse_leaks
from rabiomarkers.predict.ridge import fit_ridge

RIDGE = partial(fit_ridge, penalty=1.0)


@pytest.fixture
def noise():
    return np.random.default_rng(2).normal(size=(10, 4)), np.arange(10) < 3


def scaled_before_the_split(values, labels, out):
    """Centres and scales with everybody: no label leaks, the left-out features do."""
    return honest(RIDGE)(values, labels, out), values.mean(axis=0)


def leaky_scaling(values, labels, out):
    fold, centre = scaled_before_the_split(values, labels, out)
    return Fold(probability=fold.probability, parameters=np.concatenate([fold.parameters, centre]))


def leaky_selection(values, labels, out):
    """Picks the feature that separates all patients best, the left-out one among them."""
    apart = np.abs(values[labels].mean(axis=0) - values[~labels].mean(axis=0))
    best = np.argsort(apart)[-2:]
    fold = honest(RIDGE)(values[:, best], labels, out)
    return Fold(probability=fold.probability, parameters=np.concatenate([best, fold.parameters]))


def leaky_fit(values, labels, out):
    """Trains on everybody."""
    fitted = RIDGE(values, labels[None, :])
    return Fold(probability=expit(fitted.decision(values[out])[0]), parameters=fitted.parameters)


def test_the_models_of_the_trial_do_not_leak(noise):
    assert find_leaks(honest(RIDGE), *noise) == []
    refuse_leaks(honest(RIDGE), *noise)


def test_a_missing_value_of_another_patient_is_no_leak(noise):
    values, labels = noise
    values[3, 1] = np.nan
    assert find_leaks(honest(RIDGE), values, labels) == []


def test_a_leak_of_the_label_is_told_with_the_patient(noise):
    leaks = find_leaks(leaky_fit, *noise)
    assert "patient 1 of 10: the prediction moves with the patient's own label" in leaks
    assert "patient 1 of 10: what is learnt moves with the left-out label" in leaks


def test_a_leak_of_the_features_is_told(noise):
    leaks = find_leaks(leaky_scaling, *noise)
    assert leaks
    assert all("what is learnt moves when the left-out features become" in leak for leak in leaks)


@pytest.mark.parametrize("leaky", [leaky_scaling, leaky_selection, leaky_fit])
def test_a_leaky_pipeline_stops_the_run(noise, leaky):
    with pytest.raises(PredictionError, match="The prediction pipeline leaks"):
        refuse_leaks(leaky, *noise)
