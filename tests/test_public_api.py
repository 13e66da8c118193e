import subprocess
import sys

import pytest

import rabiomarkers as ra

HEAVY = ("numpy", "pandas", "plotly", "scanpy", "anndata", "prefect", "pydantic")


def test_importing_the_package_loads_no_heavy_library():
    code = f"import sys, rabiomarkers; print([name for name in {HEAVY!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_importing_the_package_takes_less_than_a_fifth_of_a_second():
    code = "import time; start = time.perf_counter(); import rabiomarkers; print(time.perf_counter() - start)"
    taken = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(taken) < 0.2


FUNCTIONS = [
    *(
        "choose_signatures",
        "find_gates",
        "freeze_reference",
        "gate_sample",
        "load_gating_tree",
        "load_pairs",
        "load_rules",
        "load_signatures",
        "open_results",
        "open_study",
        "population_table",
        "read_cytometry",
        "read_repertoire",
        "repertoire_features",
        "run_study",
    ),
    *(
        "score_file",
        "score_samples",
        "score_signatures",
        "score_table",
        "sensitivity",
        "simulate_study",
        "stream_expression",
    ),
]


@pytest.mark.parametrize("name", [*FUNCTIONS, "Expression", "Known"])
def test_the_public_functions_are_there(name):
    assert callable(getattr(ra, name))
    assert getattr(ra, name).__name__ == name


def test_the_package_knows_its_version():
    assert ra.__version__.count(".") == 2


def test_the_public_names_can_be_listed():
    assert dir(ra) == sorted(["Expression", "Known", "__version__", "plot", *FUNCTIONS])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'rabiomarkers' has no attribute 'nothing'"):
        _ = ra.nothing
