"""Scales of cytometry against their closed forms."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.gating.transforms import Transform, choose_transform, parse, transformed

TOP = 262_144.0


def channels(kind="marker", top=TOP):
    return {"CD3": {"detector": "V1", "range": top, "kind": kind}}


def biexponential(scale, *, top, width, decades=4.5):
    """The value at a place of the logicle scale without further negative decades: Moore & Parks 2012, doi:10.1002/cyto.a.22030."""
    b, w = decades * np.log(10), width / decades
    d = brentq(lambda d: 2 * (np.log(d) - np.log(b)) + w * (b + d), 1e-12, b)
    c = np.exp(2 * w * (b + d))
    f = np.exp(b * w) - c * np.exp(-d * w)
    a = top / (np.exp(b) - f - c * np.exp(-d))
    mirrored = np.where(scale < w, 2 * w - scale, scale)  # the scale is odd about zero by definition
    return np.where(scale < w, -a, a) * (np.exp(b * mirrored) - c * np.exp(-d * mirrored) - f)


@pytest.mark.parametrize("width", [0.5, 0.9, 1.5])
def test_logicle_inverts_the_published_biexponential(width):
    scale = np.linspace(0.02, 1, 50)
    values = biexponential(scale, top=TOP, width=width)
    assert Transform(kind="logicle", top=TOP, width=width).apply(values) == pytest.approx(scale, abs=1e-6)


def test_asinh_and_linear_are_plain():
    values = np.array([-5.0, 0.0, 5.0, 150.0])
    assert Transform(kind="asinh", cofactor=5).apply(values) == pytest.approx(np.arcsinh(values / 5))
    assert Transform(kind="linear", top=1000).apply(values) == pytest.approx(values / 1000)


def test_the_width_of_logicle_is_parks_rule():
    """W = (M - log10(T / |r|)) / 2 with r the 5 % quantile of what lies below zero: by hand (4.5 - log10(262.144)) / 2."""
    pooled = np.concatenate([np.full(200, -1000.0), np.full(1000, 5000.0)])
    chosen = choose_transform("CD3", pooled, channels(), assay="flow", method="logicle", cofactor=150)
    assert chosen.width == pytest.approx(1.0407, abs=1e-4)
    without = choose_transform("CD3", np.abs(pooled), channels(), assay="flow", method="logicle", cofactor=150)
    assert without.width == 0.5


@pytest.mark.parametrize(
    ("assay", "method", "kind", "expected"),
    [
        ("flow", "logicle", "marker", "logicle T=262144 W=0.5 M=4.5 A=0"),
        ("flow", "asinh", "marker", "asinh c=150 T=262144"),
        ("cytof", "logicle", "marker", "asinh c=5 T=262144"),
        ("flow", "logicle", "scatter", "linear T=262144"),
        ("flow", "logicle", "time", "linear T=262144"),
    ],
)
def test_each_channel_has_its_scale(assay, method, kind, expected):
    chosen = choose_transform("CD3", np.array([1.0]), channels(kind), assay=assay, method=method, cofactor=150)
    assert str(chosen) == expected
    assert parse(expected) == chosen


@pytest.mark.parametrize("top", [0.0, 1024.0])
def test_a_range_that_the_events_do_not_keep_to_is_not_believed(top):
    pooled = np.linspace(0, 200_000, 1001)
    chosen = choose_transform("CD3", pooled, channels(top=top), assay="flow", method="logicle", cofactor=150)
    assert chosen.top == 200_000


@given(
    st.floats(-300_000, 300_000, allow_subnormal=False),
    st.floats(-300_000, 300_000, allow_subnormal=False),
    st.floats(0.5, 1.5),
)
def test_no_scale_changes_the_order_of_events(first, second, width):
    low, high = sorted([first, second])
    for scale in (
        Transform(kind="logicle", top=TOP, width=width),
        Transform(kind="asinh", cofactor=150),
        Transform(kind="linear", top=TOP),
    ):
        lower, higher = scale.apply(np.array([low, high]))
        assert lower <= higher + 1e-9
        assert np.isfinite([lower, higher]).all()


@given(st.floats(1, 1e6), st.floats(0.5, 1.5), st.floats(1, 1e4))
def test_a_scale_is_read_as_it_was_written(top, width, cofactor):
    for scale in (
        Transform(kind="logicle", top=top, width=width),
        Transform(kind="asinh", top=top, cofactor=cofactor),
        Transform(kind="linear", top=top),
    ):
        assert str(parse(str(scale))) == str(scale)


@pytest.mark.parametrize("told", ["", "log", "logicle T=a", "asinh c=5 T=1; rm"])
def test_what_is_no_scale_is_refused(told):
    with pytest.raises(ScaleError, match="is no transform"):
        parse(told)


@pytest.mark.parametrize("kind", ["logicle", "asinh", "linear"])
def test_what_was_not_measured_stays_absent(kind):
    told = Transform(kind=kind, top=TOP).apply(np.array([np.nan, 100.0]))
    assert np.isnan(told).tolist() == [True, False]


def test_only_columns_with_a_scale_are_kept():
    events = pd.DataFrame({"CD3": [0.0, 5.0], "Time": [1.0, 2.0]})
    told = transformed(events, {"CD3": Transform(kind="asinh"), "CD4": Transform(kind="asinh")})
    assert list(told.columns) == ["CD3"]
    assert told["CD3"].tolist() == pytest.approx([0.0, np.arcsinh(1)])
