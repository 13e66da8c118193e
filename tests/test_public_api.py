import math
import subprocess
import sys

import pandas as pd
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
    *(
        "distances_of",
        "diversity",
        "diversity_of_shares",
        "listed_microbes",
        "load_taxa",
        "rarefaction_curve",
        "read_abundance",
        "read_tree",
        "stool_scores",
    ),
]


@pytest.mark.parametrize("name", [*FUNCTIONS, "Expression", "Known"])
def test_the_public_functions_are_there(name):
    assert callable(getattr(ra, name))
    assert getattr(ra, name).__name__ == name


def test_a_notebook_can_go_from_a_stool_table_to_diversity_unifrac_and_scores(tmp_path):
    """By hand: two taxa of 10 reads have Shannon ln 2; half of the reads lies on `a` in one stool and on its sister `b` in the
    other, each on a branch of length 1, so weighted UniFrac is 0.5 + 0.5 and Bray-Curtis a half; none of the three is listed."""
    (tmp_path / "taxa.csv").write_text("taxon,s1,s2\na,10,0\nb,0,10\nc,10,10\n")
    (tmp_path / "tree.nwk").write_text("((a:1,b:1):1,c:2);")
    stools = ra.read_abundance(
        tmp_path / "taxa.csv", label="taxa.csv", assay="taxa_counts", sample_ids=["s1", "s2"], database="GTDB r220"
    )
    tree = ra.read_tree(tmp_path / "tree.nwk")
    reads = pd.DataFrame({name: stool.set_index("taxon")["value"] for name, stool in stools.items()}).T
    assert ra.diversity(reads.loc["s1"], depth=20, seed=1)["shannon"] == pytest.approx(math.log(2))
    assert ra.diversity_of_shares(reads.loc["s1"] / 20)["shannon"] == pytest.approx(math.log(2))
    assert ra.rarefaction_curve(reads.loc["s1"])["depth"].max() == 20
    assert ra.distances_of(reads, "weighted_unifrac", tree=tree).loc["s1", "s2"] == pytest.approx(1.0)
    assert ra.distances_of(reads, "bray_curtis").loc["s1", "s2"] == pytest.approx(0.5)
    passport = stools["s1"].attrs["passport"]
    scores = ra.stool_scores(
        stools["s1"],
        ra.load_taxa(),
        ra.load_rules()["TOPOSCORE"]["numbers"],
        scale=passport["scale"],
        database=passport["database"],
    ).set_index("score")
    assert scores.loc["TOPOSCORE", "verdict"] == "refused"


def test_the_package_knows_its_version():
    assert ra.__version__.count(".") == 2


def test_the_public_names_can_be_listed():
    assert dir(ra) == sorted(["Expression", "Known", "__version__", "plot", *FUNCTIONS])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'rabiomarkers' has no attribute 'nothing'"):
        _ = ra.nothing
