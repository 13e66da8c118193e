import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.sample_size import riley_sample_size


def test_one_predictor_at_prevalence_03_needs_323_patients():
    # 1 / (0.1 * -ln(1 - 0.2/0.9)) = 39.8; R2 max = 0.7053, S = 0.850, 1 / (0.150 * -ln(1 - 0.2/0.850)) = 24.8;
    # (1.96/0.05)^2 * 0.21 = 322.7
    found = riley_sample_size(predictors=1, prevalence=0.3, r_squared=0.2)
    assert (found.shrinkage, found.optimism, found.prevalence, found.needed) == (40, 25, 323, 323)


def test_the_example_of_the_authors_software_needs_662_patients():
    # the binary example of the R package pmsampsize: 24 parameters, prevalence 0.174, Cox-Snell R2 0.288
    found = riley_sample_size(predictors=24, prevalence=0.174, r_squared=0.288)
    assert (found.shrinkage, found.optimism, found.prevalence, found.needed) == (623, 662, 221, 662)


@pytest.mark.parametrize(("predictors", "prevalence"), [(0, 0.3), (1, 0.0), (1, 1.0)])
def test_no_predictor_or_no_variation_is_refused(predictors, prevalence):
    with pytest.raises(PredictionError, match="needs a predictor and a prevalence"):
        riley_sample_size(predictors=predictors, prevalence=prevalence)


@given(st.integers(1, 50), st.floats(0.01, 0.99))
def test_more_predictors_never_need_fewer_patients(predictors, prevalence):
    fewer = riley_sample_size(predictors=predictors, prevalence=prevalence)
    more = riley_sample_size(predictors=predictors + 1, prevalence=prevalence)
    assert 0 < fewer.shrinkage <= more.shrinkage
    assert 0 < fewer.optimism <= more.optimism
    assert fewer.prevalence == more.prevalence
