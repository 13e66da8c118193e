"""What several test modules share: public data beside the checkout, a simulated trial, its results."""

import os
import shutil
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # a process for each core: threads of their own would be in each other's way
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pandas as pd
import pytest
import yaml
from hypothesis import settings

settings.register_profile("shared machine", deadline=None)  # how long an example takes says nothing of its truth
settings.load_profile("shared machine")

SHARED_DATA = Path(os.environ.get("RABIOMARKERS_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

FEW_DRAWS = {
    "change": {"flips": 20},
    "cells": {"embedding": {"cells": 0}},
    "composition": {"draws": 20},
    "stool": {"other_methods": "called"},
    "prediction": {"bootstraps": 50, "simulations": 10},
}
"""Settings of the shared trial that decide nothing but how long it takes."""


def pytest_configure(config):
    """Other libraries still call what pandas 4 will drop; pandas 2 has no such warning."""
    if hasattr(pd.errors, "Pandas4Warning"):
        config.addinivalue_line("filterwarnings", "ignore::pandas.errors.Pandas4Warning")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the public data sets are not beside the checkout; name their folder in RABIOMARKERS_SHARED_DATA")
    return SHARED_DATA


@pytest.fixture(scope="session")
def trial(tmp_path_factory) -> Path:
    """A planted trial of six patients in two batches, small cells and few draws so that it is quick; not to be written to."""
    from rabiomarkers.simulate.study import simulate_study

    folder = tmp_path_factory.mktemp("trial") / "study"
    simulate_study(folder, patients=6, effect="planted", seed=1, cells=300)
    told = yaml.safe_load((folder / "study.yaml").read_text())
    for part, few in FEW_DRAWS.items():
        told[part] = told.get(part, {}) | few
    (folder / "study.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def finished(trial, tmp_path_factory) -> Path:
    """The results of the trial, run without Prefect; not to be written to. Its store lies beside it."""
    from rabiomarkers.pipeline import run_study
    from rabiomarkers.store import Store
    from rabiomarkers.study import open_study

    out = tmp_path_factory.mktemp("finished") / "results"
    run_study(open_study(trial), Store(out.parent / ".rabiomarkers" / "store"), out)
    return out


@pytest.fixture
def own_trial(trial, tmp_path) -> Path:
    """A copy of the trial that a test may spoil."""
    return Path(shutil.copytree(trial, tmp_path / "study"))


@pytest.fixture
def own_workspace(finished, tmp_path) -> Path:
    """A folder holding a copy of the results and of the steps computed for them."""
    return Path(shutil.copytree(finished.parent, tmp_path / "workspace"))
