"""Two public cohorts, converted and run once a session."""

import importlib.util
from pathlib import Path

import pytest

from rabiomarkers.pipeline import run_study
from rabiomarkers.results import Results, open_results
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study


def _converters():
    specification = importlib.util.spec_from_file_location("converters", Path(__file__).with_name("converters.py"))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _run(study: Path) -> Results:
    assert check_study(study) == []
    out = study.parent / "results"
    run_study(open_study(study), Store(study.parent / "store"), out)
    return open_results(out)


@pytest.fixture(scope="session")
def checkmate038(shared_data, tmp_path_factory) -> Results:
    """Tumour RNA and serum sPD-L1 of CheckMate 038, through the whole workflow."""
    return _run(_converters().checkmate038(shared_data, tmp_path_factory.mktemp("checkmate038") / "study"))


@pytest.fixture(scope="session")
def toposcore(shared_data, tmp_path_factory) -> Results:
    """Stool metagenomes of TOPOSCORE, through the whole workflow."""
    return _run(_converters().toposcore(shared_data, tmp_path_factory.mktemp("toposcore") / "study"))
