"""Results folders of invented trials, one of each kind that a report must stand."""

from pathlib import Path

import pytest

from rabiomarkers.results import Results, open_results
from tests.support.synthetic_results import INJECTION, Invented, make_results

DEGENERATE = {
    "no responders": Invented(responders=0),
    "no pairs": Invented(pairs=False),
    "one compartment": Invented(compartments=("blood",), missing=frozenset()),
    "no features": Invented(features=False, exploratory=0),
    "one patient": Invented(patients=("P01",), responders=1, missing=frozenset()),
    "only responders": Invented(patients=("P01", "P02", "P03"), responders=3, missing=frozenset()),
    "no lesions": Invented(lesions=False),
    "no models": Invented(models=False),
    "no adverse events, no design": Invented(adverse_events=False, design=False),
    "first version": Invented(first_version=True),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """An ordinary trial's results; not to be written to."""
    return make_results(tmp_path_factory.mktemp("invented") / "results")


@pytest.fixture(scope="session")
def results(folder) -> Results:
    return open_results(folder)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Results:
    """Results in which every free text tries to be a script."""
    trial = Invented(
        patients=tuple(f"{INJECTION}{index}" for index in range(6)),
        responders=2,
        note=f"{INJECTION}<img src=x onerror=alert(2)>",
        study=f"{INJECTION}study",
        taxon=INJECTION,
        later_timepoint=True,
    )
    return open_results(make_results(tmp_path_factory.mktemp("hostile") / "results", trial))


@pytest.fixture(scope="session", params=DEGENERATE)
def degenerate(request, tmp_path_factory) -> Results:
    return open_results(make_results(tmp_path_factory.mktemp("degenerate") / "results", DEGENERATE[request.param]))
