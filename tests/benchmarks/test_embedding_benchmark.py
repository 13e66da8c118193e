"""The map of 4,000 cells, from a fresh process as a step has it, beside scanpy's usual way in another."""

import json
import subprocess
import sys

import pytest

from rabiomarkers.files import write_cells
from rabiomarkers.simulate.cells import blood_samples, cell_model
from rabiomarkers.simulate.design import design_trial

CELLS = 4_000
LIMIT = 15.0  # seconds of a processor, the loading of libraries included
READ = """
import json, resource, sys
import anndata
cells = anndata.read_h5ad(sys.argv[1])
"""
OURS = """
from rabiomarkers.features.embedding import embed
embed(cells)
"""
SCANPY = """
import scanpy as sc
sc.pp.normalize_total(cells, target_sum=1e4)
sc.pp.log1p(cells)
sc.pp.highly_variable_genes(cells, n_top_genes=1000)
cells = cells[:, cells.var["highly_variable"]].copy()
sc.pp.scale(cells, max_value=10)
sc.pp.pca(cells, n_comps=30)
sc.pp.neighbors(cells, n_neighbors=15)
sc.tl.leiden(cells, flavor="igraph", n_iterations=2, directed=False)
sc.tl.umap(cells)
"""
TELL = """
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss * 1024}))
"""


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    design = design_trial(patients=1)
    path = tmp_path_factory.mktemp("map") / "cells.h5ad"
    _, sample = next(blood_samples(design, design.patients[0], cells=CELLS, model=cell_model(1)))
    write_cells(sample.cells, path)
    return path


def used(script: str, matrix) -> dict[str, float]:
    """Processor seconds and peak memory of a process."""
    command = [sys.executable, "-W", "ignore", "-c", READ + script + TELL, str(matrix)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


@pytest.mark.benchmark
def test_a_map_of_four_thousand_cells_takes_seconds(benchmark, matrix):
    ours = benchmark.pedantic(lambda: used(OURS, matrix), rounds=1, iterations=1)
    peer = used(SCANPY, matrix)
    benchmark.extra_info |= {"ours": ours, "scanpy": peer, "ratio": ours["seconds"] / peer["seconds"]}
    assert ours["seconds"] < LIMIT
    assert ours["peak"] < 2 * 2**30
