"""Of a large annotated file only the samples that are asked for are read, and damage in it is told when they are."""

import tracemalloc

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.expression import read_expression

GENES = ["CD8A", "GZMB", "PLAAT4", *(f"AB{place}" for place in range(2_997))]
SAMPLES = [f"S{place}" for place in range(1_500)]
ALIASES = pd.Series({"RARRES3": "PLAAT4"}, name="gene")


@pytest.fixture
def values():
    return np.random.default_rng(1).poisson(0.5, (len(SAMPLES), len(GENES))).astype(np.float32)


def written(tmp_path, matrix, **options):
    path = tmp_path / "large.h5ad"
    obs, var = pd.DataFrame(index=SAMPLES), pd.DataFrame(index=GENES)
    anndata.AnnData(matrix, obs=obs, var=var).write_h5ad(path, **options)
    return path


def read(path, sample_ids):
    return read_expression(path, label=path.name, assay="rna_counts", sample_ids=sample_ids, aliases=ALIASES)


@pytest.mark.parametrize("form", [np.asarray, csr_matrix])
def test_few_samples_of_a_large_file_need_little_memory_and_come_in_the_order_asked_for(tmp_path, values, form):
    path = written(tmp_path, form(values))
    tracemalloc.start()
    pieces = read(path, ["S1400", "S7", "S900"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < values.nbytes / 2  # 18 MB as it lies there
    assert list(pieces) == ["S1400", "S7", "S900"]
    for sample, piece in pieces.items():
        found = piece.set_index("gene")["value"][GENES].to_numpy()
        np.testing.assert_array_equal(found, values[SAMPLES.index(sample)])


def test_a_damaged_block_is_told_when_its_sample_is_read(tmp_path, values):
    path = written(tmp_path, values, compression="gzip")
    with h5py.File(path) as file:
        stored = file["X"].id
        places = [stored.get_chunk_info(at).byte_offset for at in range(stored.get_num_chunks())]
    with path.open("r+b") as handle:
        for place in places:
            handle.seek(place + 20)
            handle.write(b"\xff" * 40)
    with pytest.raises(InputError, match=r"no readable \.h5ad") as raised:
        read(path, ["S7"])
    assert raised.value.problems[0].file == "large.h5ad"
