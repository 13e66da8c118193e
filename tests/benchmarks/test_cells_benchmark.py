"""Single cells at size: time grows as cells do, and memory as the largest sample does, whatever the file holds.

Each run is a process of its own that reads one `.h5ad` of many samples sample by sample and scores each; its peak is that of the
process, its seconds are those of the processor, so that what else the machine does plays no part.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import write_elem
from scipy.sparse import csr_matrix

from rabiomarkers.simulate.cells import blood_samples, cell_model
from rabiomarkers.simulate.design import design_trial

SAMPLES = 8
BLOCK = 2_500  # cells that are simulated once and repeated
DEPTH = 0.2  # of the simulated molecules, so that the largest file stays on any disk
LIMIT = 6 * 2**30  # bytes
FEATURES = 50  # at least so many of each sample

SCRIPT = """
import json, resource, sys, tempfile, time
from pathlib import Path
from rabiomarkers.features.cells import cell_step
from rabiomarkers.files import read_table
from rabiomarkers.ingest.cells import split_cells
from rabiomarkers.schema import config_path

matrix, samples = Path(sys.argv[1]), json.loads(sys.argv[2])
told = {}
with tempfile.TemporaryDirectory(dir=matrix.parent) as folder:
    pieces = Path(folder)
    split_cells({"matrix": matrix, "aliases": config_path("signatures/gene_aliases.csv")}, pieces, label="x", sample_ids=samples)
    read = time.process_time()
    for sample in samples:
        out = pieces / sample
        out.mkdir()
        inputs = {
            "sample": pieces / f"{sample}.h5ad",
            "markers": config_path("markers/immune_markers.csv"),
            "signatures": config_path("signatures/gene_signatures.csv"),
        }
        cell_step(
            inputs, out, minimum_cells=100, minimum_genes=50, maximum_mitochondrial_percent=20.0, minimum_score_margin=0.1,
            quality_limits="mad", pseudobulk={"CD8_T": ["CYT_ROONEY_2015"]}, seed=1,
        )
        told[sample] = len(read_table(out / "features.parquet"))
        (pieces / f"{sample}.h5ad").unlink()
seconds = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"read": read, "seconds": seconds, "peak": peak, "features": told}))
"""


def make_cells(path: Path, cells: int, samples: int) -> list[str]:
    """An `.h5ad` of that many cells, written block by block; its sample ids."""
    design = design_trial(patients=1)
    (patient,) = design.patients
    _, drawn = next(iter(blood_samples(design, patient, cells=BLOCK, model=cell_model(design.seed))))
    rng = np.random.default_rng(2)
    block = csr_matrix(drawn.cells.X)
    block.data = rng.binomial(block.data.astype(np.int64), DEPTH).astype(np.float32)
    block.eliminate_zeros()
    blocks = cells // BLOCK
    names = [f"S{number:02d}" for number in range(samples)]
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        group.attrs["shape"] = np.array([blocks * BLOCK, block.shape[1]])
        data = group.create_dataset("data", (blocks * block.nnz,), dtype=np.float32, chunks=(1_000_000,))
        indices = group.create_dataset("indices", (blocks * block.nnz,), dtype=np.int32, chunks=(1_000_000,))
        for number in range(blocks):
            place = slice(number * block.nnz, (number + 1) * block.nnz)
            data[place], indices[place] = block.data, block.indices
        starts = block.indptr[:-1].astype(np.int64)
        pointers = (np.arange(blocks, dtype=np.int64)[:, None] * block.nnz + starts[None, :]).ravel()
        group.create_dataset("indptr", data=np.append(pointers, blocks * block.nnz))
        owner = np.repeat(names, -(-blocks * BLOCK // samples))[: blocks * BLOCK]
        obs = pd.DataFrame({"sample_id": owner}, index=pd.Index([f"c{number}" for number in range(blocks * BLOCK)]))
        write_elem(file, "obs", obs)
        write_elem(file, "var", pd.DataFrame(index=pd.Index(drawn.cells.var_names)))
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    return names


def run(path: Path, samples: list[str]) -> dict[str, object]:
    """Read and score all samples in a process of its own; what it took."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path), json.dumps(samples)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout)


@pytest.mark.benchmark
def test_time_grows_as_cells_do(benchmark, tmp_path):
    """50 000, 100 000 and 200 000 cells in eight samples; the slope between sizes stands in `extra_info`."""
    sizes = (50_000, 100_000, 200_000)
    told = {}

    def measure() -> None:
        for size in sizes:
            path = tmp_path / f"{size}.h5ad"
            told[size] = run(path, make_cells(path, size, SAMPLES))
            path.unlink()

    benchmark.pedantic(measure, rounds=1)
    seconds = [float(told[size]["seconds"]) for size in sizes]
    benchmark.extra_info["seconds"] = dict(zip(map(str, sizes), seconds, strict=True))
    benchmark.extra_info["peak GiB"] = {str(size): round(told[size]["peak"] / 2**30, 2) for size in sizes}
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    benchmark.extra_info["slope on logarithms"] = round(slope, 2)
    assert all(min(told[size]["features"].values()) >= FEATURES for size in sizes)
    assert slope < 1.15  # 1 is linear; the start of each process makes it smaller


@pytest.mark.scale
def test_a_million_cells_in_forty_samples_stay_below_six_gibibytes(tmp_path):
    path = tmp_path / "million.h5ad"
    told = run(path, make_cells(path, 1_000_000, 40))
    assert told["peak"] < LIMIT
    assert len(told["features"]) == 40
