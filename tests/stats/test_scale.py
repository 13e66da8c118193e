import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.scale import analysis_scale


@pytest.mark.parametrize("unit", ["ratio", "1e9/L", "pg/mL", "g/L"])
def test_ratios_and_concentrations_are_compared_on_log2(unit):
    values, scale = analysis_scale([1.0, 2.0, 8.0], unit)
    assert values.tolist() == [0.0, 1.0, 3.0]
    assert scale == f"log2 {unit}"


@pytest.mark.parametrize(
    "unit", ["rank score", "clr", "nats", "NPX", "fraction", "log2 CPM", "log ratio", "log2 pg/mL"]
)
def test_other_units_stay_as_they_are(unit):
    values, scale = analysis_scale([-1.0, 0.0, 8.0], unit)
    assert values.tolist() == [-1.0, 0.0, 8.0]
    assert scale == unit


def test_a_value_without_a_logarithm_is_not_a_number():
    values, _ = analysis_scale([0.0, -2.0, np.nan, 4.0], "ratio")
    assert np.isnan(values[:3]).all()
    assert values[3] == 2.0


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_a_factor_on_a_ratio_shifts_it_by_the_factors_logarithm(value, factor):
    before, _ = analysis_scale([value], "ratio")
    after, _ = analysis_scale([value * factor], "ratio")
    assert (after - before)[0] == pytest.approx(np.log2(factor), abs=1e-9)
