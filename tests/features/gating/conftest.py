"""One simulated batch and its borders, shared by the tests of gating."""

import pytest

from rabiomarkers.features.gating.batch import find_gates
from rabiomarkers.features.gating.tree import load_gating_tree
from tests.support.gated import simulated_batch


@pytest.fixture(scope="session")
def tree():
    """The tree that ships."""
    return load_gating_tree()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Four tubes of 5 000 events."""
    return simulated_batch(tmp_path_factory.mktemp("flow"), patients=2)


@pytest.fixture(scope="session")
def gates(simulated, tree):
    """Their borders."""
    return find_gates(simulated.pieces, tree, batch="batch-1", assay="flow")
