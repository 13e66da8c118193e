"""A FlowJo 10 workspace: its compensation, its scales and its nested gates, against the same arithmetic by hand.

No workspace saved by FlowJo itself is free to use, so FlowKit writes this one in FlowJo's form (`flowJoVersion` 10.6.2).
"""

import re

import numpy as np
import pytest
from flowutils.transforms import logicle

from rabiomarkers.errors import InputError
from rabiomarkers.features.gating.strategies import check_strategy, strategy_membership
from tests.support.fcs_files import fcs

flowkit = pytest.importorskip("flowkit", reason="the extra gating is not installed")

SPILL = np.array([[1.0, 0.1], [0.02, 1.0]])  # B515-A into Y586-A, and back
TOP, WIDTH, DECADES = 262_144.0, 0.5, 4.5


@pytest.fixture(scope="module")
def events():
    random = np.random.default_rng(3)
    truth = np.column_stack([random.lognormal(5, 1.6, 400), random.lognormal(5, 1.6, 400)])
    scatter = random.uniform(0, 200_000, (400, 2))
    return np.column_stack([scatter, truth @ SPILL, np.arange(400.0)]).astype("f4")


@pytest.fixture(scope="module")
def workspace(events, tmp_path_factory):
    """Folder, FCS file and workspace: lymphocytes on scatter, below them CD3+ and below these a polygon of both colours."""
    from flowkit import Dimension, GatingStrategy, Matrix, Sample, gates, transforms
    from flowkit._utils.wsp_utils import export_flowjo_wsp

    folder = tmp_path_factory.mktemp("flowjo")
    path = folder / "blood one.fcs"
    path.write_bytes(fcs(events, labels=("", "", "CD3 FITC", "CD279 PE", "")))
    strategy = GatingStrategy()
    strategy.add_comp_matrix("colours", Matrix(SPILL, ["B515-A", "Y586-A"]))
    scale = transforms.LogicleTransform(param_t=TOP, param_w=WIDTH, param_m=DECADES, param_a=0)
    for name in ("Comp-B515-A", "Comp-Y586-A"):
        strategy.add_transform(name, scale)
    scatter = [
        Dimension("FSC-A", range_min=30_000, range_max=180_000),
        Dimension("SSC-A", range_min=10_000, range_max=150_000),
    ]
    strategy.add_gate(gates.RectangleGate("Lymphocytes", scatter), ("root",))
    fitc = Dimension("B515-A", "colours", "Comp-B515-A", range_min=0.35)
    strategy.add_gate(gates.RectangleGate("T cells", [fitc]), ("root", "Lymphocytes"))
    both = [Dimension("B515-A", "colours", "Comp-B515-A"), Dimension("Y586-A", "colours", "Comp-Y586-A")]
    corners = [(0.3, 0.3), (0.9, 0.3), (0.9, 0.8), (0.3, 0.8)]
    strategy.add_gate(gates.PolygonGate("bright", both, corners), ("root", "Lymphocytes", "T cells"))
    with (folder / "gates.wsp").open("wb") as file:
        export_flowjo_wsp(strategy, "all", [Sample(str(path), sample_id=path.name)], file)
    text = (folder / "gates.wsp").read_text()
    (matrix,) = re.findall(r"<transforms:spilloverMatrix.*?</transforms:spilloverMatrix>", text, re.DOTALL)
    (folder / "gates.wsp").write_text(text.replace("<Sample>", f"<Sample>{matrix}"))  # FlowJo has it in each sample too
    return path, folder / "gates.wsp"


@pytest.mark.filterwarnings("ignore")
def test_the_events_in_each_gate_are_those_of_the_arithmetic(events, workspace):
    path, gates = workspace
    raw = events.astype("f8")
    colours = raw[:, 2:4] @ np.linalg.inv(SPILL)
    scaled = logicle(colours, None, t=int(TOP), m=DECADES, w=WIDTH, a=0)
    lymphocytes = (raw[:, 0] >= 30_000) & (raw[:, 0] < 180_000) & (raw[:, 1] >= 10_000) & (raw[:, 1] < 150_000)
    t_cells = lymphocytes & (scaled[:, 0] >= 0.35)
    bright = t_cells & (scaled[:, 0] > 0.3) & (scaled[:, 0] < 0.9) & (scaled[:, 1] > 0.3) & (scaled[:, 1] < 0.8)
    found, tree = strategy_membership(gates, path, events=len(events))
    expected = {"lymphocyte": lymphocytes, "T_cell": t_cells, "bright": bright}
    names = {each.name for each in tree.populations}
    assert len(names) == 3
    told = dict(zip(sorted(names, key=lambda name: -found.members[name].sum()), expected.values(), strict=True))
    for name, mask in told.items():
        assert 20 < mask.sum() < 380
        np.testing.assert_array_equal(found.members[name], mask, err_msg=name)
    assert "T_cell" in names  # "T cells" is plainly a population of our tree


@pytest.mark.filterwarnings("ignore")
def test_a_sample_under_another_name_takes_the_gates_of_the_only_one(workspace, tmp_path):
    path, gates = workspace
    other = tmp_path / "renamed.fcs"
    other.write_bytes(path.read_bytes())
    ours, _ = strategy_membership(gates, path)
    theirs, _ = strategy_membership(gates, other)
    assert {name: mask.sum() for name, mask in theirs.members.items()} == {
        name: mask.sum() for name, mask in ours.members.items()
    }


@pytest.mark.filterwarnings("ignore")
def test_a_channel_that_the_file_lacks_is_told(workspace, tmp_path, events):
    _, gates = workspace
    other = tmp_path / "blood one.fcs"
    other.write_bytes(fcs(events, channels=("FSC-A", "SSC-A", "V450-A", "Y586-A", "Time")))
    with pytest.raises(InputError, match="gates that cannot be applied to this file"):
        strategy_membership(gates, other)


def test_a_workspace_passes_the_check(workspace):
    check_strategy(workspace[1])
