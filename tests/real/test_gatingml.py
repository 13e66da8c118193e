"""ISAC's Gating-ML 2.0 compliance set: the membership of every event in all 51 gates, as published with it.

Two of the 51 gates are not in the file of gates: their definitions stand here, with the numbers of FlowKit's repository
(`gml_ellipsoid3d_gate.xml` of commit 9ac475ec; the rectangle within a quadrant of its tests).
"""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.gating.strategies import strategy_membership

NAMESPACES = (
    'xmlns:gating="http://www.isac-net.org/std/Gating-ML/v2.0/gating" '
    'xmlns:data-type="http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"'
)
MEAN = (40.3, 30.6, 20.8)
COVARIANCE = ((2.5, 7.5, 17.5), (7.5, 7.0, 13.5), (15.5, 13.5, 4.3))


def dimension(channel, compensation, *, low=None, high=None):
    limits = "".join(f' gating:{name}="{value}"' for name, value in (("min", low), ("max", high)) if value is not None)
    told = f'<data-type:fcs-dimension data-type:name="{channel}"/>'
    return f'<gating:dimension gating:compensation-ref="{compensation}"{limits}>{told}</gating:dimension>'


def ellipsoid():
    dimensions = "".join(dimension(channel, "FCS") for channel in ("FL3-H", "FL4-H", "FL1-H"))
    mean = "".join(f'<gating:coordinate data-type:value="{value}"/>' for value in MEAN)
    rows = "".join(
        "<gating:row>" + "".join(f'<gating:entry data-type:value="{value}"/>' for value in row) + "</gating:row>"
        for row in COVARIANCE
    )
    return (
        f'<gating:EllipsoidGate gating:id="Ellipsoid3D">{dimensions}<gating:mean>{mean}</gating:mean>'
        f"<gating:covarianceMatrix>{rows}</gating:covarianceMatrix>"
        '<gating:distanceSquare data-type:value="1"/></gating:EllipsoidGate>'
    )


def quadrants_with_a_rectangle():
    """A rectangle inside the quadrant that is high in FL2 (from 12.14748) and FL4 (from 14.22417)."""
    dividers = "".join(
        f'<gating:divider gating:id="{name}" gating:compensation-ref="FCS">'
        f'<data-type:fcs-dimension data-type:name="{name}-H"/><gating:value>{value}</gating:value></gating:divider>'
        for name, value in (("FL2", 12.14748), ("FL4", 14.22417))
    )
    quadrant = (
        '<gating:Quadrant gating:id="FL2P-FL4P"><gating:position gating:divider_ref="FL2" gating:location="16"/>'
        '<gating:position gating:divider_ref="FL4" gating:location="16"/></gating:Quadrant>'
    )
    sides = dimension("FL2-H", "uncompensated", low=6, high=14.4) + dimension("FL4-H", "uncompensated", low=7, high=16)
    return (
        f'<gating:QuadrantGate gating:id="Quadrant1">{dividers}{quadrant}</gating:QuadrantGate>'
        f'<gating:RectangleGate gating:id="ParRectangle1" gating:parent_id="FL2P-FL4P">{sides}</gating:RectangleGate>'
    )


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "gatingml_reference"


@pytest.fixture(scope="module")
def expected(folder):
    return pd.read_csv(folder / "expected_membership.csv.gz").drop(columns="event").astype(bool)


@pytest.fixture(scope="module")
def members(folder, expected):
    return strategy_membership(folder / "all_gates.xml", folder / "data1.fcs", events=len(expected))[0].members


def by_own_file(folder, tmp_path, gates, name):
    path = tmp_path / "gates.xml"
    path.write_text(f"<gating:Gating-ML {NAMESPACES}>{gates}</gating:Gating-ML>")
    return strategy_membership(path, folder / "data1.fcs")[0].members[name]


def test_every_event_is_right_in_the_gates_of_the_file(members, expected):
    wrong = {name: int((members[name] != expected[name].to_numpy()).sum()) for name in members}
    assert set(expected) - set(members) == {"Ellipsoid3D", "ParQuadRect"}
    assert len(wrong) == 49
    assert not any(wrong.values()), wrong


def test_the_numbers_of_the_readme(members):
    told = {
        "Rectangle1": 252,
        "Range1": 440,
        "Polygon1": 1_582,
        "Ellipse1": 203,
        "Or1": 1_983,
        "And1": 561,
        "ScaleRange4": 2_509,
        "ScaleRect1": 809,
    }
    assert {name: int(members[name].sum()) for name in told} == told


def test_the_ellipsoid_of_three_dimensions(folder, expected, tmp_path):
    found = by_own_file(folder, tmp_path, ellipsoid(), "Ellipsoid3D")
    np.testing.assert_array_equal(found, expected["Ellipsoid3D"])


def test_the_rectangle_within_a_quadrant(folder, expected, tmp_path):
    found = by_own_file(folder, tmp_path, quadrants_with_a_rectangle(), "ParRectangle1")
    np.testing.assert_array_equal(found, expected["ParQuadRect"])


def test_a_gate_within_a_gate_has_it_as_its_parent(folder, expected):
    _, tree = strategy_membership(folder / "all_gates.xml", folder / "data1.fcs", events=len(expected))
    inner = {each.name: each.parent for each in tree.populations if each.parent != "root"}
    assert inner == {"ParAnd2": "Polygon1", "ParAnd3": "Range1", "ScalePar1": "ScaleRect1"}
